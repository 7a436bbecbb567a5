"""Programs exported as C, compiled by the machine's own `cc`, and called without graphc."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import tensor_type
from graphc.core.types import shape_symbols

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="there is no C compiler")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Werror", "-O1")


def library(program: Any, folder: Path, weights: str = "embedded") -> Any:
    """A program's C as a loaded library."""
    gc.jit.export(program, folder, format="c", weights=weights)
    name = program.graph.name
    made = folder / f"{name}.so"
    command = [str(CC), *STRICT, "-shared", "-fPIC", str(folder / f"{name}.c"), "-o", str(made)]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    return ctypes.CDLL(str(made))


def call(
    loaded: Any, program: Any, arrays: Sequence[np.ndarray], results: Sequence[np.ndarray]
) -> int:
    """Call it with arrays for the inputs and for the results, whose elements it writes."""
    name = program.graph.name
    sizes: dict[str, int] = {}
    free = [n for n in program.graph.inputs if n.op.name == "input"]
    for node, array in zip(free, arrays, strict=True):
        for size, value in zip(tensor_type(node).shape, array.shape):
            for symbol in shape_symbols((size,)):
                sizes[symbol.name] = value  # in tests sizes are symbols alone
    numbers = [ctypes.c_int64(sizes[s]) for s in sorted(sizes)]
    needed = getattr(loaded, f"{name}_arena_bytes")
    needed.restype = ctypes.c_size_t
    # Written over, and looked at after the call.
    arena = np.full(needed(*numbers) + 64, 0xAB, np.uint8)
    held = [np.ascontiguousarray(a) for a in arrays]
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in [*held, *results]]
    code = getattr(loaded, name)(*pointers, *numbers, ctypes.c_void_p(arena.ctypes.data))
    assert (arena[-64:] == 0xAB).all(), "it wrote past its arena"
    return int(code)


def run(program: Any, folder: Path, arrays: Sequence[np.ndarray], like: Sequence[Any]) -> list[Any]:
    """The results of a program, as C computes them.

    Args:
        program: a `gc.Program` that gives a list.
        folder: for its files.
        arrays: its arguments.
        like: arrays of the results' shapes and dtypes.
    """
    results = [np.zeros(np.shape(a), np.asarray(a).dtype) for a in like]
    assert call(library(program, folder), program, arrays, results) == 0
    return results
