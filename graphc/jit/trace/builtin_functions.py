"""What a call of a built-in function relies on, by the tables of `known`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType, GeneratorType
from typing import Any

from graphc.core.ir import Origin
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.arguments import Call
from graphc.jit.trace.builtin_methods import built_in_method
from graphc.jit.trace.builtin_types import iterated
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.frames import NOTHING
from graphc.jit.trace.lookups import Runs, Unknown, in_class, look_up
from graphc.jit.trace.operations import VIEWS, Copy, Twin, deep, is_plain, iterate, kind, label
from graphc.jit.trace.readings import MISSING

# Built-in functions whose result is a plain value where all they are given is plain.
_AGAIN = known.PURE - {iter, next, sorted, format}
_OF_ITEMS = (sum, max, min, sorted, any, all)
_RESULTS: dict[Any, type] = {
    len: int, isinstance: bool, issubclass: bool, callable: bool, any: bool, all: bool,
    sorted: list, format: str,
}  # fmt: skip


def built_in(this: Call, function: Any) -> Any:
    """The result of a call of a built-in function or method."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if function is getattr:
        return _getattr(this)
    if function is hasattr:
        return _hasattr(this)
    if function is super.__init__ or name in ("__init__", "__init_subclass__"):
        return None if function.__qualname__.startswith("object.") else this.refuse(f"{name}()")
    if name == "__new__" and function in (tuple.__new__, object.__new__) and _gives_class(this):
        return Unknown(this.args[0], True) if this.arguments_are_known() else Unknown()
    if _is_hashable(function) and function in known.PURE:
        return _pure(this, function)
    if owner is not None and not isinstance(owner, type) and not hasattr(owner, "__spec__"):
        return built_in_method(this, owner, name)
    if isinstance(owner, type) and owner in (dict, OrderedDict) and name == "fromkeys":
        return Unknown(owner, True) if this.arguments_are_known() else Unknown()
    if function in (print, input, open, id):
        return this.refuse(f"{name}()")
    return this.refuse(f"a call of {_full_name(function)}")


def _gives_class(this: Call) -> bool:
    """Whether the first argument is a class."""
    return bool(this.args) and isinstance(this.args[0], type)


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _full_name(function: object) -> str:
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", getattr(function, "__name__", repr(function)))
    return f"{module}.{name}" if module and module != "builtins" else name


def _pure(this: Call, function: Any) -> Any:
    args = this.args
    if function in (len, iter) and args and not isinstance(args[0], Unknown):
        special = _sized(this, function, args[0])
        if special is not None:
            return special
    if function in (isinstance, issubclass, callable):
        return _asked(this, function)
    if function is next:
        return _next(this)
    given = this.given()
    if (
        function in _AGAIN
        and all(map(is_plain, given))
        and not any(isinstance(v, Unknown) for v in given)
        and function is not pow
    ):
        try:
            return function(*args, **this.keywords)
        except Exception:
            return Unknown()
    for value in given:
        if (
            known.kind_of(type(value)) == known.OBJECT
            and not isinstance(value, Unknown)
            and not this.consulted.is_made(value)
            and not isinstance(value, (GeneratorType, *VIEWS))
        ):
            return this.refuse(f"{function.__name__}() of a {label(value)}")
        iterated(this, value, function)
    return _of_items(this, function)


def _of_items(this: Call, function: object) -> Any:
    """The result of a built-in that went through its arguments."""
    if function in (sum, max, min, abs, round) and isinstance(this.result, Tensor):
        return this.result
    if function in _OF_ITEMS and not this.keywords:
        items = [deep(v) for v in this.args]
        if not any(v is None for v in items):
            try:
                found = function(*items)
            except Exception:
                return Unknown()
            return Copy(found) if function is sorted else found
    if function is iter:
        return Unknown(None, True)
    return Unknown(_RESULTS.get(function), function is sorted)


