"""Special functions of statistics: gamma, error and Bessel functions; floats in, floats out.

lgamma digamma polygamma zeta ndtri erfinv erfcinv erfcx i0 i0e i1 i1e, and what is built of them:
multigammaln betaln ndtr log_ndtr xlogy xlog1py entr. SciPy's are the definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.facts import Sample
from graphc.core.ir import Node, NoGradient, Op, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Operand, Pullback
from graphc.errors import ArgumentError
from graphc.ops.declare import (
    FLOAT,
    binary,
    conform,
    elementwise_op,
    literal,
    public,
    rounded_once,
    unary,
)


def _of_scipy(name: str) -> Callable[..., np.ndarray]:
    """SciPy's function, imported when it is called."""

    def definition(*arrays: np.ndarray) -> np.ndarray:
        import scipy.special

        return np.asarray(getattr(scipy.special, name)(*arrays), arrays[0].dtype)

    return definition


def _unary(
    name: str,
    definition: str | Callable[[np.ndarray], np.ndarray],
    vjp: Pullback,
    doc: str,
    domain: str = "real",
    example: str = "",
    kernel: str = "",
) -> Any:
    # `kernel` is the name in the kernel language, where i0 and i1 are indices.
    numpy = _of_scipy(definition) if isinstance(definition, str) else definition
    return unary(
        name, promote="float", numpy=numpy, scalar=f"{kernel or name}({{0}})", vjp=vjp,
        kinds=FLOAT, domain=domain, doc=doc, example=example,
    )  # fmt: skip


