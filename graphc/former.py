"""Modules by the names that they had before they stood in rooms: importing one still gives it.

from graphc.ir import Node          # the Node of graphc.core.ir, and a DeprecationWarning
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# (where they were, where they are): their names, with the new one after a colon where it differs.
_MOVED = {
    ("graphc", "graphc.core"): (
        "access arguments atoms dims dtypes files garbage interpret ir operators shield trees types"
    ),
    ("graphc", "graphc.loops"): "nesting spaces views",
    ("graphc", "graphc.ops"): "sampling",
    ("graphc", "graphc.program"): "comparing driver reference report",
    ("graphc.autograd", "graphc.eager.engine"): "engine:backward graph:tape mode",
    ("graphc.eager", "graphc.eager.engine"): (
        "composite cost device elementwise hot invoke live numpy_code promotion quiet registry "
        "signature size tensor"
    ),
    ("graphc.eager", "graphc.eager.functions"): (
        "arithmetic axiswise control creation filling indexing inplace joining losses ordering "
        "parts placing products random reductions repeating selecting shapes special"
    ),
    ("graphc.eager", "graphc.eager.methods"): "hooks interchange printing",
    ("graphc.jit", "graphc.jit.archive"): (
        "archive_checks archive_program archive_reader archive_source archive_zip manifest "
        "manifest_reader"
    ),
    ("graphc.jit", "graphc.jit.export"): "numpy_export numpy_helpers numpy_ops numpy_scope",
    ("graphc.jit", "graphc.jit.trace"): "branches control naming sizes tracing watching",
    ("graphc.nn", "graphc.nn.layers"): (
        "activation activation_axis activation_hard attention conv distance dropout flatten "
        "linear loss loss_classes norm norm_batch padding pooling pooling_adaptive rnn rnn_base "
        "rnn_cells sparse transformer vision"
    ),
    (
        "graphc.nn",
        "graphc.nn.module",
    ): "calling containers conversion errors hooks members parameter_containers state",
    ("graphc.ops", "graphc.ops.arrays"): (
        "cumulative filled getitem indexing joining lookup movement norms philox random reduce "
        "shaping sorting statistics"
    ),
    ("graphc.ops", "graphc.ops.contract"): "convolution einsum matmul pooling",
    ("graphc.ops", "graphc.ops.elementwise"): (
        "arithmetic cast compare division exponential exponents extremes logic power rounding "
        "trigonometric"
    ),
    ("graphc.ops", "graphc.ops.flow"): "branching closures loop_gradients loop_sums looping loops",
    ("graphc.ops", "graphc.ops.network"): "activations",
    ("graphc.passes", "graphc.passes.fusion"): "cluster clustering fuse",
    ("graphc.passes", "graphc.passes.memory"): "inplace lifetime plan rematerialise schedule",
    ("graphc.passes", "graphc.passes.rewrite"): "facts",
    ("graphc.passes", "graphc.passes.rules"): (
        "simplify_arithmetic:arithmetic simplify_casts:casts simplify_choice:choice "
        "simplify_functions:functions simplify_movement:movement simplify_reduce:reduce "
        "simplify_slices:slices"
    ),
    (
        "graphc.runtime",
        "graphc.runtime.base",
    ): "arena bounds homes kernel lanes poison step symbols target",
    ("graphc.runtime", "graphc.runtime.checks"): "coverage touched verify_steps",
    ("graphc.runtime", "graphc.runtime.contract"): (
        "contraction conv_kernel conv_plain conv_source lower_contract:lower matmul_kernel "
        "matmul_plain tile_source vector_kernel"
    ),
    (
        "graphc.runtime",
        "graphc.runtime.fused",
    ): "assemble blocked columns constants emit fused_kernel joined loops many rows scalars",
    ("graphc.runtime", "graphc.runtime.language"): (
        "machine_language math_reference names numba_bounds numba_coefficients numba_division "
        "numba_float numba_float32 numba_float64 numba_integer numba_language numba_math "
        "numba_random numba_reduction numba_rounded numba_simd numba_terms numba_tile "
        "numba_tile_dot simd_reference"
    ),
    ("graphc.runtime", "graphc.runtime.machine"): "call control executable machine_source team",
    (
        "graphc.runtime",
        "graphc.runtime.nests",
    ): "nest:shared nest_scan:scan nest_scatter:scatter nest_sort:sort nest_windows:windows",
    ("graphc.runtime", "graphc.runtime.objects"): "cache compiler loader trust",
}
PLACES = {
    f"{before}.{old}": f"{now}.{new or old}"
    for (before, now), names in _MOVED.items()
    for old, _, new in (name.partition(":") for name in names.split())
}


class _Former(MetaPathFinder, Loader):
    """Finds modules by their former names, when nothing else does."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in PLACES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        now = PLACES[spec.name]
        warnings.warn(f"{spec.name} is {now}", DeprecationWarning, stacklevel=2)
        module = importlib.import_module(now)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has given it the spec of its former name.
        if module.__spec__ is not None and module.__spec__.name in PLACES:
            module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Let former names be imported; called when `graphc` is."""
    # Imported by the finder, it would stand where `gc.interpret`, the function, does.
    name = "graphc.interpret"
    sys.modules[name] = importlib.import_module(PLACES[name])
    if not any(isinstance(finder, _Former) for finder in sys.meta_path):
        sys.meta_path.append(_Former())


def names_of(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a room that has the name which `module` in it had alone.

    Args:
        module: such as "graphc.nn.module.module", whose names `graphc.nn.module` had.
    """
    room = module.rpartition(".")[0]

    def find(name: str) -> Any:
        missing = AttributeError(f"module {room!r} has no attribute {name!r}")
        # A module of the room is imported by whoever asked, perhaps in the middle of an import.
        if name.startswith("__") or importlib.util.find_spec(f"{room}.{name}") is not None:
            raise missing
        try:
            found = getattr(importlib.import_module(module), name)
        except AttributeError:
            raise missing from None
        warnings.warn(f"{room}.{name} is {module}.{name}", DeprecationWarning, stacklevel=2)
        return found

    return find
