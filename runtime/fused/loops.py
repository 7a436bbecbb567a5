"""Loop nests before they are text: lines with index expressions, branches, loops; and collapsing.

A line is text with index expressions (`Dim`s over loop symbols and sizes) in between. While they
are expressions, two nested loops can be seen to run through memory as one, and are made one:

    for i in 0..n:                        for f in 0..n*64:
        for j in 0..64:            ->         v0 = p0[f]
            v0 = p0[64*i + j]                 ...

Not here: what is computed (`emit`), and which loops there are (`schedule`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from graphc.core import dims
from graphc.core.atoms import Call, Symbol
from graphc.core.dims import Dim, Size
from graphc.runtime.language.names import checked, numbered

Part = str | int | Dim
TAB = "    "
# Loops inside one another, less those that chunks and blocks bring; Python's parser takes 20.
MOST_LOOPS = 12


@dataclass(slots=True)
class Line:
    """One statement; `cost` is about how many additions it takes."""

    parts: tuple[Part, ...]
    cost: float = 0


@dataclass(slots=True)
class Addend(Line):
    """The step of a float sum: adds the variable `value` to `total`, which `home` defines.

    `dtype` is the short name of what is added up in.
    """

    total: str = ""
    value: str = ""
    dtype: str = ""
    home: Block | None = None


@dataclass(slots=True)
class Block:
    """Statements in order; `parent` is the block around, `known` what has a variable here."""

    parent: Block | None = None
    items: list[Item] = field(default_factory=list)
    known: dict[object, str] = field(default_factory=dict)
    is_branch: bool = False

    @property
    def depth(self) -> int:
        """How many blocks there are around this one."""
        return 0 if self.parent is None else self.parent.depth + 1


@dataclass(slots=True)
class Loop:
    """`body` for each value of `symbol` from 0 to before `extent`; `outer` loops are rows."""

    symbol: Symbol
    extent: Size
    body: Block
    outer: bool = False


@dataclass(slots=True)
class Blocks(Loop):
    """A loop that runs in blocks of `size` turns, each between the lines `before` and `after`.

    The variable `start` holds a block's first turn.
    """

    size: int = 1
    start: str = ""
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Branch:
    """`then` where every guard (x, low, high) has low <= x < high, else `otherwise`."""

    guards: tuple[tuple[Size, Size, Size], ...]
    then: Block
    otherwise: Block


Item = Line | Loop | Branch


class Symbols:
    """Makes loop symbols and variables that no other has."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._variables = numbered("v")
        self._loops = numbered("i")
        self._sums = itertools.count()
        self.names: dict[Symbol, str] = {}

    def loop(self, extent: Size) -> Symbol:
        """A loop variable in 0 .. extent - 1."""
        symbol = Symbol(f"@{next(self._count)}", 0, extent - 1)
        self.names[symbol] = next(self._loops)
        return symbol

    def value(self, name: str, extent: Size) -> Symbol:
        """The symbol of an integer variable known to lie in 0 .. extent - 1."""
        symbol = Symbol(f"@{next(self._count)}", 0, extent - 1)
        self.names[symbol] = checked(name)
        return symbol

    def sum(self) -> int:
        """A fresh number for the variables of a sum in blocks."""
        return next(self._sums)

    def variable(self) -> str:
        """A fresh variable name."""
        return next(self._variables)


def expressions(block: Block) -> Iterator[Dim]:
    """Every symbolic expression in a block and inside it."""
    for item in block.items:
        if isinstance(item, Line):
            found: list[Part] = list(item.parts)
        elif isinstance(item, Loop):
            found = [item.extent]
            yield from expressions(item.body)
        else:
            found = [x for guard in item.guards for x in guard]
            yield from expressions(item.then)
            yield from expressions(item.otherwise)
        yield from (x for x in found if isinstance(x, Dim))