def _grown(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """exp(|x|) times SciPy's function, which may be finite where exp(|x|) is not."""
    scaled, own = _of_scipy(f"{name}e"), _of_scipy(name)

    def definition(x: np.ndarray) -> np.ndarray:
        half = np.exp(np.abs(x) / 2)
        large = np.where(np.isinf(x), np.copysign(np.inf, scaled(x)), half * scaled(x) * half)
        return np.where(np.abs(x) > 80, large, own(x)).astype(x.dtype)

    return definition


def _lgamma_numpy(x: np.ndarray) -> np.ndarray:
    # As in C and PyTorch: SciPy has -inf at -inf, inf at denormal numbers, and loses digits
    # beside the zeros 1 and 2.
    found = np.where(x == -np.inf, np.abs(x), _of_scipy("gammaln")(x))
    found = np.where(np.abs(x) < 1e-30, -np.log(np.abs(x)), found)
    for zero, slope, least in ((1, -np.euler_gamma, 0.0), (2, 1 - np.euler_gamma, 1.0)):
        near = np.abs(x - zero) <= 0.5
        if np.any(near):
            found = np.where(near, _lgamma_beside(x - zero, slope, least), found)
    return found


def _lgamma_beside(z: np.ndarray, slope: float, least: float) -> np.ndarray:
    """lgamma(1 + z), or lgamma(2 + z) with 1 less in each zeta: its Taylor series."""
    import scipy.special

    wide = z.astype(np.float64)
    orders = np.arange(60.0, 1.0, -1.0)
    zeta = scipy.special.zetac(orders) + (1 - least)
    series = np.polyval([*(zeta / orders * (-1.0) ** orders), slope], np.clip(wide, -0.5, 0.5))
    return (series * wide + 0.0).astype(z.dtype)  # at 1 it is 0.0


lgamma = unary(
    "lgamma", promote="float", numpy=_lgamma_numpy, scalar="lgamma({0})",
    vjp=lambda n, ct: (ct * digamma(n.inputs[0]),), kinds=FLOAT, domain="positive",
    doc="The logarithm of the magnitude of the gamma function, elementwise; inf at its poles.",
    example="[1.0, 5.0] -> [0.0000, 3.1781]",
)  # fmt: skip
digamma: Any = _unary(
    "digamma", "digamma", lambda n, ct: (ct * polygamma(1, n.inputs[0]),),
    "The derivative of `lgamma`, elementwise; nan at its poles, -inf at 0.", "positive",
    example="[1.0, 5.0] -> [-0.5772,  1.5061]",
)  # fmt: skip
ndtri = _unary(
    "ndtri", "ndtri", lambda n, ct: (ct * exp(n * n * 0.5) * math.sqrt(2 * math.pi),),
    "The quantile of the standard normal distribution; nan outside of [0, 1].", "probability",
    example="[0.5, 0.975] -> [0.0000, 1.9600]",
)  # fmt: skip
erfinv = _unary(
    "erfinv", "erfinv", lambda n, ct: (ct * exp(n * n) * (math.sqrt(math.pi) / 2),),
    "The inverse of `erf`, elementwise; nan outside of [-1, 1].", "unit",
    example="[0.0, 0.5] -> [0.0000, 0.4769]",
)  # fmt: skip


def _erfcinv_numpy(x: np.ndarray) -> np.ndarray:
    # SciPy halves its operand, which rounds denormal numbers.
    tiny = np.log(np.where(x < 1e-290, x, 1).astype(np.float64)) - math.log(2)
    found = -_of_scipy("ndtri_exp")(tiny) * math.sqrt(0.5)
    return np.where(x < 1e-290, found.astype(x.dtype), _of_scipy("erfcinv")(x) + 0.0)


erfcinv = _unary(
    "erfcinv", _erfcinv_numpy, lambda n, ct: (ct * exp(n * n) * (-math.sqrt(math.pi) / 2),),
    "The inverse of `erfc`, elementwise; nan outside of [0, 2].", "probability",
    example="[1.0, 0.5] -> [0.0000, 0.4769]",
)  # fmt: skip


def _erfcx_numpy(x: np.ndarray) -> np.ndarray:
    found = _of_scipy("erfcx")(x)
    # SciPy rounds the square, which exp magnifies.
    square = np.minimum(x, 0).astype(np.longdouble) ** 2
    mirrored = 2 * np.exp(np.minimum(square, 11000)) - _of_scipy("erfcx")(-x)
    return np.where(x < -1, mirrored.astype(x.dtype), found)


erfcx = _unary(
    "erfcx", _erfcx_numpy,
    lambda n, ct: (ct * (n.inputs[0] * n * 2 - 2 / math.sqrt(math.pi)),),
    "exp(x * x) * erfc(x), elementwise: finite where erfc vanishes.",
    example="[0.0, 100.0] -> [1.0000, 0.0056]",
)  # fmt: skip


def _sign(x: Node) -> Any:
    return FUNCTIONS["sign"](x)


def _over(value: object, x: Node, at_zero: float) -> Any:
    """value / x, and its limit at 0."""
    is_zero = x == 0
    return FUNCTIONS["where"](is_zero, at_zero, value / FUNCTIONS["where"](is_zero, 1, x))


i0 = _unary(
    "i0", _grown("i0"), lambda n, ct: (ct * i1(n.inputs[0]),),
    "The modified Bessel function of the first kind, of order 0.",
    example="[0.0, 1.0] -> [1.0000, 1.2661]", kernel="bessel_i0",
)  # fmt: skip
i0e = _unary(
    "i0e", "i0e", lambda n, ct: (ct * (i1e(n.inputs[0]) - _sign(n.inputs[0]) * n),),
    "exp(-|x|) * i0(x), elementwise, without overflow.",
    example="[0.0, 1.0] -> [1.0000, 0.4658]", kernel="bessel_i0e",
)  # fmt: skip
i1: Any = _unary(
    "i1", _grown("i1"), lambda n, ct: (ct * (i0(n.inputs[0]) - _over(n, n.inputs[0], 0.5)),),
    "The modified Bessel function of the first kind, of order 1.",
    example="[0.0, 1.0] -> [0.0000, 0.5652]", kernel="bessel_i1",
)  # fmt: skip
i1e: Any = _unary(
    "i1e", "i1e",
    lambda n, ct: (
        ct * (i0e(n.inputs[0]) - _sign(n.inputs[0]) * n - _over(n, n.inputs[0], 0.5)),
    ),
    "exp(-|x|) * i1(x), elementwise, without overflow.",
    example="[0.0, 1.0] -> [0.0000, 0.2079]", kernel="bessel_i1e",
)  # fmt: skip


def _zeta_above(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Of a large exponent the first term is all; SciPy has nan at infinity.
    return np.where((x > 1e4) & (y > 1), np.power(y, -x), _of_scipy("zeta")(x, y))


def _zeta_numpy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Far below 0 by sums from the nearest whole number on: SciPy takes a step for each term.
    dtype = y.dtype
    x, y = x.astype(np.float64), y.astype(np.float64)
    low, below = np.floor(y), y < -1000
    value = _zeta_above(x, np.where(below, y - low, y))
    rest = _zeta_above(x, np.where(below, (low + 1) - y, 1)) - _zeta_above(
        x, np.where(below, 1 - y, 1)
    )
    value = np.where(below, value + np.where(np.mod(x, 2) == 1, -rest, rest), value)
    value = np.where(below & (np.floor(x) != x) | np.isnan(x) | np.isnan(y), np.nan, value)
    value = np.where((y <= 0) & (low == y), np.inf, value)
    value = np.where(x == 1, np.inf, np.where(x < 1, np.nan, value))
    return value.astype(dtype)


zeta = binary(
    "zeta", promote="float", numpy=_zeta_numpy, scalar="zeta({0}, {1})",
    vjp=NoGradient("use polygamma, which has one, for a whole exponent"), kinds=FLOAT,
    domain="above_one/positive",
    doc="Hurwitz's zeta function: the sum of (y + k)**-x over whole numbers k from 0 on.",
    example="[2.0, 3.0], [1.0, 1.0] -> [1.6449, 1.2021]",
)  # fmt: skip


def _polygamma_factor(n: int) -> float:
    return math.factorial(n) * (1.0 if n % 2 else -1.0)


def _polygamma_numpy(x: np.ndarray, *, n: int) -> np.ndarray:
    exponent = np.full_like(x, n + 1)
    return _of_scipy("zeta")(exponent, x) * x.dtype.type(_polygamma_factor(n))


def _polygamma_scalar(x: DType, *, n: int) -> str:
    return f"zeta({literal(x, n + 1.0)}, {{0}}) * {literal(x, _polygamma_factor(n))}"


def _polygamma_samples() -> list[Any]:
    return [
        Sample((((2, 5), dtype, "positive"),), {"n": n})
        for n in (1, 2)
        for dtype in ("float32", "float64")
    ]


POLYGAMMA: Op = elementwise_op(
    "polygamma", numpy=_polygamma_numpy, scalar=_polygamma_scalar, kinds=FLOAT,
    vjp=lambda n, ct: (ct * POLYGAMMA(n.inputs[0], n=n.attr("n") + 1),), samples=_polygamma_samples,
    doc="The n-th derivative of digamma, for n above 0.",
)  # fmt: skip


@public
def polygamma(n: int, x: Operand) -> Any:
    """The n-th derivative of `digamma`, elementwise.

    Args:
        n: a whole number from 0 to 30.
        x: floats.

    Raises:
        ArgumentError: n is none of these.

    Example:
        >>> import graphc as gc
        >>> gc.polygamma(1, gc.tensor([1.0, 2.0]))
        tensor([1.6449, 0.6449])
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= 30:
        raise ArgumentError(
            f"polygamma: n is {n!r:.60}, not a whole number from 0 to 30", where=caller()
        )
    (x,) = conform("polygamma", [x], "float")
    return digamma(x) if n == 0 else POLYGAMMA(x, n=n)


def exp(x: Operators) -> Any:
    """e to the power x."""
    return FUNCTIONS["exp"](x)


@public
def ndtr(x: Operand) -> Any:
    """The standard normal distribution's probability of a value below x.

    Example:
        >>> import graphc as gc
        >>> gc.ndtr(gc.tensor([0.0, 1.96]))
        tensor([0.5000, 0.9750])
    """
    (x,) = conform("ndtr", [x], "float")
    return FUNCTIONS["erfc"](x * -math.sqrt(0.5)) * 0.5


@public
@rounded_once
def log_ndtr(x: Operand) -> Any:
    """log(ndtr(x)), finite and accurate far below 0.

    Example:
        >>> import graphc as gc
        >>> gc.log_ndtr(gc.tensor([0.0, -50.0]))
        tensor([-6.9315e-01, -1.2548e+03])
    """
    (x,) = conform("log_ndtr", [x], "float")
    where = FUNCTIONS["where"]
    low = x < -1
    below, above = where(low, x, -1), where(low, 0, x)
    tail = FUNCTIONS["log"](erfcx(below * -math.sqrt(0.5)) * 0.5) - below * below * 0.5
    rest = FUNCTIONS["erfc"](above * math.sqrt(0.5)) * -0.5
    return where(low, tail, FUNCTIONS["log1p"](rest))


def _times_log(name: str, x: Operand, y: Operand, log: str) -> Any:
    """x * log(y), 0 where x is 0 and y is not nan; the logarithm is not seen there."""
    x, y = conform(name, [x, y], "float")
    where, is_nan = FUNCTIONS["where"], FUNCTIONS["isnan"]
    still = FUNCTIONS["logical_and"](x == 0, FUNCTIONS["logical_not"](is_nan(y)))
    value = x * FUNCTIONS[log](where(still, 1, y))
    return where(still, 0, value)


@public
def xlogy(x: Operand, y: Operand) -> Any:
    """x * log(y), elementwise; 0 where x is 0, unless y is nan.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([0.0, 2.0])
        >>> gc.xlogy(x, gc.tensor([0.0, 3.0]))
        tensor([0.0000, 2.1972])
    """
    return _times_log("xlogy", x, y, "log")


@public
def xlog1py(x: Operand, y: Operand) -> Any:
    """x * log1p(y), elementwise; 0 where x is 0, unless y is nan.

    Example:
        >>> import graphc as gc
        >>> gc.xlog1py(gc.tensor([0.0, 2.0]), gc.tensor([-1.0, 2.0]))
        tensor([0.0000, 2.1972])
    """
    return _times_log("xlog1py", x, y, "log1p")


@public
def entr(x: Operand) -> Any:
    """-x * log(x), elementwise; 0 at 0, -inf below.

    Example:
        >>> import graphc as gc
        >>> gc.entr(gc.tensor([0.0, 0.5, -1.0]))
        tensor([0.0000, 0.3466,   -inf])
    """
    (x,) = conform("entr", [x], "float")
    where = FUNCTIONS["where"]
    inside = where(x > 0, x, 1)
    value = -inside * FUNCTIONS["log"](inside)
    value = where(x == 0, 0, where(x < 0, float("-inf"), value))
    return where(FUNCTIONS["isnan"](x), x, value)


@public
def multigammaln(x: Operand, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension p, elementwise.

    Args:
        x: floats above (p - 1) / 2.
        p: a whole number from 1 on.

    Raises:
        ArgumentError: p is none.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([3.0])
        >>> gc.multigammaln(x, 2)
        tensor([1.5502])
    """
    if isinstance(p, bool) or not isinstance(p, int) or p < 1:
        raise ArgumentError(
            f"multigammaln: p is {p!r:.60}, not a whole number from 1 on", where=caller()
        )
    (x,) = conform("multigammaln", [x], "float")
    total = lgamma(x)
    for k in range(1, p):
        total = total + lgamma(x - 0.5 * k)
    return total + math.log(math.pi) * p * (p - 1) / 4


@public
@rounded_once
def betaln(x: Operand, y: Operand) -> Any:
    """The logarithm of the beta function: lgamma(x) + lgamma(y) - lgamma(x + y).

    Example:
        >>> import graphc as gc
        >>> gc.betaln(gc.tensor([2.0]), gc.tensor([3.0]))
        tensor([-2.4849])
    """
    x, y = conform("betaln", [x, y], "float")
    return lgamma(x) + lgamma(y) - lgamma(x + y)


for _alias, _function in {"gammaln": lgamma, "psi": digamma, "mvlgamma": multigammaln}.items():
    public(_function, _alias)
public(FUNCTIONS["sigmoid"], "expit")
