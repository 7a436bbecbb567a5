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
from graphc.core import dims, dtypes
from graphc.core.atoms import is_kept
from graphc.core.declared import values_of
from graphc.core.dims import Dim, Symbol
from graphc.core.garbage import uncollected
from graphc.core.inner import is_placeholder
from graphc.core.ir import Graph, Node, all_nodes, at_origin, caller, effects, tensor_type
from graphc.core.layout import Layout, arguments, given_values
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.trees import Tree
from graphc.core.walk import dependents, substitute, toposort
from graphc.errors import (
    ArgumentError,
    AttributeValueError,
    DTypeError,
    GraphError,
    ShapeError,
)
from graphc.ops.arrays import random
from graphc.ops.declare import as_symbolic, as_tensor, bring, operand
from graphc.ops.implied import implied, named_apart
from graphc.ops.source import INPUT_OP, Bound, Parameter, is_stream
from graphc.passes.cse import cse
from graphc.passes.fusion.fuse import explain, fuse
from graphc.passes.pipeline import LEVELS, optimize
from graphc.passes.stabilise import stabilise
from graphc.program.build import Build, check_threads, ready
from graphc.program.measuring import First, computed_sizes, inputs_for, measured
from graphc.program.program import Program
from graphc.runtime import targets

# Lines of a path in a message: the rest of the 12 say what, where and what to do.
PATH_LINES = 8