def loops_of(block: Block) -> Iterator[Loop]:
    """The loops of a block, and those of its branches, but none inside another."""
    for item in block.items:
        if isinstance(item, Loop):
            yield item
        elif isinstance(item, Branch):
            yield from loops_of(item.then)
            yield from loops_of(item.otherwise)


def replace(block: Block, change: Callable[[Size], Size]) -> None:
    """Change every expression in a block and inside it."""
    for item in block.items:
        if isinstance(item, Line):
            item.parts = tuple(change(p) if isinstance(p, Dim) else p for p in item.parts)
        elif isinstance(item, Loop):
            item.extent = change(item.extent)
            replace(item.body, change)
        else:
            item.guards = tuple((change(a), change(b), change(c)) for a, b, c in item.guards)
            replace(item.then, change)
            replace(item.otherwise, change)


def collapse(block: Block, symbols: Symbols) -> None:
    """Make one loop of two wherever nothing in them tells the difference, innermost first; and
    where still more stand inside one another than Python's parser takes, by division."""
    _collapse(block, symbols)
    while loop_depth(block) > MOST_LOOPS and _divide_first(block, symbols):
        pass


def loop_depth(block: Block) -> int:
    """How many loops of a block stand inside one another."""
    return max((1 + loop_depth(loop.body) for loop in loops_of(block)), default=0)


