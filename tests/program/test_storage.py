"""`gc.save` and `gc.load`: structures come back as they were; damaged files are clear errors."""

from __future__ import annotations

import builtins
import errno
import json
import math
import os
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core import dtypes, files
from graphc.errors import ArgumentError, FormatError, GraphcError, MissingFileError, StorageError
from graphc.storage import load, save


def header_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def write_raw(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def same(a: Any, b: Any) -> bool:
    """Whether two structures are equal: types, order, dtypes, bits."""
    if isinstance(a, gc.Tensor):
        return (
            isinstance(b, gc.Tensor) and a.requires_grad == b.requires_grad
            and same(a.detach().numpy(), b.detach().numpy())
        )  # fmt: skip
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b or (a != a and b != b))


def test_every_dtype_and_shape_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {}
    for dtype in dtypes.ALL:
        for shape in ((), (0,), (3,), (2, 0, 3), (2, 3)):
            array = np.asarray(rng.integers(0, 2, shape)).astype(dtype.numpy)
            tensors[f"{dtype.name}{shape}"] = gc.from_numpy(array)
    save(tensors, tmp_path / "a.safetensors")
    assert same(load(tmp_path / "a.safetensors"), tensors)


def test_structures_come_back(tmp_path: Path) -> None:
    value = {
        "model": OrderedDict([("b.weight", gc.ones(2, 3)), ("a", gc.zeros(1))]),
        "optimizer": {
            "state": {0: {"step": gc.tensor(3.0), "buffer": None}, 1: {}},
            "param_groups": [
                {"lr": 1e-3, "betas": (0.9, 0.999), "params": [0, 1], "nesterov": True}
            ],
        },
        "numbers": [0, -1, 1 << 70, 1.5, -0.0, math.inf, -math.inf, math.nan, True, None, "text é"],
        (1, "a"): {2.5: "key", None: [], "": ()},
        "arrays": [np.arange(3), np.float32(2.5)],
        "shape": gc.ones(2, 3).shape,
        "dtype": gc.float16,
        "device": gc.device("cpu"),
        "leaf": gc.ones(2, requires_grad=True),
    }
    save(value, tmp_path / "a")
    found = load(tmp_path / "a")
    assert same(found, value)
    assert math.copysign(1, found["numbers"][4]) == -1


def test_a_tensor_in_two_places_is_one_again(tmp_path: Path) -> None:
    w = gc.ones(3)
    save({"a": w, "b": [w], "c": gc.ones(3)}, tmp_path / "a")
    found = load(tmp_path / "a")
    assert found["a"] is found["b"][0] and found["a"] is not found["c"]
    save({"encoder.weight": w, "decoder.weight": w}, tmp_path / "tied")
    tied = load(tmp_path / "tied")
    assert tied["encoder.weight"] is tied["decoder.weight"]
    assert set(header_of(tmp_path / "tied")) == {"encoder.weight", "decoder.weight", "__metadata__"}


def test_names_that_collide_are_told_apart(tmp_path: Path) -> None:
    value = {"a.b": gc.ones(1), "a": {"b": gc.zeros(1)}, "__metadata__": gc.ones(2)}
    save(value, tmp_path / "a")
    assert same(load(tmp_path / "a"), value)


def test_views_and_strides_are_written_in_order(tmp_path: Path) -> None:
    base = gc.arange(12).reshape(3, 4)
    save([base.T, base[1], base[:, ::2], base.flip(0)], tmp_path / "a")
    found = load(tmp_path / "a")
    assert found[0].tolist() == base.T.tolist() and found[1].tolist() == [4, 5, 6, 7]
    assert found[2].tolist() == base[:, ::2].tolist()


def test_a_state_dict_trains_on(tmp_path: Path) -> None:
    def trained(model: Any, optimizer: Any, steps: int) -> None:
        for k in range(steps):
            x = gc.from_numpy(np.random.default_rng(k).normal(size=(4, 3)).astype(np.float32))
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

    gc.manual_seed(0)
    model = gc.nn.Linear(3, 2)
    optimizer = gc.optim.Adam(model.parameters(), lr=0.1)
    trained(model, optimizer, 3)
    save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "a")
    other = gc.nn.Linear(3, 2)
    again = gc.optim.Adam(other.parameters(), lr=0.5)
    state = load(tmp_path / "a")
    other.load_state_dict(state["model"])
    again.load_state_dict(state["optimizer"])
    trained(model, optimizer, 3)
    trained(other, again, 3)
    assert same(dict(model.state_dict()), dict(other.state_dict()))


