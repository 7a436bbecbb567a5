"""Pictures: every format is well formed and shows shows op, type and line."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networkx
import pytest

import graphc as gc
from graphc import networks, text, viz
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
    with pytest.raises(ArgumentError, match="is neither a graph nor a tensor"):
        viz.dump(3, tmp_path / "graph.dot")


def _wide() -> Graph:
    """Two chains that meet at the end."""
    x, y = gc.input("x", (4,)), gc.input("y", (4,))
    left, right = x, y
    for _ in range(15):
        left, right = gc.exp(left) + left, gc.negative(right) * right
    return Graph.of("wide", (x, y), (left + right,))


def test_stripes_tell_the_parts_of_a_large_graph_apart() -> None:
    graph = _wide()
    parts = networks.communities(gc.to_networkx(graph))
    assert parts["x"] != parts["y"]
    # No part has nodes of both chains but that where they meet.
    names = text.names(graph)
    left = {names[n] for n in graph.nodes if n.op.name in ("exp",)}
    right = {names[n] for n in graph.nodes if n.op.name in ("negative",)}
    assert not {parts[n] for n in left} & {parts[n] for n in right}
    drawn = [box for box in viz.svg(graph).splitlines() if 'width="4"' in box]
    assert len(drawn) == len(graph.nodes)
    assert 'width="4"' not in viz.svg(_fused())


def test_parts_are_the_same_in_every_process() -> None:
    code = (
        "import graphc as gc; from graphc import networks\n"
        "x = gc.input('x', (4,)); a = b = x\n"
        "for _ in range(20): a, b = gc.exp(a) + b, gc.log(b) * a\n"
        "g = gc.Graph.of('g', [x], [a - b])\n"
        "print(networks.communities(gc.to_networkx(g)))"
    )
    found = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in "123"
    }  # fmt: skip
    assert len(found) == 1


def test_graphml_reads_back(tmp_path: Path) -> None:
    graph = _wide()
    read = networkx.read_graphml(viz.dump(graph, tmp_path / "wide.graphml"), force_multigraph=True)
    arrows = gc.to_networkx(graph)
    assert list(read) == list(arrows)
    assert sorted(read.edges()) == sorted(arrows.edges())
    name = text.names(graph)[graph.outputs[0]]
    assert read.nodes[name]["op"] == "add" and read.nodes[name]["is_output"] is True
    assert read.nodes["x"]["nbytes"] == "16"
    assert isinstance(read.nodes["x"]["community"], int)


def test_layers_are_longest_paths() -> None:
    graph = _wide()
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = max((depth[i] + 1 for i in node.inputs), default=0)
    # Sources stand above their first users; both inputs are at the top here.
    assert [set(layer) for layer in viz._layers(graph)] == [
        {n for n in graph.nodes if depth[n] == k} for k in range(max(depth.values()) + 1)
    ]


def test_networkx_gets_names_of_the_text_and_what_nodes_are() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 4))
    w = gc.parameter("w", gc.zeros((4,)).numpy())
    loss = gc.sum(x * w)
    program = gc.compile([x], loss, updates={w: w - gc.grad(loss, w)})
    arrows = gc.to_networkx(program)
    assert networkx.is_directed_acyclic_graph(arrows)
    assert set(arrows) == set(text.names(program.history[-1][1]).values())
    for name in arrows:
        assert f"{name}: " in gc.text.show(program.history[-1][1])
    assert arrows.nodes["x"]["nbytes"] == "16*n" and arrows.nodes["w"]["nbytes"] == 16
    assert arrows.nodes["x"]["kind"] == "source"
    assert [d["updates"] for _, d in arrows.nodes(data=True) if d["updates"]] == ["w"]
    assert sum(d["is_output"] for _, d in arrows.nodes(data=True)) == 2
    kernels = [d for _, d in arrows.nodes(data=True) if d["op"] == "fused"]
    assert kernels and all(d["body"] for d in kernels)


def test_networkx_tells_operands_apart() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    arrows = gc.to_networkx(Graph.of("g", (x, y), (gc.subtract(y, x) - y,)))
    assert sorted((a, d["operand"]) for a, b, d in arrows.edges(data=True) if b == "v0") == [
        ("x", 1), ("y", 0),
    ]  # fmt: skip


def test_dominators_are_what_every_path_passes() -> None:
    x = gc.input("x", (3,))
    neck = gc.exp(x) + gc.log(x)
    graph = Graph.of("g", (x,), (gc.sin(neck) * gc.cos(neck),))
    names = text.names(graph)
    found = networkx.immediate_dominators(gc.to_networkx(graph), "x")
    assert found[names[graph.outputs[0]]] == names[neck] and found[names[neck]] == "x"


def test_networkx_is_given_what_is_a_graph() -> None:
    with pytest.raises(ArgumentError, match=r"list \[\] has no tensor"):
        gc.to_networkx([])
