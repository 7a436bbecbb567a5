"""What `contrast` found: the figures of each side, and how to show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphc.contrasting import page, report
from graphc.contrasting.difference import Difference
from graphc.contrasting.observe import Operation


@dataclass
class Side:
    """One way to run the function.

    Attributes:
        title: for tables.
        operations: that Python dispatched in a call; 0 where it does not run.
        nodes: operations of the graph as it was traced.
        launches: native steps of a call.
        numpy_calls: NumPy functions of a call.
        call_s: the median time of a call.
        laps: all turns' times of a call, in seconds.
        kernels_s: of it in kernels: NumPy and native code.
        first_s: from nothing to the first result, tracing and compiling included.
        kernels_compiled: kernels that the compiler made for it; others came from the cache.
        allocated_nbytes: of arrays that a call makes.
        peak_nbytes: the most memory that a call needs at a time.
        held_nbytes: of it kept between calls.
        steps: (kernel, ns) of a call's native steps.
        programs: programs that were compiled in all.
        policy: what was done at branches that depend on values.
        tier: "guarded", or "checked: why"; "" of the eager side.
        results, state: differences from the eager run; None for that one.
        refused: why the function cannot run this way; "" when it can.
        notes: warnings.
    """

    title: str
    operations: int = 0
    nodes: int = 0
    launches: int = 0
    numpy_calls: int = 0
    call_s: float = 0.0
    laps: list[float] = field(default_factory=list)
    kernels_s: float = 0.0
    first_s: float = 0.0
    kernels_compiled: int = 0
    allocated_nbytes: int = 0
    peak_nbytes: int = 0
    held_nbytes: int = 0
    steps: list[tuple[str, int]] = field(default_factory=list)
    programs: int = 0
    policy: str = ""
    tier: str = ""
    results: Difference | None = None
    state: Difference | None = None
    refused: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def python_s(self) -> float:
        """The time of a call that is not in kernels."""
        return max(0.0, self.call_s - self.kernels_s)


@dataclass
class Recompilation:
    """A call with other arguments.

    Attributes:
        what: how they differ.
        reason: why no program fits; "" when one does.
        compiled: whether the call compiled another program.
        first_s: how long the call took.
        error: the first line of the error that it raised; "" when it went well.
    """

    what: str
    reason: str
    compiled: bool = False
    first_s: float = 0.0
    error: str = ""


@dataclass
class Contrast:
    """The figures of a function run eagerly, traced and compiled.

    Attributes:
        eager, traced, compiled: the three sides.
        record: the eager call's operations, in order.
        branches: branches that the eager call took on values: line and outcome.
        values_read: other values that Python asked for, such as `item()`.
        baked: Python values that the program holds as constants.
        merged: branches whose both arms are in the program.
        guarded: branches whose outcome chooses the program.
        effects: side effects that are not part of the program.
        assumes: what the program assumes.
        recompilations: calls with other arguments.
        program: the compiled program, a `gc.Program`.
        differs: where the compiled calls differ from eager ones, by the check of
            `GRAPHC_JIT=audit`; "" where they do not.
        unrepeatable: where two eager calls from one state differ, so that nothing was compared.
    """

    name: str
    steps: int = 3
    rounds: int = 15
    traced_by: str = "reference"
    cold: bool = False
    eager: Side = field(default_factory=lambda: Side("eager"))
    traced: Side = field(default_factory=lambda: Side("traced"))
    compiled: Side = field(default_factory=lambda: Side("compiled"))
    record: list[Operation] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    values_read: list[str] = field(default_factory=list)
    baked: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    guarded: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    assumes: list[str] = field(default_factory=list)
    recompilations: list[Recompilation] = field(default_factory=list)
    program: Any = None
    differs: str = ""
    unrepeatable: str = ""

    @property
    def sides(self) -> list[Side]:
        """The three sides."""
        return [self.eager, self.traced, self.compiled]

    @property
    def markdown(self) -> str:
        """The report as Markdown."""
        return report.markdown(self)

    @property
    def html(self) -> str:
        """The report as one HTML page that needs no other file."""
        return page.html(self)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the report as Markdown and as HTML.

        Args:
            folder: created when it isn't there.

        Returns:
            The two files, named after the function.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in self.name)
        written = []
        for ending, content in ((".md", self.markdown), (".html", self.html)):
            path = target / f"contrast-{stem}{ending}"
            path.write_text(content, encoding="utf-8")
            written.append(path)
        return written

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        return self.html


__all__ = ["Contrast", "Recompilation", "Side"]
