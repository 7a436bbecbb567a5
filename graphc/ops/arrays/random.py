"""Random numbers: counter-based (Philox 4x32-10), so pure, parallel and the same everywhere.

A key is a uint64 scalar tensor. Element i of a draw is a function of the key and i alone. Without
a key the default generator is used: a parameter whose state programs advance at their end, each
call site folding in a number of its own. `manual_seed` sets it.

    k = random_key(0)
    noise = normal((n, 64), key=fold_in(k, 1))
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.ir import Cost, Kind, NoGradient, Op, Sample, Scalar, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import DTypeLike, Operand, ShapeLike, Values
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError
from graphc.ops.arrays.philox import philox_words
from graphc.ops.arrays.shaping import broadcast_to, reshape
from graphc.ops.declare import as_tensor, declare, is_tensor, public
from graphc.ops.sizes import as_size
from graphc.ops.source import PARAMETER_OP, Parameter, State, as_shape, as_stream

# Keys made from a key use another stream than the numbers drawn from it.
_FOLD = 0x5851F42D4C957F2D
# The generator's step: odd, so that its period is 2**64.
STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _philox_infer(key: TensorType, counter: TensorType, *, lane: int) -> TensorType:
    if key != counter or key.dtype is not dtypes.uint64 or lane not in range(4):
        raise DTypeError(f"philox: key {key}, counter {counter}, lane {lane}")
    return key.with_dtype(dtypes.uint32)


def _philox_numpy(key: np.ndarray, counter: np.ndarray, *, lane: int) -> np.ndarray:
    flat_keys, flat = key.ravel(), counter.ravel()
    result = np.empty(flat.shape, np.uint32)
    keys, group = np.unique(flat_keys, return_inverse=True)
    for which, one in enumerate(keys):
        chosen = group == which
        result[chosen] = philox_words(one, flat[chosen])[:, lane]
    return result.reshape(counter.shape)


PHILOX = declare(
    Op(
        "philox", Kind.ELEMENTWISE, _philox_infer, _philox_numpy,
        NoGradient("random bits are integers"),
        Scalar(lambda key, counter, *, lane: f"philox_word({{0}}, {{1}}, {lane})"),
        samples=lambda: [
            Sample((((5,), "uint64", "real"), ((5,), "uint64", "real")), {"lane": lane})
            for lane in range(4)
        ],
        doc="32 random bits: word `lane` of the Philox 4x32-10 block `counter` under `key`.",
        # Ten rounds of arithmetic on 64-bit words, a NumPy call each.
        cost=Cost(20.0, call=15_400.0),
    )
)  # fmt: skip


class _Draws:
    """How many draws were made from the default generator since it was seeded."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin at 1 again."""
        # Counted by one C function, so that threads and signal handlers get different numbers.
        self.next = itertools.count(1).__next__


def hashed(seed: int) -> np.uint64:
    """The state that a generator has after it was seeded."""
    words = philox_words(np.uint64(seed & _MASK), np.array([_MASK], np.uint64))[0]
    return np.uint64(int(words[0]) | int(words[1]) << 32)


_STATE = State(np.array(hashed(0)))
_TYPE = TensorType(dtypes.uint64, ())
GENERATOR: Parameter = as_stream(
    Parameter(PARAMETER_OP, (), (("name", "generator"), ("type", _TYPE)), _TYPE, None, _STATE)
)
_DRAWS = _Draws()


def stream() -> Parameter:
    """The state of a generator: a uint64 parameter; programs that draw from it advance it."""
    return as_stream(FUNCTIONS["parameter"]("generator", np.array(0, np.uint64)))


def advance(state: Operators) -> Any:
    """The state that follows a generator's state, as a tensor of the same type."""
    return FUNCTIONS["add"](state, FUNCTIONS["full"]((), STEP, dtypes.uint64))


