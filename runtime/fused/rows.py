"""The statements of a nest: its rows, the reductions of a row in order, then the results.

Not here: reductions over the rows (`columns`), how an element is computed (`emit`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphc.core.ir import Graph, Kind, Node, tensor_type
from graphc.core.walk import needed
from graphc.errors import InternalError
from graphc.loops.nesting import Nesting, extent, row_atoms
from graphc.loops.spaces import Spaces
from graphc.loops.views import offset
from graphc.runtime.base.step import Argument, Value
from graphc.runtime.fused.assemble import Arguments
from graphc.runtime.fused.emit import Emitter
from graphc.runtime.fused.loops import Block, Symbols
from graphc.runtime.fused.scalars import node_cost

MOST_NAMED = 4
# An element is kept in scratch memory, not computed again, from this many additions on.
KEEP_COST = 10.0


class Parts(Protocol):
    """What collects the parts of a kernel: its arguments, and names for its variables."""

    arguments: Arguments
    symbols: Symbols


@dataclass(frozen=True, slots=True)
class Body:
    """A body to lower.

    Attributes:
        node: whose results the body's outputs are.
        graph: elementwise, movement, reduce and source nodes.
        operands: where the graph's inputs come from.
        inplace: for outputs that are written over an input, that input's position.
        positions: for each output, which of the node's results it is.
        key: what its scratch memory is called by, different for each body of a node.
    """

    node: Node
    graph: Graph
    operands: Sequence[Argument]
    inplace: dict[int, int]
    positions: Sequence[int]
    key: str = ""

    @property
    def label(self) -> str:
        """What the kernels are called: the first and last ops."""
        nodes = [n for n in self.graph.nodes if n.op.kind is not Kind.SOURCE]
        names = [n.op.name for n in nodes if n.op.kind is not Kind.MOVEMENT]
        return named(names or [n.op.name for n in nodes])

    def reading(
        self, graph: Graph, wanted: Iterable[Node], kind: type[Arguments] = Arguments
    ) -> tuple[Arguments, dict[Node, str]]:
        """Arguments with the buffers of the inputs that some nodes of a graph need."""
        read = needed(graph.nodes, wanted)
        arguments = kind()
        buffers: dict[Node, str] = {}
        for position, given in enumerate(self.graph.inputs):
            if given in read:
                self.input(arguments, buffers, position)
        return arguments, buffers

    def input(self, arguments: Arguments, buffers: dict[Node, str], position: int) -> str:
        """The buffer of an input."""
        given = self.graph.inputs[position]
        if given not in buffers:
            operand, dtype = self.operands[position], tensor_type(given).dtype.short
            name = f"p{position}" if isinstance(operand, Value) else given.attr("name")
            buffers[given] = arguments.buffer(name, operand, dtype)
        return buffers[given]

    def result(self, arguments: Arguments, buffers: dict[Node, str], position: int) -> str:
        """The buffer of a result: an input's where they are one."""
        if position in self.inplace:
            return self.input(arguments, buffers, self.inplace[position])
        dtype = tensor_type(self.graph.outputs[position]).dtype.short
        place = self.positions[position]
        return arguments.buffer(f"r{place}", Value(self.node, place), dtype)


def named(ops: Iterable[str]) -> str:
    """Some ops in a few words: the first and last of them."""
    names = list(dict.fromkeys(ops))
    if len(names) > MOST_NAMED:
        names = [*names[:2], *names[-2:]]
    return "_".join(names) or "fill"


def nest_block(
    graph: Graph,
    spaces: Spaces,
    nest: Nesting,
    assembly: Parts,
    buffers: dict[Node, str],
    results: dict[int, str],
    kind: type[Emitter] = Emitter,
) -> Block:
    """The statements of a nest without columns."""
    if nest.columns or nest.after:
        raise InternalError("a nest that collects over its rows takes steps of its own")
    emitter = kind(buffers, assembly.symbols, assembly.arguments, spaces)
    prepare(emitter, graph, nest, assembly.arguments)
    with emitter.run(nest.rows, outer=True):
        run_stages(emitter, nest)
        for inner, group in grouped(spaces, graph, nest).items():
            with emitter.run(inner):
                store_all(emitter, graph, group, results)
    return emitter.root


def prepare(emitter: Emitter, graph: Graph, nest: Nesting, arguments: Arguments) -> None:
    """Tell the emitter the nest's rows, stages, and what is kept in scratch memory."""
    emitter.rows = frozenset(nest.rows)
    emitter.stages = {r: stage for stage in nest.stages for r in stage}
    room = emitter.scratch
    for node in _worth_keeping(emitter.spaces, graph, nest):
        atoms = row_atoms(emitter.spaces, node, nest.rows)
        count = extent(emitter.spaces, atoms)
        dtype = tensor_type(node).dtype
        if isinstance(count, int) and count * dtype.itemsize <= room:
            room -= count * dtype.itemsize
            name = f"t{len(emitter.kept)}"
            emitter.kept[node] = arguments.local(name, count, dtype.compute.short)


def _worth_keeping(spaces: Spaces, graph: Graph, nest: Nesting) -> list[Node]:
    """Costly nodes of a row that more than one of its loops needs."""
    if not nest.stages:
        return []
    phase = {r: k for k, stage in enumerate(nest.stages) for r in stage}
    last = len(nest.stages)
    needs: dict[Node, set[int]] = {}
    for k in (*nest.outputs, *nest.after):
        needs.setdefault(graph.outputs[k], set()).add(last)
    for r in nest.columns:
        needs.setdefault(r, set()).add(last)
    found = []
    for node in reversed(graph.nodes):
        mine = needs.get(node, set())
        for operand in node.inputs:
            needs.setdefault(operand, set()).update({phase[node]} if node in phase else mine)
        inner = set(row_atoms(spaces, node, nest.rows)) if node in spaces.axes else set()
        whole = inner == set(spaces.reduced(nest.stages[0][0]))
        if len(mine) > 1 and inner and whole and node_cost(node) >= KEEP_COST:
            found.append(node)
    return found[::-1]


def run_stages(emitter: Emitter, nest: Nesting) -> None:
    """The row's reductions, in order."""
    for stage in nest.stages:
        for r in stage:
            emitter.here(r)


def grouped(spaces: Spaces, graph: Graph, nest: Nesting) -> dict[tuple[int, ...], list[int]]:
    """Positions of results by the loops inside a row that they need, the most loops first."""
    found: dict[tuple[int, ...], list[int]] = {}
    for k in nest.outputs:
        inner = row_atoms(spaces, graph.outputs[k], nest.rows)
        same = next((key for key in found if set(key) == set(inner)), inner)
        found.setdefault(same, []).append(k)
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def store_all(
    emitter: Emitter, graph: Graph, group: Sequence[int], results: dict[int, str]
) -> None:
    """Compute some results' elements where the loops are, then write them all.

    A result may be an input's buffer: everything is read before anything is written.
    """
    values = [emitter.here(graph.outputs[k]) for k in group]
    for k, value in zip(group, values):
        output = graph.outputs[k]
        index = emitter.index(emitter.spaces.of(output))
        assert index is not None
        emitter.store(results[k], offset(tensor_type(output).shape, index), value)
