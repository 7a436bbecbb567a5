"""A backward pass over the tape of a trace: what eager code would run, as a graph.

While a function is traced, the eager engine records its steps as it always does, with nodes for
values. The pass goes from cotangents of results to where the tape ends: arguments, leaves and
tensors from before the trace. The backward steps of custom functions and hooks run their Python
here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import Node, caller, tensor_type
from graphc.core.walk import reach
from graphc.eager.engine.backward import Pass
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import AccumulateGrad, CallBackward, Edge, GradFn, Saved
from graphc.eager.engine.tensor import Tensor
from graphc.errors import TraceError
from graphc.jit.trace.steps import Root
from graphc.jit.trace.tracing import Touched, Trace
from graphc.ops.arrays import random
from graphc.ops.source import INPUT_OP, PARAMETER_OP, Parameter


class CotangentEnd(GradFn):
    """The end of a recorded backward pass's tape at a cotangent that it was given."""

    name = "CotangentEnd"
    results = 1


class BackwardTrace(Trace):
    """The trace of a backward pass from outside: it reads state as it is at that time."""

    def __init__(self, forward: Trace) -> None:
        before = forward.root
        root = Root(before.types, (), before.is_fixed)
        root.calls = before.calls
        super().__init__(forward.decide, root)
        self.forward = forward
        self.names = set(forward.names)
        self.known, self.edges = forward.known, forward.edges
        self.sizes, self.symbols = forward.sizes, forward.symbols
        self.edges_of_arguments: list[Edge | None] = []

    def cotangent(self, type_: Any, has_history: bool) -> Tensor:
        """A traced tensor for a cotangent that the pass is given."""
        tensor = self.wrap(INPUT_OP(name=self._name("ct"), type=type_))
        if has_history:
            self.give_edge(tensor, (CotangentEnd(()), 0))
        self.edges_of_arguments.append(tensor._edge)
        return tensor

    def touch(self, tensor: Tensor) -> Touched:
        """The entry of a concrete tensor; what the forward code made, it made for each call."""
        found = self.forward.touched.get(id(tensor._array))
        return found if found is not None and found.born else super().touch(tensor)

    def draw_key(self, generator: Any) -> Tensor:
        """The key of a draw, from the state that the generator has at the backward pass."""
        source = generator.parameter
        known = self.generators.get(id(source))
        if known is None:
            attrs = (("name", self._name("generator")), ("type", source.type))
            own = Parameter(PARAMETER_OP, (), attrs, source.type, caller(), source.state)
            known = (own, own)
        self.generators[id(source)] = (known[0], random.advance(known[1]))
        return self.wrap(known[1])


def is_end(fn: GradFn, first: int) -> bool:
    """Whether a tape ends at a step: at a leaf, an argument, or what was recorded before."""
    return fn.number <= first or isinstance(fn, AccumulateGrad | CotangentEnd)


def steps_from(edges: Sequence[Edge], first: int) -> dict[GradFn, None]:
    """The steps that a pass from the edges may take."""

    def below(edges: Sequence[Edge | None]) -> list[GradFn]:
        return [e[0] for e in edges if e is not None and not is_end(e[0], first)]

    return dict.fromkeys(reach(below(edges), lambda fn: below(fn.edges)))


