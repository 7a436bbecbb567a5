"""State dicts: what they hold, loading, errors that list everything, other libraries' tensors."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from module_errors import lines, raised

import graphc as gc
from graphc import nn
from graphc.nn.module.errors import StateDictError


class Block(nn.Module):
    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(gc.ones(size, 3))
        self.register_buffer("mean", gc.zeros(size))
        self.register_buffer("scratch", gc.zeros(size), persistent=False)


class Net(nn.Module):
    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.a = Block(size)
        self.scale = nn.Parameter(gc.tensor(2.0))
        self.b = Block()


NAMES = ["scale", "a.weight", "a.mean", "b.weight", "b.mean"]


def test_entries_share_memory_and_are_detached() -> None:
    net = Net()
    state = net.state_dict()
    assert type(state) is OrderedDict and list(state) == NAMES
    assert not any(t.requires_grad for t in state.values())
    assert type(state["scale"]) is gc.Tensor
    state["a.weight"].zero_()
    assert net.a.weight.sum().item() == 0
    kept = net.state_dict(keep_vars=True)
    assert kept["a.weight"] is net.a.weight


def test_prefix_and_destination() -> None:
    into: dict[str, Any] = {}
    assert Net().state_dict(destination=into, prefix="net.") is into
    assert list(into) == [f"net.{name}" for name in NAMES]
    assert list(Net().state_dict(None, "n.")) == [f"n.{name}" for name in NAMES]


def test_a_round_trip_changes_values_in_place() -> None:
    net, other = Net(), Net()
    with gc.no_grad():
        for tensor in other.state_dict().values():
            tensor.add_(5)
    before = list(net.parameters())
    saved = copy.deepcopy(other.state_dict())
    result = net.load_state_dict(saved)
    assert repr(result) == "<All keys matched successfully>"
    assert result.missing_keys == [] and result.unexpected_keys == []
    assert all(x is y for x, y in zip(before, net.parameters()))
    assert net.scale.item() == 7 and net.scale.requires_grad
    assert net.b.mean.tolist() == [5.0, 5.0]
    assert net.b.scratch.tolist() == [0.0, 0.0]


def test_values_of_other_dtypes_and_libraries() -> None:
    net = Net()
    state = {name: np.full(t.shape, 3, np.float64) for name, t in net.state_dict().items()}
    state["scale"] = np.array([3.0])  # one element serves for none
    net.load_state_dict(state)
    assert net.a.weight.dtype is gc.float32 and float(net.a.weight.sum()) == 18
    assert net.scale.item() == 3


def test_assign_takes_the_tensors_themselves() -> None:
    net = Net()
    net.scale.requires_grad_(False)
    state = {name: t.double() for name, t in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net.a.weight.dtype is gc.float64 and isinstance(net.a.weight, nn.Parameter)
    assert net.a.weight.requires_grad and not net.scale.requires_grad
    assert net.a.mean is state["a.mean"]
    state["a.weight"].zero_()
    assert net.a.weight.sum().item() == 0


def test_what_does_not_fit_is_listed_whole() -> None:
    state = Net(4).state_dict()
    del state["b.mean"]
    state["head.bias"] = gc.zeros(1)
    state["a.scratch"] = gc.zeros(2)
    state["scale"] = "two"
    assert raised(RuntimeError, lambda: Net().load_state_dict(state)) == lines(
        "Error(s) in loading state_dict for Net:",
        'Missing key(s) in state_dict: "b.mean"',
        'Unexpected key(s) in state_dict: "head.bias", "a.scratch"',
        "scale: the state dict has a str, which is not a tensor",
        "size mismatch for a.weight: (4, 3) in the state dict, (2, 3) in the module",
        "size mismatch for a.mean: (4,) in the state dict, (2,) in the module",
        "at HERE",
        "hint: build the module with the sizes it was saved with",
    )


def test_not_strict_skips_names_but_not_sizes() -> None:
    net = Net()
    result = net.load_state_dict({"a.mean": gc.ones(2), "head.bias": gc.ones(1)}, strict=False)
    assert net.a.mean.tolist() == [1.0, 1.0]
    assert result.missing_keys == ["scale", "a.weight", "b.weight", "b.mean"]
    assert result.unexpected_keys == ["head.bias"]
    assert repr(result) == (
        "_IncompatibleKeys(missing_keys=['scale', 'a.weight', 'b.weight', 'b.mean'], "
        "unexpected_keys=['head.bias'])"
    )
    state = {"a.mean": gc.ones(3)}
    assert raised(RuntimeError, lambda: net.load_state_dict(state, strict=False)) == lines(
        "Error(s) in loading state_dict for Net:",
        "size mismatch for a.mean: (3,) in the state dict, (2,) in the module",
        "at HERE",
        "hint: build the module with the sizes it was saved with",
    )


def test_a_common_prefix_is_named() -> None:
    state = {f"module.{k}": v for k, v in Net().state_dict().items()}
    assert raised(RuntimeError, lambda: Net().load_state_dict(state)) == lines(
        "Error(s) in loading state_dict for Net:",
        'Missing key(s) in state_dict: "scale", "a.weight", "a.mean", "b.weight", "b.mean"',
        'Unexpected key(s) in state_dict: "module.scale", "module.a.weight", "module.a.mean", '
        '"module.b.weight", "module.b.mean"',
        "at HERE",
        "hint: the names start with 'module.'; load {k.removeprefix('module.'): v for k, v in "
        "state.items()}",
    )


def test_many_names_are_counted_and_the_error_has_all() -> None:
    model = nn.Sequential(*(Block() for _ in range(20)))
    try:
        model.load_state_dict({})
    except StateDictError as error:
        assert len(error.missing_keys) == 40 and not error.unexpected_keys and not error.errors
        assert str(error).splitlines()[1].endswith('"3.weight", "3.mean" and 32 more')
    else:
        raise AssertionError


def test_a_state_dict_that_is_none() -> None:
    assert raised(TypeError, lambda: Net().load_state_dict([])) == lines(  # type: ignore[arg-type]
        "load_state_dict: a state dict is a dict, not a list",
        "at HERE",
        "hint: pass other.state_dict(), or what a file of one was read to",
    )


def test_extra_state_travels() -> None:
    class Extra(nn.Module):
        note: Any = "new"

        def get_extra_state(self) -> Any:
            return {"note": self.note}

        def set_extra_state(self, state: Any) -> None:
            self.note = state["note"]

    module = Extra()
    module.note = "old"
    state = nn.Sequential(module).state_dict()
    assert state == {"0._extra_state": {"note": "old"}}
    fresh = nn.Sequential(Extra())
    fresh.load_state_dict(state)
    assert fresh[0].note == "old"
    assert fresh.load_state_dict({}, strict=False).missing_keys == ["0._extra_state"]


def test_hooks_around_saving_and_loading() -> None:
    seen: list[str] = []
    module = Block()
    module.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(f"save {prefix}"))
    module.register_state_dict_post_hook(
        lambda m, state, prefix, meta: state.update({f"{prefix}added": gc.zeros(1)})
    )

    def rename(m: Any, state: Any, prefix: str, *_: Any) -> None:
        seen.append(f"load {m is not None}")
        state[f"{prefix}mean"] = state.pop(f"{prefix}average", gc.ones(2))
        state.pop(f"{prefix}added", None)

    module.register_load_state_dict_pre_hook(rename)
    module.register_load_state_dict_post_hook(lambda m, keys: seen.append("loaded"))
    net = nn.Sequential(module)
    state = net.state_dict()
    assert "0.added" in state
    state["0.average"] = gc.full((2,), 9.0)
    assert repr(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert module.mean.tolist() == [9.0, 9.0]
    assert seen == ["save 0.", "load True", "loaded"]


def test_versions_reach_the_loading_module() -> None:
    seen: list[Any] = []

    class Old(nn.Module):
        _version = 2

        def _load_from_state_dict(self, state: Any, prefix: str, meta: Any, *rest: Any) -> None:
            seen.append(meta.get("version"))
            super()._load_from_state_dict(state, prefix, meta, *rest)

    net = nn.Sequential(Old())
    net.load_state_dict(net.state_dict())
    net.load_state_dict(dict(net.state_dict()))
    assert seen == [2, None]


@pytest.mark.parity
def test_pytorch_state_dicts_load_and_go_back() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.LSTM(4, 5)
    )
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LSTM(4, 5))
    assert repr(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    for (name, own), (other, tensor) in zip(ours.state_dict().items(), theirs.state_dict().items()):
        assert name == other and own.dtype.name == str(tensor.dtype).removeprefix("torch.")
        assert np.array_equal(own.numpy(), tensor.numpy())
    back = {name: torch.from_numpy(t.numpy().copy()) for name, t in ours.state_dict().items()}
    theirs.load_state_dict(back)
