"""Which elements stores reach, whether slices keep apart, what is read before it is written.

    for i in range(lo, hi):                i: n turns, j: 5 turns
        for j in range(5):                 5*i + j: every number below 5*n, each once
            y[i * 5 + j] = ...

Loops that cut a range into chunks and blocks are one loop over the range. An index is a number in
mixed radix where each loop's factor is the product of the turns of those before it.

Not here: that accesses lie inside their buffers, where expressions come from (`prove`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.core import dims
from graphc.core.atoms import Call, Symbol
from graphc.core.dims import Dim, Size
from graphc.runtime.checks.inequality import Known, never_negative, split

# The ends of the slice of the parallel range that a kernel is to run.
LOW, HIGH = Symbol("@0"), Symbol("@1")
# Accesses of one buffer that are compared with each other.
MOST = 40

Turns = list[tuple[Symbol, Size]]


class Unproved(Exception):
    """What could not be shown."""


@dataclass(slots=True, eq=False)
class Run:
    """A loop that the walk is in; `at` is its variable, None for a `while`.

    Attributes:
        number: tells it from other loops.
        low, high, by: its range.
        parts: the symbols that its variable was split into, with the turns of each.
        whole: the turns that were split.
    """

    number: int
    at: Size | None
    low: Size
    high: Size
    by: Size
    parts: dict[Symbol, Size] = field(default_factory=dict)
    whole: Size = 0

    @property
    def symbol(self) -> Symbol | None:
        """The variable's symbol."""
        return _symbol(self.at)

    def pieces(self) -> list[Any]:
        """What may be split further."""
        return [dims.symbol(s) for s in self.parts] if self.parts else [self.at]

    def symbols(self) -> list[Symbol]:
        """The symbols that an index may have of it."""
        return list(self.parts) or [s for s in [self.symbol] if s is not None]

    def fits(self, x: Any, y: Size, highs: Mapping[Symbol, Sequence[Size]]) -> Any:
        """Turns of the piece x that are a multiple of y, and their quotient; None if none are."""
        symbol = _symbol(x)
        if symbol is None or symbol.min is None or y == 0:
            return None
        known = [self.parts[symbol]] if symbol in self.parts else []
        for turns in known or [high + 1 for high in highs.get(symbol, ())]:
            if turns % y == 0:
                return turns, turns // y
        return None

    def split(
        self, x: Any, y: Size, highs: Mapping[Symbol, Sequence[Size]], unknown: Callable[..., Dim]
    ) -> tuple[Dim, Dim] | None:
        """A piece x as y*q + r: the symbols q and r, if its turns are a multiple of y."""
        found = self.fits(x, y, highs)
        if found is None:
            return None
        turns, outer = found
        q, r = unknown([0], [outer - 1]), unknown([0], [y - 1])
        if not self.parts:
            self.whole = turns
        symbol = _symbol(x)
        assert symbol is not None
        self.parts.pop(symbol, None)
        for part, count in ((q, outer), (r, y)):
            ((key,),) = part.terms
            self.parts[key] = count  # type: ignore[index]
        return q, r


def _symbol(x: Any) -> Symbol | None:
    if not isinstance(x, Dim) or len(x.terms) != 1:
        return None
    ((monomial, factor),) = x.terms.items()
    if factor != 1 or len(monomial) != 1 or not isinstance(monomial[0], Symbol):
        return None
    return monomial[0]


@dataclass(frozen=True, slots=True)
class Access:
    """An access of a buffer: where, in which loops, behind which tests, what is known there.

    `is_operand`: the buffer holds what another node computed.
    """

    place: Hashable
    count: Size
    is_local: bool
    is_operand: bool
    index: Size
    runs: tuple[Run, ...]
    tests: tuple[Any, ...]
    is_store: bool
    known: Known


@dataclass(frozen=True, slots=True)
class Proof:
    """What a step was shown to do, every access inside its buffer.

    Attributes:
        writes: places of which it writes elements.
        covers: places of which it writes every element.
        needs: places of which it reads elements that it hasn't written itself before.
    """

    writes: frozenset[Hashable]
    covers: frozenset[Hashable]
    needs: frozenset[Hashable]


