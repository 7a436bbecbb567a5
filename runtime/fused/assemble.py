"""From loop nests to a kernel and its step: arguments, the parallel range, names, text.

A nest's outer loops are its parallel range, all but the innermost where that holds no loop: it is
left for vectors. A kernel with several nests runs them one after another: its range is theirs end
to end. Where rows are collected, the range is chunks of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node
from graphc.runtime.base.kernel import generated
from graphc.runtime.base.step import Argument, Number, Site, Sized, StatusBlock, Step
from graphc.runtime.fused.blocked import RowBlocks, cut
from graphc.runtime.fused.loops import (
    TAB,
    Block,
    Item,
    Loop,
    Symbols,
    Text,
    collapse,
    cost,
    loop_depth,
    loops_of,
)
from graphc.runtime.language.names import checked

# Additions that a thread's slice should hold at least.
SLICE = 32_768
# Rows left as loops inside one another; Python takes 20 in all.
MOST_DEEP = 8
# Chunks of rows: at most so many, of at least so many additions and rows.
MAX_CHUNKS = 64
CHUNK_WORK = 65_536
CHUNK_ROWS = 16


@dataclass(slots=True)
class Arguments:
    """The arguments of one kernel, the lines that read them, and those that end the kernel."""

    args: list[Argument] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    _known: dict[object, str] = field(default_factory=dict)

    def buffer(self, name: str, argument: Argument, dtype: str) -> str:
        """A buffer's variable."""
        self.lines.append(f"{checked(name)} = buffer(args, {len(self.args)}, {dtype})")
        self.args.append(argument)
        return name

    def number(self, key: object, name: str, argument: Argument) -> str:
        """An integer's variable; one for each key."""
        if key not in self._known:
            self._known[key] = name
            self.lines.append(f"{checked(name)} = args[{len(self.args)}]")
            self.args.append(argument)
        return self._known[key]

    def local(self, name: str, count: int, dtype: str) -> str:
        """Scratch memory of a kernel's own."""
        self.lines.append(f"{checked(name)} = local({count}, {dtype})")
        return name

    def status(self) -> str:
        """The variable of the status block."""
        if "status" not in self._known:
            self._known["status"] = self.buffer("status", StatusBlock(), "i64")
        return self._known["status"]

    def site(self, node: Node) -> str:
        """The variable with a checked node's number; the status block comes along."""
        self.status()
        return self.number(node, f"site{len(self.args)}", Site(node))

    def flag(self, node: Node) -> str:
        """The variable that is set where a checked node fails; the kernel's end reports it.

        A call of `fail` inside a loop would keep it from being vectorised.
        """
        site = self.site(node)
        name = site.replace("site", "failed")
        if name not in self._known:
            self._known[name] = checked(name)
            self.lines.append(f"{name} = False")
            self.last += [f"if {name}:", f"{TAB}fail(status, {site}, 0, 0)"]
        return name


@dataclass(slots=True)
class Outer:
    """The outer loops of a nest taken apart: what stands before, inside and after them."""

    before: list[Item]
    loops: list[Loop]
    after: list[Item]

    @staticmethod
    def of(block: Block) -> Outer:
        """Take the rows of a nest that is collapsed: the block's one loop marked `outer`."""
        at = next((k for k, i in enumerate(block.items) if isinstance(i, Loop) and i.outer), None)
        if at is None:
            return Outer([], [], [])
        loops = [block.items[at]]
        while True:
            items = loops[-1].body.items  # type: ignore[union-attr]
            inner = items[-1] if items else None
            if not isinstance(inner, Loop) or not inner.outer or not _holds_loop(inner.body):
                break
            if any(True for _ in loops_of(Block(None, items[:-1]))):
                break
            loops.append(inner)
        return Outer(block.items[:at], loops, block.items[at + 1 :])  # type: ignore[arg-type]

    @property
    def extent(self) -> Size:
        """How many rows there are."""
        return dims.product(loop.extent for loop in self.loops)

    @property
    def each(self) -> float:
        """About how many additions a row takes."""
        return max(cost(self.loops[-1].body), 1.0) if self.loops else 1.0

    def lines(self, text: Text, low: str, high: str, depth: int) -> list[str]:
        """The loops as one over a range."""
        tab = TAB * depth
        if len(self.loops) == 1:
            head = [f"{tab}for {text.names[self.loops[0].symbol]} in range({low}, {high}):"]
            return head + text.lines(self.loops[0].body, depth + 1)
        found = [f"{tab}for p in range({low}, {high}):"]
        inner: Size = 1
        for position in reversed(range(len(self.loops))):
            loop = self.loops[position]
            at = "p" if inner == 1 else f"quotient(p, {text.size(inner)})"
            at = f"remainder({at}, {text.size(loop.extent)})" if position else at
            found.append(f"{tab}{TAB}{text.names[loop.symbol]} = {at}")
            inner = inner * loop.extent
        for loop in self.loops[:-1]:
            if loop.body.items[:-1]:
                found += text.lines(Block(None, loop.body.items[:-1]), depth + 1)
        return found + text.lines(self.loops[-1].body, depth + 1)


