"""Values of every node, and two programs beside each other."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import config
from graphc.errors import ArgumentError, NonFiniteError

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def _program(scale: float = 2.0) -> gc.Program:
    x = gc.input("x", (gc.dim("n"), 4))
    w = gc.parameter("w", np.full((4, 2), 0.5, np.float32))
    h = gc.named("hidden", gc.tanh(x @ w))
    y = gc.exp(h * scale)  # line of y
    return gc.compile([x], gc.sum(y), updates={w: w * 0.5}, name="model")


LINE = next(
    k for k, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "# line of y" in text
)


def test_values_are_those_of_numpy_by_name_by_label_and_by_line() -> None:
    program = _program()
    found = gc.debug.values(program, X)
    hidden = np.tanh(X @ np.full((4, 2), 0.5, np.float32))
    np.testing.assert_allclose(found["hidden"], hidden, rtol=1e-6)
    np.testing.assert_allclose(found[f"test_looking.py:{LINE}"], np.exp(hidden * 2), rtol=1e-6)
    assert {"x", "w"} <= {*found} and all(found[name] is not None for name in found)
    np.testing.assert_array_equal(program.state()["w"], 0.5)
    with pytest.raises(KeyError):
        found["nothing"]


def test_values_of_a_pass_are_there_too() -> None:
    found = gc.debug.values(_program(), X, stage="fuse")
    assert any(node.op.name == "fused" for node in found.graph.nodes)
    name = gc.text.names(found.graph)[found.graph.outputs[0]]
    np.testing.assert_allclose(float(_program()(X)), float(found[name]), rtol=1e-5)
    with pytest.raises(ArgumentError, match="no stage 'melt'"):
        gc.debug.values(_program(), X, stage="melt")


def test_finite_names_the_element_the_node_and_the_line() -> None:
    x = gc.input("x", (2, 3))
    with config.override(check=["finite"]):
        program = gc.compile([x], gc.log(x))
    values = np.ones((2, 3), np.float32)
    values[1, 2] = -1
    with pytest.raises(NonFiniteError, match=r"log made nan at index \(1, 2\)(.|\n)*test_looking"):
        program(values)


def test_a_program_is_like_itself() -> None:
    found = gc.diff(_program(), _program())
    assert not found and str(found).startswith("The two are the same.")


def test_two_programs_differ_in_ops_cost_and_numbers(tmp_path: Path) -> None:
    x = gc.input("x", (gc.dim("n"), 4))
    w = gc.parameter("w", np.full((4, 2), 0.5, np.float32))
    other = gc.compile([x], gc.sum(gc.sort(x @ w, axis=0)), updates={w: w * 0.5}, name="other")
    found = gc.diff(_program(), other, X)
    rows = {what: (one, two) for what, one, two in found.rows}
    assert found and rows["op tanh"] == (1, None) and "op tanh" in str(found)
    assert rows["operations"][0] > 0 and "result 0: 1 of 1 elements differ" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["differ"] is True
    page = _Tags((found.save(tmp_path / "d.html")).read_text())
    assert page.count("tr") == len(found.rows) + 1 and not page.count("script")


def test_archives_are_compared(tmp_path: Path) -> None:
    _program().save(tmp_path / "a.gcz")
    assert not gc.diff(tmp_path / "a.gcz", str(tmp_path / "a.gcz"))
    with pytest.raises(ArgumentError, match="int is no program"):
        gc.diff(3, 4)


class _Tags(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def count(self, tag: str) -> int:
        return self.tags.count(tag)