def compile(
    inputs: Any,
    outputs: Any,
    updates: Mapping[Parameter, Any] | None = None,
    *,
    level: str = "O2",
    threads: int | None = None,
    target: str = "cpu",
    fast_math: bool = False,
    name: str | None = None,
    defaults: Mapping[Any, Any] | None = None,
) -> Program:
    """Compile a graph to a program.

    Args:
        inputs: the input tensors, in the order in which calls give them: a list, or one. An
            entry may be a structure (lists, tuples, dicts, dataclasses) of tensors, which calls
            give in one argument; the keys of a dict name the arguments. The parameters and
            constants that are needed are found.
        outputs: one tensor, or a structure of them; calls return arrays in that form. A
            dimension is a tensor of its size; None where only the updates matter.
        updates: new values of parameters, each of its parameter's type; numbers and arrays are
            brought to it. All are computed from the values before the call, and take effect
            together at its end. A program that draws from the default random generator
            advances it.
        level: "O0" (no passes) to "O3".
        threads: most threads that a call uses; GRAPHC_THREADS or all CPUs unless given.
        target: "cpu", "reference" to run each op with NumPy, or one that was registered (see
            `runtime.targets`).
        fast_math: allow rules that may change roundings, and what becomes of nan and inf.
        name: an identifier for messages and dumps.
        defaults: values of inputs that a call may leave out: {rate: 0.1}.

    Returns:
        The program. Settings (`GRAPHC_*`) in force now hold for all of its calls.

    Raises:
        GraphError: an output depends on an input that isn't listed; an input is listed twice,
            or not used; two parameters have one name.
        ArgumentError, AttributeValueError: something is of the wrong kind or value.
        ShapeError, DTypeError: an update is not of its parameter's type.

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
    return _program(inputs, outputs, updates, name, options, defaults, stabilise)


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
    takes, listed = arguments(inputs)
    nodes = _input_list(listed)
    layout = replace(layout, takes=takes, given=_defaults(nodes, dict(defaults or {})))
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
    written, computed = _traced(chosen.name, inputs, chosen.layout, results, updates)
    first = None
    if computed:
        sizes = [FUNCTIONS["cast"](s.source, dtypes.int64) for s in computed]
        taken = inputs_for(inputs, sizes, computed)
        own = chosen._replace(name=f"{chosen.name}_sizes", layout=Layout.of(sizes)[0])
        first = First(_compiled(own, taken, [*sizes], None))
    graph = chosen.prepared(written)
    made = build(graph, chosen.layout, **chosen.options)
    history = made.history
    if graph is not written:
        history = (("traced", written), (stabilise.__name__, graph), *history[1:])
    return Program(replace(made, options=chosen.options, history=history, first=first))


def build(
    graph: Graph, layout: Layout, *, level: str, threads: int | None, target: str, fast_math: bool
) -> Build:
    """What `compile` makes of a graph that is checked already.

    Args:
        graph: as traced, its parameters and constants among its inputs.
        layout: the form of the results.
        level: see `compile`, as the others.
    """
    start = time.perf_counter()
    settings = config.current()
    as_defined = "finite" in settings.check or settings.device == "reference"
    chosen = targets.find("reference" if as_defined else target)
    if not chosen.is_optimized:
        return ready(graph, (("traced", graph),), layout, chosen, threads, start)
    with uncollected():
        _, steps = optimize(graph, level, fast_math)
        history = tuple(steps)
        return ready(graph, history, layout, chosen, threads, start, lambda: _refusals(history))


def _refusals(history: Sequence[tuple[str, Graph]]) -> list[str]:
    """What fusion left apart, and why."""
    for (_, before), (name, _) in pairwise(history):
        if name == fuse.__name__:
            return [str(refusal) for refusal in explain(before)]
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


def _defaults(inputs: Sequence[Node], defaults: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """The values of inputs that calls may leave out, by name."""
    for node in defaults:
        if not isinstance(node, Node) or node not in set(inputs):
            raise ArgumentError(
                "compile: a key of defaults is not one of the inputs",
                [node.describe() if isinstance(node, Node) else repr(node)[:80]],
                where=caller(),
                hint="write defaults={rate: 0.1} of what gc.input made",
            )
    values = {node.name: value for node, value in defaults.items()}
    return given_values("compile", inputs, Layout(Tree()), (), values)


def _input_list(listed: Sequence[Any]) -> list[Node]:
    for position, node in enumerate(listed):
        if isinstance(node, Bound):
            raise ArgumentError(
                f"compile: input {position} is the {node.op.name} {node.name!r}",
                [node.describe()],
                where=caller(),
                hint="leave it out: what a graph needs of its parameters is found by itself",
            )
        if not isinstance(node, Node) or node.op is not INPUT_OP:
            what = (
                node.describe() if isinstance(node, Node) else f"{type(node).__name__} {node!r:.60}"
            )
            raise ArgumentError(
                f"compile: input {position} is not made by gc.input",
                [what],
                where=caller(),
            )
    _check_distinct(listed)
    return list(listed)


def _check_distinct(inputs: Sequence[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in inputs:
        other = seen.setdefault(node.name, node)
        if other is node and sum(n is node for n in inputs) > 1:
            raise GraphError(
                f"compile: input {node.name!r} is listed twice", [node.describe()], where=caller()
            )
        if other is not node:
            raise GraphError(
                f"compile: two inputs are named {node.name!r}",
                [other.describe(), node.describe()],
                where=caller(),
                hint="give each a name of its own",
            )


def _traced(
    name: str,
    inputs: list[Node],
    layout: Layout,
    results: list[Any],
    given_updates: dict[Any, Any] | None,
) -> tuple[Graph, list[Symbol]]:
    """The graph as the user wrote it, checked, and the sizes that are computed before it runs."""
    results = [as_tensor(r, "compile") if isinstance(r, Dim) else as_symbolic(r) for r in results]
    is_whole = given_updates is not None
    given = {
        p.as_node() if isinstance(p, Operators) else p: v for p, v in (given_updates or {}).items()
    }
    updates = {p: _new_value(p, value) for p, value in given.items()}
    for position, result in enumerate(results):
        if not isinstance(result, Node):
            raise ArgumentError(
                f"compile: {layout.label(position)} is a {type(result).__name__}, not a tensor",
                where=caller(),
                hint="outputs are one tensor, or a list, tuple or dict of tensors",
            )
    for parameter, value in updates.items():
        _check_update(parameter, value)
    if not results and not updates:
        raise GraphError("compile: there are no outputs and no updates", where=caller())
    order = toposort((*results, *updates.values()))
    new = implied(order, updates) if is_whole else {}
    updates |= new
    toposort(tuple(new.values()), order)
    streams = [n for n in order if is_stream(n) and n not in updates] if is_whole else []
    for stream in streams:
        with at_origin(stream.origin):
            updates[stream] = random.advance(stream)
        toposort((updates[stream],), order)
    if apart := named_apart(dict.fromkeys([*updates, *order])):
        done = iter(substitute([*results, *updates.values()], apart))
        results = [next(done) for _ in results]
        updates = {apart.get(p, p): next(done) for p in updates}
        order = toposort((*results, *updates.values()))
    labels = [layout.label(k) for k in range(len(results))]
    labels += [f"the update of {p.name!r}" for p in updates]
    roots = [*results, *updates.values()]
    computed = computed_sizes([*order, *inputs], inputs)
    sources = [s.source for s in computed]
    _check_listed(
        inputs,
        toposort(sources, order.copy()),
        [*roots, *sources],
        [*labels, *(f"a size, {s.source.describe()}," for s in computed)],
        is_whole,
    )
    bound = list(dict.fromkeys([*updates, *(n for n in order if isinstance(n, Bound))]))
    _check_names(bound)
    every = [*inputs, *map(measured, computed), *bound]
    places = {node: position for position, node in enumerate(every)}
    aliases = [(len(results) + k, places[p]) for k, p in enumerate(updates)]
    graph = Graph.of(name, every, roots, aliases)
    if effects(graph.nodes):
        graph = cse(graph)  # a gradient's copies of loops have their effects once
    _check_symbols(inputs, graph)
    return graph, computed


def _new_value(parameter: Any, value: Any) -> Any:
    """A parameter's new value as a tensor: numbers and arrays in its dtype, of its shape."""
    known = isinstance(value, int | float | np.ndarray | np.generic | Dim)
    if not known or not isinstance(parameter, Parameter):
        return as_symbolic(value)
    return bring(operand(value, "compile"), parameter.dtype, parameter.shape)


