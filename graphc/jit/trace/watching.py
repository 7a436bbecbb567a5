"""What traced Python read and did besides computing: values it will go on assuming, side effects.

While a function is traced a profile hook sees each Python function of the user's that is entered,
and each built-in that they call. Of the first it notes the globals, closure cells, defaults and
attributes of `self` that the code names, with their values: the program holds only as long as
they stay. Of the second it notes what cannot be part of a graph: clocks, foreign random numbers,
printing.
"""

from __future__ import annotations

import gc
import operator
import sys
import sysconfig
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from graphc.core.origin import Origin, is_internal
from graphc.core.profilers import put_back
from graphc.eager.engine.tensor import Tensor

_MISSING = object()
_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_PLACES = tuple(
    path for key in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_paths().get(key))
)  # fmt: skip
# Modules and types whose functions give other values at every call.
_IMPURE_MODULES = ("time", "random", "_random")
_MOST_ITEMS = 256
# What a frame's code may be.
_USER, _LAYER = "user", "layer"


class Reading:
    """One value that traced code read: where it is found, and what it was.

    Attributes:
        what: how a person names it: "global SCALE", "closure k", "self.training of Net".
        find: gives the value now.
        seen: its fingerprint when it was traced.
    """

    __slots__ = ("find", "origin", "parts", "seen", "value", "what")

    def __init__(self, what: str, find: Callable[[], Any], value: Any, origin: Origin) -> None:
        self.what = what
        self.find = find
        self.seen = fingerprint(value)
        # What cannot change without being another object is compared by identity, at once.
        fixed = isinstance(value, _SCALARS) or self.seen[0] == "object"
        self.value = value if fixed else _MISSING
        # A dict of such objects, as a module's submodules are, by theirs.
        self.parts: tuple[Any, ...] = ()
        if (
            self.seen[0] == "dict"
            and value
            and type(self.seen[1]) is tuple
            and all(p[1][0] == "object" for p in self.seen[1])
        ):
            self.parts = tuple(value.values())
        self.origin = origin

    def holds(self) -> bool:
        """Whether the value is still what the trace saw."""
        value = self.find()
        if value is self.value:
            return True
        if self.parts and type(value) is dict and len(value) == len(self.parts):
            return all(map(operator.is_, value.values(), self.parts))
        return fingerprint(value) == self.seen

    def __str__(self) -> str:
        return f"{self.what} = {shown(self.seen)}"


class _Items:
    """The items of a container with too many to look into, compared by identity."""

    __slots__ = ("items",)

    def __init__(self, container: Any) -> None:
        # Kept, so that nothing else gets their identities.
        keys, values = (), container
        if isinstance(container, dict):
            keys, values = tuple(container), container.values()
        self.items = (*keys, *values)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Items)
            and len(other.items) == len(self.items)
            and all(map(operator.is_, self.items, other.items))
        )

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.items)))


def fingerprint(value: Any, depth: int = 3) -> Any:
    """What of a value a program may depend on: scalars by value, containers by their items,
    everything else by identity."""
    if isinstance(value, _SCALARS):
        return (type(value).__name__, repr(value) if value != value else value)
    if isinstance(value, np.generic):
        return ("numpy", value.dtype.str, value.item())
    if depth and isinstance(value, list | tuple) and len(value) <= _MOST_ITEMS:
        return (type(value).__name__, tuple(fingerprint(v, depth - 1) for v in value))
    if depth and isinstance(value, dict) and len(value) <= _MOST_ITEMS:
        return (
            "dict",
            tuple((fingerprint(k, 0), fingerprint(v, depth - 1)) for k, v in value.items()),
        )
    if isinstance(value, list | tuple | dict) and depth:
        return (type(value).__name__, _Items(value))
    if isinstance(value, np.random.Generator):
        return ("generator", str(value.bit_generator.state))
    if isinstance(value, MethodType):
        return ("method", id(value.__func__), id(value.__self__))
    return ("object", id(value), type(value).__name__)


def shown(seen: Any) -> str:
    """A fingerprint in a message."""
    if isinstance(seen, tuple) and seen and seen[0] in ("list", "tuple", "dict"):
        return f"a {seen[0]} of {len(seen[1])}"
    if isinstance(seen, tuple) and seen and seen[0] == "object":
        return f"this {seen[2]}"
    if isinstance(seen, tuple) and seen and seen[0] == "method":
        return "this method"
    return repr(seen[-1]) if isinstance(seen, tuple) else repr(seen)


