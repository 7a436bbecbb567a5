"""Exported models: every op of the table, in a process that has NumPy alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import golden_archive
import numpy as np
import pytest
from samples import PLAIN, TABLE, Case, cases, edge_cases

import graphc as gc
from graphc.core import dtypes
from graphc.core.interpret import run_node
from graphc.core.ir import Kind, Node
from graphc.errors import ArgumentError
from graphc.jit.archive.archive_source import source_of
from graphc.jit.export import numpy_helpers
from graphc.jit.export.numpy_definitions import Definitions, definition_of
from graphc.jit.export.numpy_export import _Module
from graphc.runtime.language import math_reference
from graphc.runtime.nests.lapack import LAPACK

# Ops that only stand inside graphs, or have no samples of their own.
ELSEWHERE = {"cond", "fused", "item", "scan", "while_loop", "input", "parameter", "constant"}
# Ops that SciPy defines: no export has them.
OF_SCIPY = {
    *(n.removeprefix("bessel_") for n in math_reference.SPECIAL), "polygamma",
    *LAPACK.keys() - {"matrix_exp"},
}  # fmt: skip
# What NumPy lacks: how far from the definition the export may be, in ulp.
ULP = {"erf": 4, "erfc": 4}

# Runs exported modules where graphc, and all that is no part of Python or NumPy, is missing.
RUNNER = """
import json, pathlib, runpy, sys, types
allowed = set(sys.stdlib_module_names) | {"numpy", "ml_dtypes"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Blocked())
import numpy as np

def run(folder):
    path = folder / "model.py"
    module = types.ModuleType("model")
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    return module

def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        found = [file[f"arr_{k}"] for k in range(len(file.files))]
    return [a.view("bfloat16") if a.dtype == "V2" else a for a in found]
"""


def run_alone(code: str, *arguments: str, timeout: int = 120) -> str:
    """What Python code prints in a process of its own that has NumPy alone."""
    command = [sys.executable, "-I", "-c", RUNNER + textwrap.dedent(code), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert found.returncode == 0, found.stderr
    return found.stdout


def exported(folder: Path, outputs: Any, inputs: Any, **options: Any) -> None:
    """Write a program's module, without waiting for the disk as `export` does."""
    program = gc.compile(inputs, outputs, target="reference", name="model", **options)
    module = _Module(source_of("", program, None))
    folder.mkdir()
    (folder / "model.py").write_text(module.text())
    np.savez(folder / "weights.npz", **{k: s.array for k, s in module.states.items()})


def op_cases() -> list[Case]:
    """Samples of every op, edge values of the plain ones, float16 and integers among them."""
    found = []
    for op in TABLE:
        if op.name not in ELSEWHERE | OF_SCIPY:
            found += list(cases(op, shapes=((), (2, 5), (0, 3))))
    for op in PLAIN:
        found += list(edge_cases(op)) if op.name not in OF_SCIPY else []
    return found


def reference(case: Case, nodes: list[Node]) -> Any:
    return run_node(case.op(*nodes, **case.attrs), list(case.arrays), {})


