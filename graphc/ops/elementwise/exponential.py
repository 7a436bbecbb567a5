"""Exponentials, logarithms and what is built of them, erf too; floats in, floats out.

exp exp2 expm1 log log2 log10 log1p log1mexp logaddexp logaddexp2 sigmoid softplus erf erfc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand, Pullback
from graphc.ops.control import GRADIENT_AS
from graphc.ops.declare import FLOAT, binary, conform, literal, public, rounded_once, unary

LN2, LN10 = math.log(2), math.log(10)


def _unary(
    name: str,
    numpy: Callable[..., Any],
    vjp: Pullback,
    doc: str,
    domain: str = "real",
    example: str = "",
) -> Any:
    return unary(
        name, promote="float", numpy=numpy, scalar=f"{name}({{0}})", vjp=vjp, kinds=FLOAT,
        domain=domain, doc=doc, example=example,
    )  # fmt: skip


def _sigmoid_numpy(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow, with full accuracy on both sides."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _softplus_numpy(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _erf_numpy(x: np.ndarray) -> np.ndarray:
    import scipy.special

    return scipy.special.erf(x)


def _erfc_numpy(x: np.ndarray) -> np.ndarray:
    import scipy.special

    found = scipy.special.erfc(x)
    # SciPy loses digits there, in the end all of them; libm does not.
    tail = (x > 5) & (x < 28)
    if np.any(tail) and x.dtype == np.float64:
        found = np.where(tail, np.vectorize(math.erfc, otypes=[np.float64])(x), found)
    return found


def _log1mexp_numpy(x: np.ndarray) -> np.ndarray:
    return np.where(x > -LN2, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _log1mexp_scalar(x: DType) -> str:
    near = "log(-expm1({0}))"
    return f"select({{0}} > {literal(x, -LN2)}, {near}, log1p(-exp({{0}})))"


def _log1mexp_vjp(node: Node, ct: Node) -> tuple[Any]:
    (x,) = node.inputs
    # 0 - expm1(x), since of both zeros it is 0.0: the slope at 0 is that from below.
    return (-(ct * (exp(x) / (0 - expm1(x)))),)


def _bell(x: Operators, height: float) -> Any:
    return exp(-x * x) * height


exp = _unary(
    "exp",
    np.exp,
    lambda n, ct: (ct * n,),
    "e to the power x, elementwise.",
    "exponent",
    example="[0.0, 1.0] -> [1.0000, 2.7183]",
)
exp2 = _unary(
    "exp2",
    np.exp2,
    lambda n, ct: (ct * (n * LN2),),
    "2 to the power x, elementwise.",
    "exponent",
    example="[0.0, 3.0] -> [1., 8.]",
)
expm1 = _unary(
    "expm1", np.expm1, lambda n, ct: (ct * exp(n.inputs[0]),),
    "exp(x) - 1, elementwise, accurate for small x.", "exponent",
    example="[0.0, 1.0] -> [0.0000, 1.7183]",
)  # fmt: skip
log = _unary(
    "log", np.log, lambda n, ct: (ct / n.inputs[0],),
    "The natural logarithm, elementwise; -inf at 0, nan below.", "positive",
    example="[1.0, 10.0] -> [0.0000, 2.3026]",
)  # fmt: skip
log2 = _unary(
    "log2", np.log2, lambda n, ct: (ct / (n.inputs[0] * LN2),),
    "The logarithm to the base 2, elementwise.", "positive",
    example="[1.0, 8.0] -> [0., 3.]",
)  # fmt: skip
log10 = _unary(
    "log10", np.log10, lambda n, ct: (ct / (n.inputs[0] * LN10),),
    "The logarithm to the base 10, elementwise.", "positive",
    example="[1.0, 100.0] -> [0.0000, 2.0000]",
)  # fmt: skip
log1p = _unary(
    "log1p", np.log1p, lambda n, ct: (ct / (n.inputs[0] + 1),),
    "log(1 + x), elementwise, accurate for small x.", "positive",
    example="[0.0, 1.0] -> [0.0000, 0.6931]",
)  # fmt: skip
log1mexp = unary(
    "log1mexp", promote="float", numpy=_log1mexp_numpy, scalar=_log1mexp_scalar,
    vjp=_log1mexp_vjp, kinds=FLOAT, domain="negative",
    doc="log(1 - exp(x)) of x below 0, elementwise, accurate near 0 and far from it.",
    example="[-1e-3, -1.0] -> [-6.9083, -0.4587]",
)  # fmt: skip
sigmoid = _unary(
    "sigmoid", _sigmoid_numpy, lambda n, ct: (ct * (n * (1 - n)),),
    "1 / (1 + exp(-x)), elementwise, without overflow.",
    example="[0.0, 2.0] -> [0.5000, 0.8808]",
)  # fmt: skip
softplus = _unary(
    "softplus", _softplus_numpy, lambda n, ct: (ct * sigmoid(n.inputs[0]),),
    "log(1 + exp(x)), elementwise, without overflow.",
    example="[0.0, 1.0] -> [0.6931, 1.3133]",
)  # fmt: skip
erf = _unary(
    "erf", _erf_numpy, lambda n, ct: (ct * _bell(n.inputs[0], 2 / math.sqrt(math.pi)),),
    "The error function, 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x.",
    example="[0.0, 1.0] -> [0.0000, 0.8427]",
)  # fmt: skip
erfc = _unary(
    "erfc", _erfc_numpy, lambda n, ct: (ct * _bell(n.inputs[0], -2 / math.sqrt(math.pi)),),
    "1 - erf(x), elementwise, accurate for large x.",
    example="[0.0, 1.0] -> [1.0000, 0.1573]",
)  # fmt: skip


def _logaddexp_vjp(node: Node, ct: Node) -> tuple[Any, Any]:
    x, y = node.inputs
    return ct * sigmoid(x - y), ct * sigmoid(y - x)


logaddexp = binary(
    "logaddexp",
    promote="float",
    numpy=np.logaddexp,
    scalar="logaddexp({0}, {1})",
    vjp=_logaddexp_vjp,
    kinds=FLOAT,
    commutative=True,
    doc="log(exp(x) + exp(y)), elementwise, without overflow.",
    example="[0.0, 100.0], [0.0, 100.0] -> [  0.6931, 100.6931]",
)


@public
@rounded_once
def logaddexp2(x: Operand, y: Operand) -> Any:
    """log2(2**x + 2**y), elementwise, without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.logaddexp2(gc.tensor([0.0, 3.0]), gc.tensor([0.0, 3.0]))
        tensor([1., 4.])
    """
    x, y = conform("logaddexp2", [x, y], "float")
    # Of equal infinities there is no difference.
    apart = FUNCTIONS["where"](x == y, 0, x - y)
    small = exp2(-FUNCTIONS["absolute"](apart))
    value = FUNCTIONS["maximum"](x, y) + log1p(small) * (1 / LN2)
    # The value has corners in its parts where x is y; its derivative has none.
    return GRADIENT_AS(value, logaddexp(x * LN2, y * LN2) * (1 / LN2))
