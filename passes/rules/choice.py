"""Rules on choices, extremes, comparisons, logic and bits."""

from __future__ import annotations

from graphc.core import dtypes
from graphc.core.dtypes import greatest, least
from graphc.core.ir import OPS, Node
from graphc.passes.rewrite.engine import Rule, constant, ops, uniform, var
from graphc.passes.rewrite.facts import (
    EVERY,
    FLOATS,
    INTS,
    dtype_of,
    filled,
    tensor,
    unless_float,
    unless_unsigned,
    unless_varied,
)

x, y, z = var("x"), var("y"), var("z")
b, c, d = var("b"), constant("c"), constant("d")
BOOL = ("bool",)
BITS = (*INTS, "bool")


def _choices(*shape: str) -> list[Node]:
    """`where` nodes: each word names the operands, in order, of one choice on one condition."""
    found = []
    for dtype in EVERY:
        condition = tensor("bool", name="b")
        names = {k: tensor(dtype, name=k) for k in "xyz"}
        inner = [names[k] for k in shape if k in names]
        found.append(OPS["where"](condition, *inner))
    return found


def _nested(inner_first: bool) -> list[Node]:
    found = []
    for dtype in EVERY:
        condition = tensor("bool", name="b")
        p, q, r = (tensor(dtype, name=k) for k in "xyz")
        inner = OPS["where"](condition, p, q)
        found.append(OPS["where"](condition, *((inner, r) if inner_first else (r, inner))))
    return found


def _of_constant(value: bool) -> list[Node]:
    p, q = tensor(name="x"), tensor(name="y")
    return [OPS["where"](filled(tensor("bool"), value), p, q)]


def _of_not() -> list[Node]:
    p, q = tensor(name="x"), tensor(name="y")
    return [OPS["where"](OPS["logical_not"](tensor("bool", name="b")), p, q)]


def _one_or_zero(first: int) -> list[Node]:
    found = []
    for dtype in EVERY:
        t = tensor(dtype)
        pair = filled(t, first), filled(t, 1 - first)
        found.append(OPS["where"](tensor("bool", name="b"), *pair))
    return found


def _as_number(node: Node, b: Node) -> Node:
    if dtype_of(node) is dtypes.bool_:
        return b
    return OPS["cast"](b, dtype=dtype_of(node), overflow="error")


WHERE = (
    Rule("where-same", ops.where(b, x, x), lambda x: x, samples=lambda: _choices("x", "x")),
    Rule("where-true", ops.where(True, x, y), lambda x: x, samples=lambda: _of_constant(True)),
    Rule("where-false", ops.where(False, x, y), lambda y: y, samples=lambda: _of_constant(False)),
    Rule(
        "where-not", ops.where(ops.logical_not(b), x, y),
        lambda b, x, y: OPS["where"](b, y, x), samples=_of_not,
    ),
    Rule(
        "where-where-first", ops.where(b, ops.where(b, x, y), z),
        lambda b, x, z: OPS["where"](b, x, z), samples=lambda: _nested(True),
    ),
    Rule(
        "where-where-second", ops.where(b, x, ops.where(b, y, z)),
        lambda b, x, z: OPS["where"](b, x, z), samples=lambda: _nested(False),
    ),
    Rule("where-one-zero", ops.where(b, 1, 0), _as_number, samples=lambda: _one_or_zero(1)),
    Rule(
        "where-zero-one", ops.where(b, 0, 1),
        lambda node, b: _as_number(node, OPS["logical_not"](b)), samples=lambda: _one_or_zero(0),
    ),
)  # fmt: skip


def _extreme(name: str) -> tuple[Rule, ...]:
    """Rules of `maximum` or `minimum`. The sign of a zero result is not specified by either."""
    op = getattr(ops, name)
    neutral = least if name == "maximum" else greatest
    absorbing = greatest if name == "maximum" else least

    def unless_neutral(node: Node, c: Node) -> str:
        value = neutral(dtype_of(node))
        return "" if uniform(c) == value else f"the constant is not {value}"

    def unless_absorbing(node: Node, c: Node) -> str:
        if dtype_of(node).is_float:
            return "a nan stays a nan"
        value = absorbing(dtype_of(node))
        return "" if uniform(c) == value else f"the constant is not {value}"

    def samples(bound: object) -> list[Node]:
        return [
            OPS[name](t, filled(t, bound(dtype_of(t))))  # type: ignore[operator]
            for t in map(tensor, EVERY)
        ]

    return (
        Rule(f"{name}-self", op(x, x), lambda x: x, dtypes=EVERY),
        Rule(
            f"{name}-{name}", op(x, op(x, y)), lambda x, y: OPS[name](x, y), dtypes=EVERY
        ),
        Rule(
            f"{name}-constants", op(op(x, c), d),
            lambda x, c, d: OPS[name](x, OPS[name](c, d)), unless_varied, dtypes=EVERY,
        ),
        Rule(f"{name}-neutral", op(x, c), lambda x: x, unless_neutral,
             samples=lambda: samples(neutral)),
        Rule(f"{name}-absorbing", op(x, c), lambda node, c: filled(node, uniform(c)),
             unless_absorbing, samples=lambda: samples(absorbing)[len(FLOATS) :]),
    )  # fmt: skip


