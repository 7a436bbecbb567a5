"""Modules that hold modules: `Sequential`, `ModuleList`, `ModuleDict`.

model = nn.Sequential(nn.Linear(784, 10), nn.ReLU())
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.changes import CountedDict
from graphc.errors import ArgumentError, AttributeValueError, IndexRangeError
from graphc.nn.module.errors import ModuleKeyError
from graphc.nn.module.module import Module, indented


class _Listed(Module):
    """A list of modules, whose names are their places."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _key(self, index: Any) -> str:
        """The name of the module at a place."""
        place, size = operator.index(index), len(self)
        if not -size <= place < size:
            raise IndexRangeError(
                f"{self._get_name()}: there is no module {place} among {size}", where=caller()
            )
        return list(self._modules)[place]

    def __setitem__(self, index: int, module: Any) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: Any) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            del self._modules[key]
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules: Iterable[Any]) -> None:
        self._modules = CountedDict((str(place), m) for place, m in enumerate(modules))

    def append(self, module: Any) -> Any:
        """Add a module at the end; returns the container.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> len(nn.ModuleList([nn.ReLU()]).append(nn.Tanh()))
            2
        """
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Any]) -> Any:
        """Add modules at the end; returns the container.

        Raises:
            ArgumentError: modules is not iterable.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> len(nn.ModuleList([nn.ReLU()]).extend([nn.Tanh(), nn.Identity()]))
            3
        """
        if not isinstance(modules, Iterable):
            raise ArgumentError(
                f"{self._get_name()}: {type(modules).__name__} is not a list of modules",
                where=caller(),
                hint="use append for one module",
            )
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: Any) -> Any:
        """Take out the module at a place, or those of a slice, and return it.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.ModuleList([nn.ReLU(), nn.Tanh()]).pop(0)
            ReLU()
        """
        found = self[index]  # type: ignore[index]
        del self[index]
        return found

    def _inserted(self, index: int, module: Any) -> None:
        if not isinstance(module, Module):
            raise ArgumentError(
                f"{self._get_name()}: a {type(module).__name__} is not a module", where=caller()
            )
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._renumber(modules)


