"""Logistic regression as in Theano's first tutorial: a graph, its gradient, updates."""

import numpy as np

import graphc as gc


def main(samples=400, features=20, steps=200, rate=0.1, penalty=0.01):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((samples, features))
    labels = rng.integers(0, 2, samples)

    x = gc.input("x", (gc.dim("n"), features), gc.float64)
    t = gc.input("t", (gc.dim("n"),), gc.int64)
    w = gc.parameter("w", np.zeros(features))
    b = gc.parameter("b", 0.0)
    p = gc.sigmoid(x @ w + b)
    loss = gc.mean(gc.where(t == 1, -gc.log(p), -gc.log(1 - p))) + penalty * gc.sum(w * w)
    gw, gb = gc.grad(loss, [w, b])

    train = gc.compile([x, t], loss, updates={w: w - rate * gw, b: b - rate * gb})
    predict = gc.compile([x], p > 0.5)
    for _ in range(steps):
        value = train(data, labels)
    accuracy = np.mean(predict(data) == labels)
    print(f"loss {value:.4f}, accuracy {accuracy:.2%}")
    return {"data": data, "labels": labels, "w": w.value, "b": b.value}


if __name__ == "__main__":
    main()
