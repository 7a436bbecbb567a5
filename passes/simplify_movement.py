"""Rules on movement: what cancels, what composes, what constants are spared; and on casts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import dims
from graphc.dims import Size
from graphc.ir import OPS, Node, tensor_type
from graphc.ops.source import FULL
from graphc.passes.facts import dtype_of, tensor
from graphc.passes.rewrite import Rule, attribute, constant, ops, uniform, var

x, c = var("x"), constant("c")


def moved(name: str, x: Node, **attrs: Any) -> Node:
    """A movement node."""
    return OPS[name](x, **attrs)


def shape_of(node: Node) -> tuple[Size, ...]:
    """The sizes of a node's axes."""
    return tensor_type(node).shape


def cut(x: Node, starts: Sequence[Size], sizes: Sequence[Size], steps: Sequence[int]) -> Node:
    """A slice node."""
    return moved("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


def _constant_like(node: Node, c: Node) -> Node:
    type_ = tensor_type(node)
    return FULL(value=uniform(c), shape=type_.shape, dtype=type_.dtype)


def _is_full(node: Node) -> bool:
    return node.op is FULL


full = var("c", where=_is_full)


def _full(shape: Sequence[Any] = (2, 3)) -> Node:
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
            moved("transpose", _spread((2, 3), (1,), (2, 4, 3)), axes=(1, 2, 0)),
            moved("transpose", _spread((3,), (0,), (4, 3)), axes=(1, 0)),
        ],
    ),
    Rule(
        "transpose-full", ops.transpose(full), _constant_like,
        samples=lambda: [moved("transpose", _full(), axes=(1, 0))],
    ),
)  # fmt: skip

# Reshapes and broadcasts.


def _spread(shape: Sequence[Any], axes: tuple[int, ...], out: Sequence[Any]) -> Node:
    return moved("broadcast", tensor(shape=shape), axes=axes, shape=tuple(out))


def _compose_broadcasts(node: Node, x: Node, outer: tuple[int, ...], inner: Any) -> Node:
    places = [axis for axis in range(len(shape_of(node))) if axis not in outer]
    axes = tuple(sorted((*outer, *(places[axis] for axis in inner))))
    return moved("broadcast", x, axes=axes, shape=shape_of(node))


def _unless_new_are_one(node: Node, axes: tuple[int, ...]) -> str:
    sizes = [shape_of(node)[axis] for axis in axes]
    return "" if all(size == 1 for size in sizes) else "it repeats elements"


def _unless_only_ones(node: Node, x: Node) -> str:
    """Guard of a reshape of a broadcast: it only adds or drops axes of size 1 that are new."""
    return "it regroups axes" if _ones_plan(node, x) is None else ""


def _ones_plan(node: Node, x: Node) -> tuple[int, ...] | None:
    """The new axes of `node`, a reshape of a broadcast of x, if it is a broadcast of x."""
    spread = node.inputs[0]
    new = spread.attr("axes")
    before = [(size, axis in new) for axis, size in enumerate(shape_of(spread))]
    axes: list[int] = []
    position = 0
    for axis, size in enumerate(shape_of(node)):
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


RESHAPES = (
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
        "reshape-full", ops.reshape(full), _constant_like,
        samples=lambda: [moved("reshape", _full(), shape=(6,))],
    ),
    Rule(
        "reshape-broadcast", ops.reshape(ops.broadcast(x)),
        lambda node, x: moved("broadcast", x, axes=_ones_plan(node, x), shape=shape_of(node)),
        _unless_only_ones,
        samples=lambda: [
            moved("reshape", _spread((3,), (0,), (1, 3)), shape=(3,)),
            moved("reshape", _spread((3,), (0,), (4, 3)), shape=(4, 1, 3)),
            moved("reshape", _spread((2,), (1, 2), (2, 1, 5)), shape=(1, 2, 5)),
        ],
    ),
    Rule(
        "broadcast-ones", ops.broadcast(x, axes=attribute("axes")),
        lambda node, x: moved("reshape", x, shape=shape_of(node)), _unless_new_are_one,
        samples=lambda: [_spread((2, 3), (), (2, 3)), _spread((3,), (0, 2), (1, 3, 1))],
    ),
    Rule(
        "broadcast-broadcast",
        ops.broadcast(ops.broadcast(x, axes=attribute("inner")), axes=attribute("outer")),
        _compose_broadcasts,
        samples=lambda: [
            moved("broadcast", _spread((3,), (0,), (2, 3)), axes=(1, 3), shape=(2, 4, 3, 5)),
        ],
    ),
    Rule(
        "broadcast-full", ops.broadcast(full), _constant_like,
        samples=lambda: [moved("broadcast", _full(), axes=(0,), shape=(4, 2, 3))],
    ),
    Rule(
        "stop-gradient", ops.stop_gradient(x), lambda x: x, samples=lambda: [moved(
            "stop_gradient", tensor())],
    ),
)  # fmt: skip

