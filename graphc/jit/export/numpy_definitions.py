"""The NumPy definition of an op as text that stands alone, for ops that `numpy_helpers` lacks.

An op declared in a file of a user's is exported as it is defined, if its definition is a function
or a lambda that needs `np`, plain numbers and other such functions alone:

    def softsign(*operands):
        definition = lambda x: x / (1 + np.abs(x))
        return definition(*operands)
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import math
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from graphc.core.ir import Op
from graphc.core.origin import is_internal


def is_own(op: Op) -> bool:
    """Whether an op is declared outside this package."""
    code = getattr(getattr(op.numpy, "__wrapped__", op.numpy), "__code__", None)
    return code is not None and not is_internal(code)


@functools.cache
def definition_of(op: Op) -> str:
    """The text of a function of the op's name; "" where its definition needs more than NumPy."""
    lines: list[str] = []
    function = getattr(op.numpy, "__wrapped__", op.numpy)
    if not _collect("definition", function, lines, set()):
        return ""
    body = textwrap.indent("\n".join([*lines, "return definition(*operands)"]), "    ")
    return f"def {op.name}(*operands):\n{body}"


def _collect(name: str, function: Callable[..., Any], lines: list[str], seen: set[str]) -> bool:
    """Add the text of a function, after those that it calls; False where that cannot be."""
    tree = _tree_of(function)
    if tree is None:
        return False
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
        return False
    seen.add(name)
    values = function.__globals__
    for key in sorted(_globals(function.__code__)):
        if key in seen or key not in values:  # what is not there is of Python itself
            continue
        value = values[key]
        if isinstance(value, bool | int | float) and math.isfinite(value):
            lines.append(f"{key} = {value!r}")
        elif isinstance(value, FunctionType):
            if not _collect(key, value, lines, seen):
                return False
        elif value is not np or key != "np":
            return False
        seen.add(key)
    if isinstance(tree, ast.FunctionDef):
        tree.name = name
    text = ast.unparse(tree)
    lines.append(f"{name} = {text}" if isinstance(tree, ast.Lambda) else text)
    return True


def _globals(code: CodeType) -> set[str]:
    """The global names that code reads, that of functions inside it too."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    inner = [_globals(value) for value in code.co_consts if isinstance(value, CodeType)]
    return found.union(*inner)


def _tree_of(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    """A function's own text, without annotations."""
    if not isinstance(function, FunctionType) or function.__closure__:
        return None
    try:
        lines, _ = inspect.findsource(function)
        tree = ast.parse("".join(lines))
    except (OSError, SyntaxError):
        return None
    line = function.__code__.co_firstlineno
    kinds = ast.FunctionDef if function.__name__ != "<lambda>" else ast.Lambda
    found = [n for n in ast.walk(tree) if isinstance(n, kinds) and n.lineno == line]
    if len(found) != 1 or getattr(found[0], "decorator_list", []):
        return None
    (made,) = found
    for argument in (*made.args.posonlyargs, *made.args.args, *made.args.kwonlyargs):
        argument.annotation = None
    if isinstance(made, ast.FunctionDef):
        made.returns = None
    return made


__all__ = ["definition_of", "is_own"]
