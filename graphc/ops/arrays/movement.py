"""Movement ops: every element of the result comes from elsewhere; index maps, no arithmetic.

    broadcast(x; axes, shape)              new axes of any size
    reshape(x; shape)                      the same elements in row-major order
    transpose(x; axes)                     axes permuted
    slice(x; starts, sizes, steps)         out[i] = x[start + i * step]
    pad(x; low, high, interior, value)     room around and between the elements
    concat(*xs; axis)                      one after the other

Not here: the functions users call (`shaping`, `joining`), indices that are data (`indexing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import IndexMap, Kind, Node, Op, Piece, Sample, caller, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import Number
from graphc.errors import DTypeError, ShapeError
from graphc.ops.batch import behind, later, led, permuted, under
from graphc.ops.declare import declare

Index = tuple[Size, ...]


def is_less(x: Size, y: Size) -> bool:
    """Whether x < y for every size that the facts admit."""
    return dims.at_least(y - x, 1)


def _case(*shapes: tuple[int, ...], dtype: str = "float32", **attrs: Any) -> Sample:
    return Sample(tuple((shape, dtype, "real") for shape in shapes), attrs)


def _broadcast_infer(
    x: TensorType, *, axes: tuple[int, ...], shape: tuple[Size, ...]
) -> TensorType:
    kept = tuple(d for axis, d in enumerate(shape) if axis not in axes)
    if kept != x.shape or any(not 0 <= a < len(shape) for a in axes):
        raise ShapeError(f"broadcast: {x} with new axes {axes} is not of shape {shape}")
    return x.with_shape(shape)


def _broadcast_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    axes = node.attr("axes")
    return [Piece(0, tuple(i for axis, i in enumerate(index) if axis not in axes))]


BROADCAST = declare(
    Op(
        "broadcast", Kind.MOVEMENT, _broadcast_infer,
        lambda x, *, axes, shape: np.broadcast_to(np.expand_dims(x, axes), shape),
        lambda n, ct: (FUNCTIONS["sum"](ct, n.attr("axes")),),
        IndexMap(_broadcast_pieces),
        samples=lambda: [
            _case((3,), axes=(0,), shape=(2, 3)),
            _case((), axes=(0, 1), shape=(2, 1)),
            _case((2, 4), axes=(1,), shape=(2, 3, 4), dtype="int8"),
            _case((0,), axes=(1,), shape=(0, 3)),
            _case((3,), axes=(0,), shape=(0, 3)),
        ],
        batch=behind(axes=later, shape=under),
        doc="The tensor repeated along new axes; `axes` are the axes of `shape` that x lacks.",
    )
)  # fmt: skip


def _reshape_infer(x: TensorType, *, shape: tuple[Size, ...]) -> TensorType:
    if dims.product(shape) != x.size:
        raise ShapeError(f"reshape: {x} has {x.size} elements, {shape} {dims.product(shape)}")
    return x.with_shape(shape)


def aligned_groups(before: tuple[Size, ...], after: tuple[Size, ...]) -> list[tuple[range, range]]:
    """Cut two shapes of equal size into runs of axes that hold the same elements."""
    groups = []
    i = j = 0
    while i < len(before) or j < len(after):
        i0, j0 = i, j
        i, j = next(
            (
                (a, b)
                for total in range(i0 + j0 + 1, len(before) + len(after) + 1)
                for a in range(max(i0, total - len(after)), min(len(before), total - j0) + 1)
                for b in (total - a,)
                if dims.product(before[i0:a]) == dims.product(after[j0:b])
            ),
            (len(before), len(after)),
        )
        groups.append((range(i0, i), range(j0, j)))
    return groups


def reshaped_index(before: tuple[Size, ...], after: tuple[Size, ...], index: Index) -> Index:
    """The index into shape `before` of the element at `index` of shape `after`."""
    if any(d == 0 for d in before):
        return (0,) * len(before)
    result: list[Size] = []
    for left, right in aligned_groups(before, after):
        flat: Size = 0
        for axis in right:
            flat = flat * after[axis] + index[axis]
        sizes = [before[axis] for axis in left]
        for position, size in enumerate(sizes):
            stride = dims.product(sizes[position + 1 :])
            at = flat // stride
            result.append(0 if size == 1 else at if position == 0 else at % size)
    return tuple(result)


RESHAPE: Op = declare(
    Op(
        "reshape", Kind.MOVEMENT, _reshape_infer,
        lambda x, *, shape: np.reshape(x, shape),
        lambda n, ct: (RESHAPE(ct, shape=n.inputs[0].type.shape),),
        IndexMap(
            lambda n, index, read: [
                Piece(0, reshaped_index(n.inputs[0].type.shape, n.type.shape, index))
            ],
            injective=True,
            flat=True,
        ),
        samples=lambda: [
            _case((2, 6), shape=(3, 4)),
            _case((6,), shape=(2, 1, 3)),
            _case((1, 1), shape=()),
            _case((0, 3), shape=(7, 0)),
            _case((4, 3, 2), shape=(4, 6), dtype="int64"),
        ],
        batch=behind(shape=under),
        doc="The same elements, in row-major order, in another shape.",
    )
)  # fmt: skip


def _transpose_infer(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if sorted(axes) != list(range(x.rank)):
        raise ShapeError(f"transpose: {axes} is no permutation of the axes of {x}")
    return x.with_shape([x.shape[a] for a in axes])


def inverse_permutation(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `axes`."""
    return tuple(sorted(range(len(axes)), key=lambda k: axes[k]))