def as_written(array: np.ndarray) -> np.ndarray:
    """An array of a file: bfloat16 comes out of it as two bytes of no dtype."""
    return array.view(gc.bfloat16.numpy) if array.dtype == "V2" else array


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of two float arrays in ulp; infinite where nan or sign differ."""
    a, b = map(dtypes.widened, (a, b))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        ulp = np.spacing(np.maximum(np.abs(a), np.abs(b)))
        return float(np.max(np.where(same, 0, np.abs(a - b) / ulp), initial=0))


def test_ops_that_scipy_defines_are_refused_and_say_what_to_do(tmp_path: Path) -> None:
    refused = {op.name: op for op in TABLE if op.name in OF_SCIPY}
    assert refused.keys() == OF_SCIPY
    for name, op in refused.items():
        nodes, _ = (case := next(iter(cases(op, shapes=((2, 5),))))).nodes()
        with pytest.raises(ArgumentError, match=f"the op {name} has no form in NumPy") as error:
            exported(tmp_path / name, case.op(*nodes, **case.attrs), nodes)
        assert "gc.jit.save" in str(error.value)


@pytest.mark.slow
def test_every_op_gives_what_it_is_defined_to_give(tmp_path: Path) -> None:
    chosen = op_cases()
    wanted = []
    for number, case in enumerate(chosen):
        nodes, _ = case.nodes()
        folder = tmp_path / str(number)
        exported(folder, case.op(*nodes, **case.attrs), nodes)
        np.savez(folder / "inputs.npz", *case.arrays)
        wanted.append(reference(case, nodes))
    assert {case.op.name for case in chosen} == {op.name for op in TABLE} - ELSEWHERE - OF_SCIPY
    run_alone(
        """
        for k in range(int(sys.argv[2])):
            folder = pathlib.Path(sys.argv[1]) / str(k)
            np.savez(folder / "found.npz", run(folder).model(*arrays(folder / "inputs.npz")))
        """,
        str(tmp_path),
        str(len(chosen)),
        timeout=300,
    )
    for number, (case, value) in enumerate(zip(chosen, wanted)):
        with np.load(tmp_path / str(number) / "found.npz") as file:
            found = as_written(file["arr_0"])
        label = f"{case.op.name} {[a.dtype.name for a in case.arrays]} {case.attrs}"
        assert found.dtype == value.dtype and found.shape == value.shape, label
        if case.op.name in ULP:
            assert distance(found, value) <= ULP[case.op.name], label
        else:
            assert found.tobytes() == np.ascontiguousarray(value).tobytes(), label


def test_ops_of_symbolic_sizes(tmp_path: Path) -> None:
    n, m = gc.dim("n", min=2), gc.dim("m")
    x = gc.input("x", (n, m + 1))
    y = (
        x[1:, ::1].sum(0) / gc.size(n, gc.float32)
        + gc.flip(x, 0)[0]
        - gc.iota((m + 1,), dtype=gc.float32)
    )
    exported(tmp_path / "a", {"y": y, "rest": x[1:-1]}, [x])
    value = np.arange(15, dtype=np.float32).reshape(3, 5)
    np.savez(tmp_path / "a" / "inputs.npz", value)
    out = run_alone(
        """
        folder = pathlib.Path(sys.argv[1]) / "a"
        model = run(folder).model
        found = model(*arrays(folder / "inputs.npz"))
        print(json.dumps({k: v.tolist() for k, v in found.items()}))
        for bad in (np.zeros((1, 3), np.float32), np.zeros(3, np.float32), np.zeros((3, 3))):
            try:
                model(bad)
            except (TypeError, ValueError) as error:
                print(error)
        """,
        str(tmp_path),
    ).splitlines()
    program = gc.compile([x], {"y": y, "rest": x[1:-1]}, target="reference")
    assert json.loads(out[0]) == {k: v.tolist() for k, v in program(value).items()}
    assert out[1:] == [
        "n = 1",
        "x has 1 axes; it must have 2",
        "x is float64; it must be float32",
    ]


STEPS = """
folder = pathlib.Path(sys.argv[1])
module = run(folder)
words, *_ = arrays(folder / "inputs.npz")
for k in range(3):
    found = module.step(words, 0.1)
    np.savez(folder / f"found{k}.npz", found["loss"], found["last"])
    if k == 1:
        module.save_state()
        module = run(folder)
