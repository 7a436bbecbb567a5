"""A multilayer perceptron: a model of `gc.nn` in a graph, trained by an optimizer's updates."""

import numpy as np

import graphc as gc
from graphc import nn, optim


def main(samples=200, steps=100, hidden=32):
    rng = np.random.default_rng(2)
    angle, arm = rng.uniform(0.5, 3, samples), rng.integers(0, 2, samples)
    around = angle * 2 + np.pi * arm
    data = np.stack([angle * np.cos(around), angle * np.sin(around)], 1).astype(np.float32)

    gc.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2)
    )
    start = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    n = gc.dim("n")
    x, t = gc.input("x", (n, 2)), gc.input("t", (n,), gc.int64)
    logits = model(x)
    loss = gc.cross_entropy(logits, t)
    step = gc.compile([x, t], loss, updates=optimizer.updates(loss))
    predict = gc.compile([x], gc.argmax(logits, 1))

    losses = [float(step(data, arm)) for _ in range(steps)]
    accuracy = np.mean(predict(data) == arm)
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}, accuracy {accuracy:.1%}")
    return {"data": data, "labels": arm, "losses": losses, "start": start}


if __name__ == "__main__":
    main()
