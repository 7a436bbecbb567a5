"""Distributions: densities beside SciPy's, everything beside PyTorch's, compiled as eager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import graphc as gc

R = np.random.default_rng(0)


def _near(*shape: int) -> np.ndarray:
    return R.standard_normal(shape).astype("f")


def _above(*shape: int) -> np.ndarray:
    return (R.random(shape) + 0.3).astype("f")


FACTOR = (np.tril(_near(3, 3)) * 0.3 + np.eye(3)).astype("f")
DATA = {
    "a": _near(3), "b": _above(3), "c": _near(3), "d": _above(3), "m": _near(2, 3),
    "p": (R.random(3) * 0.8 + 0.1).astype("f"), "q": (R.random(3) * 0.8 + 0.1).astype("f"),
    "w": _above(2, 4), "v": _above(2, 4), "n": _near(3), "L": FACTOR, "C": FACTOR @ FACTOR.T,
    "M": (np.tril(_near(3, 3)) * 0.3 + np.eye(3)).astype("f"), "x": _near(3), "y": _above(3),
    "u": (R.random(3) * 0.8 + 0.1).astype("f"),
}  # fmt: skip
FIXED = {
    "k": np.array([0, 1, 2], "f"), "z": np.array([0, 1, 1], "f"), "i": np.array([1, 3]),
    "s": np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.4, 0.1]], "f"),
    "h": np.eye(4, dtype="f")[[1, 2]], "t": np.array([[1, 0, 2, 0], [0, 0, 0, 3]], "f"),
}  # fmt: skip
# A distribution, a value, and another distribution for the divergence.
CASES = [
    ("Normal(a, b)", "x", "Normal(c, d)"),
    ("Normal(0.0, 1.0)", "x", None),
    ("Laplace(a, b)", "x", "Laplace(c, d)"),
    ("Cauchy(a, b)", "x", None),
    ("Gumbel(a, b)", "x", None),
    ("Uniform(a - 2, a + 3)", "a + 1", "Uniform(a - 3, a + 4)"),
    ("Exponential(b)", "y", "Exponential(d)"),
    ("Gamma(b, d)", "y", "Gamma(d, b)"),
    ("Chi2(b)", "y", None),
    ("Beta(b, d)", "u", "Beta(d, b)"),
    ("StudentT(b + 2, a, d)", "x", None),
    ("HalfNormal(b)", "y", None),
    ("LogNormal(a, b)", "y", "LogNormal(c, d)"),
    ("Bernoulli(p)", "z", "Bernoulli(q)"),
    ("Bernoulli(logits=a)", "z", "Bernoulli(logits=c)"),
    ("Geometric(p)", "k", "Geometric(q)"),
    ("Binomial(4, p)", "k", "Binomial(4, q)"),
    ("Poisson(b)", "k", "Poisson(d)"),
    ("Categorical(w)", "i", "Categorical(v)"),
    ("Categorical(logits=w)", "i", "Categorical(logits=v)"),
    ("OneHotCategorical(w)", "h", "OneHotCategorical(v)"),
    ("Multinomial(3, w)", "t", None),
    ("MultivariateNormal(m, scale_tril=L)", "x", "MultivariateNormal(n, scale_tril=M)"),
    ("MultivariateNormal(m, C)", "x", None),
    ("Dirichlet(w)", "s", "Dirichlet(v)"),
    ("Independent(Normal(m, b), 1)", "x", "Independent(Normal(n, d).expand((2, 3)), 1)"),
    ("MixtureSameFamily(Categorical(b), Normal(a, d))", "x[0]", None),
    ("TransformedDistribution(Normal(a, b), [AffineTransform(c, -d), SigmoidTransform()])",
     "u", None),
    ("TransformedDistribution(Independent(Normal(a, b), 1), [TanhTransform()])", "u", None),
]  # fmt: skip
ASKED: dict[str, Callable[[Any, Any], Any]] = {
    "log_prob": lambda d, x: d.log_prob(x), "mean": lambda d, x: d.mean,
    "mode": lambda d, x: d.mode, "variance": lambda d, x: d.variance,
    "stddev": lambda d, x: d.stddev, "entropy": lambda d, x: d.entropy(),
    "perplexity": lambda d, x: d.perplexity(), "cdf": lambda d, x: d.cdf(x),
    "probs": lambda d, x: d.probs, "logits": lambda d, x: d.logits,
    "covariance_matrix": lambda d, x: d.covariance_matrix,
    "enumerate_support": lambda d, x: d.enumerate_support(),
    "batch": lambda d, x: tuple(d.batch_shape), "event": lambda d, x: tuple(d.event_shape),
    "drawn": lambda d, x: tuple(d.sample((5,)).shape),
}  # fmt: skip


def _names(library: Any, make: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    found = {n: getattr(library.distributions, n) for n in gc.distributions.__all__
             if hasattr(library.distributions, n)}  # fmt: skip
    found |= {n: make(v) for n, v in {**DATA, **FIXED}.items()}
    for name in DATA:
        found[name].requires_grad_()
    return found


# What is not there: the incomplete gamma function, and sums over all counts.
LACKING = {"Gamma": ("cdf",), "Chi2": ("cdf",), "Multinomial": ("entropy", "perplexity")}


def _answers(library: Any, make: Any, case: Any) -> dict[str, tuple[Any, Any]]:
    """What a distribution answers, and the gradients of it."""
    text, value, other = case
    found: dict[str, tuple[Any, Any]] = {}
    lacking = LACKING.get(text.split("(")[0], ())
    asked = {name: ask for name, ask in ASKED.items() if name not in lacking}
    if other is not None:
        asked["kl"] = lambda d, x: names["kl_divergence"](d, eval(other, names))
    for name, ask in asked.items():
        names = _names(library, make)
        try:
            answer = ask(eval(text, names), eval(value, names))
        except (NotImplementedError, AttributeError):
            continue
        grads = {}
        if getattr(answer, "requires_grad", False):
            answer.sum().backward()
            grads = {n: names[n].grad for n in DATA if names[n].grad is not None}
        found[name] = answer, {n: g.numpy() for n, g in grads.items()}
    return found


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_distributions_answer_as_pytorchs(case: Any) -> None:
    torch = pytest.importorskip("torch", reason="every answer is compared with PyTorch's")
    own, theirs = _answers(gc, gc.tensor, case), _answers(torch, torch.tensor, case)
    assert own.keys() >= theirs.keys()
    for name, (answer, grads) in theirs.items():
        got, own_grads = own[name]
        if isinstance(answer, tuple):
            assert got == answer, name
            continue
        assert repr(got.dtype).split(".")[1] == repr(answer.dtype).split(".")[1]
        values, wanted = got.detach().numpy(), answer.detach().numpy()
        np.testing.assert_allclose(values, wanted, 3e-5, 3e-6, err_msg=name)
        for n, grad in grads.items():
            mine = own_grads.get(n, np.zeros_like(grad))
            np.testing.assert_allclose(mine, grad, 3e-4, 3e-5, err_msg=f"{name} by {n}")


D = gc.distributions
SCIPYS = [
    (D.Normal(0.5, 2.0), scipy.stats.norm(0.5, 2.0)),
    (D.Laplace(0.5, 2.0), scipy.stats.laplace(0.5, 2.0)),
    (D.Cauchy(0.5, 2.0), scipy.stats.cauchy(0.5, 2.0)),
    (D.Gumbel(0.5, 2.0), scipy.stats.gumbel_r(0.5, 2.0)),
    (D.Uniform(-1.0, 3.0), scipy.stats.uniform(-1.0, 4.0)),
    (D.Exponential(2.0), scipy.stats.expon(scale=0.5)),
    (D.Gamma(3.0, 2.0), scipy.stats.gamma(3.0, scale=0.5)),
    (D.Beta(2.0, 3.0), scipy.stats.beta(2.0, 3.0)),
    (D.StudentT(5.0, 0.5, 2.0), scipy.stats.t(5.0, 0.5, 2.0)),
    (D.HalfNormal(2.0), scipy.stats.halfnorm(scale=2.0)),
    (D.LogNormal(0.5, 0.8), scipy.stats.lognorm(0.8, scale=np.exp(0.5))),
    (D.Bernoulli(0.3), scipy.stats.bernoulli(0.3)),
    (D.Binomial(5, 0.3), scipy.stats.binom(5, 0.3)),
    (D.Geometric(0.3), scipy.stats.geom(0.3, loc=-1)),
    (D.Poisson(3.0), scipy.stats.poisson(3.0)),
    (D.Categorical(gc.tensor([1.0, 3.0, 4.0])), scipy.stats.rv_discrete(
        values=(range(3), (0.125, 0.375, 0.5)))),
]  # fmt: skip


@pytest.mark.parametrize(("own", "theirs"), SCIPYS, ids=lambda d: type(d).__name__)
def test_draws_and_densities_are_those_of_the_distribution(own: Any, theirs: Any) -> None:
    gc.manual_seed(3)
    drawn = own.sample((2000,)).numpy()
    dense = theirs.logpmf if hasattr(theirs, "pmf") and not hasattr(theirs, "pdf") else None
    is_discrete = isinstance(theirs.support()[0], (int, np.integer)) or dense is not None
    log = theirs.logpmf if is_discrete and hasattr(theirs, "logpmf") else theirs.logpdf
    found = own.log_prob(gc.from_numpy(drawn[:50])).numpy()
    np.testing.assert_allclose(found, log(drawn[:50].astype(float)), 2e-4, 2e-5)
    if is_discrete:
        for value in np.unique(drawn)[:3]:
            assert abs((drawn == value).mean() - np.exp(log(float(value)))) < 0.05
    else:
        assert scipy.stats.kstest(drawn, theirs.cdf).pvalue > 1e-4


def test_a_policy_compiled_is_the_eager_one() -> None:
    def loss(mean: Any, log_std: Any, logits: Any, action: Any, chosen: Any) -> Any:
        d, which = D.Normal(mean, log_std.exp()), D.Categorical(logits=logits)
        drawn = d.rsample()
        rest = which.entropy().mean() + D.kl_divergence(d, D.Normal(0.0, 1.0)).mean()
        return (d.log_prob(action).sum(-1) + which.log_prob(chosen)).mean() + rest + drawn.mean()

    given = [gc.from_numpy(_near(4, 2)) for _ in range(2)] + [gc.from_numpy(_near(4, 3))]
    given += [gc.from_numpy(_near(4, 2)), gc.tensor([0, 2, 1, 1])]
    results = []
    for run in (loss, gc.jit.compile(loss)):
        gc.manual_seed(0)
        leaves = [x.clone().requires_grad_() for x in given[:3]]
        value = run(*leaves, *given[3:])
        value.backward()
        results.append([value.detach(), *(x.grad for x in leaves)])
    for eager, compiled in zip(*results):
        gc.testing.assert_close(compiled, eager)


def test_wrong_parameters_and_values_are_refused() -> None:
    with pytest.raises(gc.errors.ArgumentError, match="scale has a value that is not positive"):
        D.Normal(0.0, -1.0)
    with pytest.raises(gc.errors.ArgumentError, match="the value has a value that is not boolean"):
        D.Bernoulli(0.5).log_prob(gc.tensor(0.5))
    with pytest.raises(gc.errors.ArgumentError, match="either probs or logits"):
        D.Categorical()
    with pytest.raises(gc.errors.GradientError, match="no gradient"):
        D.Gamma(1.0, 1.0).rsample()
    with pytest.raises(NotImplementedError, match="kl_divergence of Normal and Gamma"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Gamma(1.0, 1.0))
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
