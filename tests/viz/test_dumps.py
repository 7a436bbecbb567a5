"""Files of graphs: each format holds the graph, and no name in it does any harm."""

from __future__ import annotations

import ast
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx
import pytest

import graphc as gc
from graphc import nn, text, viz
from graphc.core.ir import OPS, Graph, Node
from graphc.errors import ArgumentError, AttributeValueError

HOSTILE = "</title></script><script>alert(1)</script>\"'&<b>]]>\x00\n\\"


def _fused() -> Graph:
    p = gc.input("p0", (4, 8), gc.float32)
    body = Graph.of("exp_sum", (p,), (gc.exp(p), gc.sum(p, axis=1)))
    x = gc.input("x", (4, 8), gc.float32)
    fused = Node.build(OPS["fused"], (x,), {"body": body, "inplace": ()})
    items = [OPS["item"](fused, index=k) for k in range(2)]
    return Graph.of("picture", (x,), items)


def _trained() -> Graph:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    x = gc.input("x", (5, 4))
    loss = gc.mean(model(x) ** 2)
    updates = gc.optim.SGD(model.parameters(), lr=0.1).updates(loss)
    return gc.compile([x], loss, updates=updates, target="reference").history[0][1]


def _looped() -> Graph:
    xs, h = gc.input("xs", (7, 3)), gc.input("h", (3,))
    last, outs = gc.scan(lambda c, x: (gc.tanh(c + x), c * x), h, xs)
    return Graph.of("scanned", (xs, h), (last, outs))


GRAPHS = {"fused": _fused, "trained": _trained, "looped": _looped}


@pytest.fixture(params=[*GRAPHS])
def graph(request: pytest.FixtureRequest) -> Graph:
    return GRAPHS[request.param]()


