"""Random programs that read numbers through paths of objects, and changes along these paths.

A path is a root (a global, a closure, a default, `self`) and steps (an attribute, an item, a
property, a method, a comprehension ...). `Program.change` replaces what stands at one of its steps.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc


class Plain:
    def __init__(self, a: Any) -> None:
        self.a = a


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a: Any) -> None:
        self.a = a


class Property:
    def __init__(self, a: Any) -> None:
        self._a = a

    @property
    def a(self) -> Any:
        return self._a


class Method:
    def __init__(self, a: Any) -> None:
        self._a = a

    def a(self) -> Any:
        return self._a


class Callable_:
    def __init__(self, a: Any) -> None:
        self._a = a

    def __call__(self) -> Any:
        return self._a


class Indexed:
    def __init__(self, a: Any) -> None:
        self._a = a

    def __getitem__(self, index: int) -> Any:
        return self._a


class Dynamic:
    def __init__(self, a: Any) -> None:
        self._held = {"a": a}

    def __getattr__(self, name: str) -> Any:
        return self._held[name]


class Iterated:
    def __init__(self, a: Any) -> None:
        self._a = a

    def __iter__(self) -> Any:
        yield self._a


@dataclasses.dataclass
class Data:
    a: Any
    b: int = 0


@dataclasses.dataclass(slots=True)
class SlottedData:
    a: Any


Named = namedtuple("Named", ["a", "b"])


class Mod(gc.nn.Module):
    def __init__(self, a: Any) -> None:
        super().__init__()
        self.a = a


class Level(enum.Enum):
    LOW = 1
    HIGH = 5


def identity(value: Any) -> Any:
    return value


def _class(a: Any) -> type:
    return type("Made", (), {"a": a})


def _derived(a: Any) -> Any:
    return type("Derived", (_class(a),), {})()


def _attributed(a: Any) -> Any:
    def function() -> None:
        pass

    function.a = a  # type: ignore[attr-defined]
    return function


def _closed(a: Any) -> Any:
    return lambda: a


def _defaulted(a: Any) -> Any:
    def function(value: Any = a) -> Any:
        return value

    return function


def _keyword_defaulted(a: Any) -> Any:
    def function(*, value: Any = a) -> Any:
        return value

    return function


def _space(a: Any) -> Any:
    module = types.ModuleType("made")
    module.a = a  # type: ignore[attr-defined]
    return module


def _set(name: str) -> Callable[[Any, Any], None]:
    return lambda owner, value: setattr(owner, name, value)


def _set_item(key: Any) -> Callable[[Any, Any], None]:
    return lambda owner, value: owner.__setitem__(key, value)


def _set_cell(owner: Any, value: Any) -> None:
    owner.__closure__[0].cell_contents = value


def _set_class(owner: Any, value: Any) -> None:
    type(owner).a = value


def _set_base(owner: Any, value: Any) -> None:
    type(owner).__mro__[1].a = value  # type: ignore[attr-defined]


def _hide_class(owner: Any, value: Any) -> None:
    owner.a = value


def _set_only(owner: Any, value: Any) -> None:
    owner.clear()
    owner.add(value)


def _append_before(owner: Any, value: Any) -> None:
    owner.insert(0, value)


@dataclasses.dataclass
class Step:
    """How a value is held, read and changed.

    Attributes:
        make: what holds a value.
        read: the source that takes it out of `{}`.
        changes: ways to put another in its place.
        leaf: whether it holds numbers alone.
    """

    make: Callable[[Any], Any]
    read: str
    changes: tuple[Callable[[Any, Any], None], ...] = ()
    leaf: bool = False


STEPS = {
    "attribute": Step(Plain, "{}.a", (_set("a"),)),
    "slot": Step(Slotted, "{}.a", (_set("a"),)),
    "property": Step(Property, "{}.a", (_set("_a"),)),
    "method": Step(Method, "{}.a()", (_set("_a"),)),
    "replaced method": Step(Method, "{}.a()", (lambda o, v: setattr(o, "a", lambda: v),)),
    "call": Step(Callable_, "{}()", (_set("_a"),)),
    "index": Step(Indexed, "{}[0]", (_set("_a"),)),
    "dynamic": Step(Dynamic, "{}.a", (lambda o, v: o._held.update(a=v),)),
    "iterated": Step(Iterated, "[v for v in {}][0]", (_set("_a"),)),
    "dataclass": Step(Data, "{}.a", (_set("a"),)),
    "slotted dataclass": Step(SlottedData, "{}.a", (_set("a"),)),
    "named tuple": Step(lambda a: Named(a, 1), "{}.a"),
    "tuple": Step(lambda a: (0, a), "{}[1]"),
    "list": Step(lambda a: [0, a], "{}[1]", (_set_item(1), _append_before)),
    "list from behind": Step(lambda a: [0, a], "{}[-1]", (_set_item(1), lambda o, v: o.append(v))),
    "slice": Step(lambda a: [0, a], "{}[1:][0]", (_set_item(1),)),
    "dict": Step(lambda a: {"k": a}, '{}["k"]', (_set_item("k"),)),
    "ordered dict": Step(lambda a: OrderedDict(k=a), '{}["k"]', (_set_item("k"),)),
    "get": Step(lambda a: {"k": a}, '{}.get("k")', (_set_item("k"),)),
    "items": Step(lambda a: {"k": a}, "[v for k, v in {}.items()][0]", (_set_item("k"),)),
    "values": Step(lambda a: {"k": a}, "list({}.values())[0]", (_set_item("k"),)),
    "comprehension": Step(lambda a: [a], "[v for v in {}][0]", (_set_item(0), _append_before)),
    "next": Step(lambda a: [a], "next(v for v in {})", (_set_item(0), _append_before)),
    "zip": Step(lambda a: [a], "[v for v, w in zip({}, (1, 2))][0]", (_set_item(0),)),
    "enumerate": Step(lambda a: [a], "[v for k, v in enumerate({})][0]", (_set_item(0),)),
    "reversed": Step(lambda a: [a], "list(reversed({}))[0]", (_set_item(0),)),
    "map": Step(lambda a: [a], "list(map(identity, {}))[0]", (_set_item(0),)),
    "star": Step(lambda a: [a], "(lambda *v: v[0])(*{})", (_set_item(0),)),
    "keywords": Step(lambda a: {"v": a}, "(lambda v: v)(**{})", (_set_item("v"),)),
    "getattr": Step(Plain, 'getattr({}, "a")', (_set("a"),)),
    "vars": Step(Plain, 'vars({})["a"]', (_set("a"),)),
    "class": Step(_class, "{}.a", (_set("a"),)),
    "class attribute": Step(lambda a: _class(a)(), "{}.a", (_set_class, _hide_class)),
    "inherited": Step(_derived, "{}.a", (_set_base, _set_class, _hide_class)),
    "function attribute": Step(_attributed, "{}.a", (_set("a"),)),
    "closure": Step(_closed, "{}()", (_set_cell,)),
    "default": Step(
        _defaulted, "{}()", (lambda o, v: setattr(o, "__defaults__", (v,)),)
    ),
    "keyword default": Step(
        _keyword_defaulted, "{}()",
        (lambda o, v: o.__kwdefaults__.update(value=v),
         lambda o, v: setattr(o, "__kwdefaults__", {"value": v})),
    ),
    "code": Step(_closed, "{}()", (lambda o, v: setattr(o, "__code__", _closed(v).__code__)  # type: ignore[func-returns-value]
                                   or _set_cell(o, v),)),  # type: ignore[func-returns-value]
    "partial": Step(lambda a: functools.partial(identity, a), "{}()"),
    "namespace": Step(_space, "{}.a", (_set("a"),)),
    "module": Step(Mod, "{}.a", (_set("a"),)),
    "set": Step(lambda a: {a}, "max({})", (_set_only,), leaf=True),
    "in a set": Step(lambda a: {a}, "(2.0 if 3 in {} else 7.0)", (_set_only,), leaf=True),
    "deque": Step(lambda a: deque([a]), "sum({})", (_set_item(0),), leaf=True),
    "array": Step(lambda a: np.array([a]), "float({}[0])", (_set_item(0),), leaf=True),
    "length": Step(lambda a: [0] * int(a), "len({})",
                   (lambda o, v: o.__setitem__(slice(None), [0] * int(v)),), leaf=True),
    "long list": Step(lambda a: [a] * 300, "{}[77]", (_set_item(77),), leaf=True),
    "sum": Step(lambda a: [a, 1], "sum({})", (_set_item(0),), leaf=True),
    "sorted": Step(lambda a: [a, 1], "sorted({})[1]", (_set_item(0),), leaf=True),
    "text": Step(lambda a: str(a), "float({})", leaf=True),
    "enumeration": Step(lambda a: Level.HIGH if a > 3 else Level.LOW, "{}.value", leaf=True),
    "truth": Step(lambda a: [1] if a > 3 else [], "(2.0 if {} else 7.0)",
                  (lambda o, v: o.clear() if o else o.append(1),), leaf=True),
}  # fmt: skip

_ROOTS = {
    "global": ("def f(x):\n    {body}", lambda space, v: space.__setitem__("ROOT", v)),
    "closure": (
        "def outer():\n    ROOT = START\n    def f(x):\n        {body}\n    return f\nf = outer()",
        lambda space, v: _set_cell(space["f"], v),
    ),
    "default": (
        "def f(x, ROOT=START):\n    {body}",
        lambda space, v: setattr(space["f"], "__defaults__", (v,)),
    ),
    "keyword default": (
        "def f(x, *, ROOT=START):\n    {body}",
        lambda space, v: space["f"].__kwdefaults__.update(ROOT=v),
    ),
    "self": (
        "class Net(gc.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.root = START\n    def forward(self, x):\n        {body}\nf = Net()",
        lambda space, v: setattr(space["f"], "root", v),
    ),
}  # fmt: skip
_BODIES = (
    "return x * {read}",
    "k = {read}; return x * k + k",
    "return x + 1 if {read} > 3 else x - 1",
    "return (lambda y: y * {read})(x)",
    "return sum([x * {read}, x])",
    "return helper(x, {read})",
    "y = [x * k for k in ({read}, 2.0)]; return y[0] + y[1]",
    "total = x\n{indent}for k in range(3):\n{indent}    total = total + k * {read}\n"
    "{indent}return total",
    "return x * float(f\"{{{read}}}\")",
    "class_ = type({read}); return x * class_({read})",
)  # fmt: skip


class Program:
    """A function of a tensor that reads one number through a path.

    Args:
        root: where the path begins.
        steps: the names of its steps, from the root on.
        body: which use is made of the number.
        leaf: the number.
    """

    def __init__(self, root: str, steps: list[str], body: int, leaf: float) -> None:
        self.steps = steps
        self.leaf = leaf
        self.root = root
        template, self._set_root = _ROOTS[root]
        read = "self.root" if root == "self" else "ROOT"
        for name in steps:
            read = STEPS[name].read.replace("{}", read, 1)
        indent = " " * (8 if root in ("closure", "self") else 4)
        # The indices of comprehensions are their own; an f-string takes no quotes of its own kind.
        text = _BODIES[body].replace("{read}", read).replace("{indent}", indent)
        text = text.replace("{{", "{").replace("}}", "}")
        if body == 8 and '"' in read:
            text = f"return x * {read}"
        self.source = "def helper(x, k):\n    return x * k\n" + template.replace("{body}", text)
        self._objects = self._built(leaf)
        self.space: dict[str, Any] = {
            "START": self._objects[0], "ROOT": self._objects[0], "gc": gc, "identity": identity,
            "__name__": "tests.made",
        }  # fmt: skip
        if root in ("closure", "default", "keyword default", "self"):
            del self.space["ROOT"]
        exec(compile(self.source, "<a program>", "exec"), self.space)

    def _built(self, leaf: float) -> list[Any]:
        """The objects of the path, the root first, the number last."""
        found: list[Any] = [leaf]
        for name in reversed(self.steps):
            found.insert(0, STEPS[name].make(found[0]))
        return found

    @property
    def function(self) -> Any:
        return self.space["f"]

    def change(self, level: int, how: int, leaf: float) -> str:
        """Replace what stands behind the step of a level; the root's where that cannot be."""
        built = self._built(leaf)
        for place in range(level, -1, -1):
            changes = STEPS[self.steps[place]].changes if self.steps else ()
            if changes:
                change = changes[how % len(changes)]
                change(self._objects[place], built[place + 1])
                self._objects[place + 1 :] = built[place + 1 :]
                return f"{self.steps[place]} changed"
        self._set_root(self.space, built[0])
        self._objects = built
        return "root changed"
