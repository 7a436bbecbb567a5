"""What a program tells about itself: statistics, steps, plan. Texts only, nothing runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.core.declared import values_of
from graphc.core.ir import Graph
from graphc.core.types import shape_symbols
from graphc.program.describing import (
    described,
    launch_name,
    lines_of,
    nbytes_text,
    time_text,
    work_text,
)
from graphc.runtime.base.homes import Copy
from graphc.runtime.targets import Runnable

# A symbol's size in reports before any call, where its facts admit it.
EXAMPLE_SIZE = 64


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


def memory(build: Any, sizes: Mapping[str, int]) -> tuple[int, int]:
    """The bytes of the arena, and of all intermediate results without planning."""
    call = build.executable.bind(sizes)
    return call.arena_nbytes, build.memory.unshared(sizes)


def largest(build: Any, sizes: Mapping[str, int], count: int) -> list[str]:
    """The largest intermediate results, a line each: bytes, node, the user's line."""
    found = build.memory.largest(sizes, count)
    return [f"{nbytes_text(nbytes)}: {described(buffer.node)}" for nbytes, buffer in found]


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


def launch_lines(executable: Runnable, indent: str = "", figures: Sequence[str] = ()) -> list[str]:
    """A line for each step, and below a loop or a branch those of its bodies.

    Args:
        executable: what runs.
        indent: before each line.
        figures: what is said of each step besides, in their order.
    """
    lines = []
    for number, launch in enumerate(executable.launches):
        work = "copy" if isinstance(launch, Copy) else work_text(launch.node)
        notes = "; ".join(getattr(launch, "notes", ()))
        where = lines_of(launch.node)
        lines.append(f"{indent}  {number:>3} {launch_name(launch)}: {work}  [{where}]")
        lines += [f"{indent}      {figures[number]}"] if figures else []
        lines += [f"{indent}      {notes}"] if notes else []
        for name, child in executable.nested.get(number, ()):
            lines.append(f"{indent}      {name}: {len(child.launches)} steps")
            lines += launch_lines(child, indent + "      ")
    return lines


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
            lines.append(f"{offset:>10} {nbytes:>12}  {lives:<9}  {described(b.node)}")
    return "\n".join(lines) + "\n"
