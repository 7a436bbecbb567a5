"""Programs as C: compiled by `cc` with all warnings as errors, run without graphc, and compared."""

from __future__ import annotations

import ctypes
import importlib
import pkgutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
from in_c import CC, STRICT, call, library, needs_cc, run
from programs import compare
from programs.corpus import PROGRAMS
from samples import TABLE, cases, edge_cases, is_plain

import graphc as gc
from graphc.core import dtypes
from graphc.core.dims import substitute
from graphc.core.ir import Kind, tensor_type
from graphc.core.types import TensorType, match
from graphc.errors import ArgumentError

for module in pkgutil.iter_modules(programs.__path__):
    importlib.import_module(f"programs.{module.name}")

pytestmark = needs_cc
slow = pytest.mark.slow
# Functions that the C library lacks, and calls of LAPACK; branches, loops and prints run programs
# of their own.
WITHOUT_C = {
    "digamma", "erfcinv", "erfcx", "erfinv", "i0", "i0e", "i1", "i1e", "ndtri", "polygamma", "zeta",
    "print", "cholesky", "eigh", "lu", "matrix_exp", "pinv", "qr", "qr_complete", "solve", "svd",
    "svd_full", "triangular_solve",
}  # fmt: skip
# Their steps, or the sizes of these, are none of C's text yet.
REFUSED = {
    "epidemic_by_scan", "network_by_scan", "layer_norm_recurrence_by_scan",
    "connectionist_classification_by_scan", "delta_rule_memory_by_scan",
}  # fmt: skip
QUICK = ["softmax_regression_with_penalised_bias", "causal_multi_head", "adam_step"]


def _net(n: Any) -> tuple[Any, Any, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s).astype(np.float32) for s in ((5, 4), (4,), (4, 3))]
    x = gc.input("x", (n, 5))
    w, b, v = (gc.parameter(f"w{k}", a) for k, a in enumerate(weights))
    return x, gc.softmax(gc.relu(x @ w + b) @ v, axis=1), weights


