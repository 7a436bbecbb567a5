"""What ops do with one more axis in front: the rules of `Op.batch`, by which `passes.batch` maps.

    batch=behind(axes=later)      sum(x; axes=(0,))  of a batch is  sum(x; axes=(1,))

A rule takes the node, its operands, and which of them have the new axis; its result has it. An
elementwise op needs none. What has no rule is computed by a loop over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.operators import FUNCTIONS, Operators

Rule = Callable[[Any, Sequence[Any], Sequence[bool]], Any]
# How an attribute changes: its value and the size of the batch, to the new value.
Change = Callable[[Any, Size], Any]


def size_of(operands: Sequence[Any], batched: Sequence[bool]) -> Size:
    """The size of the new axis."""
    return next(x.type.shape[0] for x, has in zip(operands, batched) if has)


def spread(x: Any, size: Size) -> Any:
    """The same tensor for each element of a batch."""
    return FUNCTIONS["broadcast_to"](x, (size, *x.type.shape))


def all_of(operands: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """The operands, all with the new axis."""
    size = size_of(operands, batched)
    return [x if has else spread(x, size) for x, has in zip(operands, batched)]


def later(value: Any, size: Size) -> Any:
    """Axes of operands with one more in front."""
    return tuple(a + 1 for a in value) if isinstance(value, tuple) else value + 1


def permuted(value: object, size: Size) -> Any:
    """A permutation that leaves the new axis in front."""
    return (0, *later(value, size))


def under(value: Any, size: Size) -> Any:
    """A shape of all elements of the batch."""
    return (size, *value)


def led(first: int) -> Change:
    """A number for each axis, `first` for the new one."""
    return lambda value, size: (first, *value)


def behind(**changes: Change) -> Rule:
    """The rule of an op that treats the new axis as one more, its attributes changed."""

    def rule(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
        size, attrs = size_of(operands, batched), dict(node.attrs)
        for name, change in changes.items():
            if name in attrs:
                attrs[name] = change(attrs[name], size)
        return node.op(*all_of(operands, batched), **attrs)

    return rule


def moved(x: Operators, source: int, target: int) -> Any:
    """The tensor with one axis moved."""
    return FUNCTIONS["moveaxis"](x, source, target)


def merged(x: Any, axis: int = 0) -> Any:
    """The axis and the one behind it as one."""
    shape = x.type.shape
    both = dims.product(shape[axis : axis + 2])
    return FUNCTIONS["reshape"](x, (*shape[:axis], both, *shape[axis + 2 :]))


def parted(x: Any, axis: int, size: Size, rest: Size) -> Any:
    """An axis as two."""
    shape = x.type.shape
    return FUNCTIONS["reshape"](x, (*shape[:axis], size, rest, *shape[axis + 1 :]))


def with_first(node: Any, operands: Sequence[Any], batched: Sequence[bool]) -> Any:
    """The rule of an op whose first axis is a batch already: both become one."""
    size = size_of(operands, batched)
    first, *rest = operands
    result = node.op(merged(first), *rest, **dict(node.attrs))
    shape = (size, first.type.shape[1], *result.type.shape[1:])
    return FUNCTIONS["reshape"](result, shape)


__all__ = [
    "Rule", "all_of", "behind", "later", "led", "merged", "moved", "parted", "permuted",
    "size_of", "spread", "under", "with_first",
]  # fmt: skip
