"""Values and gradients beside PyTorch's at nan, infinities, zeros, kinks, ties, tiny and large.

Every function of `edges` at all of its values, in float64 and float32, eagerly and compiled at
every level. Where the two differ on purpose, `DELIBERATE` says why and where; all else agrees.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import edges
import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Arrays = list[np.ndarray]
Where = Callable[..., Any]


def _row(test: Where) -> Where:
    """Of rows: where some element passes a test."""
    return lambda x: np.any(test(x), axis=-1, keepdims=True)


def _ties(x: np.ndarray) -> Any:
    equal = (x[..., :, None] == x[..., None, :]) & ~np.eye(x.shape[-1], dtype=bool)
    return np.any(equal, axis=(-1, -2))[..., None] | np.any(np.isnan(x), axis=-1, keepdims=True)


VECTORS = "PyTorch gives either, by whether the element lies in a whole vector of its kernel"
IEEE = "the power of IEEE 754; PyTorch takes the square root for a number as exponent"
NO_SLOPE = "0 where the term is not counted; PyTorch multiplies its infinite slope by 0"
# name: why, and for which elements of the operands
DELIBERATE: dict[str, tuple[str, Where]] = {
    **dict.fromkeys(
        (
            "celu", "elu", "elu(alpha)", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
            "logit(eps)", "relu6", "selu", "softshrink",
        ),
        (VECTORS, np.isnan),
    ),
    "gelu": (VECTORS, np.isinf),
    "logit": (VECTORS, lambda x: x == 0),
    **{f"pow({p})": (IEEE, lambda x: (x == -np.inf) | (x == 0)) for p in (0.5, -0.5, 1.5)},
    "kl_div": (NO_SLOPE, lambda x, y: y == 0),
    "poisson(full)": (NO_SLOPE, lambda x, y: y <= 0),
    **{name: ("the infinite distance from an infinite mean has no slope", _row(np.isinf))
       for name in ("var", "var(0)", "var_mean")},
    "cumprod": ("PyTorch divides products by their factors", _row(lambda x: ~np.isfinite(x))),
    "kthvalue": ("PyTorch's choice among ties is that of its partition", _ties),
    **{f"norm({p})": ("PyTorch multiplies by the power of an infinite norm",
                      _row(lambda x: ~np.isfinite(x))) for p in (0.5, -1)},
    "soft_margin": ("PyTorch's exponential overflows", lambda x, y: ~(np.abs(x - y) < 80)),
}  # fmt: skip
# PyTorch's constants are rounded to float32 here: its own float64 is no closer.
COARSE = {"hardsigmoid": 1e-7}
TABLES = {"unary": edges.UNARY, "binary": edges.BINARY, "rows": edges.ROWS}
DTYPES = ("float32", "float64")


def _operands(table: str, dtype: Any) -> Arrays:
    if table == "binary":
        return list(edges.pairs(dtype))
    return [edges.columns(dtype) if table == "unary" else edges.rows(dtype)]


def _evaluated(lib: Any, function: Any, tensors: list[Any]) -> list[Any]:
    """The value, and the gradient of its sum by each operand; None where there is none."""
    value = function(lib, *tensors)
    if not value.requires_grad:
        return [value, *(None for _ in tensors)]
    return [value, *lib.autograd.grad(value.sum(), tensors, allow_unused=True)]


def _arrays(found: list[Any]) -> list[Any]:
    return [None if t is None else t.detach().numpy() for t in found]


def _wanted(name: str, function: Any, operands: Arrays) -> list[Any]:
    return _arrays(_evaluated(torch, function, [torch.tensor(a, requires_grad=True)
                                                for a in operands]))  # fmt: skip


def _differences(name: str, found: list[Any], wanted: list[Any], operands: Arrays) -> Iterator[str]:
    dtype = operands[0].dtype
    tolerance = 1e-5 if dtype == np.float32 else COARSE.get(name, 1e-10)
    odd = DELIBERATE[name][1](*operands) if name in DELIBERATE else np.zeros(1, bool)
    for place, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        if ours is None or theirs is None:  # PyTorch has none where it is 0 everywhere
            assert all(g is None or not np.any(g) for g in (ours, theirs)), name
            continue
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, name
        agree = np.isclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
        keep = odd if odd.ndim == agree.ndim else odd[..., 0]
        for where in np.argwhere(~(agree | keep))[:3]:
            at = tuple(where)
            given = [a[at[0]] if a.ndim > 1 else a[at] for a in operands]
            what = f"gradient {place}" if place else "value"
            yield f"{name} {what} of {given}: {ours[at]}, PyTorch {theirs[at]}"


CASES = [(table, name) for table, functions in TABLES.items() for name in functions]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("table", TABLES)
def test_values_and_gradients_at_edges_are_pytorchs(table: str, dtype: str) -> None:
    bad: list[str] = []
    operands = _operands(table, dtype)
    for name, function in TABLES[table].items():
        tensors = [gc.tensor(a, requires_grad=True) for a in operands]
        found = _arrays(_evaluated(gc, function, tensors))
        bad += _differences(name, found, _wanted(name, function, operands), operands)
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(("level", "dtype"), [
    ("O2", "float32"),
    *(pytest.param(level, dtype, marks=pytest.mark.slow)
      for level in ("O0", "O1", "O2", "O3") for dtype in DTYPES
      if (level, dtype) != ("O2", "float32")),
])  # fmt: skip
@pytest.mark.parametrize("table", TABLES)
def test_compiled_values_and_gradients_at_edges_are_pytorchs(
    table: str, level: str, dtype: str
) -> None:
    functions = TABLES[table]
    operands = _operands(table, dtype)

    @gc.jit.compile(level=level)
    def run(*tensors: Any) -> Any:
        return {name: _evaluated(gc, f, list(tensors)) for name, f in functions.items()}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        all_found = run(*(gc.tensor(a, requires_grad=True) for a in operands))
    bad: list[str] = []
    for name, found in all_found.items():
        wanted = _wanted(name, functions[name], operands)
        bad += _differences(name, _arrays(found), wanted, operands)
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("name", [n for n in DELIBERATE if DELIBERATE[n][0] != VECTORS])
def test_a_deliberate_difference_is_one(name: str) -> None:
    (table,) = [t for t, functions in TABLES.items() if name in functions]
    function, operands = TABLES[table][name], _operands(table, "float64")
    tensors = [gc.tensor(a, requires_grad=True) for a in operands]
    ours, theirs = _arrays(_evaluated(gc, function, tensors)), _wanted(name, function, operands)
    assert not all(np.allclose(a, b, equal_nan=True) for a, b in zip(ours, theirs, strict=True))


# Second derivatives that PyTorch has otherwise: name: why, and for which elements.
DELIBERATE_TWICE: dict[str, tuple[str, Where]] = {
    **dict.fromkeys(
        ("celu", "elu", "elu(alpha)", "selu"),
        ("the slope at 0 is that of the curve, and so is its own slope", lambda x: x == 0),
    ),
    "softplus(3)": ("likewise, where the line begins", lambda x: x == 0.5),
    "logit": ("nan where there is no value", lambda x: (x < 0) | (x > 1)),
    "pow": ("PyTorch drops 1 / x, the slope of x**y by both at y = 0", lambda x, y: y == 0),
}
ONCE = {  # PyTorch's backward has no derivative
    "hardsigmoid", "multi_margin", "multi_margin(2)", "multilabel_margin",
}  # fmt: skip


def _smooth_operands(table: str) -> Arrays:
    """Numbers with kinks and ties among them, none infinite, tiny or large."""
    if table == "unary":
        return [np.array((*edges.KINKS, 0.3, -0.7, 2.5, -1.5, 0.25, 0.75))]
    if table == "binary":
        few = (0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 0.3)
        return [np.array(column) for column in zip(*itertools.product(few, few))]
    return [np.array(list(itertools.product((0.0, 1.0, 1.0, -2.0, 0.5, 0.3), repeat=3)))]


def _twice(lib: Any, function: Any, tensors: list[Any]) -> list[Any]:
    """The derivatives of a weighted sum of gradients, 0 where there are none."""

    def weighted(y: Any, wave: Any) -> Any:
        return (y * (lib.tensor(wave(np.arange(y.numel()))).reshape(y.shape) + 2)).sum()

    y = function(lib, *tensors)
    slopes = lib.autograd.grad(weighted(y, np.cos), tensors, allow_unused=True, create_graph=True)
    total = sum(weighted(g, np.sin) for g in slopes if g is not None and g.requires_grad)
    if isinstance(total, int) or not total.requires_grad:
        return [lib.zeros_like(t) for t in tensors]
    found = lib.autograd.grad(total, tensors, allow_unused=True)
    return [lib.zeros_like(t) if g is None else g for g, t in zip(found, tensors)]


def _pytorchs_twice(function: Any, operands: Arrays) -> Arrays:
    tensors = [torch.tensor(a, requires_grad=True) for a in operands]
    return [g.detach().resolve_neg().numpy(force=True)
            for g in _twice(torch, function, tensors)]  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_second_derivatives_are_pytorchs_where_it_has_numbers(table: str, compiled: bool) -> None:
    functions = {
        name: f
        for name, f in TABLES[table].items()
        if name not in ONCE and _torch_value_has_slope(f, _smooth_operands(table))
    }
    operands = _smooth_operands(table)

    def run(*tensors: Any) -> Any:
        return {name: _twice(gc, f, list(tensors)) for name, f in functions.items()}

    run = gc.jit.compile(run, dynamic=False) if compiled else run
    all_found = run(*(gc.tensor(a, requires_grad=True) for a in operands))
    bad: list[str] = []
    for name, found in all_found.items():
        odd = DELIBERATE_TWICE[name][1](*operands) if name in DELIBERATE_TWICE else False
        for ours, theirs in zip(_arrays(found), _pytorchs_twice(functions[name], operands)):
            agree = np.isclose(ours, theirs, rtol=1e-8, atol=1e-8) | ~np.isfinite(theirs) | odd
            bad += [f"{name} of {[a[tuple(at)[: a.ndim]] for a in operands]}: {ours[tuple(at)]}, "
                    f"PyTorch {theirs[tuple(at)]}" for at in np.argwhere(~agree)[:3]]  # fmt: skip
    assert not bad, "\n".join(bad)


def _torch_value_has_slope(function: Any, operands: Arrays) -> bool:
    value = function(torch, *(torch.tensor(a, requires_grad=True) for a in operands))
    return bool(value.requires_grad)
