"""What the functions of networks share: writing in place, averages, arguments by spatial axis."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.eager.functions.inplace import check_leaf_view, write
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    DTypeError,
    GraphcWarning,
    ShapeError,
)
from graphc.ops.arrays.statistics import mean
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.elementwise.extremes import clip

REDUCTIONS = ("mean", "sum", "none")


def applied(function: Callable[..., Any], x: AnyTensor, inplace: bool, **settings: Any) -> Any:
    """A composite of one tensor; in place, its result is written into the tensor itself.

    The composite then works on a copy, because its gradient may need what the tensor held.
    A symbolic tensor has no memory: there the result alone counts.
    """
    if inplace and isinstance(x, Tensor):
        check_leaf_view(x)
        return write(x, function(x.clone(), **settings), f"{function.__name__.strip('_')}_")
    return function(x, **settings)


def check_reduction(name: str, reduction: Any) -> None:
    """Refuse what is no reduction of a loss."""
    if reduction not in REDUCTIONS:
        raise AttributeValueError(
            f"{name}: reduction={reduction!r}", where=caller(), hint='"mean", "sum" or "none"'
        )


def averaged(losses: Any, reduction: str) -> Any:
    """Losses as they are, their sum or their mean."""
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else sum_(losses)


def above_zero(x: AnyTensor) -> Any:
    """x where it is not below 0, else 0; as in PyTorch, all gradient flows at 0, at nan none."""
    return clip(x, 0)


def reduction_of(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction that PyTorch's two old arguments stand for, where one is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        old = "none"
    else:
        old = "sum" if size_average is not None and not size_average else "mean"
    warnings.warn(
        f"size_average and reduce are old arguments; use reduction={old!r}",
        GraphcWarning,
        stacklevel=3,
    )
    return old


def same_shapes(name: str, **tensors: Any) -> None:
    """Refuse tensors of different shapes, naming them."""
    shapes = {key: t.type.shape for key, t in tensors.items()}
    if len(set(shapes.values())) > 1:
        text = ", ".join(f"{key} {show(shape)}" for key, shape in shapes.items())
        raise ShapeError(f"{name}: shapes must be equal, but are {text}", where=caller())


def check_floats(name: str, x: AnyTensor) -> None:
    """Refuse integers where fractions of them are added: each fraction would be 0.

    Raises:
        DTypeError: the tensor has no float dtype.
    """
    if not x.dtype.is_float:
        raise DTypeError(
            f"{name}: the tensor must be of a float dtype, not {x.dtype.name}",
            where=caller(),
            hint="convert it: x.float()",
        )


def show(shape: Sequence[Any]) -> str:
    """A shape as a tuple is printed."""
    inside = ", ".join(map(str, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def per_axis(name: str, what: str, value: AnyTensor, rank: int) -> tuple[Any, ...]:
    """A number for each of `rank` axes, from one number or as many.

    Raises:
        ArgumentError: there are more or fewer.
    """
    if not isinstance(value, list | tuple):
        return (value,) * rank
    if len(value) == 1:
        return tuple(value) * rank
    if len(value) != rank:
        raise ArgumentError(
            f"{name}: {what}={value!r} has {len(value)} numbers, {rank} spatial axes want {rank}",
            where=caller(),
        )
    return tuple(value)


def frozen(value: Any) -> Any:
    """A setting as a key: lists as tuples."""
    return tuple(value) if isinstance(value, list) else value


def check_probability(name: str, p: float) -> None:
    """Refuse a number outside [0, 1].

    Raises:
        AttributeValueError: it is.
    """
    if not 0.0 <= p <= 1.0:
        raise AttributeValueError(
            f"{name}: p={p!r} is no probability: it must lie between 0 and 1", where=caller()
        )
