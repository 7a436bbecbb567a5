"""The lowering for C: what the CPU's own makes, with contractions as plain loops.

The CPU's contractions are micro-kernels of vector registers, which the kernel language has as
functions of its own; here they are loops that any C compiler takes.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.dims import Size
from graphc.core.ir import Node, tensor_type
from graphc.loops import views
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Step, Value
from graphc.runtime.contract.lower import lower_contract
from graphc.runtime.lower import Native
from graphc.runtime.nests.shared import around

_JOIN = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    y = buffer(args, 1, {dtype})
    size, start, run = args[2], args[3], args[4]
    for outer in range(lo, hi):
        for i in range(size):
            y[outer * run + start + i] = x[outer * size + i]
"""


class Plain(Native):
    """Kernels that have a form in C."""

    def contract(self, node: Node, value_of: Callable[[Node], Value]) -> list[Step]:  # type: ignore[override]
        """The steps of a contraction, as plain loops."""
        return lower_contract(node, value_of, is_plain=True)

    def joined(self, node: Node, value_of: Callable[[Node], Value]) -> list[Step]:
        """A copy of each tensor that is joined."""
        type_, axis = tensor_type(node), node.attr("axis")
        outer, run, inner = around(type_.shape, axis)
        dtype = f"u{8 * type_.dtype.itemsize}"
        kernel = Kernel(f"join_{dtype}", _JOIN.format(name=f"join_{dtype}", dtype=dtype))
        steps, start = [], 0 * inner
        for operand, source in zip(node.inputs, views.in_memory(node)):
            size: Size = tensor_type(operand).shape[axis] * inner
            numbers = tuple(map(Number, (size, start, run * inner)))
            steps.append(Step(kernel, (value_of(source), Value(node), *numbers), outer, node))
            start = start + size
        return steps
