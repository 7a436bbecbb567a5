"""Stable forms: every rule by enumeration, against mpmath, of values and of two derivatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import graphc as gc
from graphc import config
from graphc.passes.rewrite.engine import rewrite
from graphc.passes.rules.stable import STABLE

Mp = Any
DTYPES = ("float16", "float32", "float64")
MAGNITUDES = (1e-300, 1e-150, 1e-40, 1e-30, 1e-20, 1e-10, 1e-7, 1e-5, 1e-3, 0.02, 0.3, 0.6931, 0.7,
              1.0, 1.7, 3.0, 7.5, 11.0, 17.0, 30.0, 80.0, 90.0, 104.0, 300.0, 700.0, 750.0, 3e4,
              1e10, 1e19, 1e30, 1e38, 1e160, 1e300)  # fmt: skip


@dataclass(frozen=True)
class True_:
    """A function and its first two derivatives, by mpmath; nan outside of the domain.

    `steep` is by how much the second derivative exceeds the sigmoid's: 8 for 2 * sigmoid(2 * x).
    """

    value: Callable[[Mp], Mp]
    first: Callable[[Mp], Mp]
    second: Callable[[Mp], Mp]
    steep: float = field(default=1.0, kw_only=True)


def _softplus(x: Mp) -> Mp:
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


def _sigmoid(x: Mp) -> Mp:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def _bell(x: Mp) -> Mp:
    return _sigmoid(x) * _sigmoid(-x)


def _below(function: Callable[[Mp], Mp], limit: float) -> Callable[[Mp], Mp]:
    return lambda x: function(x) if x < limit else mp.nan


def _above(function: Callable[[Mp], Mp], limit: float) -> Callable[[Mp], Mp]:
    return lambda x: function(x) if x > limit else mp.nan


def _bose(x: Mp) -> Mp:
    """1 / (exp(x) - 1)."""
    return 1 / mp.expm1(x)


def _log1mexp(x: Mp) -> Mp:
    return mp.log1p(-mp.exp(x)) if x < -1 else mp.log(-mp.expm1(x))


def _sech2(x: Mp) -> Mp:
    return 4 * _bell(2 * x)


def _log_softplus_2(x: Mp) -> Mp:
    s, p = _sigmoid(x), _softplus(x)
    # s / p and (1 - s) are all but equal far below 0.
    with mp.workdps(400):
        return s / p * (_sigmoid(-x) - _sigmoid(x) / _softplus(x))


def _log(factor: float, limit: float | None = 0) -> True_:
    parts = (lambda x: factor * mp.log(abs(x)), lambda x: factor / x, lambda x: -factor / x / x)
    return True_(*(parts if limit is None else (_above(p, limit) for p in parts)))


def _shifted_log(sign: int) -> True_:
    """log(1 + sign * x)."""
    parts = (lambda x: mp.log1p(sign * x), lambda x: sign / (1 + sign * x),
             lambda x: -1 / (1 + sign * x) ** 2)  # fmt: skip
    return True_(*((_above(p, -1) if sign > 0 else _below(p, 1)) for p in parts))


def _erfc(x: Mp) -> Mp:
    return mpf(0 if x > 0 else 2) if abs(x) > 200 else mp.erfc(x)


def _gauss(x: Mp) -> Mp:
    return mpf(0) if abs(x) > 1e4 else 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)


LOG_SIGMOID = True_(lambda x: -_softplus(-x), lambda x: _sigmoid(-x), lambda x: -_bell(x))
LOG_REST = True_(lambda x: -_softplus(x), lambda x: -_sigmoid(x), lambda x: -_bell(x))
SOFTPLUS = True_(_softplus, _sigmoid, _bell)
LOG1MEXP = True_(
    *(_below(f, 0) for f in (
        _log1mexp, lambda x: -_bose(-x),
        lambda x: -_bose(-x) * (1 + _bose(-x))))
)  # fmt: skip
LOG_EXPM1 = True_(
    *(_above(f, 0) for f in (
        lambda x: x + _log1mexp(-x), lambda x: 1 + _bose(x),
        lambda x: -_bose(x) * (1 + _bose(x))))
)  # fmt: skip
SIGMOID = True_(_sigmoid, _bell, lambda x: _bell(x) * (1 - 2 * _sigmoid(x)))
TANH = True_(mp.tanh, _sech2, lambda x: -2 * mp.tanh(x) * _sech2(x))
EXPM1 = True_(mp.expm1, mp.exp, mp.exp)
LESS_EXPM1 = True_(*(lambda x, f=f: -f(x) for f in (mp.expm1, mp.exp, mp.exp)))
ERFC = True_(_erfc, lambda x: -_gauss(x), lambda x: 2 * x * _gauss(x))
ABS = True_(abs, mp.sign, lambda x: mpf(0))
HYPOT = True_(
    lambda x: mp.hypot(1, x), lambda x: x / mp.hypot(1, x), lambda x: mp.hypot(1, x) ** -3
)
HUBER = True_(lambda x: x / ((mp.hypot(1, x) + 1) / x) if x else x, HYPOT.first, HYPOT.second)
LOG_SECH2 = True_(
    lambda x: mp.log1p(-(mp.tanh(x) ** 2)) if abs(x) < 1 else
    -2 * (abs(x) + mp.log1p(mp.expm1(-2 * abs(x)) / 2)),
    lambda x: -2 * mp.tanh(x), lambda x: -2 * _sech2(x),
)  # fmt: skip
LOG_SOFTPLUS = True_(
    lambda x: mp.log(_softplus(x)), lambda x: _sigmoid(x) / _softplus(x), _log_softplus_2
)
IDENTITY = True_(lambda x: x, lambda x: mpf(1), lambda x: mpf(0))

Form = Callable[[Any], Any]
FORMS: dict[str, tuple[Form, True_]] = {
    "log(sigmoid(x))": (lambda x: gc.log(gc.sigmoid(x)), LOG_SIGMOID),
    "log(1 / (1 + exp(-x)))": (lambda x: gc.log(1 / (1 + gc.exp(-x))), LOG_SIGMOID),
    "log(exp(x) / (1 + exp(x)))": (lambda x: gc.log(gc.exp(x) / (1 + gc.exp(x))), LOG_SIGMOID),
    "log(1 - sigmoid(x))": (lambda x: gc.log(1 - gc.sigmoid(x)), LOG_REST),
    "log1p(-sigmoid(x))": (lambda x: gc.log1p(-gc.sigmoid(x)), LOG_REST),
    "log(1 + exp(x))": (lambda x: gc.log(1 + gc.exp(x)), SOFTPLUS),
    "log1p(exp(x))": (lambda x: gc.log1p(gc.exp(x)), SOFTPLUS),
    "log(1 - exp(x))": (lambda x: gc.log(1 - gc.exp(x)), LOG1MEXP),
    "log1p(-exp(x))": (lambda x: gc.log1p(-gc.exp(x)), LOG1MEXP),
    "log(exp(x) - 1)": (lambda x: gc.log(gc.exp(x) - 1), LOG_EXPM1),
    "log(expm1(x))": (lambda x: gc.log(gc.expm1(x)), LOG_EXPM1),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + gc.exp(-x)), SIGMOID),
    "reciprocal(1 + exp(-x))": (lambda x: gc.reciprocal(1 + gc.exp(-x)), SIGMOID),
    "exp(-softplus(x))": (
        lambda x: gc.exp(-gc.softplus(x)),
        True_(
            lambda x: _sigmoid(-x),
            lambda x: -_bell(x),
            lambda x: _bell(x) * (2 * _sigmoid(x) - 1),
        ),
    ),
    "exp(x) / (1 + exp(x))": (lambda x: gc.exp(x) / (1 + gc.exp(x)), SIGMOID),
    "(exp(x) - exp(-x)) / (exp(x) + exp(-x))": (
        lambda x: (gc.exp(x) - gc.exp(-x)) / (gc.exp(x) + gc.exp(-x)), TANH),
    "exp(x) - 1": (lambda x: gc.exp(x) - 1, EXPM1),
    "-1 + exp(x)": (lambda x: -1 + gc.exp(x), EXPM1),
    "1 - exp(x)": (lambda x: 1 - gc.exp(x), LESS_EXPM1),
    "1 + tanh(x)": (
        lambda x: 1 + gc.tanh(x),
        True_(lambda x: 2 * _sigmoid(2 * x), TANH.first, TANH.second, steep=8.0),
    ),
    "1 - tanh(x)": (
        lambda x: 1 - gc.tanh(x),
        True_(lambda x: 2 * _sigmoid(-2 * x), lambda x: -TANH.first(x), lambda x: -TANH.second(x),
              steep=8.0),
    ),
    "1 - erf(x)": (lambda x: 1 - gc.erf(x), ERFC),
    "sqrt(square(x))": (lambda x: gc.sqrt(x**2), ABS),
    "sqrt(x * x)": (lambda x: gc.sqrt(x * x), ABS),
    "sqrt(1 + square(x))": (lambda x: gc.sqrt(1 + x**2), HYPOT),
    "sqrt(1 + x * x)": (lambda x: gc.sqrt(1 + x * x), HYPOT),
    "sqrt(1 + x * x) - 1": (lambda x: gc.sqrt(1 + x * x) - 1, HUBER),
    "log(1 - tanh(x) ** 2)": (lambda x: gc.log(1 - gc.tanh(x) ** 2), LOG_SECH2),
    "log(1 - tanh(x) * tanh(x))": (lambda x: gc.log(1 - gc.tanh(x) * gc.tanh(x)), LOG_SECH2),
    "log(softplus(x))": (lambda x: gc.log(gc.softplus(x)), LOG_SOFTPLUS),
    "log(square(x))": (lambda x: gc.log(x**2), _log(2, None)),
    "log(x * x)": (lambda x: gc.log(x * x), _log(2, None)),
    "log(x ** 3)": (lambda x: gc.log(x**3), _log(3)),
    "log(x ** 4)": (lambda x: gc.log(x**4), _log(4, None)),
    "log(sqrt(x))": (lambda x: gc.log(gc.sqrt(x)), _log(0.5)),
    "log(1 + x)": (lambda x: gc.log(1 + x), _shifted_log(1)),
    "log(1 - x)": (lambda x: gc.log(1 - x), _shifted_log(-1)),
    "log(exp(x))": (lambda x: gc.log(gc.exp(x)), IDENTITY),
}  # fmt: skip


def _points(dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        sizes = np.array(MAGNITUDES).astype(dtype)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return np.concatenate([sizes, -sizes])


def _true(function: Callable[[Mp], Mp], x: np.ndarray) -> np.ndarray:
    with mp.workdps(60):
        found = [function(mpf(float(v))) for v in x]
        return np.array([np.longdouble(mpmath.nstr(mpf(v), 25)) for v in found])


def _units(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Errors in units in the last place of the true value, or of the least normal number."""
    info = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        rounded = true.astype(found.dtype)
        size = np.maximum(np.abs(true), float(info.tiny))
        error = np.abs(found.astype(np.longdouble) - true) / (size * float(info.eps))
        near_top = np.abs(true) >= float(info.max) * (1 - 8 * float(info.eps))
    same = (found == rounded) | (np.isnan(found) & np.isnan(true)) | (near_top & np.isinf(found))
    return np.where(same, 0, np.where(np.isnan(error), np.inf, error)).astype(float)


