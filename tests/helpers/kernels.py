"""Run steps in tests: the kernel's source as plain Python, or compiled, on NumPy arrays."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.runtime.base.step import Number, StatusBlock, Step, Value, Workspace, evaluate
from graphc.runtime.language import language
from graphc.runtime.objects import loader

SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def run_steps(
    steps: list[Step],
    values: Mapping[Node, np.ndarray],
    sizes: Mapping[str, int] | None = None,
    *,
    compiled: bool,
    parts: int = 1,
) -> np.ndarray:
    """Run the steps in order, each over its whole range cut into `parts`; the status block."""
    status = np.zeros(8, np.int64)
    scratch: dict[tuple[Node, str], np.ndarray] = {}
    for step in steps:
        args = [_argument(a, values, scratch, status, sizes or {}) for a in step.args]
        extent = evaluate(step.extent, sizes or {})
        bounds = [extent * k // parts for k in range(parts + 1)]
        run = _compiled(step, args) if compiled else _plain(step, args)
        for lo, hi in itertools.pairwise(bounds):
            if lo < hi:
                run(lo, hi)
    return status


def _argument(argument: Any, values: Any, scratch: Any, status: np.ndarray, sizes: Any) -> Any:
    if isinstance(argument, Value):
        return values[argument.node].reshape(-1)
    if isinstance(argument, Workspace):
        nbytes = evaluate(argument.nbytes, sizes)
        key = (argument.node, argument.key)
        return scratch.setdefault(key, np.zeros(-(-nbytes // 8), np.int64))
    if isinstance(argument, Number):
        return evaluate(argument.size, sizes)
    return status if isinstance(argument, StatusBlock) else 1


def _plain(step: Step, args: list[Any]) -> Any:
    names = language.namespace()
    exec(step.kernel.source, names)
    kernel = names[step.kernel.name]

    def run(lo: int, hi: int) -> None:
        with np.errstate(all="ignore"):
            kernel(args, lo, hi)

    return run


def _compiled(step: Step, args: list[Any]) -> Any:
    (address,) = loader.load([step.kernel])
    words = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in args]
    memory = np.array(words, np.int64)
    kernel = SIGNATURE(address)
    return lambda lo, hi: kernel(memory.ctypes.data, lo, hi)
