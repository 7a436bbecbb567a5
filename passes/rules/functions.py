"""Rules on powers, exponentials, logarithms and rounding."""

from __future__ import annotations

from graphc.core.ir import OPS, Node
from graphc.passes.rewrite.engine import Rule, ops, var
from graphc.passes.rewrite.facts import FLOATS, filled, tensor, unless_float

x, y = var("x"), var("y")


def _powers(exponent: float, dtypes: tuple[str, ...]) -> list[Node]:
    return [OPS["power"](t, filled(t, exponent)) for t in map(tensor, dtypes)]


def _inverse(node: Node, x: Node) -> Node:
    return OPS["divide"](filled(node, 1), x)


POWERS = (
    Rule("power-zero", ops.power(x, 0), lambda node: filled(node, 1)),
    Rule("power-one", ops.power(x, 1), lambda x: x),
    # x * x is the rounded square, which libraries' powers miss by a unit in the last place.
    Rule("power-two", ops.power(x, 2), lambda x: x * x, ulps=1),
    Rule("power-minus-one", ops.power(x, -1), _inverse, unless_float, dtypes=FLOATS, ulps=1),
    Rule("power-three", ops.power(x, 3), lambda x: x * x * x, exact=False),
    Rule("power-half", ops.power(x, 0.5), lambda x: OPS["sqrt"](x), exact=False, dtypes=FLOATS),
)

EXPONENTIALS = (
    Rule("log-exp", ops.log(ops.exp(x)), lambda x: x, exact=False, dtypes=FLOATS),
    Rule("exp-log", ops.exp(ops.log(x)), lambda x: x, exact=False, dtypes=FLOATS),
    Rule("log1p-expm1", ops.log1p(ops.expm1(x)), lambda x: x, exact=False, dtypes=FLOATS),
    Rule("expm1-log1p", ops.expm1(ops.log1p(x)), lambda x: x, exact=False, dtypes=FLOATS),
    Rule("exp-minus-one", ops.exp(x) - 1, lambda x: OPS["expm1"](x), exact=False, dtypes=FLOATS),
    Rule("log-one-plus", ops.log(x + 1), lambda x: OPS["log1p"](x), exact=False, dtypes=FLOATS),
    Rule(
        "exp-mul-exp", ops.exp(x) * ops.exp(y), lambda x, y: OPS["exp"](x + y), exact=False,
        dtypes=FLOATS,
    ),
    Rule(
        "one-div-exp", ops.divide(1, ops.exp(x)), lambda x: OPS["exp"](-x), exact=False,
        dtypes=FLOATS,
    ),
    Rule(
        "log-sqrt", ops.log(ops.sqrt(x)), lambda x: OPS["log"](x) * filled(x, 0.5), exact=False,
        dtypes=FLOATS,
    ),
    Rule(
        "sigmoid-written-out", ops.divide(1, ops.exp(ops.negative(x)) + 1),
        lambda x: OPS["sigmoid"](x), exact=False, dtypes=FLOATS,
    ),
    Rule("cos-neg", ops.cos(ops.negative(x)), lambda x: OPS["cos"](x), exact=False, dtypes=FLOATS),
)  # fmt: skip


def _idempotent(name: str) -> Rule:
    op = getattr(ops, name)
    return Rule(f"{name}-{name}", op(op(x)), lambda x: OPS[name](x), dtypes=FLOATS)


ROUNDING_NAMES = ("floor", "ceil", "trunc", "rint")
ROUNDING = tuple(_idempotent(name) for name in ROUNDING_NAMES)

FUNCTIONS = (*POWERS, *EXPONENTIALS, *ROUNDING)
