"""What a call relies on, by what is called.

Python functions are followed themselves; of graphc's own those that only compute may be called,
and of built-in ones those in the tables of `known`. All other calls are not proven.
"""

from __future__ import annotations

import abc
import functools
import inspect
from types import CodeType, FunctionType, GeneratorType, MethodType
from typing import Any

from graphc.jit.trace import known
from graphc.jit.trace.arguments import Call, Method
from graphc.jit.trace.builtin_functions import built_in
from graphc.jit.trace.builtin_methods import method_of_unknown
from graphc.jit.trace.builtin_types import built_in_type
from graphc.jit.trace.frames import NOTHING, NewFunction
from graphc.jit.trace.lookups import Runs, Unknown, in_class
from graphc.jit.trace.operations import contents_are_known, kind, label
from graphc.jit.trace.readings import MISSING
from graphc.jit.trace.sizes import TracedSize


def call(this: Call) -> Any:
    """The result of a call, with readings of what it relied on."""
    function = this.function
    if isinstance(function, NewFunction):
        return _generator(function.code) or this.returned()
    if isinstance(function, Method):
        return method_of_unknown(this, function)
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
        return _partial(this, function)
    if isinstance(function, type):
        return _class(this, function)
    which = kind(function)
    if which == known.BUILTIN:
        return built_in(this, function)
    return _instance(this, function, which)


def _partial(this: Call, function: functools.partial[Any]) -> Any:
    """A function some of whose arguments were given before."""
    if not this.consulted.is_made(function):
        this.consulted.content(function.keywords, "the keywords of a partial", this.origin)
        if not contents_are_known(this.consulted, function.args, "a partial", this.origin):
            return this.refuse("a partial of objects")
    inner = Call(
        this.consulted, function.func, [*function.args, *this.args],
        {**function.keywords, **this.keywords}, this.result, this.origin, this.frame,
    )  # fmt: skip
    return call(inner)


def _python(this: Call, function: FunctionType, owner: object) -> Any:
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
    if (
        owner is not None
        and kind(owner) in (known.OBJECT, known.UNKNOWN)
        and not this.consulted.is_made(owner)
        and not _is_compiled(owner)
    ):
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


def _is_compiled(owner: object) -> bool:
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
        return built_in_type(this, made)
    if issubclass(made, BaseException):
        return Unknown(made, True) if this.arguments_are_known() else Unknown()
    if known.is_ours(made.__module__):
        return _own_class(this, made)
    if type(made) is not type and not issubclass(type(made), abc.ABCMeta):
        return this.refuse(f"a new {made.__name__}, whose class has a metaclass")
    if in_class(made, "__del__") is not MISSING or known.tells_of_going(made):
        this.consulted.end(f"a new {made.__name__}, which tells when an object goes", this.origin)
        return Unknown()
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
    if type(value) is TracedSize:
        this.consulted.of_size("type()", this.origin)
    this.consulted.type_of(value, this.origin)
    return Unknown(type) if isinstance(value, Unknown) else type(value)


def _instance(this: Call, function: object, which: str) -> Any:
    """An object that is called: a module, an object with `__call__`."""
    found = in_class(type(function), "__call__")
    if not isinstance(found, FunctionType):
        return this.refuse(f"a call of a {label(function)}")
    this.consulted.type_of(function, this.origin)
    this.consulted.of_class(type(function), "__call__", this.origin)
    if which == known.MODULE:
        this.consulted.module(function, this.origin)
        if known.is_ours(type(function).__module__) and not this.arguments_are_known():
            return Unknown()
        return this.returned()
    return _python(this, found, function)


__all__ = ["call"]
