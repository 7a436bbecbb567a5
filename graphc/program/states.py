"""Reading and writing the state of programs: arrays by the names of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.core.access import access
from graphc.core.ir import caller, tensor_type
from graphc.errors import ArgumentError, DTypeError, ShapeError


def read_states(nodes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copies of the values of parameters, by name."""
    with access(reads=[node.state for node in nodes.values()]):
        return {name: node.state.latest().copy() for name, node in nodes.items()}


def write_states(owner: str, nodes: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Set all parameters, or none.

    Args:
        owner: whose they are, for messages.
        nodes: the parameters, by name.
        values: one array for each.

    Raises:
        ArgumentError: a name is missing or unknown.
        ShapeError, DTypeError: an array does not fit; then no parameter was changed.
    """
    missing, unknown = nodes.keys() - values.keys(), values.keys() - nodes.keys()
    if missing or unknown:
        facts = [f"missing: {', '.join(sorted(missing))}"] if missing else []
        facts += [f"unknown: {', '.join(sorted(unknown))}"] if unknown else []
        raise ArgumentError(
            f"{owner}: the state does not have the program's parameters", facts, where=caller()
        )
    arrays = {name: np.asarray(value) for name, value in values.items()}
    for name, array in arrays.items():
        type_ = tensor_type(nodes[name])
        what = f"the value of parameter {name!r}"
        if array.shape != type_.shape:
            raise ShapeError(f"{what} has shape {array.shape}; it is {type_}", where=caller())
        if not nodes[name].takes(array.dtype):
            raise DTypeError(f"{what} is {array.dtype}; it is {type_}", where=caller())
    with access(writes=[node.state for node in nodes.values()]):
        for name, array in arrays.items():
            nodes[name].state.array[...] = array


__all__ = ["read_states", "write_states"]
