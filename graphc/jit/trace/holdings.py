"""What modules and optimizers hold, and whether they still do.

A `ModuleReading` is looked at only after something was registered, replaced or switched anywhere;
an `OptimizerReading` at every call, because its groups are plain dicts.
"""

from __future__ import annotations

import weakref
from operator import is_
from typing import Any

from graphc.core.ir import Origin
from graphc.eager.engine.changes import CountedDict, CountedStates
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.readings import MISSING, Reading, fingerprint


def flags_of(tensor: Tensor) -> tuple[bool, int]:
    """Whether a tensor requires a gradient, and how many hooks it has."""
    edge = tensor._edge
    if edge is None:
        return (False, 0)
    fn = edge[0]
    hooks = 0
    for name in ("hooks", "pre_hooks", "post_hooks"):
        found = getattr(fn, name, None)
        if found:
            hooks += len(found)
    return (True, hooks)


def changeable(value: object, depth: int = 4) -> bool:
    """Whether something in a value may change while it stays the same object: then another one
    of the same contents is no substitute without a look at every call."""
    if isinstance(value, tuple):
        return depth == 0 or any(changeable(v, depth - 1) for v in value)
    return isinstance(value, list | dict | set)


# What modules keep apart from their attributes.
_TABLES = (
    "_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks",
    "_backward_pre_hooks", "_backward_hooks",
)  # fmt: skip
STRUCTURE = {
    *_TABLES, "_hooked", "_non_persistent_buffers_set", "_state_dict_pre_hooks",
    "_state_dict_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
}  # fmt: skip
_LAYERS = (
    "graphc.nn.layers", "graphc.nn.module.containers", "graphc.nn.module.parameter_containers",
)  # fmt: skip


def is_layer(module: object) -> bool:
    """Whether a module's class is, or derives from, one of graphc's own layers."""
    class_ = type(module)
    found = _KNOWN.get(class_)
    if found is None:
        found = any(c.__module__.startswith(_LAYERS) for c in class_.__mro__)
        _KNOWN[class_] = found
    return found


_KNOWN: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


class _Table:
    """The names and values of one of a module's tables."""

    __slots__ = ("flags", "names", "tensors", "values")

    def __init__(self, table: dict[Any, Any]) -> None:
        self.names = list(table)
        self.values = list(table.values())
        self.tensors = [v for v in self.values if isinstance(v, Tensor)]
        self.flags = [flags_of(t) for t in self.tensors]

    def holds(self, table: Any) -> bool:
        if not self.names:
            return not table
        return (
            len(table) == len(self.names)
            and all(map(is_, table.values(), self.values))
            and list(table) == self.names
            and [flags_of(t) for t in self.tensors] == self.flags
        )


class ModuleReading(Reading):
    """What a module holds: its tables, its mode, and a layer's settings.

    Args:
        module: the module.
        origin: the line that called it.
    """

    __slots__ = ("_class", "_kept", "_module", "_now", "_settings", "_tables")

    def __init__(self, module: Any, origin: Origin) -> None:
        self._module, self._class = module, type(module)
        fields = vars(module)
        self._tables = {n: _Table(fields[n]) for n in _TABLES if n in fields}
        self._kept = _settings(module)
        self._settings = {name: fingerprint(value) for name, value in self._kept.items()}
        self.what = type(module).__name__
        self.origin = origin
        self.place = None
        self.definition = self.fixed = False
        self.value = self.seen = None
        self.find = lambda: module
        self.owned = all(type(fields.get(n)) is CountedDict for n in _TABLES)
        shown = {k: v for k, v in self._kept.items() if isinstance(v, bool | int | float | str)}
        self._now = ", ".join(f"{k} {v!r}" for k, v in shown.items())

    def holds(self) -> bool:
        if type(self._module) is not self._class:
            return self._changed(f"the class of a {self._class.__name__}", "what it was")
        fields, name = vars(self._module), type(self._module).__name__
        for table, before in self._tables.items():
            if not before.holds(fields.get(table)):
                return self._changed(f"{table.strip('_')} of {name}", "what it was")
        now = _settings(self._module)
        if (
            len(now) == len(self._kept)
            and all(map(is_, now.values(), self._kept.values()))
            and all(type(v) is not list and type(v) is not dict for v in now.values())
        ):
            return list(now) == list(self._kept) or self._changed(name, "what it was")
        for key in {**now, **self._kept}:
            if key not in now or key not in self._kept:
                return self._changed(f"{name}.{key}", "what it was")
            replaced = now[key] is not self._kept[key] and changeable(now[key])
            if replaced or fingerprint(now[key]) != self._settings[key]:
                return self._changed(f"{name}.{key}", repr(self._kept[key])[:60])
        return True

    def _changed(self, what: str, before: str) -> bool:
        self.what, self._now = what, before
        return False

    def __str__(self) -> str:
        return f"{self.what} = {self._now}"


