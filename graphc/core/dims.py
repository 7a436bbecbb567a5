"""Symbolic dimensions: integer expressions in a canonical form.

A dimension is an `int` or a `Dim`: a polynomial with integer coefficients over atoms. An atom is
a symbol (`n`) or a call of `//`, `%`, `min` or `max` that no rule could remove. Equal canonical
forms are equal sizes. Facts declared on symbols (range, divisibility) let rules fire:
`(64*i + j) // 64` is `i` when 0 <= j < 64. Kernels' index expressions are the same objects, with
loop variables as symbols.

    n = dim("n", min=1)
    str((n + 3 - 1) // 2 + n)   # 'n + (n + 2)//2'

Not here: which sizes a call has (`types.bind`).
"""

from __future__ import annotations

import math
import operator
import sys
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard, Union

import numpy as np

from graphc.core import dtypes
from graphc.core.atoms import Atom, Call, Monomial, Symbol, is_kept, joined, show
from graphc.core.bounds import bounds, evaluate, multiple, symbols
from graphc.core.operators import FUNCTIONS as TENSOR_FUNCTIONS
from graphc.core.origin import caller, is_asked_by_user
from graphc.errors import AttributeValueError, ShapeError

Size = Union[int, "Dim"]
# What a dimension can be computed with: more sizes, or values that make it a tensor.
Number = Union[int, float, "Dim", np.ndarray]

# Tensors that are numbers of sizes alone, `0.15 / n`: beside others their dtype is weak.
_numbers: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

# Names that mean something else where the text form of a graph has a size.
RESERVED = frozenset(("min", "max", "inf", "nan", "dims", *dtypes.BY_SHORT))


