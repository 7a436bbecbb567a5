"""When a call runs kernels and when NumPy: an estimate of NumPy's time, and the exceptions."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.ir import Graph, Kind, Node, Reduction, tensor_type, toposort
from graphc.core.types import TensorType
from graphc.ops.source import INPUT_OP

# NumPy's cost of a node in nanoseconds: a call, and each element by the kind of op.
_CALL_NS = 400.0
_ELEMENT_NS = {
    Kind.ELEMENTWISE: 0.35,
    Kind.REDUCE: 0.3,
    Kind.MOVEMENT: 0.0,
    Kind.SOURCE: 0.1,
    Kind.CONTRACT: 0.3,
    Kind.LIBRARY: 3.0,
}
# Where compiled kernels start to pay: below it a program's own call is a good part of the time.
COMPILE_ABOVE_NS = 40_000.0
_SLOW = {"conv": 6.0, "philox": 20.0, "windows": 4.0, "pool": 8.0}
# Ten rounds of arithmetic on 64-bit words, a NumPy call each.
_PHILOX_NS = 15_000.0
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
        size = max((_elements(n) for n in (node, *node.inputs)), default=1)
        each = next((v for k, v in _SLOW.items() if k in node.op.name), None)
        total += _CALL_NS + size * (_ELEMENT_NS.get(node.op.kind, 0.3) if each is None else each)
        if node.op.name == "philox":
            total += _PHILOX_NS
        if "conv" in node.op.name:
            total += 4.0 * _elements(node) * max(_elements(i) for i in node.inputs[1:])
    return total


def _elements(node: Node) -> int:
    size = tensor_type(node).size if isinstance(node.type, TensorType) else 1
    return size if isinstance(size, int) else 1


def _finds_places(outputs: Sequence[Node]) -> bool:
    """Whether a graph is about the places of extremes, for which NumPy has the faster loops."""
    nodes = list(toposort(outputs))
    found = any(isinstance(n.op.lowering, Reduction) and n.op.lowering.arg for n in nodes)
    return found and len(nodes) < _FEW and all(n.op.name != "windows" for n in nodes)


def _has_bodies(outputs: Sequence[Node]) -> bool:
    """Whether a graph has loops or branches, which NumPy code would run a Python step at a time."""
    return any(isinstance(v, Graph) for n in toposort(outputs) for _, v in n.attrs)


def _is_product(outputs: Sequence[Node]) -> bool:
    """Whether a graph is one matrix product, which NumPy gives to its BLAS."""
    return all(
        n.op.name == "matmul" or n.op.kind in (Kind.MOVEMENT, Kind.SOURCE)
        for n in toposort(outputs)
    )
