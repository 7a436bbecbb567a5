"""A restricted Boltzmann machine by contrastive divergence: Gibbs steps in a scan (CD-k)."""

import numpy as np

import graphc as gc


def main(samples=60, visible=8, hidden=5, k=3, steps=40, rate=0.2):
    rng = np.random.default_rng(18)
    data = (rng.random((samples, 2)) > 0.5).repeat(visible // 2, 1).astype(np.float64)

    gc.manual_seed(0)
    x = gc.input("x", (samples, visible), gc.float64)
    w = gc.parameter("w", rng.standard_normal((visible, hidden)) * 0.1)
    b, c = gc.parameter("b", np.zeros(visible)), gc.parameter("c", np.zeros(hidden))

    def drawn(p):
        return gc.cast(gc.rand_like(p) < p, gc.float64)

    def gibbs(v, _):
        h = drawn(gc.sigmoid(v @ w + c))
        return drawn(gc.sigmoid(h @ w.T + b)), None

    def free_energy(v):
        return -(v @ b) - gc.sum(gc.softplus(v @ w + c), axis=1)

    end = gc.stop_gradient(gc.scan(gibbs, x, length=k)[0])
    cost = gc.mean(free_energy(x)) - gc.mean(free_energy(end))
    updates = {p: p - rate * g for p, g in zip([w, b, c], gc.grad(cost, [w, b, c]))}
    error = gc.mean((x - gc.sigmoid(gc.sigmoid(x @ w + c) @ w.T + b)) ** 2)
    train = gc.compile([x], [end, error], updates=updates)
    history = []
    for _ in range(steps):
        before = w.value, b.value, c.value
        found, value = train(data)
        history.append((before, found, float(value), (w.value, b.value, c.value)))
    print(f"reconstruction error {history[0][2]:.4f} to {history[-1][2]:.4f}")
    return {"data": data, "history": history, "rate": rate}


if __name__ == "__main__":
    main()
