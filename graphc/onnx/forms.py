"""How graphc's elementwise ops read in ONNX.

    square(x)      Mul(x, x)
    log1p(x)       x Log(u) / (u - 1), u = 1 + x

What ONNX Runtime computes in wider types alone is brought to them: narrow floats to float32, as
graphc computes them too, narrow integers to int32 or int64, whose low bits are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Node, tensor_type
from graphc.errors import UnsupportedError
from graphc.onnx.writing import FORMS, Writer, form

FLOATS = {
    "reciprocal": "Reciprocal", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sigmoid": "Sigmoid",
    "softplus": "Softplus", "erf": "Erf", "floor": "Floor", "ceil": "Ceil", "rint": "Round",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos",
    "arctan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh",
    "arccosh": "Acosh", "arctanh": "Atanh", "isnan": "IsNaN", "isinf": "IsInf", "divide": "Div",
    "power": "Pow",
}  # fmt: skip
NUMBERS = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "negative": "Neg", "absolute": "Abs",
    "maximum": "Max", "minimum": "Min",
}  # fmt: skip
COMPARISONS = {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}  # fmt: skip
LOGICAL = {
    "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not",
    "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor",
    "invert": "BitwiseNot",
}  # fmt: skip
BOOLEAN = {
    "bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor", "invert": "Not",
    "equal": "Equal", "not_equal": "Xor", "multiply": "And", "add": "Or", "maximum": "Or",
    "minimum": "And",
}  # fmt: skip


def wide(dtype: DType) -> DType:
    """The dtype in which ONNX Runtime computes with a dtype."""
    if dtype.is_float:
        return dtype.compute
    if dtype.kind == "bool" or dtype.itemsize < 4:
        return dtypes.int32
    return dtypes.int32 if dtype is dtypes.int32 else dtypes.int64


def chosen(dtype: DType) -> DType:
    """The dtype in which ONNX Runtime moves and chooses elements of a dtype."""
    kept = (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)
    return dtype if dtype in kept else wide(dtype)


def dtype_of(node: Node) -> DType:
    """The dtype of a node's first operand."""
    return tensor_type(node.inputs[0]).dtype


def widened(w: Writer, node: Node, operands: Any) -> list[str]:
    """The operands in the dtype of the computation."""
    found = []
    for operand, name in zip(node.inputs, operands):
        dtype = tensor_type(operand).dtype
        found.append(name if wide(dtype) is dtype else w.cast(name, wide(dtype)))
    return found


def narrowed(w: Writer, node: Node, name: str, dtype: DType) -> str:
    """A result computed in a dtype as the node's own."""
    own = tensor_type(node).dtype
    return name if own is dtype else w.cast(name, own)


def computed(build: Callable[..., str]) -> Callable[..., str]:
    """A form that is computed in the wide dtype of its operands, and gives it."""

    def write(w: Writer, node: Node, *operands: str) -> str:
        dtype = wide(dtype_of(node))
        return narrowed(w, node, build(w, dtype, *widened(w, node, operands)), dtype)

    return write


def _direct(kind: str) -> Callable[..., str]:
    return computed(lambda w, dtype, *xs: w.op(kind, *xs))


def _of_floats(kind: str) -> Callable[..., str]:
    """A function that ONNX has of floats alone."""

    def write(w: Writer, node: Node, *xs: str) -> str:
        if not dtype_of(node).is_float and kind != "Pow":
            raise unsupported(node, "of integers")
        return _direct(kind)(w, node, *xs)

    return write


def _asked(kind: str) -> Callable[..., str]:
    """A comparison: computed of wide operands, a bool."""
    return lambda w, node, *xs: w.op(kind, *widened(w, node, xs))


def _of_bools(own: str, kind: str, others: Callable[..., str]) -> Callable[..., str]:
    def write(w: Writer, node: Node, *xs: str) -> str:
        is_bool = dtype_of(node).kind == "bool"
        return w.op(BOOLEAN[own], *xs) if is_bool and own in BOOLEAN else others(w, node, *xs)

    return write


for _own, _kind in FLOATS.items():
    FORMS[_own] = _of_floats(_kind)
for _own, _kind in NUMBERS.items():
    FORMS[_own] = _of_bools(_own, _kind, _direct(_kind))
for _own, _kind in COMPARISONS.items():
    FORMS[_own] = _of_bools(_own, _kind, _asked(_kind))
for _own, _kind in LOGICAL.items():
    FORMS[_own] = _of_bools(_own, _kind, lambda w, node, *xs, kind=_kind: w.op(kind, *xs))
for _own in ("isnan", "isinf"):
    FORMS[_own] = _asked(FLOATS[_own])


