"""Gradients are graphs: of any order, compiled like everything else."""

import numpy as np

import graphc as gc

x = gc.input("x", (4,), gc.float64)
v = gc.input("v", (4,), gc.float64)
f = gc.sum(gc.sin(x) * gc.exp(x / 2)) + gc.prod(x)

value, slope = gc.value_and_grad(f, x)
program = gc.compile(
    [x, v],
    {
        "value": value,
        "gradient": slope,
        "hessian": gc.hessian(f, x),
        "hessian times v": gc.hvp(f, x, v),
        "third order": gc.grad(gc.sum(gc.grad(gc.sum(slope * v), x) * v), x),
    },
)
point, direction = np.array([0.3, -1.2, 2.0, 0.7]), np.array([1.0, 0.5, -0.5, 2.0])
results = program(point, direction)
for name, result in results.items():
    print(f"{name}:\n{np.round(result, 5)}")

# Against finite differences of the program itself.
step = 1e-5
ahead = program(point + step * direction, direction)
behind = program(point - step * direction, direction)
slope_along = (ahead["value"] - behind["value"]) / (2 * step)
print(
    "\ndirectional derivative", float(results["gradient"] @ direction), "differences", slope_along
)
curve_along = (ahead["gradient"] - behind["gradient"]) / (2 * step)
print("hessian-vector product error", np.abs(curve_along - results["hessian times v"]).max())

# What has no gradient says so, with the path that leads to it.
try:
    gc.grad(gc.sum(gc.cast(gc.argmax(gc.stack([x, x * 2]), axis=0), gc.float64)), x)
except gc.errors.GradientError as error:
    print(f"\n{error}")