def _check_update(parameter: Any, value: Any) -> None:
    if not isinstance(parameter, Parameter):
        what = parameter.describe() if isinstance(parameter, Node) else repr(parameter)[:80]
        raise ArgumentError(
            "compile: a key of updates is not a parameter",
            [what],
            where=caller(),
            hint="only what gc.parameter made keeps a value between calls",
        )
    if not isinstance(value, Node):
        raise ArgumentError(
            f"compile: the update of {parameter.name!r} is a {type(value).__name__}, not a tensor",
            where=caller(),
            hint="give a tensor, an array or a number",
        )
    if value.type == parameter.type:
        return
    own, new = tensor_type(parameter), tensor_type(value)
    error = DTypeError if own.dtype is not new.dtype else ShapeError
    raise error(
        f"compile: the update of {parameter.name!r} is {new}, the parameter is {own}",
        [parameter.describe(), value.describe()],
        where=caller(),
        hint=f"cast it with astype(gc.{own.dtype.name})" if error is DTypeError else "",
    )


def _check_listed(
    inputs: Sequence[Node],
    order: Mapping[Node, None],
    roots: Sequence[Node],
    labels: Sequence[str],
    is_whole: bool,
) -> None:
    """Every input that is needed is listed, and every input listed is needed."""
    listed = set(inputs)
    for node in order:
        if node.op is INPUT_OP and node not in listed:
            position, path = _path(roots, node)
            if is_placeholder(node):
                raise GraphError(
                    f"compile: {labels[position]} depends on {node.name!r}, a value inside a loop "
                    "or a branch",
                    [f"{'through ' * (k > 0)}{n.describe()}" for k, n in enumerate(path[:4])],
                    where=caller(),
                    hint="return it from the function of the loop or branch instead of keeping it",
                )
            shown = path if len(path) <= PATH_LINES else [*path[:4], None, *path[-3:]]
            raise GraphError(
                f"compile: {labels[position]} depends on input {node.name!r}, which is not listed",
                [
                    "..." if step is None else f"{'through ' * (k > 0)}{step.describe()}"
                    for k, step in enumerate(shown)
                ],
                where=caller(),
                hint=f"add {node.name} to the inputs",
            )
    sizes = {s for node in order for s in _symbols_of(node)}
    for node in inputs if is_whole else ():
        if node not in order and node.name not in sizes and sizes.isdisjoint(_symbols_of(node)):
            raise GraphError(
                f"compile: input {node.name!r} is not used by any output or update",
                [node.describe()],
                where=caller(),
                hint="remove it from the inputs",
            )


def _path(roots: Sequence[Node], target: Node) -> tuple[int, list[Any]]:
    """The first root that depends on a node, and a path from the node up to it."""
    for position, root in enumerate(roots):
        order = toposort((root,))
        if target in order:
            leading = dependents(order, (target,))
            path = [root]
            while path[-1] is not target:
                path.append(next(i for i in path[-1].inputs if i in leading))
            return position, path[::-1]
    return 0, [target]


def _check_names(bound: Sequence[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in bound:
        other = seen.setdefault(node.name, node) if isinstance(node, Parameter) else node
        if other is not node:
            raise GraphError(
                f"compile: two parameters are named {node.name!r}",
                [other.describe(), node.describe()],
                where=caller(),
                hint="give each a name of its own: state() and load_state() go by names",
            )


def _check_symbols(inputs: Sequence[Node], graph: Graph) -> None:
    """Every symbolic size can be found from the inputs' shapes."""
    known = {name for node in inputs for name in _symbols_of(node)}
    known |= {*values_of(graph.nodes)}
    for node in all_nodes(graph):
        missing = sorted(name for name in _symbols_of(node) if name not in known)
        if missing:
            raise GraphError(
                f"compile: the size {missing[0]} is not the size of any input's axis",
                [node.describe()],
                where=caller(),
                hint=f"declare an input with an axis of size {missing[0]}",
            )


def _symbols_of(node: Node) -> set[str]:
    """The names of the symbolic sizes in a node's shape, and of the size that it gives."""
    sizes = (*getattr(node.type, "shape", ()), *(v for _, v in node.attrs if isinstance(v, Dim)))
    return {s.name for size in sizes if isinstance(size, Dim) for s in dims.symbols(size)}