np.savez(folder / "state.npz", **module.state)
"""


def test_a_training_step_goes_on_in_numpy(tmp_path: Path) -> None:
    """Draws, a loop, a branch, indices, updates: the same numbers, saved and read again between."""
    gc.manual_seed(3)
    program = golden_archive.program()
    names = list(program.state())
    folder = gc.jit.export(program, tmp_path / "out")
    assert sorted(p.name for p in folder.iterdir()) == ["model.py", "weights.npz"]
    words = np.arange(12).reshape(3, 4) % 7
    np.savez(folder / "inputs.npz", words)
    run_alone(STEPS, str(folder))
    for k in range(3):
        wanted = program(words, 0.1)
        with np.load(folder / f"found{k}.npz") as file:
            np.testing.assert_allclose(file["arr_0"], wanted["loss"], rtol=2e-5)
            np.testing.assert_allclose(file["arr_1"], wanted["last"], rtol=2e-5, atol=1e-6)
    with np.load(folder / "state.npz") as file:
        assert sorted(file.files) == sorted(names)
        for name, value in program.state().items():
            np.testing.assert_allclose(file[name], value, rtol=2e-5, atol=1e-6, err_msg=name)
        assert file["generator"] == program.state()["generator"]


def test_loops_and_branches_give_the_references_values(tmp_path: Path) -> None:
    x = gc.input("x", (4,))

    def halve(state: Any) -> Any:
        value, turns = state
        return value / 2, turns + 1

    last, turns = gc.while_loop(lambda s: s[0].sum() > 1.0, halve, (x, gc.zeros((), gc.int64)))
    sums, rows = gc.scan(lambda c, v: (c + v, c * v), gc.zeros((), gc.float32), x)
    chosen = gc.cond(x[0] > 0, lambda v: v + sums, lambda v: v - 1, last)
    exported(tmp_path / "a", [last, turns, sums, rows, chosen], [x])
    program = gc.compile([x], [last, turns, sums, rows, chosen], target="reference")
    for sign in (1, -1):
        value = np.array([1.5 * sign, 2, 3, 4], np.float32)
        np.savez(tmp_path / "a" / "inputs.npz", value)
        out = run_alone(
            """
            folder = pathlib.Path(sys.argv[1]) / "a"
            found = run(folder).model(*arrays(folder / "inputs.npz"))
            print(json.dumps([v.tolist() for v in found]))
            """,
            str(tmp_path),
        )
        assert json.loads(out) == [v.tolist() for v in program(value)]


def test_a_traced_function_returns_its_own_form(tmp_path: Path) -> None:
    w = gc.tensor([[1.0, 2.0], [3.0, 4.0]])
    traced = gc.jit.trace(lambda x: {"y": [x @ w, None], "k": (3, x.sum())}, gc.ones(2, 2))
    folder = gc.jit.export(traced, tmp_path / "out")
    out = run_alone(
        """
        module = run(pathlib.Path(sys.argv[1]))
        (name,) = [n for n in dir(module) if n.startswith("traced")]
        print(getattr(module, name)(np.ones((2, 2), np.float32)))
        """,
        str(folder),
    )
    plain = " ".join(out.replace("dtype=float32", "").split())
    assert plain == "{'k': (3, array(4., )), 'y': [array([[4., 6.], [4., 6.]], ), None]}"


def test_the_text_reads_well(tmp_path: Path) -> None:
    x = gc.input("x", (gc.dim("n"), 3))
    w = gc.parameter("w", np.ones((3, 2), np.float32))
    y = gc.relu(x @ w) * 2.0
    folder = gc.jit.export(gc.compile([x], y, name="net"), tmp_path / "out")
    text = (folder / "model.py").read_text()
    body = text[text.index("def net") :]
    assert body == textwrap.dedent('''\
        def net(x):
            """The program net.

            Args:
                x: float32 of shape (n, 3).

            Returns:
                float32 of shape (n, 2).
            """
            x = argument('x', x, np.float32, 2)
            n = x.shape[0]
            expect('x', x, (n, 3))
            w = state['w']
            # test_numpy_export.py:LINE in test_the_text_reads_well: y = gc.relu(x @ w) * 2.0
            v0 = x @ w
            v1 = v0 <= 0.0
            v2 = np.where(v1, 0.0, v0)
            v3 = v2 * 2.0
            return result(v3)
        ''').replace("LINE", body.split("test_numpy_export.py:")[1].split(" ")[0])
    assert "def conv" not in text and "import math" not in text


def test_names_that_mean_something_else_are_changed(tmp_path: Path) -> None:
    names = ("np", "state", "result", "lambda_", "max", "n", "file", "take", "v0")
    n = gc.dim("n")
    inputs = [gc.input(name, (n,)) for name in names]
    values = [gc.parameter(name, np.float32(k)) for k, name in enumerate(("file", "print", "n_"))]
    total = sum(inputs[1:], start=inputs[0]) + sum(values[1:], start=values[0])
    folder = gc.jit.export(gc.compile(inputs, total, name="print"), tmp_path / "out")
    out = run_alone(
        """
        module = run(pathlib.Path(sys.argv[1]))
        (name,) = [n for n in dir(module) if n.startswith("print")]
        print(getattr(module, name)(*[np.ones(2, np.float32)] * 9))
        """,
        str(folder),
    )
    assert out.split() == ["[12.", "12.]"]


def test_helpers_need_numpy_alone() -> None:
    tree = ast.parse(Path(numpy_helpers.__file__).read_text())
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"math", "numpy"}
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]


def test_an_op_of_a_users_is_exported_as_it_is_defined(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    done = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("graphc.errors.ArgumentError") == 1  # SciPy's is none of NumPy's
    run_alone(
        """
        x = np.linspace(-3, 3, 7, dtype=np.float32)
        folder = pathlib.Path(sys.argv[1])
        found = run(folder / "exported").model(x)
        np.savez(folder / "found.npz", *found)
        """,
        str(tmp_path),
    )
    x = np.linspace(-3, 3, 7, dtype=np.float32)
    with np.load(tmp_path / "found.npz") as file:
        np.testing.assert_array_equal(file["arr_0"], x / (1 + np.abs(x)))
        np.testing.assert_array_equal(file["arr_1"], np.where(x > 2, np.float32(0.5), x * x))


OWN = """
import numpy as np
import scipy.special

