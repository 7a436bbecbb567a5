"""Define a graph, compile it, run it for any size, train with it."""

import numpy as np

import graphc as gc

# Define: nothing is computed; every line is checked (shape, dtype) where it stands.
n = gc.dim("n")
x = gc.input("x", (n, 3), gc.float32)
y = gc.input("y", (n,), gc.float32)
w = gc.parameter("w", np.zeros(3, np.float32))
error = x @ w - y
loss = gc.mean(error * error)
gradient = gc.grad(loss, w)

# Compile: forward, backward and update become one native program.
step = gc.compile([x, y], loss, updates={w: w - 0.1 * gradient})
predict = gc.compile([x], x @ w)  # shares w with `step`

# Run: one native call each; batches of any size.
rng = np.random.default_rng(0)
true = np.array([1.5, -2.0, 0.5], np.float32)
for k in range(200):
    batch = rng.standard_normal((16 + k % 5, 3)).astype(np.float32)
    value = step(batch, batch @ true)
print("loss", float(value))
print("w   ", w.value)
print("predictions", predict(np.eye(3, dtype=np.float32)))

print("\nThe graph as text (it parses back):\n")
print(gc.text.show(step.graph))
print("One of its kernels:\n")
print(*list(step.kernels.values())[-1:])
