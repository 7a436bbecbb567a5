"""The table of errors: measured, written as Markdown, read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import graphc as gc
from graphc.core.ir import toposort

from . import points
from .collected import COLLECTED, Collected
from .functions import ALL, Function

PATH = Path(__file__).resolve().parent / "CONTRACT.md"
DTYPES = ("float16", "float32", "float64")
# A bound is the least of these that the measured error does not pass: CPUs differ a little.
STEPS = (0.0, 0.52, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
# mpmath is slow.
MOST_DIGITS = 2000

HEAD = """\
# What is lost to rounding

Made by `python -m tests.numerics`; `tests/ops/test_numerics.py` holds graphc to it. Each figure is
a bound on the error in units in the last place (ulp) of the result's dtype, of compiled kernels and
of the interpreter (`target="reference"`, `gc.interpret`; eager code runs one or the other).
A correctly rounded result is within 0.5, written as 0.52. "none": more than {most} ulp.

Operands of one are all float16 numbers, and some of every exponent, about every bend and edge, for
float32 and float64; of two, pairs of edges and of like and unlike sizes. Sums have up to 10^7
elements; their errors, and those of products and convolutions, are in ulps of the sum of
magnitudes. Errors of logaddexp are in ulps of the larger operand, of gelu in those of x. Results
that no rounding touches (comparisons, integers, moves) have no row. Errors of lgamma and digamma
below 0 count where moving the operand by its last place moves the result.

"""


@dataclass(frozen=True)
class Row:
    """Errors of one function in one dtype, or their bounds, in ulps."""

    name: str
    dtype: str
    compiled: float
    interpreted: float


def units(found: np.ndarray, exact: np.ndarray, scale: np.ndarray | None = None) -> np.ndarray:
    """Errors in units in the last place; inf where nan or infinity differ.

    Args:
        found: results.
        exact: the true values, in a wider dtype.
        scale: in whose last place; the true values' own unless given.
    """
    with np.errstate(all="ignore"):
        rounded = exact.astype(found.dtype)
        size = np.abs(exact if scale is None else scale).astype(found.dtype)
        error = np.abs(found.astype(exact.dtype) - exact) / np.spacing(size)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    # Beyond the largest number, infinity and it are neighbours.
    return np.where(same, np.where(np.isfinite(error), np.minimum(error, 0.5), 0),
                    np.where(np.isnan(error), np.inf, error)).astype(float)  # fmt: skip


def measure(function: Function, dtype: str, few: bool = True) -> Row:
    """The errors of an elementwise function."""
    row, _ = located(function, dtype, few)
    return row


def located(function: Function, dtype: str, few: bool = True) -> tuple[Row, str]:
    """The errors of an elementwise function, and where the greatest are."""
    operands = (points.unary(dtype, few),) if function.arity == 1 else points.binary(dtype, few)
    if function.digits is not None and (function.always or dtype == "float64"):
        step = max(1, len(operands[0]) // (MOST_DIGITS // 4 if few else MOST_DIGITS))
        operands = tuple(x[::step] for x in operands)  # type: ignore[assignment]
    nodes = [gc.input(f"x{k}", (gc.dim("n"),), getattr(gc, dtype)) for k in range(len(operands))]
    value = function.build(*nodes)
    exact = function.exact(*operands)
    compiled = gc.compile(nodes, value)(*operands)
    (interpreted,) = gc.interpret(gc.Graph.of(function.name, nodes, [value]), *operands)
    scale = None if function.scale is None else function.scale(*operands, exact)
    errors = [units(found, exact, scale) for found in (compiled, interpreted)]
    places = [int(np.argmax(e)) for e in errors]
    where = "; ".join(
        f"{kind} at {[x[p] for x in operands]!r}: {found[p]!r} for {exact[p]!r}"
        for kind, p, found in zip(("compiled", "interpreted"), places, (compiled, interpreted))
    )
    return Row(function.name, dtype, *(float(e.max()) for e in errors)), where


def rows(few: bool) -> Iterator[Row]:
    """All rows, measured."""
    for function in ALL:
        for dtype in DTYPES:
            yield measure(function, dtype, few)
    for collected in COLLECTED:
        for dtype in DTYPES:
            yield measure_collected(collected, dtype, few)


def measure_collected(collected: Collected, dtype: str, few: bool) -> Row:
    """The greatest errors of a function of many elements, over its sizes."""
    worst = [0.0, 0.0]
    for arrays in collected.operands(dtype, few):
        nodes = [
            gc.input(f"x{k}", [gc.dim(f"n{k}_{a}") for a in range(x.ndim)] if collected.symbolic
                     else x.shape, getattr(gc, dtype))
            for k, x in enumerate(arrays)
        ]  # fmt: skip
        value = collected.build(*nodes)
        used = [k for k, node in enumerate(nodes) if node in toposort((value,))]
        nodes, given = [nodes[k] for k in used], [arrays[k] for k in used]
        exact, scale = collected.exact(*(x.astype(np.longdouble) for x in arrays))
        results = (
            gc.compile(nodes, value)(*given),
            gc.interpret(gc.Graph.of(collected.name, nodes, [value]), *given)[0],
        )
        for k, found in enumerate(results):
            worst[k] = max(worst[k], float(units(np.asarray(found), exact, scale).max()))
    return Row(collected.name, dtype, *worst)


def bound(error: float) -> float:
    """The bound that is written for a measured error."""
    return next((step for step in STEPS if error <= step), float("inf"))


def write(measured: list[Row]) -> str:
    """The table as Markdown."""
    lines = ["| op | dtype | compiled | interpreted |", "|---|---|---|---|"]
    for row in measured:
        figures = (_figure(bound(row.compiled)), _figure(bound(row.interpreted)))
        lines.append(f"| {row.name} | {row.dtype} | {figures[0]} | {figures[1]} |")
    return HEAD.format(most=f"{STEPS[-1]:g}") + "\n".join(lines) + "\n"


def read() -> dict[tuple[str, str], Row]:
    """The bounds of the written table, by name and dtype."""
    found = {}
    for line in PATH.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1] in DTYPES:
            bounds = [float("inf") if c == "none" else float(c) for c in cells[2:]]
            found[cells[0], cells[1]] = Row(cells[0], cells[1], *bounds)
    return found


def _figure(value: float) -> str:
    return "none" if value == float("inf") else f"{value:g}"