@public
def manual_seed(seed: int) -> None:
    """Set the default generator; draws made after it are reproducible.

    Args:
        seed: any int; taken modulo 2**64.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ArgumentError(f"manual_seed: {seed!r} is no int", where=caller())
    _DRAWS.restart()
    GENERATOR.value = np.array(hashed(int(seed)))


@public
def random_key(seed: int) -> Any:
    """A key from a seed: a uint64 scalar.

    Args:
        seed: any int; taken modulo 2**64.

    Example:
        >>> import graphc as gc
        >>> key = gc.random_key(0)
        >>> step = gc.compile([], gc.uniform((2,), key=key))
        >>> bool((step() == step()).all())
        True
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ArgumentError(f"random_key: {seed!r} is no int", where=caller())
    return FUNCTIONS["full"]((), int(seed) & _MASK, dtypes.uint64)


@public
def fold_in(key: Operand, data: Any) -> Any:
    """A new key from a key and a number; different numbers give independent keys.

    Args:
        key: a uint64 scalar.
        data: an int, or an integer tensor of any shape (then the result has its shape).

    Example:
        >>> import graphc as gc
        >>> key = gc.random_key(0)
        >>> first, second = gc.fold_in(key, 1), gc.fold_in(key, 2)
        >>> draw = gc.compile([], [gc.uniform((2,), key=first), gc.uniform((2,), key=second)])
        >>> a, b = draw()
        >>> bool((a == b).any())
        False
    """
    key = _check_key("fold_in", key)
    if is_tensor(data):
        data = FUNCTIONS["cast"](data, dtypes.uint64, overflow="wrap")
    else:
        data = FUNCTIONS["full"]((), int(data) & _MASK, dtypes.uint64)
    shape = data.type.shape
    stream = FUNCTIONS["bitwise_xor"](key, FUNCTIONS["full"]((), _FOLD, dtypes.uint64))
    return _word64(broadcast_to(stream, shape), data, 0)


@public
def split_key(key: Operand, count: int = 2) -> list[Any]:
    """Independent keys from one.

    Args:
        key: a uint64 scalar.
        count: how many.

    Example:
        >>> import graphc as gc
        >>> first, second = gc.split_key(gc.random_key(0))
        >>> draw = gc.compile([], [gc.uniform((2,), key=first), gc.uniform((2,), key=second)])
        >>> a, b = draw()
        >>> bool((a == b).any())
        False
    """
    return [fold_in(key, -1 - k) for k in range(count)]


def _check_key(name: str, key: Values) -> Any:
    key = as_tensor(key, name)
    if key.type != _TYPE:
        raise DTypeError(
            f"{name}: a key is a uint64 scalar, not {key.type}",
            where=caller(),
            hint="make one with gc.random_key(seed)",
        )
    return key


def _key_for(name: str, key: Any) -> Any:
    """The key given, or one from the default generator, other for each call site."""
    return key_of(GENERATOR) if key is None else _check_key(name, key)


def key_of(state: Parameter) -> Any:
    """A key from a generator's state, other for each call of this and each step of a loop."""
    found = fold_in(state, _DRAWS.next())
    for counter in counters():
        found = fold_in(found, counter)
    return found


_loops = threading.local()


def counters() -> tuple[Any, ...]:
    """The counters of the loops whose bodies are being made, the outermost first."""
    return getattr(_loops, "counters", ())


@contextmanager
def drawing_in_loop(counter: object) -> Iterator[None]:
    """Inside, each draw from the default generator depends on a loop's counter too, so that every
    run of the loop's body draws other numbers."""
    before = counters()
    _loops.counters = (*before, counter)
    try:
        yield
    finally:
        _loops.counters = before


def _word64(key: Operators, counter: Operators, lane: int) -> Any:
    low, high = (
        FUNCTIONS["cast"](PHILOX(key, counter, lane=k), dtypes.uint64) for k in (lane, lane + 1)
    )
    return FUNCTIONS["bitwise_or"](low, FUNCTIONS["left_shift"](high, 32))


def _counters(key: Operators, shape: tuple[Any, ...]) -> tuple[Any, Any]:
    """The key and the row-major number of each element, both of `shape`."""
    flat = FUNCTIONS["iota"]((dims.product(shape),), 0, dtypes.uint64)
    return broadcast_to(key, shape), reshape(flat, shape)


