"""Loop nest of windows_transpose: each element of the image sums the windows that cover it.

A gather, not a scatter: the order of the sum is that of the kernel's elements, whatever the
number of threads, and narrower floats are summed in float32 and rounded once.
"""

from __future__ import annotations

from graphc.core import dims
from graphc.core.dtypes import DType
from graphc.core.ir import Node, tensor_type
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Step, Value
from graphc.runtime.nests import shared as nest

Ints = tuple[int, ...]


def windows_transpose(node: Node) -> list[Step]:
    """The step that adds up the windows of the node's operand."""
    ct, result = tensor_type(node.inputs[0]), tensor_type(node)
    shape = node.attr("shape")
    rank = len(shape)
    kernel = ct.shape[2 + rank :]
    how = tuple(node.attr(name) for name in ("stride", "padding", "dilation"))
    numbers = [Number(size) for size in (*shape, *ct.shape[2 : 2 + rank])]
    args: tuple[Argument, ...] = (Value(node.inputs[0]), Value(node), *numbers)
    work = dims.product(shape[1:]) * dims.product(kernel) * 4
    return [
        Step(
            windows_kernel(ct.dtype, kernel, *how),  # type: ignore[arg-type]
            args,
            dims.product(result.shape[:3]),
            node,
            nest.grain(work),
        )
    ]


def windows_kernel(
    dtype: DType, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Kernel:
    """The kernel for one geometry; its parallel range is images, channels and first axis."""
    rank = len(kernel)
    wide = nest.wide(dtype)
    numbers = [f"size{a} = args[{2 + a}]" for a in range(rank)]
    numbers += [f"out{a} = args[{2 + rank + a}]" for a in range(rank)]
    lines = [f"    {line}" for line in numbers]
    lines += ["    for p in range(lo, hi):", "        i0 = remainder(p, size0)"]
    depth = 2
    for a in range(1, rank):
        lines.append(f"{'    ' * depth}for i{a} in range(size{a}):")
        depth += 1
    lines.append(f"{'    ' * depth}total = {wide}(0)")
    at, body = _taps(kernel, stride, padding, dilation, depth)
    lines += [*body, f"{at}total = {wide}(total + ct[{_offset('quotient(p, size0)', kernel)}])"]
    place = "p"
    for a in range(1, rank):
        place = f"({place}) * size{a} + i{a}"
    lines.append(f"{'    ' * depth}y[{place}] = total")
    how = "_".join("x".join(map(str, v)) for v in (kernel, stride, padding, dilation))
    name = f"windows_transpose_{dtype.short}_{how}"
    head = [f"def {name}(args, lo, hi):"]
    head += [f"    {b} = buffer(args, {k}, {dtype.short})" for k, b in enumerate(("ct", "y"))]
    return Kernel(name, "\n".join([*head, *lines, ""]))


def _taps(
    kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, depth: int
) -> tuple[str, list[str]]:
    """Loops over the kernel's elements whose windows cover element (i0, i1, ...)."""
    lines = []
    for a, (k, s, p, d) in enumerate(zip(kernel, stride, padding, dilation)):
        tab = "    " * depth
        test = f"t{a} >= 0 and t{a} < out{a} * {s}"
        test += f" and remainder(t{a}, {s}) == 0" if s > 1 else ""
        lines += [
            f"{tab}for k{a} in range({k}):",
            f"{tab}    t{a} = i{a} + {p} - k{a} * {d}",
            f"{tab}    if {test}:",
            f"{tab}        o{a} = " + (f"quotient(t{a}, {s})" if s > 1 else f"t{a}"),
        ]
        depth += 2
    return "    " * depth, lines


def _offset(image: str, kernel: Ints) -> str:
    """The row-major offset of element (image, o0, o1, ..., k0, k1, ...)."""
    text = image
    for a in range(len(kernel)):
        text = f"({text}) * out{a} + o{a}"
    for a, k in enumerate(kernel):
        text = f"({text}) * {k} + k{a}"
    return text
