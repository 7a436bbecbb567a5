"""Reductions as ops: sum prod max min any all argmax argmin over axes, which leave the result.

    sum(x; axes)        axes sorted; the functions `gc.sum(x, axis, keepdims)` are in `statistics`

Over an axis that is bound to size 0 each gives its identity: 0, 1, the least or greatest value of
the dtype, index 0; `nonempty` makes errors of those where the user asked. float16 and bfloat16 are
summed in float32 and rounded once. nan wins in max, min, argmax and argmin, as in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dtypes import DType, greatest, least
from graphc.core.ir import Kind, Node, NoGradient, Op, Reduction, Sample, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.errors import DTypeError, ShapeError
from graphc.ops.arrays.movement import BROADCAST
from graphc.ops.batch import behind, later
from graphc.ops.declare import ANY, NUMBER, declare

Axes = tuple[int, ...]
INDEX = NoGradient("its result is an index")
TRUTH = NoGradient("its result is of bools")


def _infer(name: str, kinds: tuple[str, ...], result: DType | None = None) -> Any:
    def infer(x: TensorType, *, axes: Axes) -> TensorType:
        if list(axes) != sorted(set(axes)) or any(not 0 <= a < x.rank for a in axes):
            raise ShapeError(f"{name}: axes {axes} of {x}", where=caller())
        if result is dtypes.int64 and len(axes) != 1:
            raise ShapeError(f"{name}: exactly one axis, not {axes}", where=caller())
        if x.dtype.kind not in kinds:
            raise DTypeError(f"{name}: {x.dtype.name} is not supported", where=caller())
        shape = tuple(d for a, d in enumerate(x.shape) if a not in axes)
        return TensorType(result or x.dtype, shape)

    return infer


def _sum(x: np.ndarray, *, axes: Axes) -> Any:
    """Small floats in float64; float64 in one row, since NumPy adds in pairs only along rows."""
    if x.dtype == np.float32 or dtypes.is_narrow(x.dtype):
        return np.asarray(np.add.reduce(x, axis=axes, dtype=np.float64)).astype(x.dtype)
    if x.dtype != np.float64 or not axes:
        return np.add.reduce(x, axis=axes, dtype=x.dtype)
    kept = [a for a in range(x.ndim) if a not in axes]
    moved = np.ascontiguousarray(x.transpose((*kept, *axes)))
    count = math.prod(x.shape[a] for a in axes)
    return np.add.reduce(moved.reshape((*(x.shape[a] for a in kept), count)), axis=-1)


def _product(x: np.ndarray, *, axes: Axes) -> Any:
    wide = dtypes.widened(x)
    return np.asarray(np.multiply.reduce(wide, axis=axes, dtype=wide.dtype)).astype(x.dtype)


def _extreme(ufunc: np.ufunc, identity: Callable[[DType], Any]) -> Callable[..., Any]:
    def run(x: np.ndarray, *, axes: Axes) -> Any:
        start = np.asarray(identity(dtypes.as_dtype(x.dtype)), x.dtype)[()]
        return np.asarray(ufunc.reduce(dtypes.widened(x), axis=axes, initial=start)).astype(x.dtype)

    return run


def _position(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: np.ndarray, *, axes: Axes) -> Any:
        if x.shape[axes[0]] == 0:
            return np.zeros(np.delete(x.shape, axes[0]).astype(int), np.int64)
        return np.asarray(function(dtypes.widened(x), axis=axes[0])).astype(np.int64)

    return run


def spread_back(value: Any, node: Any) -> Any:
    """A tensor of a reduction's shape repeated along the axes that it reduced."""
    axes = node.attr("axes")
    return BROADCAST(value, axes=axes, shape=node.inputs[0].type.shape) if axes else value


def _prod_vjp(node: Any, ct: Operators) -> tuple[Any]:
    """Times the product of all other elements, exact with zeros: those before times those after."""
    (x,) = node.inputs
    axes, shape = node.attr("axes"), x.type.shape
    if not axes:
        return (ct,)
    kept = [a for a in range(len(shape)) if a not in axes]
    order = (*kept, *axes)
    sizes = [dims.product(shape[a] for a in group) for group in (kept, axes)]
    rows = FUNCTIONS["reshape"](FUNCTIONS["transpose"](x, order), sizes)
    # Half of a product may overflow or vanish where the whole does not: rarely in 64 bits.
    others = _product_of_others(FUNCTIONS["cast"](rows, dtypes.float64))
    others = FUNCTIONS["cast"](others, x.type.dtype)
    others = FUNCTIONS["reshape"](others, [shape[a] for a in order])
    others = FUNCTIONS["transpose"](others, [order.index(a) for a in range(len(order))])
    return (spread_back(ct, node) * others,)


def _product_of_others(rows: Any) -> Any:
    """For each element the product of the others in its row, without a division.

    Halves of a product may overflow where a factor of 0 makes the whole 0: there it is 0.
    """
    cumprod, cumsum, where = (FUNCTIONS[name] for name in ("cumprod", "cumsum", "where"))
    before = cumprod(rows, -1, exclusive=True)
    after = cumprod(rows, -1, reverse=True, exclusive=True)
    zeros = rows == 0
    others = cumsum(zeros, -1, exclusive=True) + cumsum(zeros, -1, reverse=True, exclusive=True)
    finite = FUNCTIONS["isfinite"]
    plain = BROADCAST(ALL_OP(finite(rows), axes=(1,)), axes=(1,), shape=rows.type.shape)
    lost = plain & (others > 0) & ~finite(before * after)
    return where(lost, 0, before) * where(lost, 0, after)


