"""The heat equation on a rod by explicit steps, and the gradient by where the heat was."""

import numpy as np

import graphc as gc


def main(points=41, steps=200, rate=0.4):
    first = np.sin(np.pi * np.linspace(0, 1, points))
    u0 = gc.input("u0", (points,), gc.float64)

    def step(u, _):
        inner = u[1:-1] + rate * (u[2:] - 2 * u[1:-1] + u[:-2])
        return gc.concat([u[:1], inner, u[-1:]], axis=0), gc.max(inner)

    last, peaks = gc.scan(step, u0, length=steps)
    middle = last[points // 2]
    program = gc.compile([u0], {"last": last, "peaks": peaks, "source": gc.grad(middle, u0)})
    found = program(first)
    print(f"peak {found['peaks'][0]:.4f} to {found['peaks'][-1]:.4f}")
    return {**found, "first": first, "rate": rate, "steps": steps}


if __name__ == "__main__":
    main()
