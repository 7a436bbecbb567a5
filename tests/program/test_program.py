"""What goes in and out of a program's call, on both targets."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.runtime.objects import loader
from graphc.text import parse, show

TARGETS = ("cpu", "reference")


def scaled(target: str = "cpu") -> gc.Program:
    n = gc.dim("n")
    x, y = gc.input("x", (n, 3)), gc.input("y", (n, 3))
    return gc.compile([x, y], x * 2.0 + y, target=target, name="scaled")


X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", [list, tuple, dict, None])
def test_results_come_in_the_form_of_the_outputs(target: str, form: type | None) -> None:
    x = gc.input("x", (2, 3))
    outputs = {"a": -x, 7: x + x}
    given = -x if form is None else outputs if form is dict else form(outputs.values())
    result = gc.compile(x, given, target=target)(X)
    if form is None:
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, -X)
        return
    assert type(result) is form
    values = list(result.values()) if form is dict else list(result)  # type: ignore[attr-defined, call-overload]
    np.testing.assert_array_equal(values[0], -X)
    np.testing.assert_array_equal(values[1], X + X)
    if form is dict:
        assert list(result) == ["a", 7]  # type: ignore[call-overload]


@pytest.mark.parametrize("target", TARGETS)
def test_arguments_go_by_position_and_by_name(target: str) -> None:
    program = scaled(target)
    wanted = X * 2 + 1
    one = np.ones_like(X)
    for result in (program(X, one), program(y=one, x=X), program(X, y=one)):
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("how", ["reversed", "transposed", "swapped", "read-only", "unaligned"])
def test_arrays_of_any_layout_work_and_stay_as_they_are(target: str, how: str) -> None:
    array = {
        "reversed": X[::-1, ::-1],
        "transposed": np.asfortranarray(X),
        "swapped": X.astype(X.dtype.newbyteorder()),
        "read-only": X.copy(),
        "unaligned": np.frombuffer(b"\0" + X.tobytes(), np.float32, offset=1).reshape(2, 3),
    }[how]
    if how == "read-only":
        array.flags.writeable = False
    before = array.copy()
    result = scaled(target)(array, array)
    np.testing.assert_array_equal(result, before * 3)
    np.testing.assert_array_equal(array, before)
    assert result.dtype == np.float32 and result.dtype.isnative


@pytest.mark.parametrize("target", TARGETS)
def test_python_numbers_and_lists_take_the_declared_dtype(target: str) -> None:
    x, rate = gc.input("x", (2,)), gc.input("rate", (), gc.float32)
    count, flag = gc.input("count", (), gc.int8), gc.input("flag", (), gc.bool_)
    program = gc.compile(
        [x, rate, count, flag], [x * rate, -count, gc.logical_not(flag)], target=target
    )
    scaled_x, negated, opposite = program([1, 2], 0.5, 3, True)
    np.testing.assert_array_equal(scaled_x, np.array([0.5, 1], np.float32))
    assert scaled_x.dtype == np.float32 and negated.dtype == np.int8
    assert negated == -3 and not opposite


class WithArray:
    """What other libraries' tensors offer."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return X


class WithDlpack:
    """What tensors without NumPy in mind offer."""

    def __dlpack__(self, **options: object) -> object:
        return X.__dlpack__(**options)  # type: ignore[arg-type]

    def __dlpack_device__(self) -> tuple[int, int]:
        return X.__dlpack_device__()


@pytest.mark.parametrize("tensor", [WithArray(), WithDlpack()])
def test_whatever_exports_an_array_is_an_argument(tensor: object) -> None:
    np.testing.assert_array_equal(scaled()(tensor, X), X * 3)


@pytest.mark.parametrize("target", TARGETS)
def test_out_takes_the_results(target: str) -> None:
    program = scaled(target)
    out = np.full((2, 3), np.nan, np.float32)
    assert program(X, X, out=out) is out
    np.testing.assert_array_equal(out, X * 3)


@pytest.mark.parametrize("target", TARGETS)
def test_out_may_be_an_input(target: str) -> None:
    x = gc.input("x", (6,))
    program = gc.compile([x], [gc.flip(x, axis=0) + x, -x], target=target)
    array = X.ravel().copy()
    first, second = program(array, out=(array, None))
    assert first is array
    np.testing.assert_array_equal(first, np.full(6, 5))
    np.testing.assert_array_equal(second, -X.ravel())


@pytest.mark.parametrize("target", TARGETS)
def test_a_dict_of_some_outs(target: str) -> None:
    x = gc.input("x", (2, 3))
    program = gc.compile([x], {"a": -x, "b": x + x}, target=target)
    out = np.empty((2, 3), np.float32)
    result = program(X, out={"b": out})
    assert result["b"] is out
    np.testing.assert_array_equal(out, X + X)
    np.testing.assert_array_equal(result["a"], -X)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", ["O0", "O2"])
def test_results_that_are_inputs_or_alike_are_arrays_of_their_own(target: str, level: str) -> None:
    x = gc.input("x", (2, 3))
    w = gc.parameter("w", np.ones(3, np.float32))
    y = -x
    program = gc.compile([x], [x, y, y, x, w, w], target=target, level=level)
    results = program(X)
    for result, wanted in zip(results, (X, -X, -X, X, np.ones(3), np.ones(3)), strict=True):
        np.testing.assert_array_equal(result, wanted)
    for k, result in enumerate(results):
        result[...] = k
    assert [result.flat[0] for result in results] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(w.value, 1)
    np.testing.assert_array_equal(program(X)[0], X)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (1, 1)])
