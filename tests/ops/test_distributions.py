"""Random functions have the distributions that they say, against SciPy: compiled for any size,
interpreted, eager, by keys; from fixed seeds, so that each run is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import graphc as gc
from graphc.core.ir import toposort
from graphc.ops.source import Bound

N = gc.dim("n")
COUNT = 6000
LOG_NORMAL = stats.lognorm(0.7, 0, np.e**0.5)
# Each draw by (shape, key), and its distribution.
CONTINUOUS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "uniform": (lambda s, k: gc.uniform(s, -1.0, 3.0, key=k), stats.uniform(-1, 4)),
    "normal": (lambda s, k: gc.normal(1.0, 2.0, s, key=k), stats.norm(1, 2)),
    "exponential": (lambda s, k: gc.exponential(s, 2.0, key=k), stats.expon(scale=0.5)),
    "laplace": (lambda s, k: gc.laplace(s, 1.0, 2.0, key=k), stats.laplace(1, 2)),
    "gumbel": (lambda s, k: gc.gumbel(s, 1.0, 2.0, key=k), stats.gumbel_r(1, 2)),
    "cauchy": (lambda s, k: gc.cauchy(s, 1.0, 2.0, key=k), stats.cauchy(1, 2)),
    "log_normal": (
        lambda s, k: gc.log_normal(s, 0.5, 0.7, key=k),
        stats.lognorm(0.7, 0, np.e**0.5),
    ),
    "gamma": (lambda s, k: gc.gamma(s, 2.5, 2.0, key=k), stats.gamma(2.5, scale=0.5)),
    "gamma_below_1": (lambda s, k: gc.gamma(s, 0.3, key=k), stats.gamma(0.3)),
    "beta": (lambda s, k: gc.beta(s, 2.0, 0.5, key=k), stats.beta(2, 0.5)),
    "student_t": (lambda s, k: gc.student_t(s, 3.0, 1.0, 2.0, key=k), stats.t(3, 1, 2)),
    "double": (lambda s, k: gc.gamma(s, 9.0, dtype=gc.float64, key=k), stats.gamma(9)),
}
DISCRETE: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "bernoulli": (lambda s, k: gc.bernoulli(0.3, s, key=k), stats.bernoulli(0.3)),
    "randint": (lambda s, k: gc.randint(2, 9, s, key=k), stats.randint(2, 9)),
    "poisson": (lambda s, k: gc.poisson(3.0, s, key=k), stats.poisson(3)),
    "poisson_of_many": (lambda s, k: gc.poisson(40.0, s, key=k), stats.poisson(40)),
    "geometric": (lambda s, k: gc.geometric(0.25, s, key=k), stats.geom(0.25)),
    "choice": (lambda s, k: gc.choice(6, s, key=k), stats.randint(0, 6)),
    "categorical": (
        lambda s, k: gc.categorical(np.log(np.array([0.2, 0.5, 0.3], "f")), s, key=k),
        stats.rv_discrete(values=([0, 1, 2], [0.2, 0.5, 0.3])),
    ),
}
ALL = CONTINUOUS | DISCRETE


def _key_draws(symbolic: Any) -> dict[str, Any]:
    keys = gc.split_key(gc.random_key(11), len(ALL))
    return {name: draw((symbolic,), key) for (name, (draw, _)), key in zip(ALL.items(), keys)}


@pytest.fixture(scope="module")
def program() -> Any:
    x = gc.input("x", (N,))
    return gc.compile([x], {"x": x} | _key_draws(N))


@pytest.fixture(scope="module")
def drawn(program: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = program(np.zeros(COUNT, np.float32))
    return found


@pytest.mark.parametrize("name", CONTINUOUS)
def test_draws_have_their_distribution(name: str, drawn: dict[str, np.ndarray]) -> None:
    values = drawn[name].astype(np.float64)
    assert stats.kstest(values, CONTINUOUS[name][1].cdf).pvalue > 1e-3
    assert abs(np.corrcoef(stats.rankdata(values)[1:], stats.rankdata(values)[:-1])[0, 1]) < 0.05


def _p_of_counts(values: np.ndarray, distribution: Any) -> float:
    """The p value of the chi-square test, of values with at least 5 expected ones each."""
    low, high = int(values.min()), int(values.max())
    places = np.arange(low, high + 1)
    expected = distribution.pmf(places) * values.size
    seen = np.bincount(values.astype(int) - low, minlength=len(places)).astype(float)
    often = expected >= 5
    rest = values.size - expected[often].sum()
    expected = np.append(expected[often], rest)
    seen = np.append(seen[often], seen[~often].sum())
    keep = expected > 1e-6 * values.size
    assert not seen[~keep].any()
    expected, seen = expected[keep], seen[keep]
    return float(stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue)


@pytest.mark.parametrize("name", DISCRETE)
def test_counts_have_their_distribution(name: str, drawn: dict[str, np.ndarray]) -> None:
    assert _p_of_counts(drawn[name], DISCRETE[name][1]) > 1e-3


def test_interpreted_draws_are_the_compiled_ones_and_prefixes_do_not_depend_on_sizes(
    program: Any, drawn: dict[str, np.ndarray]
) -> None:
    few = program(np.zeros(7, np.float32))
    nodes = _key_draws(7)
    roots = list(nodes.values())
    bound = [n for n in toposort(roots) if isinstance(n, Bound)]
    found = gc.interpret(gc.Graph.of("draws", bound, roots))
    for name, value in zip(nodes, found):
        np.testing.assert_allclose(few[name], value, rtol=2e-4, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(few[name], drawn[name][:7], err_msg=name)


def test_eager_parameters_draw_at_once_by_the_default_generator_and_anew_in_graphs() -> None:
    x, ones = gc.input("x", (5,)), gc.ones(5)
    for draw in (
        lambda: gc.gamma((5,), ones), lambda: gc.exponential((5,), ones),
        lambda: gc.cauchy((5,), ones), lambda: gc.uniform((5,), ones, 9),
        lambda: gc.poisson(9 * ones),
        lambda: gc.permutation(gc.arange(60))[:5], lambda: gc.choice(gc.arange(99.0), (5,)),
        lambda: gc.categorical(gc.zeros(5, 90)), lambda: gc.geometric(ones * 0.01),
    ):  # fmt: skip
        gc.manual_seed(2)
        first, second = draw(), draw()
        gc.manual_seed(2)
        assert gc.equal(draw(), first) and not gc.equal(second, first)
        program = gc.compile([x], x + first)
        assert (program(np.ones(5, np.float32)) != program(np.ones(5, np.float32))).any()


@pytest.mark.parametrize(
    "method, arguments, distribution",
    [
        ("exponential_", (2.0,), stats.expon(scale=0.5)),
        ("cauchy_", (1.0, 2.0), stats.cauchy(1, 2)),
        ("log_normal_", (0.5, 0.7), LOG_NORMAL),
        ("normal_", (1.0, 2.0), stats.norm(1, 2)),
        ("uniform_", (-1.0, 3.0), stats.uniform(-1, 4)),
        ("geometric_", (0.25,), stats.geom(0.25)),
    ],
)
def test_methods_that_fill_have_their_distribution(
    method: str, arguments: tuple[float, ...], distribution: Any
) -> None:
    gc.manual_seed(4)
    values = getattr(gc.zeros(COUNT), method)(*arguments).numpy().astype(np.float64)
    if method == "geometric_":
        assert _p_of_counts(values, distribution) > 1e-3
    else:
        assert stats.kstest(values, distribution.cdf).pvalue > 1e-3


def test_parameters_are_tensors_of_the_graph_with_gradients_where_they_move_or_scale() -> None:
    loc, scale, key = gc.input("loc", (3,)), gc.input("scale", (3,)), gc.random_key(5)
    for draw in (gc.laplace, gc.gumbel, gc.cauchy):
        total: Any = gc.sum(draw((4, 3), loc, scale, key=key))
        program = gc.compile([loc, scale], [total, *gc.grad(total, [loc, scale])])
        at = np.array([0.5, 1.0, 2.0], np.float32)
        _, by_loc, by_scale = program(at, at)
        np.testing.assert_allclose(by_loc, 4.0)
        unit = gc.compile([], draw((4, 3), key=key))()
        np.testing.assert_allclose(by_scale, unit.sum(0), rtol=1e-4)
    rates = gc.compile([scale], gc.poisson(scale, (2000, 3), key=key))(
        np.array([0.5, 9.0, 90.0], np.float32)
    )
    np.testing.assert_allclose(rates.mean(0), [0.5, 9.0, 90.0], rtol=0.1)


def test_choices_without_replacement_are_distinct_and_of_tensors_are_slices() -> None:
    x = gc.input("x", (9, 2))
    rows = gc.compile([x], gc.choice(x, (4,), replace=False, key=gc.random_key(1)))
    given = np.arange(18, dtype=np.float32).reshape(9, 2)
    found = rows(given)
    assert len({tuple(r) for r in found}) == 4
    assert {tuple(r) for r in found} <= {tuple(r) for r in given}


def test_loops_draw_anew_at_each_step_and_threads_do_not_matter() -> None:
    _, rows = gc.scan(lambda c, _: (c, gc.gamma((4,), 2.0) + c), np.zeros(4, np.float32), length=5)
    one, two = (gc.compile([], rows, threads=n) for n in (1, 2))
    start = one.state()
    found = one()
    assert len(np.unique(found)) == found.size
    two.load_state(start)
    np.testing.assert_array_equal(two(), found)


def test_wrong_parameters_are_refused() -> None:
    for draw in (
        lambda: gc.gamma((2,), 0.0), lambda: gc.beta((2,), 1.0, -1.0),
        lambda: gc.student_t((2,), 0),
        lambda: gc.exponential((2,), -1.0), lambda: gc.laplace((2,), 0.0, 0.0),
        lambda: gc.poisson(-1.0, (2,)), lambda: gc.geometric(0.0, (2,)),
        lambda: gc.choice(3, (4,), replace=False), lambda: gc.bernoulli(1.5, (2,)),
    ):  # fmt: skip
        with pytest.raises(gc.errors.AttributeValueError):
            draw()
    with pytest.raises(gc.errors.ShapeError):
        gc.poisson(gc.input("rate", (3,)), (2,))
    with pytest.raises(gc.errors.DTypeError):
        gc.categorical(gc.input("k", (3,), gc.int64))
