"""Names that users give to nodes: where they show, and what keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

A = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


def _model() -> tuple[Any, Any, Any, Any]:
    x = gc.input("x", (2, 3))
    w = gc.parameter("w", np.eye(3, dtype=np.float32))
    h = gc.named("encoder.h", gc.tanh(x @ w))
    return x, w, h, gc.named("loss", gc.sum(h * h))


def test_a_name_is_the_tensors_own_and_gradients_go_by_it() -> None:
    x, w, h, loss = _model()
    y = gc.exp(x)
    assert gc.named("y", y) is y
    assert repr(y) == "<y: f32[2, 3]>"
    assert gc.named("z", y).name == "z"
    by_h = gc.grad(loss, h)
    got = gc.compile([x], by_h)(A)
    np.testing.assert_allclose(got, 2 * np.tanh(A), rtol=1e-6)
    assert y.describe().startswith("z: f32[2, 3], made at test_names.py:")
    assert by_h.label == ""


def test_texts_have_the_names_and_read_back() -> None:
    x, w, h, loss = _model()
    graph = gc.Graph.of("f", [x, w], [loss, gc.named("v3", gc.named("x", h + 1.0) * 2.0)])
    text = gc.text.show(graph)
    assert "    encoder_h: f32[2, 3] = tanh(v0)\n" in text
    assert "    loss: f32[()] = sum(" in text
    assert "    x_1: f32[2, 3] = add(encoder_h, " in text
    assert "    v3_: f32[2, 3] = multiply(x_1, " in text
    again = gc.text.parse(text)
    assert gc.text.show(again) == text
    assert [node.label for node in again.outputs] == ["loss", "v3_"]
    same = gc.Graph.of("g", [x], [gc.named("h", x + 1.0), gc.named("h", x * 2.0)])
    assert gc.text.show(gc.text.parse(gc.text.show(same))) == gc.text.show(same)


@pytest.mark.parametrize("level", ["O0", "O1", "O2", "O3"])
def test_passes_keep_the_names_of_the_values_that_they_keep(level: str) -> None:
    x, w, h, loss = _model()
    stable = gc.named("kept", x - (-gc.exp(x)))
    program = gc.compile([x], [loss, stable, h], level=level)
    final = gc.text.show(program.history[-1][1])
    for name in ("encoder_h", "loss", "kept"):
        assert f" {name}: " in final, final
    assert "encoder.h" in program.explain()
    assert "loss" in program.explain()
    got = program(A)
    np.testing.assert_allclose(got[0], (np.tanh(A) ** 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(got[1], A + np.exp(A), rtol=1e-5)


def test_names_inside_of_loops_and_branches() -> None:
    x, h0 = gc.input("x", (4, 3)), gc.input("h0", (3,))

    def step(h: Any, row: Any) -> Any:
        gc.named("state", h)
        new = gc.named("new", gc.tanh(h + row))
        return gc.cond(gc.sum(row) > 0, lambda: gc.named("up", new * 2.0), lambda: new), new

    last, _ = gc.scan(step, h0, x)
    text = gc.text.show(gc.Graph.of("f", [x, h0], [last]))
    for name in ("state", "new", "up"):
        assert name in text
    assert gc.text.show(gc.text.parse(text)) == text
    assert "new" in gc.compile([x, h0], last).explain()


def test_names_show_in_errors_pictures_and_files(tmp_path: Path) -> None:
    x, w, h, loss = _model()
    with pytest.raises(gc.errors.GraphError, match=r"through encoder.h: f32\[2, 3\], made at"):
        gc.compile([], loss)
    with pytest.raises(gc.errors.ShapeError) as raised:
        h @ gc.zeros((2, 2)).as_node()
    assert "encoder.h" in str(raised.value)
    assert "encoder.h" in gc.viz.dot(gc.Graph.of("f", [x, w], [loss]))
    program = gc.compile([x], loss, name="f")
    program.save(tmp_path / "f.gcz")
    loaded = gc.jit.load(tmp_path / "f.gcz")
    assert "encoder_h" in gc.text.show(loaded.graph)
    np.testing.assert_array_equal(loaded(A), program(A))


def test_a_clone_has_the_names() -> None:
    x, w, h, loss = _model()
    y = gc.input("y", (2, 3))
    assert gc.clone(loss, {x: y}).label == "loss"


def test_traced_tensors_can_be_named_and_values_are_left_alone() -> None:
    def f(t: gc.Tensor) -> gc.Tensor:
        h = gc.named("hidden", t.tanh())
        return gc.named("result", h * 2)

    t = gc.tensor(A)
    assert gc.named("t", t) is t
    assert gc.named("n", 3) == 3
    compiled = gc.jit.compile(f)
    for _ in range(3):
        np.testing.assert_allclose(compiled(t).numpy(), f(t).numpy(), rtol=1e-6)


def test_what_cannot_be_a_name_and_what_has_one_is_an_error() -> None:
    x = gc.input("x", (3,))
    assert gc.named("x", x) is x
    with pytest.raises(gc.errors.AttributeValueError, match="'x' is the name of this input"):
        gc.named("y", x)
    with pytest.raises(gc.errors.AttributeValueError, match="empty"):
        gc.named("", x * 2)
    with pytest.raises(gc.errors.ArgumentError, match="not a str"):
        gc.named(x, "x")  # type: ignore[arg-type]
