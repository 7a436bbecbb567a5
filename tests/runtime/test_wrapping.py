"""Integers that overflow wrap around, whatever is asked of them: LLVM must not think they cannot.

Arithmetic that LLVM may take never to overflow gives the right bits alone, and wrong answers to
what is asked of it in the same kernel: `x + 1 > x` is true of all numbers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from samples import TABLE, Case, cases, edge_cases, is_plain

import graphc as gc
from graphc.core import dtypes
from graphc.core.ir import Graph, Kind
from graphc.runtime.lower import lower
from graphc.runtime.objects import compiler

COMPUTING = (Kind.ELEMENTWISE, Kind.REDUCE, Kind.CONTRACT)
INTEGERS = [dtype.name for dtype in dtypes.ALL if dtype.is_integer]
ARITHMETIC: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lambda x, y: x + y, np.add),
    "subtract": (lambda x, y: x - y, np.subtract),
    "multiply": (lambda x, y: x * y, np.multiply),
    "negative": (lambda x, y: -x, lambda x, y: np.negative(x)),
    "absolute": (lambda x, y: gc.absolute(x), lambda x, y: np.absolute(x)),
    "square": (lambda x, y: gc.square(x), lambda x, y: np.square(x)),
    "polynomial": (lambda x, y: x * y + x - y, lambda x, y: x * y + x - y),
    "floor_divide": (lambda x, y: x // (y | 1), lambda x, y: x // (y | 1)),
    "remainder": (lambda x, y: x % (y | 1), lambda x, y: x % (y | 1)),
    "fmod": (lambda x, y: gc.fmod(x, y | 1), lambda x, y: np.fmod(x, y | 1)),
    "left_shift": (gc.left_shift, np.left_shift),
    "right_shift": (gc.right_shift, np.right_shift),
    "power": (lambda x, y: x ** (y & 7), lambda x, y: x ** (y & 7)),
    "gcd": (gc.gcd, np.gcd),
    "lcm": (gc.lcm, np.lcm),
}
ASKED: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "itself": lambda of, v, x, y: v,
    "larger": lambda of, v, x, y: v > x,
    "smaller": lambda of, v, x, y: v < y,
    "negative": lambda of, v, x, y: v < 0,
    "same": lambda of, v, x, y: v == x,
    "back": lambda of, v, x, y: (v - y) // 2,
    "maximum": lambda of, v, x, y: of.maximum(v, x),
    "sign": lambda of, v, x, y: of.sign(v),
    "bits": lambda of, v, x, y: of.bitwise_count(v),
    "float": lambda of, v, x, y: v.astype(of.float64),
}


def _pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    info = np.iinfo(dtype)
    ends = {int(info.min) + k for k in range(3)} | {int(info.max) - k for k in range(3)}
    halves = {int(info.max) // 2 + k for k in range(3)} | {int(info.min) // 2 - 1}
    small = {0, 1, 2, 3, 7, 8, 63, 64, -1, -2, -8}
    edges = sorted(v for v in ends | halves | small if info.min <= v <= info.max)
    x, y = zip(*itertools.product(edges, repeat=2), strict=True)
    return np.array(x, dtype), np.array(y, dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_what_is_asked_of_an_overflow_is_answered_of_the_wrapped_number(dtype: str) -> None:
    x, y = _pairs(dtype)
    n = gc.dim("n")
    a, b = gc.input("a", (n,), dtype), gc.input("b", (n,), dtype)
    names = list(itertools.product(ARITHMETIC, ASKED))
    outputs = [ASKED[ask](gc, ARITHMETIC[name][0](a, b), a, b) for name, ask in names]
    with np.errstate(all="ignore"):
        wanted = [ASKED[ask](np, ARITHMETIC[name][1](x, y), x, y) for name, ask in names]
    for case, value, right in zip(names, gc.compile([a, b], outputs)(x, y), wanted, strict=True):
        np.testing.assert_array_equal(value, right, str(case))


def _asked(of: Any, total: Any, product: Any, running: Any, dot: Any) -> list[Any]:
    found = [total, total + 1 > total, of.sign(product), product * 2 // 2]
    return [*found, dot * 3 > dot, of.maximum(running + 1, running)]


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_what_is_asked_of_wrapped_sums_and_products(dtype: str) -> None:
    given = _pairs(dtype)[0]
    x = gc.input("x", given.shape, dtype)
    own = _asked(gc, gc.sum(x), gc.prod(x | 1), gc.cumsum(x), x @ (x | 1))
    with np.errstate(all="ignore"):
        dot = (given * (given | 1)).sum()
        exact = _asked(np, given.sum(), (given | 1).prod(), given.cumsum(), dot)
    for found, right in zip(gc.compile([x], own)(given), exact, strict=True):
        np.testing.assert_array_equal(found, right)


def _taken_not_to_overflow(text: str) -> list[str]:
    """Instructions with `nsw` on what was loaded of a buffer, through all that is between."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("  %")]
    made = dict(line.split(" = ", 1) for line in lines if " = " in line)
    # Loads of a kernel's arguments, which are sizes, have no alias scope.
    tainted = {name for name, does in made.items() if "load" in does and "!alias.scope" in does}
    known = 0
    while len(tainted) > known:
        known = len(tainted)
        tainted |= {n for n, does in made.items() if tainted & set(re.findall(r"%[.\w]+", does))}
    return [f"{n} = {made[n]}" for n in tainted if " nsw " in made[n]]


def _whole(op: Any) -> list[Case]:
    """Cases of an op on int64 alone."""
    found = [*edge_cases(op), *cases(op)] if is_plain(op) else cases(op)
    return [c for c in found if c.arrays and all(a.dtype == np.int64 for a in c.arrays)][:1]


@pytest.mark.parametrize(
    "op",
    [op for op in TABLE if op.kind in COMPUTING and _whole(op)],
    ids=lambda op: op.name,
)
def test_no_arithmetic_of_elements_is_taken_not_to_overflow(op: Any) -> None:
    for case in _whole(op):
        nodes, _ = case.nodes()
        graph = Graph.of("one", nodes, [case.op(*nodes, **case.attrs)])
        for step in lower(graph):
            text = str(compiler._lower(step.kernel))
            assert "define" in text
            assert not _taken_not_to_overflow(text), step.kernel.source
