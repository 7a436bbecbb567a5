"""In-place results: which results of fused nodes are written over an operand that dies there.

    v0 = fused(x, w, body=k)                      v0 = fused(x, w, body=k, inplace=((0, 1),))
    return (w := v0)                              return (w := v0)

A pair (output, operand) of a fused node means that both are one buffer. It is chosen when

- nobody reads the operand's value later, through movement either, and it is no input, no constant
  and no result of the program; or it is a parameter and the output becomes its new value;
- both have one type, and the operand occurs once among the operands;
- inside the body every path from the operand is elementwise at the same index, so that element i
  is read only for elements i of the outputs it reaches, and the paired output is one of them;
- all outputs that it reaches wait for the same reductions and run along the same axes, so they are
  written in one loop, whose step i loads before it stores. The lowering keeps to that.

Nodes that write parameters are moved to the end, after every other reader of those parameters;
they may not be checked, and nothing may use their results. So a program that fails part-way has
changed no state. Where a parameter cannot be updated in place, its new value is copied at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphc.core import dims
from graphc.core.ir import Graph, IndexMap, Kind, Node, is_checked, is_literal, tensor_type
from graphc.core.walk import dependents, reach, remade, remake, toposort
from graphc.loops.nesting import Unfit, spaces_of
from graphc.loops.spaces import Axes, Spaces
from graphc.ops.control import FUSED, alone
from graphc.ops.source import PARAMETER_OP
from graphc.passes.memory.lifetime import Value, readers, seen_through, value_of
from graphc.passes.rewrite.engine import same_graph

Seen = Mapping[Node, Mapping[Value, None]]
Pair = tuple[int, int]  # (output, operand) of one fused node


def inplace(graph: Graph) -> Graph:
    """Choose the results that share an operand's memory.

    Args:
        graph: after fusion. Pairs chosen before are chosen anew.

    Returns:
        The graph with the `inplace` attribute of its fused nodes set, nodes that write parameters
        last; a lone elementwise node with such a pair becomes a fused node of one.
    """
    bodies = {n: Body(b) for n in graph.nodes if (b := _body(n)) is not None}
    updates = _updates(graph, bodies)
    ordered = _writers_last(graph, updates)
    return same_graph(graph, _attached(ordered, bodies, _dying(ordered, bodies, updates)))


class Body:
    """The nested graph of a fused node, who uses what in it, and which outputs a node is."""

    __slots__ = ("_is_flat", "_spaces", "graph", "outputs", "users")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.users = graph.users()
        self.outputs: dict[Node, list[int]] = {}
        for position, output in enumerate(graph.outputs):
            self.outputs.setdefault(output, []).append(position)
        self._spaces: Spaces | None = None
        # What one operand reaches runs in one loop.
        flat = (Kind.ELEMENTWISE, Kind.SOURCE)
        self._is_flat = all(node.op.kind in flat for node in graph.nodes)

    def loops(self, position: int) -> tuple[Axes | None, frozenset[int]]:
        """What two outputs have in common that are written in one loop: their axes, as atoms, and
        what must be complete before."""
        if self._is_flat:
            return None, frozenset()
        if self._spaces is None:
            try:
                self._spaces = spaces_of(self.graph)
            except Unfit:  # each shape of results has one nest
                self._spaces = Spaces()
        output = self.graph.outputs[position]
        runs = self._spaces.of(output) if output in self._spaces.axes else None
        return runs, _awaited(output)


def _body(node: Node) -> Graph | None:
    """The nested graph of a fused node, or the one that a lone elementwise node would have."""
    if node.op.kind is Kind.FUSED:
        return node.attr("body")
    if node.op.kind is not Kind.ELEMENTWISE or any(map(is_literal, node.inputs)):
        return None
    return alone(node, node.op.name)


def operands_of(node: Node) -> list[Node]:
    """What a node reads; a lone elementwise node reads each operand once."""
    return list(node.inputs if node.op.kind is Kind.FUSED else dict.fromkeys(node.inputs))


def _attached(graph: Graph, bodies: dict[Node, Body], pairs: dict[Node, list[Pair]]) -> Graph:
    """The graph, in its order, with every node's pairs as its attribute."""

    def make(node: Node, new: dict[Node, Node]) -> Node:
        return _paired(remade(node, new), bodies.get(node), tuple(sorted(pairs.get(node, ()))))

    return remake(graph, make)


def _paired(node: Node, body: Body | None, pairs: tuple[Pair, ...]) -> Node:
    if body is None or dict(node.attrs).get("inplace", ()) == pairs:
        return node
    return FUSED(*operands_of(node), body=body.graph, inplace=pairs)


def reached(body: Body, operand: int) -> list[int] | None:
    """The outputs that depend on an operand, or None when element i of the operand is read for
    anything but elements i, or when the outputs that it reaches are not written together.

    Args:
        body: of a fused node.
        operand: position among the body's inputs.
    """
    source = body.graph.inputs[operand]
    outputs: list[int] = []
    for node in reach([source], body.users.__getitem__):
        if node is not source and node.op.kind is not Kind.ELEMENTWISE and not _is_identity(node):
            return None
        outputs += body.outputs.get(node, ())
    outputs.sort()
    if len(outputs) > 1 and len({body.loops(k) for k in outputs}) > 1:
        return None
    return outputs


