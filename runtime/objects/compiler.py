"""From a kernel's source to an object file, with Numba's front end and one run of LLVM.

Numba types the function and lowers it to LLVM IR; a wrapper of our own gives it a plain C
signature and a known symbol (Numba's would take the GIL to report errors, and a kernel raises
none); LLVM optimises once and writes the object. A small kernel takes about 60 ms, half of what
`numba.cfunc` takes. Importing this module imports Numba: `loader` does so only when a kernel
isn't in the cache. Nothing here loads code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import codegen, types
from numba.core.compiler import CompilerBase, Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.typed_passes import (
    InlineOverloads,
    IRLegalization,
    NativeLowering,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import (
    DeadBranchPrune,
    FixupArgs,
    IRProcessing,
    ReconstructSSA,
    TranslateByteCode,
)

from graphc.core.garbage import uncollected
from graphc.errors import InternalError
from graphc.runtime.base import symbols, target
from graphc.runtime.base.kernel import Kernel, symbol
from graphc.runtime.language import machine_language, numba_language
from graphc.runtime.objects import loop_hints, vectors

_ARGUMENTS = (types.CPointer(types.int64), types.int64, types.int64)
_NAMESPACES = {
    "kernel": numba_language.namespace,
    "machine": machine_language.namespace,
    "library": lambda: numba_language.namespace() | machine_language.CALLS,
}


class CompileError(InternalError):
    """A kernel that doesn't compile: a fault of what generated its source."""


class _Library(codegen.CPUCodeLibrary):
    """Collects the IR of one function: Numba's own library would optimise and load it as well."""

    def __init__(self, owner: Any, name: str) -> None:
        codegen.CodeLibrary.__init__(self, owner, name)
        self.modules: list[ir.Module] = []
        self.linked: list[Any] = []

    def add_ir_module(self, ir_module: ir.Module) -> None:
        self.modules.append(ir_module)

    def add_linking_library(self, library: object) -> None:
        if library is not rtsys.library and library not in self.linked:
            self.linked.append(library)

    def finalize(self) -> None:
        raise InternalError(f"kernel {self.name} refers to itself")


@register_pass(mutates_CFG=False, analysis_only=True)
class _KeepDescriptor(LoweringPass):
    """Hand the lowered function's descriptor to the caller; nothing is made executable."""

    _name = "graphc_keep_descriptor"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.cr = state["cr"].fndesc
        return True


# Numba's pipeline less what a kernel can't contain: `with`, closures, comprehensions, raises,
# array expressions.
_PASSES = (
    TranslateByteCode,
    FixupArgs,
    IRProcessing,
    DeadBranchPrune,
    ReconstructSSA,
    NopythonTypeInference,
    PreLowerStripPhis,
    InlineOverloads,
    IRLegalization,
    NativeLowering,
    _KeepDescriptor,
)


class _Pipeline(CompilerBase):
    def define_pipelines(self) -> list[PassManager]:
        manager = PassManager("graphc")
        for step in _PASSES:
            manager.add_pass(step, step.__name__)
        manager.finalize()
        return [manager]


def _flags() -> Flags:
    flags: Any = Flags()
    flags.no_compile = True
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    flags.nrt = False
    return flags


def compile_object(kernel: Kernel) -> bytes:
    """Compile a kernel for this CPU.

    Args:
        kernel: the source; see `numba_language` for the names it may use.

    Returns:
        A relocatable object that defines `kernel.symbol(kernel)` and needs nothing but the C
        library's mathematical and memory functions.

    Raises:
        CompileError: the source doesn't type, or the object needs a forbidden symbol.
    """
    with global_compiler_lock, uncollected():
        try:
            module = _lower(kernel)
        except (NumbaError, SyntaxError) as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise CompileError(f"kernel {kernel.name} doesn't compile", lines) from error
        data = _emit(module, symbol(kernel))
    if bad := symbols.forbidden(data):
        raise CompileError(f"kernel {kernel.name} calls {bad[0]}, which is not a C function", bad)
    return data


def _lower(kernel: Kernel) -> Any:
    def wrap(context: Any, module: ir.Module, descriptor: Any) -> None:
        _add_wrapper(context, module, descriptor, symbol(kernel))

    return front_end(kernel, _NAMESPACES[kernel.language](), wrap)


def front_end(kernel: Kernel, namespace: dict[str, Any], wrap: Callable[..., None]) -> Any:
    """Numba's front end: source to one parsed LLVM module.

    Args:
        kernel: the source.
        namespace: every name that it may use.
        wrap: adds what calls the function, of (context, module, descriptor).
    """
    if kernel.checks:
        namespace |= numba_language.checking(kernel.checks)
    tree = ast.parse(kernel.source)
    if kernel.language == "kernel" and "bounds" not in kernel.checks:
        tree = vectors.vectorised(tree)
    exec(compile(tree, f"<graphc kernel {kernel.name}>", "exec"), namespace)
    typing, context = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    context.refresh()
    library = _Library(context.codegen(), kernel.name)
    result = types.int64 if kernel.returns else types.void
    descriptor = compile_extra(
        typing,
        context,
        namespace[kernel.name],
        _ARGUMENTS,
        result,
        _flags(),
        {},
        library=library,
        pipeline_class=_Pipeline,
    )
    wrap(context, library.modules[0], descriptor)
    module = llvm.parse_assembly(loop_hints.hinted(library.modules[0], tree))
    for other in library.modules[1:]:
        module.link_in(llvm.parse_assembly(str(other)))
    for linked in library.linked:
        module.link_in(linked._get_module_for_linking(), preserve=True)
    return module


def _add_wrapper(context: Any, module: ir.Module, descriptor: Any, name: str) -> None:
    """Define `name` with the C signature; Numba's own returns an error code, always 0 here."""
    arguments = [context.get_value_type(ty) for ty in descriptor.argtypes]
    callee = module.get_global(descriptor.llvm_func_name)
    returns = descriptor.restype != types.void
    kind = ir.FunctionType(ir.IntType(64) if returns else ir.VoidType(), arguments)
    wrapper = ir.Function(module, kind, name)
    builder = ir.IRBuilder(wrapper.append_basic_block("entry"))
    _, result = context.call_conv.call_function(
        builder, callee, descriptor.restype, descriptor.argtypes, wrapper.args
    )
    if returns:
        builder.ret(result)
    else:
        builder.ret_void()


def _emit(module: Any, name: str) -> bytes:
    """Optimise for this CPU and write the object; only `name` stays visible."""
    machine = target.machine()
    module.data_layout = str(machine.target_data)
    optimise(module, machine, name)
    return machine.emit_object(module)


def optimise(module: Any, machine: Any, name: str, vectors: bool = True) -> None:
    """Optimise for a machine; only `name` stays visible, and loops become `vectors` or not."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != name:
            value.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = vectors
    # Off: LLVM 22 turns around some conditions when it makes vectors of straight-line code, so
    # `x % 5` beside `x % 7` and more was wrong. Loops are vectorised all the same.
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    # What was linked in and isn't used goes first, or LLVM would optimise it for nothing.
    first = llvm.create_new_module_pass_manager()
    first.add_global_dead_code_eliminate_pass()
    first.run(module, builder)
    builder.getModulePassManager().run(module, builder)
