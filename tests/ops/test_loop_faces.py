"""Branches and loops on every face: the same values, gradients and errors, symbolic, eager, traced
and interpreted, against Python's own loops over NumPy arrays and their finite differences."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.trees import flatten
from graphc.errors import GraphcError

RNG = np.random.default_rng(3)
Run = Callable[..., Any]


def _scan(
    f: Run, init: Any, xs: Any = None, length: Any = None, reverse: bool = False, unroll: Any = 1
) -> Any:
    leaves, form = flatten(xs)
    steps = len(leaves[0]) if leaves else length
    carry, ys = init, []
    for k in reversed(range(steps)) if reverse else range(steps):
        carry, y = f(carry, form.restore([x[k] for x in leaves]))
        ys.append(y)
    ys = ys[::-1] if reverse else ys
    if not ys:  # what a step would give says the shapes
        y = f(init, form.restore([np.zeros(x.shape[1:]) for x in leaves]))[1]
        return init, _tree_map(lambda v: np.zeros((0, *np.shape(v))), y)
    forms = flatten(ys[0])[1]
    return carry, forms.restore([np.stack(c) for c in zip(*(flatten(y)[0] for y in ys))])


def _tree_map(f: Run, value: Any) -> Any:
    leaves, tree = flatten(value)
    return tree.restore([f(leaf) for leaf in leaves])


def _while_loop(cond_fn: Run, body_fn: Run, init: Any, max_steps: int | None = None) -> Any:
    steps = 0
    while (max_steps is None or steps < max_steps) and cond_fn(init):
        init, steps = body_fn(init), steps + 1
    return init


PYTHON = SimpleNamespace(
    scan=_scan,
    while_loop=_while_loop,
    cond=lambda pred, true, false, *args: (true if pred else false)(*args),
    map=lambda f, xs: _scan(lambda c, x: (c, f(x)), None, xs)[1],
    tanh=np.tanh, sum=np.sum, sin=np.sin, where=np.where,
)  # fmt: skip


def _inner(m: Any, c: Any, x: Any) -> Any:
    return m.scan(lambda c, v: (m.tanh(c + v), None), c, x)[0]


# Programs of x f64[4, 3], h f64[3] and s f64[]; `m` is graphc, or Python's own loops.
PROGRAMS: dict[str, Run] = {
    "scan": lambda m, x, h, s: m.scan(lambda c, v: (m.tanh(c * s + v), (c, m.sum(v))), h, x),
    "scan, reverse": lambda m, x, h, s: m.scan(
        lambda c, v: (m.tanh(c * s + v), c), h, x, reverse=True
    ),
    "scan of one step": lambda m, x, h, s: m.scan(lambda c, v: (c * v, c + s), h, x[:1]),
    "scan of no steps": lambda m, x, h, s: m.scan(
        lambda c, v: (c * v, {"a": c + s, "b": m.sum(v)}), h, x[:0]
    ),
    "scan of a dict": lambda m, x, h, s: m.scan(
        lambda c, v: ({"h": c["h"] * c["k"] + v["a"], "k": c["k"]}, v["b"] * c["h"]),
        {"k": s, "h": h}, {"a": x, "b": x * 2.0},
    ),
    "scan without carry": lambda m, x, h, s: m.scan(lambda c, v: (None, m.sin(v) * s), None, x),
    "scan without slices": lambda m, x, h, s: m.scan(lambda c, _: (c * s, c), h, length=3),
    "scan without results": lambda m, x, h, s: m.scan(lambda c, v: (c * v, None), h, x),
    "scan from a number": lambda m, x, h, s: m.scan(
        lambda c, v: (c + m.sum(v) * s, c), 0.0, x
    ),
    "scan with a counter": lambda m, x, h, s: m.scan(
        lambda c, v: ((c[0] + 1, c[1] + v * c[0]), c[0]), (0, h), x
    ),
    "scan from an array": lambda m, x, h, s: m.scan(
        lambda c, v: (c + v * s, m.sum(c)), np.arange(3.0), x
    ),
    "scan over an array": lambda m, x, h, s: m.scan(
        lambda c, v: (c * v["w"] + v["x"], c), h, {"x": x, "w": np.arange(4.0)}
    ),
    "scan, two in a row": lambda m, x, h, s: m.scan(
        lambda c, v: (m.tanh(c * s + v), c), h, x, unroll=2
    ),
    "scan, three in a row, reverse": lambda m, x, h, s: m.scan(
        lambda c, v: (m.tanh(c * s + v), c), h, x, reverse=True, unroll=3
    ),
    "scan, all in a row": lambda m, x, h, s: m.scan(
        lambda c, v: (m.tanh(c * s + v), c), h, x, unroll=True
    ),
    "scan in a scan": lambda m, x, h, s: m.scan(
        lambda c, v: (_inner(m, c * s, v), c), s, x
    ),
    "map": lambda m, x, h, s: m.map(lambda v: m.sum(v * h), x),
    "map of a dict": lambda m, x, h, s: m.map(
        lambda v: (v["a"] * v["b"], [v["a"]]), {"a": x, "b": x}
    ),
    "map of no rows": lambda m, x, h, s: m.map(lambda v: m.sum(v) * s, x[:0]),
    "while_loop": lambda m, x, h, s: m.while_loop(
        lambda v: m.sum(v) < 40.0, lambda v: v * 1.5 + s, h * h, max_steps=9
    ),
    "while_loop, a limit": lambda m, x, h, s: m.while_loop(
        lambda v: m.sum(v) < 1e9, lambda v: v * 1.5 + s, h * h, max_steps=2
    ),
    "while_loop of no steps": lambda m, x, h, s: m.while_loop(
        lambda v: m.sum(v) < -1.0, lambda v: v * 1.5, h * h, max_steps=3
    ),
    "while_loop of a dict": lambda m, x, h, s: m.while_loop(
        lambda v: v["n"] < 3, lambda v: {"n": v["n"] + 1, "h": m.tanh(v["h"] * s)},
        {"n": 0, "h": h}, max_steps=5,
    ),
    "cond, true": lambda m, x, h, s: m.cond(
        m.sum(h * h) > 0.0, lambda a: (a * s, {"k": m.sum(a)}), lambda a: (a, {"k": s}), h
    ),
    "cond, false": lambda m, x, h, s: m.cond(
        m.sum(h * h) < 0.0, lambda a: a * s, lambda a: m.sin(a) * x[0], h
    ),
    "cond in a scan": lambda m, x, h, s: m.scan(
        lambda c, v: (m.cond(m.sum(v) > 0.0, lambda c: c * s, lambda c: c + v, c), c), h, x
    ),
}  # fmt: skip


def _arrays() -> list[np.ndarray]:
    return [RNG.standard_normal((4, 3)), RNG.standard_normal(3), np.asarray(0.7)]


def _total(results: Any) -> Any:
    """A number that depends on every float result."""
    parts = [
        (leaf * leaf * (0.5 + k)).sum()
        for k, leaf in enumerate(flatten(results)[0])
        if "f" in str(leaf.dtype)  # f64, float64, graphc.float64
    ]
    return functools.reduce(operator.add, parts)


def _differences(run: Run, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The gradient of `_total`, by differences."""

    def at(k: int, array: np.ndarray) -> float:
        given = [array if j == k else a for j, a in enumerate(arrays)]
        return float(_total(_tree_map(np.asarray, run(PYTHON, *given))))

    found = []
    for k, array in enumerate(arrays):
        grad = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[place] = 1e-6
            grad[place] = (at(k, array + step) - at(k, array - step)) / 2e-6
        found.append(grad)
    return found