def _slopes(x: Any, value: Any) -> list[Any]:
    first = gc.grad(gc.sum(value), x)
    return [value, first, gc.grad(gc.sum(first), x)]


def _moves(x: np.ndarray, derivative: np.ndarray, true: np.ndarray) -> np.ndarray:
    """What moving an operand by its last place makes, in units of the result."""
    eps = float(np.finfo(x.dtype).eps)
    with np.errstate(all="ignore"):
        moved = np.abs(x.astype(np.longdouble) * derivative) * eps
        units = moved / (np.maximum(np.abs(true), float(np.finfo(x.dtype).tiny)) * eps)
    return np.where(np.isfinite(units), units, 0).astype(float)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_two_derivatives_are_the_true_ones_compiled_and_interpreted(dtype: str) -> None:
    points = _points(dtype)
    x = gc.input("x", (len(points),), dtype)
    outputs = {name: _slopes(x, form(x)) for name, (form, _) in FORMS.items()}
    flat = [node for each in outputs.values() for node in each]
    compiled = gc.compile([x], flat)(points)
    interpreted = gc.interpret(gc.Graph.of("forms", [x], flat), points)
    faults = []
    for k, (name, (_, true)) in enumerate(FORMS.items()):
        parts = (true.value, true.first, true.second)
        exact = [_true(part, points) for part in parts]
        for order, results in enumerate(zip(compiled[3 * k :], interpreted[3 * k :])):
            if order == 3:
                break
            for way, found in zip(("compiled", "interpreted"), results):
                what = f"{name}, {way}, derivative {order}"
                faults += _faults(what, points, found, exact, order, true.steep)
    assert not faults, "\n".join(faults)


