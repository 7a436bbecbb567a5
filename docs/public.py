"""What is public: by name, every function, class and method that a user can reach from `gc`.

A name stands for one thing: what two modules export is listed by each, and a method by the class
that defines it. A method that overrides one of a public class is that one's: it is explained there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from graphc.core.operators import Operators

MODULES = (
    "graphc", "graphc.accelerator", "graphc.amp", "graphc.autograd", "graphc.autograd.functional",
    "graphc.backends", "graphc.config", "graphc.cuda", "graphc.data", "graphc.data.vision",
    "graphc.data.vision.datasets", "graphc.data.vision.transforms", "graphc.debug",
    "graphc.distributed", "graphc.distributions", "graphc.distributions.constraints",
    "graphc.distributions.transforms", "graphc.errors", "graphc.jit", "graphc.linalg", "graphc.nn",
    "graphc.nn.functional", "graphc.nn.init", "graphc.nn.parallel", "graphc.nn.utils",
    "graphc.nn.utils.rnn", "graphc.optim", "graphc.optim.lr_scheduler", "graphc.testing",
    "graphc.text", "graphc.utils.checkpoint", "graphc.viz",
    "graphc.quantisation",
    *(["graphc.onnx"] if find_spec("onnx") else []),  # an extra
)  # fmt: skip


def exported(module: str) -> dict[str, Any]:
    """The functions and classes of a module, as it exports them, or else as it defines them."""
    names = import_module(module)
    listed = getattr(names, "__all__", None)
    if listed is None:
        own = {n: v for n, v in vars(names).items() if getattr(v, "__module__", "") == module}
        listed = [name for name in own if not name.startswith("_")]
    found = {name: getattr(names, name) for name in listed}
    return {
        name: thing
        for name, thing in found.items()
        if callable(thing) and getattr(thing, "__module__", "graphc").startswith("graphc")
    }


@functools.cache
def classes() -> frozenset[type]:
    """The classes that some module exports, and the one that has a symbolic tensor's methods."""
    found = {thing for module in MODULES for thing in exported(module).values()}
    return frozenset(thing for thing in found if isinstance(thing, type)) | {Operators}


def members(of: type) -> dict[str, Any]:
    """The public methods and properties of a class: its own, and those of bases nobody exports."""
    inner = [base for base in of.__mro__[1:] if base.__module__.startswith("graphc")]
    own = [of, *(base for base in inner if base not in classes())]
    found = {}
    for name, thing in (pair for base in reversed(own) for pair in vars(base).items()):
        if isinstance(thing, property | functools.cached_property):
            thing = thing.fget if isinstance(thing, property) else thing.func
        elif isinstance(thing, classmethod | staticmethod):
            thing = thing.__func__
        elif not inspect.isroutine(thing):
            continue
        if not name.startswith("_"):
            found[name] = thing
    return found


def explained(of: type, name: str) -> Any:
    """The method that the others override; None if it is one of another public class."""
    bases = [base for base in of.__mro__[1:] if base in classes() and base is not Operators]
    if any(name in members(base) for base in bases):
        return None
    own = [base for base in of.__mro__ if base.__module__.startswith("graphc")]
    found = [members(base)[name] for base in own if name in members(base) and base is not Operators]
    return found[-1]


def things(module: str) -> Iterator[tuple[str, Any]]:
    """Every public thing of a module, with its dotted name."""
    for name, thing in exported(module).items():
        yield f"{module}.{name}", thing
        if isinstance(thing, type) and thing.__module__.startswith("graphc"):
            for member in members(thing):
                if (method := explained(thing, member)) is not None:
                    yield f"{module}.{name}.{member}", method
    if module == "graphc":
        yield "graphc.core.operators.Operators", Operators
        for member, method in members(Operators).items():
            yield f"graphc.core.operators.Operators.{member}", method
