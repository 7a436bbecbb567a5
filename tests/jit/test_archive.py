"""Programs as files: what is saved, loaded, refused; what a loaded program can do."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
import zipfile
from pathlib import Path
from typing import Any

import archive_mutations as mutations
import golden_archive
import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import OPS
from graphc.errors import (
    ArchiveError,
    ArgumentError,
    AttributeValueError,
    GraphcError,
    GraphcWarning,
    IndexRangeError,
    MissingFileError,
    ShapeError,
)
from graphc.jit.archive import archive_checks, archive_program, archive_reader
from graphc.jit.archive.archive_zip import pieces, read_directory, read_member
from graphc.runtime.objects import loader


def small() -> Any:
    x = gc.input("x", (gc.dim("n", min=1), 3))
    w = gc.parameter("w", np.arange(6, dtype=np.float32).reshape(3, 2))
    c = gc.constant(np.array([0.5, -0.5], np.float32))
    return gc.compile([x], {"y": x @ w + c}, {w: w * 0.5}, name="small")


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, gc.Tensor):
        a, b = a.detach().numpy(), b.detach().numpy()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes() and a.shape == b.shape
    return bool(a == b)


# --- what comes back


def test_a_program_comes_back(tmp_path: Path) -> None:
    program = small()
    program.save(tmp_path / "a.gcz", certificate={"by": "hand"})
    loaded = gc.jit.load(tmp_path / "a.gcz")
    assert isinstance(loaded, gc.Program) and repr(loaded) == repr(program)
    assert loaded.certificate == {"by": "hand"} and loaded.name == "small"  # type: ignore[attr-defined]
    assert loaded.code == gc.text.show(program.graph) == gc.text.show(loaded.graph)  # type: ignore[attr-defined]
    for count in (1, 4, 4, 7):
        assert equal(loaded(rows(count)), program(rows(count)))
        assert equal(loaded.state(), program.state())
    with pytest.raises(ShapeError, match="axis 1 of input 'x' has size 2"):
        loaded(np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("form", [0, [0, 1], (0, 1), {"a": 0, 3: 1}])
def test_results_keep_their_form(tmp_path: Path, form: Any) -> None:
    x = gc.input("x", (2,))
    values = [x + 1, x * 2]
    if isinstance(form, dict):
        outputs: Any = {k: values[v] for k, v in form.items()}
    else:
        outputs = values[form] if isinstance(form, int) else type(form)(values[k] for k in form)
    program = gc.compile([x], outputs)
    gc.jit.save(program, tmp_path / "a")
    given = np.array([1, 2], np.float32)
    assert equal(gc.jit.load(tmp_path / "a")(given), program(given))


def test_programs_of_one_file_share_their_state(tmp_path: Path) -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.ones(3, np.float32))
    programs = {
        "step": gc.compile([x], gc.sum(w * x), {w: w - x}),
        "look": gc.compile([x], w + 0 * x),
    }
    gc.jit.save(programs, tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    ones = np.ones(3, np.float32)
    assert list(loaded) == ["step", "look"]
    loaded["step"](ones)
    assert loaded["look"](ones).tolist() == [0, 0, 0]
    assert programs["look"](ones).tolist() == [1, 1, 1]
    again = tmp_path / "b"
    gc.jit.save(loaded, again)
    assert gc.jit.load(again)["look"](ones).tolist() == [0, 0, 0]


def test_a_training_step_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Draws, updates, counters: saved in the middle, both sides end at the same bits."""
    gc.manual_seed(5)
    program = golden_archive.program()
    words = np.arange(20).reshape(5, 4) % 7
    for _ in range(3):
        program(words, 0.1)
    gc.jit.save(program, tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    for _ in range(3):
        assert equal(loaded(words, 0.1), program(words, 0.1))
    assert equal(loaded.state(), program.state())


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_the_golden_file_of_version_1_loads(target: str) -> None:
    """It was written once. Never write it anew: files of users must stay loadable."""
    loaded = gc.jit.load(mutations.GOLDEN, target=target)
    assert loaded.certificate == {"assumes": ["words are numbers of rows of the table"]}
    assert loaded.assumes() == ["words are numbers of rows of the table"]
    words = np.arange(8).reshape(2, 4) % 7
    losses = [float(loaded(words, 0.1)["loss"]) for _ in range(3)]
    np.testing.assert_allclose(losses, GOLDEN_LOSSES, rtol=1e-5)
    assert loaded.state()["steps"] == 3


GOLDEN_LOSSES = [1.502096176147461, 0.1611534059047699, 1.9669946432113647]


# --- traced functions


def test_a_traced_function_comes_back(tmp_path: Path) -> None:
    w = gc.tensor([[1.0, 2.0], [3.0, 4.0]])

    def model(x: Any, scale: Any = 1.0) -> Any:
        y = x @ w * scale
        return {"y": y, "more": [y.sum(), 3, None, "text"], "w": w}

    traced = gc.jit.trace(model, gc.ones(2, 2), dynamic_axes={0: {0: "n"}})
    gc.jit.save(traced, tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    x = gc.ones(5, 2)
    assert equal(loaded(x), traced(x)) and equal(loaded(x.numpy()), traced(x))
    assert loaded.assumes() == traced.assumes() and loaded.code == traced.code
    assert loaded.certificate["checks"] == traced.certificate["checks"]
    with pytest.raises(ArgumentError, match="argument scale is a tensor, not 1.0"):
        loaded(x, x)
    gc.jit.save(loaded, tmp_path / "b")
    assert equal(gc.jit.load(tmp_path / "b")(x), traced(x))


def training(seed: int) -> tuple[Any, Any, Any]:
    """A model with dropout and batch norm, its optimizer, and the compiled step."""
    gc.manual_seed(seed)
    model = gc.nn.Sequential(
        gc.nn.Linear(4, 8), gc.nn.BatchNorm1d(8), gc.nn.ReLU(), gc.nn.Dropout(0.5),
        gc.nn.Linear(8, 3),
    )  # fmt: skip
    optimizer = gc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @gc.jit.compile
    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = gc.nn.functional.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return model, optimizer, step


def batch(k: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(k)
    x = gc.from_numpy(rng.normal(size=(6, 4)).astype(np.float32))
    return x, gc.from_numpy(rng.integers(0, 3, 6))


def test_a_compiled_training_step_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer, step = training(1)
    for k in range(3):
        step(*batch(k))
    optimizer.param_groups[0]["lr"] = 0.05
    gc.jit.save(step, tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    for k in range(3, 6):
        assert equal(loaded(*batch(k)), step(*batch(k)))
    held = {k: v for k, v in loaded.state_dict().items() if k in model.state_dict()}
    assert equal(held, dict(model.state_dict()))
    assert {"0.weight_momentum_buffer", "generator", "lr"} <= set(loaded.state())


def test_a_step_is_saved_once_it_ran(tmp_path: Path) -> None:
    _, _, step = training(2)
    with pytest.raises(ArgumentError, match="has no program yet"):
        gc.jit.save(step, tmp_path / "a")


def test_a_function_with_paths_chosen_in_python_is_refused(tmp_path: Path) -> None:
    @gc.jit.compile(on_branch="specialise")
    def f(x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x - 1

    f(gc.ones(2))
    with pytest.raises(ArgumentError, match="calls of the function run Python"):
        gc.jit.save(f, tmp_path / "a")

    @gc.jit.compile(on_branch="fork")
    def g(x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x - 1

    g(gc.ones(2))
    gc.jit.save(g, tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    assert loaded(-gc.ones(2)).tolist() == [-2, -2] and loaded(gc.ones(2)).tolist() == [2, 2]


# --- where the source is gone

GONE = """
import graphc as gc

def build():
    x = gc.input("x", (gc.dim("n"),), gc.int64)
    table = gc.parameter("table", [1.0, 2.0, 3.0], gc.float32)
    picked = gc.take(table, x, axis=0)  # the line to be quoted
    return gc.compile([x], picked)
"""


def test_messages_quote_lines_of_a_file_that_is_gone(tmp_path: Path) -> None:
    source = tmp_path / "users_model.py"
    source.write_text(GONE)
    code = f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        import users_model, graphc as gc
        gc.jit.save(users_model.build(), {str(tmp_path / "a.gcz")!r})
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=100)
    source.unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    for target in (None, "reference"):
        loaded = gc.jit.load(tmp_path / "a.gcz", target=target)
        assert loaded([0, 2]).tolist() == [1.0, 3.0]
        with pytest.raises(IndexRangeError) as found:
            loaded([0, 7])
        assert str(found.value) == (
            "take: index 7 is out of range for an axis of size 3\n"
            "  at users_model.py:7 in build: picked = gc.take(table, x, axis=0)  # the line to be "
            "quoted"
        )
    assert str(tmp_path).encode() not in (tmp_path / "a.gcz").read_bytes()


def test_it_runs_where_nothing_but_graphc_is(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a.gcz")
    code = f"""
        import graphc as gc, numpy as np
        print(gc.jit.load({str(tmp_path / "a.gcz")!r})(np.ones((2, 3), np.float32))["y"].tolist())
        import sys
        print("numba" in sys.modules, "graphc.passes.pipeline" in sys.modules)
    """
    outputs = [
        subprocess.run(
            [sys.executable, "-I", "-c", textwrap.dedent(code)], capture_output=True, text=True,
            timeout=100, check=True, env={**os.environ, "GRAPHC_CHECK": ""},
        ).stdout.splitlines()
        for _ in range(2)
    ]  # fmt: skip
    assert outputs[0][0] == outputs[1][0] == "[[6.5, 8.5], [6.5, 8.5]]"
    # The second time neither the compiler nor the passes were needed.
    assert outputs[1][1] == "False False"


# --- native kernels


def test_native_kernels_are_used_only_when_allowed(tmp_path: Path, monkeypatch: Any) -> None:
    program = small()
    gc.jit.save(program, tmp_path / "a.gcz", native=True)
    with zipfile.ZipFile(tmp_path / "a.gcz") as file:
        objects = [n for n in file.namelist() if n.startswith("native/")]
    assert objects and all(re.fullmatch(r"native/[0-9a-f]{64}\.o", n) for n in objects)

    taken: list[str] = []
    original = loader.offered

    def watched(given: Any) -> Any:
        taken.extend(given)
        return original(given)

    monkeypatch.setattr(archive_program.loader, "offered", watched)
    gc.jit.load(tmp_path / "a.gcz")
    assert not taken
    loaded = gc.jit.load(tmp_path / "a.gcz", allow_native=True)
    assert len(taken) == len(objects)
    assert equal(loaded(rows(3)), program(rows(3)))


def test_native_kernels_run_without_cache_and_compiler(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a.gcz", native=True)
    code = f"""
        import graphc as gc, numpy as np, sys
        from graphc.runtime.objects import loader
        allow = sys.argv[1] == "1"
        p = gc.jit.load({str(tmp_path / "a.gcz")!r}, allow_native=allow)
        print(p(np.ones((2, 3), np.float32))["y"].tolist(), len(loader.compiled))
    """
    found = []
    for allow in "01":
        environment = {**os.environ, "GRAPHC_CHECK": "", "GRAPHC_CACHE_SIZE": "0"}
        command = [sys.executable, "-c", textwrap.dedent(code), allow]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=200, check=True, env=environment
        )
        found.append(done.stdout.split("]] "))
    assert found[0][0] == found[1][0]
    # What runs the steps is no part of a program; it is compiled either way.
    assert int(found[1][1]) < int(found[0][1])


def test_kernels_of_another_machine_are_ignored_with_a_word(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a.gcz", native=True)
    members = mutations.contents((tmp_path / "a.gcz").read_bytes())
    text = members["manifest.json"].decode()
    for name in [n for n in members if n.startswith("native/")]:
        other = name.replace(name[7:17], "0123456789")
        members[other] = members.pop(name)
        text = text.replace(name[7:71], other[7:71])
    members["manifest.json"] = text.encode()
    (tmp_path / "b.gcz").write_bytes(mutations.sealed(members))
    with pytest.warns(GraphcWarning, match="native kernels are for another machine"):
        loaded = gc.jit.load(tmp_path / "b.gcz", allow_native=True)
    assert loaded(rows(2))["y"].shape == (2, 2)


# --- what is refused


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        gc.jit.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("x" * 300)
    with pytest.raises(ArchiveError, match="text: the file is no archive, or was cut short"):
        gc.jit.load(tmp_path / "text")
    gc.save({"x": gc.ones(1)}, tmp_path / "state")
    with pytest.raises(ArchiveError, match="is no archive"):
        gc.jit.load(tmp_path / "state")
    with pytest.raises(MissingFileError, match="there is no folder"):
        gc.jit.save(small(), tmp_path / "no" / "a")
    with pytest.raises(ArgumentError, match="is no program"):
        gc.jit.save(3, tmp_path / "a")
    with pytest.raises(ArgumentError, match="the certificate is not what JSON holds"):
        gc.jit.save(small(), tmp_path / "a", certificate=object())
    with pytest.raises(ArgumentError, match="a dict of programs"):
        gc.jit.save({}, tmp_path / "a")


def test_the_whole_text_of_an_error(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a.gcz")
    members = mutations.contents((tmp_path / "a.gcz").read_bytes())
    name = "programs/0/graph.txt"
    members[name] = members[name].replace(b"matmul(x, w)", b"matmul(w, x)")
    (tmp_path / "a.gcz").write_bytes(mutations.sealed(members))
    with pytest.raises(ArchiveError) as found:
        gc.jit.load(tmp_path / "a.gcz")
    text = re.sub(r"test_archive.py:\d+", "test_archive.py:1", str(found.value))
    assert text == (
        "a.gcz: programs/0/graph.txt: line 3: matmul: f32[3, 2] and f32[n, 3] do not fit\n"
        "  at test_archive.py:1 in test_the_whole_text_of_an_error"
    )


def entry(name: str, **facts: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


def zipped(*members: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "w") as file:
            for info, data in members:
                file.writestr(info, data, info.compress_type)
    return buffer.getvalue()


BAD_ZIPS = {
    "compressed": zipped((entry("manifest.json", compress_type=8), b"0" * 10_000_000)),
    "a member 'manifest.json.exe'": zipped((entry("manifest.json.exe"), b"")),
    "a member '/etc/a.json'": zipped((entry("/etc/a.json"), b"")),
    "a member '../a.json'": zipped((entry("../a.json"), b"")),
    "a member 'programs/'": zipped((entry("programs/"), b"")),
    "two members": zipped((entry("a.json"), b"1"), (entry("a.json"), b"2")),
    "no plain file": zipped((entry("a.json", external_attr=0o120777 << 16), b"x")),
    "has no manifest": zipped((entry("a.json"), b"x")),
    "too few for an archive": b"PK",
}  # fmt: skip


@pytest.mark.parametrize("message", BAD_ZIPS)
def test_zip_files_that_archives_are_not(message: str) -> None:
    with pytest.raises(ArchiveError, match=re.escape(message)):
        archive_reader.read_bytes(BAD_ZIPS[message])


def changed(data: bytes, at: int, value: int, size: int = 2) -> bytes:
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def test_directories_that_lie() -> None:
    data = b"".join(map(bytes, pieces({"a.json": [b"x" * 50], "b.json": [b"y"]})))
    start = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", start + 1)
    cases = {
        "encrypted": changed(data, start + 8, 1),
        "compressed": changed(data, start + 20, 49, 4),
        "larger than the file": changed(changed(data, second + 20, 9999, 4), second + 24, 9999, 4),
        "overlaps": changed(data, second + 42, 10, 4),
        "lists 8 members": changed(changed(data, len(data) - 14, 9), len(data) - 12, 8),
        "cut short": changed(changed(data, len(data) - 14, 3), len(data) - 12, 3),
        "fewer members than it holds": changed(changed(data, len(data) - 14, 1), len(data) - 12, 1),
        "not where it should be": changed(data, len(data) - 6, 7, 4),
        "does not end as one": data + b"\0",
    }
    for message, damaged in cases.items():
        with pytest.raises(ArchiveError, match=message):
            read_directory(io.BytesIO(damaged), len(damaged))
    moved = changed(data, 26, 5)
    members = read_directory(io.BytesIO(moved), len(moved))
    with pytest.raises(ArchiveError, match="not where the directory says"):
        read_member(io.BytesIO(moved), members["a.json"])


def test_a_file_of_more_than_4_gb_is_addressed(monkeypatch: Any) -> None:
    """The fields of 64 bits, with the limit of 32 bits lowered."""
    from graphc.jit.archive import archive_zip

    monkeypatch.setattr(archive_zip, "_FULL", 60)
    members = {"a.json": [b"x" * 50], "b.json": [b"y" * 60], "c.json": [b"z" * 100, b"w"]}
    data = b"".join(map(bytes, archive_zip.pieces(members)))
    file = io.BytesIO(data)
    found = archive_zip.read_directory(file, len(data))
    for name, contents in members.items():
        assert archive_zip.read_member(file, found[name]) == b"".join(contents)


def manifest_of(data: bytes) -> Any:
    return json.loads(mutations.contents(data)["manifest.json"])


def with_manifest(data: bytes, change: Any) -> bytes:
    members = mutations.contents(data)
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    return mutations.sealed(members, honest=False)


BAD_MANIFESTS = {
    "is of version 4": lambda m: m.update(version=4),
    "not one of graphc": lambda m: m.update(format="zip"),
    "has no members": lambda m: m.pop("members"),
    "the archive has 'extra'": lambda m: m.update(extra=1),
    "its checksum is another": lambda m: m["members"]["sources.json"].update(sha256="0" * 64),
    "has 0 bytes|bytes, not 7": lambda m: m["members"]["sources.json"].update(nbytes=7),
    "'a.json' is missing, or nothing uses it": lambda m: m["members"].update(
        {"a.json": {"nbytes": 0, "sha256": "0" * 64}}
    ),
    r"the form \['set', \[\], \[\]\]": lambda m: m["programs"][0].update(results=["set", [], []]),
    "its arguments are not its inputs": lambda m: m["programs"][0].update(takes=[["x", "none"]]),
    "state 'none' is missing": lambda m: next(
        i for i in m["programs"][0]["inputs"] if i["kind"] == "input"
    ).update(state="none"),
    "fixed of an input is 1": lambda m: m["programs"][0]["inputs"][0].update(fixed=1),
    "kind of an input": lambda m: m["programs"][0]["inputs"][0].update(kind="fused"),
    "is not what its manifest lists": lambda m: m["programs"][0]["inputs"][0].update(name="y"),
    "level of options is 'O9'": lambda m: m["programs"][0]["options"].update(level="O9"),
    "it has 3 inputs, not 4": lambda m: m["programs"][0]["inputs"].append(
        {"kind": "input", "name": "y", "type": "f32[()]", "state": "", "origin": -1, "fixed": False}
    ),
    "origins name files|comes from a line": lambda m: m["programs"][0]["origins"].insert(
        0, [99, 1, "f"]
    ),
}


@pytest.mark.parametrize("message", BAD_MANIFESTS)
def test_manifests_that_lie(tmp_path: Path, message: str) -> None:
    gc.jit.save(small(), tmp_path / "a")
    damaged = with_manifest((tmp_path / "a").read_bytes(), BAD_MANIFESTS[message])
    with pytest.raises(GraphcError, match=message) as found:
        archive_reader.read_bytes(damaged)
    assert isinstance(found.value, ArchiveError) and len(str(found.value).splitlines()) <= 12


HOSTILE = {
    "'parameter' is not an op of graphc": "v0: f32[n] = parameter(x)",
    "fused stands in no saved graph": (
        "def k(p: f32[n]):\n        v0: f32[n] = exp(p)\n        return v0\n"
        "    v0: f32[n] = fused(x, body=k, inplace=((0, 0),))"
    ),
    "is not an op of graphc": "v0: f32[n] = system(x)",
    "value='x' is not what the op takes": "v0: f32[n] = full(value='x', shape=(n,), dtype=f32)",
    "shape=(-1,) is not": "v0: f32[3] = full(value=1.0, shape=(-1,), dtype=f32)",
    "has a negative size": "v0: f32[-1] = full(value=1.0, shape=(1,), dtype=f32)",
    "overflow='no' is not": "v0: i64[n] = cast(x, dtype=i64, overflow='no')",
    "axis 3 of 1": "v0: f32[n] = cumsum(x, axis=3, reverse=False)",
    "sum of 2 operands": "v0: f32[()] = sum(x, x, axes=(0,))",
    "multiply of 1 operands": "v0: f32[n] = multiply(x)",
    "checked=False is not": "v0: f32[n] = take(x, x, axis=0, checked=False)",
    "a number of more than 64 bits": f"v0: f32[n] = multiply(x, x, axes=({'9' * 300},))",
    "too large an expression": f"v0: f32[{'*'.join(['(n + m + k + j)'] * 40)}] = exp(x)",
    "is not defined above": "v0: f32[n] = exp(q)",
    "nested too deep|is not Python|is not a value": f"v0: f32[{'-' * 3000}n] = exp(x)",
    "the size m is not the size of any input": "v0: f32[m] = full(value=1., shape=(m,), dtype=f32)",
    "not Python": "v0: f32[n] = exp(x",
    "expected `name: type = op": "import os",
    "slice: 5 elements from 0 by 1 of 2": (
        "w: f32[2] = full(value=1.0, shape=(2,), dtype=f32)\n"
        "    v0: f32[5] = slice(w, starts=(0,), sizes=(5,), steps=(1,))"
    ),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_graphs_that_no_program_has(tmp_path: Path, message: str) -> None:
    x = gc.input("x", (gc.dim("n"),))
    gc.jit.save(gc.compile([x], gc.exp(x)), tmp_path / "a")
    members = mutations.contents((tmp_path / "a").read_bytes())
    text = f"def program(x: f32[n]):\n    {HOSTILE[message]}\n    return v0\n"
    members["programs/0/graph.txt"] = text.encode()
    pattern = "|".join(map(re.escape, message.split("|")))
    with pytest.raises(ArchiveError, match=pattern) as found:
        archive_reader.read_bytes(mutations.sealed(members))
    assert len(str(found.value)) < 1000


def test_bodies_within_bodies_stay_as_many_as_they_are(tmp_path: Path) -> None:
    """Each body is one node's: 40 levels that use the one below twice would be 2**40 nodes."""
    lines = ["def program(p: b1[()], x: f32[()]):"]
    for level in range(40):
        lines.append("    " * (level + 1) + f"def b{level}(p: b1[()], x: f32[()]):")
    lines.append("    " * 41 + "v0: f32[()] = exp(x)\n" + "    " * 41 + "return v0")
    for level in reversed(range(40)):
        tab = "    " * (level + 1)
        for k in range(2):
            lines.append(f"{tab}v{k}: (f32[()],) = cond(p, p, x, true=b{level}, false=b{level})")
        lines += [f"{tab}v2: f32[()] = item(v1, index=0)", f"{tab}return v2"]
    with pytest.raises(GraphcError, match="false=b39 is not what"):
        gc.text.parse("\n".join(lines), guard=archive_checks.guard)  # type: ignore[arg-type]


def test_a_trusted_index_must_come_from_a_sort(tmp_path: Path) -> None:
    """The promise is dropped, so that the index is checked when the program runs."""
    x, i = gc.input("x", (gc.dim("n"),)), gc.input("i", (2,), gc.int64)
    gc.jit.save(gc.compile([x, i], gc.take_along_axis(x, i, 0)), tmp_path / "a")
    members = mutations.contents((tmp_path / "a").read_bytes())
    name = "programs/0/graph.txt"
    members[name] = members[name].replace(b"axis=0)", b"axis=0, trusted=True)")
    assert b"trusted=True" in members[name]
    (tmp_path / "a").write_bytes(mutations.sealed(members))
    loaded = gc.jit.load(tmp_path / "a")
    with pytest.raises(IndexRangeError, match="index 9 is out of range for an axis of size 3"):
        loaded(np.zeros(3, np.float32), [0, 9])
    ordered = gc.compile([x], gc.sort(x))
    gc.jit.save(ordered, tmp_path / "b")
    assert "trusted=True" in gc.text.show(gc.jit.load(tmp_path / "b").graph)


def test_slices_of_symbolic_sizes_stay_inside(tmp_path: Path) -> None:
    """What facts leave open is checked when sizes are bound, before anything is read."""
    x = gc.input("x", (gc.dim("n", min=8),))
    gc.jit.save(gc.compile([x], x[2:8] * 2), tmp_path / "a")
    members = mutations.contents((tmp_path / "a").read_bytes())
    name = "programs/0/graph.txt"
    members[name] = members[name].replace(b"@dims(n=(8, None, 1))\n", b"")
    (tmp_path / "a").write_bytes(mutations.sealed(members))
    for target in (None, "reference"):
        loaded = gc.jit.load(tmp_path / "a", target=target)
        assert loaded(np.arange(9, dtype=np.float32)).tolist() == [4, 6, 8, 10, 12, 14]
        for count in (7, 7, 1, 0, 7):
            with pytest.raises(ArchiveError, match=f"slice leaves its axis with n = {count}"):
                loaded(np.zeros(count, np.float32))


def test_sizes_beyond_memory_are_refused(tmp_path: Path) -> None:
    huge = 1 << 40
    for sizes, shape, message in (
        ("n", f"({huge}, 1000, n)", "do not fit"),
        ("n", f"({huge}, n*{huge}, n)", "memory has less than 2..63 bytes"),
        ("7", f"({huge}, 1000, 7)", "more than memory can hold"),
        ("7", f"({32 * huge}, 7)", "is not what the op takes"),
    ):
        rank = shape.count(",") + 1
        x = gc.input("x", (gc.dim("n") if sizes == "n" else 7,))
        y = gc.broadcast_to(x, (*(3,) * (rank - 1), x.type.shape[0]))  # type: ignore[union-attr]
        gc.jit.save(gc.compile([x], y), tmp_path / "a")
        members = mutations.contents((tmp_path / "a").read_bytes())
        name = "programs/0/graph.txt"
        plain = f"({', '.join(['3'] * (rank - 1))}, {sizes})"
        assert plain.encode() in members[name]
        for left, right in ("()", "[]"):
            old, new = (f"{left}{t[1:-1]}{right}".encode() for t in (plain, shape))
            members[name] = members[name].replace(old, new)
        (tmp_path / "a").write_bytes(mutations.sealed(members))
        with pytest.raises(GraphcError, match=message):
            gc.jit.load(tmp_path / "a")(np.zeros(7, np.float32))


def test_every_attribute_of_every_op_is_known() -> None:
    import inspect

    for op in OPS.values():
        if op.name in ("input", "parameter", "constant", "fused"):
            continue
        parameters = inspect.signature(op.infer).parameters.values()
        named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        named.discard("inplace")  # passes say so once files are read; in a file it is refused
        assert named <= set(archive_checks.ATTRIBUTES), op.name


def test_the_greatest_of_none_is_an_error_after_loading(tmp_path: Path) -> None:
    x = gc.input("x", (gc.dim("n"), gc.dim("m")))
    gc.jit.save(gc.compile([x], [gc.max(x), gc.argmin(x, 1)]), tmp_path / "a")
    loaded = gc.jit.load(tmp_path / "a")
    greatest, least = loaded(np.array([[1, 3], [5, 4]], np.float32))
    assert (greatest.tolist(), least.tolist()) == (5.0, [0, 1])
    for shape, message in (((0, 2), "max: axis 0 is empty"), ((2, 0), "axis 1 is empty")):
        with pytest.raises(ShapeError, match=message):
            loaded(np.zeros(shape, np.float32))
    members = mutations.contents((tmp_path / "a").read_bytes())
    name = "programs/0/graph.txt"
    members[name] = members[name].replace(b"'max'", b"'no function'")
    assert b"no function" in members[name]
    (tmp_path / "b").write_bytes(mutations.sealed(members))
    with pytest.raises(ArchiveError, match="function='no function' is not what the op takes"):
        gc.jit.load(tmp_path / "b")


def test_states_must_be_of_their_types(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    members = mutations.contents(data)
    for old, new, message in (
        (b'"shape":[3,2]', b'"shape":[2,3]', "state 'w' is f32"),
        (b'"w":', b'"v":', "state 'v' is missing|state 'w' is missing"),
    ):
        state = members["state.safetensors"].replace(old, new)
        assert state != members["state.safetensors"]
        with pytest.raises(ArchiveError, match=message):
            archive_reader.read_bytes(mutations.sealed({**members, "state.safetensors": state}))


def test_a_changed_state_is_noticed(tmp_path: Path) -> None:
    gc.jit.save(small(), tmp_path / "a")
    data = bytearray((tmp_path / "a").read_bytes())
    place = data.index(np.arange(6, dtype=np.float32).tobytes())
    data[place + 4] ^= 1
    with pytest.raises(ArchiveError, match="damaged: its checksum is another"):
        archive_reader.read_bytes(bytes(data))


def test_equal_programs_are_equal_files(tmp_path: Path) -> None:
    program = small()
    for name in "ab":
        gc.jit.save(program, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "inputs, parameters",
    [(["in"], ["lambda"]), (["x"], ["x"]), (["ﬁ"], ["fi"]), (["x"], ["ﬁ"]), (["nan"], ["None"])],
)
def test_programs_of_any_names_load_as_they_were_saved(
    tmp_path: Path, inputs: list[str], parameters: list[str]
) -> None:
    xs = [gc.input(name, (2,)) for name in inputs]
    ws = [gc.parameter(name, np.full(2, 3.0, np.float32)) for name in parameters]
    program = gc.compile(xs, xs[0] * ws[0], updates={ws[0]: ws[0] + 1.0})
    program.save(tmp_path / "p.gcz")
    loaded = gc.jit.load(tmp_path / "p.gcz")
    array = np.array([1.0, 2.0], np.float32)
    assert loaded(**{inputs[0]: array}).tolist() == [3.0, 6.0]
    assert {k: v.tolist() for k, v in loaded.state().items()} == {parameters[0]: [4.0, 4.0]}


@pytest.mark.parametrize("name", ["class", "None", "ﬁ"])
def test_names_that_the_text_of_a_graph_cannot_hold_are_refused_at_once(name: str) -> None:
    x = gc.input("x", (2,))
    with pytest.raises(AttributeValueError, match="cannot stand in the text form"):
        gc.compile([x], x * 2.0, name=name)
    with pytest.raises(AttributeValueError, match="cannot stand in the text form"):
        gc.dim(name)


@pytest.mark.parametrize(
    "parts", [(0,), (slice(None), 1), (slice(1, 3), [0, 1]), (...,), ([2, 0],)]
)
def test_what_is_written_to_parts_is_written_after_loading(tmp_path: Path, parts: Any) -> None:
    x = gc.input("x", (3, 4))
    index = tuple(np.asarray(p) if isinstance(p, list) else p for p in parts)
    outputs = [x.at[index].add(2.0), x.at[index].set(1.0), x.at[index].max(0.5)]
    program = gc.compile([x], outputs)
    gc.jit.save(program, tmp_path / "a")
    data = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    for own, wanted in zip(gc.jit.load(tmp_path / "a")(data), program(data), strict=True):
        np.testing.assert_array_equal(own, wanted)
    added = data.copy()
    np.add.at(added, index, np.float32(2))
    np.testing.assert_array_equal(program(data)[0], added)
