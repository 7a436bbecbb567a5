"""Write a pass: a function from graph to graph, here one rule over a pattern."""

import numpy as np

import graphc as gc
from graphc.passes.pipeline import O1, run
from graphc.passes.rewrite import Rule, ops, rewrite, var
from graphc.verify import verify

x, y = var("x"), var("y")

# Two roundings become one: close, but not equal to the last bit, hence not exact.
RECIPROCAL_ROOT = Rule("divide-by-root", x / ops.sqrt(y), lambda x, y: x * gc.rsqrt(y), exact=False)


def fast_roots(graph: gc.Graph) -> gc.Graph:
    """Divisions by a square root become products with a reciprocal root."""
    return rewrite(graph, (RECIPROCAL_ROOT,))


def show_sizes(name, before, after, time_s):
    """An observer: called after every pass with the graph before and after."""
    print(f"{name:12} {len(before.nodes):3} -> {len(after.nodes):3} nodes")


n = gc.dim("n", min=1)
slope = gc.input("slope", (n, 16), gc.float32)
square = gc.input("square", (n, 16), gc.float32)
step = slope * 1.0 / gc.sqrt(square) * 0.001
graph = gc.Graph.of("scaled_step", [slope, square], [step])

final, history = run(graph, (*O1, fast_roots), (show_sizes,))
verify(final)
print("\n" + gc.text.show(final))

# The rewritten graph compiles like any other, and gives the same values to a rounding.
rng = np.random.default_rng(0)
values = [rng.random((4, 16), np.float32) + np.float32(0.1) for _ in range(2)]
(fast,) = gc.compile(list(final.inputs), list(final.outputs))(*values)
(exact,) = gc.compile([slope, square], [step])(*values)
print("largest relative difference", np.abs(fast / exact - 1).max())
