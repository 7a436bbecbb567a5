"""`gc.print`: what it gives back, what it shows, when and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.dtypes import BY_SHORT
from graphc.errors import ArgumentError, AttributeValueError, CheckError

A = np.array([1.0, -4.0, 9.0])
F64 = gc.float64
ONES = np.ones(3)
EACH = [(level, "cpu") for level in ("O0", "O1", "O2", "O3")] + [("O2", "reference")]
everywhere = pytest.mark.parametrize(("level", "target"), EACH)
Out = pytest.CaptureFixture[str]


def _x() -> Any:
    return gc.input("x", (gc.dim("n"),), F64)


@everywhere
def test_a_value_comes_back_and_is_shown_at_each_call(level: str, target: str, capsys: Out) -> None:
    x = _x()
    y = gc.print("{{x}} is {}, its sum {}", x + 1.0, gc.sum(x)) * 2.0
    program = gc.compile([x], y, level=level, target=target)
    assert capsys.readouterr().out == ""
    for values in (A, A[:0], A + 1):
        np.testing.assert_array_equal(program(values), 2 * (values + 1))
        shown = capsys.readouterr().out
        assert shown == f"{{x}} is {values + 1}, its sum {values.sum()}\n"


@everywhere
def test_lines_come_in_the_order_in_which_they_are_written(
    level: str, target: str, capsys: Out
) -> None:
    x = _x()
    lines = [gc.print(f"line {k}:", gc.sum(gc.exp(x * k))) for k in range(6)]
    outputs = [lines[k] * 2.0 for k in (4, 1, 5)] + [gc.print("last", lines[2] + lines[0])]
    outputs.append(lines[3])
    program = gc.compile([x], outputs, level=level, target=target)
    program(A * 0)
    shown = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert shown == [*(f"line {k}" for k in range(6)), "last 6.0"]


@everywhere
def test_what_passes_find_out_of_use_is_shown(level: str, target: str, capsys: Out) -> None:
    x = _x()
    shown = gc.print("x is {}", x)
    first, second = gc.print("a {}", gc.sum(x)), gc.print("b {}", gc.sum(x))
    unused = gc.where(gc.constant(True), x, shown)
    program = gc.compile([x], [unused, first - second], level=level, target=target)
    assert program(ONES)[1] == 0
    assert capsys.readouterr().out == "x is [1. 1. 1.]\na 3.0\nb 3.0\n"


@everywhere
def test_each_step_of_loops_shows_and_only_the_branch_that_runs(
    level: str, target: str, capsys: Out
) -> None:
    x = _x()
    gc.print("never reached", x)

    def step(state: Any, v: Any) -> Any:
        total, other = state
        unused = gc.print("other {}", other)
        return (gc.print("at {}", total) + v, unused * 2.0), v * 3.0

    _, ys = gc.scan(step, (0.0, 1.0), x)
    count = gc.while_loop(lambda i: i < 2, lambda i: gc.print("turn {}", i) + 1, 0)
    sign = gc.cond(gc.sum(x) > 0, lambda: gc.print("more", x), lambda: gc.print("less", x))
    last = gc.print("end", count)
    program = gc.compile([x], [last, sign, ys], level=level, target=target)
    np.testing.assert_array_equal(program(A)[2], A * 3)
    loop = "other 1.0\nat 0.0\nother 2.0\nat 1.0\nother 4.0\nat -3.0\n"
    assert capsys.readouterr().out == f"{loop}turn 0\nturn 1\nmore {A}\nend 2\n"
    program(-A)
    assert f"less {-A}\nend 2\n" in capsys.readouterr().out


@everywhere
def test_a_gradient_does_not_show_again(level: str, target: str, capsys: Out) -> None:
    x = _x()
    loss, _ = gc.scan(lambda s, v: (s + gc.print("{}", gc.exp(v * s)), None), gc.sum(x) * 0, x)
    loss = gc.print("loss", loss)
    program = gc.compile([x], [loss, gc.grad(loss, x)], level=level, target=target)
    _, slope = program(ONES * 0)
    assert capsys.readouterr().out == "1.0\n1.0\n1.0\nloss 3.0\n"
    np.testing.assert_array_equal(slope, [0.0, 1.0, 2.0])  # exp(v s) has slope s at v = 0


@everywhere
def test_nothing_is_shown_once_a_check_that_it_needs_has_failed(
    level: str, target: str, capsys: Out
) -> None:
    x = _x()
    w = gc.parameter("w", np.zeros(()))
    before = gc.print("before", x)
    checked = gc.check(before > 0, "it is {}", before)
    y = gc.print("after", checked)
    program = gc.compile([x], y, {w: w + gc.sum(y)}, level=level, target=target)
    with pytest.raises(CheckError, match="-4.0"):
        program(A)
    assert (capsys.readouterr().out, w.value) == (f"before {A}\n", 0)
    program(ONES)
    assert (capsys.readouterr().out, w.value) == (f"before {ONES}\nafter {ONES}\n", 3)


def test_what_a_stream_raises_ends_the_call_and_leaves_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def write(self, text: str) -> int:
            raise BlockingIOError("full")

    x, w = _x(), gc.parameter("w", np.zeros(()))
    program = gc.compile([x], updates={w: w + gc.sum(gc.print("{}", x))}, outputs=None)
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", Full())
        with pytest.raises(BlockingIOError, match="full"):
            program(A)
    assert w.value == 0
    program(ONES)
    assert w.value == 3


@pytest.mark.parametrize("dtype", BY_SHORT.values(), ids=str)
def test_every_dtype_is_shown_as_numpy_shows_it(dtype: Any, capsys: Out) -> None:
    x = gc.input("x", (2, 2), dtype)
    values = np.array([[0, 1], [1, 0]], dtype.numpy)
    got = gc.compile([x], gc.print("x = {}", x.T))(values)
    np.testing.assert_array_equal(got, values.T)
    assert capsys.readouterr().out == f"x = {values.T}\n"


def test_eager_tensors_are_shown_at_once_and_traced_ones_when_called(capsys: Out) -> None:
    t = gc.tensor(A, requires_grad=True)
    for _ in range(2):
        gc.print("t = {}", t).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), 2 * ONES)
    assert capsys.readouterr().out == f"t = {A}\n" * 2

    @gc.jit.compile
    def f(v: gc.Tensor) -> gc.Tensor:
        return gc.print("v = {}", v) * 2

    for k in range(1, 4):
        np.testing.assert_array_equal(f(gc.tensor(A * k)).numpy(), 2 * k * A)
        assert capsys.readouterr().out == f"v = {A * k}\n"


@pytest.mark.parametrize("how", ["specialise", "fork"])
def test_traced_lines_that_nothing_uses_or_that_python_waits_for_come_once(
    how: Any, capsys: Out
) -> None:
    @gc.jit.compile(on_branch=how)
    def f(v: gc.Tensor) -> gc.Tensor:
        h = gc.print("h", gc.tanh(v))
        gc.print("unused", v)
        return h * 2 if h.sum() > 0 else gc.print("less", h)

    for values in (ONES, -ONES, ONES, -ONES):
        f(gc.tensor(values))
        less = f"less {np.tanh(values)}\n" if values[0] < 0 else ""
        assert capsys.readouterr().out == f"h {np.tanh(values)}\nunused {values}\n{less}"


def test_saved_programs_show(tmp_path: Path, capsys: Out) -> None:
    x = gc.input("x", (3,), F64)
    total, _ = gc.scan(lambda s, v: (gc.print("s", s) + v, None), 0.0, x)
    gc.compile([x], total, name="f").save(tmp_path / "f.gcz")
    assert gc.jit.load(tmp_path / "f.gcz")(A) == 6
    assert capsys.readouterr().out == "s 0.0\ns 1.0\ns -3.0\n"


def test_many_elements_and_threads(capsys: Out) -> None:
    x = gc.input("x", (400, 1000), F64)
    y = gc.print("max {}", gc.max(gc.print("x {}", gc.tanh(x))))
    values = np.linspace(-1, 1, 400_000).reshape(400, 1000)
    assert gc.compile([x], y * 2.0, threads=2)(values) == pytest.approx(2 * np.tanh(1))
    head, _, tail = capsys.readouterr().out.partition("max ")
    assert head.startswith("x [[-0.76159416 ") and float(tail) == pytest.approx(np.tanh(1))


def test_arguments_that_cannot_be_right_are_refused() -> None:
    x = _x()
    with pytest.raises(ArgumentError, match=r'write y = gc.print\("y is \{\}", y\)'):
        gc.print(x)
    with pytest.raises(ArgumentError, match="no value"):
        gc.print("x")
    for message in ("{} {}", "{0}", "{!r}", "{", "{:>99}", "{.shape}"):
        with pytest.raises(AttributeValueError, match="has not one"):
            gc.print(message, x)
