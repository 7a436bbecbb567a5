"""One process from its start to the first training step of a 784-128-10 MLP; prints a line.

Run by `run.py`, with an empty cache (cold) and with a filled one (warm).
"""

import sys
import time

import numpy as np

import graphc as gc

start = time.perf_counter()
rng = np.random.default_rng(0)
n = gc.dim("n", min=1)
x, t = gc.input("x", (n, 784)), gc.input("t", (n,), gc.int64)
w1 = gc.parameter("w1", (rng.standard_normal((784, 128)) * 0.05).astype(np.float32))
b1 = gc.parameter("b1", np.zeros(128, np.float32))
w2 = gc.parameter("w2", (rng.standard_normal((128, 10)) * 0.05).astype(np.float32))
b2 = gc.parameter("b2", np.zeros(10, np.float32))
trained = [w1, b1, w2, b2]
loss = gc.cross_entropy(gc.relu(x @ w1 + b1) @ w2 + b2, t)
updates = {w: w - 0.1 * g for w, g in zip(trained, gc.grad(loss, trained))}
step = gc.compile([x, t], loss, updates)
value = step(rng.standard_normal((64, 784)).astype(np.float32), rng.integers(0, 10, 64))
assert np.isfinite(value)
print("numba" in sys.modules, time.perf_counter() - start)