# Of a second derivative, what vanishes beside those nearby may be lost: sigmoid has s * (1 - s).
def _faults(what: str, x: Any, found: Any, exact: list[Any], order: int, steep: float) -> list[str]:
    units = _units(found, exact[order])
    allowed = 8 + (8 * _moves(x, exact[order + 1], exact[order]) if order < 2 else 0)
    least = 4 * steep * np.finfo(x.dtype).eps
    small = np.abs(found.astype(float) - exact[order].astype(float)) <= least
    outside = np.isnan(exact[0])
    bad = (units > allowed) & ~((order > 0) & (small | outside))
    bad &= ~(outside & ~np.isfinite(found))
    return [
        f"{what}: {found[p]!r} for {exact[order][p]!r} at {x[p]!r}" for p in np.flatnonzero(bad)
    ]


def _written(form: Form, points: np.ndarray) -> np.ndarray:
    """What the form itself gives, without any rule."""
    x = gc.input("x", points.shape, points.dtype)
    with config.override(skip="stabilise"):
        return gc.interpret(gc.Graph.of("form", [x], [form(x)]), points)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FORMS)
def test_no_value_is_further_from_the_true_one_than_the_written_form_s(
    name: str, dtype: str
) -> None:
    form, true = FORMS[name]
    points = _points(dtype)
    rng = np.random.default_rng(3)
    points = np.concatenate([points, rng.normal(0, 1, 60), rng.normal(0, 20, 60)]).astype(dtype)
    x = gc.input("x", points.shape, dtype)
    (found,) = gc.interpret(gc.Graph.of("form", [x], [form(x)]), points)
    exact = _true(true.value, points)
    slack = 3 + 2 * _moves(points, _true(true.first, points), exact)
    bad = (_units(found, exact) > _units(_written(form, points), exact) + slack) & ~np.isnan(exact)
    assert not bad.any(), (points[bad], found[bad], exact[bad])


