"""Matrix times vector for float32 and float64: bound by memory, so read in the memory's order.

A product with one row, or one column, is `out[i] = sum over p of matrix[i, p] * vector[p]`. Where
neighbours in p are neighbours in memory, four rows are summed at a time; else the result is a row
of accumulators that rows of the matrix are added to, four at a time. Either way blocks of p are
summed on their own, and the sums of blocks added with what each addition loses beside them.
"""

from __future__ import annotations

import functools

from graphc.runtime.base.kernel import Kernel

# Elements of the result that one task computes.
BLOCK = 512
# Elements of k that are summed without care: in lanes, and one after the other.
LANE_DEPTH = 1024
DEPTH = 64

_SOURCE = """\
def {name}(args, lo, hi):
    matrix = buffer(args, 0, {dtype})
    vector = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    n, k, step_n, step_k, step_vector = args[3], args[4], args[5], args[6], args[7]
    blocks = args[8]
    acc = local({block}, {dtype})
    totals = local({block}, {dtype})
    rests = local({block}, {dtype})
    parts = local(4, {dtype})
    for task in range(lo, hi):
        number = quotient(task, blocks)
        first = remainder(task, blocks) * {block}
        size = select(n - first < {block}, n - first, {block})
        at = first * step_n
        begin = 0
        rest = number
        for axis in range(args[9]):
            extent = args[10 + 3 * axis]
            at += remainder(rest, extent) * args[11 + 3 * axis]
            begin += remainder(rest, extent) * args[12 + 3 * axis]
            rest = quotient(rest, extent)
        for i in range(size):
            totals[i] = {dtype}(0)
            rests[i] = {dtype}(0)
        if step_k == 1 and step_vector == 1:
            i = 0
            while i < size:
                # The last four overlap where there are not four left; a row alone is taken twice.
                i = select(i + 4 <= size or size < 4, i, size - 4)
                row = at + i * step_n
                next_row = select(size < 4, 0, step_n)
                for j in range(i, select(size < 4, i + 1, i + 4)):
                    totals[j] = {dtype}(0)
                    rests[j] = {dtype}(0)
                for start in range(0, k, {lane_depth}):
                    a, b, c, d = {dtype}(0), {dtype}(0), {dtype}(0), {dtype}(0)
                    for p in range(start, min(start + {lane_depth}, k)):
                        right = vector[begin + p]
                        a = add_any_order(a, matrix[row + p] * right)
                        b = add_any_order(b, matrix[row + next_row + p] * right)
                        c = add_any_order(c, matrix[row + 2 * next_row + p] * right)
                        d = add_any_order(d, matrix[row + 3 * next_row + p] * right)
                    parts[0], parts[1], parts[2], parts[3] = a, b, c, d
                    for j in range(select(size < 4, 1, 4)):
                        rests[i + j] = rests[i + j] + lost(totals[i + j], parts[j])
                        totals[i + j] = totals[i + j] + parts[j]
                i += select(size < 4, 1, 4)
        else:
            for start in range(0, k, {depth}):
                stop = min(start + {depth}, k)
                whole = stop - remainder(stop - start, 4)
                for i in range(size):
                    acc[i] = {dtype}(0)
                for p in range(start, whole, 4):
                    a = vector[begin + p * step_vector]
                    b = vector[begin + (p + 1) * step_vector]
                    c = vector[begin + (p + 2) * step_vector]
                    d = vector[begin + (p + 3) * step_vector]
                    row = at + p * step_k
                    for i in range(size):
                        j = row + i * step_n
                        total = acc[i] + a * matrix[j]
                        total = total + b * matrix[j + step_k]
                        total = total + c * matrix[j + 2 * step_k]
                        acc[i] = total + d * matrix[j + 3 * step_k]
                for p in range(whole, stop):
                    a = vector[begin + p * step_vector]
                    row = at + p * step_k
                    for i in range(size):
                        acc[i] = acc[i] + a * matrix[row + i * step_n]
                for i in range(size):
                    rests[i] = rests[i] + lost(totals[i], acc[i])
                    totals[i] = totals[i] + acc[i]
        for i in range(size):
            out[number * n + first + i] = totals[i] + rests[i]
"""


@functools.cache
def vector_kernel(dtype: str) -> Kernel:
    """The product of a matrix and a vector of "f32" or "f64".

    Its parallel range is batch, blocks of the result. Arguments: matrix, vector, out, size of the
    result and of the sum, the matrix's two steps, the vector's, blocks, and the batch axes as in
    `matmul_kernel`: their number, then size and steps of each, the last axis first.
    """
    name = f"matrix_vector_{dtype}"
    source = _SOURCE.format(name=name, dtype=dtype, block=BLOCK, lane_depth=LANE_DEPTH, depth=DEPTH)
    return Kernel(name, source)
