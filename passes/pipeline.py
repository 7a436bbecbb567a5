"""Pipelines: literal tuples of passes, one for each level, and the function that runs them.

    O0   nothing: the graph as it was written
    O1   algebra to a fixed point
    O2   and updates of the rows alone that gradients name, places of extremes in lanes, fusion, an
         order that needs less memory, cheap values computed again, results written over dead
         operands
    O3   and recomputation of more than the cheapest values where it lowers the peak

A pass is a function `Graph -> Graph`. Observers see each pass's name, its graph before and
after, and its time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from graphc import config
from graphc.core.ir import Graph, caller
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    ConfigError,
    GraphcError,
    InternalError,
    PassError,
    suggestion,
)
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.fold import fold
from graphc.passes.fusion.fuse import fuse
from graphc.passes.memory.inplace import inplace
from graphc.passes.memory.rematerialise import (
    rematerialise,
    rematerialise_more,
    rematerialise_most,
)
from graphc.passes.memory.schedule import schedule
from graphc.passes.nested import everywhere
from graphc.passes.observers import Observer, from_settings
from graphc.passes.own import REGISTERED, GraphPass
from graphc.passes.positions import positions
from graphc.passes.reorient import reorient
from graphc.passes.rewrite.engine import hear, rewrite
from graphc.passes.rows import rows
from graphc.passes.simplify import RULES, simplify, simplify_fast
from graphc.passes.stabilise import stabilise
from graphc.verify import verify

Pass = Callable[[Graph], Graph]
History = list[tuple[str, Graph]]
ROUNDS = 32  # runs of a repeated group before it is taken to go in circles


@dataclass(frozen=True)
class Repeat:
    """Passes that run in turn until none of them changes the graph."""

    passes: tuple[Pass, ...]


SETTLE = Repeat((simplify, fold, cse, dce))
O0: tuple[Pass | Repeat, ...] = ()
O1 = (SETTLE,)
O2 = (SETTLE, rows, reorient, positions, fuse, schedule, rematerialise, inplace)
O3 = (SETTLE, rows, reorient, positions, fuse, schedule, rematerialise_more, inplace)
LEVELS: dict[str, tuple[Pass | Repeat, ...]] = {"O0": O0, "O1": O1, "O2": O2, "O3": O3}
FAST_MATH: dict[Pass, Pass] = {simplify: simplify_fast}
VARIANTS: dict[Pass, Pass] = {
    simplify_fast: simplify, rematerialise_more: rematerialise, rematerialise_most: rematerialise,
}  # fmt: skip

# Every pass of graphc's by name, in the order of the fullest pipeline.
KNOWN: dict[str, Pass] = {p.__name__: p for p in (*SETTLE.passes, *O2[1:])}


def name_of(each: Pass) -> str:
    """The name of a pass in histories, dumps and GRAPHC_SKIP."""
    return VARIANTS.get(each, each).__name__


def passes_of(
    level: str, fast_math: bool = False, frugal: bool = False
) -> tuple[Pass | Repeat, ...]:
    """The passes of a level.

    Args:
        level: "O0", "O1", "O2" or "O3".
        fast_math: with the rules that may change roundings, and what becomes of nan and inf.
        frugal: with whatever recomputation lowers the peak.

    Raises:
        ArgumentError: there is no such level.
    """
    if level not in LEVELS:
        raise ArgumentError(f"{level!r} is no level", hint=f"one of {', '.join(LEVELS)}")
    swap: dict[Pass, Pass] = dict(FAST_MATH) if fast_math else {}
    if frugal:
        swap |= {rematerialise: rematerialise_most, rematerialise_more: rematerialise_most}
    return tuple(
        Repeat(tuple(swap.get(p, p) for p in entry.passes))
        if isinstance(entry, Repeat)
        else swap.get(entry, entry)
        for entry in LEVELS[level]
    )


def placed(
    pipeline: Sequence[Pass | Repeat], own: Sequence[GraphPass]
) -> tuple[Pass | Repeat, ...]:
    """A pipeline with passes of a user's, each where it says; those of one place in their order.

    Beside a pass that this level does not have, one stands where that pass would stand; one that
    replaces it is left out, as it is.

    Args:
        pipeline: of a level.
        own: the passes to put into it.

    Raises:
        AttributeValueError: a place is beside a pass that there is not.
    """
    flat = [
        (each, k if isinstance(entry, Repeat) else None)
        for k, entry in enumerate(pipeline)
        for each in (entry.passes if isinstance(entry, Repeat) else (entry,))
    ]
    for each in own:
        _place(flat, each)
    found: list[Pass | Repeat] = []
    for group, members in groupby(flat, key=lambda member: member[1]):
        passes = tuple(each for each, _ in members)
        found += passes if group is None else (Repeat(passes),)
    return tuple(found)


def _place(flat: list[tuple[Pass, int | None]], each: GraphPass) -> None:
    """Put a pass into a pipeline, whose members are listed with their groups that repeat."""
    names = [name_of(member) for member, _ in flat]
    beside = each.before or each.after or each.replace
    replaced = [getattr(member, "replace", "") for member, _ in flat]
    if (beside and beside not in names and beside not in KNOWN) or beside in filter(None, replaced):
        raise AttributeValueError(
            f"compile: the pass {each.name} stands beside {beside!r}, which is not there",
            where=caller(),
            hint=suggestion(beside, dict.fromkeys([*KNOWN, *names])),
        )
    group = None
    if beside in names:
        at = names.index(beside)
        group = flat[at][1]
        if each.replace:
            flat[at] = (each, group)
            return
        at += not each.before
    elif each.replace:
        return
    else:
        order = [*KNOWN]
        earlier = order[: order.index(beside) if beside else len(SETTLE.passes)]
        at = 1 + max((k for k, n in enumerate(names) if n in earlier), default=len(names) - 1)
    while not each.before and at < len(flat) and _is_alike(flat[at][0], each):
        at += 1
    flat.insert(at, (each, group))


def _is_alike(other: Pass, each: GraphPass) -> bool:
    """Whether another pass of a user's has the same place."""
    return isinstance(other, GraphPass) and (other.before, other.after) == ("", each.after)