import graphc as gc
from graphc.ops.declare import FLOAT, unary

HALF = 0.5


def bent(x: np.ndarray) -> np.ndarray:
    return np.where(x > 2, np.float32(HALF), doubled(x))


def doubled(x):
    return x * x


facts = {"scalar": "{0}", "vjp": lambda n, ct: (ct,), "kinds": FLOAT, "promote": "float"}
own_softsign = unary("own_softsign", numpy=lambda x: x / (1 + np.abs(x)), doc="own", **facts)
own_bent = unary("own_bent", numpy=bent, doc="own", **facts)
own_other = unary("own_other", numpy=lambda x: scipy.special.expit(x), doc="own", **facts)

own_x = gc.input("own_bent", (7,))
results = [own_softsign(own_x), own_bent(own_x)]
program = gc.compile([own_x], results, target="reference", name="model")
gc.jit.export(program, "exported")
try:
    gc.jit.export(gc.compile([own_x], own_other(own_x), target="reference"), "other")
except gc.errors.ArgumentError as error:
    print("graphc.errors.ArgumentError", error)
"""


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    x = gc.input("x", (2,))
    program = gc.compile([x], x + x)
    with pytest.raises(ArgumentError, match="format='onnx'"):
        gc.jit.export(program, tmp_path, format="onnx")
    with pytest.raises(ArgumentError, match=r"function .* is no program"):
        gc.jit.export(lambda x: x, tmp_path)
    with pytest.raises(ArgumentError, match="is not a path"):
        gc.jit.export(program, 3)


def test_what_an_op_refuses_its_export_refuses(tmp_path: Path) -> None:
    i, x = gc.input("i", (1,), gc.int64), gc.input("x", (3,))
    checked: dict[str, tuple[Any, Any, list[Any], str]] = {
        "cast": ([x], gc.cast(x, gc.int8), [np.array([1, 2, 300], "f")], "300.0 is not a value"),
        "take": ([x, i], gc.take(x, i), [np.ones(3, "f"), np.array([3])], "index 3 is out of"),
        "floor_divide": ([i], 1 // i, [np.array([0])], "an integer divided by 0"),
        "power": ([i], 2**i, [np.array([-1])], "the exponent -1"),
    }  # fmt: skip
    for name, (inputs, output, arrays, _) in checked.items():
        exported(tmp_path / name, output, inputs)
        np.savez(tmp_path / name / "inputs.npz", *arrays)
    out = run_alone(
        """
        for name in sys.argv[2:]:
            folder = pathlib.Path(sys.argv[1]) / name
            try:
                run(folder).model(*arrays(folder / "inputs.npz"))
            except (OverflowError, IndexError, ZeroDivisionError, ValueError) as error:
                print(f"{type(error).__name__}: {error}")
        """,
        str(tmp_path),
        *checked,
    )
    said = out.splitlines()
    kinds = ("OverflowError", "IndexError", "ZeroDivisionError", "ValueError")
    assert [line.split(":")[0] for line in said] == list(kinds)
    assert all(text in line for line, (*_, text) in zip(said, checked.values()))


def test_ops_are_written_by_their_definitions() -> None:
    definitions = Definitions()
    for op in TABLE:
        if op.name in OF_SCIPY:
            assert not definitions.add(op), op.name
        elif op.name not in ELSEWHERE | {"erf", "erfc", "stop_gradient", "where"}:
            assert isinstance(definition_of(op), np.ufunc) or definitions.add(op), op.name


def test_kinds_of_ops_are_all_covered() -> None:
    assert {op.kind for op in TABLE if op.name not in ELSEWHERE} >= {
        Kind.SOURCE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.MOVEMENT, Kind.CONTRACT, Kind.LIBRARY,
    }  # fmt: skip
