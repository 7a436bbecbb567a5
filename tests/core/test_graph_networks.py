"""Graphs as networkx has them: names, attributes, parts; dominators and cuts are its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

import graphc as gc
from graphc import networks, text, viz
from graphc.core.ir import Graph
from graphc.errors import ArgumentError


def _wide() -> Graph:
    """Two chains that meet at the end."""
    x, y = gc.input("x", (4,)), gc.input("y", (4,))
    left, right = x, y
    for _ in range(15):
        left, right = gc.exp(left) + left, gc.negative(right) * right
    return Graph.of("wide", (x, y), (left + right,))


def test_communities_tell_the_parts_of_a_large_graph_apart() -> None:
    graph = _wide()
    parts = networks.communities(gc.to_networkx(graph))
    assert parts["x"] != parts["y"]
    # No part has nodes of both chains but that where they meet.
    names = text.names(graph)
    left = {names[n] for n in graph.nodes if n.op.name in ("exp",)}
    right = {names[n] for n in graph.nodes if n.op.name in ("negative",)}
    assert not {parts[n] for n in left} & {parts[n] for n in right}


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