def _float_dtype(name: str, dtype: DTypeLike) -> DType:
    kind = dtypes.as_dtype(dtype)
    if not kind.is_float:
        raise DTypeError(f"{name}: {kind.name} is not a float dtype", where=caller())
    return kind


def _unit(key: Operators, counter: Operators, lane: int, dtype: DType, offset: int = 0) -> Any:
    """Multiples of the dtype's 2**-digits (2**-24 for float32) in [0, 1), plus offset steps."""
    digits = dtype.digits
    if digits > 32:
        bits = FUNCTIONS["right_shift"](_word64(key, counter, lane), 64 - digits)
    else:
        bits = FUNCTIONS["right_shift"](PHILOX(key, counter, lane=lane), 32 - digits)
    if offset:
        bits = FUNCTIONS["add"](bits, offset)
    return FUNCTIONS["cast"](bits, dtype) * 2.0**-digits


@public
def uniform(
    shape: ShapeLike,
    low: Any = 0.0,
    high: Any = 1.0,
    dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:
    """Random floats, uniform in [low, high).

    Args:
        shape: ints and symbolic dimensions.
        low: number or tensor; the least value.
        high: number or tensor; rounding may reach it when it is not 1.
        dtype: float32 unless given.
        key: a key; the default generator unless given.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.uniform((1000,), -1.0, 1.0, key=gc.random_key(0)))
        >>> found = draw()
        >>> found.shape, bool((abs(found) <= 1).all())
        ((1000,), True)
    """
    kind = _float_dtype("uniform", dtype)
    sizes = as_shape("uniform", shape)
    u = _unit(*_counters(_key_for("uniform", key), sizes), 0, kind)
    if not is_tensor(low) and not is_tensor(high):
        width = float(high) - float(low)
        u = u if width == 1.0 else u * width
        return u if low == 0 else u + float(low)
    return u * (high - low) + low


@public
def normal(
    shape: ShapeLike,
    mean: Any = 0.0,
    std: Any = 1.0,
    dtype: DTypeLike = dtypes.float32,
    key: Operand | None = None,
) -> Any:
    """Random floats of the normal distribution, by Box and Muller's transform.

    Formula: `mean + std * sqrt(-2 log u) * cos(2 pi v)`, u in (0, 1] and v in [0, 1).

    Args:
        shape: ints and symbolic dimensions.
        mean: number or tensor.
        std: number or tensor; the standard deviation.
        dtype: float32 unless given; narrower floats are drawn in float32 and rounded.
        key: a key; the default generator unless given.
    """
    kind = _float_dtype("normal", dtype)
    wide = kind.compute
    where = _counters(_key_for("normal", key), as_shape("normal", shape))
    u, v = _unit(*where, 0, wide, offset=1), _unit(*where, 2, wide)
    z = FUNCTIONS["sqrt"](FUNCTIONS["log"](u) * -2.0) * FUNCTIONS["cos"](v * (2.0 * math.pi))
    z = FUNCTIONS["cast"](z, kind) if kind is not wide else z
    z = z if not is_tensor(std) and std == 1 else z * std
    return z if not is_tensor(mean) and mean == 0 else z + mean


@public
def randint(
    low: Any,
    high: Any,
    shape: ShapeLike,
    dtype: DTypeLike = dtypes.int64,
    key: Operand | None = None,
) -> Any:
    """Random integers, uniform in [low, high).

    64 random bits times the range, the high half kept: no value's probability is off by more
    than 2**-64.

    Args:
        low: the least value: an int, a symbolic dimension or a 0-d integer tensor.
        high: one more than the greatest, likewise.
        shape: ints and symbolic dimensions.
        dtype: int64 unless given.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: the range is empty, or the dtype does not hold it.
        CheckError: a range that values decide is empty when the program is called.
    """
    kind = dtypes.as_dtype(dtype)
    if not kind.is_integer:
        raise DTypeError(f"randint: {kind.name} is not an integer dtype", where=caller())
    low, high = as_size("randint", low), as_size("randint", high)
    if isinstance(low, Dim) or isinstance(high, Dim):
        return _between_sizes(low, high, as_shape("randint", shape), kind, key)
    info = np.iinfo(kind.numpy)
    if not int(info.min) <= low < high <= int(info.max) + 1:
        raise AttributeValueError(
            f"randint: [{low}, {high}) is empty or not within {kind.name}", where=caller()
        )
    where = _counters(_key_for("randint", key), as_shape("randint", shape))
    value = FUNCTIONS["cast"](_high_half(_word64(*where, 0), high - low), kind, overflow="wrap")
    return value + int(low) if low else value


def _between_sizes(low: Any, high: Any, shape: Any, kind: dtypes.DType, key: Any) -> Any:
    """`randint` in a range that is known when the program is called."""
    least, end = (FUNCTIONS["size"](bound, dtypes.int64) for bound in (low, high))
    least = FUNCTIONS["check"](least < end, "randint: no integer from {} to below {}", least, end)
    where = _counters(_key_for("randint", key), shape)
    value = _high_half(_word64(*where, 0), FUNCTIONS["cast"](end - least, dtypes.uint64))
    return FUNCTIONS["cast"](FUNCTIONS["cast"](value, dtypes.int64) + least, kind)


def _high_half(word: Any, count: Any) -> Any:
    """The upper 64 bits of the 128-bit product of uint64 words and a number up to 2**64."""
    is_number = isinstance(count, int)
    if is_number and count == 1 << 64:
        return word
    shift, both = FUNCTIONS["right_shift"], FUNCTIONS["bitwise_and"]
    half = (1 << 32) - 1
    above, below = shift(word, 32), both(word, half)
    low, high = (count & half, count >> 32) if is_number else (both(count, half), shift(count, 32))
    middle = above * low + shift(below * low, 32)
    if is_number and count <= half:
        return shift(middle, 32)
    cross = below * high + both(middle, half)
    return above * high + shift(middle, 32) + shift(cross, 32)


@public
def permutation(x: Operand, key: Operand | None = None, axis: int = 0) -> Any:
    """A random order of 0 .. x - 1, or of the slices of a tensor along an axis.

    The order of random 64-bit words; equal words, of which a million have none, keep theirs.

    Args:
        x: an int, a symbolic dimension, or a tensor.
        key: a key; the default generator unless given.
        axis: the axis of a tensor.

    Example:
        >>> import graphc as gc
        >>> draw = gc.compile([], gc.permutation(5, key=gc.random_key(0)))
        >>> sorted(draw().tolist())
        [0, 1, 2, 3, 4]
    """
    if isinstance(x, int | dims.Dim):
        where = _counters(_key_for("permutation", key), as_shape("permutation", (x,)))
        return FUNCTIONS["argsort"](_word64(*where, 0))
    x = as_tensor(x, "permutation")
    if not x.type.shape:
        raise ShapeError("permutation: a 0-d tensor", where=caller())
    return FUNCTIONS["take"](x, permutation(x.type.shape[axis], key), axis)


@public
def dropout(x: Operand, p: float = 0.5, training: bool = True, key: Operand | None = None) -> Any:
    """x with elements set to 0 with probability p, the others divided by 1 - p.

    Args:
        x: floats.
        p: the probability of a zero, a number.
        training: False returns x.
        key: a key; the default generator unless given.

    Raises:
        AttributeValueError: p is outside [0, 1].
    """
    x = as_tensor(x, "dropout")
    if is_tensor(p) or not 0 <= p <= 1:
        raise AttributeValueError(f"dropout: p={p!r} is no probability", where=caller())
    if not x.type.dtype.is_float:
        raise DTypeError(f"dropout: {x.type.dtype.name} is not a float dtype", where=caller())
    if not training or p == 0:
        return x
    zeros = FUNCTIONS["full"](x.type.shape, 0, x.type.dtype)
    if p == 1:
        return zeros
    keep = uniform(x.type.shape, dtype=dtypes.float32, key=key) >= p
    return FUNCTIONS["where"](keep, x * (1.0 / (1.0 - p)), zeros)
