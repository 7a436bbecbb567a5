"""Proof, for all sizes, that a step stays inside its buffers and writes what it says.

    proof = prove(step)                       raises Unproved where it can't be shown
    proof.covers                              buffers whose every element it writes
    proof.needs                               buffers that something must have written before

A kernel's source is walked once with expressions for its integers (`walk`). Every access is shown
to be inside its buffer; stores are shown to reach each element (`reach`), slices of the parallel
range to keep apart, and what is computed in place to be read before it is overwritten.

Not here: kernels that work through tables or in tiles, indices of other forms: `coverage` runs
those.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

from graphc.core.dims import Size
from graphc.core.results import value_of
from graphc.runtime.base import homes as places
from graphc.runtime.base.step import Number, StatusBlock, Step, Value, Workspace, is_operand
from graphc.runtime.checks.reach import Proof, Unproved, concluded
from graphc.runtime.checks.walk import Given, Walk

STATUS_NUMBERS = 8


def prove(step: Step, home: Callable[[Value], Hashable] | None = None) -> Proof:
    """Show for all sizes what a step reads and writes.

    Args:
        step: whose kernel is in the kernel language.
        home: of values: those of one home are one buffer. The value itself unless given.

    Returns:
        The proof; its places are the first arguments' positions that are the buffers.

    Raises:
        Unproved: it could not be shown; the message says what.
    """
    if step.kernel.language != "kernel":
        raise Unproved("a nested program")
    if callable(step.extent):
        raise Unproved("a range that calls compute")
    found = _proved(step.kernel.source, step.extent, _arguments(step, home or _itself))
    if isinstance(found, str):
        raise Unproved(found)
    return found


def _itself(value: Value) -> Hashable:
    node, index = value_of(value.node, value.index)
    return id(node), index


def _arguments(step: Step, home: Callable[[Value], Hashable]) -> tuple[Size | Given | None, ...]:
    """What a kernel may be told of its arguments: sizes, and memory by where it was met first."""
    first: dict[Hashable, int] = {}
    found: list[Size | Given | None] = []
    for position, argument in enumerate(step.args):
        match argument:
            case Number(size):
                found.append(None if callable(size) else size)
            case Value(node, index):
                place = first.setdefault(home(argument), position)
                nbytes = places.nbytes(*value_of(node, index))
                found.append(Given(place, nbytes, is_operand(step.node, argument)))
            case Workspace(node, key, nbytes):
                place = first.setdefault((id(node), key), position)
                found.append(Given(place, None if callable(nbytes) else nbytes, False))
            case StatusBlock():
                found.append(Given(position, 8 * STATUS_NUMBERS, False))
            case _:
                found.append(None)
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _proved(source: str, extent: Size, arguments: tuple[Any, ...]) -> Proof | str:
    """What a kernel was shown to do, or what could not be shown."""
    walk = Walk(extent, arguments)
    try:
        walk.whole(source)
        return concluded(extent, walk.accesses, walk.known)
    except Unproved as why:
        return str(why)
