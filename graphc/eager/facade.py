"""The eager face put together: every function of the op table as a function and a method.

Importing this module gives `Tensor` its operators and methods. `FACE` has the public functions
by name; `graphc` exports them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import caller
from graphc.core.operators import BINARY, COMPARE, FUNCTIONS, Operators
from graphc.eager.engine import promotion
from graphc.eager.engine.dispatch import MAKERS, OF_GRAPHS, eager_form, face, told
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.size import Size
from graphc.eager.engine.spelling import SPELLED, spelled
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions import (  # noqa: F401  # some declare functions, no more
    arithmetic,
    axiswise,
    control,
    creation,
    diagonals,
    distances,
    distributions,
    filling,
    indexing,
    joining,
    kinds,
    layouts,
    losses,
    matrices,
    ordering,
    parts,
    placing,
    products,
    random,
    rearranging,
    reductions,
    repeating,
    running,
    selecting,
    shapes,
    spaced,
    special,
    statistics,
    windows,
)
from graphc.eager.functions.inplace import in_place
from graphc.eager.methods import (  # noqa: F401  # dunders gives Tensor its own
    alike,
    conversions,
    dunders,
    hooks,
    interchange,
    methods,
    symbolic,
)
from graphc.errors import ShapeError
from graphc.ops import declare
from graphc.ops.elementwise.compare import check_tolerances

EAGER["tensor"] = creation.tensor
EAGER["as_tensor"] = EAGER["asarray"] = creation.as_tensor
EAGER["from_numpy"] = creation.from_numpy
for _own in ("result_type", "get_default_dtype", "set_default_dtype"):
    EAGER[_own] = getattr(promotion, _own)
for _own in ("seed", "initial_seed", "get_rng_state", "set_rng_state", "manual_seed"):
    EAGER[_own] = getattr(random, _own)
# Of arithmetic the plain forms: an operator has no alpha to look at.
_OPERATORS = {
    "add": arithmetic.ADD, "sub": arithmetic.SUB, "mul": arithmetic.MUL, "truediv": arithmetic.DIV,
    "pow": EAGER["pow"], "matmul": products.matmul,
}  # fmt: skip

# Functions of the graph that are no functions of a tensor here, or stand under another name.
NOT_EAGER = OF_GRAPHS | {
    "cast", "fold_in", "getitem", "size", "split_key", "index_update", "recurrence", "array_split",
    "cross_entropy", "binary_cross_entropy", "mse_loss",
}  # fmt: skip


def _fill_table() -> None:
    for name, function in FUNCTIONS.items():
        if name not in EAGER and name not in NOT_EAGER and not name.startswith("_"):
            EAGER[name] = eager_form(name, function)


_fill_table()
for _alias, _own in {
    "abs": "absolute", "acos": "arccos", "asin": "arcsin", "atan": "arctan", "atan2": "arctan2",
}.items():  # fmt: skip
    EAGER.setdefault(_alias, EAGER[_own])
for _own in SPELLED.keys() & EAGER.keys():
    EAGER[_own] = spelled(_own, EAGER[_own])

FACE: dict[str, Callable[..., Any]] = {
    name: face(name) for name in {**FUNCTIONS, **EAGER} if not name.startswith("_")
}

# What a tensor has as methods: every function of one that is its first argument.
_NOT_METHODS = MAKERS | {
    "bernoulli", "meshgrid", "einsum", "cat", "concat", "concatenate", "stack", "hstack", "vstack",
    "row_stack", "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
    "randint_like", "binary_cross_entropy_with_logits", "polygamma", "print", "block_diag",
    "broadcast_tensors", "cartesian_prod", "combinations", "column_stack", "dstack", "atleast_1d",
    "atleast_2d", "atleast_3d", "trapezoid", "trapz", "cumulative_trapezoid", "cdist", "pdist",
    "bucketize",
    *distributions.DRAWING,
}  # fmt: skip
# What PyTorch changes a tensor with in place.
_IN_PLACE = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv arccos arccosh arcsin arcsinh
    arctan arctan2 arctanh asin asinh atan atan2 atanh baddbmm bitwise_and bitwise_left_shift
    bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min clip
    copysign cos cosh cumprod cumsum digamma div divide eq erf erfc erfinv exp exp2 expm1 fix floor
    floor_divide fmod frac gcd ge greater greater_equal gt hypot i0 index_add index_copy index_fill
    index_reduce lcm le lerp less less_equal lgamma log log10 log1p log2 logical_and logical_not
    logical_or logical_xor logit lt masked_fill masked_scatter mul multiply nan_to_num ne neg
    negative nextafter not_equal pow reciprocal relu remainder round rsqrt scatter scatter_add
    scatter_reduce sgn sigmoid sign sin sinh sqrt square sub subtract tan tanh tril triu true_divide
    trunc xlogy maximum minimum softplus addr deg2rad float_power heaviside ldexp mvlgamma rad2deg
    renorm sinc
"""


