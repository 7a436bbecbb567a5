"""The eager functions by their PyTorch names, and how one is made of a graph's function.

Every public function of the op table has an eager form: `eager_form` makes it, `eager` declares
one whose conventions (names and order of arguments, results) are PyTorch's and not NumPy's.
`face` is what users call: eager tensors take the eager form, symbolic ones the graph's.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import NoGradient, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.elementwise import OF_NUMBERS, are_numbers, binary, number, operands, unary
from graphc.eager.engine.invoke import ONE, SLOT, Static, _Listed, invoke
from graphc.eager.engine.mixed import (
    ALIASES,
    ARRAYS,
    NODES,
    SIMPLE,
    TENSORS,
    call_eager,
    call_symbolic,
    kinds_of,
)
from graphc.eager.engine.out import TAKES_OUT, call_into, signature_with_out, with_out
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError
from graphc.ops.declare import check_axis

EAGER: dict[str, Callable[..., Any]] = {}
SLOTS = [(SLOT,) * count for count in range(64)]
# Functions that make tensors choose by their own arguments what to make.
MAKERS = {
    "zeros", "ones", "full", "arange", "eye", "manual_seed", "randint", "normal", "tensor",
    "as_tensor", "asarray", "from_numpy", "empty", "linspace", "logspace", "rand", "randn",
    "randperm", "seed", "initial_seed", "get_rng_state", "set_rng_state", "result_type",
    "get_default_dtype", "set_default_dtype",
}  # fmt: skip
# Functions that make symbolic tensors, or work on graphs, whatever they are given.
OF_GRAPHS = {"constant", "input", "interpret", "iota", "parameter", "random_key"}


def eager(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the eager form of a function under its own name, or under `names`."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names or (function.__name__.rstrip("_"),):
            EAGER[name] = function
        return function

    return enter


def call(function: Callable[..., Any], *tensors: Tensor, view: bool = False, **static: Any) -> Any:
    """Run a function of symbolic tensors eagerly: tensors first, settings by keyword."""
    return invoke(function, SLOTS[len(tensors)], tuple(static.items()), tensors, view)


def call_list(function: Callable[..., Any], tensors: Sequence[Tensor], **static: Any) -> Any:
    """`call` of a function whose first argument is a list of tensors."""
    return invoke(function, (_Listed.of(len(tensors)),), tuple(static.items()), tensors)


def named(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Set how the backward step of a function is called, after PyTorch's."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.backward_name = name  # type: ignore[attr-defined]
        return function

    return mark


def as_eager(value: Any, like: Tensor | None = None) -> Tensor:
    """A tensor of a tensor, an array, a list or a number; a symbolic tensor is itself."""
    if isinstance(value, Operators):
        return value  # type: ignore[return-value]
    if isinstance(value, bool | int | float) and like is not None:
        return number(value, like.dtype)
    array = np.asarray(value)
    if array.dtype == np.float64 and not isinstance(value, np.ndarray | np.generic):
        array = array.astype(np.float32)
    return wrap(array)


def eager_form(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The eager form of a public function of the op table, by the function's own signature."""
    op = getattr(function, "op", None)
    arity = len(inspect.signature(function).parameters)
    if op is not None and arity <= 2:
        inner = getattr(op.numpy, "__wrapped__", op.numpy)
        has_gradient = not isinstance(op.vjp, NoGradient) and name not in _NO_GRADIENT
        if isinstance(inner, np.ufunc) and arity == inner.nin:
            return (binary if arity == 2 else unary)(function, inner, has_gradient)
    if op is not None and arity == 1:
        return _named_one(function)
    if op is not None and arity == 2:
        return _named_two(function)
    if op is not None:
        form = functools.partial(operands, function)
        form.__doc__ = function.__doc__
        return form
    return _general(name, function)


