"""A wrong rewrite is found, by pass and rule, and reduced to a file that fails by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import config, nn
from graphc.core.ir import OPS, Graph
from graphc.errors import ArgumentError, InternalError
from graphc.passes import simplify
from graphc.passes.pipeline import optimize
from graphc.passes.rewrite.engine import Rule, ops, var
from graphc.runtime.targets import Cpu
from graphc.text import parse, show

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
PLANT = """
from graphc.core.ir import OPS
from graphc.passes import simplify
from graphc.passes.rewrite.engine import Rule, ops, var

x = var("x")
simplify.EXACT = (Rule("tanh-is-sin", ops.tanh(x), lambda x: OPS["sin"](x)), *simplify.EXACT)
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    x = var("x")
    wrong = Rule("tanh-is-sin", ops.tanh(x), lambda x: OPS["sin"](x))
    monkeypatch.setattr(simplify, "EXACT", (wrong, *simplify.EXACT))


def _program() -> gc.Program:
    gc.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    x = gc.input("x", (6, 8))
    y = gc.softmax(model(x), axis=-1)
    with config.override(check=[]):
        return gc.compile([x], [gc.mean(y * y), gc.cumsum(y, axis=0)], name="model")


def test_a_wrong_rule_is_found_by_itself(planted: None) -> None:
    found = gc.debug.bisect(_program(), X)
    assert found and (found.stage, found.rule) == ("simplify", "tanh-is-sin")
    assert found.node is not None and found.node.op.name == "tanh"
    assert "the pass simplify, rule tanh-is-sin: tanh(add)" in str(found)


def test_nobody_is_blamed_for_what_is_right() -> None:
    found = gc.debug.bisect(_program(), X)
    assert not found and str(found).startswith("nobody")


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program()
    right = Cpu.program

    def wrong(target: Cpu, graph: Graph, threads: int | None) -> Any:
        """Kernels of a graph that has cumulative sums over the other axis."""
        return right(target, parse(show(graph).replace("axis=0", "axis=1")), threads)

    monkeypatch.setattr(Cpu, "program", wrong)
    found = gc.debug.bisect(program, X)
    assert found.stage == "lowering" and str(found).startswith("the kernel of cumsum: f32[6, 4]")


def test_check_2_names_the_rule(planted: None) -> None:
    x = gc.input("x", (3,))
    with config.override(check=["2"]), pytest.raises(InternalError) as caught:
        optimize(Graph.of("g", [x], [gc.exp(gc.tanh(x))]))
    assert "the pass simplify changed output 0 of g" in str(caught.value)
    assert "by the rule tanh-is-sin: tanh(x): f32[3] became sin(x): f32[3]" in str(caught.value)
    assert "at test_blame.py" in str(caught.value)


def test_a_wrong_rule_is_reduced_to_a_file_that_fails(planted: None, tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    found = gc.debug.reduce(_program(), X, path=path, setup=PLANT)
    assert len(found.ops) <= 5 and "tanh" in found.ops
    assert found.message == "the compiled result differs"
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 1 and "the compiled result differs" in done.stderr
    path.write_text(path.read_text().replace("simplify.EXACT = (", "unused = ("))
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "no fault" in done.stdout


def test_a_file_that_does_not_fail_alone_is_not_written(planted: None, tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    with pytest.raises(ArgumentError, match="give it as setup="):
        gc.debug.reduce(_program(), X, path=path)
    assert not path.exists()


def test_what_does_not_fail_is_not_reduced() -> None:
    with pytest.raises(ArgumentError, match="gives what its definition gives"):
        gc.debug.reduce(_program(), X)
