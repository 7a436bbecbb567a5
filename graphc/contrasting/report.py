"""The contrast as Markdown; its rows and remarks are the HTML page's too."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.program.report import nbytes_text, time_text

if TYPE_CHECKING:
    from graphc.contrasting.result import Contrast, Side

_MOST_LINES = 40
# Items of a list that are shown at once.
MOST_ITEMS = 12
NOT_RUN = "-"

# What each row says, for people who meet it for the first time.
MEANINGS = {
    "operations that Python dispatches": "each is a function call that looks up what to run, makes "
    "tensors, and writes itself down where a gradient may be asked for",
    "tier": "guarded: without Python; checked: Python runs at every call, the program computes",
    "kernels": "NumPy functions and native steps",
    "time of a call": "median of turns; the three take turns, each from the same state",
    "of it in Python": "what is left of the call: dispatch, recording, views, copies in place",
    "of it in kernels": "inside NumPy functions and native steps, by clocks around them in a "
    "further call of each turn",
    "bytes allocated": "arrays that operations return and that are no views; a call",
    "peak memory": "of one call, above what was there before; with memory kept for the next call",
    "time to the first result": "tracing, compiling and loading included",
    "results": "difference from the eager results",
    "state after": "difference of parameters, buffers and optimizer state from the eager ones",
}


def verdict(found: Contrast) -> str:
    """Whether compiled calls give what eager ones give, in one sentence."""
    calls = _counted(found.steps, "call")
    if found.compiled.refused:
        return "The function runs eagerly; as a program it cannot run, see the remarks."
    if found.differs:
        return f"Eager and compiled differ: {found.differs}."
    if found.unrepeatable:
        return f"Eager and compiled cannot be compared: {found.unrepeatable}."
    return f"Eager and compiled give the same in {calls}: results, gradients, state, draws."


def machine() -> str:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return (
        f"{model}, {os.cpu_count()} processors; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, graphc {metadata.version('graphc')}"
    )


def rows(found: Contrast) -> list[tuple[str, list[str]]]:
    """The table: a label, and a cell for each side."""
    table = [
        ("tier", [s.tier or "Python runs" for s in found.sides]),
        ("operations that Python dispatches", [_operations(found, s) for s in found.sides]),
        ("kernels", [_kernels(s) for s in found.sides]),
        ("time of a call", [_call(found, s) for s in found.sides]),
        ("of it in Python", [_part(found, s, s.python_s) for s in found.sides]),
        ("of it in kernels", [_part(found, s, s.kernels_s) for s in found.sides]),
        ("bytes allocated", [nbytes_text(s.allocated_nbytes) for s in found.sides]),
        ("peak memory", [nbytes_text(s.peak_nbytes) for s in found.sides]),
        ("time to the first result", [_first(s) for s in found.sides]),
        ("results", [_apart(s, "results") for s in found.sides]),
        (f"state after {_counted(found.steps, 'call')}", [_apart(s, "state") for s in found.sides]),
    ]
    return [
        (label, [NOT_RUN if s.refused else cell for s, cell in zip(found.sides, cells)])
        for label, cells in table
    ]


def meaning(label: str) -> str:
    """What a row says, in a sentence; "" where the label does."""
    return next((text for key, text in MEANINGS.items() if label.startswith(key)), "")


def headings(found: Contrast) -> list[str]:
    """The names of the sides, with how they ran."""
    how = "op by op, NumPy" if found.traced_by == "reference" else "a kernel for each op"
    return ["eager", f"traced ({how})", "compiled"]


def _operations(found: Contrast, side: Side) -> str:
    if side is found.eager:
        parts = Counter(o.phase for o in found.record)
        listed = ", ".join(f"{count} {phase}" for phase, count in parts.items())
        return f"{side.operations} ({listed})" if len(parts) > 1 else str(side.operations)
    if side is found.traced and found.traced_by == "reference":
        return f"{side.numpy_calls} (by the interpreter)"
    return "0"


def _kernels(side: Side) -> str:
    parts = []
    if side.numpy_calls:
        parts.append(f"{side.numpy_calls} NumPy")
    if side.launches or not side.numpy_calls:
        parts.append(f"{side.launches} native")
    return " + ".join(parts)


def _call(found: Contrast, side: Side) -> str:
    shown = time_text(side.call_s)
    if side is found.eager or not side.call_s:
        return shown
    ratio = found.eager.call_s / side.call_s
    return f"{shown} ({ratio:.1f}x)" if ratio >= 1 else f"{shown} ({ratio:.2f}x)"


def _part(found: Contrast, side: Side, time_s: float) -> str:
    if side is found.traced and found.traced_by == "reference":
        return "not told apart"
    return f"{time_text(time_s)} ({time_s / side.call_s:.0%})" if side.call_s else NOT_RUN


def _first(side: Side) -> str:
    made = side.kernels_compiled
    return f"{time_text(side.first_s)} ({_counted(made, 'kernel')} compiled)"


def _apart(side: Side, which: str) -> str:
    found = getattr(side, which)
    if found is None:
        return "what the others are compared with"
    return str(found) if found.count else "nothing to compare"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def branches(found: Contrast) -> list[str]:
    """What became of Python's decisions, a line each."""
    lines = [f"taken in the eager call: {b}" for b in _short(found.branches)]
    lines += [f"merged: {b}" for b in found.merged]
    lines += [f"chooses the program: {b}" for b in found.guarded]
    lines += [f"baked into the program: {b}" for b in _short(found.baked)]
    lines += [f"read by Python in the eager call: {b}" for b in _short(found.values_read)]
    return lines or ["none: no branch depends on a value, and the program holds no Python value"]


