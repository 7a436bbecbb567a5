"""What a traced run consulted: each place that it read, and each reason why it is not proven.

A run is proven when all that it read is a function's argument, made by the run itself, or one of
the readings listed here; and each step in between is of a kind that depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

from graphc.core.ir import Origin
from graphc.eager.engine.changes import CountedDict, CountedStates
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.readings import MISSING, Reading, fingerprint

# Longer containers are not compared at every call.
MOST_ITEMS = 64
_MOST_REASONS = 8


class Unproven(NamedTuple):
    """Why a run may not be repeated without Python.

    Attributes:
        reason: what it did.
        origin: the user's line.
    """

    reason: str
    origin: Origin

    def __str__(self) -> str:
        return f"{self.reason}, at {self.origin}"


class Consulted:
    """Readings of a run, each noted once.

    Attributes:
        readings: what must hold for the run to repeat.
        unproven: why it may not be repeated; empty where it may.
    """

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.unproven: list[Unproven] = []
        self._seen: set[Any] = set()
        self._fresh: dict[int, Any] = {}
        self._given: dict[int, Any] = {}
        self._keep: list[Any] = []

    def refuse(self, reason: str, origin: Origin) -> None:
        """Note why the run is not proven."""
        entry = Unproven(reason, origin)
        if len(self.unproven) < _MOST_REASONS and entry not in self.unproven:
            self.unproven.append(entry)

    # --- what the run made itself

    def made(self, value: Any) -> None:
        """The run made an object: what it holds follows from the run."""
        self._fresh[id(value)] = value

    def is_made(self, value: Any) -> bool:
        """Whether the run made an object."""
        return id(value) in self._fresh

    def given(self, value: Any, depth: int = 6) -> None:
        """A container among the arguments: what it holds is compared with the call's structure."""
        if type(value) not in (list, dict, tuple) or not depth:
            return
        self._given[id(value)] = value
        for inner in value.values() if isinstance(value, dict) else value:
            self.given(inner, depth - 1)

    def forget(self) -> None:
        """Let go of all that no reading needs."""
        self._fresh.clear()
        self._given.clear()
        self._seen.clear()
        self._keep.clear()

    # --- places

    def _add(
        self, what: str, find: Callable[[], Any], origin: Origin, place: Any, owned: bool = False
    ) -> Any:
        value = find()
        definition = isinstance(value, FunctionType | type | ModuleType) or value is MISSING
        if isinstance(value, list | dict | set):
            owned = False  # what is in it may change without a count
        self.readings.append(Reading(what, find, value, origin, place, owned, definition))
        if isinstance(value, Tensor):
            self.flags(value, what, origin)
        return value

    def _first(self, *key: Any) -> bool:
        found = tuple(k if isinstance(k, str) else id(k) for k in key)
        if found in self._seen:
            return False
        self._seen.add(found)
        self._keep.append(key)  # so that no other object gets these identities
        return True

    def item(self, mapping: Any, key: str, what: str, origin: Origin) -> None:
        """A name in a namespace; absent names too."""
        if self._first("item", mapping, key):
            self._add(
                what, lambda: mapping.get(key, MISSING), origin, ("item", mapping, key)
            )

    def attribute(self, owner: Any, name: str, origin: Origin, owned: bool = False) -> None:
        """An object's own attribute, as it stands in its `__dict__`; absent ones too."""
        if self.is_made(owner) or not self._first("attribute", owner, name):
            return
        label = getattr(owner, "__name__", "") if isinstance(owner, ModuleType | FunctionType) else ""
        self._add(
            f"{label or type(owner).__name__}.{name}", lambda: owner.__dict__.get(name, MISSING),
            origin, ("attribute", owner, name), owned,
        )  # fmt: skip

    def slot(self, owner: Any, name: str, origin: Origin) -> None:
        """An attribute that is kept in a slot."""
        if not self.is_made(owner) and self._first("slot", owner, name):
            self._add(
                f"{type(owner).__name__}.{name}", lambda: getattr(owner, name, MISSING), origin,
                None,
            )  # fmt: skip

    def of_class(self, owner: type, name: str, origin: Origin) -> None:
        """What a class gives for a name; absent ones too."""
        if self.is_made(owner) or not self._first("class", owner, name):
            return
        what = f"{owner.__name__}.{name}"
        self._add(what, lambda: getattr(owner, name, MISSING), origin, ("class", owner, name))

    def cell(self, cell: CellType, name: str, origin: Origin) -> None:
        """What a closure's cell holds."""
        if self._first("cell", cell):
            self._add(f"closure {name}", lambda: contents(cell), origin, ("cell", cell, ""))

    def function(self, function: FunctionType, origin: Origin) -> None:
        """What a function does: its code and its defaults."""
        if self.is_made(function) or not self._first("function", function):
            return
        name = function.__name__
        self._add(
            f"the code of {name}", lambda: function.__code__, origin, ("code", function, "")
        )
        if function.__defaults__ is not None or function.__kwdefaults__ is not None:
            what = f"the defaults of {name}"
            self._add(
                what, lambda: (function.__defaults__, function.__kwdefaults__), origin, None
            )
            defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
            for value in defaults:
                if isinstance(value, Tensor):
                    self.flags(value, what, origin)

    def entry(self, container: Any, key: Any, what: str, origin: Origin) -> None:
        """One item of a container that the run did not make."""
        if self.is_made(container) or self._is_covered(container):
            return
        if not self._first("entry", container, repr(fingerprint(key))):
            return

        def find() -> Any:
            try:
                return container[key]
            except LookupError:
                return MISSING

        self._add(what, find, origin, None)

    def _is_covered(self, container: Any) -> bool:
        return id(container) in self._given or ("content", id(container)) in self._seen

    def content(self, container: Any, what: str, origin: Origin) -> None:
        """All items of a container that the run did not make, in their order."""
        if self.is_made(container) or self._is_covered(container):
            return
        if len(container) > MOST_ITEMS:
            self.refuse(
                f"{what} has {len(container)} items, more than the {MOST_ITEMS} that are compared "
                "at every call", origin,
            )  # fmt: skip
            return
        self._first("content", container)
        frozen = fingerprint(container, 1)
        reading = Reading(what, lambda: container, container, origin)
        reading.seen, reading.fixed = frozen, False
        reading.find = lambda: container
        self.readings.append(_Shallow(reading))
        for value in container.values() if isinstance(container, dict) else container:
            if isinstance(value, Tensor):
                self.flags(value, what, origin)

    def flags(self, tensor: Tensor, what: str, origin: Origin) -> None:
        """Whether a captured tensor requires a gradient, and whether it has hooks."""
        if tensor._node is not None or not self._first("flags", tensor):
            return
        owned = type(tensor) is not Tensor
        find = lambda: _flags(tensor)  # noqa: E731
        self.readings.append(
            Reading(f"requires_grad of {what}", find, find(), origin, None, owned)
        )

    # --- modules and optimizers

    def module(self, module: Any, origin: Origin) -> None:
        """What a module is made of, and the settings of one of graphc's own classes."""
        if self.is_made(module) or not self._first("module", module):
            return
        self.readings.append(ModuleReading(module, origin))
        for name, value in vars(module).items():
            if name not in _STRUCTURE and isinstance(value, list | dict | set) and is_layer(module):
                self.content(value, f"{type(module).__name__}.{name}", origin)

    def optimizer(self, optimizer: Any, origin: Origin) -> bool:
        """Note that an optimizer takes part; what it holds is noted when the run is over."""
        return self._first("optimizer", optimizer) and not self.is_made(optimizer)


