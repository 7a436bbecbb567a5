"""The kernels of a fused node: one for all nests, two more for each nest that collects over rows.

Not here: parts of a body that are computed alike, which share a kernel and a table (`many`), which
nests the others have (`graphc.loops.nesting`), their statements (`rows`, `columns`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.core.ir import Graph, Node, tensor_type
from graphc.core.types import Shape
from graphc.errors import InternalError
from graphc.loops.nesting import Nesting, Unfit, plan
from graphc.loops.spaces import Spaces
from graphc.loops.views import offset
from graphc.runtime.base.step import Step, Value
from graphc.runtime.fused.assemble import Assembly
from graphc.runtime.fused.columns import column_steps
from graphc.runtime.fused.emit import Emitter
from graphc.runtime.fused.loops import Symbols
from graphc.runtime.fused.many import many_steps
from graphc.runtime.fused.rows import Body, nest_block

Plain = Callable[[Body, Spaces, Sequence[Nesting]], list[Step]]


def lower_body(
    node: Node,
    graph: Graph,
    operands: Sequence[Value],
    inplace: Sequence[tuple[int, int]] = (),
    plain: Plain | None = None,
) -> list[Step]:
    """The steps that compute a body.

    Args:
        node: whose results the body's outputs are.
        graph: the body: elementwise, movement, reduce and source nodes.
        operands: where the body's inputs come from.
        inplace: pairs (output, input) that are one buffer.
        plain: makes the steps of nests that collect nothing over their rows; None for one kernel
            of all, for the CPU.
    """
    body = Body(node, graph, operands, dict(inplace), range(len(graph.outputs)))
    return _steps(body, plain or _plain)


def _steps(body: Body, plain: Plain) -> list[Step]:
    """The steps of a body; together they write all of its results that have elements."""
    graph = body.graph
    if all(tensor_type(o).size == 0 for o in graph.outputs):
        return []
    steps, left = many_steps(body)
    left = [k for k in left if tensor_type(graph.outputs[k]).size != 0]
    if not left:
        return steps
    try:
        spaces, nests = _planned(graph, left)
    except Unfit:
        return [*steps, _by_shape(body, left)]
    if sorted(k for nest in nests for k in (*nest.outputs, *nest.after)) != left:
        raise InternalError(f"the loop nests of {graph.name} don't write each result once")
    apart = [nest for nest in nests if not nest.columns]
    steps += plain(body, spaces, apart) if apart else []
    for number, nest in enumerate(nests):
        if nest.columns:
            steps += column_steps(body, spaces, nest, number, lambda body: _steps(body, plain))
    return steps


def _planned(graph: Graph, wanted: Sequence[int]) -> tuple[Spaces, list[Nesting]]:
    """The nests of some results of a body."""
    if len(wanted) == len(graph.outputs):
        return plan(graph)
    part = Graph.of(graph.name, graph.inputs, [graph.outputs[k] for k in wanted])
    spaces, nests = plan(part)
    for nest in nests:
        nest.outputs = [wanted[k] for k in nest.outputs]
        nest.after = [wanted[k] for k in nest.after]
    return spaces, nests


def _plain(body: Body, spaces: Spaces, nests: Sequence[Nesting]) -> list[Step]:
    """One kernel of several nests."""
    positions = sorted(k for nest in nests for k in nest.outputs)
    arguments, buffers = body.reading(body.graph, [body.graph.outputs[k] for k in positions])
    results = {k: body.result(arguments, buffers, k) for k in positions}
    assembly = Assembly(arguments, Symbols())
    blocks = [nest_block(body.graph, spaces, n, assembly, buffers, results) for n in nests]
    extent, grain = assembly.parallel(blocks)
    return [assembly.step(body.node, body.label, extent, grain)]


def _by_shape(body: Body, wanted: Sequence[int]) -> Step:
    """One kernel with a nest for each shape among the results, each element pulled alone.

    Always right, and as fast as any where a body is one op; results of one shape share loops, so
    that what is written over an input has been read by then.
    """
    outputs = body.graph.outputs
    shapes: dict[Shape, list[int]] = {}
    for k in wanted:
        if tensor_type(outputs[k]).size != 0:
            shapes.setdefault(tensor_type(outputs[k]).shape, []).append(k)
    arguments, buffers = body.reading(body.graph, [outputs[k] for k in wanted])
    assembly = Assembly(arguments, Symbols())
    blocks = []
    for shape, positions in shapes.items():
        results = [body.result(arguments, buffers, k) for k in positions]
        emitter = Emitter(buffers, assembly.symbols, arguments, Spaces())
        with emitter.loops(shape, outer=True) as index:
            values = [emitter.value(outputs[k], index) for k in positions]
            for result, value in zip(results, values):
                emitter.store(result, offset(shape, index), value)
        blocks.append(emitter.root)
    extent, grain = assembly.parallel(blocks)
    return assembly.step(body.node, body.label, extent, grain)
