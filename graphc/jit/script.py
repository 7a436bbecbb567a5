"""PyTorch's names of its own script compiler, so that code with its decorators runs.

Nothing is compiled by them: `gc.jit.compile` does that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from graphc.errors import GraphcWarning

T = TypeVar("T")


def script(obj: T, example_inputs: Any = None) -> T:
    """PyTorch's script compiler: gives back what it is given, with a warning what to use.

    Args:
        obj: a function or a module.
        example_inputs: of no effect.

    Example:
        >>> import warnings
        >>> import graphc as gc
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     gc.jit.script(abs)(-1)
        1
        >>> print(said[0].message)
        jit.script compiles nothing: use gc.jit.compile(f)
    """
    warnings.warn("jit.script compiles nothing: use gc.jit.compile(f)", GraphcWarning, stacklevel=2)
    return obj


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator for what PyTorch's script compiler leaves alone: the function as it is.

    Example:
        >>> import graphc as gc
        >>> gc.jit.ignore(abs)(-1)
        1
    """
    return drop if callable(drop) else lambda function: function


def unused(fn: T) -> T:
    """A decorator for what PyTorch's script compiler leaves out: the function as it is.

    Example:
        >>> import graphc as gc
        >>> gc.jit.unused(abs)(-1)
        1
    """
    return fn


def script_if_tracing(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator for what PyTorch compiles within a trace: the function as it is.

    Example:
        >>> import graphc as gc
        >>> gc.jit.script_if_tracing(abs)(-1)
        1
    """
    return fn


def is_scripting() -> bool:
    """Whether PyTorch's script compiler reads this code: never.

    Example:
        >>> import graphc as gc
        >>> gc.jit.is_scripting()
        False
    """
    return False


def is_tracing() -> bool:
    """Whether PyTorch's tracer runs this code: never; `gc.jit.compile` needs no other code.

    Example:
        >>> import graphc as gc
        >>> gc.jit.is_tracing()
        False
    """
    return False


def annotate(the_type: Any, the_value: T) -> T:
    """A value with a type for PyTorch's script compiler: the value.

    Example:
        >>> import graphc as gc
        >>> gc.jit.annotate(list[int], [])
        []
    """
    return the_value


__all__ = [
    "annotate", "ignore", "is_scripting", "is_tracing", "script", "script_if_tracing", "unused",
]  # fmt: skip
