"""What a function can reach and change, in an order that depends on its structure alone.

From a function the walk goes to its closure, the globals that its code names, the object it is a
method of, its arguments, and what these hold: tensors, modules, optimizers, lists, dicts,
generators, objects and classes of the user's.

    for path, value in Reach({"": step, "argument 0": x}).items:
        ...

Not reached: attributes of C extensions and of the standard library's objects, open files.
"""

from __future__ import annotations

import enum
import functools
import inspect
import random
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from graphc.core.ir import all_nodes
from graphc.eager.engine.tape import AccumulateGrad
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.generator import Generator
from graphc.jit.lost import LOST
from graphc.jit.trace.sizes import TracedSize
from graphc.ops.source import Parameter

# Objects of these hold no tensors, or are not ours to change.
_FOREIGN = frozenset(sys.stdlib_module_names) | {"numpy", "numba", "llvmlite", "scipy"}
# Of ours, what a program is made of: no state but its parameters.
_STATELESS = ("graphc.core", "graphc.ops", "graphc.passes", "graphc.runtime")
ATOMS = (
    str, bytes, int, float, complex, bool, type(None), np.generic, enum.Enum, CodeType, TracedSize,
)  # fmt: skip
CONTAINERS = (list, dict, set, deque, bytearray)
# Parts of a module that its users do not name.
_TABLES = ("_parameters", "_buffers", "_modules")
_MOST = 200_000
EMPTY = object()

Part = tuple[str, Any]


class Reach:
    """The objects that can be reached, each once.

    Args:
        roots: by their paths.

    Attributes:
        items: (path, object), what holds others before these.
        numbers: the place of each object, by its identity.
    """

    def __init__(self, roots: Mapping[str, Any]) -> None:
        self.items: list[Part] = []
        self.numbers: dict[int, int] = {}
        self._own: list[Part] = []  # what holds no state that a user sees
        self._walk([*roots.items()])
        self.seen = len(self.items)
        while self._own:
            self._walk([self._own.pop()])

    def _walk(self, roots: list[Part]) -> None:
        waiting = roots[::-1]
        while waiting and len(self.items) < _MOST:
            path, value = waiting.pop()
            if isinstance(value, ATOMS) or id(value) in self.numbers:
                continue
            self.numbers[id(value)] = len(self.items)
            self.items.append((path, value))
            found = list(parts(path, value))
            waiting += [part for part in reversed(found) if not _is_own(part[0])]
            self._own += [part for part in found if _is_own(part[0])]


def _is_own(path: str) -> bool:
    return path.startswith("\0")


def parts(path: str, value: Any) -> Iterator[Part]:
    """What one object holds; a path of what users do not see begins with a zero character."""
    if isinstance(value, Tensor):
        yield from _of_tensor(path, value)
    elif isinstance(value, FunctionType):
        yield from _of_function(path, value)
    elif isinstance(value, MethodType):
        yield path, value.__self__
        yield path, value.__func__
    elif isinstance(value, functools.partial):
        yield from ((path, part) for part in (value.func, value.args, value.keywords))
    elif isinstance(value, functools._lru_cache_wrapper):
        yield path, value.__wrapped__
    elif isinstance(value, CellType):
        yield path, content(value)
    elif isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            shown = repr(key) if isinstance(key, ATOMS) else number
            yield f"{path}[{shown}]", item
        yield from ((f"{path} key {k}", key) for k, key in enumerate(value))
    elif isinstance(value, list | tuple | deque):
        names = getattr(value, "_fields", None)
        yield from (
            (f"{path}.{names[k]}" if names else f"{path}[{k}]", item)
            for k, item in enumerate(value)
        )
    elif isinstance(value, set | frozenset):
        # Their order depends on what was in them before.
        known = sorted(value, key=lambda v: repr(v) if isinstance(v, ATOMS) else "")
        yield from ((f"{path} item", item) for item in known)
    elif isinstance(value, type):
        yield from _of_class(path, value)
    elif not isinstance(value, (Generator, Parameter, np.ndarray, ModuleType, *ATOMS)):
        yield from _of_object(path, value)


def _of_tensor(path: str, tensor: Tensor) -> Iterator[Part]:
    if tensor._grad is not None and tensor._grad is not LOST:
        yield f"{path}.grad", tensor._grad
    if tensor._edge is not None and tensor._edge[0].__class__ is AccumulateGrad:
        yield f"\0{path} hooks", tensor._edge[0].post_hooks
    for name, item in vars(tensor).items():
        if not hasattr(Tensor, name) and name != "_array":
            yield f"{path}.{name}", item


