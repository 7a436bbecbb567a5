"""Whose a frame's code is: the user's, a library's, or graphc's own."""

from __future__ import annotations

import sysconfig
from types import CodeType

from graphc.core.origin import is_internal
from graphc.jit.trace import known

_PLACES = tuple(
    path for key in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_paths().get(key))
)  # fmt: skip
# What a frame's code may be: the user's; a library's, which counts as its caller; graphc's own.
USER, LIBRARY, OWN, LAYER = "user", "library", "own", "layer"
# Packages that graphc itself calls.
_USED = ("numpy", "numba", "llvmlite", "scipy", "networkx", "safetensors")
_LAYERS = ("graphc.nn.", "graphc.optim.", "graphc.autograd.")


def kind_of_code(code: CodeType, module: str) -> str:
    """Whose a code is.

    Args:
        code: the code.
        module: the name of the module that it runs in.

    Returns:
        USER, LIBRARY, OWN or LAYER.
    """
    file = code.co_filename
    if file.startswith("<frozen"):
        return LIBRARY
    if is_internal(code) or known.is_ours(module) or "numpy code of" in file:
        named = code.co_argcount and code.co_varnames[0] in ("self", "cls")
        return LAYER if named and module.startswith(_LAYERS) else OWN
    if file == "<string>" and (code.co_name.startswith("__") or module.startswith("namedtuple_")):
        return LIBRARY  # what dataclasses and named tuples write
    if module.partition(".")[0] in _USED:
        return LIBRARY
    if file.startswith(_PLACES) and "site-packages" not in file:
        return LIBRARY
    return USER


def is_theirs(file: str) -> bool:
    """Whether a file is the user's own, and of no library."""
    return not file.startswith(_PLACES) and "site-packages" not in file


__all__ = ["LAYER", "LIBRARY", "OWN", "USER", "is_theirs", "kind_of_code"]