TRANSPOSE: Op = declare(
    Op(
        "transpose", Kind.MOVEMENT, _transpose_infer,
        lambda x, *, axes: np.transpose(x, axes),
        lambda n, ct: (TRANSPOSE(ct, axes=inverse_permutation(n.attr("axes"))),),
        IndexMap(
            lambda n, index, read: [
                Piece(0, tuple(index[k] for k in inverse_permutation(n.attr("axes"))))
            ],
            injective=True,
        ),
        samples=lambda: [
            _case((2, 3), axes=(1, 0)),
            _case((2, 3, 4), axes=(2, 0, 1)),
            _case((), axes=()),
            _case((0, 3), axes=(1, 0), dtype="bool"),
        ],
        batch=behind(axes=permuted),
        doc="The tensor with axis `axes[k]` moved to place k.",
    )
)  # fmt: skip


def _slice_infer(
    x: TensorType, *, starts: tuple[Size, ...], sizes: tuple[Size, ...], steps: tuple[int, ...]
) -> TensorType:
    if not len(starts) == len(sizes) == len(steps) == x.rank or 0 in steps:
        raise ShapeError(f"slice: starts {starts}, sizes {sizes}, steps {steps} do not fit {x}")
    for start, size, step, limit in zip(starts, sizes, steps, x.shape):
        last = start + (size - 1) * step
        outside = [is_less(p, 0) or is_less(limit - 1, p) for p in (start, last)]
        if is_less(size, 0) or (dims.at_least(size, 1) and any(outside)):
            raise ShapeError(f"slice: {size} elements from {start} by {step} of {limit}")
    return x.with_shape(sizes)


def _cut(start: int, size: int, step: int) -> slice:
    if size == 0:
        return slice(0, 0)
    stop = start + size * step
    return slice(start, stop if stop >= 0 else None, step)


def _slice_vjp(node: Any, ct: Node) -> tuple[Any]:
    low, high, interior, backward = [], [], [], []
    shape = node.inputs[0].type.shape
    for axis, (start, size, step, limit) in enumerate(
        zip(node.attr("starts"), node.attr("sizes"), node.attr("steps"), shape)
    ):
        below = start if step > 0 else start + (size - 1) * step
        below = 0 if size == 0 else below
        low.append(below)
        high.append(limit - below - spread(size, abs(step) - 1))
        interior.append(abs(step) - 1)
        if step < 0:
            backward.append(axis)
    ct = FUNCTIONS["flip"](ct, tuple(backward)) if backward else ct
    return (PAD(ct, low=tuple(low), high=tuple(high), interior=tuple(interior), value=0),)


SLICE = declare(
    Op(
        "slice", Kind.MOVEMENT, _slice_infer,
        lambda x, *, starts, sizes, steps: x[tuple(map(_cut, starts, sizes, steps))],
        _slice_vjp,
        IndexMap(
            lambda n, index, read: [
                Piece(
                    0,
                    tuple(
                        start + i * step
                        for i, start, step in zip(index, n.attr("starts"), n.attr("steps"))
                    ),
                )
            ],
            injective=True,
        ),
        samples=lambda: [
            _case((5, 4), starts=(1, 0), sizes=(3, 4), steps=(1, 1)),
            _case((7,), starts=(0,), sizes=(3,), steps=(3,)),
            _case((7,), starts=(6,), sizes=(4,), steps=(-2,)),
            _case((3,), starts=(3,), sizes=(0,), steps=(1,)),
            _case((), starts=(), sizes=(), steps=()),
        ],
        batch=behind(starts=led(0), sizes=under, steps=led(1)),
        doc="Elements start, start + step, ... of each axis; a step may be negative.",
    )
)  # fmt: skip


def spread(size: Size, interior: int) -> Size:
    """The extent of `size` elements with `interior` places between neighbours."""
    return size if interior == 0 else dims.maximum((size - 1) * (interior + 1) + 1, 0)