EXTREMES = (*_extreme("maximum"), *_extreme("minimum"))


def _compared(name: str, of_floats: bool | None, of_integers: bool) -> Rule:
    """A comparison of a value with itself; None where it depends on nan."""
    both = of_floats is not None

    def unless(x: Node) -> str:
        return "a nan equals nothing" if dtype_of(x).is_float and not both else ""

    return Rule(
        f"{name}-self", getattr(ops, name)(x, x), lambda node: filled(node, of_integers), unless,
        dtypes=EVERY if both else BITS,
    )  # fmt: skip


def _negation(name: str, opposite: str, of_floats: bool) -> Rule:
    def unless(x: Node) -> str:
        wrong = dtype_of(x).is_float and not of_floats
        return "with a nan both are false" if wrong else ""

    return Rule(
        f"not-{name.replace('_', '-')}", ops.logical_not(getattr(ops, name)(x, y)),
        lambda x, y: OPS[opposite](x, y), unless, dtypes=EVERY if of_floats else BITS,
    )  # fmt: skip


COMPARISONS = (
    _compared("equal", None, True),
    _compared("not_equal", None, False),
    _compared("less", False, False),
    _compared("greater", False, False),
    _compared("less_equal", None, True),
    _compared("greater_equal", None, True),
    Rule(
        "not-equal-self-float", ops.not_equal(x, x), lambda x: OPS["isnan"](x),
        lambda x: unless_float(x), dtypes=FLOATS,
    ),
    _negation("equal", "not_equal", True),
    _negation("not_equal", "equal", True),
    _negation("less", "greater_equal", False),
    _negation("less_equal", "greater", False),
    _negation("greater", "less_equal", False),
    _negation("greater_equal", "less", False),
    Rule(
        "less-zero-unsigned", ops.less(x, 0), lambda node: filled(node, False),
        lambda x: unless_unsigned(x), dtypes=("uint8",),
    ),
    Rule(
        "greater-equal-zero-unsigned", ops.greater_equal(x, 0), lambda node: filled(node, True),
        lambda x: unless_unsigned(x), dtypes=("uint8",),
    ),
)  # fmt: skip

LOGIC = (
    Rule("not-not", ops.logical_not(ops.logical_not(x)), lambda x: x, dtypes=BOOL),
    Rule("and-true", ops.logical_and(x, True), lambda x: x, dtypes=BOOL),
    Rule("and-false", ops.logical_and(x, False), lambda node: filled(node, False), dtypes=BOOL),
    Rule("and-self", ops.logical_and(x, x), lambda x: x, dtypes=BOOL),
    Rule("or-true", ops.logical_or(x, True), lambda node: filled(node, True), dtypes=BOOL),
    Rule("or-false", ops.logical_or(x, False), lambda x: x, dtypes=BOOL),
    Rule("or-self", ops.logical_or(x, x), lambda x: x, dtypes=BOOL),
    Rule("xor-false", ops.logical_xor(x, False), lambda x: x, dtypes=BOOL),
    Rule("xor-true", ops.logical_xor(x, True), lambda x: OPS["logical_not"](x), dtypes=BOOL),
    Rule("xor-self", ops.logical_xor(x, x), lambda node: filled(node, False), dtypes=BOOL),
    Rule("invert-invert", ops.invert(ops.invert(x)), lambda x: x, dtypes=BITS),
    Rule("bits-and-self", ops.bitwise_and(x, x), lambda x: x, dtypes=BITS),
    Rule("bits-or-self", ops.bitwise_or(x, x), lambda x: x, dtypes=BITS),
    Rule("bits-xor-self", ops.bitwise_xor(x, x), lambda node: filled(node, 0), dtypes=BITS),
    Rule("bits-and-zero", ops.bitwise_and(x, 0), lambda node: filled(node, 0), dtypes=BITS),
    Rule("bits-and-ones", ops.bitwise_and(x, -1), lambda x: x, dtypes=("int32", "int8")),
    Rule("bits-or-zero", ops.bitwise_or(x, 0), lambda x: x, dtypes=BITS),
    Rule("bits-xor-zero", ops.bitwise_xor(x, 0), lambda x: x, dtypes=BITS),
    Rule("left-shift-zero", ops.left_shift(x, 0), lambda x: x, dtypes=INTS),
    Rule("right-shift-zero", ops.right_shift(x, 0), lambda x: x, dtypes=INTS),
)  # fmt: skip

CHOICE = (*WHERE, *EXTREMES, *COMPARISONS, *LOGIC)
