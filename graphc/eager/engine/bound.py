"""Eager tensors as parameters of graphs: their own memory, which programs read and update.

    node = parameter_of(model.weight, "weight")      # the same one each time

Programs take turns at the memory of a tensor, whether they were traced or written as graphs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, MutableMapping, Sequence
from typing import Any

import numpy as np

from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.types import TensorType
from graphc.eager.engine.changes import changes
from graphc.errors import ArgumentError
from graphc.ops.implied import Watched
from graphc.ops.source import PARAMETER_OP, State

_states: weakref.WeakValueDictionary[int, State] = weakref.WeakValueDictionary()
_nodes: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()


def state_of(array: np.ndarray) -> State:
    """The state over an array's memory; one for each array, so that programs take turns."""
    found = _states.get(id(array))
    if found is None or found.array is not array:
        found = State(array, is_shared=True)
        _states[id(array)] = found
    return found


class OfTensor(Watched):
    """The parameter that is an eager tensor's memory, as long as the tensor has this memory."""

    __slots__ = ("_tensor",)

    _tensor: weakref.ref[Any]


class OfNumber(Watched):
    """The parameter that a setting is, such as a learning rate: read anew at each call."""

    __slots__ = ("_check", "_place")

    _place: tuple[MutableMapping[str, Any], str, int | None]
    _check: Callable[[], None]


def parameter_of(tensor: Any, name: str = "") -> OfTensor:
    """The parameter of graphs that is this tensor's memory.

    Args:
        tensor: an eager one.
        name: what it is called, made an identifier.

    Raises:
        ArgumentError: its elements do not stand one after another.
    """
    array = tensor._array
    found = known_parameter(array)
    if found is not None:
        return found
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise ArgumentError(
            f"the parameter {name or tuple(array.shape)} shares or strides its memory, which a "
            "program cannot update",
            where=caller(),
            hint="make it of a copy: nn.Parameter(x.clone())",
        )
    node = _made(OfTensor, name or "parameter", array, _watch_tensors)
    object.__setattr__(node, "_tensor", weakref.ref(tensor))
    _nodes[id(array)] = node
    return node


def state_name(wanted: str) -> str:
    """What state is called, as an identifier: `0.weight` is `s0_weight`."""
    name = "".join(c if c.isalnum() else "_" for c in wanted)
    return name if name[:1].isalpha() else f"s{name}"


def known_parameter(array: np.ndarray) -> OfTensor | None:
    """The parameter that an array is in graphs that are alive; None for none."""
    found = _nodes.get(id(array))
    return found if found is not None and found.state.array is array else None


def number_of(
    group: MutableMapping[str, Any], key: str, index: int | None, check: Callable[[], None]
) -> Any:
    """A setting as a 0-d float64 parameter that follows `group[key]` (or `group[key][index]`).

    Args:
        group: where the setting is found.
        key: its name.
        index: its place, where the setting is a sequence.
        check: raises where the group has become one that the program does not follow.
    """
    array = np.array(_read(group, key, index), np.float64)
    node = _made(OfNumber, key if index is None else f"{key}_{index}", array, _watch_numbers)
    object.__setattr__(node, "_place", (group, key, index))
    object.__setattr__(node, "_check", check)
    return node


def _made(kind: Any, wanted: str, array: np.ndarray, watcher: Callable[..., Any]) -> Any:
    type_ = TensorType(as_dtype(array.dtype), array.shape)
    attrs = (("name", state_name(wanted)), ("type", type_))
    return kind(PARAMETER_OP, (), attrs, type_, caller(), state_of(array), watcher)


def _read(group: MutableMapping[str, Any], key: str, index: int | None) -> float:
    value = group[key] if index is None else group[key][index]
    return float(value)


def _watch_numbers(nodes: Sequence[OfNumber], written: Container[Any]) -> Callable[[], None]:
    places = [(node.state.array, *node._place) for node in nodes]
    checks = dict.fromkeys(node._check for node in nodes)

    def refresh() -> None:
        for check in checks:
            check()
        for array, group, key, index in places:
            array[()] = _read(group, key, index)

    return refresh


def _watch_tensors(nodes: Sequence[OfTensor], written: Container[Any]) -> Callable[[], None]:
    seen = -1
    # A backward pass that needs the values from before is told that they are gone.
    counters = [
        tensor.version() for node in nodes
        if node in written and (tensor := node._tensor()) is not None
    ]  # fmt: skip

    def check() -> None:
        nonlocal seen
        for counter in counters:
            counter.count += 1
        if changes.count == seen:
            return
        for node in nodes:
            tensor = node._tensor()
            if tensor is not None and tensor._array is not node.state.array:
                raise ArgumentError(
                    f"the tensor of parameter {node.name!r} was given other memory since the "
                    "program was compiled (by .data, .to() or a load with assign=True)",
                    where=caller(),
                    hint="compile again, or copy into it: p.data.copy_(new)",
                )
        seen = changes.count

    return check


__all__ = ["known_parameter", "number_of", "parameter_of", "state_name", "state_of"]
