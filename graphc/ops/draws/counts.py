"""Random whole numbers: coins, counts, places and choices.

k = random_key(0)
counts = poisson(rates, key=fold_in(k, 1))
places = categorical(logits, (8,), key=fold_in(k, 2))
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import broadcast_shapes
from graphc.core.typing import Operand, ShapeLike
from graphc.errors import AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.random import _key_for, fold_in, permutation, uniform
from graphc.ops.declare import as_tensor, is_tensor, public
from graphc.ops.draws.distributions import accepted, between, filling, gumbel


@public
def bernoulli(p: Any = 0.5, shape: Any = None, key: Operand | None = None) -> Any:
    """Whether what has probability p comes: 1 or 0 of the dtype of p; bools where p is a number.

    Args:
        p: a number or a float tensor of probabilities.
        shape: the result's shape; that of p unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number p is outside [0, 1].
    """
    if not is_tensor(p) and not 0 <= p <= 1:
        raise AttributeValueError(f"bernoulli: p={p!r} is no probability", where=caller())
    dtype = p.type.dtype if is_tensor(p) and p.type.dtype.is_float else dtypes.float32
    given = p.type.shape if shape is None and is_tensor(p) else () if shape is None else shape
    drawn = FUNCTIONS["less"](uniform(given, dtype=dtype, key=key), p)
    return FUNCTIONS["cast"](drawn, dtype) if is_tensor(p) else drawn


def _shaped(name: str, value: Any, shape: Any) -> tuple[Any, Any]:
    """A parameter as a float tensor, and the shape of the draws: its own unless given."""
    value = as_tensor(float(value) if isinstance(value, int) else value, name)
    if not value.type.dtype.is_float:
        raise DTypeError(f"{name}: {value.type.dtype.name} is not a float dtype", where=caller())
    shape = value.type.shape if shape is None else tuple(shape)
    if broadcast_shapes([value.type.shape, shape]) != shape:
        raise ShapeError(
            f"{name}: a parameter of shape {value.type.shape} does not broadcast to {shape}",
            where=caller(),
        )
    return value, shape


@public
def poisson(rate: Any, shape: Any = None, key: Operand | None = None) -> Any:
    """Random counts of what comes `rate` times on average: the Poisson distribution.

    Below 10 by multiplying uniform numbers, from there by rejection. Source: Hoermann, "The
    transformed rejection method for generating Poisson random variables" (PTRS), 1993.

    Args:
        rate: a number or a float tensor, 0 or more.
        shape: the result's shape; that of rate unless given.
        key: a key; the default generator unless given.

    Returns:
        Floats of rate's dtype, as in PyTorch.

    Raises:
        AttributeValueError: a number rate is below 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.poisson(4.0, (10_000,), key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 4.0) < 0.1)
        True
    """
    if not is_tensor(rate) and not rate >= 0:
        raise AttributeValueError(f"poisson: rate={rate!r} is below 0", where=caller())
    rate, shape = _shaped("poisson", rate, shape)
    key = _key_for("poisson", key)
    given = filling("poisson", rate, shape, dtypes.float64)
    is_small, where = given < 10.0, FUNCTIONS["where"]
    small = _poisson_by_products(where(is_small, given, 0.0), shape, fold_in(key, 0))
    large = _poisson_by_rejection(where(is_small, 10.0, given), shape, fold_in(key, 1))
    return FUNCTIONS["cast"](where(is_small, small, large), rate.type.dtype)


def _poisson_by_products(rate: Any, shape: Any, key: Any) -> Any:
    least = FUNCTIONS["exp"](-rate)

    def goes_on(value: tuple[Any, Any, Any]) -> Any:
        return FUNCTIONS["any"](value[2] > least)

    def step(value: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        k, count, product = value
        product = product * uniform(shape, dtype=dtypes.float64, key=fold_in(key, k))
        return k + 1, count + FUNCTIONS["cast"](product > least, dtypes.float64), product

    full = FUNCTIONS["full"]
    start = [full((), 0, dtypes.int64), *(full(shape, v, dtypes.float64) for v in (0, 1))]
    return FUNCTIONS["while_loop"](goes_on, step, tuple(start))[1]


def _poisson_by_rejection(rate: Any, shape: Any, key: Any) -> Any:
    log, floor, both = (FUNCTIONS[name] for name in ("log", "floor", "logical_and"))
    b = 0.931 + 2.53 * FUNCTIONS["sqrt"](rate)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    most = 0.9277 - 3.6224 / (b - 2.0)

    def attempt(key: Any) -> tuple[Any, Any]:
        u = uniform(shape, dtype=dtypes.float64, key=fold_in(key, 0)) - 0.5
        v = between(shape, dtypes.float64, fold_in(key, 1))
        us = 0.5 - FUNCTIONS["absolute"](u)
        k = floor((2.0 * a / us + b) * u + rate + 0.43)
        is_inside = both(us >= 0.07, v <= most)
        is_possible = both(k >= 0.0, FUNCTIONS["logical_or"](us >= 0.013, v <= us))
        chance = k * log(rate) - rate - _log_factorial(FUNCTIONS["maximum"](k, 0.0))
        fits = log(v * inverse / (a / (us * us) + b)) <= chance
        return k, FUNCTIONS["logical_or"](is_inside, both(is_possible, fits))

    return accepted(attempt, shape, dtypes.float64, key)


def _log_factorial(k: Any) -> Any:
    """log(k!) of whole numbers: Stirling's series at k + 8, whose last factors are taken off."""
    log = FUNCTIONS["log"]
    factors = k + 1.0
    for j in range(2, 9):
        factors = factors * (k + float(j))
    n = k + 8.0
    series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * n * n)) / (n * n)) / n
    return (n + 0.5) * log(n) - n + 0.5 * math.log(2.0 * math.pi) + series - log(factors)


