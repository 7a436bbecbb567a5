"""Ordinary losses as they are written first, at extreme logits: right, and so are their gradients.

One text is run by graphc in float32 and by mpmath in 600 digits, where nothing over- or underflows:
the written form itself is the truth there, its gradient by differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import graphc as gc

X = np.array([[-300.0, 5.0, 200.0], [120.0, -90.5, 0.5], [-0.25, 1.0, 2.0]], np.float32)
T = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
S = 2 * T - 1
Y = np.array([[1.0, 3.0, 0.5], [2.0, 0.25, 4.0], [0.75, 1.5, 1.0]])
K = np.array([[1], [0], [2]])
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
Loss = Callable[[Any, Any], Any]

GC: Any = SimpleNamespace(
    exp=gc.exp, log=gc.log, log1p=gc.log1p, expm1=gc.expm1, sqrt=gc.sqrt, tanh=gc.tanh,
    sigmoid=gc.sigmoid, softplus=gc.softplus, softmax=gc.softmax, sum=gc.sum, mean=gc.mean,
    prod=gc.prod, abs=gc.abs, maximum=gc.maximum, lgamma=gc.lgamma, erf=gc.erf, where=gc.where,
    max=gc.max, take=lambda x, k: gc.take_along_axis(x, k, 1), logsumexp=gc.logsumexp,
    T=T.astype(np.float32), S=S.astype(np.float32), Y=Y.astype(np.float32),
)  # fmt: skip


def _each(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return np.frompyfunc(function, 1, 1)


def _mp_softmax(x: Any, axis: int) -> Any:
    e = _each(mp.exp)(x)
    return e / e.sum(axis=axis, keepdims=True)


MP: Any = SimpleNamespace(
    exp=_each(mp.exp), log=_each(mp.log), log1p=_each(lambda v: mp.log(1 + v)),
    expm1=_each(lambda v: mp.exp(v) - 1), sqrt=_each(mp.sqrt), tanh=_each(mp.tanh),
    sigmoid=_each(lambda v: 1 / (1 + mp.exp(-v))), softplus=_each(lambda v: mp.log(1 + mp.exp(v))),
    softmax=_mp_softmax, sum=np.sum, mean=np.mean, prod=np.prod, abs=np.abs, maximum=np.maximum,
    lgamma=_each(mp.loggamma), erf=_each(mp.erf), where=np.where, max=np.max,
    take=lambda x, k: np.take_along_axis(x, k, 1),
    logsumexp=lambda x, axis, keepdims=False: MP.log(
        MP.exp(x).sum(axis=axis, keepdims=keepdims)),
    T=T, S=S, Y=Y,
)  # fmt: skip


def _kl_of_logits(m: Any, x: Any) -> Any:
    p, q = m.softmax(x, 1), m.softmax(x * 0.5, 1)
    return m.sum(p * (m.log(p) - m.log(q)))


def _mixture(m: Any, x: Any) -> Any:
    weights = m.softmax(x * 0.1, 1)
    return -m.mean(m.log(m.sum(weights * m.exp(-0.5 * (x - m.Y) ** 2), axis=1)))


def _focal(m: Any, x: Any) -> Any:
    p = m.sigmoid(x)
    return -m.mean(m.T * (1 - p) ** 2 * m.log(p) + (1 - m.T) * p**2 * m.log(1 - p))


def _squashed(m: Any, x: Any) -> Any:
    return m.mean(0.5 * x**2 + m.log(1 - m.tanh(x) ** 2))


def _two_classes(m: Any, x: Any) -> Any:
    return -m.mean(m.log(m.exp(x) / (m.exp(x) + m.exp(-x))))


def _contrastive(m: Any, x: Any) -> Any:
    e = m.exp(x / 0.5)
    return -m.mean(m.log(m.take(e, K) / m.sum(e, axis=1, keepdims=True)))


def _listwise(m: Any, x: Any) -> Any:
    e = m.exp(x)
    return m.sum(m.log(m.sum(e, axis=1)) - m.log(m.sum(e * m.T, axis=1)))


def _beta(m: Any, x: Any) -> Any:
    p = m.sigmoid(x)
    return -m.mean(m.Y * m.log(p) + (3 - 1) * m.log(1 - p))


def _margin(m: Any, x: Any) -> Any:
    return m.mean(m.log(1 + m.exp(m.maximum(x, 0 * x) * m.S)))


LOSSES: dict[str, Loss] = {
    "binary cross-entropy": lambda m, x: -m.mean(
        m.T * m.log(m.sigmoid(x)) + (1 - m.T) * m.log(1 - m.sigmoid(x))),
    "binary cross-entropy, sigmoid written out": lambda m, x: -m.mean(
        m.T * m.log(1 / (1 + m.exp(-x))) + (1 - m.T) * m.log(1 - 1 / (1 + m.exp(-x)))),
    "binary cross-entropy, log1p": lambda m, x: -m.mean(
        m.T * m.log(m.sigmoid(x)) + (1 - m.T) * m.log1p(-m.sigmoid(x))),
    "logistic": lambda m, x: m.mean(m.log(1 + m.exp(-m.S * x))),
    "logistic, log1p": lambda m, x: m.mean(m.log1p(m.exp(-m.S * x))),
    "logistic, of signs": lambda m, x: -m.sum(m.log(m.sigmoid(m.S * x))),
    "exp over one and exp": lambda m, x: -m.sum(m.log(m.exp(x) / (1 + m.exp(x)))),
    "cross-entropy of softmax": lambda m, x: -m.sum(m.T * m.log(m.softmax(x, 1))),
    "cross-entropy of chosen": lambda m, x: -m.mean(m.log(m.take(m.softmax(x, 1), K))),
    "cross-entropy of a masked sum": lambda m, x: -m.sum(
        m.log(m.sum(m.softmax(x, 1) * m.T, axis=1))),
    "masked softmax": lambda m, x: m.sum(
        m.exp(x - m.max(x, axis=1, keepdims=True)) * (1 - m.T)
        / m.sum(m.exp(x - m.max(x, axis=1, keepdims=True)) * (1 - m.T), axis=1, keepdims=True)
        * m.Y),
    "cross-entropy, softmax written out": lambda m, x: -m.sum(
        m.T * m.log(m.exp(x) / m.sum(m.exp(x), axis=1, keepdims=True))),
    "cross-entropy by log-sum-exp": lambda m, x: m.sum(m.log(m.sum(m.exp(x), axis=1)))
    - m.sum(m.T * x),
    "cross-entropy, less log-sum-exp": lambda m, x: -m.sum(
        m.T * (x - m.log(m.sum(m.exp(x), axis=1, keepdims=True)))),
    "cross-entropy with temperature": lambda m, x: -m.sum(m.T * m.log(m.softmax(x / 2.5, 1))),
    "label smoothing": lambda m, x: -m.sum((0.9 * m.T + 0.1 / 3) * m.log(m.softmax(x, 1))),
    "entropy of softmax": lambda m, x: -m.sum(m.softmax(x, 1) * m.log(m.softmax(x, 1))),
    "entropy of sigmoid": lambda m, x: -m.sum(
        m.sigmoid(x) * m.log(m.sigmoid(x)) + (1 - m.sigmoid(x)) * m.log(1 - m.sigmoid(x))),
    "divergence of two softmaxes": _kl_of_logits,
    "expected cost under softmax": lambda m, x: m.sum(m.softmax(x, 1) * m.Y),
    "expected cost, written out": lambda m, x: m.sum(
        m.sum(m.exp(x) * m.Y, axis=1) / m.sum(m.exp(x), axis=1)),
    "attention of a row": lambda m, x: m.sum(
        m.exp(x) / m.sum(m.exp(x), axis=1, keepdims=True) * m.Y),
    "focal": _focal,
    "margin, softplus": _margin,
    "squared hinge": lambda m, x: m.mean(m.maximum(1 - m.S * x, 0 * x) ** 2),
    "hinge": lambda m, x: m.mean(m.maximum(1 - m.S * x, 0 * x)),
    "pseudo-Huber": lambda m, x: m.mean(m.sqrt(1 + (x - m.Y) ** 2) - 1),
    "Charbonnier": lambda m, x: m.mean(m.sqrt((x - m.Y) ** 2 + 1e-4)),
    "absolute by root": lambda m, x: m.mean(m.sqrt((x - m.Y) * (x - m.Y))),
    "log-cosh written out": lambda m, x: m.mean(m.log((m.exp(x) + m.exp(-x)) / 2)),
    "two classes written out": _two_classes,
    "quantile": lambda m, x: m.mean(m.maximum(0.3 * (m.Y - x), -0.7 * (m.Y - x))),
    "Poisson of softplus": lambda m, x: m.mean(m.softplus(x) - m.Y * m.log(m.softplus(x))),
    "Poisson of log rates": lambda m, x: m.mean(m.exp(x * 0.1) - m.Y * m.log(m.exp(x * 0.1))),
    "negative binomial": lambda m, x: -m.mean(
        m.Y * m.log(m.sigmoid(x)) + 3 * m.log(1 - m.sigmoid(x))),
    "geometric": lambda m, x: -m.mean(m.log(m.sigmoid(x)) + m.Y * m.log(1 - m.sigmoid(x))),
    "complementary log-log": lambda m, x: -m.mean(m.log(1 - m.exp(-m.exp(x * 0.05)))),
    "survival of one": lambda m, x: -m.mean(m.log(1 - m.exp(-m.softplus(x)))),
    "exponential density": lambda m, x: -m.mean(m.log(m.exp(x) * m.exp(-m.exp(x * 0.01) * m.Y))),
    "Gaussian density": lambda m, x: -m.mean(
        m.log(m.exp(-0.5 * (x - m.Y) ** 2) / math.sqrt(2 * math.pi))),
    "Gaussian density, scales": lambda m, x: -m.mean(
        m.log(m.exp(-0.5 * (m.Y / m.exp(x * 0.05)) ** 2) / (m.exp(x * 0.05) * 2.5))),
    "Gaussian, product of densities": lambda m, x: -m.sum(
        m.log(m.prod(m.exp(-0.5 * (x - m.Y) ** 2), axis=1))),
    "likelihood, product of chances": lambda m, x: -m.sum(m.log(m.prod(m.sigmoid(x), axis=1))),
    "Gaussian mixture": lambda m, x: -m.mean(
        m.log(m.sum(m.exp(-0.5 * (x - m.Y) ** 2) * 0.4 / 3, axis=1))),
    "Gaussian mixture, softmax weights": _mixture,
    "responsibilities": lambda m, x: m.sum(
        m.exp(-0.5 * (x - m.Y) ** 2)
        / m.sum(m.exp(-0.5 * (x - m.Y) ** 2), axis=1, keepdims=True) * m.Y),
    "Laplace density": lambda m, x: -m.mean(m.log(0.5 * m.exp(-m.abs(x - m.Y)))),
    "logistic density": lambda m, x: -m.mean(m.log(m.exp(-x) / (1 + m.exp(-x)) ** 2)),
    "Cauchy": lambda m, x: m.mean(m.log(1 + (x - m.Y) ** 2)),
    "Student's t": lambda m, x: m.mean(
        m.lgamma(m.softplus(x) + 1.5) * 0 + 2 * m.log(1 + (x - m.Y) ** 2 / 3)),
    "beta density": _beta,
    "gamma density": lambda m, x: m.mean(
        m.lgamma(m.softplus(x) + 0.5) - m.softplus(x) * m.log(m.Y + 0 * x) + m.Y),
    "Dirichlet": lambda m, x: m.mean(
        m.sum(m.lgamma(m.softplus(x) + 0.5), axis=1)
        - m.lgamma(m.sum(m.softplus(x) + 0.5, axis=1))),
    "divergence of a variational posterior": lambda m, x: -0.5 * m.mean(
        1 + m.log(m.exp(x * 0.1)) - m.Y**2 - m.exp(x * 0.1)),
    "squashed Gaussian": _squashed,
    "contrastive": _contrastive,
    "listwise": _listwise,
    "pairwise ranking": lambda m, x: -m.sum(m.log(m.sigmoid(x[:, :1] - x[:, 1:]))),
    "mean of exponentials": lambda m, x: m.sum(m.log(m.mean(m.exp(x), axis=1))),
    "soft maximum of magnitudes": lambda m, x: m.sum(m.log(1 + m.sum(m.exp(x), axis=1))),
    "noise-contrastive": lambda m, x: -m.mean(
        m.log(m.exp(x) / (m.exp(x) + 5)) * m.T + (1 - m.T) * m.log(5 / (m.exp(x) + 5))),
    "probit, far": lambda m, x: -m.mean(m.log(0.5 * (1 + m.erf(m.S * x * 0.01)))),
    "gated": lambda m, x: m.mean(x * (1 / (1 + m.exp(-x)))),
    "gated, written out": lambda m, x: m.mean(x / (1 + m.exp(-x))),
    "tanh written out": lambda m, x: m.mean(
        m.Y * (m.exp(x) - m.exp(-x)) / (m.exp(x) + m.exp(-x))),
    "log of a ratio of softmaxes": lambda m, x: m.sum(
        m.log(m.take(m.softmax(x, 1), K) / m.take(m.softmax(2 * x, 1), K))),
    "softplus squared": lambda m, x: m.mean(m.log(1 + m.exp(x)) ** 2),
}  # fmt: skip


def _true(loss: Loss) -> tuple[float, np.ndarray]:
    """The value and the gradient, of the text itself in many digits."""
    with mp.workdps(600):
        at = np.array([[mpf(float(v)) for v in row] for row in X], object)
        step, slopes = mpf(10) ** -150, np.zeros(X.shape)
        for place in np.ndindex(*X.shape):
            near = []
            for sign in (1, -1):
                moved = at.copy()
                moved[place] += sign * step
                near.append(loss(MP, moved))
            slopes[place] = float((near[0] - near[1]) / (2 * step))
        return float(loss(MP, at)), slopes


@pytest.fixture(scope="module")
def compiled() -> dict[str, tuple[Any, Any]]:
    x = gc.input("x", X.shape)
    outputs = {name: list(gc.value_and_grad(loss(GC, x), x)) for name, loss in LOSSES.items()}
    return gc.compile([x], [v for pair in outputs.values() for v in pair])(X)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_as_it_is_written_and_its_gradient_are_right(name: str, compiled: Any) -> None:
    place = 2 * list(LOSSES).index(name)
    found, slopes = compiled[place : place + 2]
    value, wanted = _true(LOSSES[name])
    np.testing.assert_allclose(found, value, rtol=3e-6, atol=1e-6)
    size = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(slopes, wanted, rtol=3e-5, atol=1e-6 * size)
