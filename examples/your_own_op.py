"""Declare an op: one record, and it is differentiated, fused, compiled, saved and exported."""

import tempfile
from pathlib import Path

import numpy as np

import graphc as gc
from graphc.ops.declare import FLOAT, unary

# softsign(x) = x / (1 + |x|); its derivative is 1 / (1 + |x|)^2.
softsign = unary(
    "softsign",
    numpy=lambda x: x / (1 + np.abs(x)),
    scalar="{0} / (f32(1.0) + absolute({0}))",
    vjp=lambda node, ct: (ct / (1.0 + gc.absolute(node.inputs[0])) ** 2,),
    kinds=FLOAT,
    promote="float",
    doc="x / (1 + |x|), elementwise.",
    example="[-1.0, 3.0] -> [-0.5000, 0.7500]",  # `help(softsign)` shows it as a session
)

x = gc.input("x", (gc.dim("n"),), gc.float32)
y = softsign(x * 2.0) + 1.0
slope = gc.grad(gc.sum(y), x)
program = gc.compile([x], [y, slope], name="with_softsign")

points = np.linspace(-3, 3, 7, dtype=np.float32)
values, slopes = program(points)
print("values", values)
print("slopes", slopes)
print("errors", np.abs(values - (2 * points / (1 + np.abs(2 * points)) + 1)).max())

# One kernel, with the expression above inside it.
print(next(iter(program.kernels.values())))

# It is a function of eager tensors too, recorded for backward, and compiled under jit.
t = gc.tensor([-1.0, 0.5, 3.0], requires_grad=True)
softsign(t * 2.0).sum().backward()
print("eagerly", softsign(t), "with the gradient", t.grad)
print("compiled", gc.jit.compile(lambda t: softsign(t) + 1.0)(t))
print("as a method", t.detach().softsign())

# A program with it is a file like any other, for whoever declares the op before loading it.
folder = tempfile.mkdtemp()
gc.jit.save(program, f"{folder}/softsign.gcz")
print("loaded", gc.jit.load(f"{folder}/softsign.gcz")(points)[0])

# Exported, it is Python that needs neither the op nor graphc, but NumPy alone.
gc.jit.export(program, folder)
print(Path(f"{folder}/model.py").read_text().partition("def softsign")[2])
