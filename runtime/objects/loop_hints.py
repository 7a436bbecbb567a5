"""What LLVM is told of a kernel's loops, which it would otherwise guess wrong.

    for i1 in range(32):                 unrolled first: 32 additions, one element each
        v0 = add_any_order(v0, p0[...])  kept: 4 additions of 8 elements

LLVM unrolls short loops before it makes vectors of loops; of straight lines none are made here
(`compiler`). Up to 8 turns that is for the better: the loop around is made of vectors then.

    for i0 in range(lo, hi):             one vector at a time: each step waits for the one before
        r0[i0] = tanh(p0[i0])            interleaved: several vectors, step by step

LLVM takes a long body for enough work to fill a processor; a chain of dependent steps is not.
"""

from __future__ import annotations

import ast
import dis
import math
import re
from types import CodeType

from llvmlite import ir

FEW, MANY = 8, 127
LONG = 64  # at least: enough for what is interleaved
INTERLEAVED = 4
# Functions that are chains of some tens of steps.
CHAINS = frozenset(("exp", "exp2", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf"))
KEPT = '!{ !"llvm.loop.unroll.disable" }'
INTERLEAVE = f'!{{ !"llvm.loop.interleave.count", i32 {INTERLEAVED} }}'


def hinted(module: ir.Module, tree: ast.Module) -> str:
    """The text of a module with what LLVM is told of a kernel's loops.

    Args:
        module: Numba's, of the kernel; changed. Its blocks are named by offsets of bytecode.
        tree: of the source that Numba was given.
    """
    lines = told(tree)
    latches = [(end, lines[line]) for end, line in _latches(module, tree) if line in lines]
    if not latches:
        return str(module)
    for number, (end, _) in enumerate(latches):
        label = ir.MetaDataString(module, f"graphc.loop{number}")
        end.set_metadata("llvm.loop", module.add_metadata([label]))
    # A loop's metadata begins with itself, for which llvmlite has no words.
    first = len(module.metadata)
    rules = sorted({rule for _, hints in latches for rule in hints})

    def itself(match: re.Match[str]) -> str:
        hints = (f"!{first + rules.index(rule)}" for rule in latches[int(match[2])][1])
        return f"{match[1]} = distinct !{{ {', '.join((match[1], *hints))} }}"

    text = re.sub(r'(!\d+) = !{ !"graphc\.loop(\d+)" }', itself, str(module))
    return "\n".join((text, *(f"!{first + k} = {rule}" for k, rule in enumerate(rules)), ""))


def told(tree: ast.Module) -> dict[int, tuple[str, ...]]:
    """What is told of innermost loops, by the lines that are in them."""
    found: dict[int, tuple[str, ...]] = {}
    everything = list(ast.walk(tree))
    in_memory = any(map(_sums_in_memory, everything))  # such sums are as accurate as unrolled
    few = FEW - 1 if any(isinstance(n, ast.Name) and n.id == "f64" for n in everything) else FEW
    for loop in everything:
        if not isinstance(loop, ast.For) or _is_of_vectors(loop):
            continue
        inner = [x for statement in loop.body for x in ast.walk(statement)]
        if any(map(_is_kept_apart, inner)):
            continue
        turns = _turns(loop) or math.inf
        hints = []
        if not in_memory and few < turns <= MANY:
            hints.append(KEPT)
        if turns >= LONG and any(map(_is_chain, inner)):
            hints.append(INTERLEAVE)
        if hints:
            lines = range(loop.lineno + 1, (loop.end_lineno or 0) + 1)
            found.update(dict.fromkeys(lines, tuple(hints)))
    return found


def _sums_in_memory(node: ast.AST) -> bool:
    match node:
        case ast.Assign([ast.Subscript()], ast.Call(ast.Name("add_any_order"))):
            return True
    return False


def _is_of_vectors(loop: ast.For) -> bool:
    return isinstance(loop.iter, ast.Call) and len(loop.iter.args) == 3


def _turns(loop: ast.For) -> int | None:
    """How often a loop turns, where its source says so."""
    match loop.iter:
        case ast.Call(ast.Name("range"), [ast.Constant(int(turns))]):
            return turns
    return None


def _is_chain(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in CHAINS


def _is_kept_apart(node: ast.AST) -> bool:
    """Whether a loop with this in it isn't made of vectors: another loop, or a place that is
    chosen element by element."""
    match node:
        case ast.For() | ast.While():
            return True
        case ast.Assign([ast.Name(name)], ast.Call(ast.Name("select"), [_, _, ast.Name(last)])):
            return name == last
    return False


def _latches(module: ir.Module, tree: ast.Module) -> list[tuple[ir.Instruction, int]]:
    """The branches that go back to a loop's start, each with the line that it ends."""
    codes = compile(tree, "kernel", "exec").co_consts
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
