"""The memory plan: where in one arena each buffer lies, for any binding of the symbolic sizes.

A buffer lives from the step that writes it to the last that reads it; buffers that live at one
time do not overlap. Lifetimes are found once; `MemoryPlan.place(sizes)` gives offsets for one set
of sizes, every one a multiple of 64 bytes.

    step 0  writes a (4 kB)            a at 0
    step 1  reads a, writes b (4 kB)   b at 4096
    step 2  reads b, writes c (4 kB)   c at 0: a is dead

Two greedy placements are tried and the lower is kept: the largest buffer first (as in TFLite's
planner), and in the order of time with the best-fitting free piece.

Not here: which results share memory (`inplace`), and memory that callers bring (the executable).
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.core import dims
from graphc.core.dims import Dim, Size
from graphc.core.ir import Graph, Kind, Node, is_item
from graphc.core.types import shape_symbols
from graphc.errors import InternalError
from graphc.ops.sampling import admitted
from graphc.passes.memory.lifetime import (
    Value,
    result_type,
    results,
    shared_with,
    spans,
    value_of,
)

Sized = Size | Callable[[Mapping[str, int]], int]

ALIGNMENT = 64
NOMINAL = 64  # the size that a symbolic dimension counts as where sizes are compared
# Above this many buffers only the placement in order of time is tried: the other is quadratic.
MANY = 400


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that is needed for a while.

    Args:
        key: what it is for; any hashable thing.
        nbytes: its size, symbolic or computed from bound sizes.
        first: the step that writes it first.
        last: the last step that reads it.
        node: what it holds a result of, for messages.
    """

    key: Any
    nbytes: Sized
    first: int
    last: int
    node: Node