def passes_named(name: str) -> list[Pass]:
    """The passes of all levels that histories call by a name."""
    entries = [entry for level in LEVELS.values() for entry in level]
    groups = [e.passes if isinstance(e, Repeat) else (e,) for e in entries]
    every = [*(p for group in groups for p in group), *VARIANTS]
    return [each for each in dict.fromkeys(every) if name_of(each) == name]


def optimize(
    graph: Graph,
    level: str = "O2",
    fast_math: bool = False,
    observers: Sequence[Observer] | None = None,
    own: Sequence[GraphPass] = (),
    frugal: bool = False,
) -> tuple[Graph, History]:
    """Run the passes of a level.

    Args:
        graph: as traced.
        level: "O0" to "O3".
        fast_math, frugal: see `passes_of`.
        observers: those that the settings ask for (GRAPHC_DEBUG, GRAPHC_DUMP, GRAPHC_CHECK)
            unless given.
        own: passes of a user's, put where they say.

    Returns:
        The graph to compile, and the history: pairs of a pass's name and the graph after it, the
        first being ("traced", graph).

    Example:
        >>> final, history = optimize(graph, "O1")
        >>> [name for name, _ in history]
        ['traced', 'simplify', 'fold', 'cse', 'dce']
    """
    chosen = from_settings(fast_math) if observers is None else observers
    return run(graph, placed(passes_of(level, fast_math, frugal), own), chosen)


