"""ONNX's own cases: a sample in each run, all of them among the slow tests."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
sys.path.insert(0, str(Path(__file__).parent.parent / "suites"))
import onnx_backend


def _counted(
    kind: str, every: int = 1, start: int = 0, target: str = "reference"
) -> dict[str, int]:
    found: dict[str, int] = {}
    cases = list(onnx_backend.cases(kind))[start::every]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in cases:
            state, why = onnx_backend.run(case, target)
            assert state != "failed", (case[0], why)
            found[state] = found.get(state, 0) + 1
    return found


def test_the_simple_cases() -> None:
    assert _counted("simple") == {"passed": 23}


def test_a_sample_of_the_node_cases() -> None:
    assert _counted("node", 59)["passed"] >= 29


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_all_node_cases(part: int) -> None:
    assert _counted("node", 4, part)["passed"] >= 450


@pytest.mark.slow
def test_all_cases_of_pytorch() -> None:
    assert _counted("pytorch") == {"passed": 117}


@pytest.mark.slow
def test_a_sample_of_the_node_cases_compiled() -> None:
    assert _counted("node", 97, target="cpu")["passed"] >= 18
