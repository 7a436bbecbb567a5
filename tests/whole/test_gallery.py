"""The gallery's programs give what NumPy, SciPy and PyTorch give for the same task.

They run by the reference here, which compiles nothing; `slow` runs them natively.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, linalg, optimize, special
from scipy.cluster.vq import kmeans2
from scipy.stats import norm

import graphc as gc

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples" / "gallery"
close = np.testing.assert_allclose
# What a program is called with here, and what holds of its results.
CHECKS: dict[str, tuple[dict[str, Any], Callable[[Any], None]]] = {}


def _check(**sizes: Any) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def enter(function: Callable[[Any], None]) -> Callable[[Any], None]:
        CHECKS[function.__name__] = sizes, function
        return function

    return enter


@_check(samples=60, features=4, steps=20)
def logistic_regression(found: Any) -> None:
    w, b, x, t = np.zeros(4), 0.0, found["data"], found["labels"]
    for _ in range(20):
        error = special.expit(x @ w + b) - t
        w, b = w - 0.1 * (x.T @ error / 60 + 0.02 * w), b - 0.1 * error.mean()
    close(found["w"], w, rtol=1e-9)
    close(found["b"], b, rtol=1e-9)


@_check(samples=60, steps=20)
def softmax_regression(found: Any) -> None:
    w = velocity = np.zeros_like(found["w"])
    x, hot = found["data"], np.eye(4)[found["labels"]]
    for _ in range(20):
        slope = x.T @ (special.softmax(x @ w, 1) - hot) / 60 + 0.002 * w
        velocity = 0.9 * velocity - 0.1 * slope
        w = w + velocity
    close(found["w"], w, rtol=1e-9)


@_check(samples=40, steps=4)
def contractive_autoencoder(found: Any) -> None:
    (w, b, c), x = found["start"], found["data"]

    def loss(w: Any, b: Any, c: Any) -> tuple[float, float]:
        h = special.expit(x @ w + b)
        z = special.expit(h @ w.T + c)
        entropy = -(x * np.log(z) + (1 - x) * np.log(1 - z)).sum(1).mean()
        norm = (((h * (1 - h)) ** 2) @ (w**2).sum(0)).mean()
        return entropy + 0.1 * norm, norm

    cut, shape = (w.size, w.size + b.size), w.shape

    def at(v: Any) -> float:
        return loss(v[: cut[0]].reshape(shape), v[cut[0] : cut[1]], v[cut[1] :])[0]

    for k in range(4):
        value, norm = loss(w, b, c)
        close(found["losses"][k], value, rtol=1e-9)
        close(found["norms"][k], norm, rtol=1e-9)
        flat = np.concatenate([p.ravel() for p in (w, b, c)])
        steps = 1e-6 * np.eye(flat.size)
        flat = flat - 0.1 * np.array([(at(flat + e) - at(flat - e)) / 2e-6 for e in steps])
        w, b, c = np.split(flat, cut)
        w = w.reshape(shape)
    close(found["w"], w, rtol=1e-5, atol=1e-8)


@_check(samples=60, epochs=2)
def minibatches(found: Any) -> None:
    x, t = found["images"], found["labels"]
    w, b, losses = np.zeros((4, 3)), np.zeros(3), []
    for k in [*range(3), *range(3)]:
        xs, hot = x[20 * k : 20 * k + 20], np.eye(3)[t[20 * k : 20 * k + 20]]
        scores = xs @ w + b
        losses.append(-(special.log_softmax(scores, 1) * hot).sum(1).mean())
        error = (special.softmax(scores, 1) - hot) / 20
        w, b = w - 0.5 * xs.T @ error, b - 0.5 * error.sum(0)
    close(found["losses"], losses, rtol=1e-9)
    close(found["w"], w, rtol=1e-9)
    assert found["right"] == ((x @ w + b).argmax(1) == t).mean()
    close(found["loss"], -special.log_softmax(x @ w + b, 1)[np.arange(60), t].mean(), rtol=1e-9)


def _torch_model(torch: Any, layers: Any, start: Any) -> Any:
    model = torch.nn.Sequential(*layers)
    model.load_state_dict({k: torch.tensor(v) for k, v in start.items()})
    return model


def _torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def _trained(torch: Any, optimizer: Any, loss_of: Callable[[Any], Any], given: Any) -> list[float]:
    losses = []
    for each in given:
        optimizer.zero_grad()
        loss = loss_of(each)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@_check(samples=40, steps=10)
def mlp(found: Any) -> None:
    torch = _torch()
    nn = torch.nn
    layers = nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
    model = _torch_model(torch, layers, found["start"])
    x, t = torch.tensor(found["data"]), torch.tensor(found["labels"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = lambda _: nn.functional.cross_entropy(model(x), t)  # noqa: E731
    close(found["losses"], _trained(torch, optimizer, loss, range(10)), rtol=1e-4)


@_check(samples=16, steps=4)
def lenet(found: Any) -> None:
    torch = _torch()
    nn = torch.nn
    layers = (
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 2),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    model = _torch_model(torch, layers, found["start"])
    x, t = map(torch.tensor, _load("lenet").pictures(16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)

    def loss(step: int) -> Any:
        if step:
            schedule.step()
        return nn.functional.cross_entropy(model(x), t)

    close(found["losses"], _trained(torch, optimizer, loss, range(4)), rtol=1e-3)
    for name, value in model.state_dict().items():
        close(found["state"][name].detach().numpy(), value.numpy(), rtol=2e-2, atol=2e-4)


@_check(samples=20, steps=5)
def denoising_autoencoder(found: Any) -> None:
    torch = _torch()
    w, b, c = (torch.tensor(v, requires_grad=True) for v in found["start"])
    x = torch.tensor(found["data"])

    def loss(mask: Any) -> Any:
        code = torch.sigmoid((x * torch.tensor(mask)) @ w + b)
        again = torch.sigmoid(code @ w.T + c)
        return torch.nn.functional.binary_cross_entropy(again, x, reduction="sum") / len(x)

    losses = _trained(torch, torch.optim.SGD([w, b, c], lr=0.5), loss, found["masks"])
    close(found["losses"], losses, rtol=1e-7)
    close(found["w"], w.detach().numpy(), rtol=1e-6)
    assert not np.array_equal(found["masks"][0], found["masks"][1])
    assert abs(np.mean(found["masks"]) - 0.7) < 0.05


@_check(samples=16, steps=5)
def vae(found: Any) -> None:
    torch = _torch()
    nn = torch.nn
    encoder = nn.Linear(8, 4)
    encoder.load_state_dict({k: torch.tensor(v) for k, v in found["start"]["encoder"].items()})
    layers = nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 8)
    decoder = _torch_model(torch, layers, found["start"]["decoder"])
    x = torch.tensor(found["data"])

    def loss(noise: Any) -> Any:
        mean, spread = encoder(x).chunk(2, 1)
        again = decoder(mean + torch.exp(spread / 2) * torch.tensor(noise))
        normal = torch.distributions.Normal
        there = normal(mean, torch.exp(spread / 2))
        divergence = torch.distributions.kl_divergence(there, normal(0.0, 1.0)).sum()
        return (((x - again) ** 2).sum() + divergence) / len(x)

    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    close(found["losses"], _trained(torch, optimizer, loss, found["noise"]), rtol=1e-3)
    assert not np.array_equal(found["noise"][0], found["noise"][1])


@_check(batch=8, steps=3)
def gan(found: Any) -> None:
    torch = _torch()
    nn = torch.nn
    layers = {
        "generator": (nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)),
        "critic": (nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1)),
    }
    made = {k: _torch_model(torch, each, found["start"][k]) for k, each in layers.items()}
    generator, critic = made["generator"], made["critic"]
    forge, judge = (
        torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.5, 0.9)) for m in (generator, critic)
    )
    rng = np.random.default_rng(5)
    soft = nn.functional.softplus
    losses = []
    for _ in range(3):
        real = torch.tensor((rng.standard_normal((8, 2)) * 0.5 + [2, -1]).astype("f"))
        z = torch.tensor(rng.standard_normal((2, 8, 2)).astype("f"))
        judged = lambda z, real=real: (  # noqa: E731
            soft(-critic(real)).mean() + soft(critic(generator(z))).mean()
        )
        wanted = lambda z: soft(-critic(generator(z))).mean()  # noqa: E731
        losses.append(_trained(torch, judge, judged, z[:1]) + _trained(torch, forge, wanted, z[1:]))
    close(found["losses"], losses, rtol=1e-4)


@_check(words=12, steps=6)
def word2vec(found: Any) -> None:
    u, v = found["first"].copy(), np.zeros_like(found["v"])
    for centre, context, other in found["batches"]:
        near = (special.expit((u[centre] * v[context]).sum(1)) - 1) / 16
        far = special.expit((u[centre][:, None] * v[other]).sum(2)) / 16
        gu, gv = np.zeros_like(u), np.zeros_like(v)
        np.add.at(gu, centre, near[:, None] * v[context] + (far[..., None] * v[other]).sum(1))
        np.add.at(gv, context, near[:, None] * u[centre])
        np.add.at(gv, other, far[..., None] * u[centre][:, None])
        u, v = u - 0.5 * gu, v - 0.5 * gv
    close(found["u"], u, rtol=1e-9)
    close(found["v"], v, rtol=1e-9, atol=1e-15)


@_check(length=6, hidden=8, steps=4)
def lstm_chars(found: Any) -> None:
    torch = _torch()
    nn, letters = torch.nn, len(set(_load("lstm_chars").TEXT))

    class Model(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(letters, 8)
            self.lstm = nn.LSTM(8, 8, batch_first=True)
            self.out = nn.Linear(8, letters)

    model = Model()
    model.load_state_dict({k: torch.tensor(v) for k, v in found["start"].items()})
    codes = torch.tensor(found["windows"])

    def loss(_: int) -> Any:
        logits = model.out(model.lstm(model.embedding(codes[:, :-1]))[0])
        return nn.functional.cross_entropy(logits.flatten(0, 1), codes[:, 1:].flatten())

    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    close(found["losses"], _trained(torch, optimizer, loss, range(4)), rtol=1e-4)


@_check(length=5)
def gru_by_scan(found: Any) -> None:
    torch = _torch()
    gru = torch.nn.GRU(3, 5, dtype=torch.float64)
    names = {"wi": "weight_ih_l0", "wh": "weight_hh_l0", "bi": "bias_ih_l0", "bh": "bias_hh_l0"}
    gru.load_state_dict({names[k]: torch.tensor(v) for k, v in found["weights"].items()})
    states, last = gru(torch.tensor(found["data"]))
    loss = (states**2).sum()
    loss.backward()
    close(found["last"], last[0].detach().numpy(), rtol=1e-9)
    close(found["loss"], loss.item(), rtol=1e-9)
    close(found["grads"], gru.weight_ih_l0.grad.numpy(), rtol=1e-8)


@_check(users=8, items=6, epochs=2, batch=5)
def matrix_factorisation(found: Any) -> None:
    p, q = (v.copy() for v in found["first"])
    for i, j in np.concatenate([found["seen"]] * 2).transpose(0, 2, 1):
        error = 2 * ((p[i] * q[j]).sum(1) - found["ratings"][i, j])[:, None]
        gp, gq = np.zeros_like(p), np.zeros_like(q)
        np.add.at(gp, i, error * q[j] + 0.02 * p[i])
        np.add.at(gq, j, error * p[i] + 0.02 * q[j])
        p, q = p - 0.2 * gp, q - 0.2 * gq
    close(found["p"], p, rtol=1e-9)
    close(found["q"], q, rtol=1e-9)


@_check(samples=40, steps=5)
def gaussian_mixture(found: Any) -> None:
    x, weight, var = found["data"], np.full(3, 1 / 3), np.ones((3, 2))
    mean = x[:3]
    for k in range(5):
        logs = np.log(weight) + norm.logpdf(x[:, None], mean, np.sqrt(var)).sum(2)
        close(found["likelihood"][k], special.logsumexp(logs, 1).sum(), rtol=1e-9)
        shares = special.softmax(logs, 1)
        weight = shares.sum(0) / len(x)
        mean = shares.T @ x / shares.sum(0)[:, None]
        var = shares.T @ x**2 / shares.sum(0)[:, None] - mean**2 + 1e-6
    close(found["mean"], mean, rtol=1e-8)
    close(found["weight"], weight, rtol=1e-8)


@_check(pages=12)
def pagerank(found: Any) -> None:
    links = found["links"] / found["links"].sum(1, keepdims=True)
    values, vectors = np.linalg.eig(0.85 * links.T + 0.15 / 12)
    best = np.real(vectors[:, np.argmax(np.real(values))])
    close(found["rank"], best / best.sum(), rtol=1e-8)


@_check(width=20, height=9, limit=15)
def mandelbrot(found: Any) -> None:
    c = np.linspace(-2.2, 0.8, 20) + 1j * np.linspace(-1.2, 1.2, 9)[:, None]
    want = np.zeros(c.shape, int)
    for place in np.ndindex(*c.shape):
        z: Any = 0j
        while want[place] < 15 and abs(z := z * z + c[place]) <= 2:
            want[place] += 1
    assert np.array_equal(found, want)


@_check(points=11, steps=30)
def heat_equation(found: Any) -> None:
    step = np.eye(11)
    for k in range(1, 10):
        step[k, k - 1 : k + 2] += 0.4 * np.array([1, -2, 1])
    power = np.linalg.matrix_power(step, 30)
    close(found["last"], power @ found["first"], rtol=1e-9, atol=1e-12)
    close(found["source"], power[5], rtol=1e-9, atol=1e-15)


@_check(steps=100, end=5.0)
def rk4(found: Any) -> None:
    slope = lambda _, y: [y[1], -np.sin(y[0]) - 0.1 * y[1]]  # noqa: E731
    exact = integrate.solve_ivp(slope, (0, 5), [2.0, 0.0], rtol=1e-10, atol=1e-12).y[:, -1]
    close(found[-1], exact, rtol=1e-5)


@_check(points=10, steps=10)
def lotka_volterra(found: Any) -> None:
    def path(theta: np.ndarray) -> np.ndarray:
        a, b, c, d = theta
        slope = lambda _, y: [a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]]  # noqa: E731
        times = found["times"]
        return integrate.solve_ivp(slope, (0, 3), [5, 2], t_eval=times, rtol=1e-9, atol=1e-9).y.T

    exact = path(found["truth"])
    close(found["seen"], exact[1:], rtol=2e-2)
    first = np.mean((path(np.array([1.0, 0.5, 0.2, 0.5]))[1:] - exact[1:]) ** 2)
    close(found["losses"][0], first, rtol=5e-2)
    assert found["losses"][-1] < 0.9 * found["losses"][0]


@_check(size=3)
def newton(found: Any) -> None:
    close(found["point"], 1, rtol=1e-9)
    place = np.linspace(-1, 1, 3)
    close(found["slope"], optimize.rosen_der(place), rtol=1e-9)
    close(found["hessian"], optimize.rosen_hess(place), rtol=1e-9)


@_check(samples=12)
def gaussian_process(found: Any) -> None:
    kernel = lambda a, b: np.exp(-0.5 * (a[:, None] - b) ** 2)  # noqa: E731
    x, z = found["seen"], found["wanted"]
    inverse = linalg.cho_solve(linalg.cho_factor(kernel(x, x) + 0.01 * np.eye(12)), found["values"])
    close(found["mean"], kernel(z, x) @ inverse, rtol=1e-6)


@_check(samples=8, solver_steps=4, steps=4)
def neural_ode(found: Any) -> None:
    torch = _torch()
    nn = torch.nn
    field = _torch_model(torch, (nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2)), found["start"])
    x, t = torch.tensor(found["data"]), torch.tensor(found["target"])

    def loss(_: int) -> Any:
        y = x
        for _ in range(4):
            y = y + 0.25 * field(y + 0.125 * field(y))
        return ((y - t) ** 2).mean()

    optimizer = torch.optim.Adam(field.parameters(), lr=0.02)
    close(found["losses"], _trained(torch, optimizer, loss, range(4)), rtol=1e-4)


@_check(batch=50, steps=25)
def policy_gradient(found: Any) -> None:
    for before, picked, paid, after, mean in found["history"]:
        chances = special.softmax(before)
        slope = ((np.eye(4)[picked] - chances) * (paid - paid.mean())[:, None]).mean(0)
        close(after, before + 0.3 * slope, rtol=1e-9, atol=1e-12)
        close(mean, paid.mean(), rtol=1e-12)
    first, second = (each[1] for each in found["history"][:2])
    assert not np.array_equal(first, second)
    assert found["history"][-1][4] > found["history"][0][4] + 0.1


@_check(chains=400, steps=150)
def metropolis(found: Any) -> None:
    assert abs(found.mean() - (0.3 * -2 + 0.7 * 1)) < 0.15
    assert abs(found.var() - (1 + 0.3 * 0.7 * 9)) < 0.35


@_check(chains=300, draws=40)
def hmc(found: Any) -> None:
    close(found.mean(0), 0, atol=0.1)
    close(np.cov(found.T), _load("hmc").COVARIANCE, atol=0.2)


@_check(length=6)
def viterbi(found: Any) -> None:
    def score(path: tuple[int, ...]) -> float:
        value = found["first"][path[0]] + found["show"][path[0], found["seen"][0]]
        for a, b, symbol in zip(path, path[1:], found["seen"][1:]):
            value += found["move"][a, b] + found["show"][b, symbol]
        return float(value)

    best = max(itertools.product(range(3), repeat=6), key=score)
    assert tuple(found["path"]) == best
    close(found["best"], score(best), rtol=1e-12)


@_check(length=5)
def hmm_forward(found: Any) -> None:
    logs, paths = [], [*itertools.product(range(3), repeat=5)]
    for path in paths:
        moves = sum(found["move"][a, b] for a, b in itertools.pairwise(path))
        logs.append(found["first"][path[0]] + moves + found["likely"][range(5), path].sum())
    close(found["value"], special.logsumexp(logs), rtol=1e-12)
    chances = special.softmax(logs)
    want = [[chances[[p[t] == k for p in paths]].sum() for k in range(3)] for t in range(5)]
    close(found["posterior"], want, rtol=1e-9)


@_check(length=12)
def kalman(found: Any) -> None:
    # The same by conditioning one large normal distribution of all that was seen.
    module = _load("kalman")
    power = [np.linalg.matrix_power(module.MOVE, k) for k in range(13)]
    shocks = [np.eye(2)] + [module.DRIFT] * 12
    cov = lambda i, j: sum(  # noqa: E731
        power[i - k] @ shocks[k] @ power[j - k].T for k in range(min(i, j) + 1)
    )
    seen = found["seen"]
    joint = np.array([[cov(i, j)[0, 0] for j in range(1, 13)] for i in range(1, 13)])
    joint += module.NOISE * np.eye(12)
    last = np.stack([cov(12, j)[:, 0] for j in range(1, 13)], 1)
    close(found["means"][-1], last @ np.linalg.solve(joint, seen), rtol=1e-8)
    density = -0.5 * (seen @ np.linalg.solve(joint, seen) + np.linalg.slogdet(2 * np.pi * joint)[1])
    close(found["evidence"], density, rtol=1e-9)


@_check(samples=40)
def kmeans(found: Any) -> None:
    centres, own = kmeans2(found["data"], found["data"][:4].copy(), iter=50, minit="matrix")
    close(found["centres"], centres, rtol=1e-9)
    assert np.array_equal(found["own"], own)


@_check(samples=20, steps=4)
def rbm(found: Any) -> None:
    x = found["data"]
    for (w, b, c), end, _, new in found["history"]:
        hidden, ended = special.expit(x @ w + c), special.expit(end @ w + c)
        slopes = x.T @ hidden - end.T @ ended, (x - end).sum(0), (hidden - ended).sum(0)
        for old, slope, value in zip((w, b, c), slopes, new):
            close(value, old + 0.2 * slope / 20, rtol=1e-8, atol=1e-12)
    ends = [end for _, end, _, _ in found["history"]]
    assert set(np.unique(ends)) == {0.0, 1.0} and not np.array_equal(ends[0], ends[1])


@_check(samples=30, turns=200)
def power_iteration_pca(found: Any) -> None:
    values, vectors = np.linalg.eigh(np.cov(found["data"].T))
    close(found["sizes"], values[::-1][:3], rtol=1e-5)
    along = np.abs(found["ways"] @ vectors[:, ::-1][:, :3])
    close(along, np.eye(3), atol=1e-3)


@_check(samples=20, steps=10)
def adam_by_hand(found: Any) -> None:
    torch = _torch()
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    x, y = torch.tensor(found["data"]), torch.tensor(found["target"])
    loss = lambda _: ((x @ w + b - y) ** 2).mean()  # noqa: E731
    losses = _trained(torch, torch.optim.Adam([w, b], lr=0.05), loss, range(10))
    close(found["losses"], losses, rtol=1e-9)
    close(found["w"], w.detach().numpy(), rtol=1e-7)


@_check(sequences=5, features=3, units=4)
def ragged_sequences(found: Any) -> None:
    rows, means = [], []
    for x, length, last in zip(found["data"], found["lengths"], found["last"]):
        h = np.zeros(4)
        for step in x[:length]:
            h = np.tanh(step @ found["w"] + h @ found["u"])
        close(last, h, rtol=1e-5, atol=1e-6)
        rows += [*x[:length]]
        means.append(x[:length].sum(0) / max(length, 1))
    close(found["packed"], rows, rtol=1e-6)
    close(found["means"], means, rtol=1e-5, atol=1e-6)


@_check(words=15, k=6, p=0.6, draws=50)
def nucleus_sampling(found: Any) -> None:
    best = np.argsort(-found["logits"])[:6]
    shares = special.softmax(found["logits"][best])
    count = int(np.searchsorted(np.cumsum(shares), 0.6)) + 1
    assert found["candidates"].tolist() == best[:count].tolist() and 1 < count < 6
    close(found["probabilities"], shares[:count] / shares[:count].sum(), rtol=1e-12)
    edges = np.cumsum(found["probabilities"])
    drawn = [best[int((u >= edges[:-1]).sum())] for u in found["uniform"]]
    assert found["tokens"].tolist() == drawn


@_check(states=5, width=3, steps=4)
def beam_search(found: Any) -> None:
    paths = [(score, [k]) for k, score in enumerate(found["first"])]
    for _ in range(5):
        paths = sorted(paths, key=lambda way: -way[0])[:3]
        kept, move = paths, found["table"]
        paths = [(s + move[way[-1], k], [*way, k]) for s, way in paths for k in range(5)]
    close(found["scores"], [score for score, _ in kept], rtol=1e-12)
    assert found["paths"].tolist() == [way for _, way in kept]


@_check(points=40, outliers=10, rounds=3)
def ransac(found: Any) -> None:
    x, y, line = found["x"], found["y"], np.zeros(2)
    for width in np.geomspace(20.0, 0.5, 3):
        (used,) = np.nonzero(np.abs(y - line[0] - line[1] * x) < width)
        line = np.polyfit(x[used], y[used], 1)[::-1]
    assert found["used"].tolist() == used.tolist() and 2 < len(used) < 40
    close(found["line"], line, rtol=1e-9)


@_check(rate=30.0, cells=5)
def poisson_arrivals(found: Any) -> None:
    times = np.cumsum(found["gaps"])
    times = times[times < 1]
    close(found["arrived"], times, rtol=1e-12)
    counts, _ = np.histogram(times, 5, (0, 1))
    assert found["counts"].tolist() == counts.tolist()
    assert found["busy"].tolist() == np.flatnonzero(counts).tolist()
    assert found["sizes"].tolist() == counts[counts > 0].tolist()
    assert found["busy"][found["inverse"]].tolist() == np.repeat(np.arange(5), counts).tolist()
    assert found["rows"].tolist() == np.stack([counts, counts], 1).tolist()


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"gallery_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", CHECKS)
def test_a_program_gives_what_others_give(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes, check = CHECKS[name]
    with gc.config.override(device="reference"):
        check(_load(name).main(**sizes))
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_a_compiled_program_gives_what_others_give(name: str) -> None:
    sizes, check = CHECKS[name]
    check(_load(name).main(**sizes))


def test_the_gallery_is_checked_and_short() -> None:
    paths = sorted(FOLDER.glob("*.py"))
    assert [path.stem for path in paths] == sorted(CHECKS) and len(paths) >= 25
    assert max(len(path.read_text().splitlines()) for path in paths) < 60
