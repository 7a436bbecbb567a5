"""Calls with a symbolic tensor among the arguments, where an eager one may stand beside it.

    x = gc.input("x", (3,), gc.float64)
    gc.zeros(3, dtype=gc.float64) @ x      # the eager tensor is a constant of the graph

A public function has the graph's conventions (NumPy's) for symbolic tensors and PyTorch's for
eager ones. A call in PyTorch's words (`dim`, `keepdim`), or one that only its conventions fit, is
built by the eager form, see `building`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.operators import Operators
from graphc.eager.engine.building import as_tensors, build
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor

# PyTorch's names of arguments, and NumPy's.
ALIASES = {"dim": "axis", "keepdim": "keepdims", "dims": "axis"}
# What arguments may be.
TENSORS, NODES, ARRAYS = 1, 2, 4
# Classes of arguments that are an eager tensor, or nothing that a function computes with.
SIMPLE = {Tensor, int, float, bool, str, type(None), DType, Size}
_AXES = ("axis", "axes", "dim", "dims")
# Where PyTorch takes sizes or axes one by one.
_LISTED = ("sizes", "shape", "dims")


def kinds_of(values: Iterable[Any]) -> int:
    """What is among values, or in lists and dicts among them: TENSORS, NODES, ARRAYS or several."""
    found = 0
    for value in values:
        if value.__class__ is Tensor:
            found |= TENSORS
        elif value.__class__ in SIMPLE:
            continue
        elif isinstance(value, Operators):
            found |= TENSORS if value.is_eager else NODES
        elif isinstance(value, np.ndarray):
            found |= ARRAYS
        elif isinstance(value, list | tuple):
            found |= kinds_of(value)
        elif isinstance(value, dict):
            found |= kinds_of(value.values())
    return found


def call_eager(form: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call an eager form with tensors for the arrays among its arguments."""
    return form(*map(as_tensors, args), **{k: as_tensors(v) for k, v in kwargs.items()})


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
    """
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


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(_signature(function).parameters)


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _renamed(key: str, value: Any, own: tuple[str, ...], torch: tuple[str, ...]) -> str:
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


__all__ = ["ARRAYS", "NODES", "SIMPLE", "TENSORS", "call_eager", "call_symbolic", "kinds_of"]
