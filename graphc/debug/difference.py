"""`gc.diff(a, b)`: two programs beside each other: ops, shapes, cost, memory, numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from graphc.core.interpret import run_sized
from graphc.core.ir import all_nodes, caller
from graphc.core.operators import Operators
from graphc.debug.subject import program_of
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.facade import FACE
from graphc.errors import ArgumentError, GraphcError
from graphc.ops.printing import muted
from graphc.ops.sampling import sample_arrays
from graphc.program.describing import nbytes_text
from graphc.program.explaining import flops_text
from graphc.program.program import Program
from graphc.program.reference import interpret
from graphc.program.report import example_sizes

UNITS: dict[str, Callable[[float], str]] = {
    "bytes moved": nbytes_text, "operations": flops_text, "peak memory": nbytes_text,
    "memory without planning": nbytes_text,
}  # fmt: skip
_STYLE = """:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;
max-width:60rem;padding:0 1rem}table{border-collapse:collapse}td,th{text-align:left;padding:.3rem
.9rem;border-bottom:1px solid #8886}tr.other td{font-weight:600}"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two programs have in common, and what not.

    Attributes:
        names: of the two.
        rows: (what, of the first, of the second), figures as numbers.
        numbers: how far results are apart, a line each.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (4,))
        >>> found = gc.diff(gc.compile([x], gc.exp(x)), gc.compile([x], gc.exp(x) + 1))
        >>> [what for what, one, other in found.rows if one != other]
        ['operations', 'op add', 'op full']
    """

    names: tuple[str, str]
    rows: tuple[tuple[str, Any, Any], ...]
    numbers: tuple[str, ...]

    def __bool__(self) -> bool:
        return any(one != other for _, one, other in self.rows) or any(
            not line.endswith("the same") for line in self.numbers
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as what JSON holds.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (4,))
            >>> sorted(gc.diff(gc.compile([x], -x), gc.compile([x], -x)).to_dict())
            ['differ', 'names', 'numbers', 'rows']
        """
        rows = [{"what": what, "values": [one, other]} for what, one, other in self.rows]
        return {"differ": bool(self), "names": list(self.names), "rows": rows,
                "numbers": list(self.numbers)}  # fmt: skip

    def save(self, path: str | PathLike[str]) -> Path:
        """Write a page.

        Args:
            path: a file name, such as "difference.html".

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (4,))
            >>> gc.diff(gc.compile([x], -x), gc.compile([x], -x)).save("same.html").name
            'same.html'
        """
        target = Path(path)
        target.write_text(self._html(), encoding="utf-8")
        return target

    def _html(self) -> str:
        heads = "".join(f"<th>{escape(name)}</th>" for name in ("", *self.names))
        rows = "".join(
            f"<tr{' class=other' if one != other else ''}><th>{escape(what)}</th>"
            f"<td>{escape(_shown(what, one))}</td><td>{escape(_shown(what, other))}</td></tr>"
            for what, one, other in self.rows
        )
        numbers = "".join(f"<li>{escape(line)}</li>" for line in self.numbers)
        title = escape(" and ".join(self.names))
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(self._verdict())}</p>"
            f"<table><tr>{heads}</tr>{rows}</table><h2>Results</h2><ul>{numbers}</ul></html>\n"
        )

    def _verdict(self) -> str:
        return "The two differ." if self else "The two are the same."

    def __str__(self) -> str:
        cells = [
            (what, _shown(what, one), _shown(what, other))
            for what, one, other in self.rows if one != other
        ]  # fmt: skip
        table = [("", *self.names), *cells] if cells else []
        wide = [max((len(row[k]) for row in table), default=0) for k in range(3)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide)).rstrip() for row in table]
        return "\n".join([self._verdict(), *lines, *self.numbers]) + "\n"


def _shown(what: str, value: float | str | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, str) or what not in UNITS else UNITS[what](value)


