"""What a call of a built-in type relies on, and what a built-in goes through."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from graphc.jit.trace import known
from graphc.jit.trace.arguments import Call
from graphc.jit.trace.lookups import Unknown
from graphc.jit.trace.operations import (
    VIEWS,
    Copy,
    Twin,
    contents_are_known,
    is_plain,
    iterate,
    kind,
    label,
)  # fmt: skip


def built_in_type(this: Call, made: type) -> Any:
    """The result of a call of a built-in type: a value that is at hand, or one of the type."""
    args = this.args
    if made in known.ITERATORS:
        return _iterator(this, made)
    if (
        all(map(is_plain, this.given()))
        and not any(isinstance(v, Unknown) for v in this.given())
        and made not in (list, dict, set)
        and sum(len(v) for v in args if hasattr(v, "__len__")) < 999
    ):
        try:
            return made(*args, **this.keywords)
        except Exception:
            return Unknown()
    if made in (int, float, bool, complex) and args and kind(args[0]) == known.TENSOR:
        return Unknown(made)  # its value, which the trace notes
    if made is str and args and kind(args[0]) not in (known.SCALAR, known.VALUE):
        return this.refuse(f"the text of a {label(args[0])}")
    if made is bool and args and kind(args[0]) == known.MODULE:
        return Unknown(bool)
    for value in args:
        iterated(this, value, made)
    if made in (list, tuple) and len(args) == 1:
        return _listed(args[0], made)
    return Unknown(made, True)


def _listed(value: Any, made: Any) -> Any:
    """`list(value)` or `tuple(value)` of something gone through."""
    if isinstance(value, Twin | Copy):
        items = list(value.values)
    elif not isinstance(value, Unknown) and (
        kind(value) in (known.CONTAINER, known.FROZEN) or isinstance(value, VIEWS)
    ):
        items = list(value)
    else:
        return Unknown(made, True)
    if made is list:
        return Copy(items)
    return Unknown(made, True) if any(isinstance(v, Unknown) for v in items) else tuple(items)


def iterated(this: Call, value: object, made: Any) -> None:
    """An argument that a built-in goes through."""
    if is_plain(value) or isinstance(value, GeneratorType | Twin):
        return
    if kind(value) in (known.TENSOR, known.FUNCTION, known.METHOD, known.CLASS, known.BUILTIN):
        return
    if isinstance(value, Copy):
        return
    if isinstance(value, Unknown):
        if not value.made and value.type is None:
            this.refuse(f"{getattr(made, '__name__', made)}() of a value that is not known")
        return
    if kind(value) in (known.CONTAINER, known.FROZEN):
        if (
            not contents_are_known(this.consulted, value, f"a {label(value)}", this.origin)
            and getattr(made, "__name__", "") not in _SHALLOW
        ):
            this.refuse(f"{getattr(made, '__name__', made)}() of a {label(value)}")
        return
    iterate(this.consulted, value, this.result, this.origin)


# What goes through a container and leaves its items alone.
_SHALLOW = {
    "list", "tuple", "zip", "enumerate", "reversed", "iter", "next", "len", "chain", "islice",
    "product", "repeat", "pairwise", "zip_longest", "dict", "map", "filter", "isinstance",
}  # fmt: skip


def _iterator(this: Call, made: type) -> Any:
    """zip, enumerate and the like: another one beside it gives the same values."""
    functions = made in (map, filter) or made.__name__ in ("starmap", "accumulate", "takewhile")
    for value in this.given():
        iterated(this, value, made)
    twins = []
    for value in this.args:
        if isinstance(value, Twin) or (isinstance(value, Unknown) or kind(value) == known.TENSOR):
            return Unknown(None, True)  # what it goes through moves on once only
        if kind(value) == known.MODULE or isinstance(value, VIEWS):
            twin = iterate(this.consulted, value, this.result, this.origin)
            if not isinstance(twin, Twin):
                return Unknown(None, True)
            twins.append(twin.values)
        elif isinstance(value, GeneratorType) or kind(value) == known.OBJECT:
            return Unknown(None, True)
        else:
            twins.append(value)
    if functions:
        return Unknown(None, True)
    try:
        return Twin(made, made(*twins, **this.keywords))
    except Exception:
        return Unknown(None, True)


__all__ = ["built_in_type", "iterated"]
