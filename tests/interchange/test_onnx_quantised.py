"""Quantised models in QDQ form are products of integers, and give ONNX Runtime's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is what results are compared with")
from onnx import helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(5)


def _init(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def _qdq(name: str, dtype: Any, zero: int, scale: float) -> tuple[list[Any], list[Any]]:
    """Nodes from `name` to `name_d` through small integers, and their initialisers."""
    nodes = [
        helper.make_node("QuantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_q"]),
        helper.make_node(
            "DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [f"{name}_d"]
        ),
    ]
    return nodes, [_init(f"{name}_s", np.float32(scale)), _init(f"{name}_z", dtype(zero))]


def _weight(name: str, shape: Any, axis: int, zeros: Any = None) -> tuple[Any, list[Any]]:
    """A weight of int8 with a scale for each output."""
    scale = RNG.uniform(0.01, 0.02, shape[axis]).astype(np.float32)
    zero = np.zeros(shape[axis], np.int8) if zeros is None else zeros
    q = RNG.integers(-127, 128, shape).astype(np.int8)
    inputs = [f"{name}_q", f"{name}_s", f"{name}_z"]
    node = helper.make_node("DequantizeLinear", inputs, [name], axis=axis)
    return node, [_init(n, v) for n, v in zip(inputs, (q, scale, zero))]


def _model(nodes: Any, inits: Any, shape: Any) -> bytes:
    info = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", shape), ("y", None))]
    graph = helper.make_graph(nodes, "quantised", info[:1], info[1:], inits)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _network(dtype: Any, zero: int) -> bytes:
    """A convolution, a ReLU, a product whose weight is transposed, each of rounded numbers."""
    first, a = _qdq("x", dtype, zero, 0.02)
    w, b = _weight("w", (5, 3, 3, 3), 0)
    second, c = _qdq("h", np.uint8, 0, 0.05)
    v, d = _weight("v", (4, 5), 0)
    nodes = [
        *first, w,
        helper.make_node("Conv", ["x_d", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["h"], axes=[2, 3], keepdims=0),
        *second, v,
        helper.make_node("Gemm", ["h_d", "v"], ["y"], transB=1),
    ]  # fmt: skip
    bias = _init("b", RNG.normal(size=5).astype(np.float32))
    return _model(nodes, [*a, *b, *c, *d, bias], ["n", 3, "h", "w"])


def _ops(program: Any) -> list[str]:
    return [node.op.name for node in program.history[0][1].nodes]


@pytest.mark.parametrize(("dtype", "zero"), [(np.uint8, 120), (np.int8, 0), (np.int8, -5)])
def test_a_network_in_qdq_form_is_of_integer_products(dtype: Any, zero: int) -> None:
    model = _network(dtype, zero)
    program = gc.onnx.load(model, target="reference")
    names = _ops(program)
    assert names.count("matmul_integer") == 2 and not {"conv", "matmul"} & {*names}
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for shape in ((2, 3, 8, 9), (1, 3, 5, 4)):
        x = RNG.normal(size=shape).astype(np.float32)
        (wanted,) = session.run(None, {"x": x})
        # A number half-way between two integers may be rounded to the other one.
        step = 0.05 * 127 * 0.02
        np.testing.assert_allclose(program(x), wanted, rtol=1e-4, atol=step)
        assert np.abs(program(x) - wanted).mean() < step / 20


def test_sums_that_could_leave_int32_stay_floats() -> None:
    first, a = _qdq("x", np.uint8, 7, 0.02)
    w, b = _weight("w", (40_000, 2), 1, np.array([3, 0], np.int8))
    nodes = [*first, w, helper.make_node("MatMul", ["x_d", "w"], ["y"])]
    program = gc.onnx.load(_model(nodes, [*a, *b], ["n", 40_000]), target="reference")
    assert "matmul" in _ops(program)


def test_a_scale_along_the_sum_stays_floats() -> None:
    first, a = _qdq("x", np.uint8, 7, 0.02)
    w, b = _weight("w", (6, 2), 0)
    nodes = [*first, w, helper.make_node("MatMul", ["x_d", "w"], ["y"])]
    program = gc.onnx.load(_model(nodes, [*a, *b], ["n", 6]), target="reference")
    assert "matmul" in _ops(program)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["dynamic", "operators", "qdq"])
def test_what_ONNX_Runtime_quantised_gives_its_results(kind: str, tmp_path: Any) -> None:
    tools = pytest.importorskip("onnxruntime.quantization", reason="it needs more packages")
    x = gc.input("x", (gc.dim("n"), 64))
    w, v = (
        gc.parameter(n, RNG.normal(size=s).astype(np.float32) / 8)
        for n, s in (("w", (64, 48)), ("v", (48, 10)))
    )
    program = gc.compile([x], gc.relu(x @ w) @ v, target="reference")
    plain, made = str(tmp_path / "plain.onnx"), str(tmp_path / "made.onnx")
    gc.onnx.export(program, plain)
    seen = [{"x": RNG.normal(size=(32, 64)).astype(np.float32)} for _ in range(3)]

    class Reader(tools.CalibrationDataReader):  # type: ignore[name-defined]
        left = iter(seen)

        def get_next(self) -> Any:
            return next(self.left, None)

    if kind == "dynamic":
        tools.quantize_dynamic(plain, made, weight_type=tools.QuantType.QInt8)
    else:
        form = tools.QuantFormat.QDQ if kind == "qdq" else tools.QuantFormat.QOperator
        tools.quantize_static(plain, made, Reader(), quant_format=form)
    session = ort.InferenceSession(made, providers=["CPUExecutionProvider"])
    loaded = gc.onnx.load(made)
    for n in (1, 7, 32):
        given = RNG.normal(size=(n, 64)).astype(np.float32)
        (wanted,) = session.run(None, {"x": given})
        # A sum rounded the other way in between is a step of 1/255 of the range.
        np.testing.assert_allclose(loaded(given), wanted, atol=np.abs(wanted).max() / 60)
        assert np.abs(loaded(given) - wanted).mean() < np.abs(wanted).max() / 500
