"""Functions in files: every program of a compiled function, and what a call is checked for."""

from __future__ import annotations

import copy
import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import archive_mutations as mutations
import numpy as np
import pytest

import graphc as gc
from graphc.errors import (
    ArchiveError,
    ArgumentError,
    AttributeValueError,
    DTypeError,
    GraphcWarning,
    ShapeError,
    TraceError,
)
from graphc.jit.archive import archive_reader

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "traced_v1.gcz"


def saved(function: Any, **options: Any) -> Any:
    """A function, saved and loaded."""
    file = io.BytesIO()
    gc.jit.save(function, file)
    file.seek(0)
    return gc.jit.load(file, **options)


def listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: listed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [listed(v) for v in value]
    return value.detach().numpy().tolist() if isinstance(value, gc.Tensor) else value


# --- all programs of a compiled function

CALLS: list[tuple[Any, dict[str, Any]]] = [
    ((lambda: gc.ones(3, 4),), {}),
    ((lambda: gc.ones(2),), {}),
    ((lambda: gc.ones(5, 4),), {"scale": 3.0}),
    ((lambda: gc.ones(5, 4), 3), {}),
    ((lambda: gc.ones(2),), {"more": {"b": lambda: gc.ones(2), "a": 2}}),
    ((lambda: gc.ones(2),), {"more": [lambda: gc.zeros(2), None]}),
    ((lambda: gc.ones(2, dtype=gc.float64),), {"flag": True}),
    ((lambda: gc.ones(1, 4),), {}),
    ((lambda: gc.ones(0, 4),), {}),
]


