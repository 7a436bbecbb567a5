"""Loops that are one kernel, the carries its variables: which they are, and that they are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphcError

RNG = np.random.default_rng(5)
Step = Callable[[Any, Any], Any]

# Steps of a carry and a slice, both of three elements; the kernel has a variable for each element.
STEPS: dict[str, Step] = {
    "elementwise": lambda c, x: (gc.tanh(c * x) + x, gc.exp(-c * c)),
    "swaps and turns": lambda c, x: (gc.stack([c[2], c[0], c[1]]) + 0.0 * x, gc.flip(c, 0)),
    "parts in order": lambda c, x: (gc.concatenate([x[1:], c[:1]]), gc.concatenate([c, x])),
    "shifted": lambda c, x: (gc.pad(c[:2], ((1, 0),)) + x, gc.pad(x, ((2, 1),))),
    "sums": lambda c, x: (c * 0.5 + gc.sum(x * c), gc.sum(gc.outer(c, x), axis=0)),
    "greatest": lambda c, x: (gc.maximum(c, x) - gc.max(c), gc.argmax(c * x, axis=0)),
    "means and products": lambda c, x: (gc.mean(c) + x * 0.1, gc.prod(gc.sin(c + x))),
    "chosen": lambda c, x: (gc.where(x > 0, c + 1, c - x), gc.all(c > x)),
    "slices alone": lambda c, x: (x, c),
    "transposed": lambda c, x: (
        gc.sum(gc.outer(c, x).T - gc.outer(x, c), axis=1) + x, gc.reshape(gc.outer(c, x), (9,)),
    ),
    "branches": lambda c, x: gc.cond(
        x[0] > 0, lambda c: (c * x, gc.sum(c)), lambda c: (gc.flip(c, 0), x[1] - 1.0), c
    ),
    "branches in branches": lambda c, x: (
        gc.cond(
            x[0] > 0,
            lambda c: gc.cond(x[1] > 0, lambda c: c * 0.5, lambda c: c + x, c) * x[2],
            lambda c: c - gc.tanh(x),
            c,
        ),
        gc.tanh(x),
    ),
    "a loop inside": lambda c, x: (
        gc.scan(lambda d, _: ((d[1] * 0.5 + x, d[0]), None), (c, x), length=3)[0][1],
        gc.scan(lambda d, _: (gc.sin(d + c[0]), None), x[0], length=5)[0],
    ),
    "a loop inside a branch": lambda c, x: (
        gc.cond(x[0] > 0, lambda c: gc.scan(lambda d, _: (d * x, None), c, length=2)[0],
                lambda c: gc.scan(lambda d, _: (d + x, None), c, length=0)[0], c),
        c,
    ),
    "places": lambda c, x: (c * 0.5 + x[gc.argmax(c, axis=0)], x[gc.argmax(x, axis=0)]),
    "numbers": lambda c, x: (c * 0.0 + 2.5, gc.ones((2,))),
}  # fmt: skip


def _agree(inputs: list[Any], outputs: list[Any], arrays: list[Any], whole: bool = True) -> None:
    """A program is what the definition says; `whole`: no loop is left to the machine."""
    program = gc.compile(inputs, outputs)
    assert ("loop" not in program.kernels) == whole, list(program.kernels)
    wanted = gc.compile(inputs, outputs, target="reference", level="O0")(*arrays)
    for left, right in zip(program(*arrays), wanted, strict=True):
        assert left.dtype == right.dtype and left.shape == right.shape
        is_float = left.dtype.kind not in "biu"
        tolerance = (2e-3 if left.dtype.itemsize < 4 else 1e-5) if is_float else 0
        left, right = left.astype(np.float64), right.astype(np.float64)
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_a_scan_of_few_elements_is_one_kernel(name: str, reverse: bool) -> None:
    x, h = gc.input("x", (gc.dim("n"), 3)), gc.input("h", (3,))
    last, ys = gc.scan(STEPS[name], h, x, reverse=reverse)
    for length in (0, 1, 5):
        arrays = [RNG.standard_normal((length, 3)), RNG.standard_normal(3)]
        _agree([x, h], [last, ys], [a.astype(np.float32) for a in arrays])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint8", "int32"])
def test_carries_are_rounded_and_wrap_at_each_step(dtype: str) -> None:
    x, h = gc.input("x", (40,), dtype), gc.input("h", (), dtype)
    last, ys = gc.scan(lambda c, v: (c * v + v, (c, c > v)), h, x)
    numbers = RNG.integers(1, 4, 40) if "int" in dtype else RNG.uniform(0.5, 1.2, 40)
    _agree([x, h], [last, *ys], [gc.tensor(a).to(getattr(gc, dtype)).numpy() for a in (numbers, 3)])


def test_carries_that_change_places() -> None:
    x, h = gc.input("x", (7,)), gc.input("h", ())
    (a, b, c), ys = gc.scan(lambda s, v: ((s[1], s[2] + v, s[0]), s[1]), (h, h * 2.0, h * 3.0), x)
    _agree([x, h], [a, b, c, ys], [np.arange(7, dtype=np.float32), np.float32(1.5)])


def test_a_while_loop_of_numbers_is_one_kernel() -> None:
    """Booleans, integers and small arrays among its carries; its limit; a test false at once."""
    x, k = gc.input("x", ()), gc.input("k", (), "int64")
    n, v, on = gc.while_loop(
        lambda s: s[2] & (s[0] < k),
        lambda s: (s[0] + 1, s[1] * x + s[1][0], gc.max(s[1]) < 50.0),
        (0, gc.ones((2,)), True),
    )
    for most in (0, 4, 100):
        limited = gc.while_loop(lambda s: s < 100.0, lambda s: s * x + 1.0, x, max_steps=most)
        for start, count in ((1.5, 3), (1.5, 100), (1.1, 0)):
            _agree([x, k], [n, v, on, limited], [np.float32(start), np.int64(count)])


def test_operands_that_are_large_are_read_where_they_are() -> None:
    x, w, h = gc.input("x", (6, 40)), gc.input("w", (40,)), gc.input("h", ())
    last, ys = gc.scan(lambda c, v: (gc.tanh(c + gc.sum(v[:8] * w[32:])), v[3]), h, x)
    arrays = [RNG.standard_normal(s).astype(np.float32) for s in ((6, 40), (40,), ())]
    _agree([x, w, h], [last, ys], arrays)


@pytest.mark.parametrize("name", ["elements", "products", "places", "branches"])
def test_what_is_more_than_numbers_is_left_to_the_machine(name: str) -> None:
    x, h = gc.input("x", (4, 3)), gc.input("h", (3,))
    steps: dict[str, tuple[Any, Step]] = {
        "elements": (gc.pad(h, ((0, 400),)), lambda c, v: (c + gc.sum(v), None)),
        "products": (h, lambda c, v: (gc.tanh(c @ gc.outer(h, h)), None)),
        "places": (h, lambda c, v: (c * 0.5 + c[gc.argmax(v, axis=0)], None)),
        "branches": (h, lambda c, v: (gc.cond(v[0] > 0, gc.sort, lambda c: c, c), None)),
    }
    init, step = steps[name]
    arrays = [RNG.standard_normal(s).astype(np.float32) for s in ((4, 3), (3,))]
    _agree([x, h], [gc.scan(step, init, x)[0]], arrays, whole=False)


@pytest.mark.parametrize("loop", ["scan", "while_loop"])
@pytest.mark.parametrize("check", ["index", "division"])
def test_an_error_inside_ends_the_loop_and_names_the_line(loop: str, check: str) -> None:
    """A while loop that its own values would never end, too; then no state is written."""
    x, k = gc.input("x", (3,)), gc.input("k", (4,), "int64")
    w = gc.parameter("w", np.float32(7))

    def taken(c: Any, i: Any) -> Any:
        return c + (x[i] if check == "index" else (100 // i).astype("float32"))

    if loop == "scan":
        total = gc.scan(lambda c, i: (taken(c, i), None), 0.0, k)[0]
    else:
        body = lambda s: (s[0] * 0.0 + taken(s[1], k[s[2]]), s[1], (s[2] + 1) % 4)  # noqa: E731
        total = gc.while_loop(lambda s: s[0] < 1e9, body, (0.0, 0.0, 0))[0]
    program = gc.compile([k] if check == "division" else [x, k], total, updates={w: total})
    assert "loop" not in program.kernels
    arrays = [np.array([1, 2, 0 if check == "division" else 9, 1])]
    arrays = arrays if check == "division" else [np.ones(3, np.float32), *arrays]
    with pytest.raises(GraphcError) as caught:
        program(*arrays)
    assert f"{Path(__file__).name}:{taken.__code__.co_firstlineno + 1} in taken" in str(
        caught.value
    )
    assert w.value == 7
    if loop == "scan":
        good = [*arrays[:-1], np.array([1, 2, 2, 1])]
        assert program(*good) == w.value == (4 if check == "index" else 300)