class Sequential(_Listed):
    """Modules one after the other: each gets what the one before it returned.

    Args:
        args: the modules, or one OrderedDict of modules by name.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Sequential(gc.nn.Linear(2, 3), gc.nn.ReLU())
        Sequential(
          (0): Linear(in_features=2, out_features=3, bias=True)
          (1): ReLU()
        )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
            return
        if len(args) == 1 and isinstance(args[0], list | tuple):
            raise ArgumentError(
                f"Sequential: a {type(args[0]).__name__} is not a module",
                where=caller(),
                hint="write Sequential(*modules)",
            )
        for module in args:
            self.append(module)

    def forward(self, input: Any) -> Any:
        """Call the modules one after the other."""
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def insert(self, index: int, module: Any) -> Any:
        """Put a module at a place, before the one that is there; returns the container.

        Raises:
            IndexRangeError: the place is out of range.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layers = nn.Sequential(nn.ReLU(), nn.Tanh())
            >>> layers.insert(1, nn.Identity())
            Sequential(
              (0): ReLU()
              (1): Identity()
              (2): Tanh()
            )
        """
        if not -len(self) <= index <= len(self):
            raise IndexRangeError(
                f"Sequential: there is no place {index} among {len(self)}", where=caller()
            )
        self._inserted(index, module)
        return self

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Any:
        return self.extend(other) if isinstance(other, Sequential) else NotImplemented

    def __mul__(self, count: Any) -> Sequential:
        return Sequential(*(list(self) * _times(count)))

    __rmul__ = __mul__

    def __imul__(self, count: Any) -> Any:
        return self.extend(list(self) * (_times(count) - 1))


def _times(count: Any) -> int:
    if not isinstance(count, int) or count <= 0:
        raise AttributeValueError(
            f"Sequential: it can be repeated a positive number of times, not {count!r:.60}",
            where=caller(),
        )
    return count


class ModuleList(_Listed):
    """A list of modules that are registered, unlike those in a Python list.

    Args:
        modules: the modules.

    Example:
        >>> import graphc as gc
        >>> layers = gc.nn.ModuleList(gc.nn.Linear(2, 2) for _ in range(3))
        >>> layers
        ModuleList(
          (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
        )
    """

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self._modules.values())[index])
        return self._modules[self._key(index)]

    def insert(self, index: int, module: Any) -> None:
        """Put a module at a place, before the one that is there.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layers = nn.ModuleList([nn.ReLU(), nn.Tanh()])
            >>> layers.insert(1, nn.Identity())
            >>> [type(layer).__name__ for layer in layers]
            ['ReLU', 'Identity', 'Tanh']
        """
        self._inserted(index, module)

    def __iadd__(self, modules: Iterable[Any]) -> Any:
        return self.extend(modules)

    def __add__(self, other: Iterable[Any]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __repr__(self) -> str:
        """Modules of equal text that follow each other are one line."""
        if not len(self):
            return f"{self._get_name()}()"
        runs: list[tuple[int, int, str]] = []
        for place, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], place, text)
            else:
                runs.append((place, place, text))
        lines = []
        for first, last, text in runs:
            places = f"({first}): " if first == last else f"({first}-{last}): {last - first + 1} x "
            lines.append(places + indented(text))
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules that are registered, unlike those in a Python dict.

    Args:
        modules: a mapping, or pairs (name, module).

    Example:
        >>> import graphc as gc
        >>> acts = gc.nn.ModuleDict({"relu": gc.nn.ReLU(), "tanh": gc.nn.Tanh()})
        >>> acts["tanh"]
        Tanh()
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            raise missing_key(self, key, self._modules)
        return self._modules[key]

    def __setitem__(self, key: str, module: Any) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self._modules:
            raise missing_key(self, key, self._modules)
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take out all modules.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layers = nn.ModuleDict({"act": nn.ReLU()})
            >>> layers.clear()
            >>> len(layers)
            0
        """
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take out a module and return it.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layers = nn.ModuleDict({"act": nn.ReLU()})
            >>> layers.pop("act"), len(layers)
            (ReLU(), 0)
        """
        found = self[key]
        del self[key]
        return found

    def keys(self) -> KeysView[str]:
        """The names.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> list(nn.ModuleDict({"act": nn.ReLU()}).keys())
            ['act']
        """
        return self._modules.keys()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and module.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> list(nn.ModuleDict({"act": nn.ReLU()}).items())
            [('act', ReLU())]
        """
        return self._modules.items()

    def values(self) -> ValuesView[Any]:
        """The modules.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> list(nn.ModuleDict({"act": nn.ReLU()}).values())
            [ReLU()]
        """
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add modules; those of names that are there take their place.

        Args:
            modules: a mapping, or pairs (name, module).

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layers = nn.ModuleDict({"act": nn.ReLU()})
            >>> layers.update({"act": nn.Tanh(), "out": nn.Identity()})
            >>> layers
            ModuleDict(
              (act): Tanh()
              (out): Identity()
            )
        """
        for key, module in pairs_of(self, modules):
            self[key] = module


def missing_key(container: Module, key: object, keys: Iterable[str]) -> ModuleKeyError:
    """The error for a name that a container does not hold."""
    return ModuleKeyError(
        f"{container._get_name()} has no {key!r:.60}",
        [f"it has {', '.join(map(repr, keys)) or 'none'}"],
        where=caller(),
    )


def pairs_of(container: Module, items: Any) -> list[tuple[str, Any]]:
    """The pairs of a mapping or of an iterable of pairs.

    Raises:
        ArgumentError: it is neither.
        AttributeValueError: an item has not two parts.
    """
    if isinstance(items, Mapping) or (isinstance(items, Module) and hasattr(items, "items")):
        return list(items.items())
    name = container._get_name()
    if not isinstance(items, Iterable):
        raise ArgumentError(
            f"{name}.update: {type(items).__name__} is neither a dict nor a list of pairs",
            where=caller(),
        )
    found = []
    for place, item in enumerate(items):
        if not isinstance(item, Iterable):
            raise ArgumentError(
                f"{name}.update: item {place} is a {type(item).__name__}, not a pair",
                where=caller(),
            )
        parts = tuple(item)
        if len(parts) != 2:
            raise AttributeValueError(
                f"{name}.update: item {place} has {len(parts)} parts, not a name and a value",
                where=caller(),
            )
        found.append(parts)
    return found


__all__ = ["ModuleDict", "ModuleList", "Sequential", "missing_key", "pairs_of"]
