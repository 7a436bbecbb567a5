"""Updates of parameters whose gradient names rows, as updates of these rows.

    v0 = full(shape=(400000, 64), value=0.0)
    v1 = index_add(v0, i, g, axis=0)            v3 = take(w, i)
    v2 = multiply(v1, full(0.1))                v4 = index_add(full(0.0), slot, g)  one row each
    return (w := subtract(w, v2))               v5 = subtract(v3, multiply(take(v4, slot), 0.1))
                                                return (w := index_update(w, i, v5))

Taken are elementwise updates, of one parameter or of several at once (Adagrad's), that leave a row
as it is where the gradient is zero: what is added to a parameter is a product or quotient of the
gradient, or a sum of such, or chosen where the gradient's row is not 0 (SparseAdam's). The rows are
the same to the bit: `slot` numbers the rows that the index names, each once, and cotangents are
added up there in the order in which they were. Numbers that the gradient is multiplied with are
taken to be finite, and no denominator to be 0 or nan: rows that the index doesn't name would else
turn nan. In such rows a zero keeps its sign.

Not here: that rows are written in place (`memory.inplace`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import OPS, Graph, Kind, Node, at_origin, effects, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.walk import postorder, reach, remade, substitute
from graphc.ops.arrays.indexing import TAKE, checked_index
from graphc.ops.arrays.movement import BROADCAST
from graphc.ops.arrays.writing import INDEX_ADD, INDEX_UPDATE
from graphc.ops.source import FULL, PARAMETER_OP
from graphc.passes.memory.plan import nominal_sizes
from graphc.passes.rewrite.engine import uniform

ADD, SUBTRACT = OPS["add"], OPS["subtract"]
MULTIPLY, DIVIDE = OPS["multiply"], OPS["divide"]
WHERE, ANY, NOT_EQUAL = OPS["where"], OPS["any"], OPS["not_equal"]
# Functions of zero that are zero.
THROUGH_ZERO = tuple(OPS[name] for name in ("negative", "cast", "square", "sqrt", "absolute"))
# Functions that are not negative, and 0 and more in floats.
NATURAL = tuple(OPS[name] for name in ("square", "sqrt", "absolute"))


def rows(graph: Graph) -> Graph:
    """Replace updates of whole parameters by updates of the rows that gradients name."""
    if not graph.aliases or not any(map(is_gradient, graph.nodes)):
        return graph
    sizes, order = nominal_sizes(graph), {node: k for k, node in enumerate(graph.nodes)}
    found: dict[Node, Update] = {}
    for position, place in graph.aliases:
        update = Update(graph.outputs[position], graph.inputs[place], order)
        if update.is_of_rows() and update.is_worth_it(sizes):
            found[update.new] = update
    while found:
        changed = _replaced(graph, found)
        # A gradient that is computed whole all the same is not worth a second form.
        whole = {n for n in changed.nodes for u in found.values() if n in u.gradients}
        if not whole:
            return changed
        found = {n: u for n, u in found.items() if not whole & u.gradients.keys()}
    return graph


def _replaced(graph: Graph, found: Mapping[Node, Update]) -> Graph:
    shared: dict[tuple[Node, ...], Rows] = {}
    new: dict[Node, Node] = {node: node for node in graph.inputs}
    for node, update in found.items():
        with at_origin(node.origin):
            key = tuple(update.gradients)
            if key not in shared:
                shared[key] = Rows(key)
            new[node] = shared[key].updated(update)
    outputs = substitute(graph.outputs, new)
    kept = substitute(effects(graph.nodes), new)
    return Graph.of(graph.name, graph.inputs, outputs, graph.aliases, kept)


def is_gradient(node: Node) -> bool:
    """Whether a node is zero but for rows that an index names."""
    if node.op is not INDEX_ADD or node.attr("axis") != 0 or dict(node.attrs).get("span", 1) != 1:
        return False
    return uniform(node.inputs[0]) == 0


def is_number(node: Node) -> bool:
    """Whether all elements of a node are one number."""
    return uniform(node) is not None or (
        node.op is BROADCAST and not tensor_type(node.inputs[0]).shape
    )


class Update:
    """The new value of a parameter, and what it is an elementwise function of.

    Attributes:
        new, target: the value and the parameter.
        gradients: the operands that are zero but for some rows, in the graph's order.
    """

    def __init__(self, new: Node, target: Node, order: Mapping[Node, int]) -> None:
        self.new, self.target = new, target
        leaves = [n for n in reach([new], _operands) if not _operands(n)]
        gradients = sorted(filter(is_gradient, leaves), key=order.__getitem__)
        self.gradients = dict.fromkeys(gradients)
        self.is_elementwise = all(
            n in self.gradients or is_number(n) or n.op is PARAMETER_OP for n in leaves
        )
        self._zero: dict[Node, bool] = {}  # nodes that are 0, or False, where the gradients are 0

    def is_of_rows(self) -> bool:
        """Whether rows stay as they are where the gradients are zero."""
        if not self.is_elementwise or not self.gradients or self.target.op is not PARAMETER_OP:
            return False
        node = self.new
        while node is not self.target:
            if node.op not in (ADD, SUBTRACT):
                return False
            first, second = node.inputs
            if self._vanishes(second):
                node = first
            elif node.op is ADD and self._vanishes(first):
                node = second
            else:
                return False
        return self.new is not self.target

    def _vanishes(self, node: Node) -> bool:
        """Whether a node is zero where the gradients are."""
        if node not in self._zero:
            self._zero[node] = node in self.gradients or self._is_zero(node)
        return self._zero[node]

    def _is_zero(self, node: Node) -> bool:
        if uniform(node) == 0 or touched(node) is not None:
            return True
        if node.op is NOT_EQUAL:
            return all(map(self._vanishes, node.inputs))
        if node.op is WHERE:
            return self._vanishes(node.inputs[0]) and self._vanishes(node.inputs[2])
        if node.op in THROUGH_ZERO or node.op in (ADD, SUBTRACT):
            return all(map(self._vanishes, node.inputs))
        if node.op is MULTIPLY:
            zeros = [self._vanishes(x) for x in node.inputs]
            return any(zeros) and all(z or is_factor(x) for z, x in zip(zeros, node.inputs))
        if node.op is DIVIDE:
            return self._vanishes(node.inputs[0]) and is_positive(node.inputs[1])
        return False

    def is_worth_it(self, sizes: Mapping[str, int]) -> bool:
        """Whether the gradients name fewer rows than the parameter has."""
        named = sum(dims.evaluate(_named(g), sizes) for g in self.gradients)
        return 2 * named <= dims.evaluate(tensor_type(self.target).shape[0], sizes)


def is_factor(node: Node) -> bool:
    """Whether a node is a number that is finite, as far as is known."""
    number = uniform(node)
    return is_number(node) and (number is None or math.isfinite(number))


def touched(node: Node) -> Node | None:
    """The gradient of which a node says whether its rows have anything but 0; None for others."""
    if node.op is not BROADCAST or node.inputs[0].op is not ANY:
        return None
    compared, rest = node.inputs[0].inputs[0], tuple(range(1, tensor_type(node).rank))
    if compared.op is not NOT_EQUAL or uniform(compared.inputs[1]) != 0:
        return None
    if node.attr("axes") != rest or node.inputs[0].attr("axes") != rest:
        return None
    return compared.inputs[0] if is_gradient(compared.inputs[0]) else None


def _operands(node: Node) -> Sequence[Node]:
    """What an elementwise node is a function of; of rows that are touched, the gradient."""
    if (gradient := touched(node)) is not None:
        return (gradient,)
    return node.inputs if node.op.kind is Kind.ELEMENTWISE and not is_number(node) else ()


def is_positive(node: Node) -> bool:
    """Whether a denominator is above 0 in all places: a number, or something natural and one."""
    number = uniform(node)
    if number is not None:
        return bool(number > 0)
    if is_number(node):
        return True
    if node.op is not ADD:
        return False
    numbers = [x for x in node.inputs if is_number(x)]
    others = [x for x in node.inputs if not is_number(x)]
    return bool(numbers) and all(map(is_positive, numbers)) and all(o.op in NATURAL for o in others)


def _named(gradient: Node) -> Size:
    """How many rows a gradient names."""
    return tensor_type(gradient.inputs[1]).shape[0]


class Rows:
    """The rows that the indices of some gradients name together, and what there is in them.

    Args:
        gradients: of one shape.
    """

    def __init__(self, gradients: Sequence[Node]) -> None:
        size = tensor_type(gradients[0]).shape[0]
        places = [checked_index(g.inputs[1], size) for g in gradients]
        self.index = places[0] if len(places) == 1 else FUNCTIONS["concat"](places, 0)
        self.count = tensor_type(self.index).shape[0]
        self.slot = self._slots()
        self._of: dict[Node, Node] = {}
        first: Size = 0
        for gradient in gradients:
            end = first + _named(gradient)
            self._of[gradient] = self._gathered(gradient, self.slot[first:end])
            first = end

    def _slots(self) -> Node:
        """For each of the indices a number of its row, from 0 on, the same for equal ones."""
        numbers = FUNCTIONS["iota"]((self.count,))
        order = FUNCTIONS["argsort"](self.index, 0)
        ordered = TAKE(self.index, order, axis=0)
        before = TAKE(ordered, FUNCTIONS["maximum"](numbers - 1, 0), axis=0)
        is_next = FUNCTIONS["cast"](FUNCTIONS["not_equal"](ordered, before), dtypes.int64)
        return INDEX_UPDATE(numbers, order, FUNCTIONS["cumsum"](is_next, 0), axis=0, trusted=True)

    def _gathered(self, gradient: Node, slot: Node) -> Node:
        """What a gradient adds up to in the rows."""
        type_ = tensor_type(gradient)
        zeros = FUNCTIONS["full"]((self.count, *type_.shape[1:]), 0, type_.dtype)
        sums = INDEX_ADD(zeros, slot, gradient.inputs[2], axis=0, trusted=True)
        return TAKE(sums, self.slot, axis=0)

    def updated(self, update: Update) -> Node:
        """The new value of a parameter, of which these rows are computed."""
        values = self._rows(update.new)
        return INDEX_UPDATE(update.target, self.index, values, axis=0, trusted=True)

    def _rows(self, root: Node) -> Node:
        """The rows of an elementwise function of parameters, gradients and numbers."""
        for node in postorder([root], _operands, self._of):
            if node.op is PARAMETER_OP:
                self._of[node] = TAKE(node, self.index, axis=0)
            elif is_number(node):
                self._of[node] = self._number(node)
            elif (gradient := touched(node)) is not None:
                own = self._of[gradient]
                axes = tuple(range(1, tensor_type(own).rank))
                found = FUNCTIONS["any"](FUNCTIONS["not_equal"](own, 0), axes, keepdims=True)
                self._of[node] = FUNCTIONS["broadcast_to"](found, tensor_type(own).shape)
            else:
                self._of[node] = remade(node, self._of)
        return self._of[root]

    def _number(self, node: Node) -> Node:
        """A number in each element of the rows."""
        type_ = tensor_type(node)
        shape = (self.count, *type_.shape[1:])
        if node.op is FULL:
            return FULL(shape=shape, value=node.attr("value"), dtype=type_.dtype)
        return BROADCAST(node.inputs[0], axes=node.attr("axes"), shape=shape)
