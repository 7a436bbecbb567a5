"""`memory_budget`: met by computing values again, or refused with what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from graphc.core.ir import Graph, caller
from graphc.core.layout import Layout
from graphc.errors import OutOfMemoryError
from graphc.program.build import Build
from graphc.program.describing import nbytes_text
from graphc.program.memory import MemoryUse
from graphc.program.report import example_sizes, sizes_text

SHOWN = 7


def within_budget(
    build: Callable[..., Build], graph: Graph, layout: Layout, options: Mapping[str, Any]
) -> Build:
    """A build that keeps to the memory budget among the options, if there is one.

    Args:
        build: makes one of a graph and a layout.
        graph, layout: see `build`.
        options: what `compile` was told.

    Raises:
        OutOfMemoryError: its sizes are known, and there is none.
    """
    told = {name: value for name, value in options.items() if name != "memory_budget"}
    budget = options.get("memory_budget")
    made = build(graph, layout, **told)
    if budget is None or not made.executable.is_native:
        return made
    sizes = example_sizes(graph)
    if not _fits(made, sizes, budget):
        other = build(graph, layout, **told, frugal=True)
        if MemoryUse.of(other, sizes).peak_nbytes < MemoryUse.of(made, sizes).peak_nbytes:
            made = other
    made = replace(made, budget=budget)
    if not sizes:
        check(made, sizes)
    return made


def _fits(build: Build, sizes: Mapping[str, int], budget: int) -> bool:
    return MemoryUse.of(build, sizes).peak_nbytes <= budget


def check(build: Build, sizes: Mapping[str, int]) -> None:
    """Refuse sizes with which a program needs more memory than its budget.

    Raises:
        OutOfMemoryError: it does; the message has what lives at the peak.
    """
    use = MemoryUse.of(build, sizes)
    if build.budget is None or use.peak_nbytes <= build.budget:
        return
    peak = use.at_peak
    more = [f"and {len(peak) - SHOWN} more"] if len(peak) > SHOWN else []
    with_sizes = f" with {sizes_text(sizes)}" if sizes else ""
    raise OutOfMemoryError(
        f"{build.graph.name}: {nbytes_text(use.peak_nbytes)} of intermediate results{with_sizes} "
        f"do not fit in {nbytes_text(build.budget)}, whatever is computed again",
        [*map(str, peak[:SHOWN]), *more],
        where=caller(),
        hint="use smaller batches, or a larger budget",
    )


__all__ = ["check", "within_budget"]