def _asked(this: Call, function: Callable[..., Any]) -> Any:
    """What kind of a value something is."""
    args = this.args
    if isinstance(args[0], Unknown) and args[0].type is None:
        return this.refuse(f"{function.__name__}() of a value that is not known")
    this.consulted.type_of(args[0], this.origin)
    if function is callable or isinstance(args[0], Unknown):
        return Unknown(bool)
    return function(*args) if not any(isinstance(a, Unknown) for a in args) else Unknown(bool)


def _sized(this: Call, function: Callable[..., Any], value: Any) -> Any:
    which = kind(value)
    if function is iter:
        return iterate(this.consulted, value, this.result, this.origin)
    if which == known.CONTAINER:
        this.consulted.content(value, f"a {label(value)}", this.origin)
        return len(value)
    if which in (known.FROZEN, known.SCALAR):
        return len(value)
    if which in (known.TENSOR, known.VALUE, known.MODULE):
        if which == known.MODULE:
            this.consulted.of_class(type(value), "__len__", this.origin)
            this.consulted.module(value, this.origin)
        return Unknown(int) if this.result is NOTHING else this.result
    if isinstance(value, VIEWS):
        return len(value)
    found = in_class(type(value), "__len__")
    if isinstance(found, FunctionType):
        this.consulted.of_class(type(value), "__len__", this.origin)
        return this.returned()
    return this.refuse(f"len() of a {label(value)}")


def _next(this: Call) -> Any:
    value = this.args[0]
    if isinstance(value, Twin):
        try:
            return next(value.values)
        except StopIteration:
            return this.args[1] if len(this.args) > 1 else Unknown()
    if isinstance(value, Unknown):
        return this.returned() if value.made else this.refuse("next() of an unknown value")
    if this.consulted.is_made(value):
        return this.returned()
    if (
        isinstance(value, GeneratorType)
        and value.gi_frame is not None
        and known.is_ours(str(value.gi_frame.f_globals.get("__name__", "")))
    ):
        return this.returned()
    return this.refuse(f"next() of a {label(value)} from outside")


def _getattr(this: Call) -> Any:
    owner, name = this.args[0], this.args[1]
    if isinstance(owner, Unknown) or not isinstance(name, str):
        return this.refuse("getattr() of a value that is not known")
    if len(this.args) > 2 and not _has(owner, name):
        _absent(this.consulted, owner, name, this.origin)
        return this.args[2]
    found = look_up(this.consulted, owner, name, this.origin)
    return this.returned() if isinstance(found, Runs) else found


def _hasattr(this: Call) -> Any:
    owner, name = this.args[0], this.args[1]
    if isinstance(owner, Unknown) or not isinstance(name, str):
        return this.refuse("hasattr() of a value that is not known")
    if _has(owner, name):
        look_up(this.consulted, owner, name, this.origin)
        return True
    _absent(this.consulted, owner, name, this.origin)
    return False


def _has(owner: object, name: str) -> bool:
    """Whether an object has an attribute, without running its code."""
    if in_class(type(owner), name) is not MISSING or name in getattr(owner, "__dict__", {}):
        return True
    if isinstance(owner, type):
        return in_class(owner, name) is not MISSING
    if kind(owner) == known.MODULE:
        tables = ("_parameters", "_modules", "_buffers")
        return any(name in (owner.__dict__.get(t) or ()) for t in tables)
    return False


def _absent(consulted: Consulted, owner: Any, name: str, origin: Origin) -> None:
    """Note that an object has no such attribute."""
    which = kind(owner)
    if which == known.MODULE:
        consulted.module(owner, origin)
    elif in_class(type(owner), "__getattr__") is not MISSING and which != known.TENSOR:
        consulted.refuse(f"whether a {label(owner)} has {name!r}", origin)
        return
    if which in (known.OBJECT, known.MODULE, known.OPTIMIZER):
        consulted.of_class(type(owner), name, origin)
    if which == known.CLASS:
        consulted.of_class(owner, name, origin)
    elif hasattr(owner, "__dict__"):
        consulted.attribute(owner, name, origin, owned=which == known.MODULE)


__all__ = ["built_in"]
