"""Newton's method with the exact Hessian of Rosenbrock's function."""

import numpy as np

import graphc as gc


def main(size=4, steps=12):
    x = gc.input("x", (size,), gc.float64)
    f = gc.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    program = gc.compile([x], [f, gc.grad(f, x), gc.hessian(f, x)])

    point = np.full(size, 1.2)
    values = []
    for _ in range(steps):
        value, slope, curvature = program(point)
        values.append(float(value))
        point = point - np.linalg.solve(curvature, slope)
    print(f"f {values[0]:.3e} to {values[-1]:.3e} at {point.round(6)}")
    slope, curvature = program(np.linspace(-1, 1, size))[1:]
    return {"point": point, "values": values, "slope": slope, "hessian": curvature}


if __name__ == "__main__":
    main()
