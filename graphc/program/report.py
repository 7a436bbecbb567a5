"""What a program tells about itself: statistics, plan, profile, dump. Texts only, nothing runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc import text, viz
from graphc.core.declared import values_of
from graphc.core.ir import Graph, Kind, Node, all_nodes, bodies
from graphc.core.types import shape_symbols
from graphc.runtime.base.homes import Copy
from graphc.runtime.targets import Runnable

# A symbol's size in reports before any call, where its facts admit it.
EXAMPLE_SIZE = 64


def nbytes_text(nbytes: float) -> str:
    """A number of bytes for people: 1536 is "1.5 kB" (1 kB is 1024 bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(nbytes) < 1024:
            break
        nbytes, unit = nbytes / 1024, {"B": "kB", "kB": "MB", "MB": "GB", "GB": "TB"}[unit]
    return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.1f} {unit}"


def time_text(time_s: float) -> str:
    """A time for people: 0.0000021 is "2.1 us"."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if time_s * scale >= 1:
            return f"{time_s * scale:.1f} {unit}"
    return f"{time_s * 1e9:.0f} ns"


def example_sizes(graph: Graph) -> dict[str, int]:
    """A size for every symbol, such as a batch of 64, that its facts admit."""
    sizes: dict[str, int] = {}
    symbols = {s for node in graph.inputs for s in shape_symbols(node.shape)}
    for symbol in symbols.union(values_of(graph.nodes).values()):
        step = symbol.multiple_of
        size = -(-max(symbol.min, EXAMPLE_SIZE) // step) * step
        if isinstance(symbol.max, int) and size > symbol.max:
            size = symbol.max // step * step
        sizes[symbol.name] = size
    return sizes


def sizes_text(sizes: Mapping[str, int]) -> str:
    """Sizes as messages show them: "n = 64, m = 3"; "" when there are none."""
    return ", ".join(f"{name} = {size}" for name, size in sorted(sizes.items()))


def launch_name(launch: Any) -> str:
    """The kernel of a step or copy."""
    return "copy_bytes" if isinstance(launch, Copy) else launch.kernel.name


def memory(build: Any, sizes: Mapping[str, int]) -> tuple[int, int]:
    """The bytes of the arena, and of all intermediate results without planning."""
    call = build.executable.bind(sizes)
    return call.arena_nbytes, build.memory.unshared(sizes)


def largest(build: Any, sizes: Mapping[str, int], count: int) -> list[str]:
    """The largest intermediate results, a line each: bytes, node, the user's line."""
    found = build.memory.largest(sizes, count)
    return [f"{nbytes_text(nbytes)}: {_described(buffer.node)}" for nbytes, buffer in found]


def _described(node: Node) -> str:
    return f"{_work(node)}: {node.type}  [{_lines_of(node)}]"


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one program.

    Attributes:
        nodes: pairs of a pass's name and the nodes after it, "traced" first.
        launches: steps and copies of a call.
        kernels: different kernels among them.
        sizes: the sizes that the memory figures are for.
        peak_nbytes: the arena.
        unplanned_nbytes: all intermediate results together.
        compile_time_s: of passes, lowering and loading.
        compiled: kernels that came from the compiler; the others came from the cache.
    """

    nodes: tuple[tuple[str, int], ...]
    launches: int
    kernels: int
    sizes: dict[str, int]
    peak_nbytes: int
    unplanned_nbytes: int
    compile_time_s: float
    compiled: int

    @staticmethod
    def of(build: Any, sizes: Mapping[str, int]) -> Stats:
        """The figures of a build, its memory for these sizes."""
        executable: Runnable = build.executable
        peak, unplanned = memory(build, sizes)
        return Stats(
            tuple((name, len(graph.nodes)) for name, graph in build.history),
            len(executable.launches),
            len(executable.kernels),
            dict(sizes),
            peak,
            unplanned,
            build.compile_time_s,
            len(build.compiled),
        )


def summary(build: Any, sizes: Mapping[str, int]) -> str:
    """What the compiler did, in some ten lines."""
    stats = Stats.of(build, sizes)
    lines = [f"{build.graph.name}: {len(build.graph.inputs)} inputs and parameters"]
    before = stats.nodes[0][1]
    for name, after in stats.nodes[1:]:
        lines.append(f"  {name:<14}{before:>6} -> {after:<6} nodes")
        before = after
    if not build.executable.is_native:
        return "\n".join([*lines, "  runs the NumPy reference"])
    cached = stats.kernels - stats.compiled
    lines.append(
        f"  {stats.kernels} kernels in {stats.launches} steps; {stats.compiled} compiled, "
        f"{max(cached, 0)} from the cache"
    )
    share = f" ({stats.peak_nbytes / stats.unplanned_nbytes:.0%})" if stats.unplanned_nbytes else ""
    with_sizes = f" with {sizes_text(sizes)}" if sizes else ""
    lines.append(
        f"  {nbytes_text(stats.peak_nbytes)} of memory{with_sizes}, for intermediate results of "
        f"{nbytes_text(stats.unplanned_nbytes)}{share}"
    )
    lines.append(f"  {time_text(stats.compile_time_s)} to compile")
    return "\n".join(lines)


def _work(node: Node) -> str:
    """What a node computes, for a reader: a fused node's ops in order."""
    if node.op.kind is not Kind.FUSED:
        return node.op.name
    body: Graph = node.attr("body")
    names = [n.op.name for n in body.nodes if n.op.kind is not Kind.SOURCE]
    return " ".join(names[:12]) + (f" ... {len(names)} ops" if len(names) > 12 else "")