def _wanted(x: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    w, b, v = (a.astype(np.float64) for a in weights)
    scores = np.maximum(x @ w + b, 0) @ v
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("weights", ["embedded", "beside"])
def test_a_network_of_any_batch_is_one_file(weights: str, tmp_path: Path) -> None:
    x, y, arrays = _net(gc.dim("n"))
    program = gc.compile([x], y, name="net")
    loaded = library(program, tmp_path, weights)
    files = {"net.c", "net.h", "net.so"} | ({"net.bin"} if weights == "beside" else set())
    assert {p.name for p in tmp_path.iterdir()} == files
    if weights == "beside":
        assert loaded.net_load(str(tmp_path / "absent").encode()) == 1
        assert loaded.net_load(str(tmp_path / "net.bin").encode()) == 0
    for n in (1, 0, 7, 64):
        given = np.random.default_rng(n).normal(size=(n, 5)).astype(np.float32)
        out = np.zeros((n, 3), np.float32)
        assert call(loaded, program, [given], [out]) == 0
        np.testing.assert_allclose(out, _wanted(given, arrays), rtol=1e-5, atol=1e-7)


def test_a_program_of_c_alone_runs_it(tmp_path: Path) -> None:
    x, y, arrays = _net(2)
    gc.jit.export(gc.compile([x], y, name="net"), tmp_path, format="c")
    (tmp_path / "main.c").write_text(
        """#include <stdio.h>
#include <stdlib.h>
#include "net.h"
int main(void) {
    float x[10], out[6];
    void *arena = malloc(net_arena_bytes());
    for (int k = 0; k < 10; k++) x[k] = (float)k / 10;
    int failed = net(x, out, arena);
    for (int k = 0; k < 6; k++) printf("%.9g\\n", out[k]);
    free(arena);
    return failed;
}
"""
    )
    command = [str(CC), *STRICT, "main.c", "net.c", "-o", "main", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    found = subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True, text=True)
    given = (np.arange(10, dtype=np.float32) / 10).reshape(2, 5)
    wanted = _wanted(given, arrays).reshape(-1)
    np.testing.assert_allclose([*map(float, found.stdout.split())], wanted, rtol=1e-5)


def test_a_training_step_keeps_its_state_in_the_file(tmp_path: Path) -> None:
    w, v = gc.parameter("w", np.ones(3)), gc.parameter("v", np.full(3, 2.0))
    x = gc.input("x", (3,), gc.float64)
    # Each gets a value that is computed of the other's old one.
    step = gc.compile([x], [gc.sum(w * x), v], updates={w: v + x, v: w}, name="step")
    loaded = library(step, tmp_path)
    given = np.array([1.0, 2.0, 3.0])
    own_w, own_v = np.ones(3), np.full(3, 2.0)
    for _ in range(3):
        total, before = np.zeros(()), np.zeros(3)
        assert call(loaded, step, [given], [total, before]) == 0
        assert total == (own_w * given).sum() and before.tolist() == own_v.tolist()
        own_w, own_v = own_v + given, own_w
    assert np.ctypeslib.as_array((ctypes.c_double * 3).in_dll(loaded, "step_w")).tolist() == [
        *own_w
    ]


def test_a_check_that_fails_is_a_number_and_writes_no_state(tmp_path: Path) -> None:
    w = gc.parameter("w", np.ones(2, np.float32))
    i = gc.input("i", (1,), gc.int64)
    y = gc.take(gc.constant(np.arange(3, dtype=np.float32)), i)
    step = gc.compile([i], [y], updates={w: w + y}, name="step")
    loaded = library(step, tmp_path)
    out = np.zeros(1, np.float32)
    state = np.ctypeslib.as_array((ctypes.c_float * 2).in_dll(loaded, "step_w"))
    assert call(loaded, step, [np.array([2])], [out]) == 0 and out == 2
    assert state.tolist() == [3, 3]
    code = call(loaded, step, [np.array([3])], [out])
    assert code > 0 and state.tolist() == [3, 3]
    loaded.step_error.restype = ctypes.c_char_p
    assert b"take" in loaded.step_error(code) and loaded.step_error(0) == b""


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_are_rounded_as_numpy_rounds_them(dtype: str, tmp_path: Path) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(dtypes.as_dtype(dtype).numpy)
    wide = np.random.default_rng(0).integers(0, 1 << 32, 1 << 16, np.uint32).view(np.float32)
    x, y = gc.input("x", every.shape, dtype), gc.input("y", wide.shape)
    program = gc.compile([x, y], [gc.cast(x, gc.float32), gc.cast(y, dtype)], name="narrow")
    with np.errstate(all="ignore"):
        wanted = every.astype(np.float32), wide.astype(every.dtype)
    found = run(program, tmp_path, [every, wide], wanted)
    for a, b in zip(wanted, found):
        nan = np.isnan(a.astype(np.float32))
        assert np.isnan(b.astype(np.float32))[nan].all()
        assert a[~nan].tobytes() == b[~nan].tobytes()


def test_random_numbers_are_those_of_the_program(tmp_path: Path) -> None:
    draws = gc.compile([], [gc.randint(0, 1 << 20, (100,)), gc.uniform((9,))], name="draws")
    loaded = library(draws, tmp_path)
    for _ in range(2):
        wanted = draws()
        found = [np.zeros_like(a) for a in wanted]
        assert call(loaded, draws, [], found) == 0
        assert [a.tolist() for a in found] == [a.tolist() for a in wanted]


def test_the_tutorials_network_without_weights_is_small(tmp_path: Path) -> None:
    net = gc.nn.Sequential(
        gc.nn.Conv2d(1, 16, 5, padding=2), gc.nn.ReLU(), gc.nn.MaxPool2d(2),
        gc.nn.Conv2d(16, 32, 5, padding=2), gc.nn.ReLU(), gc.nn.MaxPool2d(2), gc.nn.Flatten(),
        gc.nn.Linear(7 * 7 * 32, 10),
    ).eval()  # fmt: skip
    images = gc.randn(3, 1, 28, 28)
    traced = gc.jit.trace(net, images, dynamic_axes={0: {0: "n"}})
    loaded = library(traced, tmp_path, "beside")
    name = traced.graph.name
    assert getattr(loaded, f"{name}_load")(str(tmp_path / f"{name}.bin").encode()) == 0
    assert (tmp_path / f"{name}.so").stat().st_size < 1 << 20
    out = np.zeros((3, 10), np.float32)
    assert call(loaded, traced, [images.numpy()], [out]) == 0
    np.testing.assert_allclose(out, net(images).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_what_has_no_form_in_c_is_said(tmp_path: Path) -> None:
    x = gc.input("x", (3,))
    loop = gc.scan(lambda h, t: (gc.tanh(h + t @ gc.ones((3, 3))), h), x, gc.ones((4, 3)))
    for value, told in ((gc.digamma(x), "digamma"), (loop[1], "loop or a branch")):
        with pytest.raises(ArgumentError, match=rf"export: .*{told}"):
            gc.jit.export(gc.compile([x], value), tmp_path, format="c")
    with pytest.raises(ArgumentError, match="weights='apart'"):
        gc.jit.export(gc.compile([x], x + x), tmp_path, format="c", weights="apart")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=slow) for n in PROGRAMS]
)
def test_programs_and_their_gradients_are_numpys(name: str, tmp_path: Path) -> None:
    entry = PROGRAMS[name]
    inputs, results, gradients = compare.build(entry, "float64", entry.small, True)
    program = gc.compile(inputs, results + gradients, name=entry.name)
    arrays = [*compare.arguments(entry, entry.small, "float64").values()]
    if name in REFUSED:
        with pytest.raises(ArgumentError, match="export: "):
            gc.jit.export(program, tmp_path, format="c")
        return
    given = [tensor_type(x).shape for x in inputs]
    sizes = match([p for shape, a in zip(given, arrays) for p in zip(shape, a.shape)])
    types = [tensor_type(n) for n in results + gradients]
    like = [np.empty([substitute(s, sizes) for s in t.shape], t.dtype.numpy) for t in types]
    found = run(program, tmp_path, arrays, like)
    compare.assert_equal(entry, compare._parts(inputs, len(results), found))


