"""A line through points with outliers: fitted to those near a guess, however many they are."""

import numpy as np

import graphc as gc


def main(points=60, outliers=15, rounds=3):
    n = gc.dim("n", min=2)
    x, y = gc.input("x", (n,), gc.float64), gc.input("y", (n,), gc.float64)
    line = gc.parameter("line", np.zeros(2))
    width = gc.input("width", (), gc.float64)

    near = gc.abs(y - (line[0] + line[1] * x)) < width
    xs, ys = x[near], y[near]  # their number is counted before they are taken
    design = gc.stack([gc.ones_like(xs), xs], 1)
    normal, right = design.T @ design, design.T @ ys
    a, b, d = normal[0, 0], normal[0, 1], normal[1, 1]
    inverse = gc.stack([gc.stack([d, -b]), gc.stack([-b, a])]) / (a * d - b * b)
    fitted = inverse @ right
    which = gc.nonzero(near, as_tuple=True)[0]
    fit = gc.compile([x, y, width], [fitted, which], updates={line: fitted})

    rng = np.random.default_rng(3)
    along = rng.uniform(-1, 1, points)
    height = 0.5 + 2.0 * along + 0.05 * rng.standard_normal(points)
    height[:outliers] += rng.uniform(2, 6, outliers)
    for reach in np.geomspace(20.0, 0.5, rounds):
        found, used = fit(along, height, reach)
    print(f"{len(used)} of {points} points near {found[0]:.2f} + {found[1]:.2f} x")
    return {"x": along, "y": height, "line": found, "used": used}


if __name__ == "__main__":
    main()
