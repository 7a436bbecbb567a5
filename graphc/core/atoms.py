"""Atoms of symbolic dimensions: symbols, calls that no rule removed; and how sums of them read."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """A named unknown with 0 <= min <= value <= max; `max` may be a `Dim` (loop variables).

    With `is_value` it is the value of the program's input of that name, a 0-d integer: `source`,
    or an input that each call gets besides, for which `source` is computed first.
    """

    name: str
    min: int = 0
    max: Any = None
    multiple_of: int = 1
    is_value: bool = False
    source: Any = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        # Nodes are compared by identity: `==` of two is another node.
        return self is other or (
            isinstance(other, Symbol)
            and self.name == other.name
            and self.source is other.source
            and (self.min, self.max, self.multiple_of, self.is_value)
            == (other.min, other.max, other.multiple_of, other.is_value)
        )

    def __hash__(self) -> int:
        # Symbols of one name that differ otherwise are rare, and hashes are asked for often.
        return hash(self.name)

    def key(self) -> str:
        """The order of atoms in a canonical form."""
        return self.name


@dataclass(frozen=True, slots=True)
class Call:
    """`function(x, y)` with function one of `//`, `%`, `min`, `max`."""

    function: str
    x: Any
    y: Any

    def key(self) -> str:
        """The order of atoms in a canonical form: after the symbols."""
        return f"~{self}"

    def __str__(self) -> str:
        if self.function in ("min", "max"):
            return f"{self.function}({self.x}, {self.y})"
        return f"{operand_text(self.x)}{self.function}{operand_text(self.y)}"


Atom = Symbol | Call
Monomial = tuple[Atom, ...]


def joined(terms: Mapping[Monomial, int]) -> tuple[Monomial, Monomial, Any] | None:
    """Two terms of a sum that are one simpler size together, and that size.

    `max(p - q, 0) + min(p, q)` is p, `x//2 + (x + 1)//2` is x: what a cut leaves on either side.
    """
    calls = [m for m in terms if len(m) == 1 and isinstance(m[0], Call)]
    for first in calls if len(calls) > 1 else ():
        for second in calls:
            if terms[first] == terms[second] and (whole := _whole(first[0], second[0])) is not None:
                return first, second, whole
    return None


def _whole(a: Any, b: Any) -> Any:
    if a.function == "//" == b.function:
        return a.x if a.y == 2 == b.y and b.x - a.x == 1 else None
    if (a.function, b.function) != ("max", "min") or 0 not in (a.x, a.y):
        return None
    left = a.x if a.y == 0 else a.y
    if b.x - b.y == left:
        return b.x
    return b.y if b.y - b.x == left else None


def operand_text(x: object) -> str:
    text = str(x)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def show(terms: Mapping[Monomial, int]) -> str:
    parts: list[str] = []
    for monomial, coefficient in sorted(
        terms.items(), key=lambda t: (not t[0], [a.key() for a in t[0]])
    ):
        names = [a.name if isinstance(a, Symbol) else str(a) for a in monomial]
        # A first minus stands closer to what follows than `//` and `%` do.
        if len(names) > 1 or abs(coefficient) != 1 or (coefficient < 0 and not parts):
            names = [
                f"({x})" if isinstance(a, Call) and a.function in "//%" else x
                for a, x in zip(monomial, names)
            ]
        if abs(coefficient) != 1 or not names:
            names.insert(0, str(abs(coefficient)))
        parts.append(("- " if coefficient < 0 else "+ ") + "*".join(names))
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else "-" + text[2:]


def is_kept(name: str) -> bool:
    """Whether an identifier stands in Python's text as it is: no keyword, in its normal form."""
    return not keyword.iskeyword(name) and unicodedata.normalize("NFKC", name) == name
