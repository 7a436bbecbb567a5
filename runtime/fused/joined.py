"""Many tensors one after the other along an axis: a kernel that copies by a table of pieces.

A few pieces are branches of the kernel that reads them (`emit`). Of many, the branches would be
deeper than Python's parser goes, and every element would pass through all of them: so the pieces
are in memory, and each is a row of the step's arguments. The kernel knows neither their number nor
their sizes; bits are copied, so there is one for each width of an element.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from graphc.core.dims import Size
from graphc.core.ir import Node, tensor_type
from graphc.loops import views
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Step, Value
from graphc.runtime.contract.contraction import sized
from graphc.runtime.nests.shared import SLICE, around

# Words of a row: elements of a run, where it begins in the result's, and the two addresses.
WIDTH = 4
# Elements that one turn of the parallel range copies, where the runs are shorter.
TURN = 4096

_SOURCE = """\
def {name}(args, lo, hi):
    pieces = args[0]
    whole, runs, each = args[1 + pieces * 4], args[2 + pieces * 4], args[3 + pieces * 4]
    number = quotient(lo, pieces)
    piece = lo - number * pieces
    row = 1 + piece * 4
    for turn in range(lo, hi):
        run, place = args[row], args[row + 1]
        source = buffer_at(args, row + 2, {dtype}, 0)
        out = buffer_at(args, row + 3, {dtype}, 1)
        first = number * each
        last = select(first + each < runs, first + each, runs)
        if run == 1:
            for r in range(first, last):
                out[r * whole + place] = source[r]
        else:
            for r in range(first, last):
                for i in range(run):
                    out[r * whole + place + i] = source[r * run + i]
        piece += 1
        row += 4
        if piece == pieces:
            piece = 0
            number += 1
            row = 1
"""


def joined(node: Node, value_of: Callable[[Node], Value]) -> list[Step]:
    """The step of a node that joins many tensors along its axis.

    Args:
        node: see `views.joins_many`.
        value_of: where an operand's value is.
    """
    result = tensor_type(node)
    if result.size == 0:
        return []
    axis = node.attr("axis")
    runs, _, inner = around(result.shape, axis)
    pieces = []
    place: Size = 0
    for operand, source in zip(node.inputs, views.in_memory(node)):
        size = tensor_type(operand).shape[axis] * inner
        if size != 0:
            pieces.append((size, place, source))
        place = place + size
    run = pieces[0][0]
    # Runs that one turn copies, and turns: every piece, for every few runs.
    each = sized(lambda run: max(1, TURN // max(run, 1)), run)
    args: list[Argument] = [Number(len(pieces))]
    for size, start, source in pieces:
        args += [Number(size), Number(start), value_of(source), Value(node)]
    args += [Number(place), Number(runs), Number(each)]
    extent = sized(lambda runs, each: len(pieces) * -(-runs // each), runs, each)
    work = run * each if isinstance(each, int) and isinstance(run, int) else TURN
    grain = max(1, SLICE // max(work, 1))
    kernel = join_kernel(result.dtype.itemsize)
    return [Step(kernel, tuple(args), extent, node, grain, notes=(f"{len(pieces)} pieces",))]


@functools.cache
def join_kernel(itemsize: int) -> Kernel:
    """The kernel for elements of so many bytes.

    Its parallel range is turns: all pieces for the first few runs, then for the next. Arguments:
    the number of pieces, a row for each, then elements of a run of the result, runs, and runs of
    a turn.
    """
    dtype = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}[itemsize]
    name = f"join_{dtype}"
    return Kernel(name, _SOURCE.format(name=name, dtype=dtype))
