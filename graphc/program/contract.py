"""`program.require(...)`: what a program must be like, checked against what was compiled.

Only what the compiler decided is asked for, so the same program passes on every run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import Graph, Kind, Node, all_nodes, caller
from graphc.core.types import TupleType
from graphc.errors import ArgumentError, AttributeValueError, ContractError
from graphc.program.describing import described, launch_name, nbytes_text, work_text
from graphc.program.explaining import Explanation, copies_of, matching
from graphc.program.memory import MemoryUse, nbytes_of
from graphc.runtime.base.homes import Copy

SHOWN = 7
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


def require(
    build: Any,
    sizes: Mapping[str, int],
    explained: Explanation,
    *,
    kernels: Any,
    peak_bytes: Any,
    copies: Any,
    fused: Iterable[Iterable[str]],
    no_dtype: Any,
) -> None:
    """See `Program.require`."""
    executable = build.executable
    if not executable.is_native:
        raise ArgumentError(f"{build.graph.name} runs the reference: it has no kernels")
    if kernels is not None:
        runs = [step for step in executable.launches if not isinstance(step, Copy)]
        steps = [f"{launch_name(step)}: {work_text(step.node)}" for step in runs]
        _compare(build, "kernels", len(steps), kernels, int, steps)
    if peak_bytes is not None:
        use = MemoryUse.of(build, sizes)
        _compare(build, "peak_bytes", use.peak_nbytes, peak_bytes, _bytes, map(str, use.at_peak))
    if copies is not None:
        found = copies_of(build, sizes)
        lines = [f"step {c['step']}: {c['why']}  [{c['where']}]" for c in found]
        _compare(build, "copies", len(found), copies, int, lines)
    for group in fused:
        _fused(build, [group] if isinstance(group, str) else list(group), explained)
    for dtype in [no_dtype] if isinstance(no_dtype, str) else no_dtype or ():
        _absent(build, dtype)


def _bytes(text: str) -> int:
    return nbytes_of(text, "require: peak_bytes")


def _compare(
    build: Any, what: str, found: int, wanted: Any, read: Callable[[str], int], lines: Iterable[str]
) -> None:
    sign, text = "==", str(wanted)
    if isinstance(wanted, str):
        parts = re.fullmatch(r"\s*(<=|>=|==|<|>)\s*(\S.*)", wanted)
        if parts is None:
            raise AttributeValueError(
                f"require: {what}={wanted!r:.40} is no comparison",
                where=caller(),
                hint=f'{what}="<=3", or {what}=3',
            )
        sign, text = parts[1], parts[2]
    try:
        limit = read(text)
    except ValueError:
        raise AttributeValueError(
            f"require: {what}={wanted!r:.40} is no number", where=caller(), hint=f'{what}="<=3"'
        ) from None
    if not _COMPARE[sign](found, limit):
        shown = nbytes_text(found) if read is _bytes else str(found)
        _fail(build, f"{what} is {shown}, not {sign} {text}", list(lines))


def _fail(build: Any, what: str, lines: list[str]) -> None:
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    raise ContractError(
        f"{build.graph.name}: {what}",
        [*lines[:SHOWN], *more],
        where=caller(),
        hint="program.explain() has the whole",
    )


def _fused(build: Any, names: list[str], explained: Explanation) -> None:
    """Refuse a program in which no kernel has all of some ops, by label or by name."""
    graph: Graph = build.executable.graph
    inside = [_names(n) for n in graph.nodes if n.op.kind not in (Kind.SOURCE, Kind.CONTROL)]
    if any(kernel.issuperset(names) for kernel in inside):
        return
    known = set().union(*inside)
    if missing := [name for name in names if name not in known]:
        lines = [f"the kernels have {', '.join(sorted(known))}"]
        _fail(build, f"no kernel has {', '.join(missing)}", lines)
    lines = matching(explained.to_dict(), names)
    _fail(build, f"{', '.join(names)} are not fused", lines or list(build_lines(graph)))


def build_lines(graph: Graph) -> Iterable[str]:
    """A line for each kernel of a graph."""
    return (described(n) for n in graph.nodes if n.op.kind is Kind.FUSED)


def _names(node: Node) -> set[str]:
    nodes = node.attr("body").nodes if node.op.kind is Kind.FUSED else (node,)
    return {name for n in nodes if n.op.kind is not Kind.SOURCE for name in (n.op.name, n.name)}


def _absent(build: Any, dtype: Any) -> None:
    """Refuse a program that computes anything of a dtype."""
    wanted = dtypes.as_dtype(dtype)
    for node in all_nodes(build.executable.graph):
        types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
        if any(type_.dtype is wanted for type_ in types):
            _fail(build, f"there is {wanted.name} in it", [node.describe()])


__all__ = ["require"]
