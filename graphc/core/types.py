"""Types of nodes: `TensorType` (dtype and shape), `TupleType`; and binding sizes at a call.

f32[n, 64]      a matrix of n rows; `f32[()]` is a scalar
(f32[n], i64[n])   what a fused node with two outputs has
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.core import dims
from graphc.core.dims import Dim, Size
from graphc.core.dtypes import DType
from graphc.errors import InternalError, ShapeError

Shape = tuple[Size, ...]
# Of a tensor: places in it are counted in 64-bit words, with a sign.
MOST_BYTES = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TensorType:
    """A dtype and a shape; each dimension is an int or a `Dim`."""

    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype.short}[{', '.join(map(str, self.shape)) or '()'}]"

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Size:
        """The number of elements."""
        return _product(self.shape)

    @property
    def nbytes(self) -> Size:
        """The bytes of a contiguous array of this type."""
        return self.size * self.dtype.itemsize

    @property
    def is_static(self) -> bool:
        """Whether every dimension is an int."""
        return all(isinstance(d, int) for d in self.shape)

    def with_dtype(self, dtype: DType) -> TensorType:
        """The same shape with another dtype."""
        return TensorType(dtype, self.shape)

    def with_shape(self, shape: Sequence[Size]) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, tuple(shape))


@functools.lru_cache(maxsize=4096)
def _product(shape: Shape) -> Size:
    return dims.product(shape)


@dataclass(frozen=True, slots=True)
class TupleType:
    """The type of a node with several results."""

    items: tuple[TensorType, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))},)"


Type = TensorType | TupleType


def oversized(type_: Type) -> str:
    """Which tensor has more bytes than 64-bit addresses count, for a message; "" where none has.

    Axes of size 0 make no difference, as in NumPy.
    """
    for item in type_.items if isinstance(type_, TupleType) else (type_,):
        count = item.dtype.itemsize
        for size in item.shape:
            if isinstance(size, int) and size:
                count *= size
        if count > MOST_BYTES:
            return f"{item} is too large: memory has less than 2**63 bytes"
    return ""


def broadcast_shapes(shapes: Sequence[Shape]) -> Shape | None:
    """NumPy's broadcast of shapes, or None when two sizes cannot be shown to fit."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[Size] = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size == 1 or size == result[axis]:
                continue
            if result[axis] != 1:
                return None
            result[axis] = size
    return tuple(result)


def shape_symbols(shape: Shape) -> set[dims.Symbol]:
    """The symbols that a shape depends on."""
    return set().union(*(dims.symbols(d) for d in shape))


