"""From a CUDA kernel's source to PTX: Numba's front end, and LLVM's NVPTX back end.

llvmlite's wheel has the back end, so that nothing of NVIDIA's is needed; the driver makes machine
code of PTX. Importing this module imports Numba.
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.compiler_lock import global_compiler_lock

from graphc.core.garbage import uncollected
from graphc.errors import UnsupportedError
from graphc.runtime.base import target
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import language
from graphc.runtime.objects import compiler

_TRIPLE = "nvptx64-nvidia-cuda"


def ptx(kernel: Kernel, entry: str, words: int, arch: str, version: int) -> str:
    """A kernel's PTX.

    Args:
        kernel: in the language "cuda".
        entry: the name by which a driver finds it.
        words: how many int64 parameters it has.
        arch: "sm_90"; `version` is that of PTX, 80 for 8.0. LLVM ends the process where that is
            older than the architecture.

    Raises:
        UnsupportedError: it needs a C function that no device has.
    """

    def wrap(context: Any, module: ir.Module, descriptor: Any) -> None:
        _add_entry(context, module, descriptor, entry, words)

    with global_compiler_lock, uncollected(), target.compiling(has_fma=True, has_scale=False):
        module = compiler.front_end(kernel, language.namespace(), wrap)
        machine = _machine(arch, version)
        text = re.sub(r'target triple = ".*"', f'target triple = "{_TRIPLE}"', str(module))
        layout = f'target datalayout = "{machine.target_data}"'
        module = llvm.parse_assembly(re.sub(r'target datalayout = ".*"', layout, text))
        _refuse_c(kernel, module)
        compiler.optimise(module, machine, entry, vectors=False)
        return machine.emit_assembly(module)


def _machine(arch: str, version: int) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = llvm.Target.from_triple(_TRIPLE)
    return found.create_target_machine(cpu=arch, features=f"+ptx{version}", opt=3)


def _refuse_c(kernel: Kernel, module: Any) -> None:
    names = [f.name for f in module.functions if f.is_declaration]
    missing = [name for name in names if not name.startswith("llvm.")]
    if missing:
        raise UnsupportedError(
            f"cuda: kernel {kernel.name} needs {', '.join(missing)} of float64, "
            "which graphc does not have for CUDA devices yet",
            hint="compile this program for the CPU",
        )


def _add_entry(context: Any, module: ir.Module, descriptor: Any, name: str, words: int) -> None:
    """Define the kernel: its parameters, put where the function looks for its arguments."""
    callee = module.get_global(descriptor.llvm_func_name)
    word = ir.IntType(64)
    kernel = ir.Function(module, ir.FunctionType(ir.VoidType(), [word] * words), name)
    kernel.calling_convention = "ptx_kernel"
    builder = ir.IRBuilder(kernel.append_basic_block("entry"))
    table = builder.alloca(word, size=ir.Constant(word, max(words, 1)))
    for k in range(words):
        builder.store(kernel.args[k], builder.gep(table, [ir.Constant(word, k)]))
    zero = ir.Constant(word, 0)
    context.call_conv.call_function(
        builder, callee, descriptor.restype, descriptor.argtypes, [table, zero, zero]
    )
    builder.ret_void()
