"""The graph of what a user gave to `compile`, checked: inputs, outputs and updates."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.declared import values_of
from graphc.core.dims import Dim, Symbol
from graphc.core.inner import is_placeholder
from graphc.core.ir import Graph, Node, all_nodes, at_origin, caller, effects, tensor_type
from graphc.core.layout import Layout
from graphc.core.operators import Operators
from graphc.core.walk import dependents, substitute, toposort
from graphc.errors import ArgumentError, DTypeError, GraphcWarning, GraphError, ShapeError
from graphc.ops.arrays import random
from graphc.ops.declare import as_symbolic, as_tensor, bring, operand
from graphc.ops.implied import implied, named_apart
from graphc.ops.source import (
    CONSTANT_OP,
    INPUT_OP,
    PARAMETER_OP,
    Bound,
    Parameter,
    State,
    is_stream,
)
from graphc.passes.cse import cse
from graphc.program.measuring import computed_sizes, measured

# Lines of a path in a message: the rest of the 12 say what, where and what to do.
PATH_LINES = 8


def input_list(listed: Sequence[Any]) -> list[Node]:
    """The inputs that a user listed, checked.

    Raises:
        ArgumentError: one is not made by gc.input.
        GraphError: one is listed twice, or two have one name.
    """
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


def freed(listed: Sequence[Any], results: Sequence[Any]) -> tuple[Sequence[Any], list[Any]]:
    """Inputs in the places of listed parameters and constants without a value, as a graph that
    was read from text has them."""
    made = {
        n: INPUT_OP(name=n.name, type=n.type)
        for n in listed
        if isinstance(n, Node) and n.op in (PARAMETER_OP, CONSTANT_OP) and not isinstance(n, Bound)
    }
    if not made:
        return listed, [*results]
    return [made.get(n, n) for n in listed], substitute([as_symbolic(r) for r in results], {**made})


def parts_of(graph: Graph) -> tuple[list[Node], list[Node], dict[Any, Node]]:
    """The inputs, results and updates of a graph, as `compile` takes them.

    Raises:
        GraphError: a constant has no value, as in a graph that was read from text.
    """
    placeholders = [n for n in graph.inputs if n.op is not INPUT_OP and not isinstance(n, Bound)]
    if lost := [n for n in placeholders if n.op is not PARAMETER_OP]:
        raise GraphError(
            f"compile: {lost[0].op.name} {lost[0].name!r} has no value",
            [n.describe() for n in lost[:PATH_LINES]],
            where=caller(),
            hint="give it one when the text is read: gc.text.parse(text, bind=...)",
        )
    made = {n: _zeros(n) for n in placeholders}
    if made:
        names = ", ".join(n.name for n in placeholders[:PATH_LINES])
        warnings.warn(
            GraphcWarning(f"compile: parameters without a value start as 0: {names}; set them "
                          "with program.load_state"),
            stacklevel=3,
        )  # fmt: skip
    outputs = substitute(graph.outputs, dict(made)) if made else list(graph.outputs)
    sources = [made.get(n, n) for n in graph.inputs]
    aliases = dict(graph.aliases)
    updates = {sources[at]: outputs[k] for k, at in aliases.items()}
    results = [node for k, node in enumerate(outputs) if k not in aliases]
    return [n for n in sources if n.op is INPUT_OP], results, updates


def _zeros(node: Node) -> Parameter:
    type_ = tensor_type(node)
    shape = tuple(s if isinstance(s, int) else 0 for s in type_.shape)
    state = State(np.zeros(shape, type_.dtype.numpy))
    return Parameter(node.op, (), node.attrs, type_, node.origin, state)


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


def traced(
    name: str,
    inputs: list[Node],
    layout: Layout,
    results: list[Any],
    updates: Mapping[Any, Any] | None,
) -> tuple[Graph, list[Symbol]]:
    """The graph as the user wrote it, checked, and the sizes that are computed before it runs.

    Args:
        name: of the graph.
        inputs: those listed.
        layout: the form of the results, for messages.
        results: what the user gave as outputs.
        updates: new values by parameter; None for a program of sizes, which writes no state and
            need not use its inputs.

    Raises:
        ArgumentError, GraphError, ShapeError, DTypeError: see `compile`.
    """
    outputs = [_as_output(result, layout, k) for k, result in enumerate(results)]
    new = {} if updates is None else _new_values(updates)
    if not outputs and not new:
        raise GraphError("compile: there are no outputs and no updates", where=caller())
    order = toposort((*outputs, *new.values()))
    computed = computed_sizes([*order, *inputs], inputs)
    if updates is not None and _add_implied(new, order, computed):
        computed = computed_sizes([*order, *inputs], inputs)
    if apart := named_apart(dict.fromkeys([*new, *order])):
        done = iter(substitute([*outputs, *new.values()], apart))
        outputs = [next(done) for _ in outputs]
        new = {apart.get(p, p): next(done) for p in new}
        order = toposort((*outputs, *new.values()))
    roots = [*outputs, *new.values()]
    labels = [layout.label(k) for k in range(len(outputs))]
    labels += [f"the update of {p.name!r}" for p in new]
    sources = [s.source for s in computed]
    labels += [f"a size, {s.source.describe()}," for s in computed]
    needed = toposort(sources, order.copy())
    _check_listed(inputs, needed, [*roots, *sources], labels, updates is not None)
    bound = list(dict.fromkeys([*new, *(n for n in order if isinstance(n, Bound))]))
    _check_names(bound)
    every = [*inputs, *map(measured, computed), *bound]
    places = {node: position for position, node in enumerate(every)}
    aliases = [(len(outputs) + k, places[p]) for k, p in enumerate(new)]
    graph = Graph.of(name, every, roots, aliases)
    if effects(graph.nodes):
        graph = cse(graph)  # a gradient's copies of loops have their effects once
    _check_symbols(inputs, graph)
    return graph, computed


def _as_output(value: Any, layout: Layout, position: int) -> Node:
    found = as_tensor(value, "compile") if isinstance(value, Dim) else as_symbolic(value)
    if not isinstance(found, Node):
        raise ArgumentError(
            f"compile: {layout.label(position)} is a {type(found).__name__}, not a tensor",
            where=caller(),
            hint="outputs are one tensor, or a list, tuple or dict of tensors",
        )
    return found


def _new_values(updates: Mapping[Any, Any]) -> dict[Any, Node]:
    """The updates that a user gave, checked."""
    given = {p.as_node() if isinstance(p, Operators) else p: v for p, v in updates.items()}
    new = {p: _new_value(p, value) for p, value in given.items()}
    for parameter, value in new.items():
        _check_update(parameter, value)
    return new


def _add_implied(new: dict[Any, Node], order: dict[Node, None], computed: Sequence[Symbol]) -> bool:
    """Add the updates that results bring along, and those of the generators they draw from.

    What sizes are computed of counts too: the program of sizes writes nothing.

    Returns:
        Whether results bring updates along, which may have sizes of their own.
    """
    needed = toposort([size.source for size in computed], order.copy())
    brought = implied(needed, new)
    new |= brought
    toposort(tuple(brought.values()), order)
    for stream in [n for n in needed if is_stream(n) and n not in new]:
        with at_origin(stream.origin):
            new[stream] = random.advance(stream)
        toposort((new[stream],), order)
    return bool(brought)


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


__all__ = ["freed", "input_list", "parts_of", "traced"]
