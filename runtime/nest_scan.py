"""Loop nests of cumsum, cumprod and recurrence: parallel beside the axis, in order along it."""

from __future__ import annotations

from collections.abc import Callable

from graphc.dtypes import DType
from graphc.ir import Node, tensor_type
from graphc.runtime import nest
from graphc.runtime.kernel import Kernel
from graphc.runtime.step import Number, Step, Value

# For each nest the first value and the step from {total} and the operands {0}, {1}.
RULES = {
    "cumsum": ("0", "{total} + {0}"),
    "cumprod": ("1", "{total} * {0}"),
    "recurrence": ("0", "{0} * {total} + {1}"),
}

ROWS = """def {name}(args, lo, hi):
{buffers}
    n = args[{count}]
    for p in range(lo, hi):
        base = p * n
        total = {wide}({first})
        for k in range(n):
            at = base + {place}
            total = {wide}({step})
            y[at] = total
"""
COLUMNS = """def {name}(args, lo, hi):
{buffers}
    n = args[{count}]
    inner = args[{count} + 1]
    chunks = args[{count} + 2]
    totals = local({chunk}, {wide})
    for p in range(lo, hi):
        left = remainder(p, chunks) * {chunk}
        base = quotient(p, chunks) * n * inner + left
        width = min({chunk}, inner - left)
        for j in range(width):
            totals[j] = {wide}({first})
        for k in range(n):
            row = base + {place} * inner
            for j in range(width):
                at = row + j
                total = totals[j]
                total = {wide}({step})
                totals[j] = total
                y[at] = total
"""


def scan(rule: str) -> Callable[[Node], list[Step]]:
    """The lowering of one of `RULES`: a node to its step."""

    def lower(node: Node) -> list[Step]:
        type_ = tensor_type(node)
        outer, size, inner = nest.around(type_.shape, node.attr("axis"))
        rows = inner == 1
        kernel = scan_kernel(rule, type_.dtype, node.attr("reverse"), rows)
        values = (*(Value(operand) for operand in node.inputs), Value(node))
        if rows:
            return [Step(kernel, (*values, Number(size)), outer, node, nest.grain(size))]
        parts = nest.chunks(inner)
        numbers = (Number(size), Number(inner), Number(parts))
        return [
            Step(kernel, (*values, *numbers), outer * parts, node, nest.grain(size * nest.CHUNK))
        ]

    return lower


def scan_kernel(rule: str, dtype: DType, reverse: bool, rows: bool) -> Kernel:
    """The kernel of a scan over rows, or over chunks of columns."""
    first, step = RULES[rule]
    operands = ["x", "a"][: 1 + (rule == "recurrence")]
    buffers = [
        f"    {b} = buffer(args, {k}, {dtype.short})" for k, b in enumerate([*operands, "y"])
    ]
    name = f"{rule}_{dtype.short}{'_reverse' if reverse else ''}{'' if rows else '_columns'}"
    source = (ROWS if rows else COLUMNS).format(
        name=name,
        buffers="\n".join(buffers),
        count=len(buffers),
        chunk=nest.CHUNK,
        wide=nest.wide(dtype),
        first=first,
        place="(n - 1 - k)" if reverse else "k",
        step=step.format(*(f"{b}[at]" for b in operands), total="total"),
    )
    return Kernel(name, source)
