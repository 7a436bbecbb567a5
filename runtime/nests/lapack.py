"""The ops of linear algebra as calls of LAPACK, by the names that `ir.Library` facts have.

LAPACK has columns where graphc has rows, so matrices are turned on the way in and out.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node, tensor_type
from graphc.ops.linalg.exponential import COEFFICIENTS, MOST, REACH
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Step, Value
from graphc.runtime.nests.library import Routine, largest


def _into(target: str, source: str, m: str, n: str) -> str:
    """Matrix p of an operand turned."""
    return f"""
for i in range({m}):
    for j in range({n}):
        {target}[j * {m} + i] = {source}[(p * {m} + i) * {n} + j]
"""


def _out(start: str, source: str, m: str, n: str) -> str:
    """A matrix turned into the result, whose place begins at `start`."""
    return f"""
for i in range({m}):
    for j in range({n}):
        out[{start} + i * {n} + j] = {source}[j * {m} + i]
"""


def _sizes(node: Node) -> tuple[Size, Size]:
    shape = tensor_type(node.inputs[0]).shape
    return shape[-2], shape[-1]


def _solve(node: Node) -> list[Step]:
    n, k = tensor_type(node.inputs[1]).shape[-2:]
    made = Routine(node)
    made.numbers(n=n, k=k)
    made.scratch(a=(n, n), b=(n, k))
    made.scratch("i32", pivots=(n,))
    made.integers(n_="n", k_="k", lead="max(n, i64(1))")
    made.calls("gesv")
    call = """
call_routine(gesv, (n_, k_, a_at, lead, pivots_at, b_at, lead, info))
error = i64(ints[0])
"""
    return made.steps(
        _into("a", "x", "n", "n") + _into("b", "y", "n", "k") + call
        + _out("p * n * k", "b", "n", "k")
    )  # fmt: skip


def _triangular(node: Node) -> list[Step]:
    n, k = tensor_type(node.inputs[1]).shape[-2:]
    made = Routine(node)
    made.numbers(n=n, k=k)
    made.scratch(a=(n, n), b=(n, k), one=(1,))
    made.integers(n_="n", k_="k", lead="max(n, i64(1))")
    triangle = "U" if node.attr("upper") else "L"
    made.letters(side="L", triangle=triangle, way="N", unit="U" if node.attr("unit") else "N")
    made.calls("trsm")
    call = """
one[0] = FLOAT(1)
call_routine(trsm, (side, triangle, way, unit, n_, k_, one_at, a_at, lead, b_at, lead))
"""
    return made.steps(
        _into("a", "x", "n", "n") + _into("b", "y", "n", "k") + call
        + _out("p * n * k", "b", "n", "k")
    )  # fmt: skip


def _lu(node: Node) -> list[Step]:
    m, n = _sizes(node)
    k = dims.minimum(m, n)
    made = Routine(node)
    made.numbers(m=m, n=n, k=k)
    made.scratch(a=(m, n))
    made.scratch("i32", pivots=(k,))
    made.integers(m_="m", n_="n", lead="max(m, i64(1))")
    made.calls("getrf")
    call = """
call_routine(getrf, (m_, n_, a_at, lead, pivots_at, info))
error = i64(ints[0])
start = p * (m * n + k + 1)
"""
    rest = """
for i in range(k):
    out[start + m * n + i] = FLOAT(pivots[i])
out[start + m * n + k] = FLOAT(ints[0])
"""
    return made.steps(_into("a", "x", "m", "n") + call + _out("start", "a", "m", "n") + rest)


def _cholesky(node: Node) -> list[Step]:
    _, n = _sizes(node)
    made = Routine(node)
    made.numbers(n=n)
    made.scratch(a=(n, n))
    made.integers(n_="n", lead="max(n, i64(1))")
    made.letters(triangle="L")
    made.calls("potrf")
    call = """
call_routine(potrf, (triangle, n_, a_at, lead, info))
error = i64(ints[0])
start = p * (n * n + 1)
for i in range(n):
    for j in range(n):
        out[start + i * n + j] = a[j * n + i] if j <= i else FLOAT(0)
