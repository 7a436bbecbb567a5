"""The shortest way of small elementwise ops: one NumPy ufunc, and one step recorded.

For float tensors of equal dtype that are small enough for NumPy to win, `x + y` is a ufunc call,
a new tensor, and nothing else; everything out of that line takes `invoke`. Which operands the
backward step keeps is asked of the op's gradient rule once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import _BY_NUMPY as BY_NUMPY
from graphc.core.dtypes import DType
from graphc.core.ir import caller
from graphc.eager.engine import promotion, quiet
from graphc.eager.engine.drawn import follow
from graphc.eager.engine.hot import hot, made, tracing
from graphc.eager.engine.invoke import backward_name, call_of, invoke, of_array
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import needs_of
from graphc.eager.engine.tape import CallBackward, Saved
from graphc.eager.engine.template import ONE, SLOT, TWO
from graphc.eager.engine.tensor import Tensor, ndarray, new, wrap
from graphc.errors import ArgumentError
from graphc.ops.declare import is_tensor

# Elements up to which a ufunc takes less time than a kernel's launch.
SMALL = 65536
F32, F64 = dtypes.float32.numpy, dtypes.float64.numpy
local = quiet.local


def record_pair(function: Callable[..., Any], a: Tensor, b: Tensor, result: Tensor) -> None:
    """Give a result the backward step of a function of two tensors."""
    (needs_a, needs_b), needs_result = needs_of(function, 2)
    x, y = a._array, b._array

    types = (x.dtype.char, x.shape, y.dtype.char, y.shape)
    fn = CallBackward(
        backward_name(function),
        (call_of, function, TWO, (), types),
        (a._edge, b._edge),
        (Saved(a, a._edge) if needs_a else None, Saved(b, b._edge) if needs_b else None),
    )
    if needs_result:
        fn.outputs = (Saved(result, None),)
    result._edge = (fn, 0)


def record_one(function: Callable[..., Any], a: Tensor, result: Tensor) -> None:
    """Give a result the backward step of a function of one tensor."""
    (needs_a,), needs_result = needs_of(function, 1)
    types = (a._array.dtype.char, a._array.shape)
    fn = CallBackward(
        backward_name(function),
        (call_of, function, ONE, (), types),
        (a._edge,),
        (Saved(a, a._edge) if needs_a else None,),
    )
    if needs_result:
        fn.outputs = (Saved(result, None),)
    result._edge = (fn, 0)


def _with_number(
    function: Callable[..., Any], ufunc: np.ufunc, has_gradient: bool
) -> Callable[..., Any]:
    """`binary` with a Python number, which NumPy takes to have the other operand's dtype."""

    def with_number(a: Any, b: Any, x: Any, y: Any) -> Any:
        tensor, value = (a, b) if y is b else (b, a)
        array = tensor._array
        dtype = array.dtype
        if (
            (value.__class__ is not float and value.__class__ is not int)
            or (dtype is not F32 and dtype is not F64)
            or array.size > SMALL
            or hot.slow
        ):
            return operands(function, a, b)
        try:
            found = local.run(ufunc, x, y)
        except OverflowError:
            return operands(function, a, b)
        result = new(Tensor)
        result._array = found if found.__class__ is ndarray else np.asarray(found)
        result._edge = result._drawn = None
        if tensor._edge is not None and has_gradient and state.enabled:
            other = number(value, BY_NUMPY[dtype])
            first, second = (a, other) if tensor is a else (other, b)
            record_pair(function, first, second, result)
        if tensor._drawn is not None:
            follow(result, function, ufunc, (a, b))
        return result

    return with_number


