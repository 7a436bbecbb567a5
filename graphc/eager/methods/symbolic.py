"""The methods of tensors for symbolic ones: each computes by the tensor's own, as part of a graph.

gc.input("x", (3,)).unsqueeze(0)       # <reshape: f32[1, 3]>
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from graphc.core.ir import Node
from graphc.core.methods import Methods
from graphc.core.operators import Operators
from graphc.eager.engine.building import build
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.tensor import Tensor

# These are of a tensor's value, memory or history, which no symbolic tensor has.
_OF_VALUES = {
    "backward", "cuda", "data", "data_ptr", "grad", "grad_fn", "is_leaf", "item", "numpy",
    "pin_memory", "register_hook", "register_post_accumulate_grad_hook", "requires_grad",
    "retain_grad", "stride", "tolist", "version",
}  # fmt: skip
# The operators' methods have NumPy's arguments; in the words of PyTorch these are the functions'.
_NUMPYS = (
    "all", "any", "argmax", "argmin", "argsort", "clip", "cumprod", "cumsum", "flatten", "max",
    "mean", "min", "prod", "sort", "squeeze", "sum", "take", "var",
)  # fmt: skip


def attach(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Give symbolic tensors the methods and properties that tensors have.

    Args:
        functions: the public ones, by name.
    """
    for name in dir(Tensor):
        if name[0] == "_" or name[-1] == "_" or name in _OF_VALUES or hasattr(Node, name):
            continue
        thing = getattr(Tensor, name)
        is_property = isinstance(thing, property)
        if not is_property and not callable(thing):  # a flag that the class has
            continue
        is_function = EAGER.get(name) is thing
        found = _by_function(functions[name], thing) if is_function else _built(name, thing)
        setattr(Methods, name, property(found) if is_property else found)
    for name in _NUMPYS:
        setattr(Methods, name, _by_function(functions[name], getattr(Operators, name)))
    Methods.transpose = _transpose(functions["transpose"])  # type: ignore[method-assign]


def _by_function(function: Callable[..., Any], own: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(own)
    def method(self: object, *args: object, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


def _built(name: str, own: object) -> Callable[..., Any]:
    function: Callable[..., Any] = own.fget if isinstance(own, property) else own  # type: ignore[assignment]

    @functools.wraps(function)
    def method(self: object, *args: object, **kwargs: Any) -> Any:
        return build(name, function, (self, *args), kwargs)

    return method


def _transpose(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(Operators.transpose)
    def transpose(self: Any, *axes: Any, **kwargs: Any) -> Any:
        if kwargs or (len(axes) == 2 and all(isinstance(axis, int) for axis in axes)):
            return function(self, *axes, **kwargs)  # PyTorch's, which exchanges two axes
        return Operators.transpose(self, *axes)

    return transpose


__all__ = ["attach"]
