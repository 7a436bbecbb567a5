"""Pictures: every format is well formed and shows shows op, type and line."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import graphc as gc
from graphc import text, viz
from graphc.core.ir import OPS, Graph, Node
from graphc.errors import ArgumentError, AttributeValueError


def _fused() -> Graph:
    p = gc.input("p0", (4, 8), gc.float32)
    body = Graph.of("exp_sum", (p,), (gc.exp(p), gc.sum(p, axis=1)))
    x = gc.input("x", (4, 8), gc.float32)
    fused = Node.build(OPS["fused"], (x,), {"body": body, "inplace": ()})
    items = [OPS["item"](fused, index=k) for k in range(2)]
    return Graph.of("picture", (x,), items)


def test_svg_is_xml_and_draws_the_body_inside_the_kernel() -> None:
    root = ElementTree.fromstring(viz.svg(_fused()))
    words = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(word.startswith("exp_sum:") for word in words)
    assert "exp" in words and "sum" in words
    assert any("f32[4, 8]" in word and "128 B" in word for word in words)
    assert any("test_viz.py:" in word for word in words)


def test_dot_has_a_cluster_for_the_kernel() -> None:
    dot = viz.dot(_fused())
    assert "subgraph cluster_" in dot and 'label="exp_sum"' in dot
    assert dot.count("{") == dot.count("}")


@pytest.mark.parametrize("ending", [".py", ".dot", ".svg"])
def test_dump_writes_the_format_that_the_name_asks_for(ending: str, tmp_path: Path) -> None:
    path = viz.dump(_fused(), tmp_path / "deep" / f"graph{ending}")
    content = path.read_text()
    if ending == ".py":
        ast.parse(content)
        assert text.show(text.parse(content)) == text.show(_fused())
    else:
        assert content.startswith({".dot": "digraph", ".svg": "<svg"}[ending])


def test_dump_says_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(AttributeValueError, match=r"'graph.png' does not end in .py, .dot or .svg"):
        viz.dump(_fused(), tmp_path / "graph.png")
    with pytest.raises(ArgumentError, match="int is neither a graph nor a program"):
        viz.dump(3, tmp_path / "graph.dot")
