"""Programs and parameters pickled and copied: alike, and apart."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["deepcopy", "pickle"]
)
def test_a_copy_of_a_program_computes_the_same_from_state_of_its_own(again: Any) -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.ones(3, np.float32))
    step = gc.compile([x], {"sum": gc.sum(w * x), "w": w}, updates={w: w + x}, name="step")
    step(np.ones(3, np.float32))
    other = again(step)
    assert other.name == "step"
    for k in range(3):
        got = other(np.ones(3, np.float32))
        assert got["sum"] == 3 * (k + 2)
        np.testing.assert_array_equal(got["w"], np.full(3, k + 2))
    np.testing.assert_array_equal(w.value, np.full(3, 2))
    np.testing.assert_array_equal(other.state()["w"], np.full(3, 5))


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_parameter_has_its_name_and_value_and_is_another(again: Any) -> None:
    w = gc.parameter("w", np.arange(3.0))
    other = again(w)
    other.value = np.zeros(3)
    assert other.name == "w"
    assert other.type == w.type
    np.testing.assert_array_equal(w.value, np.arange(3.0))


def test_a_pickle_names_nothing_but_what_reads_archives() -> None:
    x = gc.input("x", (3,))
    data = pickle.dumps(gc.compile([x], gc.exp(x)))
    found: list[str] = []

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.append(f"{module}.{name}")
            return super().find_class(module, name)

    np.testing.assert_allclose(Reader(io.BytesIO(data)).load()(np.zeros(3, np.float32)), 1)
    assert found == ["graphc.jit.archive.archive.unpacked"]


AGAIN = pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["deepcopy", "pickle"]
)


def _loop() -> tuple[Any, Any, Any, Any]:
    x, w = gc.input("x", (gc.dim("n"), 3)), gc.parameter("w", np.ones(3, np.float32))
    h = gc.named("h", gc.tanh(x * w + gc.constant(np.arange(3, dtype=np.float32))))
    last, _ = gc.scan(lambda c, v: (gc.check(c < 99, "{}", c) + v.sum(), c), 0.0, h)
    return x, w, h, gc.cond(last > 0, lambda: last * 2.0, lambda: last) + gc.rand(()) * 0


@AGAIN
def test_copied_nodes_and_graphs_are_connected_as_they_were_and_apart_from_these(
    again: Any,
) -> None:
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    x, w, h, y = _loop()
    expected = gc.compile([x], [y, gc.grad(y, h)])(values)
    nodes = again({"y": y, "x": x, "h": h, "w": w, "graph": gc.Graph.of("f", [x], [h * 2.0])})
    found = gc.compile([nodes["x"]], [nodes["y"], gc.grad(nodes["y"], nodes["h"])])
    for a, b in zip(found(values), expected):
        np.testing.assert_array_equal(a, b)
    assert nodes["h"].label == "h" and nodes["x"] is not x and nodes["x"].dtype is gc.float32
    assert nodes["graph"].inputs[0] is nodes["x"] and nodes["h"] in set(nodes["graph"].nodes)
    w.value = np.zeros(3, np.float32)
    np.testing.assert_array_equal(nodes["w"].value, np.ones(3))
    assert found(values)[0] == expected[0]


@AGAIN
def test_long_chains_are_copied(again: Any) -> None:
    y = x = gc.input("x", (2,))
    for k in range(3000):
        y = y + x if k % 3 else gc.sin(y)
    y, x = again((y, x))
    graph = gc.Graph.of("f", [x], [y])
    assert len(graph.nodes) == 3001


def test_a_pickled_graph_names_no_code() -> None:
    data = pickle.dumps(_loop()[3])
    found: set[str] = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(module)
            return super().find_class(module, name)

    assert isinstance(Reader(io.BytesIO(data)).load(), gc.Node)
    own = ("graphc.core.", "graphc.ops.")
    assert {m for m in found if not m.startswith(own)} <= {
        "numpy",
        "numpy._core.multiarray",
        "copyreg",
    }
