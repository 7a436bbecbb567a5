"""Branches and loops, whose bodies are graphs of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.errors import GraphcError
from graphc.onnx.files import array_of
from graphc.onnx.rules.casting import dtype_of
from graphc.onnx.table import Use, rule
from graphc.onnx.values import NeedsValue, SequenceValue, Value
from graphc.ops.source import full

# Loops that are written out have at most so many steps.
MOST_STEPS = 4096


def _flag(value: Value) -> bool | None:
    """A condition that is known."""
    if value.known is None:
        try:
            known = value.array()
        except NeedsValue:
            return None
    else:
        known = value.known
    if known.dtype == object:
        return None
    return bool(known.reshape(-1)[0])


@rule("If", takes="v")
def if_(a: Use, condition: Value) -> Any:
    chosen = _flag(condition)
    if chosen is not None:
        return tuple(a.reader.inner(a.then_branch if chosen else a.else_branch, a.scope, []))
    for graph in (a.then_branch, a.else_branch):
        _materialise(a, graph)
    pred = gc.reshape(condition.x, ())

    def run(graph: Any) -> Any:
        found = a.reader.inner(graph, a.scope, [])
        if any(not isinstance(v, Value) for v in found):
            raise NeedsValue(condition)
        return tuple(v.x for v in found)

    try:
        return tuple(gc.cond(pred, lambda: run(a.then_branch), lambda: run(a.else_branch)))
    except GraphcError:
        # Branches of different types: the program is one for each value of the condition.
        raise NeedsValue(condition) from None


def _materialise(a: Use, graph: Any) -> None:
    """Make the tensors that a nested graph takes from around it, before it is traced."""
    for name in a.reader.outer_names(graph):
        value = a.scope.get(name)
        if isinstance(value, Value) and not (
            value.known is not None and value.known.dtype == object
        ):
            value.x  # noqa: B018


@rule("Loop", takes="vv*")
def loop(a: Use, count: Value | None, condition: Value | None = None, *carried: Any) -> Any:
    has_lists = any(not isinstance(v, Value) for v in carried)
    if not has_lists:
        found = _scanned(a, count, condition, carried)
        if found is None and len(a.body.output) == 1 + len(carried):
            found = _while(a, count, condition, carried)
        if found is not None:
            return found
    return _written_out(a, count, condition, list(carried))


def _scanned(a: Use, count: Value | None, condition: Value | None, carried: Any) -> Any:
    """A loop whose condition is always true, as a scan; None where it is no such loop."""
    if count is None or (condition is not None and _flag(condition) is not True):
        return None
    if not _stays_true(a.body):
        return None
    length = count.sizes()[0] if count.known is not None else gc.reshape(count.x, ())
    _materialise(a, a.body)

    def body(carry: Any, _: Any) -> Any:
        step, *values = carry
        given = [Value("step", tensor=step), Value("on", known=np.array(True))]
        found = a.reader.inner(a.body, a.scope, given + [Value("c", tensor=v) for v in values])
        results = [v.x for v in found[1:]]
        return (step + 1, *results[: len(values)]), tuple(results[len(values) :])

    start = gc.constant(np.int64(0))
    try:
        carry, ys = gc.scan(body, (start, *[v.x for v in carried]), None, length)
    except (GraphcError, NeedsValue):
        return None
    return (*carry[1:], *ys)


def _stays_true(body: Any) -> bool:
    """Whether the body's condition is the one that it is given, or a constant."""
    name = body.output[0].name
    made = {out: node for node in body.node for out in node.output}
    while name in made and made[name].op_type == "Identity":
        name = made[name].input[0]
    if name in made:
        node = made[name]
        return node.op_type == "Constant" and bool(_constant_truth(node))
    return len(body.input) > 1 and name == body.input[1].name


def _constant_truth(node: Any) -> bool:
    for attribute in node.attribute:
        if attribute.name == "value":
            return bool(array_of(attribute.t, None).reshape(-1)[0])
    return False


def _while(a: Use, count: Value | None, condition: Value | None, carried: Any) -> Any:
    """A loop without stacked results, as a while loop; None where its values change their types."""
    _materialise(a, a.body)
    is_on = gc.constant(np.array(True)) if condition is None else gc.reshape(condition.x, ())
    limit = None if count is None else gc.cast(gc.reshape(count.x, ()), dtypes.int64)

    def goes_on(carry: Any) -> Any:
        return carry[1] if limit is None else gc.logical_and(carry[1], carry[0] < limit)

    def body(carry: Any) -> Any:
        step, on, *values = carry
        given = [Value("step", tensor=step), Value("on", tensor=on)]
        found = a.reader.inner(a.body, a.scope, given + [Value("c", tensor=v) for v in values])
        return (step + 1, gc.reshape(found[0].x, ()), *[v.x for v in found[1:]])

    start = (gc.constant(np.int64(0)), is_on, *[v.x for v in carried])
    try:
        return tuple(gc.while_loop(goes_on, body, start))[2:]
    except (GraphcError, NeedsValue):
        return None


