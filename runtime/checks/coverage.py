"""Which elements kernels write and read, found by running them as Python on memory that remembers.

    check_elements(graph, homes, steps, sizes)

Kernels' sources are Python. Here they run un-jitted on shadow memory, in which every byte knows
which slice of which step wrote it. So it is seen, for these sizes and for these values of index
operands: an element that is read before it is written, or lies outside its buffer; an element of
a result that nobody writes; and two slices of one parallel step that touch one element. Steps
that run nested programs are taken to write all of their results; the programs are looked at by
themselves.

Not here: what is proven for all sizes (`verify_steps`), what is compiled (`poison`, `bounds`).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Hashable, Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np

from graphc.core.ir import Graph, Kind, Node, all_nodes, bodies
from graphc.core.results import value_of
from graphc.core.types import TensorType, TupleType, shape_symbols
from graphc.errors import InternalError
from graphc.ops.sampling import admitted, sample_arrays
from graphc.runtime.base import homes as places
from graphc.runtime.base.homes import COPY, Copy, Homes
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import (
    Number,
    StatusBlock,
    Step,
    Value,
    Workspace,
    evaluate,
    is_operand,
)
from graphc.runtime.language import language

# What a program may cost to be run here: elements computed, each some microseconds.
LIMIT = 600
INPUT, NOBODY = 0, -1
# Slices of a step that are told apart.
SLICES = 4


class Memory:
    """The memory of a value: its bytes, and which slice wrote each."""

    def __init__(self, nbytes: int, what: str, is_scratch: bool = False) -> None:
        self.is_scratch = is_scratch
        # The step whose operand it is: what that step writes here, it must not read.
        self.operand_of = 0
        self.data = np.full(nbytes, 0xA5, np.uint8)
        self.writer = np.full(nbytes, NOBODY, np.int64)
        self.what = what


class Fault(Exception):
    """An access that should not be."""


class Shadow(language.Buffer):
    """A buffer of a kernel in shadow memory.

    Args:
        memory: what it is the address of.
        dtype: of its elements.
        slice_number: which slice of which step is running.
    """

    def __init__(self, memory: Memory, dtype: Any, slice_number: int) -> None:
        self.itemsize = np.dtype(dtype).itemsize
        count = memory.data.size // self.itemsize
        super().__init__(memory.data[: count * self.itemsize].view(dtype))
        self.writers = memory.writer[: count * self.itemsize : self.itemsize]
        self.memory, self.slice_number = memory, slice_number

    def note(self, index: Any, is_store: bool) -> None:
        """Look at an access to some elements, and remember it."""
        if is_store:
            self._race(self.writers[index], index)
            start = np.asarray(index)[..., None] * self.itemsize + np.arange(self.itemsize)
            self.memory.writer[start] = self.slice_number
            return
        found = self.writers[index]
        # A tile is as wide as a vector: what it reads behind scratch memory's content isn't used.
        is_spare = self.memory.is_scratch and isinstance(index, np.ndarray)
        if np.any(found == NOBODY) and not is_spare:
            where = np.asarray(index).reshape(-1)[np.asarray(found).reshape(-1) == NOBODY][0]
            raise Fault(f"reads element {where} of {self.memory.what} before anything writes it")
        self._race(found, index)
        if self.memory.operand_of == self.slice_number // SLICES:
            self._overwritten(found, index)

    def _overwritten(self, found: Any, index: Any) -> None:
        late = np.asarray(index).reshape(-1)[np.asarray(found).reshape(-1) == self.slice_number]
        if late.size:
            raise Fault(
                f"reads element {late[0]} of {self.memory.what} after it has overwritten it"
            )

    def _race(self, found: Any, index: Any) -> None:
        step = self.slice_number // SLICES
        if np.any((found // SLICES == step) & (found != self.slice_number)):
            raise Fault(
                f"touches element {np.asarray(index).reshape(-1)[0]} of {self.memory.what}, which "
                "another slice of its parallel range writes"
            )

    def __getitem__(self, index: int) -> Any:
        value = super().__getitem__(index)
        self.note(int(index), False)
        return value

    def __setitem__(self, index: int, value: Any) -> None:
        super().__setitem__(index, value)
        self.note(int(index), True)


def check_elements(
    graph: Graph,
    homes: Homes,
    sizes: Mapping[str, int] | None = None,
    limit: int = LIMIT,
    is_sure: bool = True,
) -> bool:
    """Run a program's steps on shadow memory, where that is cheap.

    Args:
        graph: the final graph.
        homes: of its values, with its steps.
        sizes: of symbolic dimensions; small ones unless given.
        limit: elements that may be computed and copied.
        is_sure: whether the program takes these sizes. Cuts want sizes that no symbol's facts
            tell of, and calls with others are refused; then accesses outside say nothing.

    Returns:
        Whether the program was run to its end: not where it is too large, where a kernel does
        what Python refuses, or where a size is a symbol that no value's shape shows.

    Raises:
        InternalError: an element is read before it is written, lies outside, or is never written.
    """
    bound = {**small_sizes(graph), **(sizes or {})}
    copied = (s for s in homes.steps if isinstance(s, Copy))
    if cost(graph, bound) + sum(_count(_types(c.node)[c.index], bound) for c in copied) > limit:
        return False
    run = _Run(graph, homes, bound)
    for number, step in enumerate(homes.steps, 1):
        try:
            run.step(step, number)
        except (Fault, IndexError) as fault:
            if not is_sure:
                return False
            raise _located(step, fault) from None
        except (ArithmeticError, KeyError, ValueError, TypeError):
            return False
    if is_sure or not run.sizes:
        run.check_outputs()
    return True


def small_sizes(graph: Graph) -> dict[str, int]:
    """Small sizes for the symbols of a graph that their declared facts admit, not all alike."""
    symbols = {
        s for node in all_nodes(graph) for t in _types(node) if isinstance(t, TensorType)
        for s in shape_symbols(t.shape)
    }  # fmt: skip
    ordered = sorted(symbols, key=lambda s: s.name)
    return {symbol.name: admitted(symbol, 3 + k % 2) for k, symbol in enumerate(ordered)}


def cost(graph: Graph, sizes: Mapping[str, int]) -> int:
    """About how many elements are computed, those of fused bodies each by itself."""
    total = 0
    for node in graph.nodes:
        for inner in bodies(node).values() if node.op.kind is Kind.FUSED else ():
            total += cost(inner, sizes)
        sized = [node, *node.inputs] if node.op.kind is not Kind.SOURCE else []
        counts = [_count(t, sizes) for n in sized for t in _types(n)]
        most = max(counts, default=0)
        if node.op.kind is Kind.CONTRACT:
            most = 2 * max(1, counts[1]) * max(1, counts[2]) // max(1, min(counts[1:]))
        total += most
    return total


def _count(type_: Any, sizes: Mapping[str, int]) -> int:
    return evaluate(type_.size, sizes)


def _types(node: Node) -> Sequence[Any]:
    return node.type.items if isinstance(node.type, TupleType) else (node.type,)


class _Run:
    """The memory of one run."""

    def __init__(self, graph: Graph, homes: Homes, sizes: Mapping[str, int]) -> None:
        self.graph, self.homes, self.sizes = graph, homes, sizes
        self.memory: dict[Hashable, Memory] = {}
        self.status = np.zeros(8, np.int64)
        for node, array in zip(graph.inputs, sample_arrays(graph, sizes)):
            memory = self.value(node, 0)
            memory.writer[:] = INPUT
            memory.data[:] = array.reshape(-1).view(np.uint8)

    def value(self, node: Node, index: int) -> Memory:
        """The memory of a value, shared by all that are computed in its place."""
        node, index = value_of(node, index)
        return self.home(self.homes.of[(node, index)], node, index)

    def home(self, home: Any, node: Node, index: int) -> Memory:
        """The memory of a home, of a value's size."""
        if home not in self.memory:
            nbytes = evaluate(places.nbytes(node, index), self.sizes)
            self.memory[home] = Memory(nbytes, f"result {index} of {node.name}")
        return self.memory[home]

    def step(self, step: Step | Copy, number: int) -> None:
        """Run a step, its range in slices."""
        if isinstance(step, Copy):
            source = self.home(step.source, step.node, step.index)
            target = self.home(step.target, step.node, step.index)
            self.launch(COPY, [source, target], len(source.data), 1 << 18, number)
        elif step.kernel.language != "kernel":
            self.nested(step, number)
        else:
            args = [self.argument(a) for a in step.args]
            for argument, memory in zip(step.args, args):
                if isinstance(argument, Value) and is_operand(step.node, argument):
                    memory.operand_of = number
            self.launch(step.kernel, args, evaluate(step.extent, self.sizes), step.grain, number)

    def argument(self, argument: Any) -> Any:
        """What a kernel finds in its args."""
        if isinstance(argument, Value):
            return self.value(argument.node, argument.index)
        if isinstance(argument, Workspace):
            key = (id(argument.node), argument.key)
            if key not in self.memory:
                nbytes = evaluate(argument.nbytes, self.sizes)
                self.memory[key] = Memory(nbytes, f"scratch memory {argument.key!r}", True)
            return self.memory[key]
        if isinstance(argument, Number):
            return evaluate(argument.size, self.sizes)
        return self.status if isinstance(argument, StatusBlock) else 1

    def launch(
        self, kernel: Kernel, args: Sequence[Any], extent: int, grain: int, number: int
    ) -> None:
        """Run a kernel over its range, cut as threads would."""
        grain = max(grain, 1)
        pieces = -(-extent // grain)
        slices = min(pieces, SLICES)
        bounds = [min(extent, pieces * k // max(slices, 1) * grain) for k in range(slices + 1)]
        for k, (low, high) in enumerate(itertools.pairwise(bounds)):
            function = _function(kernel, number * SLICES + k)
            with np.errstate(all="ignore"):
                function(args, low, high)

    def nested(self, step: Step, number: int) -> None:
        """A branch or a loop: it reads its operands whole and writes its results whole."""
        for argument in step.args:
            if not isinstance(argument, Value):
                continue
            memory = self.value(argument.node, argument.index)
            if argument.node is step.node:
                memory.writer[:] = number * SLICES
                memory.data[:] = 0
            elif np.any(memory.writer == NOBODY):
                raise Fault(f"reads {memory.what}, of which elements are never written")

    def check_outputs(self) -> None:
        """Every element of every output is written."""
        for position, output in enumerate(self.graph.outputs):
            node, index = value_of(output)
            memory = self.value(node, index)
            itemsize = _types(node)[index].dtype.itemsize
            missing = np.flatnonzero(memory.writer[::itemsize] == NOBODY)
            if missing.size:
                raise InternalError(
                    f"{missing.size} elements of output {position} of {self.graph.name} are never "
                    f"written, the first is {missing[0]} in row-major order",
                    [node.describe(), _with(self.sizes)],
                    where=node.origin or "",
                )


@functools.lru_cache(maxsize=1024)
def _code(kernel: Kernel) -> CodeType:
    return compile(kernel.source, f"<graphc kernel {kernel.name}>", "exec")


def _function(kernel: Kernel, slice_number: int) -> Any:
    """A kernel as a Python function whose buffers are shadows."""
    names = language.namespace()

    def buffer(args: Sequence[Any], index: int, dtype: Any, scope: int = 0) -> language.Buffer:
        memory = args[index]
        if isinstance(memory, np.ndarray):
            return language.Buffer(memory)
        if not isinstance(memory, Memory):
            return language.Buffer(np.zeros(0, np.uint8))
        return Shadow(memory, language.STORAGE[dtype], slice_number)

    names["buffer"] = names["buffer_at"] = buffer
    exec(_code(kernel), names)
    return names[kernel.name]


def _with(sizes: Mapping[str, int]) -> str:
    return "with " + (", ".join(f"{n} = {s}" for n, s in sorted(sizes.items())) or "these shapes")


def _located(step: Step | Copy, fault: Exception) -> InternalError:
    name = COPY.name if isinstance(step, Copy) else step.kernel.name
    return InternalError(
        f"kernel {name} {str(fault).removeprefix('kernel ')}",
        [step.node.describe()],
        where=step.node.origin or "",
    )
