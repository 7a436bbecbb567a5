"""Solvers: linear systems and fixed points by hand, and equations stepped in time."""

from typing import Any

from .corpus import bits, normal, positive, program


def _solved(m, matrix, right):
    """A small system by elimination, without a search for pivots."""
    size = right.shape[0]
    table = m.concatenate([matrix, m.expand_dims(right, 1)], axis=1)
    rows = [table[i] for i in range(size)]
    for i in range(size):
        rows[i] = rows[i] / rows[i][i]
        for j in range(size):
            if j != i:
                rows[j] = rows[j] - rows[i] * rows[j][i]
    return m.stack([row[size] for row in rows])


@program(large={"d": 4}, rough=10.0, x=normal("n d"), y=bits("n"), w=normal("d"))
def reweighted_least_squares(m, x, y, w):
    y = m.as_float(y, x)
    for _ in range(2):
        p = m.sigmoid(x @ w)
        curve = m.transpose(x) @ (x * m.expand_dims(p * (1 - p), 1)) + m.eye(4, x)
        w = w + _solved(m, curve, m.transpose(x) @ (y - p) - w)
    return w, m.mean(m.softplus(x @ w) - y * (x @ w))


@program(x=normal("n d"), y=normal("n"), z=normal("d"), dual=normal("d"), rho=positive())
def alternating_directions_for_the_lasso(m, x, y, z, dual, rho):
    gram = m.transpose(x) @ x + rho * m.eye(z.shape[0], x)
    step, w = 1 / m.sqrt(m.sum(gram * gram)), 0 * z
    for _ in range(3):
        w = w - step * (gram @ w - m.transpose(x) @ y - rho * (z - dual))
        moved = w + dual
        z = m.sign(moved) * m.relu(m.abs(moved) - 0.1 / rho)
        dual = moved - z
    return w, z, dual, m.sum(m.abs(z))


@program(
    symbolic=None, sizes={"n": 4}, large={"n": 4},
    x=normal("n 2"), y=normal("n"), scale=positive(), at=normal("m 2"),
)  # fmt: skip
def gaussian_process_by_cholesky(m, x, y, scale, at):
    def kernel(a, b):
        gaps = (m.expand_dims(a, 1) - m.expand_dims(b, 0)) / scale
        return m.exp(-0.5 * m.sum(gaps**2, axis=2))

    gram = kernel(x, x) + 0.1 * m.eye(4, x)
    lower: dict[tuple[int, int], Any] = {}
    for i in range(4):
        for j in range(i + 1):
            rest = gram[i, j] - sum(lower[i, k] * lower[j, k] for k in range(j))
            lower[i, j] = m.sqrt(rest) if i == j else rest / lower[j, j]
    half: list[Any] = []
    solved: list[Any] = [None] * 4
    for i in range(4):
        half.append((y[i] - sum(lower[i, k] * half[k] for k in range(i))) / lower[i, i])
    for i in reversed(range(4)):
        later = sum(lower[k, i] * solved[k] for k in range(i + 1, 4))
        solved[i] = (half[i] - later) / lower[i, i]
    weights = m.stack(solved)
    evidence = -0.5 * m.sum(y * weights) - sum(m.log(lower[i, i]) for i in range(4))
    return kernel(at, x) @ weights, evidence


@program(x=normal("n d"), w=normal("d d", 0.5), b=normal("d"))
def neural_equation_by_runge_kutta(m, x, w, b):
    def speed(t, h):
        return m.tanh(h @ w + b * t)

    traces = []
    for t in (0.0, 0.5):
        k1 = speed(t, x)
        k2 = speed(t + 0.25, x + 0.25 * k1)
        k3 = speed(t + 0.25, x + 0.25 * k2)
        k4 = speed(t + 0.5, x + 0.5 * k3)
        x = x + (k1 + 2 * k2 + 2 * k3 + k4) / 12
        traces.append(m.sum((1 - k1 * k1) * m.diagonal(w), axis=1))
    return x, m.stack(traces, 1)


@program(a=normal("n 3 d"), b=normal("n 3 d"), rough=10.0)
def alignment_by_polar_iteration(m, a, b):
    a, b = (part - m.mean(part, axis=1, keepdims=True) for part in (a, b))
    turn = m.einsum("nij,nik->njk", a, b)
    turn = turn / m.sqrt(m.sum(turn * turn, axis=(1, 2), keepdims=True) + 1e-3)
    for _ in range(2):
        turn = 1.5 * turn - 0.5 * turn @ m.transpose(turn, (0, 2, 1)) @ turn
    return turn, m.sum((a @ turn - b) ** 2, axis=(1, 2))