def run(
    graph: Graph, passes: Sequence[Pass | Repeat], observers: Sequence[Observer] = ()
) -> tuple[Graph, History]:
    """Run passes in order, leaving out those that GRAPHC_SKIP names.

    Args:
        graph: what to start from.
        passes: functions, and groups to repeat.
        observers: called after every pass as `observer(name, before, after, time_s)`; once before
            the first pass with the name "traced" and the same graph twice.

    Returns:
        The last graph, and the history (a pass's later, fruitless runs in a repeated group are
        left out).

    Raises:
        InternalError: a repeated group does not settle; the message names the rules still firing.
        PassError: a pass returned no graph, or one with other inputs, outputs or updates.
        ConfigError: GRAPHC_SKIP names what is no pass.
    """
    history: History = []
    skipped = _skipped(passes)
    _record(history, observers, "traced", graph, graph, 0.0)
    for entry in passes:
        group = entry.passes if isinstance(entry, Repeat) else (entry,)
        group = tuple(p for p in group if name_of(p) not in skipped)
        graph = _run_group(graph, group, isinstance(entry, Repeat), observers, history)
    return graph, history


def _run_group(
    graph: Graph,
    group: Sequence[Pass],
    repeat: bool,
    observers: Sequence[Observer],
    history: History,
) -> Graph:
    for turn in range(ROUNDS):
        start = graph
        for each in group:
            began = time.perf_counter()
            hear()
            after = everywhere(lambda graph, each=each: _kept(each, graph), graph)  # type: ignore[misc]
            time_s = time.perf_counter() - began
            if turn == 0 or after is not graph:
                _record(history, observers, name_of(each), graph, after, time_s)
            graph = after
        if graph is start or not repeat:
            return graph
    raise InternalError(
        f"{', '.join(map(name_of, group))} do not settle in {ROUNDS} rounds: {_still_firing(graph)}"
    )


def _skipped(passes: Sequence[Pass | Repeat]) -> frozenset[str]:
    """What GRAPHC_SKIP leaves out."""
    skipped = config.current().skip
    if not skipped <= KNOWN.keys():
        flat = [e.passes if isinstance(e, Repeat) else (e,) for e in passes]
        names = {stabilise.__name__, *KNOWN, *REGISTERED, *(name_of(p) for g in flat for p in g)}
        for name in sorted(skipped - names):
            raise ConfigError(f"GRAPHC_SKIP: {name!r} is not a pass", hint=suggestion(name, names))
    return skipped


def _kept(each: Pass, before: Graph) -> Graph:
    """Run a pass on one graph; what passes must keep is looked at."""
    after = each(before)
    if after is before:
        return after
    name = name_of(each)
    if not isinstance(after, Graph):
        raise PassError(
            f"the pass {name} returned a {type(after).__name__}, not a graph",
            hint="a pass returns a gc.Graph: the one that it was given, where it changes nothing",
        )
    parts: dict[str, list[Any]] = {
        "inputs": [[(n.name, n.type) for n in graph.inputs] for graph in (before, after)],
        "outputs": [[n.type for n in graph.outputs] for graph in (before, after)],
        "updates": [sorted(graph.aliases) for graph in (before, after)],
    }
    for what, (old, new) in parts.items():
        if old != new:
            raise PassError(
                f"the pass {name} changed the {what} of {before.name}",
                [f"before: {_shown(before, what)}", f"after: {_shown(after, what)}"],
                hint="a pass keeps the inputs, the number and types of outputs, and the updates",
            )
    if isinstance(each, GraphPass):
        try:
            verify(after)
        except GraphcError as error:
            raise PassError(f"the graph after the pass {name} is not sound: {error}") from None
    return after


def _shown(graph: Graph, what: str) -> str:
    """One part of a graph for a message."""
    if what == "updates":
        count = len(graph.inputs)
        names = [graph.inputs[k].name if k < count else f"input {k}" for _, k in graph.aliases]
        pairs = [f"{n} by output {j}" for n, (j, _) in zip(names, graph.aliases)]
        return ", ".join(pairs) or "none"
    return ", ".join(str(node.type) for node in getattr(graph, what))


def _still_firing(graph: Graph) -> str:
    fired: Counter[str] = Counter()
    rewrite(graph, RULES, fired)
    return f"rules still firing are {', '.join(fired)}" if fired else "no rule fires"


def _record(
    history: History,
    observers: Sequence[Observer],
    name: str,
    before: Graph,
    after: Graph,
    time_s: float,
) -> None:
    history.append((name, after))
    for observer in observers:
        observer(name, before, after, time_s)
