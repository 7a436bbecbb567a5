"""Skip-gram with negative samples: each step changes only the rows of the words it has."""

import numpy as np

import graphc as gc


def main(words=50, size=8, batch=16, negatives=4, steps=30, rate=0.5):
    rng = np.random.default_rng(6)
    first = rng.standard_normal((words, size)) * 0.1

    centre = gc.input("centre", (batch,), gc.int64)
    context = gc.input("context", (batch,), gc.int64)
    other = gc.input("other", (batch, negatives), gc.int64)
    u = gc.parameter("u", first)
    v = gc.parameter("v", np.zeros((words, size)))
    hidden = u[centre]
    near = gc.sum(hidden * v[context], axis=1)
    far = gc.sum(hidden[:, None] * v[other], axis=2)
    loss = gc.mean(gc.softplus(-near) + gc.sum(gc.softplus(far), axis=1))
    gu, gv = gc.grad(loss, [u, v])
    step = gc.compile([centre, context, other], loss, {u: u - rate * gu, v: v - rate * gv})

    batches, losses = [], []
    for _ in range(steps):
        chosen = rng.integers(0, words, batch)
        given = (chosen, (chosen + 1) % words, rng.integers(0, words, (batch, negatives)))
        batches.append(given)
        losses.append(float(step(*given)))
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return {"first": first, "batches": batches, "losses": losses, "u": u.value, "v": v.value}


if __name__ == "__main__":
    main()
