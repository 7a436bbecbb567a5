"""Shape arithmetic: operators on known arrays whose elements may be symbolic sizes.

    Gather(Shape(x), 0)            n
    Concat([n], [-1])              [n, -1]
    Div(Mul(n, 4), 2)              2*n

Each gives None for what it does not say: then the operator's rule computes it as a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Dim, Size
from graphc.onnx.table import Use

Sized = Callable[..., Any]
INTEGERS = (6, 7)  # ONNX's numbers of int32 and int64


def _objects(x: np.ndarray) -> np.ndarray:
    """Integers as Python's, so that sizes can stand beside them."""
    return x if x.dtype == object else x.astype(object)


def _are_sizes(*arrays: np.ndarray) -> bool:
    return all(
        a.dtype in (np.int64, np.int32) or (a.dtype == object and not _has_text(a)) for a in arrays
    )


def _has_text(x: np.ndarray) -> bool:
    return any(isinstance(s, str) for s in x.flat)


def _elementwise(combine: Callable[[Any, Any], Any]) -> Sized:
    """Of integers; None where an element has no answer."""

    def compute(a: Use, *arrays: np.ndarray) -> Any:
        if not _are_sizes(*arrays):
            return None
        if not any(v.dtype == object for v in arrays):
            return None
        found = _objects(arrays[0])
        for other in arrays[1:]:
            left, right = np.broadcast_arrays(found, _objects(other))
            items = [combine(x, y) for x, y in zip(left.flat, right.flat)]
            if any(item is None for item in items):
                return None
            found = np.empty(left.shape, object)
            found.reshape(-1)[:] = items
        return found

    return compute


def _quotient(x: Size, y: Size) -> Any:
    """x / y cut towards 0, of sizes that are not negative."""
    if isinstance(y, int) and y > 0 and dims.at_least(x, 0):
        return x // y
    if isinstance(y, Dim) and dims.at_least(x, 0) and dims.at_least(y, 1):
        return x // y
    return None


def _rest(x: Size, y: Size) -> Any:
    return x % y if isinstance(y, int) and y > 0 else None


def _equal(a: Use, x: np.ndarray, y: np.ndarray) -> Any:
    if object in (x.dtype, y.dtype) and (_has_text(x) or _has_text(y)):
        return np.asarray(x == y, bool)
    if not _are_sizes(x, y) or object not in (x.dtype, y.dtype):
        return None
    left, right = np.broadcast_arrays(_objects(x), _objects(y))
    found = []
    for p, q in zip(left.flat, right.flat):
        if dims.is_same(p, q):
            found.append(True)
        elif not dims.may_be_equal(p, q):
            found.append(False)
        else:
            return None
    return np.array(found, bool).reshape(left.shape)


def _gather(a: Use, x: np.ndarray, index: np.ndarray) -> Any:
    if index.dtype == object:
        return None
    return np.take(x, index, a.axis or 0)


def _concat(a: Use, *xs: np.ndarray) -> Any:
    if any(v.dtype == object for v in xs) and not _are_sizes(*xs):
        return None
    if any(v.dtype == object for v in xs):
        xs = tuple(map(_objects, xs))
    return np.concatenate(xs, a.axis)


def _slice(a: Use, x: np.ndarray, *limits: np.ndarray | None) -> Any:
    if any(v is not None and v.dtype == object for v in limits):
        return None
    given: list[Any] = [None if v is None else v.tolist() for v in limits]
    given += [None] * (4 - len(given))
    starts, ends, axes, steps = given
    starts = a.starts if starts is None else starts
    ends = a.ends if ends is None else ends
    axes = (a.axes if axes is None else axes) or list(range(len(starts)))
    index: list[Any] = [slice(None)] * x.ndim
    for k, (axis, start, end) in enumerate(zip(axes, starts, ends)):
        step = 1 if steps is None else steps[k]
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def _axes(a: Use, axes: Any) -> Any:
    return a.axes if axes is None else axes.reshape(-1).tolist()


def _squeeze(a: Use, x: np.ndarray, axes: np.ndarray | None = None) -> Any:
    found = _axes(a, axes)
    return np.squeeze(x, None if found is None else tuple(found))


def _unsqueeze(a: Use, x: np.ndarray, axes: np.ndarray | None = None) -> Any:
    return np.expand_dims(x, tuple(_axes(a, axes)))


def _reshape(a: Use, x: np.ndarray, sizes: np.ndarray | None = None) -> Any:
    target = a.shape if sizes is None else sizes.tolist()
    if any(not isinstance(s, int) or s == 0 for s in target):
        return None
    return x.reshape(target)


def _cast(a: Use, x: np.ndarray) -> Any:
    return x if x.dtype == object and a.to in INTEGERS and not _has_text(x) else None


def _where(a: Use, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
    if not _are_sizes(x, y) or condition.dtype != bool or object not in (x.dtype, y.dtype):
        return None
    return np.where(condition, _objects(x), _objects(y))


def _folded(combine: Callable[[list[Any]], Any]) -> Sized:
    """A reduction of a whole vector."""

    def compute(a: Use, x: np.ndarray, axes: np.ndarray | None = None) -> Any:
        if x.dtype != object or x.ndim != 1 or not _are_sizes(x):
            return None
        found = np.array(combine(list(x)), object)
        return found.reshape(1) if a.keepdims else found

    return compute


def _identity(a: Use, x: np.ndarray) -> Any:
    return x


SIZED: dict[str, Sized] = {
    "Add": _elementwise(lambda x, y: x + y),
    "Sub": _elementwise(lambda x, y: x - y),
    "Mul": _elementwise(lambda x, y: x * y),
    "Div": _elementwise(_quotient),
    "Mod": _elementwise(_rest),
    "Max": _elementwise(dims.maximum),
    "Min": _elementwise(dims.minimum),
    "Equal": _equal, "Gather": _gather, "Concat": _concat, "Slice": _slice, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "Reshape": _reshape, "Cast": _cast, "Where": _where,
    "Identity": _identity, "ReduceProd": _folded(dims.product), "ReduceSum": _folded(sum),
}  # fmt: skip
