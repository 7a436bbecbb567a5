"""When a call runs kernels and when NumPy: an estimate of NumPy's time, and the exceptions."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.ir import Cost, Graph, Kind, Node, Reduction, tensor_type, toposort
from graphc.core.types import TensorType
from graphc.ops.source import INPUT_OP

# What NumPy takes for an op that does not say otherwise.
_BY_KIND = {
    Kind.ELEMENTWISE: Cost(0.35),
    Kind.REDUCE: Cost(0.3),
    Kind.MOVEMENT: Cost(0.0),
    Kind.SOURCE: Cost(0.1),
    Kind.CONTRACT: Cost(0.3),
    Kind.LIBRARY: Cost(3.0),
}
_OTHER = Cost(0.3)
# Where compiled kernels start to pay: below it a program's own call is a good part of the time.
COMPILE_ABOVE_NS = 40_000.0
_FEW = 12


def pays_to_compile(outputs: Sequence[Node]) -> bool:
    """Whether kernels take less time than NumPy for a graph of known shapes.

    NumPy moves elements by views, gives a product to its BLAS, and finds places of extremes fast.
    """
    nodes = list(toposort(outputs))
    if all(n.op.kind in (Kind.MOVEMENT, Kind.SOURCE) for n in nodes):
        return False
    products = sum(n.op.kind is Kind.CONTRACT for n in nodes)
    if (products == 1 and _is_product(outputs)) or _finds_places(outputs):
        return False
    return numpy_cost(outputs) >= COMPILE_ABOVE_NS or _has_bodies(outputs)


def numpy_cost(outputs: Sequence[Node]) -> float:
    """NumPy's time for a graph of known shapes, roughly, in nanoseconds."""
    total = 0.0
    for node in toposort(outputs):
        if node.op is INPUT_OP:
            continue
        cost = node.op.cost or _BY_KIND.get(node.op.kind, _OTHER)
        own, *operands = (_elements(n) for n in (node, *node.inputs))
        total += cost.call + cost.element * max((own, *operands))
        total += cost.pair * own * max(operands[1:], default=0)
    return total


def _elements(node: Node) -> int:
    size = tensor_type(node).size if isinstance(node.type, TensorType) else 1
    return size if isinstance(size, int) else 1


def _finds_places(outputs: Sequence[Node]) -> bool:
    """Whether a graph is about the places of extremes, for which NumPy has the faster loops."""
    nodes = list(toposort(outputs))
    found = any(isinstance(n.op.lowering, Reduction) and n.op.lowering.arg for n in nodes)
    return found and len(nodes) < _FEW and not any(n.op.cost for n in nodes)


def _has_bodies(outputs: Sequence[Node]) -> bool:
    """Whether a graph has loops or branches, which NumPy code would run a Python step at a time."""
    return any(isinstance(v, Graph) for n in toposort(outputs) for _, v in n.attrs)


def _is_product(outputs: Sequence[Node]) -> bool:
    """Whether a graph is one matrix product at the cost of its kind: NumPy gives it to its BLAS."""
    kinds = (Kind.CONTRACT, Kind.MOVEMENT, Kind.SOURCE)
    return all(n.op.kind in kinds and not n.op.cost for n in toposort(outputs))
