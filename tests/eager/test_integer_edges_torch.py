"""Integers and bools at the ends of their ranges beside PyTorch: eager, compiled at every level.

Every function of the tables on every pair of extremes, of each dtype. PyTorch's process dies where
a least integer is divided by -1, and its `gcd` of a least integer is negative: those are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Function = Callable[..., Any]
DTYPES = ("int8", "int16", "int32", "int64", "uint8", "bool")
LEVELS = ("O0", "O1", "O2", "O3")


def _of(names: str) -> dict[str, Function]:
    return {name: (lambda lib, *x, n=name: getattr(lib, n)(*x)) for name in names.split()}


UNARY: dict[str, Function] = {
    **_of(
        "sign square logical_not exp exp2 expm1 sqrt rsqrt reciprocal isnan isfinite isinf sigmoid "
        "tanh log log1p log2 log10 sin cos tan asin atan sinh asinh erf signbit deg2rad sum prod "
        "any all count_nonzero argsort amax amin"
    ),
    **{f"+{c}": (lambda lib, x, c=c: x + c) for c in (100, 1.5, True)},
    **{f"*{c}": (lambda lib, x, c=c: x * c) for c in (100, 0.5, True)},
    **{f"**{c}": (lambda lib, x, c=c: x**c) for c in (0, 2, 3, 7, 0.5, 2.0)},
    **{f">{c}": (lambda lib, x, c=c: x > c) for c in (1, 1.5, 100)},
    **{f"to {name}": (lambda lib, x, n=name: x.to(getattr(lib, n)))
       for name in (*DTYPES, "float16", "float32", "float64")},
    "/3": lambda lib, x: x / 3,
    "float_power(2)": lambda lib, x: lib.float_power(x, 2),
    "clamp": lambda lib, x: lib.clamp(x, 0, 3),
    "clamp(2.5)": lambda lib, x: lib.clamp(x, min=2.5),
    "where": lambda lib, x: lib.where(x > 1, x, lib.zeros_like(x)),
    "where(1.5)": lambda lib, x: lib.where(x > 1, x, 1.5),
    "cumsum": lambda lib, x: x.cumsum(0),
    "cumsum of int32": lambda lib, x: x.cumsum(0, dtype=lib.int32),
    "cumprod": lambda lib, x: x.cumprod(0),
    "sum of int8": lambda lib, x: x.sum(dtype=lib.int8),
    "prod of int32": lambda lib, x: x.prod(dtype=lib.int32),
    "sort": lambda lib, x: x.sort(descending=True)[0],
    "unique": lambda lib, x: lib.unique(x),
    "sum of none": lambda lib, x: x[:0].sum(),
    "prod of none": lambda lib, x: x[:0].prod(),
    "logsumexp": lambda lib, x: lib.logsumexp(x, 0),
}  # fmt: skip
NUMBERS: dict[str, Function] = {  # what has no meaning for bools
    **_of("abs neg bitwise_not ceil floor round trunc positive argmax argmin median"),
    "-100": lambda lib, x: x - 100,
    "-": lambda lib, x: 100 - x,
    "//3": lambda lib, x: x // 3,
    "%3": lambda lib, x: x % 3,
    "fmod(3)": lambda lib, x: lib.fmod(x, 3),
    "//2.5": lambda lib, x: x // 2.5,
    "%2.5": lambda lib, x: x % 2.5,
    "div(3) toward 0": lambda lib, x: lib.div(x, 3, rounding_mode="trunc"),
    **{f"<<{c}": (lambda lib, x, c=c: x << c) for c in (1, 7, 33, 64)},
    **{f">>{c}": (lambda lib, x, c=c: x >> c) for c in (1, 7, 33, 64)},
    "&5": lambda lib, x: x & 5,
    "add(alpha)": lambda lib, x: lib.add(x, x, alpha=3),
    "addcmul": lambda lib, x: lib.addcmul(x, x, x, value=2),
    "products": lambda lib, x: x[None] @ x[:, None],
    "topk": lambda lib, x: lib.topk(x, 2)[0],
}
BINARY = _of(
    "add mul div bitwise_and bitwise_or bitwise_xor maximum minimum fmax fmin eq ne lt le gt ge "
    "logical_and logical_or logical_xor atan2 copysign heaviside float_power"
)
DIVIDING = {
    **_of("floor_divide remainder fmod"),
    "toward 0": lambda lib, x, y: lib.div(x, y, rounding_mode="trunc"),
}
NATURAL = _of("pow bitwise_left_shift bitwise_right_shift")


def _extremes(dtype: str) -> list[int]:
    if dtype == "bool":
        return [False, True]
    info = np.iinfo(dtype)
    ends = (info.min, info.min + 1, info.max - 1, info.max)
    return sorted(
        {*ends, 0, 1, 2, 3, 7, 8, 31, 63, 64, 100} | ({-1, -2, -7} if info.min else set())
    )


def _cases(dtype: str) -> Iterator[tuple[dict[str, Function], list[np.ndarray]]]:
    values = _extremes(dtype)
    yield UNARY | (NUMBERS if dtype != "bool" else {}), [np.array(values, dtype)]
    pairs = list(itertools.product(values, values))
    yield BINARY, [np.array(column, dtype) for column in zip(*pairs)]
    if dtype == "bool":
        return
    least = np.iinfo(dtype).min
    divided = [(x, y) for x, y in pairs if y and not (x == least and y == -1)]
    yield DIVIDING, [np.array(column, dtype) for column in zip(*divided)]
    natural = [(x, y) for x, y in pairs if y >= 0]
    yield NATURAL, [np.array(column, dtype) for column in zip(*natural)]


def _difference(name: str, ours: np.ndarray, theirs: np.ndarray, operands: list[Any]) -> str:
    if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
        return f"{name}: {ours.dtype}{ours.shape}, PyTorch {theirs.dtype}{theirs.shape}"
    if ours.dtype.kind == "f":
        near = {2: 2e-3, 4: 1e-5, 8: 1e-10}[ours.itemsize]
        agree = np.isclose(ours, theirs, rtol=near, atol=near, equal_nan=True)
    else:
        agree = ours == theirs
    if agree.all():
        return ""
    at = tuple(np.argwhere(~agree)[0])
    given = [a[at] for a in operands if a.shape == ours.shape]
    return f"{name} of {given}: {ours[at]}, PyTorch {theirs[at]}"


def _numpy(value: Any) -> np.ndarray:
    return np.asarray(value.detach().numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_at_edges_are_pytorchs(dtype: str) -> None:
    bad = []
    for functions, operands in _cases(dtype):
        for name, f in functions.items():
            ours = _numpy(f(gc, *(gc.tensor(a) for a in operands)))
            theirs = _numpy(f(torch, *(torch.tensor(a) for a in operands)))
            bad.append(_difference(name, ours, theirs, operands))
    assert not any(bad), "\n".join(filter(None, bad))


@pytest.mark.parametrize(("level", "dtype"), [
    ("O2", "int32"),
    *(pytest.param(level, dtype, marks=pytest.mark.slow)
      for level in LEVELS for dtype in DTYPES if (level, dtype) != ("O2", "int32")),
])  # fmt: skip
def test_compiled_integers_at_edges_are_pytorchs(dtype: str, level: str) -> None:
    bad = []
    for functions, operands in _cases(dtype):
        functions = {k: f for k, f in functions.items() if k != "unique"}  # its size is a value

        @gc.jit.compile(level=level)
        def run(*tensors: Any, functions: Any = functions) -> Any:
            return {name: f(gc, *tensors) for name, f in functions.items()}

        for name, ours in run(*(gc.tensor(a) for a in operands)).items():
            theirs = _numpy(functions[name](torch, *(torch.tensor(a) for a in operands)))
            bad.append(_difference(name, _numpy(ours), theirs, operands))
    assert not any(bad), "\n".join(filter(None, bad))


def test_a_float_power_does_not_pass_through_float32() -> None:
    x, y = np.array([2**31 - 1, -128], np.int32), np.array([2, 2**31 - 1], np.int32)
    i, j = gc.input("i", (2,), gc.int32), gc.input("j", (2,), gc.int32)
    (found,) = gc.compile([i, j], [gc.float_power(i, j)])(x, y)
    np.testing.assert_array_equal(found, np.float_power(x.astype("f8"), y.astype("f8")))
