"""Twenty classic mistakes of tracing: each is caught, or handled as eager Python would."""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphcWarning, TraceError

SCALE = 2.0
COUNTER: dict[str, int] = {"calls": 0}


def _compiled(function: Any, **settings: Any) -> Any:
    return gc.jit.compile(function, **settings)


def _equal(own: Any, wanted: Any) -> None:
    np.testing.assert_allclose(own.detach().numpy(), wanted.detach().numpy(), rtol=1e-5, atol=1e-6)


def _branches(x: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    return -x


def test_1_a_branch_on_a_value_is_an_error_that_shows_cond() -> None:
    with pytest.raises(TraceError) as caught:
        _compiled(_branches)(gc.ones(3))
    assert "in: if x.sum() > 0:" in str(caught.value)
    assert "gc.cond(x.sum() > 0, lambda x: ..., lambda x: ..., x)" in str(caught.value)


@pytest.mark.parametrize("policy", ["specialise", "fork"])
def test_1_a_branch_on_a_value_takes_the_arm_that_eager_python_takes(policy: str) -> None:
    run = _compiled(_branches, on_branch=policy)
    for value in (gc.ones(3), -gc.ones(3), gc.tensor([3.0, -1.0, 0.5]), -gc.ones(4)):
        _equal(run(value), _branches(value))


def test_1_what_asks_for_a_value_ends_the_graph_where_that_is_wanted() -> None:
    model, kept = gc.nn.Linear(3, 2), gc.nn.Linear(3, 2)
    kept.load_state_dict(model.state_dict())
    seen: list[float] = []

    def step(model: Any, optimizer: Any, x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        norm = sum((p.grad**2).sum() for p in model.parameters()).sqrt()
        if norm > 1.0:
            for p in model.parameters():
                p.grad.mul_(1.0 / norm)
        seen.append(norm.item())
        optimizer.step()
        return loss.detach(), np.sin(norm.numpy())

    run = _compiled(step, on_branch="eager")
    sgd = [gc.optim.SGD(m.parameters(), lr=0.1) for m in (model, kept)]
    for k in range(4):
        x = gc.full((2, 3), 0.5 * k)
        with pytest.warns(GraphcWarning, match="norm > 1.0|bool") if k == 0 else nullcontext():
            own = run(model, sgd[0], x)
        wanted = step(kept, sgd[1], x)
        _equal(own[0], wanted[0])
        assert own[1] == pytest.approx(wanted[1], rel=1e-5)
        assert seen[-1] == pytest.approx(seen[-2], rel=1e-5)
        for p, q in zip(model.parameters(), kept.parameters()):
            _equal(p, q)
            _equal(p.grad, q.grad)
    assert "runs eagerly: bool() of a traced tensor (test_jit_mistakes.py" in run.tier(x)
    assert any("runs eagerly" in line for line in run.assumes())
    assert "runs eagerly" in run.explain()
    with pytest.raises(TraceError, match="runs eagerly"):
        _compiled(_branches, on_branch="eager", tier="guarded")(gc.ones(3))


def test_1_an_optimizer_that_goes_by_values_runs_eagerly() -> None:
    found = []
    for wrap in (lambda f: f, _compiled):
        w = gc.nn.Parameter(gc.ones(2))
        optimizer = gc.optim.LBFGS([w], lr=0.1, max_iter=3)

        def step(t: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            def closure() -> Any:
                optimizer.zero_grad()
                loss = ((w - t) ** 2).sum()
                loss.backward()
                return loss

            return optimizer.step(closure)

        run = wrap(step)
        with nullcontext() if wrap is not _compiled else pytest.warns(GraphcWarning, match="LBFGS"):
            found.append([run(gc.tensor([3.0, 4.0])), run(gc.tensor([1.0, 4.0])), w])
    for own, wanted in zip(*found):
        _equal(own, wanted)


def test_2_a_loop_on_a_length_follows_the_length() -> None:
    def total(x: Any) -> Any:
        result = x[0] * 0
        for k in range(x.shape[0]):
            result = result + x[k] * k
        return result

    run = _compiled(total)
    for n in (3, 5, 2):
        x = gc.rand(n, 2)
        _equal(run(x), total(x))
    assert any("Python needed the size" in line for line in run.assumes())


def test_3_a_closure_changed_later_changes_the_result() -> None:
    k = 2.0

    def times(x: Any) -> Any:
        return x * k

    run = _compiled(times)
    _equal(run(gc.ones(2)), gc.full((2,), 2.0))
    k = 5.0
    assert "closure k" in run.would_recompile(gc.ones(2))
    _equal(run(gc.ones(2)), gc.full((2,), 5.0))


def test_4_a_global_bound_anew_changes_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _compiled(lambda x: x * SCALE)
    _equal(run(gc.ones(2)), gc.full((2,), 2.0))
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    assert "global SCALE" in run.would_recompile(gc.ones(2))
    _equal(run(gc.ones(2)), gc.full((2,), 7.0))


def test_5_item_is_not_folded() -> None:
    with pytest.raises(TraceError, match=r"item\(\) of a traced tensor"):
        _compiled(lambda x: x * x.sum().item())(gc.ones(2))
    with pytest.raises(TraceError, match=r"float\(\) of a traced tensor"):
        _compiled(lambda x: x * float(x.sum()))(gc.ones(2))


def test_5_item_of_a_constant_tensor_is_guarded() -> None:
    factor = gc.tensor(3.0)
    run = _compiled(lambda x: x * factor.item())
    _equal(run(gc.ones(2)), gc.full((2,), 3.0))
    factor.fill_(4.0)
    _equal(run(gc.ones(2)), gc.full((2,), 4.0))


def test_6_a_shape_is_not_baked() -> None:
    run = _compiled(lambda x: x.sum() / x.shape[0])
    for n in (2, 3, 10):
        x = gc.rand(n)
        _equal(run(x), x.sum() / n)
    mean = _compiled(lambda x: x.reshape(x.shape[0] * x.shape[1]).mean())
    for n in (2, 3, 10):
        x = gc.rand(n, 4)
        _equal(mean(x), x.mean())
    assert len(mean.variants) == 1


def test_7_an_alias_written_in_place_is_seen() -> None:
    def change(x: Any) -> Any:
        y = x * 1
        row = y[0]
        flat = y.view(-1)
        row.mul_(10)
        flat[1] = -1.0
        y.t().add_(1)
        return y, row

    run = _compiled(change)
    x = gc.rand(2, 3)
    for own, wanted in zip(run(x), change(x)):
        _equal(own, wanted)


def test_7_a_write_to_an_argument_reaches_it_or_is_refused() -> None:
    def change(x: Any) -> Any:
        x.mul_(2)
        return x.sum()

    own, wanted = gc.ones(3), gc.ones(3)
    _equal(_compiled(change)(own), change(wanted))
    _equal(own, wanted)


def test_8_a_random_draw_is_a_new_one_at_every_call() -> None:
    def noisy(x: Any) -> Any:
        return x + gc.randn(3)

    run = _compiled(noisy)
    gc.manual_seed(5)
    own = [run(gc.zeros(3)) for _ in range(3)]
    gc.manual_seed(5)
    for value in own:
        _equal(value, noisy(gc.zeros(3)))
    assert not gc.equal(own[0], own[1])


def test_9_dropout_is_not_left_on() -> None:
    settings = {"training": True}

    def drop(x: Any) -> Any:
        return gc.dropout(x, 0.5, training=settings["training"])

    run = _compiled(drop)
    assert (run(gc.ones(100)) == 0).any()
    settings["training"] = False
    _equal(run(gc.ones(100)), gc.ones(100))


def test_10_numpy_does_not_leak() -> None:
    with pytest.raises(TraceError, match="of a traced tensor"):
        _compiled(lambda x: x * gc.tensor(np.sum((x + 1).numpy())))(gc.ones(2))
    run = _compiled(lambda x: x * gc.tensor(np.sum(x.numpy())))
    for k in (1.0, 2.0):  # an argument has its value
        _equal(run(gc.full((2,), k)), gc.full((2,), 2 * k * k))
    run = _compiled(lambda x: x * np.random.rand())
    np.random.seed(3)
    own = [run(gc.ones(2)) for _ in range(3)]
    np.random.seed(3)
    for value in own:
        _equal(value, gc.ones(2) * np.random.rand())


def test_10_an_array_of_numpys_is_read_at_every_call() -> None:
    weights = np.array([1.0, 2.0], np.float32)
    run = _compiled(lambda x: x * weights)
    _equal(run(gc.ones(2)), gc.tensor([1.0, 2.0]))
    weights[:] = 5.0
    _equal(run(gc.ones(2)), gc.tensor([5.0, 5.0]))


def test_11_the_order_of_a_dictionary_does_not_mix_results_up() -> None:
    run = _compiled(lambda d: {"b": d["a"] - d["b"], "a": d["a"] * 2})
    first = run({"a": gc.ones(2), "b": gc.zeros(2)})
    second = run({"b": gc.zeros(2), "a": gc.ones(2)})
    for name in ("a", "b"):
        _equal(first[name], second[name])
    _equal(first["b"], gc.ones(2))
    _equal(first["a"], gc.full((2,), 2.0))


def test_12_a_default_argument_that_was_mutated_is_noticed() -> None:
    def scaled(x: Any, factors: list[float] = [2.0]) -> Any:  # noqa: B006
        return x * factors[0]

    run = _compiled(scaled)
    _equal(run(gc.ones(2)), gc.full((2,), 2.0))
    scaled.__defaults__[0][0] = 3.0  # type: ignore[index]
    _equal(run(gc.ones(2)), gc.full((2,), 3.0))


def test_13_the_state_of_a_generator_goes_on() -> None:
    g = gc.Generator().manual_seed(1)
    run = _compiled(lambda x: x + gc.rand(2, generator=g))
    own = [run(gc.zeros(2)) for _ in range(2)]
    after = gc.rand(2, generator=g)
    g.manual_seed(1)
    for value in own:
        _equal(value, gc.rand(2, generator=g))
    _equal(after, gc.rand(2, generator=g))


def test_14_recursion_is_followed() -> None:
    def power(x: Any, n: int) -> Any:
        return x if n == 0 else power(x, n - 1) * x

    run = _compiled(lambda x, n: power(x, n))
    x = gc.rand(3)
    _equal(run(x, 4), x**5)
    _equal(run(x, 2), x**3)


def test_14_recursion_on_a_value_is_an_error() -> None:
    def halve(x: Any) -> Any:
        return x if x < 1 else halve(x / 2)

    with pytest.raises(TraceError, match="gc"):
        _compiled(halve)(gc.tensor(8.0))
    run = _compiled(halve, on_branch="specialise")
    for value in (8.0, 0.5, 3.0):
        _equal(run(gc.tensor(value)), halve(gc.tensor(value)))


def test_15_an_exception_as_control_flow_is_followed_where_values_do_not_decide() -> None:
    def first(d: dict[str, Any]) -> Any:
        try:
            return d["missing"] * 2
        except KeyError:
            return d["there"] * 3

    _equal(_compiled(first)({"there": gc.ones(2)}), gc.full((2,), 3.0))

    def checked(x: Any) -> Any:
        try:
            return x / (1 if x.sum() else 0)
        except ZeroDivisionError:
            return x

    with pytest.raises(TraceError):
        _compiled(checked)(gc.ones(2))


def test_16_state_keyed_by_identity_is_an_error() -> None:
    cache: dict[int, Any] = {}
    with pytest.raises(TraceError, match="identities"):
        _compiled(lambda x: cache.setdefault(id(x), x * 2))(gc.ones(2))


def test_17_a_slice_by_an_argument_follows_it_and_one_by_a_computed_value_is_an_error() -> None:
    run = _compiled(lambda x, n: x[: int(n)])
    for n in (3, 1, 3):
        assert run(gc.ones(5), gc.tensor(n)).tolist() == [1.0] * n
    with pytest.raises(TraceError, match="of a traced tensor"):
        _compiled(lambda x, n: x[: int(n + 1)])(gc.ones(5), gc.tensor(3))
    with pytest.raises(gc.errors.GraphcError, match=r"depends on values|of a traced tensor"):
        _compiled(lambda x: x[x > 0])(gc.ones(5))


def test_18_a_path_by_type_is_taken_anew_for_another_type() -> None:
    def typed(x: Any, y: Any) -> Any:
        if x.dtype is gc.int64:
            return x * 2 + y
        return x / 2 - y

    run = _compiled(typed)
    for x in (gc.ones(2), gc.ones(2, dtype=gc.int64), gc.ones(2)):
        _equal(run(x, 1).double(), typed(x, 1).double())
    _equal(run(gc.ones(2), 2.5), typed(gc.ones(2), 2.5))


def test_19_a_value_that_depends_on_time_is_another_one_at_every_call() -> None:
    clock = iter(range(100))
    run = _compiled(lambda x: x * next(clock) + 0 * time.time())
    assert [run(gc.ones(2)).tolist()[0] for _ in range(4)] == [0, 1, 2, 3]
    run = _compiled(lambda x: x * random.random())
    random.seed(1)
    own = [run(gc.ones(2)) for _ in range(3)]
    random.seed(1)
    for value in own:
        _equal(value, gc.ones(2) * random.random())
    assert len(run.variants) == 2  # the first value, and one for any
    assert "checked" in run.tier(gc.ones(2))
    baked = _compiled(lambda x: x * 0 + random.random(), impure="bake")
    assert gc.equal(baked(gc.ones(2)), baked(gc.ones(2)))
    with pytest.raises(TraceError, match="another one at every call"):
        _compiled(lambda x: x * random.random(), impure="error")(gc.ones(2))


def test_20_printing_prints_at_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    def shows(x: Any) -> Any:
        print("here")
        return x * 2

    run = _compiled(shows)
    for _ in range(3):
        _equal(run(gc.ones(2)), gc.full((2,), 2.0))
    assert capsys.readouterr().out == "here\n" * 3
    assert len(run.variants) == 1


def test_20_a_list_appended_to_and_a_global_written_change_at_every_call() -> None:
    seen: list[int] = []

    def notes(x: Any) -> Any:
        seen.append(1)
        COUNTER["calls"] = COUNTER["calls"] + 1
        return x * 2

    before = COUNTER["calls"]
    run = _compiled(notes)
    for _ in range(3):
        run(gc.ones(2))
    assert len(seen) == 3 and COUNTER["calls"] == before + 3


def test_locals_that_inner_functions_read_are_no_outside_state() -> None:
    layers = [gc.nn.Linear(3, 2), gc.nn.Linear(3, 2)]

    def forward(x: Any) -> Any:
        x = x * 1.0
        parts = [layer(x) for layer in layers]
        x = sum(p * k for k, p in enumerate(parts))

        def halved() -> Any:
            return x / 2

        return halved()

    run = _compiled(forward)
    for _ in range(3):
        _equal(run(gc.ones(4, 3)), forward(gc.ones(4, 3)))
    assert len(run.variants) == 1
    assert not any("closure x" in str(line) for line in run.assumes())


def test_a_closure_of_the_same_name_as_a_local_is_outside_state() -> None:
    k = 2.0

    def outside(x: Any) -> Any:
        return x * k

    def forward(x: Any) -> Any:
        k = outside(x)
        return (lambda: k + 1)()

    run = _compiled(forward)
    _equal(run(gc.ones(2)), gc.full((2,), 3.0))
    k = 5.0
    _equal(run(gc.ones(2)), gc.full((2,), 6.0))


def test_a_traced_value_that_needs_a_gradient_is_added_to_in_place() -> None:
    layer = gc.nn.Linear(3, 3)

    def step(x: Any) -> Any:
        layer.zero_grad()
        out = layer(x)
        out += x
        total = out.sum()
        for k in range(2):
            total += (layer(out) * k).sum()
        total.backward()
        return total, layer.weight.grad, layer.bias.grad

    for found, wanted in zip(_compiled(step)(gc.ones(4, 3)), step(gc.ones(4, 3))):
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-6)


def test_a_tensor_that_outlives_the_call_has_its_value() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        y = x * 2
        kept.append(y)
        return y + 1

    run = _compiled(keeps)
    for k in range(3):
        _equal(run(gc.full((2,), float(k))), gc.full((2,), 2.0 * k + 1))
    assert [k.tolist() for k in kept] == [[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]
