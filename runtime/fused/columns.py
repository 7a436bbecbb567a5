"""Reductions over a nest's rows: chunks of rows add up on their own, a second step finishes.

    for chunk in range(lo, hi):                 step 1, parallel over chunks
        total = f32(0)
        for i0 in range(first, last):
            for i1 in range(768):
                w0[chunk * 768 + i1] = w0[chunk * 768 + i1] + ...
            total = total + ...
        w1[chunk] = total

    w0[k] = w0[k] + w0[c * 768 + k] ...         step 2, chunks in order
    r0[k] = w0[k] ...                           and what follows from them

Chunks depend on sizes alone, so results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graphc.core import dims, dtypes
from graphc.core.atoms import Symbol
from graphc.core.dims import Size
from graphc.core.ir import Graph, Node, Reduction, tensor_type
from graphc.core.types import TensorType
from graphc.core.walk import substitute
from graphc.loops.nesting import Nesting, Unfit, extent, plan, row_atoms
from graphc.loops.spaces import Spaces
from graphc.loops.views import offset
from graphc.ops.elementwise.cast import CAST
from graphc.ops.source import INPUT_OP
from graphc.runtime.base.step import Number, Step, Workspace
from graphc.runtime.fused.assemble import Arguments, Assembly, Outer, chunking
from graphc.runtime.fused.blocked import ROWS, ArraySum, cut, row_blocks
from graphc.runtime.fused.emit import Accumulator, Emitter
from graphc.runtime.fused.loops import TAB, Block, Line, Symbols, collapse, loops_of
from graphc.runtime.fused.rows import Body, nest_block, prepare, run_stages
from graphc.runtime.fused.scalars import combine, identity

# Up to this many columns, one thread finishes.
FEW_COLUMNS = 1 << 15


@dataclass
class Column:
    """One reduction over rows.

    Attributes:
        node: the reduction.
        name: the variable of its buffer of partial results.
        kept: the atoms of its result, in order.
        dropped: the atoms beside the rows that it drops.
        count: how many elements its result has.
    """

    node: Node
    name: str
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    count: Size

    @property
    def adds(self) -> bool:
        """Whether it adds floats up."""
        fact = self.node.op.lowering
        return isinstance(fact, Reduction) and fact.adds and self.dtype.is_float

    @property
    def dtype(self) -> dtypes.DType:
        """The dtype of partial results: float32 for narrower floats."""
        return tensor_type(self.node).dtype.compute


@dataclass
class Group:
    """What runs in the same loops inside a row: over `kept`, then over `dropped`."""

    kept: tuple[int, ...]
    dropped: tuple[int, ...] = ()
    outputs: list[int] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)

    @property
    def atoms(self) -> set[int]:
        """All atoms of the loops."""
        return {*self.kept, *self.dropped}


def column_steps(
    body: Body,
    spaces: Spaces,
    nest: Nesting,
    number: int,
    steps_of: Callable[[Body], list[Step]],
) -> list[Step]:
    """The steps of a nest with reductions over its rows.

    Args:
        body: that the nest is one of.
        spaces: the atoms of its graph.
        nest: with columns.
        number: of the nest among those of its body.
        steps_of: lowers a body: what follows from the columns may collect over rows itself.
    """
    rows = set(nest.rows)
    columns = []
    # A body that follows from columns has their partial results among its operands: w0, w1, ...
    taken = sum(isinstance(operand, Workspace) for operand in body.operands)
    for k, r in enumerate(nest.columns, taken):
        kept = tuple(a for axis in spaces.of(r) for a in axis)
        dropped = tuple(a for a in spaces.reduced(r) if a not in rows)
        columns.append(Column(r, f"w{k}", kept, dropped, extent(spaces, kept)))
    collector = Collector(body, spaces, nest, number, columns)
    return [collector.step(), *collector.finish(steps_of)]


class Collector:
    """The two steps of one nest."""

    def __init__(
        self, body: Body, spaces: Spaces, nest: Nesting, number: int, columns: Sequence[Column]
    ) -> None:
        self.body, self.spaces, self.nest, self.columns = body, spaces, nest, columns
        self.key = f"{body.key}{number}"
        self.rows_each: Size = 1
        self.chunks: Size = 1

    def step(self) -> Step:
        """Chunks of rows add up, and results of the rows are written."""
        body, graph = self.body, self.body.graph
        wanted = [*(graph.outputs[k] for k in self.nest.outputs), *self.nest.columns]
        arguments, buffers = body.reading(graph, wanted)
        results = {k: body.result(arguments, buffers, k) for k in self.nest.outputs}
        places = [len(arguments.args) + k for k in range(len(self.columns))]
        for column in self.columns:
            arguments.buffer(column.name, Number(0), column.dtype.short)
        places.append(len(arguments.args))
        each = arguments.number("rows", "rows", Number(0))
        assembly = Assembly(arguments, Symbols())
        block = self._block(assembly, buffers, results)
        collapse(block, assembly.symbols)
        sums = cut(block, assembly.symbols)
        outer = Outer.of(block)
        widest: Size = max((c.count for c in self.columns if c.kept), key=str, default=1)
        self.rows_each, self.chunks = chunking(outer.extent, outer.each, widest)
        for place, column in zip(places, self.columns):
            arguments.args[place] = self._workspace(column)
        arguments.args[places[-1]] = Number(self.rows_each)
        rows = self._most_rows(outer)
        arrays = [] if rows is not None and rows <= ROWS else self._array_sums(arguments)
        flat = not any(True for _ in loops_of(outer.loops[-1].body))
        assembly.chunked(outer, each, row_blocks(sums, arrays, rows, flat, assembly.symbols))
        return assembly.step(body.node, body.label, self.chunks, 1)

    def _most_rows(self, outer: Outer) -> int | None:
        """The most rows of a chunk, None where that depends on sizes."""
        if not isinstance(self.rows_each, int) or not isinstance(outer.extent, int):
            return None
        return min(self.rows_each, outer.extent)

    def _array_sums(self, arguments: Arguments) -> list[ArraySum]:
        """The columns that add floats up in buffers, with buffers for totals and losses."""
        found = []
        for column in self.columns:
            if column.kept and column.adds:
                short, number = column.dtype.short, column.name[1:]
                totals, losses = (
                    arguments.buffer(f"{kind}{number}", self._workspace(column, kind), short)
                    for kind in ("totals", "losses")
                )
                found.append(ArraySum(column.name, totals, losses, short, column.count))
        return found

    def _workspace(self, column: Column, kind: str = "") -> Workspace:
        """A number for each element of a column and chunk; of a `kind`, only with many rows."""
        nbytes = column.count * self.chunks * column.dtype.itemsize
        if kind:
            has_many = dims.minimum(dims.maximum(self.rows_each - ROWS, 0), 1)
            nbytes = nbytes * has_many
        return Workspace(self.body.node, f"{self.key}{column.name}{kind}", nbytes)

    def _block(
        self, assembly: Assembly, buffers: dict[Node, str], results: dict[int, str]
    ) -> Block:
        """The statements of one chunk."""
        emitter = Emitter(buffers, assembly.symbols, assembly.arguments, self.spaces)
        prepare(emitter, self.body.graph, self.nest, assembly.arguments)
        chunk = Symbol("@chunk")
        assembly.symbols.names[chunk] = "chunk"
        emitter.homes[chunk] = emitter.root
        totals: dict[Node, Accumulator] = {}
        for column in self.columns:
            if not column.kept:
                totals[column.node] = emitter.accumulator(column.node)
                continue
            with emitter.loop(column.count) as at:
                place = dims.symbol(chunk) * column.count + at
                emitter.store(column.name, place, identity(column.node))
        with emitter.run(self.nest.rows, outer=True):
            run_stages(emitter, self.nest)
            for group in self._groups():
                self._run(emitter, group, totals, dims.symbol(chunk), results)
        for column in self.columns:
            if not column.kept:
                emitter.store(column.name, dims.symbol(chunk), totals[column.node].total())
        return emitter.root

    def _groups(self) -> list[Group]:
        """Results and columns by the loops inside a row that they need, the most loops first."""
        groups: list[Group] = []
        for column in self.columns:
            split = bool(column.kept and column.dropped)
            mine = {*column.kept, *column.dropped}
            for group in groups:
                if group.atoms == mine and (not split or set(group.kept) == set(column.kept)):
                    group.columns.append(column)
                    break
            else:
                kept = column.kept or column.dropped
                groups.append(Group(kept, column.dropped if column.kept else (), [], [column]))
        for k in self.nest.outputs:
            atoms = row_atoms(self.spaces, self.body.graph.outputs[k], self.nest.rows)
            same = next((g for g in groups if g.atoms == set(atoms)), None)
            if same is None:
                groups.append(same := Group(atoms))
            same.outputs.append(k)
        return sorted(groups, key=lambda g: -len(g.atoms))

    def _run(
        self,
        emitter: Emitter,
        group: Group,
        totals: dict[Node, Accumulator],
        chunk: Size,
        results: dict[int, str],
    ) -> None:
        graph, spaces = self.body.graph, self.spaces
        with emitter.run(group.kept):
            # What keeps all atoms of the loops adds up element by element beside them.
            own = {
                c.node: emitter.accumulator(c.node) for c in group.columns if c.kept and c.dropped
            }
            with emitter.run(group.dropped):
                elements = [self._element(emitter, c) for c in group.columns]
                values = [emitter.here(graph.outputs[k]) for k in group.outputs]
                for k, value in zip(group.outputs, values):
                    index = emitter.index(spaces.of(graph.outputs[k]))
                    assert index is not None
                    shape = tensor_type(graph.outputs[k]).shape
                    emitter.store(results[k], offset(shape, index), value)
                for column, element in zip(group.columns, elements):
                    total = own.get(column.node) or totals.get(column.node)
                    if total is not None:
                        total.add(element, 0)
                    else:
                        self._add(emitter, column, chunk, element)
            for column in group.columns:
                if column.node in own:
                    self._add(emitter, column, chunk, own[column.node].total())

    def _element(self, emitter: Emitter, column: Column) -> str:
        index = emitter.index(self.spaces.read(column.node))
        assert index is not None
        return emitter.value(column.node.inputs[0], index)

    def _add(self, emitter: Emitter, column: Column, chunk: Size, element: str) -> None:
        """Add to the chunk's partial result where the loops are."""
        index = emitter.index(self.spaces.of(column.node))
        assert index is not None
        place = chunk * column.count + offset(tensor_type(column.node).shape, index)
        old = emitter.load(column.name, place)
        emitter.store(column.name, place, combine(column.node, old, element))

    # The second step ---------------------------------------------------------------------------

    def finish(self, steps_of: Callable[[Body], list[Step]]) -> list[Step]:
        """The chunks' partial results in order, and what follows from them."""
        body = self._after()
        planned = _without_columns(body.graph)
        if planned is None:
            return [*map(self._combine_step, self.columns), *steps_of(body)]
        spaces, nests = planned
        arguments, buffers = body.reading(body.graph, body.graph.outputs)
        results = {k: body.result(arguments, buffers, k) for k in range(len(body.positions))}
        assembly = Assembly(arguments, Symbols())
        blocks = [nest_block(body.graph, spaces, n, assembly, buffers, results) for n in nests]
        label = f"{self.body.label}_finish"
        if all(isinstance(c.count, int) and c.count <= FEW_COLUMNS for c in self.columns):
            arguments.number("chunks", "chunks", Number(self.chunks))
            assembly.serial([*(_combined(c, "0", c.count) for c in self.columns), *blocks])
            return [assembly.step(body.node, label, 1, 1)]
        extents, grain = assembly.parallel(blocks)
        finish = assembly.step(body.node, label, extents, grain)
        return [*map(self._combine_step, self.columns), finish]

    def _combine_step(self, column: Column) -> Step:
        arguments = Arguments()
        arguments.buffer(column.name, self._workspace(column), column.dtype.short)
        arguments.number("chunks", "chunks", Number(self.chunks))
        assembly = Assembly(arguments, Symbols())
        assembly.body += assembly.text.lines(_combined(column, "lo", "hi"), 0)
        label = f"combine_{column.node.op.name}"
        return assembly.step(self.body.node, label, column.count, 4096)

    def _after(self) -> Body:
        """What follows from the columns, with their combined results as inputs."""
        body = self.body
        new: dict[Node, Node] = {node: node for node in body.graph.inputs}
        partial: dict[Node, Workspace] = {}
        for column in self.columns:
            type_ = TensorType(column.dtype, tensor_type(column.node).shape)
            given = INPUT_OP(name=column.name, type=type_)
            partial[given] = self._workspace(column)
            narrow = tensor_type(column.node).dtype
            new[column.node] = (
                given if narrow is column.dtype else CAST(given, dtype=narrow, overflow="error")
            )
        after = self.nest.after
        results = substitute([body.graph.outputs[k] for k in after], new)
        graph = Graph.of("after", [*body.graph.inputs, *partial], results)
        return Body(
            node=body.node,
            graph=graph,
            operands=[*body.operands, *partial.values()],
            inplace={j: body.inplace[k] for j, k in enumerate(after) if k in body.inplace},
            positions=[body.positions[k] for k in after],
            key=f"{self.key}after ",
        )


