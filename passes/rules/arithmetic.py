"""Rules on sums, products, quotients and signs."""

from __future__ import annotations

import numpy as np

from graphc.core.ir import OPS, Node
from graphc.passes.rewrite.engine import Rule, constant, ops, uniform, var
from graphc.passes.rewrite.facts import (
    FLOATS,
    INTS,
    dtype_of,
    filled,
    is_power_of_two,
    negated,
    tensor,
    unless_float,
    unless_integer,
    unless_unsigned,
    unless_varied,
)

x, y, z = var("x"), var("y"), var("z")
c, d = constant("c"), constant("d")
SIGNED = (*FLOATS, "int32", "int8")


def _unless_exact_reciprocal(node: Node, c: Node) -> str:
    value = uniform(c)
    if not is_power_of_two(value):
        return f"1 / {value} is rounded"
    # 1/c must not overflow, nor lose bits as a denormal.
    with np.errstate(over="ignore"):
        reciprocal = float(dtype_of(node).numpy.type(1 / value))
    return "" if is_power_of_two(reciprocal) else f"1 / {value} is no {dtype_of(node).name}"


def _unless_finite_reciprocal(node: Node, c: Node) -> str:
    value = uniform(c)
    usable = value and abs(value) > 1e-30 and abs(value) < 1e30
    return "" if usable else f"1 / {value} leaves the range of the dtype"


def _over_constant(node: Node, x: Node, c: Node) -> Node:
    return OPS["multiply"](x, filled(node, 1 / uniform(c)))


def _unless_signed(node: Node) -> str:
    unsigned = dtype_of(node).kind == "uint"
    return f"{dtype_of(node).name} values wrap when negated" if unsigned else ""


def _quotients(divisor: float) -> list[Node]:
    return [OPS["divide"](t, filled(t, divisor)) for t in map(tensor, FLOATS)]


def _unless_varied_integer(node: Node, x: Node) -> str:
    return unless_integer(node) or unless_varied(x)


SUMS = (
    Rule("add-zero-integer", x + 0, lambda x: x, unless_integer, dtypes=INTS),
    Rule("add-negative-zero", x + -0.0, lambda x: x, dtypes=FLOATS),
    Rule("add-zero", x + 0, lambda x: x, exact=False, dtypes=FLOATS),
    Rule("sub-zero", x - 0, lambda x: x),
    Rule("sub-self-integer", x - x, lambda node: filled(node, 0), unless_integer, dtypes=INTS),
    Rule("sub-self", x - x, lambda node: filled(node, 0), exact=False, dtypes=FLOATS),
    Rule("zero-sub-integer", ops.subtract(0, x), lambda x: -x, unless_integer, dtypes=INTS),
    Rule("negative-zero-sub", ops.subtract(-0.0, x), lambda x: -x, dtypes=FLOATS),
    Rule("zero-sub", ops.subtract(0, x), lambda x: -x, exact=False, dtypes=FLOATS),
    Rule("sub-neg", x - ops.negative(y), lambda x, y: x + y),
    Rule("add-neg", x + ops.negative(y), lambda x, y: x - y),
    Rule("neg-sub-integer", ops.negative(x - y), lambda x, y: y - x, unless_integer, dtypes=INTS),
    Rule("neg-sub", ops.negative(x - y), lambda x, y: y - x, exact=False, dtypes=FLOATS),
    Rule(
        "sub-constant-integer", x - c, lambda x, c: x + negated(c), unless_integer, dtypes=INTS
    ),
    Rule(
        "add-constants-integer", (x + c) + d, lambda x, c, d: x + (c + d), _unless_varied_integer,
        dtypes=INTS,
    ),
    Rule(
        "add-constants", (x + c) + d, lambda x, c, d: x + (c + d), unless_varied, exact=False,
        dtypes=FLOATS,
    ),
    Rule("sub-constants", (x - c) - d, lambda x, c, d: x - (c + d), exact=False, dtypes=FLOATS),
    Rule("add-sub-integer", (x + y) - y, lambda x: x, unless_integer, dtypes=INTS),
    Rule("sub-add-integer", (x - y) + y, lambda x: x, unless_integer, dtypes=INTS),
)  # fmt: skip

