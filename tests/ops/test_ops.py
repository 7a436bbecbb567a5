"""Every op of the table, nothing listed by hand: inference, definition, dtypes, kernel source."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
from samples import PLAIN, SCALAR, TABLE, Case, accepted, arity, cases, edge_cases

from graphc.core import dims, dtypes
from graphc.core.interpret import run_node
from graphc.core.ir import IndexMap, Kind, Library, NoGradient, Op, Reduction, Scalar, is_checked
from graphc.core.operators import FUNCTIONS
from graphc.errors import GraphcError
from graphc.ops.arrays.nonempty import NONEMPTY
from graphc.ops.checking import CHECK
from graphc.ops.source import input as placeholder
from graphc.runtime.language import language

FACTS = {
    Kind.ELEMENTWISE: Scalar,
    Kind.REDUCE: Reduction,
    Kind.MOVEMENT: IndexMap,
    Kind.LIBRARY: Library,
    Kind.CONTRACT: Library,
}


def _log1mexp(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.longdouble)
    return np.where(wide > -1, np.log(-np.expm1(wide)), np.log1p(-np.exp(wide))).astype(x.dtype)


def _lgamma(x: np.ndarray) -> np.ndarray:
    """By mpmath, where C and SciPy lose digits beside 1 and 2, and differ at -inf."""
    with mpmath.workdps(30):
        found = [
            float(mpmath.re(mpmath.loggamma(mpmath.mpf(v)))) if _has_lgamma(v) else abs(v)
            for v in np.ravel(x).astype(float).tolist()
        ]
    found = [np.inf if v <= 0 and v == np.floor(v) else w for v, w in zip(np.ravel(x), found)]
    return np.array(found).reshape(np.shape(x)).astype(x.dtype)


def _has_lgamma(v: float) -> bool:
    return bool(np.isfinite(v)) and not (v <= 0 and v == np.floor(v))


def _erfcinv(x: np.ndarray) -> np.ndarray:
    """By SciPy, and by mpmath where SciPy has infinity for the smallest numbers above 0."""
    found = np.asarray(scipy.special.erfcinv(x))
    lost = (x > 0) & np.isinf(found)
    with mpmath.workdps(340):
        found[lost] = [float(mpmath.erfinv(1 - mpmath.mpf(float(v)))) for v in x[lost]]
    return found


# Where NumPy itself computes the function of an op's name, or SciPy does.
INDEPENDENT: dict[str, Callable[..., Any]] = {
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(x, np.zeros_like(x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "clip": np.clip,
    "log1mexp": _log1mexp,
    "lgamma": _lgamma,
    **{name: getattr(scipy.special, name) for name in (
        "digamma", "ndtri", "erfinv", "erfcx", "i0e", "i1e")},
    "erfcinv": _erfcinv,
    # SciPy has nan at infinities.
    "zeta": lambda x, y: np.where(
        (x > 1e4) & (y > 1), np.exp(-x.astype(float) * np.log(y)),
        scipy.special.zeta(x, np.maximum(y, -3000))
    ),
    "i0": lambda x: np.where(np.isinf(x), np.abs(x), scipy.special.i0(x)),
    "i1": lambda x: np.where(np.isinf(x), x, scipy.special.i1(x)),
}  # fmt: skip
by_name = pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
plain = pytest.mark.parametrize("op", PLAIN, ids=lambda op: op.name)


def _same(found: Any, wanted: Any, units: float = 0) -> None:
    """Equal values (nan equal to nan), or within some units in the last place."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if not dtypes.is_float(wanted.dtype) or not units:
        np.testing.assert_array_equal(found, wanted)
        return
    info = dtypes.as_dtype(wanted.dtype).finfo
    found, wanted = map(dtypes.widened, (found, wanted))
    atol = float(units * info.smallest_subnormal)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, wanted, rtol=units * float(info.eps), atol=atol)


@by_name
def test_every_fact_is_there(op: Op) -> None:
    assert op.doc
    assert isinstance(op.vjp, NoGradient) or callable(op.vjp)
    if isinstance(op.vjp, NoGradient):
        assert op.vjp.why
    if op.kind in FACTS and op.lowering is not None:
        assert isinstance(op.lowering, FACTS[op.kind])
    if isinstance(op.lowering, Scalar) and op.checked:
        assert op.lowering.check and op.lowering.failure


@by_name
def test_inference_agrees_with_the_definition(op: Op) -> None:
    for case in cases(op):
        nodes, _ = case.nodes()
        before = [a.copy() for a in case.arrays]
        # `run_node` compares dtype and shape with what was inferred.
        run_node(op(*nodes, **case.attrs), case.arrays, {})
        for array, kept in zip(case.arrays, before):
            np.testing.assert_array_equal(array, kept)


