"""Functions of integers and truth values in kernels, range tests and random bits: all exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from mathematics import INTEGERS, STORAGE, float_edges, integer_edges, pairs, run, run_plain

from graphc.ops.arrays.philox import philox_words

NUMPY = {
    "maximum": np.maximum, "minimum": np.minimum, "fmax": np.fmax, "fmin": np.fmin,
    "floor_divide": np.floor_divide, "floor_mod": np.remainder, "c_mod": np.fmod, "gcd": np.gcd,
    "lcm": np.lcm, "shift_left": np.left_shift, "shift_right": np.right_shift,
}  # fmt: skip
NUMPY_OF_ONE = {"absolute": np.absolute, "sign": np.sign, "invert": np.invert}
RANGE_TESTS = [f"out_of_range_{target}" for target in INTEGERS]


def _operands(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    info = np.iinfo(STORAGE[dtype])
    x, y = pairs(integer_edges(dtype), STORAGE[dtype])
    more = np.random.default_rng(11).integers(
        info.min, info.max, (2, 500), STORAGE[dtype], endpoint=True
    )
    return np.concatenate([x, more[0]]), np.concatenate([y, more[1]])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_functions_of_two_integers_are_numpys(dtype: str) -> None:
    x, y = _operands(dtype)
    found = run([f"{name}(x[i], y[i])" for name in NUMPY], x, y)
    with np.errstate(all="ignore"):
        for name, values in zip(NUMPY, found):
            np.testing.assert_array_equal(values, NUMPY[name](x, y), name)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_functions_of_one_integer_are_numpys(dtype: str) -> None:
    x, _ = _operands(dtype)
    calls = [f"{name}(x[i])" for name in (*NUMPY_OF_ONE, "bit_count")]
    *found, counts = run(calls, x, results=[*[dtype] * len(NUMPY_OF_ONE), "u8"])
    for name, values in zip(NUMPY_OF_ONE, found):
        np.testing.assert_array_equal(values, NUMPY_OF_ONE[name](x), name)
    np.testing.assert_array_equal(counts, np.bitwise_count(x))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_powers_wrap_around(dtype: str) -> None:
    x, y = _operands(dtype)
    y = np.where(y < 0, 0, y)
    (found,) = run(["power_int(x[i], y[i])"], x, y)
    np.testing.assert_array_equal(found, np.power(x, y))


def test_integer_powers_of_negative_exponents_end() -> None:
    x, y = np.array([3, 2], np.int8), np.array([-1, -128], np.int8)
    (found,) = run(["power_int(x[i], y[i])"], x, y)
    assert found.tolist() == [pow(3, 255, 256) - 256, 0]


def test_shifts_take_counts_of_another_dtype() -> None:
    x = np.array([1, -128, 77], np.int8)
    left, right = run(["shift_left(x[i], i64(256))", "shift_right(x[i], u64(300))"], x)
    assert left.tolist() == [0, 0, 0]
    assert right.tolist() == [0, -1, 0]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_range_tests_of_integers(dtype: str) -> None:
    x, _ = _operands(dtype)
    found = run([f"{name}(x[i])" for name in RANGE_TESTS], x, results=["b1"] * len(RANGE_TESTS))
    for target, values in zip(INTEGERS, found):
        info = np.iinfo(STORAGE[target])
        wanted = [not info.min <= int(v) <= info.max for v in x]
        np.testing.assert_array_equal(values, wanted, target)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_range_tests_of_floats_are_exact_at_the_bounds(dtype: str) -> None:
    kind = STORAGE[dtype]
    bounds = [s * 2.0**k for k in (7, 8, 15, 16, 31, 32, 63, 64) for s in (1, -1)]
    near = [f(kind.type(b), kind.type(t)) for b in bounds for t in (0, 1e30, -1e30)
            for f in (np.nextafter,)]  # fmt: skip
    inner = [b + d for b in bounds[:8] for d in (-1, -0.5, 0.5, 1)]
    with np.errstate(all="ignore"):
        x = np.array([*bounds, *near, *inner, *float_edges(kind.type)]).astype(kind)
    found = run([f"{name}(x[i])" for name in RANGE_TESTS], x, results=["b1"] * len(RANGE_TESTS))
    for target, values in zip(INTEGERS, found):
        info = np.iinfo(STORAGE[target])
        wanted = [not (np.isfinite(v) and info.min <= int(v) <= info.max) for v in x]
        np.testing.assert_array_equal(values, wanted, target)


def test_extremes_of_bools() -> None:
    x, y = pairs([False, True], np.bool_)
    names = ("maximum", "minimum", "fmax", "fmin")
    for name, values in zip(names, run([f"{name}(x[i], y[i])" for name in names], x, y)):
        np.testing.assert_array_equal(values, NUMPY[name](x, y), name)


def test_philox_words_are_the_published_ones() -> None:
    zero = np.zeros(1, np.uint64)
    calls = [f"philox_word(x[i], y[i], {lane})" for lane in range(4)]
    words = [int(w[0]) for w in run(calls, zero, zero, ["u32"] * 4)]
    # Known answers of the Random123 library for philox4x32-10: key and counter zero.
    assert words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_philox_words_are_those_of_the_definition() -> None:
    key, counter = np.random.default_rng(1).integers(0, 2**64, (2, 300), np.uint64)
    calls = [f"philox_word(x[i], y[i], {lane})" for lane in range(4)]
    found = run(calls, key, counter, ["u32"] * 4)
    wanted = np.array([philox_words(k, np.array([c]))[0] for k, c in zip(key, counter)])
    np.testing.assert_array_equal(np.stack(found, axis=1), wanted)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_plain_and_compiled_integer_functions_agree(dtype: str) -> None:
    edges = integer_edges(dtype)[:: 3 if "64" in dtype else 1]
    x, y = pairs(edges, STORAGE[dtype])
    calls = [f"{name}(x[i], y[i])" for name in (*NUMPY, "power_int")]
    calls += [f"{name}(x[i])" for name in NUMPY_OF_ONE]
    tests = ["bit_count(x[i])", *(f"{name}(x[i])" for name in RANGE_TESTS)]
    kinds = [*itertools.repeat(dtype, len(calls)), "u8", *itertools.repeat("b1", len(RANGE_TESTS))]
    calls += tests
    for call, plain, compiled in zip(calls, run_plain(calls, x, y, kinds), run(calls, x, y, kinds)):
        np.testing.assert_array_equal(compiled, plain, call)
