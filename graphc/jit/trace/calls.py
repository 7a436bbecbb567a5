"""What a call relies on, by what is called.

Python functions are followed themselves; of graphc's own those that only compute may be called,
and of built-in ones those in the tables of `known`. All other calls are not proven.
"""

from __future__ import annotations

import functools
import inspect
from types import CodeType, FunctionType, GeneratorType, MethodType
from typing import Any

from graphc.core.ir import Origin
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.frames import NOTHING, NewFunction
from graphc.jit.trace.lookups import Runs, Unknown, in_class, look_up
from graphc.jit.trace.operations import (
    VIEWS,
    Copy,
    Twin,
    contents_are_known,
    deep,
    is_plain,
    iterate,
    kind,
    label,
)  # fmt: skip
from graphc.jit.trace.readings import MISSING

# Built-in functions whose result is a plain value where all they are given is plain.
_AGAIN = known.PURE - {iter, next, sorted, format}
_OF_ITEMS = (sum, max, min, sorted, any, all)
_RESULTS: dict[Any, type] = {
    len: int, isinstance: bool, issubclass: bool, callable: bool, any: bool, all: bool,
    sorted: list, format: str,
}  # fmt: skip


class Method(Unknown):
    """A method of a value that is not at hand.

    Attributes:
        owner: the value.
        name: the method's name.
    """

    __slots__ = ("name", "owner")

    def __init__(self, owner: Unknown, name: str) -> None:
        super().__init__()
        self.owner = owner
        self.name = name


class Call:
    """One call, as its instruction has it.

    Attributes:
        function: what is called.
        args: the arguments in their order.
        keywords: those by name.
        result: what Python code returned, where it ran any; NOTHING else.
        origin: the line.
        frame: the caller's frame, for `super()`.
    """

    __slots__ = ("args", "consulted", "frame", "function", "keywords", "origin", "result")

    def __init__(
        self, consulted: Consulted, function: Any, args: list[Any], keywords: dict[str, Any],
        result: Any, origin: Origin, frame: Any,
    ) -> None:  # fmt: skip
        self.consulted = consulted
        self.function = function
        self.args = args
        self.keywords = keywords
        self.result = result
        self.origin = origin
        self.frame = frame

    def refuse(self, reason: str) -> Unknown:
        """The call is not proven."""
        self.consulted.refuse(reason, self.origin)
        return Unknown()

    def given(self) -> list[Any]:
        """All arguments."""
        return [*self.args, *self.keywords.values()]

    def arguments_are_known(self) -> bool:
        """Note what the arguments hold; False, and a refusal, where that is not known."""
        name = getattr(self.function, "__name__", "a function")
        for value in self.given():
            if not contents_are_known(self.consulted, value, f"an argument of {name}", self.origin):
                self.refuse(f"a {label(value)} given to {name}")
                return False
        return True

    def returned(self) -> Any:
        """What Python code returned."""
        return Unknown() if self.result is NOTHING else self.result


def call(this: Call) -> Any:
    """The result of a call, with readings of what it relied on."""
    function = this.function
    if isinstance(function, NewFunction):
        return _generator(function.code) or this.returned()
    if isinstance(function, Method):
        return _method_of_unknown(this, function)
    if isinstance(function, Runs | Unknown):
        # Python code that a value of the run leads to is followed; of other code nothing is known.
        return this.returned() if this.result is not NOTHING else this.refuse("an unknown call")
    if isinstance(function, MethodType):
        if not isinstance(function.__func__, FunctionType):
            return this.refuse(f"a call of {label(function.__func__)}")
        return _python(this, function.__func__, function.__self__)
    if isinstance(function, FunctionType):
        return _python(this, function, None)
    if isinstance(function, functools.partial):
        if not this.consulted.is_made(function):
            this.consulted.content(function.keywords, "the keywords of a partial", this.origin)
            if not contents_are_known(this.consulted, function.args, "a partial", this.origin):
                return this.refuse("a partial of objects")
        inner = Call(
            this.consulted, function.func, [*function.args, *this.args],
            {**function.keywords, **this.keywords}, this.result, this.origin, this.frame,
        )  # fmt: skip
        return call(inner)
    if isinstance(function, type):
        return _class(this, function)
    which = kind(function)
    if which == known.BUILTIN:
        return _built_in(this, function)
    return _instance(this, function, which)


