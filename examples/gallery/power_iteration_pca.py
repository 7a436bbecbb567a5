"""Principal components by power iteration with deflation."""

import numpy as np

import graphc as gc


def main(samples=100, features=6, components=3, turns=300):
    rng = np.random.default_rng(19)
    data = rng.standard_normal((samples, features)) * np.arange(1, features + 1)
    x = gc.input("x", (gc.dim("n"), features), gc.float64)
    centred = x - gc.mean(x, axis=0)
    cov = centred.T @ centred / (x.shape[0] - 1)
    ways, sizes = [], []
    for _ in range(components):

        def turn(v, _, cov=cov):
            v = cov @ v
            return v / gc.sqrt(gc.sum(v * v)), None

        way, _ = gc.scan(turn, gc.ones((features,), gc.float64), length=turns)
        size = way @ cov @ way
        cov = cov - size * way[:, None] * way
        ways.append(way)
        sizes.append(size)
    found = gc.compile([x], {"ways": gc.stack(ways), "sizes": gc.stack(sizes)})(data)
    print(f"variances {found['sizes'].round(3)}")
    return {**found, "data": data}


if __name__ == "__main__":
    main()
