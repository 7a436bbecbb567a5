"""From dynamic to static: tracing, compiling, saving.

@gc.jit.compile
def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
"""

from graphc.jit.archive.archive import save
from graphc.jit.archive.archive_function import LoadedFunction
from graphc.jit.archive.archive_program import LoadedProgram, load
from graphc.jit.compiled import Compiled
from graphc.jit.compiling import compile
from graphc.jit.export.numpy_export import export
from graphc.jit.script import (
    annotate,
    ignore,
    is_scripting,
    is_tracing,
    script,
    script_if_tracing,
    unused,
)
from graphc.jit.traced import Traced, trace

__all__ = [
    "Compiled", "LoadedFunction", "LoadedProgram", "Traced", "annotate", "compile", "export",
    "ignore", "is_scripting", "is_tracing", "load", "save", "script", "script_if_tracing",
    "trace", "unused",
]  # fmt: skip
