"""Every gradient rule against central differences in float64, and the gradient of the gradient.

One random direction for each case: the derivative of <outputs, weights> along it. Beside the
table, the points at which a subgradient is a choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from reference import check_gradient, evaluate
from samples import PLAIN, TABLE, Case, arity, array, domains, operands, seed_of

from graphc.core import dtypes
from graphc.core.interpret import run
from graphc.core.ir import Graph, Kind, Node, NoGradient, Op, Sample, toposort
from graphc.core.operators import FUNCTIONS
from graphc.errors import DTypeError, GradientError
from graphc.ops.source import Bound
from graphc.ops.source import input as placeholder
from graphc.passes.grad import grad, vjp

STEP = 1e-6
# All but the barrier, whose gradient is zero against what it computes, and ops with nested graphs,
# which have tests of their own (test_control_gradients).
RULES = [
    op
    for op in TABLE
    if not isinstance(op.vjp, NoGradient)
    and op.name not in ("stop_gradient", "gradient_as")  # not the derivative, by intent
    and op.kind is not Kind.CONTROL
]


def _widened(sample: Sample) -> Sample:
    """The sample with its floats in float64; results that are no floats have no gradient."""
    kept = []
    for shape, dtype, domain in sample.operands:
        wide = "float64" if dtype.startswith("float") else dtype
        kept.append((shape, wide, domain))
    return Sample(tuple(kept), sample.attrs)


def _cases(op: Op) -> Iterator[Case]:
    if op not in PLAIN:
        seen = []
        for sample in op.samples() if op.samples else ():
            wide = _widened(sample)
            if (wide.operands, str(wide.attrs)) not in seen:
                seen.append((wide.operands, str(wide.attrs)))
                yield Case(op, operands(op, wide), dict(wide.attrs))
        return
    for shape in ((2, 3), (), (0, 2)):
        kinds = enumerate(domains(op, arity(op)))
        arrays = [array(shape, "float64", d, seed_of(op.name) + k) for k, d in kinds]
        yield Case(op, tuple(arrays), {})


def _evaluate(outputs: Sequence[Node], nodes: list[Node], arrays: Sequence[np.ndarray]) -> list:
    bound = [n for n in toposort(outputs) if isinstance(n, Bound)]
    graph = Graph.of("test", [*nodes, *bound], outputs)
    return list(run(graph, [*arrays, *(b.state.array for b in bound)]))


class _Check:
    """A function of the float operands of a case, moved along one random direction."""

    def __init__(self, case: Case) -> None:
        self.nodes, _ = case.nodes()
        self.arrays = list(case.arrays)
        self.rng = np.random.default_rng(1)
        self.moving = [k for k, a in enumerate(self.arrays) if a.dtype == np.float64]
        self.way = [self.rng.normal(size=self.arrays[k].shape) for k in self.moving]

    def moved(self, step: float) -> list[np.ndarray]:
        arrays = list(self.arrays)
        for k, way in zip(self.moving, self.way):
            arrays[k] = arrays[k] + step * way
        return arrays

    def compare(self, output: Node) -> list[Node]:
        """Check the slope of <output, weights>; returns its gradients, to be checked again."""
        weights = self.rng.normal(size=output.type.shape)  # type: ignore[union-attr]
        loss = FUNCTIONS["sum"](output * FUNCTIONS["constant"](weights))
        gradients = vjp([loss], [FUNCTIONS["full"]((), 1.0, "float64")], self.wrt())
        values = _evaluate(gradients, self.nodes, self.arrays)
        exact = sum(float((v * way).sum()) for v, way in zip(values, self.way))
        ahead, behind = (
            float(_evaluate([loss], self.nodes, self.moved(s))[0]) for s in (STEP, -STEP)
        )
        scale = max(1.0, abs(ahead), abs(exact))
        assert abs((ahead - behind) / (2 * STEP) - exact) < 1e-6 * scale * 10
        return gradients

    def wrt(self) -> list[Node]:
        return [self.nodes[k] for k in self.moving]


def _is_infinite(case: Case) -> bool:
    """Whether the value is inf: the greatest element of none."""
    return not np.isfinite(case.op.numpy(*case.arrays, **case.attrs)).all()


@pytest.mark.parametrize("op", RULES, ids=lambda op: op.name)
def test_gradients_agree_with_differences_twice(op: Op) -> None:
    tried = 0
    for case in _cases(op):
        check = _Check(case)
        output = op(*check.nodes, **case.attrs)
        if output.type.dtype is not dtypes.float64 or not check.moving or _is_infinite(case):
            continue
        tried += 1
        for gradient in check.compare(output):
            check.compare(gradient)
    assert tried


@pytest.mark.parametrize("op", PLAIN, ids=lambda op: op.name)
def test_gradients_keep_the_dtype(op: Op) -> None:
    for dtype in ("float16", "float32"):
        nodes = [placeholder(f"x{k}", (2,), dtype) for k in range(arity(op))]
        try:
            output = op(*nodes)
        except DTypeError:
            continue
        if output.type.dtype.is_float and not isinstance(op.vjp, NoGradient):
            for gradient in grad(FUNCTIONS["sum"](output), nodes):
                assert gradient.type == nodes[0].type


def _slope(function: Callable[..., Any], *values: float) -> list[float]:
    arrays = [np.array(v, np.float64) for v in values]

    def slopes(*nodes: Node) -> list[Node]:
        return vjp([function(*nodes)], [FUNCTIONS["full"]((), 1.0, "float64")], list(nodes))

    return [float(v) for v in evaluate(slopes, *arrays)]


def gc(name: str) -> Callable[..., Any]:
    return FUNCTIONS[name]


# Values of torch 2: the gradient of the function at the point.
CHOICES = [
    ("relu", (0.0,), [0.0]),
    ("relu", (-0.0,), [0.0]),
    ("relu6", (6.0,), [0.0]),
    ("leaky_relu", (0.0,), [0.01]),
    ("elu", (0.0,), [1.0]),
    ("absolute", (0.0,), [0.0]),
    ("sign", (2.0,), [0.0]),
    ("floor", (2.5,), [0.0]),
    ("rint", (2.5,), [0.0]),
    ("maximum", (1.0, 1.0), [0.5, 0.5]),
    ("minimum", (1.0, 1.0), [0.5, 0.5]),
    ("fmax", (1.0, 1.0), [1.0, 0.0]),
    ("fmax", (math.nan, 1.0), [0.0, 1.0]),
    ("fmin", (1.0, math.nan), [1.0, 0.0]),
    ("clip", (1.0, 1.0, 2.0), [1.0, 0.0, 0.0]),
    ("clip", (2.0, 1.0, 2.0), [1.0, 0.0, 0.0]),
    ("clip", (3.0, 1.0, 2.0), [0.0, 0.0, 1.0]),
    ("clip", (0.0, 1.0, 2.0), [0.0, 1.0, 0.0]),
    ("sqrt", (0.0,), [math.inf]),
    ("power", (0.0, 0.0), [0.0, 0.0]),
    ("power", (0.0, 2.0), [0.0, 0.0]),
    ("power", (3.0, 0.0), [0.0, math.log(3.0)]),
    ("power", (-2.0, 3.0), [12.0, math.nan]),
    ("hypot", (0.0, 0.0), [math.nan, math.nan]),
    ("arctan2", (0.0, 0.0), [0.0, 0.0]),
    ("logaddexp", (-math.inf, -math.inf), [math.nan, math.nan]),
    ("copysign", (0.0, 1.0), [0.0, 0.0]),
    ("fmod", (5.0, 3.0), [1.0, -1.0]),
    ("remainder", (-5.0, 3.0), [1.0, 2.0]),
]


@pytest.mark.parametrize(("name", "point", "wanted"), CHOICES)
def test_subgradients_are_those_of_pytorch(name: str, point: Any, wanted: list[float]) -> None:
    np.testing.assert_allclose(_slope(gc(name), *point), wanted, rtol=1e-15)


def _gradient(function: Callable[..., Any], x: Any) -> np.ndarray:
    return np.asarray(evaluate(lambda n: grad(gc("sum")(function(n)), n), np.asarray(x)))


def test_elements_that_tie_share_the_gradient_of_max_and_min() -> None:
    x = np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(
        _gradient(lambda n: gc("max")(n, 1), x), [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    )
    np.testing.assert_array_equal(_gradient(gc("min"), x), [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        _gradient(lambda n: gc("max")(n, (0, 1)), x), [[0.5, 0, 0.5], [0, 0, 0]]
    )


def test_products_have_exact_gradients_where_elements_are_zero() -> None:
    x = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]])
    np.testing.assert_array_equal(_gradient(lambda n: gc("prod")(n, 1), x), [[0, 6, 0], [0, 0, 0]])
    check_gradient(lambda n: gc("prod")(n, (0, 2)), np.arange(-3.0, 9.0).reshape(2, 3, 2))


def test_a_loss_that_overflows_nowhere_has_finite_gradients() -> None:
    x = np.array([[1e4, -1e4, 0.0], [700.0, 800.0, 900.0]])
    for name in ("softmax", "log_softmax", "logsumexp", "softplus", "sigmoid", "elu", "silu"):
        assert np.isfinite(_gradient(gc(name), x)).all(), name


def test_what_has_no_gradient_says_why() -> None:
    x = placeholder("x", (3,))
    with pytest.raises(GradientError, match="nextafter has no gradient: it steps"):
        grad(gc("sum")(gc("nextafter")(x, x * 2)), x)
    with pytest.raises(GradientError, match="not of a float dtype"):
        grad(gc("argmax")(x), x)


@pytest.mark.parametrize(
    "name", ["gelu", "silu", "selu", "mish", "softmax", "log_softmax", "sinc", "logaddexp2"]
)
def test_compositions_are_twice_differentiable(name: str) -> None:
    rng = np.random.default_rng(0)
    count = 2 if name == "logaddexp2" else 1
    check_gradient(gc(name), *(rng.normal(size=(2, 3)) for _ in range(count)))


def test_sinc_has_its_second_derivative_at_zero() -> None:
    x = np.array([0.0, 1e-9, 0.05])
    second = _gradient(lambda n: grad(gc("sum")(gc("sinc")(n)), n), x)
    np.testing.assert_allclose(second[:2], -(math.pi**2) / 3, rtol=1e-12)


def test_reductions_are_twice_differentiable() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    for name in ("mean", "var", "std", "logsumexp", "prod"):
        check_gradient(lambda n, name=name: gc(name)(n, (0, 2)), x)


def test_cross_entropy_is_twice_differentiable() -> None:
    labels = np.array([2, 0], np.int64)
    x = np.random.default_rng(0).normal(size=(2, 3))
    check_gradient(lambda n: gc("cross_entropy")(n, labels), x)
