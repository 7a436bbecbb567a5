"""What a loop's arguments and its body's results must be: the same of symbolic and eager tensors.

carry = Carry("scan", init)            structure and types that no step may change
new, y = pair(f(value, x))             what a step of a scan gives
carry.checked(tree, leaves, "f")       its new carry, or an error that names both types
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import caller, tensor_type
from graphc.core.trees import Tree, flatten
from graphc.core.types import TensorType
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.ops.declare import as_number, as_tensor, describe, is_scalar
from graphc.ops.flow.branching import as_pred, differing, like
from graphc.ops.sizes import as_size

# The dtype of a number that starts a carry, where the body leaves it as it is.
_USUAL = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float32}


class Carry:
    """The carries of a loop: their first values, structure, and types.

    Args:
        name: of the loop's function, for messages.
        init: the first values: tensors, arrays, numbers or a structure of them.
        tensor: makes a tensor of a leaf that is no number.

    Attributes:
        leaves: the first values; numbers as they are.
        tree: their structure.
        labels: how messages call them.
        types: what they are at each step; numbers' may be set once the body is known.
    """

    def __init__(self, name: str, init: Any, tensor: Callable[[Any, str], Any] = as_tensor) -> None:
        self.name = name
        leaves, self.tree = flatten(init)
        leaves = [as_number(leaf) for leaf in leaves]
        self.leaves = [leaf if is_scalar(leaf) else tensor(leaf, name) for leaf in leaves]
        self.labels = [f"carry{path}" for path in self.tree.paths()]
        self.types = [
            TensorType(_USUAL[type(leaf)], ()) if is_scalar(leaf) else tensor_type(leaf)
            for leaf in self.leaves
        ]
        self.weak = [k for k, leaf in enumerate(self.leaves) if is_scalar(leaf)]

    def checked(self, tree: Tree, leaves: Sequence[Any], who: str) -> list[Any]:
        """What the body gives for the carries, of their types.

        Raises:
            ArgumentError: another structure.
            DTypeError, ShapeError: another type; the message names the carry and both.
        """
        if tree != self.tree:
            raise ArgumentError(
                f"{self.name}: the carry has the structure {self.tree} going in and {tree} "
                "coming out",
                where=caller(),
                hint=f"{who} must return a carry of the structure of init",
            )
        found = []
        for label, type_, leaf in zip(self.labels, self.types, leaves):
            if is_scalar(leaf):
                leaf = like(leaf, type_)
            if leaf.type != type_:
                raise differing(
                    f"{self.name}: {label} changes its type from one step to the next",
                    type_,
                    leaf.type,
                    [f"going in:   {type_}", f"coming out: {describe(leaf)}"],
                )
            found.append(leaf)
        return found


def pair(value: object) -> tuple[Any, Any]:
    """What a scan's function returned: the new carry, and what is stacked.

    Raises:
        ArgumentError: it is no pair.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        what = type(value).__name__
        if isinstance(value, tuple | list):
            what = f"{what} of {len(value)}"
        raise ArgumentError(
            f"scan: f must return a pair (carry, y), not a {what}",
            where=caller(),
            hint="return carry, None where there is nothing to stack",
        )
    return value[0], value[1]


def steps_of(leaves: Sequence[Any], labels: Sequence[str], length: object) -> Any:
    """How many steps a scan has: an int, or a symbolic size.

    Args:
        leaves: the tensors that are sliced.
        labels: how messages call them.
        length: as it was given, or None.
    """
    length = as_size("scan", length)
    if length is not None and not isinstance(length, dims.Dim):
        length = _count("scan", "length", length, 0, "or a gc.dim, ")
    if not leaves:
        if length is None:
            raise ArgumentError("scan: there are no xs, so length must be given", where=caller())
        return length
    for label, x in zip(labels, leaves):
        if not tensor_type(x).shape:
            raise ShapeError(
                f"scan: {label} is a scalar; its first axis is what is run along",
                [describe(x)],
                where=caller(),
                hint="what is the same in each step need not be passed: use it in f",
            )
    sizes = [tensor_type(x).shape[0] for x in leaves]
    if any(size != sizes[0] for size in sizes):
        raise ShapeError(
            f"scan: the first axes of xs differ: {', '.join(str(s) for s in dict.fromkeys(sizes))}",
            [f"{label} is {describe(x)}" for label, x in zip(labels, leaves)],
            where=caller(),
        )
    if length is not None and length != sizes[0]:
        raise ShapeError(
            f"scan: length is {length}, the first axis of {labels[0]} {sizes[0]}",
            [describe(leaves[0])],
            where=caller(),
            hint="leave length out",
        )
    return sizes[0]


def unroll_of(unroll: Any, length: Any) -> int:
    """How many steps of a scan stand in a row.

    Args:
        unroll: a number, or whether all of them do.
        length: how many steps there are.
    """
    if not isinstance(unroll, bool):
        return _count("scan", "unroll", unroll, 1, "or a bool, ")
    if unroll and not isinstance(length, int):
        raise AttributeValueError(
            f"scan: unroll=True of {length} steps, whose number is not known",
            where=caller(),
            hint="say how many steps stand in a row: unroll=4",
        )
    return max(length, 1) if unroll else 1


def most_steps(max_steps: object) -> int | None:
    """The limit of a while loop."""
    if max_steps is None:
        return None
    return _count("while_loop", "max_steps", max_steps, 0, "or None, ")


def _count(name: str, what: str, value: Any, least: int, otherwise: str) -> int:
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_int or value < least:
        raise AttributeValueError(
            f"{name}: {what} must be an int of {least} or more, {otherwise}not {value!r:.60}",
            where=caller(),
        )
    return int(value)


def going(value: object) -> Any:
    """What a while loop's condition returned, as a bool scalar.

    Raises:
        ArgumentError, DTypeError, ShapeError: it is something else.
    """
    leaves, tree = flatten(value)
    if tree.form is not None:
        raise ArgumentError(
            f"while_loop: cond_fn must return a bool scalar, not the structure {tree}",
            where=caller(),
        )
    return as_pred("while_loop", "what cond_fn returns", leaves[0])
