"""Loops of many small steps beside JAX's: scalars, small states, recurrent cells, and gradients.

    python tests/benchmarks/loops.py [case ...]

Each case is written once, over `m`: graphc, or JAX's functions under the same names. Results are
compared before anything is timed; on one processor, in one process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["GRAPHC_THREADS"] = "1"

import numpy as np
from measure import paired
from peers import jax_function

import graphc as gc

RNG = np.random.default_rng(0)
STEPS = 10_000


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal float32 numbers."""
    return (scale * RNG.standard_normal(shape)).astype(np.float32)


def newton(m: Any, x: Any) -> Any:
    """A while loop over two scalars, which ends by its counter."""
    return m.while_loop(
        lambda s: s[0] < STEPS, lambda s: (s[0] + 1, s[1] - 0.1 * (s[1] - x / s[1])), (0, x)
    )[1]


def collatz(m: Any, x: Any) -> Any:
    """A while loop of integers, which ends by its value."""
    return m.while_loop(
        lambda s: s[1] != 1,
        lambda s: (s[0] + 1, m.where(s[1] % 2 == 0, s[1] // 2, 3 * s[1] + 1)),
        (0, x),
    )[0]


def logistic(m: Any, r: Any) -> Any:
    """A scan over one scalar, whose values are kept."""
    return m.scan(lambda c, _: (r * c * (1 - c), c), r * 0.1, length=STEPS)[1]


def filtered(m: Any, a: Any, x: Any) -> Any:
    """A scan over a scalar and a sequence of scalars."""
    return m.scan(lambda c, v: (c * a + v, m.tanh(c)), a, x)[1]


def oscillator(m: Any, y: Any) -> Any:
    """Runge and Kutta's method for a state of four."""

    def slope(y: Any) -> Any:
        return m.stack([y[1], -m.sin(y[0]), y[3], -y[2] - 0.1 * y[3]])

    def step(y: Any, _: Any) -> Any:
        h = 0.01
        a = slope(y)
        b = slope(y + h / 2 * a)
        c = slope(y + h / 2 * b)
        d = slope(y + h * c)
        return y + h / 6 * (a + 2 * b + 2 * c + d), y

    return m.scan(step, y, length=1000)[1]


def kalman(m: Any, f: Any, h: Any, z: Any) -> Any:
    """Kalman's filter, a state of four and one measured number a step."""

    def step(carry: Any, z: Any) -> Any:
        x, p = carry
        x, p = f @ x, f @ p @ f.T + 0.01 * m.eye(4)
        gain = p @ h / (h @ p @ h + 0.5)
        x = x + gain * (z - h @ x)
        return (x, p - m.outer(gain, h @ p)), x

    return m.scan(step, (h * 0.0, m.eye(4)), z)[1]


def viterbi(m: Any, moves: Any, scores: Any) -> Any:
    """The best path through 8 states, forward and back."""

    def forward(best: Any, score: Any) -> Any:
        ways = best[:, None] + moves
        return m.max(ways, axis=0) + score, m.argmax(ways, axis=0)

    last, back = m.scan(forward, scores[0], scores[1:])
    end = m.argmax(last, axis=0)
    return m.scan(lambda k, row: (row[k], k), end, back, reverse=True)[1]


def hmc(m: Any, q: Any, noise: Any, uniform: Any) -> Any:
    """Hamiltonian Monte Carlo on a banana of two numbers: eight leaps a step, each by gradient."""

    def energy(q: Any) -> Any:
        return 0.5 * q[0] * q[0] + 2.0 * (q[1] - q[0] * q[0]) ** 2

    def leap(state: Any, _: Any) -> Any:
        q, p = state
        p = p - 0.05 * m.grad(energy, q)
        q = q + 0.1 * p
        return (q, p - 0.05 * m.grad(energy, q)), None

    def step(q: Any, drawn: Any) -> Any:
        p, u = drawn
        new, moved = m.scan(leap, (q, p), None, length=8)[0]
        before, after = energy(q) + 0.5 * m.sum(p * p), energy(new) + 0.5 * m.sum(moved * moved)
        q = m.where(m.log(u) < before - after, new, q)
        return q, q

    return m.scan(step, q, (noise, uniform))[1]


def rnn(m: Any, w: Any, u: Any, x: Any) -> Any:
    """A recurrent cell of 16 for one sequence."""
    return m.scan(lambda h, v: (m.tanh(h @ w + v @ u), h), x[0] * 0.0, x)[0]


def lstm(m: Any, w: Any, x: Any) -> Any:
    """A long short-term memory of 32 for eight sequences."""

    def step(carry: Any, v: Any) -> Any:
        h, c = carry
        z = m.concatenate([h, v], axis=1) @ w
        i, f, g, o = (z[:, 32 * k : 32 * k + 32] for k in range(4))
        c = c / (1 + m.exp(-f)) + m.tanh(g) / (1 + m.exp(-i))
        return (m.tanh(c) / (1 + m.exp(-o)), c), None

    zeros = x[0] * 0.0
    return m.scan(step, (zeros, zeros), x)[0][0]


def of_sum(function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a function's sum by its first argument."""

    def run(m: Any, *values: Any) -> Any:
        return m.grad(lambda *given: m.sum(function(m, *given)), *values)

    return run


def cases() -> dict[str, tuple[Callable[..., Any], list[np.ndarray], int]]:
    """Each case: the function, its arguments, and its number of steps."""
    one = np.float32(2.0)
    turn = np.eye(4, dtype=np.float32) + 0.1 * np.eye(4, k=1, dtype=np.float32)
    recurrent = [normal(16, 16, scale=0.2), normal(16, 16, scale=0.2), normal(1000, 1, 16)]
    return {
        "while, scalar": (newton, [np.asarray(one)], STEPS),
        "while, integers": (collatz, [np.asarray(6171, np.int32)], 261),
        "scan, scalar": (logistic, [np.float32(3.7) + np.zeros((), np.float32)], STEPS),
        "scan, sequence": (filtered, [np.asarray(np.float32(0.9)), normal(STEPS)], STEPS),
        "scan, sequence, gradient": (
            of_sum(filtered), [np.asarray(np.float32(0.9)), normal(STEPS)], STEPS
        ),
        "RK4": (oscillator, [normal(4)], 1000),
        "RK4, gradient": (of_sum(oscillator), [normal(4)], 1000),
        "Kalman": (kalman, [turn, normal(4), normal(1000)], 1000),
        "Kalman, gradient": (of_sum(kalman), [turn, normal(4), normal(1000)], 1000),
        "Viterbi": (viterbi, [normal(8, 8), normal(1000, 8)], 2000),
        "HMC": (hmc, [normal(2), normal(1000, 2), RNG.uniform(size=1000).astype("f4")], 8000),
        "RNN, 16": (rnn, recurrent, 1000),
        "RNN, 16, gradient": (of_sum(rnn), recurrent, 1000),
        "LSTM, 8 x 32": (lstm, [normal(64, 128, scale=0.2), normal(200, 8, 32)], 200),
        "LSTM, 8 x 32, gradient": (
            of_sum(lstm), [normal(64, 128, scale=0.2), normal(200, 8, 32)], 200
        ),
    }  # fmt: skip


def ours(function: Callable[..., Any], arrays: list[np.ndarray]) -> Any:
    """graphc's program of a case."""

    def grad(f: Callable[..., Any], *nodes: Any) -> Any:
        return gc.grad(f(*nodes), [nodes[0]])[0]

    names = {n: getattr(gc, n, None) for n in dir(gc)}
    m = SimpleNamespace(**{**names, "grad": grad})
    inputs = [gc.input(f"x{k}", a.shape, str(a.dtype)) for k, a in enumerate(arrays)]
    return gc.compile(inputs, function(m, *inputs))


def theirs(function: Callable[..., Any]) -> Callable[[Any, Any], Callable[..., Any]]:
    """JAX's function of a case."""

    def make(jax: Any, jnp: Any) -> Callable[..., Any]:
        def grad(f: Callable[..., Any], *values: Any) -> Any:
            return jax.grad(f)(*values)

        names = {n: getattr(jnp, n) for n in dir(jnp)}
        names |= {"scan": jax.lax.scan, "while_loop": jax.lax.while_loop, "grad": grad}
        return lambda *values: function(SimpleNamespace(**names), *values)

    return make


def main() -> None:
    """Print a table of the cases named, or of all."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| case | graphc | jax.jit | a step of graphc | graphc / JAX |\n|---|---|---|---|---|")
    for name, (function, arrays, steps) in cases().items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        program = ours(function, arrays)
        contenders: dict[str, Callable[[], object]] = {
            "graphc": lambda program=program, arrays=arrays: program(*arrays)  # type: ignore[misc]
        }
        for peer, (call, results) in jax_function(theirs(function), *arrays).items():
            (wanted,) = results()
            np.testing.assert_allclose(program(*arrays), wanted, rtol=2e-3, atol=1e-4)
            contenders[peer] = call
        times = paired(contenders, rounds=9, target_s=0.02)
        mine, peer_s = times["graphc"], times.get("jax.jit")
        print(
            f"| {name} | {mine * 1e6:.1f} µs | "
            + (f"{peer_s * 1e6:.1f} µs" if peer_s else "not installed")
            + f" | {mine / steps * 1e9:.1f} ns | "
            + (f"{mine / peer_s:.2f} |" if peer_s else "|"),
            flush=True,
        )


if __name__ == "__main__":
    main()