def binary(function: Callable[..., Any], ufunc: np.ufunc, has_gradient: bool) -> Callable[..., Any]:
    """The eager form of an elementwise function of two operands.

    Args:
        function: of symbolic tensors; also what takes the long way.
        ufunc: NumPy's, equal to it on float32 and float64.
        has_gradient: False for comparisons.
    """
    with_number = _with_number(function, ufunc, has_gradient)

    def apply(input: Any, other: Any) -> Any:
        a, b = input, other
        try:
            x = a._array
        except AttributeError:
            if b.__class__ is Tensor and b._node is None:
                return with_number(a, b, a, b._array)
            return operands(function, a, b)
        try:
            y = b._array
        except AttributeError:
            if a.__class__ is Tensor:
                return with_number(a, b, x, b)
            return operands(function, a, b)
        dtype = x.dtype
        if (
            dtype is not y.dtype
            or (dtype is not F32 and dtype is not F64)
            or x.size > SMALL
            or y.size > SMALL
            or hot.slow
        ):
            return operands(function, a, b)
        try:
            array = local.run(ufunc, x, y)
        except ValueError:
            return operands(function, a, b)  # shapes that do not broadcast: it says which
        result = new(Tensor)
        result._array = array if array.__class__ is ndarray else np.asarray(array)
        result._edge = result._drawn = None
        if (a._edge is not None or b._edge is not None) and has_gradient and state.enabled:
            record_pair(function, a, b, result)
        if a._drawn is not None or b._drawn is not None:
            follow(result, function, ufunc, (a, b))
        return result

    apply.__doc__ = function.__doc__
    return apply


def unary(function: Callable[..., Any], ufunc: np.ufunc, has_gradient: bool) -> Callable[..., Any]:
    """The eager form of an elementwise function of one operand; arguments as for `binary`."""

    def apply(input: Any) -> Any:
        a = input
        try:
            x = a._array
        except AttributeError:
            return operands(function, a)
        dtype = x.dtype
        if (dtype is not F32 and dtype is not F64) or x.size > SMALL or hot.slow:
            return operands(function, a)
        array = local.run(ufunc, x)
        result = new(Tensor)
        result._array = array if array.__class__ is ndarray else np.asarray(array)
        result._edge = result._drawn = None
        if a._edge is not None and has_gradient and state.enabled:
            record_one(function, a, result)
        if a._drawn is not None:
            follow(result, function, ufunc, (a,))
        return result

    apply.__doc__ = function.__doc__
    return apply


def number(value: bool | int | float, dtype: DType) -> Tensor:
    """A Python number as the 0-d tensor it is beside one of `dtype`."""
    kind = promotion.beside(value, dtype)
    return made(wrap(np.array(dtypes.check_scalar(value, kind), kind.numpy)))


# Functions that PyTorch calls with numbers alone: these, too, compute at once.
OF_NUMBERS = frozenset(("add", "subtract", "multiply", "divide", "floor_divide"))


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all of two values or more are numbers of Python's."""
    return len(values) > 1 and all(isinstance(v, bool | int | float) for v in values)


def _alone(value: bool | int | float) -> Tensor:
    """A number as a tensor of what it is by itself."""
    if isinstance(value, float):
        return number(value, promotion.get_default_dtype())
    return number(value, dtypes.bool_ if isinstance(value, bool) else dtypes.int64)


def operands(function: Callable[..., Any], *values: Any) -> Any:
    """An elementwise function of tensors, arrays and numbers, the long way.

    A number becomes a 0-d tensor, so that another value needs no other graph.
    """
    tensors = [v for v in values if isinstance(v, Tensor)]
    if tensors and len(tensors) == len(values):
        return invoke(function, (SLOT,) * len(tensors), (), tensors)
    if not tensors and function.__name__ in OF_NUMBERS and are_numbers(values):
        tensors = [_alone(values[0])]
        values = (tensors[0], *values[1:])
    if not tensors or (len(tensors) < len(values) and any(_symbolic(v) for v in values)):
        return function(*values)
    found = []
    dtype = tensors[0].dtype if len(tensors) == 1 else promotion.result_type(*tensors)
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, bool | int | float) and not isinstance(value, np.generic):
            found.append(number(value, dtype))
        elif isinstance(value, np.ndarray):
            found.append(of_array(value))
        elif isinstance(value, np.generic | list | tuple):
            found.append(made(wrap(np.asarray(value))))
        elif hot.slow and tracing.trace is not None and tracing.trace.is_size(value):
            found.append(tracing.trace.size_tensor(value, dtype))
        elif hasattr(value, "__radd__"):
            return NotImplemented  # its class may know what to do with a tensor
        else:
            raise ArgumentError(
                f"{function.__name__}: {type(value).__name__} {value!r:.40} is not a tensor, an "
                "array or a number",
                where=caller(),
            )
    return invoke(function, (SLOT,) * len(found), (), found)


def _symbolic(value: object) -> bool:
    return is_tensor(value)
