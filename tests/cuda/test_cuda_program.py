"""Programs on a fake GPU, with the CPU's kernels in it: memory, graphs, state, errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cuda_steps import STEPS
from fake_cuda import Fake, HostKernels, fresh

import graphc as gc
from graphc.errors import DeviceError, IndexRangeError, OutOfMemoryError
from graphc.runtime import targets
from graphc.runtime.cuda import frames

HOST = "cuda_host"


@pytest.fixture
def fake() -> Iterator[Fake]:
    targets.register(HostKernels())
    with fresh() as found:
        yield found
    del targets._TARGETS[HOST]


def _compiled(name: str, target: str = HOST) -> tuple[Any, list[np.ndarray]]:
    inputs, outputs, updates, batch = STEPS[name]()
    return gc.compile(inputs, outputs, updates=updates, target=target), batch


def _same(one: Any, other: Any) -> None:
    ours, theirs = one.state(), other.state()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-5, atol=1e-6, err_msg=name)


def _counter() -> tuple[Any, Any]:
    w = gc.parameter("w", np.zeros(3, np.float32))
    x = gc.input("x", (3,))
    return w, gc.compile([x], w * 1.0, updates={w: w + x}, target=HOST)


ONES = np.ones(3, np.float32)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in STEPS if name != "embed"]


@pytest.mark.parametrize("name", ["embed", *SLOW])
def test_training_steps_are_those_of_the_cpu(fake: Fake, name: str) -> None:
    (ours, batch), (theirs, _) = _compiled(name), _compiled(name, "cpu")
    for _ in range(4):
        np.testing.assert_allclose(ours(*batch)[0], theirs(*batch)[0], rtol=1e-5)
    _same(ours, theirs)


def test_a_call_is_a_graph_and_a_step_that_checks_is_two(fake: Fake) -> None:
    w, step = _counter()
    step(ONES)
    allocations, graphs = fake.count("cuMemAlloc_v2"), fake.count("cuGraphLaunch")
    assert graphs == 1
    for _ in range(5):
        step(ONES)
    assert fake.count("cuGraphLaunch") == 6 and fake.count("cuMemAlloc_v2") == allocations
    np.testing.assert_array_equal(w.value, 6 * ONES)
    checked, batch = _compiled("embed")
    checked(*batch)
    assert fake.count("cuGraphLaunch") == 8


def test_an_index_out_of_range_is_the_cpus_error_and_no_state_changes(fake: Fake) -> None:
    (ours, batch), (theirs, _) = _compiled("embed"), _compiled("embed", "cpu")
    ours(*batch), theirs(*batch)
    bad = [batch[0].copy(), batch[1]]
    bad[0][3, 4] = 77
    for program in (ours, theirs):
        with pytest.raises(IndexRangeError, match="index 77 is out of range for an axis of size"):
            program(*bad)
    _same(ours, theirs)
    np.testing.assert_allclose(ours(*batch)[0], theirs(*batch)[0], rtol=1e-5)
    _same(ours, theirs)


def test_values_given_on_either_side_are_what_the_other_reads(fake: Fake) -> None:
    w, step = _counter()
    on_cpu = gc.compile([], w * 1.0, updates={w: w * 2.0})
    step(ONES)
    np.testing.assert_array_equal(on_cpu(), ONES)
    np.testing.assert_array_equal(step(ONES), 2 * ONES)
    w.value = 10 * ONES
    np.testing.assert_array_equal(step(ONES), 10 * ONES)
    step.load_state({"w": 5 * ONES})
    np.testing.assert_array_equal(step(ONES), 5 * ONES)
    copies = fake.count("cuMemcpyHtoD_v2")
    assert step.state()["w"].tolist() == [6, 6, 6]
    step(ONES)
    assert fake.count("cuMemcpyHtoD_v2") == copies, "reading the state made it go up again"


def test_eager_tensors_have_what_programs_made_of_them_and_the_other_way_round(fake: Fake) -> None:
    layer, like = gc.nn.Linear(3, 2), gc.nn.Linear(3, 2)
    like.load_state_dict(layer.state_dict())
    x, given = gc.input("x", (4, 3)), np.ones((4, 3), np.float32)
    steps = []
    for one, target in ((layer, HOST), (like, "cpu")):
        loss = gc.mean(one(x) ** 2)
        updates = gc.optim.SGD(one.parameters(), lr=0.1).updates(loss)
        steps.append(gc.compile([x], loss, updates=updates, target=target))
    for turn in range(4):
        np.testing.assert_allclose(steps[0](given), steps[1](given), rtol=1e-5)
        np.testing.assert_allclose(layer.weight.detach(), like.weight.detach(), rtol=1e-5)
        with gc.no_grad():
            layer.weight.mul_(1.5)
            like.weight.mul_(1.5)


def test_out_takes_results_and_sizes_that_change_take_graphs_of_their_own(fake: Fake) -> None:
    x = gc.input("x", (gc.dim("n"), 3))
    double = gc.compile([x], x * 2.0, target=HOST)
    out = np.empty((2, 3), np.float32)
    assert double(np.ones((2, 3), np.float32), out=out) is out and out.sum() == 12
    for n in (1, 5, 0, 2, 7, 5):
        given = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
        np.testing.assert_array_equal(double(given), 2 * given)


def test_the_graph_unused_for_longest_makes_room(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MAX_GRAPHS", 2)
    x = gc.input("x", (gc.dim("n"),))
    double = gc.compile([x], x * 2.0, target=HOST)
    for n in (9, 3, 2, 9, 9, 3):  # 9 first: the place does not grow
        assert double(np.ones(n, np.float32)).sum() == 2 * n
    assert fake.count("cuGraphInstantiateWithFlags") == 5
    assert fake.count("cuGraphExecDestroy") == 3


@pytest.mark.parametrize("length", [0, 1, 4, 5])
@pytest.mark.parametrize("reverse", [False, True])
def test_loops_of_known_length_are_in_the_graph(fake: Fake, length: int, reverse: bool) -> None:
    xs, h = gc.input("xs", (length, 3)), gc.input("h", (3,))
    last, ys = gc.scan(lambda c, x: (c * 0.5 + x, c + x), h, xs, reverse=reverse)
    given = np.arange(3 * length, dtype=np.float32).reshape(length, 3), ONES
    ours = gc.compile([xs, h], [last, ys], target=HOST)(*given)
    theirs = gc.compile([xs, h], [last, ys])(*given)
    for one, other in zip(ours, theirs):
        np.testing.assert_array_equal(one, other)
    assert fake.count("cuGraphLaunch") == 1


def test_branches_and_loops_of_unknown_length_ask_the_gpu(fake: Fake) -> None:
    x, n = gc.input("x", (3,)), gc.input("n", (), gc.int64)
    grown, turns = gc.while_loop(
        lambda c: c[1] < n, lambda c: (c[0] * 2.0, c[1] + 1), (x, gc.constant(np.int64(0)))
    )
    y = gc.cond(n > 2, lambda a: a + 100.0, lambda a: a - 1.0, grown)
    ours = gc.compile([x, n], [y, turns], target=HOST)
    for count in (0, 1, 2, 3, 6):
        value, done = ours(ONES, np.int64(count))
        assert value[0] == 2.0**count + (100 if count > 2 else -1) and done == count
    assert fake.count("cuGraphLaunch") == 0


def test_loops_that_would_make_a_graph_too_long_are_queued_each_time(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphc.runtime.cuda.program.MAX_LAUNCHES", 5)
    xs, h = gc.input("xs", (9, 3)), gc.input("h", (3,))
    total, _ = gc.scan(lambda c, x: (c + x, x), h, xs)
    ours = gc.compile([xs, h], total, target=HOST)
    np.testing.assert_array_equal(ours(np.ones((9, 3), np.float32), ONES), 10 * ONES)
    assert fake.count("cuGraphLaunch") == 0


def test_an_index_out_of_range_inside_a_loop_is_an_error(fake: Fake) -> None:
    table, ids = gc.input("table", (4,)), gc.input("ids", (3,), gc.int64)
    total, _ = gc.scan(lambda c, i: (c + table[i], c), gc.constant(np.float32(0)), ids)
    program = gc.compile([table, ids], total, target=HOST)
    given = np.arange(4, dtype=np.float32)
    assert program(given, np.array([1, 2, 3])) == 6
    with pytest.raises(IndexRangeError, match="9"):
        program(given, np.array([1, 9, 3]))
    assert program(given, np.array([1, 1, 1])) == 3


def test_threads_that_call_one_program_get_their_own_results(fake: Fake) -> None:
    x = gc.input("x", (64,))
    program = gc.compile([x], gc.exp(x) + 1.0, target=HOST)
    wrong = []

    def work(k: int) -> None:
        given = np.full(64, k / 10, np.float32)
        for _ in range(20):
            if not np.allclose(program(given), np.exp(given) + 1):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_calls_go_to_the_stream_of_the_caller(fake: Fake) -> None:
    _, step = _counter()
    step(ONES)
    with gc.cuda.stream(gc.cuda.Stream()):
        np.testing.assert_array_equal(step(ONES), ONES)
    np.testing.assert_array_equal(step(ONES), 2 * ONES)


def test_a_program_stays_on_the_device_where_it_was_compiled(fake: Fake) -> None:
    fake.set(devices=2)
    w, first = _counter()
    with gc.cuda.device(1):
        second = gc.compile([], w * 1.0, updates={w: w * 10.0}, target=HOST)
        first(ONES)
    np.testing.assert_array_equal(second(), ONES)
    np.testing.assert_array_equal(first(ONES), 10 * ONES)
    assert gc.cuda.memory_allocated(0) and gc.cuda.memory_allocated(1)


def test_a_profile_has_a_time_for_each_launch_and_leaves_the_state(fake: Fake) -> None:
    step, batch = _compiled("mlp")
    step(*batch)
    before = step.state()
    profile = step.profile(*batch, repeat=2)
    assert profile.total_s > 0 and all(seconds > 0 for _, seconds, _ in profile.rows)
    assert len(profile.rows) == step.stats.launches
    for name, value in step.state().items():
        np.testing.assert_array_equal(value, before[name])


# Everything that a step calls, with what the real function may say.
FAILURES = {
    "cuMemAlloc_v2": 2, "cuMemHostAlloc": 2, "cuMemcpyHtoD_v2": 1, "cuCtxSynchronize": 999,
    "cuStreamCreate": 2, "cuStreamBeginCapture_v2": 900, "cuLaunchKernel": 701,
    "cuMemcpyHtoDAsync_v2": 1, "cuMemcpyDtoHAsync_v2": 1, "cuMemsetD8Async": 1,
    "cuStreamEndCapture": 901, "cuGraphInstantiateWithFlags": 2, "cuGraphLaunch": 999,
    "cuModuleLoadData": 209, "cuModuleGetFunction": 500, "cuStreamSynchronize": 999,
    "cuMemcpyDtoH_v2": 1, "cuMemsetD16Async": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_after_any_failure_the_state_is_as_it_was_and_the_next_call_is_right(
    fake: Fake, name: str
) -> None:
    nth, failed = 1, 0
    while True:
        w = gc.parameter("w", np.zeros(3, np.float32))
        x, k = gc.input("x", (gc.dim("n"), 3)), gc.input("k", (), gc.int64)
        result, updates = x + w + w[k], {w: w + gc.sum(x, axis=0)}
        # The pool asks twice, when it has given back what it keeps.
        fake.fail(name, FAILURES[name], nth, 2 if name == "cuMemAlloc_v2" else 1)
        program, done, errors = None, 0, 0
        for _ in range(4):
            try:
                program = program or gc.compile([x, k], result, updates=updates, target=HOST)
                program(np.ones((1, 3), np.float32), np.int64(1))
                done += 1
            except (DeviceError, OutOfMemoryError) as error:
                errors += 1
                assert len(str(error).splitlines()) <= 12
                found = w.value
                # A wait that fails may come after the work: the new value, whole, or the old.
                assert found.tolist() in ([done] * 3, [done + 1] * 3)
                done = int(found[0])
        fake.fail(name, 0, 1, 0)
        assert w.value.tolist() == [done] * 3 and done >= 3
        failed += errors
        if not errors:
            break
        assert errors == 1
        nth += 1
    assert failed or name in ("cuCtxSynchronize", "cuMemcpyDtoH_v2", "cuMemsetD16Async")


def test_a_kernel_that_fails_loses_the_context_and_no_old_value_stands_for_the_new(
    fake: Fake,
) -> None:
    w, step = _counter()
    step(ONES)
    fake.fail("kernel", 700)
    with pytest.raises(DeviceError) as raised:
        step(ONES)
    text = str(raised.value)
    assert "ILLEGAL_ADDRESS (700)" in text and "GRAPHC_CHECK=launch" in text
    with pytest.raises(DeviceError, match="what only the GPU held is gone"):
        w.value  # noqa: B018


def test_the_check_of_launches_names_the_kernel_and_the_users_line(fake: Fake) -> None:
    with gc.config.override(check=["launch"]):
        x = gc.input("x", (3,))
        program = gc.compile([x], gc.exp(x) + 1.0, target=HOST)
        np.testing.assert_allclose(program(ONES), np.exp(ONES) + 1, rtol=1e-6)
        fake.fail("kernel", 719)
        with pytest.raises(DeviceError) as raised:
            program(ONES)
    text = str(raised.value)
    assert "kernel exp" in text and "LAUNCH_FAILED (719)" in text
    assert "test_cuda_program.py" in text and len(text.splitlines()) <= 12


def test_memory_that_is_out_names_the_largest_buffers_and_what_the_gpu_has(fake: Fake) -> None:
    fake.set(memory=64 << 20)
    x = gc.input("x", (gc.dim("n"), 1000))
    program = gc.compile([x], gc.softmax(gc.exp(x) @ gc.transpose(x, (1, 0)), axis=1), target=HOST)
    small = program(np.ones((2, 1000), np.float32))
    with pytest.raises(OutOfMemoryError) as raised:
        program(np.ones((4000, 1000), np.float32))
    text = str(raised.value)
    assert "n = 4000" in text and "Fake GPU 0" in text and len(text.splitlines()) <= 12
    np.testing.assert_array_equal(program(np.ones((2, 1000), np.float32)), small)


def test_a_parameter_that_does_not_fit_is_said_when_it_is_compiled(fake: Fake) -> None:
    fake.set(memory=1 << 20)
    w = gc.parameter("w", np.ones(1 << 19, np.float32))
    with pytest.raises(OutOfMemoryError, match="a parameter of 2,097,152 bytes does not fit"):
        gc.compile([], w * 2.0, target=HOST)


def test_what_has_no_kernel_for_a_gpu_is_refused_when_it_is_compiled(fake: Fake) -> None:
    x = gc.input("x", (3, 3))
    with pytest.raises(gc.errors.UnsupportedError, match="no kernel for a GPU"):
        gc.compile([x], gc.linalg.inv(x), target=HOST)