def _symbolic(run: Run, arrays: list[np.ndarray], **options: Any) -> tuple[Any, list[Any]]:
    inputs = [gc.input(n, a.shape, gc.float64) for n, a in zip("xhs", arrays)]
    results = run(gc, *inputs)
    leaves, tree = flatten(results)
    grads = gc.grad(
        _total([results, [i * 0.0 for i in inputs]]), inputs
    )  # not all programs use all
    found = gc.compile(inputs, [*leaves, *grads], **options)(*arrays)
    return tree.restore(found[: len(leaves)]), found[len(leaves) :]


def _interpreted(run: Run, arrays: list[np.ndarray]) -> tuple[Any, list[Any]]:
    return _symbolic(run, arrays, target="reference", level="O0")


def _eager(run: Run, arrays: list[np.ndarray], wrap: Run = lambda f: f) -> tuple[Any, list[Any]]:
    tensors = [gc.tensor(a, requires_grad=True) for a in arrays]
    results = wrap(lambda *given: run(gc, *given))(*tensors)
    _total([results, [t * 0.0 for t in tensors]]).backward()  # not all programs use all
    grads = [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
    return _tree_map(lambda t: t.detach().numpy(), results), grads


def _traced(run: Run, arrays: list[np.ndarray]) -> tuple[Any, list[Any]]:
    return _eager(run, arrays, gc.jit.compile)


FACES = {"symbolic": _symbolic, "interpreted": _interpreted, "eager": _eager, "traced": _traced}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_loop_is_pythons_on_every_face(name: str, face: str) -> None:
    run, arrays = PROGRAMS[name], _arrays()
    wanted = _tree_map(np.asarray, run(PYTHON, *arrays))
    found, grads = FACES[face](run, arrays)
    assert flatten(found)[1] == flatten(wanted)[1]
    for left, right in zip(flatten(found)[0], flatten(wanted)[0], strict=True):
        assert left.dtype == right.dtype and left.shape == right.shape
        np.testing.assert_allclose(left, right, rtol=1e-12)
    for left, right in zip(grads, _differences(run, arrays), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


NO_FUNCTION: Any = 3
# Errors: what is wrong (its first line) and the hint are the same on every face, with the line.
ERRORS: dict[str, tuple[Run, str]] = {
    "promoted in the body": (
        lambda x, h, s: gc.scan(lambda c, v: (c * v, None), h.astype("float32"), x),
        "scan: carry changes its type from one step to the next: f32[3] and f64[3]",
    ),
    "promoted in the body of a while": (
        lambda x, h, s: gc.while_loop(
            lambda v: v["n"] < 3, lambda v: {"n": v["n"] + h[0]}, {"n": s.astype("int64")}
        ),
        "while_loop: carry['n'] changes its type from one step to the next: i64[()] and f64[()]",
    ),
    "another shape": (
        lambda x, h, s: gc.scan(lambda c, v: (c[:2], None), h, x),
        "scan: carry changes its type from one step to the next: f64[3] and f64[2]",
    ),
    "another shape, in a while": (
        lambda x, h, s: gc.while_loop(lambda v: gc.sum(v) < 3, lambda v: v * x, h - 9.0),
        "while_loop: carry changes its type from one step to the next: f64[3] and f64[4, 3]",
    ),
    "another structure": (
        lambda x, h, s: gc.scan(lambda c, v: ({"h": v}, None), (h,), x),
        "scan: the carry has the structure (*,) going in and {'h': *} coming out",
    ),
    "another structure, in a while": (
        lambda x, h, s: gc.while_loop(lambda v: gc.sum(v) < 3, lambda v: (v, v), h - 9.0),
        "while_loop: the carry has the structure * going in and (*, *) coming out",
    ),
    "another shape, of no steps": (
        lambda x, h, s: gc.scan(lambda c, v: (c[:2], None), h, x[:0]),
        "scan: carry changes its type from one step to the next: f64[3] and f64[2]",
    ),
    "a number that becomes a vector": (
        lambda x, h, s: gc.scan(lambda c, v: (c + v, None), 0.0, x),
        "scan: carry changes its type from one step to the next: f32[()] and f64[3]",
    ),
    "no pair": (
        lambda x, h, s: gc.scan(lambda c, v: (c, c, c), h, x),
        "scan: f must return a pair (carry, y), not a tuple of 3",
    ),
    "no pair, of no steps": (
        lambda x, h, s: gc.scan(lambda c, v: (c, c, c), h, x[:0]),
        "scan: f must return a pair (carry, y), not a tuple of 3",
    ),
    "no length": (
        lambda x, h, s: gc.scan(lambda c, _: (c, None), h),
        "scan: there are no xs, so length must be given",
    ),
    "a negative length": (
        lambda x, h, s: gc.scan(lambda c, _: (c, None), h, length=-1),
        "scan: length must be an int of 0 or more, or a gc.dim, not -1",
    ),
    "a length that differs": (
        lambda x, h, s: gc.scan(lambda c, v: (c, None), h, {"a": x}, length=3),
        "scan: length is 3, the first axis of xs['a'] 4",
    ),
    "first axes that differ": (
        lambda x, h, s: gc.scan(lambda c, v: (c, None), h, {"a": x, "b": h}),
        "scan: the first axes of xs differ: 4, 3",
    ),
    "a scalar to run along": (
        lambda x, h, s: gc.map(lambda v: v, (x, s)),
        "scan: xs[1] is a scalar; its first axis is what is run along",
    ),
    "an unroll of none": (
        lambda x, h, s: gc.scan(lambda c, v: (c, None), h, x, unroll=0),
        "scan: unroll must be an int of 1 or more, or a bool, not 0",
    ),
    "no function": (
        lambda x, h, s: gc.map(NO_FUNCTION, x),
        "map: int 3 is not a function",
    ),
    "a carry of no tensor": (
        lambda x, h, s: gc.scan(lambda c, v: (c, None), (h, "a"), x),
        "scan: str 'a' is not a tensor, an array or a number",
    ),
    "nothing to loop on": (
        lambda x, h, s: gc.while_loop(lambda v: gc.sum(h) > 0, lambda v: v, ()),
        "while_loop: init holds no tensor",
    ),
    "steps that are no number": (
        lambda x, h, s: gc.while_loop(lambda v: v > 0, lambda v: v, s, max_steps=True),
        "while_loop: max_steps must be an int of 0 or more, or None, not True",
    ),
    "a condition that is a float": (
        lambda x, h, s: gc.while_loop(lambda v: v, lambda v: v, s),
        "while_loop: what cond_fn returns must be a bool scalar, not f64[()]",
    ),
    "a condition with axes": (
        lambda x, h, s: gc.while_loop(lambda v: v < 2, lambda v: v, h),
        "while_loop: what cond_fn returns must be a bool scalar, not b1[3]",
    ),
    "a condition that is a pair": (
        lambda x, h, s: gc.while_loop(lambda v: (v < 2, v < 3), lambda v: v, s),
        "while_loop: cond_fn must return a bool scalar, not the structure (*, *)",
    ),
    "a predicate that is a float": (
        lambda x, h, s: gc.cond(s, lambda: h, lambda: h),
        "cond: pred must be a bool scalar, not f64[()]",
    ),
    "a predicate with axes": (
        lambda x, h, s: gc.cond(h > 0, lambda: h, lambda: h),
        "cond: pred must be a bool scalar, not b1[3]",
    ),
    "branches of other dtypes": (
        lambda x, h, s: gc.cond(s > 0, lambda a: a, lambda a: a.astype("float32"), h),
        "cond: the branches give different types: f64[3] and f32[3]",
    ),
    "branches of other shapes": (
        lambda x, h, s: gc.cond(s < 0, lambda a: {"k": a}, lambda a: {"k": a[0]}, h),
        "cond: the branches give different types for result['k']: f64[3] and f64[()]",
    ),
    "branches of other structures": (
        lambda x, h, s: gc.cond(s > 0, lambda a: (a, a), lambda a: [a], h),
        "cond: the branches give different structures",
    ),
}


def _raised(face: str, run: Run) -> GraphcError:
    arrays = [np.ones((4, 3)), np.ones(3), np.asarray(0.7)]
    with pytest.raises(GraphcError) as caught:
        if face == "symbolic":
            run(*(gc.input(n, a.shape, gc.float64) for n, a in zip("xhs", arrays)))
        elif face == "eager":
            run(*map(gc.tensor, arrays))
        else:
            gc.jit.compile(run)(*map(gc.tensor, arrays))
    return caught.value


@pytest.mark.parametrize("face", ["symbolic", "eager", "traced"])
@pytest.mark.parametrize("name", ERRORS)
def test_a_loops_error_is_the_same_on_every_face(name: str, face: str) -> None:
    run, wanted = ERRORS[name]
    error = _raised(face, run)
    lines = str(error).splitlines()
    assert lines[0] == wanted
    assert type(error) is type(_raised("symbolic", run))
    here = Path(__file__).name
    at = [line for line in lines if line.startswith(f"  at {here}:")]
    assert at and abs(int(at[0].split(":")[1].split()[0]) - run.__code__.co_firstlineno) <= 3
    hints = [line for line in str(_raised("symbolic", run)).splitlines() if "hint:" in line]
    assert [line for line in lines if "hint:" in line] == hints
    assert len(lines) <= 12


def test_the_branch_not_taken_is_checked_but_not_recorded() -> None:
    """Functions that read values run eagerly all the same: they have no graph to be checked."""
    x = gc.tensor(2.0, requires_grad=True)
    y = gc.cond(x > 0, lambda: x * 2, lambda: x * x.item())
    y.backward()
    assert y.item() == 4 and x.grad.item() == 2
    last, ys = gc.scan(lambda c, v: (c + v.item(), c), 0.0, gc.arange(3.0))
    assert last.item() == 3 and ys.tolist() == [0, 0, 1]
    with pytest.raises(GraphcError, match="there are no steps, and f reads values"):
        gc.scan(lambda c, v: (c + v.item(), c), 0.0, gc.zeros(0))


def test_numbers_are_of_one_dtype_on_every_face() -> None:
    def run(x: Any, n: Any) -> Any:
        wide = gc.scan(lambda c, v: (c + v, c), 0, x)
        count = gc.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + n, n), (0, n))[0]
        half = gc.cond(n > 0, lambda: 0.5, lambda: 1)
        ones = gc.map(lambda v: 1.5, x)
        return wide, count, half, ones

    x, n = gc.tensor([1.0, 2.0], dtype=gc.float64), gc.tensor(1, dtype=gc.int32)
    eager, traced = run(x, n), gc.jit.compile(run)(x, n)
    for left, right in zip(flatten(eager)[0], flatten(traced)[0], strict=True):
        assert left.dtype is right.dtype and left.tolist() == right.tolist()
    assert eager[0][0].dtype is gc.float64 and eager[1].dtype is gc.int32


@pytest.mark.parametrize("policy", ["error", "specialise", "fork"])
def test_a_branch_in_a_body_says_what_to_write(policy: str) -> None:
    @gc.jit.compile(on_branch=policy)
    def f(xs: Any) -> Any:
        return gc.scan(lambda c, x: (c + x if x > 0 else c, None), gc.tensor(0.0), xs)[0]

    with pytest.raises(GraphcError) as caught:
        f(gc.ones(3))
    text = str(caught.value)
    assert "it is inside a loop or a branch, whose function is called once" in text
    assert text.endswith("hint: gc.cond(x > 0, lambda x: ..., lambda x: ..., x)")
