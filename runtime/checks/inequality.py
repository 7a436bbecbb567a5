"""Whether an integer expression is never negative, for all sizes: by bounds of its symbols.

    n = dim("n"); i = a loop's variable, 0 <= i <= n - 1
    n*8 - 1 - (8*i + 7)                 i at its largest: 0, so never negative

One atom at a time is replaced by its bounds, the latest first, as its bounds may tell of earlier
ones. What is found is proven; what is not found may hold all the same.

Not here: what the expressions are of (`prove`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphc.core import dims
from graphc.core.atoms import Atom, Call, Symbol
from graphc.core.dims import Dim, Size

# Expressions that one question may look at.
FUEL = 150
# Facts that one expression may be helped by.
FACTS = 6

Goal = tuple[Size, "Known"]


@dataclass(frozen=True, slots=True)
class Known:
    """What holds where a question is asked.

    Attributes:
        lows, highs: for symbols, expressions that each bound it (all of them hold).
        facts: expressions that are not negative.
    """

    lows: Mapping[Symbol, tuple[Size, ...]] = field(default_factory=dict)
    highs: Mapping[Symbol, tuple[Size, ...]] = field(default_factory=dict)
    facts: tuple[Size, ...] = ()

    def bounded(self, symbol: Symbol, lows: Iterable[Size], highs: Iterable[Size]) -> Known:
        """With more bounds of a symbol."""
        return replace(
            self,
            lows={**self.lows, symbol: (*self.lows.get(symbol, ()), *lows)},
            highs={**self.highs, symbol: (*self.highs.get(symbol, ()), *highs)},
        )

    def after(self, inner: Known) -> Known:
        """What holds behind a branch or a loop: the bounds of symbols made in it are known."""
        lows, highs = dict(self.lows), dict(self.highs)
        for symbol, bounds in inner.lows.items():
            if symbol not in lows and age(symbol)[0] >= 0:
                lows[symbol], highs[symbol] = bounds, inner.highs[symbol]
        return Known(lows, highs, self.facts)

    def where(self, call: Call, value: Size, fact: Size) -> Known | None:
        """What holds where a call has a value and a fact holds; None where nothing does."""
        facts = []
        for each in self.facts:
            parts = split(each, call)
            facts.append(each if parts is None else parts[0] * value + parts[1])
        if any(isinstance(f, int) and f < 0 for f in (*facts, fact)):
            return None
        return replace(self, facts=()).given([*facts, fact])

    def given(self, facts: Iterable[Size]) -> Known:
        """With facts besides; those about one symbol become its bounds."""
        known = self
        for fact in facts:
            if isinstance(fact, int) or dims.at_least(fact, 0):
                continue
            single = _single(fact)
            if single is None:
                known = replace(known, facts=(*known.facts, fact))
            elif single[1] > 0:
                known = known.bounded(single[0], [dims.symbol(single[0]) - fact], ())
            else:
                known = known.bounded(single[0], (), [dims.symbol(single[0]) + fact])
        return known


def _single(fact: Dim) -> tuple[Symbol, int] | None:
    """The latest symbol of a fact in which it is linear with factor 1 or -1, and the factor."""
    inside = {s for m in fact.terms for a in m if isinstance(a, Call) for s in symbols(a)}
    found = [
        (atom, factor)
        for monomial, factor in fact.terms.items()
        for atom in monomial
        if len(monomial) == 1 and isinstance(atom, Symbol) and abs(factor) == 1
    ]
    found = [
        (atom, factor)
        for atom, factor in found
        if atom not in inside and sum(atom in m for m in fact.terms) == 1
    ]
    return max(found, key=lambda pair: age(pair[0]), default=None)


def symbols(atom: Atom) -> set[Symbol]:
    """The symbols of an atom."""
    if isinstance(atom, Symbol):
        return {atom}
    return dims.symbols(atom.x) | dims.symbols(atom.y)


def age(symbol: Symbol) -> tuple[int, str]:
    """The order in which symbols are replaced, the last first: sizes, then loops by number."""
    name = symbol.name
    return (int(name[1:]), "") if name.startswith("@") and name[1:].isdigit() else (-1, name)


def never_negative(x: Size, known: Known) -> bool:
    """Whether x >= 0 for all values that its symbols may have; False where that isn't found."""
    return _Search().holds(x, known)


def split(x: Size, atom: Atom) -> tuple[Size, Size] | None:
    """a and b with x = a * atom + b, neither of which has the atom; None if there are none."""
    if isinstance(x, int):
        return 0, x
    factor: Size = 0
    rest: Size = 0
    for monomial, coefficient in x.terms.items():
        others = list(monomial)
        if atom in others:
            others.remove(atom)
            factor = factor + _term(others, coefficient)
        else:
            rest = rest + _term(others, coefficient)
        if any(_has(other, atom) for other in others):
            return None
    return factor, rest


def _term(atoms: list[Atom], coefficient: int) -> Size:
    return Dim({tuple(atoms): coefficient}) if atoms else coefficient


def _has(other: Atom, atom: Atom) -> bool:
    if other == atom:
        return True
    if isinstance(other, Symbol):
        return False
    return any(
        _has(inner, atom)
        for size in (other.x, other.y)
        if isinstance(size, Dim)
        for monomial in size.terms
        for inner in monomial
    )