def _without_columns(graph: Graph) -> tuple[Spaces, list[Nesting]] | None:
    """The nests of a body, if it has some and none collects over its rows."""
    try:
        spaces, nests = plan(graph)
    except Unfit:
        return None
    return None if any(nest.columns for nest in nests) else (spaces, nests)


def _combined(column: Column, low: str, high: Size | str) -> Block:
    """Loops that combine the chunks' partial results; the first chunk's has all in the end."""
    return (_added if column.adds else _halved)(column, low, high)


def _added(column: Column, low: str, high: Size | str) -> Block:
    """Chunks added in order; what each addition loses collects where the second one's part was."""
    name, count = column.name, column.count
    there = f"{name}[at + k]"
    block = Block()
    block.items += [
        Line(("if chunks > 1:",)),
        Line((f"{TAB}for k in range({low}, ", high, "):")),
        Line((f"{TAB * 2}part = {name}[", count, " + k]")),
        Line((f"{TAB * 2}{name}[", count, f" + k] = lost({name}[k], part)")),
        Line((f"{TAB * 2}{name}[k] = {name}[k] + part",)),
        Line((f"{TAB}for c in range(2, chunks):",)),
        Line((f"{TAB * 2}at = c * (", count, ")")),
        Line((f"{TAB * 2}for k in range({low}, ", high, "):")),
        Line((f"{TAB * 3}rest = {name}[", count, f" + k] + lost({name}[k], {there})")),
        Line((f"{TAB * 3}{name}[", count, " + k] = rest")),
        Line((f"{TAB * 3}{name}[k] = {name}[k] + {there}",)),
        Line((f"{TAB}for k in range({low}, ", high, "):")),
        Line((f"{TAB * 2}{name}[k] = {name}[k] + {name}[", count, " + k]")),
    ]
    return block


def _halved(column: Column, low: str, high: Size | str) -> Block:
    """The first half of the chunks takes the rest, and again."""
    name = column.name
    step = combine(column.node, f"{name}[k]", f"{name}[away + k]")
    block = Block()
    block.items += [
        Line(("left = chunks",)),
        Line(("while left > 1:",)),
        Line(("    half = quotient(left + 1, 2)",)),
        Line(("    away = half * (", column.count, ")")),
    ]
    if low == "0":
        tab = ""
        block.items.append(Line(("    for k in range((left - half) * (", column.count, ")):")))
    else:
        tab = TAB
        block.items += [
            Line(("    for c in range(left - half):",)),
            Line(("        at = c * (", column.count, ")")),
            Line((f"        for k in range(at + {low}, at + ", high, "):")),
        ]
    block.items += [
        Line((f"        {tab}{name}[k] = {step}",)),
        Line(("    left = half",)),
    ]
    return block