def _written_out(a: Use, count: Any, condition: Any, values: list[Any]) -> Any:
    """A loop step by step: its count and conditions are known."""
    steps = None if count is None else int(count.array().reshape(-1)[0])
    is_on = condition is None or bool(condition.array().reshape(-1)[0])
    stacked: list[list[Any]] = [[] for _ in range(len(a.body.output) - 1 - len(values))]
    step = 0
    while is_on and (steps is None or step < steps):
        if step == MOST_STEPS:
            raise NotImplementedError(f"a loop of more than {MOST_STEPS} steps that is written out")
        given = [Value("step", known=np.array(step, np.int64)), Value("on", known=np.array(True))]
        found = a.reader.inner(a.body, a.scope, [*given, *values])
        is_on = bool(found[0].array().reshape(-1)[0])
        values = found[1 : 1 + len(values)]
        for results, value in zip(stacked, found[1 + len(values) :]):
            results.append(value.x)
        step += 1
    return (*values, *[_stacked(a, 1 + len(values) + k, r) for k, r in enumerate(stacked)])


def _stacked(a: Use, place: int, results: list[Any]) -> Any:
    """The results of all steps; of none, an empty tensor of the declared type."""
    if results:
        return gc.stack(results, 0)
    tensor = a.body.output[place].type.tensor_type
    return full((0, *[d.dim_value for d in tensor.shape.dim]), 0, dtype_of(tensor.elem_type))


@rule("Scan", takes="v*")
def scan(a: Use, *values: Value) -> Any:
    if a.version < 9:
        return _batched(a, values)
    count = a.num_scan_inputs
    states, xs = values[: len(values) - count], values[len(values) - count :]
    return _scan(a, states, xs)


def _batched(a: Use, values: Any) -> Any:
    """Version 8: sequences have a first axis of a batch, each scanned of its own."""
    lengths, *rest = values
    if lengths is not None:
        raise NotImplementedError("Scan of version 8 with lengths")
    count = a.num_scan_inputs
    states, xs = rest[: len(rest) - count], rest[len(rest) - count :]
    batch = rest[0].shape[0]
    rows = []
    for k in range(batch):
        own = [Value(v.name, tensor=v.x[k]) for v in states]
        rows.append(_scan(a, own, [Value(v.name, tensor=v.x[k]) for v in xs]))
    return tuple(gc.stack(list(column), 0) for column in zip(*rows))


def _scan(a: Use, states: Any, xs: Any) -> Any:
    body = a.body
    count = len(xs)
    outputs = len(body.output) - len(states)
    backwards = list(a.scan_input_directions or a.directions or [0] * count)
    axes = [k % v.rank for k, v in zip(a.scan_input_axes or [0] * count, xs)]
    sequences = [gc.moveaxis(v.x, k, 0) if k else v.x for v, k in zip(xs, axes)]
    sequences = [gc.flip(v, 0) if back else v for v, back in zip(sequences, backwards)]
    _materialise(a, body)

    def step(carry: Any, slices: Any) -> Any:
        given = [Value("s", tensor=v) for v in (*carry, *slices)]
        found = [v.x for v in a.reader.inner(body, a.scope, given)]
        return tuple(found[: len(states)]), tuple(found[len(states) :])

    carry, ys = gc.scan(step, tuple(v.x for v in states), tuple(sequences))
    backs = list(a.scan_output_directions or [0] * outputs)
    places = list(a.scan_output_axes or [0] * outputs)
    results = [gc.flip(y, 0) if back else y for y, back in zip(ys, backs)]
    results = [gc.moveaxis(y, 0, k % len(y.shape)) if k else y for y, k in zip(results, places)]
    return (*carry, *results)


@rule("SequenceMap", takes="v*")
def sequence_map(a: Use, first: SequenceValue, *others: Any) -> Any:
    columns: list[list[Any]] = [[] for _ in a.body.output]
    for k, item in enumerate(first.items):
        rest = [v.items[k] if isinstance(v, SequenceValue) else v for v in others]
        found = a.reader.inner(a.body, a.scope, [item, *rest])
        for column, value in zip(columns, found):
            column.append(value)
    return tuple(SequenceValue(column) for column in columns)