class _Search:
    """One question."""

    def __init__(self) -> None:
        self.fuel = FUEL

    def holds(self, x: Size, known: Known) -> bool:
        """Whether x is found to be never negative."""
        if dims.at_least(x, 0):
            return True
        if isinstance(x, int) or self.fuel <= 0:
            return False
        self.fuel -= 1
        if any(dims.at_least(x - fact, 0) for fact in known.facts):
            return True
        atom = _latest(x, known)
        if atom is not None:
            for goals in self._replaced(x, atom, known):
                if all(self.holds(*goal) for goal in goals):
                    return True
        return any(self.holds(*goal) for goal in _helped(x, known))

    def _replaced(self, x: Dim, atom: Atom, known: Known) -> Iterator[list[Goal]]:
        """Sets of expressions: where all of one set are never negative, x isn't either."""
        parts = split(x, atom)
        if parts is None:
            return
        if isinstance(atom, Symbol):
            yield from self._by_bounds(atom, parts, known)
        elif atom.function in ("min", "max"):
            yield from self._by_cases(atom, parts, known)
        elif self.holds(atom.y - 1, known):
            yield from self._by_division(atom, parts, known)

    def _by_bounds(
        self, symbol: Symbol, parts: tuple[Size, Size], known: Known
    ) -> Iterator[list[Goal]]:
        factor, rest = parts
        lows = [*known.lows.get(symbol, ())]
        lows += [symbol.min] if symbol.min is not None else []
        highs = [*known.highs.get(symbol, ())]
        if self.holds(factor, known):
            yield from ([(factor * low + rest, known)] for low in lows)
        elif self.holds(0 - factor, known):
            yield from ([(factor * high + rest, known)] for high in highs)
        else:  # linear: the least value is at an end
            for low in lows:
                for high in highs:
                    yield [(factor * low + rest, known), (factor * high + rest, known)]

    def _by_cases(self, call: Call, parts: tuple[Size, Size], known: Known) -> Iterator[list[Goal]]:
        factor, rest = parts
        is_min = call.function == "min"
        # A factor of this sign makes either operand a lower bound.
        if self.holds(0 - factor if is_min else factor, known):
            yield from ([(factor * z + rest, known)] for z in (call.x, call.y))
        gap = call.y - call.x if is_min else call.x - call.y
        cases = (
            (call.x, known.where(call, call.x, gap)),
            (call.y, known.where(call, call.y, 0 - gap)),
        )
        yield [(factor * z + rest, case) for z, case in cases if case is not None]

    def _by_division(
        self, call: Call, parts: tuple[Size, Size], known: Known
    ) -> Iterator[list[Goal]]:
        """By y*q <= x <= y*q + y - 1, and 0 <= r <= y - 1; y is positive."""
        factor, rest = parts
        x, y = call.x, call.y
        if self.holds(factor, known):
            if call.function == "%" or self.holds(x, known):
                yield [(rest, known)]
            if call.function == "//":
                yield [(factor * (x - y + 1) + rest * y, known)]
        elif self.holds(0 - factor, known):
            if call.function == "//":
                yield [(factor * x + rest * y, known)]
                return
            yield [(factor * (y - 1) + rest, known)]
            if self.holds(x, known):
                yield [(factor * x + rest, known)]


def _latest(x: Dim, known: Known) -> Atom | None:
    """The atom to replace: the latest symbol that stands in no call, else a call, else a size."""
    atoms = {atom for monomial in x.terms for atom in monomial}
    calls = [a for a in atoms if isinstance(a, Call)]
    inside = {s for call in calls for s in symbols(call)}
    free = [a for a in atoms if isinstance(a, Symbol) and a not in inside]
    loops = [a for a in free if age(a)[0] >= 0]
    if loops:
        return max(loops, key=age)
    if calls:
        outer = [c for c in calls if not any(_has(other, c) for other in calls if other != c)]
        return max(outer, key=lambda c: (max(map(age, symbols(c)), default=(-1, "")), c.key()))
    sizes = [a for a in free if a in known.lows or a in known.highs]
    return max(sizes, key=age, default=None)


def _helped(x: Dim, known: Known) -> Iterator[Goal]:
    """x less a positive multiple of a fact, for facts that take a term away."""
    count = 0
    for place, fact in enumerate(known.facts):
        for monomial, coefficient in fact.terms.items() if isinstance(fact, Dim) else ():
            for mine, factor in x.terms.items():
                left = _without(mine, monomial)
                if not monomial or left is None or factor * coefficient <= 0:
                    continue
                if factor % coefficient or not dims.at_least(_term(left, 1), 0):
                    continue
                others = (*known.facts[:place], *known.facts[place + 1 :])
                yield x - _term(left, factor // coefficient) * fact, replace(known, facts=others)
                count += 1
                if count >= FACTS:
                    return


def _without(monomial: tuple[Atom, ...], part: tuple[Atom, ...]) -> list[Atom] | None:
    left = list(monomial)
    for atom in part:
        if atom not in left:
            return None
        left.remove(atom)
    return left
