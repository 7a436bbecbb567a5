"""What a function can reach and change, kept so that several runs start from the same state.

From a function the walk goes to its closure, the globals that its code names, the object it is a
method of, its arguments, and what these hold: tensors, modules, optimizers, lists, dicts,
generators. `restore` puts back the memory of tensors and the contents of containers.

Not reached: attributes of C extensions and of the standard library's objects, open files.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.random import Generator, default_generator
from graphc.jit.compiled import Compiled
from graphc.ops.source import Parameter

# Objects of these hold no tensors, or are not ours to change.
_FOREIGN = frozenset(sys.stdlib_module_names) | {"numpy", "numba", "llvmlite", "scipy"}
_ATOMS = (str, bytes, int, float, complex, bool, type(None), ModuleType, CodeType)
# Parts of a module that its users do not name.
_TABLES = ("_parameters", "_buffers", "_modules")
_MOST = 200_000
_EMPTY = object()


class Kept:
    """The state that a function and its arguments reach, as it is now.

    Attributes:
        tensors: by the path that leads to them, such as "model.fc1.weight".
    """

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._memory: list[tuple[Tensor, np.ndarray, np.ndarray, Any, Any]] = []
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._cells: list[tuple[CellType, Any]] = []
        self._globals: list[tuple[dict[str, Any], str, Any]] = []
        self._generators: list[tuple[Any, Any]] = []
        self._seen: dict[int, Any] = {}
        self._numpy = np.random.get_state()
        self._python = random.getstate()
        self._walk(("", function), ("generator", default_generator),
                   *((f"argument {k}", a) for k, a in enumerate(arguments)))  # fmt: skip

    def _walk(self, *roots: tuple[str, Any]) -> None:
        waiting = list(reversed(roots))
        while waiting and len(self._seen) < _MOST:
            path, value = waiting.pop()
            if isinstance(value, _ATOMS) or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            waiting += reversed(list(self._visit(path, value)))

    def _visit(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Keep one object; gives what it holds."""
        if isinstance(value, Tensor):
            yield from self._tensor(path, value)
        elif isinstance(value, Generator):
            self._generators.append((value, value.get_state()))
        elif isinstance(value, Parameter):
            self._arrays.append((value.state.array, value.state.array.copy()))
        elif isinstance(value, np.ndarray):
            if value.dtype != object and value.flags.writeable:
                self._arrays.append((value, value.copy()))
        elif isinstance(value, np.random.Generator):
            self._generators.append((value, value.bit_generator.state))
        elif isinstance(value, FunctionType):
            yield from self._function(path, value)
        elif isinstance(value, MethodType):
            yield path, value.__self__
            yield path, value.__func__
        elif isinstance(value, functools.partial):
            yield from ((path, part) for part in (value.func, value.args, value.keywords))
        elif isinstance(value, Compiled):
            yield path, value._function
        elif isinstance(value, dict):
            self._containers.append((value, dict(value)))
            for number, (key, item) in enumerate(value.items()):
                yield f"{path}[{number if isinstance(key, Tensor) else repr(key)}]", item
        elif isinstance(value, list | tuple | set | frozenset):
            if not isinstance(value, tuple | frozenset):
                self._containers.append((value, value.copy()))
            yield from ((f"{path}[{k}]", item) for k, item in enumerate(value))
        else:
            yield from self._object(path, value)

    def _tensor(self, path: str, tensor: Tensor) -> Iterator[tuple[str, Any]]:
        array = vars(tensor).get("_array")
        if array is None or tensor._node is not None:
            return
        self.tensors[path] = tensor
        self._memory.append((tensor, array, array.copy(), tensor._grad, tensor._edge))
        if tensor._grad is not None:
            yield f"{path}.grad", tensor._grad

    def _function(self, path: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
        if _is_ours(function.__module__):
            return
        found: list[tuple[str, Any]] = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            content = _content(cell)
            self._cells.append((cell, content))
            found.append((name, content))
        for name in _names(function.__code__):
            if name in function.__globals__:
                value = function.__globals__[name]
                self._globals.append((function.__globals__, name, value))
                found.append((name, value))
        # Modules first: what they hold is better known by its name there than in an optimizer.
        yield from sorted(found, key=lambda item: not hasattr(item[1], "_parameters"))
        yield f"{path} default", function.__defaults__
        yield f"{path} default", function.__kwdefaults__

    def _object(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        kind = value if isinstance(value, type) else type(value)
        if kind.__module__.split(".")[0] in _FOREIGN:
            return
        if isinstance(value, type) or not _is_ours(kind.__module__):
            for parent in kind.__mro__:
                if not _is_ours(parent.__module__) and parent.__module__ != "builtins":
                    yield from ((path, f) for f in vars(parent).values()
                                if isinstance(f, FunctionType))  # fmt: skip
        if isinstance(value, type) or not hasattr(value, "__dict__"):
            return
        own = vars(value)
        self._containers.append((own, dict(own)))
        for name, item in own.items():
            if name in _TABLES and isinstance(item, dict):
                self._seen[id(item)] = item
                self._containers.append((item, dict(item)))
                yield from ((f"{path}.{key}" if path else str(key), v) for key, v in item.items())
            else:
                yield f"{path}.{name}" if path else name, item

    def restore(self) -> None:
        """Put everything back: memory of tensors, containers, closures, generators."""
        for container, content in self._containers:
            if isinstance(container, list):
                if len(container) != len(content) or any(
                    a is not b for a, b in zip(container, content)
                ):
                    container[:] = content
            elif not _same(container, content):
                container.clear()
                container.update(content)
        for cell, content in self._cells:
            if content is not _EMPTY and _content(cell) is not content:
                cell.cell_contents = content
        for scope, name, value in self._globals:
            scope[name] = value
        for array, copy in self._arrays:
            array[...] = copy
        for tensor, array, copy, grad, edge in self._memory:
            tensor._array, tensor._grad, tensor._edge = array, grad, edge
            if array.flags.writeable:
                np.copyto(array, copy)
        for generator, state in self._generators:
            if isinstance(generator, Generator):
                generator.set_state(state)
            else:
                generator.bit_generator.state = state
        np.random.set_state(self._numpy)
        random.setstate(self._python)

    def values(self) -> dict[str, np.ndarray]:
        """The kept values of tensors by path, without gradients."""
        by_identity = {id(t): copy for t, _, copy, _, _ in self._memory}
        return {
            path: by_identity[id(t)] for path, t in self.tensors.items()
            if not path.endswith(".grad") and not path.startswith("argument")
        }  # fmt: skip


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] == "graphc"


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _names(code: CodeType) -> list[str]:
    """The global names in a function's code, and in those written inside it."""
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _names(constant)
    return list(dict.fromkeys(found))


def _same(container: Any, content: Any) -> bool:
    """Whether a set or dict still has the very objects that it had."""
    if len(container) != len(content) or any(a is not b for a, b in zip(container, content)):
        return False
    if isinstance(container, set):
        return True
    return all(a is b for a, b in zip(container.values(), content.values()))


__all__ = ["Kept"]