@plain
def test_symbolic_sizes_are_inferred(op: Op) -> None:
    for case in cases(op, ((0, 3), (2, 5))):
        nodes, sizes = case.nodes(symbolic=True)
        node = op(*nodes)
        assert node.type.shape == nodes[0].type.shape  # type: ignore[union-attr]
        _same(run_node(node, case.arrays, sizes), run_node(op(*case.nodes()[0]), case.arrays, {}))


@plain
def test_strides_do_not_matter(op: Op) -> None:
    for case in cases(op, ((4, 6),)):
        nodes, _ = case.nodes()
        node = op(*nodes)
        wanted = run_node(node, case.arrays, {})
        strided = [np.repeat(a, 2, 1)[:, ::2] for a in case.arrays]
        turned = [np.ascontiguousarray(a.T).T for a in case.arrays]
        _same(run_node(node, strided, {}), wanted, units=4)
        _same(run_node(node, turned, {}), wanted, units=4)


@plain
def test_values_are_those_of_numpy_or_scipy(op: Op) -> None:
    reference = INDEPENDENT.get(op.name) or getattr(np, op.name)
    for case in itertools.chain(cases(op), edge_cases(op)):
        if op.name == "reciprocal" and case.arrays[0].dtype.kind in "iu":
            continue  # NumPy's depends on the machine for 0; tested by itself
        with np.errstate(all="ignore"):
            found = run_node(op(*case.nodes()[0]), case.arrays, {})
            wanted = np.asarray(reference(*case.arrays))
        _same(found, wanted.astype(found.dtype), units=2 if dtypes.is_float(found.dtype) else 0)


def test_the_reciprocal_of_an_integer_is_its_whole_part() -> None:
    for name in ("int8", "uint32", "int64"):
        x = np.array([0, 1, 2, 100] + ([-1, -2] if name != "uint32" else []), name)
        wanted = [0 if v == 0 else int(1 / v) for v in x.tolist()]
        node = FUNCTIONS["reciprocal"](placeholder("x", x.shape, name))
        np.testing.assert_array_equal(run_node(node, [x], {}), np.array(wanted, name))


# bfloat16 is promoted as PyTorch has it: `test_bfloat16`.
OF_NUMPY = [dtype for dtype in dtypes.ALL if dtype is not dtypes.bfloat16]


def _ufuncs(count: int) -> list[str]:
    return sorted(
        name
        for name in FUNCTIONS
        if isinstance(getattr(np, name, None), np.ufunc)
        and (getattr(np, name).nin, getattr(np, name).nout) == (count, 1)
        and name not in ("matmul", "nextafter")
    )


def _dtype_of(build: Callable[[], Any]) -> str:
    try:
        with np.errstate(all="ignore"):
            return str(build().dtype.name)
    except (TypeError, ValueError, GraphcError):
        return "refused"


@pytest.mark.parametrize("name", _ufuncs(1))
def test_dtypes_of_one_operand_are_those_of_numpy(name: str) -> None:
    for dtype in OF_NUMPY:
        ours = _dtype_of(lambda: FUNCTIONS[name](placeholder("x", (1,), dtype)))  # noqa: B023
        theirs = _dtype_of(lambda: getattr(np, name)(np.ones(1, dtype.numpy)))  # noqa: B023
        assert ours == theirs, dtype


@pytest.mark.parametrize("name", _ufuncs(2))
def test_dtypes_of_two_operands_are_those_of_numpy(name: str) -> None:
    for a, b in itertools.product(OF_NUMPY, repeat=2):
        x, y = np.ones(1, a.numpy), np.ones(1, b.numpy)
        ours = _dtype_of(
            lambda: FUNCTIONS[name](placeholder("x", (1,), a), placeholder("y", (1,), b))  # noqa: B023
        )
        assert ours == _dtype_of(lambda: getattr(np, name)(x, y)), (a, b)  # noqa: B023


@pytest.mark.parametrize("name", _ufuncs(2))
def test_python_scalars_are_weak_as_in_numpy(name: str) -> None:
    for dtype, number in itertools.product(OF_NUMPY, (True, 1, 1.0)):
        ours = _dtype_of(lambda: FUNCTIONS[name](placeholder("x", (1,), dtype), number))  # noqa: B023
        theirs = _dtype_of(lambda: getattr(np, name)(np.ones(1, dtype.numpy), number))  # noqa: B023
        assert ours == theirs, (dtype, number)


@plain
def test_commutative_ops_commute(op: Op) -> None:
    if not op.commutative:
        return
    for case in cases(op, ((2, 5),)):
        x, y = case.arrays
        _same(op.numpy(x, y), op.numpy(y, x))