PRODUCTS = (
    Rule("mul-one", x * 1, lambda x: x),
    Rule("mul-minus-one", x * -1, lambda x: -x, dtypes=SIGNED),
    Rule("mul-zero-integer", x * 0, lambda node: filled(node, 0), unless_integer, dtypes=INTS),
    Rule("mul-zero", x * 0, lambda node: filled(node, 0), exact=False, dtypes=FLOATS),
    Rule("mul-neg-neg", ops.negative(x) * ops.negative(y), lambda x, y: x * y),
    Rule("mul-neg-constant", ops.negative(x) * c, lambda x, c: x * negated(c), dtypes=SIGNED),
    Rule("neg-mul-constant", ops.negative(x * c), lambda x, c: x * negated(c), dtypes=SIGNED),
    Rule(
        "mul-constants-integer", (x * c) * d, lambda x, c, d: x * (c * d), _unless_varied_integer,
        dtypes=INTS,
    ),
    Rule(
        "mul-constants", (x * c) * d, lambda x, c, d: x * (c * d), unless_varied, exact=False,
        dtypes=FLOATS,
    ),
    Rule(
        "mul-common-factor", x * y + x * z, lambda x, y, z: x * (y + z), exact=False,
        dtypes=FLOATS,
    ),
)  # fmt: skip

QUOTIENTS = (
    Rule("div-one", x / 1, lambda x: x, dtypes=FLOATS),
    Rule("div-minus-one", x / -1, lambda x: -x, dtypes=FLOATS),
    Rule(
        "div-power-of-two", x / c, _over_constant, _unless_exact_reciprocal,
        samples=lambda: [*_quotients(8.0), *_quotients(-0.25), *_quotients(2.0**100)],
    ),
    Rule(
        "div-constant", x / c, _over_constant, _unless_finite_reciprocal, exact=False,
        samples=lambda: _quotients(3.0),
    ),
    Rule("div-self", x / x, lambda node: filled(node, 1), exact=False, dtypes=FLOATS),
    Rule("div-neg-neg", ops.negative(x) / ops.negative(y), lambda x, y: x / y, dtypes=FLOATS),
    Rule("div-neg-constant", ops.negative(x) / c, lambda x, c: x / negated(c), dtypes=FLOATS),
    Rule("div-div", (x / y) / z, lambda x, y, z: x / (y * z), exact=False, dtypes=FLOATS),
    Rule("div-of-div", x / ops.divide(y, z), lambda x, y, z: x * z / y, exact=False, dtypes=FLOATS),
    Rule("mul-one-div", x * ops.divide(1, y), lambda x, y: x / y, exact=False, dtypes=FLOATS),
    Rule("floor-divide-one", x // 1, lambda x: x, unless_integer, dtypes=INTS),
    Rule(
        "remainder-one", x % 1, lambda node: filled(node, 0), unless_integer, dtypes=INTS
    ),
)  # fmt: skip

SIGNS = (
    Rule("neg-neg", ops.negative(ops.negative(x)), lambda x: x),
    Rule("abs-abs", ops.absolute(ops.absolute(x)), lambda x: abs(x)),
    Rule("abs-neg", ops.absolute(ops.negative(x)), lambda x: abs(x), _unless_signed,
         dtypes=SIGNED),
    Rule("abs-unsigned", ops.absolute(x), lambda x: x, unless_unsigned, dtypes=("uint8",)),
    Rule("abs-square", ops.absolute(ops.square(x)), lambda x: OPS["square"](x), unless_float,
         dtypes=FLOATS),
    Rule("square-abs", ops.square(ops.absolute(x)), lambda x: OPS["square"](x)),
    Rule("square-neg", ops.square(ops.negative(x)), lambda x: OPS["square"](x)),
    Rule("sqrt-square", ops.sqrt(ops.square(x)), lambda x: abs(x), exact=False, dtypes=FLOATS),
    Rule("square-sqrt", ops.square(ops.sqrt(x)), lambda x: x, exact=False, dtypes=FLOATS),
    Rule("abs-exp", ops.absolute(ops.exp(x)), lambda x: OPS["exp"](x), dtypes=FLOATS),
    Rule("abs-sqrt", ops.absolute(ops.sqrt(x)), lambda x: OPS["sqrt"](x), exact=False,
         dtypes=FLOATS),
)  # fmt: skip

ARITHMETIC = (*SUMS, *PRODUCTS, *QUOTIENTS, *SIGNS)
