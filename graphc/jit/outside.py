"""`Outside`: the gradients of a compiled function's results, asked for from outside.

    y = f(x)             # f compiled: one program gives y and what the backward pass needs
    y.sum().backward()   # one program gives x's gradient, as the steps that eager f records would

While f is traced, `Outside.of` runs the backward pass that eager code would run over the steps
that were recorded (`pullback`). `plan` chooses what the forward program has to give besides its
results (`partition`), and at a call `attach` lets the results have that history: a step whose
edges are the caller's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Graph, Node, all_nodes, caller, tensor_type, toposort
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType, determined, match
from graphc.eager.engine.signature import late, replayed, runner
from graphc.eager.engine.tape import Edge, GradFn, Saved
from graphc.eager.engine.tensor import Tensor
from graphc.errors import GradientError
from graphc.jit.history import Backward, CompiledBackward, Kept
from graphc.jit.partition import Interned, boundary_of, cut, cut_at, early_of, simplified
from graphc.jit.pullback import Group, Pullback, grouped, hooks_on, is_end, stale_in
from graphc.ops.source import INPUT_OP, PARAMETER_OP

_PLACEHOLDERS = (INPUT_OP, PARAMETER_OP)
_MOST_AT_ONCE = 4  # results whose gradients are also traced one by one


def unknown_sizes(inputs: Sequence[Node], outputs: Sequence[Node]) -> list[dims.Symbol]:
    """The symbolic sizes in a graph that the shapes of these inputs do not tell."""
    known = {determined(size) for x in inputs for size in tensor_type(x).shape}
    found: dict[dims.Symbol, None] = {}
    for node in all_nodes(Graph.of("sizes", inputs, outputs)):
        for size in getattr(node.type, "shape", ()):
            found |= dict.fromkeys(dims.symbols(size))
    return [s for s in found if s not in known]


def _until_last(given: Sequence[bool]) -> tuple[bool, ...]:
    """Up to the last that is True: a group may get more slots."""
    count = max((k + 1 for k, is_given in enumerate(given) if is_given), default=0)
    return tuple(given[:count])


def token(symbol: dims.Symbol) -> Node:
    """A placeholder without elements whose first axis tells a size."""
    type_ = TensorType(dtypes.float32, (dims.symbol(symbol), 0))
    return INPUT_OP(name=f"size_{symbol.name}", type=type_)


class Outside:
    """The backward passes of one traced function's results.

    Attributes:
        saved: values that the forward program gives after its results.
        copied: placeholders that are copied before the forward program runs.
    """

    kept_name = "kept"

    def __init__(self, name: str, trace: Any, edges: Sequence[Edge]) -> None:
        self.name = name
        self.title = f"{name.title().replace('_', '')}Backward"
        self._trace = trace
        inside = [edge for edge in dict.fromkeys(edges) if not is_end(edge[0], trace.first)]
        self.groups, self._group_of = grouped(inside, trace.first)
        self._stale = stale_in(self.groups)
        self._made: dict[Any, Backward] = {}
        for group in self.groups:
            self._trace_usual(group)
        self.saved: list[Node] = []
        self.copied: list[Node] = []
        self.shared: list[tuple[int, int]] = []
        self.keeping: set[GradFn] = set()
        self._stand_ins: dict[Node, Node] = {}
        self._recorded: dict[Any, Any] = {}

    def _trace_usual(self, group: Group) -> None:
        """The passes that are asked for most: from all results, and from each."""
        count = len(group.slots)
        choices = [(True,) * count]
        if 1 < count <= _MOST_AT_ONCE:
            choices += [tuple(k == j for j in range(count)) for k in range(count)]
        for given in choices:
            self._try(group, given, None)
        for edge in group.results:
            if hooks_on(edge):
                self._try(group, tuple(e == edge for e in group.slots), edge)

    def _try(self, group: Group, given: tuple[bool, ...], hooks: Edge | None) -> None:
        # What a hook or a custom backward raises, it raises when the gradient is asked for.
        with contextlib.suppress(Exception):
            pull = Pullback(self._trace, group, given, self._stale, hooks)
            self._made[group, _until_last(given), hooks] = Backward(pull)

    # --- the graphs

    def plan(
        self, memo: dict[Node, Node], results: Sequence[Node], inputs: Sequence[Node],
        others: Sequence[Node], written: set[Node],
    ) -> None:  # fmt: skip
        """Choose what to keep.

        Args:
            memo: what stands for nodes that the traced code made and let go.
            results: the results' nodes, as traced.
            inputs: placeholders of the arguments.
            others: placeholders of other memory.
            written: placeholders whose memory the program writes.
        """
        self._memo = memo
        self._results = list(results)
        # What the backward pass may read at its time; it is seen when somebody writes it.
        self._operands = ({*inputs} | {*others}) - written
        # Only symbolic sizes are ever asked for.
        self.is_sized = any(not tensor_type(n).is_static for n in inputs)
        self._arguments_of = list(inputs)
        self._choose()

    def _choose(self) -> None:
        self._intern = Interned()
        every = list(self._made.values())
        roots, starts = self._forms(every)
        needed: dict[Node, None] = {}
        for backward, own, more in zip(every, roots, starts):
            self._note_reads(backward)
            early = early_of([*own, *more], backward.pull.own)
            needed |= dict.fromkeys(boundary_of(own, early))
            needed |= {n: None for n in more if n in early}
        self._readable = self._free([*roots, *starts])
        keep = [self._intern(n) for n in cut(list(needed), self._readable)]
        self.keep = keep = list(dict.fromkeys(keep))
        self.keeping = {fn for b in every for fn in b.pull.keeping}
        self.read_results = sorted({place for b in every for place, _ in b.results})
        at = {self._simple[k]: k for k in self.read_results}
        self._places: dict[Node, int] = {node: k for k, node in enumerate(keep)}
        self.copied = [n for n in keep if n.op in _PLACEHOLDERS]
        for backward, own in zip(every, roots):
            self._finish(backward, own)
        # A result's own memory is used where eager steps would refuse one that was changed.
        self.shared = [
            (k, at[n]) for k, n in enumerate(keep)
            if n in at and all(
                at[n] in [place for place, _ in b.results] for b in every if k in b.kept
            )
        ]  # fmt: skip
        places = dict(self.shared)
        self.saved = [
            n for k, n in enumerate(keep) if n.op not in _PLACEHOLDERS and k not in places
        ]

    def _free(self, roots: Sequence[Sequence[Node]]) -> set[Node]:
        """Placeholders that the backward pass may read."""
        return {n for b in self._made.values() for n, _ in b.operands}

    def _canonical(self, roots: Sequence[Node]) -> list[Node]:
        """Nodes as traced in the form that the results have too."""
        # The results are among the roots so that what they share with a pass has one form.
        own = replayed([*self._results, *roots], self._memo, {})
        own = [self._intern(r) for r in simplified(self.name, own)]
        self._simple = own[: len(self._results)]
        return own[len(self._results) :]

    def _forms(self, backwards: Sequence[Backward]) -> tuple[list[list[Node]], list[list[Node]]]:
        """The roots of each pass, and the values that it starts from."""
        own = [
            [*(n for _, n in b.pull.results), *(n for *_, n in b.pull.updates)] for b in backwards
        ]
        starts = [b.pull.starts for b in backwards]
        roots = iter(self._canonical([root for each in (*own, *starts) for root in each]))
        forms = [[next(roots) for _ in each] for each in (*own, *starts)]
        return forms[: len(own)], forms[len(own) :]

    def after(self, roots: Sequence[Node]) -> list[Node]:
        """Nodes as traced from what is kept, and read, of a call: as placeholders."""
        return cut_at(found := self._canonical(roots), self._cuts(found))

    def _cuts(self, roots: Sequence[Node]) -> dict[Node, Node]:
        """Placeholders for kept values and for parameters that are read."""
        found = {}
        for node in toposort(roots):
            own = self._intern(node)
            if own in self._places or (node in self._readable and node.op is PARAMETER_OP):
                if own not in self._stand_ins:
                    name = f"{self.kept_name}{len(self._stand_ins)}"
                    self._stand_ins[own] = INPUT_OP(name=name, type=own.type)
                found[node] = self._stand_ins[own]
        return found

    def values(self, kept: Kept) -> dict[Node, np.ndarray]:
        """The arrays of a call for the placeholders of `after`."""
        found = {}
        for node, stand_in in self._stand_ins.items():
            place = self._places.get(node)
            found[stand_in] = kept.arrays[place] if place is not None else kept.values[node]
        return found | {n: v for n, v in kept.values.items() if n.op is INPUT_OP}

    def _note_reads(self, backward: Backward) -> None:
        """What eager steps would keep of memory that others can write."""
        places = {node: k for k, node in enumerate(self._results)}
        operands: dict[Node, str] = {}
        results: dict[int, str] = {}
        for saved, name in backward.pull.reads:
            node = self._memo.get(saved.node, saved.node)
            if node in self._operands:
                operands.setdefault(node, name)
            if saved.node in places:
                results.setdefault(places[saved.node], name)
        backward.operands = list(operands.items())
        backward.results = list(results.items())

    def _finish(self, backward: Backward, roots: Sequence[Node]) -> None:
        """The pass's graph from what is kept, ready to run."""
        cuts = self._cuts(roots)
        outputs = cut_at(roots, cuts)
        used = toposort(outputs)
        known = {*cuts.values()} | self._readable | backward.pull.own
        if any(n.op in _PLACEHOLDERS and n not in known for n in used):
            raise GradientError(
                f"{self.name}: the gradient of these results alone needs values that the call did "
                "not keep",
                where=caller(),
                hint="differentiate all results of the compiled function together",
            )
        kept: dict[Node, int] = {}
        read: dict[Node, Node] = {n: n for n in used if n in self._readable and n.op is INPUT_OP}
        for node, stand_in in cuts.items():
            place = self._places.get(self._intern(node))
            if stand_in in used and place is not None:
                kept[stand_in] = place
            elif stand_in in used:
                read[stand_in] = node
        ends = [*(node for _, node in backward.pull.cotangents), *kept, *read]
        backward.kept, backward.read = list(kept.values()), list(read.values())
        backward.sizes = unknown_sizes([e for e in ends if e in used], outputs)
        # A size that no input tells comes as that of an array without elements.
        tokens = [token(s) for s in backward.sizes]
        backward.graph = ([*ends, *tokens], [*outputs, *(FUNCTIONS["sum"](t) for t in tokens)])

    def backward(self, group: Group, given: Sequence[bool], hooks: Edge | None = None) -> Backward:
        """The pass for a choice of cotangents, made when it is first asked for."""
        key = (group, _until_last(given), hooks)
        found = self._made.get(key)
        if found is None:
            found = Backward(Pullback(self._trace, group, given, self._stale, hooks))
            self._note_reads(found)
            found.operands = [(n, name) for n, name in found.operands if n in self._readable]
            (roots,), _ = self._forms([found])
            self._finish(found, roots)
            known = {place for place, _ in found.results}
            found.results += [
                (place, self.title) for k, place in self.shared
                if k in found.kept and place not in known
            ]  # fmt: skip
            self._made[key] = found
        return found

    def recorded(
        self, group: Group, given: Sequence[bool], required: Sequence[bool], hooks: Edge | None
    ) -> Any:
        """A pass that is recorded itself."""
        key = (group, _until_last(given), _until_last(required), hooks)
        if key not in self._recorded:
            self._recorded[key] = late("jit.second").Second(self, group, given, required, hooks)
        return self._recorded[key]

    # --- a call

    def before(self, tensor_of: Callable[[Node], Tensor]) -> list[np.ndarray]:
        """Copies of what the backward pass needs as it is before the program runs.

        Args:
            tensor_of: gives the call's tensor for a placeholder.
        """
        return [tensor_of(node)._array.copy() for node in self.copied]

    def run(self, backward: Backward, cts: Sequence[Any], kept: Kept) -> list[np.ndarray]:
        """The cotangents of a pass's ends."""
        if backward.run is None:
            ends, outputs = backward.graph
            backward.run = runner(f"{self.name}_backward", ends, outputs, True)
        arrays = [cts[slot] for slot, _ in backward.pull.cotangents]
        arrays += [kept.arrays[k] for k in backward.kept]
        arrays += [kept.values[n] for n in backward.read]
        arrays += [np.empty((kept.sizes[s], 0), np.float32) for s in backward.sizes]
        found = list(backward.run(*arrays))
        count = len(backward.pull.results)
        for (target, tensor, _), value in zip(backward.pull.updates, found[count:]):
            target[...] = value
            if tensor is not None:
                tensor.version().count += 1
        seen = {id(a) for a in arrays}
        for k, array in enumerate(found[:count]):
            if id(array) in seen or array.base is not None:
                found[k] = array.copy()
            seen.add(id(array))
        return found[:count]

    def attach(
        self, tensor_of: Callable[[Node], Tensor], results: Sequence[Tensor],
        saved: Sequence[np.ndarray], copies: Sequence[np.ndarray], end_of: Callable[[Edge], Any],
    ) -> Callable[[Edge], Any]:  # fmt: skip
        """The history of one call.

        Args:
            tensor_of: gives the call's tensor for a placeholder.
            results: of the program, as `plan` had their nodes.
            saved: what it gave besides, for `Outside.saved`.
            copies: what `before` gave.
            end_of: gives the call's edge where the tape ends.

        Returns:
            What gives the edge that stands for one of the trace.
        """
        kept = Kept()
        self._keep(kept, results, saved, copies)
        for node in self._readable:
            tensor = tensor_of(node)
            kept.operands[node] = Saved(tensor, None)
            kept.values[node] = tensor._array
        if self.is_sized:
            pairs = [
                zip(tensor_type(n).shape, tensor_of(n)._array.shape) for n in self._arguments_of
            ]
            kept.sizes = match([pair for each in pairs for pair in each])
        return self._steps(kept, end_of)

    @property
    def slots(self) -> list[Edge]:
        """The edges of the trace that results of later runs may have."""
        return [edge for group in self.groups for edge in group.slots]

    @property
    def ends(self) -> dict[Edge, tuple[Any, int]]:
        """Where the tape ends: each such edge with a step that has it, and its place there."""
        return {
            edge: (fn, place)
            for group in self.groups
            for fn in group.steps
            for place, edge in enumerate(fn.edges)
            if edge is not None and edge in group.ends
        }

    def _steps(self, kept: Kept, end: Callable[[Edge], Any]) -> Callable[[Edge], Any]:
        """The steps of a call; what gives the edge that stands for one of the trace."""
        steps: dict[Group, CompiledBackward] = {}

        def real(edge: Edge) -> Any:
            group = self._group_of.get(edge[0])
            if group is not None:
                return steps[group], group.slots[edge]
            return end(edge)

        for group in reversed(self.groups):
            edges = [real(edge) for edge in group.ends]
            steps[group] = CompiledBackward(self, group, edges, kept)
        return real

    def _keep(
        self, kept: Kept, results: Sequence[Tensor], saved: Sequence[np.ndarray],
        copies: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        by_node: dict[Node, Any] = dict(zip(self.copied, copies))
        # The program gives one array for values that it found to be equal; results are others'.
        taken = {id(r._array) for r in results}
        by_node |= {n: a.copy() if id(a) in taken else a for n, a in zip(self.saved, saved)}
        for place, result in self.shared:
            by_node[self.keep[place]] = results[result]._array
        kept.arrays = [by_node[n] for n in self.keep]
        kept.results = {k: Saved(results[k], None) for k in self.read_results}


__all__ = ["Outside", "token", "unknown_sizes"]
