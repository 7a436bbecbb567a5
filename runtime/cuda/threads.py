"""The thread form: each thread runs one turn of a kernel's parallel range, blocks many of them.

def scale(args, lo, hi):                   words = 4
    x = buffer(args, 0, f32)               threads = 128
    ...                             ->     def scale_threads(args, lo, hi):
    for i in range(lo, hi):                    lo = block_index() * 128 + thread_index()
        y[i] = x[i] * f32(2.0)                 if lo < args[3]:
                                                   hi = lo + 1
                                                   x = buffer(args, 0, f32)
                                                   ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Number, Sized, Step, evaluate
from graphc.runtime.fused.loops import TAB

THREADS = 128


def a_turn_each(step: Step, threads: int = THREADS) -> Step:
    """A step of a kernel for the CPU as one for blocks of threads, a turn of its range each.

    Args:
        step: its kernel's turns do not depend on each other, nor on how the range is cut.
        threads: of a block.
    """
    kernel = step.kernel
    if kernel.language != "kernel":
        raise InternalError(f"{kernel.name} is no kernel for threads")
    words = len(step.args) + 1
    head, *body = kernel.source.splitlines()
    name = f"{kernel.name}_threads"
    if head != f"def {kernel.name}(args, lo, hi):":
        raise InternalError(f"{kernel.name} begins with {head!r}")
    lines = [
        f"words = {words}",
        f"threads = {threads}",
        f"def {name}(args, lo, hi):",
        f"{TAB}lo = block_index() * {threads} + thread_index()",
        f"{TAB}if lo < args[{words - 1}]:",
        f"{TAB * 2}hi = lo + 1",
        *(TAB + line for line in body),
    ]
    return replace(
        step,
        kernel=Kernel(name, "\n".join([*lines, ""]), "cuda"),
        args=(*step.args, Number(step.extent)),
        extent=blocks(step.extent, threads),
        grain=threads,
    )


def blocks(count: Sized, threads: int) -> Sized:
    """How many blocks of threads there are for a count."""
    return sized(lambda n: -(-n // threads), count)


def sized(function: Callable[..., int], *sizes: Sized) -> Sized:
    """A function of sizes: a number where they are numbers."""
    if all(isinstance(size, int) for size in sizes):
        return function(*sizes)

    def computed(given: Mapping[str, int]) -> int:
        return function(*(evaluate(size, given) for size in sizes))

    return computed