@pytest.mark.parametrize("target", TARGETS)
def test_scalars_and_empty_arrays(target: str, shape: tuple[int, ...]) -> None:
    x = gc.input("x", shape)
    result = gc.compile([x], [x + 1.0, x], target=target)(np.zeros(shape, np.float32))
    for found, value in zip(result, (1, 0), strict=True):
        assert type(found) is np.ndarray and found.shape == shape
        np.testing.assert_array_equal(found, np.full(shape, value, np.float32))


def test_a_hundred_sizes_compile_nothing_new() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 3))
    w = gc.parameter("w", np.ones((3, 4), np.float32))
    program = gc.compile([x], gc.sum(gc.tanh(x @ w), axis=0))
    program(np.zeros((1000, 3), np.float32))
    before = len(loader.compiled)
    for rows in range(100):
        array = np.full((rows, 3), 0.5, np.float32)
        wanted = np.tanh(array.astype(np.float64) @ w.value).sum(0)
        np.testing.assert_allclose(program(array), wanted, rtol=1e-4)
    assert len(loader.compiled) == before


def test_a_second_call_with_out_allocates_nothing() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 64))
    h = gc.softmax(x, axis=-1)
    program = gc.compile([x], gc.matmul(gc.transpose(h), h))
    array, out = np.ones((4096, 64), np.float32), np.empty((64, 64), np.float32)
    program(array, out=out)
    tracemalloc.start()
    try:
        for _ in range(3):
            program(array, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


def test_sizes_seen_long_ago_are_worked_out_again() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    program = gc.compile([x], gc.exp(x) * 0.0 + 1.0)
    for _ in range(2):
        for rows in range(300):
            assert program(np.zeros(rows, np.float32)).shape == (rows,)


def test_an_arena_that_grows_serves_the_smaller_sizes_after_it() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 2))
    program = gc.compile([x], gc.matmul(gc.matmul(x, gc.transpose(x)), x))
    for rows in (3, 200, 3, 50, 200):
        array = np.ones((rows, 2), np.float32)
        np.testing.assert_allclose(program(array), np.full((rows, 2), 2 * rows))


def test_a_program_shows_what_it_is(tmp_path: Path) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 8))
    w = gc.parameter("w", np.ones((8, 8), np.float32))
    y = gc.softmax(x @ w, axis=-1)
    program = gc.compile([x], y, updates={w: w * 0.5}, name="shown")
    assert program.history[0] == ("traced", program.graph)
    for _, graph in program.history:
        assert show(parse(show(graph))) == show(graph)
    assert program.kernels and all(
        f"def {name}(args, lo, hi):" in source for name, source in program.kernels.items()
    )
    stats = program.stats
    assert stats.kernels == len(program.kernels) <= stats.launches
    assert stats.nodes[0] == ("traced", len(program.graph.nodes))
    assert stats.sizes == {"n": 64} and stats.compile_time_s > 0
    peak, unplanned = program.memory(n=1000)
    assert peak >= program.memory(n=10)[0]
    assert unplanned >= program.memory(n=10)[1]
    assert "arena" in program.plan and "shown" in program.explain()
    assert "kernels" in program.report()
    assert repr(program) == "<Program shown(x: f32[n, 8])>"
    folder = program.dump(tmp_path / "dump")
    names = {path.name for path in folder.iterdir()}
    assert {"00-traced.py", "00-traced.dot", "plan.txt", "explain.txt", "final.svg"} <= names
    sources = {path.stem: path.read_text() for path in (folder / "kernels").iterdir()}
    assert sources == program.kernels


def test_a_profile_has_a_time_for_each_step_and_keeps_the_state() -> None:
    x = gc.input("x", (64, 8))
    w = gc.parameter("w", np.ones((8, 8), np.float32))
    program = gc.compile([x], gc.sum(x @ w), updates={w: w * 0.5})
    profile = program.profile(np.ones((64, 8), np.float32), repeat=3)
    assert len(profile.rows) == program.stats.launches
    assert all(time >= 0 for _, time, _ in profile.rows) and profile.total_s > 0
    assert all(kernel in str(profile) for kernel, _, _ in profile.rows)
    np.testing.assert_array_equal(w.value, 1)


def test_debug_settings_write_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    x = gc.input("x", (4,))
    with gc.config.override(debug=4):
        program = gc.compile([x], gc.exp(-x), name="debugged")
    text = capfd.readouterr().err
    assert "def debugged(" in text and "(args, lo, hi):" in text
    program(np.zeros(4, np.float32))
    text = capfd.readouterr().err
    assert text.startswith("debugged: ")


def test_the_reference_has_no_kernels_and_says_so() -> None:
    program = scaled("reference")
    assert program.kernels == {} and program.stats.kernels == 0
    assert "reference" in program.report() and "reference" in program.plan
    with gc.config.override(device="reference"):
        x = gc.input("x", (2,))
        assert gc.compile([x], -x).kernels == {}