# Slices, pads, concatenations.


def _unless_whole(node: Node, x: Node) -> str:
    zero = all(start == 0 for start in node.attr("starts"))
    forward = all(step == 1 for step in node.attr("steps"))
    return "" if zero and forward and shape_of(node) == shape_of(x) else "it leaves elements out"


def _compose_slices(node: Node, x: Node) -> Node:
    inner = node.inputs[0]
    pairs = list(zip(inner.attr("starts"), inner.attr("steps")))
    starts = [s + t * a for (s, t), a in zip(pairs, node.attr("starts"))]
    steps = [t * b for (_, t), b in zip(pairs, node.attr("steps"))]
    return cut(x, starts, node.attr("sizes"), steps)


def _unless_never_empty(node: Node) -> str:
    safe = all(dims.at_least(size, 1) for size in shape_of(node))
    return "" if safe else "a slice that may be empty may start anywhere"


def _slice_of_broadcast(node: Node, x: Node, new: tuple[int, ...]) -> Node:
    kept = [axis for axis in range(len(shape_of(node))) if axis not in new]
    inner = cut(
        x, *([node.attr(name)[axis] for axis in kept] for name in ("starts", "sizes", "steps"))
    )
    return moved("broadcast", inner, axes=new, shape=shape_of(node))


def _unless_around(node: Node, x: Node) -> str:
    """Guard of a slice of a pad: it takes elements of x alone, one after the other."""
    pad = node.inputs[0]
    for start, size, step, low, gap, limit in zip(
        node.attr("starts"), node.attr("sizes"), node.attr("steps"), pad.attr("low"),
        pad.attr("interior"), shape_of(x),
    ):  # fmt: skip
        offset = start - low
        if step != gap + 1 or offset % step != 0:
            return "it takes elements of the padding"
        first = offset // step
        if not dims.at_least(first, 0) or not dims.at_least(limit - first - size, 0):
            return "it may take elements of the padding"
    return ""


def _slice_of_pad(node: Node, x: Node) -> Node:
    pad = node.inputs[0]
    starts = [
        (start - low) // (gap + 1)
        for start, low, gap in zip(node.attr("starts"), pad.attr("low"), pad.attr("interior"))
    ]
    return cut(x, starts, node.attr("sizes"), [1] * len(starts))


def _piece(node: Node) -> tuple[int, Size] | None:
    """The operand of a concatenation that a slice lies in, and where that begins."""
    concat = node.inputs[0]
    axis, offset = concat.attr("axis"), 0
    start, size = node.attr("starts")[axis], node.attr("sizes")[axis]
    step = node.attr("steps")[axis]
    first = start if step > 0 else start + (size - 1) * step
    last = start + (size - 1) * step if step > 0 else start
    for operand, source in enumerate(concat.inputs):
        end = offset + shape_of(source)[axis]
        if dims.at_least(first - offset, 0) and dims.at_least(end - 1 - last, 0):
            return operand, offset
        offset = end
    return None


def _unless_in_one_piece(node: Node) -> str:
    return _unless_never_empty(node) or ("" if _piece(node) else "it spans several operands")


def _slice_of_concat(node: Node) -> Node:
    operand, offset = _piece(node) or (0, 0)
    concat = node.inputs[0]
    starts = list(node.attr("starts"))
    starts[concat.attr("axis")] = starts[concat.attr("axis")] - offset
    return cut(concat.inputs[operand], starts, node.attr("sizes"), node.attr("steps"))


def _unless_no_width(node: Node) -> str:
    wide = any(w != 0 for name in ("low", "high") for w in node.attr(name))
    # Room between elements is none where there is one element at most.
    spread = any(
        gap and not (isinstance(size, int) and size <= 1)
        for gap, size in zip(node.attr("interior"), shape_of(node.inputs[0]))
    )
    return "it makes room" if wide or spread else ""


def _unless_same_fill(node: Node, c: Node) -> str:
    fill = np.asarray(node.attr("value")).astype(dtype_of(node).numpy)
    same = fill.tobytes() == np.asarray(uniform(c)).astype(dtype_of(node).numpy).tobytes()
    return "" if same else "the padding has another value"


