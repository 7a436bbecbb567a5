"""`explain()`: each kernel with its figures, what stays apart and why, copies, memory.

The reasons are those that fusion gives itself (`passes/fusion`); nothing is decided again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.ir import Graph, Kind, Node
from graphc.program import report
from graphc.program.costs import Host, Work, host, works
from graphc.program.describing import launch_name, lines_of, nbytes_text, time_text, work_text
from graphc.program.profiling import Profile
from graphc.runtime.base.homes import Copy, External, Staged

LARGEST = 5
LEAST_S = 1e-6  # of a step whose shares are shown: the clock's own time is in them


class Explanation(str):
    """What became one kernel, what did not and why: a text, and the same as data.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> found = gc.compile([x], gc.exp(x) * 2.0).explain()
        >>> "exp multiply" in found, found.to_dict()["steps"][0]["bytes"]
        (True, 24)
    """

    __slots__ = ("_data",)
    _data: dict[str, Any]

    @staticmethod
    def of(data: dict[str, Any], text: str) -> Explanation:
        """A text with its data."""
        made = Explanation(text)
        made._data = data
        return made

    def to_dict(self) -> dict[str, Any]:
        """The figures as what JSON holds: times in seconds, sizes in bytes; None where unknown.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> sorted(gc.compile([x], -x).explain().to_dict())
            ['apart', 'blas', 'copies', 'largest', 'name', 'recompiles', 'sizes', 'steps']
        """
        return self._data


def explain(build: Any, sizes: Mapping[str, int], profile: Profile | None = None) -> Explanation:
    """Explain a build.

    Args:
        build: what the driver made.
        sizes: the size of every symbol, by name.
        profile: times of its steps; without it there are none.
    """
    if not build.executable.is_native:
        data = {"name": build.graph.name, "sizes": dict(sizes), "steps": [], "apart": [],
                "copies": [], "largest": [], "blas": 0, "recompiles": ""}  # fmt: skip
        return Explanation.of(data, f"{build.graph.name} runs the NumPy reference, op by op.\n")
    data = {
        "name": build.graph.name,
        "sizes": dict(sizes),
        "steps": steps_of(build, sizes, profile),
        "apart": [_apart(refusal, sizes) for refusal in build.refusals()],
        "copies": copies_of(build, sizes),
        "blas": 0,  # products have graphc's own kernels
        "recompiles": _recompiles(build.graph),
        "largest": [
            {"bytes": n, "what": work_text(b.node), "where": lines_of(b.node)}
            for n, b in build.memory.largest(sizes, LARGEST)
        ],
    }
    return Explanation.of(data, _text(build, sizes, data))


def steps_of(build: Any, sizes: Mapping[str, int], profile: Profile | None) -> list[dict[str, Any]]:
    """Each launch: kernel, work, lines, bytes, flops; with a profile its time and shares."""
    launches = build.executable.launches
    done = works(launches, sizes)
    times = [time for _, time, _ in profile.rows] if profile else [None] * len(launches)
    able = _able(done, times) if profile else None
    return [
        {
            "kernel": launch_name(launch),
            "work": "copy" if isinstance(launch, Copy) else work_text(launch.node),
            "where": lines_of(launch.node),
            **_figures(work, time, able),
            "notes": list(getattr(launch, "notes", ())),
        }
        for launch, work, time in zip(launches, done, times)
    ]


def _able(done: Sequence[Work], times: Sequence[Any]) -> Host:
    """What the machine does at best: as measured, or as a step did more in a second."""
    found = host()
    reached = [w.flops / t for w, t in zip(done, times) if w.flops and t and t >= LEAST_S]
    return Host(found.bandwidth, max([found.peak, *reached]))


def _figures(work: Work, time: float | None, able: Host | None) -> dict[str, Any]:
    """Figures of a step; its shares are None where it was not timed, or in no time."""
    figures: dict[str, Any] = {"bytes": work.nbytes, "flops": work.flops, "time_s": time,
                               "bandwidth": None, "peak": None}  # fmt: skip
    if time and able and time >= LEAST_S:
        figures["bandwidth"] = work.nbytes / time / able.bandwidth
        figures["peak"] = None if work.flops is None else work.flops / time / able.peak
    return figures


def _apart(refusal: Any, sizes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "producer": _named(refusal.producer),
        "consumer": _named(refusal.consumer),
        "reason": refusal.reason,
        "bytes": int(dims.evaluate(refusal.saved, sizes)),
        "advice": refusal.advice,
    }


def _named(node: Node) -> str:
    where = f"  [{lines_of(node)}]" if node.origin else ""
    return f"{node.name}: {node.type}{where}"


def copies_of(build: Any, sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """The launches that only move elements, each with its bytes and why it is there."""
    executable = build.executable
    found = []
    for number, (launch, work) in enumerate(
        zip(executable.launches, works(executable.launches, sizes))
    ):
        why = _why_copied(launch, executable.graph)
        if why:
            found.append({"step": number, "bytes": work.nbytes, "why": why,
                          "where": lines_of(launch.node)})  # fmt: skip
    return found


def _why_copied(launch: Any, graph: Graph) -> str:
    if isinstance(launch, Copy):
        if isinstance(launch.target, Staged):
            return "another update takes the old value of this parameter"
        if not isinstance(launch.target, External):
            return "the new value of a parameter whose old one is read until the end"
        if launch.node.op.kind is Kind.SOURCE:
            return "a result that is an input: results have memory of their own"
        return "a result that is another result too"
    node = launch.node
    inside = node.attr("body").nodes if node.op.kind is Kind.FUSED else (node,)
    if any(n.op.kind not in (Kind.MOVEMENT, Kind.SOURCE) for n in inside):
        return ""
    reader = next((n for n in graph.nodes if any(i is node for i in n.inputs)), None)
    moved = " ".join(n.op.name for n in inside if n.op.kind is Kind.MOVEMENT) or node.op.name
    if reader is None or any(o is node for o in graph.outputs):
        return f"{moved}: a result lies in one piece"
    return f"{moved}: {reader.op.name} reads it from memory"


def _recompiles(graph: Graph) -> str:
    free = [n for n in graph.inputs if not hasattr(n, "state")]
    symbols = sorted(report.example_sizes(graph))
    if symbols:
        return f"never: {', '.join(symbols)} may have any size"
    return "never: its inputs have fixed shapes" if free else "never: it has no inputs"


def _text(build: Any, sizes: Mapping[str, int], data: dict[str, Any]) -> str:
    lines = [f"{data['name']}: {len(data['steps'])} steps"]
    lines += report.launch_lines(build.executable, figures=list(map(_figure_text, data["steps"])))
    if data["apart"]:
        lines.append("not fused:")
    for each in data["apart"]:
        lines.append(f"  {each['producer']} and {each['consumer']}: {each['reason']}")
        lines.append(f"      {nbytes_text(each['bytes'])} would be saved; {each['advice']}")
    if data["copies"]:
        lines.append("copies:")
    for each in data["copies"]:
        lines.append(f"  {each['step']:>3} {nbytes_text(each['bytes'])}: {each['why']}")
    lines.append("on BLAS: nothing; products and convolutions have kernels of graphc's own")
    lines.append(f"compiled again: {data['recompiles']}")
    if data["largest"]:
        with_sizes = f" with {report.sizes_text(sizes)}" if sizes else ""
        lines.append(f"largest intermediate results{with_sizes}:")
        lines += [f"  {line}" for line in report.largest(build, sizes, LARGEST)]
    return "\n".join(lines) + "\n"


def _figure_text(step: dict[str, Any]) -> str:
    """The figures of a step, such as "1.2 ms, 4.0 MB (57% of bandwidth), 12 Mflop (3% of peak)"."""
    shares = [
        "" if step[key] is None else f" ({step[key]:.0%} of {word})"
        for key, word in (("bandwidth", "memory's bandwidth"), ("peak", "peak"))
    ]
    flops = "" if not step["flops"] else f", {flops_text(step['flops'])}{shares[1]}"
    time = "" if step["time_s"] is None else f"{time_text(step['time_s'])}, "
    return f"{time}{nbytes_text(step['bytes'])}{shares[0]}{flops}"


def flops_text(count: float) -> str:
    """A number of operations for people: 1500 is "1.5 kflop"."""
    for unit in ("flop", "kflop", "Mflop", "Gflop"):
        if count < 1000 or unit == "Gflop":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "flop" else f"{count:.1f} {unit}"


def matching(data: dict[str, Any], words: Sequence[str]) -> list[str]:
    """The lines of what stays apart in which one of some words is."""
    lines = [f"{a['producer']} and {a['consumer']}: {a['reason']}" for a in data["apart"]]
    return [line for line in lines if any(word in line for word in words)]


__all__ = ["Explanation", "copies_of", "explain", "flops_text", "matching", "steps_of"]
