"""Damaged and hostile ONNX files: a clear error, memory within bounds, nothing written."""

from __future__ import annotations

import resource
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
import onnx_models  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def _tried(data: bytes) -> str:
    """What becomes of a file: the name of its error, or "" where it is read."""
    try:
        gc.onnx.load(data, target="reference")
    except gc.errors.GraphcError as error:
        assert len(str(error).splitlines()) <= 12
        return type(error).__name__
    return ""


def _fuzzed(seeds: range) -> set[str]:
    files = [make().SerializeToString() for make in onnx_models.MODELS]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:
            found.add(_tried(onnx_models.damaged(files[seed % len(files)], seed)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500_000, f"{grown} KB more memory"
    return found


def test_300_damaged_files_are_read_or_refused() -> None:
    found = _fuzzed(range(300))
    assert {"", "FormatError"} <= found


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_10_000_damaged_files_are_read_or_refused(part: int) -> None:
    _fuzzed(range(1000 * part, 1000 * part + 1000))


def _refused(model: Any, text: str, error: type[Exception] = gc.errors.FormatError) -> None:
    with pytest.raises(error, match=text):
        gc.onnx.load(model)


def test_a_cycle_is_named() -> None:
    nodes = [("Add", ["x", "b"], ["a"]), ("Neg", ["a"], ["b"])]
    _refused(
        onnx_models.model(nodes, {"x": (2,)}, {"b": (2,)}), r"node 'a' \(Add\) depends on itself"
    )


def test_nodes_may_stand_in_any_order() -> None:
    nodes = [("Neg", ["a"], ["b"]), ("Exp", ["x"], ["a"])]
    program = gc.onnx.load(onnx_models.model(nodes, {"x": (2,)}, {"b": (2,)}))
    assert np.allclose(program(np.zeros(2, np.float32)), -1)


def test_a_name_that_nothing_makes_is_named() -> None:
    _refused(
        onnx_models.model([("Neg", ["q"], ["y"])], {"x": (2,)}, {"y": (2,)}), "reads 'q', which"
    )
    _refused(
        onnx_models.model([("Neg", ["x"], ["y"])], {"x": (2,)}, {"z": (2,)}), "reads 'z', which"
    )


def test_an_output_of_two_nodes_is_refused() -> None:
    nodes = [("Neg", ["x"], ["y"]), ("Exp", ["x"], ["y"])]
    _refused(onnx_models.model(nodes, {"x": (2,)}, {"y": (2,)}), "'y' is made by two nodes")


def test_data_that_is_not_as_long_as_its_sizes_say() -> None:
    model = onnx_models.perceptron()
    model.graph.initializer[0].dims[0] = 5
    _refused(model, r"128 bytes for FLOAT\[5, 8\], 160")
    model.graph.initializer[0].dims[0] = 2**40
    _refused(model, "128 bytes for FLOAT")
    model.graph.initializer[0].dims[0] = -4
    _refused(model, "is negative")


def test_huge_sizes_take_no_memory_while_a_model_is_read() -> None:
    shape = np.array([2**20, 2**20], np.int64)
    nodes = [("ConstantOfShape", ["s"], ["c"]), ("Add", ["c", "x"], ["y"])]
    model = onnx_models.model(nodes, {"x": (2**20,)}, {"y": None}, {"s": shape})
    program = gc.onnx.load(model)
    with pytest.raises(gc.errors.OutOfMemoryError):
        program(np.zeros(2**20, np.float32))


def test_an_attribute_of_another_kind_or_name_is_refused() -> None:
    nodes: Any = [("Concat", ["x", "x"], ["y"], {"axis": 1.5})]
    _refused(
        onnx_models.model(nodes, {"x": (2, 2)}, {"y": None}), "attribute 'axis' is of another kind"
    )
    nodes = [("Neg", ["x"], ["y"], {"axes": 1})]
    _refused(onnx_models.model(nodes, {"x": (2, 2)}, {"y": None}), "no attribute 'axes'")
    nodes = [("Concat", ["x", "x"], ["y"])]
    _refused(onnx_models.model(nodes, {"x": (2, 2)}, {"y": None}), "attribute 'axis' is missing")


def test_functions_that_call_each_other_end() -> None:
    one = helper.make_function(
        "own", "Twice", ["x"], ["y"], [helper.make_node("Twice", ["x"], ["y"], domain="own")],
        [helper.make_opsetid("own", 1)],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    node = helper.make_node("Twice", ["x"], ["y"], domain="own")
    model = onnx_models.model(
        [node], {"x": (2,)}, {"y": (2,)}, functions=[one], opset_imports=imports
    )
    _refused(model, "functions within each other, over 64 deep")


def _with_external(location: str, **facts: Any) -> Any:
    model = onnx_models.perceptron()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **facts}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return model


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "", "a/../../secret", "link"])
def test_external_data_stays_in_the_folder_of_the_model(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(128))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    onnx.save(_with_external(location), folder / "m.onnx")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(gc.errors.FormatError, match="leads out|no path"):
        gc.onnx.load(folder / "m.onnx")
    assert sorted(tmp_path.rglob("*")) == before


def test_external_data_is_read(tmp_path: Path) -> None:
    plain = onnx_models.perceptron()
    weights = numpy_helper.to_array(plain.graph.initializer[0])
    (tmp_path / "w.bin").write_bytes(b"0123" + weights.tobytes())
    onnx.save(_with_external("w.bin", offset=4, length=128), tmp_path / "m.onnx")
    x = np.ones((3, 4), np.float32)
    found = gc.onnx.load(tmp_path / "m.onnx", target="reference")(x)
    assert np.array_equal(found, gc.onnx.load(plain, target="reference")(x))
    onnx.save(_with_external("w.bin", offset=40, length=128), tmp_path / "short.onnx")
    _refused(tmp_path / "short.onnx", "ends before 168 bytes")
    _refused(_with_external("w.bin"), "stands in another file")


def test_what_is_not_supported_is_named_all_at_once() -> None:
    nodes = [
        helper.make_node("ImageDecoder", ["x"], ["a"], name="decode"),
        helper.make_node("Strange", ["a"], ["b"], domain="elsewhere", name="odd"),
        helper.make_node("Exp", ["b"], ["y"]),
    ]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("elsewhere", 3)]
    model = onnx_models.model(nodes, {"x": (2,)}, {"y": (2,)}, opset_imports=imports)
    with pytest.raises(gc.errors.UnsupportedError) as caught:
        gc.onnx.load(model)
    text = str(caught.value)
    assert (
        "ImageDecoder (opset 20): 'decode'" in text and "elsewhere:Strange (opset 3): 'odd'" in text
    )
    assert "hint" in text and "Exp" not in text


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    _refused(b"\xff\xff\xff", "no ONNX model")
    _refused(b"", "it has no graph")
    _refused(tmp_path / "nowhere.onnx", "there is no file", gc.errors.MissingFileError)
    _refused(3, "a int is no model", gc.errors.ArgumentError)
