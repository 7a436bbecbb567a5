"""Run a lowered graph in tests, its kernels as plain Python or compiled, without the driver."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kernels import _compiled, _plain

from graphc.core.ir import Graph, Node
from graphc.core.types import TupleType
from graphc.runtime.base.step import (
    Child,
    Number,
    Site,
    StatusBlock,
    Step,
    Value,
    Workspace,
    evaluate,
)
from graphc.runtime.lower import lower, value_of


def run_lowered(
    graph: Graph,
    arrays: Sequence[np.ndarray],
    sizes: Mapping[str, int] | None = None,
    *,
    compiled: bool = False,
    parts: int = 1,
    steps: Sequence[Step] | None = None,
) -> tuple[list[np.ndarray], np.ndarray]:
    """The outputs of a graph and its status block.

    Args:
        graph: fused or not.
        arrays: the values of its inputs; copied.
        sizes: of symbolic dimensions, by name.
        compiled: whether the kernels are compiled.
        parts: how many slices each parallel range is cut into.
        steps: what `lower` made of the graph already.
    """
    sizes = dict(sizes or {})
    memory: dict[Any, np.ndarray] = {}
    for node, array in zip(graph.inputs, arrays):
        memory[(node, 0)] = np.array(array, order="C").reshape(-1)
    status = np.zeros(8, np.int64)
    for step in lower(graph) if steps is None else steps:
        _reserve(step.node, memory, sizes)
        if any(isinstance(argument, Child) for argument in step.args):
            _nested(step, memory, sizes, parts)
            continue
        args = [_argument(a, memory, status, sizes) for a in step.args]
        extent = evaluate(step.extent, sizes)
        run = _compiled(step, args) if compiled else _plain(step, args)
        turns = -(-extent // step.grain)
        bounds = [min(extent, turns * k // parts * step.grain) for k in range(parts + 1)]
        for lo, hi in itertools.pairwise(bounds):
            if lo < hi:
                run(lo, hi)
    return [_shaped(output, memory, sizes) for output in graph.outputs], status


def _nested(
    step: Step, memory: dict[Any, np.ndarray], sizes: Mapping[str, int], parts: int
) -> None:
    """A branch or a loop: its bodies run by `run_lowered`, what is between them done here."""
    node = step.node
    bodies = {a.key: a for a in step.args if isinstance(a, Child)}

    def run(key: str, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        body = bodies[key]
        return run_lowered(body.graph, arrays, sizes, parts=parts, steps=body.steps)[0]

    operands = [_shaped(i, memory, sizes) for i in node.inputs]
    if node.op.name == "cond":
        results = run("true" if operands[0] else "false", operands[1:])
    elif node.op.name == "while_loop":
        results = _while(node, operands, run)
    else:
        results = _scan(node, operands, run, evaluate(node.attr("length"), sizes))
    for k, result in enumerate(results):
        memory[(node, k)][...] = np.reshape(result, -1)


def _while(node: Node, operands: list[np.ndarray], run: Any) -> list[np.ndarray]:
    count, most = node.attr("carries"), node.attr("max_steps")
    state, rest = operands[:count], operands[count:]
    for _ in itertools.count() if most is None else range(most):
        if not run("cond", [*state, *rest])[0]:
            break
        state = run("body", [*state, *rest])
    return state


def _scan(node: Node, operands: list[np.ndarray], run: Any, length: int) -> list[np.ndarray]:
    count, sequences = node.attr("carries"), node.attr("sequences")
    state, rest = operands[:count], operands[count:]
    slices, fixed = rest[:sequences], rest[sequences:]
    rows: dict[int, list[np.ndarray]] = {}
    for t in reversed(range(length)) if node.attr("reverse") else range(length):
        found = run("body", [*state, *(x[t] for x in slices), *fixed])
        state, rows[t] = found[:count], found[count:]
    stacked = [[rows[t][k] for t in range(length)] for k in range(len(node.type.items) - count)]  # type: ignore[union-attr]
    return [*state, *(np.array(each) for each in stacked)]


def _shaped(node: Node, memory: dict[Any, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    shape = tuple(evaluate(d, sizes) for d in node.type.shape)  # type: ignore[union-attr]
    named = value_of(node)
    flat = memory.get((named.node, named.index), np.zeros(0, node.type.dtype.numpy))  # type: ignore[union-attr]
    return flat[: int(np.prod(shape))].reshape(shape)


def _reserve(node: Node, memory: dict[Any, np.ndarray], sizes: Mapping[str, int]) -> None:
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    shared = dict(dict(node.attrs).get("inplace", ()))
    for k, type_ in enumerate(types):
        if (node, k) in memory:
            continue
        if k in shared:
            source = value_of(node.inputs[shared[k]])
            empty = np.zeros(0, type_.dtype.numpy)  # what is empty has no step that made it
            memory[(node, k)] = memory.get((source.node, source.index), empty)
            continue
        count = int(np.prod([evaluate(d, sizes) for d in type_.shape]))
        garbage = np.full(count * type_.dtype.itemsize, 0xA5, np.uint8)
        memory[(node, k)] = garbage.view(type_.dtype.numpy)


def _argument(argument: Any, memory: dict[Any, np.ndarray], status: Any, sizes: Any) -> Any:
    if isinstance(argument, Value):
        named = value_of(argument.node)  # an operand may be a result of another node
        # What is empty has no step that made it.
        return memory.get((named.node, named.index + argument.index), np.zeros(0))
    if isinstance(argument, Number):
        return evaluate(argument.size, sizes)
    if isinstance(argument, Workspace):
        nbytes = evaluate(argument.nbytes, sizes)
        return memory.setdefault(
            (argument.node, argument.key), np.full(-(-nbytes // 8), -1, np.int64)
        )
    if isinstance(argument, StatusBlock):
        return status
    assert isinstance(argument, Site)
    return 1


__all__ = ["Step", "run_lowered"]