out[start + n * n] = FLOAT(ints[0])
"""
    return made.steps(_into("a", "x", "n", "n") + call)


def _qr(node: Node) -> list[Step]:
    m, n = _sizes(node)
    less = dims.minimum(m, n)
    k = m if node.op.name == "qr_complete" else less
    size = largest(m, n)
    made = Routine(node)
    made.numbers(m=m, n=n, k=k, less=less, width=size)
    made.scratch(a=(m, n), q=(m, k), tau=(less,), work=(64, size))
    made.integers(
        m_="m", n_="n", k_="k", less_="less", lead="max(m, i64(1))", nwork="64 * width"
    )  # fmt: skip
    made.calls("geqrf", "orgqr")
    call = """
call_routine(geqrf, (m_, n_, a_at, lead, tau_at, work_at, nwork, info))
start = p * (m * k + k * n)
for i in range(k):
    for j in range(n):
        out[start + m * k + i * n + j] = a[j * m + i] if j >= i else FLOAT(0)
for j in range(k):
    for i in range(m):
        q[j * m + i] = a[j * m + i] if j < less else FLOAT(0)
call_routine(orgqr, (m_, k_, less_, q_at, lead, tau_at, work_at, nwork, info))
"""
    return made.steps(_into("a", "x", "m", "n") + call + _out("start", "q", "m", "k"))


def _eigh(node: Node) -> list[Step]:
    _, n = _sizes(node)
    made = Routine(node)
    made.numbers(n=n)
    # LAPACK's least, and room for blocks.
    made.scratch(a=(n, n), w=(n,), work=(1 + 64 * n + 2 * n * n,))
    made.scratch("i32", steps=(3 + 5 * n,))
    made.integers(
        n_="n", lead="max(n, i64(1))", nwork="1 + 64 * n + 2 * n * n", nsteps="3 + 5 * n"
    )  # fmt: skip
    made.letters(vectors="V", triangle="L")
    made.calls("syevd")
    call = """
call_routine(syevd, (
    vectors, triangle, n_, a_at, lead, w_at, work_at, nwork, steps_at, nsteps, info
))
error = i64(ints[0])
start = p * (n + n * n)
for i in range(n):
    out[start + i] = w[i]
"""
    return made.steps(_into("a", "x", "n", "n") + call + _out("start + n", "a", "n", "n"))


def _decomposed(node: Node, full: bool) -> tuple[Routine, str]:
    """The singular value decomposition of matrix p, into u, s and v, turned."""
    m, n = _sizes(node)
    k = dims.minimum(m, n)

    size = 1 + 4 * k * k + 7 * k + 64 * (m + n)

    made = Routine(node)
    rows, columns = (m, n) if full else (k, k)
    made.numbers(m=m, n=n, k=k, rows=rows, columns=columns, size=size)
    made.scratch(a=(m, n), u=(m, rows), s=(k,), v=(columns, n), work=(size,))
    made.scratch("i32", steps=(8, k))
    made.integers(
        m_="m", n_="n", lead="max(m, i64(1))", lead_v="max(columns, i64(1))", nwork="size"
    )  # fmt: skip
    made.letters(vectors="A" if full else "S")
    made.calls("gesdd")
    call = """
call_routine(gesdd, (
    vectors, m_, n_, a_at, lead, s_at, u_at, lead, v_at, lead_v, work_at, nwork, steps_at, info
))
error = i64(ints[0])
"""
    return made, _into("a", "x", "m", "n") + call


def _svd(node: Node) -> list[Step]:
    made, call = _decomposed(node, node.op.name == "svd_full")
    middle = """
start = p * (m * rows + k + columns * n)
for i in range(k):
    out[start + m * rows + i] = s[i]
"""
    parts = _out("start", "u", "m", "rows") + _out("start + m * rows + k", "v", "columns", "n")
    return made.steps(call + middle + parts)


def _pinv(node: Node) -> list[Step]:
    made, call = _decomposed(node, False)
    atol, rtol = (repr(float(node.attr(name))) for name in ("atol", "rtol"))
    rest = f"""
least = max(f64({atol}), f64({rtol}) * f64(s[0]))
for i in range(n):
    for j in range(m):
        total = FLOAT(0)
        for r in range(k):
            if f64(s[r]) > least:
                total = total + v[i * k + r] / s[r] * u[r * m + j]
        out[(p * n + i) * m + j] = total
