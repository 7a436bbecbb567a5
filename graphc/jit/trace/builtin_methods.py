"""What a method of a built-in type relies on: of a list, a str."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from graphc.jit.trace import known
from graphc.jit.trace.arguments import Call, Method
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import contents_are_known, is_plain, kind, label


def built_in_method(this: Call, owner: object, name: str) -> Any:
    """A method of a built-in type: of a list, a str."""
    which = kind(owner)
    if which in (known.SCALAR, known.FROZEN, known.VALUE):
        if not this.arguments_are_known() and which != known.SCALAR:
            return Unknown()
        if all(map(is_plain, this.given())) and not any(
            isinstance(v, Unknown) for v in this.given()
        ):
            try:
                return getattr(owner, name)(*this.args, **this.keywords)
            except Exception:
                return Unknown()
        return Unknown(str if isinstance(owner, str) and name in ("join", "format") else None)
    if which == known.CONTAINER:
        return _of_container(this, owner, name)
    return this.refuse(f"{name}() of a {label(owner)}")


def _of_container(this: Call, owner: Any, name: str) -> Any:
    if name in known.CHANGING:
        if not this.consulted.is_made(owner):
            return this.refuse(f"{name}() changes a {label(owner)} from outside")
        for value in this.given():
            if kind(value) == known.CONTAINER:
                contents_are_known(this.consulted, value, f"a {label(value)}", this.origin)
            elif (
                kind(value) == known.OBJECT
                and not isinstance(value, Unknown | GeneratorType)
                and (hasattr(value, "__array__") or name in ("extend", "update"))
            ):
                return this.refuse(f"{name}() with a {label(value)}")
        return Unknown() if name in ("pop", "popitem", "setdefault") else None
    if name in ("get", "__getitem__") and this.args and is_plain(this.args[0]):
        key = this.args[0]
        if isinstance(key, Unknown):
            this.consulted.content(owner, f"a {label(owner)}", this.origin)
            return Unknown()
        this.consulted.entry(owner, key, f"[{key!r}] of a {label(owner)}", this.origin)
        default = this.args[1] if len(this.args) > 1 else None
        return owner.get(key, default) if name == "get" else owner[key]
    if name in ("keys", "values", "items"):
        this.consulted.content(owner, f"a {label(owner)}", this.origin)
        return getattr(owner, name)()
    if not contents_are_known(this.consulted, owner, f"a {label(owner)}", this.origin):
        return this.refuse(f"{name}() of a {label(owner)}")
    if not this.arguments_are_known():
        return Unknown()
    return Unknown(type(owner) if name in ("copy", "union") else None, name == "copy")


def method_of_unknown(this: Call, function: Method) -> Any:
    """The result of a method of a value that is not at hand, by what is known of its kind."""
    owner, name = function.owner, function.name
    which = kind(owner)
    if which == known.TENSOR:
        return this.returned() if this.arguments_are_known() else Unknown()
    if which == known.CONTAINER and owner.made:
        return Unknown()
    if which in (known.SCALAR, known.FROZEN) and this.arguments_are_known():
        return Unknown(owner.type if name in ("format", "join", "strip", "lower") else None)
    return this.refuse(f"{name}() of a value that is not known")


__all__ = ["built_in_method", "method_of_unknown"]
