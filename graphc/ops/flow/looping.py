"""Loops as ops: `scan` runs a body once for each slice, `while_loop` while a condition holds.

Both carry values from one run of the body to the next. Operands of their nodes are the first
values of the carries, then (of a scan) what is sliced, then what the body captured.

    def body(h: f32[4], x: f32[3], w: f32[7, 4]):    carries, slices, captured
        ...
        return v5, v3                                new carries; of a scan, what is stacked

Random numbers drawn inside from the default generator differ from one run to the next: its key is
folded with the number of the run. A key that the user brings is the user's: fold in a counter, or
carry the key. The functions for users are in `loops`, the gradients in `loop_gradients`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, Op, tensor_type
from graphc.core.types import TensorType, TupleType, Type
from graphc.core.typing import Pullback
from graphc.errors import GradientError, InternalError
from graphc.ops.declare import declare
from graphc.ops.flow import loop_gradients
from graphc.ops.flow.batching import scan_batch
from graphc.ops.flow.branching import PRED


def _check_carries(name: str, body: Graph, carries: int) -> None:
    for k, (given, new) in enumerate(zip(body.inputs[:carries], body.outputs)):
        if given.type != new.type:
            raise InternalError(
                f"{name}: carry {k} ({given.name}) is {given.type} going in, {new.type} coming out"
            )
    if len(body.outputs) < carries:
        raise InternalError(f"{name}: {len(body.outputs)} results for {carries} carries")


def _scan_infer(
    *types: TensorType, body: Graph, carries: int, length: Size, reverse: bool, sequences: int
) -> TupleType:
    wanted = list(types)
    for k in range(carries, carries + sequences):
        if types[k].shape[:1] != (length,):
            raise InternalError(f"scan: {types[k]} has no first axis of size {length}")
        wanted[k] = types[k].with_shape(types[k].shape[1:])
    if [i.type for i in body.inputs] != wanted:
        raise InternalError(f"scan: {body.name} takes other types than its operands'")
    _check_carries("scan", body, carries)
    stacked = (tensor_type(o) for o in body.outputs[carries:])
    return TupleType(
        (
            *types[:carries],
            *(TensorType(t.dtype, (length, *t.shape)) for t in stacked),
        )
    )


def _scan_numpy(
    *arrays: np.ndarray,
    body: Graph,
    carries: int,
    length: int,
    reverse: bool,
    sequences: int,
    sizes: Mapping[str, int],
) -> tuple[Any, ...]:
    state = list(arrays[:carries])
    slices, fixed = arrays[carries : carries + sequences], arrays[carries + sequences :]
    stacks = []
    for output in body.outputs[carries:]:
        type_ = tensor_type(output)
        shape = tuple(dims.evaluate(d, sizes) for d in type_.shape)
        stacks.append(np.empty((length, *shape), type_.dtype.numpy))
    for t in reversed(range(length)) if reverse else range(length):
        results = run_sized(body, [*state, *(x[t] for x in slices), *fixed], sizes)
        state = list(results[:carries])
        for stack, result in zip(stacks, results[carries:]):
            stack[t] = result
    return (*state, *stacks)


def _scan_vjp(
    node: Node, cts: Sequence[Any], wanted: Sequence[bool], vjp: Pullback
) -> Sequence[Any]:
    return loop_gradients.scan_vjp(node, cts, wanted, vjp)


SCAN = declare(
    Op(
        "scan", Kind.CONTROL, _scan_infer, _scan_numpy, _scan_vjp, batch=scan_batch,
        doc="The last carries of a body run once for each slice, then its other results stacked.",
    )
)  # fmt: skip


def _while_infer(
    *types: Type, body: Graph, carries: int, cond: Graph, max_steps: int | None
) -> TupleType:
    for graph in (body, cond):
        if [i.type for i in graph.inputs] != list(types):
            raise InternalError(f"while_loop: {graph.name} takes other types than its operands'")
    _check_carries("while_loop", body, carries)
    if [o.type for o in cond.outputs] != [PRED] or len(body.outputs) != carries:
        raise InternalError("while_loop: its graphs give too many or too few results")
    return TupleType(tuple(tensor_type(i) for i in body.inputs[:carries]))


def _while_numpy(
    *arrays: np.ndarray,
    body: Graph,
    carries: int,
    cond: Graph,
    max_steps: int | None,
    sizes: Mapping[str, int],
) -> tuple[Any, ...]:
    state, fixed = list(arrays[:carries]), arrays[carries:]
    turns = 0
    while (max_steps is None or turns < max_steps) and run_sized(cond, [*state, *fixed], sizes)[0]:
        state = list(run_sized(body, [*state, *fixed], sizes))
        turns += 1
    return tuple(state)


def _while_vjp(
    node: Node, cts: Sequence[Any], wanted: Sequence[bool], vjp: Pullback
) -> Sequence[Any]:
    if node.attr("max_steps") is None:
        raise GradientError(
            "while_loop has no gradient: it is not known how often it runs, so what its gradient "
            "needs cannot be kept",
            [node.describe()],
            where=node.origin or "",
            hint="give it max_steps=..., or use gc.scan",
        )
    return loop_gradients.while_vjp(node, cts, wanted, vjp)


WHILE = declare(
    Op(
        "while_loop", Kind.CONTROL, _while_infer, _while_numpy, _while_vjp,
        doc="The last carries of a body run while a condition on them holds.",
    )
)  # fmt: skip
