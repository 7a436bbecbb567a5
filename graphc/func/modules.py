"""Modules as functions of their parameters: for ensembles, hypernetworks, per-sample gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import Operators
from graphc.eager.engine.building import build
from graphc.eager.engine.dispatch import NODES, kinds_of
from graphc.eager.engine.registry import EAGER
from graphc.errors import ArgumentError
from graphc.nn.module.module import Module


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
) -> Any:
    """A module's value with other tensors in place of some of its parameters and buffers.

    Args:
        module: it has its own tensors again afterwards. One that replaces a tensor with several
            names replaces all of them.
        parameter_and_buffer_dicts: {name: tensor}, or a sequence of such; symbolic tensors too.
        args: its argument, or a tuple of them.
        kwargs: by name.
        strict: whether all parameters and buffers must be given.

    Returns:
        What the module returns.

    Raises:
        ArgumentError: a name that the module does not have, or one that is missing.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.Linear(2, 1)
        >>> weights = {"weight": gc.ones(1, 2), "bias": gc.zeros(1)}
        >>> gc.func.functional_call(layer, weights, gc.tensor([[1.0, 2.0]]))
        tensor([[3.]])
    """
    given: dict[str, Any] = {}
    several = isinstance(parameter_and_buffer_dicts, Sequence)
    for each in parameter_and_buffer_dicts if several else (parameter_and_buffer_dicts,):
        given |= each
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    _check_names(module, own, given, strict)
    args = () if args is None else args if isinstance(args, tuple) else (args,)

    def called(given: Any, args: Any, kwargs: Any) -> Any:
        with _replaced(module, {id(own[name]): tensor for name, tensor in given.items()}):
            return module(*args, **kwargs)

    arguments = (given, args, dict(kwargs or {}))
    if kinds_of(arguments) & NODES:
        return build("functional_call", called, arguments, {}, module._graph_state())
    return called(*arguments)


def _check_names(module: Module, own: Any, given: Any, strict: bool) -> None:
    for name, tensor in given.items():
        if name not in own:
            raise ArgumentError(
                f"functional_call: {type(module).__name__} has no {name!r}",
                [f"it has {', '.join(own):.200}"],
                where=caller(),
            )
        if not isinstance(tensor, Operators) or tuple(tensor.shape) != tuple(own[name].shape):
            raise ArgumentError(
                f"functional_call: {name!r} is of shape {tuple(own[name].shape)}",
                [f"given is {tensor!r:.100}"],
                where=caller(),
            )
    missing = [name for name in own if name not in given]
    if strict and missing:
        raise ArgumentError(
            f"functional_call: strict=True, and {missing[0]!r} is not given", where=caller()
        )


@contextmanager
def _replaced(module: Module, new: Mapping[int, Any]) -> Iterator[None]:
    """Inside, a module has other tensors under the names of some."""
    before = [
        (held, name, tensor)
        for part in module.modules()
        for held in (part._parameters, part._buffers)
        for name, tensor in held.items()
        if id(tensor) in new
    ]
    try:
        for held, name, tensor in before:
            held[name] = new[id(tensor)]
        yield
    finally:
        for held, name, tensor in before:
            held[name] = tensor


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of modules of one kind, stacked: for `vmap` over them.

    Returns:
        (parameters, buffers), by name, each with the number of modules as its first size.

    Raises:
        ArgumentError: there is none, or they are of different classes.

    Example:
        >>> import graphc as gc
        >>> models = [gc.nn.Linear(2, 1) for _ in range(3)]
        >>> weights, _ = gc.func.stack_module_state(models)
        >>> weights["weight"].shape
        graphc.Size([3, 1, 2])
        >>> def value(weights, x):
        ...     return gc.func.functional_call(models[0], weights, x)
        >>> gc.vmap(value, in_dims=(0, None))(weights, gc.ones(4, 2)).shape
        graphc.Size([3, 4, 1])
    """
    if not models or any(type(m) is not type(models[0]) for m in models):
        raise ArgumentError(
            "stack_module_state: it takes modules of one class, one at least", where=caller()
        )
    found = []
    for named in ("named_parameters", "named_buffers"):
        each = [dict(getattr(m, named)()) for m in models]
        stacked = {
            name: EAGER["stack"]([tensors[name].detach() for tensors in each]) for name in each[0]
        }
        for name, tensor in stacked.items():
            if each[0][name].requires_grad:
                tensor.requires_grad_()
        found.append(stacked)
    return found[0], found[1]


__all__ = ["functional_call", "stack_module_state"]