def _taken(op: Any) -> Any:
    """Inputs, results, arrays and values by the definition of everything an op is tried on."""
    inputs, results, arrays, wanted = [], [], [], []
    tried = [*(edge_cases(op) if is_plain(op) else ()), *cases(op)]
    for k, case in enumerate(tried):
        nodes = [
            gc.input(f"x{k}_{j}", n.type.shape, n.type.dtype) for j, n in enumerate(case.nodes()[0])
        ]
        out = case.op(*nodes, **case.attrs)
        if isinstance(out.type, TensorType):
            inputs += nodes
            results.append(out)
            arrays += case.arrays
            with np.errstate(all="ignore"):
                wanted.append(op.numpy(*[a.copy() for a in case.arrays], **case.attrs))
    return inputs, results, arrays, wanted


@slow
@pytest.mark.parametrize(
    "op", [op for op in TABLE if op.kind not in (Kind.SOURCE, Kind.CONTROL, Kind.FUSED)], ids=str
)
def test_every_op_is_its_definition(op: Any, tmp_path: Path) -> None:
    inputs, results, arrays, wanted = _taken(op)
    if not results:
        pytest.skip("its results are no tensors")
    program = gc.compile(inputs, results, name="tried")
    if op.name in WITHOUT_C:
        with pytest.raises(ArgumentError, match="no form in C|prints|calls LAPACK"):
            gc.jit.export(program, tmp_path, format="c")
        return
    for a, b in zip(wanted, run(program, tmp_path, arrays, wanted), strict=True):
        dtype = dtypes.as_dtype(b.dtype)
        if not dtype.is_float:
            np.testing.assert_array_equal(a, b)
            continue
        eps = float(dtype.finfo.eps)
        x, y = np.asarray(a, np.float64), b.astype(np.float64)
        # Elements that are sums may be small of large terms.
        largest = 1.0 if is_plain(op) else max(1.0, np.abs(x[np.isfinite(x)]).max(initial=0))
        np.testing.assert_allclose(y, x, rtol=16 * eps, atol=16 * eps * largest)