def test_the_file_is_what_the_format_says(tmp_path: Path) -> None:
    save({"w": gc.tensor([1.0, 2.0]), "n": gc.tensor([7])}, tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0 and data[8:9] == b"{"
    found = header_of(tmp_path / "a")
    assert found["n"] == {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}
    assert found["w"] == {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}
    body = data[8 + length :]
    assert body == np.int64(7).tobytes() + np.float32([1, 2]).tobytes()  # type: ignore[arg-type]


# --- other libraries


def test_the_safetensors_package_reads_and_writes_it(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy")
    rng = np.random.default_rng(1)
    arrays = {
        "fc.weight": rng.normal(size=(4, 3)).astype(np.float32), "mask": np.array([True, False]),
        "half": np.float16([1.5]), "empty": np.zeros((0, 2), np.int8), "scalar": np.array(3.0),  # type: ignore[arg-type]
    }  # fmt: skip
    save({k: gc.from_numpy(v) for k, v in arrays.items()}, tmp_path / "ours")  # type: ignore[arg-type]
    theirs = package.load_file(tmp_path / "ours")
    assert same({k: theirs[k] for k in arrays}, arrays)
    package.save_file(arrays, tmp_path / "theirs", metadata={"format": "pt"})
    found = load(tmp_path / "theirs")
    assert type(found) is dict and same({k: found[k].numpy() for k in arrays}, arrays)


@pytest.mark.parity
def test_torch_reads_and_writes_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    package = pytest.importorskip("safetensors.torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    package.save_file(theirs.state_dict(), tmp_path / "theirs")
    ours = gc.nn.Sequential(gc.nn.Linear(3, 4), gc.nn.Linear(4, 2))
    ours.load_state_dict(load(tmp_path / "theirs"))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        ours(gc.from_numpy(x)).detach().numpy(),
        theirs(torch.from_numpy(x)).detach().numpy(),
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    save(ours.state_dict(), tmp_path / "ours")
    again = package.load_file(tmp_path / "ours")
    assert set(again) == set(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(again[name], value)
    values = torch.tensor([1.0, -2.5, 3.140625, float("inf"), 1e-40]).bfloat16()
    package.save_file({"x": values, "s": values[0].clone()}, tmp_path / "bf16")
    found = load(tmp_path / "bf16")
    assert found["x"].dtype is gc.bfloat16 and found["s"].item() == 1.0
    assert found["x"].tolist() == values.float().tolist()
    save({"x": found["x"]}, tmp_path / "bf16")
    assert torch.equal(package.load_file(tmp_path / "bf16")["x"], values)
    package.save_file({"x": values.to(torch.float8_e4m3fn)}, tmp_path / "f8")
    with pytest.raises(FormatError, match="'x' is 'F8_E4M3', a dtype that graphc does not have"):
        load(tmp_path / "f8")


def test_bfloat16_is_read_and_written(tmp_path: Path) -> None:
    words = np.array([0x3F80, 0xC020, 0x7F80, 0x7FC0, 0x0001], np.uint16)
    entry = {"dtype": "BF16", "shape": [5], "data_offsets": [0, 10]}
    tensor = load(write_raw(tmp_path / "a", {"x": entry}, words.tobytes()))["x"]
    assert tensor.dtype is gc.bfloat16
    save({"x": tensor}, tmp_path / "b")
    assert (tmp_path / "b").read_bytes().endswith(words.tobytes())
    found = tensor.float().numpy()
    assert found[:3].tolist() == [1.0, -2.5, math.inf] and np.isnan(found[3])
    assert found[4] == np.float32(2.0**-133)


# --- what is not so


def lines(error: BaseException) -> str:
    assert len(str(error).splitlines()) <= 12
    return "\n".join(line for line in str(error).splitlines() if not line.startswith("  at "))


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as found:
        save({"model": [gc.ones(1), gc.nn.Linear(1, 1)]}, tmp_path / "a")
    assert lines(found.value) == (
        "save: model.1 is a Linear, which a file of tensors cannot hold\n"
        "  hint: it holds dicts, lists, tuples, tensors, arrays, numbers, text and None; save a "
        "module's or an optimizer's state_dict()"
    )
    with pytest.raises(ArgumentError, match="an array of <U1"):
        save(np.array(["a"]), tmp_path / "a")
    with pytest.raises(ArgumentError, match="the key b'x' in the dict is a bytes"):
        save({b"x": 1}, tmp_path / "a")
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ArgumentError, match="nested more than 100 deep"):
        save(deep, tmp_path / "a")
    with pytest.raises(ArgumentError, match="3 is not a path"):
        save({}, 3)
    assert not (tmp_path / "a").exists()


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no file") as found:
        load(tmp_path / "nothing")
    assert isinstance(found.value, FileNotFoundError) and isinstance(found.value, OSError)
    with pytest.raises(MissingFileError, match="there is no folder"):
        save({}, tmp_path / "no" / "where")
    with pytest.raises(StorageError):
        load(tmp_path)
    with pytest.raises(StorageError, match="is there and is no file"):
        save({}, tmp_path)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a"
    save({"x": gc.ones(2)}, path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="was not written: No space left on device"):
        save({"x": gc.zeros(2)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a"]


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path, monkeypatch: Any) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save({"x": gc.ones(2)}, tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_modes_and_links_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    save({}, path)
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    path.chmod(0o600)
    link.symlink_to(path)
    save({"x": gc.ones(1)}, link)
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o600
    assert load(path)["x"].tolist() == [1.0]


@pytest.mark.parametrize("cut", [0, 3, 8, 20, 60, -1, -9])
def test_a_truncated_file_is_said_to_be_so(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a"
    save({"x": gc.ones(4)}, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FormatError, match="cut short"):
        load(path)


def test_files_of_other_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FormatError, match=r"gc\.jit\.load reads the programs"):
        load(tmp_path / "zip")
    (tmp_path / "pickle").write_bytes(b"\x80\x02" + bytes(100))
    with pytest.raises(FormatError, match="it is a pickle, which can run code"):
        load(tmp_path / "pickle")


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BAD_HEADERS: list[tuple[Any, str]] = [
    (b"[]", "no JSON object"),
    (b'{"x": ', "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b'{"x": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}', "no JSON"),
    (b'{"x": 1, "x": 1}', "stands in it twice"),
    ({"__metadata__": {"a": 1}}, "metadata"),
    ({"x": 3}, "no dtype, shape and data_offsets"),
    ({"x": {**ENTRY, "more": 1}}, "no dtype, shape and data_offsets"),
    ({"x": {**ENTRY, "dtype": "F128"}}, "'F128', a dtype that graphc does not have"),
    ({"x": {**ENTRY, "dtype": {}}}, "a dtype that graphc does not have"),
    ({"x": {**ENTRY, "shape": [-2]}}, "has the shape"),
    ({"x": {**ENTRY, "shape": [True, 2]}}, "has the shape"),
    ({"x": {**ENTRY, "shape": [1 << 40, 1 << 40]}}, "bytes, not 8"),
    ({"x": {**ENTRY, "shape": [1] * 100}}, "has the shape"),
    ({"x": {**ENTRY, "data_offsets": [8, 0]}}, "has the data_offsets"),
    ({"x": {**ENTRY, "data_offsets": [0, 1 << 62]}}, "has the data_offsets"),
    ({"x": ENTRY, "y": {**ENTRY, "data_offsets": [4, 12]}}, "begins at byte 4, not 8"),
    ({"x": {**ENTRY, "data_offsets": [8, 16]}}, "begins at byte 8, not 0"),
    ({"x": {**ENTRY, "shape": [4], "data_offsets": [0, 16]}}, "its header tells of"),
    ({"__metadata__": {"graphc.structure": "["}, "x": ENTRY}, "its structure is no JSON"),
    ({"__metadata__": {"graphc.structure": '["tensor", "y"]'}, "x": ENTRY}, "not well formed"),
    ({"__metadata__": {"graphc.structure": '["exec", "x"]'}, "x": ENTRY}, "not well formed"),
    ({"__metadata__": {"graphc.structure": "[" * 5000}, "x": ENTRY}, "no JSON"),
    (
        {"__metadata__": {"graphc.structure": '["list", [' * 200 + "1" + "]]" * 200}, "x": ENTRY},
        "nested too deep",
    ),
    ({"__metadata__": {"graphc.structure": '["dict", [[["list", []], 1]]]'}, "x": ENTRY}, "formed"),
]


@pytest.mark.parametrize(("header", "message"), BAD_HEADERS)
def test_every_malformed_header_is_a_clear_error(tmp_path: Path, header: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message) as found:
        load(write_raw(tmp_path / "a", header, bytes(8)))
    assert len(str(found.value).splitlines()) <= 12 and len(str(found.value)) < 1000


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(FormatError, match="cut short"):
        load(tmp_path / "a")


def test_mutated_files_are_errors_or_data(tmp_path: Path) -> None:
    """2,000 seeded mutations: never another exception, never a hang."""
    save({"a": [gc.ones(2, 3), {"b": gc.tensor([1, 2])}], "n": 3}, tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    rng = random.Random(0)
    path = tmp_path / "b"
    for _ in range(2000):
        found = bytearray(data)
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(found))
            if rng.random() < 0.7:
                found[at] = rng.choice(b'\0\xff"{}[],:0129afx')
            else:
                del found[at : at + rng.randrange(9)]
        path.write_bytes(found)
        try:
            load(path)
        except GraphcError as error:
            assert len(str(error).splitlines()) <= 12


def test_loading_takes_pytorchs_arguments(tmp_path: Path) -> None:
    save(gc.ones(2), tmp_path / "a")
    assert load(tmp_path / "a", map_location="cpu", weights_only=True).tolist() == [1.0, 1.0]
    with pytest.raises(ArgumentError, match="weights_only=False"):
        load(tmp_path / "a", weights_only=False)


def test_nothing_is_ever_run(tmp_path: Path, monkeypatch: Any) -> None:
    save({"x": gc.ones(1)}, tmp_path / "a")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("run")

    monkeypatch.setattr(builtins, "eval", refuse)
    monkeypatch.setattr(builtins, "exec", refuse)
    assert load(tmp_path / "a")["x"].tolist() == [1.0]
    assert files.MAX_HEADER == 100_000_000


def test_a_loaded_program_shares_the_parameters_that_it_is_given(tmp_path: Path) -> None:
    x, ones = gc.input("x", (3,)), np.ones(3, np.float32)
    w, b = (gc.parameter(name, np.zeros(3, np.float32)) for name in "wb")
    gc.compile([x], w * 2.0 + x * b, updates={b: b + x}).save(tmp_path / "f.gcz")
    other = gc.parameter("other", np.zeros(3, np.float32))
    step = gc.compile([x], other.sum(), updates={w: w + x, other: other + 1.0})
    shared = gc.jit.load(tmp_path / "f.gcz", share=step)
    alone = gc.jit.load(tmp_path / "f.gcz")
    tensor = gc.zeros(3)
    mixed = gc.jit.load(tmp_path / "f.gcz", share={"w": w, "b": tensor})
    step(ones)
    for program, expected in ((shared, 2.0), (alone, 0.0), (mixed, 2.0)):
        np.testing.assert_array_equal(program(ones), np.full(3, expected))
    np.testing.assert_array_equal(tensor.numpy(), ones)
    np.testing.assert_array_equal(b.value, np.zeros(3))
    for wrong, message in (
        ({"v": w}, "no parameter 'v' to share"), ({"w": ones}, "no parameter$|no parameter\n"),
        ({"w": gc.parameter("w", np.zeros(4, np.float32))}, "is to share"),
    ):  # fmt: skip
        with pytest.raises(gc.errors.GraphcError, match=message):
            gc.jit.load(tmp_path / "f.gcz", share=wrong)
