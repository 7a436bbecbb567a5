"""LeNet on synthetic digits: convolutions, pooling, batch norm in a graph; a falling rate."""

import numpy as np

import graphc as gc
from graphc import nn, optim


def pictures(count, seed=0):
    """Bars of one of four directions with noise, 1 x 12 x 12."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    bars = [np.eye(12), np.fliplr(np.eye(12)), np.zeros((12, 12)), np.zeros((12, 12))]
    bars[2][5:7] = bars[3][:, 5:7] = 1
    data = np.stack([bars[k] for k in labels]) + 0.5 * rng.standard_normal((count, 12, 12))
    return data[:, None].astype(np.float32), labels


def main(samples=128, steps=20):
    gc.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    start = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    n = gc.dim("n")
    x, t = gc.input("x", (n, 1, 12, 12)), gc.input("t", (n,), gc.int64)
    loss = nn.CrossEntropyLoss()(model(x), t)
    step = gc.compile([x, t], loss, updates=optimizer.updates(loss))
    predict = gc.compile([x], gc.argmax(model.eval()(x), 1))

    data, labels = pictures(samples)
    losses = []
    for _ in range(steps):
        losses.append(float(step(data, labels)))
        schedule.step()
    other, truth = pictures(100, seed=1)
    accuracy = np.mean(predict(other) == truth)
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}, held-out accuracy {accuracy:.0%}")
    return {"start": start, "losses": losses, "state": model.state_dict(), "accuracy": accuracy}


if __name__ == "__main__":
    main()