def _extreme_vjp(node: Node, ct: Operators) -> tuple[Any]:
    """An equal part to each of the elements that tie; beside a nan, nan: as PyTorch's amax."""
    (x,) = node.inputs
    dtype = ct.type.dtype
    wide = dtype.compute
    best = FUNCTIONS["cast"](x == spread_back(node, node), wide)
    share = FUNCTIONS["cast"](ct, wide) / SUM(best, axes=node.attr("axes"))
    return (FUNCTIONS["cast"](best * spread_back(share, node), dtype),)


def _case(shape: tuple[int, ...], axes: Axes, dtype: str, domain: str) -> Sample:
    return Sample(((shape, dtype, domain),), {"axes": axes})


def _samples(kinds: tuple[str, ...], domain: str = "real") -> Callable[[], list[Sample]]:
    def make() -> list[Sample]:
        if kinds == ("bool",):
            names = ["bool"]
        else:
            names = [d.name for d in dtypes.ALL if d.kind in kinds]
        found = [_case((3, 5), (1,), name, domain) for name in names]
        shapes = [((2, 3, 4), (0, 2)), ((3, 5), (0,)), ((), ()), ((7,), (0,)), ((1, 1), (0, 1))]
        shapes += [((0, 3), (0,)), ((0, 3), (1,)), ((2, 3), ()), ((300,), (0,))]
        return found + [_case(shape, axes, names[-1], domain) for shape, axes in shapes]

    return make


def _index_samples() -> list[Sample]:
    found = [_case((3, 5), (1,), d.name, "real") for d in dtypes.ALL]
    shapes = [((4, 3), (0,)), ((6,), (0,)), ((2, 1), (1,)), ((0, 3), (1,)), ((2, 40), (1,))]
    return found + [_case(shape, axes, "float32", "real") for shape, axes in shapes]


def _reduction(
    name: str, kinds: Any, numpy: Callable[..., Any], vjp: Any, fact: Reduction, doc: str
) -> Op:
    result = dtypes.int64 if fact.arg else None
    domain = "small" if name == "prod" else "real"
    samples = _index_samples if fact.arg else _samples(kinds, domain)
    return declare(
        Op(
            name, Kind.REDUCE, _infer(name, kinds, result), numpy, vjp, fact, samples=samples,
            doc=doc, batch=behind(axes=later),
        )
    )  # fmt: skip


def _by_kind(of_floats: str, of_integers: str, of_bools: str = "") -> Callable[[DType], str]:
    def combine(dtype: DType) -> str:
        if dtype.kind == "bool":
            return of_bools
        return of_floats if dtype.is_float else of_integers

    return combine


def _beats(symbol: str) -> Callable[[DType], str]:
    """Whether an element is better than all before it; the first nan is better than any number."""
    better = f"({{0}} {symbol} {{acc}})"
    nan = "(({0} != {0}) & ({acc} == {acc}))"
    bools = "{0} & (not {acc})" if symbol == ">" else "(not {0}) & {acc}"
    return _by_kind(f"{better} | {nan}", better, bools)


SUM = _reduction(
    "sum", NUMBER, _sum,
    lambda n, ct: (spread_back(ct, n),),
    Reduction(
        _by_kind("add_any_order({acc}, {0})", "{acc} + {0}"), lambda dtype: "0", adds=True
    ),
    "The sum over axes; integers wrap around.",
)  # fmt: skip
PROD = _reduction(
    "prod", NUMBER, _product, _prod_vjp,
    Reduction(_by_kind("multiply_any_order({acc}, {0})", "{acc} * {0}"), lambda dtype: "1"),
    "The product over axes; integers wrap around. Its gradient is exact where elements are 0.",
)  # fmt: skip
MAX = _reduction(
    "max", ANY, _extreme(np.maximum, least), _extreme_vjp,
    Reduction(
        _by_kind("maximum({acc}, {0})", "maximum({acc}, {0})", "{acc} | {0}"),
        lambda dtype: str(least(dtype)),
        of_numbers="larger_number({acc}, {0})",
    ),
    "The greatest element over axes. Elements that tie share the gradient evenly.",
)  # fmt: skip
MIN = _reduction(
    "min", ANY, _extreme(np.minimum, greatest), _extreme_vjp,
    Reduction(
        _by_kind("minimum({acc}, {0})", "minimum({acc}, {0})", "{acc} & {0}"),
        lambda dtype: str(greatest(dtype)),
        of_numbers="smaller_number({acc}, {0})",
    ),
    "The least element over axes. Elements that tie share the gradient evenly.",
)  # fmt: skip
ANY_OP = _reduction(
    "any", ("bool",), lambda x, *, axes: np.any(x, axis=axes), TRUTH,
    Reduction("{acc} | {0}", lambda dtype: "False"), "Whether some element over axes is true.",
)  # fmt: skip
ALL_OP = _reduction(
    "all", ("bool",), lambda x, *, axes: np.all(x, axis=axes), TRUTH,
    Reduction("{acc} & {0}", lambda dtype: "True"), "Whether all elements over axes are true.",
)  # fmt: skip
ARGMAX = _reduction(
    "argmax", ANY, _position(np.argmax), INDEX,
    Reduction(_beats(">"), lambda dtype: str(least(dtype)), arg=True),
    "The index of the first greatest element along an axis; of the first nan if there is one.",
)  # fmt: skip
ARGMIN = _reduction(
    "argmin", ANY, _position(np.argmin), INDEX,
    Reduction(_beats("<"), lambda dtype: str(greatest(dtype)), arg=True),
    "The index of the first least element along an axis; of the first nan if there is one.",
)  # fmt: skip
