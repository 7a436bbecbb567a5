"""Softmax regression with an L2 penalty, by a momentum that is written out."""

import numpy as np

import graphc as gc


def main(samples=300, features=8, classes=4, steps=100):
    rng = np.random.default_rng(1)
    data = rng.standard_normal((samples, features))
    labels = np.argmax(data @ rng.standard_normal((features, classes)), 1)

    n = gc.dim("n")
    x, t = gc.input("x", (n, features), gc.float64), gc.input("t", (n,), gc.int64)
    w = gc.parameter("w", np.zeros((features, classes)))
    velocity = gc.parameter("velocity", np.zeros((features, classes)))
    loss = gc.cross_entropy(x @ w, t) + 0.001 * gc.sum(w**2)
    moved = 0.9 * velocity - 0.1 * gc.grad(loss, w)
    train = gc.compile([x, t], loss, updates={velocity: moved, w: w + moved})
    wrong = gc.compile([x, t], gc.mean(gc.not_equal(gc.argmax(x @ w, 1), t)))

    losses = [float(train(data, labels)) for _ in range(steps)]
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}, wrong {wrong(data, labels):.1%}")
    return {"data": data, "labels": labels, "w": w.value, "losses": losses}


if __name__ == "__main__":
    main()
