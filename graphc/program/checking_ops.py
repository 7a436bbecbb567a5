"""`check_op`: the parts of an op against each other, as the tests check those of graphc itself.

gc.check_op(bend)       # OpError: op bend: the kernel gives 3 where numpy= gives 2, ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import OPS, NoGradient, Op, caller, tensor_type
from graphc.core.types import TensorType
from graphc.errors import ArgumentError, GraphcError, OpError, suggestion
from graphc.ops.cases import Case, cases, edge_cases, is_plain
from graphc.passes.grad import vjp
from graphc.program.checking import check_grad
from graphc.program.driver import compile_as_written


def check_op(op: Any, *, rtol: float = 1000.0) -> None:
    """Compare an op's definition, kernel, types and gradient with each other.

    An elementwise op is tried on every dtype that it takes: on random numbers of its `domain`, and
    on all combinations of special values (0, -0, inf, nan, the largest, the smallest ...), with
    fixed and with symbolic sizes; any other op on its `samples`.

    Args:
        op: what an op was declared as: the function that `unary` and the like gave, the op, or its
            name.
        rtol: how far a float of a kernel may be from the definition's, in units of its dtype's
            precision (eps) relative to it.

    Raises:
        OpError: two of its parts disagree; the message has dtypes, operands and both values.
        ArgumentError: it is no op, or there is nothing to try it on.

    Example:
        >>> import graphc as gc
        >>> gc.check_op(gc.tanh)
        >>> gc.check_op("hypot")
    """
    found = _op(op)
    tried = _tried(found)
    if not tried:
        raise ArgumentError(
            f"check_op: op {found.name} has no samples to try it on", where=caller(),
            hint="declare it with samples=, see Op",
        )  # fmt: skip
    faults: dict[str, str] = {}
    for case in tried:
        for check in (_defined, _computed, _swapped, _differentiated):
            fault = "" if check.__name__ in faults else next(_faults(check, case, rtol), "")
            if fault:
                faults[check.__name__] = fault
                break
    if faults:
        first, *others = faults.values()
        raise OpError(f"op {found.name}: {first}", others, where=caller())


def _op(value: Any) -> Op:
    op = getattr(value, "op", value)
    if isinstance(op, str) and op not in OPS:
        raise ArgumentError(
            f"check_op: {op!r} is not an op", where=caller(), hint=suggestion(op, OPS)
        )
    op = OPS[op] if isinstance(op, str) else op
    name = getattr(value, "__name__", "")
    op = op if isinstance(op, Op) else OPS.get(name)
    if op is None:
        raise ArgumentError(
            f"check_op: {value!r:.60} is not an op", where=caller(),
            hint="give what unary, binary or declare returned, or a name",
        )  # fmt: skip
    return op


def _tried(op: Op) -> list[Case]:
    """What to try an op on."""
    try:
        return [*chain(edge_cases(op) if is_plain(op) else (), cases(op))]
    except OpError:
        raise
    except Exception as error:
        raise OpError(
            f"op {op.name}: its inference fails: {type(error).__name__}: {error!s:.200}",
            where=caller(),
        ) from None


def _faults(check: Callable[..., Iterator[str]], case: Case, rtol: float) -> Iterator[str]:
    """What a check finds of one case; what goes wrong in a part of the op is a fault of it."""
    where = ", ".join(f"{a.dtype}{list(a.shape)}" for a in case.arrays)
    try:
        with np.errstate(all="ignore"):
            for fault in check(case, rtol):
                yield f"{fault} (on {where})"
    except GraphcError as error:
        yield f"{' '.join([error.what, *error.details[:1]])} (on {where})"
    except Exception as error:
        yield f"{type(error).__name__}: {error!s:.200} (on {where})"


def _inferred(case: Case) -> TensorType:
    types = [TensorType(dtypes.as_dtype(a.dtype), a.shape) for a in case.arrays]
    return case.op.infer(*types, **case.attrs)  # type: ignore[return-value]


def _defined(case: Case, rtol: float) -> Iterator[str]:
    """Whether the definition gives what the inference says, and leaves its operands alone."""
    given = [a.copy() for a in case.arrays]
    result = np.asarray(case.op.numpy(*given, **case.attrs))
    type_ = _inferred(case)
    if not isinstance(type_, TensorType):
        return
    if result.dtype != type_.dtype.numpy or result.shape != type_.shape:
        yield f"numpy= gives {result.dtype}{list(result.shape)}, its type is {type_}"
    for k, (before, after) in enumerate(zip(case.arrays, given)):
        if before.tobytes() != after.tobytes():
            yield f"numpy= writes to operand {k}"


def _computed(case: Case, rtol: float) -> Iterator[str]:
    """Whether the kernels give what the definition gives."""
    if not isinstance(_inferred(case), TensorType):
        return
    wanted = np.asarray(case.op.numpy(*[a.copy() for a in case.arrays], **case.attrs))
    for is_symbolic in (False, True)[: 1 + is_plain(case.op)]:
        nodes, _ = case.nodes(is_symbolic)
        result = case.op(*nodes, **case.attrs)
        got = compile_as_written(nodes, result, name="checked")(*case.arrays)
        yield from _compared("the kernel", case, wanted, got, rtol)


def _compared(
    what: str, case: Case, wanted: np.ndarray, got: np.ndarray, rtol: float
) -> Iterator[str]:
    wrong = ~_near(wanted, got, rtol)
    if not wrong.any():
        return
    at = tuple(int(k) for k in np.argwhere(wrong)[0])
    given = [a[at] if a.shape == wanted.shape else a for a in case.arrays]
    operands = ", ".join(str(np.asarray(g))[:40] for g in given)
    count = f"{np.count_nonzero(wrong)} of {wrong.size} elements" if wrong.size > 1 else "it"
    yield f"{what} gives {got[at]}, numpy= gives {wanted[at]}, of {operands}; {count} differ"


def _near(wanted: np.ndarray, got: np.ndarray, rtol: float) -> np.ndarray:
    """Where two results agree: exactly, floats to a multiple of their precision."""
    dtype = dtypes.as_dtype(wanted.dtype)
    if not dtype.is_float:
        return np.asarray(wanted == got)
    x, y = wanted.astype(np.float64), got.astype(np.float64)
    limit = rtol * float(dtype.finfo.eps) * np.abs(x) + float(dtype.finfo.tiny)
    return np.asarray((x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= limit))


def _swapped(case: Case, rtol: float) -> Iterator[str]:
    """Whether an op that is said to be commutative is."""
    if not case.op.commutative or len(case.arrays) != 2:
        return
    one = np.asarray(case.op.numpy(*case.arrays, **case.attrs))
    other = np.asarray(case.op.numpy(*case.arrays[::-1], **case.attrs))
    yield from _compared("with its operands swapped, as commutative= says, it", case, one, other, 0)


def _differentiated(case: Case, rtol: float) -> Iterator[str]:
    """Whether the gradient has the operands' types, and is that of finite differences away from
    special values."""
    nodes, _ = case.nodes()
    result = case.op(*nodes, **case.attrs)
    wrt = [n for n in nodes if tensor_type(n).dtype.is_float]
    is_float = isinstance(result.type, TensorType) and result.type.dtype.is_float
    if isinstance(case.op.vjp, NoGradient) or not is_float or not wrt:
        return
    vjp([result], [result], wrt)
    narrow = [a for a in case.arrays if a.dtype == np.float32]
    if narrow and all(np.isfinite(a).all() for a in narrow):
        check_grad(result, dict(zip(nodes, case.arrays)))
    yield from ()


__all__ = ["check_op"]
