"""Rules on transposes, reshapes and broadcasts: what cancels, composes, or moves constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.dims import Size
from graphc.core.ir import OPS, Kind, Node, is_checked, tensor_type
from graphc.ops.source import FULL
from graphc.passes.rewrite.engine import Rule, any_of, attribute, constant, ops, uniform, var
from graphc.passes.rewrite.facts import dtype_of, tensor

x, y, c = var("x"), var("y"), constant("c")


def moved(name: str, *operands: Node, **attrs: Any) -> Node:
    """A movement node."""
    return OPS[name](*operands, **attrs)


def shape_of(node: Node) -> tuple[Size, ...]:
    """The sizes of a node's axes."""
    return tensor_type(node).shape


def constant_like(node: Node, c: Node) -> Node:
    """The constant c in the type of `node`."""
    type_ = tensor_type(node)
    return FULL(value=uniform(c), shape=type_.shape, dtype=type_.dtype)


full = var("c", where=lambda node: node.op is FULL)


def ones_and_a_half(shape: Sequence[Any] = (2, 3)) -> Node:
    """A constant for samples."""
    return FULL(value=1.5, shape=tuple(shape), dtype=dtype_of(tensor()))


# Transposes.


def _compose_transposes(x: Node, outer: tuple[int, ...], inner: tuple[int, ...]) -> Node:
    return moved("transpose", x, axes=tuple(inner[k] for k in outer))


def _unless_identity(outer: tuple[int, ...]) -> str:
    return "" if outer == tuple(range(len(outer))) else f"{outer} moves axes"


def _unless_ones_move(x: Node, outer: tuple[int, ...]) -> str:
    kept = [axis for axis in outer if shape_of(x)[axis] != 1]
    return "" if kept == sorted(kept) else "it moves axes of more than one element"


def _transpose_of_broadcast(node: Node, x: Node, outer: tuple[int, ...], new: Any) -> Node:
    rank = len(outer)
    places = [axis for axis in range(rank) if axis not in new]
    kept = [places.index(axis) for axis in outer if axis not in new]
    axes = tuple(k for k, axis in enumerate(outer) if axis in new)
    if kept != sorted(kept):
        x = moved("transpose", x, axes=tuple(kept))
    return moved("broadcast", x, axes=axes, shape=shape_of(node))


def _transposed(*axes: int, shape: Sequence[Any] = (2, 3, 4)) -> Node:
    return moved("transpose", tensor(shape=shape), axes=axes)


TRANSPOSES = (
    Rule(
        "transpose-identity", ops.transpose(x, axes=attribute("outer")), lambda x: x,
        _unless_identity, samples=lambda: [_transposed(0, 1, 2), _transposed(shape=())],
    ),
    Rule(
        "transpose-transpose",
        ops.transpose(ops.transpose(x, axes=attribute("inner")), axes=attribute("outer")),
        _compose_transposes,
        samples=lambda: [
            moved("transpose", _transposed(1, 2, 0), axes=(1, 2, 0)),
            moved("transpose", _transposed(1, 0, 2), axes=(1, 0, 2)),
        ],
    ),
    Rule(
        "transpose-ones", ops.transpose(x, axes=attribute("outer")),
        lambda node, x: moved("reshape", x, shape=shape_of(node)), _unless_ones_move,
        samples=lambda: [_transposed(1, 0, 2, shape=(1, 3, 4)), _transposed(1, 0, shape=(1, 1))],
    ),
    Rule(
        "transpose-broadcast",
        ops.transpose(ops.broadcast(x, axes=attribute("new")), axes=attribute("outer")),
        _transpose_of_broadcast,
        samples=lambda: [
            moved("transpose", spread((2, 3), (1,), (2, 4, 3)), axes=(1, 2, 0)),
            moved("transpose", spread((3,), (0,), (4, 3)), axes=(1, 0)),
        ],
    ),
    Rule(
        "transpose-full", ops.transpose(full), constant_like,
        samples=lambda: [moved("transpose", ones_and_a_half(), axes=(1, 0))],
    ),
)  # fmt: skip

# Reshapes and broadcasts.


