"""Rules on slices, pads and concatenations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import OPS, Node
from graphc.passes.rewrite.engine import Rule, attribute, ops, uniform, var
from graphc.passes.rewrite.facts import dtype_of, tensor
from graphc.passes.rules.movement import (
    constant_like,
    full,
    moved,
    ones_and_a_half,
    shape_of,
    spread,
)

x = var("x")


def cut(x: Node, starts: Sequence[Size], sizes: Sequence[Size], steps: Sequence[int]) -> Node:
    """A slice node."""
    return moved("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


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
    apart = any(
        gap and not (isinstance(size, int) and size <= 1)
        for gap, size in zip(node.attr("interior"), shape_of(node.inputs[0]))
    )
    return "it makes room" if wide or apart else ""


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
        "slice-full", ops.slice(full), constant_like,
        samples=lambda: [_sliced(ones_and_a_half(), (0, 1, 1), (2, 2, -1))],
    ),
    Rule(
        "slice-broadcast", ops.slice(ops.broadcast(x, axes=attribute("new"))),
        _slice_of_broadcast,
        samples=lambda: [
            _sliced(spread((3,), (0,), (4, 3)), (1, 2, 1), (0, 3, 1)),
            _sliced(spread((3,), (0,), (4, 3)), (3, 2, -2), (2, 2, -1)),
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
        "pad-full", ops.pad(full), constant_like, _unless_same_fill,
        samples=lambda: [_padded(ones_and_a_half(), 1, 2, value=1.5, gap=1)],
    ),
    Rule(
        "pad-pad", ops.pad(ops.pad(x)), _compose_pads, _unless_pads_agree,
        samples=lambda: [_padded(_padded(tensor(), 1, 2, -1.0), 3, 0, -1.0)],
    ),
)  # fmt: skip
