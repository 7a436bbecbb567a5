"""Products of bytes against NumPy: every pair of signs, every way of adding, any strides."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from plans import run_plan

import graphc as gc
from graphc.core import dims
from graphc.runtime.base.lanes import byte_dot
from graphc.runtime.contract.integer_kernel import lower_matmul_integer
from graphc.runtime.contract.matmul_kernel import MatmulSpec

DTYPES = {"i8": np.int8, "u8": np.uint8}
PAIRS = list(itertools.product(DTYPES, repeat=2))
# Without the CPU's own dot product of bytes; what it has of these is a sum of pairs.
WAYS = [
    byte_dot(),
    *(
        pytest.param(way, marks=pytest.mark.slow)
        for way in ("pairs", "plain")
        if way != byte_dot() and byte_dot() != "plain"
    ),
]


def _random(seed: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = DTYPES[dtype]
    info = np.iinfo(kind)
    found = np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(kind)
    found[..., :1] = info.min  # rows that begin with the extremes
    found[..., -1:] = info.max
    return found


def _strides(x: np.ndarray) -> tuple[int, ...]:
    return tuple(s // x.itemsize for s in x.strides)


def _wanted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.matmul(x.astype(np.int64), y.astype(np.int64)).astype(np.int32)


def _product(
    x: np.ndarray, y: np.ndarray, is_plain: bool = False, how: str = "", **run: Any
) -> Any:
    """`x @ y`; each is a view of its own memory from the first element on."""
    left, right = (next(s for s, d in DTYPES.items() if d == v.dtype) for v in (x, y))
    (*batch, m, k), n = x.shape, y.shape[-1]
    out = np.full((*batch, m, n), 77, np.int32)
    spec = MatmulSpec(left, tuple(batch), m, n, k, _strides(x), _strides(y))
    memory = [v if v.base is None else v.base for v in (x, y)]
    plan = lower_matmul_integer(spec, right, is_plain, how)
    run_plan(plan, {"x": memory[0], "y": memory[1], "out": out}, **run)
    return out


SIZES = [(1, 1, 1), (1, 70, 100), (3, 5, 7), (8, 64, 48), (9, 513, 49), (13, 1030, 33), (4, 0, 3)]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_product_of_any_size_and_signs(left: str, right: str, how: str) -> None:
    for m, k, n in SIZES:
        x, y = _random(m, left, (m, k)), _random(n, right, (k, n))
        np.testing.assert_array_equal(_product(x, y, how=how), _wanted(x, y), f"{(m, k, n)}")


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_sums_of_extremes_do_not_saturate_and_wrap(left: str, right: str) -> None:
    for first, second in itertools.product(("min", "max"), repeat=2):
        x = np.full((2, 40_000), getattr(np.iinfo(DTYPES[left]), first), DTYPES[left])
        y = np.full((40_000, 3), getattr(np.iinfo(DTYPES[right]), second), DTYPES[right])
        np.testing.assert_array_equal(_product(x, y), _wanted(x, y))


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_transposed_operands_and_batches(left: str, right: str) -> None:
    x = _random(1, left, (3, 21, 10)).transpose(0, 2, 1)
    y = _random(2, right, (3, 50, 21)).transpose(0, 2, 1)
    np.testing.assert_array_equal(_product(x, y), _wanted(x, y))
    one = np.broadcast_to(_random(3, left, (10, 21)), (3, 10, 21))
    np.testing.assert_array_equal(_product(one, y), _wanted(one, y))


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_loops_and_un_jitted_source_give_the_same(left: str, right: str, how: str) -> None:
    x, y = _random(1, left, (5, 11)), _random(2, right, (11, 50))
    for view in (y, y.T.copy().T):
        np.testing.assert_array_equal(_product(x, view, how=how, jit=False), _wanted(x, y))
    np.testing.assert_array_equal(_product(x, y, is_plain=True), _wanted(x, y))


def test_any_split_of_the_range_gives_the_same() -> None:
    x, y = _random(1, "u8", (300, 40)), _random(2, "u8", (40, 100))
    for slices in (2, 7):
        np.testing.assert_array_equal(_product(x, y, slices=slices), _wanted(x, y))


def test_one_kernel_serves_every_size() -> None:
    b, m, k = (dims.dim(name) for name in "bmk")
    plan = lower_matmul_integer(MatmulSpec("u8", (b,), m, 20, k), "i8")
    for values in ((3, 5, 7), (1, 200, 300), (1, 2, 9000), (0, 5, 5), (2, 1, 0)):
        sizes = dict(zip("bmk", values))
        x = _random(8, "u8", (sizes["b"], sizes["m"], sizes["k"]))
        y = _random(9, "i8", (sizes["b"], sizes["k"], 20))
        out = np.full((sizes["b"], sizes["m"], 20), 9, np.int32)
        run_plan(plan, {"x": x, "y": y, "out": out}, sizes)
        np.testing.assert_array_equal(out, _wanted(x, y))


def _computed(x: np.ndarray, y: Any, *zeros: Any) -> np.ndarray:
    rows = gc.input("x", x.shape, x.dtype)
    return gc.compile([rows], gc.matmul_integer(rows, y, *zeros), target="reference")(x)


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_zero_points_are_taken_off(left: str, right: str) -> None:
    x, y = _random(3, left, (6, 9)), _random(4, right, (9, 5))
    rows, columns = np.arange(6, dtype=x.dtype)[:, None] * 20, np.arange(5, dtype=y.dtype) * 25
    for a, b in ((7, None), (None, 3), (5, 3), (rows, columns)):
        zeros = [gc.constant(v) if isinstance(v, np.ndarray) else v for v in (a, b)]
        less = [0 if v is None else np.asarray(v, np.int64) for v in (a, b)]
        wanted = (x - less[0]) @ (y - less[1])
        for weight in (gc.constant(y), gc.parameter("y", y)):
            np.testing.assert_array_equal(_computed(x, weight, *zeros), wanted)


def test_other_dtypes_and_sizes_are_errors() -> None:
    x = gc.input("x", (3, 4), "uint8")
    with pytest.raises(gc.errors.DTypeError, match="int8 or uint8"):
        gc.matmul_integer(x, gc.input("y", (4, 2), "int16"))
    with pytest.raises(gc.errors.ShapeError, match="inner sizes differ, 4 and 5"):
        gc.matmul_integer(x, gc.input("y", (5, 2), "int8"))
    with pytest.raises(gc.errors.ShapeError, match="does not fit the padded image"):
        gc.conv_integer(gc.input("i", (1, 1, 2), "int8"), gc.input("w", (1, 1, 3), "int8"))


# shape of the image, of the weight; stride, padding, dilation, groups
CONVOLUTIONS = [
    ((2, 4, 9, 10), (6, 4, 3, 3), 1, 1, 1, 1),
    ((1, 8, 9, 10), (8, 1, 3, 3), (2, 1), (1, 0), (1, 2), 8),
    ((1, 8, 9), (12, 4, 2), 1, 1, 1, 2),
    ((1, 4, 5, 5), (8, 1, 3, 2), 1, 1, 1, 4),
    ((3, 5, 6, 6), (4, 5, 1, 1), 1, 0, 1, 1),
    ((1, 2, 4, 5, 6), (3, 2, 2, 2, 3), (1, 2, 1), 0, 1, 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution_is_that_of_wide_integers(case: Any) -> None:
    _check_convolution(case, "reference")


@pytest.mark.slow
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_compiled_convolution_is_that_of_wide_integers(case: Any) -> None:
    _check_convolution(case, "cpu")


def _check_convolution(case: Any, target: str) -> None:
    shape, kernel, *rest = case
    how: Any = rest
    for k, (left, right) in enumerate(PAIRS):
        image, weight = _random(1, left, shape), _random(2, right, kernel)
        own = np.arange(kernel[0], dtype=weight.dtype)
        zeros = [(None, None), (7, 3), (image.dtype.type(9), own), (5, None)][k]
        sizes = (gc.dim("n"), shape[1], *(gc.dim(c) for c in "dhw"[: len(shape) - 2]))
        x = gc.input("x", sizes, image.dtype)
        given: Any = [
            gc.constant(z) if isinstance(z, np.ndarray | np.generic) else z for z in zeros
        ]
        found = gc.compile(
            [x], gc.conv_integer(x, gc.constant(weight), *given, *how), target=target
        )(image)
        less = np.reshape(own, (-1, *[1] * (len(kernel) - 1))) if k == 2 else zeros[1] or 0
        wide: Any = [image.astype(np.int64) - int(zeros[0] or 0), weight.astype(np.int64) - less]
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, _convolved(*wide, *how))


def _convolved(
    x: np.ndarray, w: np.ndarray, stride: Any, padding: Any, dilation: Any, g: int
) -> Any:
    """A convolution by NumPy's windows."""
    rank = x.ndim - 2
    stride, padding, dilation = (
        (v,) * rank if isinstance(v, int) else v for v in (stride, padding, dilation)
    )
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    spans = tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation))
    view = np.lib.stride_tricks.sliding_window_view(x, spans, tuple(range(2, x.ndim)))
    view = view[(slice(None), slice(None), *(slice(None, None, s) for s in stride),
                 *(slice(None, None, d) for d in dilation))]  # fmt: skip
    n, c, *rest = view.shape
    out, kernel = rest[:rank], rest[rank:]
    left = view.reshape(n, g, c // g, int(np.prod(out)), int(np.prod(kernel)))
    right = w.reshape(g, w.shape[0] // g, c // g, -1)
    return np.einsum("ngcpk,gock->ngop", left, right).reshape(n, w.shape[0], *out)
