"""Integer functions of the kernel language, and the range tests of casts, as formulas.

Each formula takes Terms and whether they are signed; `numba_math` makes intrinsics of them. All
follow NumPy: arithmetic wraps, x // 0 and x % 0 are 0, a shift by the width or more leaves only
the sign.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from graphc.runtime.language.numba_terms import F32, F64, I64, Term, loop


def maximum(x: Term, y: Term, signed: bool) -> Term:
    """The larger."""
    return x.call("smax" if signed else "umax", y)


def minimum(x: Term, y: Term, signed: bool) -> Term:
    """The smaller."""
    return x.call("smin" if signed else "umin", y)


def absolute(x: Term, signed: bool) -> Term:
    """|x|; the least integer wraps to itself."""
    return x.abs() if signed else x


def sign(x: Term, signed: bool) -> Term:
    """-1, 0 or 1."""
    positive = x.differs(0).resize(x.type)
    return (x < 0).where(-1, positive) if signed else positive


def _divide(x: Term, y: Term, signed: bool) -> tuple[Term, Term]:
    """The quotient cut to its whole part and the remainder; 0 and x for y = 0, wraps for -1.

    Up to 32 bits through floats, which vectorise: x / y is off its whole part by at least 1 / y,
    relatively 1 / x, more than the rounding of the division; so the cut is exact.
    """
    zero = y.equals(0)
    if x.type.width == 64:
        # The one quotient that overflows is x / -1 for the least x: x / 1 has the bits it wraps to.
        unsafe = zero | (x.equals(-(1 << 63)) & y.equals(-1)) if signed else zero
        # Opaque: LLVM vectorises a guarded division that is the same in all lanes wrongly.
        safe = unsafe.where(1, y).opaque()
        quotient = x.make((x.builder.sdiv if signed else x.builder.udiv)(x.value, safe.value))
    else:
        kind, wide = (F64, ir.IntType(64)) if x.type.width == 32 else (F32, ir.IntType(32))
        divisor = zero.where(1, y).resize(wide, signed).to_float(kind)
        ratio = x.resize(wide, signed).to_float(kind) / divisor
        quotient = ratio.to_int(wide).resize(x.type)
    return zero.where(0, quotient), zero.where(0, x - quotient * y)


def floor_divide(x: Term, y: Term, signed: bool) -> Term:
    """The quotient rounded down."""
    quotient, rest = _divide(x, y, signed)
    if not signed:
        return quotient
    return quotient - (rest.differs(0) & ((rest ^ y) < 0)).resize(x.type)


def floor_mod(x: Term, y: Term, signed: bool) -> Term:
    """What floor_divide leaves, with the sign of y."""
    _, rest = _divide(x, y, signed)
    if not signed:
        return rest
    return (rest.differs(0) & ((rest ^ y) < 0)).where(rest + y, rest)


def c_mod(x: Term, y: Term, signed: bool) -> Term:
    """What division rounded toward 0 leaves, with the sign of x."""
    return _divide(x, y, signed)[1]


def power_int(x: Term, y: Term, signed: bool) -> Term:
    """x to the power y, wrapping, by squaring; y counts as unsigned."""

    def step(result: Term, base: Term, left: Term) -> list[Term]:
        odd = (left & 1).differs(0)
        return [odd.where(result * base, result), base * base, left.logical_shift(1)]

    return loop([x.constant(1), x, y], lambda r, b, left: left.differs(0), step)[0]


def gcd(x: Term, y: Term, signed: bool) -> Term:
    """The greatest common divisor of |x| and |y|, by Euclid."""

    def step(a: Term, b: Term) -> list[Term]:
        return [b, a.make(a.builder.urem(a.value, b.value))]

    first = [absolute(x, signed), absolute(y, signed)]
    return loop(first, lambda a, b: b.differs(0), step)[0]


def lcm(x: Term, y: Term, signed: bool) -> Term:
    """The least common multiple of |x| and |y|; 0 when both are."""
    common = gcd(x, y, signed)
    safe = common.equals(0).where(1, common).opaque()
    a = absolute(x, signed)
    return a.make(a.builder.udiv(a.value, safe.value)) * absolute(y, signed)


def shift_left(x: Term, y: Term, signed: bool) -> Term:
    """x << y; 0 when y is negative, or the width or more."""
    within = y.below(x.type.width)
    count = within.where(y, 0).resize(x.type)
    return within.where(x << count, 0)


def shift_right(x: Term, y: Term, signed: bool) -> Term:
    """x >> y, the sign kept; 0, or -1 for negative x, when y is the width or more."""
    top = x.type.width - 1
    count = y.below(top).where(y, top).resize(x.type)
    if signed:
        return x >> count
    return y.below(x.type.width).where(x.logical_shift(count), 0)


def bit_count(x: Term, signed: bool) -> Term:
    """How many bits of |x| are set, as 8 bits."""
    return absolute(x, signed).call("ctpop").resize(ir.IntType(8))


def let_wrap(value: ir.Value) -> None:
    """Of arithmetic that is cast, take back what Numba tells LLVM of all: that it never overflows.

    Of indices that holds; of elements LLVM would conclude that x + 1 > x.
    """
    if "nsw" in getattr(value, "flags", ()):
        value.flags = [flag for flag in value.flags if flag != "nsw"]
        for operand in value.operands:
            let_wrap(operand)


def from_float(x: Term, target: str) -> Term:
    """A float as an integer, as `to_integer` of `graphc.ops.elementwise.cast` defines it.

    LLVM converts only what fits: the rest is poison, with which other instructions do as they like.
    """
    bits, least = TARGETS[target][0], -(2.0**63)
    if target != "u64":
        return (x.abs() < -least).where(x, least).to_int(I64).resize(ir.IntType(bits))
    above = (x >= -least) & (x < 2.0**64)
    low = above.where(x + least, x)
    whole = (low.abs() < -least).where(low, least).to_int(I64)
    return above.where(whole ^ -(1 << 63), whole)


def float_out_of_range(x: Term, bits: int, signed: bool) -> Term:
    """Whether the whole part of a float is no integer of so many bits; true for nan."""
    # Both bounds are exact: a power of two or 0.
    low = -(2.0 ** (bits - 1)) if signed else 0.0
    high = 2.0 ** (bits - 1 if signed else bits)
    whole = x.call("trunc")
    return ~((whole >= low) & (whole < high))


def out_of_range(x: Term, source_signed: bool, bits: int, signed: bool) -> Term:
    """Whether an integer is none of so many bits."""
    width = x.type.width
    limit = (1 << (bits - 1 if signed else bits)) - 1
    own = (1 << (width - 1 if source_signed else width)) - 1
    bad = x.constant(limit).below(x) if limit < own else None
    if not source_signed:
        return bad or x.make(ir.Constant(ir.IntType(1), 0))
    # As unsigned, negative x lie above every limit.
    if not signed:
        return bad or x < 0
    if bits >= width:
        return x.make(ir.Constant(ir.IntType(1), 0))
    return (x > limit) | (x < -limit - 1)


UNARY: dict[str, Callable[[Term, bool], Term]] = {
    "absolute": absolute,
    "sign": sign,
    "bit_count": bit_count,
    "invert": lambda x, signed: ~x,
}
BINARY: dict[str, Callable[[Term, Term, bool], Term]] = {
    "maximum": maximum,
    "minimum": minimum,
    "fmax": maximum,
    "fmin": minimum,
    "floor_divide": floor_divide,
    "floor_mod": floor_mod,
    "c_mod": c_mod,
    "fmod": c_mod,
    "power_int": power_int,
    "gcd": gcd,
    "lcm": lcm,
}
SHIFTS: dict[str, Callable[[Term, Term, bool], Term]] = {
    "shift_left": shift_left,
    "shift_right": shift_right,
}
TARGETS: dict[str, tuple[int, bool]] = {
    f"{'i' if signed else 'u'}{bits}": (bits, signed)
    for bits in (8, 16, 32, 64)
    for signed in (True, False)
}

BOOLEAN: dict[str, Callable[[Term, Term], Term]] = {
    "maximum": lambda x, y: x | y,
    "fmax": lambda x, y: x | y,
    "minimum": lambda x, y: x & y,
    "fmin": lambda x, y: x & y,
}