def _fired(value: gc.Node, x: gc.Node) -> Counter[str]:
    fired: Counter[str] = Counter()
    graph, before = gc.Graph.of("form", [x], [value]), None
    while graph is not before:
        before, graph = graph, rewrite(graph, STABLE, fired)
    return fired


def test_every_rule_is_among_the_forms() -> None:
    x = gc.input("x", (3,))
    every = [form for form, _ in FORMS.values()] + [form for form, _ in ROWS.values()]
    every += [lambda x: gc.log(1 + gc.erf(x)), lambda x: x / (1 + gc.exp(-x))]
    every += [lambda x: x * (gc.exp(x) - gc.exp(-x)) / (gc.exp(x) + gc.exp(-x))]
    fired = sum((_fired(form(x), x) for form in every), Counter())
    assert fired.keys() == {rule.name for rule in STABLE}


def test_at_limits_forms_have_the_limits_of_their_functions() -> None:
    ends = np.array([np.inf, -np.inf, np.nan])
    x = gc.input("x", (3,), "float64")
    for name, (form, true) in FORMS.items():
        (found,) = gc.interpret(gc.Graph.of("form", [x], [form(x)]), ends)
        with mp.workdps(30):
            wanted = [float(true.value(mpf(f"{sign}1e400"))) for sign in ("", "-")]
        # What tends to an infinity slowly is finite there.
        wanted = [np.copysign(np.inf, w) if abs(w) > 100 else w for w in wanted]
        np.testing.assert_array_equal(found, [*wanted, np.nan], name)


# Functions of rows, by their definitions in mpmath.
def _mp_logsumexp(row: list[Mp]) -> Mp:
    top = max(row)
    return top + mp.log(mp.fsum(mp.exp(v - top) for v in row))


def _mp_softmax(row: list[Mp]) -> list[Mp]:
    total = _mp_logsumexp(row)
    return [mp.exp(v - total) for v in row]


def _mp_log_softmax(row: list[Mp]) -> list[Mp]:
    total = _mp_logsumexp(row)
    return [v - total for v in row]


WEIGHTS = [0.0, 0.25, 1.5]


def _mp_mixture(row: list[Mp]) -> Mp:
    return _mp_logsumexp([v + mp.log(w) for v, w in zip(row, WEIGHTS) if w])


def _mixture(x: Any) -> Any:
    return gc.log(gc.sum(gc.exp(x) * np.array(WEIGHTS, x.dtype.numpy), axis=-1))


