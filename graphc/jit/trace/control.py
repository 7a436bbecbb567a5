"""Control flow in a trace: bodies are traced with the trace's own tensors.

A body that writes to a tensor from outside, or draws random numbers, would need a state that its
op does not carry: both are errors that say so.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.core.ir import Node, caller, tensor_type
from graphc.core.trees import flatten
from graphc.eager.engine import promotion
from graphc.eager.engine.bodies import built, nodes_in
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call
from graphc.eager.engine.tape import CallBackward, Saved
from graphc.eager.engine.tensor import Tensor
from graphc.errors import GraphcError, TraceError
from graphc.jit.trace.refused import refusal
from graphc.jit.trace.sizes import SizeNeeded
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import INPUT_OP


def control(trace: Any, name: str, arguments: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    """A control op in a trace.

    Args:
        trace: the trace under way.
        name: "cond", "while_loop", "scan" or "map".
        arguments: the eager function's.
        settings: its keyword arguments.

    Returns:
        Traced tensors in the structure that the op gives.
    """

    try:
        result = _built(trace, name, arguments, settings)
    except (SizeNeeded, GraphcError) as error:
        if isinstance(error, TraceError) or not trace.to_numbers(f"{name} needs the size"):
            raise
        result = _built(trace, name, arguments, settings)
    leaves, tree = flatten(result)
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Node)]
    nodes = trace.settled(tuple(leaves[k] for k in places), name)
    for k, node in zip(places, nodes):
        leaves[k] = trace.wrap(node)
    _record(trace, name, [leaves[k] for k in places])
    return tree.restore(leaves)


def _built(trace: Any, name: str, arguments: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    """The op's results as nodes, its bodies traced."""

    def body(function: Callable[..., Any], nodes: Sequence[Any]) -> Any:
        return _in_body(trace, name, function, nodes)

    with promoting(promotion.promote):
        return built(name, arguments, settings, body, lambda tensor: _node(trace, tensor))


def _node(trace: Any, tensor: Tensor) -> Node:
    node: Node = trace.node_of(tensor)
    if tensor._edge is not None:
        trace.edges[node] = trace.edge_of(tensor)
    return node


def _in_body(trace: Any, name: str, function: Callable[..., Any], nodes: Sequence[Any]) -> Any:
    """Call a user's function on a body's placeholders."""
    before = {key: t.current for key, t in trace.touched.items()}
    generators = dict(trace.generators)
    leaves, tree = flatten(list(nodes))
    enabled, state.enabled = state.enabled, False
    trace.bodies += 1
    try:
        given = tree.restore([trace.wrap(n) if isinstance(n, Node) else n for n in leaves])
        result = function(*given)
    finally:
        trace.bodies -= 1
        state.enabled = enabled
    for key, touched in trace.touched.items():
        if touched.current is not before.get(key, touched.node):
            raise refusal(
                f"{name}: the body changes a tensor from outside in place",
                [f"the tensor: {touched.node.type}"],
                where=caller(),
                hint="return the new value from the body (carry it), and store it afterwards",
            )
    if len(generators) != len(trace.generators) or any(
        generators[k][1] is not v[1] for k, v in trace.generators.items()
    ):
        raise refusal(
            f"{name}: the body draws random numbers from a generator, whose state a body cannot "
            "move on",
            where=caller(),
            hint="draw them before, and hand them in (as xs, or as an operand)",
        )
    return nodes_in(result, lambda tensor: _node(trace, tensor))


def _record(trace: Any, name: str, results: Sequence[Tensor]) -> None:
    """Record the op, all that it was handed included, as one step of differentiation."""
    floats = [r for r in results if r.dtype.is_float]
    if not state.enabled or not floats:
        return
    nodes = _boundary([r._node for r in floats], trace.edges)
    if not nodes:
        return
    stand_ins = {n: INPUT_OP(name=f"x{k}", type=tensor_type(n)) for k, n in enumerate(nodes)}
    new: dict[Node, Node] = dict(stand_ins)
    outputs = [_rebuilt(r._node, new) for r in floats]
    call = Call(name, list(stand_ins.values()), outputs, single=False)
    edges = tuple(trace.edges[n] for n in nodes)
    saved = [Saved(None, edge, n) for n, edge in zip(nodes, edges)]
    fn = CallBackward(f"{name.title().replace('_', '')}Backward0", call, edges, saved)
    fn.outputs = tuple(Saved(r, None, r._node) for r in floats)
    trace.has_control = True
    trace.steps_recorded.append((None, weakref.ref(fn)))
    for k, result in enumerate(floats):
        trace.give_edge(result, (fn, k))


def _boundary(roots: Sequence[Node], edges: dict[Node, Any]) -> list[Node]:
    """The nodes with an edge that the roots depend on, not looking past them."""
    found: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in edges:
            found[node] = None
        else:
            stack.extend(node.inputs)
    return list(found)


def _rebuilt(root: Node, new: dict[Node, Node]) -> Node:
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in new:
            continue
        if ready:
            new[node] = node.with_inputs([new[i] for i in node.inputs])
            continue
        stack.append((node, True))
        stack.extend((i, False) for i in node.inputs if i not in new)
    return new[root]
