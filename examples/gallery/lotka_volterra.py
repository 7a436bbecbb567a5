"""Foxes and rabbits: the rates of an ODE found from what was seen, by gradients through a scan."""

import numpy as np

import graphc as gc


def main(points=30, steps=150, rate=0.001):
    times, truth = np.linspace(0, 3, points), np.array([1.1, 0.4, 0.1, 0.4])
    h = times[1] - times[0]
    theta = gc.parameter("theta", np.array([1.0, 0.5, 0.2, 0.5]))

    def path(rates):
        def slope(y):
            a, b, c, d = (rates[k] for k in range(4))
            return gc.stack([a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]])

        def step(y, _):
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            new = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(y + h * k3))
            return new, new

        return gc.scan(step, gc.constant(np.array([5.0, 2.0])), length=points - 1)[1]

    seen = gc.compile([], path(gc.constant(truth)))()
    loss = gc.mean((path(theta) - seen) ** 2)
    fit = gc.compile([], loss, updates={theta: theta - rate * gc.grad(loss, theta)})
    losses = [float(fit()) for _ in range(steps)]
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}, rates {theta.value.round(3)}")
    return {"times": times, "seen": seen, "truth": truth, "losses": losses}


if __name__ == "__main__":
    main()
