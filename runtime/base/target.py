"""The machine that kernels are compiled for: this host's CPU, as llvmlite sees it.

Compiling and loading use the same target machine, and a kernel's key names it, so that an object
never runs on a CPU it was not made for. llvmlite is imported on the first use, Numba never.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.core import shield


@functools.cache
def initialize() -> None:
    """Make LLVM's native code generator ready (once a process)."""
    llvm = shield.whole("llvmlite.binding")

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@functools.cache
def features() -> str:
    """The CPU's features as LLVM writes them, `+avx2,-avx512f,...`; "" where LLVM can't tell."""
    llvm = shield.whole("llvmlite.binding")

    try:
        return llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        return ""


@functools.cache
def identity() -> str:
    """What an object depends on besides its source: triple, CPU name and features."""
    llvm = shield.whole("llvmlite.binding")

    return "\n".join((llvm.get_process_triple(), llvm.get_host_cpu_name(), features()))


@functools.cache
def machine() -> Any:
    """The LLVM target machine of this host, for code that is loaded into this process."""
    llvm = shield.whole("llvmlite.binding")

    initialize()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    # MCJIT's own choice for x86; elsewhere position-independent code is the rule.
    relocation = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=features(),
        opt=3,
        reloc=relocation,
        codemodel="jitdefault",
        jit=True,
    )


# What another machine than this host's CPU can do, while kernels are compiled for it.
_elsewhere: list[dict[str, bool]] = []


@contextmanager
def compiling(**abilities: bool) -> Iterator[None]:
    """Inside, formulas are made for a machine that is not this CPU. Numba's lock is held.

    Args:
        abilities: what `has_fma` and `has_scale` are there.
    """
    _elsewhere.append(abilities)
    try:
        yield
    finally:
        _elsewhere.pop()


def has_fma() -> bool:
    """Whether kernels are compiled for what multiplies and adds with one rounding; only x86 may
    lack it."""
    return _elsewhere[-1]["has_fma"] if _elsewhere else _has_fma()


def has_scale() -> bool:
    """Whether it multiplies floats by powers of two in one step, in vectors of any length."""
    return _elsewhere[-1]["has_scale"] if _elsewhere else _has_scale()


@functools.cache
def _has_fma() -> bool:
    found = features().split(",")
    return "-fma" not in found and ("+fma" in found or "+sse2" not in found)


@functools.cache
def _has_scale() -> bool:
    return {"+avx512f", "+avx512vl"} <= set(features().split(","))
