"""Long float sums in blocks: rounding errors grow with the length of a block, not of the sum.

A block is added up as it was before, in vector lanes; the totals of blocks are added with what
each addition loses kept beside them:

    v0 = f32(0)                              v0 = f32(0)
    for i0 in range(n0):                     rest0 = f32(0)
        v1 = p0[i0]                  ->      for start0 in range(0, n0, 1024):
        v0 = add_any_order(v0, v1)               sum0 = f32(0)
                                                 for i0 in range(start0, min(start0 + 1024, n0)):
                                                     v1 = p0[i0]
                                                     sum0 = add_any_order(sum0, v1)
                                                 rest0 = rest0 + lost(v0, sum0)
                                                 v0 = v0 + sum0
                                             v0 = v0 + rest0

Where sizes are known to calls alone, a kernel holds both and chooses: a sum of one block is spared
what blocks cost.

It runs on nests that are collapsed. Sums over a nest's outer loops are left to the chunks of rows:
`row_blocks` says what stands around a chunk's blocks, for them and for sums in arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.dims import Dim, Size
from graphc.runtime.fused.loops import TAB, Addend, Block, Blocks, Branch, Item, Line, Loop, Symbols

# Elements that are added up without care where vector lanes share them: about 16 each of float32.
BLOCK = 1024
# Elements, or rows of a chunk, that are added up without care one after the other.
ROWS = 64


@dataclass(eq=False)
class Sum:
    """A sum on the way out of its loops.

    Attributes:
        addend: its step, in the innermost loop.
        count: how many elements the loops so far add up; 0 once they run in blocks.
        part: the variable of a block's sum.
        rest: the variable of what was lost.
    """

    addend: Addend
    count: int = 1
    part: str = ""
    rest: str = ""

    def begin(self) -> Line:
        """Before the loops: nothing is lost."""
        return Line((f"{self.rest} = {self.addend.dtype}(0)",))

    def begin_block(self) -> Line:
        """Before a block's elements."""
        return Line((f"{self.part} = {self.addend.dtype}(0)",))

    def end_block(self) -> list[Line]:
        """After a block's elements."""
        total = self.addend.total
        return [
            Line((f"{self.rest} = {self.rest} + lost({total}, {self.part})",)),
            Line((f"{total} = {total} + {self.part}",)),
        ]

    def end(self) -> Line:
        """After the loops."""
        return Line((f"{self.addend.total} = {self.addend.total} + {self.rest}",))

    def cut(self, symbols: Symbols) -> None:
        """Let the step add to a block's sum."""
        number = symbols.sum()
        self.part, self.rest = f"sum{number}", f"rest{number}"
        addend = self.addend
        addend.parts = (f"{self.part} = add_any_order({self.part}, {addend.value})",)


def cut(block: Block, symbols: Symbols) -> list[Sum]:
    """Run the loops of long float sums in blocks.

    Args:
        block: statements of a nest, changed in place.
        symbols: names for the new variables.

    Returns:
        Sums over a nest's outer loops, still to be cut there.
    """
    open_: list[Sum] = []
    items: list[Item] = []
    for item in block.items:
        if isinstance(item, Addend) and item.home is not block:
            open_.append(Sum(item))
        elif isinstance(item, Branch):
            cut(item.then, symbols)
            cut(item.otherwise, symbols)
        if not isinstance(item, Loop):
            items.append(item)
            continue
        if item.outer:
            items.append(item)
            open_ += cut(item.body, symbols)
            continue
        plain = _copied(item) if _may_be_short(item) else None
        sums = cut(item.body, symbols)
        loop = _in_blocks(item, sums, symbols)
        if plain is not None and isinstance(loop, Blocks):
            items += _short_or_long(plain, loop, sums, block)
        else:
            items += _around(sums, block, [loop])
        open_ += [s for s in sums if s.addend.home is not block]
    block.items = items
    return open_


def _around(sums: Sequence[Sum], home: Block, items: Sequence[Item]) -> list[Item]:
    """What computes sums, with what stands before and after it in their home."""
    done = [s for s in sums if s.rest and s.addend.home is home]
    return [*(s.begin() for s in done), *items, *(s.end() for s in done)]


def _may_be_short(loop: Loop) -> bool:
    """Whether a call's sizes tell how long the sums of a loop without loops are."""
    if isinstance(loop.extent, int):
        return False
    return not any(isinstance(item, Loop | Branch) for item in loop.body.items)


def _copied(loop: Loop) -> Loop:
    """A loop without loops whose steps stay as they are."""
    body = Block(loop.body.parent)
    body.items = [replace(item) for item in loop.body.items]
    return Loop(loop.symbol, loop.extent, body)


