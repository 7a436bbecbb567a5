"""`operation`: the public function of a graph: what it computes is written once, as the graph.

@operation("CeluBackward0")
def celu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    below = expm1(where(input > 0, 0, input) / alpha)
    return where(input > 0, input, below * alpha)

What differs by the number of spatial axes alone is written once for all: `spatial`, and `again`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.nn.functional.common import applied, reduction_of
from graphc.nn.written import written

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
# What becomes something else on the way to the graph: PyTorch's old arguments, lists.
_OLD = ("size_average", "reduce")
_REDUCTION = (
    "reduction=reduction if size_average is reduce is None else "
    "_reduction_of(size_average, reduce, reduction)"
)


def operation(backward: str) -> Callable[[F], F]:
    """Make one operation of a function that builds a graph of its parameters of type `AnyTensor`.

    The others are settings: the graph is made for each of their values, so that the function
    checks them once. One called `inplace` is not for the graph: where it is true, the result is
    written into the first input. Nor are `size_average` and `reduce`, which become `reduction`.

    Args:
        backward: the name of its backward step.
    """
    return lambda function: _made(function, backward, function.__name__, function.__doc__)


def spatial(
    backward: str, rank: int = 1
) -> Callable[[Callable[Concatenate[int, P], Any]], Callable[P, Any]]:
    """`operation` of a function whose first parameter is the number of spatial axes: for `rank`."""
    return lambda function: _made(function, backward, function.__name__, function.__doc__, rank)


def again(of: Callable[P, Any], rank: int) -> Callable[[Callable[[], None]], Callable[P, Any]]:
    """What `spatial` made, for more axes, from a function that only explains it.

    @again(conv1d, 2)
    def conv2d() -> None:
        '''The cross-correlation of images with kernels.'''
    """
    function: Any = inspect.unwrap(of)
    backward = of.backward  # type: ignore[attr-defined]
    return lambda said: _made(
        function, backward, said.__name__, said.__doc__, rank, said.__code__.co_firstlineno
    )


def _made(
    function: Callable[..., Any], backward: str, name: str, doc: str | None, *rank_and_line: int
) -> Any:
    """The public function; of `spatial`, with the rank, and with the line where it stands."""
    rank = rank_and_line[:1]
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[len(rank) :]
    tensors = [p.name for p in parameters if str(p.annotation).startswith("AnyTensor")]
    body = function
    if rank or [p.name for p in parameters[: len(tensors)]] != tensors:
        body = _placed(function, name, tensors, rank)
    scope = {
        "_body": composite(named(backward)(body)), "_applied": applied,
        "_reduction_of": reduction_of, "_defaults": {p.name: p.default for p in parameters},
    }  # fmt: skip
    code = function.__code__
    line = rank_and_line[1] if len(rank_and_line) > 1 else code.co_firstlineno
    source = _source(name, parameters, tensors)
    made = written(name, source, scope, function.__globals__, code.co_filename, line)
    functools.update_wrapper(made, function)
    made.__name__ = made.__qualname__ = name
    made.__doc__, made.backward = doc, backward
    if rank:
        made.__signature__ = signature.replace(parameters=parameters)
    return made


def _source(name: str, parameters: Sequence[inspect.Parameter], tensors: Sequence[str]) -> str:
    """The definition of a function that hands its tensors to a graph, then its settings."""
    names = [p.name for p in parameters]
    given = [*tensors, *(_setting(p, names) for p in parameters
                         if p.name not in (*tensors, *_OLD, "inplace"))]  # fmt: skip
    result = f"_body({', '.join(given)})"
    if "inplace" in names:
        in_place = ", ".join([given[0], "True", *given[1:]])
        result += f" if not inplace else _applied(_body, {in_place})"
    heads = [p.name if p.default is p.empty else f"{p.name}=_defaults['{p.name}']"
             for p in parameters]  # fmt: skip
    return f"def {name}({', '.join(heads)}): return {result}"


def _setting(parameter: inspect.Parameter, names: Sequence[str]) -> str:
    """How a setting is handed on: as what can be part of a key, so that a list is a tuple."""
    name = parameter.name
    if name == "reduction" and "reduce" in names:
        return _REDUCTION
    if parameter.annotation == "Sequence[int]":
        return f"{name}=tuple({name})"
    if any(kind in str(parameter.annotation) for kind in ("Ints", "Sizes", "Sequence")):
        return f"{name}={name} if {name}.__class__ is not list else tuple({name})"
    return f"{name}={name}"


def _placed(
    function: Callable[..., Any], name: str, tensors: Sequence[str], rank: tuple[int, ...]
) -> Callable[..., Any]:
    """The function with its tensors in front of all settings."""

    @functools.wraps(function)
    def body(*given: Any, **settings: Any) -> Any:
        return function(*rank, **dict(zip(tensors, given)), **settings)

    body.__name__ = body.__qualname__ = name
    return body
