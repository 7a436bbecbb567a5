"""Which elements kernels write and read, found by running them as Python on memory that remembers.

    left = check_elements(graph, homes, sizes, nodes={exp})       [] where all were run

Kernels' sources are Python. Here they run un-jitted on shadow memory, in which every element knows
which slice of which step wrote it (`shadow`). So it is seen, for these sizes and for these values
of index operands: an element that is read before it is written, after it was overwritten, or lies
outside its buffer; an element of a result that nobody writes; and two slices of one parallel step
that touch one element. Steps that run nested programs are taken to write all of their results; the
programs are looked at by themselves.

Where only some nodes are run, the others are taken to be right, and have the values that the
definitions of their ops give. What was not run to its end is told, with the reason.

Not here: what is proven for all sizes (`verify_steps`), what is compiled (`poison`, `bounds`).
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Collection, Hashable, Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np

from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, all_nodes, bodies
from graphc.core.results import is_updating, results, value_of, written_over
from graphc.core.types import TensorType, TupleType, shape_symbols
from graphc.errors import GraphcError, InternalError
from graphc.ops.printing import muted
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
from graphc.runtime.checks import shadow
from graphc.runtime.checks.shadow import INPUT, NOBODY, SLICES, Cells, Effort, Fault, Memory

# Elements of memory that a program's steps may touch to be run here: each takes some microseconds.
LIMIT = 100_000
# Elements that operands may have, and that may be computed to know indices.
MOST = 1_000_000

Left = list[tuple[Node, str]]
# What kernels do that Python refuses, such as a division by an integer 0.
REFUSED = (ArithmeticError, LookupError, ValueError, TypeError, AttributeError)


def check_elements(
    graph: Graph,
    homes: Homes,
    sizes: Mapping[str, int] | None = None,
    limit: int = LIMIT,
    is_sure: bool = True,
    nodes: Collection[Node] | None = None,
) -> Left:
    """Run a program's steps on shadow memory.

    Args:
        graph: the final graph.
        homes: of its values, with its steps.
        sizes: of symbolic dimensions; small ones unless given.
        limit: elements that may be touched.
        is_sure: whether the program takes these sizes. Cuts want sizes that no symbol's facts
            tell of, and calls with others are refused; then accesses outside say nothing.
        nodes: whose steps are run; all unless given.

    Returns:
        The nodes whose steps were not run to their end, with why: they touch too much, or do
        what Python refuses.

    Raises:
        InternalError: an element is read before it is written, lies outside, or is never written.
    """
    bound = {**small_sizes(graph), **(sizes or {})}
    chosen = {s.node for s in homes.steps if nodes is None or s.node in nodes}
    if _operands(chosen, bound) > MOST:
        return [(node, "its operands are too large to be looked at") for node in chosen]
    run = _Run(graph, homes, bound, Effort(limit))
    left: dict[Node, str] = {}
    if nodes is not None:
        left = run.know(chosen)
    for number, step in enumerate(homes.steps, 1):
        is_last = number == len(homes.steps) or homes.steps[number].node is not step.node
        why = left.get(step.node, "")
        if step.node in chosen and not why:
            why = run.attempt(step, number, is_last, is_sure)
        if why:
            left[step.node] = why
        if why or step.node not in chosen:
            run.believe(step, number)
        if is_last:
            run.recall(step)
    if nodes is None and not left:
        run.check_outputs()
    return list(left.items())


def _operands(nodes: Collection[Node], sizes: Mapping[str, int]) -> int:
    """The elements of what nodes read and give."""
    every = {x for node in nodes for x in (node, *node.inputs)}
    return sum(_count(t, sizes) for node in every for t in _types(node))


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

    def __init__(
        self, graph: Graph, homes: Homes, sizes: Mapping[str, int], effort: Effort
    ) -> None:
        self.graph, self.homes, self.sizes, self.effort = graph, homes, sizes, effort
        self.memory: dict[Hashable, Memory] = {}
        self.status = np.zeros(8, np.int64)
        # What the definitions of ops give.
        self.known: dict[Node, Any] = {}
        self.arrays = sample_arrays(graph, sizes)
        for node, array in zip(graph.inputs, self.arrays):
            memory = self.value(node, 0)
            memory.writer[:] = INPUT
            memory.data[:] = array.reshape(-1).view(np.uint8)

    @muted()
    def know(self, chosen: Collection[Node]) -> dict[Node, str]:
        """Compute the operands of nodes that read indices of others; whose are not known, why."""
        readers = [n for n in chosen if any(_is_index(x) for x in n.inputs)]
        wanted = list(dict.fromkeys(x for n in readers for x in n.inputs))
        part = Graph.of("known", self.graph.inputs, wanted)
        if cost(part, self.sizes) > MOST:
            return dict.fromkeys(readers, "what computes its indices is too large")
        try:
            run_sized(part, self.arrays, self.sizes, self._keep)
        except (GraphcError, *REFUSED) as error:
            return dict.fromkeys(readers, f"its indices are not known: {error}".split("\n")[0])
        return {}

    def _keep(self, node: Node, operands: Any, value: Any) -> None:
        self.known[node] = value

    def recall(self, step: Step | Copy) -> None:
        """Give a node's results the values that they are known to have."""
        if isinstance(step, Copy) or step.node not in self.known:
            return
        found = self.known[step.node]
        for index in results(step.node):
            array = np.asarray(found[index] if isinstance(step.node.type, TupleType) else found)
            if (step.node, index) in self.homes.of:
                memory = self.value(step.node, index)
                memory.data[: array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)

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

    def believe(self, step: Step | Copy, number: int) -> None:
        """Take a step to write all that it should."""
        if isinstance(step, Copy):
            self.home(step.target, step.node, step.index).writer[:] = number * SLICES
            return
        for argument in step.args:
            is_own = isinstance(argument, Value) and argument.node is step.node
            if is_own or isinstance(argument, Workspace):
                self.argument(argument).writer[:] = number * SLICES

    def attempt(self, step: Step | Copy, number: int, is_last: bool, is_sure: bool) -> str:
        """Run a step, the last of its node or not; why it was not run to its end."""
        try:
            self.step(step, number)
            if is_last and isinstance(step, Step):
                self.check_results(step)
        except shadow.TooLong as why:
            return str(why)
        except (Fault, IndexError) as fault:
            if is_sure:
                raise _located(step, fault) from None
            return f"with these sizes it {fault}"
        except REFUSED as error:
            return f"Python refuses what it does: {error}"
        return ""

    def step(self, step: Step | Copy, number: int) -> None:
        """Run a step, its range in slices."""
        if isinstance(step, Copy):
            source = self.home(step.source, step.node, step.index)
            target = self.home(step.target, step.node, step.index)
            self.launch(COPY, [source, target], len(source.data), 1 << 18, number)
        elif step.kernel.language != "kernel" or "cond" in bodies(step.node):
            self.nested(step, number)  # a loop that need not end for these values, too
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
        if shadow.is_quick(kernel.source):
            cells: dict[Memory, Cells] = {}
            try:
                self._sliced(kernel, args, extent, grain, number, cells)
            except REFUSED as error:
                if isinstance(error, IndexError):
                    raise
            else:
                for each in cells.values():
                    each.flush()
                return
        before = {m: (m.data.copy(), m.writer.copy()) for m in args if isinstance(m, Memory)}
        self.effort.gaps = False
        self._sliced(kernel, args, extent, grain, number)
        if self.effort.gaps:
            left, self.effort.left = self.effort.left, sys.maxsize
            self._over_other_garbage(kernel, args, extent, grain, number, before)
            self.effort.left = left

    def _over_other_garbage(
        self,
        kernel: Kernel,
        args: Sequence[Any],
        extent: int,
        grain: int,
        number: int,
        before: Mapping[Memory, tuple[Any, Any]],
    ) -> None:
        """Run a kernel once more: tiles may read what nobody wrote, but no result hangs on it.

        Elements of scratch memory that do are taken as not written.
        """
        after = {m: (m.data.copy(), m.writer.copy()) for m in before}
        for memory, (data, writer) in before.items():
            memory.data[:] = np.where(writer == NOBODY, shadow.OTHER, data)
            memory.writer[:] = writer
        self._sliced(kernel, args, extent, grain, number, garbage=shadow.OTHER)
        for memory, (data, writer) in after.items():
            is_open = (memory.data != data) & (writer // SLICES == number)
            memory.data[:], memory.writer[:] = data, np.where(is_open, NOBODY, writer)
            if is_open.any() and not memory.is_scratch:
                raise Fault(f"computes {memory.what} with memory that nobody wrote")

    def _sliced(
        self,
        kernel: Kernel,
        args: Sequence[Any],
        extent: int,
        grain: int,
        number: int,
        cells: dict[Memory, Cells] | None = None,
        garbage: int = shadow.GARBAGE,
    ) -> None:
        grain = max(grain, 1)
        pieces = -(-extent // grain)
        slices = min(pieces, SLICES)
        bounds = [min(extent, pieces * k // max(slices, 1) * grain) for k in range(slices + 1)]
        for k, (low, high) in enumerate(itertools.pairwise(bounds)):
            slice_number = number * SLICES + k
            if cells is None:
                names = shadow.plain(slice_number, self.effort, garbage)
            else:
                names = shadow.quick(cells, slice_number, self.effort)
            exec(_code(kernel), names)
            with np.errstate(all="ignore"):
                names[kernel.name](args, low, high)

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

    def check_results(self, step: Step) -> None:
        """Every element of the results of a node is written, after its last step."""
        numbers = [k for k, s in enumerate(self.homes.steps, 1) if s.node is step.node]
        # A node that changes some places leaves the others as their writers left them.
        pairs = () if is_updating(step.node) else written_over(step.node)
        over = {output for output, _ in pairs}
        for index in results(step.node):
            if (step.node, index) not in self.homes.of:
                continue
            memory = self.value(step.node, index)
            writers = memory.writer[:: _types(step.node)[index].dtype.itemsize]
            is_own = np.isin(writers // SLICES, numbers) if index in over else writers != NOBODY
            missing = np.flatnonzero(~is_own)
            if missing.size:
                raise Fault(f"never writes element {missing[0]} of {memory.what}")

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


def _is_index(node: Node) -> bool:
    """Whether a value may say where a kernel reads or writes, and is computed."""
    if node.op.kind is Kind.SOURCE:
        return False
    return any(isinstance(t, TensorType) and not t.dtype.is_float for t in _types(node))


@functools.lru_cache(maxsize=1024)
def _code(kernel: Kernel) -> CodeType:
    return compile(kernel.source, f"<graphc kernel {kernel.name}>", "exec")


def _with(sizes: Mapping[str, int]) -> str:
    return "with " + (", ".join(f"{n} = {s}" for n, s in sorted(sizes.items())) or "these shapes")


def _located(step: Step | Copy, fault: Exception) -> InternalError:
    name = COPY.name if isinstance(step, Copy) else step.kernel.name
    return InternalError(
        f"kernel {name} {str(fault).removeprefix('kernel ')}",
        [step.node.describe()],
        where=step.node.origin or "",
    )
