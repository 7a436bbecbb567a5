"""Calls with a symbolic tensor among the arguments, where an eager one may stand beside it.

    x = gc.input("x", (3,), gc.float64)
    gc.zeros(3, dtype=gc.float64) @ x      # the eager tensor is a constant of the graph

A public function has the graph's conventions (NumPy's) for symbolic tensors and PyTorch's for
eager ones. A call that only PyTorch's conventions fit is built by the eager form: what it computes
by is a function of symbolic tensors, see `invoke`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.operators import Operators
from graphc.eager.engine.tensor import Tensor

# PyTorch's names of arguments, and NumPy's.
ALIASES = {"dim": "axis", "keepdim": "keepdims", "dims": "axis"}
_AXES = frozenset(("axis", "axes", "dim", "dims"))


def any_symbolic(values: Sequence[Any]) -> bool:
    """Whether a symbolic tensor is among values, or in lists and dicts among them."""
    for value in values:
        if isinstance(value, Operators):
            if not value.is_eager:
                return True
        elif (isinstance(value, list | tuple) and any_symbolic(value)) or (
            isinstance(value, dict) and any_symbolic(tuple(value.values()))
        ):
            return True
    return False


def any_eager(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether an eager tensor is among arguments, or in lists and dicts among them."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            return True
        if isinstance(value, list | tuple) and any_eager(value, {}):
            return True
        if isinstance(value, dict) and any_eager((), value):
            return True
    return False


def call_symbolic(
    symbolic: Callable[..., Any],
    form: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    """Call a public function with symbolic tensors.

    Args:
        symbolic: the graph's function.
        form: the eager one, under PyTorch's conventions.
        args: positional arguments.
        kwargs: keyword arguments, under the names of either.
    """
    own, torch = _parameters(symbolic), _parameters(form)
    renamed = {_renamed(key, value, own, torch): value for key, value in kwargs.items()}
    # A form made of the graph's function shows its names, and takes PyTorch's as well.
    differ = own != torch or getattr(form, "__wrapped__", None) is symbolic
    if differ and (_names_an_axis(args, own, torch) or not _fits(symbolic, args, renamed)):
        return form(*args, **kwargs)
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
    place = torch.index(key) if isinstance(value, Operators) and key in torch else len(own)
    return own[place] if place < len(own) else key


def _names_an_axis(args: Sequence[Any], own: tuple[str, ...], torch: tuple[str, ...]) -> bool:
    """Whether an int stands where PyTorch has an axis and the graph's function a tensor."""
    if len(args) < 2 or not isinstance(args[1], int) or len(own) < 2 or len(torch) < 2:
        return False
    return torch[1] in _AXES and own[1] not in _AXES


def _fits(symbolic: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    try:
        _signature(symbolic).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


__all__ = ["any_eager", "any_symbolic", "call_symbolic"]