def _is_identity(node: Node) -> bool:
    """Whether a movement node takes every element from the same index."""
    fact = node.op.lowering
    if not isinstance(fact, IndexMap) or len(node.inputs) != 1:
        return False
    shape = tensor_type(node).shape
    if tensor_type(node.inputs[0]).shape != shape or not _is_static_map(node):
        return False
    index = tuple(
        dims.symbol(dims.Symbol(f"i{axis}", 0, size - 1)) for axis, size in enumerate(shape)
    )
    pieces = fact.pieces(node, index, None)
    return len(pieces) == 1 and pieces[0].index == index and not pieces[0].guards


def _is_static_map(node: Node) -> bool:
    """Whether no axis is empty, which loop variables cannot express."""
    return all(dims.at_least(size, 1) or not isinstance(size, int) for size in node.shape)


def _awaited(output: Node) -> frozenset[int]:
    """What must be complete before an output is computed: everything that is no map."""
    maps = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.SOURCE)
    return frozenset(id(n) for n in toposort((output,)) if n.op.kind not in maps)


def _updates(graph: Graph, bodies: dict[Node, Body]) -> dict[Node, list[Pair]]:
    """Pairs that write a parameter's new value into its memory."""
    uses, seen = readers(graph), seen_through(graph)
    shown = Counter(value_of(output) for output in graph.outputs)
    places: dict[Node, dict[Value, list[int]] | None] = {}
    found: dict[Node, list[Pair]] = {}
    for position, place in graph.aliases:
        node, output = value_of(graph.outputs[position])
        target = graph.inputs[place]
        if node not in bodies or target.op is not PARAMETER_OP:
            continue
        if node not in places:
            is_read = any((node, k) in uses for k in range(len(bodies[node].graph.outputs)))
            places[node] = None if is_read or is_checked(node) else _leading(node, seen)
        leading = places[node]
        operand = None if leading is None else _once(node, leading, target)
        if operand is None or shown[(node, output)] > 1:
            continue
        if output in _fitting(bodies[node], operand):
            found.setdefault(node, []).append((output, operand))
    return found


def _leading(node: Node, seen: Seen) -> dict[Value, list[int]]:
    """For each value, the positions of a node's operands that lead to its memory."""
    found: dict[Value, list[int]] = {}
    for position, operand in enumerate(operands_of(node)):
        for value in seen[operand]:
            found.setdefault(value, []).append(position)
    return found


def _once(node: Node, leading: Mapping[Value, list[int]], wanted: Node) -> int | None:
    """Where a node stands among operands, if no other operand leads to its memory."""
    places = leading.get(value_of(wanted), [])
    return places[0] if len(places) == 1 and operands_of(node)[places[0]] is wanted else None


def _fitting(body: Body, operand: int) -> list[int]:
    """The outputs that may be written over an operand, as far as the body is concerned."""
    type_ = body.graph.inputs[operand].type
    return [k for k in reached(body, operand) or () if body.graph.outputs[k].type == type_]


def _writers_last(graph: Graph, updates: dict[Node, list[Pair]]) -> Graph:
    """Move the writers of parameters to the end, each after the others that read what it writes;
    where that goes in circles, pairs are dropped from `updates`."""
    seen = seen_through(graph)
    waiting = [node for node in graph.nodes if node in updates]
    reading: dict[Value, set[Node]] = {}
    for node in waiting:
        for operand in node.inputs:
            for value in seen[operand]:
                reading.setdefault(value, set()).add(node)
    written = {n: [value_of(operands_of(n)[k]) for _, k in updates[n]] for n in waiting}
    late: dict[Node, None] = {}
    while waiting:
        free = [n for n in waiting if all(reading[v] <= {n} for v in written[n])]
        if not free:
            # The first of the circle keeps its place; its new values are copied at the end.
            free = waiting[:1]
            del updates[free[0]]
        else:
            late.update(dict.fromkeys(free))
        gone = set(free)
        waiting = [n for n in waiting if n not in gone]
        for readers_left in reading.values():
            readers_left -= gone
    after = dependents(graph.nodes, late)
    late.update(dict.fromkeys(node for node in graph.nodes if node in after))
    nodes = [n for n in graph.nodes if n not in late] + list(late)
    return Graph(graph.name, graph.inputs, tuple(nodes), graph.outputs, graph.aliases)


def _dying(
    graph: Graph, bodies: dict[Node, Body], updates: dict[Node, list[Pair]]
) -> dict[Node, list[Pair]]:
    """All pairs: those of the updates, and results over operands that nobody reads later."""
    seen = seen_through(graph)
    kept = {value for output in graph.outputs for value in seen[output]}
    last = {value: nodes[-1] for value, nodes in readers(graph).items()}
    found = {node: list(pairs) for node, pairs in updates.items()}
    for node in graph.nodes:
        if node not in bodies:
            continue
        operands = operands_of(node)
        values = Counter(value for operand in operands for value in seen[operand])
        taken = {output for output, _ in found.get(node, ())}
        for operand, source in enumerate(operands):
            value = value_of(source)
            # Sources have no memory of their own, nor has movement that a kernel looks through.
            not_ours = value[0].op.kind in (Kind.SOURCE, Kind.MOVEMENT) or value in kept
            if not_ours or last[value] is not node or values[value] > 1:
                continue
            free = [k for k in _fitting(bodies[node], operand) if k not in taken]
            if free:
                taken.add(free[0])
                found.setdefault(node, []).append((free[0], operand))
    return found