class Page(HTMLParser):
    """What a browser makes of a page: elements, and the model that its script reads."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)

    @property
    def model(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])


def test_text_reads_back(graph: Graph, tmp_path: Path) -> None:
    content = viz.dump(graph, tmp_path / "deep" / "graph.py").read_text()
    ast.parse(content)
    assert text.show(text.parse(content)) == text.show(graph)


def _same_structure(found: dict[str, Any], graph: Graph) -> None:
    names = text.names(graph)
    assert found["inputs"] == [names[n] for n in graph.inputs]
    assert found["outputs"] == [names[n] for n in graph.outputs]
    assert [tuple(pair) for pair in found["updates"]] == list(graph.aliases)
    assert [n["id"] for n in found["nodes"]] == [names[n] for n in graph.nodes]
    for record, node in zip(found["nodes"], graph.nodes):
        assert (record["op"], record["kind"]) == (node.op.name, node.op.kind)
        assert record["inputs"] == [names[i] for i in node.inputs]
        assert record["scope"] == list(node.origin.scope if node.origin else ())
        nested = {k: v for k, v in node.attrs if isinstance(v, Graph)}
        assert record["bodies"].keys() == nested.keys()
        assert record["attributes"].keys() == dict(node.attrs).keys() - nested.keys()
        for name, body in nested.items():
            _same_structure(record["bodies"][name], body)


def test_json_has_all_of_the_structure(graph: Graph, tmp_path: Path) -> None:
    found = json.loads(viz.dump(graph, tmp_path / "graph.json").read_text())
    assert (found["format"], found["version"]) == ("graphc graph", 1)
    _same_structure(found["graph"], graph)
    assert text.show(text.parse(found["text"])) == text.show(graph)


def test_json_keeps_its_version() -> None:
    record = json.loads(viz.structure.json_of(_fused()))["graph"]["nodes"][0]
    assert sorted(record) == [
        "attributes", "bodies", "file", "function", "id", "inputs", "kind", "label", "line", "op",
        "phase", "scope", "types",
    ]  # fmt: skip


def test_graphml_reads_back(graph: Graph, tmp_path: Path) -> None:
    read = networkx.read_graphml(viz.dump(graph, tmp_path / "g.graphml"), force_multigraph=True)
    arrows = gc.to_networkx(graph)
    assert list(read) == list(arrows)
    assert sorted(read.edges()) == sorted(arrows.edges())
    for name, data in read.nodes(data=True):
        for key in ("op", "kind", "type", "scope", "phase", "is_output", "updates"):
            # networkx 3.2 reads no empty text.
            assert data.get(key, "") == arrows.nodes[name][key]


def test_networkx_knows_scopes_and_phases() -> None:
    arrows = gc.to_networkx(_trained())
    products = [d for _, d in arrows.nodes(data=True) if d["op"] == "matmul"]
    assert {d["phase"] for d in products} == {"forward", "backward"}
    assert all("Sequential" in d["scope"] for d in products)
    assert any(d["phase"] == "optimizer" for _, d in arrows.nodes(data=True))


def test_dot_has_a_cluster_for_each_scope_and_kernel() -> None:
    for graph, names in ((_fused(), ["exp_sum"]), (_trained(), ["Sequential.0", "Sequential.2"])):
        dot = viz.dot(graph)
        assert dot.count("{") == dot.count("}")
        for name in names:
            assert re.search(rf'subgraph cluster_u\d+ {{\s+label="{re.escape(name)}"', dot), dot
        boxes = set(re.findall(r"^\s*(u\d+) \[", dot, re.MULTILINE))
        for a, b in re.findall(r"(u\d+) -> (u\d+);", dot):
            assert a in boxes and b in boxes


def test_a_page_holds_every_unit_and_asks_for_nothing(graph: Graph, tmp_path: Path) -> None:
    content = viz.dump(graph, tmp_path / "graph.html").read_text()
    page = Page(content)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object")
        assert not {"src", "href"} & attributes.keys()
    policy = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policy and str(policy[0]).startswith("default-src 'none'")
    units = page.model["units"]
    assert len(units) > 1
    for number, unit in enumerate(units):
        assert unit["parent"] is None or number in units[unit["parent"]]["children"]
        for lane in unit["plan"].values():
            inside = {slot["u"] for slot in lane["slots"]} - {None}
            assert inside <= set(unit["children"])
            for link in lane["links"]:
                assert all(0 <= place < len(lane["slots"]) for place in link["path"])


def test_png_is_a_picture_or_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "graph.png"
    try:
        import resvg_py  # noqa: F401
    except ImportError:
        with pytest.raises(AttributeValueError, match=r'pip install "graphc\[png\]"'):
            viz.dump(_fused(), path)
        assert not path.exists()
    else:
        assert viz.dump(_fused(), path).read_bytes().startswith(b"\x89PNG")


def test_dump_says_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(AttributeValueError, match=r"'graph.gif' does not end in .py, .dot"):
        viz.dump(_fused(), tmp_path / "graph.gif")
    with pytest.raises(ArgumentError, match="is neither a graph nor a tensor"):
        viz.dump(3, tmp_path / "graph.dot")


def test_programs_functions_and_archives_are_dumped(tmp_path: Path) -> None:
    @gc.jit.compile
    def double(x: gc.Tensor) -> gc.Tensor:
        return x + x

    double(gc.ones(3))
    gc.jit.save(double, tmp_path / "double.gcz")
    loaded = gc.jit.load(tmp_path / "double.gcz")
    for subject in (double, double.program, loaded):
        assert "add" in viz.svg(subject)
        assert viz.dump(subject, tmp_path / "double.html").stat().st_size


def test_an_archive_keeps_scopes_and_phases(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer = gc.optim.SGD(model.parameters(), lr=0.1)

    @gc.jit.compile
    def step(x: gc.Tensor) -> gc.Tensor:
        optimizer.zero_grad()
        loss = model(x).mean()
        loss.backward()
        optimizer.step()
        return loss

    step(gc.ones(5, 4))
    gc.jit.save(step, tmp_path / "step.gcz")
    loaded = gc.jit.load(tmp_path / "step.gcz")
    before, after = (text.names(f.program.history[0][1]) for f in (step, loaded))
    assert [(n.origin.scope, n.origin.phase) for n in before if n.inputs and n.origin] == [
        (n.origin.scope, n.origin.phase) for n in after if n.inputs and n.origin
    ]
    assert {"", "backward", "optimizer"} == {n.origin.phase for n in after if n.origin}


def _hostile() -> Graph:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(HOSTILE.replace(".", ""), nn.Linear(3, 3))

        def forward(self, x: gc.Tensor) -> gc.Tensor:
            for part in self.children():
                x = part(x) * 2
            return x

    x = gc.input("x", (2, 3))
    code = compile(
        "y = gc.named(label, gc.exp(Named()(x)) + x)", HOSTILE.replace("\x00", ""), "exec"
    )
    scope = {"gc": gc, "Named": Named, "x": x, "label": "<i>&'\""}
    exec(code, scope)
    return Graph.of("hostile", (x,), (scope["y"],))  # type: ignore[arg-type]


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    graph = _hostile()
    svg = ElementTree.fromstring(viz.svg(graph))
    assert {e.tag.partition("}")[2] for e in svg.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "tspan", "g",
    }  # fmt: skip
    page = Page(viz.html(graph))
    assert [tag for tag, _ in page.tags].count("script") == 2 and "i" not in dict(page.tags)
    assert any("</script><script>" in u["title"] for u in page.model["units"])
    read = networkx.read_graphml(io.BytesIO(viz.dump(graph, tmp_path / "h.graphml").read_bytes()))
    assert any("<script>alert(1)" in d.get("scope", "") for _, d in read.nodes(data=True))
    json.loads(viz.dump(graph, tmp_path / "h.json").read_text())
    for line in viz.dot(graph).splitlines():
        assert re.sub(r'"(?:[^"\\]|\\.)*"', "", line).count('"') == 0, line
    ast.parse(viz.dump(graph, tmp_path / "h.py").read_text())
