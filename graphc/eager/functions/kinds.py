"""What is asked of a dtype, and what real numbers answer to complex ones' names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import DTypeLike
from graphc.eager.engine.promotion import get_default_dtype, result_type
from graphc.eager.engine.registry import EAGER, call, eager
from graphc.eager.engine.tensor import AnyTensor, Tensor
from graphc.eager.functions.creation import finish
from graphc.errors import DTypeError

# From a kind to those that it can be cast to.
_RANK = {"bool": 0, "uint": 1, "int": 1, "float": 2}


@eager()
def promote_types(type1: DTypeLike, type2: DTypeLike) -> DType:
    """The dtype of what is computed of two dtypes.

    Example:
        >>> import graphc as gc
        >>> gc.promote_types(gc.int32, gc.float32)
        graphc.float32
    """
    return result_type(*(EAGER["tensor"]([0], dtype=as_dtype(t)) for t in (type1, type2)))


@eager()
def can_cast(from_: DTypeLike, to: DTypeLike) -> bool:
    """Whether a dtype's numbers can be cast to another: not from floats to integers, say.

    Example:
        >>> import graphc as gc
        >>> gc.can_cast(gc.float32, gc.int64), gc.can_cast(gc.int64, gc.int8)
        (False, True)
    """
    given, other = as_dtype(from_), as_dtype(to)
    if given.kind == "int" and other.kind == "uint":
        return False
    return _RANK[given.kind] <= _RANK[other.kind]


def _same(name: str, what: str) -> None:
    def apply(input: AnyTensor) -> Any:
        return input

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""{what} of real numbers: the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(gc.tensor([1.0]))
        tensor([1.])
    """
    eager(name)(apply)


for _name, _what in (
    ("real", "The real part"), ("conj", "The conjugate"), ("resolve_conj", "The conjugate"),
    ("resolve_neg", "The number"),
):  # fmt: skip
    _same(_name, _what)


def _angle(x: Operators) -> Any:
    where = FUNCTIONS["where"]
    found = where(x < 0, math.pi, FUNCTIONS["zeros_like"](x))
    return where(FUNCTIONS["isnan"](x), x, found) if x.type.dtype.is_float else found


@eager()
def angle(input: AnyTensor) -> Any:
    """The angle of real numbers: pi of those below 0, else 0; nan of nan.

    Example:
        >>> import graphc as gc
        >>> gc.angle(gc.tensor([-1.0, 2.0]))
        tensor([3.1416, 0.0000])
    """
    return call(_angle, input if input.dtype.is_float else input.to(get_default_dtype()))


def _infinite(name: str, sign: int) -> None:
    value = sign * math.inf

    def apply(input: AnyTensor) -> Any:
        return EAGER["eq"](input, value) if input.dtype.is_float else input != input

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""Whether each element is {value}.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(gc.tensor([float("inf"), -float("inf"), 1.0]))
        tensor([{" True, False" if sign > 0 else "False,  True"}, False])
    """
    eager(name)(apply)


_infinite("isposinf", 1)
_infinite("isneginf", -1)


@eager()
def isreal(input: AnyTensor) -> Any:
    """Whether each element is a real number, as all are.

    Example:
        >>> import graphc as gc
        >>> gc.isreal(gc.zeros(2))
        tensor([True, True])
    """
    return EAGER["ones_like"](input, dtype=bool)


@eager()
def scalar_tensor(
    s: float, *, dtype: DTypeLike | None = None, layout: Any = None, device: Any = None
) -> Any:
    """A 0-d tensor of a number, of the default dtype unless another is given.

    Example:
        >>> import graphc as gc
        >>> gc.scalar_tensor(2)
        tensor(2.)
    """
    dtype = get_default_dtype() if dtype is None else dtype
    if isinstance(s, Operators):  # a number that a graph computes, or that is drawn
        return EAGER["as_tensor"](s, dtype=dtype, device=device)
    return EAGER["tensor"](s, dtype=dtype, device=device)


@eager("range")
def range_(
    start: float = 0, end: float | None = None, step: float = 1, *,
    dtype: DTypeLike | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """Numbers from start to end, which is included, unlike in `arange`; PyTorch's older form.

    Example:
        >>> import graphc as gc
        >>> gc.range(1, 3)
        tensor([1., 2., 3.])
    """
    start, end = (0, start) if end is None else (start, end)
    first, last, each = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    count = math.floor((last - first) / each) + 1
    if count < 1:
        raise DTypeError(f"range: from {first} to {last} by {each}", where=caller())
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    array = (first + each * np.arange(count)).astype(kind.numpy)
    return finish(array, device, requires_grad, of=(start, end, step))


@eager()
def narrow_copy(input: AnyTensor, dim: int, start: int, length: int) -> Any:
    """`narrow`, copied.

    Example:
        >>> import graphc as gc
        >>> gc.narrow_copy(gc.arange(4), 0, 1, 2)
        tensor([1, 2])
    """
    return EAGER["narrow"](input, dim, start, length).clone()


__all__ = ["angle", "can_cast", "promote_types", "scalar_tensor"]