def made(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: made(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(made, value))
    return value() if callable(value) else value


def of_many_kinds(x: Any, scale: Any = 2.0, *, flag: bool = False, more: Any = None) -> Any:
    y = (x + 1.0) * scale
    if flag:
        y = -y
    if isinstance(more, dict):
        y = y * more["b"] + more["a"]
    if isinstance(more, list):
        y = y + more[0]
    return {"y": y, "shape": tuple(x.shape), "scale": scale}


def test_all_programs_of_a_compiled_function_come_back() -> None:
    f = gc.jit.compile(of_many_kinds)
    for args, kwargs in CALLS:
        f(*made(args), **made(kwargs))
    loaded = saved(f)
    assert len(loaded.programs) == len(f.variants) > 5
    for args, kwargs in [*CALLS, *reversed(CALLS)]:
        given, named = made(args), made(kwargs)
        assert listed(loaded(*given, **named)) == listed(of_many_kinds(*given, **named))
    again = saved(loaded)
    assert len(again.programs) == len(f.variants)
    assert listed(again(gc.ones(5, 4), 3)) == listed(of_many_kinds(gc.ones(5, 4), 3))


def test_a_call_that_no_program_is_for_says_which_argument_and_what_is_saved() -> None:
    def f(x: Any, k: float = 1.0) -> Any:
        return x * k

    compiled = gc.jit.compile(f)
    compiled(gc.ones(3, 4), 2.0)
    compiled(gc.ones(2))
    loaded = saved(compiled)
    assert loaded(gc.ones(2), 1.0).tolist() == loaded(k=1.0, x=gc.ones(2)).tolist() == [1, 1]
    with pytest.raises(ArgumentError) as found:
        loaded(gc.ones(2), 4.0)
    text = str(found.value)
    assert "f: argument k is 4.0, not 1.0" in text
    assert "saved for (x: f32[n], k: 1.0)" in text and "saved for (x: f32[n, 4], k: 2.0)" in text
    assert len(text.splitlines()) <= 12
    with pytest.raises(ShapeError, match="axis 1 of input 0 has size 5, not 4"):
        loaded(gc.ones(3, 5), 2.0)
    with pytest.raises(DTypeError, match="input 0 is float64, not float32"):
        loaded(gc.ones(2, dtype=gc.float64))
    with pytest.raises(ArgumentError, match="argument j is new"):
        loaded(gc.ones(2), j=1)


def test_programs_share_their_state_and_its_options() -> None:
    w = gc.nn.Parameter(gc.ones(2))
    optimizer = gc.optim.SGD([w], lr=0.5)

    @gc.jit.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for given in (gc.ones(2), gc.ones(3, 2), gc.ones(2)):
        step(given)
    loaded = saved(step)
    assert len(loaded.programs) > 1 and sum("lr" in name for name in loaded.state()) == 1
    for given in (gc.ones(2), gc.ones(3, 2), gc.ones(2)):
        np.testing.assert_array_equal(loaded(given).numpy(), step(given).numpy())
    state = loaded.state()
    name = next(name for name in state if "lr" in name)
    loaded.load_state({**state, name: np.zeros_like(state[name])})
    loaded(gc.ones(2)), loaded(gc.ones(3, 2))
    held = [name for name in state if state[name].shape == (2,)]
    np.testing.assert_array_equal(loaded.state()[held[0]], state[held[0]])


IS_DOUBLED = False


def test_programs_that_do_not_fit_any_more_are_left_out_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @gc.jit.compile
    def f(x: Any) -> Any:
        return x * 2 if IS_DOUBLED else x

    f(gc.ones(2))
    monkeypatch.setattr("test_saved_functions.IS_DOUBLED", True)
    with pytest.raises(ArgumentError, match="no program of .* fits as things are now"):
        gc.jit.save(f, io.BytesIO())
    f(gc.ones(2)), f(gc.ones(2))
    assert f.tier(gc.ones(2)) == "guarded"
    with pytest.warns(GraphcWarning, match="left out: global IS_DOUBLED changed from False"):
        loaded = saved(f)
    assert len(loaded.programs) == 1 and loaded(gc.ones(2)).tolist() == [2, 2]


def test_one_tensor_given_twice_is_not_two_tensors() -> None:
    f = gc.jit.compile(lambda x, y: x - y if x is not y else x * 5)
    x, y = gc.ones(2), gc.zeros(2)
    f(x, x), f(x, y)
    loaded = saved(f)
    assert loaded(x, x).tolist() == [5, 5] and loaded(x, y).tolist() == [1, 1]
    alone = saved(gc.jit.trace(lambda x, y: x - y, x, y))
    with pytest.raises(ArgumentError, match="argument y is the same tensor as x"):
        alone(x, x)


def test_arguments_that_are_written_are_written() -> None:
    def f(x: Any, y: Any) -> Any:
        x.add_(y)
        return x * 2

    compiled = gc.jit.compile(f)
    compiled(gc.zeros(2), gc.ones(2))
    loaded = saved(compiled)
    x, plain = gc.zeros(2), np.zeros(2, np.float32)
    assert loaded(x, gc.ones(2)).tolist() == [2, 2] and x.tolist() == [1, 1]
    assert loaded(plain, gc.ones(2)).tolist() == [2, 2] and plain.tolist() == [1, 1]
    whole = gc.zeros(3)
    with pytest.raises(ArgumentError, match="share memory"):
        loaded(whole[1:], whole[:2])


def test_what_a_file_cannot_hold_of_arguments_is_refused() -> None:
    traced = gc.jit.trace(lambda x, key: x * 2, gc.ones(2), object())
    with pytest.raises(ArgumentError, match="an argument is a object"):
        gc.jit.save(traced, io.BytesIO())


def test_side_effects_are_left_out_with_a_word() -> None:
    seen: list[int] = []

    @gc.jit.compile
    def f(x: Any) -> Any:
        seen.append(1)
        return x * 2

    f(gc.ones(2))
    with pytest.warns(GraphcWarning, match="not part of the file"):
        assert saved(f)(gc.ones(2)).tolist() == [2, 2]


# --- traces


def test_a_trace_takes_its_arguments_by_name_and_with_defaults() -> None:
    traced = gc.jit.trace(lambda x, y, k=1.0: (x - y) * k, gc.ones(1), gc.zeros(1))
    for f in (traced, saved(traced)):
        one, zero = gc.ones(1), gc.zeros(1)
        for result in (
            f(one, zero), f(one, y=zero), f(y=zero, x=one), f(one, zero, 1.0),
            f(one.numpy(), zero.numpy()),
        ):  # fmt: skip
            assert result.tolist() == [1]
        with pytest.raises((TraceError, ArgumentError), match="argument k is 2.0, not 1.0"):
            f(gc.ones(1), gc.zeros(1), k=2.0)
        with pytest.raises((TraceError, ArgumentError), match="argument k is True, not 1.0"):
            f(gc.ones(1), gc.zeros(1), True)


def test_a_trace_takes_arrays_as_examples() -> None:
    model = gc.nn.Linear(3, 1)
    x = np.ones((2, 3), np.float32)
    traced = gc.jit.trace(model, x)
    np.testing.assert_array_equal(traced(x).detach().numpy(), model(gc.tensor(x)).detach().numpy())


def test_nested_arguments_are_named_by_their_place() -> None:
    traced = gc.jit.trace(lambda b: b["x"][0] * b["k"], {"x": [gc.ones(1)], "k": 2})
    for f in (traced, saved(traced)):
        assert f({"k": 2, "x": [gc.ones(1)]}).tolist() == [2]
        with pytest.raises((TraceError, ArgumentError), match=r"argument b\['k'\] is 3, not 2"):
            f({"x": [gc.ones(1)], "k": 3})
        with pytest.raises((TraceError, ArgumentError), match=r"argument b\['x'\]\[1\] is new"):
            f({"x": [gc.ones(1), gc.ones(1)], "k": 2})


def test_pickles_and_copies_are_archives() -> None:
    traced = gc.jit.trace(gc.nn.Linear(2, 2), gc.ones(1, 2))
    wanted = traced(gc.ones(1, 2)).tolist()
    for again in (pickle.loads(pickle.dumps(traced)), copy.deepcopy(traced)):
        assert again(gc.ones(1, 2)).tolist() == wanted
        assert pickle.loads(pickle.dumps(again))(gc.ones(1, 2)).tolist() == wanted


def test_would_recompile_names_the_argument_and_the_value() -> None:
    f = gc.jit.compile(lambda x, k, **options: x * k)
    f(gc.ones(2), 1.0)
    assert f.would_recompile(gc.ones(2), 1.0) == ""
    assert f.would_recompile(gc.ones(2), 2.0) == "argument k is 2.0, not 1.0"
    assert f.would_recompile(gc.ones(2), 1) == "argument k is 1, not 1.0"
    assert f.would_recompile(gc.ones(2), 1.0, a=3) == "argument a is new: 3"
    assert f.would_recompile(gc.ones(2), gc.ones(2)) == "argument k is a tensor, not 1.0"
    assert f.would_recompile(gc.ones(2, 2), 1.0) == "input 0 has 2 axes, not 1"


# --- files


def test_a_function_of_version_1_loads() -> None:
    """It was written once. Never write it anew."""
    loaded = gc.jit.load(GOLDEN)
    found = loaded({"x": gc.ones(3, 2)}, 0.5)
    np.testing.assert_array_equal(found["y"].numpy(), np.tile([[2.0, 3.0]], (3, 1)))
    assert found["more"][1:] == [3, None, "text"]
    with pytest.raises(ArgumentError, match="the arguments have the form"):
        loaded(gc.ones(3, 2), 0.5)
    again = saved(loaded)
    np.testing.assert_array_equal(again({"x": gc.ones(3, 2)}, 0.5)["w"].numpy(), [[1, 2], [3, 4]])


@pytest.mark.parametrize("threads", [0, -3, True, "abc", 1.5])
def test_settings_of_load_are_checked(threads: Any) -> None:
    with pytest.raises(AttributeValueError, match="threads must be a number from 1"):
        gc.jit.load(GOLDEN, threads=threads)


def call_of(manifest: Any) -> Any:
    return manifest["programs"][0]["call"]["accepts"]


LIES = {
    "does not fit what it accepts": lambda m: call_of(m)["leaves"].pop(),
    "call does not fit what it accepts|is missing": lambda m: call_of(m)["types"].pop(),
    "does not fit what it accept": lambda m: call_of(m).update(writes=[[7, 0]]),
    "the size .* of an argument": lambda m: call_of(m)["types"][0].__setitem__(1, [["0", 1]]),
    "the parameter": lambda m: call_of(m).update(signature=[["x y", "POSITIONAL_ONLY", []]]),
    "signature of a function": lambda m: call_of(m).update(
        signature=[["x", "KEYWORD_ONLY", []], ["x", "KEYWORD_ONLY", []]]
    ),
    "is no number and no text": lambda m: call_of(m)["leaves"].__setitem__(1, ["value", {}]),
    "requires of accepts": lambda m: call_of(m).update(requires=["x"]),
    "names of their own": lambda m: m["programs"][0].update(call=None),
    "programs/0/graph.txt.*it was written by graphc 9.9": lambda m: (
        m.update(written_by="graphc 9.9"), m["programs"][0].update(comment=1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", LIES)
def test_manifests_of_functions_that_lie(message: str, tmp_path: Path) -> None:
    f = gc.jit.compile(lambda x, k: x * k)
    f(gc.ones(2), 2.0), f(gc.ones(2, 2), 2.0)
    gc.jit.save(f, tmp_path / "a")
    members = mutations.contents((tmp_path / "a").read_bytes())
    manifest = json.loads(members["manifest.json"])
    LIES[message](manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    (tmp_path / "a").write_bytes(mutations.sealed(members, honest=False))
    with pytest.raises(ArchiveError) as found:
        gc.jit.load(tmp_path / "a")
    assert len(str(found.value).splitlines()) <= 12


def test_files_of_functions_have_no_room_for_what_is_not_read() -> None:
    file = io.BytesIO()
    f = gc.jit.compile(lambda x: x * 2)
    f(gc.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.jit.save(f, file)
    archive = archive_reader.read_bytes(file.getvalue())
    calls = [p.record.call for p in archive.programs]
    assert [call is not None and call.accepts is not None for call in calls] == [True]


def _net() -> Any:
    return gc.nn.Sequential(gc.nn.Linear(2, 3), gc.nn.BatchNorm1d(3))


def _packed(value: Any) -> bytes:
    file = io.BytesIO()
    gc.jit.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize("is_training", [False, True])
def test_state_has_the_modules_own_names_and_goes_both_ways(is_training: bool) -> None:
    net, other = _net().train(is_training), _net().train(is_training)
    x = gc.randn(4, 2)
    loaded = gc.jit.load(_packed(gc.jit.trace(net, x)))
    assert {*loaded.state()} <= {*net.state_dict()} and "0.weight" in loaded.state()
    other(x)  # other running statistics
    loaded.load_state_dict(other.state_dict())
    assert gc.equal(loaded(x), other(x))
    net.load_state_dict(loaded.state_dict())
    wanted = {k: v for k, v in other.state_dict().items() if k in loaded.state()}
    assert all(gc.equal(net.state_dict()[k], v) for k, v in wanted.items())
    with pytest.raises(ArgumentError, match=r"missing: .*0\.weight"):
        loaded.load_state_dict({})


def test_a_loaded_functions_parameters_can_be_shared() -> None:
    net = gc.nn.Linear(2, 1)
    optimizer = gc.optim.SGD(net.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    train, x = gc.jit.compile(step), gc.ones(4, 2)
    for _ in range(3):
        train(x)
    predict = _packed(gc.jit.trace(net, x))
    training = gc.jit.load(_packed(train))
    predicting = gc.jit.load(io.BytesIO(predict), share=training)
    before = predicting(x)
    training(x)
    train(x)
    assert not gc.equal(predicting(x), before) and gc.equal(predicting(x), net(x))
