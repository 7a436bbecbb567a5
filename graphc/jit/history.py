"""The history of a compiled function's results: a backward step, and what a call keeps for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.ir import Node, caller
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.tape import Edge, GradFn, Handle, Saved, spent
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import TraceError
from graphc.jit.pullback import Group, Pullback, hooks_on


class Backward:
    """A compiled pass through a group, for one choice of cotangents.

    Attributes:
        pull: its graph.
        operands: placeholders of the forward graph whose memory it reads.
        results: positions of results whose memory it reads.
    """

    def __init__(self, pull: Pullback) -> None:
        self.pull = pull
        self.operands: list[tuple[Node, str]] = []
        self.results: list[tuple[int, str]] = []
        self.run: Callable[..., Sequence[np.ndarray]] | None = None
        self.graph: tuple[list[Node], list[Node]] = ([], [])
        self.kept: list[int] = []
        self.read: list[Node] = []
        self.sizes: list[dims.Symbol] = []


class Kept:
    """What one call keeps for its backward passes."""

    __slots__ = ("arrays", "operands", "results", "sizes", "spent", "values")

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.values: dict[Node, np.ndarray] = {}
        self.operands: dict[Node, Saved] = {}
        self.results: dict[int, Saved] = {}
        self.sizes: dict[dims.Symbol, Any] = {}
        self.spent: set[GradFn] = set()


class CompiledBackward(GradFn):
    """The backward step of a compiled function: one program for all steps of a group."""

    fresh = True  # its results are nobody else's

    def __init__(self, outside: Any, group: Group, edges: Sequence[Any], kept: Kept) -> None:
        super().__init__(edges)
        self.name = outside.title
        self._outside = outside
        self._group = group
        self._kept = kept
        self._last: Backward | None = None
        for edge in group.results:
            if hooks_on(edge):
                self.pre_hooks = {} if self.pre_hooks is None else self.pre_hooks
                Handle(self.pre_hooks, [group.slots[edge], _ResultHook(self, edge)])

    @property
    def results(self) -> int:
        """How many cotangents it takes; a recorded pass adds some."""
        return len(self._group.slots)

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """The cotangents of the edges.

        Raises:
            GradientError: an earlier pass freed values, or a value was changed in place.
        """
        parts: list[Any] = [None] * len(self.edges)
        for end, part in self.pulled(cts, create_graph, None):
            parts[end] = part
        return parts

    def pulled(self, cts: Sequence[Any], create_graph: bool, hooks: Edge | None) -> Any:
        """The cotangents of ends, (end, tensor); or of a result after its hooks."""
        if hot.slow and tracing.trace is not None:
            raise TraceError(
                f"backward() in a traced function goes through {self.name}, the history of a "
                "result of another compiled function",
                where=caller(),
                hint="call that function inside of the traced one, or detach() its result",
            )
        given = [ct is not None for ct in cts]
        if create_graph:
            required = [ct is not None and ct._edge is not None for ct in cts]
            second = self._outside.recorded(self._group, given, required, hooks)
            self._check(second.backward_of)
            self._last = second.backward_of
            return second.call(self, cts, self._kept)
        backward = self._outside.backward(self._group, given, hooks)
        self._check(backward)
        self._last = backward
        arrays = [None if ct is None else ct._array for ct in cts]
        found = self._outside.run(backward, arrays, self._kept)
        return [(end, wrap(array)) for (end, _), array in zip(backward.pull.results, found)]

    def real(self, edge: Edge, seen: set[Any] | None = None) -> Any:
        """The edge of this call that stands for one of the trace; None if it has none.

        In the middle of the steps, that is a slot of its own.
        """
        group = self._group
        if edge[0] in group.steps:
            return self, group.slot(edge)
        if edge in group.ends:
            return self.edges[group.ends[edge]]
        seen = {self} if seen is None else seen | {self}
        for below in self.edges:
            fn = None if below is None else below[0]
            if isinstance(fn, CompiledBackward) and fn not in seen:
                found = fn.real(edge, seen)
                if found is not None:
                    return found
        return None

    def _check(self, backward: Backward) -> None:
        kept = self._kept
        for fn in backward.pull.keeping:
            if fn in kept.spent:
                raise spent(fn.name)
        for node, name in backward.operands:
            if node in kept.operands:
                kept.operands[node].check(name)
        for place, name in backward.results:
            kept.results[place].check(name)

    def release(self) -> None:
        """Let go of the kept values, once no step needs them that has not been taken."""
        kept, last = self._kept, self._last
        if last is None:
            return
        kept.spent.update(last.pull.keeping)
        if self._outside.keeping <= kept.spent:
            kept.arrays, kept.operands, kept.results, kept.values = [], {}, {}, {}


class _ResultHook:
    """The hooks that the traced code put on a result, as one hook of the result."""

    takes_create_graph = True

    def __init__(self, fn: CompiledBackward, edge: Edge) -> None:
        self._fn = weakref.ref(fn)
        self._edge = edge

    def __call__(self, ct: Tensor, create_graph: bool = False) -> Tensor:
        fn = self._fn()
        if fn is None:
            return ct
        cts = [None] * fn.results
        cts[fn._group.slots[self._edge]] = ct  # type: ignore[call-overload]
        ((_, found),) = fn.pulled(cts, create_graph, self._edge)
        return found


__all__ = ["Backward", "CompiledBackward", "Kept"]
