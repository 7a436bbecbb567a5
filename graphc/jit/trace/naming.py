"""Names for the tensors that a trace meets: the paths by which modules and optimizers know them.

    conv1_weight, norm1_running_mean, conv1_weight_momentum_buffer

Modules and optimizers are looked for where the traced function finds them: itself, its closure,
the globals that it names, the attributes of the object that it is bound to.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.readings import Same


class Names:
    """Names of tensors by their memory.

    Args:
        function: what is traced.
    """

    def __init__(self, function: object) -> None:
        found = list(dict.fromkeys(Same(v) for v in _reached(function)))
        self._modules = [s.value for s in found if _is_a(s.value, "named_parameters")]
        self._optimizers = [s.value for s in found if "param_groups" in _fields(s.value)]
        self._known: dict[int, str] = {}

    def of(self, tensor: Tensor) -> str:
        """A tensor's name; "" where nothing that was found holds it."""
        return self.of_array(tensor._array)

    def of_array(self, array: np.ndarray) -> str:
        """The name of the tensor whose memory this is; "" where nothing that was found holds it."""
        key = id(array)
        if key not in self._known:
            # Looked for again: optimizers make their state at the first step.
            self._known = {id(t._array): name for name, t in self._listed() if _is_plain(t)}
        return self._known.get(key, "")

    def _listed(self) -> Iterator[tuple[str, Any]]:
        """Names with their tensors; a tensor's last name counts."""
        yield from self._of_modules("named_buffers")
        parameters = list(self._of_modules("named_parameters"))
        yield from parameters
        owners = {id(t): name for name, t in parameters}
        for optimizer in self._optimizers:
            for number, (parameter, entries) in enumerate(list(optimizer.state.items())):
                owner = owners.get(id(parameter), f"p{number}")
                for key, value in entries.items() if isinstance(entries, dict) else ():
                    yield f"{owner}_{key}", value

    def _of_modules(self, listing: str) -> Iterator[tuple[str, Any]]:
        for position, module in enumerate(self._modules):
            prefix = f"m{position + 1}_" if len(self._modules) > 1 else ""
            for name, tensor in getattr(module, listing)():
                yield prefix + name, tensor


def _is_a(value: object, method: str) -> bool:
    """Whether a value, and no class, has a method."""
    return callable(getattr(type(value), method, None))


def _fields(value: object) -> dict[str, Any]:
    """An object's own attributes, found without its `__getattr__`."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value._node is None


def _reached(function: Any) -> Iterator[Any]:
    """What a function's code can name: its closure, globals, bound object; itself."""
    while isinstance(function, functools.partial):
        yield from function.args
        function = function.func
    yield function
    owner = getattr(function, "__self__", None)
    if owner is not None:
        yield owner
        yield from getattr(owner, "__dict__", {}).values()
    plain = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType):
        return
    for cell in plain.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    named = plain.__globals__
    for name in _named(code):
        if name in named:
            yield named[name]


def _named(code: CodeType) -> Iterator[str]:
    """The names of globals and attributes that code uses, that of functions inside it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant)