@dataclass(frozen=True, slots=True)
class Placement:
    """Offsets of a plan's buffers, their sizes, and the arena's size, all in bytes."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The buffers of a program and where they lie.

    `position` gives a buffer's place in `buffers` by its key.
    """

    buffers: tuple[Buffer, ...]
    position: dict[Any, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.position.update({buffer.key: k for k, buffer in enumerate(self.buffers)})
        if len(self.position) != len(self.buffers):
            raise InternalError("a memory plan has two buffers of one key")

    def place(self, sizes: Mapping[str, int], margin: int = 0) -> Placement:
        """Offsets for one set of sizes.

        Args:
            sizes: the bound size of every symbol, by name.
            margin: bytes that stay free behind each buffer.

        Returns:
            One offset for each of `buffers`, and the size of the arena.
        """
        sizes_alone = self.nbytes(sizes)
        nbytes = [n + margin if n else 0 for n in sizes_alone]
        found = _by_time(self.buffers, nbytes)
        if len(nbytes) <= MANY:
            other = _by_size(self.buffers, nbytes)
            if _end(other, nbytes) < _end(found, nbytes):
                found = other
        return Placement(tuple(found), tuple(sizes_alone), _end(found, nbytes))

    def nbytes(self, sizes: Mapping[str, int]) -> list[int]:
        """The bytes of each buffer, without padding."""
        known: dict[Any, int] = {}
        found = []
        for buffer in self.buffers:
            size = buffer.nbytes
            if not isinstance(size, int):
                if size not in known:
                    known[size] = size(sizes) if callable(size) else dims.evaluate(size, sizes)
                size = known[size]
            found.append(size)
        return found

    def unshared(self, sizes: Mapping[str, int]) -> int:
        """The bytes that the buffers would take if none shared memory with another."""
        return sum(map(_padded, self.nbytes(sizes)))

    def largest(self, sizes: Mapping[str, int], count: int = 5) -> list[tuple[int, Buffer]]:
        """The largest buffers with their bytes, largest first."""
        pairs = list(zip(self.nbytes(sizes), self.buffers))
        return sorted(pairs, key=lambda pair: -pair[0])[:count]

    def report(self, sizes: Mapping[str, int], count: int = 5) -> list[str]:
        """Lines for people: the arena, what it would be without sharing, the largest buffers."""
        total = self.place(sizes).total
        lines = [
            f"arena {readable(total)} for {len(self.buffers)} buffers of "
            f"{readable(self.unshared(sizes))} altogether"
        ]
        for nbytes, buffer in self.largest(sizes, count):
            where = f", made at {buffer.node.origin}" if buffer.node.origin else ""
            lines.append(
                f"{readable(nbytes)} for {buffer.node.name}, steps {buffer.first} to "
                f"{buffer.last}{where}"
            )
        return lines


def readable(nbytes: int) -> str:
    """Bytes with a unit: `1.5 MB`.

    Example:
        >>> readable(1536)
        '1.5 kB'
    """
    if nbytes < 1024:
        return f"{nbytes} B"
    number, units = float(nbytes), ["kB", "MB", "GB", "TB"]
    for unit in units:
        number /= 1024
        if number < 1024 or unit == units[-1]:
            break
    return f"{number:.1f} {unit}"


def plan(
    graph: Graph,
    workspaces: Mapping[Node, Iterable[tuple[str, Sized]]] | None = None,
    needed: Iterable[Value] | None = None,
) -> MemoryPlan:
    """Plan the memory of a graph's intermediate values; its nodes are the steps.

    Args:
        graph: the final graph. Results written over an operand (`inplace`) share its buffer.
            Its inputs and outputs have memory of their own, except outputs that are new values of
            parameters: these lie in the arena to the end unless written over the parameter.
        workspaces: scratch memory that nodes need while they run: (name, bytes).
        needed: the values that steps touch; all unless given.

    Returns:
        The plan. Keys of buffers are (node, k) for a node's k-th result, (node, name) for scratch
        memory.
    """
    wanted = None if needed is None else set(needed)
    roots = shared_with(graph)
    aliased = {position for position, _ in graph.aliases}
    brought = {(node, 0) for node in graph.inputs}
    for k, output in enumerate(graph.outputs):
        value = value_of(output)
        if k not in aliased:
            brought.add(roots.get(value, value))
    found = spans(graph, roots)
    buffers = []
    for (node, index), (first, last) in found.items():
        if (node, index) in brought or (wanted is not None and (node, index) not in wanted):
            continue
        buffers.append(Buffer((node, index), result_type(node, index).nbytes, first, last, node))
    for step, node in enumerate(graph.nodes):
        for name, nbytes in (workspaces or {}).get(node, ()):
            buffers.append(Buffer((node, name), nbytes, step, step, node))
    return MemoryPlan(tuple(buffers))


def nominal_sizes(graph: Graph) -> dict[str, int]:
    """A size for every symbol, the same for all but where facts forbid it."""
    found: dict[str, int] = {}
    # A nested graph may have symbols that its inputs do not show.
    types = [result_type(node, k) for node in graph.nodes for k in results(node)]
    for type_ in types:
        for symbol in () if type_.is_static else shape_symbols(type_.shape):
            found[symbol.name] = admitted(symbol, NOMINAL)
    return found


def value_bytes(graph: Graph) -> dict[Value, int]:
    """The bytes of every value that takes memory of the program."""
    nominal = nominal_sizes(graph)
    shown = {value_of(output) for output in graph.outputs}
    found: dict[Value, int] = {}
    values = ((node, k) for node in graph.nodes if not is_item(node) for k in results(node))
    for node, index in values:
        if (node, index) in shown or node.op.kind is Kind.SOURCE:
            continue  # sources are part of what uses them
        nbytes = result_type(node, index).nbytes
        if isinstance(nbytes, Dim):
            nbytes = dims.evaluate(nbytes, nominal)
        found[(node, index)] = nbytes
    return found


def live_bytes(graph: Graph) -> list[int]:
    """The bytes that live at each step; results written over operands count once."""
    change = [0] * (len(graph.nodes) + 2)
    lifetimes = spans(graph, shared_with(graph))
    for value, nbytes in value_bytes(graph).items():
        if value in lifetimes:
            first, last = lifetimes[value]
            change[first] += nbytes
            change[last + 1] -= nbytes
    return list(itertools.accumulate(change))


def _padded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _end(offsets: Sequence[int], nbytes: Sequence[int]) -> int:
    return max((o + _padded(n) for o, n in zip(offsets, nbytes)), default=0)


def _by_size(buffers: Sequence[Buffer], nbytes: Sequence[int]) -> list[int]:
    """Largest first, each in the best-fitting gap between those that live at its time."""
    offsets = [0] * len(buffers)
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last), by offset
    for k in sorted(range(len(buffers)), key=lambda k: (-nbytes[k], buffers[k].first)):
        size = _padded(nbytes[k])
        first, last = buffers[k].first, buffers[k].last
        free, best, tightest = 0, -1, 0
        for offset, end, begins, ends in placed:
            if begins > last or ends < first:
                continue
            gap = offset - free
            if gap >= size and (best < 0 or gap < tightest):
                best, tightest = free, gap
            if end > free:
                free = end
        offsets[k] = best if best >= 0 else free
        if size:
            bisect.insort(placed, (offsets[k], offsets[k] + size, first, last))
    return offsets


def _by_time(buffers: Sequence[Buffer], nbytes: Sequence[int]) -> list[int]:
    """In the order of first use, each in the best-fitting free piece of an arena that grows."""
    offsets = [0] * len(buffers)
    free: list[tuple[int, int]] = []  # (offset, end) of free pieces, by offset
    top = 0
    dying: list[tuple[int, int]] = []
    for k in sorted(range(len(buffers)), key=lambda k: (buffers[k].first, -nbytes[k])):
        while dying and dying[0][0] < buffers[k].first:
            dead = heapq.heappop(dying)[1]
            _release(free, offsets[dead], offsets[dead] + _padded(nbytes[dead]))
        size = _padded(nbytes[k])
        if not size:
            continue
        fitting = [(end - at, p) for p, (at, end) in enumerate(free) if end - at >= size]
        if fitting:
            _, place = min(fitting)
            start, end = free[place]
            free[place : place + 1] = [(start + size, end)] if end - start > size else []
        else:
            start = free.pop()[0] if free and free[-1][1] == top else top
            top = start + size
        offsets[k] = start
        heapq.heappush(dying, (buffers[k].last, k))
    return offsets


def _release(free: list[tuple[int, int]], start: int, end: int) -> None:
    """Give a piece back, joined with its neighbours."""
    place = bisect.bisect(free, (start, end))
    if place < len(free) and free[place][0] == end:
        end = free.pop(place)[1]
    if place and free[place - 1][1] == start:
        start = free.pop(place - 1)[0]
        place -= 1
    free.insert(place, (start, end))