def _unless_pads_agree(node: Node) -> str:
    inner = node.inputs[0]
    fills = [np.asarray(n.attr("value")).astype(dtype_of(node).numpy).tobytes()
             for n in (node, inner)]  # fmt: skip
    if fills[0] != fills[1]:
        return "the paddings have different values"
    return "it spreads elements" if any((*node.attr("interior"), *inner.attr("interior"))) else ""


def _compose_pads(node: Node, x: Node) -> Node:
    inner = node.inputs[0]
    widths = {
        name: tuple(a + b for a, b in zip(node.attr(name), inner.attr(name)))
        for name in ("low", "high")
    }
    return moved("pad", x, **widths, interior=inner.attr("interior"), value=node.attr("value"))


def _padded(x: Node, low: int, high: int, value: float = 0.0, gap: int = 0) -> Node:
    rank = len(shape_of(x))
    return moved(
        "pad", x, low=(low,) * rank, high=(high,) * rank, interior=(gap,) * rank, value=value
    )


def _joined(*sizes: int) -> Node:
    parts = [tensor(shape=(size, 3), name=f"x{k}") for k, size in enumerate(sizes)]
    return OPS["concat"](*parts, axis=0)


def _sliced(x: Node, *ranges: tuple[int, int, int]) -> Node:
    return cut(x, *zip(*ranges))


SLICES = (
    Rule(
        "slice-whole", ops.slice(x), lambda x: x, _unless_whole,
        samples=lambda: [_sliced(tensor(), (0, 2, 1), (0, 3, 1))],
    ),
    Rule(
        "slice-slice", ops.slice(ops.slice(x)), _compose_slices, _unless_never_empty,
        samples=lambda: [
            _sliced(_sliced(tensor(shape=(20,)), (18, 9, -2)), (7, 3, -2)),
            _sliced(_sliced(tensor(shape=(20,)), (3, 8, 2)), (1, 3, 2)),
        ],
    ),
    Rule(
        "slice-full", ops.slice(full), _constant_like,
        samples=lambda: [_sliced(_full(), (0, 1, 1), (2, 2, -1))],
    ),
    Rule(
        "slice-broadcast", ops.slice(ops.broadcast(x, axes=attribute("new"))),
        _slice_of_broadcast,
        samples=lambda: [
            _sliced(_spread((3,), (0,), (4, 3)), (1, 2, 1), (0, 3, 1)),
            _sliced(_spread((3,), (0,), (4, 3)), (3, 2, -2), (2, 2, -1)),
        ],
    ),
    Rule(
        "slice-pad", ops.slice(ops.pad(x)), _slice_of_pad, _unless_around,
        samples=lambda: [
            _sliced(_padded(tensor(), 2, 1), (2, 2, 1), (2, 3, 1)),
            _sliced(_padded(tensor(), 1, 1), (1, 1, 1), (2, 2, 1)),
            _sliced(_padded(tensor(shape=(4,)), 2, 0, gap=2), (5, 2, 3)),
        ],
    ),
    Rule(
        "slice-concat", ops.slice(var("xs", where=lambda n: n.op is OPS["concat"])),
        _slice_of_concat, _unless_in_one_piece,
        samples=lambda: [
            _sliced(_joined(2, 3, 4), (2, 3, 1), (0, 2, 1)),
            _sliced(_joined(2, 3, 4), (8, 2, -2), (2, 3, -1)),
        ],
    ),
    Rule(
        "pad-nothing", ops.pad(x), lambda x: x, _unless_no_width,
        samples=lambda: [_padded(tensor(), 0, 0), _padded(tensor(shape=(1, 0)), 0, 0, gap=2)],
    ),
    Rule(
        "pad-full", ops.pad(full), _constant_like, _unless_same_fill,
        samples=lambda: [_padded(_full(), 1, 2, value=1.5, gap=1)],
    ),
    Rule(
        "pad-pad", ops.pad(ops.pad(x)), _compose_pads, _unless_pads_agree,
        samples=lambda: [_padded(_padded(tensor(), 1, 2, -1.0), 3, 0, -1.0)],
    ),
)  # fmt: skip


def _is_lossless(source: Any, target: Any) -> bool:
    return bool(np.can_cast(source.numpy, target.numpy, "safe"))


def _unless_lossless(node: Node, x: Node) -> str:
    middle = dtype_of(node.inputs[0])
    if _is_lossless(dtype_of(x), middle):
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
        ],
    ),
)  # fmt: skip

MOVEMENT = (*TRANSPOSES, *RESHAPES, *SLICES, *CASTS)
