"""Loop nests of cumsum, cumprod and recurrence: parallel beside the axis, in order along it."""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.dtypes import DType
from graphc.core.ir import Node, tensor_type
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Step, Value
from graphc.runtime.nests import shared as nest

# For each nest the first value and the step from {total} and the operands {0}, {1}. Small floats
# are carried in float64.
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
        rest = {wide}(0)
        for k in range(n):
            at = base + {place}
            rest = rest + lost(total, {first_term})
            total = {wide}({step})
            y[at] = {result}
"""
COLUMNS = """def {name}(args, lo, hi):
{buffers}
    n = args[{count}]
    inner = args[{count} + 1]
    chunks = args[{count} + 2]
    totals = local({chunk}, {wide})
    rests = local({chunk}, {wide})
    for p in range(lo, hi):
        left = remainder(p, chunks) * {chunk}
        base = quotient(p, chunks) * n * inner + left
        width = min({chunk}, inner - left)
        for j in range(width):
            totals[j] = {wide}({first})
            rests[j] = {wide}(0)
        for k in range(n):
            row = base + {place} * inner
            for j in range(width):
                at = row + j
                total = totals[j]
                rest = rests[j]
                rest = rest + lost(total, {first_term})
                total = {wide}({step})
                totals[j] = total
                rests[j] = rest
                y[at] = {result}
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
    # A kernel's scalars of narrower floats are float32.
    terms = [f"f64({b}[at])" if dtype.is_float else f"{b}[at]" for b in operands]
    name = f"{rule}_{dtype.short}{'_reverse' if reverse else ''}{'' if rows else '_columns'}"
    # Sums of float64 keep what they lose beside them; others need no `rest`.
    exact = rule == "cumsum" and dtype.short == "f64"
    template = ROWS if rows else COLUMNS
    if not exact:
        lines = template.splitlines(keepends=True)
        template = "".join(line for line in lines if "rest" not in line)
    source = template.format(
        name=name,
        buffers="\n".join(buffers),
        count=len(buffers),
        chunk=nest.CHUNK,
        wide="f64" if dtype.is_float else dtype.short,
        first=first,
        place="(n - 1 - k)" if reverse else "k",
        step=step.format(*terms, total="total"),
        first_term=terms[0],
        result="total + rest" if exact else "total",
    )
    return Kernel(name, source)
