"""Loop nest of argsort: a stable merge sort of each row's indices, rows in parallel.

Runs of a few elements are sorted by insertion, then merged in doubling widths between the halves
of a workspace. Element k of a row is never moved itself, only its index.
"""

from __future__ import annotations

from graphc.core.dtypes import DType
from graphc.core.ir import Node, tensor_type
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Step, Value, Workspace
from graphc.runtime.nests import shared as nest

SOURCE = """def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    y = buffer(args, 1, i64)
    w = buffer(args, 2, i64)
    n = args[3]
    inner = args[4]
    for p in range(lo, hi):
        start = quotient(p, inner) * n * inner + remainder(p, inner)
        src = p * 2 * n
        dst = src + n
        for left in range(0, n, {run}):
            for i in range(left, min(left + {run}, n)):
                b = {load}x[start + i * inner]{end}
                j = i
                while j > left:
                    a = {load}x[start + w[src + j - 1] * inner]{end}
                    if not ({before}):
                        break
                    w[src + j] = w[src + j - 1]
                    j = j - 1
                w[src + j] = i
        width = {run}
        while width < n:
            left = 0
            while left < n:
                middle = min(left + width, n)
                right = min(middle + width, n)
                i = left
                j = middle
                for k in range(left, right):
                    second = j < right
                    if second and i < middle:
                        a = {load}x[start + w[src + i] * inner]{end}
                        b = {load}x[start + w[src + j] * inner]{end}
                        second = {before}
                    if second:
                        w[dst + k] = w[src + j]
                        j = j + 1
                    else:
                        w[dst + k] = w[src + i]
                        i = i + 1
                left = right
            src, dst = dst, src
            width = width * 2
        for k in range(n):
            y[start + k * inner] = w[src + k]
"""
RUN = 16


def argsort(node: Node) -> list[Step]:
    """The step that sorts each row of the node's operand."""
    type_ = tensor_type(node.inputs[0])
    outer, size, inner = nest.around(type_.shape, node.attr("axis"))
    # Two indices of 8 bytes for each element.
    work = Workspace(node, "order", type_.size * 16)
    args = (Value(node.inputs[0]), Value(node), work, Number(size), Number(inner))
    kernel = argsort_kernel(type_.dtype, node.attr("descending"))
    return [Step(kernel, args, outer * inner, node, nest.grain(size * 8))]


def argsort_kernel(dtype: DType, descending: bool) -> Kernel:
    """The kernel for one dtype and direction; nan counts as the greatest."""
    before = "b > a" if descending else "b < a"
    if dtype.is_float:
        extra = "(b != b) & (a == a)" if descending else "(b == b) & (a != a)"
        before = f"({before}) | ({extra})"
    boolean = dtype.kind == "bool"
    name = f"argsort_{dtype.short}{'_descending' if descending else ''}"
    source = SOURCE.format(
        name=name,
        dtype=dtype.short,
        before=before,
        run=RUN,
        load="i8(" if boolean else "",
        end=")" if boolean else "",
    )
    return Kernel(name, source)
