"""Races, accesses outside and reads of unset memory in CUDA kernels, found by running them.

A kernel runs as plain Python, its threads one after another. Each buffer notes which thread wrote
and read an element, and how many barriers its block had passed by then: two accesses of one
element, one of them a write, by two threads of a block with no barrier between, or by two blocks
of a launch, are a race, whatever the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Graph, tensor_type
from graphc.core.results import value_of
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Site, StatusBlock, Value, Workspace, evaluate
from graphc.runtime.cuda.emulate import Serial
from graphc.runtime.cuda.lowering import CUDA
from graphc.runtime.language import language
from graphc.runtime.lower import lower

Place = tuple[int, int, int]


class Race(AssertionError):
    """Two threads, one element, and no barrier between."""


class Watch:
    """Where a launch is now: block, thread, barriers passed."""

    def __init__(self) -> None:
        self.now: Place = (0, 0, 0)

    def at(self, block: int, thread: int) -> None:
        """A thread goes on."""
        self.now = (block, thread, self.now[2])

    def synchronised(self) -> None:
        """All threads of the block pass a barrier."""
        self.now = (self.now[0], self.now[1], self.now[2] + 1)


class Watched(language.Buffer):
    """A buffer that knows its accesses."""

    def __init__(self, array: np.ndarray, name: str, is_shared: bool, watch: Watch) -> None:
        super().__init__(array)
        self.name, self.is_shared, self.watch = name, is_shared, watch
        self.written: dict[int, Place] = {}
        self.read: dict[int, set[Place]] = {}

    def _check(self, index: int, other: Place | None, what: str) -> None:
        now = self.watch.now
        if other is None or other[:2] == now[:2]:
            return
        if other[0] != now[0] or other[2] == now[2]:
            raise Race(f"{self.name}[{index}] is {what} by {other[:2]} and {now[:2]}")

    def __getitem__(self, index: int) -> Any:
        index = int(index)
        found = super().__getitem__(index)
        if self.is_shared and index not in self.written:
            raise Race(f"{self.name}[{index}] is read before it is written")
        self._check(index, self.written.get(index), "written and read")
        self.read.setdefault(index, set()).add(self.watch.now)
        return found

    def __setitem__(self, index: int, value: Any) -> None:
        index = int(index)
        self._check(index, self.written.get(index), "written twice")
        for place in self.read.pop(index, ()):
            self._check(index, place, "read and written")
        self.written[index] = self.watch.now
        super().__setitem__(index, value)


def run(kernel: Kernel, args: Sequence[Any], blocks: int) -> None:
    """Run a launch.

    Args:
        kernel: in the language "cuda".
        args: flat arrays of bytes, and ints.
        blocks: how many there are.

    Raises:
        Race: two threads race, or unset memory is read.
        IndexError: an access is outside.
    """
    watch, made = Watch(), {}

    def buffer(args: Any, index: int, dtype: Any) -> Watched:
        array = args[index]
        if id(array) not in made:
            name = f"argument {index}"
            made[id(array)] = Watched(array.view(language.STORAGE[dtype]), name, False, watch)
        return made[id(array)]

    def shared(count: int, dtype: Any) -> Watched:
        return Watched(np.zeros(count, language.STORAGE[dtype]), "shared memory", True, watch)

    names = language.namespace()
    names |= {"thread_begins": watch.at, "barrier_passed": watch.synchronised, "shared": shared}
    names |= {"buffer": buffer, "buffer_at": lambda args, k, dtype, scope: buffer(args, k, dtype)}
    exec(Serial(kernel, is_watched=True).text("watched"), names)
    with np.errstate(all="ignore"):
        names["watched"](list(args), 0, blocks)


def check(graph: Graph, change: Callable[[str], str] = str) -> int:
    """Run every kernel of a graph of fixed sizes on numbers of no meaning; how many there were.

    Args:
        graph: of sizes that are numbers; fused or not.
        change: of each kernel's source, to plant a fault.
    """
    rng, count = np.random.default_rng(0), 0
    memory: dict[Any, np.ndarray] = {}
    for step in lower(graph, CUDA):
        if step.kernel.language != "cuda":
            continue
        kernel = Kernel(step.kernel.name, change(step.kernel.source), "cuda")
        run(kernel, [_argument(a, memory, rng) for a in step.args], evaluate(step.extent, {}))
        count += 1
    return count


def _argument(argument: Any, memory: dict[Any, np.ndarray], rng: np.random.Generator) -> Any:
    if isinstance(argument, Number):
        return evaluate(argument.size, {})
    if isinstance(argument, StatusBlock):
        return memory.setdefault("status", np.zeros(8, np.int64))
    if isinstance(argument, Site):
        return 1
    if isinstance(argument, Workspace):
        nbytes = evaluate(argument.nbytes, {})
        return memory.setdefault((argument.node, argument.key), np.zeros(nbytes, np.uint8))
    assert isinstance(argument, Value)
    node, index = value_of(argument.node, argument.index)
    if (node, index) not in memory:
        type_ = node.type.items[index] if hasattr(node.type, "items") else tensor_type(node)
        memory[node, index] = rng.integers(0, 2, type_.size).astype(type_.dtype.numpy)
    return memory[node, index]
