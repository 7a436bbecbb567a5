"""Watch a graph change: print it after every pass, with the time each pass took."""

import numpy as np

import graphc as gc

n = gc.dim("n", min=1)
x = gc.input("x", (n, 8), gc.float32)
w = gc.parameter("w", np.eye(8, dtype=np.float32))
h = gc.negative(-(x * 1.0)) @ w  # simplify removes both negations and the product
same = x @ w  # cse finds that this is computed already
y = gc.softmax(h + same, axis=-1)  # fuse makes one kernel of all of it

program = gc.compile([x], y, name="watched")
before = ""
for name, graph in program.history:
    text = gc.text.show(graph)
    if text == before:
        print(f"--- {name}: no change\n")
        continue
    print(f"--- {name}: {len(graph.nodes)} nodes\n{text}")
    before = text

print(program.explain())
