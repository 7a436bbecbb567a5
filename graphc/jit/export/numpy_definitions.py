"""The NumPy definitions of ops as text that stands alone: what they call and read goes with them.

    def softsign(x):                    # op.numpy of an op of the table, or of a user's
        return x / (1 + np.abs(x))

A definition is a function or lambda that needs NumPy, `math`, `itertools`, plain values and other
such functions. What it reads of graphc's dtypes is in `numpy_helpers`; errors are Python's own.
"""

from __future__ import annotations

import ast
import builtins
import copy
import dis
import functools
import inspect
import itertools
import math
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Op
from graphc.errors import GraphcError
from graphc.jit.export import numpy_helpers

# What reads graphc's own tables, by what stands for it in an exported module.
_STANDS_FOR: dict[Any, str] = {
    dims.maximum: "max",
    **{getattr(dtypes, n): n for n in ("as_dtype", "is_float", "is_narrow", "widened")},
}
_MODULES = (np, math, itertools)


class _Unwritable(Exception):
    """A definition that needs more than NumPy."""


def definition_of(op: Op) -> Any:
    """An op's definition without its care for narrow floats."""
    return getattr(op.numpy, "__wrapped__", op.numpy)


class Definitions:
    """The functions that exported definitions need, each once.

    Attributes:
        texts: by the name of a function, its text and the names that it uses.
    """

    def __init__(self) -> None:
        self.texts: dict[str, tuple[str, set[str]]] = {}
        self._names: dict[Any, str] = {}

    def add(self, op: Op) -> str:
        """The name of the function that is an op's definition; "" where it needs more."""
        definition = definition_of(op)
        known = dict(self.texts), dict(self._names)
        try:
            return self._name(definition, op.name)
        except _Unwritable:
            self.texts, self._names = known
            return ""

    def _name(self, function: Callable[..., Any], wanted: str) -> str:
        found = self._names.get(function)
        if found is not None:
            return found
        name = wanted
        taken = {*self._names.values(), *numpy_helpers.__dict__}
        while name in taken or hasattr(builtins, name):
            name += "_"
        self._names[function] = name
        tree = _tree_of(function)
        resolver = _Resolver(self, function)
        tree = ast.fix_missing_locations(resolver.visit(tree))
        if resolver.used & _locals(function.__code__):
            raise _Unwritable(name)  # a name of its own hides a function that it calls
        if isinstance(tree, ast.FunctionDef):
            tree.name = name
        text = ast.unparse(tree)
        text = f"{name} = {text}" if isinstance(tree, ast.Lambda) else text
        self.texts[name] = text, resolver.used
        return name

    def expression(self, value: object, used: set[str]) -> ast.expr:
        """A value that a definition reads, as an expression of the exported module."""
        if isinstance(value, FunctionType):
            name = _STANDS_FOR.get(value) or self._name(value, value.__name__)
            used.add(name)
            return ast.Name(name, ast.Load())
        return _parsed(_text(value))


def _text(value: Any) -> str:
    if any(value is module for module in _MODULES):
        return "np" if value is np else value.__name__
    if isinstance(value, tuple):
        return f"({''.join(f'{_text(v)}, ' for v in value)})"
    if isinstance(value, bool | int | float | str | None) and not isinstance(value, np.generic):
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        return repr(value)
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({value.item()!r})"
    if isinstance(value, type) and issubclass(value, GraphcError):
        return next(c.__name__ for c in value.__mro__ if c.__module__ == "builtins")
    name = getattr(value, "__name__", "-")
    if getattr(np, name, None) is value:
        return f"np.{name}"
    raise _Unwritable(name)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Resolver(ast.NodeTransformer):
    """A definition's text with what it reads from outside in the exported module's names."""

    def __init__(self, definitions: Definitions, function: Any) -> None:
        self.definitions, self.used = definitions, set[str]()
        names = _globals(function.__code__)
        self.values = {k: v for k, v in function.__globals__.items() if k in names}
        cells = zip(function.__code__.co_freevars, function.__closure__ or ())
        self.values |= {name: cell.cell_contents for name, cell in cells}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.values or not isinstance(node.ctx, ast.Load):
            return node
        return self.definitions.expression(self.values[node.id], self.used)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        base = self.values.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if isinstance(base, ModuleType) and base not in _MODULES:
            return self.definitions.expression(getattr(base, node.attr), self.used)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        value = self.values.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(value, type) and issubclass(value, GraphcError):
            node.args, node.keywords = node.args[:1], []  # Python's own take no hint
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if node.decorator_list:
            raise _Unwritable(node.name)
        node.returns = None
        doc = ast.get_docstring(node)
        if doc is not None:
            node.body[0] = ast.Expr(ast.Constant(doc.splitlines()[0]))
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value))

    def visit_Import(self, node: Any) -> Any:
        raise _Unwritable("import")

    visit_ImportFrom = visit_Import


def _globals(code: CodeType) -> set[str]:
    """The global names that code reads, that of functions inside it too."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    inner = [_globals(value) for value in code.co_consts if isinstance(value, CodeType)]
    return found.union(*inner)


def _locals(code: CodeType) -> set[str]:
    """The names that are code's own, that of functions inside it too."""
    inner = [_locals(value) for value in code.co_consts if isinstance(value, CodeType)]
    return {*code.co_varnames, *code.co_cellvars}.union(*inner)


def _tree_of(function: Callable[..., Any]) -> ast.FunctionDef | ast.Lambda:
    """A function's own text."""
    if not isinstance(function, FunctionType):
        raise _Unwritable(repr(function))
    try:
        tree = _file("".join(inspect.findsource(function)[0]))
    except (OSError, SyntaxError):
        raise _Unwritable(function.__name__) from None
    line = function.__code__.co_firstlineno
    kinds = ast.FunctionDef if function.__name__ != "<lambda>" else ast.Lambda
    found = [n for n in ast.walk(tree) if isinstance(n, kinds) and n.lineno == line]
    if len(found) > 1:  # lambdas of one line: the one in which the code stands
        places = {p for p in function.__code__.co_positions() if None not in p and p[3]}
        found = [n for n in found if isinstance(n, ast.Lambda) and _covers(n.body, places)]
    if len(found) != 1:
        raise _Unwritable(function.__name__)
    return copy.deepcopy(found[0])


def _covers(body: ast.expr, places: set[Any]) -> bool:
    """Whether what code comes from begins and ends where an expression does."""
    begins = min((line, column) for line, _, column, _ in places)
    ends = max((line, column) for _, line, _, column in places)
    return begins == (body.lineno, body.col_offset) and ends == (
        body.end_lineno, body.end_col_offset,
    )  # fmt: skip


@functools.cache
def _file(text: str) -> ast.Module:
    return ast.parse(text)


__all__ = ["Definitions", "definition_of"]
