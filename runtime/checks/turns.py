"""What the turns of a `while` do to its variables: which may only grow, which take another's value.

Not here: the walk that shows what follows (`walk`).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence


def growing(body: Sequence[ast.stmt]) -> list[str]:
    """Variables that a loop's body only ever doubles, or adds a number to."""
    found: dict[str, bool] = {}
    for node in (n for statement in body for n in ast.walk(statement)):
        match node:
            case ast.Assign([ast.Name(name)], ast.BinOp(ast.Constant(2), ast.Mult(), ast.Name(x))):
                found[name] = found.get(name, True) and x == name
            case ast.AugAssign(ast.Name(name), ast.Add(), ast.Constant(int(k))):
                found[name] = found.get(name, True) and k >= 0
            case ast.Assign(targets):
                stored = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
                found.update({n.id: False for n in stored if isinstance(n.ctx, ast.Store)})
            case ast.AugAssign(ast.Name(name)) | ast.For(ast.Name(name)):
                found[name] = False
    return [name for name, grows in found.items() if grows]


def replaced(body: Sequence[ast.stmt]) -> list[str]:
    """Variables that a loop's body only ever sets in one place, to another variable."""
    stored = [
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    found = []
    for statement in body:
        match statement:
            case ast.Assign([ast.Name(name)], ast.Name()) if stored.count(name) == 1:
                found.append(name)
    return found
