"""Models read: calls, sizes, parameters, gradients, modules."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc as gc

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
import onnx_models  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def _weights(model: Any) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def _perceptron(model: Any, x: np.ndarray) -> np.ndarray:
    w = _weights(model)
    return np.maximum(x @ w["w1"] + w["b1"], 0) @ w["w2"]


def test_one_program_for_all_sizes_by_position_or_name() -> None:
    model = onnx_models.perceptron()
    program = gc.onnx.load(model)
    assert isinstance(program, gc.Program)
    for rows in (1, 5):
        x = np.random.default_rng(rows).standard_normal((rows, 4)).astype(np.float32)
        assert np.allclose(program(x), _perceptron(model, x), atol=1e-5)
        assert np.array_equal(program(x=x), program(x))
    assert str(program.graph.inputs[0].type) == "f32[n, 4]"


def test_shape_arithmetic_is_folded_into_sizes() -> None:
    program = gc.onnx.load(onnx_models.convolution(), target="reference")
    assert isinstance(program, gc.Program)
    names = {node.op.name for node in program.history[0][1].nodes}
    assert not names & {"size", "concat", "take"}
    assert program(np.ones((3, 1, 6, 6), np.float32)).shape == (3, 18)


def test_weights_are_parameters_that_are_trained() -> None:
    model = onnx_models.perceptron()
    program = gc.onnx.load(model, target="reference")
    graph = program.history[0][1]
    (y,) = graph.outputs
    x = next(n for n in graph.inputs if n.name == "x")
    parameters = [n for n in graph.inputs if isinstance(n, gc.Parameter)]
    assert sorted(p.name for p in parameters) == ["b1", "w1", "w2"]
    t = gc.input("t", (x.type.shape[0],), gc.int64)
    loss = gc.cross_entropy(y, t)
    pairs = zip(parameters, gc.grad(loss, parameters))
    step = gc.compile([x, t], loss, updates={p: p - 0.1 * g for p, g in pairs})
    data = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    labels = np.arange(8) % 3
    losses = [float(step(data, labels)) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    # The program that was loaded has the same parameters.
    assert np.allclose(program(data), gc.compile([x], y, target="reference")(data))
    assert not np.allclose(program(data), _perceptron(model, data))


def test_a_module_of_a_model_has_its_gradients() -> None:
    proto = onnx_models.perceptron()
    module = gc.onnx.to_module(proto)
    w = {k: gc.tensor(v, requires_grad=True) for k, v in _weights(proto).items()}
    data = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    x, other = (gc.tensor(data, requires_grad=True) for _ in range(2))
    module(x).square().sum().backward()
    (gc.relu(other @ w["w1"] + w["b1"]) @ w["w2"]).square().sum().backward()
    assert np.allclose(x.grad.numpy(), other.grad.numpy(), rtol=1e-4, atol=1e-4)
    for name, parameter in module.named_parameters():
        assert np.allclose(parameter.grad.numpy(), w[name].grad.numpy(), rtol=1e-4, atol=1e-4)


def test_a_loop_runs_as_often_as_an_input_says() -> None:
    program = gc.onnx.load(onnx_models.loop())
    assert isinstance(program, gc.Program)
    for count in (0, 1, 5):
        found = program(count, np.array([1.0, -3.0], np.float32))
        assert np.array_equal(found, np.array([1.0, -3.0]) * 2**count)


def test_a_branch_is_taken_by_its_condition() -> None:
    program = gc.onnx.load(onnx_models.branch())
    x = np.array([0.0, 1.0], np.float32)
    assert np.allclose(program(True, x), np.exp(x)) and np.allclose(program(False, x), -x)


def test_structure_that_values_decide_on() -> None:
    nodes = [("ReduceSum", ["x", "axes"], ["y"], {"keepdims": 0})]
    model = onnx_models.model(nodes, {"x": ("n", 3), "axes": ((1,), np.int64)}, {"y": None})
    program = gc.onnx.load(model, target="reference")
    for rows in (2, 4):
        x = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)
        for axis in (0, 1, -1):
            assert np.array_equal(program(x, np.array([axis])), x.sum(axis))
    assert len(program.programs) == 3
    fixed = gc.onnx.load(model, inputs={"axes": np.array([0])}, target="reference")
    assert np.array_equal(fixed(x), x.sum(0))


def test_sizes_that_must_fit_are_multiples() -> None:
    # Halved and doubled again, a size is itself where it is even.
    nodes = [
        ("MaxPool", ["x"], ["p"], {"kernel_shape": [2], "strides": [2]}),
        ("Resize", ["p", "", "s"], ["r"], {"mode": "nearest", "nearest_mode": "floor",
                                           "coordinate_transformation_mode": "asymmetric"}),
        ("Add", ["x", "r"], ["y"]),
    ]  # fmt: skip
    scales = {"s": np.array([1, 1, 2], np.float32)}
    model = onnx_models.model(nodes, {"x": ("n", 1, "w")}, {"y": None}, scales)
    program = gc.onnx.load(model, target="reference")
    for shape in ((1, 1, 8), (2, 1, 16), (3, 1, 40)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        pooled = x.reshape(*shape[:2], -1, 2).max(-1)
        assert np.allclose(program(x), x + np.repeat(pooled, 2, -1))
    assert len(program.programs) == 1
    with pytest.raises(gc.errors.ShapeError):
        program(np.ones((1, 1, 7), np.float32))


def test_names_that_are_no_identifiers() -> None:
    model = onnx_models.model([("Neg", ["in.put:0"], ["y"])], {"in.put:0": (2,)}, {"y": (2,)})
    program = gc.onnx.load(model, target="reference")
    x = np.ones(2, np.float32)
    assert np.array_equal(program(**{"in.put:0": x}), -x) and np.array_equal(program(x), -x)


def test_float8_and_int4_are_stored() -> None:
    nodes = [("Cast", ["x"], ["y"], {"to": TensorProto.FLOAT8E4M3FN}),
             ("Cast", ["y"], ["z"], {"to": TensorProto.FLOAT})]  # fmt: skip
    model = onnx_models.model(nodes, {"x": ("n",)}, {"z": ("n",)}, opset=23)
    x = np.array([1.06, -300.0, 0.001, 1e9, np.nan, -0.0], np.float32)
    found = gc.onnx.load(model, target="reference")(x)
    wanted = np.clip(x, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    assert np.array_equal(found, wanted, equal_nan=True)


def test_functions_of_a_model() -> None:
    body = [helper.make_node("Mul", ["a", "a"], ["s"]), helper.make_node("Add", ["s", "b"], ["c"])]
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "F", ["a", "b"], ["c"], body, imports[:1])
    node = helper.make_node("F", ["x", "x"], ["y"], domain="own")
    model = onnx_models.model(
        [node], {"x": (3,)}, {"y": (3,)}, functions=[function], opset_imports=imports
    )
    x = np.array([1.0, 2.0, -3.0], np.float32)
    assert np.allclose(gc.onnx.load(model, target="reference")(x), x * x + x)


def test_a_loaded_program_is_saved_as_others_are(tmp_path: Any) -> None:
    model = onnx_models.perceptron()
    x = np.ones((2, 4), np.float32)
    gc.jit.save(gc.onnx.load(model), tmp_path / "m.gcz")
    assert np.allclose(gc.jit.load(tmp_path / "m.gcz")(x), _perceptron(model, x), atol=1e-5)


def test_coverage_lists_what_is_read() -> None:
    lines = gc.onnx.coverage().splitlines()
    count, total = int(lines[0].split()[0]), int(lines[0].split()[2])
    assert 200 <= count <= total == len(lines) - 1
    assert "Conv  1 11 22" in lines and any(line.startswith("ImageDecoder  (20)") for line in lines)


def test_arguments_that_are_wrong() -> None:
    nodes = [("ReduceSum", ["x", "axes"], ["y"], {"keepdims": 0})]
    model = onnx_models.model(nodes, {"x": ("n", 3), "axes": ((1,), np.int64)}, {"y": None})
    program = gc.onnx.load(model, target="reference")
    x = np.ones((2, 3), np.float32)
    with pytest.raises(gc.errors.ArgumentError, match="input 'axes' is missing"):
        program(x)
    with pytest.raises(gc.errors.ArgumentError, match="takes 2 inputs, got 3"):
        program(x, [0], 1)
    with pytest.raises(gc.errors.ArgumentError, match="'q' is unknown"):
        program(x, q=1)
    with pytest.raises(gc.errors.ArgumentError, match="float64, not float32"):
        program(x.astype(np.float64), [0])
    with pytest.raises(gc.errors.ArgumentError, match="there is no input 'q'"):
        gc.onnx.load(model, inputs={"q": (1,)})
