"""Programs with bfloat16 in files: archives, exported modules, the text of graphs."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import text
from graphc.errors import GraphcError

BFLOAT16 = gc.bfloat16.numpy
VALUES = np.random.default_rng(0).normal(size=(4, 3)).astype(BFLOAT16)


def _bits(array: np.ndarray) -> np.ndarray:
    assert array.dtype == BFLOAT16
    return np.ascontiguousarray(array).view(np.uint16)


def _traced() -> gc.jit.Traced:
    gc.manual_seed(0)
    net = gc.nn.Sequential(gc.nn.Linear(3, 5), gc.nn.Tanh(), gc.nn.Linear(5, 2)).bfloat16()
    return gc.jit.trace(net, gc.tensor(VALUES), dynamic_axes={0: {0: "n"}})


def test_archives_hold_it(tmp_path: Path) -> None:
    program = _traced()
    gc.jit.save(program, tmp_path / "net.gcz")
    again = gc.jit.load(tmp_path / "net.gcz")
    for x in (VALUES, VALUES[:1]):
        wanted, found = (p(gc.tensor(x)).detach().numpy() for p in (program, again))
        np.testing.assert_array_equal(_bits(found), _bits(wanted))


def test_exported_modules_compute_with_it(tmp_path: Path) -> None:
    program = _traced()
    folder = gc.jit.export(program, tmp_path / "net")
    module = runpy.run_path(str(folder / "model.py"))
    assert "needs NumPy and ml_dtypes" in module["__doc__"]
    assert {a.dtype for a in module["state"].values()} == {BFLOAT16}
    name = module["__doc__"].partition(":")[0]
    found = np.asarray(module[name](VALUES))
    wanted = program(gc.tensor(VALUES)).detach().numpy()
    # The module is the definition; a kernel's tanh may round to the other neighbour.
    np.testing.assert_allclose(
        found.astype(np.float32), wanted.astype(np.float32), rtol=2 * 2.0**-7, atol=1e-3
    )
    module["save_state"]()
    again = runpy.run_path(str(folder / "model.py"))
    np.testing.assert_array_equal(_bits(again[name](VALUES)), _bits(found))


def test_modules_without_it_need_numpy_alone(tmp_path: Path) -> None:
    x = gc.input("x", (2,), gc.float16)
    folder = gc.jit.export(gc.compile([x], gc.exp(x)), tmp_path / "net")
    written = (folder / "model.py").read_text()
    assert "it needs NumPy alone." in written and "ml_dtypes" not in written


def test_texts_of_graphs_read_back() -> None:
    x = gc.input("x", (gc.dim("n"), 3), gc.bfloat16)
    graph = gc.Graph.of("scaled", [x], [gc.cast(gc.exp(x) * 0.1, gc.float32) + 1])
    shown = text.show(graph)
    assert "x: bf16[n, 3]" in shown and "value=0.1" in shown
    assert text.show(text.parse(shown)) == shown
    with pytest.raises(GraphcError, match="bf16"):
        gc.dim("bf16")
