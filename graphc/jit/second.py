"""A backward pass from outside that is recorded itself: `create_graph=True`.

The pass is traced with recording on, so that the eager engine leaves a tape of it as well. That
tape ends at the cotangents and at the steps of the forward tape; what flows to these goes back
through the first pass's own step, beside what comes from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller, toposort
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.signature import runner
from graphc.eager.engine.tape import Edge, Saved
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import GradientError
from graphc.jit.history import Backward, CompiledBackward, Kept
from graphc.jit.outside import Outside, token, unknown_sizes
from graphc.jit.pullback import Group, Pullback
from graphc.ops.source import INPUT_OP


class Second(Outside):
    """The recorded form of one pass, and the passes over its own tape.

    Args:
        first: whose pass it is.
        group: see `Pullback`, as the others.
    """

    def __init__(
        self, first: Outside, group: Group, given: Sequence[bool], required: Sequence[bool],
        hooks: Edge | None,
    ) -> None:  # fmt: skip
        pull = Pullback(first._trace, group, given, first._stale, hooks, required)
        self._first = first
        self._pull = pull
        self.kept_name = f"{first.kept_name}_again"
        edges = [t._edge for _, t in pull.ends if t._edge is not None]
        super().__init__(f"{first.name}_backward", pull.trace, edges)
        self._places_of = {
            edge: k for k, edge in enumerate(pull.trace.edges_of_arguments) if edge is not None
        }
        self.title = first.title
        self.backward_of = Backward(pull)
        first._note_reads(self.backward_of)
        self._results = [node for _, node in pull.results]
        self._cts = [node for _, node in pull.cotangents]
        self._operands = first._operands | {*self._cts}
        self._memo: dict[Node, Node] = {}
        self.is_sized = first.is_sized
        self._choose()
        updates = self._canonical([node for *_, node in pull.updates])
        outputs = [*self._simple, *updates, *self.saved]
        self._ends = [n for n in toposort(outputs) if n.op is INPUT_OP]
        self._sizes = unknown_sizes(self._ends, outputs)
        tokens = [token(s) for s in self._sizes]
        ends = [*self._ends, *tokens]
        self._run = runner(self.name, ends, [*outputs, *map(FUNCTIONS["sum"], tokens)], True)

    def _canonical(self, roots: Sequence[Node]) -> list[Node]:
        own = [self._intern(r) for r in self._first.after([*self._results, *roots])]
        self._simple = own[: len(self._results)]
        return own[len(self._results) :]

    def _free(self, roots: Sequence[Sequence[Node]]) -> set[Node]:
        # All that the first pass starts from is kept as it is.
        own = {n for b in self._made.values() for n in b.pull.own}
        return {n for each in roots for n in toposort(each) if n.op is INPUT_OP and n not in own}

    def call(self, fn: CompiledBackward, cts: Sequence[Any], kept: Kept) -> list[Any]:
        """The cotangents of ends with their history.

        Args:
            fn: the step that is taken.
            cts: its cotangents, tensors.
            kept: of the call that it belongs to.
        """
        given: list[Tensor] = [cts[slot] for slot, _ in self._pull.cotangents]
        own = Kept()
        values = self._first.values(kept)
        values |= {node: ct._array for node, ct in zip(self._cts, given)}
        owners = dict(zip(self._cts, given))
        copies = self.before(owners.__getitem__)
        sizes = [np.empty((kept.sizes[s], 0), np.float32) for s in self._sizes]
        found = list(self._run(*[values[n] for n in self._ends], *sizes))
        count = len(self._pull.results)
        results = [wrap(a if a.base is None else a.copy()) for a in found[:count]]
        for (target, tensor, _), value in zip(self._pull.updates, found[count:]):
            target[...] = value
            if tensor is not None:
                tensor.version().count += 1
        own.values, own.sizes = values, kept.sizes
        own.operands = kept.operands | {n: Saved(ct, None) for n, ct in zip(self._cts, given)}
        self._keep(own, results, found[count + len(self._pull.updates) :], copies)

        def end(edge: Edge) -> Any:
            place = self._places_of.get(edge)
            if place is not None:
                return given[place]._edge
            below = fn.real(edge)
            if below is None and edge[0].number > 0:
                raise GradientError(
                    f"{self.title}: create_graph=True goes through {edge[0].name}, which is not "
                    "part of the history of these results",
                    where=caller(),
                    hint="compute the gradient inside the compiled function",
                )
            return below

        real = self._steps(own, end)
        for (_, traced), result in zip(self._pull.ends, results):
            if traced._edge is not None:
                result._edge = real(traced._edge)
        return [(end, r) for (end, _), r in zip(self._pull.results, results)]


__all__ = ["Second"]
