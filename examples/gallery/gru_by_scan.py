"""A gated recurrent unit written out with `gc.scan`, and its gradient through time."""

import numpy as np

import graphc as gc


def main(length=20, batch=4, features=3, hidden=5):
    rng = np.random.default_rng(7)
    weights = {
        "wi": rng.standard_normal((3 * hidden, features)) * 0.5,
        "wh": rng.standard_normal((3 * hidden, hidden)) * 0.5,
        "bi": rng.standard_normal(3 * hidden) * 0.1,
        "bh": rng.standard_normal(3 * hidden) * 0.1,
    }
    xs = gc.input("xs", (gc.dim("t"), batch, features), gc.float64)
    wi, wh, bi, bh = (gc.parameter(name, value) for name, value in weights.items())

    def step(h, x):
        ri, zi, ni = gc.split(x @ wi.T + bi, 3, axis=1)
        rh, zh, nh = gc.split(h @ wh.T + bh, 3, axis=1)
        r, z = gc.sigmoid(ri + rh), gc.sigmoid(zi + zh)
        h = (1 - z) * gc.tanh(ni + r * nh) + z * h
        return h, h

    last, states = gc.scan(step, gc.zeros((batch, hidden), dtype=gc.float64), xs)
    loss = gc.sum(states**2)
    program = gc.compile([xs], {"last": last, "loss": loss, "grads": gc.grad(loss, [wi, wh])[0]})
    data = rng.standard_normal((length, batch, features))
    found = program(data)
    print(f"loss {found['loss']:.4f}, gradient's norm {np.linalg.norm(found['grads']):.4f}")
    return {**found, "data": data, "weights": weights}


if __name__ == "__main__":
    main()
