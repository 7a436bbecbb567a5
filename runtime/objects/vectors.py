"""Loops over the elements of rows become loops over vectors where rows gain: source to source.

    for i2 in range(1000):                  for i2 in range(0, 960, 64):
        v7 = exp(p0[i0 * 1000 + i2])   ->       v7 = exp(load_lanes(64, p0, i0 * 1000 + i2))

A kernel's own source stays the loop over elements: that is what is shown, proven and simulated.
LLVM makes vectors of such loops too, but not of reductions in as many independent lanes, nor of
what is left of a row in one step. What `vector_loop` does not understand is left to LLVM.

Not here: what the names mean (`language/numba_lanes`).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from graphc.runtime.objects.vector_loop import (
    ACCUMULATING,
    CHAINS,
    Refused,
    Types,
    VectorLoop,
    reads_of,
)

AHEAD = 2  # rows whose elements are asked for before they are read


def vectorised(tree: ast.Module) -> ast.Module:
    """The tree of a kernel's source with loops over vectors where rows gain by them.

    Args:
        tree: of the source; changed.
    """
    types = Types()
    types.reads.update(reads_of(tree))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            function.body = _block(function.body, types)
    return ast.fix_missing_locations(tree)


def _block(body: Sequence[ast.stmt], types: Types, row: str = "") -> list[ast.stmt]:
    """The statements of a block; `row` is the variable of the loop that it is the body of."""
    inner = [s for s in body if isinstance(s, ast.For) and not _has_blocks(s)]
    worth = row != "" and any(map(_gains, inner))
    found: list[ast.stmt] = []
    loops = []
    for statement in body:
        types.note(statement)
        if isinstance(statement, ast.For) and statement not in inner:
            assert isinstance(statement.target, ast.Name)
            statement.body = _block(statement.body, types, statement.target.id)
        elif isinstance(statement, ast.For) and worth:
            made = _made(statement, types)
            if made is not None:
                loops.append(made)
                found += made.statements()
                continue
        found.append(statement)
    _prefetch(loops, row, types)
    return found


def _has_blocks(loop: ast.For) -> bool:
    return any(isinstance(s, ast.For | ast.While | ast.If) for s in loop.body)


def _gains(loop: ast.For) -> bool:
    """Whether a loop reduces, or has functions that are long chains."""
    for node in ast.walk(loop):
        match node:
            case ast.Call(ast.Name(name)) if name in CHAINS:
                return True
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(step), [ast.Name(first), _])):
                if step in ACCUMULATING and first == name:
                    return True
    return False


def _made(loop: ast.For, types: Types) -> VectorLoop | None:
    """A loop as one over vectors, if it can be one."""
    known = dict(types.scalars)
    try:
        made = VectorLoop(loop, types)
        made.statements()
        return made
    except Refused:
        types.scalars = known
        for statement in loop.body:
            types.note(statement)
        return None


def _prefetch(loops: Sequence[VectorLoop], row: str, types: Types) -> None:
    """Have memory work while a row is computed.

    What the row after next reads, and what this one will write, is asked for in the longest loop:
    in the others of its loops a row would leave the memory idle.
    """
    longest = max(loops, key=lambda made: made.chains, default=None)
    if longest is None or not longest.chains or len(loops) < 2:
        return
    asked: dict[str, ast.expr] = {}
    for made in loops:
        for is_store in (False, True):
            if is_store and made is loops[0]:
                continue
            for buffer, index in made.accesses(is_store):
                moved = _moved(index, row, made.index, longest.index, 0 if is_store else AHEAD)
                if buffer in types.memory and moved is not None:
                    asked.setdefault(buffer, moved)
    for buffer, index in asked.items():
        longest.prefetch(buffer, index)


def _moved(index: ast.expr, row: str, old: str, new: str, rows: int) -> ast.expr | None:
    """The index some rows further in another loop; None where it is not of the row, or read."""
    parts = list(ast.walk(index))
    if not any(isinstance(n, ast.Name) and n.id == row for n in parts):
        return None
    if any(isinstance(n, ast.Subscript | ast.Call) for n in parts):
        return None

    class Move(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id == row and rows:
                return ast.BinOp(node, ast.Add(), ast.Constant(rows))
            return ast.Name(new, ast.Load()) if node.id == old else node

    return Move().visit(ast.parse(ast.unparse(index), mode="eval").body)
