"""Elementwise arithmetic; one scalar expression each."""

from __future__ import annotations

import numpy as np

from graphc.ops.declare import ANY, FLOAT, binary, unary

add = binary(
    "add",
    numpy=np.add,
    scalar=lambda x, y: "{0} | {1}" if x.kind == "bool" else "{0} + {1}",
    vjp=lambda n, ct: (ct, ct),
    kinds=ANY,
    commutative=True,
    doc="x + y, elementwise; of bools, the logical or, as NumPy has it.",
)
multiply = binary(
    "multiply",
    numpy=np.multiply,
    scalar=lambda x, y: "{0} & {1}" if x.kind == "bool" else "{0} * {1}",
    vjp=lambda n, ct: (ct * n.inputs[1], ct * n.inputs[0]),
    kinds=ANY,
    commutative=True,
    doc="x * y, elementwise; of bools, the logical and, as NumPy has it.",
)
negative = unary(
    "negative",
    numpy=np.negative,
    scalar="-{0}",
    vjp=lambda n, ct: (-ct,),
    doc="-x, elementwise.",
)
exp = unary(
    "exp",
    numpy=np.exp,
    scalar="exp({0})",
    vjp=lambda n, ct: (ct * n,),
    kinds=FLOAT,
    promote="float",
    doc="e to the power x.",
)
