"""Graphs are walked and rebuilt by `graphc.core.walk` alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WALKER = "graphc/core/walk.py"
# What goes from a node to others.
NEIGHBOURS = {"inputs", "users", "edges"}
# Who makes a node of another with operands of its own choice: these two define it.
BUILDERS = {WALKER, "graphc/core/ir.py"}
ELSEWHERE = {
    "graphc/ops/flow/loop_sums.py": "the terms of a sum, each as often as it occurs in it",
    "graphc/jit/trace/alike.py": "two graphs side by side",
    "graphc/jit/trace/control.py": "the boundary of what is recorded",
}


def _files() -> Iterator[Path]:
    for folder in ("graphc", "passes", "runtime"):
        yield from sorted((ROOT / folder).rglob("*.py"))


FILES = [str(path.relative_to(ROOT)) for path in _files()]


def _is_search(loop: ast.AST) -> bool:
    """Whether a loop takes from a list or queue what it fills with the neighbours of nodes."""
    if not isinstance(loop, ast.While):
        return False
    inside = list(ast.walk(loop))
    pops = any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
        and n.func.attr in ("pop", "popleft") for n in inside
    )  # fmt: skip
    return pops and any(isinstance(n, ast.Attribute) and n.attr in NEIGHBOURS for n in inside)


def _is_recursive_search(function: ast.AST) -> bool:
    """Whether a function calls itself for the operands of a node."""
    if not isinstance(function, ast.FunctionDef):
        return False
    for loop in ast.walk(function):
        over = getattr(loop, "iter", None)
        if not isinstance(over, ast.Attribute) or over.attr not in NEIGHBOURS:
            continue
        target = getattr(loop, "target", None)
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == function.name:
                names = {getattr(a, "id", None) for a in call.args}
                if getattr(target, "id", "") in names:
                    return True
    return False


def _rebuilds(tree: ast.Module) -> list[int]:
    """The lines that build a node again on what stands for its operands."""
    found = []
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr == "with_inputs":
            found.append(call.lineno)
    return found


@pytest.mark.parametrize("file", FILES)
def test_no_module_walks_or_rebuilds_graphs_by_hand(file: str) -> None:
    if file in ELSEWHERE or file in BUILDERS:
        return
    tree = ast.parse((ROOT / file).read_text())
    searches = [n.lineno for n in ast.walk(tree) if _is_search(n) or _is_recursive_search(n)]  # type: ignore[attr-defined]
    assert not searches, f"{file}:{searches[0]} is a search by hand: use toposort, reach, needed"
    rebuilds = _rebuilds(tree)
    assert not rebuilds, f"{file}:{rebuilds[0]} rebuilds by hand: use substitute, remake, rebuild"


@pytest.mark.parametrize("file", sorted(ELSEWHERE))
def test_an_exception_is_one_still(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    assert _rebuilds(tree) or any(map(_is_search, ast.walk(tree))), f"{file} needs no exception"


@pytest.mark.parametrize(
    "text",
    [
        "while stack:\n    node = stack.pop()\n    stack.extend(node.inputs)",
        "while queue:\n    queue += users(queue.popleft().users)",
        "while todo:\n    f, ready = todo.pop()\n    todo += [e[0] for e in f.edges]",
    ],
)
def test_a_search_by_hand_is_found(text: str) -> None:
    assert any(map(_is_search, ast.walk(ast.parse(text))))


def test_a_recursive_search_is_found() -> None:
    text = "def visit(node):\n    for x in node.inputs:\n        visit(x)\n    seen.add(node)"
    assert any(map(_is_recursive_search, ast.walk(ast.parse(text))))


def test_a_rebuild_by_hand_is_found() -> None:
    text = "for node in order:\n    new[node] = node.with_inputs([new[i] for i in node.inputs])"
    assert _rebuilds(ast.parse(text)) == [2]
