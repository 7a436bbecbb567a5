"""In-place results: which results are written over an operand that dies there.

    v0 = fused(x, w, body=k)                      v0 = fused(x, w, body=k, inplace=((0, 1),))
    return (w := v0)                              return (w := v0)

A pair (output, operand) of a node means that both are one buffer. It is chosen when

- nobody reads the operand's value later, through movement either, and it is no input, no constant
  and no result of the program; or it is a parameter, or a loop's carry, and the output becomes its
  new value, or nodes with such pairs make that of the output;
- both have one type, and the operand occurs once among the operands;

and, of a fused node (one that updates places of an operand leaves all others as they are),

- inside the body every path from the operand is elementwise at the same index, so that element i
  is read only for elements i of the outputs it reaches, and the paired output is one of them;
- all outputs that it reaches wait for the same reductions and run along the same axes, so they are
  written in one loop, whose step i loads before it stores. The lowering keeps to that.

Nodes that write parameters are moved to the end, after every other reader of those parameters;
they may not be checked (an index is checked by a node before), and nothing else may use their
results. So a program that fails part-way has changed no state. Where a parameter cannot be updated
in place, its new value is copied at the end. A carry is computed in place where only places of it
are updated; else each run of the loop's body writes where the last but one did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from graphc.core import dims
from graphc.core.ir import Graph, IndexMap, Kind, Node, is_checked, is_literal, tensor_type
from graphc.core.walk import dependents, reach, rebuild, remade, remake, toposort
from graphc.loops.nesting import Unfit, spaces_of
from graphc.loops.spaces import Axes, Spaces
from graphc.ops.control import FUSED, alone
from graphc.ops.source import PARAMETER_OP
from graphc.passes.memory.lifetime import (
    Value,
    is_updating,
    read_by,
    readers,
    results,
    seen_through,
    value_of,
)
from graphc.passes.rewrite.engine import same_graph

Seen = Mapping[Node, Mapping[Value, None]]
Pair = tuple[int, int]  # (output, operand) of one node


def inplace(graph: Graph) -> Graph:
    """Choose the results that share an operand's memory.

    Args:
        graph: after fusion. Pairs chosen before are chosen anew.

    Returns:
        The graph with the `inplace` attributes of its nodes set, nodes that write parameters
        last; a lone elementwise node with such a pair becomes a fused node of one.
    """
    graph = same_graph(graph, rebuild(graph, _with_carries))
    targets = [(k, graph.inputs[place]) for k, place in graph.aliases]
    return _chosen(graph, [(k, x) for k, x in targets if x.op is PARAMETER_OP])


def _with_carries(node: Node) -> Node:
    """A loop with the carries of its body computed in place where they may be."""
    attrs = dict(node.attrs)
    if "carries" not in attrs:
        return node
    body = attrs["body"]
    new = _chosen(body, list(enumerate(body.inputs[: attrs["carries"]])))
    return node if new is body else node.op(*node.inputs, **(attrs | {"body": new}))


def _chosen(graph: Graph, targets: Sequence[tuple[int, Node]]) -> Graph:
    """The graph with its pairs; `targets` are outputs that may be written over an input."""
    bodies: Bodies = {n: b for n in graph.nodes if (b := _body(n)) or is_updating(n)}
    updates = _updates(graph, bodies, targets)
    is_state = any(target.op is PARAMETER_OP for _, target in targets)
    if checked := {n for n in updates if is_state and is_checked(n)}:
        return _chosen(_checked_apart(graph, checked), targets)
    ordered = _writers_last(graph, updates)
    return same_graph(graph, _attached(ordered, bodies, _dying(ordered, bodies, updates)))


def _checked_apart(graph: Graph, checked: Set[Node]) -> Graph:
    """The graph with the checks of some nodes made by nodes before them."""

    def make(node: Node, new: dict[Node, Node]) -> Node:
        made = remade(node, new)
        if node not in checked:
            return made
        return made.op.lowering.checked_apart(made)  # type: ignore[union-attr, misc]

    return remake(graph, make)


class Body:
    """The nested graph of a fused node, who uses what in it, and which outputs a node is."""

    __slots__ = ("_is_flat", "_spaces", "graph", "outputs", "reached", "users")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.users = graph.users()
        self.outputs: dict[Node, list[int]] = {}
        for position, output in enumerate(graph.outputs):
            self.outputs.setdefault(output, []).append(position)
        self._spaces: Spaces | None = None
        # What each operand reaches: asked for each result that might lie over it.
        self.reached: dict[int, list[int] | None] = {}
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


# The nodes that may compute in place; None for those that update places of an operand.
Bodies = Mapping[Node, Body | None]


def _body(node: Node) -> Body | None:
    """The body of a fused node, or the one that a lone elementwise node would have."""
    if node.op.kind is Kind.FUSED:
        return Body(node.attr("body"))
    if node.op.kind is not Kind.ELEMENTWISE or any(map(is_literal, node.inputs)):
        return None
    return Body(alone(node, node.op.name))


def operands_of(node: Node) -> list[Node]:
    """What a node reads; a lone elementwise node reads each operand once."""
    is_lone = node.op.kind is Kind.ELEMENTWISE
    return list(dict.fromkeys(node.inputs) if is_lone else node.inputs)


def _attached(graph: Graph, bodies: Bodies, pairs: dict[Node, list[Pair]]) -> Graph:
    """The graph, in its order, with every node's pairs as its attribute."""

    def make(node: Node, new: dict[Node, Node]) -> Node:
        made, chosen = remade(node, new), tuple(sorted(pairs.get(node, ())))
        if node not in bodies or dict(node.attrs).get("inplace", ()) == chosen:
            return made
        if body := bodies[node]:
            return FUSED(*operands_of(made), body=body.graph, inplace=chosen)
        return made.op(*made.inputs, **(dict(made.attrs) | {"inplace": chosen}))

    return remake(graph, make)


