"""What an attribute is, found without running any code, and what its finding relied on.

look_up(consulted, config, "scale", origin)      # 2.0, with a reading of config's attribute
"""

from __future__ import annotations

import enum
from types import (
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)  # fmt: skip
from typing import Any

from graphc.core.ir import Origin
from graphc.jit.trace import known
from graphc.jit.trace.caches import CACHE
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.readings import MISSING

_TUPLE_FIELD = type(__import__("collections").namedtuple("_Field", "x").x)


class Unknown:
    """A value that follows from what the run read, and that is not at hand here.

    Attributes:
        type: its type, where that is known.
        made: whether the run made it.
    """

    __slots__ = ("made", "type")

    def __init__(self, type_: Any = None, made: bool = False) -> None:
        self.type = type_
        self.made = made


class Runs(Unknown):
    """The result of Python code that a step runs, whose frame is seen: a property's function."""

    __slots__ = ()


def in_class(type_: type, name: str) -> Any:
    """What stands for a name in a class and its bases, as it stands there."""
    for base in type_.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return MISSING


def look_up(consulted: Consulted, owner: Any, name: str, origin: Origin) -> Any:
    """The value of `owner.name`, with readings of all that it was found by.

    Returns:
        The value; `Runs` where Python code gives it; `Unknown` after a refusal.
    """
    kind = known.kind_of(type(owner))
    if kind in (known.SCALAR, known.FROZEN, known.CONTAINER, known.VALUE, known.BUILTIN):
        return _of_value(consulted, owner, name, origin)
    if kind == known.NAMESPACE:
        return _of_namespace(consulted, owner, name, origin)
    if kind == known.CLASS:
        return _of_class(consulted, owner, name, origin)
    if kind == known.FUNCTION:
        return _of_function(consulted, owner, name, origin)
    if kind == known.METHOD:
        if name in ("__func__", "__self__"):
            return getattr(owner, name)
        return _of_function(consulted, owner.__func__, name, origin)
    if kind == known.SUPER:
        return _of_super(consulted, owner, name, origin)
    if kind == known.TENSOR:
        return _of_tensor(consulted, owner, name, origin)
    return _of_object(consulted, owner, name, origin, kind)


def _refused(consulted: Consulted, reason: str, origin: Origin) -> Unknown:
    consulted.refuse(reason, origin)
    return Unknown()


def _of_value(consulted: Consulted, owner: object, name: str, origin: Origin) -> Any:
    found = in_class(type(owner), name)
    if isinstance(found, property | FunctionType) and not isinstance(owner, enum.Enum):
        return Runs() if isinstance(found, property) else MethodType(found, owner)
    if isinstance(owner, enum.Enum) and name not in ("name", "value", "_name_", "_value_"):
        return _of_object(consulted, owner, name, origin, known.OBJECT)
    if isinstance(found, MemberDescriptorType | GetSetDescriptorType | _TUPLE_FIELD):
        return getattr(owner, name)
    value = getattr(owner, name, MISSING)
    return Unknown() if value is MISSING else value


def _of_namespace(consulted: Consulted, owner: ModuleType, name: str, origin: Origin) -> Any:
    value = owner.__dict__.get(name, MISSING)
    if value is MISSING:
        return _refused(consulted, f"{owner.__name__}.{name} is computed", origin)
    consulted.attribute(owner, name, origin)
    return value


def _of_class(consulted: Consulted, owner: type, name: str, origin: Origin) -> Any:
    meta = type(owner)
    if isinstance(owner, enum.EnumMeta):
        value = getattr(owner, name, MISSING)
        if isinstance(value, enum.Enum):
            consulted.of_class(owner, name, origin)
            return value
    elif meta is not type and in_class(meta, "__getattribute__") is not type.__getattribute__:
        return _refused(consulted, f"{owner.__name__} has a metaclass", origin)
    found = in_class(owner, name)
    if found is MISSING or (meta is not type and in_class(meta, name) is not MISSING):
        if name in ("__name__", "__qualname__", "__module__", "__mro__", "__bases__"):
            return getattr(owner, name)
        return _refused(consulted, f"{owner.__name__}.{name} is computed", origin)
    if type(found) is CACHE:
        consulted.refuse(f"{owner.__name__}.{name} is a cache", origin)
        return found
    if not isinstance(found, _STABLE) and hasattr(type(found), "__get__"):
        return _refused(consulted, f"{owner.__name__}.{name} is a descriptor", origin)
    consulted.of_class(owner, name, origin)
    return getattr(owner, name)


# Descriptors that give the same thing each time a class is asked.
_STABLE = (
    FunctionType, staticmethod, classmethod, property, type(str.join), type(int.__add__),
    type(dict.fromkeys), type(dict.__dict__["fromkeys"]), MemberDescriptorType,
)  # fmt: skip


def _of_function(consulted: Consulted, owner: FunctionType, name: str, origin: Origin) -> Any:
    if name in owner.__dict__:
        consulted.attribute(owner, name, origin)
        return owner.__dict__[name]
    if name in ("__name__", "__qualname__", "__module__", "__doc__"):
        value = getattr(owner, name)
        consulted.slot(owner, name, origin)
        return value
    return _refused(consulted, f"{name} of a function", origin)


