"""A variational autoencoder: noise by reparametrisation, drawn anew at each call."""

import numpy as np

import graphc as gc
from graphc import nn, optim


def main(samples=64, steps=40):
    rng = np.random.default_rng(4)
    data = (rng.standard_normal((samples, 2)) @ rng.standard_normal((2, 8))).astype(np.float32)

    gc.manual_seed(0)
    encoder, decoder = nn.Linear(8, 4), nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 8))
    parts = {"encoder": encoder, "decoder": decoder}
    start = {k: {n: v.numpy().copy() for n, v in m.state_dict().items()} for k, m in parts.items()}
    x = gc.input("x", (samples, 8))
    hidden = encoder(x)
    mean, spread = hidden[:, :2], hidden[:, 2:]
    noise = gc.randn(samples, 2)
    again = decoder(mean + gc.exp(0.5 * spread) * noise)
    divergence = -0.5 * gc.sum(1 + spread - mean**2 - gc.exp(spread))
    loss = (gc.sum((x - again) ** 2) + divergence) / samples
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    step = gc.compile([x], [loss, noise], updates=optimizer.updates(loss))

    runs = [step(data) for _ in range(steps)]
    losses = [float(value) for value, _ in runs]
    print(f"bound {losses[0]:.3f} to {losses[-1]:.3f}")
    return {"data": data, "start": start, "losses": losses, "noise": [z for _, z in runs]}


if __name__ == "__main__":
    main()
