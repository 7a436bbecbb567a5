"""The eager face put together: every function of the op table as a function and a method.

Importing this module gives `Tensor` its operators and methods. `FACE` has the public functions
by name; `graphc` exports them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.ir import caller
from graphc.core.operators import BINARY, COMPARE, FUNCTIONS, Operators
from graphc.eager.engine import promotion
from graphc.eager.engine.device import CPU
from graphc.eager.engine.registry import EAGER, eager_form, face
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions import (
    arithmetic,
    axiswise,
    control,
    creation,
    filling,
    indexing,
    joining,
    losses,
    ordering,
    parts,
    placing,
    products,
    random,
    reductions,
    repeating,
    selecting,
    shapes,
    special,
)
from graphc.eager.functions.inplace import in_place
from graphc.eager.methods import hooks, interchange, methods
from graphc.eager.methods.printing import tensor_text
from graphc.errors import ArgumentError, ShapeError
from graphc.ops import declare

# These declare eager functions when they are imported.
DECLARING = (
    arithmetic,
    axiswise,
    control,
    creation,
    joining,
    losses,
    ordering,
    parts,
    placing,
    products,
    random,
    reductions,
    repeating,
    selecting,
    shapes,
    special,
)
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
NOT_EAGER = {
    "broadcast_to", "cast", "constant", "fold_in", "full", "getitem", "gather", "input", "iota",
    "parameter", "random_key", "size", "split_key", "index_update", "recurrence", "uniform",
    "permutation", "interpret", "dot", "array_split", "cross_entropy",
    "binary_cross_entropy", "mse_loss",
}  # fmt: skip


def _fill_table() -> None:
    for name, function in FUNCTIONS.items():
        if name not in EAGER and name not in NOT_EAGER:
            EAGER[name] = eager_form(name, function)


_fill_table()
for _alias, _own in {
    "abs": "absolute", "acos": "arccos", "asin": "arcsin", "atan": "arctan", "atan2": "arctan2",
    "clamp": "clamp", "unsqueeze": "unsqueeze",
}.items():  # fmt: skip
    EAGER.setdefault(_alias, EAGER[_own])

FACE: dict[str, Callable[..., Any]] = {
    name: face(name) for name in {**FUNCTIONS, **EAGER} if not name.startswith("_")
}

# What a tensor has as methods: every function of one that is its first argument.
_NOT_METHODS = {
    "tensor", "as_tensor", "asarray", "from_numpy", "zeros", "ones", "empty", "full", "arange",
    "linspace", "logspace", "eye", "rand", "randn", "randint", "randperm", "normal", "bernoulli",
    "manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state", "result_type",
    "get_default_dtype", "set_default_dtype", "meshgrid", "einsum", "cat", "concat",
    "concatenate", "stack", "hstack", "vstack", "row_stack", "size", "input", "constant",
    "parameter", "iota", "random_key", "dtype", "shape", "broadcast_shapes", "is_tensor",
    "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like",
    "randint_like", "binary_cross_entropy_with_logits",
}  # fmt: skip
_IN_PLACE = (
    "add", "sub", "mul", "div", "pow", "remainder", "fmod", "floor_divide", "neg", "abs", "exp",
    "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "square", "reciprocal",
    "sin", "cos", "tan", "tanh", "sinh", "cosh", "sigmoid", "relu", "floor", "ceil", "round",
    "trunc", "frac", "sign", "clamp", "clamp_min", "clamp_max", "clip", "lerp", "addcmul",
    "addcdiv", "addmm", "masked_fill", "masked_scatter", "scatter", "scatter_add", "index_add",
    "index_copy", "index_fill", "tril", "triu", "cumsum", "cumprod", "erf", "logit", "hypot",
    "nan_to_num", "arctan2", "atan2", "eq", "ne", "lt", "le", "gt", "ge", "logical_and",
    "logical_or", "logical_xor", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor",
    "subtract", "multiply", "divide", "negative", "absolute", "copysign", "softplus", "maximum",
    "minimum", "true_divide", "xlogy", "fill_diagonal",
)  # fmt: skip


def _attach() -> None:
    for name, function in EAGER.items():
        if name not in _NOT_METHODS and not name.startswith("_"):
            _method(name, function)
    for name in _IN_PLACE:
        if name in EAGER:
            setattr(Tensor, f"{name}_", in_place(EAGER[name], f"{name}_"))
    for name, function in {**methods.METHODS, **hooks.METHODS, **filling.METHODS}.items():
        _method(name, function)
    _method("view", shapes.view)
    _method("repeat", repeating.repeat)
    _method("where", selecting.where_method)
    for name in ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"):
        _method(name, methods.METHODS[name])
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
    Tensor.__hash__ = lambda self: id(self)  # type: ignore[method-assign]
    for name, function in (("getitem", indexing.getitem), ("setitem", indexing.setitem)):
        setattr(Tensor, f"__{name}__", function)


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


def _property(name: str) -> Callable[[Callable[..., Any]], None]:
    def enter(function: Callable[..., Any]) -> None:
        setattr(Tensor, name, property(function, doc=function.__doc__))

    return enter


@_property("T")
def _transposed(self: Tensor) -> Tensor:
    """A view with the axes reversed."""
    return shapes.transposed(self)


@_property("mT")
def _matrix_transposed(self: Tensor) -> Tensor:
    """A view with the last two axes exchanged."""
    return shapes.transpose(self, -2, -1)


@_property("device")
def _device(self: Tensor) -> Any:
    """Where the tensor lives: the CPU."""
    return CPU


@_property("is_cuda")
def _is_cuda(self: Tensor) -> bool:
    """Whether it lives on a CUDA device."""
    return False


@_property("itemsize")
def _itemsize(self: Tensor) -> int:
    """The bytes of one element."""
    return self.dtype.itemsize


@_property("nbytes")
def _nbytes(self: Tensor) -> int:
    """The bytes of all elements."""
    return self._array.size * self._array.itemsize


def _special(function: Callable[..., Any]) -> None:
    setattr(Tensor, function.__name__, function)


@_special
def __repr__(self: Tensor) -> str:
    if self._node is not None:
        return f"<traced {self._node.type}>"
    fn = self.grad_fn
    return tensor_text(
        self._array,
        requires_grad=self.requires_grad and fn is None,
        grad_fn=None if fn is None else fn.name,
        class_name=type(self).__name__,
        default_dtype=promotion.get_default_dtype().numpy,
    )


@_special
def __str__(self: Tensor) -> str:
    return repr(self)


@_special
def __format__(self: Tensor, spec: str) -> str:
    if self.ndim == 0:
        return format(self.item(), spec)
    if spec:
        raise ArgumentError(
            f"the format {spec!r} is for one number, not for a tensor of shape {tuple(self.shape)}",
            where=caller(),
            hint="format its elements, which x.tolist() gives",
        )
    return repr(self)


@_special
def __bool__(self: Tensor) -> bool:
    if self._node is None and self._array.size != 1:
        raise ShapeError(
            f"the truth of a tensor of shape {tuple(self.shape)} is ambiguous",
            where=caller(),
            hint="use x.any() or x.all()",
        )
    return bool(methods.concrete(self, "bool()").reshape(()).item())


def _as_number(kind: type) -> Callable[[Tensor], Any]:
    def convert(self: Tensor) -> Any:
        array = methods.concrete(self, f"{kind.__name__}()")
        if array.size != 1:
            raise ShapeError(
                f"{kind.__name__}() of a tensor of shape {tuple(self.shape)}, not of one element",
                where=caller(),
            )
        return kind(array.item())

    return convert


for _kind in (float, int, complex):
    setattr(Tensor, f"__{_kind.__name__}__", _as_number(_kind))


@_special
def __index__(self: Tensor) -> int:
    if self.ndim or not self.dtype.is_integer:
        raise ArgumentError(
            f"only a 0-d tensor of integers can be an index, not {self.type}", where=caller()
        )
    return int(methods.concrete(self, "int()"))


@_special
def __len__(self: Tensor) -> int:
    if not self.ndim:
        raise ArgumentError("len() of a 0-d tensor", where=caller())
    return self.shape[0]


@_special
def __iter__(self: Tensor) -> Iterator[Any]:
    if not self.ndim:
        raise ArgumentError("iteration over a 0-d tensor", where=caller())
    return iter(parts.unbind(self, 0))


@_special
def __contains__(self: Tensor, value: Any) -> bool:
    if not isinstance(value, Tensor | bool | int | float | np.generic | np.ndarray):
        raise ArgumentError(
            f"in: {type(value).__name__} {value!r:.60} is no element of a tensor",
            where=caller(),
            hint="look for a number or a tensor",
        )
    return bool((self == value).any())


def is_tensor(value: Any) -> bool:
    """Whether value is an eager tensor.

    Example:
        >>> import graphc as gc
        >>> gc.is_tensor(gc.zeros(1))
        True
    """
    return isinstance(value, Tensor)


def is_floating_point(value: Tensor) -> bool:
    """Whether a tensor's dtype is a float."""
    return value.dtype.is_float


def numel(value: Tensor) -> int:
    """The number of elements of a tensor."""
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
    """Whether all |input - other| <= atol + rtol * |other|."""
    a, b = methods.concrete(input, "allclose"), methods.concrete(other, "allclose")
    return bool(np.allclose(a, b, rtol, atol, equal_nan))


def broadcast_shapes(*shapes_: Any) -> Any:
    """The shape that shapes, or single sizes, broadcast to."""
    given = [tuple(s) if isinstance(s, list | tuple) else (s,) for s in shapes_]
    try:
        return Size(np.broadcast_shapes(*given))
    except ValueError:
        raise ShapeError(
            f"broadcast_shapes: {' and '.join(map(str, given))} do not broadcast", where=caller()
        ) from None


EAGER["equal"] = equal
for _own_method in (equal, allclose):
    _method(_own_method.__name__, _own_method)
FACE["equal"] = face("equal")
FACE |= {
    "from_dlpack": interchange.from_dlpack, "is_tensor": is_tensor,
    "is_floating_point": is_floating_point,
    "numel": numel, "allclose": allclose, "broadcast_shapes": broadcast_shapes,
    "unique": ordering.unique,
}  # fmt: skip

__all__ = ["FACE", "DType", "Tensor"]
