"""Comparisons and tests of elements, whose results are bools.

equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit isclose
allclose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import NoGradient, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Operand, Values
from graphc.errors import AttributeValueError
from graphc.ops.declare import (
    ANY,
    FLOAT,
    as_number,
    conform,
    elementwise_op,
    is_pattern,
    is_scalar,
    is_tensor,
    operand,
    public,
)
from graphc.ops.documented import documented

BOOL = NoGradient("its result is of bools")
SWAPPED = {"less": "greater", "less_equal": "greater_equal", "greater": "less",
           "greater_equal": "less_equal"}  # fmt: skip


def _comparison(
    name: str,
    symbol: str,
    of_bools: str,
    words: str,
    commutative: bool = False,
    example: str = "",
) -> Callable[..., Any]:
    op = elementwise_op(
        name,
        numpy=getattr(np, name),
        scalar=lambda x, y: of_bools if x.kind == "bool" else f"{{0}} {symbol} {{1}}",
        vjp=BOOL,
        kinds=ANY,
        result=dtypes.bool_,
        commutative=commutative,
        doc=f"Whether x is {words} y, elementwise.",
        example=example,
    )

    def compare(x: Operand, y: Operand) -> Any:
        if is_pattern(x, y):
            return op(x, y)
        x, y = as_number(x), as_number(y)
        if is_tensor(x) and is_scalar(y):
            decided = _beyond(name, x, y)
        else:
            decided = _beyond(SWAPPED.get(name, name), y, x) if is_scalar(x) else None
        if decided is not None:
            return decided
        x, y = (operand(v, name) for v in (x, y))
        if is_tensor(x) and is_tensor(y) and _signs_differ(x, y):
            return _mixed(name, x, y)
        return op(*conform(name, [x, y]))

    compare.op = op  # type: ignore[attr-defined]
    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = documented(op, {"equal": "eq"}.get(name, name))
    return public(compare, name)


def _beyond(name: str, x: Any, number: Any) -> Any:
    """The comparison of an integer tensor with a Python int that its dtype cannot hold, or None."""
    if not is_tensor(x) or not x.type.dtype.is_integer or type(number) is not int:
        return None
    info = np.iinfo(x.type.dtype.numpy)
    if info.min <= number <= info.max:
        return None
    holds = {"not_equal"} | ({"less", "less_equal"} if number > 0 else {"greater", "greater_equal"})
    return FUNCTIONS["full"](x.type.shape, name in holds, dtypes.bool_)


def _signs_differ(x: Any, y: Any) -> bool:
    """Whether only one is unsigned and no integer dtype holds both."""
    types = (x.type.dtype, y.type.dtype)
    return {t.kind for t in types} == {"int", "uint"} and dtypes.promote(*types).is_float


def _mixed(name: str, x: Any, y: Values) -> Any:
    """A comparison of signed integers with uint64, exact where float64 would not be."""
    if x.type.dtype.kind == "uint":
        return _mixed(SWAPPED.get(name, name), y, x)
    below = FUNCTIONS["less"](x, 0)
    compared = FUNCTIONS[name](FUNCTIONS["cast"](x, dtypes.uint64, overflow="wrap"), y)
    if name in ("less", "less_equal", "not_equal"):
        return FUNCTIONS["logical_or"](below, compared)
    return FUNCTIONS["logical_and"](FUNCTIONS["logical_not"](below), compared)


equal = _comparison(
    "equal",
    "==",
    "{0} == {1}",
    "equal to",
    commutative=True,
    example="[1, 2], [1, 3] -> [ True, False]",
)
not_equal = _comparison(
    "not_equal",
    "!=",
    "{0} != {1}",
    "other than",
    commutative=True,
    example="[1, 2], [1, 3] -> [False,  True]",
)
less = _comparison(
    "less", "<", "(not {0}) & {1}", "less than", example="[1, 2], [2, 2] -> [ True, False]"
)
less_equal = _comparison(
    "less_equal",
    "<=",
    "(not {0}) | {1}",
    "less than or equal to",
    example="[2, 3], [2, 2] -> [ True, False]",
)
greater = _comparison(
    "greater", ">", "{0} & (not {1})", "greater than", example="[3, 2], [2, 2] -> [ True, False]"
)
greater_equal = _comparison(
    "greater_equal",
    ">=",
    "{0} | (not {1})",
    "greater than or equal to",
    example="[2, 1], [2, 2] -> [ True, False]",
)


def _test(name: str, words: str, of_integers: bool | None, example: str) -> Callable[..., Any]:
    op = elementwise_op(
        name,
        numpy=getattr(np, name),
        scalar=f"{name}({{0}})",
        vjp=BOOL,
        kinds=FLOAT,
        result=dtypes.bool_,
        doc=f"Whether x is {words}, elementwise.",
        example=example,
    )

    def test(x: Any) -> Any:
        if is_pattern(x):
            return op(x)
        if is_tensor(x) and not x.type.dtype.is_float and of_integers is not None:
            return FUNCTIONS["full"](x.type.shape, of_integers, dtypes.bool_)
        return op(*conform(name, [x], "float"))

    test.__name__ = test.__qualname__ = name
    test.__doc__ = documented(op)
    return public(test, name)


isnan = _test("isnan", "nan", False, example="[1.0, float('nan')] -> [False,  True]")
isinf = _test(
    "isinf", "infinite, of either sign", False, example="[1.0, float('-inf')] -> [False,  True]"
)
isfinite = _test(
    "isfinite", "neither infinite nor nan", True, example="[1.0, float('inf')] -> [ True, False]"
)
signbit = _test("signbit", "negative, -0.0 included", None, example="[1.0, -0.0] -> [False,  True]")


def check_tolerances(name: str, rtol: float, atol: float) -> None:
    """Refuse negative tolerances: nothing would be close.

    Raises:
        AttributeValueError: one is.
    """
    if any(isinstance(t, int | float) and t < 0 for t in (rtol, atol)):
        raise AttributeValueError(
            f"{name}: rtol={rtol!r} and atol={atol!r}; a tolerance is not negative", where=caller()
        )


@public
def isclose(
    x: Operand, y: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether |x - y| <= atol + rtol * |y|, elementwise; infinities are close when equal.

    Args:
        x: a tensor.
        y: a tensor.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether nan is close to nan.

    Example:
        >>> import graphc as gc
        >>> gc.isclose(gc.tensor([1.0, 1.0]), gc.tensor([1.0 + 1e-6, 1.1]))
        tensor([ True, False])
    """
    check_tolerances("isclose", rtol, atol)
    x, y = conform("isclose", [x, y], "float")
    near = FUNCTIONS["absolute"](x - y) <= atol + rtol * FUNCTIONS["absolute"](y)
    close = (near & isfinite(y)) | (x == y)
    return close | (isnan(x) & isnan(y)) if equal_nan else close


@public
def allclose(
    x: Operand, y: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are close, see `isclose`: a bool scalar.

    Args:
        x: a tensor.
        y: a tensor.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether nan is close to nan.
    """
    return FUNCTIONS["all"](isclose(x, y, rtol, atol, equal_nan))
