"""`Outside`: the gradients of a compiled function's results, asked for from outside.

    y = f(x)             # f compiled: one program gives y and what the backward pass needs
    y.sum().backward()   # one program gives x's gradient, as the steps that eager f records would

While f is traced, `Outside.of` runs the backward pass that eager code would run over the steps
that were recorded (`pullback`). `plan` chooses what the forward program has to give besides its
results (`partition`), and at a call `attach` lets the results have that history: a step whose
edges are the caller's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller, toposort
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.signature import _cut, _sized_by, replayed, runner
from graphc.eager.engine.tape import AccumulateGrad, Edge, GradFn, Saved, spent
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import GradientError, TraceError
from graphc.jit.partition import Interned, boundary_of, cut, early_of, simplified
from graphc.jit.pullback import Group, Pullback, grouped, is_end, stale_in
from graphc.ops.source import INPUT_OP, PARAMETER_OP

_PLACEHOLDERS = (INPUT_OP, PARAMETER_OP)
_MOST_AT_ONCE = 4  # results whose gradients are also traced one by one


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
        self.sized_by: list[Node] = []


class Kept:
    """What one call keeps for its backward passes."""

    __slots__ = ("arrays", "operands", "results", "shapes", "spent")

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.operands: dict[Node, Saved] = {}
        self.results: dict[int, Saved] = {}
        self.shapes: dict[Node, tuple[int, ...]] = {}
        self.spent: set[GradFn] = set()


class CompiledBackward(GradFn):
    """The backward step of a compiled function: one program for all steps of a group."""

    fresh = True  # its results are nobody else's

    def __init__(self, outside: Outside, group: Group, edges: Sequence[Any], kept: Kept) -> None:
        super().__init__(edges)
        self.name = f"{outside.name.title().replace('_', '')}Backward"
        self.results = len(group.slots)
        self._outside = outside
        self._group = group
        self._kept = kept
        self._last: Backward | None = None

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """The cotangents of the edges.

        Raises:
            GradientError: an earlier pass freed values, or a value was changed in place.
        """
        if hot.slow and tracing.trace is not None:
            raise TraceError(
                f"backward() in a traced function goes through {self.name}, the history of a "
                "result of another compiled function",
                where=caller(),
                hint="call that function inside of the traced one, or detach() its result",
            )
        if create_graph:
            raise GradientError(
                f"{self.name}: a compiled function's backward pass is not differentiated again",
                where=caller(),
                hint="compute the gradient inside the compiled function, by gc.autograd.grad(..., "
                "create_graph=True), or call the function itself",
            )
        backward = self._outside.backward(self._group, [ct is not None for ct in cts])
        self._check(backward)
        self._last = backward
        found = self._outside.run(
            backward, [None if ct is None else ct._array for ct in cts], self._kept
        )
        parts: list[Any] = [None] * len(self.edges)
        for (end, _), array in zip(backward.pull.results, found):
            parts[end] = wrap(array)
        return parts

    def _check(self, backward: Backward) -> None:
        kept = self._kept
        for fn in backward.pull.keeping:
            if fn in kept.spent:
                raise spent(fn.name)
        for node, name in backward.operands:
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
            kept.arrays, kept.operands, kept.results = [], {}, {}


class Outside:
    """The backward passes of one traced function's results.

    Attributes:
        saved: values that the forward program gives after its results.
        copied: placeholders that are copied before the forward program runs.
    """

    def __init__(self, name: str, trace: Any, edges: Sequence[Edge]) -> None:
        self.name = name
        self._trace = trace
        inside = [edge for edge in dict.fromkeys(edges) if not is_end(edge[0], trace.first)]
        self.groups, self._group_of = grouped(inside, trace.first)
        self._stale = stale_in(self.groups)
        self._made: dict[tuple[Group, tuple[bool, ...]], Backward] = {}
        for group in self.groups:
            self._trace_usual(group)
        self.saved: list[Node] = []
        self.copied: list[Node] = []
        self.shared: list[tuple[int, int]] = []
        self.keeping: set[GradFn] = set()

    def _trace_usual(self, group: Group) -> None:
        """The passes that are asked for most: from all results, and from each."""
        count = len(group.slots)
        choices = [(True,) * count]
        if 1 < count <= _MOST_AT_ONCE:
            choices += [tuple(k == j for j in range(count)) for k in range(count)]
        for given in choices:
            # What a hook or a custom backward raises, it raises when the gradient is asked for.
            try:
                pull = Pullback(self._trace, group, given, self._stale)
            except Exception:
                continue
            self._made[group, given] = Backward(pull)

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
        self._arguments_of = list(inputs)
        self._intern = Interned()
        # The results are among the roots so that values that they share with the backward pass
        # have one form.
        roots = self._simplified(list(self._made.values()))
        needed: dict[Node, None] = {}
        for backward, own in zip(self._made.values(), roots):
            self._note_reads(backward)
            needed |= dict.fromkeys(boundary_of(own, early_of(own, backward.pull.own)))
        self._readable = {n for b in self._made.values() for n, _ in b.operands}
        keep = cut(list(needed), self._readable)
        keep = list(dict.fromkeys(self._intern(n) for n in keep))
        self.keeping = {fn for b in self._made.values() for fn in b.pull.keeping}
        read = {place for b in self._made.values() for place, _ in b.results}
        at = {node: k for k, node in enumerate(self._simple_results) if k in read}
        self._keep = keep
        self._read_results = sorted(read)
        self._places: dict[Node, int] = {node: k for k, node in enumerate(keep)}
        self.copied = [n for n in keep if n.op in _PLACEHOLDERS]
        self.shared = [(self._places[n], at[n]) for n in keep if n in at]
        self.saved = [n for n in keep if n.op not in _PLACEHOLDERS and n not in at]
        for backward, own in zip(self._made.values(), roots):
            self._finish(backward, own)
        # Only symbolic sizes are ever asked for.
        self._is_sized = any(not n.type.is_static for n in inputs)  # type: ignore[union-attr]

    def _simplified(self, backwards: Sequence[Backward]) -> list[list[Node]]:
        """The roots of each pass, in the form that the results have too."""
        roots = list(self._results)
        counts = []
        for backward in backwards:
            own = [n for _, n in backward.pull.results] + [n for *_, n in backward.pull.updates]
            counts.append(len(own))
            roots += own
        roots = replayed(roots, self._memo, {})
        roots = [self._intern(r) for r in simplified(self.name, roots)]
        self._simple_results = roots[: len(self._results)]
        found, at = [], len(self._results)
        for count in counts:
            found.append(roots[at : at + count])
            at += count
        return found

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
        early = early_of(roots, backward.pull.own)
        names: dict[Node, str] = {}
        for node in toposort(roots):
            own = self._intern(node)
            if own in self._places:
                names[node] = f"kept{self._places[own]}"
            elif node in self._readable and node.op is PARAMETER_OP:
                names[node] = f"{node.name}_"
        outputs, stand_ins = _cut(roots, names)
        used = toposort(outputs)
        missing = [
            n for n in used if n in early and n.op in _PLACEHOLDERS and n not in self._readable
        ]
        if missing:
            raise GradientError(
                f"{self.name}: the gradient of these results alone needs values that the call did "
                "not keep",
                where=caller(),
                hint="differentiate all results of the compiled function together",
            )
        cts = [node for _, node in backward.pull.cotangents]
        by_stand_in = {s: n for n, s in stand_ins.items() if s in used}
        kept = {s: self._places[o] for s, n in by_stand_in.items()
                if (o := self._intern(n)) in self._places}  # fmt: skip
        read = {s: n for s, n in by_stand_in.items() if s not in kept}
        read |= {n: n for n in used if n in self._readable and n.op is INPUT_OP}
        ends = [*cts, *kept, *read]
        sizes = [n for n in _sized_by(self._arguments_of, outputs, ends) if n not in read]
        backward.kept, backward.read = list(kept.values()), list(read.values())
        backward.sized_by = sizes
        backward.graph = ([*ends, *sizes], outputs)
        shared = dict(self.shared)
        known = {place for place, _ in backward.results}
        name = f"{self.name.title()}Backward"
        backward.results += [
            (shared[k], name) for k in backward.kept if k in shared and shared[k] not in known
        ]

    def backward(self, group: Group, given: Sequence[bool]) -> Backward:
        """The pass for a choice of cotangents, made when it is first asked for."""
        key = (group, tuple(given))
        found = self._made.get(key)
        if found is None:
            found = Backward(Pullback(self._trace, group, given, self._stale))
            self._note_reads(found)
            found.operands = [(n, name) for n, name in found.operands if n in self._readable]
            (roots,) = self._simplified([found])
            self._finish(found, roots)
            self._made[key] = found
        return found

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
        arrays += [kept.operands[n].array for n in backward.read]
        for node in backward.sized_by:
            zero = np.zeros((), node.type.dtype.numpy)  # type: ignore[union-attr]
            arrays.append(np.broadcast_to(zero, kept.shapes[node]))
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
        kept = self._kept(tensor_of, results, saved, copies)
        steps: dict[Group, CompiledBackward] = {}

        def real(edge: Edge) -> Any:
            group = self._group_of.get(edge[0])
            return end_of(edge) if group is None else (steps[group], group.slots[edge])

        for group in reversed(self.groups):
            edges = [real(edge) for edge in group.ends]
            steps[group] = CompiledBackward(self, group, edges, kept)
        return real

    def _kept(
        self, tensor_of: Callable[[Node], Tensor], results: Sequence[Tensor],
        saved: Sequence[np.ndarray], copies: Sequence[np.ndarray],
    ) -> Kept:  # fmt: skip
        kept = Kept()
        by_node: dict[Node, Any] = dict(zip(self.copied, copies))
        by_node |= dict(zip(self.saved, saved))
        for place, result in self.shared:
            by_node[self._keep[place]] = results[result]._array
        kept.arrays = [by_node[n] for n in self._keep]
        kept.results = {k: Saved(results[k], None) for k in self._read_results}
        for node in self._readable:
            kept.operands[node] = Saved(tensor_of(node), None)
        if self._is_sized:
            kept.shapes = {n: tensor_of(n)._array.shape for n in self._arguments_of}
        return kept

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


__all__ = ["CompiledBackward", "Outside"]
