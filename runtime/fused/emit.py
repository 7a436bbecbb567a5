"""From nodes to statements, by pulling: `value(node, index)` is the variable that holds an element.

An elementwise node pulls its operands at the same index, a movement node at the index its map
says, a reduction opens loops and pulls its operand inside them. A statement stands in the outermost
block that knows all loop variables of its index: so a row's sum is computed once a row, wherever
it is used. What one block, or one around it, has computed is not computed again.

Not here: loops over results (`rows`, `columns`), scalar expressions (`scalars`), text (`loops`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.dims import Size
from graphc.core.dtypes import DType
from graphc.core.facts import filled
from graphc.core.ir import IndexMap, Kind, Node, Piece, Reduction, Scalar, is_checked, tensor_type
from graphc.errors import InternalError
from graphc.loops.spaces import Axes, Spaces
from graphc.loops.views import offset
from graphc.runtime.fused.loops import Addend, Block, Branch, Line, Loop, Part, Symbols
from graphc.runtime.fused.scalars import (
    cast,
    combine,
    identity,
    literal,
    scalar_cost,
    wide,
)

Index = tuple[Size, ...]


class Emitter:
    """Emits the statements of one kernel.

    Args:
        buffers: the variable of each placeholder's buffer.
        symbols: names for loops and variables.
        arguments: of the kernel; they number checked nodes for the status block.
        spaces: the atoms of the body's axes.

    Attributes:
        at: where each atom is now: a loop variable.
        rows: the atoms of the outer loops.
        stages: for each reduction that runs once a row, those that run in the same loops.
        kept: for nodes whose elements of a row are kept, the scratch buffer.
        scratch: bytes that are kept at most.
    """

    scratch = 1 << 16

    def __init__(
        self, buffers: Mapping[Node, str], symbols: Symbols, arguments: Any, spaces: Spaces
    ) -> None:
        self.buffers = buffers
        self.symbols = symbols
        self.arguments = arguments
        self.spaces = spaces
        self.root = self.block = Block()
        self.homes: dict[Symbol, Block] = {}
        self.at: dict[int, Size] = {}
        self.stages: dict[Node, list[Node]] = {}
        self.kept: dict[Node, str] = {}
        self.rows: frozenset[int] = frozenset()
        # Where the elements of a kept node are stored; loops that statements still go to, and rows.
        self._filled: dict[Node, Block] = {}
        self._open: list[Block] = []
        self._row_bodies: list[Block] = []

    def index(self, axes: Axes) -> Index | None:
        """The index that axes have now; None where one of their atoms is in no loop."""
        found = []
        for axis in axes:
            place: Size = 0
            for atom in axis:
                if atom not in self.at:
                    return None
                place = place * self.spaces.sizes[atom] + self.at[atom]
            found.append(place)
        return tuple(found)

    def here(self, node: Node) -> str:
        """The element of a node of the space where the loops are now."""
        index = self.index(self.spaces.of(node))
        if index is None:
            raise InternalError(f"{node.op.name} is not inside its loops")
        return self.value(node, index)

    @contextmanager
    def run(self, atoms: Sequence[int], outer: bool = False) -> Iterator[None]:
        """Loops over atoms, the first outermost; `outer` ones are rows of a nest."""
        before = self.at
        with self.loops([self.spaces.sizes[a] for a in atoms], outer) as variables:
            self.at = {**before, **dict(zip(atoms, variables))}
            yield
        self.at = before

    def line(self, *parts: Part, cost: float = 0) -> None:
        """Append a statement to the current block."""
        self.block.items.append(Line(parts, cost))

    def define(self, *parts: Part, cost: float = 0) -> str:
        """Append `v = ...` with a fresh variable, and return its name."""
        name = self.symbols.variable()
        self.line(f"{name} = ", *parts, cost=cost)
        return name

    @contextmanager
    def loop(self, extent: Size, outer: bool = False) -> Iterator[Size]:
        """A loop that statements inside `with` go to; its variable (0 where the extent is 1)."""
        if extent == 1:
            yield 0
            return
        symbol = self.symbols.loop(extent)
        around = self.block
        body = self.homes[symbol] = self.block = Block(around)
        if outer:
            self._row_bodies.append(body)
        self._open.append(body)
        yield dims.symbol(symbol)
        self._open.pop()
        self.block = around
        around.items.append(Loop(symbol, extent, body, outer))

    @contextmanager
    def loops(self, extents: Sequence[Size], outer: bool = False) -> Iterator[Index]:
        """Loops inside one another; their variables."""
        if not extents:
            yield ()
            return
        with self.loop(extents[0], outer) as first, self.loops(extents[1:], outer) as rest:
            yield (first, *rest)

    @contextmanager
    def _inside(self, block: Block) -> Iterator[None]:
        before, self.block = self.block, block
        yield
        self.block = before

    def _home(self, index: Index) -> Block:
        """The outermost block that knows the index, but never outside a branch we are in."""
        needed = {s for size in index for s in dims.symbols(size)}
        block = self.block
        while block.parent is not None and not block.is_branch:
            if any(self.homes.get(s) is block for s in needed):
                break
            block = block.parent
        return block

    def _lookup(self, key: object) -> Any:
        block: Block | None = self.block
        while block is not None:
            if key in block.known:
                return block.known[key]
            block = block.parent
        return None

    def value(self, node: Node, index: Index) -> str:
        """The variable (or literal) that holds the element of `node` at `index`."""
        key = (node, index)
        found = self._lookup(key)
        if found is not None:
            return found
        block = self._home(index)
        with self._inside(block):
            name = self._compute(node, index)
        block.known[key] = name
        return name

    def _compute(self, node: Node, index: Index) -> str:
        if node in self.buffers:
            return self.load(self.buffers[node], offset(tensor_type(node).shape, index))
        scratch = self.kept.get(node)
        if scratch is None or self._in_branch() or index != self.index(self.spaces.of(node)):
            return self._computed(node, index)
        place = self._place_in_row(node)
        if node in self._filled:
            is_before = self._precedes(self._filled[node])
            return self.load(scratch, place) if is_before else self._computed(node, index)
        name = self._computed(node, index)
        self.store(scratch, place, name)
        self._filled[node] = self.block
        return name

    def _precedes(self, stored: Block) -> bool:
        """Whether what a block stores has been stored, in this row, where statements go now.

        They may go in front of loops that are still open: what follows from fewer of them.
        """
        around = set(map(id, _blocks(self.block)))
        apart = set(map(id, (*self._open, *self._row_bodies)))
        for block in _blocks(stored):
            if id(block) in around:
                return True
            if id(block) in apart:
                return False
        return False

    def _computed(self, node: Node, index: Index) -> str:
        kind = node.op.kind
        if kind is Kind.ELEMENTWISE:
            return self._elementwise(node, index)
        if kind is Kind.MOVEMENT:
            return self._moved(node, index)
        if kind is Kind.REDUCE:
            return self._reduced(node, index)
        if kind is Kind.SOURCE:
            return self._source(node, index)
        raise InternalError(f"{node.op.name} cannot be computed inside a kernel")

    def _in_branch(self) -> bool:
        block: Block | None = self.block
        while block is not None and not block.is_branch:
            block = block.parent
        return block is not None

    def _place_in_row(self, node: Node) -> Size:
        """The place of a node's current element among those of its row."""
        place: Size = 0
        for axis in self.spaces.of(node):
            for atom in axis:
                if atom not in self.rows:
                    place = place * self.spaces.sizes[atom] + self.at[atom]
        return place

    def load(self, buffer: str, at: Size) -> str:
        """A variable with the element of a buffer."""
        return self.define(f"{buffer}[", at, "]", cost=1)

    def store(self, buffer: str, at: Size, value: str) -> None:
        """Write an element of a buffer."""
        self.line(f"{buffer}[", at, f"] = {value}", cost=1)

    def _source(self, node: Node, index: Index) -> str:
        dtype = tensor_type(node).dtype
        attrs = dict(node.attrs)
        if "value" in attrs:
            return literal(dtype, attrs["value"])
        number = index[attrs["axis"]] if "axis" in attrs else attrs.get("size")
        if number is None:
            raise InternalError(f"{node.name} has no value inside a kernel")
        if isinstance(number, int):
            return literal(dtype, number)
        return self.define(f"{dtype.short}(", number, ")", cost=1)

    def _elementwise(self, node: Node, index: Index) -> str:
        fact = node.op.lowering
        if not isinstance(fact, Scalar):
            raise InternalError(f"{node.op.name} has no scalar expression")
        operands = [self.value(x, index) for x in node.inputs]
        if is_checked(node):
            self._check(node, fact, operands)
        text = filled(node, fact.template, operands)
        return self.define(cast(tensor_type(node).dtype, text), cost=scalar_cost(text))

    def _check(self, node: Node, fact: Scalar, operands: Sequence[str]) -> None:
        test = filled(node, fact.check, operands)
        if not fact.value:
            failed = self.arguments.flag(node)
            self.line(f"{failed} = {failed} | ({test})", cost=1)
            return
        value, limit = (t.format(*operands) for t in (fact.value, fact.limit))
        self.line(f"if {test}:", cost=1)
        self.line(f"    fail(status, {self.arguments.site(node)}, {value}, {limit})")

    def _moved(self, node: Node, index: Index) -> str:
        fact = node.op.lowering
        if not isinstance(fact, IndexMap):
            raise InternalError(f"{node.op.name} has no index map")
        if fact.flat:
            return self._flat(node, index)
        pieces = list(fact.pieces(node, index, lambda k, at: self._read(node, k, at)))
        if is_checked(node):
            size = tensor_type(node.inputs[0]).shape[node.attr("axis")]
            if not dims.at_least(size, 1):
                pieces[0] = Piece(0, pieces[0].index, ((size, 1, size + 1),))
                pieces.append(Piece(None))
        return self._choose(node, pieces)

    def _flat(self, node: Node, index: Index) -> str:
        """The element of a reshape: the operand's where the loops are, or of the same place."""
        (x,) = node.inputs
        if x in self.buffers:
            return self.load(self.buffers[x], offset(tensor_type(node).shape, index))
        if node in self.spaces.axes and index == self.index(self.spaces.of(node)):
            inner = self.index(self.spaces.of(x)) if x in self.spaces.axes else None
            if inner is not None:
                return self.value(x, inner)
        fact: Any = node.op.lowering
        return self.value(x, fact.pieces(node, index, None)[0].index)

    def _choose(self, node: Node, pieces: Sequence[Piece]) -> str:
        """The first piece whose guards hold: decided now where they can be."""
        first, rest = pieces[0], pieces[1:]
        guards = tuple(g for g in first.guards if not _holds(g))
        if rest and any(_fails(g) for g in guards):
            return self._choose(node, rest)
        if not guards or not rest:
            if first.operand is None:
                return literal(tensor_type(node).dtype, first.value)
            return self.value(node.inputs[first.operand], first.index)
        name = self.symbols.variable()
        then, otherwise = Block(self.block, is_branch=True), Block(self.block, is_branch=True)
        for block, choice in ((then, [Piece(first.operand, first.index, (), first.value)]),
                              (otherwise, rest)):  # fmt: skip
            with self._inside(block):
                self.line(f"{name} = {self._choose(node, choice)}")
        self.block.items.append(Branch(guards, then, otherwise))
        return name

    def _read(self, node: Node, operand: int, index: Index) -> Size:
        """An index that is data: checked, counted from the start, as a symbol."""
        key = (node, operand, index)
        found = self._lookup(key)
        if found is not None:
            return found
        block = self._home(index)
        with self._inside(block):
            raw = self.value(node.inputs[operand], index)
            size = tensor_type(node.inputs[0]).shape[node.attr("axis")]
            place = self._place(node, raw, size, tensor_type(node.inputs[operand]).dtype)
        symbol = self.symbols.value(place, size)
        self.homes[symbol] = block
        block.known[key] = dims.symbol(symbol)  # type: ignore[assignment]
        return dims.symbol(symbol)

    def _place(self, node: Node, raw: str, size: Size, dtype: DType) -> str:
        place = self.define(f"i64({raw})", cost=1)
        if not is_checked(node):
            return place
        # A uint64 beyond int64 is negative here, and so outside as well.
        low: tuple[Part, ...] = ("-(", size, ")") if dtype.kind == "int" else ("0",)
        self.line(f"if {place} < ", *low, f" or {place} >= ", size, ":", cost=1)
        self.line(f"    fail(status, {self.arguments.site(node)}, {place}, ", size, ")")
        self.line(f"    {place} = 0")
        if dtype.kind != "int":
            return place
        return self.define(f"select({place} < 0, {place} + ", size, f", {place})", cost=1)

    def _reduced(self, node: Node, index: Index) -> str:
        if node in self.spaces.reads and index == self.index(self.spaces.of(node)):
            return self._stage(node, self.stages.get(node, [node]))
        axes = node.attr("axes")
        shape = tensor_type(node.inputs[0]).shape
        total = self.accumulator(node)
        with self.loops([shape[a] for a in axes]) as inner:
            inside, outside = iter(inner), iter(index)
            full = tuple(next(inside if a in axes else outside) for a in range(len(shape)))
            total.add(self.value(node.inputs[0], full), inner[0] if inner else 0)
        return total.result()

    def accumulator(self, node: Node) -> Accumulator:
        """The variables of a reduction."""
        return Accumulator(self, node)

    def _stage(self, node: Node, together: Sequence[Node]) -> str:
        """A reduction where the loops are, and others that run in the same loops."""
        spaces = self.spaces
        totals = [self.accumulator(r) for r in together]
        with self.run(spaces.reduced(node)):
            values = []
            for r in together:
                full = self.index(spaces.read(r))
                assert full is not None
                values.append((self.value(r.inputs[0], full), full))
            for total, r, (value, full) in zip(totals, together, values):
                axes = r.attr("axes")
                total.add(value, full[axes[0]] if axes else 0)
        for total, r in zip(totals, together):
            own = self.index(spaces.of(r))
            self.block.known[(r, own)] = total.result()
        return self.block.known[(node, self.index(spaces.of(node)))]


