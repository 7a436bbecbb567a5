"""From tensors to a program: `compile`.

`compile` checks what the user gave, runs the passes, lets the target make the graph ready to run,
and plans memory. This is the only place that knows both passes and runtime.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from graphc import config
from graphc.core import dtypes
from graphc.core.arguments import CASTINGS
from graphc.core.atoms import is_kept
from graphc.core.garbage import uncollected
from graphc.core.ir import Graph, Node, caller
from graphc.core.layout import Layout, arguments, given_values
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import Tree
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
)
from graphc.ops.source import Parameter
from graphc.passes.fusion.fuse import explain, fuse
from graphc.passes.fusion.refusal import Refusal
from graphc.passes.own import GraphPass, listed
from graphc.passes.pipeline import KNOWN, LEVELS, optimize
from graphc.passes.stabilise import stabilise
from graphc.program.budget import within_budget
from graphc.program.build import Build, check_threads, ready
from graphc.program.measuring import First, inputs_for
from graphc.program.memory import nbytes_of
from graphc.program.program import Program
from graphc.program.traced import freed, input_list, parts_of, traced
from graphc.runtime import targets


def compile(
    inputs: Any,
    outputs: Any = None,
    updates: Mapping[Parameter, Any] | None = None,
    *,
    level: str = "O2",
    threads: int | None = None,
    target: str | targets.Target = "cpu",
    fast_math: bool = False,
    name: str | None = None,
    defaults: Mapping[Any, Any] | None = None,
    passes: Sequence[Any] = (),
    casting: str = "equiv",
    memory_budget: int | str | None = None,
) -> Program:
    """Compile a graph to a program.

    Args:
        inputs: the input tensors, in the order in which calls give them: a list, or one. An
            entry may be a structure (lists, tuples, dicts, dataclasses) of tensors, which calls
            give in one argument; the keys of a dict name the arguments. The parameters and
            constants that are needed are found. Or a whole `gc.Graph` with its outputs and
            updates; parameters of it that have no value (a text has none) are 0, with a warning.
        outputs: one tensor, or a structure of them; calls return arrays in that form. A
            dimension is a tensor of its size; None where only the updates matter.
        updates: new values of parameters, each of its parameter's type; numbers and arrays are
            brought to it. All are computed from the values before the call, and take effect
            together at its end. A program that draws from the default random generator
            advances it.
        level: "O0" (no passes) to "O3".
        threads: most threads that a call uses; GRAPHC_THREADS or all CPUs unless given.
        target: "cpu", "reference" to run each op with NumPy, one that was registered (see
            `runtime.targets`), or a target itself, such as `gc.cuda.Target(arch="sm_90")`.
        fast_math: allow rules that may change roundings, and what becomes of nan and inf.
        name: an identifier for messages and dumps.
        defaults: values of inputs that a call may leave out: {rate: 0.1}, or by name.
        passes: passes to run besides the level's own, in order: what `gc.graph_pass` makes,
            functions from graph to graph, names; at level "O0" they are all that run.
        casting: which arrays of other dtypes than an input's calls take and convert, by NumPy's
            rules: "equiv" (none), "safe", "same_kind" (float64 for float32, integers for floats)
            or "unsafe". Numbers and lists of them have no dtype of their own: they always take
            the input's, where it holds them.
        memory_budget: most bytes of intermediate results: a number, or "64MiB". Values are
            computed again to keep to it. Of symbolic sizes each call's are held to it.
            Archives don't keep it.

    Returns:
        The program. Settings (`GRAPHC_*`) in force now hold for all of its calls.

    Raises:
        PassError: a pass returned no graph, or broke what passes keep.
        GraphError: an output depends on an input that isn't listed; an input is listed twice,
            or not used; two parameters have one name.
        ArgumentError, AttributeValueError: something is of the wrong kind or value.
        ShapeError, DTypeError: an update is not of its parameter's type.
        OutOfMemoryError: the memory budget can't be kept; the message has what does not fit.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> double = gc.compile([x], x + x)
        >>> double(np.array([1.0, 2.0, 3.0], np.float32))
        array([2., 4., 6.], dtype=float32)
    """
    options: dict[str, Any] = {
        "level": level, "threads": threads, "target": target, "fast_math": fast_math,
    }  # fmt: skip
    if passes:
        options["passes"] = listed(passes, KNOWN)
    if memory_budget is not None:
        options["memory_budget"] = nbytes_of(memory_budget, "compile: memory_budget")
    if isinstance(inputs, Graph):
        if outputs is not None or updates is not None:
            raise ArgumentError(
                "compile: a graph has its outputs and updates; it is given others", where=caller()
            )
        name = name or inputs.name
        inputs, outputs, updates = parts_of(inputs)
    if casting not in CASTINGS:
        raise AttributeValueError(
            f"compile: casting={casting!r}", where=caller(), hint=f"one of {', '.join(CASTINGS)}"
        )
    return _program(inputs, outputs, updates, name, options, defaults, stabilise, casting)


def compile_as_written(
    inputs: Any,
    outputs: Any,
    updates: Mapping[Parameter, Any] | None = None,
    *,
    name: str,
    level: str = "O2",
) -> Program:
    """`compile` of a graph that stands for eager code, whose values it has: none is made stable."""
    options = {"level": level, "threads": None, "target": "cpu", "fast_math": False}
    return _program(inputs, outputs, updates, name, options, None, lambda graph: graph)


def _program(
    inputs: Any,
    outputs: Any,
    updates: Any,
    name: str | None,
    options: dict[str, Any],
    defaults: Mapping[Any, Any] | None,
    prepared: Callable[[Graph], Graph],
    casting: str = "equiv",
) -> Program:
    """The program of what `prepared` makes of the graph as it was written."""
    _check_options(options["level"], options["threads"], options["target"], name)
    if updates is not None and not isinstance(updates, Mapping):
        raise ArgumentError(
            f"compile: updates is a {type(updates).__name__}, not a dict by parameter",
            where=caller(),
            hint="updates={w: w - 0.1 * gc.grad(loss, w)}, or optimizer.updates(loss)",
        )
    layout, results = Layout.of(outputs)
    layout = replace(layout, casting=casting)
    takes, listed = arguments(inputs)
    taken, results = freed(listed, results)
    nodes = input_list(taken)
    given = _defaults(nodes, dict(defaults or {}), casting)
    layout = replace(layout, takes=takes, given=given)
    chosen = Chosen(name or "program", layout, options, prepared)
    return _compiled(chosen, nodes, results, dict(updates or {}))


class Chosen(NamedTuple):
    """What holds for a program, and for the one that computes its sizes.

    Attributes:
        name, layout, options: see `compile`.
        prepared: what is made of the graph as it was written.
    """

    name: str
    layout: Layout
    options: Mapping[str, Any]
    prepared: Callable[[Graph], Graph]


def _compiled(
    chosen: Chosen, inputs: list[Node], results: list[Any], updates: dict[Any, Any] | None
) -> Program:
    """A program, and the one that computes sizes before each of its calls, where there are some.

    Args:
        chosen: its settings.
        inputs, results: see `compile`.
        updates: None for a program of sizes, which writes no state and need not use its inputs.
    """
    written, computed = traced(chosen.name, inputs, chosen.layout, results, updates)
    first = None
    if computed:
        sizes = [FUNCTIONS["cast"](s.source, dtypes.int64) for s in computed]
        taken = inputs_for(inputs, sizes, computed)
        own = chosen._replace(name=f"{chosen.name}_sizes", layout=Layout.of(sizes)[0])
        first = First(_compiled(own, taken, [*sizes], None))
    graph = chosen.prepared(written)
    made = within_budget(build, graph, chosen.layout, chosen.options)
    history = made.history
    if graph is not written:
        history = (("traced", written), (stabilise.__name__, graph), *history[1:])
    kept = {name: value for name, value in chosen.options.items() if name != "memory_budget"}
    return Program(replace(made, options=kept, history=history, first=first))


def build(
    graph: Graph,
    layout: Layout,
    *,
    level: str,
    threads: int | None,
    target: str | targets.Target,
    fast_math: bool,
    passes: Sequence[GraphPass] = (),
    frugal: bool = False,
) -> Build:
    """What `compile` makes of a graph that is checked already.

    Args:
        graph: as traced, its parameters and constants among its inputs.
        layout: the form of the results.
        level: see `compile`, as the others.
        frugal: whether whatever lowers the peak of memory is computed again.
    """
    start = time.perf_counter()
    settings = config.current()
    as_defined = "finite" in settings.check or settings.device == "reference"
    chosen = targets.find("reference" if as_defined else target)
    if not chosen.is_optimized:
        return ready(graph, (("traced", graph),), layout, chosen, threads, start)
    with uncollected():
        _, steps = optimize(graph, level, fast_math, own=passes, frugal=frugal)
        history = tuple(steps)
        return ready(graph, history, layout, chosen, threads, start, lambda: _refusals(history))


def _refusals(history: Sequence[tuple[str, Graph]]) -> list[Refusal]:
    """What fusion left apart, and why."""
    for (_, before), (name, _) in pairwise(history):
        if name == fuse.__name__:
            return explain(before)
    return []


def _check_options(level: Any, threads: Any, target: Any, name: Any) -> None:
    if level not in LEVELS:
        raise AttributeValueError(
            f"compile: {level!r} is not a level", where=caller(), hint=f"one of {', '.join(LEVELS)}"
        )
    targets.find(target)
    check_threads(threads, "compile")
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise AttributeValueError(
            f"compile: the name {name!r} is not an identifier",
            where=caller(),
            hint='such as "train_step"',
        )
    if name is not None and not is_kept(name):
        raise AttributeValueError(
            f"compile: the name {name!r} cannot stand in the text form of graphs",
            where=caller(),
            hint="a keyword of Python, or letters that Python reads as others; choose another",
        )


def _defaults(
    inputs: Sequence[Node], defaults: Mapping[Any, Any], casting: str
) -> dict[str, np.ndarray]:
    """The values of inputs that calls may leave out, by name."""
    by_name = {node.name: node for node in inputs}
    defaults = {by_name.get(k, k) if isinstance(k, str) else k: v for k, v in defaults.items()}
    for node in defaults:
        if not isinstance(node, Node) or node not in set(inputs):
            raise ArgumentError(
                "compile: a key of defaults is not one of the inputs",
                [node.describe() if isinstance(node, Node) else repr(node)[:80]],
                where=caller(),
                hint="write defaults={rate: 0.1} of what gc.input made, or its name",
            )
    values = {node.name: value for node, value in defaults.items()}
    return given_values("compile", inputs, Layout(Tree(), casting=casting), (), values)
