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


def _numpy(x: np.ndarray, *, dtype: DType, overflow: str) -> np.ndarray:
    if overflow == "error" and can_overflow(dtypes.as_dtype(x.dtype), dtype):
        bad = out_of_range(x, dtype)
        if bad.any():
            raise _overflow(x[bad].flat[0] if x.ndim else x[()], dtype)
    if dtypes.is_float(x.dtype) and dtype.is_integer and dtype.itemsize < 8:
        # Through int64, as processors do it, so that every size wraps alike.
        return x.astype(np.int64).astype(dtype.numpy)
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


def _template(x: DType, *, dtype: DType, overflow: str) -> str:
    # Bools first: whether the value is not 0. Narrow integers through int64, as the reference.
    if x.is_float and dtype.is_integer and dtype.itemsize < 8:
        return f"{dtype.short}(i64({{0}}))"
    return f"{dtype.short}({{0}})"


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
            _template,
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
            runs); "wrap" keeps the low bits, as NumPy's astype does. What becomes of floats
            beyond int64 and of nan is then not defined.

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