def _of_function(path: str, function: FunctionType) -> Iterator[Part]:
    if _is_ours(function.__module__):
        return
    found: list[Part] = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        found.append((name, cell))
    names = names_of(function.__code__)
    for name in names:
        value = function.__globals__.get(name, EMPTY)
        found.append((name, value))
        if isinstance(value, ModuleType) and is_theirs(value.__name__):
            found += [(f"{name}.{n}", vars(value)[n]) for n in names if n in vars(value)]
    # Modules first: what they hold is better known by its name there than in an optimizer.
    yield from sorted(found, key=lambda item: not _is_module(_plain(item[1])))
    yield f"{path} default", function.__defaults__
    yield f"{path} default", function.__kwdefaults__
    yield from ((f"{path}.{name}", item) for name, item in vars(function).items())


def _is_module(value: object) -> bool:
    """Whether an object has a module's tables; asked without running its code."""
    return inspect.getattr_static(value, "_parameters", EMPTY) is not EMPTY


def _plain(value: Any) -> Any:
    return content(value) if isinstance(value, CellType) else value


def _of_class(path: str, kind: type) -> Iterator[Part]:
    for parent in kind.__mro__:
        if is_theirs(parent.__module__):
            yield from ((f"{parent.__name__}.{n}", v) for n, v in class_values(parent).items())
            yield from ((path, f) for f in _functions(parent))


def _functions(kind: type) -> Iterator[Any]:
    for value in vars(kind).values():
        if isinstance(value, FunctionType):
            yield value
        elif isinstance(value, staticmethod | classmethod):
            yield value.__func__
        elif isinstance(value, functools.cached_property | functools.partialmethod):
            yield value.func
        elif isinstance(value, property):
            yield from (f for f in (value.fget, value.fset, value.fdel) if f is not None)


def class_values(kind: type) -> dict[str, Any]:
    """What a class holds that is no part of its definition."""
    return {
        name: value for name, value in vars(kind).items()
        if not name.startswith("__") and not hasattr(type(value), "__get__")
    }  # fmt: skip


def _of_object(path: str, value: Any) -> Iterator[Part]:
    kind = type(value)
    root = kind.__module__
    if root.startswith("graphc.jit"):
        yield path, getattr(value, "__dict__", {}).get("_function")
        return
    if root.startswith("graphc.program") and hasattr(value, "graph"):
        yield from ((path, n) for n in all_nodes(value.graph) if isinstance(n, Parameter))
        return
    if root.split(".")[0] in _FOREIGN or root.startswith(_STATELESS):
        return
    yield f"{path} class", kind
    yield from ((f"{path}.{name}", item) for name, item in slots(value).items())
    if not hasattr(value, "__dict__"):
        return
    own = vars(value)
    is_ours = _is_ours(root)
    for name, item in own.items():
        if name in _TABLES and isinstance(item, dict):
            yield f"\0{name}", item
            yield from ((f"{path}.{key}" if path else str(key), v) for key, v in item.items())
        elif is_ours and name.startswith("_"):
            yield f"\0{path}.{name}", item
        else:
            yield f"{path}.{name}" if path else name, item


def slots(value: Any) -> dict[str, Any]:
    """What stands in an object's slots."""
    found = {}
    for kind in type(value).__mro__:
        names = kind.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def random_states(value: Any) -> Any:
    """The state of a generator of random numbers; None of anything else."""
    if isinstance(value, Generator):
        return value.parameter.state.array.copy()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    return value.getstate() if type(value) is random.Random else None


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] == "graphc"


def is_theirs(module: str | None) -> bool:
    """Whether a module is the user's, an installed package included."""
    root = (module or "").split(".")[0]
    return root not in _FOREIGN and root not in ("graphc", "builtins")


def content(cell: CellType) -> Any:
    """What a closure's variable holds; `EMPTY` where nothing."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def names_of(code: CodeType) -> list[str]:
    """The global names in a function's code, and in those written inside it."""
    found = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += names_of(constant)
    return list(dict.fromkeys(found))


__all__ = [
    "ATOMS", "CONTAINERS", "EMPTY", "Part", "Reach", "class_values", "content", "is_theirs",
    "names_of", "parts", "random_states", "slots",
]  # fmt: skip