class _Shallow(Reading):
    """The items of a container: scalars by value, everything else by identity."""

    __slots__ = ()

    def __init__(self, like: Reading) -> None:
        for name in Reading.__slots__:
            setattr(self, name, getattr(like, name))

    def holds(self) -> bool:
        value = self.value
        return len(value) <= MOST_ITEMS and fingerprint(value, 1) == self.seen


def contents(cell: CellType) -> Any:
    """What a cell holds; MISSING where it holds nothing."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _flags(tensor: Tensor) -> Any:
    edge = tensor._edge
    if edge is None:
        return (False, 0)
    hooks = sum(len(getattr(edge[0], n, None) or ()) for n in ("hooks", "pre_hooks", "post_hooks"))
    return (True, hooks)


# What modules keep apart from their attributes.
_TABLES = (
    "_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks",
    "_backward_pre_hooks", "_backward_hooks",
)  # fmt: skip
_STRUCTURE = {
    *_TABLES, "_hooked", "_non_persistent_buffers_set", "_state_dict_pre_hooks",
    "_state_dict_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
}  # fmt: skip


def is_layer(module: Any) -> bool:
    """Whether a module's class is, or derives from, one of graphc's own layers."""
    return any(c.__module__.startswith(("graphc.nn.layers", "graphc.nn.module.containers",
                                        "graphc.nn.module.parameter_containers"))
               for c in type(module).__mro__)  # fmt: skip


class ModuleReading(Reading):
    """What a module holds: its tables, its mode, and a layer's settings.

    Args:
        module: the module.
        origin: the line that called it.
    """

    __slots__ = ("_module", "_now", "_settings", "_tables")

    def __init__(self, module: Any, origin: Origin) -> None:
        self._module = module
        self._tables = {n: _table(vars(module).get(n)) for n in _TABLES}
        self._settings = _settings(module)
        self.what = type(module).__name__
        self.origin = origin
        self.place = None
        self.definition = False
        self.fixed = False
        self.value = self.seen = None
        self.find = lambda: module
        self.owned = all(type(vars(module).get(n)) is CountedDict for n in _TABLES)
        self._now = ", ".join(
            f"{k} {v[-1]!r}" for k, v in self._settings.items()
            if v[0] in ("bool", "int", "float", "str") and len(v) == 2
        )  # fmt: skip

    def holds(self) -> bool:
        fields, name = vars(self._module), type(self._module).__name__
        for table, before in self._tables.items():
            if _table(fields.get(table)) != before:
                return self._changed(f"{table.strip('_')} of {name}", "what it was")
        now = _settings(self._module)
        if now != self._settings:
            for key, before in self._settings.items():
                if now.get(key) != before:
                    return self._changed(f"{name}.{key}", repr(before[-1]))
            return self._changed(f"the attributes of {name}", "what they were")
        return True

    def _changed(self, what: str, before: str) -> bool:
        self.what, self._now = what, before
        return False

    def __str__(self) -> str:
        return f"{self.what} = {self._now}"


def _table(table: Any) -> Any:
    """A table's names and what stands for them, by identity; the flags of tensors."""
    if not isinstance(table, dict):
        return None
    return [
        (key, fingerprint(value, 0), _flags(value) if isinstance(value, Tensor) else None)
        for key, value in table.items()
    ]


