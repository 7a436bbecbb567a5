"""`operation`: the public function of a graph: what it computes is written once, as the graph.

@operation("CeluBackward0")
def celu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    below = expm1(where(input > 0, 0, input) / alpha)
    return where(input > 0, input, below * alpha)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.nn.functional.common import applied
from graphc.nn.written import written

F = TypeVar("F", bound=Callable[..., Any])


def operation(backward: str, inputs: int = 1) -> Callable[[F], F]:
    """Make one operation of a function that builds a graph of its first arguments.

    The others are settings: the graph is made for each of their values, so that the function
    checks them once. A last one called `inplace` is not for the graph: where it is true, the
    result is written into the input.

    Args:
        backward: the name of its backward step.
        inputs: how many tensors come first.
    """

    def make(function: F) -> F:
        body = composite(named(backward)(function))
        names = list(inspect.signature(function).parameters)
        settings = [name for name in names[inputs:] if name != "inplace"]
        given = ", ".join(names[:inputs] + [f"{name}={name}" for name in settings])
        result = f"_body({given})"
        if "inplace" in names:
            in_place = ", ".join([names[0], "True", *given.split(", ")[1:]])
            result += f" if not inplace else _applied(_body, {in_place})"
        defaults = function.__defaults__ or ()
        first = len(names) - len(defaults)
        heads = [n if k < first else f"{n}=_defaults[{k - first}]" for k, n in enumerate(names)]
        source = f"def {function.__name__}({', '.join(heads)}): return {result}"
        scope = {"_body": body, "_applied": applied, "_defaults": defaults}
        code = function.__code__
        made = written(function.__name__, source, scope, function.__globals__,
                       code.co_filename, code.co_firstlineno)  # fmt: skip
        functools.update_wrapper(made, function)
        return made

    return make