class Accumulator:
    """The variables of one reduction: made before its loops, stepped inside, read after."""

    def __init__(self, emitter: Emitter, node: Node) -> None:
        fact = node.op.lowering
        if not isinstance(fact, Reduction):
            raise InternalError(f"{node.op.name} has no combining step")
        self.emitter, self.fact, self.node = emitter, fact, node
        self.dtype = tensor_type(node.inputs[0]).dtype
        self.home = emitter.block
        self.name = emitter.define(identity(node))
        self.place = emitter.define("i64(0)") if fact.arg else ""
        # Where one is nan the vectorised step says nothing, so nans are noted beside it.
        apart = bool(fact.of_numbers) and self.dtype.is_float
        self.nan = emitter.define("b1(0)") if apart else ""

    def add(self, value: str, place: Size) -> None:
        """One more element, whose index along the reduced axis is `place`."""
        line = self.emitter.line
        if self.nan:
            line(f"{self.name} = {self.fact.of_numbers.format(value, acc=self.name)}", cost=1)
            line(f"{self.nan} = {self.nan} | ({value} != {value})", cost=1)
            return
        step = combine(self.node, self.name, value)
        if self.fact.adds and self.dtype.is_float:
            self.emitter.block.items.append(
                Addend((f"{self.name} = {step}",), scalar_cost(step), self.name, value,
                       wide(self.dtype), self.home)
            )  # fmt: skip
            return
        if not self.fact.arg:
            line(f"{self.name} = {step}", cost=scalar_cost(step))
            return
        hit = self.emitter.define(step, cost=3)
        line(f"{self.place} = select({hit}, i64(", place, f"), {self.place})")
        line(f"{self.name} = select({hit}, {value}, {self.name})")

    def total(self) -> str:
        """What has been accumulated: float32 for narrower floats."""
        if not self.nan:
            return self.name
        short = wide(self.dtype)
        return self.emitter.define(f"select({self.nan}, {short}(nan), {self.name})")

    def result(self) -> str:
        """The reduction's value."""
        if self.fact.arg:
            return self.place
        if self.dtype.wide is not None:
            return self.emitter.define(f"{self.dtype.short}({self.total()})")
        return self.total()


def _blocks(block: Block | None) -> Iterator[Block]:
    """A block and those around it."""
    while block is not None:
        yield block
        block = block.parent


def _holds(guard: tuple[Size, Size, Size]) -> bool:
    x, low, high = guard
    return dims.at_least(x - low, 0) and dims.at_least(high - 1 - x, 0)


def _fails(guard: tuple[Size, Size, Size]) -> bool:
    x, low, high = guard
    return dims.at_least(low - 1 - x, 0) or dims.at_least(x - high, 0)