def spread(shape: Sequence[Any], axes: tuple[int, ...], out: Sequence[Any]) -> Node:
    """A broadcast of an input, for samples."""
    return moved("broadcast", tensor(shape=shape), axes=axes, shape=tuple(out))


def _compose_broadcasts(node: Node, x: Node, outer: tuple[int, ...], inner: Any) -> Node:
    places = [axis for axis in range(len(shape_of(node))) if axis not in outer]
    axes = tuple(sorted((*outer, *(places[axis] for axis in inner))))
    return moved("broadcast", x, axes=axes, shape=shape_of(node))


def _unless_new_are_one(node: Node, axes: tuple[int, ...]) -> str:
    sizes = [shape_of(node)[axis] for axis in axes]
    return "" if all(size == 1 for size in sizes) else "it repeats elements"


def _unless_only_ones(node: Node) -> str:
    """Guard of a reshape of a broadcast: it only adds or drops axes of size 1 that are new."""
    return "it regroups axes" if _ones_plan(node.inputs[0], shape_of(node)) is None else ""


def _ones_plan(spread: Node, shape: Sequence[Size]) -> tuple[int, ...] | None:
    """The new axes of `shape` if a reshape of a broadcast to it is a broadcast of its operand."""
    new = spread.attr("axes")
    if len(new) == len(shape_of(spread)):
        return tuple(range(len(shape)))
    before = [(size, axis in new) for axis, size in enumerate(shape_of(spread))]
    axes: list[int] = []
    position = 0
    for axis, size in enumerate(shape):
        while position < len(before) and before[position] == (1, True) and size != 1:
            position += 1
        if position < len(before) and before[position][0] == size:
            if before[position][1]:
                axes.append(axis)
            position += 1
        elif size == 1:
            axes.append(axis)
        else:
            return None
    left = before[position:]
    return tuple(axes) if all(entry == (1, True) for entry in left) else None


def _in_shape(operand: Node, shape: tuple[Size, ...]) -> Node | None:
    """An operand in another shape of as many elements, where that costs nothing."""
    value = uniform(operand)
    if value is not None:
        return FULL(value=value, shape=shape, dtype=dtype_of(operand))
    if operand.op is OPS["reshape"] and shape_of(operand.inputs[0]) == shape:
        return operand.inputs[0]
    if operand.op is OPS["broadcast"]:
        axes = _ones_plan(operand, shape)
        if axes is not None:
            return moved("broadcast", operand.inputs[0], axes=axes, shape=shape)
    return None


def _unless_reshaped_back(node: Node, x: Node) -> str:
    """Guard of a reshape of an elementwise node: its operands have that shape for nothing."""
    fits = all(_in_shape(operand, shape_of(node)) is not None for operand in x.inputs)
    return "" if fits else "an operand would have to be reshaped"


def _before_reshape(node: Node, x: Node) -> Node:
    operands = [_in_shape(operand, shape_of(node)) for operand in x.inputs]
    return x.op(*operands, **dict(x.attrs))


def _new_axes(node: Node) -> tuple[int, ...] | None:
    """The axes along which all operands of a node are repeated alike, constants left aside."""
    spread = [i for i in node.inputs if uniform(i) is None]
    if not spread or any(i.op is not OPS["broadcast"] for i in spread):
        return None
    axes = spread[0].attr("axes")
    return axes if all(i.attr("axes") == axes for i in spread) else None


def _unless_repeated(node: Node) -> str:
    if is_checked(node):
        return "it may fail, but not where nothing is repeated"
    return "" if _new_axes(node) else "its operands are not repeated alike"


def _before_broadcast(node: Node) -> Node:
    axes = _new_axes(node) or ()
    inner = tuple(size for axis, size in enumerate(shape_of(node)) if axis not in axes)
    operands = [
        i.inputs[0]
        if uniform(i) is None
        else FULL(value=uniform(i), shape=inner, dtype=dtype_of(i))
        for i in node.inputs
    ]
    result = node.op(*operands, **dict(node.attrs))
    return moved("broadcast", result, axes=axes, shape=shape_of(node))