def _settings(module: Any) -> dict[str, Any]:
    fields = vars(module)
    layer, class_ = is_layer(module), type(module)
    return {
        name: fingerprint(value) for name, value in fields.items()
        # Of other modules what our code finds: the mode, and what hides something of the class.
        if name not in _STRUCTURE and (layer or name == "training" or hasattr(class_, name))
    }  # fmt: skip


class OptimizerReading(Reading):
    """What an optimizer holds: its groups with their settings, its state, its hooks.

    Numbers that the program reads anew at every call may change, as long as they stay numbers,
    and zero or not.

    Args:
        optimizer: the optimizer, after the run.
        live: (group, key) of numbers that are read anew.
        origin: the line that called it.
    """

    __slots__ = ("_groups", "_live", "_now", "_optimizer", "_state", "_states", "counted")

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
        self._groups = [self._group(g) for g in optimizer.param_groups]
        self._state = optimizer.state
        self._states = self._table()
        self.counted = type(optimizer.state) is CountedStates

    def _group(self, group: Any) -> Any:
        """A group's parameters and settings; its live numbers by whether they are zero."""
        settings = {
            key: _number(value) if (id(group), key) in self._live else fingerprint(value)
            for key, value in group.items()
            if key != "params"
        }
        return group, list(group["params"]), settings, dict(group)

    def _table(self) -> Any:
        found = [
            (key, [(name, fingerprint(v, 0)) for name, v in entries.items()])
            for key, entries in self._optimizer.state.items()
        ]
        hooks = [_table(vars(self._optimizer).get(f"_step_{k}_hooks")) for k in ("pre", "post")]
        return [(id(k), v) for k, v in found], hooks

    def holds(self) -> bool:
        optimizer = self._optimizer
        groups = optimizer.param_groups
        if optimizer.state is not self._state:
            return self._changed("the state")
        if len(groups) != len(self._groups):
            return self._changed("the groups")
        for group, (before, params, settings, values) in zip(groups, self._groups):
            now = group["params"]
            if group is not before or len(now) != len(params):
                return self._changed("the groups")
            for a, b in zip(now, params):
                if a is not b:
                    return self._changed("the parameters")
            for key, value in values.items():
                if group.get(key, MISSING) is value:
                    continue
                own = group.get(key, MISSING)
                seen = _number(own) if (id(group), key) in self._live else fingerprint(own)
                if key != "params" and seen != settings[key]:
                    return self._changed(key)
                values[key] = own
            if len(group) != len(values):
                return self._changed("the settings")
        return True

    def same_state(self) -> bool:
        """Whether state and hooks are the same objects; their changes are counted."""
        return self._table() == self._states or self._changed("the state or the hooks")

    def _changed(self, what: str) -> bool:
        self.what = f"{what} of {type(self._optimizer).__name__}"
        return False

    def __str__(self) -> str:
        return f"{self.what} = {self._now}"


class StateReading(Reading):
    """The state and the hooks of an optimizer.

    Args:
        of: the reading of the optimizer itself.
    """

    __slots__ = ("_of",)

    def __init__(self, of: OptimizerReading) -> None:
        for name in Reading.__slots__:
            setattr(self, name, getattr(of, name))
        self._of = of
        self.owned = of.counted
        self.what = f"the state of {self.what}"

    def holds(self) -> bool:
        return self._of.same_state()

    def __str__(self) -> str:
        return f"{self.what} = what it was"


def _number(value: Any) -> Any:
    """What of a live number a program depends on."""
    if isinstance(value, tuple | list):
        return (type(value).__name__, *map(_number, value))
    if type(value) in (int, float):
        return ("number", value == 0)
    return fingerprint(value)


__all__ = ["Consulted", "ModuleReading", "OptimizerReading", "StateReading", "Unproven"]
