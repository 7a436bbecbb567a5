"""Rules on reductions and contractions.

Sums and products of floats add in an order of their own, so what changes the order, or the number
of roundings, is for fast math.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.ir import OPS, Node
from graphc.ops.source import size as size_of
from graphc.passes.rewrite.engine import Rule, attribute, constant, ops, uniform, var
from graphc.passes.rewrite.facts import FLOATS, INTS, dtype_of, filled, tensor, unless_integer
from graphc.passes.rules.movement import moved, shape_of

x, c = var("x"), constant("c")
ORDERLESS = ("max", "min", "any", "all")
SUMS = ("sum", "prod")
INDEXED = ("argmax", "argmin")


def _operand_dtypes(name: str) -> tuple[str, ...]:
    if name in SUMS:
        return INTS
    return ("bool",) if name in ("any", "all") else (*FLOATS, *INTS)


def _operands(name: str, shape: Sequence[int] = (2, 3)) -> list[Node]:
    return [tensor(dtype, shape) for dtype in _operand_dtypes(name)]


def _reduced(name: str, x: Node, *axes: int) -> Node:
    return OPS[name](x, axes=axes)


def _order_free(name: str) -> Callable[[Node], str] | None:
    return unless_integer if name in SUMS else None


def _unless_ones(node: Node, x: Node) -> str:
    large = [axis for axis in node.attr("axes") if shape_of(x)[axis] != 1]
    return f"axis {large[0]} has more than one element" if large else ""


def _over_ones(name: str) -> Rule:
    def samples() -> list[Node]:
        found = [_reduced(name, t, 0, 2) for t in _operands(name, (1, 3, 1))]
        return found + [_reduced(name, t) for t in _operands(name)]

    return Rule(
        f"{name}-ones", getattr(ops, name)(x),
        lambda node, x: moved("reshape", x, shape=shape_of(node)), _unless_ones, samples=samples,
    )  # fmt: skip


def _index_of_ones(name: str) -> Rule:
    return Rule(
        f"{name}-ones", getattr(ops, name)(x), lambda node: filled(node, 0), _unless_ones,
        samples=lambda: [_reduced(name, tensor(shape=(3, 1)), 1)],
    )  # fmt: skip


def _merged(node: Node, x: Node, outer: tuple[int, ...], inner: tuple[int, ...]) -> Node:
    kept = [axis for axis in range(len(shape_of(x))) if axis not in inner]
    axes = tuple(sorted((*inner, *(kept[axis] for axis in outer))))
    return node.op(x, axes=axes)


def _twice(name: str, exact: bool) -> Rule:
    op = getattr(ops, name)
    dtypes = _operand_dtypes(name) if exact else FLOATS

    def samples() -> list[Node]:
        return [
            _reduced(name, _reduced(name, tensor(d, (2, 3, 4)), *a), *b)
            for d in dtypes
            for a, b in (((1,), (0, 1)), ((0, 2), (0,)), ((0,), (1,)))
        ]

    return Rule(
        f"{name}-{name}" + ("" if name in ORDERLESS else "-integer" if exact else ""),
        op(op(x, axes=attribute("inner")), axes=attribute("outer")), _merged,
        _order_free(name) if exact else None, exact=exact, samples=samples,
    )  # fmt: skip


def _unless_repeats(node: Node, new: tuple[int, ...]) -> str:
    """Guard of a max of a broadcast: the axes are the new ones, and none is empty."""
    shape = shape_of(node.inputs[0])
    if not any(axis in new for axis in node.attr("axes")):
        return "it reduces no repeated axis"
    empty = any(not dims.at_least(shape[a], 1) for a in node.attr("axes") if a in new)
    return "the repeated axis may be empty" if empty else ""


def _of_broadcast(node: Node, x: Node, new: tuple[int, ...]) -> Node:
    """The reduction of what is left when repeated axes that are reduced are not repeated."""
    axes, shape = node.attr("axes"), shape_of(node.inputs[0])
    places = [axis for axis in range(len(shape)) if axis not in new]
    inner = tuple(k for k, axis in enumerate(places) if axis in axes)
    result = node.op(x, axes=inner)
    left = [axis for axis in range(len(shape)) if axis not in axes]
    again = tuple(k for k, axis in enumerate(left) if axis in new)
    return moved("broadcast", result, axes=again, shape=shape_of(node)) if again else result


def _repeated(name: str) -> Rule:
    def samples() -> list[Node]:
        found = []
        for t in _operands(name):
            spread = moved("broadcast", t, axes=(0, 3), shape=(4, 2, 3, 5))
            found += [_reduced(name, spread, 0), _reduced(name, spread, 0, 1)]
        return found

    return Rule(
        f"{name}-broadcast", getattr(ops, name)(ops.broadcast(x, axes=attribute("new"))),
        _of_broadcast, _unless_repeats, samples=samples,
    )  # fmt: skip


def _times_count(node: Node, x: Node, new: tuple[int, ...]) -> Node:
    """The sum of a broadcast: the sum of what is repeated, times how often it is."""
    shape = shape_of(node.inputs[0])
    count = dims.product(shape[a] for a in node.attr("axes") if a in new)
    number = OPS["cast"](size_of(count), dtype=dtype_of(node), overflow="wrap")
    whole = _of_broadcast(node, x, new)
    if shape_of(whole):
        axes = tuple(range(len(shape_of(whole))))
        number = moved("broadcast", number, axes=axes, shape=shape_of(whole))
    return whole * number


def _unless_sums_repeats(node: Node, new: tuple[int, ...]) -> str:
    found = any(axis in new for axis in node.attr("axes"))
    return "" if found else "it sums no repeated axis"


def _sum_of_broadcast(exact: bool) -> Rule:
    def unless(node: Node, new: tuple[int, ...]) -> str:
        return (unless_integer(node) if exact else "") or _unless_sums_repeats(node, new)

    def samples() -> list[Node]:
        found = []
        for t in (tensor(d) for d in (INTS if exact else FLOATS)):
            spread = moved("broadcast", t, axes=(0, 3), shape=(4, 2, 3, 5))
            found += [_reduced("sum", spread, 0), _reduced("sum", spread, 0, 1, 2, 3)]
        return found

    return Rule(
        "sum-broadcast" + ("-integer" if exact else ""),
        ops.sum(ops.broadcast(x, axes=attribute("new"))), _times_count, unless, exact=exact,
        samples=samples,
    )  # fmt: skip


def _through_transpose(node: Node, x: Node, order: tuple[int, ...]) -> Node:
    """A reduction of the operand of a transpose, its result transposed."""
    axes = node.attr("axes")
    result = node.op(x, axes=tuple(sorted(order[axis] for axis in axes)))
    left = [order[axis] for axis in range(len(order)) if axis not in axes]
    return moved("transpose", result, axes=tuple(sorted(left).index(axis) for axis in left))


def _transposed(name: str, exact: bool) -> Rule:
    dtypes = _operand_dtypes(name) if exact else FLOATS

    def samples() -> list[Node]:
        found = []
        for t in (tensor(d, (2, 3, 4)) for d in dtypes):
            turned = moved("transpose", t, axes=(2, 0, 1))
            found += [_reduced(name, turned, 1), _reduced(name, turned, 0, 2)]
        return found

    return Rule(
        f"{name}-transpose" + ("" if name in ORDERLESS else "-integer" if exact else ""),
        getattr(ops, name)(ops.transpose(x, axes=attribute("order"))), _through_transpose,
        _order_free(name) if exact else None, exact=exact, samples=samples,
    )  # fmt: skip


def _unless_not_empty_full(node: Node) -> str:
    shape = shape_of(node.inputs[0])
    fits = all(dims.at_least(shape[axis], 1) for axis in node.attr("axes"))
    return "" if fits else "the axis may be empty"


def _of_constant(name: str) -> Rule:
    def samples() -> list[Node]:
        return [_reduced(name, filled(t, 1), 1) for t in _operands(name)]

    return Rule(
        f"{name}-full", getattr(ops, name)(c), lambda node, c: filled(node, uniform(c)),
        _unless_not_empty_full, samples=samples,
    )  # fmt: skip


def _scaled(node: Node, x: Node, c: Node) -> Node:
    return OPS["sum"](x, axes=node.attr("axes")) * filled(node, uniform(c))


def _sums(build: Callable[[Node], Node], dtypes: Sequence[str]) -> Callable[[], list[Node]]:
    return lambda: [_reduced("sum", build(tensor(d)), 1) for d in dtypes]


def _outside(exact: bool) -> tuple[Rule, ...]:
    """Signs and factors taken out of a sum."""
    end, dtypes = ("-integer", INTS) if exact else ("", FLOATS)
    unless: Any = unless_integer if exact else None
    return (
        Rule(
            f"sum-neg{end}", ops.sum(ops.negative(x)),
            lambda node, x: OPS["negative"](OPS["sum"](x, axes=node.attr("axes"))), unless,
            exact=exact,
            samples=_sums(lambda t: OPS["negative"](t), dtypes),
        ),
        Rule(
            f"sum-mul-constant{end}", ops.sum(x * c), _scaled, unless, exact=exact,
            samples=_sums(lambda t: t * filled(t, 3), dtypes),
        ),
    )  # fmt: skip


REDUCTIONS = (
    *(_over_ones(name) for name in (*ORDERLESS, *SUMS)),
    *(_index_of_ones(name) for name in INDEXED),
    *(_twice(name, True) for name in (*ORDERLESS, *SUMS)),
    *(_twice(name, False) for name in SUMS),
    *(_repeated(name) for name in ORDERLESS),
    _sum_of_broadcast(True),
    _sum_of_broadcast(False),
    *(_transposed(name, True) for name in (*ORDERLESS, *SUMS)),
    *(_transposed(name, False) for name in SUMS),
    *(_of_constant(name) for name in ORDERLESS),
    *_outside(True),
    *_outside(False),
)


def _product(dtype: str, left: Any, right: Any) -> Node:
    x, y = tensor(dtype, left, "x"), tensor(dtype, right, "y")
    return OPS["matmul"](x, y)


def _by_zero(dtype: str, first: bool) -> Node:
    x, y = tensor(dtype, (2, 3)), tensor(dtype, (3, 4), "y")
    return OPS["matmul"](filled(x, 0), y) if first else OPS["matmul"](x, filled(y, 0))


def _outer_product(node: Node, x: Node, y: Node) -> Node:
    rank, shape = len(shape_of(node)), shape_of(node)
    left = moved("reshape", x, shape=shape[:-1])
    right = moved("reshape", y, shape=(*shape[:-2], shape[-1]))
    return moved("broadcast", left, axes=(rank - 1,), shape=shape) * moved(
        "broadcast", right, axes=(rank - 2,), shape=shape
    )


def _unless_inner_one(node: Node, x: Node) -> str:
    return "" if shape_of(x)[-1] == 1 else "it sums several products"


def _turn(node: Node) -> Node:
    rank = len(shape_of(node))
    return moved("transpose", node, axes=(*range(rank - 2), rank - 1, rank - 2))


def _unless_last_two(node: Node) -> str:
    inner = node.inputs[0]
    nodes = (node, *inner.inputs)
    rank = len(shape_of(node))
    swap = (*range(rank - 2), rank - 1, rank - 2)
    return "" if all(n.attr("axes") == swap for n in nodes) else "other axes move too"


def _zero_rules(exact: bool) -> tuple[Rule, ...]:
    end, dtypes = ("-integer", INTS) if exact else ("", FLOATS)
    unless: Any = unless_integer if exact else None
    y = var("y")
    return (
        Rule(f"matmul-zero-left{end}", ops.matmul(0, y), lambda node: filled(node, 0), unless,
             exact=exact, samples=lambda: [_by_zero(d, True) for d in dtypes]),
        Rule(f"matmul-zero-right{end}", ops.matmul(x, 0), lambda node: filled(node, 0), unless,
             exact=exact, samples=lambda: [_by_zero(d, False) for d in dtypes]),
    )  # fmt: skip


CONTRACTIONS = (
    *_zero_rules(True),
    *_zero_rules(False),
    Rule(
        "matmul-inner-one", ops.matmul(x, var("y")), _outer_product, _unless_inner_one,
        exact=False, samples=lambda: [_product("float32", (5, 2, 1), (5, 1, 3))],
    ),
    Rule(
        "transpose-matmul-transposes",
        ops.transpose(ops.matmul(ops.transpose(x), ops.transpose(var("y")))),
        lambda x, y: OPS["matmul"](y, x), _unless_last_two, exact=False,
        samples=lambda: [
            _turn(OPS["matmul"](_turn(tensor(shape=(3, 2))), _turn(tensor(shape=(4, 3), name="y"))))
        ],
    ),
)  # fmt: skip

REDUCE = (*REDUCTIONS, *CONTRACTIONS)