def _holds_loop(block: Block) -> bool:
    """Whether a block has a loop worth vectors, not a few turns that are written out; or more loops
    inside one another than Python's parser would take, with those around."""
    return loop_depth(block) > MOST_DEEP or any(
        not (isinstance(loop.extent, int) and loop.extent <= 8 and not _holds_loop(loop.body))
        for loop in loops_of(block)
    )


class Assembly:
    """Collects the parts of one kernel.

    Args:
        arguments: buffers and numbers that its statements use.
        symbols: that named its loops.
    """

    def __init__(self, arguments: Arguments, symbols: Symbols) -> None:
        self.arguments, self.symbols = arguments, symbols
        self.text = Text(symbols)
        self.body: list[str] = []

    def serial(self, blocks: Sequence[Block]) -> None:
        """Blocks that one thread runs."""
        self.body.append("for once in range(lo, hi):")
        for block in blocks:
            collapse(block, self.symbols)
            cut(block, self.symbols)
            self.body += self.text.lines(block, 1) if block.items else []

    def parallel(self, blocks: Sequence[Block]) -> tuple[Size, int]:
        """Nests one after another; the length of their range, and its grain."""
        for block in blocks:
            collapse(block, self.symbols)
            cut(block, self.symbols)
        start: Size = 0
        grains = []
        for block in blocks:
            outer = Outer.of(block)
            extent = outer.extent
            low, high = ("lo", "hi") if len(blocks) == 1 else self._part(start, extent)
            if outer.loops:
                self.body += self.text.lines(Block(None, outer.before), 0) if outer.before else []
                self.body += outer.lines(self.text, low, high, 0)
            else:
                self.body.append(f"for once in range({low}, {high}):")
                self.body += self.text.lines(block, 1)
            grains.append(_grain(outer.each))
            start = start + extent
        return start, min(grains)

    def _part(self, start: Size, extent: Size) -> tuple[str, str]:
        """A nest's part of the range, in its own numbers."""
        if start == 0:
            return "lo", f"select(hi < {self.text.size(extent)}, hi, {self.text.size(extent)})"
        begin = self.text.size(start)
        begin = f"({begin})" if " " in begin else begin
        length = self.text.size(extent)
        return (
            f"select(lo > {begin}, lo - {begin}, 0)",
            f"select(hi - {begin} < {length}, hi - {begin}, {length})",
        )

    def chunked(self, outer: Outer, first: str, blocks: RowBlocks) -> None:
        """A nest that is collapsed, its range chunks of rows: as many as the variable `first`."""
        total = self.text.size(outer.extent)
        self.body += [
            "for chunk in range(lo, hi):",
            f"{TAB}first = chunk * {first}",
            f"{TAB}last = min(first + {first}, {total})",
        ]
        self._statements([*outer.before, *blocks.begin], 1)
        if blocks.size:
            self.body += [
                f"{TAB}for start in range(first, last, {blocks.size}):",
                f"{TAB}{TAB}stop = min(start + {blocks.size}, last)",
            ]
            self._statements(blocks.before, 2)
            self.body += outer.lines(self.text, "start", "stop", 2)
            self._statements(blocks.after, 2)
        else:
            self.body += outer.lines(self.text, "first", "last", 1)
        self._statements([*blocks.end, *outer.after], 1)

    def _statements(self, items: Sequence[Item], depth: int) -> None:
        self.body += self.text.lines(Block(None, list(items)), depth) if items else []

    def step(self, node: Node, label: str, extent: Sized, grain: int) -> Step:
        """The kernel and its step; sizes become its last arguments."""
        lines = list(self.arguments.lines)
        args = list(self.arguments.args)
        for symbol in self.text.sizes:
            lines.append(f"{self.text.names[symbol]} = args[{len(args)}]")
            args.append(Number(dims.symbol(symbol)))
        source = "".join(f"{TAB}{line}\n" for line in [*lines, *self.body, *self.arguments.last])
        return Step(generated(label, source), tuple(args), extent, node, grain)


def _grain(each: float) -> int:
    """Rows that are worth a thread, each of so many additions."""
    grain = max(1, int(SLICE / each))
    return grain if grain < 64 else grain // 64 * 64


def chunking(total: Size, each: float, columns: Size) -> tuple[Size, Size]:
    """Rows of a chunk, and the number of chunks, from sizes alone: never from threads."""
    least = max(int(CHUNK_WORK / each), CHUNK_ROWS if columns != 1 else 1)
    rows = dims.maximum((total + MAX_CHUNKS - 1) // MAX_CHUNKS, least)
    # Never more than there are: what is held for each row of a chunk is made anew for each chunk.
    rows = dims.maximum(dims.minimum(rows, total), 1)
    return rows, dims.maximum((total + rows - 1) // rows, 1)
