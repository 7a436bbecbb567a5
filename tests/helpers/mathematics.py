"""Runs functions of the kernel language on arrays, compiled, and measures their errors."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from graphc.runtime.base.kernel import Kernel
from graphc.runtime.language import language
from graphc.runtime.objects import loader

SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
STORAGE = {k: np.dtype(language.STORAGE[language.CASTS[k]])
           for k in (*INTEGERS, "b1", "bf16", "f16", "f32", "f64")}  # fmt: skip


def kernel(
    calls: Sequence[str], dtype: str, results: Sequence[str] | None = None, note: str = "",
    in_rows: bool = False,
) -> Kernel:  # fmt: skip
    """A kernel that computes each call, an expression in x[i] and y[i], in a loop of its own.

    Args:
        calls: the expressions.
        dtype: of x and y.
        results: the calls' dtypes; else that of x.
        note: text that tells kernels apart.
        in_rows: whether the loops stand in one over rows, of which there is one.
    """
    kinds = results or [dtype] * len(calls)
    lines = ["def apply(args, lo, hi):", f"    # {note}"]
    lines += [f"    {v} = buffer(args, {k}, {dtype})" for k, v in enumerate("xy")]
    lines += [f"    o{k} = buffer(args, {k + 2}, {kind})" for k, kind in enumerate(kinds)]
    lines += ["    for row in range(1):"] if in_rows else []
    margin = "        " if in_rows else "    "
    for k, call in enumerate(calls):
        lines += [f"{margin}for i in range(lo, hi):", f"{margin}    o{k}[i] = {call}"]
    return Kernel("apply", "\n".join(lines))


def run(
    calls: Sequence[str],
    x: np.ndarray,
    y: np.ndarray | None = None,
    results: Sequence[str] | None = None,
    note: str = "",
    in_rows: bool = False,
) -> list[np.ndarray]:
    """The calls' values on arrays x and y of one length and dtype, compiled."""
    dtype = next(k for k, v in STORAGE.items() if v == x.dtype)
    other = x if y is None else y
    found = [np.zeros(len(x), STORAGE[kind]) for kind in (results or [dtype] * len(calls))]
    (address,) = loader.load([kernel(calls, dtype, results, note, in_rows)])
    memory = np.array([a.ctypes.data for a in (x, other, *found)], np.int64)
    SIGNATURE(address)(memory.ctypes.data, 0, len(x))
    return found


def run_plain(
    calls: Sequence[str], x: np.ndarray, y: np.ndarray, results: Sequence[str] | None = None
) -> list[np.ndarray]:
    """The same by the un-jitted language."""
    dtype = next(k for k, v in STORAGE.items() if v == x.dtype)
    found = [np.zeros(len(x), STORAGE[kind]) for kind in (results or [dtype] * len(calls))]
    names = language.namespace()
    exec(kernel(calls, dtype, results).source, names)
    with np.errstate(all="ignore"):
        names["apply"]([x, y, *found], 0, len(x))
    return found


def units(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units in the last place of the result; inf where nan or infinity differ.

    Args:
        found: results.
        exact: the true values, in a wider dtype.
    """
    with np.errstate(all="ignore"):
        rounded = exact.astype(found.dtype)
        error = np.abs(found.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded))
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error)).astype(np.float64)


def worst(found: np.ndarray, exact: np.ndarray, *operands: np.ndarray) -> tuple[float, str]:
    """The greatest error in units in the last place, and where it is."""
    errors = units(found, exact)
    at = int(np.argmax(errors))
    where = ", ".join(repr(x[at]) for x in operands)
    return float(errors[at]), f"{errors[at]:.2f} units: {where} gives {found[at]!r}, {exact[at]!r}"


def pairs(values: Sequence[float | int], dtype: type | np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of values, as two arrays; values beyond a float dtype become infinite."""
    with np.errstate(all="ignore"):
        grid = np.meshgrid(np.array(values, dtype), np.array(values, dtype))
    return grid[0].ravel(), grid[1].ravel()


def float_edges(dtype: type) -> list[float]:
    """Zeros, ones, halves, bounds of integers and of the dtype, denormals, infinities, nan."""
    info = np.finfo(dtype)
    positive = [
        0.0, 0.25, 0.5, 0.999, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5, 10.0, 89.0, 720.0, 1e-8, 1e-3, 1e10,
        1e20, 2.0**23 + 1, 2.0**30, 2.0**31, 2.0**32, 2.0**63, 2.0**64, 127.5, 128.0, 255.9, 256.0,
        float(info.max), float(info.tiny), float(info.smallest_subnormal), float(info.tiny) / 3,
        np.inf,
    ]  # fmt: skip
    return [*positive, *(-v for v in positive), np.nan]


def integer_edges(dtype: str) -> list[int]:
    """Small numbers, powers of two and their neighbours, the bounds."""
    info = np.iinfo(STORAGE[dtype])
    near = [p + d for p in (2**k for k in (7, 8, 15, 16, 31, 32, 63, 64)) for d in (-1, 0, 1)]
    candidates = [0, 1, 2, 3, 5, 7, 8, 12, 31, 100, *near]
    return sorted({v for c in candidates for v in (c, -c) if info.min <= v <= info.max})