ROWS: dict[str, tuple[Form, Callable[[list[Mp]], Any]]] = {
    "log(sum(exp(x)))": (lambda x: gc.log(gc.sum(gc.exp(x), axis=-1)), _mp_logsumexp),
    "log(mean(exp(x)))": (
        lambda x: gc.log(gc.mean(gc.exp(x), axis=-1)),
        lambda row: _mp_logsumexp(row) - mp.log(len(row))),
    "log(sum(exp(x) * w))": (_mixture, _mp_mixture),
    "log(prod(sigmoid(x)))": (
        lambda x: gc.log(gc.prod(gc.sigmoid(x), axis=-1)),
        lambda row: mp.fsum(-_softplus(-v) for v in row)),
    "exp(x) / sum(exp(x))": (
        lambda x: gc.exp(x) / gc.sum(gc.exp(x), axis=-1, keepdims=True), _mp_softmax),
    "exp(x) / (exp(x) + exp(-x))": (
        lambda x: gc.exp(x) / (gc.exp(x) + gc.exp(-x)),
        lambda row: [_sigmoid(2 * v) for v in row]),
    "log(exp(x) + exp(-x))": (
        lambda x: gc.log(gc.exp(x) + gc.exp(-x)),
        lambda row: [abs(v) + mp.log1p(mp.exp(-2 * abs(v))) for v in row]),
    "log(3 + exp(x))": (
        lambda x: gc.log(3 + gc.exp(x)),
        lambda row: [_mp_logsumexp([v, mp.log(3)]) for v in row]),
    "log(exp(x)**2 / exp(3 * x))": (
        lambda x: gc.log(gc.exp(x) ** 2 / gc.exp(3 * x)), lambda row: [-v for v in row]),
    "log(softmax(x))": (lambda x: gc.log(gc.softmax(x, -1)), _mp_log_softmax),
    "log(exp(x) / sum(exp(x)))": (
        lambda x: gc.log(gc.exp(x) / gc.sum(gc.exp(x), axis=-1, keepdims=True)), _mp_log_softmax),
    "x - log(sum(exp(x)))": (
        lambda x: x - gc.log(gc.sum(gc.exp(x), axis=-1, keepdims=True)), _mp_log_softmax),
    "x - logsumexp(x)": (
        lambda x: x - gc.logsumexp(x, -1, keepdims=True), _mp_log_softmax),
}  # fmt: skip
LEVELS = ("O0", "O1", "O2", "O3")


