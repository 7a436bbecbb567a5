"""Run a lowered graph in tests, its kernels as plain Python or compiled, without the driver."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kernels import _compiled, _plain

from graphc.core.ir import Graph, Node
from graphc.core.types import TupleType
from graphc.runtime.base.step import Number, Site, StatusBlock, Step, Value, Workspace, evaluate
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
        args = [_argument(a, memory, status, sizes) for a in step.args]
        extent = evaluate(step.extent, sizes)
        run = _compiled(step, args) if compiled else _plain(step, args)
        turns = -(-extent // step.grain)
        bounds = [min(extent, turns * k // parts * step.grain) for k in range(parts + 1)]
        for lo, hi in itertools.pairwise(bounds):
            if lo < hi:
                run(lo, hi)
    results = []
    for output in graph.outputs:
        value = value_of(output)
        shape = tuple(evaluate(d, sizes) for d in output.type.shape)
        flat = memory.get((value.node, value.index), np.zeros(0, output.type.dtype.numpy))
        results.append(flat[: int(np.prod(shape))].reshape(shape))
    return results, status


def _reserve(node: Node, memory: dict[Any, np.ndarray], sizes: Mapping[str, int]) -> None:
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    shared = dict(dict(node.attrs).get("inplace", ()))
    for k, type_ in enumerate(types):
        if (node, k) in memory:
            continue
        if k in shared:
            source = value_of(node.inputs[shared[k]])
            memory[(node, k)] = memory[(source.node, source.index)]
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
