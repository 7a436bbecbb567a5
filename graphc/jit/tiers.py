"""The programs of a compiled function as a table: which tier, why, why compiled, what it costs.

print(step.tiers())
[row.reason for row in step.tiers() if row.tier == "checked"]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.jit.trace.steps import Operation


@dataclass(frozen=True)
class Row:
    """One program of a compiled function.

    Attributes:
        tier: "guarded" (calls run without Python) or "checked" (Python runs at every call).
        reason: why it is checked, with the line; "" where it is guarded.
        because: why it was compiled: what differed from the calls before.
        calls: how many calls it has run.
        operations: how many operations the Python asks for, which a checked call asks for again.
        fastest: seconds of the fastest call that ran Python; None where none did after the first.

    Example:
        >>> import graphc as gc
        >>> from graphc.jit.tiers import Row
        >>> double = gc.jit.compile(lambda x: x * 2)
        >>> y = double(gc.ones(3))
        >>> double.tiers()[0] == Row("guarded", "", "the first call", 1, 1, None)
        True
    """

    tier: str
    reason: str
    because: str
    calls: int
    operations: int
    fastest: float | None


class Tiers(tuple[Row, ...]):
    """Rows that print as a table.

    Example:
        >>> import graphc as gc
        >>> double = gc.jit.compile(lambda x: x * 2)
        >>> y = double(gc.ones(3))
        >>> print(double.tiers())
        tier     calls  ops  fastest  why
        guarded      1    1        -  compiled for: the first call
    """

    __slots__ = ()

    def __str__(self) -> str:
        lines = [f"{'tier':8}{'calls':>6}{'ops':>5}{'fastest':>9}  why"]
        for row in self:
            time = "-" if row.fastest is None else f"{row.fastest * 1e6:.0f} us"
            lines.append(
                f"{row.tier:8}{row.calls:>6}{row.operations:>5}{time:>9}  "
                f"compiled for: {row.because}"
            )
            if row.reason:
                lines.append(f"{'':30}checked: {row.reason}")
        return "\n".join(lines)


def tiers_of(variants: Sequence[Any], wanted: str) -> Tiers:
    """The table of a compiled function's programs, the latest last.

    Args:
        variants: the programs.
        wanted: the tier that was asked for.
    """
    rows = []
    for v in variants:
        # What one run was refused for holds of all from that beginning.
        alike = (str(r) for other in (v, *variants) if other.root is v.root for r in other.unproven)
        why = 'tier="checked"' if wanted == "checked" else next(alike, "not proven yet")
        tier = "checked" if v.is_checked else "guarded"
        reason = why if v.is_checked else ""
        rows.append(Row(tier, reason, v.because, v.calls, v.operations, v.fastest))
    return Tiers(rows)


def operations_in(path: Iterable[Any]) -> int:
    """How many operations the steps of a run are."""
    return sum(isinstance(step, Operation) for step in path)


__all__ = ["Row", "Tiers", "operations_in", "tiers_of"]
