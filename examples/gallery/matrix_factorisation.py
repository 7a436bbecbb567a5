"""Matrix factorisation of ratings by stochastic gradients on rows."""

import numpy as np

import graphc as gc


def main(users=30, items=20, rank=3, epochs=20, batch=50, rate=0.2):
    rng = np.random.default_rng(8)
    ratings = rng.standard_normal((users, rank)) @ rng.standard_normal((rank, items))
    seen = np.argwhere(rng.random((users, items)) < 0.5)
    seen = seen[: len(seen) // batch * batch].reshape(-1, batch, 2)

    i, j = gc.input("i", (batch,), gc.int64), gc.input("j", (batch,), gc.int64)
    r = gc.input("r", (batch,), gc.float64)
    first = rng.standard_normal((users, rank)) * 0.3, rng.standard_normal((items, rank)) * 0.3
    p, q = gc.parameter("p", first[0]), gc.parameter("q", first[1])
    error = gc.sum(p[i] * q[j], axis=1) - r
    loss = gc.sum(error**2) + 0.01 * (gc.sum(p[i] ** 2) + gc.sum(q[j] ** 2))
    gp, gq = gc.grad(loss, [p, q])
    scale = rate / batch * 5
    step = gc.compile([i, j, r], gc.mean(error**2), {p: p - scale * gp, q: q - scale * gq})

    for _ in range(epochs):
        losses = [float(step(a, b, ratings[a, b])) for a, b in seen.transpose(0, 2, 1)]
    print(f"mean squared error {np.mean(losses):.4f} after {epochs} epochs")
    return {"ratings": ratings, "seen": seen, "first": first, "p": p.value, "q": q.value}


if __name__ == "__main__":
    main()
