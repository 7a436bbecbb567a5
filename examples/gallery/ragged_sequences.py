"""Sequences of unequal lengths: one program for each longest length, which the lengths give."""

import numpy as np

import graphc as gc


def main(sequences=6, features=4, units=5):
    n, time = gc.dim("n"), gc.dim("time")
    x = gc.input("x", (n, time, features))
    lengths = gc.input("lengths", (n,), gc.int64)
    rng = np.random.default_rng(0)
    w = gc.parameter("w", rng.standard_normal((features, units)).astype(np.float32) * 0.5)
    u = gc.parameter("u", rng.standard_normal((units, units)).astype(np.float32) * 0.5)

    trimmed = x[:, : gc.max(lengths)]  # what lies behind is padding for all

    def step(h, t):
        new = gc.tanh(trimmed[:, t] @ w + h @ u)
        return gc.where((t < lengths)[:, None], new, h), None

    last, _ = gc.scan(step, gc.zeros((n, units)), gc.arange(trimmed.shape[1]))
    # All steps that are no padding, one below the other, and which sequence each is of.
    is_step = gc.arange(trimmed.shape[1])[None, :] < lengths[:, None]
    packed = trimmed[is_step]
    owner = gc.nonzero(is_step, as_tuple=True)[0]
    means = gc.zeros((n, features)).at[owner].add(packed) / gc.maximum(lengths, 1)[:, None]
    run = gc.compile([x, lengths], {"last": last, "packed": packed, "means": means})

    data = rng.standard_normal((sequences, 9, features)).astype(np.float32)
    times = rng.integers(0, 8, sequences)
    found = run(data, times)
    print(f"{times.sum()} steps of {sequences} sequences, the longest of {times.max()}")
    return {**found, "data": data, "lengths": times, "w": w.value, "u": u.value}


if __name__ == "__main__":
    main()
