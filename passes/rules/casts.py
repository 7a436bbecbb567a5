"""Rules on casts."""

from __future__ import annotations

from graphc.core import dtypes
from graphc.core.ir import OPS, Node
from graphc.passes.rewrite.engine import Rule, ops, var
from graphc.passes.rewrite.facts import dtype_of, tensor

x = var("x")


def _unless_lossless(node: Node, x: Node) -> str:
    middle = dtype_of(node.inputs[0])
    if dtypes.holds(middle, dtype_of(x)):
        return ""
    return f"{middle.name} does not hold every {dtype_of(x).name}"


def _cast_through(node: Node, x: Node) -> Node:
    if dtype_of(node) is dtype_of(x):
        return x
    return OPS["cast"](x, dtype=dtype_of(node), overflow=node.attr("overflow"))


def _casts(*names: str) -> Node:
    node = tensor(names[0])
    for name in names[1:]:
        node = OPS["cast"](node, dtype=dtype_of(tensor(name)), overflow="wrap")
    return node


CASTS = (
    Rule(
        "cast-same", ops.cast(x), lambda x: x,
        lambda node, x: "" if dtype_of(node) is dtype_of(x) else "the dtype changes",
        samples=lambda: [_casts("float32", "float32"), _casts("uint8", "uint8")],
    ),
    Rule(
        "cast-cast", ops.cast(ops.cast(x)), _cast_through, _unless_lossless,
        samples=lambda: [
            _casts("float32", "float64", "float32"),
            _casts("uint8", "int64", "int8"),
            _casts("bool", "int32", "float32"),
            _casts("int32", "float64", "float32"),
            _casts("int16", "float32", "uint8"),
        ],
    ),
)  # fmt: skip