class Dim:
    """A canonical integer expression; immutable, hashable, equal when the forms are equal."""

    __slots__ = ("_hash", "_text", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = terms
        self._hash = hash(frozenset(terms.items()))
        self._text: str | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Dim) and self._hash == other._hash and self.terms == other.terms:
            return True
        if is_asked_by_user(sys._getframe(1)) and may_be_equal(self, other):
            raise ShapeError(
                f"whether the size {self} is {other} is not known while the graph is built",
                where=caller(),
                hint=f"gc.equal({self}, {other}) is a tensor, for gc.cond or gc.where; or use a "
                "fixed size",
            )
        return False

    # NumPy arrays on the left of an operator leave the work to us.
    __array_ufunc__ = None

    def __add__(self, other: Number) -> Any:
        return _sum(self, other, 1) if _is_size(other) else _value("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Number) -> Any:
        return _sum(self, other, -1) if _is_size(other) else _value("subtract", self, other)

    def __rsub__(self, other: Number) -> Any:
        return _sum(other, self, -1) if _is_size(other) else _value("subtract", other, self)

    def __neg__(self) -> Size:
        return _sum(0, self, -1)

    def __mul__(self, other: Number) -> Any:
        return _product(self, other) if _is_size(other) else _value("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> Any:
        return _value("divide", self, other)

    def __rtruediv__(self, other: Number) -> Any:
        return _value("divide", other, self)

    def __floordiv__(self, other: Size) -> Size:
        return _divide(self, other)[0]

    def __rfloordiv__(self, other: Size) -> Size:
        return _divide(other, self)[0]

    def __mod__(self, other: Size) -> Size:
        return _divide(self, other)[1]

    def __rmod__(self, other: Size) -> Size:
        return _divide(other, self)[1]

    def __pow__(self, other: Number) -> Any:
        if not isinstance(other, int) or other < 0:
            return _value("power", self, float(other) if isinstance(other, int) else other)
        return product([self] * other)

    def __rpow__(self, other: Number) -> Any:
        return _value("power", other, self)

    def __abs__(self) -> Size:
        return maximum(self, -self)

    def __lt__(self, other: Number) -> Any:
        return _value("less", self, other)

    def __le__(self, other: Number) -> Any:
        return _value("less_equal", self, other)

    def __gt__(self, other: Number) -> Any:
        return _value("greater", self, other)

    def __ge__(self, other: Number) -> Any:
        return _value("greater_equal", self, other)

    def __str__(self) -> str:
        if self._text is None:
            self._text = show(self.terms)
        return self._text

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise ShapeError(
            f"the size {self} is not known while the graph is built, so it has no truth value",
            hint="compare sizes with ==, or use a fixed size",
        )

    def __index__(self) -> int:
        raise ShapeError(
            f"the size {self} is not known while the graph is built, so it is no integer",
            hint="use a fixed size here",
        )


def dim(name: str, *, min: int = 0, max: int | None = None, multiple_of: int = 1) -> Dim:
    """A symbolic dimension, bound when a program is called.

    Args:
        name: an identifier; two dims of one name and the same facts are the same dimension.
        min: smallest size that calls may bind.
        max: largest size, or None.
        multiple_of: every size is a multiple of this.

    Returns:
        The dimension, for use in shapes and in arithmetic with ints and other dims.

    Raises:
        AttributeValueError: the name is no identifier, or the facts contradict each other.

    Example:
        >>> import graphc as gc
        >>> n = gc.dim("n", min=1, max=4096, multiple_of=8)
        >>> (n * 2) // 8 == n // 4, n % 8
        (True, 0)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise AttributeValueError(f"dim: {name!r} is not an identifier")
    if not is_kept(name):
        raise AttributeValueError(f"dim: {name!r} cannot stand in the text form of graphs")
    if name in RESERVED:
        raise AttributeValueError(f"dim: the name {name!r} is taken in the text form of graphs")
    if min < 0 or multiple_of < 1 or (max is not None and max < min):
        raise AttributeValueError(
            f"dim {name!r}: min={min}, max={max}, multiple_of={multiple_of} admit no size"
        )
    return symbol(Symbol(name, min, max, multiple_of))


def symbol(atom: Symbol) -> Dim:
    """The dimension that is just `atom`."""
    return Dim({(atom,): 1})


def _is_size(x: Number) -> TypeGuard[Size]:
    return isinstance(x, int | Dim)


def _value(name: str, x: Number, y: Number) -> Any:
    """A function of a dimension and something that is no size: a tensor of its value."""
    if not all(isinstance(v, int | float | Dim | np.ndarray | np.generic) for v in (x, y)):
        return NotImplemented
    return TENSOR_FUNCTIONS[name](x, y)


def as_number(value: Any) -> Any:
    """A float64 made of sizes and numbers alone as a number, whose dtype is that of Python's
    numbers: float32, and that of the tensor which it meets, to which all its digits go."""
    number = TENSOR_FUNCTIONS["cast"](value, dtypes.float32)
    _numbers[id(number)] = number
    return number


def is_number(value: Any) -> bool:
    """Whether a tensor is a float made of sizes and numbers alone, whose dtype is weak."""
    return _numbers.get(id(value)) is value


def _terms(x: Size) -> Mapping[Monomial, int]:
    if isinstance(x, Dim):
        return x.terms
    return {(): int(x)} if x else {}


def _make(terms: dict[Monomial, int]) -> Size:
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return Dim(terms)


def _sum(x: Size, y: Size, sign: int) -> Any:
    if not isinstance(y, int | Dim) or not isinstance(x, int | Dim):
        return NotImplemented
    terms = dict(_terms(x))
    for monomial, coefficient in _terms(y).items():
        total = terms.get(monomial, 0) + sign * coefficient
        if total:
            terms[monomial] = total
        else:
            terms.pop(monomial, None)
    if found := joined(terms):
        first, second, whole = found
        times = terms.pop(first)
        del terms[second]
        return _sum(_make(terms), whole * times, 1)
    return _undivided(terms)


def _product(x: Size, y: Size) -> Any:
    if not isinstance(y, int | Dim) or not isinstance(x, int | Dim):
        return NotImplemented
    if isinstance(x, int):
        x, y = y, x
    if isinstance(y, int):
        if y == 1 or x == 0:
            return x
        return _undivided({m: c * y for m, c in _terms(x).items()} if y else {})
    terms: dict[Monomial, int] = {}
    for a, ca in _terms(x).items():
        for b, cb in _terms(y).items():
            monomial = tuple(sorted((*a, *b), key=lambda atom: atom.key()))
            terms[monomial] = terms.get(monomial, 0) + ca * cb
    return _undivided({m: c for m, c in terms.items() if c})


def _undivided(terms: dict[Monomial, int]) -> Size:
    """Undo exact quotients: `8 * (n // 8)` is n when n is a multiple of 8."""
    for monomial, coefficient in terms.items():
        for atom in monomial:
            if not isinstance(atom, Call) or atom.function != "//" or not isinstance(atom.y, int):
                continue
            if coefficient % atom.y == 0 and multiple(atom.x) % atom.y == 0:
                others = list(monomial)
                others.remove(atom)
                term = _make({tuple(others): coefficient // atom.y})
                rest = {m: c for m, c in terms.items() if m != monomial}
                return _undivided(rest) + term * atom.x if rest else term * atom.x
    return _make(terms)


def _divide(x: Size, y: Size) -> tuple[Any, Any]:
    """Floor quotient and remainder of x by y, simplified where facts allow."""
    if not isinstance(y, int | Dim) or not isinstance(x, int | Dim):
        return NotImplemented, NotImplemented
    if y == 0:
        raise AttributeValueError(f"division of the size {x} by zero")
    if isinstance(x, int) and isinstance(y, int):
        return divmod(x, y)
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in _terms(x).items():
        found = _exact(monomial, coefficient, y)
        if found is None:
            rest[monomial] = coefficient
        else:
            whole[found[0]] = whole.get(found[0], 0) + found[1]
    if isinstance(y, int) and () in rest:
        _carry(whole, rest, y)
    fixed = isinstance(y, int)
    parts = {m: c for m, c in rest.items() if fixed and multiple(_make({m: c})) % y == 0}
    if parts and len(parts) < len(rest):
        left, tail = _divide(_make({m: c for m, c in rest.items() if m not in parts}), y)
        return _make(whole) + _divide(_make(parts), y)[0] + left, tail
    quotient, remainder = _make(whole), _make(rest)
    if remainder == 0 or (at_least(remainder, 0) and at_least(y - 1 - remainder, 0)):
        return quotient, remainder
    if isinstance(remainder, int):
        remainder, quotient = x, 0
    exact = isinstance(y, int) and multiple(remainder) % y == 0
    factor = math.gcd(*_terms(remainder).values(), *_terms(y).values())
    upper, lower = _scale(remainder, factor), _scale(y, factor)
    tail = 0 if exact else Dim({(Call("%", upper, lower),): factor})
    return quotient + Dim({(Call("//", upper, lower),): 1}), tail


def _scale(x: Size, factor: int) -> Size:
    """x divided by a factor of all its coefficients."""
    return _make({m: c // factor for m, c in _terms(x).items()})


def _carry(whole: dict[Monomial, int], rest: dict[Monomial, int], y: int) -> None:
    """Move whole multiples of y in the constant of `rest` to `whole`."""
    carry, left = divmod(rest.pop(()), y)
    if left:
        rest[()] = left
    if carry:
        whole[()] = whole.get((), 0) + carry
    if not whole.get((), 1):
        del whole[()]


def _exact(monomial: Monomial, coefficient: int, y: Size) -> tuple[Monomial, int] | None:
    """The term divided by y, when y divides it as a monomial."""
    if isinstance(y, int):
        return (monomial, coefficient // y) if coefficient % y == 0 else None
    if len(y.terms) != 1:
        return None
    ((divisor, factor),) = y.terms.items()
    left = list(monomial)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return (tuple(left), coefficient // factor) if coefficient % factor == 0 else None


def maximum(x: Size, y: Size) -> Size:
    """The larger of two sizes; decided now where facts allow."""
    if isinstance(x, int) and isinstance(y, int):
        return max(x, y)
    if at_least(x - y, 0):
        return x
    return y if at_least(y - x, 0) else Dim({(Call("max", x, y),): 1})


def minimum(x: Size, y: Size) -> Size:
    """The smaller of two sizes; decided now where facts allow."""
    if isinstance(x, int) and isinstance(y, int):
        return min(x, y)
    if at_least(x - y, 0):
        return y
    return x if at_least(y - x, 0) else Dim({(Call("min", x, y),): 1})


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes; 1 for none."""
    return math.prod(sizes)


def is_same(x: Size, other: Size) -> bool:
    """Whether two sizes are equal in every call."""
    return x == other


def may_be_equal(x: Size, other: object) -> bool:
    """Whether the facts admit that a size is another, or a number."""
    if not isinstance(other, int | Dim):
        return False
    apart = x - other
    if isinstance(apart, int):
        return apart == 0
    if at_least(apart, 1) or at_least(-apart, 1):
        return False
    rest = apart.terms.get((), 0)
    return rest % (multiple(apart - rest) or 1) == 0


def at_least(x: Size, bound: int) -> bool:
    """Whether x >= bound for every size that the facts admit; False when not known."""
    if isinstance(x, int):
        return x >= bound
    low = bounds(_widen(x))[0]
    if low is not None and low >= bound:
        return True
    for monomial, count in x.terms.items():
        atom = monomial[0] if len(monomial) == 1 else None
        if count < 0 and isinstance(atom, Call) and atom.function == "//" and type(atom.y) is int:
            rest = x - _make({monomial: count})  # x//y is no more than x/y
            return atom.y > 0 and at_least(atom.y * rest + count * atom.x, atom.y * bound)
    return False


def _widen(x: Size) -> Size:
    """Replace symbols with symbolic maxima by them where x falls as they grow."""
    for _ in range(16):
        if isinstance(x, int):
            return x
        falling = next(
            (
                atom
                for monomial, coefficient in x.terms.items()
                for atom in monomial
                if isinstance(atom, Symbol) and isinstance(atom.max, Dim) and coefficient < 0
            ),
            None,
        )
        if falling is None:
            return x
        x = substitute(x, {falling: falling.max})
    return x


def substitute(x: Size, values: Mapping[Symbol, Size]) -> Size:
    """x with symbols replaced by sizes, simplified again."""
    if isinstance(x, int):
        return x
    total: Size = 0
    for monomial, coefficient in x.terms.items():
        term: Size = coefficient
        for atom in monomial:
            term = term * _substitute_atom(atom, values)
        total = total + term
    return total


def _substitute_atom(atom: Atom, values: Mapping[Symbol, Size]) -> Size:
    if isinstance(atom, Symbol):
        return values.get(atom, Dim({(atom,): 1}))
    x, y = substitute(atom.x, values), substitute(atom.y, values)
    return FUNCTIONS[atom.function](x, y)


FUNCTIONS = {"//": operator.floordiv, "%": operator.mod, "min": minimum, "max": maximum}


__all__ = [
    "FUNCTIONS", "RESERVED", "Atom", "Call", "Dim", "Monomial", "Size", "Symbol", "as_number",
    "at_least", "bounds", "dim", "evaluate", "is_number", "is_same", "maximum", "minimum",
    "multiple", "product", "substitute", "symbol", "symbols",
]  # fmt: skip
