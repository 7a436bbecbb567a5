"""The machine that kernels are compiled for: this host's CPU, as llvmlite sees it.

Compiling and loading use the same target machine, and a kernel's key names it, so that an object
never runs on a CPU it was not made for. llvmlite is imported on the first use, Numba never.
"""

from __future__ import annotations

import functools
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
