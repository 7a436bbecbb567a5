"""`assert_close`: tensors compared in tests, with PyTorch's tolerances.

gc.testing.assert_close(found, wanted)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError

# By dtype: rtol and atol.
_CLOSE = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5),
          "float64": (1e-7, 1e-7)}  # fmt: skip


def assert_close(
    actual: object, expected: object, *, allow_subclasses: bool = True, rtol: float | None = None,
    atol: float | None = None, equal_nan: bool = False, check_device: bool = True,
    check_dtype: bool = True, check_layout: bool = True, check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Fail unless tensors, or containers of them, are equal up to roundings.

    Args:
        actual: tensors, arrays or numbers, or sequences and dicts of them.
        expected: of the same form.
        allow_subclasses: whether parameters may stand for tensors.
        rtol: how far elements may be apart, relative to the expected one; by dtype unless given.
        atol: how far besides; given with rtol, or not.
        equal_nan: whether nan equals nan.
        check_device, check_layout, check_stride: of no effect but for strides.
        check_dtype: whether dtypes must be equal.
        msg: what to say instead, or a function of what would be said.

    Raises:
        AssertionError: they are not close.
        ArgumentError: one tolerance is given alone.

    Example:
        >>> import graphc as gc
        >>> gc.testing.assert_close(gc.ones(2), gc.ones(2) + 1e-7)
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(
            "assert_close: rtol and atol are given together, or neither", where=caller()
        )
    fault = _fault(actual, expected, (rtol, atol, equal_nan, check_dtype, check_stride), "")
    if fault:
        raise AssertionError(msg(fault) if callable(msg) else fault if msg is None else msg)


def _fault(actual: object, expected: object, how: tuple[Any, ...], path: str) -> str:
    """What is apart; "" for nothing."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            return f"The keys differ{path}: {list(actual)} and {list(expected)}"
        faults = (_fault(actual[k], expected[k], how, f"{path}[{k!r}]") for k in actual)
        return next(filter(None, faults), "")
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return f"The lengths differ{path}: {len(actual)} and {len(expected)}"
        pairs = enumerate(zip(actual, expected))
        faults = (_fault(a, b, how, f"{path}[{k}]") for k, (a, b) in pairs)
        return next(filter(None, faults), "")
    return _fault_of_one(actual, expected, how, f" at {path}" if path else "")


def _is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _fault_of_one(actual: object, expected: object, how: tuple[Any, ...], where: str) -> str:
    rtol, atol, equal_nan, check_dtype, check_stride = how
    if actual is None or expected is None or isinstance(expected, str):
        return "" if actual == expected else f"{actual!r} is not {expected!r}{where}"
    a, b = (
        v.detach().numpy() if isinstance(v, Tensor) else np.asarray(v) for v in (actual, expected)
    )
    if a.shape != b.shape:
        return f"The values for attribute 'shape' do not match{where}: {a.shape} != {b.shape}."
    typed = hasattr(actual, "dtype") and hasattr(expected, "dtype")
    if check_dtype and typed and a.dtype != b.dtype:
        return f"The values for attribute 'dtype' do not match{where}: {a.dtype} != {b.dtype}."
    if check_stride and a.strides != b.strides:
        return f"The values for attribute 'stride()' do not match{where}."
    if rtol is None:
        pairs = [_CLOSE.get(as_dtype(v.dtype).name, (0.0, 0.0)) for v in (a, b)]
        rtol, atol = (max(pair) for pair in zip(*pairs))
    wide = [v.astype(np.float64) if as_dtype(v.dtype).is_float else v for v in (a, b)]
    close = np.isclose(wide[0], wide[1], rtol=rtol, atol=atol, equal_nan=equal_nan)
    if close.all():
        return ""
    apart = np.abs(wide[0].astype(np.float64) - wide[1].astype(np.float64))
    place = np.unravel_index(np.argmax(np.where(close, -1.0, apart)), a.shape)
    return (
        f"Tensor-likes are not close{where}!\n\n"
        f"Mismatched elements: {int((~close).sum())} / {a.size}\n"
        f"Greatest absolute difference: {apart[place]} at index {tuple(map(int, place))} "
        f"(up to {atol} allowed, {rtol} relative)"
    )


__all__ = ["assert_close"]
