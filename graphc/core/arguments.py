"""What goes in and out of a program's call: arrays checked and converted, results in shape.

Nothing here runs anything. The fast path of a call, where every argument is right already, is in
`program`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphc.core import dims, dlpack, dtypes
from graphc.core.ir import Node, caller, tensor_type
from graphc.core.operators import Operators
from graphc.core.types import MOST_BYTES, TensorType, bind
from graphc.errors import ArgumentError, DTypeError, ShapeError

# NumPy's flag bits: C-contiguous and aligned.
C_CONTIGUOUS, ALIGNED = 0x1, 0x100


# NumPy's rules of which dtype may become which.
CASTINGS = ("equiv", "safe", "same_kind", "unsafe")


def as_array(node: Node, value: object, casting: str = "equiv") -> np.ndarray:
    """An argument as a C-contiguous, aligned array of native byte order and the input's dtype.

    Arrays and tensors (and whatever has `__array__` or `__dlpack__`) have a dtype, which must be
    the input's or may become it by NumPy's rule `casting`; numbers, NumPy's too, and lists have
    none, and are converted where the dtype holds them. The shape is not looked at.

    Raises:
        DTypeError: another dtype.
        ArgumentError: the value is no array.
    """
    type_ = tensor_type(node)
    if isinstance(value, Operators):
        if value.is_eager:
            return as_array(node, value.detach().numpy(), casting)  # type: ignore[attr-defined]
        raise ArgumentError(
            f"input {node.name!r} is given the symbolic tensor {value!r}; it takes an array",
            where=caller(),
            hint="programs are called with values; use the tensor itself to build a graph",
        )
    value = value.item() if isinstance(value, np.generic) else value
    array = _literal(node, type_, value) if _is_literal(value) else _foreign(node, value)
    if not _may_become(array.dtype, type_.dtype.numpy, casting):
        raise DTypeError(
            f"input {node.name!r} is {array.dtype.name}; it is declared {type_}",
            where=caller(),
            hint=f"convert it with astype({type_.dtype.spelling}), or compile with "
            'casting="same_kind"',
        )
    return plain(array, type_.dtype.numpy)


def _may_become(given: np.dtype, declared: np.dtype, casting: str) -> bool:
    """Whether an array's dtype is the declared one, or becomes it by a rule of NumPy's."""
    if given == declared or given.newbyteorder("=") == declared:
        return True
    return casting != "equiv" and given.kind != "c" and np.can_cast(given, declared, casting)  # type: ignore[arg-type]


def plain(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array itself when kernels can read it as it is, else a copy that they can."""
    flags = C_CONTIGUOUS | ALIGNED
    if type(array) is np.ndarray and array.dtype is dtype and array.flags.num & flags == flags:
        return array
    result = np.empty(array.shape, dtype)
    result[...] = array
    return result


def _is_literal(value: object) -> bool:
    return isinstance(value, bool | int | float | list | tuple)


def _literal(node: Node, type_: TensorType, value: object) -> np.ndarray:
    """A Python number or (nested) list as an array of the declared dtype."""
    try:
        found = np.asarray(value)
        kind = dtypes.as_dtype(found.dtype).kind if found.size else type_.dtype.kind
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(
            f"input {node.name!r}: {type(value).__name__} {value!r:.60} makes no array of numbers",
            where=caller(),
        ) from None
    order = ("bool", "uint", "int", "float")
    wanted = "int" if type_.dtype.kind == "uint" else type_.dtype.kind
    if order.index(kind if kind != "uint" else "int") > order.index(wanted):
        raise DTypeError(
            f"input {node.name!r} is given Python {kind}s; it is declared {type_}", where=caller()
        )
    if type_.dtype.is_integer and found.size:
        info = np.iinfo(type_.dtype.numpy)
        low, high = found.min(), found.max()
        if low < info.min or high > info.max:
            raise DTypeError(
                f"input {node.name!r} is given {low if low < info.min else high}, which "
                f"{type_.dtype.name} cannot hold; it is declared {type_}",
                where=caller(),
            )
    return found.astype(type_.dtype.numpy)


