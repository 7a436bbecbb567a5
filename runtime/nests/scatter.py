"""Loop nests that write where an index says: scatter_add, index_add, index_update, and their like.

Each turn of the parallel loop owns its part of the result (a chunk of columns of one outer place)
and applies all updates to it in the order of the index: no two threads write one element, and
the result does not depend on their number. An index outside the axis is recorded and skipped.
Where the result takes x's memory nothing else of it is read or written.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.dtypes import DType
from graphc.core.ir import Node, tensor_type
from graphc.core.results import written_over
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Site, StatusBlock, Step, Value
from graphc.runtime.nests import shared as nest

HEAD = """def {name}(args, lo, hi):
{x}    index = buffer(args, 1, {index})
    updates = buffer(args, 2, {dtype})
    y = buffer(args, 3, {dtype})
    status = buffer(args, 4, i64)
    site = args[5]
    n = args[6]
    m = args[7]
    inner = args[8]
    chunks = args[9]
    for p in range(lo, hi):
        outer = quotient(p, chunks)
        first = remainder(p, chunks) * {chunk}
        width = min({chunk}, inner - first)
        base = outer * n * inner + first
{copy}        for k in range(m):
            source = (outer * m + k) * inner + first
"""
X = "    x = buffer(args, 0, {dtype})\n"
COPY = """        for k in range(n):
            for j in range(base + k * inner, base + k * inner + width):
                y[j] = x[j]
"""
# One index for a whole row of updates.
ROWS = """            place = i64(index[k])
            if place < {least} or place >= n:
                fail(status, site, place, n)
            else:
                if place < 0:
                    place = place + n
                row = base + place * inner
                for j in range(width):
                    y[row + j] = {value}
"""
# One index for each update.
ALONG = """            for j in range(width):
                place = i64(index[source + j])
                if place < {least} or place >= n:
                    fail(status, site, place, n)
                else:
                    if place < 0:
                        place = place + n
                    row = base + place * inner
                    y[row + j] = {value}
"""
# What is written over {0} for an update {1}: of numbers, and of bools.
WRITES = {
    "index_update": ("{1}", "{1}"),
    "index_add": ("{0} + {1}", "{0} | {1}"),
    "scatter_add": ("{0} + {1}", "{0} | {1}"),
    "index_multiply": ("{0} * {1}", "{0} & {1}"),
    "index_maximum": ("maximum({0}, {1})", "{0} | {1}"),
    "index_minimum": ("minimum({0}, {1})", "{0} & {1}"),
}


def scatter(name: str) -> Callable[[Node], list[Step]]:
    """The lowering of an op in `WRITES`: a node to its step."""

    def lower(node: Node) -> list[Step]:
        x, index = tensor_type(node.inputs[0]), tensor_type(node.inputs[1])
        axis = node.attr("axis")
        span = dict(node.attrs).get("span", 1)
        outer, size, inner = nest.around(x.shape, axis, span)
        count = index.shape[axis if name == "scatter_add" else 0]
        parts = nest.chunks(inner)
        is_over = bool(written_over(node))
        result = Value(node.inputs[0] if is_over else node)
        values = (*(Value(operand) for operand in node.inputs), result)
        numbers = tuple(Number(s) for s in (size, count, inner, parts))
        args: tuple[Argument, ...] = (*values, StatusBlock(), Site(node), *numbers)
        kernel = scatter_kernel(name, x.dtype, index.dtype, is_over)
        work = nest.grain((count if is_over else size + count) * nest.CHUNK)
        return [Step(kernel, args, outer * parts, node, work)]

    return lower


def scatter_kernel(name: str, dtype: DType, index: DType, is_over: bool = False) -> Kernel:
    """The kernel for one dtype of elements and one of indices; `is_over`: x's memory is y's."""
    template = WRITES[name][dtype.kind == "bool"]
    new = template.format("y[row + j]", "updates[source + j]")
    if name != "index_update":
        new = f"{nest.wide(dtype)}({new})"
    # Beyond int64 an unsigned index turns negative, and none of them counts from the end.
    least = "0" if index.kind == "uint" else "-n"
    title = f"{name}_{dtype.short}_{index.short}" + "_over" * is_over
    body = HEAD + (ALONG if name == "scatter_add" else ROWS)
    source = body.format(
        name=title, dtype=dtype.short, index=index.short, chunk=nest.CHUNK, least=least, value=new,
        x="" if is_over else X.format(dtype=dtype.short), copy="" if is_over else COPY,
    )  # fmt: skip
    return Kernel(title, source)
