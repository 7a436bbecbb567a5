"""Convolution of small integers summed in int32: `conv_integer`.

conv_integer(x, w)    the places that each element of the kernel meets, beside one another, are
                      the right operand of one `matmul_integer`; with a channel a group, whose
                      products are too small for that, they are added up one by one
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.joining import concat, pad
from graphc.ops.arrays.shaping import reshape, transpose
from graphc.ops.contract.convolution import spatial_ints
from graphc.ops.contract.integers import BYTES, folded, matmul_integer, wide, zero_of
from graphc.ops.declare import as_tensor, describe, public


@public
def conv_integer(
    x: Any,
    weight: Any,
    x_zero: Any = None,
    weight_zero: Any = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Any:
    """Convolution of small integers less their zero points, summed in int32.

    Args:
        x: (N, C, *spatial), int8 or uint8.
        weight: (O, C / groups, *kernel), int8 or uint8.
        x_zero: the zero point of x, an int or a 0-d tensor; the room around x holds it.
        weight_zero: that of the weight: as that of x, or (O,).
        stride, padding, dilation: an int, or one for each spatial axis.
        groups: how many independent groups the channels make.

    Returns:
        (N, O, *out) in int32, see `conv`; sums wrap.

    Raises:
        DTypeError: an operand is of another dtype.
        ShapeError: channels or ranks do not fit, or the kernel exceeds the image.

    Example:
        >>> import graphc as gc
        >>> x, w = gc.tensor([[[1, 2, 4]]]).to(gc.uint8), gc.tensor([[[-1, 1]]]).to(gc.int8)
        >>> gc.conv_integer(x, w)
        tensor([[[1, 2]]], dtype=torch.int32)
    """
    x, weight = as_tensor(x, "conv_integer"), as_tensor(weight, "conv_integer")
    rank = len(x.type.shape) - 2
    _check(x, weight, groups)
    steps = spatial_ints("conv_integer", "stride", stride, rank, 1)
    apart = spatial_ints("conv_integer", "dilation", dilation, rank, 1)
    around = spatial_ints("conv_integer", "padding", padding, rank, 0)
    zero, weight_zero = zero_of(x_zero, "x_zero"), zero_of(weight_zero, "weight_zero")
    x = _roomy(x, around, zero)
    kernel = weight.type.shape[2:]
    places = [_met(x, at, kernel, steps, apart) for at in itertools.product(*map(range, kernel))]
    if 0 in places[0].type.shape[2:]:
        raise ShapeError(
            f"conv_integer: a kernel of {kernel} does not fit the padded image",
            [describe(x), describe(weight)],
            where=caller(),
        )
    if weight.type.shape[1] == 1 and groups > 1:
        return _one_by_one(places, weight, zero, weight_zero)
    return _product(places, weight, zero, weight_zero, groups)


def _check(x: Any, weight: Any, groups: int) -> None:
    both = [describe(x), describe(weight)]
    rank = len(x.type.shape) - 2
    if x.type.dtype not in BYTES or weight.type.dtype not in BYTES:
        raise DTypeError("conv_integer: operands are int8 or uint8", both, where=caller())
    if not 1 <= rank <= 3 or len(weight.type.shape) != rank + 2:
        raise ShapeError(
            "conv_integer: x must be (N, C, *spatial) and the weight of as many axes, "
            "with 1 to 3 spatial ones", both, where=caller(),
        )  # fmt: skip
    if not isinstance(groups, int) or groups < 1:
        raise AttributeValueError(f"conv_integer: groups={groups!r}", both, where=caller())
    outputs, inner, *kernel = weight.type.shape
    if not all(isinstance(size, int) and size > 0 for size in kernel):
        raise ShapeError(f"conv_integer: a kernel of {tuple(kernel)}", both, where=caller())
    if x.type.shape[1] != inner * groups or outputs % groups != 0:
        raise ShapeError(f"conv_integer: channels do not fit {groups} groups", both, where=caller())


def _roomy(x: Any, around: Sequence[int], zero: Any) -> Any:
    """x with its zero point around it."""
    pairs = [(0, 0), (0, 0), *((p, p) for p in around)]
    if not any(around):
        return x
    if zero is None or isinstance(zero, int):
        return pad(x, pairs, zero or 0)
    inside = pad(FUNCTIONS["ones_like"](x, dtype=dtypes.bool_), pairs, False)
    return FUNCTIONS["where"](inside, pad(x, pairs), FUNCTIONS["cast"](zero, x.type.dtype, "wrap"))


def _met(x: Any, at: Sequence[int], kernel: Any, steps: Any, apart: Any) -> Any:
    """The elements that one element of the kernel is multiplied by: (N, C, *out)."""
    cuts = [slice(None), slice(None)]
    for k, count, step, dilation in zip(at, kernel, steps, apart):
        cuts.append(slice(k * dilation, -(count - 1 - k) * dilation or None, step))
    return x[tuple(cuts)]


def _product(places: list[Any], weight: Any, zero: Any, weight_zero: Any, groups: int) -> Any:
    number, _, *out = places[0].type.shape
    outputs, inner = weight.type.shape[:2]
    rows, count = outputs // groups, dims.product(out)
    order = (0, *range(2, len(weight.type.shape)), 1)
    left = folded(
        weight,
        lambda array: np.ascontiguousarray(array.transpose(order).reshape(groups, rows, -1)),
        lambda t: reshape(transpose(t, order), (groups, rows, inner * len(places))),
    )
    parts = [reshape(p, (number, groups, inner, count)) for p in places]
    columns = concat(parts, 2) if len(parts) > 1 else parts[0]
    if weight_zero is not None and not isinstance(weight_zero, int):
        one = weight_zero.type.size == 1
        weight_zero = reshape(weight_zero, () if one else (groups, rows, 1))
    if groups == 1:
        columns = reshape(columns, (number, inner * len(places), count))
        left = reshape(left, (rows, inner * len(places)))
        if not isinstance(weight_zero, int | None) and len(weight_zero.type.shape) == 3:
            weight_zero = reshape(weight_zero, (rows, 1))
    found = matmul_integer(left, columns, weight_zero, zero)
    return reshape(found, (number, outputs, *out))


def _one_by_one(places: list[Any], weight: Any, zero: Any, weight_zero: Any) -> Any:
    """Each channel by itself: products of its places and its weights, added up."""
    outputs, _, *kernel = weight.type.shape
    number, channels, *out = places[0].type.shape
    each = outputs // channels
    ones = (1,) * len(out)
    numbers = wide(weight)
    if weight_zero is not None:
        own = not isinstance(weight_zero, int) and weight_zero.type.size != 1
        shape = (outputs, 1, *(1 for _ in kernel))
        numbers = numbers - (
            reshape(wide(weight_zero), shape if own else ())
            if not isinstance(weight_zero, int)
            else weight_zero
        )
    columns = reshape(numbers, (channels, each, len(places)))
    zero = zero if zero is None or isinstance(zero, int) else reshape(wide(zero), ())
    found: Any = 0
    for k, place in enumerate(places):
        image = wide(place) if zero is None else wide(place) - zero
        image = reshape(image, (number, channels, 1, *out))
        found = found + image * reshape(columns[:, :, k], (channels, each, *ones))
    return reshape(found, (number, outputs, *out))


__all__ = ["conv_integer"]
