"""What runs along an axis, by PyTorch's names: differences, running extremes, areas below a curve.

gc.diff(x)                   # x[1:] - x[:-1]
gc.cummax(x, dim=0)          # (values, indices)
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.promotion import get_default_dtype
from graphc.eager.engine.registry import EAGER, as_axis, call, eager
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ops.arrays.shaping import cut
from graphc.ops.declare import check_axis

_F = FUNCTIONS
CummaxPair = namedtuple("cummax", ["values", "indices"])  # type: ignore[name-match]
CumminPair = namedtuple("cummin", ["values", "indices"])  # type: ignore[name-match]


def axis_within(name: str, dim: int, input: AnyTensor) -> int:
    """The axis that `dim` names, counted from the front; a 0-d tensor counts as a vector."""
    return check_axis(name, as_axis(dim), max(input.ndim, 1))


def neighbours(x: Any, axis: int) -> tuple[Any, Any]:
    """All elements along an axis but the first, and all but the last."""
    size = x.type.shape[axis]
    return cut(x, axis, 1, size - 1), cut(x, axis, 0, size - 1)


def _diff(x: Operators, *, axis: int, times: int) -> Any:
    found: Any = x
    for _ in range(times):
        after, before = neighbours(found, axis)
        found = (after != before) if found.type.dtype is dtypes.bool_ else after - before
    return found


@eager("diff")
def diff(
    input: AnyTensor,
    n: int = 1,
    dim: int = -1,
    prepend: AnyTensor | None = None,
    append: AnyTensor | None = None,
) -> Any:
    """Each element along an axis less the one before it, n times over.

    Args:
        input: a tensor of at least one axis.
        n: how often; more often than there are elements leaves none.
        dim: the axis.
        prepend: what stands before input along the axis.
        append: what stands behind it.

    Example:
        >>> import graphc as gc
        >>> from graphc.eager.functions.running import diff
        >>> diff(gc.tensor([1, 4, 9]))
        tensor([3, 5])
    """
    if not input.ndim:
        raise ShapeError("diff: a 0-d tensor has no neighbours", where=caller())
    axis, times = axis_within("diff", dim, input), as_axis(n)
    if times < 0:
        raise ArgumentError(f"diff: n={times} is below 0", where=caller())
    if times == 0:
        return input.clone()
    parts = [part for part in (prepend, input, append) if part is not None]
    x = EAGER["cat"](parts, axis) if len(parts) > 1 else input
    size = x.shape[axis]
    return call(_diff, x, axis=axis, times=min(times, size) if isinstance(size, int) else times)


def _scanned(x: Any, axis: int, join: Callable[[Any, Any], Any]) -> Any:
    """The results of an associative `join` of all elements up to each: by doubling.

    Tensors joined together are a list; after k rounds each element is of the 2 ** k up to it.
    """
    size = x[0].type.shape[axis]
    if not isinstance(size, int):
        raise ShapeError(
            f"a running result along an axis of symbolic size {size}",
            where=caller(),
            hint="declare that axis with a number",
        )
    reach = 1
    while reach < size:
        after = [cut(part, axis, reach, size - reach) for part in x]
        before = [cut(part, axis, 0, size - reach) for part in x]
        joined = join(before, after)
        x = [_F["concat"]([cut(p, axis, 0, reach), j], axis) for p, j in zip(x, joined)]
        reach *= 2
    return x


def _later(sign: int) -> Callable[[Any, Any], Any]:
    """The greater of two elements with its place, of equal ones the later; nan is greatest."""

    def join(before: Any, after: Any) -> Any:
        (x, i), (y, j) = before, after
        first = (x > y) if sign > 0 else (x < y)
        if x.type.dtype.is_float:
            first = first | (_F["isnan"](x) & ~_F["isnan"](y))
        return [_F["where"](first, x, y), _F["where"](first, i, j)]

    return join


def _extremes(x: Operators, *, axis: int, sign: int) -> Any:
    if not x.type.shape:
        return _F["reshape"](x, ()), _F["full"]((), 0, dtypes.int64)
    places = _F["iota"](x.type.shape, axis)
    _, index = _scanned([_F["stop_gradient"](x), places], axis, _later(sign))
    return _F["take_along_axis"](x, index, axis), index


@eager("cummax")
def cummax(input: AnyTensor, dim: int) -> Any:
    """The greatest element so far along an axis, and where it stands: (values, indices).

    Of equal ones the last; nan counts as the greatest.

    Example:
        >>> import graphc as gc
        >>> gc.cummax(gc.tensor([1, 3, 2]), 0).values
        tensor([1, 3, 3])
    """
    return CummaxPair(*call(_extremes, input, axis=axis_within("cummax", dim, input), sign=1))


@eager("cummin")
def cummin(input: AnyTensor, dim: int) -> Any:
    """The least element so far along an axis, and where it stands: (values, indices).

    Of equal ones the last; nan counts as the least.

    Example:
        >>> import graphc as gc
        >>> gc.cummin(gc.tensor([3, 1, 2]), 0).values
        tensor([3, 1, 1])
    """
    return CumminPair(*call(_extremes, input, axis=axis_within("cummin", dim, input), sign=-1))


def _log_total(before: Any, after: Any) -> Any:
    return [_F["logaddexp"](before[0], after[0])]


def _log_totals(x: Operators, *, axis: int) -> Any:
    return _scanned([x], axis, _log_total)[0] if x.type.shape else _F["reshape"](x, ())


@eager("logcumsumexp")
def logcumsumexp(input: AnyTensor, dim: int) -> Any:
    """log of the running sum of exp along an axis, without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.logcumsumexp(gc.tensor([1000.0, 1000.0]), 0)
        tensor([1000.0000, 1000.6932])
    """
    if not input.dtype.is_float:
        raise DTypeError(f"logcumsumexp: a tensor of {input.dtype.name}", where=caller())
    return call(_log_totals, input, axis=axis_within("logcumsumexp", dim, input))


def _areas(y: Operators, *widths: Any, axis: int, dx: float) -> Any:
    """The area of each strip between neighbours."""
    after, before = neighbours(y, axis)
    width: Any = dx
    if widths:
        high, low = neighbours(widths[0], axis)
        width = high - low
    return (after + before) * 0.5 * width


def _strips(name: str, y: Any, x: Any, dx: float, dim: int) -> tuple[Any, int]:
    axis = axis_within(name, dim, y)
    if not y.ndim:
        raise ShapeError(f"{name}: a 0-d tensor has no area", where=caller())
    if y.dtype is dtypes.bool_ or isinstance(dx, bool):
        raise ArgumentError(f"{name}: bools have no area", where=caller())
    if x is not None and x.ndim == 1 and x.shape[0] != y.shape[axis]:
        raise ShapeError(
            f"{name}: {x.shape[0]} places for {y.shape[axis]} values along axis {axis}",
            where=caller(),
        )
    if x is not None and x.ndim < y.ndim:
        is_vector = x.ndim == 1
        sizes = [-1 if is_vector and a == axis else 1 for a in range(y.ndim)]
        x = x.reshape(sizes if is_vector else (1,) * (y.ndim - x.ndim) + tuple(x.shape))
    y = y if y.dtype.is_float else y.to(get_default_dtype())
    return call(_areas, y, *(() if x is None else (x,)), axis=axis, dx=float(dx)), axis


@eager("trapezoid", "trapz")
def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The area below a curve along an axis, of straight lines between its points.

    Args:
        y: the values.
        x: where they are: a vector, or of y's shape.
        dx: how far apart they are, without x.
        dim: the axis.

    Example:
        >>> import graphc as gc
        >>> gc.trapezoid(gc.tensor([1.0, 5.0, 9.0]))
        tensor(10.)
    """
    areas, axis = _strips("trapezoid", y, x, dx, dim)
    return areas.sum(axis)


@eager("cumulative_trapezoid")
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The area below a curve up to each of its points but the first, as `trapezoid` has it.

    Example:
        >>> import graphc as gc
        >>> gc.cumulative_trapezoid(gc.tensor([1.0, 5.0, 9.0]))
        tensor([ 3., 10.])
    """
    areas, axis = _strips("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(axis)


__all__ = ["cummax", "cummin", "diff", "logcumsumexp", "trapezoid"]
