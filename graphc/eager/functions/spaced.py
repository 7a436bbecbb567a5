"""Evenly spaced numbers, and powers with such exponents."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.dims import Dim
from graphc.core.dtypes import as_dtype, is_float
from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.registry import EAGER, eager
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.creation import as_numpy, as_tensor, finish, recorded, tensor
from graphc.errors import ArgumentError


def _count(name: str, steps: Any) -> int:
    if isinstance(steps, bool) or steps < 0:
        raise ArgumentError(f"{name}: {steps!r} steps", where=caller())
    return int(steps)


def _spaced(name: str, start: float, end: float, steps: Any, dtype: np.dtype) -> np.ndarray:
    """Evenly spaced numbers as floats; for an integer dtype from the bounds' whole parts."""
    count = _count(name, steps)
    if is_float(dtype):
        return np.linspace(float(start), float(end), count)
    # From both ends to the middle, with a step of float32, as PyTorch does.
    first, last = int(start), int(end)
    step = np.float32(last - first) / np.float32(max(count - 1, 1))
    place = np.arange(count)
    upper = np.float32(last) - step * (count - 1 - place).astype(np.float32)
    lower = np.float32(first) + step * place.astype(np.float32)
    return np.where(place < count // 2, lower, upper) if count > 1 else lower


@eager()
def linspace(
    start: Any, end: Any, steps: int | Dim, *, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """`steps` numbers, evenly spaced from start to end, both included.

    Example:
        >>> import graphc as gc
        >>> gc.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if any(isinstance(v, Dim | Node) for v in (start, end, steps)):
        return FUNCTIONS["linspace"](start, end, steps, dtype=dtype)
    kind = as_numpy(dtype)
    if is_float(kind) and any(_is_traced(v) for v in (start, end)):
        return recorded(_spaced_traced(start, end, steps).to(kind), requires_grad)
    array = _spaced("linspace", start, end, steps, kind)
    return finish(array.astype(kind), device, requires_grad, of=(start, end))


def _is_traced(value: object) -> bool:
    return isinstance(value, Tensor) and value._node is not None


def _spaced_traced(start: Any, end: Any, steps: Any) -> Any:
    """`_spaced` of floats between ends that are not known yet, by the operations of NumPy's."""
    wide, count = np.dtype(np.float64), _count("linspace", steps)
    first, last = (as_tensor(v, dtype=wide).detach() for v in (start, end))
    place, final = tensor(np.arange(count)), max(count - 1, 1)
    return EAGER["where"](place == final, last, first + place * ((last - first) / final))


@eager()
def logspace(
    start: Any, end: Any, steps: Any, base: float = 10.0, *, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """base to the powers of `linspace`.

    Example:
        >>> import graphc as gc
        >>> gc.logspace(0, 3, 4)
        tensor([   1.,   10.,  100., 1000.])
    """
    if any(isinstance(v, Dim | Node) for v in (start, end, steps)):
        spaced = FUNCTIONS["linspace"](start, end, steps)
        powers = FUNCTIONS["power"](float(base), spaced)
        return powers if dtype is None else FUNCTIONS["cast"](powers, as_dtype(dtype))
    kind = as_numpy(dtype)
    array = np.power(float(base), _spaced("logspace", start, end, steps, kind))
    return finish(array.astype(kind), device, requires_grad, of=(start, end))