class Watch:
    """Sees what a traced function reads and does; a context manager.

    Attributes:
        readings: what the program assumes of Python's values.
        effects: lines about what the function did besides returning a value.
        impure: lines about values that differ from call to call.
    """

    def __init__(self, function: Any) -> None:
        self.readings: list[Reading] = []
        self.effects: list[str] = []
        self.impure: list[str] = []
        self._seen: set[Any] = set()
        self._codes: dict[int, str] = {}
        self._keep: list[Any] = [function]
        self._functions: dict[CodeType, FunctionType] = {}
        for each in _functions_of(function):
            self._functions[each.__code__] = each

    def __enter__(self) -> Watch:
        self._drawn = _numpy_state()
        self._outside = sys._getframe(1)
        self._before = sys.getprofile()
        sys.setprofile(self._hook())
        return self

    def __exit__(self, *exception: object) -> None:
        put_back(self._before)
        if _numpy_state() != self._drawn:
            self.impure.append("numpy.random: numbers were drawn from its global generator")
        for reading in self.readings:
            if not reading.holds():
                self.effects.append(
                    f"{reading.what} was changed by the traced code (it ran once, for the trace)"
                )

    def _hook(self) -> Callable[[FrameType, str, Any], None]:
        """What Python calls at every call and return of the trace: so all it needs is at hand."""
        known = self._codes.get

        def hook(frame: FrameType, event: str, arg: Any) -> None:
            if event != "call" and event != "c_call":
                return
            # By identity: the hash of a code object takes its time.
            what = known(id(frame.f_code))
            if what is None:
                what = self._look(frame)
            if not what:
                return
            if event == "c_call":
                if what == _USER:
                    self._built_in(frame, arg)
            elif what == _USER:
                self._entered(frame)
            else:
                self._layer(frame)

        return hook

    def _look(self, frame: FrameType) -> str:
        """What a frame's code is: the user's, a layer's forward pass, or of no interest."""
        code = frame.f_code
        file = code.co_filename
        module = str(frame.f_globals.get("__name__", ""))
        foreign = is_internal(code) or file.startswith(_PLACES) or "site-packages" in file
        foreign = foreign or (file == "<string>" and module != "__main__")
        ours = module == "graphc" or module.startswith("graphc.") or "numpy code of" in file
        if not (foreign or ours or file.startswith("<frozen")):
            what = _USER
        else:
            what = _LAYER if code.co_name == "forward" and "self" in code.co_varnames else ""
        self._keep.append(code)
        self._codes[id(code)] = what
        return what

    def _note(self, key: Any, what: str, find: Callable[[], Any], origin: Origin) -> None:
        if key in self._seen:
            return
        self._seen.add(key)
        value = find()
        if value is _MISSING or isinstance(value, ModuleType | type | BuiltinFunctionType):
            return
        self._keep.append(value)
        self.readings.append(Reading(what, find, value, origin))

    def _entered(self, frame: FrameType) -> None:
        code = frame.f_code
        origin = Origin(code.co_filename, code.co_firstlineno, code.co_name)
        names, module = code.co_names, frame.f_globals
        for name in names:
            if name in module:
                self._note((id(module), name), f"global {name}", _item(module, name), origin)
                if isinstance(module[name], ModuleType):
                    self._attributes(module[name], names, name, origin)
        if code.co_freevars:
            self._cells(frame, code, origin)
        for name in code.co_varnames[: code.co_argcount]:
            value = frame.f_locals.get(name)
            if name == "self" or _is_settings(value):
                self._attributes(value, names, type(value).__name__, origin)
        function = self._functions.get(code)
        if function is not None and function.__defaults__:
            self._note(
                (id(function), "defaults"), f"the defaults of {code.co_name}",
                lambda: function.__defaults__, origin,
            )  # fmt: skip

    def _layer(self, frame: FrameType) -> None:
        """What one of our own layers reads of its settings: its mode, its probability."""
        owner = frame.f_locals.get("self")
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("graphc.nn.") and owner is not None:
            code = frame.f_code
            origin = Origin(code.co_filename, code.co_firstlineno, code.co_name)
            names = {*code.co_names, "training"}
            self._attributes(owner, names, type(owner).__name__, origin)

    def _attributes(self, owner: Any, names: Any, label: str, origin: Origin) -> None:
        """Plain values among the attributes that the code names."""
        values = getattr(owner, "__dict__", None)
        if values is None or isinstance(owner, Tensor):
            return
        for name in names:
            value = values.get(name, _MISSING)
            if isinstance(value, (*_SCALARS, list, tuple, dict)):
                self._note((id(values), name), f"{label}.{name}", _item(values, name), origin)

    def _cells(self, frame: FrameType, code: CodeType, origin: Origin) -> None:
        function = self._functions.get(code)
        if function is None:
            for found in gc.get_referrers(code):
                if isinstance(found, FunctionType) and found.__code__ is code:
                    function = self._functions[code] = found
                    break
        if function is None or function.__closure__ is None:
            return
        for name, cell in zip(code.co_freevars, function.__closure__):
            if self._is_local(frame, name):
                continue
            self._note((id(cell), name), f"closure {name}", _content(cell), origin)
            owner = _content(cell)()
            self._attributes(owner, code.co_names, name, origin)

    def _is_local(self, frame: FrameType, name: str) -> bool:
        """Whether a free name is a local of traced code that is running: `[f(x) for f in fs]`."""
        owner = frame.f_back
        while owner is not None and owner is not self._outside:
            if name in owner.f_code.co_cellvars and _holds(owner.f_code, frame.f_code):
                return True
            owner = owner.f_back
        return False

    def _built_in(self, frame: FrameType, function: Any) -> None:
        name = getattr(function, "__name__", "")
        owner = getattr(function, "__self__", None)
        module = getattr(function, "__module__", None) or type(owner).__module__
        where = Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        if function is print:
            self._effect(f"print at {where} ran once, for the trace, and is not in the program")
        elif function is input or name == "open":
            self._effect(f"{name}() at {where} ran once, for the trace")
        elif isinstance(owner, ModuleType) and owner.__name__ in _IMPURE_MODULES:
            self._changing(f"{owner.__name__}.{name}() at {where}", name)
        elif module in ("numpy.random.mtrand", "numpy.random._generator", "random", "_random"):
            self._changing(f"{module}: {name}() at {where}", name)
        elif name in ("now", "utcnow", "today", "urandom", "uuid4"):
            self._changing(f"{name}() at {where}", name)
        elif function is id:
            self._changing(f"id() at {where}: identities differ from run to run", name)

    def _effect(self, line: str) -> None:
        if line not in self.effects:
            self.effects.append(line)

    def _changing(self, line: str, name: str) -> None:
        if name in ("sleep", "seed", "set_state", "get_state"):
            return
        if line not in self.impure:
            self.impure.append(line)


