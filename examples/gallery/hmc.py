"""Hamiltonian Monte Carlo of a correlated normal distribution, leapfrog steps in a scan."""

import numpy as np

import graphc as gc

COVARIANCE = np.array([[1.0, 0.8], [0.8, 2.0]])


def main(chains=200, draws=100, leaps=10, size=0.3):
    gc.manual_seed(0)
    precision = gc.constant(np.linalg.inv(COVARIANCE))

    def energy(x):
        return 0.5 * gc.sum((x @ precision) * x, axis=1)

    def slope(x):
        return gc.grad(gc.sum(energy(x)), x)

    def leap(state, _):
        x, p = state
        p = p - size / 2 * slope(x)
        x = x + size * p
        return (x, p - size / 2 * slope(x)), None

    def draw(x, _):
        p = gc.randn_like(x)
        (new, end), _ = gc.scan(leap, (x, p), length=leaps)
        before = energy(x) + 0.5 * gc.sum(p * p, axis=1)
        after = energy(new) + 0.5 * gc.sum(end * end, axis=1)
        taken = gc.rand_like(before) < gc.exp(before - after)
        x = gc.where(taken[:, None], new, x)
        return x, x

    _, path = gc.scan(draw, gc.zeros((chains, 2), gc.float64), length=draws)
    samples = gc.compile([], path)()[draws // 5 :].reshape(-1, 2)
    print(f"mean {samples.mean(0).round(2)}, covariance\n{np.cov(samples.T).round(2)}")
    return samples


if __name__ == "__main__":
    main()