def _divide_first(block: Block, symbols: Symbols) -> bool:
    """Make one loop of the first two that have nothing between them; whether there were any."""
    for position, item in enumerate(block.items):
        if isinstance(item, Branch):
            parts = item.then, item.otherwise
            if any(_divide_first(part, symbols) for part in parts):
                return True
        if not isinstance(item, Loop):
            continue
        inner = item.body.items[0] if len(item.body.items) == 1 else None
        if isinstance(inner, Loop) and inner.outer is item.outer:
            flat = symbols.loop(item.extent * inner.extent)
            place = dims.symbol(flat)
            changes = {item.symbol: place // inner.extent, inner.symbol: place % inner.extent}
            block.items[position] = _joined(item, inner, flat, changes)
            return True
        if _divide_first(item.body, symbols):
            return True
    return False


def _joined(outer: Loop, inner: Loop, flat: Symbol, changes: dict[Symbol, Size]) -> Loop:
    """The inner loop's body over a loop in place of both."""
    new = {x: dims.substitute(x, changes) for x in set(expressions(inner.body))}
    replace(inner.body, lambda x: new.get(x, x) if isinstance(x, Dim) else x)
    inner.body.parent = outer.body.parent
    return Loop(flat, outer.extent * inner.extent, inner.body, outer.outer)


def _collapse(block: Block, symbols: Symbols) -> None:
    for position, item in enumerate(block.items):
        if isinstance(item, Branch):
            _collapse(item.then, symbols)
            _collapse(item.otherwise, symbols)
        if not isinstance(item, Loop):
            continue
        _collapse(item.body, symbols)
        inner = item.body.items[0] if len(item.body.items) == 1 else None
        if isinstance(inner, Loop):
            merged = _merged(item, inner, symbols)
            if merged is not None:
                block.items[position] = merged


def _merged(outer: Loop, inner: Loop, symbols: Symbols) -> Loop | None:
    """The loop over outer.extent * inner.extent that does the same, if there is one."""
    a, b = outer.symbol, inner.symbol
    found = set(expressions(inner.body))
    if not all(is_flat(x, a, b, inner.extent) for x in found):
        return None
    if a in dims.symbols(inner.extent):
        return None
    flat = symbols.loop(outer.extent * inner.extent)
    return _joined(outer, inner, flat, {a: 0, b: dims.symbol(flat)})


def is_flat(x: Size, outer: Symbol, inner: Symbol, extent: Size) -> bool:
    """Whether x depends on the two only through `outer * extent + inner`."""
    if isinstance(x, int):
        return True
    base = dims.substitute(x, {outer: 0, inner: 0})
    if base == x:
        return True
    step_outer = dims.substitute(x, {outer: 1, inner: 0}) - base
    step_inner = dims.substitute(x, {outer: 0, inner: 1}) - base
    if step_outer != step_inner * extent:
        return False
    return x == base + step_outer * dims.symbol(outer) + step_inner * dims.symbol(inner)


class Text:
    """Writes blocks as source; sizes that calls bind become names, in order of appearance."""

    def __init__(self, symbols: Symbols) -> None:
        self.names = symbols.names
        self._size_names = numbered("n")
        self.sizes: list[Symbol] = []

    def size(self, x: Size) -> str:
        """An index expression or size as source."""
        if isinstance(x, int):
            return str(x)
        parts = []
        ordered = sorted(x.terms.items(), key=lambda t: (not t[0], [a.key() for a in t[0]]))
        for monomial, coefficient in ordered:
            factors = [self._atom(atom) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.append(str(abs(coefficient)))
            parts.append(("- " if coefficient < 0 else "+ ") + " * ".join(factors))
        text = " ".join(parts)
        return text[2:] if text.startswith("+ ") else "-" + text[2:]

    def _atom(self, atom: Symbol | Call) -> str:
        if isinstance(atom, Symbol):
            if atom not in self.names:
                self.names[atom] = next(self._size_names)
                self.sizes.append(atom)
            return self.names[atom]
        x, y = self.size(atom.x), self.size(atom.y)
        if atom.function in ("min", "max"):
            return f"{atom.function}({x}, {y})"
        name = "quotient" if atom.function == "//" else "remainder"
        return f"{'' if dims.at_least(atom.x, 0) else 'floor_'}{name}({x}, {y})"

    def lines(self, block: Block, depth: int) -> list[str]:
        """The source of a block."""
        tab = TAB * depth
        found = []
        for item in block.items:
            if isinstance(item, Line):
                text = "".join(p if isinstance(p, str) else self.size(p) for p in item.parts)
                found.append(tab + text)
            elif isinstance(item, Blocks):
                found += self._blocks(item, depth)
            elif isinstance(item, Loop):
                head = f"for {self.names[item.symbol]} in range({self.size(item.extent)}):"
                found += [tab + head, *self.lines(item.body, depth + 1)]
            else:
                found.append(f"{tab}if {' and '.join(map(self._guard, item.guards))}:")
                found += self.lines(item.then, depth + 1)
                if item.otherwise.items:
                    found += [f"{tab}else:", *self.lines(item.otherwise, depth + 1)]
        return found or [tab + "pass"]

    def _blocks(self, loop: Blocks, depth: int) -> list[str]:
        extent, start = self.size(loop.extent), loop.start
        stop = f"min({start} + {loop.size}, {extent})"
        return [
            f"{TAB * depth}for {start} in range(0, {extent}, {loop.size}):",
            *self.lines(Block(None, list(loop.before)), depth + 1),
            f"{TAB * (depth + 1)}for {self.names[loop.symbol]} in range({start}, {stop}):",
            *self.lines(loop.body, depth + 2),
            *self.lines(Block(None, list(loop.after)), depth + 1),
        ]

    def _guard(self, guard: tuple[Size, Size, Size]) -> str:
        x, low, high = guard
        if high == low + 1:
            return f"{self.size(x)} == {self.size(low)}"
        tests = []
        if not dims.at_least(x - low, 0):
            tests.append(f"{self.size(low)} <= {self.size(x)}")
        if not dims.at_least(high - 1 - x, 0):
            tests.append(f"{self.size(x)} < {self.size(high)}")
        return " and ".join(tests) or "True"


def cost(block: Block, nominal: int = 64) -> float:
    """About how many additions one run of a block takes; unknown extents count as `nominal`."""
    total = 0.0
    for item in block.items:
        if isinstance(item, Line):
            total += item.cost
        elif isinstance(item, Loop):
            turns = item.extent if isinstance(item.extent, int) else nominal
            total += turns * cost(item.body, nominal)
        else:
            total += max(cost(item.then, nominal), cost(item.otherwise, nominal))
    return total