def concluded(extent: Size, accesses: Sequence[Access], known: Known) -> Proof:
    """What follows from a kernel's accesses.

    Args:
        extent: of its parallel range.
        accesses: in the order of its source.
        known: of sizes and of the ends of slices.

    Raises:
        Unproved: slices may touch one element, what is computed in place may be overwritten
            before it is read, or local memory may be read unwritten.
    """
    by_place: dict[Hashable, list[Access]] = {}
    for access in accesses:
        by_place.setdefault(access.place, []).append(access)
    writes, covers, needs = set(), set(), set()
    for place, mine in by_place.items():
        stores = [a for a in mine if a.is_store]
        if stores and len(mine) > MOST:
            raise Unproved("more accesses of one buffer than are compared")
        if not all(_is_made(a, mine[:k]) for k, a in enumerate(mine) if not a.is_store):
            if mine[0].is_local:
                raise Unproved("that local memory is written before it is read")
            needs.add(place)
        if not stores or mine[0].is_local:
            continue
        writes.add(place)
        if extent != 1:
            _keep_apart(stores, mine, known)
        if any(a.is_operand for a in mine):
            _read_first(mine, known, extent == 1)
        if _are_all(stores, known):
            covers.add(place)
    return Proof(frozenset(writes), frozenset(covers), frozenset(needs))


def _keep_apart(stores: Sequence[Access], mine: Sequence[Access], known: Known) -> None:
    """No two slices touch one element, if one of them writes it."""
    for store in stores:
        for other in mine:
            shared = _common(store, other)
            prefixes = (shared[:k] for k in range(len(shared), 0, -1))
            if not any(_same_segment(store, other, runs, known) for runs in prefixes):
                raise Unproved("that slices of the range touch elements of their own")


def _read_first(mine: Sequence[Access], known: Known, is_one: bool) -> None:
    """Each element is read, if at all, before it is overwritten; `is_one`: there is one slice."""
    for k, read in enumerate(mine):
        for j, store in enumerate(mine):
            if read.is_store or not store.is_store:
                continue
            shared = _common(store, read)
            if k > j or not (shared or is_one) or not _same_segment(store, read, shared, known):
                raise Unproved("that what is overwritten has been read by then")


def _common(one: Access, other: Access) -> tuple[Run, ...]:
    """The loops around both."""
    count = 0
    for a, b in zip(one.runs, other.runs):
        if a is not b:
            break
        count += 1
    return one.runs[:count]


def _same_segment(store: Access, other: Access, runs: Sequence[Run], known: Known) -> bool:
    """Whether two accesses of one turn of some loops lie in a stretch that no other turn has."""
    turns = domain(runs, known)
    if turns is None:
        return False
    if all(count == 1 for _, count in turns):
        return True  # there are no other turns
    found = _stretch(store.index, turns)
    if found is None:
        return False
    start, length = found
    for access in (store, other):
        inside = access.index - start
        if not never_negative(inside, access.known):
            return False
        if not never_negative(length - 1 - inside, access.known):
            return False
    return True


def _stretch(index: Size, turns: Turns) -> tuple[Size, Size] | None:
    """Where the stretch of a turn starts, and its length: other turns have other stretches."""
    factors: list[tuple[Symbol, Size, Size]] = []
    start: Size = 0
    for symbol, count in turns:
        parts = split(index, symbol)
        if parts is None:
            return None
        if parts[0] == 0 and count == 1:
            continue
        factors.append((symbol, parts[0], count))
        start = start + parts[0] * dims.symbol(symbol)
    if not factors:
        return None
    for _, least, _ in factors:
        if _chain([(f, c) for _, f, c in factors], least) is not None:
            return start, least
    return None


def _chain(factors: Sequence[tuple[Size, Size]], unit: Size) -> Size | None:
    """The end of a chain in which each factor is the product of the turns before and `unit`."""
    left, reached = list(factors), unit
    while left:
        following = next((pair for pair in left if pair[0] == reached), None)
        if following is None:
            return None
        left.remove(following)
        reached = reached * following[1]
    return reached


def domain(runs: Sequence[Run], known: Known) -> Turns | None:
    """Symbols that run independently through all their turns; None where that isn't known."""
    found: Turns = []
    left = list(runs)
    while left:
        run = left.pop()
        turns = _turns(run, left, known)
        if turns is None or (run.parts and run.whole != turns):
            return None
        symbol = run.symbol
        assert symbol is not None
        found += list(run.parts.items()) if run.parts else [(symbol, turns)]
    return found


def _turns(run: Run, left: list[Run], known: Known) -> Size | None:
    """The turns of a loop; those around it that cut its range in pieces are taken from `left`."""
    low, high = run.low, run.high
    if run.at is None or run.by != 1:
        return None
    while left and left[-1].at is not None and not left[-1].parts:
        around = left[-1]
        if low == around.at and high == dims.minimum(low + around.by, around.high):
            left.pop()
            low, high = around.low, around.high
            continue
        total = _chunked(around, low, high, known)
        if total is None:
            break
        left.pop()
        return total
    return _length(low, high, known)


