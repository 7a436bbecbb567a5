"""Pictures: what stands in them, how large they are, and that nothing lies upon anything else."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

import graphc as gc
import graphc.nn.functional as F
from graphc import nn, viz
from graphc.core.ir import OPS, Graph, Node

SVG = "{http://www.w3.org/2000/svg}"
CHAR = 6.6  # of the font at its size, in pixels


def step(model: nn.Module, shape: tuple[int, ...], loss_of: Callable[[Node], Node]) -> Graph:
    """A training step as it was written, before any pass."""
    x = gc.input("x", shape)
    loss = loss_of(model(x))
    optimizer = gc.optim.AdamW(model.parameters(), lr=1e-3)
    updates = optimizer.updates(loss)
    program = gc.compile([x], loss, updates=updates, target="reference", name="step")
    return program.history[0][1]


def transformer(layers: int = 0) -> Graph:
    gc.manual_seed(0)
    block: nn.Module = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    if layers:
        block = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
    return step(block, (2, 5, 16), lambda y: gc.mean(y * y))


def mlp() -> Graph:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    return step(model, (5, 8), lambda y: gc.mean(y * y))


class Block(nn.Module):
    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        short = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.short = short if stride > 1 else nn.Identity()

    def forward(self, x: gc.Tensor) -> gc.Tensor:
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.short(x))


def resnet20() -> Graph:
    def stage(inside: int, out: int, stride: int) -> nn.Module:
        return nn.Sequential(Block(inside, out, stride), *(Block(out, out, 1) for _ in range(2)))

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), stage(4, 4, 1),
        stage(4, 8, 2), stage(8, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    return step(model, (2, 3, 8, 8), lambda y: gc.mean(y * y))


def scan() -> Graph:
    xs, h = gc.input("xs", (7, 3)), gc.input("h", (3,))
    last, outs = gc.scan(lambda c, x: (gc.tanh(c + x), c * x), h, xs)
    return Graph.of("scanned", (xs, h), (last, outs))


def compiled() -> Graph:
    x = gc.input("x", (4, 8))
    w = gc.parameter("w", gc.ones((8, 3)).numpy())
    loss = gc.mean(gc.tanh(x @ w))
    return gc.compile([x], loss, updates={w: w - gc.grad(loss, w)}).history[-1][1]


PICTURES = {
    "transformer block": transformer, "transformer": lambda: transformer(4), "mlp": mlp,
    "resnet20": resnet20, "scan": scan, "compiled": compiled,
}  # fmt: skip


@dataclass
class Shape:
    """A box as a reader of the file finds it."""

    lane: str
    x: float
    y: float
    width: float
    height: float
    words: list[str] = field(default_factory=list)
    is_open: bool = False


def read(picture: str) -> tuple[ElementTree.Element, list[Shape]]:
    root = ElementTree.fromstring(picture)
    found = []
    for group in root.iter(f"{SVG}g"):
        if "data-unit" not in group.attrib:
            continue
        rect = group.findall(f"{SVG}rect")[-1]
        x, y, width, height = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        words = [e.text or "" for e in group.findall(f"{SVG}text")]
        lane = group.attrib["data-lane"]
        found.append(Shape(lane, x, y, width, height, words, "open" in rect.attrib["class"]))
    return root, found


def overlap(a: Shape, b: Shape) -> bool:
    return (
        a.x < b.x + b.width and b.x < a.x + a.width
        and a.y < b.y + b.height and b.y < a.y + a.height
    )  # fmt: skip


def inside(a: Shape, b: Shape) -> bool:
    return (
        a.x >= b.x and a.y >= b.y
        and a.x + a.width <= b.x + b.width and a.y + a.height <= b.y + b.height
    )  # fmt: skip


@pytest.fixture(scope="module", params=[*PICTURES])
def graph(request: pytest.FixtureRequest) -> Graph:
    return PICTURES[request.param]()


@pytest.mark.parametrize("boxes", [60, 400])
def test_boxes_lie_beside_each_other_or_inside(graph: Graph, boxes: int) -> None:
    root, shapes = read(viz.svg(graph, boxes=boxes))
    assert shapes
    for k, a in enumerate(shapes):
        assert a.x >= 0 and a.x + a.width <= float(root.attrib["width"])
        assert a.y >= 0 and a.y + a.height <= float(root.attrib["height"])
        for b in shapes[k + 1 :]:
            nested = (b.is_open and inside(a, b)) or (a.is_open and inside(b, a))
            assert nested or not overlap(a, b), (a.words, b.words)


def test_words_fit_in_their_boxes(graph: Graph) -> None:
    _, shapes = read(viz.svg(graph))
    for shape in shapes:
        assert shape.words
        for words in shape.words:
            assert len(words) * CHAR <= shape.width, words


def test_first_sight_is_a_screen(graph: Graph) -> None:
    root, shapes = read(viz.svg(graph))
    assert len(shapes) <= 60
    assert float(root.attrib["width"]) <= 2000


@pytest.mark.parametrize("boxes", [60, 400])
def test_arrows_go_with_their_lane_or_are_marked(graph: Graph, boxes: int) -> None:
    root, shapes = read(viz.svg(graph, boxes=boxes))
    arrows = [p for p in root.iter(f"{SVG}path") if "data-lane" in p.attrib]
    for arrow in arrows:
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", arrow.attrib["d"])]
        start, end = numbers[1], numbers[-1]
        if arrow.attrib["class"] == "edge":
            assert end <= start if arrow.attrib["data-lane"] == "backward" else start <= end
        else:
            assert arrow.attrib["class"] in ("edge across", "edge back")
    assert bool(arrows) or len(shapes) < 3


def test_a_scope_has_its_backward_beside_its_forward() -> None:
    _, shapes = read(viz.svg(transformer()))
    rows = {(s.words[0], s.lane): s for s in shapes}
    for name in ("self_attn", "linear1", "norm1", "linear2", "norm2"):
        forward, backward = rows[name, "forward"], rows[name, "backward"]
        assert forward.y == backward.y and forward.x + forward.width < backward.x
    order = [rows[n, "forward"].y for n in ("self_attn", "norm1", "linear1", "linear2", "norm2")]
    assert order == sorted(order)
    optimizer = rows["AdamW", "optimizer"]
    assert optimizer.x > max(s.x + s.width for s in shapes if s.lane != "optimizer")


def test_equal_layers_are_drawn_once() -> None:
    _, shapes = read(viz.svg(transformer(6)))
    titles = [s.words[0] for s in shapes if s.lane == "forward"]
    several = [t for t in titles if re.search(r"layers\.\d–\d \(× \d\)", t)]
    assert len(several) == 1, titles
    single = [t for t in titles if re.fullmatch(r"layers\.\d", t)]
    assert int(several[0].rpartition(" ")[2].strip(")")) + len(single) == 6
    assert "drawn once" in viz.svg(transformer(6))


def test_layers_with_other_settings_are_not_equal() -> None:
    slopes = nn.Sequential(*(nn.LeakyReLU(s) for s in (0.1, 0.1, 0.2)))
    x = gc.input("x", (3,))
    _, shapes = read(viz.svg(Graph.of("slopes", (x,), (slopes(slopes(x)),))))
    assert not any("× 3" in s.words[0] for s in shapes)


def test_numbers_and_broadcasts_stand_in_their_users() -> None:
    x, b = gc.input("x", (4, 3)), gc.input("b", (3,))
    _, shapes = read(viz.svg(Graph.of("g", (x, b), (x * 2.5 + b,))))
    assert sorted(s.words[0] for s in shapes) == ["add", "b", "multiply", "x"]
    multiply, add = (next(s for s in shapes if s.words[0] == n) for n in ("multiply", "add"))
    assert "with 2.5" in multiply.words and "with broadcast" in add.words


def test_kernels_and_loops_have_their_bodies_inside() -> None:
    p = gc.input("p0", (4, 8), gc.float32)
    body = Graph.of("exp_sum", (p,), (gc.exp(p), gc.sum(p, axis=1)))
    x = gc.input("x", (4, 8), gc.float32)
    fused = Node.build(OPS["fused"], (x,), {"body": body, "inplace": ()})
    items = [OPS["item"](fused, index=k) for k in range(2)]
    for graph, outer, parts in (
        (Graph.of("picture", (x,), items), "exp_sum", ("exp", "sum")),
        (scan(), "scan", ("tanh", "multiply")),
    ):
        _, shapes = read(viz.svg(graph))
        around = next(s for s in shapes if s.words[0].startswith(outer))
        for name in parts:
            assert any(s.words[0] == name and inside(s, around) for s in shapes), name


def test_the_legend_says_what_is_there() -> None:
    whole = viz.svg(transformer())
    for words in ("forward (solid)", "backward (dashed)", "optimizer (dotted)", "with ..."):
        assert words in whole
    x = gc.input("x", (3,))
    alone = viz.svg(Graph.of("g", (x,), (gc.exp(x),)))
    assert "backward" not in alone and "drawn once" not in alone


def test_lanes_differ_by_more_than_colour() -> None:
    root = ElementTree.fromstring(viz.svg(transformer()))
    dashes: dict[str, set[str]] = {}
    for group in root.iter(f"{SVG}g"):
        for rect in group.findall(f"{SVG}rect") if "data-unit" in group.attrib else ():
            lane = dashes.setdefault(group.attrib["data-lane"], set())
            lane.add(rect.attrib.get("stroke-dasharray", ""))
    assert len(dashes) == 3 and all(len(kinds) == 1 for kinds in dashes.values())
    assert len({kind for kinds in dashes.values() for kind in kinds}) == 3


def test_a_long_chain_is_grouped_and_drawn_in_seconds() -> None:
    x = y = gc.input("x", (4,))
    for k in range(2500):
        y = gc.exp(y) if k % 3 else gc.tanh(y) * 0.5
    begin = time.process_time()
    root, shapes = read(viz.svg(Graph.of("chain", (x,), (y,))))
    assert len(shapes) <= 60 and float(root.attrib["width"]) <= 2000
    assert time.process_time() - begin < 10


def test_a_notebook_shows_graphs_and_programs() -> None:
    x = gc.input("x", (3,))
    graph = Graph.of("g", (x,), (gc.exp(x),))
    assert graph._repr_svg_() == viz.svg(graph)
    program = gc.compile([x], gc.exp(x))
    assert program._repr_svg_() == viz.svg(program)
