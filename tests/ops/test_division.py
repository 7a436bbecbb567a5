"""Divisions inside branches of loops that LLVM vectorises: the same in every lane or not.

A division that is the same in all lanes and guarded by a branch once gave lanes an address that
was never computed. So each way to divide stands here in a guarded load, at guards of each phase.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from kernels import SIGNATURE

import graphc as gc
from graphc.core import dtypes
from graphc.errors import DivisionError
from graphc.ops.source import FULL
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.language import language
from graphc.runtime.objects import loader

SOURCE = """def guarded(args, lo, hi):
    x = buffer(args, 0, i64)
    y = buffer(args, 1, i64)
    a = args[2]
    b = args[3]
    for p in range(lo, hi):
        for i in range(96):
            t = i64(0)
            if {guard}:
                t = x[{place}]
            y[p * 96 + i] = t
"""
GUARDS = ("remainder(i, 4) == 1", "i >= 3 and i < 90", "i >= a - 30", "remainder(i, a) == 2")
PLACES = (
    "quotient(p, a) + i", "remainder(p, a) + i", "quotient(p + i, a)", "remainder(p * i, a)",
    "floor_quotient(p - 50, a) + i + 8", "floor_remainder(p - 50, a) + i",
    "floor_remainder(i - 50, a)", "quotient(i, 4) + quotient(p, 7)", "floor_divide(b, a) + i",
    "floor_mod(b, a) + i", "floor_divide(b + i, a)", "gcd(b, a) + i", "lcm(b, a) + i",
)  # fmt: skip


def _run(kernel: Kernel, compiled: bool) -> np.ndarray:
    x, y = np.arange(1000, 2000), np.zeros(6 * 96, np.int64)
    args: list[Any] = [x, y, 7, 58]
    if not compiled:
        names = language.namespace()
        exec(kernel.source, names)
        names[kernel.name](args, 0, 6)
        return y
    (address,) = loader.load([kernel])
    words = np.array([x.ctypes.data, y.ctypes.data, 7, 58], np.int64)
    SIGNATURE(address)(ctypes.c_void_p(words.ctypes.data), 0, 6)
    return y


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_guarded_division_reads_the_right_place(guard: str, place: str) -> None:
    kernel = Kernel("guarded", SOURCE.format(guard=guard, place=place))
    np.testing.assert_array_equal(_run(kernel, True), _run(kernel, False))


@pytest.mark.parametrize("x", [0, 1, 6, 7, 48, 49, 2**31, 2**52 + 1, 2**53 - 1])
@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 10**9 + 7, 2**52 + 1, 2**53 - 1])
def test_division_by_a_size_is_exact(x: int, divisor: int) -> None:
    names = ("quotient", "remainder", "floor_quotient", "floor_remainder")
    signs = ("", "", "-", "-")
    body = "".join(
        f"    y[{k}] = {name}({sign}args[1], args[2])\n"
        for k, (name, sign) in enumerate(zip(names, signs))
    )
    source = f"def divisions(args, lo, hi):\n    y = buffer(args, 0, i64)\n{body}"
    (address,) = loader.load([Kernel("divisions", source)])
    y = np.zeros(4, np.int64)
    words = np.array([y.ctypes.data, x, divisor], np.int64)
    SIGNATURE(address)(ctypes.c_void_p(words.ctypes.data), 0, 1)
    assert y.tolist() == [x // divisor, x % divisor, -x // divisor, -x % divisor]


UFUNCS = {
    "remainder": np.remainder, "floor_divide": np.floor_divide, "fmod": np.fmod,
    "left_shift": np.left_shift, "right_shift": np.right_shift, "gcd": np.gcd, "lcm": np.lcm,
}  # fmt: skip


DIVISIONS = ("floor_divide", "remainder", "fmod")


def _many_constants(name: str, dtype: str) -> None:
    """One kernel with an op of x and each edge of the dtype, in both orders."""
    info = np.iinfo(dtype)
    near = (-100, -7, -3, -2, -1, 0, 1, 2, 3, 5, 7, 31, 32, 63, 64, 65, 100)
    edges = sorted({v for v in (*near, info.min, info.min + 1, info.max) if v >= info.min})
    if name in DIVISIONS:
        edges.remove(0)
    values = np.resize(np.array(edges, dtype), 200)
    x = gc.input("x", (200,), dtype)
    outputs, wanted = [], []
    for edge in edges:
        constant = FULL(value=edge, shape=(200,), dtype=dtypes.as_dtype(dtype))
        each = np.array(edge, dtype)
        outputs += [getattr(gc, name)(x, constant), getattr(gc, name)(constant, x)]
        with np.errstate(all="ignore"):
            wanted += [UFUNCS[name](values, each), UFUNCS[name](each, values)]
    for found, right in zip(gc.compile([x], outputs)(values), wanted, strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_many_divisions_by_constants_in_one_kernel_are_numpys(name: str) -> None:
    _many_constants(name, "int32")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("name", UFUNCS)
def test_integer_ops_of_constants_in_one_kernel_are_numpys(name: str, dtype: str) -> None:
    _many_constants(name, dtype)


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _raises(program: gc.Program, *arrays: np.ndarray) -> None:
    """Both the compiled program and its graph's meaning stop, and the message has this file."""
    with pytest.raises(DivisionError, match=r"an integer divided by 0\n  at test_division.py"):
        program(*arrays)
    with pytest.raises(ZeroDivisionError, match="an integer divided by 0"):
        gc.interpret(program.graph, *arrays)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_an_integer_divided_by_zero_is_an_error(dtype: str) -> None:
    x, y = gc.input("x", (3, 70), dtype), gc.input("y", (3, 70), dtype)
    row = gc.input("row", (70,), dtype)
    a, b = np.full((3, 70), 7, dtype), np.full((3, 70), 3, dtype)
    zero = b.copy()
    zero[1, 69] = 0
    divisions = [getattr(gc, name) for name in DIVISIONS]
    program = gc.compile([x, y], [f(x + 1, y) * 2 for f in divisions])
    for got, name in zip(program(a, b), DIVISIONS, strict=True):
        np.testing.assert_array_equal(got, UFUNCS[name](a + 1, b) * np.array(2, dtype))
    _raises(program, a, zero)
    np.testing.assert_array_equal(program(a, b)[0], (a + 1) // b * np.array(2, dtype))
    _raises(gc.compile([x, y], gc.sum(x // y, 1)), a, zero)
    _raises(gc.compile([x, y], gc.sum(x % y, 0)), a, zero)
    _raises(gc.compile([x, row], x % row), a, zero[1])
    _raises(gc.compile([x], gc.fmod(gc.full((3, 70), 5, dtype), x)), zero)
    _raises(gc.compile([x, y], gc.where(y == 0, x, x // y)), a, zero)


@pytest.mark.parametrize("name", DIVISIONS)
def test_eager_and_compiled_functions_refuse_alike(name: str) -> None:
    x, y = gc.tensor([4, -5]), gc.tensor([2, 0])
    for function in (getattr(gc, name), gc.jit.compile(lambda a, b: getattr(gc, name)(a, b))):
        with pytest.raises(RuntimeError, match="an integer divided by 0"):
            function(x, y)
        assert function(x, y + 3).dtype is gc.int64


def test_a_branch_not_taken_divides_nothing() -> None:
    def guarded(x, y):
        return gc.cond((y != 0).all(), lambda: x // y, lambda: x)

    compiled = gc.jit.compile(guarded)
    for function in (guarded, compiled):
        assert function(gc.tensor([4, 5]), gc.tensor([2, 0])).tolist() == [4, 5]
        assert function(gc.tensor([4, 5]), gc.tensor([2, 5])).tolist() == [2, 1]


def test_a_loop_stops_where_it_divides_by_zero() -> None:
    def step(state):
        i, total = state
        return i - 1, total + 12 // i

    countdown = gc.jit.compile(lambda x: gc.while_loop(lambda s: s[0] >= 0, step, (x, x * 0)))
    with pytest.raises(DivisionError, match="an integer divided by 0"):
        countdown(gc.tensor(3))


@pytest.mark.parametrize("dtype", INTEGERS[:4])
def test_the_least_integer_divided_by_minus_one_wraps(dtype: str) -> None:
    x, y = gc.input("x", (40,), dtype), gc.input("y", (40,), dtype)
    least = np.full(40, np.iinfo(dtype).min, dtype)
    found = gc.compile([x, y], [x // y, x % y, gc.fmod(x, y)])(least, np.full(40, -1, dtype))
    for got, expected in zip(found, (least, least * 0, least * 0), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_divisors_known_not_to_be_zero_are_not_tested() -> None:
    n = gc.dim("n", min=1)
    x = gc.input("x", (n,), gc.int64)
    for y, wanted in ((x // 3, False), (x % gc.size(n), False), (x // x, True)):
        program = gc.compile([x], y)
        assert ("failed" in "".join(program.kernels.values())) is wanted
