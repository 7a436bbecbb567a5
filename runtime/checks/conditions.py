"""What a kernel's tests on integers tell, as expressions that are not negative.

    a < b        true: b - 1 - a >= 0       false: a - b >= 0

Not here: the arithmetic (`inequality`), where they are met (`prove`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.core import dims
from graphc.core.dims import Dim, Size
from graphc.runtime.checks.inequality import Known, never_negative


@dataclass(frozen=True, slots=True)
class Condition:
    """A test.

    Attributes:
        true, false: what is not negative where it holds, and where it doesn't.
        is_exact: whether it holds wherever all of `true` do.
        sides: the integers that it compares.
    """

    true: tuple[Size, ...] = ()
    false: tuple[Size, ...] = ()
    is_exact: bool = False
    sides: tuple[Size, ...] = ()

    @property
    def outcome(self) -> bool | None:
        """Whether it holds, where numbers tell."""
        if any(isinstance(fact, int) and fact < 0 for fact in self.true):
            return False
        return True if any(isinstance(f, int) and f < 0 for f in self.false) else None

    @staticmethod
    def compared(operators: Sequence[str], values: Sequence[Any]) -> Condition:
        """A comparison, of several in a row too; operators by the names of `ast`."""
        pairs = zip(operators, values, values[1:])
        return Condition.both([_pair(*pair) for pair in pairs], True)

    @staticmethod
    def both(tests: Sequence[Condition], is_and: bool) -> Condition:
        """All of some tests, or any of them."""
        if len(tests) == 1:
            return tests[0]
        sides = tuple(side for test in tests for side in test.sides)
        every = tuple(
            fact for test in tests for fact in (test.true if is_and else test.false)
        )  # fmt: skip
        if is_and:
            return Condition(every, (), all(test.is_exact for test in tests), sides)
        return Condition((), every, False, sides)


ANYTHING = Condition()


def _pair(operator: str, x: Any, y: Any) -> Condition:
    if not isinstance(x, int | Dim) or not isinstance(y, int | Dim):
        return ANYTHING
    sides = (x, y)
    match operator:
        case "Lt":
            return Condition((y - 1 - x,), (x - y,), True, sides)
        case "LtE":
            return Condition((y - x,), (x - 1 - y,), True, sides)
        case "Gt":
            return Condition((x - 1 - y,), (y - x,), True, sides)
        case "GtE":
            return Condition((x - y,), (y - 1 - x,), True, sides)
        case "Eq":
            return Condition((x - y, y - x), (), True, sides)
        case "NotEq":
            return Condition((), (x - y, y - x), False, sides)
    return ANYTHING


def joined(
    test: Condition, first: tuple[Size, Known], second: tuple[Size, Known]
) -> tuple[list[Size], list[Size]]:
    """Bounds of a value that is one expression where a test holds, and another where not.

    Args:
        test: its sides are what the bounds are tried from.
        first, second: the expression and what is known, either way.
    """
    lows: list[Size] = [0, *test.sides]
    highs: list[Size] = [0]
    for side in test.sides:
        highs += [side, side - 1, dims.maximum(side - 1, 0)]
    ways = (first, second)
    for x, known in ways:
        for symbol in dims.symbols(x):
            if x == dims.symbol(symbol):
                lows += known.lows.get(symbol, ())
                highs += known.highs.get(symbol, ())
        highs.append(x)
    return (
        [b for b in dict.fromkeys(lows) if all(never_negative(x - b, k) for x, k in ways)],
        [b for b in dict.fromkeys(highs) if all(never_negative(b - x, k) for x, k in ways)],
    )