def _template(fact: Any, case: Case) -> str:
    kinds = [dtypes.as_dtype(a.dtype) for a in case.arrays]
    return fact(*kinds, **case.attrs) if callable(fact) else fact


def _scalars(case: Case) -> list[list[Any]]:
    """The operands element by element, as a kernel sees them."""
    flat = [a.ravel() for a in case.arrays]
    wide = list(map(dtypes.widened, flat))
    return [[a[k] for a in wide] for k in range(flat[0].size)]


def _in_kernel(template: str, count: int) -> Callable[..., Any]:
    names = [f"v{k}" for k in range(count)]
    source = f"def element({', '.join(names)}):\n    return {template.format(*names)}\n"
    space = language.namespace()
    exec(source, space)
    return space["element"]


@pytest.mark.parametrize("op", SCALAR, ids=lambda op: op.name)
def test_kernel_source_computes_the_definition(op: Op) -> None:
    chosen = list(cases(op, ((), (2, 5))))
    for case in itertools.chain(chosen, edge_cases(op) if op in PLAIN else ()):
        node = op(*case.nodes()[0], **case.attrs)
        wanted = run_node(node, case.arrays, {}).ravel()
        element = _in_kernel(_template(op.lowering.template, case), len(case.arrays))  # type: ignore[union-attr]
        cast = language.NAMES[node.type.dtype.short]
        with np.errstate(all="ignore"):
            found = [cast(element(*row)) for row in _scalars(case)]
        _same(np.array(found, wanted.dtype), wanted, units=4)


@pytest.mark.parametrize("op", [op for op in SCALAR if op.checked], ids=lambda op: op.name)
def test_checks_in_kernel_source_hold_where_the_definition_raises(op: Op) -> None:
    tried = set()
    for source, target in itertools.product(dtypes.ALL, repeat=2):
        for case in _failing(op, source, target):
            node = op(*case.nodes()[0], **case.attrs)
            if not is_checked(node):
                continue
            tried.add(source)
            _compare_check(op, case, node)
    assert len(tried) >= 4


def _failing(op: Op, source: dtypes.DType, target: dtypes.DType) -> list[Case]:
    if op is NONEMPTY:
        counts = np.array([0, 1, 2, 0])
        return [Case(op, (counts.astype(source.numpy), counts), {"function": "min", "reduced": 1})]
    if op is CHECK:
        counts = np.array([0, 1, 2, 0])
        return [Case(op, (counts.astype(source.numpy), counts > 0), {"message": "too few"})]
    if op not in PLAIN:
        attrs = {"dtype": target, "overflow": "error"}
        values = np.array([0, 1, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32, 2**62])
        signed = np.concatenate([values, -values, -values - 1])
        if source.is_float:
            borders = np.concatenate([signed, signed + 0.5, [np.nan, np.inf, -np.inf, 1e30, 2**63]])
            with np.errstate(over="ignore"):
                return [Case(op, (borders.astype(source.numpy),), attrs)]
        keep = signed[(signed >= 0) | (source.kind == "int")]
        return [Case(op, (keep.astype(source.numpy),), attrs)]
    if source not in accepted(op, arity(op)):
        return []
    x = np.array([2, 3, 1, 0], source.numpy)
    return [Case(op, (x, (x - 1).astype(source.numpy)), {})]


def _compare_check(op: Op, case: Case, node: Any) -> None:
    count = len(case.arrays)
    fails = _in_kernel(_template(op.lowering.check, case), count)  # type: ignore[union-attr]
    value = _in_kernel(op.lowering.value, count)  # type: ignore[union-attr]
    for k, row in enumerate(_scalars(case)):
        one = [a.ravel()[k : k + 1] for a in case.arrays]
        error = _error(op, one, case.attrs)
        with np.errstate(all="ignore"):
            assert bool(fails(*row)) == (error is not None), (row, node)
            if error is not None:
                # A failure without a value is a flag: its kernel reports 0.
                is_flag = not op.lowering.value  # type: ignore[union-attr]
                seen = 0 if is_flag else int(value(*row))
                ours = op.lowering.failure(node, seen)  # type: ignore[misc, union-attr]
                assert type(ours) is type(error)
                assert not is_flag or ours.what == error.what


def _error(op: Op, arrays: list[np.ndarray], attrs: dict[str, Any]) -> GraphcError | None:
    try:
        with np.errstate(all="ignore"):
            op.numpy(*arrays, **attrs)
    except GraphcError as error:
        return error
    return None


def test_dims_stay_symbolic_through_broadcasting() -> None:
    n = dims.dim("n")
    x, y = placeholder("x", (n, 1)), placeholder("y", (3,))
    assert FUNCTIONS["add"](x, y).type.shape == (n, 3)