def _pad_infer(
    x: TensorType,
    *,
    low: tuple[Size, ...],
    high: tuple[Size, ...],
    interior: tuple[int, ...],
    value: Number,
) -> TensorType:
    if not len(low) == len(high) == len(interior) == x.rank:
        raise ShapeError(f"pad: low {low}, high {high}, interior {interior} do not fit {x}")
    # Around nothing at all only the sum of both widths counts.
    widths = [
        w for a, b, size in zip(low, high, x.shape) for w in ((a + b,) if size == 0 else (a, b))
    ]
    if any(isinstance(w, int) and w < 0 for w in (*widths, *interior)):
        raise ShapeError(f"pad: negative width in low {low}, high {high}, interior {interior}")
    return x.with_shape(
        [a + spread(size, gap) + b for size, a, b, gap in zip(x.shape, low, high, interior)]
    )


def _pad_numpy(x: np.ndarray, *, low: Any, high: Any, interior: Any, value: Any) -> np.ndarray:
    extents = [spread(size, gap) for size, gap in zip(x.shape, interior)]
    result = np.full([a + e + b for a, e, b in zip(low, extents, high)], value, x.dtype)
    if x.size:
        inside = tuple(slice(a, a + e, g + 1) for a, e, g in zip(low, extents, interior))
        result[inside] = x
    return result


def _pad_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    at: list[Size] = []
    guards: list[tuple[Size, Size, Size]] = []
    for i, size, low, high, gap in zip(
        index,
        tensor_type(node.inputs[0]).shape,
        node.attr("low"),
        node.attr("high"),
        node.attr("interior"),
    ):
        if low != 0 or high != 0:
            guards.append((i, low, low + spread(size, gap)))
        if gap:
            guards.append(((i - low) % (gap + 1), 0, 1))
        at.append((i - low) // (gap + 1) if gap else i - low)
    inside = Piece(0, tuple(at), tuple(guards))
    return [inside, Piece(None, value=node.attr("value"))] if guards else [inside]


def _pad_vjp(node: Any, ct: Any) -> tuple[Any]:
    steps = tuple(gap + 1 for gap in node.attr("interior"))
    return (SLICE(ct, starts=node.attr("low"), sizes=node.inputs[0].type.shape, steps=steps),)


PAD = declare(
    Op(
        "pad", Kind.MOVEMENT, _pad_infer, _pad_numpy, _pad_vjp,
        IndexMap(_pad_pieces, injective=True),
        samples=lambda: [
            _case((2, 3), low=(1, 0), high=(0, 2), interior=(0, 0), value=0.0),
            _case((3,), low=(1,), high=(2,), interior=(2,), value=-1.5),
            _case((0,), low=(2,), high=(1,), interior=(1,), value=3, dtype="int32"),
            _case((), low=(), high=(), interior=(), value=0.0),
            _case((1,), low=(0,), high=(0,), interior=(3,), value=0.0),
        ],
        batch=behind(low=led(0), high=led(0), interior=led(0)),
        doc="The tensor with `low` and `high` places around, `interior` places between elements, "
        "all holding `value`.",
    )
)  # fmt: skip


def _concat_infer(*types: TensorType, axis: int) -> TensorType:
    first = types[0]
    for other in types[1:]:
        if other.dtype is not first.dtype:
            raise DTypeError(f"concat: dtypes differ, {first} and {other}", where=caller())
        rest = [t.shape[:axis] + t.shape[axis + 1 :] for t in (first, other)]
        if other.rank != first.rank or rest[0] != rest[1]:
            raise ShapeError(
                f"concat: {first} and {other} differ beside axis {axis}", where=caller()
            )
    total: Size = 0
    for type_ in types:
        total = total + type_.shape[axis]
    return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _concat_pieces(node: Node, index: Index, read: Callable[..., Any]) -> Sequence[Piece]:
    axis = node.attr("axis")
    pieces = []
    offset: Size = 0
    for operand, source in enumerate(node.inputs):
        size = tensor_type(source).shape[axis]
        at = (*index[:axis], index[axis] - offset, *index[axis + 1 :])
        last = operand == len(node.inputs) - 1
        guards = () if last else ((index[axis], offset, offset + size),)
        pieces.append(Piece(operand, at, guards))
        offset = offset + size
    return pieces


def _concat_vjp(node: Any, ct: Operators) -> list[Any]:
    axis = node.attr("axis")
    parts = []
    offset: Size = 0
    for source in node.inputs:
        shape = source.type.shape
        starts = tuple(offset if a == axis else 0 for a in range(len(shape)))
        parts.append(SLICE(ct, starts=starts, sizes=shape, steps=(1,) * len(shape)))
        offset = offset + shape[axis]
    return parts


CONCAT = declare(
    Op(
        "concat", Kind.MOVEMENT, _concat_infer,
        lambda *xs, axis: np.concatenate(xs, axis),
        _concat_vjp,
        IndexMap(_concat_pieces, injective=True, joins=True),
        samples=lambda: [
            _case((2, 3), (4, 3), axis=0),
            _case((2, 1), (2, 0), (2, 3), axis=1),
            _case((3,), axis=0),
            _case((0,), (0,), axis=0, dtype="uint8"),
        ],
        batch=behind(axis=later),
        doc="The operands one after the other along an axis.",
    )
)  # fmt: skip
