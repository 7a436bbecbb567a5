"""Random floats of many distributions, made of uniform and normal ones.

    k = random_key(0)
    waits = exponential((n,), rate=2.0, key=fold_in(k, 1))
    weights = beta((n,), 2.0, 6.0, key=fold_in(k, 2))

Those of one uniform number are its image; the others reject what does not fit, element by element,
until all fit. A parameter is a number, or a tensor that broadcasts with the shape; of tensors there
are gradients where the numbers are moved or scaled by them (loc, scale, rate, mean, std).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import DTypeLike, Operand, ShapeLike
from graphc.errors import AttributeValueError
from graphc.ops.arrays.random import _float_dtype, _key_for, fold_in, normal, uniform
from graphc.ops.declare import as_tensor, is_tensor, public

# The least number above 0 that is drawn, and that logarithms are taken of.
_LEAST = 1e-37


def _above_zero(name: str, **values: Any) -> None:
    for key, value in values.items():
        if not is_tensor(value) and not value > 0:
            raise AttributeValueError(f"{name}: {key}={value!r} is not above 0", where=caller())


def _moved(x: Operators, loc: Operand, scale: Operand) -> Any:
    x = x if not is_tensor(scale) and scale == 1 else x * scale
    return x if not is_tensor(loc) and loc == 0 else x + loc


def between(shape: ShapeLike, kind: DType, key: Any) -> Any:
    """Uniform numbers in (0, 1): 0 is the least number above it."""
    return FUNCTIONS["maximum"](uniform(shape, dtype=kind, key=key), _LEAST)


def _image(
    name: str, shape: ShapeLike, dtype: DTypeLike, key: Any, function: Callable[[Any], Any]
) -> Any:
    """A function of uniform numbers in (0, 1), drawn in float32 at least and rounded."""
    kind = _float_dtype(name, dtype)
    return FUNCTIONS["cast"](function(between(shape, kind.compute, key)), kind)


@public
def exponential(
    shape: ShapeLike, rate: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of the exponential distribution: waits for what comes `rate` times a unit.

    Formula: `-log(u) / rate`, u uniform in (0, 1).

    Args:
        shape: ints and symbolic dimensions.
        rate: number or tensor, above 0.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number rate is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.exponential((10_000,), 2.0, key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 0.5) < 0.02)
        True
    """
    _above_zero("exponential", rate=rate)
    found = _image("exponential", shape, dtype, key, lambda u: -FUNCTIONS["log"](u))
    return found if not is_tensor(rate) and rate == 1 else found / rate


@public
def laplace(
    shape: ShapeLike, loc: Operand = 0.0, scale: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of the Laplace distribution: the difference of two exponential ones.

    Args:
        shape: ints and symbolic dimensions.
        loc: number or tensor; the mean.
        scale: number or tensor, above 0; the mean distance from it.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number scale is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.laplace((10_000,), 1.0, key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 1.0) < 0.05)
        True
    """
    _above_zero("laplace", scale=scale)
    key = _key_for("laplace", key)
    first, second = (exponential(shape, dtype=dtype, key=fold_in(key, k)) for k in (0, 1))
    return _moved(first - second, loc, scale)


@public
def gumbel(
    shape: ShapeLike, loc: Operand = 0.0, scale: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of the Gumbel distribution; the greatest of logits + them is `categorical`.

    Formula: `loc - scale * log(-log(u))`, u uniform in (0, 1).

    Args:
        shape: ints and symbolic dimensions.
        loc: number or tensor; the most likely value.
        scale: number or tensor, above 0.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number scale is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.gumbel((10_000,), key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 0.5772) < 0.05)
        True
    """
    _above_zero("gumbel", scale=scale)
    log = FUNCTIONS["log"]
    found = _image("gumbel", shape, dtype, key, lambda u: -log(-log(u)))
    return _moved(found, loc, scale)


@public
def cauchy(
    shape: ShapeLike, loc: Operand = 0.0, scale: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of the Cauchy distribution, which has no mean.

    Formula: `loc + scale * tan(pi * (u - 1/2))`, u uniform in (0, 1).

    Args:
        shape: ints and symbolic dimensions.
        loc: number or tensor; the median.
        scale: number or tensor, above 0; the distance from it of half of all.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number scale is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.cauchy((10_000,), key=gc.random_key(0)))
        >>> bool(abs((abs(draw()) < 1).mean() - 0.5) < 0.02)
        True
    """
    _above_zero("cauchy", scale=scale)
    tan = FUNCTIONS["tan"]
    found = _image("cauchy", shape, dtype, key, lambda u: tan((u - 0.5) * math.pi))
    return _moved(found, loc, scale)


@public
def log_normal(
    shape: ShapeLike, mean: Operand = 0.0, std: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats whose logarithms are of the normal distribution.

    Args:
        shape: ints and symbolic dimensions.
        mean: number or tensor; of the logarithms.
        std: number or tensor; of the logarithms.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.log_normal((1000,), key=gc.random_key(0)))
        >>> bool((draw() > 0).all())
        True
    """
    return FUNCTIONS["exp"](normal(shape, mean, std, dtype, key))


