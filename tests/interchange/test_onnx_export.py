"""Programs as ONNX models: run by ONNX Runtime they give what graphc gives; read back, too."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import cases

import graphc as gc
from graphc.core import dtypes
from graphc.core.ir import OPS

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

# ONNX Runtime has no float64 kernels of these on CPUs, and no bfloat16 arrays at all.
FLOAT32_ONLY = {
    "erf", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh",
    "arctan2",
}  # fmt: skip
EXPORTED = sorted(
    name for name in gc.onnx.exported_ops()
    if name not in ("item", "cond", "scan", "while_loop", "print")
)  # fmt: skip


def run(model: Any, *arrays: Any) -> list[np.ndarray]:
    """A model's outputs by ONNX Runtime."""
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays)))


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Equal integers; floats of another summation and other polynomials."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if wanted.dtype.kind in "biu":
        return np.array_equal(found, wanted)
    rtol = {2: 2e-3, 4: 2e-5, 8: 1e-9}[wanted.dtype.itemsize]
    left, right = found.astype(np.float64), wanted.astype(np.float64)
    return bool(np.allclose(left, right, rtol, 1e-6 if rtol > 1e-8 else 1e-12, equal_nan=True))


def _is_held(name: str, arrays: Any, node: Any) -> bool:
    """Whether ONNX Runtime takes a case's dtypes."""
    used = [a.dtype for a in arrays]
    if dtypes.bfloat16.numpy in used or node.dtype is dtypes.bfloat16:
        return False
    return not (name in FLOAT32_ONLY and np.dtype("float64") in used)


@pytest.mark.parametrize("name", EXPORTED)
def test_an_op_is_ONNX_Runtimes(name: str) -> None:
    op, tried = OPS[name], 0
    for case in cases(op, shapes=((2, 3),)):
        inputs = [gc.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(case.arrays)]
        node = op(*inputs, **case.attrs)
        if not _is_held(name, case.arrays, node):
            continue
        graph = gc.Graph.of("g", inputs, [node])
        try:
            model = gc.onnx.export(gc.compile(inputs, node, target="reference"))
        except gc.errors.UnsupportedError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (wanted,) = gc.interpret(graph, *case.arrays)
        (found,) = run(model, *case.arrays)
        assert same(found, wanted), (case.attrs, case.arrays, found, wanted)
        tried += 1
    assert tried


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_an_op_written_and_read_is_the_same(name: str) -> None:
    op, tried = OPS[name], 0
    for case in cases(op, shapes=((2, 3),)):
        inputs = [gc.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(case.arrays)]
        node = op(*inputs, **case.attrs)
        program = gc.compile(inputs, node, target="reference")
        try:
            model = gc.onnx.export(program)
        except gc.errors.UnsupportedError:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            wanted = gc.interpret(gc.Graph.of("g", inputs, [node]), *case.arrays)
            found = gc.onnx.load(model, target="reference")(*case.arrays)
        found = found if isinstance(found, tuple) else (found,)
        for left, right in zip(found, wanted, strict=True):
            assert same(np.asarray(left), np.asarray(right)), (case.attrs, case.arrays)
        tried += 1
    assert tried


def _round_trip(inputs: Any, outputs: Any, *arrays: Any) -> None:
    """Exported, run by ONNX Runtime, read back: equal."""
    program = gc.compile(inputs, outputs, target="reference")
    wanted = program(*arrays)
    wanted = wanted if isinstance(wanted, list | tuple) else [wanted]
    model = gc.onnx.export(program)
    again = gc.onnx.load(model, target="reference")(*arrays)
    again = again if isinstance(again, tuple) else (again,)
    for found in (run(model, *arrays), again):
        for left, right in zip(found, wanted, strict=True):
            assert same(np.asarray(left), np.asarray(right)), (left, right)


def test_symbolic_sizes_are_dim_params() -> None:
    n, m = gc.dim("n"), gc.dim("m")
    x = gc.input("x", (n, 2 * m))
    y = gc.reshape(x, (n * m, 2)) + gc.size(n, gc.float32)
    z = gc.mean(x[:, : m + 1], 1)
    program = gc.compile([x], [y, z], target="reference")
    model = gc.onnx.export(program)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    for shape in ((2, 6), (5, 4)):
        a = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        for left, right in zip(run(model, a), program(a)):
            assert same(left, right)
    _round_trip([x], [y, z], np.ones((3, 8), np.float32))


