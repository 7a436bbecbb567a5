"""Loops of some tens of turns are made of vectors, not unrolled.

    for i1 in range(32):                 unrolled first: 32 additions, one element each
        v0 = add_any_order(v0, p0[...])  kept: 4 additions of 8 elements

LLVM unrolls short loops before it makes vectors of loops; of straight lines none are made here
(`compiler`). Up to 8 turns that is for the better: the loop around is made of vectors then.
"""

from __future__ import annotations

import ast
import dis
import re
from types import CodeType

from llvmlite import ir

FEW, MANY = 8, 127


def kept(module: ir.Module, source: str) -> str:
    """The text of a module, in which LLVM is told which loops of a kernel not to unroll.

    Args:
        module: Numba's, of the kernel; changed. Its blocks are named by offsets of bytecode.
        source: the kernel's.
    """
    lines = _lines(source)
    latches = [end for end, line in _latches(module, source) if line in lines] if lines else []
    for number, end in enumerate(latches):
        label = ir.MetaDataString(module, f"graphc.loop{number}")
        end.set_metadata("llvm.loop", module.add_metadata([label]))
    if not latches:
        return str(module)
    # A loop's metadata begins with itself, for which llvmlite has no words.
    rule = f"!{len(module.metadata)}"
    itself = rf"\1 = distinct !{{ \1, {rule} }}"
    text = re.sub(r'(!\d+) = !{ !"graphc\.loop\d+" }', itself, str(module))
    return f'{text}\n{rule} = !{{ !"llvm.loop.unroll.disable" }}\n'


def _lines(source: str) -> set[int]:
    """The lines of innermost loops that are to be kept."""
    found: set[int] = set()
    if "] = add_any_order(" in source:  # sums that go on in memory are as accurate as unrolled
        return found
    for loop in ast.walk(ast.parse(source)):
        match loop:
            case ast.For(iter=ast.Call(ast.Name("range"), [ast.Constant(int(turns))])):
                inner = [x for statement in loop.body for x in ast.walk(statement)]
                few = FEW - 1 if "f64" in source else FEW
                if few < turns <= MANY and not any(map(_is_kept_apart, inner)):
                    found.update(range(loop.lineno + 1, (loop.end_lineno or 0) + 1))
    return found


def _is_kept_apart(node: ast.AST) -> bool:
    """Whether a loop with this in it isn't made of vectors: another loop, or a place that is
    chosen element by element."""
    match node:
        case ast.For() | ast.While():
            return True
        case ast.Assign([ast.Name(name)], ast.Call(ast.Name("select"), [_, _, ast.Name(last)])):
            return name == last
    return False


def _latches(module: ir.Module, source: str) -> list[tuple[ir.Instruction, int]]:
    """The branches that go back to a loop's start, each with the line that it ends."""
    codes = compile(source, "kernel", "exec").co_consts
    code = next(constant for constant in codes if isinstance(constant, CodeType))
    starts = [(offset, line) for offset, line in dis.findlinestarts(code) if line is not None]
    found = []
    for function in module.functions:
        places = {block: place for place, block in enumerate(function.blocks)}
        for block, place in places.items():
            end, name = block.terminator, re.match(r"B(\d+)", block.name)
            if not isinstance(end, ir.Branch) or name is None:
                continue
            if places.get(end.operands[0], place + 1) <= place:
                line = [line for offset, line in starts if offset <= int(name[1])][-1]
                found.append((end, line))
    return found
