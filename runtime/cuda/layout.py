"""Loop nests as text for blocks of threads: what a thread does, strided loops, joined totals.

    thread form    p = block_index() * 128 + thread_index(), taken apart into the loops' variables
    block form     a block a row: loops inside are strided by threads, what they add up is joined

All threads compute what stands in no loop of a row; one of them stores it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node
from graphc.runtime.base.kernel import NAME_LENGTH, Kernel
from graphc.runtime.base.step import Number, Sized, Step
from graphc.runtime.cuda.emulate import WARP
from graphc.runtime.cuda.threads import THREADS
from graphc.runtime.fused.assemble import Arguments
from graphc.runtime.fused.emit import Accumulator, Emitter
from graphc.runtime.fused.loops import TAB, Block, Branch, Item, Line, Loop, Symbols, Text, collapse
from graphc.runtime.fused.scalars import combine, wide
from graphc.runtime.language.names import checked

# Bytes of a row's elements that a block keeps.
SHARED = 40 << 10


@dataclass(slots=True)
class Store(Line):
    """A line that writes an element of a buffer."""


@dataclass(slots=True)
class Joined(Line):
    """Where the threads of a block join what each of them added up.

    `names` are the variables (of an argmax its value and place), `dtypes` theirs.
    """

    node: Node | None = None
    names: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()

    def step(self, others: Sequence[str]) -> list[str]:
        """Lines that take another part into the own one."""
        assert self.node is not None
        total, other = self.names[0], others[0]
        hit = combine(self.node, total, other)
        if len(self.names) == 1:
            return [f"{total} = {hit}"]
        back = combine(self.node, other, total)
        place, there = self.names[1], others[1]
        return [
            f"take = ({hit}) or (not ({back}) and {there} < {place})",
            f"{place} = select(take, {there}, {place})",
            f"{total} = select(take, {other}, {total})",
        ]


class ThreadEmitter(Emitter):
    """Statements of one thread: nothing of a row is kept."""

    scratch = 0


class BlockEmitter(Emitter):
    """Statements of a block; loops inside a row are strided by its threads."""

    scratch = SHARED

    def accumulator(self, node: Node) -> Accumulator:
        """Variables that threads may have to join."""
        return PartedTotal(self, node)

    def store(self, buffer: str, at: Size, value: str) -> None:
        """Write an element of a buffer."""
        self.block.items.append(Store((f"{buffer}[", at, f"] = {value}"), 1))

    @property
    def is_strided(self) -> bool:
        """Whether statements now go into a loop that is strided by threads."""
        inside = {id(body) for body in self._open} - {id(body) for body in self._row_bodies}
        block: Block | None = self.block
        while block is not None:
            if id(block) in inside:
                return True
            block = block.parent
        return False


class PartedTotal(Accumulator):
    """A reduction of which each thread has a part, if its loops are strided."""

    def __init__(self, emitter: BlockEmitter, node: Node) -> None:
        super().__init__(emitter, node)
        if self.nan:  # noted beside the total, where the combining step says nothing of nan
            emitter.block.items.pop()
            self.nan = ""
        self.is_own = emitter.is_strided
        self.is_parted = False

    def add(self, value: str, place: Size) -> None:
        """One more element."""
        assert isinstance(self.emitter, BlockEmitter)
        self.is_parted |= self.emitter.is_strided and not self.is_own
        super().add(value, place)

    def _join(self) -> None:
        if self.is_parted:
            self.is_parted = False
            names = (self.name, self.place) if self.fact.arg else (self.name,)
            types = (wide(self.dtype), "i64")[: len(names)]
            line = Joined(("",), 0, self.node, names, types)
            self.emitter.block.items.append(line)

    def total(self) -> str:
        """What all threads added up."""
        self._join()
        return super().total()

    def result(self) -> str:
        """The reduction's value."""
        self._join()
        return super().result()


class BlockArguments(Arguments):
    """A row's kept elements are memory of the block."""

    def local(self, name: str, count: int, dtype: str) -> str:
        """Scratch memory of a block's own."""
        self.lines.append(f"{checked(name)} = shared({count}, {dtype})")
        return name


