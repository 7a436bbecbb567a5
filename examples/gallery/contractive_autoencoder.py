"""A contractive autoencoder: the loss has the Jacobian of the code, and its gradient goes there."""

import numpy as np

import graphc as gc


def main(samples=60, visible=8, hidden=5, steps=30, contraction=0.1):
    rng = np.random.default_rng(4)
    data = (rng.random((samples, 2)) > 0.5).repeat(visible // 2, 1).astype(np.float64)

    x = gc.input("x", (gc.dim("n"), visible), gc.float64)
    rate = gc.input("rate", (), gc.float64)
    w = gc.parameter("w", rng.standard_normal((visible, hidden)) * 0.1)
    b, c = gc.parameter("b", np.zeros(hidden)), gc.parameter("c", np.zeros(visible))
    start = [p.value for p in (w, b, c)]
    code = gc.sigmoid(x @ w + b)
    again = gc.sigmoid(code @ w.T + c)
    entropy = -gc.mean(gc.sum(x * gc.log(again) + (1 - x) * gc.log(1 - again), axis=1))
    # The slope of each unit of the code by each visible unit.
    jacobian = (code * (1 - code))[:, None, :] * w
    norm = gc.sum(jacobian**2) / x.shape[0]
    loss = entropy + contraction * norm
    gc.check_grad(loss, {x: data[:4]}, elements=10)

    updates = {p: p - rate * g for p, g in zip([w, b, c], gc.grad(loss, [w, b, c]))}
    results = {"loss": loss, "parts": (entropy, norm)}
    train = gc.compile([x, rate], results, updates=updates, defaults={rate: 0.1})

    runs = [train(data) for _ in range(steps)]
    print(f"loss {runs[0]['loss']:.3f} to {runs[-1]['loss']:.3f}")
    losses, norms = [float(r["loss"]) for r in runs], [float(r["parts"][1]) for r in runs]
    return {"data": data, "start": start, "losses": losses, "norms": norms, "w": w.value}


if __name__ == "__main__":
    main()
