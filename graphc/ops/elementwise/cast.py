"""`cast`: a tensor in another dtype. A value that does not fit an integer dtype is an error."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Kind, Node, Op, Sample, Scalar, caller
from graphc.core.types import TensorType
from graphc.core.typing import DTypeLike, Operand, Values
from graphc.errors import AttributeValueError, CastOverflowError
from graphc.ops.declare import as_tensor, declare, public


def can_overflow(source: DType, target: DType) -> bool:
    """Whether some value of `source` is none of the integer dtype `target`."""
    if not target.is_integer or source.kind == "bool":
        return False
    return source.is_float or not np.can_cast(source.numpy, target.numpy, "safe")


def _infer(x: TensorType, *, dtype: DType, overflow: str) -> TensorType:
    if overflow not in ("error", "wrap"):
        raise AttributeValueError(
            f"cast: overflow={overflow!r}", where=caller(), hint='use "error" or "wrap"'
        )
    return x.with_dtype(dtype)


def out_of_range(x: np.ndarray, target: DType) -> np.ndarray:
    """Where an element of x, cut to its whole part, is no value of an integer dtype."""
    info = np.iinfo(target.numpy)
    if dtypes.is_float(x.dtype):
        # Both bounds are exact in float64: powers of two, and zero.
        wide = np.trunc(x.astype(np.float64))
        return ~((wide >= float(info.min)) & (wide < float(int(info.max) + 1)))
    low = x < max(int(info.min), int(np.iinfo(x.dtype).min))
    return low | (x > min(int(info.max), int(np.iinfo(x.dtype).max)))


def to_integer(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as integers, by one definition on every machine: whole parts, by their low bits.

    Of a whole part that int64 does not hold, and of nan, they are those of int64's least; uint64
    holds those up to its own greatest too. C and LLVM define neither, NumPy gives what they give.

    Example:
        >>> to_integer(np.array([-1.9, 300.5, np.nan, 1e300]), np.dtype("uint8"))
        array([255,  44,   0,   0], dtype=uint8)
    """
    wide = dtypes.widened(x)
    within = np.abs(wide) < 2.0**63
    found = np.where(within, wide, -(2.0**63)).astype(np.int64).astype(dtype)
    if dtype == np.uint64:
        above = (wide >= 2.0**63) & (wide < 2.0**64)
        return np.where(above, np.where(above, wide, 0).astype(dtype), found)
    return found


def _numpy(x: np.ndarray, *, dtype: DType, overflow: str) -> np.ndarray:
    if overflow == "error" and can_overflow(dtypes.as_dtype(x.dtype), dtype):
        bad = out_of_range(x, dtype)
        if bad.any():
            raise _overflow(x[bad].flat[0] if x.ndim else x[()], dtype)
    elif dtypes.is_float(x.dtype) and dtype.is_integer:
        return to_integer(x, dtype.numpy)
    return x.astype(dtype.numpy)


def _overflow(value: Values, dtype: DType) -> CastOverflowError:
    info = np.iinfo(dtype.numpy)
    return CastOverflowError(
        f"cast: {value} is not a value of {dtype.name}, which holds {info.min} to {info.max}",
        hint='use a wider dtype, or overflow="wrap"',
    )


def _failure(node: Node, value: int) -> CastOverflowError:
    source, dtype = node.inputs[0].type.dtype, node.attr("dtype")  # type: ignore[union-attr]
    if source.is_float and value == np.iinfo(np.int64).min:
        return _overflow("a value beyond int64, or nan,", dtype)
    return _overflow(value % 2**64 if source is dtypes.uint64 else value, dtype)


def _vjp(node: Any, ct: Node) -> tuple[Any]:
    source = node.inputs[0].type.dtype
    return (cast(ct, source) if source.is_float else None,)


def _samples() -> list[Sample]:
    found = []
    for source in dtypes.ALL:
        for target in dtypes.ALL:
            fits = not can_overflow(source, target)
            domain = "real" if fits else "small_int" if target.kind == "int" else "small_uint"
            found.append(Sample((((5,), source.name, domain),), _how(target, "error")))
    wrapped = [("int64", "int8"), ("int32", "uint64"), ("uint64", "int64"), ("int8", "uint8")]
    for name, wanted in wrapped:
        found.append(Sample((((4,), name, "real"),), _how(dtypes.as_dtype(wanted), "wrap")))
    for shape in ((), (0, 3), (1,)):
        found.append(Sample(((shape, "float32", "real"),), _how(dtypes.float64, "error")))
    return found


def _how(dtype: DType, overflow: str) -> dict[str, Any]:
    return {"dtype": dtype, "overflow": overflow}


def _is_checked(node: Node) -> bool:
    if node.attr("overflow") != "error":
        return False
    return can_overflow(node.inputs[0].type.dtype, node.attr("dtype"))  # type: ignore[union-attr]


CAST = declare(
    Op(
        "cast", Kind.ELEMENTWISE, _infer, _numpy, _vjp,
        Scalar(
            lambda x, *, dtype, overflow: f"{dtype.short}({{0}})",
            check=lambda x, *, dtype, overflow: f"out_of_range_{dtype.short}({{0}})",
            failure=_failure,
        ),
        checked=_is_checked, samples=_samples,
        doc="The tensor in another dtype.",
    )
)  # fmt: skip


@public
def cast(x: Operand, dtype: DTypeLike, overflow: str = "error") -> Any:
    """The tensor in another dtype.

    Floats become integers by dropping their fraction, bools by being 0 or 1; a bool is whether
    the value is not 0. The gradient is cast back.

    Args:
        x: a tensor.
        dtype: the dtype wanted.
        overflow: "error" for an integer dtype that cannot hold a value (found when the program
            runs); "wrap" keeps the low bits, as NumPy's astype does. Floats whose whole part
            neither int64 nor `dtype` holds, and nan, then count as int64's least, on every
            machine: uint64 makes 2**63 of them, what is narrower 0.

    Raises:
        CastOverflowError: when the program runs, for a value that the dtype cannot hold.

    Example:
        >>> import graphc as gc
        >>> gc.cast(gc.tensor([1.7, -2.7]), gc.int32)
        tensor([ 1, -2], dtype=torch.int32)
    """
    x = as_tensor(x, "cast")
    wanted = dtypes.as_dtype(dtype)
    if x.type.dtype is wanted:
        return x
    if not can_overflow(x.type.dtype, wanted):
        overflow = "error" if overflow == "wrap" else overflow
    return CAST(x, dtype=wanted, overflow=overflow)
