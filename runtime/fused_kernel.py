"""The loops of a fused node: from its body to the nests of its kernels.

Not here: how an element is computed (`emit`), the text (`assemble`).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import Graph, IndexMap, Kind, Node, tensor_type
from graphc.runtime.assemble import Arguments, Nest, step_of
from graphc.runtime.emit import Emitter, offset
from graphc.runtime.loops import Symbols
from graphc.runtime.step import Step, Value

MOST_NAMED = 3


def lower_body(
    node: Node, body: Graph, operands: Sequence[Value], inplace: Sequence[tuple[int, int]] = ()
) -> list[Step]:
    """The steps that compute a body.

    Args:
        node: whose results the body's outputs are.
        body: a graph of elementwise, movement, reduce and source nodes.
        operands: where the body's inputs come from.
        inplace: pairs (output, input) that are one buffer.
    """
    outputs = [k for k, o in enumerate(body.outputs) if tensor_type(o).size != 0]
    if not outputs:
        return []
    arguments, buffers, results = _buffers(node, body, operands, dict(inplace))
    symbols = Symbols()
    nests = []
    for group in _groups(body, outputs):
        emitter = Emitter(buffers, symbols, arguments.site)
        nests.append(_map(emitter, [(body.outputs[k], results[k]) for k in group]))
    return [step_of(node, label(body), nests, arguments, symbols)]


def label(body: Graph) -> str:
    """What a body's kernel is called: its last ops."""
    names = [n.op.name for n in body.nodes if n.op.kind is not Kind.SOURCE]
    return "_".join(names[-MOST_NAMED:]) or "fill"


def _buffers(
    node: Node, body: Graph, operands: Sequence[Value], inplace: dict[int, int]
) -> tuple[Arguments, dict[Node, str], list[str]]:
    """The kernel's buffers: the body's inputs, then its outputs that are not in place."""
    arguments = Arguments()
    buffers: dict[Node, str] = {}
    users = body.users()
    for k, (placeholder, operand) in enumerate(zip(body.inputs, operands)):
        if users[placeholder] or any(o is placeholder for o in body.outputs):
            dtype = tensor_type(placeholder).dtype.short
            buffers[placeholder] = arguments.buffer(f"p{k}", operand, dtype)
    results = []
    for k, output in enumerate(body.outputs):
        if k in inplace and body.inputs[inplace[k]] in buffers:
            results.append(buffers[body.inputs[inplace[k]]])
            continue
        dtype = tensor_type(output).dtype.short
        results.append(arguments.buffer(f"r{k}", Value(node, k), dtype))
    return arguments, buffers, results


def _groups(body: Graph, outputs: Sequence[int]) -> list[list[int]]:
    """Outputs that share loops: those of one shape."""
    groups: dict[object, list[int]] = {}
    for k in outputs:
        groups.setdefault(tensor_type(flat_source(body.outputs[k])).shape, []).append(k)
    return list(groups.values())


def flat_source(node: Node) -> Node:
    """The node behind ops that keep the row-major order: what is stored is the same."""
    while isinstance(node.op.lowering, IndexMap) and node.op.lowering.flat:
        node = node.inputs[0]
    return node


def _map(emitter: Emitter, outputs: Sequence[tuple[Node, str]]) -> Nest:
    """Loops over every element of outputs of one shape."""
    sources = [flat_source(node) for node, _ in outputs]
    shape = tensor_type(sources[0]).shape
    with emitter.loops(shape) as index:
        values = [emitter.value(source, index) for source in sources]
        for (_, buffer), value in zip(outputs, values):
            emitter.store(buffer, offset(shape, index), value)
    return Nest(emitter.root)
