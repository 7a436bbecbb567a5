"""Sequences and optionals: lists of values, known while a graph is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core.ir import Node
from graphc.onnx.rules.shape import parts
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_LISTED, Absent, SequenceValue, Value, bounded


def _place(sequence: SequenceValue, position: Value, last: int) -> int:
    k = int(position.array().reshape(-1)[0])
    found = k + len(sequence.items) if k < 0 else k
    if not 0 <= found <= last:
        raise IndexError(f"position {k} of a sequence of {len(sequence.items)}")
    return found


@rule("SequenceEmpty")
def sequence_empty(a: Use) -> Any:
    return SequenceValue([])


@rule("SequenceConstruct", takes="v*")
def sequence_construct(a: Use, *values: Value) -> Any:
    return SequenceValue(list(values))


@rule("SequenceAt", takes="vv")
def sequence_at(a: Use, sequence: SequenceValue, position: Value) -> Any:
    return sequence.items[_place(sequence, position, len(sequence.items) - 1)]


@rule("SequenceInsert", takes="vvv")
def sequence_insert(a: Use, sequence: SequenceValue, value: Value, position: Any = None) -> Any:
    items = list(sequence.items)
    items.insert(len(items) if position is None else _place(sequence, position, len(items)), value)
    return SequenceValue(items)


@rule("SequenceErase", takes="vv")
def sequence_erase(a: Use, sequence: SequenceValue, position: Any = None) -> Any:
    items = list(sequence.items)
    items.pop(len(items) - 1 if position is None else _place(sequence, position, len(items) - 1))
    return SequenceValue(items)


@rule("SequenceLength", takes="v")
def sequence_length(a: Use, sequence: SequenceValue) -> Any:
    return np.array(len(sequence.items), np.int64)


@rule("SplitToSequence", takes="xv")
def split_to_sequence(a: Use, x: Node, split: Value | None = None) -> Any:
    axis = a.axis % len(x.shape)
    size = x.shape[axis]
    if split is None:
        found = parts(x, axis, [1] * bounded(size, MOST_LISTED, "parts of a tensor"))
        if not a.keepdims:
            found = [gc.squeeze(v, axis) for v in found]
        return SequenceValue([Value("part", tensor=v) for v in found])
    known = split.array()
    if known.ndim == 0:
        step = int(known)
        if step < 1:
            raise ValueError(f"parts of {step} elements")
        bounded(size // step, MOST_LISTED, "parts of a tensor")
        sizes = [min(step, size - k) for k in range(0, size, step)]
    else:
        sizes = known.tolist()
    return SequenceValue([Value("part", tensor=v) for v in parts(x, axis, sizes)])


@rule("ConcatFromSequence", takes="v")
def concat_from_sequence(a: Use, sequence: SequenceValue) -> Any:
    items = [v.x for v in sequence.items]
    return gc.stack(items, a.axis) if a.new_axis else gc.concat(items, a.axis)


@rule("Optional", takes="v")
def optional(a: Use, value: Any = None) -> Any:
    return Absent() if value is None else value


@rule("OptionalHasElement", takes="v")
def optional_has_element(a: Use, value: Any = None) -> Any:
    return np.array(value is not None and not isinstance(value, Absent))


@rule("OptionalGetElement", takes="v")
def optional_get_element(a: Use, value: Any) -> Any:
    if isinstance(value, Absent):
        raise ValueError("the optional is empty")
    return value
