"""What a traced run consulted: each place that it read, and each reason why it is not proven.

A run is proven when all that it read is a function's argument, made by the run itself, or one of
the readings listed here; and each step in between is of a kind that depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

from graphc.core.ir import Origin
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.holdings import STRUCTURE, ModuleReading, changeable, flags_of, is_layer
from graphc.jit.trace.readings import MISSING, Reading, fingerprint
from graphc.jit.trace.sizes import TracedSize

# Longer containers are not compared at every call.
MOST_ITEMS = 64
_MOST_REASONS = 8


class Unproven(NamedTuple):
    """Why a run may not be repeated without Python.

    Attributes:
        reason: what it did.
        origin: the user's line; None where the reason has it.
    """

    reason: str
    origin: Origin | None

    def __str__(self) -> str:
        return self.reason if self.origin is None else f"{self.reason}, at {self.origin}"


class Consulted:
    """Readings of a run, each noted once.

    Attributes:
        readings: what must hold for the run to repeat.
        unproven: why it may not be repeated; empty where it may.
        identities: where the identity of what stands for an argument mattered.
        ends_watch: whether nothing of the run may be held any longer.
    """

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.unproven: list[Unproven] = []
        self._seen: set[Any] = set()
        self._fresh: dict[int, Any] = {}
        self._given: dict[int, Any] = {}
        self._keep: list[Any] = []
        self.identities: list[str] = []
        self.ends_watch = False

    def refuse(self, reason: str, origin: Origin) -> None:
        """Note why the run is not proven."""
        entry = Unproven(reason, origin)
        if len(self.unproven) < _MOST_REASONS and entry not in self.unproven:
            self.unproven.append(entry)

    def end(self, reason: str, origin: Origin) -> None:
        """Note that objects have to go when the code lets them go: what is watched is held."""
        self.ends_watch = True
        self.refuse(reason, origin)

    def compared(self, a: Any, b: Any, origin: Origin) -> None:
        """`a is b`: what stands for an argument is never a tensor from outside."""
        if TracedSize in (type(a), type(b)) and isinstance(a, int) and isinstance(b, int):
            self.of_size("`is`", origin)
        if isinstance(a, Tensor) and isinstance(b, Tensor) and tracing.trace is not None:
            known = tracing.trace.reals
            if (id(a) in known and b._node is None) or (id(b) in known and a._node is None):
                self.identities.append(f"`is` at {origin}: an argument and a tensor from outside")

    def of_size(self, what: str, origin: Origin) -> None:
        """Something is asked of a size that what stands for it answers otherwise."""
        trace = tracing.trace
        if trace is not None and not trace.root.is_fixed:
            trace.root.needs_numbers = f"{what} of a size is asked for at {origin}"
            self.identities.append(f"{what} at {origin}: of a symbolic size")

    # --- what the run made itself

    def made(self, value: object) -> None:
        """The run made an object: what it holds follows from the run."""
        self._fresh[id(value)] = value

    def is_made(self, value: object) -> bool:
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
        if known.tells_of_going(value):
            self.end(f"{what} tells when an object goes", origin)
            return value
        definition = isinstance(value, FunctionType | type | ModuleType) or value is MISSING
        if changeable(value):
            owned = False  # what is in it may change without a count
        self.readings.append(Reading(what, find, value, origin, place, owned, definition))
        if isinstance(value, Tensor):
            self.flags(value, what, origin)
        self.type_of(value, origin)
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
            self._add(what, lambda: mapping.get(key, MISSING), origin, ("item", mapping, key))

    def attribute(self, owner: object, name: str, origin: Origin, owned: bool = False) -> None:
        """An object's own attribute, as it stands in its `__dict__`; absent ones too."""
        if self.is_made(owner) or not self._first("attribute", owner, name):
            return
        label = (
            getattr(owner, "__name__", "") if isinstance(owner, ModuleType | FunctionType) else ""
        )
        self._add(
            f"{label or type(owner).__name__}.{name}", lambda: owner.__dict__.get(name, MISSING),
            origin, ("attribute", owner, name), owned,
        )  # fmt: skip

    def slot(self, owner: object, name: str, origin: Origin) -> None:
        """An attribute that is kept in a slot."""
        if not self.is_made(owner) and self._first("slot", owner, name):
            self._add(
                f"{type(owner).__name__}.{name}", lambda: getattr(owner, name, MISSING), origin,
                None,
            )  # fmt: skip

    def type_of(self, value: Any, origin: Origin) -> None:
        """Which class an object is of: Python lets it be replaced."""
        kind = known.kind_of(type(value))
        if kind not in (known.OBJECT, known.MODULE, known.OPTIMIZER):
            return
        if kind == known.OBJECT and known.is_ours(type(value).__module__):
            return
        if self.is_made(value) or not self._first("type", value):
            return
        what = f"the class of a {type(value).__name__}"
        place = ("type", value, "")
        self.readings.append(
            Reading(what, lambda: type(value), type(value), origin, place, definition=True)
        )

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
        self._add(f"the code of {name}", lambda: function.__code__, origin, ("code", function, ""))
        if function.__defaults__ is not None or function.__kwdefaults__ is not None:
            what = f"the defaults of {name}"
            self._add(what, lambda: (function.__defaults__, function.__kwdefaults__), origin, None)
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

    def _is_covered(self, container: object) -> bool:
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
            self.type_of(value, origin)

    def flags(self, tensor: Tensor, what: str, origin: Origin) -> None:
        """Whether a captured tensor requires a gradient, and whether it has hooks."""
        if tensor._node is not None or not self._first("flags", tensor):
            return
        owned = type(tensor) is not Tensor
        find = lambda: flags_of(tensor)  # noqa: E731
        self.readings.append(Reading(f"requires_grad of {what}", find, find(), origin, None, owned))

    # --- modules and optimizers

    def module(self, module: object, origin: Origin) -> None:
        """What a module is made of, and the settings of one of graphc's own classes."""
        if self.is_made(module) or not self._first("module", module):
            return
        self.readings.append(ModuleReading(module, origin))
        for name, value in vars(module).items():
            if name not in STRUCTURE and isinstance(value, list | dict | set) and is_layer(module):
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


__all__ = ["Consulted", "Unproven", "contents"]
