"""The state that a function reaches, kept so that several runs start from the same.

`restore` puts back the memory of tensors, the contents of containers, attributes of objects and
classes, closures, globals, and the states of random number generators.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import CellType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import numpy as np

from graphc.eager.engine.changes import changes
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.generator import Generator, default_generator
from graphc.jit.reach import (
    CONTAINERS,
    EMPTY,
    Reach,
    class_values,
    content,
    is_theirs,
    names_of,
    random_states,
    slots,
)
from graphc.ops.source import Parameter


class Snapshot:
    """The state that a function and its arguments reach, as it is now.

    Args:
        function: whose state it is.
        arguments: of the call, and other objects, by path.

    Attributes:
        reach: the objects.
        tensors: by the path that leads to them, such as "model.fc1.weight".
    """

    def __init__(self, function: Any, arguments: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._memory: list[tuple[Tensor, dict[str, Any], np.ndarray, int]] = []
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._cells: list[tuple[CellType, Any]] = []
        self._spaces: list[tuple[dict[str, Any], str, Any]] = []
        self._classes: list[tuple[type, dict[str, Any]]] = []
        self._slots: list[tuple[Any, dict[str, Any]]] = []
        self._generators: list[tuple[Any, Any]] = []
        self._numpy = np.random.get_state()
        self._python = random.getstate()
        self.reach = Reach({"": function, "generator": default_generator, **arguments})
        for path, value in self.reach.items:
            self._visit(path, value)

    def _visit(self, path: str, value: Any) -> None:
        """Keep one object."""
        if isinstance(value, Tensor):
            self._tensor(path, value)
        elif isinstance(value, Parameter):
            self._arrays.append((value.state.array, value.state.array.copy()))
        elif isinstance(value, np.ndarray):
            if value.dtype != object and value.flags.writeable:
                self._arrays.append((value, value.copy()))
        elif isinstance(value, CellType):
            self._cells.append((value, content(value)))
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, CONTAINERS):
            held = dict(value) if isinstance(value, dict) else value.copy()
            self._containers.append((value, held))
        elif isinstance(value, type):
            self._classes.append((value, class_values(value)))
        elif (states := random_states(value)) is not None:
            self._generators.append((value, states))
        elif not isinstance(value, ModuleType):
            self._object(value)

    def _tensor(self, path: str, tensor: Tensor) -> None:
        own = vars(tensor)
        if own.get("_array") is None or tensor._node is not None:
            return
        self.tensors[path] = tensor
        version = tensor._version.count if tensor._version is not None else 0
        self._memory.append((tensor, dict(own), own["_array"].copy(), version))

    def _function(self, function: FunctionType) -> None:
        if not is_theirs(function.__module__):
            return
        names = names_of(function.__code__)
        for name in names:
            value = function.__globals__.get(name, EMPTY)
            self._spaces.append((function.__globals__, name, value))
            if isinstance(value, ModuleType) and is_theirs(value.__name__):
                space = vars(value)
                self._spaces += [(space, n, space[n]) for n in names if n in space]

    def _object(self, value: Any) -> None:
        if type(value).__module__.startswith("graphc.jit"):
            return
        if found := slots(value):
            self._slots.append((value, found))
        if hasattr(value, "__dict__"):
            self._containers.append((vars(value), dict(vars(value))))

    def restore(self) -> None:
        """Put everything back."""
        for container, held in self._containers:
            if not _same(container, held):
                _refill(container, held)
        for cell, value in self._cells:
            if value is not EMPTY and content(cell) is not value:
                cell.cell_contents = value
        for space, name, value in self._spaces:
            if value is not EMPTY:
                space[name] = value
            elif name in space:
                del space[name]
        for kind, values in self._classes:
            _set_again(kind, values, class_values(kind), type.__setattr__, type.__delattr__)
        for each, values in self._slots:
            _set_again(each, values, slots(each), object.__setattr__, object.__delattr__)
        for array, copy in self._arrays:
            array[...] = copy
        for tensor, own, copy, version in self._memory:
            _refill(vars(tensor), own)
            if tensor._version is not None:
                tensor._version.count = version
            if tensor._array.flags.writeable:
                np.copyto(tensor._array, copy)
        for generator, states in self._generators:
            _set_state(generator, states)
        np.random.set_state(self._numpy)
        random.setstate(self._python)
        changes.count += 1  # what was put back is structure too

    def values(self) -> dict[str, np.ndarray]:
        """The kept values of tensors by path, without gradients."""
        by_identity = {id(t): copy for t, _, copy, _ in self._memory}
        return {
            path: by_identity[id(t)] for path, t in self.tensors.items()
            if not path.endswith(".grad") and not path.startswith("argument")
        }  # fmt: skip


def _same(container: Any, held: Any) -> bool:
    """Whether a container still has the very objects that it had."""
    if len(container) != len(held) or any(a is not b for a, b in zip(container, held)):
        return False
    if not isinstance(container, dict):
        return True
    return all(a is b for a, b in zip(container.values(), held.values()))


def _refill(container: Any, held: Any) -> None:
    container.clear()
    if isinstance(container, dict | set):
        container.update(held)
    else:
        container.extend(held)


def _set_again(
    owner: Any, held: dict[str, Any], now: dict[str, Any], put: Any, remove: Any
) -> None:
    for name in now.keys() - held.keys():
        remove(owner, name)
    for name, value in held.items():
        if now.get(name, EMPTY) is not value:
            put(owner, name, value)


def _set_state(generator: Any, states: Any) -> None:
    if isinstance(generator, Generator):
        np.copyto(generator.parameter.state.array, states)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = states
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(states)
    else:
        generator.setstate(states)


__all__ = ["Snapshot"]
