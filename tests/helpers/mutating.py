"""Mutations of kernels: one number, comparison, bound, guard or store of a source changed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import replace

from graphc.runtime.base.step import Step

OTHER = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}


def mutants(step: Step) -> Iterator[tuple[str, Step]]:
    """What was changed, and the step with it, for every change of one place of its kernel.

    Arithmetic on floats, and the lines that say which argument is which, stay as they are.
    """
    tree = ast.parse(step.kernel.source)
    places = _places(tree)
    for position, place in enumerate(places):
        for number in range(4):
            changed = copy.deepcopy(tree)
            what = _change(_places(changed)[position], changed, number)
            if what is None:
                break
            source = ast.unparse(ast.fix_missing_locations(changed))
            line = getattr(place, "lineno", 0)
            yield (
                f"{step.kernel.name} line {line}: {what}",
                replace(step, kernel=replace(step.kernel, source=source)),
            )


def _places(tree: ast.Module) -> list[ast.AST]:
    """The parts of indices, of loops' ranges and of tests on integers, and the stores."""
    integers = _integers(tree)
    return [
        node
        for node in ast.walk(tree)
        if id(node) in integers
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript))
    ]


def _integers(tree: ast.Module) -> set[int]:
    """The nodes of indices, ranges, and what these are computed from."""
    names: set[str] = set()
    found: set[int] = set()
    for _ in range(3):
        for node in ast.walk(tree):
            roots: list[ast.AST] = []
            match node:
                case ast.Subscript(ast.Name(name), index) if name != "args":
                    roots.append(index)
                case ast.For(iter=ast.Call(args=args)):
                    roots += args
                case ast.If(test):
                    roots.append(test)
                case ast.Assign([ast.Name(name)], value) if name in names and _plain(value):
                    roots.append(value)
            for root in roots:
                for inner in ast.walk(root):
                    found.add(id(inner))
                    if isinstance(inner, ast.Name):
                        names.add(inner.id)
    return found - _endless(tree)


def _endless(tree: ast.Module) -> set[int]:
    """Parts of a `while` and of what it starts from, which a change might make go on for ever."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While)]
    tests = {n.id for w in loops for n in ast.walk(w.test) if isinstance(n, ast.Name)}
    starts = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in tests
    ]
    return {id(inner) for node in [*loops, *starts] for inner in ast.walk(node)}


def _plain(value: ast.expr) -> bool:
    """Not where arguments are read."""
    return not any(isinstance(n, ast.Name) and n.id in ("args", "buffer") for n in ast.walk(value))


def _change(node: ast.AST, tree: ast.Module, number: int) -> str | None:
    """Change a node in its `number`-th way; what was done, None when there is no such way."""
    match node:
        case ast.Constant(int(value)) if number < 3:
            node.value = (value + 1, value - 1, 2 * value + 3)[number]
            return f"{value} becomes {node.value}"
        case ast.BinOp(_, operator, _) if number == 0 and type(operator) in OTHER:
            node.op = OTHER[type(operator)]()  # type: ignore[assignment]
            return f"{type(operator).__name__} becomes {type(node.op).__name__}"
        case ast.Compare(_, [operator], _) if number == 0 and type(operator) in OTHER:
            node.ops = [OTHER[type(operator)]()]  # type: ignore[list-item]
            return f"{type(operator).__name__} becomes {type(node.ops[0]).__name__}"
        case ast.Compare() if number == 1:
            return _replaced(tree, node, ast.Constant(True), "a guard is dropped")
        case ast.Name(name) if number < 2 and isinstance(node.ctx, ast.Load):
            if name in ("quotient", "remainder", "select", "min", "range", "i64"):
                return None
            change = (ast.Add(), ast.Sub())[number]
            new = ast.BinOp(ast.Name(name, ast.Load()), change, ast.Constant(1))
            return _replaced(tree, node, new, f"{name} becomes {name} {'+-'[number]} 1")
        case ast.Assign() if number == 0:
            return _replaced(tree, node, ast.Pass(), "a store is dropped")
    return None


def _replaced(tree: ast.Module, old: ast.AST, new: ast.AST, what: str) -> str:
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    Replace().visit(tree)
    return what