def _not_equal(w: Writer, node: Node, x: str, y: str) -> str:
    if dtype_of(node).kind == "bool":
        return w.op("Xor", x, y)
    return w.op("Not", w.op("Equal", *widened(w, node, (x, y))))


FORMS["not_equal"] = _not_equal


def _plain(name: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Enter a function as a form in the wide dtype: of the writer, the dtype, the operands."""

    def enter(build: Callable[..., str]) -> Callable[..., str]:
        FORMS[name] = computed(build)
        return build

    return enter


@_plain("square")
def square(w: Writer, dtype: DType, x: str) -> str:
    return w.op("Mul", x, x)


@_plain("sign")
def sign(w: Writer, dtype: DType, x: str) -> str:
    found = w.op("Sign", x)
    return w.op("Where", w.op("IsNaN", x), x, found) if dtype.is_float else found


@_plain("rsqrt")
def rsqrt(w: Writer, dtype: DType, x: str) -> str:
    return w.op("Reciprocal", w.op("Sqrt", x))


@_plain("exp2")
def exp2(w: Writer, dtype: DType, x: str) -> str:
    return w.op("Pow", w.number(2, dtype), x)


@_plain("log2")
def log2(w: Writer, dtype: DType, x: str) -> str:
    return w.op("Div", w.op("Log", x), w.number(math.log(2), dtype))


@_plain("log10")
def log10(w: Writer, dtype: DType, x: str) -> str:
    return w.op("Div", w.op("Log", x), w.number(math.log(10), dtype))


@_plain("expm1")
def expm1(w: Writer, dtype: DType, x: str) -> str:
    # Near 0 by tanh of half of it, which keeps its digits: 2 t / (1 - t).
    t = w.op("Tanh", w.op("Mul", x, w.number(0.5, dtype)))
    near = w.op("Div", w.op("Add", t, t), w.op("Sub", w.number(1, dtype), t))
    far = w.op("Sub", w.op("Exp", x), w.number(1, dtype))
    is_near = w.op("Less", w.op("Abs", x), w.number(0.5, dtype))
    return w.op("Where", is_near, near, far)


@_plain("log1p")
def log1p(w: Writer, dtype: DType, x: str) -> str:
    one = w.number(1, dtype)
    u = w.op("Add", x, one)
    rest = w.op("Sub", u, one)
    near = w.op("Div", w.op("Mul", x, w.op("Log", u)), rest)
    is_tiny = w.op("Equal", rest, w.number(0, dtype))
    is_far = w.op("Greater", x, w.number(1e6, dtype))
    return w.op("Where", is_tiny, x, w.op("Where", is_far, w.op("Log", u), near))


@_plain("logaddexp")
def logaddexp(w: Writer, dtype: DType, x: str, y: str) -> str:
    apart = w.op("Neg", w.op("Abs", w.op("Sub", x, y)))
    found = w.op("Add", w.op("Max", x, y), log1p(w, dtype, w.op("Exp", apart)))
    # Of equal infinities the difference is nan.
    return w.op("Where", w.op("IsInf", w.op("Max", x, y)), w.op("Max", x, y), found)


@_plain("cbrt")
def cbrt(w: Writer, dtype: DType, x: str) -> str:
    root = w.op("Pow", w.op("Abs", x), w.number(1 / 3, dtype))
    return w.op("Mul", w.op("Sign", x), root)


@_plain("trunc")
def trunc(w: Writer, dtype: DType, x: str) -> str:
    is_below = w.op("Less", x, w.number(0, dtype))
    return w.op("Where", is_below, w.op("Ceil", x), w.op("Floor", x))


@_plain("hypot")
def hypot(w: Writer, dtype: DType, x: str, y: str) -> str:
    return w.op("Sqrt", w.op("Add", w.op("Mul", x, x), w.op("Mul", y, y)))


def _is_negative(w: Writer, dtype: DType, x: str) -> str:
    """Whether a float has a sign, -0 too."""
    zero = w.number(0, dtype)
    is_zero = w.op("Equal", x, zero)
    below = w.op("Less", w.op("Reciprocal", x), zero)
    return w.op("Or", w.op("Less", x, zero), w.op("And", is_zero, below))


def _signbit(w: Writer, node: Node, x: str) -> str:
    (x,) = widened(w, node, (x,))
    return _is_negative(w, wide(dtype_of(node)), x)


FORMS["signbit"] = _signbit


@_plain("copysign")
def copysign(w: Writer, dtype: DType, x: str, y: str) -> str:
    size = w.op("Abs", x)
    return w.op("Where", _is_negative(w, dtype, y), w.op("Neg", size), size)


def _isfinite(w: Writer, node: Node, x: str) -> str:
    (x,) = widened(w, node, (x,))
    return w.op("Not", w.op("Or", w.op("IsNaN", x), w.op("IsInf", x)))


FORMS["isfinite"] = _isfinite


def _one_of(kind: str) -> Callable[..., str]:
    """The greater or the lesser, of a nan and a number the number."""

    def write(w: Writer, dtype: DType, x: str, y: str) -> str:
        found = w.op(kind, x, y)
        if not dtype.is_float:
            return found
        return w.op("Where", w.op("IsNaN", x), y, w.op("Where", w.op("IsNaN", y), x, found))

    return write


FORMS["fmax"] = computed(_one_of("Max"))
FORMS["fmin"] = computed(_one_of("Min"))


@_plain("clip")
def clip(w: Writer, dtype: DType, x: str, low: str, high: str) -> str:
    return w.op("Min", w.op("Max", x, low), high)


@_plain("remainder")
def remainder(w: Writer, dtype: DType, x: str, y: str) -> str:
    if not dtype.is_float:
        return w.op("Mod", x, y)
    rest = w.op("Mod", x, y, fmod=1)
    zero = w.number(0, dtype)
    differs = w.op("Xor", w.op("Less", rest, zero), w.op("Less", y, zero))
    is_some = w.op("Not", w.op("Equal", rest, zero))
    return w.op("Where", w.op("And", is_some, differs), w.op("Add", rest, y), rest)


@_plain("fmod")
def fmod(w: Writer, dtype: DType, x: str, y: str) -> str:
    return w.op("Mod", x, y, fmod=1)


@_plain("floor_divide")
def floor_divide(w: Writer, dtype: DType, x: str, y: str) -> str:
    whole = w.op("Sub", x, remainder(w, dtype, x, y))
    found = w.op("Div", whole, y)
    return w.op("Round", found) if dtype.is_float else found


@_plain("arctan2")
def arctan2(w: Writer, dtype: DType, y: str, x: str) -> str:
    angle = w.op("Atan", w.op("Div", y, x))
    half = copysign(w, dtype, w.number(math.pi, dtype), y)
    left = w.op("Add", angle, half)
    found = w.op("Where", _is_negative(w, dtype, x), left, angle)
    zero = w.number(0, dtype)
    are_zero = w.op("And", w.op("Equal", x, zero), w.op("Equal", y, zero))
    still = w.op("Where", _is_negative(w, dtype, x), half, y)
    return w.op("Where", are_zero, still, found)


def _where(w: Writer, node: Node, condition: str, x: str, y: str) -> str:
    dtype = tensor_type(node).dtype
    inside = chosen(dtype)
    if inside is not dtype:
        x, y = w.cast(x, inside), w.cast(y, inside)
    found = w.op("Where", condition, x, y)
    return found if inside is dtype else w.cast(found, dtype)


FORMS["where"] = _where


def _shift(direction: str) -> Callable[..., str]:
    def write(w: Writer, node: Node, x: str, y: str) -> str:
        dtype = dtype_of(node)
        if dtype.kind != "uint":
            raise unsupported(node, "of signed integers")
        width = w.constant(np.array(8 * dtype.itemsize, np.int64))
        is_out = w.op("GreaterOrEqual", w.cast(y, dtypes.int64), width)
        found = w.cast(w.op("BitShift", x, y, direction=direction), dtypes.int64)
        return w.cast(w.op("Where", is_out, w.constant(np.int64(0)), found), dtype)

    return write


FORMS["left_shift"], FORMS["right_shift"] = _shift("LEFT"), _shift("RIGHT")


def _cast(w: Writer, node: Node, x: str) -> str:
    dtype, own = tensor_type(node).dtype, dtype_of(node)
    if own.is_float and dtype.kind == "bool":
        (x,) = widened(w, node, (x,))
        return w.op("Not", w.op("Equal", x, w.number(0, wide(own))))
    if own.is_float and dtype.is_integer and dtype.itemsize < 8:
        x = w.cast(x, dtypes.int64)
    return w.cast(x, dtype)


FORMS["cast"] = _cast


def unsupported(node: Node, why: str = "") -> Exception:
    """What says that ONNX has no form for a node."""
    return UnsupportedError(
        f"onnx.export: ONNX has no form for {node.op.name}{' ' + why if why else ''}",
        [node.describe()], where=node.origin or "",
    )  # fmt: skip


@form("matmul_integer")
def matmul_integer(w: Writer, node: Node, x: str, y: str) -> str:
    if tensor_type(node.inputs[0]).shape[-1] == 0:  # ONNX Runtime leaves its memory unwritten
        return zeros(w, node)
    return w.op("MatMulInteger", x, y)


def zeros(w: Writer, node: Node) -> str:
    """Zeros of a node's type."""
    type_ = tensor_type(node)
    return w.op("Expand", w.number(0, type_.dtype), w.vector(type_.shape))
