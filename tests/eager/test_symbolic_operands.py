"""Symbolic tensors in calls of eager functions: constants beside them, or errors that say why."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from forms.compare import difference
from forms.forms import DATA, namespace
from forms.recorded import expected

import graphc as gc
from graphc.core.dtypes import as_dtype
from graphc.core.ir import toposort
from graphc.ops.source import CONSTANT_OP

# By the graph's own conventions, NumPy's, it is elementwise.
_NUMPYS = {"T.equal"}


def _value(nodes: dict[str, gc.Node], found: list[gc.Node]) -> list[np.ndarray]:
    constants = [n for n in toposort(found) if n.op is CONSTANT_OP]
    graph = gc.Graph.of("form", [*nodes.values(), *constants], found)
    return [np.asarray(v) for v in gc.interpret(graph, *(DATA[n] for n in nodes))]


def _outcome(text: str, chosen: list[str], want: list[np.ndarray]) -> tuple[str, str]:
    """What a form gives with symbolic tensors under some of its names."""
    scope = namespace(gc, gc.tensor)
    nodes = {n: gc.input(n, DATA[n].shape, as_dtype(DATA[n].dtype)) for n in chosen}
    try:
        result = eval(text, scope | nodes)
    except gc.errors.GraphcError as error:
        return "refused", str(error)
    except Exception as error:
        return "raw", f"{type(error).__name__}: {error}"
    found = list(result) if isinstance(result, list | tuple) else [result]
    if not all(isinstance(node, gc.Node) for node in found):
        return "no graph", type(result).__name__
    # Dtypes are NumPy's in a graph: int64 beside float32 is float64.
    values = [v.astype(w.dtype) for v, w in zip(_value(nodes, found), want)]
    why = difference(want[: len(values)], values)
    return ("different", why) if why else ("right", "")


def test_every_function_takes_an_eager_tensor_beside_a_symbolic_one_or_says_why_not() -> None:
    wrong, count = [], collections.Counter[str]()
    for text, want in expected().items():
        names = [n for n in DATA if n in compile(text, "form", "eval").co_names]
        if len(names) < 2 or text[1] != "." or text[0] not in "TF":
            continue
        for chosen in (names[:1], names[1:], names):
            kind, why = _outcome(text, chosen, want)
            count[kind] += 1
            if kind in ("raw", "no graph") or (
                kind == "different" and text.split("(")[0] not in _NUMPYS
            ):
                wrong.append(f"{text} with symbolic {chosen}: {kind}: {why}")
    assert not wrong, "\n".join(wrong[:20])
    assert count["right"] > 8 * count["refused"], count


X = gc.input("x", (4,), gc.float32)
I = gc.input("i", (2,), gc.int64)  # noqa: E741
ONES = gc.ones(4)
CALLS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "matmul": (lambda: gc.full((4,), 2.0) @ X, np.float32(12)),  # type: ignore[dict-item]
    "power": (lambda: gc.full((4,), 2.0) ** X, np.float32([1, 2, 4, 8])),  # type: ignore[arg-type, dict-item]
    "method": (lambda: ONES.add(X), np.float32([1, 2, 3, 4])),  # type: ignore[arg-type, dict-item]
    "keyword": (lambda: gc.maximum(ONES, other=X), np.float32([1, 1, 2, 3])),  # type: ignore[arg-type, call-overload, dict-item]
    "list": (lambda: gc.cat([ONES, X]), np.float32([1, 1, 1, 1, 0, 1, 2, 3])),  # type: ignore[arg-type, dict-item]
    "index_add": (lambda: gc.index_add(gc.zeros(4), 0, I, X[:2]), np.float32([0, 0, 0, 1])),  # type: ignore[arg-type, call-overload, dict-item]
    "index_add of a node": (  # type: ignore[dict-item]
        lambda: gc.index_add(X, 0, gc.tensor([0, 0]), gc.ones(2)),  # type: ignore[call-overload]
        np.float32([2, 1, 2, 3]),  # type: ignore[arg-type]
    ),
    "the graph's index_add": (lambda: gc.index_add(X, I, X[:2]), np.float32([0, 1, 2, 4])),  # type: ignore[arg-type, dict-item]
}


@pytest.mark.parametrize("name", CALLS)
def test_an_eager_tensor_is_a_constant_of_the_graph(name: str) -> None:
    make, want = CALLS[name]
    node = make()
    inputs = [n for n in (X, I) if n in toposort([node])]
    program = gc.compile(inputs, node)
    given = {X: np.arange(4, dtype="f"), I: np.array([1, 3])}
    np.testing.assert_allclose(program(*(given[n] for n in inputs)), want, rtol=1e-6)


def test_what_a_symbolic_tensor_has_not_is_said() -> None:
    for ask, text in (
        (lambda: X.numpy(), "is a symbolic tensor and has no value"),  # type: ignore[attr-defined]
        (lambda: X.unsqueeze(0), "is a symbolic tensor and has no 'unsqueeze'"),  # type: ignore[attr-defined]
        (lambda: float(X), "a symbolic tensor, which has no value"),
        (lambda: gc.linspace(X[0], 1, 3), "a symbolic tensor, which has no value"),
        (lambda: gc.allclose(X, ONES), "is a symbolic tensor and has no value"),  # type: ignore[arg-type]
    ):
        with pytest.raises(gc.errors.ArgumentError, match=text):
            ask()
    assert not hasattr(X, "unsqueeze") and not hasattr(ONES, "no_such_thing")
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'no_such_thing'"):
        ONES.no_such_thing  # type: ignore[attr-defined]  # noqa: B018
