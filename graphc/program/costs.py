"""What a step moves and computes: bytes and additions and multiplications, and what a host can do.

Bytes are those of a step's operands and results, each once and whole, scratch memory among them;
flops are counted by ops (`Op.flops`), or one for each element.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Graph, Kind, Node, bodies
from graphc.core.results import value_of, written_over
from graphc.core.types import TensorType
from graphc.runtime.base.homes import Copy, nbytes
from graphc.runtime.base.step import Value, Workspace, evaluate


class Work(NamedTuple):
    """Bytes read and written, and floating-point operations; None where loops decide it."""

    nbytes: int
    flops: int | None


def works(launches: Sequence[Any], sizes: Mapping[str, int]) -> list[Work]:
    """What each launch of a program moves and computes.

    Args:
        launches: steps and copies, in their order; a node's operations count for the one of its
            launches that moves most.
        sizes: the size of every symbol, by name.
    """
    moved = [_moved(launch, sizes) for launch in launches]
    main: dict[Node, int] = {}
    for k, launch in enumerate(launches):
        if not isinstance(launch, Copy) and moved[k] > moved[main.setdefault(launch.node, k)]:
            main[launch.node] = k
    return [
        Work(n, _computed(launch.node, sizes) if main.get(launch.node) == k else 0)
        for k, (launch, n) in enumerate(zip(launches, moved))
    ]


def _moved(launch: Any, sizes: Mapping[str, int]) -> int:
    if isinstance(launch, Copy):
        return 2 * evaluate(nbytes(launch.node, launch.index), sizes)
    if evaluate(launch.extent, sizes) == 0:
        return 0
    values = dict.fromkeys((a.node, a.index) for a in launch.args if isinstance(a, Value))
    scratch = {(a.node, a.key): a.nbytes for a in launch.args if isinstance(a, Workspace)}
    # What is written over an operand may be named once, and is read and written.
    node = launch.node
    pairs = [((node, k), value_of(node.inputs[o])) for k, o in written_over(node)]
    over = [result for result, operand in pairs if (result in values) != (operand in values)]
    sizes_of = [nbytes(node, index) for node, index in (*values, *over)]
    return sum(evaluate(size, sizes) for size in [*sizes_of, *scratch.values()])


def _computed(node: Node, sizes: Mapping[str, int]) -> int | None:
    count = flops_of(node)
    return None if count is None else int(dims.evaluate(count, sizes))


def flops_of(node: Node) -> Size | None:
    """Floating-point operations of a node; None of a loop or a branch, which data decides."""
    if node.op.kind is Kind.CONTROL:
        return None if bodies(node) else 0
    if node.op.kind is Kind.FUSED:
        body: Graph = node.attr("body")
        found = [flops_of(inner) for inner in body.nodes]
        return sum((count for count in found if count is not None), 0)
    if node.op.flops is not None:
        return node.op.flops(node)
    if node.op.kind in (Kind.SOURCE, Kind.MOVEMENT):
        return 0
    types = [n.type for n in (node, *node.inputs) if isinstance(n.type, TensorType)]
    of = types[:1] if node.op.kind is Kind.ELEMENTWISE else types
    counts = [type_.size for type_ in of]
    return max(counts, key=lambda size: dims.evaluate(size, _Nominal()), default=0)


class _Nominal(dict[str, int]):
    """A size for every symbol, to tell which of two is larger."""

    def __missing__(self, name: str) -> int:
        return 64


class Host(NamedTuple):
    """What this machine does at best: bytes and float32 operations a second, on all threads."""

    bandwidth: float
    peak: float


@functools.cache
def host() -> Host:
    """Measured once a process, in about a third of a second: a large copy, a matrix product."""
    threads = os.cpu_count() or 1
    source = np.ones(1 << 23, np.float32)
    target = source.copy()
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads)))
    square = np.ones((768, 768), np.float32)
    with ThreadPoolExecutor(threads) as pool:
        copied = _least(lambda: list(pool.map(lambda part: np.copyto(part[1], part[0]), parts)))
    return Host(2 * source.nbytes / copied, 2 * 768**3 / _least(lambda: square @ square))


def _least(run: Callable[[], object], seconds: float = 0.15, repeats: int = 8) -> float:
    end, best, count = time.perf_counter() + seconds, float("inf"), 0
    while count < repeats or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best, count = min(best, time.perf_counter() - start), count + 1
    return best


__all__ = ["Host", "Work", "flops_of", "host", "works"]