def test_dynamic_axes_name_symbolic_sizes() -> None:
    x = gc.input("x", (gc.dim("n"), 3, gc.dim("m")))
    program = gc.compile([x], x * 2.0, target="reference")
    model = gc.onnx.export(program, dynamic_axes={"x": {0: "batch"}, "output": [2]})
    for side in (model.graph.input, model.graph.output):
        sizes = [d.dim_param or d.dim_value for d in side[0].type.tensor_type.shape.dim]
        assert sizes == ["batch", 3, "output_dynamic_axes_2"]
    a = np.ones((2, 3, 4), np.float32)
    assert same(run(model, a)[0], program(a))
    with pytest.raises(gc.errors.ArgumentError, match=r"axis 1 of 'x' has no symbolic size"):
        gc.onnx.export(program, dynamic_axes={"x": {1: "channels"}})
    with pytest.raises(gc.errors.ArgumentError, match="names 'y'; there are x, output"):
        gc.onnx.export(program, dynamic_axes={"y": [0]})


def test_a_network_and_its_parameters() -> None:
    rng = np.random.default_rng(0)
    x = gc.input("x", (gc.dim("n"), 1, 8, 8))
    w = gc.parameter("w", rng.standard_normal((4, 1, 3, 3)).astype(np.float32))
    v = gc.parameter("v", rng.standard_normal((4 * 9, 5)).astype(np.float32))
    hidden = gc.max_pool(gc.relu(gc.conv(x, w)), 2)
    y = gc.softmax(gc.reshape(hidden, (-1, 36)) @ v, axis=-1)
    model = gc.onnx.export(gc.compile([x], y, target="reference"))
    assert {"w", "v"} <= {t.name for t in model.graph.initializer}
    _round_trip([x], y, rng.standard_normal((3, 1, 8, 8)).astype(np.float32))


def test_branches_and_loops() -> None:
    x = gc.input("x", (3,))
    k = gc.input("k", (), gc.int64)
    w = gc.parameter("w", np.array([0.5, 2.0, 1.0], np.float32))
    branch = gc.cond(k > 2, lambda v: v * w, lambda v: v - w, x)
    total, sums = gc.scan(lambda c, v: (c + v, c * v), gc.constant(np.float32(1)), x)
    _, back = gc.scan(lambda c, v: (c * 0.5 + v, c), gc.constant(np.float32(1)), x, reverse=True)
    grown = gc.while_loop(lambda c: gc.sum(c) < 100.0, lambda c: c * 2.0 + w, gc.abs(x) + 1.0)
    counted = gc.scan(lambda c, _: (c * 2.0, c), x, None, 4)
    for value in (1, 5):
        arrays = np.array([1.0, -2.0, 3.0], np.float32), np.array(value)
        _round_trip([x, k], [branch, total, sums, back, grown, *counted], *arrays)


def test_a_training_step() -> None:
    x, t = gc.input("x", (4, 3)), gc.input("t", (4,), gc.int64)
    w = gc.parameter("w", np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2))
    loss = gc.cross_entropy(x @ w, t)
    (gw,) = gc.grad(loss, [w])
    program = gc.compile([x, t], loss, updates={w: w - 0.1 * gw}, target="reference")
    model = gc.onnx.export(program)
    assert [o.name for o in model.graph.output] == ["output", "w_new"]
    arrays = (
        np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32),
        np.array([0, 1, 1, 0]),
    )
    value, new = run(model, *arrays)
    assert same(value, np.asarray(program(*arrays))) and same(new, w.value)


def test_modules_and_compiled_functions() -> None:
    model = gc.nn.Sequential(gc.nn.Linear(4, 8), gc.nn.GELU("tanh"), gc.nn.LayerNorm(8)).eval()
    x = gc.randn(3, 4)
    traced = gc.jit.trace(model, x)
    (found,) = run(gc.onnx.export(traced), x.numpy())[:1]
    assert same(found, model(x).detach().numpy())


def test_a_file_is_written_and_lines_are_named(tmp_path: Path) -> None:
    x = gc.input("x", (2,))
    made = gc.onnx.export(gc.compile([x], gc.exp(x), target="reference"), tmp_path / "m.onnx")
    assert "test_onnx_export.py" in made.graph.node[0].doc_string
    program = gc.onnx.load(tmp_path / "m.onnx", target="reference")
    assert np.allclose(program(x=np.zeros(2, np.float32)), 1)


def test_ops_without_a_form_are_named_all_at_once() -> None:
    x = gc.input("x", (2,))
    program = gc.compile([x], gc.lgamma(x) + gc.digamma(x), target="reference")
    with pytest.raises(gc.errors.UnsupportedError, match="no form for lgamma, digamma"):
        gc.onnx.export(program)
    with pytest.raises(gc.errors.ArgumentError, match="opset 3; 18 to 23 are written"):
        gc.onnx.export(program, opset=3)
