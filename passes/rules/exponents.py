"""Tensors as exp(exponent) * over / under: what their logarithms and ratios are without exp.

    exp(a) * w / s              exponent a, over w, under s
    sum(exp(a) * w, axes)       exponent m = max(a, axes), over sum(exp(a - m) * w, axes)
    sigmoid(a)                  exponent -softplus(-a), of a logarithm alone

The parts are of the dtype in which the tensor is computed: of float16, float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.core import dtypes
from graphc.core.ir import OPS, Node, Op
from graphc.core.operators import FUNCTIONS
from graphc.ops.arrays.reduce import MAX, SUM
from graphc.ops.arrays.statistics import kept
from graphc.passes.rewrite.engine import uniform
from graphc.passes.rewrite.facts import dtype_of

DEPTH = 12  # of the products, quotients and moves that are looked through


class Scaled(NamedTuple):
    """exp(exponent) * over / under, where None is 1."""

    exponent: Any
    over: Any = None
    under: Any = None

    @property
    def rest(self) -> Any:
        """over / under; None if both are 1."""
        if self.under is None:
            return self.over
        return (1 if self.over is None else self.over) / self.under

    def each(self, function: Callable[[Any], Any]) -> Scaled:
        """The parts, changed by what changes elements alike: moves, copies, casts."""
        return Scaled(*(part if part is None else function(part) for part in self))


def scaled(node: Node, in_log: bool = False, depth: int = DEPTH) -> Scaled | None:
    """The parts of a tensor that has an exponential as a factor; None for others.

    Args:
        node: the tensor.
        in_log: only its logarithm is wanted: then sigmoids have an exponent too.
        depth: of what is looked through.
    """
    find = FINDERS.get(node.op)
    return find(node, in_log, depth - 1) if find is not None and depth else None


def wide(node: Node) -> Any:
    """The tensor in the dtype in which it is computed."""
    compute = dtype_of(node).compute
    return node if dtype_of(node) is compute else FUNCTIONS["cast"](node, compute)


def narrowed(node: Node, value: Node) -> Any:
    """A value in the dtype of `node`."""
    return value if dtype_of(value) is dtype_of(node) else FUNCTIONS["cast"](value, dtype_of(node))


def is_bounded(term: Scaled) -> bool:
    """Whether the maximum of those that count was taken off an exponent already."""
    exponent = term.exponent
    if term.over is not None and exponent.op is not OPS["where"]:
        return False  # a maximum of all may be one that a factor of 0 takes out
    while exponent.op is OPS["where"]:
        exponent = exponent.inputs[2]
    if exponent.op is not OPS["subtract"]:
        return False
    _, top = moved_by(exponent.inputs[1])
    return top.op in (MAX, OPS["maximum"])


def moved_by(node: Node) -> tuple[list[Node], Node]:
    """The moves, from the last, that make a tensor of another; through what guards a maximum."""
    moves = []
    while True:
        if node.op in MOVES:
            moves.append(node)
        elif node.op is not OPS["stop_gradient"] and node.op is not OPS["where"]:
            return moves, node
        node = node.inputs[1 if node.op is OPS["where"] else 0]


def top_of(exponent: Node, over: Node | None, axes: tuple[int, ...]) -> Any:
    """The largest exponent over axes, of those whose factor is not 0; 0 where it is not finite."""
    where = FUNCTIONS["where"]
    if over is not None:
        exponent = where(over == 0, float("-inf"), exponent)
    return finite(MAX(exponent, axes=axes) if axes else exponent)


def finite(top: Node) -> Any:
    """A largest exponent, without a gradient; 0 where it is not finite."""
    top = FUNCTIONS["stop_gradient"](top)
    return FUNCTIONS["where"](FUNCTIONS["isfinite"](top), top, 0)


def product(*factors: Node | None) -> Any:
    """The product of those that are not 1."""
    found = None
    for factor in factors:
        if factor is not None:
            found = factor if found is None else found * factor
    return found


def moved(node: Node, part: Node) -> Any:
    """A part of the operand of a move, moved as it is."""
    return node.op(part, *node.inputs[1:], **dict(node.attrs))


def _of_exp(node: Node, in_log: bool, depth: int) -> Scaled | None:
    return Scaled(wide(node.inputs[0]))


def _of_sigmoid(node: Node, in_log: bool, depth: int) -> Scaled | None:
    return Scaled(-FUNCTIONS["softplus"](-wide(node.inputs[0]))) if in_log else None


def _of_move(node: Node, in_log: bool, depth: int) -> Scaled | None:
    found = scaled(node.inputs[0], in_log, depth)
    return found and found.each(lambda part: moved(node, part))


def _of_cast(node: Node, in_log: bool, depth: int) -> Scaled | None:
    source, target = dtype_of(node.inputs[0]).compute, dtype_of(node).compute
    if not (source.is_float and target.is_float and dtypes.holds(target, source)):
        return None
    found = scaled(node.inputs[0], in_log, depth)
    return found and found.each(lambda part: FUNCTIONS["cast"](part, target))


def _of_product(node: Node, in_log: bool, depth: int) -> Scaled | None:
    x, y = node.inputs
    first, second = scaled(x, in_log, depth), scaled(y, in_log, depth)
    if first is None or second is None:
        found, other = (second, x) if first is None else (first, y)
        return found and found._replace(over=product(found.over, wide(other)))
    return Scaled(
        first.exponent + second.exponent,
        product(first.over, second.over),
        product(first.under, second.under),
    )


def _of_quotient(node: Node, in_log: bool, depth: int) -> Scaled | None:
    x, y = node.inputs
    first, second = scaled(x, in_log, depth), scaled(y, in_log, depth)
    if second is None:
        return first and first._replace(under=product(first.under, wide(y)))
    if first is None:
        over = None if uniform(x) == 1 else wide(x)
        return Scaled(-second.exponent, product(over, second.under), second.over)
    return Scaled(
        first.exponent - second.exponent,
        product(first.over, second.under),
        product(first.under, second.over),
    )


def _of_square(node: Node, in_log: bool, depth: int) -> Scaled | None:
    found = scaled(node.inputs[0], in_log, depth)
    return found and Scaled(
        found.exponent * 2, product(found.over, found.over), product(found.under, found.under)
    )


def _of_sum(node: Node, in_log: bool, depth: int) -> Scaled | None:
    x, axes = node.inputs[0], node.attr("axes")
    found = scaled(x, False, depth) if axes else None
    if found is None or is_bounded(found):
        return None
    top = top_of(found.exponent, found.over, axes)
    return Scaled(top, SUM(less(found, kept(top, found.exponent, axes)), axes=axes))


def _of_prod(node: Node, in_log: bool, depth: int) -> Scaled | None:
    found = scaled(node.inputs[0], in_log, depth) if in_log else None
    if found is None or found.over is not None or found.under is not None:
        return None
    return Scaled(SUM(found.exponent, axes=node.attr("axes")))


def _of_add(node: Node, in_log: bool, depth: int) -> Scaled | None:
    x, y = node.inputs
    first, second = scaled(x, False, depth), scaled(y, False, depth)
    if first is None or second is None:
        found, other = (second, x) if first is None else (first, y)
        return found and _of_offset(found, uniform(other), in_log)
    if is_bounded(first) or is_bounded(second):
        return None
    return _of_terms(first, second)


def _of_offset(found: Scaled, offset: float | None, in_log: bool) -> Scaled | None:
    """exp(exponent) * over / under + offset, a positive number."""
    if offset is None or not offset > 0 or is_bounded(found):
        return None
    if in_log and offset == 1 and found.over is None and found.under is None:
        return Scaled(FUNCTIONS["softplus"](found.exponent))
    nothing = FUNCTIONS["full_like"](found.exponent, 0)
    return _of_terms(found, Scaled(nothing, FUNCTIONS["full_like"](nothing, offset)))


def _of_terms(first: Scaled, second: Scaled) -> Scaled:
    """The sum of two."""
    tops = [top_of(term.exponent, term.over, ()) for term in (first, second)]
    top = finite(FUNCTIONS["maximum"](*tops))
    return Scaled(top, less(first, top) + less(second, top))


def less(term: Scaled, top: Node) -> Any:
    """The term with an exponent taken off: exp(exponent - top) * over / under."""
    below = term.exponent - top
    if term.over is not None:
        # What a factor of 0 takes out may be far above the largest: infinity times 0 is nan.
        most = math.floor(math.log(dtype_of(below).finfo.max))
        below = FUNCTIONS["where"](term.over == 0, FUNCTIONS["minimum"](below, most), below)
    value = product(FUNCTIONS["exp"](below), term.over)
    return value if term.under is None else value / term.under


MOVES = frozenset(
    OPS[name] for name in ("broadcast", "reshape", "transpose", "slice", "take", "take_along_axis")
)
FINDERS: dict[Op, Callable[[Node, bool, int], Scaled | None]] = {
    OPS["exp"]: _of_exp,
    OPS["sigmoid"]: _of_sigmoid,
    **dict.fromkeys(MOVES, _of_move),
    OPS["cast"]: _of_cast,
    OPS["multiply"]: _of_product,
    OPS["divide"]: _of_quotient,
    OPS["square"]: _of_square,
    OPS["sum"]: _of_sum,
    OPS["prod"]: _of_prod,
    OPS["add"]: _of_add,
}