def _short_or_long(plain: Loop, blocks: Blocks, sums: Sequence[Sum], home: Block) -> list[Item]:
    """A plain loop where the sums are short, else blocks; in either the sums are complete.

    Sums that go on outside take what the plain loop adds up as one block.
    """
    one = ((blocks.extent, 0, blocks.size + 1),)
    if all(s.addend.home is home for s in sums):
        long = Block(home, _around(sums, home, [blocks]))
        return [Branch(one, Block(home, [plain]), long)]
    whole = Loop(blocks.symbol, blocks.extent, blocks.body)
    short = Block(home, [*blocks.before, whole, *blocks.after])
    return _around(sums, home, [Branch(one, short, Block(home, [blocks]))])


def _in_blocks(loop: Loop, sums: Sequence[Sum], symbols: Symbols) -> Loop:
    """The loop, in blocks where it makes a sum long."""
    whole = [s for s in sums if not s.rest]
    limit = BLOCK if _has_lanes(loop) else ROWS
    most = max((1, *(s.count for s in whole)))  # a sum of nothing counts 0
    turns = max(limit // most, 1)
    for s in whole:
        s.count *= loop.extent if isinstance(loop.extent, int) else limit + 1
    long = [s for s in whole if s.count > limit]
    if not long:
        return loop
    for s in long:
        s.cut(symbols)
    start = f"start{symbols.sum()}"
    before = [s.begin_block() for s in long]
    after = [line for s in long for line in s.end_block()]
    return Blocks(loop.symbol, loop.extent, loop.body, False, turns, start, before, after)


def _has_lanes(loop: Loop) -> bool:
    """Whether the elements lie side by side in memory, so that vectors hold them."""
    for item in loop.body.items:
        if not isinstance(item, Line) or str(item.parts[0]).startswith("if "):
            return False
        for x in item.parts:
            if isinstance(x, Dim) and not _is_next(x, loop.symbol):
                return False
    return True


def _is_next(x: Dim, symbol: Symbol) -> bool:
    """Whether a place is the same at each turn of a loop, or the next one."""
    first = dims.substitute(x, {symbol: 0})
    return x in (first, first + dims.symbol(symbol))


@dataclass(slots=True)
class RowBlocks:
    """The blocks that a chunk's rows run in.

    Attributes:
        size: rows of a block; 0 where the chunk is one.
        begin, end: around all rows of the chunk.
        before, after: around each block.
    """

    size: int = 0
    begin: list[Line] = field(default_factory=list)
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)
    end: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArraySum:
    """A sum of rows in a buffer: `count` elements a chunk, beside totals and what they lost.

    The names are those of buffers; those of totals and losses hold no elements where a chunk's
    rows are not more than `ROWS`.
    """

    part: str
    totals: str
    losses: str
    dtype: str
    count: Size

    def over(self, *statements: str, always: bool) -> list[Line]:
        """Statements for each element, in a kernel where several blocks are certain or not."""
        head = [] if always else [Line((f"if rows > {ROWS}:",))]
        tab = TAB * len(head)
        return [
            *head,
            Line((f"{tab}for k in range(", self.count, "):")),
            Line((f"{tab}{TAB}at = chunk * (", self.count, ") + k")),
            *(Line((f"{tab}{TAB}{statement}",)) for statement in statements),
        ]


def row_blocks(
    sums: Sequence[Sum], arrays: Sequence[ArraySum], rows: int | None, flat: bool, symbols: Symbols
) -> RowBlocks:
    """How the rows of a chunk run in blocks.

    Args:
        sums: what `cut` left; those that are not in blocks yet are cut here.
        arrays: sums in buffers.
        rows: the most rows of a chunk, None where that depends on sizes.
        flat: a row is one element.
        symbols: names for new variables.
    """
    size = BLOCK if flat and not arrays else ROWS
    found = RowBlocks()
    whole = [s for s in sums if not s.rest]
    if (whole or arrays) and (rows is None or rows > size):
        found.size = size
        for s in whole:
            s.cut(symbols)
        found.before = [s.begin_block() for s in whole]
        found.after = [line for s in whole for line in s.end_block()]
        for a in arrays:
            _settle(found, a, rows is not None)
    found.begin = [*(s.begin() for s in sums if s.rest), *found.begin]
    found.end += [s.end() for s in sums if s.rest]
    return found


def _settle(found: RowBlocks, a: ArraySum, always: bool) -> None:
    """A block's rows go to the totals, and the chunk's part is the totals in the end."""
    zero = f"{a.dtype}(0)"
    found.begin += a.over(f"{a.totals}[at] = {zero}", f"{a.losses}[at] = {zero}", always=always)
    found.after += a.over(
        f"{a.losses}[at] = {a.losses}[at] + lost({a.totals}[at], {a.part}[at])",
        f"{a.totals}[at] = {a.totals}[at] + {a.part}[at]",
        f"{a.part}[at] = {zero}",
        always=always,
    )
    found.end += a.over(f"{a.part}[at] = {a.totals}[at] + {a.losses}[at]", always=always)
