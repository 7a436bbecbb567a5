"""`gc.check`: a tensor, and an error with values where a condition does not hold.

    y = gc.check(x > 0, "x must be positive, it is {}", x)

An elementwise op, so that it fuses with what is around it. A program that fails stops before it
writes state; the message's values are those of a run with NumPy, from the same state.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Sample, Scalar, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType, broadcast_shapes
from graphc.core.typing import Operand
from graphc.errors import ArgumentError, AttributeValueError, CheckError, DTypeError, ShapeError
from graphc.ops.declare import as_tensor, elementwise_op, public

SHOWN = 6  # elements of a value in a message


def _shown(value: np.ndarray, failed: np.ndarray) -> str:
    """The elements of a value where the condition fails; a number alone where all are one."""
    found = value[failed]
    if found.size and np.array_equal(found, np.full_like(found, found[0]), equal_nan=True):
        return str(found[0])
    if failed.all() and value.size <= SHOWN:
        return np.array2string(value)
    rest = f", ... {found.size - SHOWN} more" if found.size > SHOWN else ""
    return f"[{', '.join(map(str, found[:SHOWN]))}{rest}]"


def _numpy(y: np.ndarray, ok: np.ndarray, *values: np.ndarray, message: str) -> np.ndarray:
    if ok.all():
        return y
    failed = ~ok
    where = ""
    if not failed.all():
        first = ", ".join(str(int(k)) for k in np.argwhere(failed)[0])
        where = f"{np.count_nonzero(failed)} of {ok.size} elements fail, the first at [{first}]"
    shown = [_shown(v, failed) for v in values]
    raise CheckError(message.format(*shown), [where] if where else [])


def _infer(y: TensorType, ok: TensorType, *values: TensorType, message: str) -> TensorType:
    if ok.dtype is not dtypes.bool_ or any(t.shape != y.shape for t in (ok, *values)):
        raise ShapeError(f"check: {ok} and {len(values)} values beside {y}")
    # Files have messages too: a field of another kind could ask for attributes, or for much memory.
    if count_fields(message) != len(values):
        raise AttributeValueError(f"check: the message {message!r:.60} is no text with {{}} alone")
    return y


def count_fields(message: str) -> int:
    """The number of `{}` in a message; -1 where it has any other field, or is not well formed."""
    try:
        fields = [f[1:] for f in string.Formatter().parse(message) if f[1] is not None]
    except ValueError:
        return -1
    return len(fields) if all(field == ("", "", None) for field in fields) else -1


def _without_values(message: str) -> str:
    return message.format(*["..."] * count_fields(message))


def _case(shape: tuple[int, ...], dtype: str) -> Sample:
    return Sample(((shape, dtype, "real"), (shape, "bool", "nonzero")), {"message": "wrong"})


CHECK = elementwise_op(
    "check",
    numpy=_numpy,
    scalar=Scalar(
        "{0}",
        check="not {1}",
        value="",
        failure=lambda node, value: CheckError(_without_values(node.attr("message"))),
    ),
    vjp=lambda node, ct: (ct, *[None] * (len(node.inputs) - 1)),
    checked=True,
    infer=_infer,
    samples=lambda: [_case((3, 4), "float32"), _case((), "bool"), _case((0, 2), "uint8")],
    doc="The first operand; an error with a message where the second, a condition, is False.",
)


@public
def check(condition: Operand, message: str, *values: Any) -> Any:
    """A tensor, and an error where a condition does not hold when it is computed.

    What is not used is not checked: use what `check` returns in place of the value. In a loop's or
    a branch's body it is checked when that runs, step by step. No state changes where it fails.

    Args:
        condition: a bool tensor, all of whose elements must be True; its shape broadcasts to
            that of the first value, or counts as a whole.
        message: what is wrong, with `{}` for each value.
        values: tensors for the message; the first is what is given back, and the others'
            shapes broadcast to its own.

    Returns:
        The first value; the condition where there is none.

    Raises:
        CheckError: the condition does not hold: of eager tensors at once, of symbolic ones when
            a program that uses the result runs. The message has the elements that fail.
        ArgumentError, AttributeValueError, DTypeError, ShapeError: an argument cannot be right.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> root = gc.compile([x], gc.sqrt(gc.check(x >= 0, "no root of {}", x)))
        >>> try:
        ...     root([1.0, -4.0, 9.0])
        ... except gc.errors.CheckError as error:
        ...     print(error.what)
        check: no root of -4.0
    """
    _check_message(message, len(values))
    ok = as_tensor(condition, "check")
    if ok.type.dtype is not dtypes.bool_:
        raise DTypeError(
            f"check: the condition is {ok.type}, not bool",
            where=caller(),
            hint="compare it, such as x > 0",
        )
    listed: list[Any] = [as_tensor(v, "check") for v in values] or [ok]
    y, shape = listed[0], listed[0].type.shape
    for value in listed[1:]:
        if broadcast_shapes([shape, value.type.shape]) != shape:
            raise ShapeError(
                f"check: the value {value.type} does not broadcast to the first, {y.type}",
                [value.describe(), y.describe()],
                where=caller(),
                hint="give the largest first, or show a sum or maximum of it",
            )
    if broadcast_shapes([shape, ok.type.shape]) != shape:
        ok = FUNCTIONS["all"](ok)
    if not dims.at_least(dims.product(shape), 1):  # y may have no element to test
        some = FUNCTIONS["greater"](FUNCTIONS["size"](dims.product(shape)), 0)
        whole = FUNCTIONS["logical_or"](some, FUNCTIONS["all"](ok))
        text = _without_values(message).replace("{", "{{").replace("}", "}}")
        whole = CHECK(whole, whole, message=text)
        ok = FUNCTIONS["logical_and"](ok, whole)
    same = [FUNCTIONS["broadcast_to"](v, shape) for v in (ok, *listed)]
    return CHECK(y, same[0], *(same[1:] if values else ()), message=message)


def _check_message(message: object, count: int) -> None:
    if not isinstance(message, str):
        raise ArgumentError(
            f"check: the message is a {type(message).__name__}, not a str",
            where=caller(),
            hint='write gc.check(condition, "what is wrong: {}", value)',
        )
    if count_fields(message) != count:
        raise AttributeValueError(
            f"check: the message {message!r:.60} has not one {{}} for each of {count} values",
            where=caller(),
            hint="write {} once for each value, {{ and }} for braces",
        )


__all__ = ["CHECK", "check", "count_fields"]
