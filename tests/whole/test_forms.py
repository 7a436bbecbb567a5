"""Argument forms beside PyTorch's: what it gave, as recorded, and where it is installed, all."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from forms.compare import compiled, difference, evaluate
from forms.recorded import expected

import graphc as gc

ROOT = Path(__file__).resolve().parent.parent.parent


def test_recorded_forms_give_what_pytorch_gave() -> None:
    wrong = []
    for text, want in expected().items():
        got = evaluate(gc, text)
        why = got.error if got.values is None else difference(want, got.values)
        if why:
            wrong.append(f"{text}: {why}")
    assert not wrong, "\n".join(wrong[:20])


def test_some_recorded_forms_compiled() -> None:
    forms = list(expected().items())
    for k in np.random.default_rng(1).permutation(len(forms))[:12]:
        text, want = forms[k]
        got = compiled(gc, text)
        # What a program cannot hold is refused; what it gives is right.
        assert got.values is None or not difference(want, got.values), text


@pytest.mark.parity
@pytest.mark.slow
def test_no_form_differs_silently_from_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="the whole sweep compares with PyTorch")
    from forms.__main__ import sweep
    from forms.forms import all_forms

    silent = sweep(torch, all_forms(torch, gc)[::3], False)["silent"]
    assert not silent, silent[:20]


def _silent_layers(step: int, both: bool) -> list[object]:
    torch = pytest.importorskip("torch", reason="layers are compared with PyTorch's")
    from forms.layers import all_layers, sweep_layers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sweep_layers(torch, list(all_layers())[::step], both)
    assert len(found["right"]) > 8 * len(found["refused"]), found["refused"][:5]
    return found["silent"]


@pytest.mark.parity
def test_some_layers_give_what_pytorchs_give() -> None:
    assert not (silent := _silent_layers(29, False)), silent[:20]


@pytest.mark.parity
@pytest.mark.slow
def test_no_layer_differs_silently_from_pytorchs() -> None:
    assert not (silent := _silent_layers(1, False)), silent[:20]
    assert not (silent := _silent_layers(17, True)), silent[:20]


FALSY = {"dim", "axis", "dims", "axes", "eps", "start", "stop", "end", "step", "repeats",
         "alpha", "beta", "correction", "min", "max", "k", "p", "value", "weight",
         "size"}  # fmt: skip


def _asks_for_none_by_truth(path: Path) -> list[str]:
    """Places where an argument that may be 0 is taken for one that is not given."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            first, last = node.values[0], node.values[-1]
            if _given(first) and isinstance(last, ast.Constant | ast.Tuple | ast.List):
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.IfExp) and isinstance(node.test, ast.Name) and _given(node.test):
            found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    return found


def _given(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id.startswith("as_dim") and bool(node.args) and _given(node.args[0])
    return isinstance(node, ast.Name) and node.id in FALSY


def test_no_argument_that_may_be_zero_is_asked_for_its_truth() -> None:
    files = [*(ROOT / "graphc" / "eager").glob("*.py"), *(ROOT / "graphc" / "nn").rglob("*.py")]
    found = [place for path in files for place in _asks_for_none_by_truth(path)]
    assert not found, found


def _wraps_axes(path: Path) -> list[str]:
    """Remainders by the number of axes, which let an axis beyond them pass."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Mod):
            by = ast.unparse(node.right if isinstance(node, ast.BinOp) else node.value)
            if by in ("rank", "ndim") or by.endswith(".ndim") or by == "len(shape)":
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_axes_are_checked_and_not_wrapped() -> None:
    files = [*(ROOT / "graphc" / "eager").glob("*.py"), *(ROOT / "graphc" / "nn").rglob("*.py")]
    found = [place for path in files for place in _wraps_axes(path)]
    assert not found, found
