"""The film strip: what a browser shows of a compiled training step."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, Browser

import graphc as gc
from graphc import nn
from graphc.core.ir import Kind

needs_browser = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")


@pytest.fixture(scope="module")
def program() -> gc.Program:
    gc.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    x = gc.input("x", (32, 8))
    loss = gc.mean(gc.softmax(model(x), axis=-1) ** 2)
    updates = gc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9).updates(loss)
    made = gc.compile([x], loss, updates=updates, name="step")
    made.profile(np.ones((32, 8), np.float32), repeat=2)
    return made


@pytest.fixture(scope="module")
def page(program: gc.Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "report.html"
    assert program.report(path).startswith("step: ")
    return path


def _model(page: Path) -> dict[str, Any]:
    packed = page.read_text().split('id="model">')[1].split("<")[0]
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_each_stage_has_as_many_things_as_nodes(program: gc.Program, page: Path) -> None:
    model, there = _model(page), set[int]()
    assert [s["name"] for s in model["stages"]] == [name for name, _ in program.history]
    for stage, (name, graph) in zip(model["stages"], program.history):
        gone = {thing for thing, _, _ in stage["gone"]}
        assert gone <= there and not there & set(stage["added"])
        there = there - gone | set(stage["added"])
        assert len(there) == len(graph.nodes), name
    fused = [
        g for s in model["stages"] if s["name"] == "fuse" for g in s["gone"] if g[1] == "fused"
    ]
    assert len(fused) > 10 and all(kernel in there for _, _, kernel in fused)


def test_rules_kernels_and_memory_are_those_of_the_program(program: gc.Program, page: Path) -> None:
    model = _model(page)
    assert sum(count for stage in model["stages"] for _, count in stage["rules"]) > 5
    assert {s["kernel"] for s in model["steps"]} >= program.kernels.keys()
    assert all(source in model["kernels"][name] for name, source in program.kernels.items())
    assert "test_film.py" in "".join(model["kernels"].values())
    assert model["memory"]["peak_bytes"] == program.memory().peak_nbytes
    nodes = [n for n in program.history[-1][1].nodes if n.op.kind is Kind.FUSED]
    assert sum(s["thing"] is not None for s in model["steps"]) >= len(nodes)


def test_a_page_of_the_reference_has_passes_and_no_kernels(tmp_path: Path) -> None:
    x = gc.input("x", (3,))
    gc.compile([x], -x, target="reference").report(tmp_path / "r.html")
    model = _model(tmp_path / "r.html")
    assert model["steps"] == [] and model["memory"] is None and len(model["stages"]) == 1


@pytest.fixture(scope="module", params=[(1280, 800), (620, 900)], ids=["wide", "narrow"])
def browser(page: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    with Browser(page, *request.param) as found:
        found.wait("document.documentElement?.dataset.ready === 'yes'")
        yield found


@needs_browser
def test_a_browser_loads_it_moves_the_slider_and_opens_a_kernel(
    browser: Browser, program: gc.Program, page: Path
) -> None:
    cells = "document.querySelectorAll('.cell:not(.away)').length"
    stage = "document.getElementById('stage').textContent"
    counts = [len(graph.nodes) for _, graph in program.history]
    assert browser.run(cells) == counts[0]
    for number in range(1, len(counts)):
        browser.press("ArrowRight")
        assert browser.run(stage).startswith(f"{number}: {program.history[number][0]}, ")
        assert browser.run(cells) == counts[number]
    slider = "document.getElementById('slider')"
    browser.run(f"{slider}.value = 0; {slider}.dispatchEvent(new Event('input'))")
    assert browser.run(stage).startswith("0: traced")
    tanh = "[...document.querySelectorAll('.cell')].find(c => c.textContent === 'erf')"
    browser.run(f"{tanh}.id = 'chosen'; {tanh}.scrollIntoView()")
    browser.wait("document.getAnimations().length === 0")
    browser.click("#chosen")
    browser.wait("document.getElementById('source')")
    name = browser.run("document.getElementById('kernel').textContent")
    assert program.kernels[name] in browser.run("document.getElementById('source').textContent")
    assert "erf" in program.kernels[name]
    for tab, shown in (("memory", "#memory rect"), ("time", "#timeline rect"), ("rules", ".pick")):
        browser.click(f"#tab-{tab}")
        if tab == "rules":
            browser.run(f"{slider}.value = 1; {slider}.dispatchEvent(new Event('input'))")
        assert browser.run(f"document.querySelectorAll('{shown}').length") > 0, tab
    overflows = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not browser.run(overflows)
    assert browser.errors == []
    asked = [url for url in browser.requests if not url.startswith(("about:", "blob:"))]
    assert asked == [page.as_uri()]


@needs_browser
def test_a_search_leaves_what_is_found(browser: Browser) -> None:
    browser.run("(s => { s.value = 'gelu'; s.dispatchEvent(new Event('input')); })(search)")
    lit = browser.run("document.querySelectorAll('.cell:not(.dim)').length")
    assert 0 < lit < browser.run("document.querySelectorAll('.cell').length")
    browser.press("Escape")


@pytest.mark.slow
def test_a_resnet20_step_takes_less_than_a_megabyte(tmp_path: Path) -> None:
    from test_pictures import resnet20

    graph = resnet20()
    aliases = {graph.inputs[k]: graph.outputs[o] for o, k in graph.aliases}
    inputs = [n for n in graph.inputs if not hasattr(n, "state")]
    program = gc.compile(inputs, graph.outputs[0], updates=aliases, name="resnet20")
    program.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