def _attach() -> None:
    for name, function in EAGER.items():
        if name not in _NOT_METHODS and not name.startswith("_"):
            _method(name, function)
    for name in _IN_PLACE.split():
        if name in EAGER:
            setattr(Tensor, f"{name}_", in_place(EAGER[name], f"{name}_"))
    for name, function in (methods.METHODS | filling.METHODS).items():
        _method(name, function)
    for name in alike.NEVER:
        setattr(Tensor, name, False)
    Tensor.layout = layouts.strided
    _method("view", shapes.view)
    _method("repeat", repeating.repeat)
    _method("where", selecting.where_method)
    for name, own in {**BINARY, **COMPARE}.items():
        function = _OPERATORS.get(name) or EAGER[own]
        setattr(Tensor, f"__{name}__", function)
    for name, own in BINARY.items():
        function = _OPERATORS.get(name) or EAGER[own]
        setattr(Tensor, f"__r{name}__", _reflected(function))
        if name != "matmul":
            short = {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder"}.get(name)
            setattr(Tensor, f"__i{name}__", in_place(function, f"{short or name}_"))
    for name, own in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
        setattr(Tensor, f"__{name}__", EAGER[own])
    setattr(Tensor, "__pos__", lambda self: self)  # noqa: B010
    for name in ("eq", "ne"):
        setattr(Tensor, f"__{name}__", _equality(EAGER[name]))
    Tensor.__hash__ = _identity  # type: ignore[method-assign]
    for name, function in (("getitem", indexing.getitem), ("setitem", indexing.setitem)):
        setattr(Tensor, f"__{name}__", function)


def _identity(self: Tensor) -> int:
    """A tensor's hash. What stands for an argument in a trace has not the identity of that."""
    if hot.slow and tracing.trace is not None:
        tracing.trace.identified(self)
    return id(self)


def _declared(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The face of a function that is declared when this one stands: an op of a user's.

    It becomes a method, and one that changes its tensor, where no such method is there before.
    """
    EAGER[name] = eager_form(name, function)
    FACE[name] = face(name)
    if getattr(Tensor, name, None) is None or name in _OWN:
        _method(name, EAGER[name])
        _OWN.add(name)
    if hasattr(function, "op") and (not hasattr(Tensor, f"{name}_") or f"{name}_" in _OWN):
        setattr(Tensor, f"{name}_", in_place(EAGER[name], f"{name}_"))
        _OWN.add(f"{name}_")
    return FACE[name]


# Methods that ops of users brought.
_OWN: set[str] = set()
declare.faces = _declared


def _method(name: str, function: Callable[..., Any]) -> None:
    if name not in EAGER:
        function = spelled(name, function)
    if hasattr(function, "func"):  # a partial is no descriptor
        inner = function

        def function(*args: Any, **kwargs: Any) -> Any:
            return inner(*args, **kwargs)

        function.__name__ = name
    setattr(Tensor, name, function)


_COMPARABLE = (Operators, np.ndarray, np.generic, bool, int, float)


def _equality(function: Callable[..., Any]) -> Callable[..., Any]:
    """`==` or `!=`: what is no number is another thing, so Python answers."""

    def apply(self: Any, other: Any) -> Any:
        return function(self, other) if isinstance(other, _COMPARABLE) else NotImplemented

    return apply


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: Any, other: Any) -> Any:
        return function(other, self)

    return apply


_attach()


def is_tensor(value: object) -> bool:
    """Whether value is an eager tensor.

    Example:
        >>> import graphc as gc
        >>> gc.is_tensor(gc.zeros(1))
        True
    """
    return isinstance(value, Tensor)


def is_floating_point(value: Tensor) -> bool:
    """Whether a tensor's dtype is a float.

    Example:
        >>> import graphc as gc
        >>> gc.is_floating_point(gc.ones(2)), gc.is_floating_point(gc.tensor([1, 2]))
        (True, False)
    """
    return as_dtype(value.dtype).is_float


def numel(value: Tensor) -> int:
    """The number of elements of a tensor.

    Example:
        >>> import graphc as gc
        >>> gc.numel(gc.zeros(2, 3))
        6
    """
    return math.prod(value.shape)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and equal elements.

    Example:
        >>> import graphc as gc
        >>> gc.equal(gc.ones(2), gc.ones(2))
        True
    """
    if tuple(input.shape) != tuple(other.shape):
        return False
    return bool(np.array_equal(methods.concrete(input, "equal"), methods.concrete(other, "equal")))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all |input - other| <= atol + rtol * |other|.

    Example:
        >>> import graphc as gc
        >>> gc.allclose(gc.tensor([1.0, 2.0]), gc.tensor([1.0, 2.0 + 1e-6]))
        True
    """
    check_tolerances("allclose", rtol, atol)
    a, b = methods.concrete(input, "allclose"), methods.concrete(other, "allclose")
    return bool(np.allclose(a, b, rtol, atol, equal_nan))


def broadcast_shapes(*shapes_: Any) -> Any:
    """The shape that shapes, or single sizes, broadcast to.

    Example:
        >>> import graphc as gc
        >>> gc.broadcast_shapes((3, 1), (1, 4), (4,))
        graphc.Size([3, 4])
    """
    given = [tuple(s) if isinstance(s, list | tuple) else (s,) for s in shapes_]
    try:
        return Size(np.broadcast_shapes(*given))
    except ValueError:
        raise ShapeError(
            f"broadcast_shapes: {' and '.join(map(str, given))} do not broadcast", where=caller()
        ) from None


for _own_method in (equal, allclose):
    EAGER[_own_method.__name__] = _own_method
    FACE[_own_method.__name__] = face(_own_method.__name__)
    _method(_own_method.__name__, _own_method)
FACE |= {
    "from_dlpack": interchange.from_dlpack, "is_tensor": is_tensor,
    **{
        f.__name__: told(f.__name__, spelled(f.__name__, f))
        for f in (is_floating_point, numel, broadcast_shapes)
    },
}  # fmt: skip

symbolic.attach(FACE)

__all__ = ["FACE", "DType", "Tensor"]
