"""What is made of a graph: `Build`; and how, when it is known what the passes make of it: `ready`.

A file that was loaded before comes here straight, with no pass imported.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphc import config, text
from graphc.core.ir import Graph, caller
from graphc.core.layout import Layout
from graphc.errors import AttributeValueError
from graphc.passes.memory.plan import MemoryPlan, plan
from graphc.runtime import targets
from graphc.runtime.objects import loader

if TYPE_CHECKING:
    from graphc.passes.fusion.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Build:
    """What the driver made of a graph, and how.

    Attributes:
        graph: as traced; its outputs are the results, then the new values of parameters.
        history: pairs of a pass's name and the graph after it.
        layout: the form of the results.
        executable: what runs: native code, or the reference.
        memory: the memory plan.
        debug: the level of GRAPHC_DEBUG.
        compile_time_s: how long it took.
        compiled: names of the kernels that came from the compiler, not from the cache.
        refusals: gives what was not fused, and why.
        options: what `compile` was told: level, threads, target, fast_math.
        first: computes sizes before each call, see `measuring`.
        budget: most bytes of the arena; None where there is no budget.
    """

    graph: Graph
    history: tuple[tuple[str, Graph], ...]
    layout: Layout
    executable: targets.Runnable
    memory: Any
    debug: int = 0
    compile_time_s: float = 0.0
    compiled: tuple[str, ...] = ()
    refusals: Callable[[], Sequence[Refusal]] = tuple
    options: Mapping[str, Any] | None = None
    first: Any = None
    budget: int | None = None


def ready(
    graph: Graph,
    history: tuple[tuple[str, Graph], ...],
    layout: Layout,
    target: targets.Target,
    threads: int | None,
    start: float,
    refusals: Callable[[], Sequence[Refusal]] = tuple,
) -> Build:
    """Make the final graph ready to run, and plan its memory.

    Args:
        graph: as traced.
        history: pairs of a pass's name and the graph after it.
        layout: the form of the results.
        target: what is to run it.
        threads: most threads that a call uses; None for the setting.
        start: of the compilation, as `time.perf_counter` gives it.
        refusals: gives what was not fused, and why.
    """
    debug = config.current().debug
    before = len(loader.compiled)
    _, final = history[-1]
    executable = target.program(final, threads)
    memory = planned(executable)
    if debug >= 3 and executable.is_native:
        sys.stderr.write(text.show(final))
    if debug >= 4:
        sys.stderr.write("\n".join(executable.kernels.values()))
    return Build(
        graph,
        history,
        layout,
        executable,
        memory,
        debug=debug,
        compile_time_s=time.perf_counter() - start,
        compiled=tuple(n for n in loader.compiled[before:] if n in executable.kernels),
        refusals=refusals,
    )


def planned(executable: targets.Runnable) -> MemoryPlan:
    """Plan the memory of a program and of those nested in it."""
    for each in targets.tree(executable):
        workspaces = {node: list(names.items()) for node, names in each.workspaces.items()}
        each.memory = plan(each.graph, workspaces, each.arena_values)
    return executable.memory


def check_threads(threads: Any, what: str) -> None:
    """Refuse what is no number of threads.

    Args:
        threads: to check; None is the setting's.
        what: the function it was given to.

    Raises:
        AttributeValueError: it is neither None nor a number from 1.
    """
    is_number = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is not None and not (is_number and threads >= 1):
        raise AttributeValueError(
            f"{what}: threads must be a number from 1, or None, not {threads!r}", where=caller()
        )