def _settings(module: object) -> dict[str, Any]:
    """A layer's attributes; of other modules what our code finds: the mode, and what hides
    something of the class."""
    layer, class_, fields = is_layer(module), type(module), vars(module)
    if layer:
        return {name: value for name, value in fields.items() if name not in STRUCTURE}
    return {
        name: value for name, value in fields.items()
        if name == "training" or (name not in STRUCTURE and hasattr(class_, name))
    }  # fmt: skip


class OptimizerReading(Reading):
    """What an optimizer holds: its groups with their settings.

    Numbers that the program reads anew at every call may change, as long as they stay numbers,
    and zero or not.

    Args:
        optimizer: the optimizer, after the run.
        live: (group, key) of numbers that are read anew.
        origin: the line that called it.
    """

    __slots__ = ("_groups", "_live", "_now", "_optimizer")

    def __init__(self, optimizer: Any, live: set[tuple[int, str]], origin: Origin) -> None:
        self._optimizer = optimizer
        self._live = live
        self._now = "what it was"
        self.what = type(optimizer).__name__
        self.origin = origin
        self.place = None
        self.definition = self.fixed = self.owned = False
        self.value = self.seen = None
        self.find = lambda: optimizer
        self._groups = [
            [g, g["params"], list(g["params"]), list(g), list(g.values()), self._settings(g)]
            for g in optimizer.param_groups
        ]

    def _settings(self, group: Any) -> dict[str, Any]:
        """A group's settings; its live numbers by whether they are zero."""
        return {
            key: _number(value) if (id(group), key) in self._live else fingerprint(value)
            for key, value in group.items()
            if key != "params"
        }

    def holds(self) -> bool:
        groups = self._optimizer.param_groups
        if len(groups) != len(self._groups):
            return self._changed("the groups")
        for group, known in zip(groups, self._groups):
            before, listed, params, _, values, settings = known
            if group is not before or group.get("params") is not listed:
                return self._changed("the groups")
            if len(listed) != len(params) or not all(map(is_, listed, params)):
                return self._changed("the parameters")
            if len(group) == len(values) and all(map(is_, group.values(), values)):
                continue
            now = self._settings(group)
            for key in {**now, **settings}:
                if now.get(key, MISSING) != settings.get(key, MISSING):
                    return self._changed(key)
            known[4] = list(group.values())
        return True

    def _changed(self, what: str) -> bool:
        self.what = f"{what} of {type(self._optimizer).__name__}"
        return False

    def __str__(self) -> str:
        return f"{self.what} = {self._now}"


class StateReading(Reading):
    """The state and the hooks of an optimizer, whose changes are counted.

    Args:
        optimizer: the optimizer, after the run.
        origin: the line that called it.
    """

    __slots__ = ("_entries", "_hooks", "_keys", "_optimizer")

    def __init__(self, optimizer: Any, origin: Origin) -> None:
        self._optimizer = optimizer
        self._keys = list(optimizer.state)
        self._entries = [(e, list(e), list(e.values())) for e in optimizer.state.values()]
        self._hooks = [dict(h) for h in _step_hooks(optimizer)]
        self.what = f"the state of {type(optimizer).__name__}"
        self.origin = origin
        self.place = None
        self.definition = self.fixed = False
        self.value = self.seen = None
        self.find = lambda: optimizer
        self.owned = type(optimizer.state) is CountedStates and all(
            type(e) is CountedDict for e in optimizer.state.values()
        )

    def holds(self) -> bool:
        state = self._optimizer.state
        if len(state) != len(self._keys) or not all(map(is_, state, self._keys)):
            return False
        for entries, (before, names, values) in zip(state.values(), self._entries):
            if entries is not before or len(entries) != len(values):
                return False
            if not all(map(is_, entries.values(), values)) or list(entries) != names:
                return False
        for hooks, kept in zip(_step_hooks(self._optimizer), self._hooks):
            if list(hooks) != list(kept) or not all(map(is_, hooks.values(), kept.values())):
                return False
        return True

    def __str__(self) -> str:
        return f"{self.what} = what it was"


def _step_hooks(optimizer: Any) -> list[dict[Any, Any]]:
    return [vars(optimizer).get(f"_step_{kind}_hooks") or {} for kind in ("pre", "post")]


def _number(value: object) -> Any:
    """What of a live number a program depends on."""
    if isinstance(value, tuple | list):
        return (type(value).__name__, *map(_number, value))
    if type(value) in (int, float):
        return ("number", value == 0)
    return fingerprint(value)


__all__ = [
    "STRUCTURE", "ModuleReading", "OptimizerReading", "StateReading", "changeable", "flags_of",
    "is_layer",
]  # fmt: skip
