"""Both arms of value-dependent branches as one program: on_branch="fork".

Where a run is proven to need no Python besides its branches, the function runs once more for each
other outcome, without effect. The paths share the nodes before a branch (`trace.steps`); what
comes after becomes the arms of `gc.cond`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.ir import Graph, Kind, Node, at_origin, caller, toposort
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.signature import late
from graphc.errors import TraceError
from graphc.jit.guarded import Guarded
from graphc.jit.trace import branches
from graphc.jit.trace.branches import Script
from graphc.jit.variant import Variant
from graphc.ops.source import INPUT_OP

Outcomes = tuple[bool, ...]


class Paths:
    """The paths through a function's branches.

    Args:
        explore: runs the function with a script, without effect; gives the run, ended.
    """

    def __init__(self, explore: Callable[[Script], Any]) -> None:
        self.runs: dict[Outcomes, Any] = {}
        self.conditions: dict[Outcomes, Node] = {}
        waiting: list[Outcomes] = [()]
        while waiting:
            prefix = waiting.pop()
            script = Script(prefix, lambda node: True)
            run = explore(script)
            outcomes = tuple(script.outcomes)
            self.runs[outcomes] = run
            for k, node in enumerate(script.predicates):
                self.conditions.setdefault(outcomes[:k], node)
            if len(self.runs) > branches.MOST_DECISIONS:
                raise TraceError(
                    f"more than {branches.MOST_DECISIONS} paths through value-dependent branches",
                    where=caller(),
                    hint="a loop on values is gc.while_loop(cond_fn, body_fn, init)",
                )
            waiting += [(*outcomes[:k], False) for k in range(len(prefix), len(outcomes))]

    def merged(self, owner: Any, arguments: Any) -> Guarded:
        """What computes the path that each call's values choose.

        Raises:
            TraceError: the paths return results of different forms.
        """
        ends = {outcomes: _End(run) for outcomes, run in self.runs.items()}
        first = next(iter(ends.values()))
        for outcomes, end in ends.items():
            first.check_alike(end, outcomes, owner._name)
            end.check_fresh(owner._name)
        updated = list(dict.fromkeys(n for e in ends.values() for n in e.updates))

        def results(prefix: Outcomes) -> list[Node]:
            end = ends.get(prefix)
            if end is not None:
                return [*end.nodes, *(end.updates.get(node, node) for node in updated)]
            true, false = results((*prefix, True)), results((*prefix, False))
            return _choose(self.conditions[prefix], true, false)

        together = results(())
        count = len(first.nodes)
        trace = self._together()
        first.updates = dict(zip(updated, together[count:]))
        first.nodes = together[:count]
        first.take_over(trace)
        whole: Any = first
        variant = Variant(owner._name, trace, whole, owner._options)
        run = first.run
        for other in self.runs.values():
            known = {r.what for r in run.watch.readings}
            run.watch.readings.extend(r for r in other.watch.readings if r.what not in known)
        return Guarded(variant, first.recipe, trace, run.watch, run._requires, run.form())

    def _together(self) -> Any:
        """The first path's trace with what the others touched."""
        traces = [run.trace for run in self.runs.values()]
        first = traces[0]
        for other in traces[1:]:
            for key, touched in other.touched.items():
                first.touched.setdefault(key, touched)
            for node, array in other.given.items():
                first.given.setdefault(node, array)
            known = {id(node) for *_, node in first.live_values}
            first.live_values += [v for v in other.live_values if id(v[-1]) not in known]
        return first