def reached(body: Body, operand: int) -> list[int] | None:
    """The outputs that depend on an operand, or None when element i of the operand is read for
    anything but elements i, or when the outputs that it reaches are not written together.

    Args:
        body: of a fused node.
        operand: position among the body's inputs.
    """
    if operand not in body.reached:
        body.reached[operand] = _reached(body, operand)
    return body.reached[operand]


def _reached(body: Body, operand: int) -> list[int] | None:
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


def _updates(
    graph: Graph, bodies: Bodies, targets: Sequence[tuple[int, Node]]
) -> dict[Node, list[Pair]]:
    """Pairs that write the new values of parameters, or of carries, into their memory."""
    found: dict[Node, list[Pair]] = {}
    ways = Ways(graph, bodies)
    for position, target in targets:
        for node, pair in ways.way(value_of(graph.outputs[position]), target):
            found.setdefault(node, []).append(pair)
    return found


class Ways:
    """How results come about in the memory of an input."""

    def __init__(self, graph: Graph, bodies: Bodies) -> None:
        self.bodies, self.seen, self.uses = bodies, seen_through(graph), readers(graph)
        self.shown = Counter(value_of(output) for output in graph.outputs)
        # The readers of each node, whether a result of it is one of the graph's, and whether it
        # may stop with an error: found once, for all ways through it.
        self._read: dict[Node, tuple[list[Node], bool, bool]] = {}
        # For each node and result, what it may be written over: found once for all its results.
        self._over: dict[Node, dict[int, list[tuple[int, Value]]]] = {}

    def way(self, last: Value, target: Node) -> list[tuple[Node, Pair]]:
        """The nodes that make a result of an input, each in the memory of the one before it.

        Returns:
            The last of them first, each with its pair; nothing where there is no such way.
        """
        is_state = target.op is PARAMETER_OP
        if self.shown[last] > 1 or (not is_state and self.shown[value_of(target)]):
            return []
        ahead: list[tuple[Value, list[tuple[Node, Pair]]]] = [(last, [])]
        while ahead:
            (node, output), way = ahead.pop()
            if not self._is_on_way(node, [n for n, _ in way[-1:]], is_state):
                continue
            for operand, value in self._before(node, output):
                found = [*way, (node, (output, operand))]
                if value[0] is not target:
                    ahead.append((value, found))
                elif is_state or any(is_updating(n) for n, _ in found):
                    return found
        return []

    def _is_on_way(self, node: Node, after: list[Node], is_state: bool) -> bool:
        """Whether a node may compute in place, and only the next one on the way reads it."""
        if node not in self.bodies:
            return False
        if node not in self._read:
            values = [(node, k) for k in results(node)]
            readers_ = [n for value in values for n in self.uses.get(value, ())]
            is_shown = any(value in self.shown for value in values)
            self._read[node] = readers_, is_shown, is_checked(node) and not is_updating(node)
        found, is_shown, may_stop = self._read[node]
        return found == after and not (after and is_shown) and not (is_state and may_stop)

    def _before(self, node: Node, output: int) -> Sequence[tuple[int, Value]]:
        """The operands that a result may be written over, with the values that they are."""
        if node not in self._over:
            leading = leading_to(node, self.seen)
            over: dict[int, list[tuple[int, Value]]] = {}
            for operand, source in enumerate(operands_of(node)):
                value = value_of(source)
                for k in _fitting(self.bodies, node, operand) if len(leading[value]) == 1 else ():
                    over.setdefault(k, []).append((operand, value))
            self._over[node] = over
        return self._over[node].get(output, ())