def _named_one(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(input: Any) -> Any:
        return operands(function, input)

    apply.__doc__ = function.__doc__
    return apply


def _named_two(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(input: Any, other: Any) -> Any:
        return operands(function, input, other)

    apply.__doc__ = function.__doc__
    return apply


# Their rule gives zeros, their result is bool: nothing to record.
_NO_GRADIENT = (
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isinf",
    "isfinite", "signbit", "logical_and", "logical_or", "logical_xor", "logical_not",
)  # fmt: skip


def _general(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(function).parameters)

    def apply(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args, kwargs = _bound(name, parameters, args, kwargs)
        elif len(args) == 1 and isinstance(args[0], Tensor):
            return invoke(function, ONE, (), args)
        template: list[Any] = []
        tensors: list[Tensor] = []
        for value in args:
            _place(value, template, tensors)
        if not tensors:
            return function(*args, **kwargs)
        static: Static = tuple([(k, static_value(v)) for k, v in kwargs.items()])
        return invoke(function, tuple(template), static, tensors)

    apply.__doc__ = function.__doc__
    apply.__wrapped__ = function  # type: ignore[attr-defined]  # whose signature it has
    return apply


def _place(value: Any, template: list[Any], tensors: list[Tensor]) -> None:
    """Add one positional argument to a template."""
    if isinstance(value, Operators):  # a symbolic one too, of which `invoke` makes a graph
        template.append(SLOT)
        tensors.append(value)  # type: ignore[arg-type]
    elif isinstance(value, np.ndarray):
        template.append(SLOT)
        tensors.append(wrap(value))
    elif isinstance(value, list | tuple) and value and all(isinstance(v, Operators) for v in value):
        template.append(_Listed.of(len(value)))
        tensors.extend(value)
    else:
        template.append(static_value(value))


def static_value(value: Any) -> Any:
    """A setting in a form that can be a key."""
    if isinstance(value, list):
        return tuple(static_value(v) for v in value)
    if isinstance(value, np.integer):
        return int(value)
    if value.__class__ is Tensor and value.ndim == 0:
        return value.item()
    return value


def _bound(
    name: str, parameters: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Keywords under the function's own names, tensors among them as positional arguments."""
    found = {}
    for key, value in kwargs.items():
        own = key if key in parameters else ALIASES.get(key, key)
        if key == "input" and own not in parameters:
            own = parameters[0]
        elif key == "other" and own not in parameters:
            own = parameters[1]
        if own not in parameters:
            raise ArgumentError(
                f"{name}: {key!r} is not one of its arguments",
                [f"they are {', '.join(parameters)}"],
                where=caller(),
            )
        found[own] = value
    places = [
        parameters.index(k) for k, v in found.items() if isinstance(v, Operators | np.ndarray)
    ]
    if places:
        last = max(places)
        rest = list(args)
        for k in range(len(args), last + 1):
            if parameters[k] not in found:
                return args, found
            rest.append(found.pop(parameters[k]))
        args = tuple(rest)
    return args, found


def face(name: str) -> Callable[..., Any]:
    """What users call: the eager form for eager tensors, the graph's function for symbolic ones.

    Arrays, lists and numbers alone are constants of a graph, but for `OF_NUMBERS`.
    """
    symbolic = FUNCTIONS.get(name)
    own = EAGER.get(name)
    if name in MAKERS:
        return with_out(name, own)  # type: ignore[arg-type]
    if name in OF_GRAPHS:
        return symbolic  # type: ignore[return-value]
    form = own if own is not None else eager_form(name, symbolic)  # type: ignore[arg-type]
    takes_out = name in TAKES_OUT
    of_numbers = symbolic is not None and symbolic.__name__ in OF_NUMBERS

    @functools.wraps(own if own is not None and own.__doc__ else symbolic)  # type: ignore[arg-type]
    def apply(*args: Any, **kwargs: Any) -> Any:
        if kwargs and takes_out and "out" in kwargs:
            return call_into(name, form, args, kwargs)
        if args and isinstance(args[0], Tensor):
            for value in args:
                if value.__class__ not in SIMPLE:
                    break
            else:
                if not kwargs or SIMPLE.issuperset(map(type, kwargs.values())):
                    return form(*args, **kwargs)
        kinds = kinds_of((*args, *kwargs.values()) if kwargs else args)
        if kinds == TENSORS:
            return form(*args, **kwargs)
        if kinds & TENSORS or symbolic is None:
            at_once = not kinds & NODES
        else:  # arrays, lists and numbers alone are constants of a graph
            at_once = not kinds and of_numbers and are_numbers(args[:2])
        if not at_once:
            return call_symbolic(name, symbolic, form, args, kwargs)
        return call_eager(form, args, kwargs) if kinds & ARRAYS else form(*args, **kwargs)

    apply.form = form  # type: ignore[attr-defined]
    apply.__name__ = apply.__qualname__ = name  # as `help` shows it
    if takes_out:
        apply.__signature__ = signature_with_out(apply)  # type: ignore[attr-defined]
    return apply


def as_axis(dim: Any) -> int:
    """One axis as an int.

    Raises:
        ArgumentError: it is a bool, a float, or no number at all.
    """
    if not isinstance(dim, bool | np.bool_):
        try:
            return operator.index(dim)
        except TypeError:
            pass
    raise ArgumentError(
        f"an axis must be an int, not {type(dim).__name__} {dim!r:.40}", where=caller()
    )


def as_dims(dim: Any) -> Any:
    """Axes as None, an int or a tuple of ints."""
    if isinstance(dim, list | tuple):
        return tuple(as_axis(d) for d in dim)
    return None if dim is None else as_axis(dim)


def as_summed(found: Tensor, input: Tensor, dtype: Any) -> Tensor:
    """A sum in the dtype asked for, or in int64 where it is of integers, unsigned ones too."""
    if dtype is not None:
        return found.to(dtypes.as_dtype(dtype))
    is_unsigned = found.dtype is dtypes.uint64 and input.dtype is not dtypes.uint64
    return found.to(dtypes.int64) if is_unsigned else found


def as_flag(value: Any, name: str) -> bool:
    """A setting that is true or false; a number is refused, for it stands for something else."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(
            f"{name} must be True or False, not {type(value).__name__} {value!r:.40}",
            where=caller(),
        )
    return bool(value)


def axes_of(input: Any, dim: Any) -> Any:
    """The axes that a reduction of a tensor is over: None for all, which an empty list also means.

    A 0-d tensor takes 0 and -1, as if it had one axis.
    """
    dims = as_dims(dim)
    if dims is None or dims == ():
        return None
    if input.ndim:
        return dims
    for axis in dims if isinstance(dims, tuple) else (dims,):
        check_axis("dim", axis, 1)
    return None


__all__ = [
    "EAGER", "as_axis", "as_dims", "as_eager", "as_flag", "axes_of", "call", "call_list", "eager",
    "face", "named",
]  # fmt: skip
