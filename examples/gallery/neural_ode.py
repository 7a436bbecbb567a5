"""A neural ODE: a small network's flow by midpoint steps, trained to turn points around."""

import numpy as np

import graphc as gc
from graphc import nn, optim


def main(samples=32, solver_steps=10, steps=40):
    rng = np.random.default_rng(12)
    data = rng.standard_normal((samples, 2)).astype(np.float32)
    target = data @ np.array([[0, 1], [-1, 0]], np.float32)

    gc.manual_seed(0)
    field = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    start = {name: value.numpy().copy() for name, value in field.state_dict().items()}
    x, t = gc.input("x", (samples, 2)), gc.input("t", (samples, 2))
    h = 1 / solver_steps

    def step(y, _):
        return y + h * field(y + h / 2 * field(y)), None

    end, _ = gc.scan(step, x, length=solver_steps)
    loss = gc.mean((end - t) ** 2)
    optimizer = optim.Adam(field.parameters(), lr=0.02)
    train = gc.compile([x, t], loss, updates=optimizer.updates(loss))
    losses = [float(train(data, target)) for _ in range(steps)]
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}")
    return {"data": data, "target": target, "start": start, "losses": losses}


if __name__ == "__main__":
    main()
