"""Runs the plan of a contraction by itself, compiled or un-jitted, its ranges cut into slices."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np

from graphc.runtime.base.step import evaluate
from graphc.runtime.contract.contraction import ContractionPlan, KernelCall, Operand, Scratch
from graphc.runtime.language import language
from graphc.runtime.objects import loader

NATIVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def run_plan(
    plan: ContractionPlan, operands: dict[str, np.ndarray], sizes: Any = (), jit: bool = True,
    slices: int = 1,
) -> None:  # fmt: skip
    """Run a plan as a program would, each range cut into `slices`, the last one first."""
    memory: dict[str, np.ndarray] = {}
    for call in plan.calls:
        args: list[Any] = [_argument(a, operands, memory, dict(sizes)) for a in call.args]
        extent = evaluate(call.extent, dict(sizes))
        cuts = [extent * s // slices for s in range(slices + 1)]
        function: Any = _native(call, args) if jit else _python(call)
        for lo, hi in reversed(list(itertools.pairwise(cuts))):
            if lo < hi:
                with np.errstate(all="ignore"):
                    function(args, lo, hi)


def _argument(argument: Any, operands: Any, memory: Any, sizes: Any) -> Any:
    if isinstance(argument, Operand):
        return operands[argument.name]
    if isinstance(argument, Scratch):
        nbytes = evaluate(argument.nbytes, sizes)
        if argument.key not in memory:
            memory[argument.key] = np.full(nbytes, 0xFF, np.uint8)
        assert memory[argument.key].size == nbytes
        return memory[argument.key]
    return evaluate(argument.size, sizes)


def _native(call: KernelCall, args: list[Any]) -> Any:
    words = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in args]
    table = np.array(words, np.int64)
    (address,) = loader.load([call.kernel])
    return lambda _, lo, hi: NATIVE(address)(table.ctypes.data, lo, hi)


def _python(call: KernelCall) -> Any:
    namespace = language.namespace()

    def typed_buffer(args: Any, index: int, dtype: Any) -> Any:
        array = args[index].reshape(-1).view(language.STORAGE[dtype])
        return language.Buffer(array)

    namespace["buffer"] = typed_buffer
    exec(call.kernel.source, namespace)
    return namespace[call.kernel.name]
