"""Gaussian process regression; the linear system by conjugate gradients in a while loop."""

import numpy as np

import graphc as gc


def main(samples=25, tests=7, noise=0.1):
    rng = np.random.default_rng(11)
    seen = np.sort(rng.uniform(-3, 3, samples))
    values, wanted = np.sin(seen) + noise * rng.standard_normal(samples), np.linspace(-2, 2, tests)

    x, y = (gc.input(name, (gc.dim("n"),), gc.float64) for name in "xy")
    z = gc.input("z", (gc.dim("m"),), gc.float64)

    def kernel(a, b):
        return gc.exp(-0.5 * (a[:, None] - b[None, :]) ** 2)

    system = kernel(x, x) + noise**2 * gc.eye(x.shape[0], dtype=gc.float64)

    def turn(state):
        solution, rest, way, size, count = state
        along = system @ way
        step = size / gc.sum(way * along)
        solution, rest = solution + step * way, rest - step * along
        new = gc.sum(rest * rest)
        return solution, rest, rest + new / size * way, new, count + 1

    start = (gc.zeros_like(y), y, y, gc.sum(y * y), gc.constant(0))
    solution, *_, count = gc.while_loop(lambda s: (s[3] > 1e-24) & (s[4] < 500), turn, start)
    mean, turns = gc.compile([x, y, z], [kernel(z, x) @ solution, count])(seen, values, wanted)
    print(f"{turns} turns; error {np.abs(mean - np.sin(wanted)).max():.3f}")
    return {"seen": seen, "values": values, "wanted": wanted, "mean": mean, "noise": noise}


if __name__ == "__main__":
    main()
