"""Rules that keep a function and compute it where its written form overflows, vanishes or cancels.

    log(sigmoid(x))     -softplus(-x)
    exp(x) / sum(exp(x))    exp(x - m) / sum(exp(x - m)), with m = max(x)

Both sides of a rule are the same function of real numbers, so that they have the same derivatives.
The right side errs no more than the left, or no more than a change of the operands by their last
places makes (`tests/passes/test_stable.py` proves it of each rule by enumeration). Where the left
side is nan because an operand is outside of the domain, so is the right one.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.core.ir import OPS, Node
from graphc.core.operators import FUNCTIONS
from graphc.passes.rewrite.engine import Rule, constant, ops, uniform, var
from graphc.passes.rewrite.facts import FLOATS, dtype_of, filled
from graphc.passes.rules.exponents import less, moved, moved_by, narrowed, scaled

x, y, c = var("x"), var("y"), constant("c")


def _call(name: str, *operands: Node) -> Any:
    return FUNCTIONS[name](*operands)


def _log_sech2(x: Node) -> Any:
    """log(1 - tanh(x)**2): near 0 from tanh, else from the exponential."""
    where, size = FUNCTIONS["where"], FUNCTIONS["absolute"](x)
    near = size < 1
    slope = FUNCTIONS["tanh"](where(near, x, 0))
    far = where(near, 1, size)
    decay = FUNCTIONS["log1p"](FUNCTIONS["exp"](far * -2))
    return where(near, FUNCTIONS["log1p"](-slope * slope), (math.log(2) - far - decay) * 2)


def _log_softplus(x: Node) -> Any:
    """log(softplus(x)): x itself where softplus(x) is exp(x)."""
    low = x < -(dtype_of(x).digits + 1) * math.log(2)
    where = FUNCTIONS["where"]
    # The second choice makes of the logarithm one of another pattern.
    inner = where(low, 1, FUNCTIONS["softplus"](where(low, 0, x)))
    return where(low, x, FUNCTIONS["log"](inner))


def _unless_positive_power(node: Node, c: Node) -> str:
    value = uniform(c)
    return "" if value > 0 and math.isfinite(value) else f"the exponent {value} is not above 0"


def _log_power(x: Node, c: Node) -> Any:
    base = FUNCTIONS["absolute"](x) if uniform(c) % 2 == 0 else x
    return FUNCTIONS["log"](base) * uniform(c)


def _unless_scaled_log(node: Node, x: Node) -> str:
    return "" if scaled(x, in_log=True) else "it is of no exponential"


def _log_scaled(node: Node, x: Node) -> Any:
    exponent, over, under = scaled(x, in_log=True)  # type: ignore[misc]
    log, value = FUNCTIONS["log"], exponent
    if over is None and under is not None:
        value = exponent - log(under)
    elif over is not None:
        value = exponent + log(over if under is None else over / under)
    return narrowed(node, value)


def _unless_ratio(node: Node, x: Node, y: Node) -> str:
    both = scaled(y) and scaled(x)
    return "" if both else "it is of no two exponentials"


def _ratio(node: Node, x: Node, y: Node) -> Any:
    above, below = scaled(x), scaled(y)
    assert above is not None and below is not None
    value = less(above, below.exponent)
    return narrowed(node, value if below.rest is None else value / below.rest)


def _parts_of_logsumexp(x: Node, y: Node) -> tuple[Any, Any] | None:
    """The largest of x and the rest, moved alike, where y is their sum."""
    moves, total = moved_by(y)
    if total.op is not OPS["add"] or any(n.op is OPS["where"] for n in moves):
        return None
    for top, rest in (total.inputs, total.inputs[::-1]):
        _, largest = moved_by(top)
        if largest.op is OPS["max"] and largest.inputs[0] is x:
            for node in reversed(moves):
                top, rest = moved(node, top), moved(node, rest)
            return top, rest
    return None


def _unless_logsumexp(x: Node, y: Node) -> str:
    return "" if _parts_of_logsumexp(x, y) else "it is of no sum of exponentials"


def _less_logsumexp(x: Node, y: Node) -> Any:
    top, rest = _parts_of_logsumexp(x, y)  # type: ignore[misc]
    return (x - top) - rest


def _unless_positive(c: Node) -> str:
    value = uniform(c)
    return "" if 0 < value < math.inf else f"{value} is not above 0"


def _hypot(node: Node, x: Node, c: Node) -> Any:
    return FUNCTIONS["hypot"](x, filled(node, math.sqrt(uniform(c))))


def _unless_same(c: Node, d: Node) -> str:
    return "" if uniform(c) == uniform(d) > 0 else "the constants differ"


def _hypot_less(x: Node, c: Node) -> Any:
    """hypot(x, c) - c: for small x as x * x / (hypot(x, c) + c)."""
    where, value = FUNCTIONS["where"], uniform(c)
    big = FUNCTIONS["absolute"](x) > value
    small = where(big, 0, x)
    ratio = small / (FUNCTIONS["hypot"](small, value) + value)
    # Written as a sum, which is no pattern again.
    return where(big, FUNCTIONS["hypot"](x, value) + -value, small * ratio)


def _unless_plain(y: Node) -> str:
    return "its numerator has an exponential too" if scaled(y) else ""


exp, log, log1p = ops.exp, ops.log, ops.log1p
SIGMOIDS = (
    Rule("sigmoid-of-exp", ops.divide(1, exp(x) + 1), lambda x: _call("sigmoid", -x),
         dtypes=FLOATS),
    Rule("reciprocal-of-exp", ops.reciprocal(exp(x) + 1), lambda x: _call("sigmoid", -x),
         dtypes=FLOATS),
    Rule("exp-over-exp", exp(x) / (exp(x) + 1), lambda x: _call("sigmoid", x), dtypes=FLOATS),
    Rule("over-one-and-exp", y / (exp(x) + 1), lambda x, y: y * _call("sigmoid", -x),
         _unless_plain, dtypes=FLOATS),
    Rule("exp-less-softplus", exp(-ops.softplus(x)), lambda x: _call("sigmoid", -x), dtypes=FLOATS),
    Rule("tanh-written-out", (exp(x) - exp(-x)) / (exp(x) + exp(-x)), lambda x: _call("tanh", x),
         dtypes=FLOATS),
    Rule("tanh-times", (y * (exp(x) - exp(-x))) / (exp(x) + exp(-x)),
         lambda x, y: y * _call("tanh", x), dtypes=FLOATS),
)  # fmt: skip
DIFFERENCES = (
    Rule("exp-less-one", exp(x) - 1, lambda x: _call("expm1", x), dtypes=FLOATS),
    Rule("exp-and-minus-one", exp(x) + -1, lambda x: _call("expm1", x), dtypes=FLOATS),
    Rule("one-less-exp", ops.subtract(1, exp(x)), lambda x: -_call("expm1", x), dtypes=FLOATS),
    Rule("one-and-tanh", ops.tanh(x) + 1, lambda x: _call("sigmoid", x * 2) * 2, dtypes=FLOATS),
    Rule("one-less-tanh", ops.subtract(1, ops.tanh(x)), lambda x: _call("sigmoid", x * -2) * 2,
         dtypes=FLOATS),
    Rule("one-less-erf", ops.subtract(1, ops.erf(x)), lambda x: _call("erfc", x), dtypes=FLOATS),
    Rule("hypot-less", ops.hypot(x, c) - constant("d"), _hypot_less, _unless_same, dtypes=FLOATS),
    Rule("less-logsumexp", x - y, _less_logsumexp, _unless_logsumexp, dtypes=FLOATS),
)  # fmt: skip
ROOTS = (
    Rule("sqrt-of-square", ops.sqrt(ops.square(x)), lambda x: abs(x), dtypes=FLOATS),
    Rule("sqrt-of-product", ops.sqrt(x * x), lambda x: abs(x), dtypes=FLOATS),
    Rule("sqrt-of-square-sum", ops.sqrt(ops.square(x) + c), _hypot, _unless_positive,
         dtypes=FLOATS),
    Rule("sqrt-of-product-sum", ops.sqrt(x * x + c), _hypot, _unless_positive, dtypes=FLOATS),
)  # fmt: skip
LOGARITHMS = (
    Rule("log-one-less-sigmoid", log(ops.subtract(1, ops.sigmoid(x))),
         lambda x: -_call("softplus", x), dtypes=FLOATS),
    Rule("log1p-less-sigmoid", log1p(-ops.sigmoid(x)), lambda x: -_call("softplus", x),
         dtypes=FLOATS),
    Rule("log1p-exp", log1p(exp(x)), lambda x: _call("softplus", x), dtypes=FLOATS),
    Rule("log1p-less-exp", log1p(-exp(x)), lambda x: _call("log1mexp", x), dtypes=FLOATS),
    Rule("log-less-expm1", log(-ops.expm1(x)), lambda x: _call("log1mexp", x), dtypes=FLOATS),
    Rule("log-expm1", log(ops.expm1(x)), lambda x: x + _call("log1mexp", -x), dtypes=FLOATS),
    Rule("log-softplus", log(ops.softplus(x)), _log_softplus, dtypes=FLOATS),
    Rule("log-one-less-tanh2", log(ops.subtract(1, ops.square(ops.tanh(x)))), _log_sech2,
         dtypes=FLOATS),
    Rule("log-one-less-tanh-tanh", log(ops.subtract(1, ops.tanh(x) * ops.tanh(x))), _log_sech2,
         dtypes=FLOATS),
    Rule("log-one-and-erf", log(ops.erf(x) + 1), lambda x: _call("log", _call("erfc", -x)),
         dtypes=FLOATS),
    Rule("log-square", log(ops.square(x)), lambda x: _call("log", abs(x)) * 2, dtypes=FLOATS),
    Rule("log-product-of-same", log(x * x), lambda x: _call("log", abs(x)) * 2, dtypes=FLOATS),
    Rule("log-power", log(ops.power(x, c)), _log_power, _unless_positive_power, dtypes=FLOATS),
    Rule("log-of-sqrt", log(ops.sqrt(x)), lambda x: _call("log", x) * 0.5, dtypes=FLOATS),
    Rule("log-scaled", log(x), _log_scaled, _unless_scaled_log, dtypes=FLOATS),
    Rule("log-one-and", log(x + 1), lambda x: _call("log1p", x), dtypes=FLOATS),
    Rule("log-one-less", log(ops.subtract(1, x)), lambda x: _call("log1p", -x), dtypes=FLOATS),
)  # fmt: skip
RATIOS = (Rule("ratio-scaled", x / y, _ratio, _unless_ratio, dtypes=FLOATS),)

STABLE = (*SIGMOIDS, *DIFFERENCES, *ROOTS, *LOGARITHMS, *RATIOS)