def solve(size: Size, value: int, sizes: dict[str, int]) -> bool:
    """Bind the one unknown symbol of a linear `size` so that it equals `value`.

    Returns:
        False when `size` has more than one unknown symbol, or is not linear in it.
    """
    unknown = [s for s in dims.symbols(size) if s.name not in sizes]
    if not unknown:
        return True
    if len(unknown) > 1 or not isinstance(size, Dim):
        return False
    parts = _linear(size, unknown[0])
    if parts is None:
        return False
    slope, offset = parts
    if not isinstance(offset, int):
        return False
    sizes[unknown[0].name] = max(0, (value - offset) // slope)
    return True


def _linear(size: Dim, symbol: dims.Symbol) -> tuple[int, Size] | None:
    """Slope and offset of a size that is linear in a symbol, the slope a number other than 0."""
    offset = dims.substitute(size, {symbol: 0})
    slope = dims.substitute(size, {symbol: 1}) - offset
    if not isinstance(slope, int) or not slope or size != slope * dims.symbol(symbol) + offset:
        return None
    return slope, offset


def determined(size: Size) -> dims.Symbol | None:
    """The symbol that is known once `size` is: `size` is linear in it and depends on no other."""
    found = _of_one_symbol(size)
    return None if found is None else found[0]


def _of_one_symbol(size: Size) -> tuple[dims.Symbol, int, Size] | None:
    """The only symbol of a size that is linear in it, with slope and offset."""
    symbols = dims.symbols(size)
    if len(symbols) != 1 or not isinstance(size, Dim):
        return None
    (symbol,) = symbols
    parts = _linear(size, symbol)
    return None if parts is None else (symbol, *parts)


def match(pairs: Sequence[tuple[Size, Size]]) -> dict[dims.Symbol, Size]:
    """What each symbol becomes where sizes become others.

    Args:
        pairs: a size and what takes its place.

    Raises:
        InternalError: a symbol that no pair determines.
    """
    found: dict[dims.Symbol, Size] = {}
    # Plain symbols first: what they become is said outright.
    for size, new in sorted(pairs, key=lambda pair: str(pair[0]).isidentifier(), reverse=True):
        parts = _of_one_symbol(size)
        if parts is not None and parts[0] not in found:
            symbol, slope, offset = parts
            found[symbol] = (new - offset) // slope
    for size, new in pairs:
        for symbol in dims.symbols(size) - set(found):
            if size != new:
                raise InternalError(f"{size} becomes {new}: what {symbol.name} becomes is not said")
            found[symbol] = dims.symbol(symbol)
    return found


def bind(
    declared: Mapping[str, TensorType],
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[dims.Symbol, int] | None = None,
) -> dict[str, int]:
    """Find the sizes of all symbols from the shapes of a call's inputs.

    Args:
        declared: the inputs' types by name.
        shapes: the arrays' shapes by the same names.
        values: the sizes that are values, see `Symbol.is_value`.

    Returns:
        The size of every symbol, by its name.

    Raises:
        ShapeError: a rank or a size contradicts its declaration or another input's size; the
            message names the input, the axis and both values.
    """
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    for symbol, value in (values or {}).items():
        _check_value(symbol, value)
        sizes[symbol.name] = value
        origin[symbol.name] = "its value"
    for name, type_ in declared.items():
        if len(shapes[name]) != type_.rank:
            raise ShapeError(
                f"input {name!r} has {len(shapes[name])} axes, shape {shapes[name]}; "
                f"it is declared {type_} with {type_.rank}"
            )
    for name, type_ in declared.items():
        for axis, (size, value) in enumerate(zip(type_.shape, shapes[name])):
            before = set(sizes)
            solve(size, value, sizes)
            for found in set(sizes) - before:
                origin[found] = f"axis {axis} of input {name!r}"
    for name, type_ in declared.items():
        for axis, (size, value) in enumerate(zip(type_.shape, shapes[name])):
            _check(name, axis, size, value, sizes, origin)
    return sizes


def _check_value(symbol: dims.Symbol, value: int) -> None:
    """Refuse a value that its declaration as a size excludes."""
    low, high, step = symbol.min, symbol.max, symbol.multiple_of
    if low <= value and (high is None or value <= high) and value % step == 0:
        return
    source = symbol.source
    is_input = source is None or source.op.name == "input"
    what = f"input {symbol.name!r}" if is_input else f"{source.op.name}, a computed size,"
    bounds = [f"at least {low}", *([] if high is None else [f"at most {high}"])]
    raise ShapeError(
        f"{what} is {value}; as a size it is {' and '.join(bounds)}"
        + (f", a multiple of {step}" if step != 1 else ""),
        [] if source is None else [source.describe()],
        hint=""
        if value >= low
        else "where a value that may be negative is a part of a size, "
        "gc.dim(...) around the whole: gc.dim(gc.maximum(a - b, 0))",
    )


def _check(
    name: str, axis: int, size: Size, value: int, sizes: dict[str, int], origin: dict[str, str]
) -> None:
    missing = sorted(s.name for s in dims.symbols(size) if s.name not in sizes)
    if missing:
        raise ShapeError(
            f"the size {missing[0]!r} in axis {axis} of input {name!r} cannot be found from {size}",
            hint=f"declare an input with an axis of size {missing[0]}",
        )
    wanted = dims.evaluate(size, sizes)
    if wanted != value:
        facts = [f"{s} = {sizes[s]}, from {origin[s]}" for s in sorted(
            x.name for x in dims.symbols(size)) if s in origin]  # fmt: skip
        text = f"{size} = {wanted}" if isinstance(size, Dim) else str(wanted)
        raise ShapeError(f"axis {axis} of input {name!r} has size {value}, not {text}", facts)
    for symbol in dims.symbols(size):
        bound = sizes[symbol.name]
        high = symbol.max if isinstance(symbol.max, int) else bound
        if not symbol.min <= bound <= high or bound % symbol.multiple_of:
            raise ShapeError(
                f"axis {axis} of input {name!r} gives {symbol.name} = {bound}, "
                f"which its declaration excludes",
                [
                    f"{symbol.name}: min={symbol.min}, max={symbol.max}, "
                    f"multiple_of={symbol.multiple_of}"
                ],
            )