class Group:
    """Steps that one pass takes together, between the results in the middle of a tape.

    Where a result depends on another, the pass stops at that other one: a cotangent from outside,
    a hook, or a gradient with respect to it belong there.

    Attributes:
        steps: the steps.
        slots: the edges at which cotangents come in.
        ends: the edges at which they go out.
        results: the slots that are results' own.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.steps: set[GradFn] = set()
        self.slots: dict[Edge, int] = {}
        self.ends: dict[Edge, int] = {}
        self.results: set[Edge] = set()

    def slot(self, edge: Edge) -> int:
        """The place of an edge among the slots."""
        return self.slots.setdefault(edge, len(self.slots))


def hooks_on(edge: Edge) -> list[Any]:
    """The hooks on a tensor with this edge."""
    return [hook for place, hook in (edge[0].pre_hooks or {}).values() if place == edge[1]]


def grouped(edges: Sequence[Edge], first: int) -> tuple[list[Group], dict[GradFn, Group]]:
    """The steps below the results' edges in groups, those that come first in a pass first.

    Args:
        edges: of results, none of them an end of the tape.
        first: see `Trace.first`.
    """
    steps = steps_from(edges, first)
    passed = {edge for fn in steps for edge in fn.edges if edge is not None}
    below: dict[GradFn, set[Edge]] = {fn: set() for fn in steps}
    for each in edges:
        if each in passed:
            for fn in steps_from([each], first):
                below[fn].add(each)
    groups: dict[frozenset[Edge], Group] = {}
    of = {fn: groups.setdefault(frozenset(b), Group(len(b))) for fn, b in below.items()}
    for each in edges:
        of[each[0]].slot(each)
        of[each[0]].results.add(each)
    # In the order of a pass: leaves get their cotangents, and run their hooks, in that of the ends.
    for fn in sorted(steps, key=lambda fn: -fn.number):
        group = of[fn]
        group.steps.add(fn)
        for edge in fn.edges:
            if edge is not None and of.get(edge[0]) is not group:
                group.ends.setdefault(edge, len(group.ends))
                if edge[0] in of:
                    of[edge[0]].slot(edge)
    return sorted(groups.values(), key=lambda g: g.depth), of


class Pullback:
    """The graph of one pass through a group, for one choice of cotangents that are given.

    Args:
        trace: the forward one.
        group: whose steps are taken.
        given: for each slot whether it has a cotangent.
        stale: what steps may not read any more.
        hooks: instead of the steps, the hooks alone that the traced code put on this edge.
        required: where the pass is recorded itself, for each slot whether its cotangent has a
            history.

    Attributes:
        trace: its own.
        arguments: the cotangents as traced tensors.
        ends: (end, traced tensor).
        cotangents: (slot, placeholder).
        results: (end, node).
        updates: (array, tensor, node): what the pass writes, a generator's state among it.
        own: placeholders that only the pass knows.
        reads: (value read, name of the step that reads it): eager steps keep these and see that
            nobody changes them.
        keeping: steps that a pass frees.
        starts: values from which the steps' exact derivatives start: with these kept, passes of
            any order and for any choice of cotangents can be made.
    """

    def __init__(
        self, trace: Trace, group: Group, given: Sequence[bool], stale: set[Saved],
        hooks: Edge | None = None, required: Sequence[bool] | None = None,
    ) -> None:  # fmt: skip
        own = self.trace = BackwardTrace(trace)
        self.cotangents: list[tuple[int, Node]] = []
        self.arguments: list[Tensor] = []
        walk = _Walk(group, stale, required is not None)
        entered = tracing.trace, state.enabled
        try:
            tracing.trace = own
            hot.slow += 1
            state.enabled = required is not None
            for (edge, slot), is_given in zip(group.slots.items(), given):
                if is_given:
                    has_history = required is not None and required[slot]
                    tensor = own.cotangent(_type_of(edge), has_history)
                    self.cotangents.append((slot, tensor._node))
                    self.arguments.append(tensor)
                    walk.send(edge, tensor, False)
            if hooks is None:
                walk.run(None)
                self.ends = [(group.ends[edge], ct) for edge, ct in walk.found.items()]
            else:
                self.ends = [(0, walk.hooked(hooks))]
            found = [(end, own.node_of(ct)) for end, ct in self.ends]
        finally:
            tracing.trace, state.enabled = entered
            hot.slow -= 1
        self.results = found
        self.own = {node for _, node in self.cotangents}
        self.own |= {t.node for t in own.touched.values()}
        self.own |= {p for p, _ in own.generators.values()}
        self.updates = _updates(own)
        self.reads: list[tuple[Saved, str]] = walk.reads
        self.keeping: dict[GradFn, None] = walk.keeping
        self.starts: list[Node] = list(walk.starts)


class _Walk(Pass):
    """A pass that stays in its group."""

    def __init__(self, group: Group, stale: set[Saved], create_graph: bool) -> None:
        super().__init__(create_graph, True)
        self.recorded = True
        self.group = group
        self.stale = stale
        self.found: dict[Edge, Tensor] = {}
        self.reads: list[tuple[Saved, str]] = []
        self.keeping: dict[GradFn, None] = {}
        self.starts: dict[Node, None] = {}

    def send(self, edge: Any, ct: Any, own: bool) -> None:
        """Add a cotangent to those of a result, or of an end."""
        if edge[0] in self.group.steps:
            super().send(edge, ct, own)
            return
        before = self.found.get(edge)
        self.found[edge] = ct if before is None else before + ct

    def hooks_of(self, fn: GradFn) -> list[Any]:
        """The hooks before a step, without those on results, which run where cotangents come in."""
        hooks = super().hooks_of(fn)
        return [(p, h) for p, h in hooks if (fn, p) not in self.group.results]

    def hooked(self, edge: Edge) -> Any:
        """The cotangent of a result after the hooks that the traced code put on it."""
        slot = self.waiting[edge[0]][edge[1]]
        for hook in hooks_on(edge):
            slot = self._hooked(hook, slot)
        return slot[0]

    def _step(self, fn: GradFn, slots: list[Any]) -> None:
        if isinstance(fn, CallBackward):
            fn.check_alive()
            count = len(fn.call.outputs)
            given = tuple(k < len(slots) and slots[k] is not None for k in range(count))
            inputs, outputs = fn.call.reads(fn.wanted, given)
            saved = [(fn.inputs or ())[k] for k in inputs] + [fn.outputs[k] for k in outputs]
            exact = fn.call.exact_derivative(fn.wanted, given)
            starts = [(fn.inputs or ())[k] for k in exact.inputs if k not in exact.sized]
            starts += [fn.outputs[k] for k in exact.outputs]
        else:
            saved = starts = _saved_by(fn)
        self.starts |= {s.node: None for s in starts if isinstance(s, Saved) and s.node is not None}
        for each in saved:
            if isinstance(each, Saved):
                if each in self.stale:
                    raise each.changed(fn.name)
                self.reads.append((each, fn.name))
                self.keeping[fn] = None
        super()._step(fn, slots)


def _saved_by(fn: GradFn) -> list[Any]:
    if isinstance(fn, CallBackward):
        return [*(fn.inputs or ()), *fn.outputs]
    return list(getattr(fn, "saved", ()))


def stale_in(groups: Sequence[Group]) -> set[Saved]:
    """What was changed in place after it was recorded: a pass must not read it."""
    every = [s for g in groups for fn in g.steps for s in _saved_by(fn) if isinstance(s, Saved)]
    return {s for s in every if s.version.count != s.count}


def _type_of(edge: Edge) -> Any:
    fn, place = edge
    if isinstance(fn, CallBackward):
        return tensor_type(fn.call.outputs[place])
    return fn.shapes[place].type


def _updates(trace: Trace) -> list[tuple[Any, Tensor | None, Node]]:
    """What a backward pass writes.

    Raises:
        TraceError: it sets the `.grad` of a tensor, which no program does.
    """
    for tensor, _ in trace.grads.values():
        if tensor._node is None:
            raise TraceError(
                "a gradient hook or a custom backward sets .grad of a tensor, in a backward pass "
                "from outside of a compiled function",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="call backward() inside the compiled function",
            )
    written = [t for t in trace.touched.values() if t.current is not t.node]
    found: list[Any] = [(t.array, t.tensor, t.current) for t in written]
    return found + [(p.state.array, None, node) for p, node in trace.generators.values()]


__all__ = ["Group", "Pullback", "grouped", "hooks_on", "is_end", "stale_in", "steps_from"]