class _End:
    """The end of one path, with all tensors of its result as nodes."""

    def __init__(self, run: Any) -> None:
        self.run = run
        recipe, ending = run.recipe, run.ending
        self.recipe = recipe
        self.updates = dict(ending.updates)
        self.histories: list[Any] = []
        self.runs_python = False
        self.alive: list[Any] = []
        self.writes = ending.writes
        self.has_history = bool(ending.histories)
        self._targets = [target for target, _ in recipe.writes]
        self._gradients = [(str(t), how) for t, how, _ in recipe.gradients]
        self.nodes: list[Node] = []
        self._memory: list[Any] = []  # whose memory the results are
        self._places: dict[Any, Any] = {}
        self.spec = self._flat(recipe.result)
        values = [v for _, how, v in recipe.gradients if how == "out"]
        self._first_gradient = len(self.nodes)
        for value in values:
            self.nodes.append(recipe.node_of(value))
        self.alive_count = len(self.nodes)
        self.nodes += [node for _, node in recipe.writes]
        needed = toposort([*self.nodes, *self.updates.values()])
        if unused := [node for node in ending.effects if node not in needed]:
            raise TraceError(
                "no program of both arms does what nothing needs the result of",
                [unused[0].describe()],
                where=caller(),
                hint='use what gc.print gives back, or on_branch="specialise"',
            )

    def _flat(self, spec: Any) -> Any:
        kind, what = spec
        if kind in ("alive", "view", "argument", "tensor", "constant"):
            self.nodes.append(self.recipe.node_of(spec))
            self._memory.append(self._owner(spec))
            if kind in ("alive", "view"):
                self._places[spec] = ("alive", len(self.nodes) - 1)
            return "alive", len(self.nodes) - 1
        if kind in ("value", "size"):
            return spec
        if kind is dict:
            return dict, {k: self._flat(v) for k, v in what.items()}
        return kind, [self._flat(v) for v in what]

    def _owner(self, reference: Any) -> Any:
        """The tensor whose memory a result is, or is a part of."""
        while reference[0] == "view":
            reference = self.recipe.views[reference[1]][0]
        return reference

    def check_fresh(self, name: str) -> None:
        """Refuse a path whose results are the caller's tensors, or share memory: merged ones are
        new.

        Raises:
            TraceError: it has such.
        """
        shared = any(kind in ("argument", "tensor") for kind, _ in self._memory)
        if shared or len({repr(m) for m in self._memory}) < len(self._memory):
            raise TraceError(
                f"{name}: an arm returns a tensor that was there before, or one twice",
                where=caller(),
            )

    def check_alike(self, other: _End, outcomes: Outcomes, name: str) -> None:
        """Refuse a path that returns or changes something else.

        Raises:
            TraceError: it does.
        """
        mine = [n.type for n in self.nodes]
        others = [n.type for n in other.nodes]
        same = repr(self.spec) == repr(other.spec) and mine == others
        if (
            same
            and self._gradients == other._gradients
            and len(self._targets) == len(other._targets)
        ):
            return
        raise TraceError(
            f"{name}: the arms of a branch return different things",
            [
                f"one returns {', '.join(str(t) for t in mine)}",
                f"on the path {outcomes}: {', '.join(str(t) for t in others)}",
            ],
            where=caller(),
            hint='return the same form from both, or use on_branch="specialise"',
        )

    def take_over(self, trace: Any) -> None:
        """Let the recipe hand out the merged nodes."""
        recipe = self.recipe
        recipe.alive = self.nodes[: self.alive_count]
        recipe.views, recipe.histories = [], []
        recipe.result = self.spec
        recipe.spent = [(self._places[r], *names) for r, *names in recipe.spent
                        if r in self._places]  # fmt: skip
        place = self._first_gradient
        gradients = []
        for target, how, value in recipe.gradients:
            if how == "out":
                gradients.append((target, how, ("alive", place)))
                place += 1
            else:
                gradients.append((target, how, value))
        recipe.gradients = gradients
        recipe.writes = list(zip(self._targets, self.nodes[self.alive_count :]))
        self.writes = []


def _choose(condition: Node, true: Sequence[Node], false: Sequence[Node]) -> list[Node]:
    """Results of the arm that the condition chooses; what both arms compute is outside of it."""
    predicate = FUNCTIONS["reshape"](FUNCTIONS["cast"](condition, "bool"), ())
    roots = [predicate, *true, *false]
    inputs = [n for n in toposort(roots) if not n.inputs and n.op is INPUT_OP]
    # What the arms compute alike is one node.
    shared = late("passes.cse").cse(Graph.of("paths", inputs, roots))
    predicate, *results = shared.outputs
    true, false = results[: len(true)], results[len(true) :]
    places = [k for k, (a, b) in enumerate(zip(true, false)) if a is not b]
    if not places:
        return list(true)
    of_true = toposort([predicate, *(true[k] for k in places)])
    of_false = toposort([predicate, *(false[k] for k in places)])
    before = toposort((predicate,))
    chosen = FUNCTIONS["cond"](
        predicate,
        lambda: _again(
            [true[k] for k in places], {n for n in of_false if n in of_true} | {*before}
        ),
        lambda: _again(
            [false[k] for k in places], {n for n in of_true if n in of_false} | {*before}
        ),
    )
    found = list(true)
    for k, node in zip(places, chosen):
        found[k] = node
    return found


def _again(roots: list[Node], outside: set[Node]) -> tuple[Node, ...]:
    """An arm's own nodes built once more, inside the function that is its body."""
    new: dict[Node, Node] = {}
    for node in toposort(roots):
        if node in outside or node.op.kind is Kind.SOURCE:
            new[node] = node
        else:
            with at_origin(node.origin):
                new[node] = Node.build(node.op, [new[i] for i in node.inputs], dict(node.attrs))
    return tuple(new[r] for r in roots)


__all__ = ["Paths"]