def diff(
    input: AnyTensor | object,
    n: object = 1,
    *args: Any,
    dim: int = -1,
    prepend: AnyTensor | None = None,
    append: AnyTensor | None = None,
) -> Any:
    """Compare two programs; or, of a tensor, take each element less the one before it.

    Args:
        input, n: programs, functions that have one, or names of archives. Else a tensor, and how
            often, as `torch.diff` has them.
        args: of a call of both programs, whose results are compared; drawn at random unless given.
            Of a tensor dim, prepend and append by their places.
        dim: the axis of a tensor.
        prepend, append: what stands before a tensor along that axis, and behind it.

    Returns:
        The difference: print it, or `save` it as a page. It is true where there is one. Of a
        tensor a tensor.

    Raises:
        ArgumentError: one is no program.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (4,))
        >>> print(gc.diff(gc.compile([x], -x), gc.compile([x], -x)))
        The two are the same.
        result 0: the same
        >>> gc.diff(gc.tensor([1, 4, 9]))
        tensor([3, 5])
    """
    if not isinstance(input, Operators | np.ndarray):
        return _compared(input, n, args)
    words = {"dim": dim, "prepend": prepend, "append": append}
    return FACE["diff"](input, n, *args, **dict(list(words.items())[len(args) :]))


def _compared(a: object, b: object, args: tuple[Any, ...]) -> Difference:
    one, other = (_loaded(side) for side in (a, b))
    figures = [_figures(side) for side in (one, other)]
    keys = list(dict.fromkeys(key for side in figures for key in side))
    rows = tuple((key, figures[0].get(key), figures[1].get(key)) for key in keys)
    return Difference((one.name, other.name), rows, tuple(_numbers(one, other, args)))


def _loaded(side: object) -> Program:
    if isinstance(side, str | PathLike):
        side = import_module("graphc.jit").load(side)
    program = program_of(side)
    if program is None or not hasattr(program, "explain"):
        raise ArgumentError(f"diff: {type(side).__name__} is no program", where=caller())
    return program


def _figures(program: Program) -> dict[str, Any]:
    graph = program.graph
    found: dict[str, Any] = {f"input {n.name}": str(n.type) for n in graph.inputs}
    found |= {f"output {k}": str(n.type) for k, n in enumerate(graph.outputs)}
    inputs = {*graph.inputs}
    ops = Counter(n.op.name for n in all_nodes(graph) if n not in inputs)
    found |= {f"op {name}": ops[name] for name in sorted(ops)}
    steps = program.explain().to_dict()["steps"]
    use = program.memory()
    return found | {
        "kernels": len(program.kernels),
        "steps": len(steps),
        "bytes moved": sum(step["bytes"] for step in steps),
        "operations": sum(step["flops"] or 0 for step in steps),
        "peak memory": use.peak_nbytes,
        "memory without planning": use.unplanned_nbytes,
    }


@muted()
def _numbers(one: Program, other: Program, args: Sequence[Any]) -> list[str]:
    """How far the results of both are apart, on the same arguments; parameters keep theirs."""
    types = [[str(n.type) for n in side.graph.inputs] for side in (one, other)]
    if not args and types[0] != types[1]:
        return ["results are not compared: the inputs differ"]
    sizes = example_sizes(one.graph)
    try:
        results = [_outputs(side, args, sizes) for side in (one, other)]
    except GraphcError as error:
        return [f"results are not compared: {error.what}"]
    if len(results[0]) != len(results[1]):
        return [f"{len(results[0])} results and {len(results[1])}"]
    return [f"result {k}: {_apart(*pair)}" for k, pair in enumerate(zip(*results))]


def _outputs(program: Program, args: Sequence[Any], sizes: Mapping[str, int]) -> list[np.ndarray]:
    """A program's results and new values of parameters, by its definition: nothing is written."""
    drawn = sample_arrays(program.graph, sizes)
    found = interpret(program, *args) if args else run_sized(program.graph, drawn, sizes)
    return [np.asarray(result) for result in found]


def _apart(one: np.ndarray, other: np.ndarray) -> str:
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype}{list(one.shape)} and {other.dtype}{list(other.shape)}"
    if one.tobytes() == other.tobytes():
        return "the same"
    with np.errstate(all="ignore"):
        far = np.abs(one.astype(np.float64) - other.astype(np.float64))
    wrong = int((one != other).sum())
    return f"{wrong} of {one.size} elements differ, by up to {np.nanmax(far, initial=0.0):.3g}"


__all__ = ["Difference", "diff"]