def _of_super(consulted: Consulted, owner: Any, name: str, origin: Origin) -> Any:
    """`super().name`: classes after one in the order of an object's class."""
    this, of = owner.__thisclass__, owner.__self_class__
    order = of.__mro__
    found: Any = MISSING
    for base in order[order.index(this) + 1 :]:
        consulted.of_class(base, name, origin)
        if name in base.__dict__:
            found = base.__dict__[name]
            break
    if isinstance(found, FunctionType | staticmethod | classmethod):
        return getattr(owner, name)
    if isinstance(found, property):
        return Runs()
    if found is in_class(object, name) and name in ("__init__", "__init_subclass__"):
        return getattr(owner, name)
    return _refused(consulted, f"super().{name} is no method", origin)


def _of_tensor(consulted: Consulted, owner: Any, name: str, origin: Origin) -> Any:
    type_ = type(owner)
    found = in_class(type_, name)
    own = next((b for b in type_.__mro__ if name in b.__dict__), object)
    if not known.is_ours(own.__module__):
        return _refused(consulted, f"{name} of a tensor of class {type_.__name__}", origin)
    if isinstance(found, FunctionType):
        return MethodType(found, owner)
    if name in ("grad", "_grad") and owner._node is None and owner._grad is not None:
        return _refused(consulted, "a gradient from before the call", origin)
    if isinstance(found, property) and name not in ("grad_fn", "is_leaf"):
        if name == "requires_grad":
            consulted.flags(owner, "a tensor", origin)
        return Runs()
    if found is MISSING and name in vars(owner):
        return _refused(consulted, f"an attribute of a tensor, {name}", origin)
    return _refused(consulted, f"{name} of a tensor", origin)


def _of_object(consulted: Consulted, owner: object, name: str, origin: Origin, kind: str) -> Any:
    """An attribute of an instance, by Python's own rules."""
    type_ = type(owner)
    consulted.type_of(owner, origin)
    if in_class(type_, "__getattribute__") is not object.__getattribute__:
        return _refused(consulted, f"{type_.__name__} has its own __getattribute__", origin)
    made = kind == known.CONTEXT or consulted.is_made(owner)
    found = in_class(type_, name)
    if not (found is MISSING and kind == known.CONTEXT):
        _class_reading(consulted, type_, name, found, origin)
    if isinstance(found, property):
        return Runs()
    if isinstance(found, MemberDescriptorType):
        consulted.slot(owner, name, origin)
        return getattr(owner, name, Unknown())
    if name == "__class__":
        return type_
    if found is not MISSING and hasattr(type(found), "__set__"):
        return _refused(consulted, f"{type_.__name__}.{name} is a descriptor", origin)
    fields = getattr(owner, "__dict__", {})
    if kind == known.MODULE:
        consulted.module(owner, origin)
    if name in fields:
        if not made:
            consulted.attribute(owner, name, origin, owned=kind == known.MODULE)
        return fields[name]
    if found is not MISSING:
        if not made and fields is not MISSING and hasattr(owner, "__dict__"):
            consulted.attribute(owner, name, origin, owned=kind == known.MODULE)
        return _bound(consulted, found, owner, name, origin)
    return _by_getattr(consulted, owner, name, origin, kind)


def _class_reading(
    consulted: Consulted, type_: type, name: str, found: object, origin: Origin
) -> None:
    """Note what the class has for a name; graphc's own classes stay as they are."""
    if type(type_) is not type and in_class(type(type_), name) is not MISSING:
        consulted.refuse(f"{type_.__name__} has a metaclass", origin)
    elif found is MISSING or isinstance(found, _STABLE) or not hasattr(type(found), "__get__"):
        consulted.of_class(type_, name, origin)


def _bound(consulted: Consulted, found: object, owner: object, name: str, origin: Origin) -> Any:
    if isinstance(found, FunctionType):
        return MethodType(found, owner)
    if isinstance(found, staticmethod):
        return found.__func__
    if isinstance(found, classmethod):
        return MethodType(found.__func__, type(owner))
    if not hasattr(type(found), "__get__"):
        return found
    if type(found) is CACHE:
        consulted.refuse(f"{type(owner).__name__}.{name} is a cache", origin)
        return MethodType(found, owner)
    if isinstance(found, type(str.join) | type(int.__add__)):
        return getattr(owner, name)
    return _refused(consulted, f"{type(owner).__name__}.{name} is a descriptor", origin)


def _by_getattr(consulted: Consulted, owner: object, name: str, origin: Origin, kind: str) -> Any:
    """A name that stands nowhere: `__getattr__`, which for modules looks into their tables."""
    hook = in_class(type(owner), "__getattr__")
    if kind == known.MODULE and known.is_ours(getattr(hook, "__module__", "")):
        for table in ("_parameters", "_modules", "_buffers"):
            own = owner.__dict__.get(table)
            if own is not None and name in own:
                consulted.attribute(owner, name, origin, owned=True)  # is in no `__dict__`
                return own[name]
        return Unknown()
    if isinstance(hook, FunctionType):
        consulted.of_class(type(owner), "__getattr__", origin)
        if hasattr(owner, "__dict__"):
            consulted.attribute(owner, name, origin)
        return Runs()
    return Unknown()  # AttributeError, which is seen


__all__ = ["Runs", "Unknown", "in_class", "look_up"]
