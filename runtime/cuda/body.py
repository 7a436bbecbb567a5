"""Bodies of elementwise, movement, reduce and source nodes: which of their nests take which form.

Rows that are long take a block each, all else a thread an element or a short row. Reductions over
rows, and bodies that have no nests, take the kernels of the CPU, a turn a thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.core.dims import Size
from graphc.core.ir import Node
from graphc.loops.nesting import Nesting, extent
from graphc.loops.spaces import Spaces
from graphc.runtime.base.step import Step
from graphc.runtime.cuda.emulate import WARP
from graphc.runtime.cuda.layout import BlockArguments, BlockEmitter, Layout, ThreadEmitter
from graphc.runtime.cuda.threads import THREADS, blocks
from graphc.runtime.fused.assemble import Arguments
from graphc.runtime.fused.rows import Body, nest_block

# Rows of at most so many elements are a thread's.
SHORT_ROW = 32
MOST_THREADS = 256


def plain_steps(body: Body, spaces: Spaces, nests: Sequence[Nesting]) -> list[Step]:
    """A kernel for each nest that collects nothing over its rows."""
    return [_step(body, spaces, nest) for nest in nests]


def _step(body: Body, spaces: Spaces, nest: Nesting) -> Step:
    row = extent(spaces, spaces.reduced(nest.stages[0][0])) if nest.stages else 1
    is_wide = not isinstance(row, int) or row > SHORT_ROW
    wanted: list[Node] = [body.graph.outputs[k] for k in nest.outputs]
    arguments, buffers = body.reading(body.graph, wanted, BlockArguments if is_wide else Arguments)
    results = {k: body.result(arguments, buffers, k) for k in sorted(nest.outputs)}
    layout = Layout(arguments, _threads(row) if is_wide else THREADS)
    kind = BlockEmitter if is_wide else ThreadEmitter
    block = nest_block(body.graph, spaces, nest, layout, buffers, results, kind)
    if is_wide:
        return layout.step(body.node, body.label, layout.each_block(block))
    count = layout.each_thread(block)
    return layout.step(body.node, body.label, blocks(count, THREADS))


def _threads(row: Size) -> int:
    """The threads of a block for rows of some elements."""
    threads = WARP
    while threads < MOST_THREADS and (not isinstance(row, int) or threads * 4 < row):
        threads *= 2
    return threads