def _python(this: Call, function: FunctionType, owner: Any) -> Any:
    """A function written in Python."""
    module = str(function.__module__)
    own = known.is_ours(module) and function.__code__.co_filename.endswith(".py")
    if not known.is_ours(module) or _is_users(function):
        this.consulted.function(function, this.origin)
        return _generator(function.__code__) or this.returned()
    if not own and "numpy code of" not in function.__code__.co_filename:
        return this.refuse(f"a call of {function.__name__}")
    if not known.computes(function):
        return this.refuse(f"{function.__name__}() reads or sets more than a program can")
    if owner is not None and kind(owner) in (known.OBJECT, known.UNKNOWN):
        if not this.consulted.is_made(owner) and not _is_compiled(owner):
            return this.refuse(f"a method of a {label(owner)}")
    if function.__name__ == "requires_grad_" and getattr(owner, "_node", None) is None:
        return this.refuse("requires_grad_() of a tensor from outside")
    if not this.arguments_are_known():
        return Unknown()
    return _generator(function.__code__) or this.returned()


def _generator(code: CodeType) -> Unknown | None:
    """What a call of a generator's function gives, before any of its code has run."""
    return Unknown(GeneratorType, True) if code.co_flags & inspect.CO_GENERATOR else None


def _is_users(function: FunctionType) -> bool:
    """Whether a function with graphc's module name is the user's: a wrapper around one."""
    return not known.is_ours(str(function.__globals__.get("__name__", "")))


def _is_compiled(owner: Any) -> bool:
    """Whether an object is a compiled function, which in a trace is the function itself."""
    type_ = type(owner)
    return (type_.__module__, type_.__name__) == ("graphc.jit.compiled", "Compiled")


def _class(this: Call, made: type) -> Any:
    """A new object."""
    if made is super:
        return _super(this)
    if made is type:
        return _type_of(this)
    if made in known.PURE_TYPES:
        return _built_in_type(this, made)
    if issubclass(made, BaseException):
        return Unknown(made, True) if this.arguments_are_known() else Unknown()
    if known.is_ours(made.__module__):
        return _own_class(this, made)
    if type(made) is not type and not issubclass(type(made), type(_abstract())):
        return this.refuse(f"a new {made.__name__}, whose class has a metaclass")
    created = in_class(made, "__new__") is object.__new__
    for name in ("__new__", "__init__"):
        found = in_class(made, name)
        this.consulted.of_class(made, name, this.origin)
        written = getattr(found, "__func__", found)
        if found is not in_class(object, name) and not isinstance(written, FunctionType):
            return this.refuse(f"a new {made.__name__}")
    if not isinstance(in_class(made, "__init__"), FunctionType) and not this.arguments_are_known():
        return Unknown()
    return Unknown(made, created)


def _abstract() -> type:
    import abc

    return abc.ABC


def _own_class(this: Call, made: type) -> Any:
    if made.__module__ == "graphc.eager.engine.mode" and made.__name__ in known.MODES:
        return Unknown(made, True) if this.arguments_are_known() else Unknown()
    if made.__module__.startswith(known.MADE_MODULES) and this.arguments_are_known():
        return Unknown(made, True)
    return this.refuse(f"a new {made.__name__}")


def _super(this: Call) -> Any:
    """`super()` and `super(Class, self)`."""
    frame = this.frame
    try:
        if this.args:
            return super(this.args[0], this.args[1])
        first = frame.code.co_varnames[0] if frame.code.co_argcount else ""
        owner = frame.local(first)
        return super(frame.local("__class__"), owner)
    except Exception:
        return this.refuse("super()")


def _type_of(this: Call) -> Any:
    if len(this.args) != 1:
        return this.refuse("a class made in the run")
    value = this.args[0]
    return Unknown(type) if isinstance(value, Unknown) else type(value)


