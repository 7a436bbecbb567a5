"""`gc.print`: a tensor, shown each time that it is computed, in loops and branches too.

    h = gc.print("h is {}", gc.tanh(x @ w))

An op with an effect: compilers keep it, and keep effects in the order of the lines that made them
(see `ir.Graph.of`). Its rank among them is an attribute, by which a copy that a gradient makes of
it is known to be the same, and is merged with it.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.core.ir import Kind, Library, Op, Sample, caller
from graphc.core.types import TensorType
from graphc.errors import ArgumentError, AttributeValueError
from graphc.ops.checking import count_fields
from graphc.ops.declare import as_tensor, declare, public

_ranks = itertools.count()
_local = threading.local()
# What was raised while a program's own thread wrote, by the value in its status block.
_raised: dict[int, BaseException] = {}
_numbers = itertools.count(1)


@contextmanager
def muted() -> Iterator[None]:
    """Show nothing inside: a graph is run again for what it computes."""
    before = getattr(_local, "muted", False)
    _local.muted = True
    try:
        yield
    finally:
        _local.muted = before


def _print(y: np.ndarray, *values: np.ndarray, message: str, rank: int = 0) -> np.ndarray:
    print(message.format(*[v[()] for v in (y, *values)]), flush=True)
    return y


@functools.wraps(_print)
def write(y: np.ndarray, *values: np.ndarray, message: str, rank: int = 0) -> np.ndarray:
    """Print a message with its values, unless muted."""
    if getattr(_local, "muted", False):
        return y
    return _print(y, *values, message=message)


def caught(function: Callable[[], object]) -> int:
    """Call a function from native code: 0, or what `failure` takes where it raised."""
    try:
        function()
    except BaseException as error:
        number = next(_numbers)
        _raised[number] = error
        return number
    return 0


def _failure(node: object, value: int) -> BaseException:
    return _raised.pop(value)


def _infer(y: TensorType, *values: TensorType, message: str, rank: int) -> TensorType:
    # Files have messages too: a field of another kind could ask for attributes, or for much memory.
    if count_fields(message) != 1 + len(values):
        raise AttributeValueError(f"print: the message {message!r:.60} is no text with {{}} alone")
    if not isinstance(rank, int):
        raise AttributeValueError(f"print: the rank {rank!r:.60} is no int")
    return y


def _samples() -> list[Sample]:
    two = (((3, 4), "float32", "real"), ((2,), "int64", "real"))
    return [
        Sample(two, {"message": "x {} t {}", "rank": 0}),
        Sample((((0, 2), "bool", "real"),), {"message": "b {}", "rank": 1}),
        Sample((((), "float64", "real"),), {"message": "{}", "rank": 2}),
    ]


PRINT = declare(
    Op(
        "print", Kind.LIBRARY, _infer, write,
        lambda node, ct: (ct, *[None] * (len(node.inputs) - 1)),
        Library("print", failure=_failure),
        pure=False, checked=True, effect=lambda node: node.attr("rank"), samples=_samples,
        doc="The first operand, shown in a message with the others when it is computed.",
    )
)  # fmt: skip


@public
def print_(message: str, *values: Any) -> Any:
    """A tensor, shown each time that it is computed.

    Eager tensors are shown at once. In a graph use what comes back in place of the value: it is
    shown at each call of a program that needs it, at each step of a loop and in the branch that
    runs. What passes find out of use is shown all the same. Messages come in the order of the
    lines that made them; after a check that has failed none comes.

    Args:
        message: text with `{}` for each value; without any, the values follow it.
        values: tensors and numbers, at least one.

    Returns:
        The first value.

    Raises:
        ArgumentError: the message is no str, or there is no value.
        AttributeValueError: the message has not one `{}` for each value.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> total, _ = gc.scan(lambda s, v: (gc.print("s = {}, v = {}", s, v) + v, None), 0.0, x)
        >>> last = gc.compile([x], total)(np.array([1.5, 2.0], np.float32))
        s = 0.0, v = 1.5
        s = 1.5, v = 2.0
    """
    if not isinstance(message, str) or not values:
        what = "no value" if isinstance(message, str) else f"a {type(message).__name__} as message"
        raise ArgumentError(
            f"print: it is given {what}", where=caller(), hint='write y = gc.print("y is {}", y)'
        )
    if count_fields(message) == 0:
        message += " {}" * len(values)
    if count_fields(message) != len(values):
        raise AttributeValueError(
            f"print: the message {message!r:.60} has not one {{}} for each of {len(values)} values",
            where=caller(),
            hint="write {} once for each value, or none at all; {{ and }} for braces",
        )
    return PRINT(*[as_tensor(v, "print") for v in values], message=message, rank=next(_ranks))


__all__ = ["PRINT", "caught", "muted", "print_", "write"]