def _lines_of(node: Node) -> str:
    """The user's lines that a node comes from, and what the user named of it."""
    nested = bodies(node).values()
    nodes = [inner for body in nested for inner in all_nodes(body)] if nested else [node]
    found: dict[str, set[int]] = {}
    for inner in nodes:
        if inner.origin and (inner is node or inner.op.kind is not Kind.SOURCE):
            found.setdefault(Path(inner.origin.file).name, set()).add(inner.origin.line)
    texts = []
    for file, lines in found.items():
        low, high = min(lines), max(lines)
        texts.append(f"{file}:{low}" if low == high else f"{file}:{low}-{high}")
    named = dict.fromkeys(inner.label for inner in nodes if inner.label)
    return ", ".join(texts) + (f"; {', '.join(named)}" if named else "")


def _launches(executable: Runnable, indent: str = "") -> list[str]:
    """A line for each step, and below a loop or a branch those of its bodies."""
    lines = []
    for number, launch in enumerate(executable.launches):
        work = "copy" if isinstance(launch, Copy) else _work(launch.node)
        notes = "; ".join(getattr(launch, "notes", ()))
        where = _lines_of(launch.node)
        lines.append(f"{indent}  {number:>3} {launch_name(launch)}: {work}  [{where}]")
        lines += [f"{indent}      {notes}"] if notes else []
        for name, child in executable.nested.get(number, ()):
            lines.append(f"{indent}      {name}: {len(child.launches)} steps")
            lines += _launches(child, indent + "      ")
    return lines


def explain(build: Any, sizes: Mapping[str, int]) -> str:
    """What became one kernel, what did not and why, and the largest buffers."""
    if not build.executable.is_native:
        return f"{build.graph.name} runs the NumPy reference, op by op.\n"
    lines = [f"{build.graph.name}: {len(build.executable.launches)} steps"]
    lines += _launches(build.executable)
    if refusals := build.refusals():
        lines += ["not fused:", *(f"  {refusal}" for refusal in refusals)]
    if buffers := largest(build, sizes, 5):
        title = f"largest intermediate results with {sizes_text(sizes)}:" if sizes else (
            "largest intermediate results:"
        )  # fmt: skip
        lines += [title, *(f"  {line}" for line in buffers)]
    return "\n".join(lines) + "\n"


def plan(build: Any, sizes: Mapping[str, int]) -> str:
    """Steps and memory as a table."""
    executable: Runnable = build.executable
    if not executable.is_native:
        return f"{build.graph.name} runs the NumPy reference: no steps, no plan.\n"
    title = f"{build.graph.name}" + (f" with {sizes_text(sizes)}" if sizes else "")
    lines = [title, "", "step      extent   grain  kernel"]
    for number, (name, extent, grain, commit) in enumerate(executable.describe(sizes)):
        mark = "  writes state" if commit else ""
        lines.append(f"{number:>4} {extent:>11} {grain:>7}  {name}{mark}")
    peak, unplanned = memory(build, sizes)
    lines += ["", f"arena: {nbytes_text(peak)}; without planning {nbytes_text(unplanned)}"]
    if build.memory.buffers:
        lines += ["", "    offset        bytes  lives      what"]
        placement = build.memory.place(sizes)
        rows = zip(placement.offsets, placement.sizes, build.memory.buffers)
        for offset, nbytes, b in sorted(rows, key=lambda row: (row[2].first, row[0])):
            lives = f"{b.first}-{b.last}"
            lines.append(f"{offset:>10} {nbytes:>12}  {lives:<9}  {_described(b.node)}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Profile:
    """Times of a program's steps.

    `rows` are (kernel, seconds, what it computes), in the order in which the steps run.
    """

    name: str
    rows: tuple[tuple[str, float, str], ...]

    @staticmethod
    def of(name: str, executable: Runnable, runs: Sequence[Sequence[int]]) -> Profile:
        """The least time of each step over runs, given in nanoseconds."""
        best = [min(times) for times in zip(*runs)]
        rows = [
            (launch_name(launch), time * 1e-9, _lines_of(launch.node))
            for launch, time in zip(executable.launches, best)
        ]
        return Profile(name, tuple(rows))

    @property
    def total_s(self) -> float:
        """The sum of all steps' times, in seconds."""
        return sum(time for _, time, _ in self.rows)

    def __str__(self) -> str:
        total = self.total_s or 1.0
        lines = [f"{self.name}: {time_text(self.total_s)} in {len(self.rows)} steps"]
        lines += [
            f"  {time_text(time):>9} {time / total:>5.0%}  {kernel}  [{where}]"
            for kernel, time, where in self.rows
        ]
        return "\n".join(lines) + "\n"


def dump(build: Any, sizes: Mapping[str, int], folder: Path) -> Path:
    """Write graphs, kernels and the plan into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, graph) in enumerate(build.history):
        stem = f"{number:02}-{name}"
        (folder / f"{stem}.py").write_text(text.show(graph, origins=True), encoding="utf-8")
        (folder / f"{stem}.dot").write_text(viz.dot(graph), encoding="utf-8")
    viz.dump(build.history[-1][1], folder / "final.svg")
    if build.executable.is_native:
        kernels = folder / "kernels"
        kernels.mkdir(exist_ok=True)
        for name, source in build.executable.kernels.items():
            (kernels / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "plan.txt").write_text(plan(build, sizes), encoding="utf-8")
    (folder / "explain.txt").write_text(explain(build, sizes), encoding="utf-8")
    return folder