def _holds(outer: CodeType, inner: CodeType) -> bool:
    """Whether a function's code is written inside another's."""
    nested = [c for c in outer.co_consts if isinstance(c, CodeType)]
    return inner in nested or any(_holds(c, inner) for c in nested)


def _numpy_state() -> Any:
    """The state of NumPy's global generator, whose functions no profile hook sees."""
    _, keys, place, *_ = np.random.get_state()
    return place, np.asarray(keys).tobytes()


def _item(values: dict[str, Any], name: str) -> Callable[[], Any]:
    return lambda: values.get(name, _MISSING)


def _content(cell: Any) -> Callable[[], Any]:
    def find() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return _MISSING

    return find


def _is_settings(value: Any) -> bool:
    """Whether an argument is an object of the user's whose plain attributes are settings."""
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, Tensor | ModuleType | type | FunctionType)
        and not callable(value)
    )


def _functions_of(function: Any) -> Iterator[FunctionType]:
    """The Python functions behind a callable: itself, its forward, what it closes over."""
    candidates = [function, getattr(function, "__func__", None), getattr(function, "forward", None)]
    candidates.append(vars(type(function)).get("__call__"))
    for each in candidates:
        each = getattr(each, "__func__", each)
        if isinstance(each, FunctionType):
            yield each
            for cell in each.__closure__ or ():
                inner = _content(cell)()
                if isinstance(inner, FunctionType):
                    yield inner
