"""Adam written as updates of parameters, as one wrote it with Theano."""

import numpy as np

import graphc as gc


def adam(loss, parameters, rate=0.05, beta1=0.9, beta2=0.999, eps=1e-8):
    """New values of the parameters, of their moments and of the count of steps."""
    count = gc.parameter("count", 0.0)
    t = count + 1
    updates = {count: t}
    for p, g in zip(parameters, gc.grad(loss, parameters)):
        m = gc.parameter(f"{p.name}_m", np.zeros_like(p.value))
        v = gc.parameter(f"{p.name}_v", np.zeros_like(p.value))
        updates[m] = beta1 * m + (1 - beta1) * g
        updates[v] = beta2 * v + (1 - beta2) * g**2
        first, second = updates[m] / (1 - beta1**t), updates[v] / (1 - beta2**t)
        updates[p] = p - rate * first / (gc.sqrt(second) + eps)
    return updates


def main(samples=50, steps=30):
    rng = np.random.default_rng(20)
    data = rng.standard_normal((samples, 3))
    target = data @ np.array([1.0, -2.0, 0.5]) + 3
    x, y = gc.input("x", (samples, 3), gc.float64), gc.input("y", (samples,), gc.float64)
    w, b = gc.parameter("w", np.zeros(3)), gc.parameter("b", 0.0)
    loss = gc.mean((x @ w + b - y) ** 2)
    step = gc.compile([x, y], loss, updates=adam(loss, [w, b]))
    losses = [float(step(data, target)) for _ in range(steps)]
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return {"data": data, "target": target, "losses": losses, "w": w.value, "b": b.value}


if __name__ == "__main__":
    main()
