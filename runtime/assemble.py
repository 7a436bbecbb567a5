"""From loop nests to a kernel and its step: arguments, the parallel range, names, text.

A nest's outer loops, as many as nothing but cheap statements stands between, are its parallel
range. A kernel with several nests runs them one after another: its range is theirs end to end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc import dims
from graphc.dims import Size
from graphc.ir import Node
from graphc.runtime.kernel import Kernel
from graphc.runtime.loops import TAB, Block, Loop, Symbols, Text, collapse, cost
from graphc.runtime.step import Argument, Number, Site, Sized, StatusBlock, Step

# Additions that a thread's slice should hold at least.
SLICE = 32_768
NAME_LENGTH = 40


@dataclass(slots=True)
class Arguments:
    """The arguments of one kernel, and the lines that read them."""

    args: list[Argument] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _known: dict[object, str] = field(default_factory=dict)

    def buffer(self, name: str, argument: Argument, dtype: str) -> str:
        """A buffer's variable."""
        self.lines.append(f"{name} = buffer(args, {len(self.args)}, {dtype})")
        self.args.append(argument)
        return name

    def number(self, key: object, name: str, argument: Argument) -> str:
        """An integer's variable; one for each key."""
        if key not in self._known:
            self._known[key] = name
            self.lines.append(f"{name} = args[{len(self.args)}]")
            self.args.append(argument)
        return self._known[key]

    def site(self, node: Node) -> str:
        """The variable with a checked node's number; the status block comes along."""
        if "status" not in self._known:
            self._known["status"] = self.buffer("status", StatusBlock(), "i64")
        return self.number(node, f"site{len(self.args)}", Site(node))


@dataclass(slots=True)
class Nest:
    """Loops of a kernel that run one after the other nest; `block` ends with the outermost.

    `extent` replaces the parallel range found from the loops, whose symbol then is `symbol`.
    """

    block: Block


def step_of(
    node: Node, label: str, nests: Sequence[Nest], arguments: Arguments, symbols: Symbols
) -> Step:
    """The step that runs the nests.

    Args:
        node: what is computed.
        label: what the kernel's name begins with.
        nests: from the schedule; their loops are collapsed here.
        arguments: buffers and numbers already there; sizes are added.
        symbols: that named the loops.
    """
    for nest in nests:
        collapse(nest.block, symbols)
    text = Text(symbols)
    body: list[str] = []
    start: Size = 0
    grains = []
    for nest in nests:
        extent, lines = _parallel(nest, text, start, len(nests) > 1)
        body += lines
        start = start + extent
        grains.append(_grain(nest.block, extent))
    head = list(arguments.lines)
    args = list(arguments.args)
    for symbol in text.sizes:
        head.append(f"{text.names[symbol]} = args[{len(args)}]")
        args.append(Number(dims.symbol(symbol)))
    return _step(node, label, [*head, *body], args, start, min(grains))


def _step(
    node: Node, label: str, lines: list[str], args: list[Argument], extent: Sized, grain: int
) -> Step:
    source = "".join(f"{TAB}{line}\n" for line in lines)
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    name = f"{label[:NAME_LENGTH]}_{digest}"
    kernel = Kernel(name, f"def {name}(args, lo, hi):\n{source}")
    return Step(kernel, tuple(args), extent, node, grain)


def parallel_loops(block: Block) -> list[Loop]:
    """The outermost loops of a nest that make its parallel range: all but the innermost ones."""
    found: list[Loop] = []
    items = block.items
    while items and isinstance(items[-1], Loop):
        loop = items[-1]
        if found and not any(isinstance(item, Loop) for item in loop.body.items):
            break
        found.append(loop)
        items = loop.body.items
        if any(isinstance(item, Loop) for item in items[:-1]):
            break
    return found


def _parallel(nest: Nest, text: Text, start: Size, shared: bool) -> tuple[Size, list[str]]:
    """The nest's extent, and its source with the outer loops as a slice of the range."""
    loops = parallel_loops(nest.block)
    extent = dims.product(loop.extent for loop in loops)
    before = Block(None, nest.block.items[:-1] if loops else [])
    lines = text.lines(before, 0) if before.items else []
    low, high = "lo", "hi"
    if shared:
        begin = text.size(start)
        low = f"max(lo - {begin}, 0)" if start != 0 else "lo"
        high = f"min(hi - {begin}, {text.size(extent)})" if start != 0 else f"min(hi, {begin})"
        if start == 0:
            high = f"min(hi, {text.size(extent)})"
        elif begin.count(" "):
            low = f"max(lo - ({begin}), 0)"
            high = f"min(hi - ({begin}), {text.size(extent)})"
    if not loops:
        return 1, [*lines, f"for once in range({low}, {high}):", *text.lines(nest.block, 1)]
    if len(loops) == 1:
        lines.append(f"for {text.names[loops[0].symbol]} in range({low}, {high}):")
        return extent, lines + text.lines(loops[0].body, 1)
    lines.append(f"for p in range({low}, {high}):")
    inner: Size = 1
    for position in reversed(range(len(loops))):
        loop = loops[position]
        at = "p" if inner == 1 else f"quotient(p, {text.size(inner)})"
        at = f"remainder({at}, {text.size(loop.extent)})" if position else at
        lines.append(f"{TAB}{text.names[loop.symbol]} = {at}")
        inner = inner * loop.extent
    for loop in loops[:-1]:
        lines += text.lines(Block(None, loop.body.items[:-1]), 1) if loop.body.items[:-1] else []
    return extent, lines + text.lines(loops[-1].body, 1)


def _grain(block: Block, extent: Size) -> int:
    """Turns of the parallel range that are worth a thread."""
    loops = parallel_loops(block)
    body = loops[-1].body if loops else block
    each = max(cost(body), 1.0)
    grain = max(1, int(SLICE / each))
    return grain if grain < 64 else grain // 64 * 64
