"""A mixture of Gaussians by expectation maximisation, all iterations in one `gc.scan`."""

import numpy as np

import graphc as gc


def main(samples=150, components=3, steps=25):
    rng = np.random.default_rng(9)
    centres = np.array([[0.0, 0], [4, 1], [-2, 5]])
    data = centres[rng.integers(0, 3, samples)] + rng.standard_normal((samples, 2))
    x = gc.input("x", (gc.dim("n"), 2), gc.float64)

    def step(carry, _):
        weight, mean, var = carry
        apart = x[:, None] - mean
        logs = gc.log(weight) - 0.5 * gc.sum(apart**2 / var + gc.log(2 * np.pi * var), axis=2)
        likelihood = gc.sum(gc.logsumexp(logs, 1))
        shares = gc.softmax(logs, 1)
        count = gc.sum(shares, axis=0)
        mean = (shares.T @ x) / count[:, None]
        var = (shares.T @ x**2) / count[:, None] - mean**2 + 1e-6
        return (count / gc.sum(count), mean, var), likelihood

    start = (np.full(components, 1 / components), data[:components], np.ones((components, 2)))
    (weight, mean, var), likelihood = gc.scan(step, start, length=steps)
    fit = gc.compile([x], {"weight": weight, "mean": mean, "var": var, "likelihood": likelihood})
    found = fit(data)
    print(f"log likelihood {found['likelihood'][0]:.2f} to {found['likelihood'][-1]:.2f}")
    print(found["mean"].round(2))
    return {**found, "data": data}


if __name__ == "__main__":
    main()