def _foreign(node: Node, value: object) -> np.ndarray:
    """Whatever offers an array's protocol, as an array without a copy where that is possible."""
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            found = dlpack.read(value)
        else:
            found = dlpack.as_array(value)
    except Exception as error:
        found = np.asarray(None)
        reason = f": {error}"
    else:
        reason = ""
    if not dtypes.has_numbers(found.dtype) and found.dtype.kind != "c":
        raise ArgumentError(
            f"input {node.name!r} is given a {type(value).__name__}, no array{reason:.200}",
            where=caller(),
        )
    return found


def bind_sizes(
    inputs: Sequence[Node],
    arrays: Sequence[np.ndarray],
    valued: Sequence[tuple[int, dims.Symbol]] = (),
) -> dict[str, int]:
    """The sizes of symbolic dimensions that a call's arrays give.

    Args:
        inputs: of the program.
        arrays: their values.
        valued: positions of inputs whose values are sizes, with the symbols.

    Raises:
        ShapeError: a rank or size contradicts a declaration or another input's size.
    """
    declared = {node.name: tensor_type(node) for node in inputs}
    values = {symbol: int(arrays[k]) for k, symbol in valued if arrays[k].shape == ()}
    try:
        return bind(declared, {node.name: a.shape for node, a in zip(inputs, arrays)}, values)
    except ShapeError as error:
        raise ShapeError(error.what, error.details, where=caller(), hint=error.hint) from None


def check_sizes(sized: Sequence[tuple[dims.Dim, Node]], sizes: Mapping[str, int]) -> None:
    """Refuse sizes for which some axis would have a negative length.

    Args:
        sized: sizes that facts don't show to be 0 or more, each with a node that has it.
        sizes: the sizes of symbols.

    Raises:
        ShapeError: names the node, the size and the symbols' values.
    """
    for size, node in sized:
        value = dims.evaluate(size, sizes)
        if value < 0:
            facts = sorted(symbol.name for symbol in dims.symbols(size))
            raise ShapeError(
                f"{node.op.name} would have an axis of size {size} = {value}",
                [*(f"{name} = {sizes[name]}" for name in facts), node.describe()],
                where=caller(),
                hint=f"declare gc.dim({facts[0]!r}, min=...) so that it is refused earlier",
            )


def check_bytes(sized: Mapping[dims.Dim, Node], sizes: Mapping[str, int]) -> None:
    """Refuse sizes for which some tensor would have more bytes than 64-bit addresses count.

    Args:
        sized: the bytes of tensors, each with a node that has so many.
        sizes: the sizes of symbols.

    Raises:
        ShapeError: names the node, its type and the symbols' values.
    """
    for count, node in sized.items():
        if dims.evaluate(count, sizes) > MOST_BYTES:
            names = sorted(symbol.name for symbol in dims.symbols(count))
            raise ShapeError(
                f"{node.op.name}: {node.type} is too large: memory has less than 2**63 bytes",
                [*(f"{name} = {sizes[name]}" for name in names), node.describe()],
                where=caller(),
            )


def check_out(
    label: str, array: object, type_: TensorType, shape: tuple[int, ...]
) -> np.ndarray | None:
    """An array that a user gave for a result, once it is right.

    Raises:
        ArgumentError: it is no writable, C-contiguous, aligned array.
        DTypeError, ShapeError: it has another dtype or shape.
    """
    if array is None:
        return None
    what = f"the array given for {label}"
    if type(array) is not np.ndarray:
        raise ArgumentError(f"{what} is a {type(array).__name__}, not an ndarray", where=caller())
    if array.dtype != type_.dtype.numpy:
        raise DTypeError(f"{what} is {array.dtype}; the result is {type_}", where=caller())
    if array.shape != shape:
        raise ShapeError(f"{what} has shape {array.shape}; the result has {shape}", where=caller())
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise ArgumentError(
            f"{what} must be C-contiguous, aligned and writable",
            where=caller(),
            hint="allocate it with np.empty",
        )
    return array


def check_apart(labels: Sequence[str], arrays: Sequence[np.ndarray | None]) -> None:
    """Refuse results that would be written over each other.

    Raises:
        ArgumentError: two of the arrays share memory.
    """
    given = [(label, a) for label, a in zip(labels, arrays) if a is not None]
    for position, (label, array) in enumerate(given):
        for other, earlier in given[:position]:
            if np.shares_memory(array, earlier):
                raise ArgumentError(
                    f"the arrays given for {other} and {label} share memory", where=caller()
                )
