"""Which steps of a program are proven for all sizes, and which are only run at some.

    for step, why in unproved(graph, homes, effects): ...

A step is proven where `prove` shows what it reads and writes, and whatever it reads has been
written whole before it. Steps after one that isn't are proven on the condition that it is right.

Not here: how a step is proven (`prove`), the order of steps and the values that they touch
(`verify_steps`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from graphc.core.ir import Graph
from graphc.core.results import is_updating, value_of
from graphc.core.types import TupleType
from graphc.runtime.base.homes import Copy, Homes
from graphc.runtime.base.step import Step, Value, Workspace
from graphc.runtime.checks.prove import prove
from graphc.runtime.checks.reach import Proof, Unproved

Memory = Value | Workspace


class Effects:
    """How the arguments of a program's steps are told apart.

    Args:
        place: the memory of an argument: one for all values that share it.
        key: the value that an argument stands for.
        over: for a step, its results by the operands that they are written over.
        is_empty: whether an argument has no elements.
    """

    def __init__(
        self,
        place: Callable[[Memory], Hashable],
        key: Callable[[Memory], Hashable],
        over: Callable[[Step], dict[Hashable, Hashable]],
        is_empty: Callable[[Memory], bool],
    ) -> None:
        self.place, self.key, self.over, self.is_empty = place, key, over, is_empty


def unproved(graph: Graph, homes: Homes, effects: Effects) -> list[tuple[Step, str]]:
    """The steps of a program that are not proven, each with what could not be shown.

    Args:
        graph: the final graph.
        homes: of its values, with its steps.
        effects: how arguments are told apart.
    """
    # The value that each memory holds every element of.
    whole: dict[Hashable, Hashable] = {
        homes.of[(node, 0)]: effects.key(Value(node)) for node in graph.inputs
    }
    found: list[tuple[Step, str]] = []
    for step, following in itertools.zip_longest(homes.steps, homes.steps[1:]):
        if isinstance(step, Copy):
            if step.source in whole:
                whole[step.target] = step
            continue
        try:
            _follow(step, prove(step, effects.place), effects, whole)
            if following is None or following.node is not step.node:
                _look_at_results(step, homes, effects, whole)
        except Unproved as why:
            found.append((step, str(why)))
            _trust(step, effects, whole)
    return found


def _look_at_results(
    step: Step, homes: Homes, effects: Effects, whole: Mapping[Hashable, Hashable]
) -> None:
    """The results of a node are whole after its last step."""
    node = step.node
    for index in range(len(node.type.items) if isinstance(node.type, TupleType) else 1):
        result = Value(node, index)
        home = homes.of.get(value_of(node, index))
        if home is not None and not effects.is_empty(result) and home not in whole:
            raise Unproved(f"that result {index} is written whole")


def _follow(step: Step, proof: Proof, effects: Effects, whole: dict[Hashable, Hashable]) -> None:
    """What is whole after a step that is proven, if what it reads is."""
    for position in proof.needs:
        argument = _memory(step.args, position)
        if argument is None or effects.is_empty(argument):
            continue
        if whole.get(effects.place(argument)) != effects.key(argument):
            raise Unproved("that what it reads has been written whole")
    over = effects.over(step)
    for position in proof.writes:
        argument = _memory(step.args, position)
        if argument is None:
            continue
        place, key = effects.place(argument), effects.key(argument)
        new = over.get(key, key)
        if position in proof.covers or (key in over and is_updating(step.node)):
            whole[place] = new  # an update leaves the rest as it is
        elif whole.get(place) != new:
            whole.pop(place, None)


def _trust(step: Step, effects: Effects, whole: dict[Hashable, Hashable]) -> None:
    """A step that is not proven is taken to write all of its results."""
    over = effects.over(step)
    for argument in step.args:
        if isinstance(argument, Workspace) or (
            isinstance(argument, Value) and argument.node is step.node
        ):
            whole[effects.place(argument)] = effects.key(argument)
        elif isinstance(argument, Value) and effects.key(argument) in over:
            whole[effects.place(argument)] = over[effects.key(argument)]


def _memory(args: Sequence[Any], position: Any) -> Memory | None:
    argument = args[position] if isinstance(position, int) else None
    return argument if isinstance(argument, Value | Workspace) else None
