"""What a program says of itself: figures, reasons, times, memory; contracts and budgets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, ContractError, OutOfMemoryError

RNG = np.random.default_rng(3)
X = RNG.standard_normal((700, 256)).astype(np.float32)
N = gc.dim("n")


def _step(threads: int | None = None) -> gc.Program:
    x = gc.input("x", (N, 256))
    w = gc.parameter("w", RNG.standard_normal((256, 256)).astype(np.float32) / 16)
    y = gc.named("y", gc.relu(x @ w))
    loss = gc.mean(gc.softmax(y, axis=-1) ** 2)
    updates = {w: w - 0.1 * gc.grad(loss, w)}
    return gc.compile([x], [loss, x], updates=updates, name="step", threads=threads)


def test_figures_are_counted_by_hand() -> None:
    x, w = gc.input("x", (20, 30)), gc.input("w", (30, 40))
    steps = gc.compile([x, w], gc.exp(x @ w)).explain().to_dict()["steps"]
    assert next(s["flops"] for s in steps if s["work"] == "matmul") == 2 * 20 * 30 * 40
    (exp,) = [s for s in steps if s["work"] == "exp"]
    assert (exp["bytes"], exp["flops"]) == (2 * 20 * 40 * 4, 20 * 40)
    assert exp["time_s"] is exp["bandwidth"] is exp["peak"] is None


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 3)])
def test_convolutions_and_their_gradients_count_alike(stride: int, groups: int) -> None:
    x, w = gc.input("x", (2, 3, 9, 9)), gc.input("w", (6, 3 // groups, 3, 3))
    y = gc.conv(x, w, stride=stride, groups=groups)
    wanted = 2 * int(np.prod(y.shape)) * (3 // groups) * 9
    program = gc.compile([x, w], [gc.sum(y), *gc.grad(gc.sum(y * y), [x, w])])
    steps = program.explain().to_dict()["steps"]
    assert [s["flops"] for s in steps if s["flops"] == wanted] == [wanted] * 3


def test_an_explanation_has_times_once_there_is_a_profile() -> None:
    program = _step()
    assert "of peak" not in program.explain()
    found = program.explain(X).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert sum(s["time_s"] for s in found["steps"]) > 0
    products = [s for s in found["steps"] if s["flops"] and s["work"] == "matmul"]
    assert products and all(0 < s["peak"] <= 1 for s in products)
    assert "of peak" in program.explain() and "of memory's bandwidth" in program.explain()


def test_what_is_apart_has_reason_bytes_and_advice() -> None:
    program = _step()
    program(X)
    found = program.explain()
    apart = found.to_dict()["apart"]
    assert {"matmul is a contraction"} == {each["reason"] for each in apart}
    assert max(each["bytes"] for each in apart) == 2 * X.nbytes
    assert all(each["advice"] and each["advice"] in found for each in apart)
    assert "n may have any size" in found.to_dict()["recompiles"]


def test_copies_say_why() -> None:
    x = gc.input("x", (4, 6))
    w, v = (gc.parameter(k, np.ones((4, 6), np.float32)) for k in "wv")
    for outputs, updates, why in (
        (x, {}, "a result that is an input"),
        ([(y := x + 1), y], {}, "another result too"),
        (None, {w: v, v: w}, "another update takes the old value"),
        (gc.transpose(x), {}, "a result lies in one piece"),
    ):
        found = gc.compile([x] if outputs is not None else [], outputs, updates=updates)
        copies = found.explain().to_dict()["copies"]
        assert any(why in copy["why"] for copy in copies), (why, copies)
        assert why in found.explain()


def test_times_of_steps_are_within_the_time_of_the_call() -> None:
    profile = _step(threads=1).profile(X, repeat=20)
    assert 0 < profile.total_s <= profile.wall_s


def test_a_trace_has_each_step_inside_the_call(tmp_path: Path) -> None:
    profile = _step().profile(X, repeat=2)
    whole, *steps = json.loads(profile.save(tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in steps] == [kernel for kernel, _, _ in profile.rows]
    assert {event["ph"] for event in steps} == {"X"}
    ends = [event["ts"] + event["dur"] for event in steps]
    assert ends == sorted(ends) and ends[-1] <= whole["dur"] + 0.01
    assert json.loads(json.dumps(profile.to_dict()))["wall_s"] == profile.wall_s


def test_memory_says_what_lives_at_the_peak() -> None:
    program = _step()
    use = program.memory(n=700)
    assert (use.peak_nbytes, use.unplanned_nbytes) == tuple(use)
    assert 0 < use.bound_nbytes <= use.peak_nbytes <= use.unplanned_nbytes
    for a in use.lives:
        for b in use.lives:
            if a is not b and a.first <= b.last and b.first <= a.last and a.nbytes and b.nbytes:
                assert a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
    assert json.loads(json.dumps(use.to_dict()))["peak_bytes"] == use.peak_nbytes
    assert str(use).count("\n") == len(use.at_peak)


def test_a_contract_that_holds_is_silent() -> None:
    program = _step()
    program.require(
        kernels="<=8", peak_bytes="<=64MiB", copies=1, fused=[("y", "exp")], no_dtype="float64",
        n=700,
    )  # fmt: skip
    program.require(peak_bytes=program.memory(n=9).peak_nbytes, n=9)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"kernels": "<3"}, r"kernels is \d, not < 3"),
        ({"peak_bytes": "<=1kB"}, r"peak_bytes is .* MB, not <= 1kB\n.*matmul"),
        ({"copies": 0}, "copies is 1, not == 0\n.*a result that is an input"),
        ({"fused": [("matmul", "exp")]}, "not fused\n.*matmul is a contraction"),
        ({"fused": ["sort"]}, "no kernel has sort"),
        ({"no_dtype": ["float64", "float32"]}, "there is float32 in it"),
    ],
)
def test_a_contract_that_is_broken_shows_the_part_of_the_explanation(
    wanted: dict, words: str
) -> None:
    with pytest.raises(ContractError, match=words) as caught:
        _step().require(**wanted, n=700)
    assert len(str(caught.value).splitlines()) <= 12


def test_a_contract_that_means_nothing_is_refused() -> None:
    program = _step()
    for wrong in ({"kernels": "three"}, {"kernels": "<=few"}, {"peak_bytes": "<=3 apples"}):
        with pytest.raises(AttributeValueError):
            program.require(**wrong)  # type: ignore[arg-type]
    x = gc.input("x", (3,))
    with pytest.raises(ArgumentError, match="reference"):
        gc.compile([x], -x, target="reference").require(kernels=1)


def _kept() -> tuple[list[gc.Node], gc.Node]:
    """Exponentials of an input that are needed first and last, and products in between."""
    inputs = [gc.input(k, (256, 256)) for k in "xyz"]
    x, early = inputs[0], [gc.exp(each * 0.1) for each in inputs]
    late = x
    for each in early:
        late = late @ each * 0.01
    for _ in range(3):
        late = gc.tanh(late @ x) @ x * 0.01
    return inputs, early[0] * late + early[1] * (late @ late) + early[2]


def test_a_budget_is_met_by_computing_again() -> None:
    inputs, output = _kept()
    plain = gc.compile(inputs, output)
    peak = plain.memory().peak_nbytes
    frugal = gc.compile(inputs, output, memory_budget=int(peak * 0.8))
    assert frugal.memory().peak_nbytes <= int(peak * 0.8)
    values = RNG.standard_normal((3, 256, 256)).astype(np.float32)
    np.testing.assert_array_equal(frugal(*values), plain(*values))


def test_a_budget_that_cannot_be_met_names_what_does_not_fit() -> None:
    inputs, output = _kept()
    with pytest.raises(OutOfMemoryError, match=r"do not fit in 100.0 kB.*\n  256.0 kB, steps"):
        gc.compile(inputs, output, memory_budget="100kB")
    with pytest.raises(AttributeValueError, match="no number of bytes"):
        gc.compile(inputs, output, memory_budget="much")


def test_a_budget_of_symbolic_sizes_holds_at_calls() -> None:
    x = gc.input("x", (N, 256))
    program = gc.compile([x], gc.sort(x @ gc.transpose(x), axis=0), memory_budget="64kB")
    assert program(X[:20]).shape == (20, 20)
    with pytest.raises(OutOfMemoryError, match=r"with n = 700 do not fit in 64.0 kB"):
        program(X)