def _computed_on_copies() -> list[Node]:
    left, right = (
        moved("broadcast", tensor(shape=(3,), name=k), axes=(0,), shape=(4, 3)) for k in "xy"
    )
    number = FULL(value=5.0, shape=(4, 3), dtype=dtype_of(left))
    return [OPS["exp"](left), OPS["add"](left, right), OPS["divide"](number, left)]


def _computed_between() -> list[Node]:
    """A mean that kept its axis: reshaped, divided, reshaped back."""
    total, other = (moved("reshape", tensor(shape=(3,), name=k), shape=(3, 1)) for k in "xy")
    number = FULL(value=5.0, shape=(3, 1), dtype=dtype_of(total))
    scalar = moved("broadcast", tensor(shape=(), name="z"), axes=(0, 1), shape=(3, 1))
    found = (
        OPS["divide"](total, number),
        OPS["add"](total, other),
        OPS["exp"](total),
        OPS["divide"](total, scalar),
    )
    return [moved("reshape", node, shape=(3,)) for node in found]


RESHAPES = (
    Rule(
        "reshape-elementwise",
        ops.reshape(var("x", where=lambda node: node.op.kind is Kind.ELEMENTWISE)),
        _before_reshape, _unless_reshaped_back, samples=_computed_between,
    ),
    Rule(
        "elementwise-broadcast", any_of(Kind.ELEMENTWISE), _before_broadcast, _unless_repeated,
        samples=_computed_on_copies,
    ),
    Rule(
        "reshape-same", ops.reshape(x), lambda x: x,
        lambda node, x: "" if shape_of(node) == shape_of(x) else "the shape changes",
        samples=lambda: [moved("reshape", tensor(), shape=(2, 3))],
    ),
    Rule(
        "reshape-reshape", ops.reshape(ops.reshape(x)),
        lambda node, x: moved("reshape", x, shape=shape_of(node)),
        samples=lambda: [moved("reshape", moved("reshape", tensor(), shape=(6,)), shape=(3, 2))],
    ),
    Rule(
        "reshape-full", ops.reshape(full), constant_like,
        samples=lambda: [moved("reshape", ones_and_a_half(), shape=(6,))],
    ),
    Rule(
        "reshape-broadcast", ops.reshape(ops.broadcast(x)),
        lambda node, x: moved(
            "broadcast", x, axes=_ones_plan(node.inputs[0], shape_of(node)), shape=shape_of(node)
        ),
        _unless_only_ones,
        samples=lambda: [
            moved("reshape", spread((3,), (0,), (1, 3)), shape=(3,)),
            moved("reshape", spread((3,), (0,), (4, 3)), shape=(4, 1, 3)),
            moved("reshape", spread((2,), (1, 2), (2, 1, 5)), shape=(1, 2, 5)),
        ],
    ),
    Rule(
        "broadcast-ones", ops.broadcast(x, axes=attribute("axes")),
        lambda node, x: moved("reshape", x, shape=shape_of(node)), _unless_new_are_one,
        samples=lambda: [spread((2, 3), (), (2, 3)), spread((3,), (0, 2), (1, 3, 1))],
    ),
    Rule(
        "broadcast-broadcast",
        ops.broadcast(ops.broadcast(x, axes=attribute("inner")), axes=attribute("outer")),
        _compose_broadcasts,
        samples=lambda: [
            moved("broadcast", spread((3,), (0,), (2, 3)), axes=(1, 3), shape=(2, 4, 3, 5)),
        ],
    ),
    Rule(
        "broadcast-full", ops.broadcast(full), constant_like,
        samples=lambda: [moved("broadcast", ones_and_a_half(), axes=(0,), shape=(4, 2, 3))],
    ),
    Rule(
        "stop-gradient", ops.stop_gradient(x), lambda x: x, samples=lambda: [moved(
            "stop_gradient", tensor())],
    ),
    Rule(
        "gradient-as", ops.gradient_as(x, y), lambda x, y: x,
        samples=lambda: [moved("gradient_as", tensor(), tensor())],
    ),
)  # fmt: skip

MOVEMENT = (*TRANSPOSES, *RESHAPES)