def _built_in_type(this: Call, made: type) -> Any:
    args = this.args
    if made in known.ITERATORS:
        return _iterator(this, made)
    if all(map(is_plain, this.given())) and not any(isinstance(v, Unknown) for v in this.given()):
        if (
            made not in (list, dict, set)
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
        _iterated(this, value, made)
    if made in (list, tuple) and len(args) == 1:
        return _listed(args[0], made)
    return Unknown(made, True)


def _listed(value: Any, made: Any) -> Any:
    """`list(value)` or `tuple(value)` of something gone through."""
    if isinstance(value, (Twin, Copy)):
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


def _iterated(this: Call, value: Any, made: Any) -> None:
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
        if not contents_are_known(this.consulted, value, f"a {label(value)}", this.origin):
            if getattr(made, "__name__", "") not in _SHALLOW:
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
        _iterated(this, value, made)
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


def _built_in(this: Call, function: Any) -> Any:
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if function is getattr:
        return _getattr(this)
    if function is hasattr:
        return _hasattr(this)
    if function is super.__init__ or name in ("__init__", "__init_subclass__"):
        return None if function.__qualname__.startswith("object.") else this.refuse(f"{name}()")
    if name == "__new__" and function in (tuple.__new__, object.__new__) and args_class(this):
        return Unknown(this.args[0], True) if this.arguments_are_known() else Unknown()
    if _is_hashable(function) and function in known.PURE:
        return _pure(this, function)
    if owner is not None and not isinstance(owner, type) and not hasattr(owner, "__spec__"):
        return _built_in_method(this, owner, name)
    if isinstance(owner, type) and owner in (dict, OrderedDictType) and name == "fromkeys":
        return Unknown(owner, True) if this.arguments_are_known() else Unknown()
    if function in (print, input, open, id):
        return this.refuse(f"{name}()")
    return this.refuse(f"a call of {_full_name(function)}")


def args_class(this: Call) -> bool:
    """Whether the first argument is a class."""
    return bool(this.args) and isinstance(this.args[0], type)


OrderedDictType = type(__import__("collections").OrderedDict())


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _full_name(function: Any) -> str:
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
        if isinstance(args[0], Unknown) and args[0].type is None:
            return this.refuse(f"{function.__name__}() of a value that is not known")
        if function is callable or isinstance(args[0], Unknown):
            return Unknown(bool)
        return function(*args) if not any(isinstance(a, Unknown) for a in args) else Unknown(bool)
    if function is next:
        return _next(this)
    given = this.given()
    if function in _AGAIN and all(map(is_plain, given)):
        if not any(isinstance(v, Unknown) for v in given) and function is not pow:
            try:
                return function(*args, **this.keywords)
            except Exception:
                return Unknown()
    for value in given:
        if known.kind_of(type(value)) == known.OBJECT and not isinstance(value, Unknown):
            if not this.consulted.is_made(value) and not isinstance(value, (GeneratorType, *VIEWS)):
                return this.refuse(f"{function.__name__}() of a {label(value)}")
        _iterated(this, value, function)
    if function in (sum, max, min, abs, round) and isinstance(this.result, Tensor):
        return this.result
    if function in _OF_ITEMS and not this.keywords:
        items = [deep(v) for v in args]
        if not any(v is None for v in items):
            try:
                found = function(*items)
            except Exception:
                return Unknown()
            return Copy(found) if function is sorted else found
    if function is iter:
        return Unknown(None, True)
    return Unknown(_RESULTS.get(function), function is sorted)


def _sized(this: Call, function: Any, value: Any) -> Any:
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
    if isinstance(value, GeneratorType) and value.gi_frame is not None:
        if known.is_ours(str(value.gi_frame.f_globals.get("__name__", ""))):
            return this.returned()
    return this.refuse(f"next() of a {label(value)} from outside")


def _getattr(this: Call) -> Any:
    owner, name = this.args[0], this.args[1]
    if isinstance(owner, Unknown) or not isinstance(name, str):
        return this.refuse("getattr() of a value that is not known")
    if len(this.args) > 2 and not hasattr_of(owner, name):
        _absent(this.consulted, owner, name, this.origin)
        return this.args[2]
    found = look_up(this.consulted, owner, name, this.origin)
    return this.returned() if isinstance(found, Runs) else found


def _hasattr(this: Call) -> Any:
    owner, name = this.args[0], this.args[1]
    if isinstance(owner, Unknown) or not isinstance(name, str):
        return this.refuse("hasattr() of a value that is not known")
    if hasattr_of(owner, name):
        look_up(this.consulted, owner, name, this.origin)
        return True
    _absent(this.consulted, owner, name, this.origin)
    return False


def hasattr_of(owner: Any, name: str) -> bool:
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


def _built_in_method(this: Call, owner: Any, name: str) -> Any:
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
            elif kind(value) == known.OBJECT and not isinstance(value, Unknown | GeneratorType):
                if hasattr(value, "__array__") or name in ("extend", "update"):
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


def _method_of_unknown(this: Call, function: Method) -> Any:
    owner, name = function.owner, function.name
    which = kind(owner)
    if which == known.TENSOR:
        return this.returned() if this.arguments_are_known() else Unknown()
    if which == known.CONTAINER and owner.made:
        return Unknown()
    if which in (known.SCALAR, known.FROZEN) and this.arguments_are_known():
        return Unknown(owner.type if name in ("format", "join", "strip", "lower") else None)
    return this.refuse(f"{name}() of a value that is not known")


def _instance(this: Call, function: Any, which: str) -> Any:
    """An object that is called: a module, an object with `__call__`."""
    found = in_class(type(function), "__call__")
    if not isinstance(found, FunctionType):
        return this.refuse(f"a call of a {label(function)}")
    this.consulted.of_class(type(function), "__call__", this.origin)
    if which == known.MODULE:
        this.consulted.module(function, this.origin)
        if known.is_ours(type(function).__module__) and not this.arguments_are_known():
            return Unknown()
        return this.returned()
    return _python(this, found, function)


__all__ = ["Call", "Method", "call"]
