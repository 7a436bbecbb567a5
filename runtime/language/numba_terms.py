"""Formulas on LLVM values that read as formulas, for the mathematical functions of kernels.

A `Term` is a value in a function being built, with Python's operators. A whole formula is one
Numba intrinsic: typing it costs a fraction of what nested jitted functions cost, it is always
inlined, and no fast-math flag touches it. Formulas are straight-line code (choices by `where`),
which LLVM vectorises; only `loop` makes control flow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.typing.templates import Signature

from graphc.runtime.base import target

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()
BITS = {F32: I32, F64: I64}


def like(kind: object, model: object) -> Any:
    """A scalar type, or vectors of it as long as those of a model."""
    return ir.VectorType(kind, model.count) if isinstance(model, ir.VectorType) else kind


class Term:
    """An LLVM value, or a vector of them, with Python's operators; a Python number beside it takes
    its type.

    Comparisons give i1 Terms: ordered for floats (false when an operand is nan), signed for
    integers. Of unsigned integers, `below` compares and `logical_shift` shifts to the right.
    """

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    @property
    def type(self) -> Any:
        """The LLVM type."""
        return self.value.type

    @property
    def element(self) -> Any:
        """The LLVM type of a vector's elements; of a scalar, its own."""
        return self.type.element if isinstance(self.type, ir.VectorType) else self.type

    @property
    def is_float(self) -> bool:
        """Whether the elements are float or double."""
        return self.element in BITS

    def make(self, value: ir.Value) -> Term:
        """A Term of an LLVM value of the same function."""
        return Term(self.builder, value)

    def lift(self, other: Term | int | float) -> Any:
        """The LLVM value of a Term, or of a Python number as a constant of this type."""
        return other.value if isinstance(other, Term) else self.constant(other).value

    def constant(self, number: float | int) -> Term:
        """A constant of this type."""
        is_vector = isinstance(self.type, ir.VectorType)
        return self.make(
            ir.Constant(self.type, [number] * self.type.count if is_vector else number)
        )

    def _binary(self, name: str, other: Term | int | float) -> Term:
        prefix = "f" if self.is_float else ""
        return self.make(getattr(self.builder, prefix + name)(self.value, self.lift(other)))

    def __add__(self, other: Term | int | float) -> Term:
        return self._binary("add", other)

    def __sub__(self, other: Term | int | float) -> Term:
        return self._binary("sub", other)

    def __mul__(self, other: Term | int | float) -> Term:
        return self._binary("mul", other)

    def __rsub__(self, other: Term | int | float) -> Term:
        return self.make(self.lift(other)) - self

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Term | int | float) -> Term:
        return self.make(self.builder.fdiv(self.value, self.lift(other)))

    def __rtruediv__(self, other: Term | int | float) -> Term:
        return self.make(self.lift(other)) / self

    def __neg__(self) -> Term:
        negate = self.builder.fneg if self.is_float else self.builder.neg
        return self.make(negate(self.value))

    def __and__(self, other: Term | int | float) -> Term:
        return self.make(self.builder.and_(self.value, self.lift(other)))

    def __or__(self, other: Term | int | float) -> Term:
        return self.make(self.builder.or_(self.value, self.lift(other)))

    def __xor__(self, other: Term | int | float) -> Term:
        return self.make(self.builder.xor(self.value, self.lift(other)))

    def __invert__(self) -> Term:
        return self.make(self.builder.not_(self.value))

    def __lshift__(self, other: Term | int | float) -> Term:
        return self.make(self.builder.shl(self.value, self.lift(other)))

    def __rshift__(self, other: Term | int | float) -> Term:
        """Arithmetic: the sign is kept."""
        return self.make(self.builder.ashr(self.value, self.lift(other)))

    def logical_shift(self, other: Term | int | float) -> Term:
        """A shift to the right that brings in zeros."""
        return self.make(self.builder.lshr(self.value, self.lift(other)))

    def _compare(self, sign: str, other: Term | int | float) -> Term:
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        return self.make(compare(sign, self.value, self.lift(other)))

    def __lt__(self, other: Term | int | float) -> Term:
        return self._compare("<", other)

    def __le__(self, other: Term | int | float) -> Term:
        return self._compare("<=", other)

    def __gt__(self, other: Term | int | float) -> Term:
        return self._compare(">", other)

    def __ge__(self, other: Term | int | float) -> Term:
        return self._compare(">=", other)

    def equals(self, other: Term | int | float) -> Term:
        """Whether this is `other`; `==` is left to Python."""
        return self._compare("==", other)

    def differs(self, other: Term | int | float) -> Term:
        """Whether this is not `other`, nan included."""
        if self.is_float:
            return ~self.equals(other)
        return self._compare("!=", other)

    def below(self, other: Term | int | float) -> Term:
        """The comparison of unsigned integers `self < other`."""
        return self.make(self.builder.icmp_unsigned("<", self.value, self.lift(other)))

    def is_nan(self) -> Term:
        """Whether a float is nan."""
        return self.make(self.builder.fcmp_unordered("uno", self.value, self.value))

    def where(self, x: Any, y: Any) -> Term:
        """x where this truth value holds, else y; one of them is a Term."""
        model = x if isinstance(x, Term) else y
        return self.make(self.builder.select(self.value, model.lift(x), model.lift(y)))

    def call(self, name: str, *others: Any) -> Term:
        """An LLVM intrinsic of this type on this and other operands: `x.call("sqrt")`."""
        operands = [self.value, *(self.lift(o) for o in others)]
        signature = ir.FunctionType(self.type, [self.type] * len(operands))
        return self._call(f"llvm.{name}.{self._suffix()}", signature, operands)

    def _suffix(self) -> str:
        """How LLVM's names of intrinsics write this type."""
        element = self.element
        text = {F32: "f32", F64: "f64"}.get(element) or f"i{element.width}"
        return f"v{self.type.count}{text}" if isinstance(self.type, ir.VectorType) else text

    def _call(self, name: str, signature: Signature, operands: list[Any]) -> Term:
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.make(self.builder.call(function, operands))

    def libm(self, name: str, *others: Term) -> Term:
        """A function of the C library on doubles; floats go there and back."""
        operands = [t.cast(F64).value for t in (self, *others)]
        signature = ir.FunctionType(F64, [F64] * len(operands))
        return self._call(name, signature, operands).cast(self.type)

    def fma(self, y: Term | int | float, z: Term | int | float) -> Term:
        """self * y + z with one rounding (of float32 without hardware for it, nearly so)."""
        if target.has_fma() or self.element is F64:
            return self.call("fma", y, z)
        y, z = (self.make(self.lift(v)).cast(F64) for v in (y, z))
        return (self.cast(F64) * y + z).cast(F32)

    def times_power_of_two(self, n: Term) -> Term:
        """self * 2**n with one rounding, where the CPU has an instruction for it; n an i32."""
        signature = ir.FunctionType(self.type, [self.type, n.type])
        name = f"llvm.ldexp.{self._suffix()}.{n._suffix()}"
        return self._call(name, signature, [self.value, n.value])

    def cast(self, kind: Any) -> Term:
        """A float in the other float type."""
        if self.element is kind:
            return self
        convert = self.builder.fpext if kind is F64 else self.builder.fptrunc
        return self.make(convert(self.value, like(kind, self.type)))

    def bits(self) -> Term:
        """The bits of a float as an integer of its size."""
        return self.make(self.builder.bitcast(self.value, like(BITS[self.element], self.type)))

    def as_float(self) -> Term:
        """The float whose bits these are."""
        kind = F32 if self.element is I32 else F64
        return self.make(self.builder.bitcast(self.value, like(kind, self.type)))

    def to_int(self, kind: Any = I32) -> Term:
        """A float's whole part; it must fit."""
        return self.make(self.builder.fptosi(self.value, like(kind, self.type)))

    def to_float(self, kind: Any) -> Term:
        """A signed integer as a float."""
        return self.make(self.builder.sitofp(self.value, like(kind, self.type)))

    def resize(self, kind: Any, signed: bool = False) -> Term:
        """An integer in another size: cut, or extended by its sign or by zeros."""
        if kind is self.element:
            return self
        extend = self.builder.sext if signed else self.builder.zext
        convert = self.builder.trunc if kind.width < self.element.width else extend
        return self.make(convert(self.value, like(kind, self.type)))

    def opaque(self) -> Term:
        """The same integer, of which LLVM knows nothing; a loop around it is not vectorised."""
        if isinstance(self.value, ir.Constant):
            return self
        kind = ir.FunctionType(self.type, [self.type])
        return self.make(self.builder.asm(kind, "", "=r,0", [self.value], False))

    def abs(self) -> Term:
        """The absolute value; the least integer stays as it is."""
        return self.call("fabs") if self.is_float else (self < 0).where(-self, self)

    def sign_of(self, other: Term) -> Term:
        """This float with the sign of `other`."""
        return self.call("copysign", other)

    def at_most(self, limit: float) -> Term:
        """The smaller of a float and a number; nan stays."""
        return (self > limit).where(limit, self)

    def at_least(self, limit: float) -> Term:
        """The larger of a float and a number; nan stays."""
        return (self < limit).where(limit, self)


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """The polynomial in x with these coefficients, lowest first, by Horner's rule."""
    total = x.constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total.fma(x, coefficient)
    return total


def loop(
    first: Sequence[Term],
    condition: Callable[..., Term],
    step: Callable[..., Sequence[Term]],
) -> list[Term]:
    """`while condition(*state): state = step(*state)`; returns the last state."""
    builder = first[0].builder
    before = builder.block
    head = builder.append_basic_block("loop.head")
    body = builder.append_basic_block("loop.body")
    after = builder.append_basic_block("loop.after")
    builder.branch(head)
    builder.position_at_end(head)
    phis = [builder.phi(t.type) for t in first]
    state = [t.make(phi) for t, phi in zip(first, phis)]
    builder.cbranch(condition(*state).value, body, after)
    builder.position_at_end(body)
    following = step(*state)
    end = builder.block
    builder.branch(head)
    for phi, start, next_one in zip(phis, first, following):
        phi.add_incoming(start.value, before)
        phi.add_incoming(next_one.value, end)
    builder.position_at_end(after)
    return state
