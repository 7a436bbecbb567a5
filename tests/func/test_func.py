"""Transforms of functions against closed forms and loops, on eager and symbolic tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.errors import ArgumentError, GradientError, GraphcError, ShapeError

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((5, 3)), RNG.standard_normal(3)
W = RNG.standard_normal((3, 2))
ROWS = np.array([1, 0, 2, 2, 1])


def _looped(function: Callable[..., Any], *rows: Any) -> np.ndarray:
    return np.stack([np.asarray(function(*each)) for each in zip(*rows)])


# Batches: a function of one element in graphc and in NumPy, axes, arguments.
MAPPED: dict[str, tuple[Callable[..., Any], Callable[..., Any], Any, tuple[Any, ...]]] = {
    "rows": (lambda x: gc.sum(x * x), lambda x: (x * x).sum(), 0, (A,)),
    "columns": (lambda x: gc.cumsum(x, 0), lambda x: x.cumsum(), 1, (A,)),
    "a shared matrix": (lambda x, w: x @ w, lambda x, w: x @ w, (0, None), (A, W)),
    "an index each": (
        lambda x, i: x[i] * 2.0, lambda x, i: x[i] * 2, (0, 0), (A, ROWS),
    ),
    "rows of one table": (
        lambda x, i: gc.take(x, i, 0), lambda x, i: x[i], (None, 0), (A, ROWS),
    ),
    "sorted": (lambda x: x[gc.argsort(x)] - x, lambda x: np.sort(x) - x, 0, (A,)),
    "a loop": (
        lambda x: gc.scan(lambda c, v: (c * 0.5 + v, c), 0.0, x)[0],
        lambda x: x[2] + 0.5 * x[1] + 0.25 * x[0], 0, (A,),
    ),
    "a branch each": (
        lambda x: gc.cond(gc.sum(x) > 0, lambda: x * 2.0, lambda: gc.sqrt(gc.abs(x))),
        lambda x: x * 2 if x.sum() > 0 else np.sqrt(abs(x)), 0, (A,),
    ),
    "a loop that each ends": (
        lambda x: gc.while_loop(lambda v: gc.sum(v * v) < 50.0, lambda v: v * 1.5, x),
        lambda x: x * 1.5 ** _turns(x), 0, (A,),
    ),
    "nothing of the batch": (lambda x, y: y * 2.0, lambda x, y: y * 2, (0, None), (A, B)),
    "batches of batches": (
        gc.vmap(lambda x, y: x * y, in_dims=(0, None)), lambda x, y: x * y, (1, 0), (A, B),
    ),
}  # fmt: skip


def _turns(x: np.ndarray) -> int:
    count = 0
    while (x * x).sum() < 50:
        x, count = x * 1.5, count + 1
    return count


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("name", MAPPED)
def test_a_batch_is_a_loop_over_its_elements(name: str, level: str) -> None:
    function, reference, axes, arrays = MAPPED[name]
    every = axes if isinstance(axes, tuple) else (axes,)
    size = next(x.shape[a] for x, a in zip(arrays, every) if a is not None)
    rows = [[x] * size if a is None else np.moveaxis(x, a, 0) for x, a in zip(arrays, every)]
    wanted = _looped(reference, *rows)
    mapped = gc.vmap(function, in_dims=axes)
    n = gc.dim("n", min=1)
    nodes = [
        gc.input(f"x{p}", [n if k == a else d for k, d in enumerate(x.shape)], x.dtype)
        for p, (x, a) in enumerate(zip(arrays, every))
    ]
    result = mapped(*nodes)
    if name == "nothing of the batch":
        result = result + nodes[0] * 0.0
    found = gc.compile(nodes, result, level=level)(*arrays)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(mapped(*map(gc.tensor, arrays)).numpy(), wanted, rtol=1e-12)


def test_structures_and_axes_of_results() -> None:
    def function(state: dict[str, Any], scale: float) -> Any:
        return {"sum": state["a"] + state["b"], "both": (state["a"] * scale, state["b"])}

    mapped = gc.vmap(
        function, in_dims=({"a": 1, "b": None}, None), out_dims={"sum": 1, "both": (0, None)}
    )
    found = mapped({"a": gc.tensor(A), "b": gc.tensor(A[:, 0])}, 2.0)
    np.testing.assert_allclose(found["sum"].numpy(), A + A[:, :1])
    np.testing.assert_allclose(found["both"][0].numpy(), 2 * A.T)
    np.testing.assert_array_equal(found["both"][1].numpy(), A[:, 0])


def test_draws_are_the_same_or_different_as_told() -> None:
    x = gc.input("x", (4, 100))
    noisy = {
        how: gc.vmap(lambda v: v + gc.rand(100), randomness=how) for how in ("same", "different")
    }
    same, different = (gc.compile([x], f(x))(np.zeros((4, 100), "f")) for f in noisy.values())
    assert (same == same[0]).all() and len({tuple(row) for row in different}) == 4
    assert ((different >= 0) & (different < 1)).all()
    keys = gc.vmap(lambda k: gc.uniform((3,), key=k))(gc.fold_in(gc.random_key(0), gc.iota((5,))))
    assert len({*gc.compile([], keys)().ravel()}) == 15
    for draws in (x, gc.zeros(4, 100)):
        with pytest.raises(ArgumentError, match="draws random numbers"):
            gc.vmap(lambda v: v + gc.rand(100))(draws)


# Functions of (x, y), their derivatives, and closed forms of these.
def _loss(x: Any, y: Any) -> Any:
    return (gc.sin(x) * y).sum()


DERIVED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "grad": (gc.func.grad(_loss), lambda x, y: np.cos(x) * y),
    "grad by another": (gc.func.grad(_loss, argnums=1), lambda x, y: np.sin(x)),
    "value": (
        lambda x, y: gc.func.grad_and_value(_loss)(x, y)[1], lambda x, y: (np.sin(x) * y).sum(),
    ),
    "hessian": (gc.func.hessian(_loss), lambda x, y: np.diag(-np.sin(x) * y)),
    "mixed": (
        lambda x, y: gc.func.hessian(_loss, (0, 1))(x, y)[0][1], lambda x, y: np.diag(np.cos(x)),
    ),
    "jacrev": (gc.func.jacrev(lambda x, y: x * y.sum(), 1), lambda x, y: np.outer(x, np.ones(3))),
    "jacfwd": (gc.func.jacfwd(lambda x, y: x * x), lambda x, y: np.diag(2 * x)),
    "jvp": (lambda x, y: gc.func.jvp(lambda v: v**3, (x,), (y,))[1], lambda x, y: 3 * x**2 * y),
    "vjp": (lambda x, y: gc.func.vjp(lambda v: v**3, x)[1](y)[0], lambda x, y: 3 * x**2 * y),
    "linearize": (
        lambda x, y: gc.func.linearize(lambda v: v**3, x)[1](y), lambda x, y: 3 * x**2 * y,
    ),
    "grad of grad": (
        gc.func.grad(lambda x, y: (gc.func.grad(lambda v: (v**3).sum())(x) * y).sum()),
        lambda x, y: 6 * x * y,
    ),
    "jvp of grad": (
        lambda x, y: gc.func.jvp(gc.func.grad(lambda v: (v**4).sum()), (x,), (y,))[1],
        lambda x, y: 12 * x**2 * y,
    ),
    "grad of vmap": (
        gc.func.grad(lambda x, y: gc.vmap(lambda a, b: a * a * b)(x, y).sum()),
        lambda x, y: 2 * x * y,
    ),
    "jvp of vmap": (
        lambda x, y: gc.func.jvp(gc.vmap(lambda a: a * a), (x,), (y,))[1], lambda x, y: 2 * x * y,
    ),
}  # fmt: skip


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("name", DERIVED)
def test_derivatives_are_what_analysis_says(name: str, batch: bool) -> None:
    function, reference = DERIVED[name]
    x, y = (A, A[::-1].copy()) if batch else (B, A[0])
    function = gc.vmap(function) if batch else function
    wanted = _looped(reference, x, y) if batch else reference(x, y)
    np.testing.assert_allclose(function(gc.tensor(x), gc.tensor(y)).numpy(), wanted, rtol=1e-10)
    nodes = [gc.input(n, v.shape, gc.float64) for n, v in (("x", x), ("y", y))]
    result = function(*nodes)
    graph = gc.Graph.of("f", nodes, [result])
    np.testing.assert_allclose(gc.interpret(graph, x, y)[0], wanted, rtol=1e-10)


def test_what_is_computed_is_recorded_for_backward() -> None:
    x, w = gc.tensor(A, requires_grad=True), gc.tensor(B, requires_grad=True)
    (gc.vmap(lambda row: (row * w).sum() ** 2)(x)).sum().backward()
    total = 2 * (A @ B)
    np.testing.assert_allclose(x.grad.numpy(), total[:, None] * B)
    np.testing.assert_allclose(w.grad.numpy(), total @ A)
    compiled = gc.jit.compile(lambda x, w: gc.vmap(lambda row: row @ w)(x))
    for scale in (1.0, 2.0):
        found = compiled(gc.tensor(scale * A), gc.tensor(B))
        np.testing.assert_allclose(found.numpy(), scale * A @ B)


def test_in_eager_code_words_are_those_of_pytorch() -> None:
    np.testing.assert_allclose(gc.vmap(lambda x: x.max(0)[0])(gc.tensor(A)).numpy(), A.max(1))


def _models() -> list[Any]:
    gc.manual_seed(0)
    return [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double() for _ in range(3)]


def test_ensembles_and_gradients_of_each_sample() -> None:
    models, x = _models(), gc.tensor(A)
    weights, buffers = gc.func.stack_module_state(models)
    assert not buffers and weights["0.weight"].shape == (3, 4, 3)
    together = gc.vmap(lambda w, x: gc.func.functional_call(models[0], w, x), in_dims=(0, None))
    wanted = [m(x).detach().numpy() for m in models]
    np.testing.assert_allclose(together(weights, x).detach().numpy(), wanted, rtol=1e-10)

    def loss(w: Any, x: Any) -> Any:
        return (gc.func.functional_call(models[1], w, (x,)) ** 2).sum()

    own = {name: p.detach() for name, p in models[1].named_parameters()}
    found = gc.vmap(gc.func.grad(loss), in_dims=(None, 0))(own, x)
    for k in range(len(A)):
        models[1].zero_grad()
        (models[1](x[k]) ** 2).sum().backward()
        for name, p in models[1].named_parameters():
            np.testing.assert_allclose(
                found[name][k].numpy(), p.grad.numpy(), rtol=1e-9, atol=1e-12
            )
    nodes = {n: gc.input("w" + n.replace(".", "_"), p.shape, p.dtype) for n, p in own.items()}
    given = gc.input("x", A.shape, gc.float64)
    program = gc.compile([nodes, given], gc.func.functional_call(models[0], nodes, given))
    found = program({name: p.numpy() for name, p in own.items()}, A)
    np.testing.assert_allclose(found, wanted[1], rtol=1e-10)


X = gc.tensor(A)
MISTAKES: dict[str, tuple[Callable[[], Any], type[GraphcError], str]] = {
    "sizes": (lambda: gc.vmap(lambda x, y: x)(X, gc.ones(4)), ShapeError, "different sizes: 5, 4"),
    "a number": (lambda: gc.vmap(lambda x, y: x)(X, 2.0), ArgumentError, "is no tensor"),
    "no axis": (lambda: gc.vmap(lambda x: x, in_dims=None)(X), ArgumentError, "None for all"),
    "another form": (lambda: gc.vmap(gc.sin, in_dims=(0, 0))(X), ArgumentError, "in_dims .0, 0."),
    "axis": (lambda: gc.vmap(lambda x: x, in_dims=2)(X), ShapeError, "axis 2"),
    "one for all": (lambda: gc.vmap(lambda x: x, out_dims=None)(X), ArgumentError, "differs from"),
    "mask": (lambda: gc.vmap(lambda x: x[x > 0])(gc.input("x", (4, 3))), GraphcError, "size=3"),
    "value": (lambda: gc.vmap(lambda x: float(x.sum()))(X), ArgumentError, "no value"),
    "no function": (lambda: gc.vmap(3), ArgumentError, "not a function"),  # type: ignore[arg-type]
    "no scalar": (lambda: gc.func.grad(lambda x: x)(X), GradientError, "scalar"),
    "argument": (lambda: gc.func.grad(lambda x: x.sum(), 1)(X), ArgumentError, "argument 1 of 1"),
    "no pair": (lambda: gc.func.grad(lambda x: x.sum(), has_aux=True)(X), ArgumentError, "no pair"),
    "tangents": (lambda: gc.func.jvp(gc.sin, (X,), (X, X)), ArgumentError, "expected"),
    "names": (
        lambda: gc.func.functional_call(nn.Linear(3, 2), {"w": X}, X), ArgumentError, "has no 'w'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(name: str) -> None:
    call, kind, text = MISTAKES[name]
    with pytest.raises(kind, match=text):
        call()


def test_what_else_a_function_returns_comes_beside() -> None:
    slope, (value, more) = gc.func.grad_and_value(lambda x: ((x * x).sum(), x + 1), has_aux=True)(X)
    np.testing.assert_allclose(slope.numpy(), 2 * A)
    np.testing.assert_allclose(value.item(), (A * A).sum())
    np.testing.assert_allclose(more.numpy(), A + 1)
    rows, more = gc.func.jacrev(lambda x: (x * 2, x.sum()), has_aux=True)(gc.tensor(B))
    np.testing.assert_allclose(rows.numpy(), 2 * np.eye(3))
    np.testing.assert_allclose(more.item(), B.sum())


def test_a_derivative_is_by_the_arguments_alone() -> None:
    # What one argument was computed of another, or the function itself uses of the graph, is fixed.
    x = gc.input("x", (3,), gc.float64)
    y, at = x * x, np.array([1.0, 2.0, 3.0])
    product = gc.func.vjp(lambda a, b: a * b, y, x)[1](gc.ones((3,), dtype=gc.float64))
    found = [
        gc.func.grad(lambda a, b: gc.sum(a * b), argnums=1)(y, x),
        gc.func.grad(lambda a: gc.sum(a * x))(x),
        gc.func.grad(lambda a, b: gc.sum(a * b), argnums=(0,))(x, x)[0],
        gc.func.jvp(lambda a, b: a * b, (y, x), (x, gc.zeros((3,), dtype=gc.float64)))[1],
        gc.func.jacrev(lambda a, b: a * b)(x, y).sum(0), *product,
    ]  # fmt: skip
    given = gc.compile([x], found)(at)
    for value, wanted in zip(given, [at**2, at, at, at**2, at**2, at, at**2], strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_a_derivative_inside_of_a_loop_is_by_what_it_carries() -> None:
    def step(z: Any, _: Any) -> Any:
        z1 = z + 0.5 * gc.tanh(z)
        return z1 + gc.func.grad(lambda v: gc.sum(v * z1))(z1), None

    x, at = gc.input("x", (2,), gc.float64), np.array([0.3, -0.4])
    found = gc.compile([x], gc.scan(step, x, length=3)[0])(at)
    for _ in range(3):
        at = 2 * (at + 0.5 * np.tanh(at))
    np.testing.assert_allclose(found, at, rtol=1e-12)


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize("chunk", [2, 5])
def test_a_batch_in_chunks_is_the_batch(name: str, chunk: int) -> None:
    function, _, axes, arguments = MAPPED[name]
    given = [gc.tensor(a) for a in arguments]
    whole = gc.vmap(function, in_dims=axes)(*given)
    found = gc.vmap(function, in_dims=axes, chunk_size=chunk)(*given)
    np.testing.assert_allclose(found.numpy(), whole.numpy(), rtol=1e-12)


def test_chunks_of_a_symbolic_batch_draw_as_the_batch_does_and_sizes_are_checked() -> None:
    x = gc.input("x", (gc.dim("n"), 3), gc.float64)
    keys = gc.fold_in(gc.random_key(0), gc.arange(x.shape[0]))
    found = [
        gc.vmap(lambda v, k: v + gc.randn(3, key=k, dtype=gc.float64), chunk_size=c)(x, keys)
        for c in (None, 2)
    ]
    for count in (0, 1, 4, 5):
        np.testing.assert_array_equal(*gc.compile([x], found, target="reference")(A[:count]))
    with pytest.raises(GraphcError, match="chunk_size is 0"):
        gc.vmap(gc.sum, chunk_size=0)
