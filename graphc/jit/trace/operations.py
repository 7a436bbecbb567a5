"""What operators, subscripts, iteration and truth rely on, by the kinds of their operands.

Each function takes the values of an instruction as far as they are known, notes what was read,
and gives the result: itself where it is at hand, else `Unknown`.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from types import FunctionType, GeneratorType
from typing import Any

from graphc.core.ir import Origin
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.consulted import MOST_ITEMS, Consulted
from graphc.jit.trace.lookups import Runs, Unknown, in_class
from graphc.jit.trace.readings import MISSING

VIEWS: tuple[Any, ...] = (
    type({}.keys()), type({}.values()), type({}.items()),
    type(OrderedDict().items()), type(OrderedDict().keys()), type(OrderedDict().values()),
)  # fmt: skip
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "&": operator.and_, "|": operator.or_,
    "^": operator.xor, "<<": operator.lshift, ">>": operator.rshift, "==": operator.eq,
    "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
# Types whose operators give plain values again.
_NUMBERS = (bool, int, float, complex)


class Twin(Unknown):
    """An iterator of the run, and another one that gives the same values.

    Attributes:
        values: that other one.
    """

    __slots__ = ("values",)

    def __init__(self, type_: type, values: Any) -> None:
        super().__init__(type_, True)
        self.values = values


class Copy(Unknown):
    """A container that the run made, and another one that holds the same.

    Attributes:
        values: that other one; what is not known in it is `Unknown`.
    """

    __slots__ = ("values",)

    def __init__(self, values: Any) -> None:
        super().__init__(type(values), True)
        self.values = values


def kind(value: Any) -> str:
    """How a value on the stack may be read."""
    if isinstance(value, Unknown):
        return known.kind_of(value.type) if value.type is not None else known.UNKNOWN
    return known.kind_of(type(value))


def is_plain(value: Any, depth: int = 4) -> bool:
    """Whether a value, and all in it, is a scalar, a dtype or the like."""
    which = kind(value)
    if which in (known.SCALAR, known.VALUE):
        return not isinstance(value, slice) or is_plain(
            (value.start, value.stop, value.step), depth - 1
        )
    if which == known.FROZEN and not isinstance(value, Unknown):
        return depth > 0 and len(value) <= 4 * MOST_ITEMS and all(
            is_plain(v, depth - 1) for v in value
        )  # fmt: skip
    return False


def deep(value: Any, depth: int = 4) -> Any:
    """A value with all in it at hand: scalars, and containers of them; else None.

    What is given back may be gone through, and holds the same as the value.
    """
    if isinstance(value, Twin):
        value.values = iter(items := list(value.values))
        return items if all(is_plain(v) and not isinstance(v, Unknown) for v in items) else None
    if isinstance(value, Copy):
        return deep(value.values, depth)
    if isinstance(value, VIEWS):
        return deep(list(value), depth)
    if isinstance(value, Unknown):
        return None
    if is_plain(value):
        return value
    if kind(value) != known.CONTAINER or depth == 0 or len(value) > MOST_ITEMS:
        return None
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return value if all(is_plain(v) and not isinstance(v, Unknown) for v in inner) else None


def contents_are_known(
    consulted: Consulted, value: Any, what: str, origin: Origin, depth: int = 4
) -> bool:
    """Note all that somebody may find in a value; False where that is not known."""
    which = kind(value)
    if isinstance(value, Unknown) and value.type is GeneratorType:
        return value.made
    if isinstance(value, Unknown):
        # What the run computed, or containers that it made, with what it has put there.
        return which != known.OBJECT and (
            which not in (known.CONTAINER, known.UNKNOWN) or value.made
        )
    if which in (known.OBJECT, known.UNKNOWN):
        return consulted.is_made(value) or isinstance(value, VIEWS)
    if which == known.TENSOR:
        consulted.flags(value, what, origin)
        return True
    if which == known.METHOD:
        return contents_are_known(consulted, value.__self__, what, origin, depth - 1)
    if which not in (known.CONTAINER, known.FROZEN):
        return True
    if which == known.CONTAINER:
        consulted.content(value, what, origin)
    if depth == 0:
        return not value
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return all(contents_are_known(consulted, v, what, origin, depth - 1) for v in inner)


def identity(consulted: Consulted, a: object, b: object, origin: Origin) -> None:
    """`a is b`: what later calls compare by value may be another object then."""
    consulted.compared(a, b, origin)
    types = [v.type if isinstance(v, Unknown) else type(v) for v in (a, b)]
    if types[0] is not types[1] and None not in types:
        return
    if _goes_by_value(consulted, a) and _goes_by_value(consulted, b):
        consulted.refuse(f"`is` of a {label(a)} and a {label(b)}", origin)


def _goes_by_value(consulted: Consulted, value: object) -> bool:
    which = kind(value)
    if isinstance(value, Unknown):
        return which in (known.SCALAR, known.FROZEN, known.UNKNOWN) or (
            which == known.CONTAINER and not value.made
        )
    if which == known.CONTAINER:
        return not consulted.is_made(value)
    one_of_a_kind = value is None or value is Ellipsis or isinstance(value, bool)
    return which in (known.SCALAR, known.FROZEN) and not one_of_a_kind


def label(value: object) -> str:
    """A value in a message."""
    type_ = value.type if isinstance(value, Unknown) else type(value)
    return getattr(type_, "__name__", "a value") if type_ is not None else "a value"


def binary(
    consulted: Consulted, sign: str, a: object, b: object, result: object, origin: Origin
) -> Any:
    """`a + b` and the like, comparisons too.

    Args:
        result: what Python code returned for it, where it ran any.
    """
    in_place = sign.endswith("=") and sign not in ("==", "!=", "<=", ">=")
    plain = sign[:-1] if in_place else sign
    kinds = {kind(a), kind(b)}
    if known.TENSOR in kinds:
        other = b if kind(a) == known.TENSOR else a
        if contents_are_known(consulted, other, "an operand", origin):
            return result
    if is_plain(a) and is_plain(b):
        return _computed(plain, a, b)
    values = {known.SCALAR, known.VALUE, known.FROZEN}
    if kinds <= values and all(contents_are_known(consulted, v, "", origin) for v in (a, b)):
        same = kind(a) == kind(b) == known.SCALAR
        numbers = same and all((v.type if isinstance(v, Unknown) else type(v)) in _NUMBERS
                               for v in (a, b))  # fmt: skip
        return Unknown(float if numbers else None)
    if known.CONTAINER in kinds and kinds <= values | {known.CONTAINER}:
        if in_place and kind(a) == known.CONTAINER and not _is_made(consulted, a):
            consulted.refuse(f"{sign} on a {label(a)} from outside", origin)
            return Unknown()
        for each in (a, b):
            if not contents_are_known(consulted, each, f"a {label(each)}", origin):
                consulted.refuse(f"{sign} of a {label(each)}", origin)
        made = a if kind(a) == known.CONTAINER else b
        comparing = plain in ("==", "!=", "<", "<=", ">", ">=")
        return Unknown(bool if comparing else made.type if isinstance(made, Unknown)
                       else type(made), True)  # fmt: skip
    if plain in ("==", "!=") and kinds & {known.CLASS, known.FUNCTION, known.NAMESPACE}:
        return Unknown(bool)
    consulted.refuse(f"{sign} of {label(a)} and {label(b)}", origin)
    return Unknown()


def _is_made(consulted: Consulted, value: object) -> bool:
    return value.made if isinstance(value, Unknown) else consulted.is_made(value)


def _computed(sign: str, a: object, b: object) -> Any:
    """An operator of plain values, computed once more where that is little work."""
    function = _BINARY.get(sign)
    if isinstance(a, Unknown) or isinstance(b, Unknown) or function is None:
        types = [v.type if isinstance(v, Unknown) else type(v) for v in (a, b)]
        if sign in ("==", "!=", "<", "<=", ">", ">="):
            return Unknown(bool)
        return Unknown(types[0] if types[0] is types[1] and sign != "/" else None)
    large = isinstance(a, int) and isinstance(b, int) and sign == "<<" and b > 64
    if large or (sign == "*" and not all(isinstance(v, int | float | complex) for v in (a, b))):
        return Unknown(type(a) if not isinstance(a, int | float) else type(b))
    try:
        return function(a, b)
    except Exception:
        return Unknown()


def unary(consulted: Consulted, sign: str, a: object, result: object, origin: Origin) -> Any:
    """`-a`, `+a`, `~a`."""
    if kind(a) == known.TENSOR:
        return result
    if is_plain(a):
        functions: dict[str, Callable[[Any], Any]] = {
            "-": operator.neg, "+": operator.pos, "~": operator.invert,
        }  # fmt: skip
        try:
            return Unknown(a.type) if isinstance(a, Unknown) else functions[sign](a)
        except Exception:
            return Unknown()
    consulted.refuse(f"{sign} of {label(a)}", origin)
    return Unknown()


def truth(consulted: Consulted, value: object, origin: Origin) -> None:
    """`if value`, `not value`."""
    which = kind(value)
    if which == known.CONTAINER:
        if not _is_made(consulted, value):
            consulted.content(value, f"a {label(value)}", origin)
        return
    if which in (known.UNKNOWN, known.OBJECT) and isinstance(value, Unknown):
        consulted.refuse("the truth of a value that is not known", origin)
        return
    if which == known.OBJECT:
        if isinstance(value, VIEWS):
            consulted.refuse(f"the truth of {label(value)}", origin)
            return
        for name in ("__bool__", "__len__"):
            found = in_class(type(value), name)
            if found is not MISSING and not isinstance(found, FunctionType):
                consulted.refuse(f"the truth of {label(value)}", origin)
            consulted.of_class(type(value), name, origin)


def subscript(
    consulted: Consulted, owner: object, key: object, result: object, origin: Origin
) -> Any:
    """`owner[key]`."""
    which = kind(owner)
    if which == known.TENSOR:
        if not contents_are_known(consulted, key, "an index", origin):
            consulted.refuse(f"a {label(key)} as an index", origin)
        return result
    if which == known.MODULE and not isinstance(owner, Unknown):
        consulted.of_class(type(owner), "__getitem__", origin)
        return result
    if which in (known.FROZEN, known.SCALAR, known.VALUE) and is_plain(key):
        return _taken(owner, key)
    if isinstance(owner, Copy) and is_plain(key):
        found = _taken(owner.values, key) if not isinstance(key, Unknown) else Unknown()
        return Copy(found) if isinstance(key, slice) and type(found) is list else found
    if which == known.CONTAINER and (is_plain(key) or consulted.is_made(owner)):
        return _from_container(consulted, owner, key, origin)
    found = MISSING if isinstance(owner, Unknown) else in_class(type(owner), "__getitem__")
    if which == known.OBJECT and isinstance(found, FunctionType):
        consulted.of_class(type(owner), "__getitem__", origin)
        return result
    if which == known.CLASS:  # list[int]
        return Unknown(known.CLASS)
    consulted.refuse(f"an item of {label(owner)}", origin)
    return Unknown()


def _taken(owner: Any, key: Any) -> Any:
    if isinstance(owner, Unknown) or isinstance(key, Unknown):
        return Unknown()
    try:
        return owner[key]
    except Exception:
        return Unknown()


def _from_container(consulted: Consulted, owner: object, key: object, origin: Origin) -> Any:
    if isinstance(owner, Unknown) or isinstance(key, Unknown):
        made = isinstance(owner, Unknown) or consulted.is_made(owner)
        if not made:
            consulted.content(owner, f"a {label(owner)}", origin)
        return Unknown()
    if isinstance(key, slice):
        consulted.content(owner, f"a {label(owner)}", origin)
        return Copy(owner[key]) if type(owner) is list else Unknown(type(owner), True)
    consulted.entry(owner, key, f"[{key!r}] of a {label(owner)}", origin)
    return _taken(owner, key)


def iterate(consulted: Consulted, value: Any, result: object, origin: Origin) -> Any:
    """`iter(value)`: for loops, unpacking."""
    which = kind(value)
    if isinstance(value, Twin):
        return value
    if isinstance(value, Copy):
        return Twin(object, iter(value.values))
    if isinstance(value, Unknown):
        if value.made or which in (known.SCALAR, known.FROZEN, known.VALUE, known.TENSOR):
            return Unknown(None, True)
        consulted.refuse("a loop over a value that is not known", origin)
        return Unknown(None, True)
    if which == known.CONTAINER:
        consulted.content(value, f"a {label(value)}", origin)
        return Twin(type(iter(value)), iter(value))
    if which in (known.SCALAR, known.FROZEN) or isinstance(value, VIEWS):
        return Twin(type(iter(value)), iter(value))
    if which == known.MODULE:
        consulted.of_class(type(value), "__iter__", origin)
        consulted.module(value, origin)
        return (
            Twin(object, iter(tuple(value._modules.values())))
            if _lists(value)
            else Unknown(None, True)
        )
    if which in (known.TENSOR, known.VALUE) or consulted.is_made(value):
        return value if consulted.is_made(value) else Unknown(None, True)
    if isinstance(in_class(type(value), "__iter__"), FunctionType):
        consulted.of_class(type(value), "__iter__", origin)
        consulted.of_class(type(value), "__next__", origin)
        return result
    consulted.refuse(f"a loop over {label(value)}", origin)
    return Unknown(None, True)


def _lists(module: object) -> bool:
    own = in_class(type(module), "__iter__")
    return getattr(own, "__module__", "") == "graphc.nn.module.containers" and hasattr(
        type(module), "append"
    )


def unpack(
    consulted: Consulted, value: Any, count: int, origin: Origin, after: int = -1
) -> list[Any]:
    """The values of `a, b = value`, in their order; with `after`, of `a, *b, c = value`."""
    total = count if after < 0 else count + 1 + after
    which = kind(value)
    if isinstance(value, Copy) and after < 0 and len(value.values) == count:
        return list(value.values)
    if isinstance(value, Unknown):
        if which not in (known.FROZEN, known.SCALAR, known.TENSOR) and not value.made:
            consulted.refuse("unpacking of a value that is not known", origin)
        return [Unknown() for _ in range(total)]
    if which == known.CONTAINER:
        consulted.content(value, f"a {label(value)}", origin)
    elif which not in (known.FROZEN, known.SCALAR, known.TENSOR, known.VALUE):
        consulted.refuse(f"unpacking of {label(value)}", origin)
        return [Unknown() for _ in range(total)]
    if isinstance(value, Tensor) or which == known.VALUE:
        return [Unknown(Tensor if which == known.TENSOR else None) for _ in range(total)]
    found = list(value)
    if after < 0:
        return found if len(found) == count else [Unknown() for _ in range(total)]
    tail = found[len(found) - after :] if after else []
    return [*found[:count], Unknown(list, True), *tail]


def contains(consulted: Consulted, container: object, item: object, origin: Origin) -> None:
    """`item in container`."""
    which = kind(container)
    compares = is_plain(item) or kind(item) in (known.CLASS, known.FUNCTION)
    if compares and (which in (known.SCALAR, known.VALUE) or _is_made(consulted, container)):
        return
    if compares and which in (known.CONTAINER, known.FROZEN):
        what = f"a {label(container)}"
        if contents_are_known(consulted, container, what, origin):
            return
    if which == known.MODULE and not isinstance(container, Unknown):
        consulted.of_class(type(container), "__contains__", origin)
        return
    consulted.refuse(f"in a {label(container)}", origin)


__all__ = [
    "VIEWS", "Copy", "Runs", "Twin", "binary", "contains", "contents_are_known", "deep",
    "is_plain", "iterate", "kind", "label", "subscript", "truth", "unary", "unpack",
]  # fmt: skip
