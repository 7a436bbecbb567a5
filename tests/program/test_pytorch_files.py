"""PyTorch's files: read and written as `torch.load` and `torch.save` do, and nothing in them run.

`tests/golden/pytorch_zip.pt` and `pytorch_older.pt` are of `torch.save` (2.13), in both its forms.
"""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, FormatError, GraphcError

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FORMS = ("pytorch_zip.pt", "pytorch_older.pt")


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_torch_save_has_its_values(form: str) -> None:
    found = gc.load(GOLDEN / form)
    assert type(found) is OrderedDict and vars(found) == {"_metadata": {"": {"version": 1}}}
    assert isinstance(found["weight"], gc.nn.Parameter)
    assert found["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (found["half"].dtype, found["half"].tolist()) == (gc.float16, [1.5, -2.0])
    assert (found["bfloat"].dtype, found["bfloat"].tolist()) == (gc.bfloat16, [1.5, 3.0])
    assert found["flags"].tolist() == [True, False] and found["counts"].dtype is gc.int32
    assert tuple(found["none"].shape) == (0, 2) and found["scalar"].item() == 7
    assert (found["late"].dtype, found["late"].tolist()) == (gc.uint16, [1, 2])
    more = found["more"]
    assert np.array_equal(more.pop("array"), [0, 1, 2])
    assert more == {
        "epoch": 3, "lr": [0.5, None, True, "x"], "pair": (1, 2), "big": 2**70,
        "size": gc.Size([2, 3]), "dtype": gc.float16, "device": gc.device("cpu"),
        "bytes": b"ab", "set": {3}, "number": np.float32(2.5),
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_tensors_of_one_storage_share_memory_and_the_count_of_writes(form: str) -> None:
    found = gc.load(GOLDEN / form)
    whole, part = found["whole"], found["part"]
    assert part.stride() == (1, 3) and part.tolist() == [[2, 5], [3, 6], [4, 7]]
    whole.requires_grad_(False)[2] = 77.0
    assert part[0, 0].item() == 77.0 and part.version() is whole.version()


@pytest.mark.parametrize("form", FORMS)
def test_map_location_is_the_cpu_under_any_of_its_spellings(form: str) -> None:
    for where in ("cpu", gc.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert gc.load(GOLDEN / form, map_location=where)["scalar"].item() == 7
    for elsewhere in ("cuda", {"cpu": "cuda:0"}):
        with pytest.raises(AttributeValueError):
            gc.load(GOLDEN / form, map_location=elsewhere)


def _state() -> dict[Any, Any]:
    base = gc.arange(12.0)
    rest = [1, -2.5, float("inf"), 3j, None, True, "ü\n", (1, (2,)), gc.Size([2]), 2**70, b"\xff\0"]
    return {
        "whole": base, "part": base[2:8].view(2, 3).t(), "again": base,
        "late": gc.tensor([1, 2], dtype=gc.uint16),
        "half": gc.ones(2).half(), "bfloat": gc.tensor([1.5]).bfloat16(), "none": gc.zeros(0, 2),
        "spread": gc.ones(2, 1).expand(2, 3), "column": gc.arange(6.0).reshape(2, 3)[:, 1],
        "leaf": gc.ones(2, requires_grad=True), "weight": gc.nn.Parameter(gc.ones(2)),
        "rest": [*rest, {3}],
        "kinds": [gc.float16, gc.device("cpu")], 3: "key",
    }  # fmt: skip


def _same(found: Any, wanted: Any) -> None:
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        if hasattr(value, "tolist"):
            assert found[key].tolist() == value.tolist(), key
            assert repr(found[key].dtype).split(".")[-1] == value.dtype.name, key
            assert found[key].requires_grad == value.requires_grad, key


def test_what_is_saved_under_a_name_of_pytorchs_comes_back(tmp_path: Path) -> None:
    path, state = tmp_path / "state.pt", _state()
    state["list"] = state["rest"]
    gc.save(state, path)
    assert zipfile.ZipFile(path).testzip() is None
    found = gc.load(path)
    _same(found, state)
    assert found["rest"] == state["rest"] and found["kinds"] == state["kinds"]
    assert found["again"] is found["whole"] and found["list"] is found["rest"]
    found["whole"][2] = 77.0
    assert found["part"][0, 0].item() == 77.0
    gc.save({"array": np.ones((2, 3), np.int16), "number": np.float64(0.5)}, path)
    found = gc.load(path)
    assert found["array"].dtype == np.int16 and found["array"].shape == (2, 3)
    assert isinstance(found["number"], np.float64) and found["number"] == 0.5


@pytest.mark.parity
def test_torch_reads_what_is_saved_as_tensors_alone(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path, state = tmp_path / "state.pth", _state()
    gc.save(state, path)
    for how in ({}, {"mmap": True}):
        found = torch.load(path, weights_only=True, **how)
        _same(found, state)
        assert found["rest"][:8] == state["rest"][:8] and found["rest"][8] == torch.Size([2])
        assert found["again"] is found["whole"] and isinstance(found["weight"], torch.nn.Parameter)
        assert found["part"].untyped_storage()._cdata == found["whole"].untyped_storage()._cdata
    model = gc.nn.Sequential(gc.nn.Linear(2, 3), gc.nn.BatchNorm1d(3))
    gc.save(model.state_dict(), path)
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    theirs.load_state_dict(torch.load(path))
    assert np.array_equal(theirs[0].weight.detach().numpy(), model[0].weight.detach().numpy())
    torch.save(theirs.state_dict(), path)
    model.load_state_dict(gc.load(path))


# --- what is no file of tensors, or a hostile one


class Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch never",)


def _zip(pickled: bytes, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        for name, content in members.items():
            archive.writestr(f"a/data/{name}", content)
    return file.getvalue()


def _storage(count: int, kind: bytes = b"FloatStorage") -> bytes:
    number = struct.pack("<q", count)
    return (
        b"((X\7\0\0\0storagectorch\n" + kind + b"\nX\1\0\0\0kX\3\0\0\0cpu\x8a\x08" + number + b"tQ"
    )


def _tensor(count: int, offset: bytes, shape: bytes, stride: bytes) -> bytes:
    head = b"\x80\2ctorch._utils\n_rebuild_tensor_v2\n"
    return _zip(head + _storage(count) + offset + shape + stride + b"\x89NtR.", k=b"12345678")


# 2 ** 48.
_HUGE = b"\x8a\7\0\0\0\0\0\0\1"
HOSTILE: dict[str, bytes] = {
    "a call of the system": _zip(pickle.dumps(Runs(), 2)),
    "the same as protocol 4": _zip(pickle.dumps(Runs(), 4)),
    "a pickle alone": pickle.dumps(Runs(), 2),
    "an instance": _zip(b"(ios\nsystem\n."),
    "an extension": _zip(b"\x82\1."),
    "a tensor called with a size": _zip(b"\x80\2ctorch\nTensor\n\x8a\6\0\0\0\0\0\1\x85R."),
    "bytes of any number": _zip(b"\x80\2c__builtin__\nbytearray\n\x8a\6\0\0\0\0\0\1\x85R."),
    "a larger storage than the file": _tensor(1 << 40, b"K\0", b"K\2\x85", b"K\1\x85"),
    "a tensor beyond its storage": _tensor(2, b"K\1", b"K\2\x85", b"K\1\x85"),
    "a stride beyond its storage": _tensor(2, b"K\0", b"K\2\x85", b"K\2\x85"),
    "a negative offset": _tensor(2, b"J\xff\xff\xff\xff", b"K\2\x85", b"K\1\x85"),
    "a negative stride": _tensor(2, b"K\1", b"K\2\x85", b"J\xff\xff\xff\xff\x85"),
    "sizes that overflow": _tensor(2, b"K\0", _HUGE * 2 + b"\x86", b"K\0K\0\x86"),
    "text longer than the file": _zip(b"\x80\2X\xff\xff\xff\x7fa."),
    "a number longer than the file": _zip(b"\x80\2\x8b\xff\xff\xff\x7fa."),
    "a key that hashes for ever": _zip(b"\x80\2}" + b")" + b"2\x86" * 60 + b"Ns."),
    "a key that is a tensor": _zip(b"\x80\2}]Ns."),
    "an attribute": _zip(b"\x80\2ccollections\nOrderedDict\n)R}X\1\0\0\0aK\1sb."),
    "a pop behind nothing": _zip(b"\x80\2(0."),
    "a memo that nobody filled": _zip(b"\x80\2h\7."),
    "no end": _zip(b"\x80\2]"),
    "no zip file": b"PK\3\4" + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_an_error_and_runs_nothing(
    name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    peak = _peak(lambda: _refused(HOSTILE[name]))
    assert peak < 8 << 20 and not Path("never").exists()


def _peak(run: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        gc.load(io.BytesIO(data))


def _mutated(data: bytes, seed: int) -> bytes:
    choose = random.Random(seed)
    if choose.random() < 0.3:
        return data[: choose.randrange(len(data))]
    found = bytearray(data)
    for _ in range(choose.randint(1, 4)):
        place = choose.randrange(len(found))
        found[place] = choose.choice(
            (found[place] ^ 1 << choose.randrange(8), 0, 255, choose.randrange(256))
        )
    return bytes(found)


def _inside(data: bytes, seed: int) -> bytes:
    """A file whose pickle alone is damaged, its checksum right again."""
    file = zipfile.ZipFile(io.BytesIO(data))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in file.namelist():
            content = file.read(name)
            archive.writestr(name, _mutated(content, seed) if name.endswith(".pkl") else content)
    return made.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_read_or_refused(form: str) -> None:
    data = (GOLDEN / form).read_bytes()

    def run() -> None:
        for seed in range(300):
            damaged = _inside(data, seed) if seed % 2 and "zip" in form else _mutated(data, seed)
            try:
                repr(gc.load(io.BytesIO(damaged)))
            except GraphcError as error:
                assert len(str(error).splitlines()) <= 12
            if not damaged.startswith(data[:4]) or len(damaged) < len(data) // 2:
                _refused(damaged)

    assert _peak(run) < 64 << 20


def test_only_tensors_can_be_asked_for() -> None:
    with pytest.raises(ArgumentError, match="running code"):
        gc.load(GOLDEN / FORMS[0], weights_only=False)


def test_what_no_file_of_tensors_holds_is_not_saved(tmp_path: Path) -> None:
    for value in ({"model": gc.nn.Linear(2, 2)}, [object()], {"a": {gc.ones(1): 1}}):
        with pytest.raises(ArgumentError):
            gc.save(value, tmp_path / "never.pt")
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ArgumentError, match="nested"):
        gc.save(deep, tmp_path / "never.pt")
    assert not list(tmp_path.iterdir())
