"""Operators that compute each element of its own: arithmetic, comparisons, activations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.onnx.table import Use, rule

UNARY = {
    "Abs": "abs", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh",
    "Atan": "atan", "Atanh": "atanh", "BitwiseNot": "bitwise_not", "Ceil": "ceil", "Cos": "cos",
    "Cosh": "cosh", "Erf": "erf", "Exp": "exp", "Floor": "floor", "IsNaN": "isnan", "Log": "log",
    "Mish": "mish", "Neg": "neg", "Not": "logical_not", "Reciprocal": "reciprocal",
    "Round": "rint", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh",
    "Softplus": "softplus", "Sqrt": "sqrt", "Tan": "tan", "Tanh": "tanh",
}  # fmt: skip
BINARY = {
    "Add": "add", "And": "logical_and", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor", "Equal": "eq", "Greater": "gt", "GreaterOrEqual": "ge",
    "Less": "lt", "LessOrEqual": "le", "Mul": "mul", "Or": "logical_or", "Sub": "sub",
    "Xor": "logical_xor",
}  # fmt: skip


def _as_unary(name: str) -> Callable[..., Any]:
    return lambda a, x: getattr(gc, name)(x)


def _as_binary(name: str) -> Callable[..., Any]:
    return lambda a, x, y: getattr(gc, name)(x, _beside(a, x, y))


def _beside(a: Use, x: Node, y: Any) -> Any:
    """The second operand in the place that versions before 7 give it, by its first axis."""
    if not a.broadcast or a.axis is None:
        return y
    tail = len(x.shape) - a.axis - len(y.shape)
    return gc.reshape(y, (*y.shape, *[1] * tail)) if tail > 0 else y


for _onnx, _own in UNARY.items():
    rule(_onnx)(_as_unary(_own))
for _onnx, _own in BINARY.items():
    rule(_onnx)(_as_binary(_own))


def number(x: Node, value: float) -> Any:
    """A number in the dtype of a tensor."""
    return gc.constant(x.dtype.numpy.type(value))


@rule("Relu")
def relu(a: Use, x: Node) -> Any:
    return gc.relu(x) if x.dtype.is_float else gc.maximum(x, 0)


@rule("Div")
def div(a: Use, x: Node, y: Node) -> Any:
    y = _beside(a, x, y)
    if x.dtype.is_float:
        return gc.div(x, y)
    whole = gc.floor_divide(x, y)
    if x.dtype.kind == "uint":
        return whole
    rest = x - whole * y
    return whole + gc.cast(gc.logical_and(rest != 0, whole < 0), x.dtype)


@rule("Mod")
def mod(a: Use, x: Node, y: Node) -> Any:
    return gc.fmod(x, y) if a.fmod else gc.remainder(x, y)


@rule("Pow")
def power(a: Use, x: Node, y: Node) -> Any:
    y = _beside(a, x, y)
    own, other = x.dtype, y.dtype
    if own is other:
        return gc.pow(x, y)
    if own.is_float:
        return gc.pow(x, gc.cast(y, own))
    wide = gc.pow(gc.cast(x, dtypes.float64), gc.cast(y, dtypes.float64))
    return gc.cast(wide, own, "wrap")


@rule("BitShift")
def bit_shift(a: Use, x: Node, y: Node) -> Any:
    shift = gc.right_shift if a.direction == "RIGHT" else gc.left_shift
    return shift(x, y)


def _variadic(name: str, combine: str) -> None:
    rule(name)(lambda a, *xs: functools.reduce(getattr(gc, combine), xs))


for _onnx, _own in (("Max", "maximum"), ("Min", "minimum"), ("Sum", "add")):
    _variadic(_onnx, _own)


@rule("Mean")
def mean(a: Use, *xs: Node) -> Any:
    return functools.reduce(gc.add, xs) / len(xs)


@rule("Clip")
def clip(a: Use, x: Node, low: Node | None = None, high: Node | None = None) -> Any:
    low = a.min if low is None else low
    high = a.max if high is None else high
    if low is not None:
        x = gc.maximum(x, low)
    return x if high is None else gc.minimum(x, high)


@rule("Where")
def where(a: Use, condition: Node, x: Node, y: Node) -> Any:
    return gc.where(condition, x, y)


@rule("IsInf")
def is_inf(a: Use, x: Node) -> Any:
    found = gc.isinf(x)
    if not a.detect_positive:
        found = gc.logical_and(found, x < 0)
    return found if a.detect_negative else gc.logical_and(found, x > 0)


@rule("LeakyRelu")
def leaky_relu(a: Use, x: Node) -> Any:
    return gc.where(x < 0, x * a.alpha, x)


@rule("PRelu")
def prelu(a: Use, x: Node, slope: Node) -> Any:
    if a.version < 7 and len(slope.shape) == 1 and len(x.shape) > 2:
        slope = gc.reshape(slope, (-1, *[1] * (len(x.shape) - 2)))
    return gc.where(x < 0, x * slope, x)


@rule("ThresholdedRelu")
def thresholded_relu(a: Use, x: Node) -> Any:
    return gc.where(x > a.alpha, x, number(x, 0))


@rule("Elu")
def elu(a: Use, x: Node) -> Any:
    return gc.where(x < 0, a.alpha * gc.expm1(gc.minimum(x, 0.0)), x)


@rule("Celu")
def celu(a: Use, x: Node) -> Any:
    below = a.alpha * gc.expm1(gc.minimum(x, 0.0) / a.alpha)
    return gc.maximum(x, 0.0) + below


@rule("Selu")
def selu(a: Use, x: Node) -> Any:
    return a.gamma * gc.where(x > 0, x, a.alpha * gc.expm1(gc.minimum(x, 0.0)))


@rule("HardSigmoid")
def hard_sigmoid(a: Use, x: Node) -> Any:
    return gc.clip(x * a.alpha + a.beta, 0.0, 1.0)


@rule("HardSwish")
def hard_swish(a: Use, x: Node) -> Any:
    return x * gc.clip(x * (1 / 6) + 0.5, 0.0, 1.0)


@rule("Swish")
def swish(a: Use, x: Node) -> Any:
    return x * gc.sigmoid(x * a.alpha)


@rule("Softsign")
def softsign(a: Use, x: Node) -> Any:
    return x / (1.0 + gc.abs(x))


@rule("Gelu")
def gelu(a: Use, x: Node) -> Any:
    return gc.gelu(x, a.approximate or "none")


@rule("Shrink")
def shrink(a: Use, x: Node) -> Any:
    zero = number(x, 0)
    bias = number(x, a.bias)
    return gc.where(x < -a.lambd, x + bias, gc.where(x > a.lambd, x - bias, zero))


@rule("Affine")
def affine(a: Use, x: Node) -> Any:
    return x * a.alpha + a.beta


@rule("Binarizer", domain="ai.onnx.ml")
def binarizer(a: Use, x: Node) -> Any:
    return gc.cast(x > a.threshold, x.dtype)


@rule("Gelu", domain="com.microsoft")
def microsoft_gelu(a: Use, x: Node) -> Any:
    return gc.gelu(x)


@rule("FastGelu", domain="com.microsoft")
def fast_gelu(a: Use, x: Node, bias: Node | None = None) -> Any:
    return gc.gelu(x if bias is None else x + bias, "tanh")


@rule("QuickGelu", domain="com.microsoft")
def quick_gelu(a: Use, x: Node) -> Any:
    return x * gc.sigmoid(x * (1.702 if a.alpha is None else a.alpha))
