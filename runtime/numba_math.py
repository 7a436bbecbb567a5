"""Mathematical functions of the kernel language, as Numba compiles them.

Each name is an intrinsic that picks its LLVM code by operand type, so that a call costs little to
compile and is always inlined. float32 exponentials, logarithms and circular functions are
straight-line polynomials that vectorise; the rest calls libm through llvm intrinsics or `math`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()


class Term:
    """An LLVM value with Python's operators: formulas read as formulas."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def lift(self, other: Any) -> Any:
        if isinstance(other, Term):
            return other.value
        return ir.Constant(self.value.type, other)

    def make(self, value: Any) -> Term:
        return Term(self.builder, value)

    @property
    def is_float(self) -> bool:
        return isinstance(self.value.type, ir.FloatType | ir.DoubleType)

    def _binary(self, name: str, other: Any) -> Term:
        prefix = "f" if self.is_float else ""
        return self.make(getattr(self.builder, prefix + name)(self.value, self.lift(other)))

    def __add__(self, other: Any) -> Term:
        return self._binary("add", other)

    def __sub__(self, other: Any) -> Term:
        return self._binary("sub", other)

    def __mul__(self, other: Any) -> Term:
        return self._binary("mul", other)

    def __rsub__(self, other: Any) -> Term:
        return self.make(self.lift(other)) - self

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Term:
        return self.make(self.builder.fdiv(self.value, self.lift(other)))

    def __rtruediv__(self, other: Any) -> Term:
        return self.make(self.lift(other)) / self

    def __neg__(self) -> Term:
        return self.make(self.builder.fneg(self.value) if self.is_float else
                         self.builder.neg(self.value))  # fmt: skip

    def __and__(self, other: Any) -> Term:
        return self.make(self.builder.and_(self.value, self.lift(other)))

    def __or__(self, other: Any) -> Term:
        return self.make(self.builder.or_(self.value, self.lift(other)))

    def __xor__(self, other: Any) -> Term:
        return self.make(self.builder.xor(self.value, self.lift(other)))

    def __lshift__(self, other: Any) -> Term:
        return self.make(self.builder.shl(self.value, self.lift(other)))

    def __rshift__(self, other: Any) -> Term:
        return self.make(self.builder.ashr(self.value, self.lift(other)))

    def compare(self, sign: str, other: Any) -> Term:
        """An ordered comparison (signed, of integers)."""
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        return self.make(compare(sign, self.value, self.lift(other)))

    def isnan(self) -> Term:
        return self.make(self.builder.fcmp_unordered("uno", self.value, self.value))

    def where(self, x: Any, y: Any) -> Term:
        """x where this (a truth value) holds, else y."""
        first = x if isinstance(x, Term) else y.make(y.lift(x))
        return self.make(self.builder.select(self.value, first.value, first.lift(y)))

    def call(self, name: str, *others: Any) -> Term:
        """An LLVM intrinsic of this value's type, such as `llvm.sqrt`."""
        kind = self.value.type
        suffix = "f32" if kind is F32 else "f64" if kind is F64 else f"i{kind.width}"
        operands = [self.value, *(self.lift(o) for o in others)]
        signature = ir.FunctionType(kind, [kind] * len(operands))
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"{name}.{suffix}"
        )
        return self.make(self.builder.call(function, operands))

    def fma(self, y: Any, z: Any) -> Term:
        """self * y + z, rounded once."""
        return self.call("llvm.fma", y, z)

    def bits(self, kind: Any) -> Term:
        return self.make(self.builder.bitcast(self.value, kind))

    def to_int(self, kind: Any = I32) -> Term:
        return self.make(self.builder.fptosi(self.value, kind))

    def to_float(self, kind: Any = F32) -> Term:
        return self.make(self.builder.sitofp(self.value, kind))


