"""A denoising autoencoder with tied weights; the program draws its own corruption."""

import numpy as np

import graphc as gc


def main(samples=100, visible=12, hidden=6, steps=60, kept=0.7):
    rng = np.random.default_rng(3)
    data = (rng.random((samples, 3)) > 0.5).repeat(visible // 3, 1).astype(np.float64)

    gc.manual_seed(0)
    x = gc.input("x", (samples, visible), gc.float64)
    w = gc.parameter("w", rng.standard_normal((visible, hidden)) * 0.1)
    b, c = gc.parameter("b", np.zeros(hidden)), gc.parameter("c", np.zeros(visible))
    start = [p.value for p in (w, b, c)]
    mask = gc.cast(gc.rand_like(x) < kept, gc.float64)
    code = gc.sigmoid((x * mask) @ w + b)
    again = gc.sigmoid(code @ w.T + c)
    loss = -gc.mean(gc.sum(x * gc.log(again) + (1 - x) * gc.log(1 - again), axis=1))
    slopes = gc.grad(loss, [w, b, c])
    updates = {p: p - 0.5 * g for p, g in zip([w, b, c], slopes)}
    train = gc.compile([x], [loss, mask], updates=updates)

    runs = [train(data) for _ in range(steps)]
    losses = [float(loss) for loss, _ in runs]
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}")
    masks = [mask for _, mask in runs]
    return {"data": data, "start": start, "losses": losses, "masks": masks, "w": w.value}


if __name__ == "__main__":
    main()