def _rows(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    rows = [rng.normal(0, scale, (6, 3)) for scale in (1, 30, 400)]
    extreme = [[800, 801, -900], [-900, -901, -902], [100, 0, -100], [0, 0, 0], [500, 500, 500]]
    return np.concatenate([*rows, np.array(extreme, float)]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_rows_values_and_slopes_are_the_true_ones(dtype: str) -> None:
    points = _rows(dtype)
    x = gc.input("x", points.shape, dtype)
    values = [form(x) for form, _ in ROWS.values()]
    slopes = [gc.grad(gc.sum(v * (1 + gc.arange(v.shape[-1], dtype=x.dtype))), x) for v in values]
    program = gc.compile([x], [*values, *slopes])
    for results in (program(points), gc.interpret(program, points)):
        for k, (name, (_, true)) in enumerate(ROWS.items()):
            exact, wanted = _exact_rows(true, points), _numeric_slopes(true, points)
            # An exponent is moved by its last place, which is large where it is.
            near = 2 * float(np.finfo(dtype).eps) * (2 + np.abs(points.astype(float)).max(1))
            off = np.abs(results[k].astype(float) - exact)
            relative = off / np.maximum(1, np.abs(exact))
            assert (relative.T - near <= 0).all(), name
            slope = results[len(ROWS) + k].astype(float)
            size = np.maximum(1, np.abs(wanted).max(1))
            assert (np.abs(slope - wanted).max(1) <= 8 * near * size).all(), name


def _exact_rows(true: Callable[[list[Mp]], Any], points: np.ndarray) -> np.ndarray:
    with mp.workdps(50):
        found = [true([mpf(float(v)) for v in row]) for row in points]
        return np.array(found).astype(float)


def _numeric_slopes(true: Callable[[list[Mp]], Any], points: np.ndarray) -> np.ndarray:
    """Differences in 200 digits of the sum that the test takes the gradient of."""

    def total(row: list[Mp], weights: np.ndarray) -> Mp:
        found = true(row)
        if not isinstance(found, list):
            return found * mpf(float(weights[0]))
        return mp.fsum(v * mpf(float(w)) for v, w in zip(found, weights))

    scalar = not isinstance(true([mpf(0)] * points.shape[1]), list)
    with mp.workdps(120):
        step, result = mpf("1e-50"), np.zeros(points.shape)
        for i, row in enumerate(points):
            at = [mpf(float(v)) for v in row]
            weights = np.full(3, i + 1.0) if scalar else 1 + np.arange(points.shape[1])
            for j in range(len(at)):
                up = [v + step * (k == j) for k, v in enumerate(at)]
                down = [v - step * (k == j) for k, v in enumerate(at)]
                result[i, j] = float((total(up, weights) - total(down, weights)) / (2 * step))
    return result


def test_every_level_and_the_reference_give_the_stable_value() -> None:
    x = gc.input("x", (2,))
    loss = gc.sum(gc.log(gc.sigmoid(x)))
    points = np.array([-200.0, 3.0], np.float32)
    for level in LEVELS:
        for target in ("cpu", "reference"):
            program = gc.compile([x], [loss, gc.grad(loss, x)], level=level, target=target)
            value, slope = program(points)
            np.testing.assert_allclose(value, -200.04858735, rtol=1e-6)
            np.testing.assert_allclose(slope, [1.0, 0.04742587], rtol=1e-6)


def test_a_gradient_by_what_a_rule_would_take_away_is_its_own() -> None:
    x = gc.input("x", (2,))
    p = gc.sigmoid(x)
    loss = gc.sum(gc.log(p))
    by_p, by_x = gc.grad(loss, [p, x])
    program = gc.compile([x], [by_p, by_x])
    found = program(np.array([0.0, 2.0], np.float32))
    np.testing.assert_allclose(found[0], [2.0, 1 + np.exp(-2)], rtol=1e-6)
    np.testing.assert_allclose(found[1], [0.5, 1 / (1 + np.exp(2))], rtol=1e-6)
    stopped = gc.grad(loss + gc.sum(x), x, consider_constant=[p])
    np.testing.assert_array_equal(gc.compile([x], stopped * x)(np.ones(2, np.float32)), 1)


def test_bodies_of_loops_are_stable_and_so_are_their_gradients() -> None:
    x = gc.input("x", (3,))
    total, _ = gc.scan(lambda s, v: (s + gc.log(gc.sigmoid(v)), s), gc.constant(0.0), x)
    program = gc.compile([x], [total, gc.grad(total, x)])
    value, slope = program(np.array([-200.0, 0.0, -300.0], np.float32))
    np.testing.assert_allclose(value, -500.6931472, rtol=1e-6)
    np.testing.assert_allclose(slope, [1.0, 0.5, 1.0], rtol=1e-6)


def test_a_traced_function_computes_what_eager_code_does() -> None:
    def f(x: gc.Tensor) -> gc.Tensor:
        return gc.log(gc.sigmoid(x))

    x = gc.tensor([-200.0, 1.0])
    np.testing.assert_array_equal(gc.jit.compile(f)(x).numpy(), f(x).numpy())


def test_the_pass_is_shown_and_can_be_left_out() -> None:
    x = gc.input("x", (2,))
    value = gc.log(gc.sigmoid(x))
    with config.override(skip="stabilise"):
        assert gc.compile([x], value)(np.full(2, -200, np.float32))[0] == -np.inf
    program = gc.compile([x], value)
    assert [name for name, _ in program.history[:2]] == ["traced", "stabilise"]


@pytest.mark.parametrize("name", FORMS)
def test_in_the_body_of_a_loop_a_slope_is_that_of_the_step(name: str) -> None:
    # Rules build parts of the body again, which are the body's own.
    form, x = FORMS[name][0], gc.input("x", (3,), gc.float64)
    at = np.array([-0.7, 0.3, 0.45])

    def slope(v: Any) -> Any:
        total: Any = gc.sum(form(v))
        return gc.grad(total, v)

    inside = gc.map(lambda v: slope(v + 0.1), gc.stack([x, x * 0.5]))
    outside = gc.stack([slope(x + 0.1), slope(x * 0.5 + 0.1)])
    program = gc.compile([x], [inside, outside], target="reference")
    found, wanted = program(at)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
