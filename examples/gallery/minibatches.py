"""Data that stays in the program: minibatches by index, Theano's givens, and one model for both."""

import numpy as np

import graphc as gc


def main(samples=120, features=4, classes=3, batch=20, epochs=5):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, classes, samples)
    images = rng.standard_normal((samples, features)) + 2 * np.eye(classes, features)[labels]

    x = gc.input("x", (gc.dim("n"), features), gc.float64)
    t = gc.input("t", (gc.dim("n"),), gc.int64)
    w = gc.parameter("w", np.zeros((features, classes)))
    b = gc.parameter("b", np.zeros(classes))
    scores = gc.log_softmax(x @ w + b, axis=1)
    loss = -gc.mean(scores[gc.arange(x.shape[0]), t])
    slopes = gc.grad(loss, {"w": w, "b": b})

    index = gc.input("index", (), gc.int64)
    rows = index * batch + gc.arange(batch)
    given = {x: gc.take(gc.constant(images), rows, axis=0), t: gc.take(gc.constant(labels), rows)}
    of_batch, steps = gc.clone((loss, slopes), replace=given)
    updates = {w: w - 0.5 * steps["w"], b: b - 0.5 * steps["b"]}
    train = gc.compile([index], of_batch, updates=updates)
    right = gc.mean(gc.cast(gc.argmax(scores, axis=1) == t, gc.float64))
    test = gc.compile([x, t], {"loss": loss, "right": right}).partial(images, labels)

    losses = [float(train(k)) for _ in range(epochs) for k in range(samples // batch)]
    found = test()
    print(f"loss {found['loss']:.3f}, right {found['right']:.0%}")
    return {
        "images": images, "labels": labels, "losses": losses, "w": w.value, "b": b.value,
        "loss": float(found["loss"]), "right": float(found["right"]),
    }  # fmt: skip


if __name__ == "__main__":
    main()
