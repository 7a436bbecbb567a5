"""Small ONNX models for tests, and damaged copies of them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def model(
    nodes: Any, inputs: Any, outputs: Any, weights: Any = (), opset: int = 18, **options: Any
) -> onnx.ModelProto:
    """A model of float32 inputs and outputs.

    Args:
        nodes: (operator, inputs, outputs, attributes) or made nodes.
        inputs, outputs: names with shapes, in a dict; a dtype may stand beside the shape.
        weights: arrays by name.
        opset: of ONNX's own operators.
        options: fields of `make_model`.
    """
    made = [
        n if isinstance(n, onnx.NodeProto)
        else helper.make_node(n[0], n[1], n[2], **(n[3] if len(n) > 3 else {}))
        for n in nodes
    ]  # fmt: skip
    graph = helper.make_graph(
        made, "g", [_info(n, s) for n, s in inputs.items()],
        [_info(n, s) for n, s in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in dict(weights).items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, **{"opset_imports": imports, "ir_version": 10, **options})


def _info(name: str, shape: Any) -> onnx.ValueInfoProto:
    dtype = np.float32
    if isinstance(shape, tuple) and len(shape) == 2 and isinstance(shape[1], type):
        shape, dtype = shape
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
    )


def perceptron(seed: int = 0) -> onnx.ModelProto:
    """Two linear layers, of any number of rows."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.standard_normal((4, 8)).astype(np.float32),
        "b1": rng.standard_normal(8).astype(np.float32),
        "w2": rng.standard_normal((8, 3)).astype(np.float32),
    }
    nodes = [
        ("Gemm", ["x", "w1", "b1"], ["h"]), ("Relu", ["h"], ["r"]), ("MatMul", ["r", "w2"], ["y"]),
    ]  # fmt: skip
    return model(nodes, {"x": ("n", 4)}, {"y": ("n", 3)}, weights)


def convolution() -> onnx.ModelProto:
    """A convolution, pooling, and a reshape by the batch's size."""
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.standard_normal((2, 1, 3, 3)).astype(np.float32),
        "zero": np.array([0], np.int64), "one": np.array([1], np.int64),
        "rest": np.array([-1], np.int64),
    }  # fmt: skip
    nodes = [
        ("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}),
        ("MaxPool", ["c"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Shape", ["p"], ["s"]), ("Slice", ["s", "zero", "one"], ["n"]),
        ("Concat", ["n", "rest"], ["t"], {"axis": 0}), ("Reshape", ["p", "t"], ["y"]),
    ]  # fmt: skip
    return model(nodes, {"x": ("n", 1, 6, 6)}, {"y": ("n", 18)}, weights)


def loop() -> onnx.ModelProto:
    """A value doubled as often as an input says."""
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "v"], ["w"]), helper.make_node("Identity", ["on"], ["go"])],
        "body",
        [
            helper.make_tensor_value_info("k", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [2]),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]),
        ],
    )
    nodes = [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)]
    return model(nodes, {"count": ((), np.int64), "x": (2,)}, {"y": (2,)})


def branch() -> onnx.ModelProto:
    """One of two branches."""
    graphs = [
        helper.make_graph(
            [helper.make_node(op, ["x"], ["z"])], op, [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
        )
        for op in ("Exp", "Neg")
    ]  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=graphs[0], else_branch=graphs[1])
    return model([node], {"c": ((), np.bool_), "x": (2,)}, {"y": (2,)})


MODELS = (perceptron, convolution, loop, branch)


def damaged(data: bytes, seed: int) -> bytes:
    """A copy of a file with some of its bytes changed, lost, doubled or moved."""
    rng = random.Random(seed)
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.randrange(len(found)) if found else 0
        kind = rng.randrange(6)
        if kind == 0 and found:
            found[place] = rng.randrange(256)
        elif kind == 1 and found:
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del found[place : place + rng.randrange(1, 16)]
        elif kind == 3:
            found[place:place] = found[place : place + rng.randrange(1, 64)]
        elif kind == 4:
            found[place:place] = bytes([rng.randrange(128, 256)] * rng.randrange(1, 9))
        else:
            other = rng.randrange(len(found)) if found else 0
            found[place : place + 8] = found[other : other + 8]
    return bytes(found)
