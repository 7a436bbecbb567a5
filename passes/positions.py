"""Places of extremes along long rows: the extreme first, then the first place that holds it.

    v0 = argmax(x, axes=(1,))            v0 = max(x, axes=(1,))
                                         v1 = x == v0  (or nan, which wins)
                                         v2 = min(where(v1, iota, last), axes=(1,))

Twice through a row in lanes of a vector, where one argmax compares an element after the other. Both
times must see the same elements, to the bit, although loops compute them anew: so they may be
computed from memory by elementwise ops (of narrow floats, which are rounded where they are stored,
by none), but not by sums, which add in any order.
"""

from __future__ import annotations

from graphc.core import dtypes
from graphc.core.ir import Graph, Kind, Node, at_origin, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.walk import reach, rebuild
from graphc.ops.arrays.movement import BROADCAST
from graphc.ops.arrays.reduce import ARGMAX, ARGMIN, MAX, MIN
from graphc.passes.rewrite.engine import same_graph

# Shorter rows are compared beside one another, a lane each.
LEAST = 64
_LARGEST = 2**31 - 1
# Kinds of nodes whose elements loops compute where they need them.
_IN_LOOPS = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.REDUCE)


def positions(graph: Graph) -> Graph:
    """Replace argmax and argmin along rows of at least `LEAST` elements."""
    return same_graph(graph, rebuild(graph, _in_lanes))


def _in_lanes(node: Node) -> Node:
    if node.op is not ARGMAX and node.op is not ARGMIN:
        return node
    (x,), (axis,) = node.inputs, node.attr("axes")
    type_ = tensor_type(x)
    size = type_.shape[axis]
    is_long = isinstance(size, int) and LEAST <= size <= _LARGEST
    if axis != type_.rank - 1 or not is_long or not _is_same_again(x):
        return node
    with at_origin(node.origin):
        extreme = MAX(x, axes=(axis,)) if node.op is ARGMAX else MIN(x, axes=(axis,))
        found = x == BROADCAST(extreme, axes=(axis,), shape=type_.shape)
        if type_.dtype.is_float:
            found = FUNCTIONS["logical_or"](found, FUNCTIONS["isnan"](x))
        places = FUNCTIONS["iota"](type_.shape, axis, dtypes.int32)
        first = MIN(FUNCTIONS["where"](found, places, size - 1), axes=(axis,))
        return FUNCTIONS["cast"](first, dtypes.int64)


def _is_same_again(x: Node) -> bool:
    """Whether each loop that computes elements of a node gets the same, to the bit."""
    chain = reach([x], lambda node: node.inputs if node.op.kind in _IN_LOOPS else ())
    return not any(
        node.op.kind is Kind.REDUCE or tensor_type(node).dtype.wide is not None
        for node in chain
        if node.op.kind in _IN_LOOPS
    )
