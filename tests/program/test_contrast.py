"""The contrast: what it counts, that it changes nothing, and what it writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.cli import main
from graphc.contrasting import contrast, summary
from graphc.contrasting.difference import difference
from graphc.contrasting.observe import operations, peak_nbytes, timing
from graphc.contrasting.tape import tape
from graphc.eager.engine.hot import tracing
from graphc.errors import ArgumentError, AttributeValueError
from graphc.jit.snapshot import Snapshot

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK: dict[str, Any] = {"rounds": 2, "budget_s": 0.1}


def _training() -> tuple[Any, Any, Any, Any, Any]:
    gc.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = gc.optim.Adam(model.parameters(), lr=0.01)
    calls: list[int] = []

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, calls, step, (gc.randn(8, 6), gc.randint(0, 3, (8,)))


def test_a_training_step_gives_the_same_three_ways_and_nothing_is_changed() -> None:
    model, optimizer, _, step, args = _training()
    before = {k: v.detach().numpy().copy() for k, v in model.state_dict().items()}
    seed = gc.get_rng_state() if hasattr(gc, "get_rng_state") else None
    found = contrast(step, *args, **QUICK)
    for side in (found.traced, found.compiled):
        assert not side.refused
        assert side.results is not None and side.results.count == found.steps
        assert side.results.relative <= 1e-5, side.results
        assert side.state is not None and side.state.absolute <= 1e-4, side.state
    for key, value in model.state_dict().items():
        assert np.array_equal(value.detach().numpy(), before[key]), key
    assert all(p.grad is None for p in model.parameters())
    assert not optimizer.state
    if seed is not None:
        assert gc.get_rng_state().item() == seed.item()


@pytest.mark.slow
def test_the_counts_of_a_small_function() -> None:
    w = gc.ones(4, requires_grad=True)

    def f(x: Any) -> Any:
        w.grad = None
        loss = (w * x).relu().sum()
        loss.backward()
        return loss

    found = contrast(f, gc.ones(4), **QUICK)
    names = [o.name for o in found.record]
    assert names == ["multiply", "relu", "sum", "SumBackward0", "ReluBackward0", "MulBackward0"]
    assert found.eager.operations == 6
    assert found.compiled.launches >= 1
    assert found.compiled.operations == 0
    eager = found.eager
    assert eager.python_s + eager.kernels_s == pytest.approx(eager.call_s)
    assert found.compiled.call_s > 0 and found.compiled.first_s > 0


def test_bytes_of_results_leave_views_out() -> None:
    x = gc.ones(8, 16)
    seen = operations(lambda: (x + 1).reshape(128).sum())
    assert seen.operations[0].name == "add"
    assert sum(o.nbytes for o in seen.operations) == 8 * 16 * 4 + 4
    assert seen.operations[0].origin is not None
    assert Path(seen.operations[0].origin.file).name == "test_contrast.py"


def test_peak_memory_counts_what_lives_at_once() -> None:
    x = gc.ones(1 << 18)

    def f() -> Any:
        y = x + 1
        y = y * 2
        return y.sum()

    f()
    assert 2 << 20 <= peak_nbytes(f) <= (3 << 20) + 65536


def test_the_clocks_are_gone_after_their_block() -> None:
    x = gc.ones(8)
    with timing() as clock:
        y = x + x
    assert clock.numpy_calls == 1 and clock.numpy_ns > 0
    y = y + x
    assert clock.numpy_calls == 1


class Dynamic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        if x.sum() > 0:
            return self.a(x)
        return self.b(x)


def test_a_branch_on_a_value_is_taken_and_merged() -> None:
    gc.manual_seed(1)
    # Frozen: where results have a history, calls go by the branch's value instead.
    found = contrast(Dynamic().requires_grad_(False), gc.ones(3, 4), **QUICK)
    assert len(found.branches) == 1
    assert re.fullmatch(r"test_contrast.py:\d+ in forward: True", found.branches[0])
    assert found.compiled.policy == "fork"
    assert found.merged == [
        found.branches[0].removesuffix(": True") + ": the program has both arms"
    ]
    assert found.compiled.results is not None and found.compiled.results.relative <= 1e-6


@pytest.mark.slow
def test_a_branch_can_choose_the_program() -> None:
    gc.manual_seed(1)
    found = contrast(Dynamic(), gc.ones(3, 4), on_branch="specialise", **QUICK)
    assert found.compiled.policy == "specialise" and not found.merged
    assert found.guarded and "True" in found.guarded[0]


def test_a_difference_is_said_first_and_a_call_alike_too(tmp_path: Path) -> None:
    def lying(x: Any) -> Any:
        return x * (3 if tracing.trace is not None else 2)

    found = contrast(lying, gc.ones(3), **QUICK)
    said = "Eager and compiled differ: result differs (value): 2.0 at [0] eagerly, 3.0"
    assert found.markdown.splitlines()[2].startswith(said)
    assert f"<p>{said}" in found.html
    assert "test_contrast.py" in found.differs
    alike = contrast(lambda x: x * 2, gc.ones(3), **QUICK)
    assert "give the same in 3 calls" in alike.markdown.splitlines()[2]
    assert alike.compiled.tier == "guarded"
    assert "| tier | Python runs | guarded | guarded |" in alike.markdown


@pytest.mark.slow
def test_the_command_fails_where_eager_and_compiled_differ(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        "import graphc as gc\nfrom graphc.eager.engine.hot import tracing\n"
        "def make_lying():\n"
        "    return lambda x: x * (3 if tracing.trace is not None else 2), gc.ones(3)\n"
        "def make_honest():\n    return lambda x: x * 2, gc.ones(3)\n"
    )
    for name, status in (("lying", 1), ("honest", 0)):
        words = ["contrast", f"{script}:{name}", "--rounds", "2", "--out", str(tmp_path)]
        assert main(words) == status


def test_what_cannot_be_traced_is_said_and_eager_still_measured() -> None:
    def f(x: Any) -> Any:
        return x * x.sum().item()

    found = contrast(f, gc.ones(3), **QUICK)
    assert found.eager.operations == 2 and found.eager.call_s > 0
    assert "item()" in found.compiled.refused
    assert any(v.startswith("item() at test_contrast.py") for v in found.values_read)
    assert "compiled could not run" in found.markdown
    assert "as a program it cannot run" in found.html


@pytest.mark.slow
def test_other_arguments_and_why_they_compile() -> None:
    found = contrast(lambda x: x * 2, gc.ones(8, 3), **QUICK)
    assert [r.compiled for r in found.recompilations] == [False, False, False]
    others = [(gc.ones(8, 5),), (gc.ones(9, 3),)]
    found = contrast(lambda x: x * 2, gc.ones(8, 3), others=others, **QUICK)
    first, second = found.recompilations
    assert first.compiled and first.reason == "axis 1 of input 0 has size 5, not 3"
    assert not second.compiled and not second.reason
    assert "compiled another program, because axis 1" in found.markdown


SCALE = 2.0


@pytest.mark.slow
def test_python_values_that_are_baked() -> None:
    found = contrast(lambda x: x * SCALE, gc.ones(3), **QUICK)
    assert len(found.baked) == 1 and found.baked[0].startswith("global SCALE = 2.0")


def test_kept_state_is_put_back() -> None:
    data: dict[str, Any] = {"list": [1, 2], "tensor": gc.zeros(3)}

    def f() -> None:
        data["list"].append(3)
        data["new"] = 1
        data["tensor"].add_(1)
        gc.rand(2)
        np.random.rand()

    kept = Snapshot(f)
    drawn = gc.rand(2).numpy()
    kept.restore()
    f()
    kept.restore()
    assert data["list"] == [1, 2] and "new" not in data
    assert data["tensor"].tolist() == [0.0, 0.0, 0.0]
    assert np.array_equal(gc.rand(2).numpy(), drawn)
    assert list(kept.tensors) == ["data['tensor']"]


def test_parameters_are_known_by_their_names_in_the_module() -> None:
    *_, step, args = _training()
    assert {"model.0.weight", "model.3.bias"} <= set(Snapshot(step, {"argument": args}).tensors)


def test_differences() -> None:
    one = np.float32(1.0)
    a = {"x": np.array([1.0, 0.5], np.float32), "y": np.zeros(2, np.float32)}
    b = {"x": np.array([np.nextafter(one, np.float32(2)), 0.5], np.float32), "y": a["y"]}
    found = difference(a, b)
    assert (found.count, found.equal, found.near, found.ulps) == (2, 1, 2, 1)
    assert found.worst == "x" and found.absolute == pytest.approx(2**-23)
    assert difference(a, a).is_exact
    assert "nan" in difference(a, {"x": np.array([np.nan, 0.5], np.float32)}).problem
    assert "float32[2]" in difference(a, {"x": np.zeros(3, np.float32)}).problem


def test_the_tape_is_a_graph_with_an_edge_for_each_use() -> None:
    x = gc.ones(3)
    seen = operations(lambda: ((x + x) * x).sum())
    graph = tape("f", seen.operations)
    names = {n.op.name: n for n in graph.nodes}
    assert [n.op.name for n in names["multiply"].inputs] == ["add", "tensor"]
    assert [n.op.name for n in graph.outputs] == ["sum"]


class _Page(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        self.pictures += tag == "svg"
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_written_and_needs_no_other_file(tmp_path: Path) -> None:
    *_, step, args = _training()
    found = contrast(step, *args, name="a <step>", **QUICK)
    text, page = found.save(tmp_path / "reports")
    assert text.name == "contrast-a__step_.md" and page.suffix == ".html"
    lines = text.read_text().splitlines()
    table = [line for line in lines if line.startswith("| ") and "%" in line]
    assert len(table) == 2  # in Python, in kernels
    shown = page.read_text()
    parser = _Page()
    parser.feed(shown)
    assert not parser.open and not parser.references and parser.pictures == 3
    assert "http" not in re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", shown)
    assert "prefers-color-scheme: dark" in shown and "a &lt;step&gt;" in shown
    assert summary([found]).splitlines()[2].startswith("| a <step> | ")


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match="contrast: int is no function"):
        contrast(3)  # type: ignore[arg-type]
    with pytest.raises(AttributeValueError, match="contrast: traced='O9'"):
        contrast(abs, traced="O9")
    with pytest.raises(AttributeValueError, match="steps and rounds are 1 or more"):
        contrast(abs, gc.ones(2), steps=0)


def _command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphc", "contrast", *arguments],
        capture_output=True, text=True, timeout=300, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_writes_both_files(tmp_path: Path) -> None:
    example = ROOT / "examples" / "dynamic_vs_static.py"
    done = _command(f"{example}:classifier", "--rounds", "2", "--out", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# classifier: eager, traced, compiled")
    assert (tmp_path / "here" / "contrast-classifier.md").read_text() in done.stdout
    assert (tmp_path / "here" / "contrast-classifier.html").exists()


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def make_f():\n    return 3\n")
    for target, expected in (
        ("own.py:g", "contrast: own.py has neither make_g nor a function g\n  it has make_f"),
        ("own.py:f", "contrast: make_f in own.py returned int"),
        ("none.py:f", "contrast: there is no file 'none.py'"),
        ("own.py", "contrast: there is no file ''"),
    ):
        done = _command(target, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(expected), done.stderr
        assert "hint: " in done.stderr
