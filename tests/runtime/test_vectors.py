"""Loops over elements as loops over vectors: what is rewritten, and that it computes the same."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from mathematics import SIGNATURE, STORAGE, float_edges, kernel, run

import graphc as gc
from graphc.runtime.objects import loader, vector_loop
from graphc.runtime.objects.vectors import vectorised

ROWS = """def kernel(args, lo, hi):
    p0 = buffer(args, 0, f32)
    q0 = buffer(args, 1, i32)
    r0 = buffer(args, 2, f32)
    t0 = local(1000, f32)
    for i0 in range(lo, hi):
        v0 = f32(0)
        last = f32(0)
        for i1 in range(1000):
            {body}
            v0 = add_any_order(v0, v1)
        r0[i0] = v0
"""


@pytest.mark.parametrize(
    ("body", "is_rewritten"),
    [
        ("v1 = p0[i0 * 1000 + i1]", True),
        ("v1 = exp(p0[i1 + i0 * 1000] - p0[i0])", True),
        ("v1 = p0[i1 * 1000 + i0]", False),
        ("v1 = p0[1000 - i1]", False),
        ("v1 = f32(i1)", False),
        ("v1 = f32(q0[i1])", False),
        ("v1 = select(i1 < 3, f32(1.0), p0[i1])", False),
        ("v1 = v0 * p0[i1]", False),
        ("t0[i1] = p0[i1]; v1 = t0[i1]", True),
        ("t0[i1] = p0[i1]; v1 = t0[i1 + 1]", False),
        ("v1 = sin(p0[i1])", False),
        ("v1 = last + p0[i1]; last = p0[i1]", False),
        ("v1 = select((p0[i1] > p0[0]) == (p0[i1] > p0[1]), p0[i1], p0[0])", True),
        ("v1 = select((p0[i1] > p0[0]) < (p0[i1] > p0[1]), p0[i1], p0[0])", False),
        ("v1 = select(maximum(p0[i1] > p0[0], p0[i1] > p0[1]), p0[i1], p0[0])", False),
        ("v1 = select((p0[i1] > p0[0]) * (p0[i1] > p0[1]), p0[i1], p0[0])", False),
        ("v1 = p0[i1] ** p0[0]", False),
    ],
)
def test_loops_over_consecutive_elements_become_loops_over_vectors(
    body: str, is_rewritten: bool
) -> None:
    source = ROWS.format(body=body.replace("; ", "\n            "))
    text = ast.unparse(vectorised(ast.parse(source)))
    assert ("load_lanes" in text) is is_rewritten
    assert is_rewritten or text == ast.unparse(ast.parse(source))


SIZES = (1, 63, 64, 65, 128, 200, 777, 1000)
FORMS = {
    "softmax": lambda x: gc.softmax(x, axis=-1),
    "log_softmax": lambda x: gc.log_softmax(x, axis=-1),
    "mean of tanh": lambda x: gc.mean(gc.tanh(x), axis=-1),
    "greatest and least": lambda x: gc.max(x, axis=-1) - gc.min(x, axis=-1),
    "product": lambda x: gc.prod(1 + x * 0.01, axis=-1),
    "normed": lambda x: (x - gc.mean(x, axis=-1, keepdims=True)) / gc.sqrt(
        gc.var(x, axis=-1, keepdims=True) + 1e-5),
    "softplus and clamp": lambda x: gc.sum(gc.softplus(gc.clip(x, -1.0, 1.5)), axis=-1),
    "where": lambda x: gc.sum(gc.where(x > 0, gc.exp(-x), gc.log1p(-x)), axis=-1),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_every_length_are_what_the_interpreter_gives(form: str, dtype: str) -> None:
    n = gc.dim("n", min=1)
    x = gc.input("x", (3, n), dtype)
    symbolic = gc.compile([x], [FORMS[form](x), *_slopes(FORMS[form](x), x)])
    for size in SIZES:
        array = np.random.default_rng(size).standard_normal((3, size)).astype(dtype)
        fixed = gc.input("x", (3, size), dtype)
        outputs = [FORMS[form](fixed), *_slopes(FORMS[form](fixed), fixed)]
        wanted = gc.interpret(gc.Graph.of("rows", [fixed], outputs), array)
        for found in (symbolic(array), gc.compile([fixed], outputs)(array)):
            for one, two in zip(found, wanted, strict=True):
                eps = 64 * float(np.finfo(dtype).eps)
                np.testing.assert_allclose(one, two, rtol=eps, atol=eps)


def _slopes(value: gc.Node, x: gc.Node) -> list[gc.Node]:
    return [gc.grad(gc.sum(gc.tanh(value + 0.3)), x)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 63, 64, 99])
def test_what_is_not_finite_is_found_in_every_lane(bad: float, place: int) -> None:
    array = np.zeros((2, 100), np.float32)
    array[1, place] = bad
    x = gc.input("x", (2, 100), gc.float32)
    outputs = [gc.max(x, axis=-1), gc.min(x, axis=-1), gc.softmax(x, axis=-1), gc.sum(x, axis=-1)]
    wanted = gc.interpret(gc.Graph.of("rows", [x], outputs), array)
    for one, two in zip(gc.compile([x], outputs)(array), wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


TWO = ("logaddexp", "maximum", "minimum", "fmax", "fmin", "copysign", "lost", "add_any_order",
       "multiply_any_order")  # fmt: skip
# Those that say nothing of nan are tested in `max` and `min`.
ONE_STEP = {*vector_loop.FLOATS, *vector_loop.ACCUMULATING} - {"larger_number", "smaller_number"}
CALLS = [
    *(f"{f}(x[i], y[i])" if f in TWO else f"{f}(x[i])" for f in sorted(ONE_STEP)),
    *(f"select({t}(x[i]), y[i], x[i])" for t in vector_loop.TESTS),
    *(f"select(x[i] {c} y[i], x[i], y[i])" for c in ("<", "<=", ">", ">=", "==", "!=")),
    *(f"select((x[i] < y[i]) {o} (y[i] == x[0]), x[i], y[0])" for o in "&|^"),
    *(f"x[i] {o} y[i]" for o in "+-*/"), "-x[i]", "x[i] + x[0]",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_what_stands_in_loops_over_vectors_has_the_bits_of_scalars(dtype: str) -> None:
    made = ast.unparse(vectorised(ast.parse(kernel(CALLS, dtype, in_rows=True).source)))
    assert made.count("store_lanes(") == len(CALLS) - len(vector_loop.OF_LIBRARY[dtype])
    values = float_edges(np.float32 if dtype == "f32" else np.float64)
    for count in (0, 1, 31, 32, 33, 63, 64, 65, 97, 300):
        x = np.resize(np.array(values, STORAGE[dtype]), count + 1)
        y = np.roll(np.repeat(x, 3)[: count + 1], 5)
        wanted, found = (run(CALLS, x, y, in_rows=in_rows) for in_rows in (False, True))
        for call, one, two in zip(CALLS, wanted, found, strict=True):
            bits = one.view(np.uint8) == two.view(np.uint8)
            same = bits.reshape(count + 1, -1).all(axis=1) | (np.isnan(one) & np.isnan(two))
            assert same.all(), (call, count, x[~same], y[~same], one[~same], two[~same])


@pytest.mark.parametrize("bounds", [(5, 5), (5, 3), (80, 3), (200, 0)])
def test_a_loop_that_ends_before_it_begins_writes_nothing(bounds: tuple[int, int]) -> None:
    x, y = np.ones(200, np.float32), np.zeros(200, np.float32)
    (address,) = loader.load([kernel(["exp(x[i])"], "f32", in_rows=True)])
    memory = np.array([x.ctypes.data, x.ctypes.data, y.ctypes.data], np.int64)
    SIGNATURE(address)(memory.ctypes.data, *bounds)
    assert not y.any()
