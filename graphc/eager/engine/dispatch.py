"""From a Python call to a computation: what is among the arguments decides who computes.

    gc.softmax(x, dim=1)      an eager tensor: the eager form, so `invoke`, or a ufunc at once
    gc.softmax(node, -1)      a symbolic one: the graph's function
    gc.unbind(node)           the graph has none: the eager form builds it, see `building`

`face` makes what users call. A public function has the graph's conventions (NumPy's) for symbolic
tensors and PyTorch's for eager ones; a call in PyTorch's words (`dim`, `keepdim`), or one that only
its conventions fit, is built by the eager form. `eager_form` makes that of a function of the op
table; those with conventions of their own are declared in `registry`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.ir import NoGradient, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.building import as_tensors, build
from graphc.eager.engine.drawn import AS_NUMBERS, lose
from graphc.eager.engine.elementwise import OF_NUMBERS, are_numbers, binary, operands, unary
from graphc.eager.engine.explaining import RAW, explained
from graphc.eager.engine.invoke import invoke, of_array
from graphc.eager.engine.out import TAKES_OUT, call_into, signature_with_out, with_out
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.size import Size
from graphc.eager.engine.spelling import of_numpy
from graphc.eager.engine.template import ONE, Static, placed, static_value
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, GraphcError
from graphc.ops.declare import as_number

# PyTorch's names of arguments, and NumPy's.
ALIASES = {
    "dim": "axis", "keepdim": "keepdims", "dims": "axis", "dim1": "axis1", "dim2": "axis2",
}  # fmt: skip
# Where eager tensors follow PyTorch and symbolic ones NumPy, unless a word of PyTorch's (`dim`)
# says otherwise; `help` shows it.
NUMPYS = {
    "binary_cross_entropy_with_logits": "the third argument is the reduction",
    "einsum": "operands are given one by one",
    "equal": "elementwise, where PyTorch has one bool",
    "ldexp": "exponents are integers",
    "max": "the values alone, along an axis too",
    "min": "the values alone, along an axis too",
    "reciprocal": "of integers the whole part",
    "sign": "nan stays nan, where PyTorch has 0, and bools have none",
    "sort": "the values alone",
    "split": "a number of parts, where PyTorch has their size",
}
# What arguments may be.
TENSORS, NODES, ARRAYS = 1, 2, 4
# Classes of arguments that are an eager tensor, or nothing that a function computes with.
SIMPLE = {Tensor, int, float, bool, str, type(None), DType, Size}
_AXES = ("axis", "axes", "dim", "dims")
# Where PyTorch takes sizes or axes one by one.
_LISTED = ("sizes", "shape", "dims")
# Functions that make tensors choose by their own arguments what to make.
MAKERS = {
    "zeros", "ones", "full", "arange", "eye", "manual_seed", "randint", "normal", "tensor",
    "as_tensor", "asarray", "from_numpy", "empty", "linspace", "logspace", "rand", "randn",
    "randperm", "seed", "initial_seed", "get_rng_state", "set_rng_state", "result_type",
    "get_default_dtype", "set_default_dtype", "promote_types", "can_cast", "scalar_tensor", "range",
    "tril_indices", "triu_indices", "hann_window", "hamming_window", "blackman_window",
    "bartlett_window", "kaiser_window",
}  # fmt: skip
# Functions that make symbolic tensors, or work on graphs, whatever they are given.
OF_GRAPHS = {"constant", "input", "iota", "parameter", "random_key"}


def face(name: str) -> Callable[..., Any]:
    """What users call: the eager form for eager tensors, the graph's function for symbolic ones.

    Arrays, lists and numbers alone are constants of a graph, but for `OF_NUMBERS`.
    """
    symbolic = FUNCTIONS.get(name)
    own = EAGER.get(name)
    if name in MAKERS:
        return told(name, with_out(name, own))  # type: ignore[arg-type]
    if name in OF_GRAPHS:
        return told(name, symbolic)  # type: ignore[arg-type]
    form = own if own is not None else eager_form(name, symbolic)  # type: ignore[arg-type]
    takes_out = name in TAKES_OUT
    of_numbers = symbolic is not None and symbolic.__name__ in OF_NUMBERS
    own_names = {*_parameters(form), *(_parameters(symbolic) if symbolic is not None else ())}

    @functools.wraps(own if own is not None and own.__doc__ else symbolic)  # type: ignore[arg-type]
    def apply(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and args and args[0].__class__ is Tensor:  # what is common, at once
            if len(args) == 1:
                return form(args[0])
            if len(args) == 2 and type(args[1]) in SIMPLE:
                return form(args[0], args[1])
        if kwargs:
            kwargs = of_numpy(own_names, kwargs)
        if takes_out and "out" in kwargs:
            return call_into(name, form, args, kwargs)
        kinds = kinds_of((*args, *kwargs.values()) if kwargs else args)
        if kinds == TENSORS:
            return form(*args, **kwargs)
        if kinds & TENSORS or symbolic is None:
            at_once = not kinds & NODES
        else:  # arrays, lists and numbers alone are constants of a graph
            at_once = not kinds and of_numbers and are_numbers(args[:2])
        if not at_once:
            return call_symbolic(name, symbolic, form, args, kwargs)
        if kinds & ARRAYS:
            args = tuple(map(as_tensors, args))
            kwargs = {key: as_tensors(value) for key, value in kwargs.items()}
        return form(*args, **kwargs)

    apply.form = form  # type: ignore[attr-defined]
    apply.__name__ = apply.__qualname__ = name  # as `help` shows it
    apply.__doc__ = (apply.__doc__ or "") + _of_nodes(name, symbolic)
    if takes_out:
        apply.__signature__ = signature_with_out(apply)  # type: ignore[attr-defined]
    return apply


def _of_nodes(name: str, symbolic: Callable[..., Any] | None) -> str:
    """What `help` says of symbolic tensors, where they have other conventions than eager ones."""
    if name not in NUMPYS or symbolic is None:
        return ""
    every = _signature(symbolic).parameters.values()
    shown = inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in every])
    return (
        f"\n\n    Of symbolic tensors, as NumPy has it: {NUMPYS[name]}.\n    `{name}{shown}`\n    "
    )


def told(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose error says what it was given where symbolic tensors are among it."""

    @functools.wraps(function)
    def apply(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except RAW as error:
            if isinstance(error, GraphcError) or not kinds_of((*args, *kwargs.values())) & NODES:
                raise
            refusal = explained(name, function, args, kwargs, error)
            if refusal is error:
                raise
            raise refusal from error

    return apply


def kinds_of(values: Iterable[Any]) -> int:
    """What is among values, or in lists and dicts among them: TENSORS, NODES, ARRAYS or several."""
    found = 0
    for value in values:
        if value.__class__ is Tensor:
            found |= TENSORS
        elif type(value) in SIMPLE:
            continue
        elif isinstance(value, list | tuple):
            found |= kinds_of(value)
        elif isinstance(value, Operators):
            found |= TENSORS if value.is_eager else NODES
        elif isinstance(value, np.ndarray):
            found |= ARRAYS
        elif isinstance(value, dict):
            found |= kinds_of(value.values())
    return found


def call_symbolic(
    name: str,
    symbolic: Callable[..., Any] | None,
    form: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    """Call a public function with symbolic tensors.

    Args:
        name: of the function.
        symbolic: the graph's function; None where there is the eager form alone.
        form: the eager one, under PyTorch's conventions.
        args: positional arguments.
        kwargs: keyword arguments, under the names of either.

    Raises:
        ArgumentError: an argument is of a kind that it does not take.
    """
    try:
        return _of_symbolic(name, symbolic, form, args, kwargs)
    except RAW as error:
        shown = form if symbolic is None else symbolic
        refusal = explained(name, shown, args, kwargs, error)
        if refusal is error:
            raise
        raise refusal from error


def _of_symbolic(
    name: str,
    symbolic: Callable[..., Any] | None,
    form: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    args, kwargs = _with_numbers(tuple(args)), {k: _with_numbers(v) for k, v in kwargs.items()}
    if symbolic is None:
        return build(name, form, args, kwargs)
    own, torch = _parameters(symbolic), _parameters(form)
    # A form made of the graph's function shows its names, and takes PyTorch's as well.
    is_made = getattr(form, "__wrapped__", None) is symbolic
    if not is_made and any(key in ALIASES and key not in own for key in kwargs):
        return build(name, form, args, kwargs)
    renamed = {_renamed(key, value, own, torch): value for key, value in kwargs.items()}
    differ = is_made or own != torch
    if differ and (_is_pytorchs(args, own, torch) or not _fits(symbolic, args, renamed)):
        return build(name, form, args, kwargs)
    return symbolic(*args, **renamed)


def _with_numbers(value: object) -> Any:
    """An argument with numbers of Python's for those of NumPy's in it."""
    if value.__class__ in (list, tuple):
        return value.__class__([_with_numbers(v) for v in value])
    return as_number(value)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(_signature(function).parameters)


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _renamed(key: str, value: object, own: tuple[str, ...], torch: tuple[str, ...]) -> str:
    """A keyword as the graph's function has it: by its alias, a tensor's else by its place."""
    if key in own:
        return key
    if ALIASES.get(key) in own:
        return ALIASES[key]
    is_tensor = isinstance(value, Operators | np.ndarray)
    place = torch.index(key) if is_tensor and key in torch else len(own)
    return own[place] if place < len(own) else key


def _is_pytorchs(args: Sequence[Any], own: tuple[str, ...], torch: tuple[str, ...]) -> bool:
    """Whether a second argument is what PyTorch has there: an axis or a size where the graph's
    function has a tensor or a tuple, a tensor or a flag where it has an axis."""
    if len(args) < 2 or len(own) < 2 or len(torch) < 2:
        return False
    if own[1] in _AXES:
        return isinstance(args[1], bool | Operators) or (
            torch[1] in _LISTED and isinstance(args[1], int)
        )
    return isinstance(args[1], int) and torch[1] in (*_AXES, *_LISTED)


def _fits(symbolic: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    try:
        _signature(symbolic).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def eager_form(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The eager form of a public function of the op table, by the function's own signature."""
    op = getattr(function, "op", None)
    arity = len(inspect.signature(function).parameters)
    if op is not None and arity <= 2:
        inner = getattr(op.numpy, "__wrapped__", op.numpy)
        has_gradient = not isinstance(op.vjp, NoGradient)
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


def _general(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(function).parameters)

    def apply(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args, kwargs = _bound(name, parameters, args, kwargs)
        elif len(args) == 1 and isinstance(args[0], Tensor):
            return invoke(function, ONE, (), args)
        template, tensors, is_eager = placed(args, of_numbers=False)
        if not tensors:
            return function(*args, **kwargs)
        if not is_eager:  # of symbolic ones `invoke` makes a graph
            tensors = [of_array(t) if isinstance(t, np.ndarray) else t for t in tensors]
        static: Static = tuple([(k, static_value(v)) for k, v in kwargs.items()])
        found = invoke(function, template, static, tensors)
        return lose(found, kwargs.values(), AS_NUMBERS) if kwargs else found

    apply.__doc__ = function.__doc__
    apply.__wrapped__ = function  # type: ignore[attr-defined]  # whose signature it has
    return apply


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


__all__ = ["ALIASES", "MAKERS", "eager_form", "face"]
