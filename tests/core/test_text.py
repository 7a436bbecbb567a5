"""The text form: what it looks like, that it reads back, and what malformed text is told."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import Graph
from graphc.errors import ParseError
from graphc.text import parse, show


def _step() -> Graph:
    n = gc.dim("n", min=1, max=4096, multiple_of=8)
    x = gc.input("x", (n, 64), gc.float32)
    w = gc.parameter("w", np.zeros((64,), np.float32))
    return Graph.of("step", (x, w), (gc.exp(x), w * 2.0), ((1, 1),))


def test_the_text_is_python_with_types_and_facts() -> None:
    assert show(_step()) == (
        "@dims(n=(1, 4096, 8))\n"
        "def step(x: f32[n, 64], w: parameter(f32[64])):\n"
        "    v0: f32[n, 64] = exp(x)\n"
        "    v1: f32[64] = full(dtype=f32, shape=(64,), value=2.0)\n"
        "    v2: f32[64] = multiply(w, v1)\n"
        "    return v0, (w := v2)\n"
    )


def test_the_text_reads_back_to_itself() -> None:
    text = show(_step())
    graph = parse(text)
    assert show(graph) == text
    assert graph.aliases == ((1, 1),)


def test_special_numbers_read_back() -> None:
    values = [float("inf"), float("-inf"), float("nan"), -0.0, 1e-45, 1.5]
    graph = Graph.of("g", (), [gc.ops.source.full((), v, gc.float64) for v in values])
    found = [node.attr("value") for node in parse(show(graph)).outputs]
    np.testing.assert_array_equal(np.array(found), np.array(values))
    assert np.signbit(found[3])


def test_sizes_read_back_in_canonical_form() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, (n - 5) // 2 + 1, n * n + 2), gc.int8)
    text = show(Graph.of("g", (x,), (x,)))
    assert show(parse(text)) == text
    assert parse(text).inputs[0].type == x.type


def test_names_that_clash_are_told_apart() -> None:
    a, b = gc.input("v0", (2,)), gc.input("f32", (2,))
    text = show(Graph.of("g", (a, b), (a + b,)))
    assert show(parse(text)) == text
    assert [node.name for node in parse(text).inputs] == ["v0", "f32"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def g(x: f32[2]:\n", "the text is not Python: invalid syntax"),
        ("x = 1\n", "the text must be one function definition"),
        ("def g(x: f32[2]):\n    x\n", "line 1: a graph ends with return"),
        ("def g(x):\n    return x\n", "line 1: argument 'x' has no type"),
        ("def g(x: f33[2]):\n    return x\n", "line 1: f33[2] is not a type such as f32[n, 64]"),
        (
            "def g(x: f32[2]):\n    v0: f32[2] = spam(x)\n    return v0\n",
            "line 2: 'spam' is not an op of graphc",
        ),
        (
            "def g(x: f32[2]):\n    v0: f32[3] = exp(x)\n    return v0\n",
            "line 2: declared f32[3], inferred f32[2]",
        ),
        (
            "def g(x: f32[2]):\n    v0: f32[2] = exp(y)\n    return v0\n",
            "line 2: y is not defined above",
        ),
        (
            "def g(x: f32[2]):\n    x: f32[2] = exp(x)\n    return x\n",
            "line 2: x is defined twice",
        ),
        (
            "def g(x: f32[2]):\n    v: f32[()] = full(value=__import__('os'), shape=(), dtype=f32)"
            "\n    return v\n",
            "line 2: __import__('os') is not a value",
        ),
        ("@evil\ndef g():\n    return ()\n", "line 1: the only decorator is @dims(name=(min, max"),
    ],
)
def test_malformed_text_is_a_clear_error(text: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_tensors_and_structures_of_them_are_shown_with_what_they_need() -> None:
    x, w = gc.input("x", (3,)), gc.parameter("w", np.ones(3, np.float32))
    y = gc.exp(x) * w
    assert gc.text.show(y) == (
        "def graph(x: f32[3], w: parameter(f32[3])):\n"
        "    v0: f32[3] = exp(x)\n"
        "    v1: f32[3] = multiply(v0, w)\n"
        "    return v1\n"
    )
    several = gc.text.show({"y": y, "more": [x, None]})
    assert several.endswith("return x, v1\n")
    assert gc.text.show(gc.text.parse(several)) == several
    assert gc.text.show(gc.compile([x], y)).startswith("def program(x: f32[3], ")
    with pytest.raises(gc.errors.ArgumentError, match="show: int 3 is neither a graph nor"):
        gc.text.show([y, 3])
    with pytest.raises(gc.errors.ArgumentError, match=r"show: list \[\] has no tensor"):
        gc.text.show([])