"""
    return made.steps(call + rest)


# Sums of products of float64 matrices, by columns: C = A B.
_PRODUCT = (
    "call_routine(gemm, (way, way, n_, n_, n_, one_at, {0}_at, lead, {1}_at, lead, zero_at, "
    "{2}_at, lead))"
)


_C = [f"f64({value})" for value in COEFFICIENTS]
_EXPONENTIAL = f"""
one[0] = f64(1)
zero[0] = f64(0)
norm = f64(0)
for i in range(n):
    for j in range(n):
        value = f64(x[(p * n + i) * n + j])
        a[j * n + i] = value
for j in range(n):
    total = f64(0)
    for i in range(n):
        total = total + absolute(a[j * n + i])
    if not total <= norm:
        norm = total
halvings = 0
factor = f64(1)
while norm > f64({REACH}) and halvings < {MOST}:
    norm = norm * f64(0.5)
    factor = factor * f64(0.5)
    halvings = halvings + 1
for i in range(n * n):
    a[i] = a[i] * factor
{_PRODUCT.format("a", "a", "a2")}
{_PRODUCT.format("a2", "a2", "a4")}
{_PRODUCT.format("a2", "a4", "a6")}
for i in range(n * n):
    t[i] = {_C[13]} * a6[i] + {_C[11]} * a4[i] + {_C[9]} * a2[i]
{_PRODUCT.format("a6", "t", "even")}
for i in range(n * n):
    even[i] = even[i] + {_C[7]} * a6[i] + {_C[5]} * a4[i] + {_C[3]} * a2[i]
for i in range(n):
    even[i * n + i] = even[i * n + i] + {_C[1]}
{_PRODUCT.format("a", "even", "odd")}
for i in range(n * n):
    t[i] = {_C[12]} * a6[i] + {_C[10]} * a4[i] + {_C[8]} * a2[i]
{_PRODUCT.format("a6", "t", "even")}
for i in range(n * n):
    even[i] = even[i] + {_C[6]} * a6[i] + {_C[4]} * a4[i] + {_C[2]} * a2[i]
for i in range(n):
    even[i * n + i] = even[i * n + i] + {_C[0]}
for i in range(n * n):
    a[i] = even[i] - odd[i]
    t[i] = even[i] + odd[i]
call_routine(gesv, (n_, n_, a_at, lead, pivots_at, t_at, lead, info))
for k in range(halvings):
    {_PRODUCT.format("t", "t", "a")}
    for i in range(n * n):
        t[i] = a[i]
for i in range(n):
    for j in range(n):
        value = t[j * n + i] if norm < inf else f64(nan)
        out[(p * n + i) * n + j] = value
"""


def _exponential(node: Node) -> list[Step]:
    """See `ops.linalg.exponential`, whose steps these are; a matrix and its turned one alike."""
    _, n = _sizes(node)
    made = Routine(node, "f64")
    made.numbers(n=n)
    made.scratch(a=(n, n), a2=(n, n), a4=(n, n), a6=(n, n), t=(n, n), odd=(n, n), even=(n, n))
    made.scratch(one=(1,), zero=(1,))
    made.scratch("i32", pivots=(n,))
    made.integers(n_="n", lead="max(n, i64(1))")
    made.letters(way="N")
    made.calls("gemm", "gesv")
    return made.steps(_EXPONENTIAL)


PERMUTATION = """def permutation_i32(args, lo, hi):
    pivots = buffer(args, 0, i32)
    order = buffer(args, 1, i64)
    k = args[2]
    n = args[3]
    for p in range(lo, hi):
        for i in range(n):
            order[p * n + i] = i
        for i in range(k):
            j = min(max(i64(pivots[p * k + i]) - 1, 0), n - 1)
            other = order[p * n + j]
            order[p * n + j] = order[p * n + i]
            order[p * n + i] = other
"""


def permutation(node: Node) -> list[Step]:
    (pivots,) = node.inputs
    shape = tensor_type(pivots).shape
    args = (Value(pivots), Value(node), Number(shape[-1]), Number(node.attr("count")))
    return [Step(Kernel("permutation_i32", PERMUTATION), args, dims.product(shape[:-1]), node)]


# What is called here.
LAPACK: dict[str, Callable[[Node], list[Step]]] = {
    "cholesky": _cholesky, "eigh": _eigh, "lu": _lu, "matrix_exp": _exponential,
    "pinv": _pinv, "qr": _qr, "qr_complete": _qr, "solve": _solve,
    "svd": _svd, "svd_full": _svd, "triangular_solve": _triangular,
}  # fmt: skip