@public
def gamma(
    shape: ShapeLike, concentration: Operand = 1.0, rate: Operand = 1.0,
    dtype: DTypeLike = dtypes.float32, key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of the gamma distribution.

    By rejection. Source: Marsaglia and Tsang, "A simple method for generating gamma variables",
    2000. There is no gradient by the concentration.

    Args:
        shape: ints and symbolic dimensions.
        concentration: number or tensor, above 0; also called shape or alpha.
        rate: number or tensor, above 0.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number concentration or rate is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.gamma((10_000,), 3.0, 2.0, key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 1.5) < 0.05)
        True
    """
    _above_zero("gamma", concentration=concentration, rate=rate)
    kind = _float_dtype("gamma", dtype).compute
    key = _key_for("gamma", key)
    given = filling("gamma", concentration, shape, kind)
    is_below = given < 1.0
    d = FUNCTIONS["where"](is_below, given + 1.0, given) - 1.0 / 3.0
    c = 1.0 / FUNCTIONS["sqrt"](d * 9.0)
    log = FUNCTIONS["log"]

    def attempt(key: Any) -> tuple[Any, Any]:
        z = normal(shape, dtype=kind, key=fold_in(key, 0))
        v = 1.0 + c * z
        v = v * v * v
        u = between(shape, kind, fold_in(key, 1))
        fits = log(u) < 0.5 * z * z + d - d * v + d * log(FUNCTIONS["maximum"](v, _LEAST))
        return d * v, FUNCTIONS["logical_and"](v > 0.0, fits)

    found = accepted(attempt, shape, kind, fold_in(key, 0))
    lift = FUNCTIONS["exp"](log(between(shape, kind, fold_in(key, 1))) / given)
    found = FUNCTIONS["where"](is_below, found * lift, found)
    found = FUNCTIONS["cast"](FUNCTIONS["stop_gradient"](found), dtypes.as_dtype(dtype))
    return found if not is_tensor(rate) and rate == 1 else found / rate


def filling(name: str, value: Any, shape: ShapeLike, kind: DType) -> Any:
    """A parameter as a tensor of the shape and a dtype, without gradient."""
    value = FUNCTIONS["stop_gradient"](FUNCTIONS["cast"](as_tensor(value, name), kind))
    return FUNCTIONS["broadcast_to"](value, shape)


def accepted(
    attempt: Callable[[Any], tuple[Any, Any]], shape: ShapeLike, kind: DType, key: Any
) -> Any:
    """Numbers that fit: for each element those of the first attempt whose number does.

    Args:
        attempt: of a key to (numbers, whether they fit).
        shape: of the numbers.
        kind: their dtype.
        key: of which each attempt has its own.
    """
    where, full = FUNCTIONS["where"], FUNCTIONS["full"]

    def is_missing(value: tuple[Any, Any, Any]) -> Any:
        return FUNCTIONS["any"](FUNCTIONS["logical_not"](value[2]))

    def again(value: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        k, found, has = value
        numbers, fits = attempt(fold_in(key, k))
        return k + 1, where(has, found, numbers), FUNCTIONS["logical_or"](has, fits)

    start = (full((), 0, dtypes.int64), full(shape, 0, kind), full(shape, False, dtypes.bool_))
    return FUNCTIONS["while_loop"](is_missing, again, start)[1]


@public
def beta(
    shape: ShapeLike, a: Operand = 1.0, b: Operand = 1.0, dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats in [0, 1] of the beta distribution; there is no gradient by a and b.

    Args:
        shape: ints and symbolic dimensions.
        a: number or tensor, above 0.
        b: number or tensor, above 0.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number a or b is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.beta((10_000,), 2.0, 6.0, key=gc.random_key(0)))
        >>> bool(abs(draw().mean() - 0.25) < 0.02)
        True
    """
    _above_zero("beta", a=a, b=b)
    key = _key_for("beta", key)
    kind = _float_dtype("beta", dtype).compute
    first, second = (gamma(shape, v, 1.0, kind, fold_in(key, k)) for k, v in enumerate((a, b)))
    # Both may be too small for a float: then either end is as likely as it is by their sizes.
    total = FUNCTIONS["maximum"](first + second, _LEAST)
    return FUNCTIONS["cast"](first / total, dtypes.as_dtype(dtype))


@public
def student_t(
    shape: ShapeLike, df: Any = 1.0, loc: Operand = 0.0, scale: Any = 1.0,
    dtype: DTypeLike = dtypes.float32, key: Operand | None = None,
) -> Any:  # fmt: skip
    """Random floats of Student's t distribution; there is no gradient by the degrees of freedom.

    Args:
        shape: ints and symbolic dimensions.
        df: number or tensor, above 0; the degrees of freedom.
        loc: number or tensor; the median.
        scale: number or tensor, above 0.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: a number df or scale is not above 0.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.student_t((10_000,), 5.0, key=gc.random_key(0)))
        >>> bool(abs(draw().mean()) < 0.05)
        True
    """
    _above_zero("student_t", df=df, scale=scale)
    key = _key_for("student_t", key)
    kind = _float_dtype("student_t", dtype).compute
    half = df * 0.5
    spread = gamma(shape, half, half, kind, fold_in(key, 0))
    found = normal(shape, dtype=kind, key=fold_in(key, 1)) / FUNCTIONS["sqrt"](spread)
    return _moved(FUNCTIONS["cast"](found, dtypes.as_dtype(dtype)), loc, scale)