def polynomial(x: Term, coefficients: tuple[float, ...]) -> Term:
    """Horner's rule, highest coefficient last."""
    total = x.make(x.lift(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        total = total.fma(x, coefficient)
    return total


def _libm(x: Term, name: str, *others: Term) -> Term:
    """A C function on doubles; float32 goes through double and is rounded once."""
    double = [t.make(t.builder.fpext(t.value, F64)) if t.value.type is F32 else t
              for t in (x, *others)]  # fmt: skip
    signature = ir.FunctionType(F64, [F64] * len(double))
    function = cgutils.get_or_insert_function(x.builder.module, signature, name)
    result = x.make(x.builder.call(function, [t.value for t in double]))
    return x.make(x.builder.fptrunc(result.value, F32)) if x.value.type is F32 else result


LOG2_E = 1.4426950408889634
EXP = (0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368715643882751,
       0.0013814602280035615)  # fmt: skip


def _exp_parts(x: Term) -> tuple[Term, Term]:
    """exp(x) as p * 2**n: Cody and Waite's reduction, then a polynomial."""
    n = (x * LOG2_E).call("llvm.rint")
    r = n.fma(-0.693359375, x)
    r = n.fma(2.12194440e-4, r)
    return polynomial(r, EXP).fma(r * r, r + 1.0), n


def _power_of_two(n: Term) -> Term:
    return ((n + 127) << 23).bits(F32)


def exp_f32(x: Term) -> Term:
    x = x.compare(">", 89.0).where(x.make(x.lift(89.0)), x)
    x = x.compare("<", -104.0).where(x.make(x.lift(-104.0)), x)
    p, n = _exp_parts(x)
    i = n.to_int()
    half = i >> 1
    return p * _power_of_two(half) * _power_of_two(i - half)


def _exp_clamped(x: Term) -> Term:
    """exp for arguments of at most 88; smaller than -87 count as -87."""
    x = x.compare("<", -87.33654).where(x.make(x.lift(-87.33654)), x)
    p, n = _exp_parts(x)
    return p * _power_of_two(n.to_int())


LOG = (0.3333331346511841, -0.25000008940696716, 0.2000211924314499, -0.1666799634695053,
       0.14219552278518677, -0.1240558847784996, 0.11888165026903152, -0.11675657331943512,
       0.06746641546487808)  # fmt: skip


def log_f32(x0: Term) -> Term:
    small = x0.compare("<", 1.17549435e-38)
    x = small.where(x0 * 33554432.0, x0)
    t = x.bits(I32) + (0x3F800000 - 0x3F3504F3)
    e = ((t >> 23) - 127).to_float()
    e = small.where(e - 25.0, e)
    f = ((t & 0x007FFFFF) + 0x3F3504F3).bits(F32) - 1.0
    z = f * f
    p = polynomial(f, LOG) * f * z
    p = e.fma(-2.12194440e-4, p)
    y = e.fma(0.693359375, f + (p - z * 0.5))
    y = x0.compare("==", 0.0).where(y.make(y.lift(-math.inf)), y)
    y = x0.compare("<", 0.0).where(y.make(y.lift(math.nan)), y)
    y = x0.compare("==", math.inf).where(x0, y)
    return x0.isnan().where(x0, y)


TANH = (-0.33333277702331543, 0.13331331312656403, -0.05373000726103783, 0.02060617506504059,
        -0.00566697446629405)  # fmt: skip


def _copysign(x: Term, sign: Term) -> Term:
    return x.call("llvm.copysign", sign)


def tanh_f32(x: Term) -> Term:
    a = x.call("llvm.fabs")
    c = a.compare(">", 9.02).where(a.make(a.lift(9.02)), a)
    z = x * x
    small = (polynomial(z, TANH) * z).fma(x, x)
    large = 1.0 - 2.0 / (_exp_clamped(c + c) + 1.0)
    large = _copysign(large, x)
    return x.isnan().where(x, a.compare("<", 0.625).where(small, large))


ERF_SMALL = (1.1283791065216064, -0.3761262595653534, 0.1128358542919159, -0.026853812858462334,
             0.005188329145312309, -0.0008010204182937741, 7.853893475839868e-05)  # fmt: skip
ERF_LARGE = (-0.00016920322377700359, 1.1294883489608765, 0.6334008574485779, 0.10822036117315292,
             -0.025080600753426552, 0.004156248643994331, -0.00043139216722920537,
             2.082849277940113e-05)  # fmt: skip


def erf_f32(x: Term) -> Term:
    a = x.call("llvm.fabs")
    c = a.compare(">", 4.0).where(a.make(a.lift(4.0)), a)
    small = x * polynomial(x * x, ERF_SMALL)
    large = _copysign(1.0 - _exp_clamped(-polynomial(c, ERF_LARGE)), x)
    return x.isnan().where(x, a.compare("<", 1.0).where(small, large))


def sigmoid_f32(x: Term) -> Term:
    x1 = x.compare("<", -103.0).where(x.make(x.lift(-103.0)), x)
    a = -(x1.call("llvm.fabs"))
    e = exp_f32(a)
    return x1.compare("<", 0.0).where(e, x.make(x.lift(1.0))) / (e + 1.0)


SIN = (-0.16666655242443085, 0.008332154713571072, -0.000195144530152902)
COS = (0.04166664555668831, -0.0013887308305129409, 2.4432209102087654e-05)


def _circular(x: Term, shift: int) -> Term:
    """sin (shift 0) or cos (1): reduced in float64, good to |x| of about 1e9."""
    wide = x.make(x.builder.fpext(x.value, F64))
    n = (wide * (2.0 / math.pi)).call("llvm.rint")
    r64 = n.fma(-1.5707963267948966, wide)
    r64 = n.fma(-6.123233995736766e-17, r64)
    r = x.make(x.builder.fptrunc(r64.value, F32))
    q = n.to_int(I64)
    i = x.make(x.builder.trunc(q.value, I32)) + shift
    z = r * r
    s = (polynomial(z, SIN) * z).fma(r, r)
    c = polynomial(z, COS).fma(z * z, z.fma(-0.5, 1.0))
    odd = (i & 1).compare("==", 1)
    value = odd.where(c, s)
    flipped = value.bits(I32) ^ ((i & 2) << 30)
    return flipped.bits(F32)


LN2 = math.log(2.0)
FAST = {
    "exp": exp_f32,
    "log": log_f32,
    "tanh": tanh_f32,
    "erf": erf_f32,
    "sigmoid": sigmoid_f32,
    "sin": lambda x: _circular(x, 0),
    "cos": lambda x: _circular(x, 1),
}
LIBM = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "cbrt": "cbrt", "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erf": "erf",
    "erfc": "erfc", "arctan2": "atan2", "hypot": "hypot", "power": "pow",
}  # fmt: skip


def _sign(x: Term) -> Term:
    one = _copysign(x.make(x.lift(1.0)), x) if x.is_float else None
    if one is not None:
        return x.compare("==", 0.0).where(x, x.isnan().where(x, one))
    positive = x.make(x.builder.zext(x.compare(">", 0).value, x.value.type))
    return positive - x.make(x.builder.zext(x.compare("<", 0).value, x.value.type))


def _sigmoid(x: Term) -> Term:
    return 1.0 / (_libm(-x, "exp") + 1.0)


def _softplus(x: Term) -> Term:
    positive = x.compare(">", 0.0).where(x, x.make(x.lift(0.0)))
    return x.isnan().where(x, positive + _libm(_libm(-(x.call("llvm.fabs")), "exp"), "log1p"))


def _logaddexp(x: Term, y: Term) -> Term:
    top = x.call("llvm.maximum", y)
    gap = -((x - y).call("llvm.fabs"))
    same = x.compare("==", y)
    return same.where(x + LN2, top + _libm(_libm(gap, "exp"), "log1p"))


def _unary_llvm(name: str) -> Callable[[Term], Term]:
    return lambda x: x.call(f"llvm.{name}")


FLOAT_UNARY: dict[str, Callable[[Term], Term]] = {
    **{name: (lambda x, c=c: _libm(x, c)) for name, c in LIBM.items()},
    "sqrt": _unary_llvm("sqrt"),
    "rsqrt": lambda x: 1.0 / x.call("llvm.sqrt"),
    "floor": _unary_llvm("floor"),
    "ceil": _unary_llvm("ceil"),
    "trunc": _unary_llvm("trunc"),
    "rint": _unary_llvm("rint"),
    "absolute": _unary_llvm("fabs"),
    "sign": _sign,
    "reciprocal": lambda x: 1.0 / x,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
}


def _intrinsic_unary(name: str) -> Any:
    wide, fast = FLOAT_UNARY[name], FAST.get(name)

    @intrinsic
    def function(typingctx: Any, x: Any) -> Any:
        kind = types.unliteral(x)
        if isinstance(kind, types.Float):
            def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                formula = fast if fast and kind == types.float32 else wide
                return formula(Term(builder, values[0])).value

            return kind(kind), codegen
        if isinstance(kind, types.Integer) and name in ("absolute", "sign"):
            def codegen_int(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                term = Term(builder, values[0])
                if name == "sign" and kind.signed:
                    return _sign(term).value
                if not kind.signed:
                    one = ir.Constant(term.value.type, 1)
                    zero = ir.Constant(term.value.type, 0)
                    nonzero = builder.icmp_unsigned("!=", term.value, zero)
                    return term.value if name == "absolute" else builder.select(nonzero, one, zero)
                return term.compare("<", 0).where(-term, term).value

            return kind(kind), codegen_int
        return None

    return function


def _float_binary(name: str) -> Any:
    formulas: dict[str, Callable[[Term, Term], Term]] = {
        "maximum": lambda x, y: x.call("llvm.maximum", y),
        "minimum": lambda x, y: x.call("llvm.minimum", y),
        "fmax": lambda x, y: x.call("llvm.maxnum", y),
        "fmin": lambda x, y: x.call("llvm.minnum", y),
        "copysign": _copysign,
        "logaddexp": _logaddexp,
        **{n: (lambda x, y, c=LIBM[n]: _libm(x, c, y)) for n in ("arctan2", "hypot", "power")},
    }
    signs = {"maximum": ">", "fmax": ">", "minimum": "<", "fmin": "<"}

    @intrinsic
    def function(typingctx: Any, x: Any, y: Any) -> Any:
        kind = types.unliteral(x)
        if kind != types.unliteral(y):
            return None
        if isinstance(kind, types.Float):
            return kind(kind, kind), lambda c, b, s, v: formulas[name](
                Term(b, v[0]), Term(b, v[1])
            ).value
        if isinstance(kind, types.Integer) and name in signs:
            def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                compare = builder.icmp_signed if kind.signed else builder.icmp_unsigned
                return builder.select(compare(signs[name], *values), *values)

            return kind(kind, kind), codegen
        return None

    return function


def _test(name: str) -> Any:
    @intrinsic
    def function(typingctx: Any, x: Any) -> Any:
        kind = types.unliteral(x)
        if not isinstance(kind, types.Float):
            return None

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            term = Term(builder, values[0])
            if name == "isnan":
                return term.isnan().value
            if name == "signbit":
                bits = term.bits(I32 if kind == types.float32 else I64)
                return bits.compare("<", 0).value
            size = term.call("llvm.fabs")
            return size.compare("==" if name == "isinf" else "<", math.inf).value

        return types.boolean(kind), codegen

    return function


jit = njit(error_model="numpy", forceinline=True)


@jit
def floor_divide(x, y):
    return x // y


@jit
def floor_mod(x, y):
    return x % y


NAMES: dict[str, Any] = {
    **{name: _intrinsic_unary(name) for name in FLOAT_UNARY},
    **{name: _float_binary(name) for name in (
        "maximum", "minimum", "fmax", "fmin", "copysign", "logaddexp", "arctan2", "hypot",
        "power")},
    **{name: _test(name) for name in ("isnan", "isinf", "isfinite", "signbit")},
    "floor_divide": floor_divide,
    "floor_mod": floor_mod,
}  # fmt: skip