def leading_to(node: Node, seen: Seen) -> dict[Value, list[int]]:
    """For each value, the positions of a node's operands that lead to its memory."""
    found: dict[Value, list[int]] = {}
    for position, operand in enumerate(operands_of(node)):
        for value in read_by(node, operand, seen):
            found.setdefault(value, []).append(position)
    return found


def _fitting(bodies: Bodies, node: Node, operand: int) -> list[int]:
    """The outputs that may be written over an operand, as far as the node itself is concerned."""
    body = bodies[node]
    if body is None:
        return [0] if operand == node.op.lowering.over else []  # type: ignore[union-attr]
    type_ = body.graph.inputs[operand].type
    return [k for k in reached(body, operand) or () if body.graph.outputs[k].type == type_]


def _writers_last(graph: Graph, updates: dict[Node, list[Pair]]) -> Graph:
    """Move the writers of parameters to the end, each after the others that read what it writes
    and after the one that it writes over; where that goes in circles, pairs are dropped from
    `updates`."""
    seen = seen_through(graph)
    waiting = [node for node in graph.nodes if node in updates]
    reading: dict[Value, set[Node]] = {}
    for node in waiting:
        for operand in node.inputs:
            for value in read_by(node, operand, seen):
                reading.setdefault(value, set()).add(node)
    written = {n: [value_of(operands_of(n)[k]) for _, k in updates[n]] for n in waiting}
    late: dict[Node, None] = {}
    while waiting:
        ahead = set(waiting)
        free = [
            n for n in waiting
            if all(reading[v] <= {n} and v[0] not in ahead for v in written[n])
        ]  # fmt: skip
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


def _dying(graph: Graph, bodies: Bodies, updates: dict[Node, list[Pair]]) -> dict[Node, list[Pair]]:
    """All pairs: those of the updates, and results over operands that nobody reads later."""
    seen = seen_through(graph)
    kept = {value for output in graph.outputs for value in seen[output]}
    kept.update(value_of(x) for x in graph.inputs)
    last = {value: nodes[-1] for value, nodes in readers(graph).items()}
    found = {node: list(pairs) for node, pairs in updates.items()}
    for node, body in bodies.items():
        leading = leading_to(node, seen)
        outputs, given = ({pair[k] for pair in found.get(node, ())} for k in (0, 1))
        for operand, source in enumerate(operands_of(node)):
            value = value_of(source)
            # Sources have no memory of their own, nor has movement that a kernel looks through.
            not_ours = body is not None and value[0].op.kind in (Kind.SOURCE, Kind.MOVEMENT)
            if not_ours or value in kept or operand in given or last[value] is not node:
                continue
            free = [k for k in _fitting(bodies, node, operand) if k not in outputs]
            if free and len(leading[value]) == 1:
                outputs.add(free[0])
                found.setdefault(node, []).append((free[0], operand))
    return found