@public
def geometric(p: Any, shape: Any = None, key: Operand | None = None) -> Any:
    """Random whole numbers: how many trials the first success takes, 1 or more.

    Args:
        p: a number or a float tensor of probabilities, above 0.
        shape: the result's shape; that of p unless given.
        key: a key; the default generator unless given.

    Returns:
        Floats of p's dtype, as in PyTorch.

    Raises:
        AttributeValueError: a number p is outside (0, 1].

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.geometric(0.25, (10_000,), key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 4.0) < 0.2)
        True
    """
    if not is_tensor(p) and not 0 < p <= 1:
        raise AttributeValueError(f"geometric: p={p!r} is outside (0, 1]", where=caller())
    p, shape = _shaped("geometric", p, shape)
    kind = p.type.dtype
    u = between(shape, kind.compute, key)
    p = FUNCTIONS["cast"](p, kind.compute)
    count = FUNCTIONS["floor"](FUNCTIONS["log"](u) / FUNCTIONS["log1p"](-p)) + 1.0
    return FUNCTIONS["cast"](count, kind)


@public
def categorical(logits: Any, shape: Any = None, axis: int = -1, key: Operand | None = None) -> Any:
    """Random places along an axis, by the softmax of the logits that stand there.

    By Gumbel's trick: the greatest of logits + `gumbel`.

    Args:
        logits: floats; -inf is never drawn.
        shape: the result's shape, which ends with that of the logits without the axis; that alone
            unless given.
        axis: the axis of the logits.
        key: a key; the default generator unless given.

    Returns:
        int64.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> logits = gc.log(gc.constant(np.array([0.1, 0.9], np.float32)))
        >>> draw = gc.compile([], gc.categorical(logits, (10_000,), key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 0.9) < 0.02)
        True
    """
    logits = as_tensor(logits, "categorical")
    kind = logits.type.dtype
    if not kind.is_float or not logits.type.shape:
        raise DTypeError(
            f"categorical: logits {logits.type}, not floats with an axis", where=caller()
        )
    logits = FUNCTIONS["moveaxis"](logits, axis, -1)
    sizes = logits.type.shape
    shape = sizes[:-1] if shape is None else tuple(shape)
    noise = gumbel((*shape, sizes[-1]), dtype=kind.compute, key=key)
    return FUNCTIONS["argmax"](noise + FUNCTIONS["cast"](logits, kind.compute), -1)


@public
def choice(
    x: Any, shape: ShapeLike = (), replace: bool = True, key: Operand | None = None, axis: int = 0
) -> Any:
    """Random slices of a tensor along an axis, or numbers of 0 .. x - 1.

    Args:
        x: a tensor, an int or a symbolic dimension.
        shape: of the choices; it stands in the axis' place.
        replace: whether a slice may be chosen twice.
        key: a key; the default generator unless given.
        axis: the axis of a tensor.

    Raises:
        AttributeValueError: without replacement, more are chosen than there are.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.choice(5, (5,), replace=False, key=gc.random_key(0)))
        >>> sorted(draw().tolist())
        [0, 1, 2, 3, 4]
    """
    is_whole = not hasattr(x, "type")
    x = x if is_whole else as_tensor(x, "choice")
    count: Any = x if is_whole else x.type.shape[axis]
    shape = tuple(shape)
    total: Any = math.prod(shape)
    if replace:
        u = uniform(shape, dtype=dtypes.float64, key=key)
        size = FUNCTIONS["cast"](as_tensor(count, "choice"), dtypes.float64)
        places = FUNCTIONS["cast"](FUNCTIONS["floor"](u * size), dtypes.int64)
    elif isinstance(count, int) and total > count:
        raise AttributeValueError(
            f"choice: {total} of {count} without replacement", where=caller(),
            hint="pass replace=True",
        )  # fmt: skip
    else:
        places = FUNCTIONS["reshape"](permutation(count, key)[:total], shape)
    return places if is_whole else FUNCTIONS["take"](x, places, axis)
