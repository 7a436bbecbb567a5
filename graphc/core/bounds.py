"""What is known of a symbolic size: its bounds, what divides it, its symbols, its value.

    n = dim("n", min=1, multiple_of=8)
    bounds(n // 4 + 1)       (1, None): the facts that symbols were declared with, carried through
    multiple(3 * n)          24
    symbols(n + 1)           {n}
    evaluate(n + 1, {"n": 8})      9

These read the canonical form; arithmetic, which makes forms, is in `dims`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from graphc.core.atoms import Atom, Monomial, Symbol

if TYPE_CHECKING:
    from graphc.core.dims import Size

_FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "//": operator.floordiv,
    "%": operator.mod,
    "min": min,
    "max": max,
}


def multiple(x: Size) -> int:
    """The largest number known to divide every value of x (0 when x is 0)."""
    if isinstance(x, int):
        return abs(x)
    found = 0
    for monomial, coefficient in x.terms.items():
        factor = coefficient
        for atom in monomial:
            factor *= atom.multiple_of if isinstance(atom, Symbol) else 1
        found = math.gcd(found, factor)
    return found


def bounds(x: Size) -> tuple[int | None, int | None]:
    """The smallest and largest value of x that the facts admit; None where unbounded."""
    if isinstance(x, int):
        return x, x
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in x.terms.items():
        least, most = _monomial_bounds(monomial)
        if coefficient < 0:
            least, most = most, least
        low = None if low is None or least is None else low + coefficient * least
        high = None if high is None or most is None else high + coefficient * most
    return low, high


def _monomial_bounds(monomial: Monomial) -> tuple[int | None, int | None]:
    low: int | None = 1
    high: int | None = 1
    for atom in monomial:
        least, most = _atom_bounds(atom)
        if least is None or least < 0 or low is None:
            if len(monomial) == 1:
                return least, most
            return None, None
        low = low * least
        high = None if high is None or most is None else high * most
    return low, high


def _atom_bounds(atom: Atom) -> tuple[int | None, int | None]:
    if isinstance(atom, Symbol):
        return atom.min, atom.max if atom.max is None else bounds(atom.max)[1]
    (xl, xh), (yl, yh) = bounds(atom.x), bounds(atom.y)
    if atom.function == "max":
        low = max((b for b in (xl, yl) if b is not None), default=None)
        return low, None if xh is None or yh is None else max(xh, yh)
    if atom.function == "min":
        high = min((b for b in (xh, yh) if b is not None), default=None)
        return None if xl is None or yl is None else min(xl, yl), high
    if yl is None or yl < 1:
        return None, None
    if atom.function == "%":
        return 0, None if yh is None else yh - 1
    low = None if xl is None else (xl // yl if xl < 0 else 0 if yh is None else xl // yh)
    return low, None if xh is None else (xh // yl if xh >= 0 else -1)


def symbols(x: Size) -> set[Symbol]:
    """Every symbol that x depends on."""
    if isinstance(x, int):
        return set()
    found: set[Symbol] = set()
    for monomial in x.terms:
        for atom in monomial:
            if isinstance(atom, Symbol):
                found.add(atom)
            else:
                found |= symbols(atom.x) | symbols(atom.y)
    return found


def evaluate(x: Size, sizes: Mapping[str, int]) -> int:
    """The value of x for sizes of its symbols by name.

    Raises:
        KeyError: a symbol has no size.
    """
    if isinstance(x, int):
        return x
    total = 0
    for monomial, coefficient in x.terms.items():
        for atom in monomial:
            coefficient *= _evaluate_atom(atom, sizes)
        total += coefficient
    return total


def _evaluate_atom(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, Symbol):
        return sizes[atom.name]
    x, y = evaluate(atom.x, sizes), evaluate(atom.y, sizes)
    return _FUNCTIONS[atom.function](x, y)


__all__ = ["bounds", "evaluate", "multiple", "symbols"]
