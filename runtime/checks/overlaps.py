"""That no two values that live at one time share memory in the arena: looked at once it is placed.

    check(homes, plan, offsets, nbytes)

A value lives from the first step that touches it to the last, in the order in which the steps run;
an interval of bytes that two of them share is a fault, unless one is computed in the other's place
(then they have one home). What is looked at are the steps themselves, not the planner's lifetimes.

Not here: that what a step reads has been written and not overwritten (`verify_steps`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphc.core.ir import Node
from graphc.core.results import value_of
from graphc.errors import InternalError
from graphc.runtime.base.homes import Copy, Homes, Planned
from graphc.runtime.base.step import Child, Step, Value, Workspace


@dataclass(frozen=True, slots=True)
class Life:
    """The steps from the first to the last that touch something, and the first's node."""

    first: int
    last: int
    node: Node


def lives(homes: Homes) -> dict[Hashable, Life]:
    """When each home and each scratch memory of a program is in use.

    Args:
        homes: with the steps in the order in which they run.

    Returns:
        Lives by home, or by (node, name) for scratch memory and the arenas of nested programs.
    """
    found: dict[Hashable, Life] = {}
    for number, step in enumerate(homes.steps):
        for home in _touched(homes, step):
            before = found.get(home)
            found[home] = Life(before.first if before else number, number,
                               before.node if before else step.node)  # fmt: skip
    return found


def _touched(homes: Homes, step: Step | Copy) -> Iterator[Hashable]:
    if isinstance(step, Copy):
        yield step.source
        yield step.target
        return
    for argument in step.args:
        if isinstance(argument, Value):
            yield homes.of[value_of(argument.node, argument.index)]
        elif isinstance(argument, Workspace):
            yield argument.node, argument.key
        elif isinstance(argument, Child):
            yield argument.node, f"{argument.key} arena"


def check(homes: Homes, memory: Any, offsets: Mapping[Any, int], nbytes: Mapping[Any, int]) -> None:
    """Look at a program's arena: where things lie for one set of sizes, the plan for all.

    Args:
        homes: with the steps in the order in which they run.
        memory: the plan, or None.
        offsets, nbytes: of everything in the arena.

    Raises:
        InternalError: two that are in use at one time share memory, or may at other sizes.
    """
    living = lives(homes)
    check_placement(living, offsets, nbytes)
    if memory is not None:
        planned = {b.key: (b.first, b.last) for b in memory.buffers}
        keys = {home: home.key if isinstance(home, Planned) else home for home in offsets}
        check_lifetimes(living, {h: planned[k] for h, k in keys.items() if k in planned})


def check_placement(
    living: Mapping[Hashable, Life], offsets: Mapping[Any, int], nbytes: Mapping[Any, int]
) -> None:
    """Look at where things of an arena lie.

    Args:
        living: when each is in use.
        offsets, nbytes: of everything in the arena.

    Raises:
        InternalError: two share bytes while both are in use; the message names their nodes.
    """
    placed = _placed(living, offsets, nbytes)
    open_: list[tuple[int, int, Life]] = []
    for start, end, life in placed:
        open_ = [other for other in open_ if other[1] > start]
        for _, other_end, other in open_:
            if life.first <= other.last and other.first <= life.last:
                raise _shared(other, life, min(end, other_end) - start)
        open_.append((start, end, life))


def _placed(
    living: Mapping[Hashable, Life], offsets: Mapping[Any, int], nbytes: Mapping[Any, int]
) -> list[tuple[int, int, Life]]:
    found = [
        (offset, offset + nbytes[home], living[home])
        for home, offset in offsets.items()
        if nbytes[home] and home in living
    ]
    return sorted(found, key=lambda each: each[:2])


def check_lifetimes(
    living: Mapping[Hashable, Life], planned: Mapping[Hashable, tuple[int, int]]
) -> None:
    """Look at a plan's lifetimes, which hold for all sizes: what lives together must be planned so.

    Args:
        living: when each is in use.
        planned: first and last step of each by the plan, in its own numbers.

    Raises:
        InternalError: the plan may give one memory to two that are in use at one time.
    """
    known = [(life, planned[home]) for home, life in living.items() if home in planned]
    known.sort(key=lambda pair: pair[0].first)
    for position, (life, (first, last)) in enumerate(known):
        for other, (begins, ends) in known[position + 1 :]:
            if other.first > life.last:
                break
            if begins > last or ends < first:
                raise _shared(life, other, None)


def _shared(one: Life, other: Life, nbytes: int | None) -> InternalError:
    many = "share memory" if nbytes is None else f"share {nbytes} bytes"
    may = "may " if nbytes is None else ""
    return InternalError(
        f"memory of {one.node.op.name} and of {other.node.op.name} {may}{many} while both are "
        f"in use: steps {one.first} to {one.last} and {other.first} to {other.last}",
        [one.node.describe(), other.node.describe()],
        where=other.node.origin or "",
    )