def recompilations(found: Contrast) -> list[str]:
    """What other arguments did, a line each."""
    lines = []
    for case in found.recompilations:
        if case.error:
            lines.append(f"{case.what}: {case.error}")
        elif case.compiled:
            why = case.reason or "a branch went the other way"
            lines.append(f"{case.what}: compiled another program, because {why}")
        else:
            lines.append(f"{case.what}: the same program ({time_text(case.first_s)})")
    return lines or ["no other arguments were tried"]


def remarks(found: Contrast) -> list[str]:
    """Side effects, refusals and warnings, a line each."""
    lines = [f"not part of the program: {e}" for e in found.effects]
    for side in found.sides:
        lines += [f"{side.title}: {note}" for note in side.notes]
        if side.refused:
            lines.append(f"{side.title} could not run: {side.refused}")
    return list(dict.fromkeys(lines))


def dispatched(found: Contrast) -> list[tuple[str, int]]:
    """The eager call's operations by name, the most frequent first."""
    return Counter(o.name for o in found.record).most_common()


def launched(found: Contrast) -> list[tuple[str, float]]:
    """The compiled program's native steps in their order, with seconds."""
    return [(name, ns * 1e-9) for name, ns in found.compiled.steps]


def _short(lines: list[str]) -> list[str]:
    counted = Counter(lines)
    return [f"{line} ({count} times)" if count > 1 else line for line, count in counted.items()]


def assumptions(found: Contrast) -> list[str]:
    """What the program assumes, a line each."""
    return _short(found.assumes)


def _first_of(lines: list[str]) -> list[str]:
    """The first lines, and how many there are besides; the page has them all."""
    more = len(lines) - MOST_ITEMS
    return [*lines[:MOST_ITEMS], f"and {more} more"] if more > 1 else lines


def table(found: Contrast) -> list[str]:
    """The table's lines in Markdown."""
    lines = [f"| {found.name} | " + " | ".join(headings(found)) + " |", "|---|---|---|---|"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in rows(found)]
    return lines


def summary(contrasts: Sequence[Any]) -> str:
    """Several contrasts as one Markdown table, a row for each."""
    heads = ("", "operations dispatched", "kernels, compiled", "eager (in Python)", "traced",
             "compiled", "peak memory, eager", "compiled", "first result, eager", "compiled",
             "difference of results")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for found in contrasts:
        eager, compiled = found.eager, found.compiled
        share = f" ({eager.python_s / eager.call_s:.0%})" if eager.call_s else ""
        cells = [
            found.name,
            str(eager.operations),
            _kernels(compiled),
            time_text(eager.call_s) + share,
            _call(found, found.traced),
            _call(found, compiled),
            nbytes_text(eager.peak_nbytes),
            nbytes_text(compiled.peak_nbytes),
            time_text(eager.first_s),
            time_text(compiled.first_s),
            _largest(compiled),
        ]
        if compiled.refused:
            cells[2] = cells[5] = cells[7] = cells[9] = cells[10] = NOT_RUN
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", machine()])


def _largest(side: Side) -> str:
    """The largest relative difference of results."""
    parts = [d for d in (side.results,) if d is not None and d.count]
    if any(d.problem for d in parts):
        return next(d.problem for d in parts if d.problem)
    worst = max((d.relative for d in parts), default=0.0)
    return "none" if all(d.is_exact for d in parts) else f"{worst:.1g} relative"


def markdown(found: Contrast) -> str:
    """The whole report."""
    lines = [f"# {found.name}: eager, traced, compiled", "", verdict(found), "", machine(), ""]
    lines += [*table(found), "", "## Branches and values", ""]
    lines += _items(_first_of(branches(found)))
    lines += ["", "## Other arguments", "", *_items(recompilations(found))]
    if notes := remarks(found):
        lines += ["", "## Remarks", "", *_items(notes)]
    if found.assumes:
        lines += ["", "## What the program assumes", ""]
        lines += _items(_first_of(assumptions(found)))
    lines += ["", "## What eager code dispatched", "", "| operation | times |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in dispatched(found)[:_MOST_LINES]]
    if found.compiled.steps:
        lines += ["", "## What the program launched", "", "| kernel | time |", "|---|---|"]
        lines += [f"| {n} | {time_text(t)} |" for n, t in launched(found)[:_MOST_LINES]]
    if found.program is not None and not found.compiled.refused:
        lines += ["", "## What the compiler did", "", "```", found.program.report(), "```"]
    lines += ["", "## How to read the table", ""]
    lines += _items([f"{label}: {meaning(label)}" for label, _ in rows(found) if meaning(label)])
    return "\n".join(lines) + "\n"


def _items(lines: list[str]) -> list[str]:
    return [f"- {line}" for line in (text.replace("\n", "\n  ") for text in lines)]


__all__ = ["MOST_ITEMS", "assumptions", "branches", "dispatched", "headings", "launched",
           "machine", "markdown", "meaning",
           "recompilations", "remarks", "rows", "summary", "table",
           "verdict"]  # fmt: skip
