"""Matrix multiplication of integers, bools and narrow floats: a loop nest in i, k, j order."""

from __future__ import annotations

import functools

from graphc.core import dtypes
from graphc.runtime.base.kernel import Kernel

_WRAPPING = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {left})
    y = buffer(args, 1, {right})
    out = buffer(args, 2, {dtype})
    m, n, k = args[3], args[4], args[5]
    x_m, x_k, y_k, y_n = args[6], args[7], args[8], args[9]
    for line in range(lo, hi):
        rest = quotient(line, m)
        x_at = remainder(line, m) * x_m
        y_at = 0
        for axis in range(args[10]):
            size = args[11 + 3 * axis]
            x_at += remainder(rest, size) * args[12 + 3 * axis]
            y_at += remainder(rest, size) * args[13 + 3 * axis]
            rest = quotient(rest, size)
{body}
"""

# Integers wrap; the row of the result is the accumulator.
_INTEGER = """\
        for j in range(n):
            out[line * n + j] = {dtype}(0)
        for p in range(k):
            left = x[x_at + p * x_k]
            for j in range(n):
                product = {dtype}(left * y[y_at + p * y_k + j * y_n])
                out[line * n + j] = {dtype}(out[line * n + j] + product)"""

_BOOL = """\
        for j in range(n):
            out[line * n + j] = b1(0)
        for p in range(k):
            if x[x_at + p * x_k]:
                for j in range(n):
                    if y[y_at + p * y_k + j * y_n]:
                        out[line * n + j] = b1(1)"""

# Floats narrower than float32: its accumulators for 64 columns at a time, rounded once.
_NARROW = """\
        for j0 in range(0, n, 64):
            width = min(64, n - j0)
            for j in range(width):
                acc[j] = f32(0)
            for p in range(k):
                left = x[x_at + p * x_k]
                for j in range(width):
                    acc[j] = acc[j] + left * y[y_at + p * y_k + (j0 + j) * y_n]
            for j in range(width):
                out[line * n + j0 + j] = {dtype}(acc[j])"""


@functools.cache
def plain_kernel(left: str, right: str = "", result: str = "") -> Kernel:
    """The matrix product of any dtype; its parallel range is the rows of the result.

    Args:
        left: the dtype of the left operand.
        right, result: those of the right one and the result, integers; "" for the same.
    """
    dtype, right = result or left, right or left
    name = f"matmul_{left}" if not result else f"matmul_{left}_{right}_plain"
    is_narrow = dtypes.as_dtype(dtype).wide is not None
    body = _NARROW if is_narrow else _BOOL if dtype == "b1" else _INTEGER
    if result:  # of other dtypes: products are of the result's
        body = body.replace("= x[x_at + p * x_k]", "= {dtype}(x[x_at + p * x_k])")
        body = body.replace(
            "* y[y_at + p * y_k + j * y_n]", "* {dtype}(y[y_at + p * y_k + j * y_n])"
        )
    source = _WRAPPING.format(
        name=name, dtype=dtype, left=left, right=right, body=body.format(dtype=dtype)
    )
    if is_narrow:
        source = source.replace("    m, n, k =", "    acc = local(64, f32)\n    m, n, k =", 1)
    return Kernel(name, source)