class Layout:
    """Collects the parts of one CUDA kernel; stands where the CPU has an `Assembly`.

    Args:
        arguments: buffers and numbers that its statements use.
        threads: of a block.
    """

    def __init__(self, arguments: Arguments, threads: int = THREADS) -> None:
        self.arguments, self.threads = arguments, threads
        self.symbols = Symbols()
        self.text = Text(self.symbols)
        self.cells: dict[str, str] = {}
        self.body: list[str] = []

    def each_thread(self, block: Block) -> Size:
        """A nest in thread form; how many threads it takes."""
        collapse(block, self.symbols)
        loops, before, body = _chain(block)
        lines, total = self._placed(loops, "p")
        inner = [*lines, *self.text.lines(Block(None, [*before, *body.items]), 0)]
        self.body += [
            f"p = block_index() * {self.threads} + thread_index()",
            f"if p < {self.text.size(total)}:",
            *(TAB + line for line in inner),
        ]
        return total

    def each_block(self, block: Block) -> Size:
        """A nest in block form; how many blocks it takes."""
        collapse(block, self.symbols)
        loops, before, body = _chain(block, outer=True)
        lines, total = self._placed(loops, "block_index()")
        self.body += ["me = thread_index()", *lines]
        self._row([*before, *body.items], 0)
        return total

    def _placed(self, loops: Sequence[Loop], at: str) -> tuple[list[str], Size]:
        """Lines that set loops' variables from one place, and how many places there are."""
        lines: list[str] = []
        inner: Size = 1
        for position in reversed(range(len(loops))):
            loop = loops[position]
            place = at if inner == 1 else f"quotient({at}, {self.text.size(inner)})"
            place = f"remainder({place}, {self.text.size(loop.extent)})" if position else place
            lines.append(f"{self.text.names[loop.symbol]} = {place}")
            inner = inner * loop.extent
        return lines, inner

    def _row(self, items: Sequence[Item], depth: int) -> None:
        """What all threads of a block do alike, but for the loops that they share."""
        tab = TAB * depth
        for item in items:
            if isinstance(item, Joined):
                self._join(item, depth)
            elif isinstance(item, Store):
                self.body.append(f"{tab}if me == 0:")
                self.body += self.text.lines(Block(None, [item]), depth + 1)
            elif isinstance(item, Loop):
                head = f"range(me, {self.text.size(item.extent)}, {self.threads})"
                self.body.append(f"{tab}for {self.text.names[item.symbol]} in {head}:")
                self.body += self.text.lines(item.body, depth + 1)
            elif isinstance(item, Branch):
                guards = " and ".join(map(self.text._guard, item.guards))
                self.body.append(f"{tab}if {guards}:")
                self._row(item.then.items, depth + 1)
                if item.otherwise.items:
                    self.body.append(f"{tab}else:")
                    self._row(item.otherwise.items, depth + 1)
            else:
                self.body += self.text.lines(Block(None, [item]), depth)

    def _join(self, item: Joined, depth: int) -> None:
        """Within warps by shuffles, then by a cell of shared memory for each, which all read."""
        others = [f"o{k}" for k in range(len(item.names))]
        warps, lines = self.threads // WARP, []
        for away in (16, 8, 4, 2, 1):
            lines += [f"{o} = shuffle_down({v}, {away})" for o, v in zip(others, item.names)]
            lines += item.step(others)
        # By way of memory where there is one warp too: a shuffle's last step is its first lane's.
        cells = [
            self.cells.setdefault(f"{k}{dtype}", f"cells{k}{dtype}")
            for k, dtype in enumerate(item.dtypes)
        ]
        lines.append(f"if remainder(me, {WARP}) == 0:")
        lines += [f"{TAB}{c}[quotient(me, {WARP})] = {v}" for c, v in zip(cells, item.names)]
        lines.append("barrier()")
        lines += [f"{v} = {c}[0]" for c, v in zip(cells, item.names)]
        if warps > 1:
            lines.append(f"for warp in range(1, {warps}):")
            lines += [f"{TAB}{o} = {c}[warp]" for o, c in zip(others, cells)]
            lines += [TAB + line for line in item.step(others)]
        lines.append("barrier()")
        self.body += [TAB * depth + line for line in lines]

    def step(self, node: Node, label: str, extent: Sized) -> Step:
        """The kernel and its step; sizes become its last arguments."""
        lines, args = list(self.arguments.lines), list(self.arguments.args)
        for symbol in self.text.sizes:
            lines.append(f"{self.text.names[symbol]} = args[{len(args)}]")
            args.append(Number(dims.symbol(symbol)))
        warps = self.threads // WARP
        lines += [f"{c} = shared({warps}, {key[1:]})" for key, c in self.cells.items()]
        lines += [*self.body, *self.arguments.last]
        facts = f"words = {len(args)}\nthreads = {self.threads}\n"
        source = "".join(f"{TAB}{line}\n" for line in lines)
        digest = hashlib.sha256((facts + source).encode()).hexdigest()[:8]
        name = f"{label[:NAME_LENGTH]}_{digest}"
        kernel = Kernel(name, f"{facts}def {name}(args, lo, hi):\n{source}", "cuda")
        return Step(kernel, tuple(args), extent, node, self.threads)


def _chain(block: Block, outer: bool = False) -> tuple[list[Loop], list[Item], Block]:
    """Loops inside one another with nothing after them; what stands before them, and inside."""
    loops: list[Loop] = []
    before: list[Item] = []
    while block.items:
        *lines, last = block.items
        if not isinstance(last, Loop) or (outer and not last.outer):
            break
        if not all(isinstance(line, Line) for line in lines) or (lines and not loops and outer):
            break
        before += lines
        loops.append(last)
        block = last.body
    return loops, before, block