def _chunked(around: Run, low: Size, high: Size, known: Known) -> Size | None:
    """The range that a loop's chunks make up: chunk * rows to min(chunk * rows + rows, total)."""
    symbol = around.symbol
    parts = None if symbol is None else split(low, symbol)
    if parts is None or parts[1] != 0 or around.by != 1 or not isinstance(high, Dim):
        return None
    assert symbol is not None
    chunks = _length(around.low, around.high, known)
    for total in _operands(high, "min"):
        is_free = not isinstance(total, Dim) or symbol not in dims.symbols(total)
        if is_free and high == dims.minimum(low + parts[0], total) and chunks is not None:
            return total if never_negative(chunks * parts[0] - total, known) else None
    return None


def _operands(x: Dim, function: str) -> tuple[Size, ...]:
    if len(x.terms) != 1:
        return ()
    ((monomial, factor),) = x.terms.items()
    call = monomial[0] if len(monomial) == 1 and factor == 1 else None
    return (call.x, call.y) if isinstance(call, Call) and call.function == function else ()


def _length(low: Size, high: Size, known: Known) -> Size | None:
    """The turns of a range that all slices together run through, each once."""
    if not {LOW, HIGH} & (dims.symbols(low) | dims.symbols(high)):
        return high if low == 0 and not any(_is_loops(s) for s in dims.symbols(high)) else None
    start = _start(low)
    if start is None:
        return None
    end = dims.symbol(HIGH) - start
    extent = known.highs[LOW][0]
    if high == end:
        return extent - start
    for turns in _operands(high, "min") if isinstance(high, Dim) else ():
        if {LOW, HIGH} & dims.symbols(turns) or high != dims.minimum(end, turns):
            continue
        return turns if never_negative(extent - start - turns, known) else None
    return None


def _start(low: Size) -> Size | None:
    """The s of `lo`, which is 0, or of max(lo - s, 0)."""
    if low == dims.symbol(LOW):
        return 0
    for part in _operands(low, "max") if isinstance(low, Dim) else ():
        start = dims.symbol(LOW) - part
        if not {LOW, HIGH} & dims.symbols(start) and low == dims.maximum(part, 0):
            return start
    return None


def _is_loops(symbol: Symbol) -> bool:
    return symbol.name.startswith("@")


def _are_all(stores: Sequence[Access], known: Known) -> bool:
    """Whether stores that are never left out write every element."""
    stretches = []
    sure = [store for store in stores if not store.tests]
    for store in sure:
        turns = domain(store.runs, known)
        for width in {1, _width(store, sure)} if turns is not None else ():
            found = _contiguous(store.index, turns, known, width)  # type: ignore[arg-type]
            if found is not None:
                stretches.append(found)
    reached: Size = 0
    while reached != stores[0].count:
        following = next((end for start, end in stretches if start == reached), None)
        if following is None:
            return False
        stretches = [pair for pair in stretches if pair[0] != reached]
        reached = following
    return True


def _width(store: Access, stores: Sequence[Access]) -> int:
    """How many elements one after another the stores of one turn write, from a store's on."""
    places = [s.index - store.index for s in stores if s.runs == store.runs]
    return next(k for k in range(1, len(places) + 1) if k not in places)


def _contiguous(
    index: Size, turns: Turns, known: Known, width: int = 1
) -> tuple[Size, Size] | None:
    """The first element and the end of those that `width` from an index on reach, all in between;
    or None."""
    factors = []
    base = index
    for symbol, count in turns:
        parts = split(base, symbol)
        if parts is None:
            return None
        if parts[0] == 0:
            if not never_negative(count - 1, known):
                return None  # it may not run at all
            continue
        factor, base = parts
        if dims.at_least(-factor, 1):  # from the last turn to the first it is the other way round
            factor, base = -factor, base + factor * (count - 1)
        factors.append((factor, count))
    if any(_is_loops(s) for s in dims.symbols(base)):
        return None
    length = _chain(factors, width)
    return None if length is None else (base, base + length)


def _is_made(read: Access, before: Sequence[Access]) -> bool:
    """Whether a store before a read, in the same turn of the loops around both, wrote it."""
    return any(store.is_store and _makes(store, read) for store in before)


def _makes(store: Access, read: Access) -> bool:
    if not set(store.tests) <= set(read.tests):
        return False
    shared = _common(store, read)
    start: Size = 0
    for symbol in (s for run in shared for s in run.symbols()):
        parts = split(store.index, symbol)
        if parts is None:
            return False
        start = start + parts[0] * dims.symbol(symbol)
    inner = domain(store.runs[len(shared) :], store.known)
    found = None if inner is None else _contiguous(store.index - start, inner, store.known)
    if found is None:
        return False
    place = read.index - start
    return never_negative(place - found[0], read.known) and never_negative(
        found[1] - 1 - place, read.known
    )
