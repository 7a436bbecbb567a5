"""`nn.Module`: registration, iteration, modes, conversion, copies, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from counting import calls_of
from module_errors import lines, raised

import graphc as gc
from graphc import nn
from graphc.nn.module.errors import ForwardMissingError


class Scale(nn.Module):
    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(gc.ones(size))
        self.register_buffer("calls", gc.zeros(1))

    def forward(self, x: Any) -> Any:
        return x * self.weight


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Scale()
        self.second = Scale(3)
        self.bias = nn.Parameter(gc.zeros(2))
        self.alias = self.first

    def forward(self, x: Any) -> Any:
        return self.first(x) + self.bias


# --- registration


def test_attributes_are_registered_by_what_they_are() -> None:
    net = Net()
    assert list(net._parameters) == ["bias"]
    assert list(net._modules) == ["first", "second", "alias"]
    assert list(net.first._buffers) == ["calls"]
    assert "bias" not in vars(net) and net.bias is net._parameters["bias"]


def test_an_attribute_moves_when_its_kind_changes() -> None:
    module = nn.Module()
    module.x = 1
    module.x = nn.Parameter(gc.ones(1))
    assert "x" not in vars(module) and list(module._parameters) == ["x"]
    module.x = None
    assert list(module._parameters) == ["x"] and module.x is None
    del module.x
    module.x = nn.Buffer(gc.ones(1), persistent=False)
    assert list(module._buffers) == ["x"] and module._non_persistent_buffers_set == {"x"}
    module.x = gc.zeros(2)
    assert module._buffers["x"].shape == (2,)  # type: ignore[union-attr]
    module.x = Scale()
    assert list(module._modules) == ["x"] and not module._buffers
    assert not module._non_persistent_buffers_set
    module.x = nn.Parameter(gc.ones(1))
    assert list(module._parameters) == ["x"] and not module._modules
    del module.x
    assert not hasattr(module, "x")


def test_a_plain_tensor_is_not_registered() -> None:
    module = nn.Module()
    module.x = gc.ones(1)
    assert "x" in vars(module) and not module.state_dict()


def test_names_held_by_none() -> None:
    module = nn.Module()
    module.register_parameter("bias", None)
    module.register_buffer("mean", None)
    module.register_module("inner", None)
    assert module.bias is None and module.mean is None and module.inner is None
    assert not list(module.parameters()) and not list(module.buffers()) and not module.state_dict()
    assert repr(module) == "Module(\n  (inner): None\n)"
    module.bias = nn.Parameter(gc.ones(1))
    module.mean = gc.ones(1)
    module.inner = Scale()
    assert list(module.state_dict()) == ["bias", "mean", "inner.weight", "inner.calls"]


def test_dir_lists_members_and_not_numbers() -> None:
    names = dir(nn.Sequential(Scale()))
    assert "0" not in names and "forward" in names
    assert {"first", "bias", "training"} <= set(dir(Net()))


def test_class_attributes_and_properties_stay_as_they_are() -> None:
    class WithProperty(nn.Module):
        factor = 3

        @property
        def broken(self) -> Any:
            return self.absent

    module = WithProperty()
    assert module.factor == 3
    module.factor = 4
    assert module.factor == 4 and WithProperty.factor == 3
    assert raised(AttributeError, lambda: module.broken) == lines(
        "'WithProperty' object has no attribute 'broken'",
        "at HERE",
        "hint: broken is a property; an attribute that its function reads is not there",
    )


def test_registration_errors() -> None:
    module = Scale()

    def assign(name: str, value: Any) -> Any:
        return lambda: setattr(module, name, value)

    assert raised(TypeError, assign("weight", gc.ones(2))) == lines(
        "a Tensor cannot be parameter 'weight' of Scale: it takes nn.Parameter or None",
        "at HERE",
        "hint: write nn.Parameter(...) around it, or change it in place: weight.copy_(...)",
    )
    assert raised(TypeError, assign("calls", 3)) == lines(
        "a int cannot be buffer 'calls' of Scale: it takes nn.Buffer, gc.Tensor or None", "at HERE"
    )
    module.inner = Scale()
    assert raised(TypeError, assign("inner", 3)) == lines(
        "a int cannot be submodule 'inner' of Scale: it takes nn.Module or None", "at HERE"
    )
    assert raised(KeyError, lambda: module.register_buffer("weight", gc.ones(1))) == lines(
        "a buffer cannot be registered: Scale has another attribute 'weight' already", "at HERE"
    )
    assert raised(KeyError, lambda: module.add_module("a.b", Scale())) == lines(
        "a module cannot be registered: the name 'a.b' has a \".\", which separates the names of "
        "submodules",
        "at HERE",
    )
    assert raised(KeyError, lambda: module.register_parameter("", None)) == lines(
        "a parameter cannot be registered: the name is empty", "at HERE"
    )
    assert raised(TypeError, lambda: module.register_parameter(3, None)) == lines(  # type: ignore[arg-type]
        "the name of a parameter must be a str, not int 3", "at HERE"
    )
    assert raised(TypeError, lambda: module.add_module("act", gc.relu)) == lines(
        "a function cannot be submodule 'act' of Scale: it takes nn.Module or None", "at HERE"
    )
    computed = nn.Parameter(gc.ones(1))
    computed._edge = (computed * 2)._edge
    assert raised(ValueError, lambda: module.register_parameter("w", computed)) == lines(
        "parameter 'w' of Scale was computed from others, so it cannot be trained",
        "at HERE",
        "hint: compute it in forward, from the parameters that it depends on",
    )


@pytest.mark.parametrize(
    ("what", "value"),
    [("parameter", nn.Parameter(gc.ones(1))), ("module", Scale()), ("buffer", nn.Buffer())],
)
def test_assigning_before_init_says_so(what: str, value: Any) -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.x = value
            super().__init__()

    assert raised(AttributeError, Early) == lines(
        f"a {what} was given to Early before Module.__init__() ran",
        "at HERE",
        "hint: call super().__init__() first in Early.__init__",
    )


def test_missing_attributes() -> None:
    class Forgot(nn.Module):
        def __init__(self) -> None:
            self.size = 3

    assert raised(AttributeError, lambda: Scale().wieght) == lines(
        "'Scale' object has no attribute 'wieght'", "at HERE"
    )
    assert raised(AttributeError, lambda: Forgot().weight) == lines(
        "'Forgot' object has no attribute 'weight'",
        "at HERE",
        "hint: call super().__init__() first in Forgot.__init__",
    )
    assert raised(AttributeError, lambda: delattr(Scale(), "absent")) == lines(
        "'Scale' object has no attribute 'absent'", "at HERE"
    )


def test_forward_missing() -> None:
    class Empty(nn.Module):
        pass

    assert raised(NotImplementedError, lambda: Empty()(1)) == lines(
        "Empty has no forward", "at HERE", "hint: define `def forward(self, x):` in Empty"
    )
    assert issubclass(ForwardMissingError, NotImplementedError)


# --- iteration


def test_names_are_paths_and_shared_members_come_once() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["bias", "first.weight", "second.weight"]
    assert [n for n, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.bias"]
    assert [n for n, _ in net.named_parameters(remove_duplicate=False)] == [
        "bias", "first.weight", "second.weight", "alias.weight",
    ]  # fmt: skip
    assert [n for n, _ in net.named_buffers()] == ["first.calls", "second.calls"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in net.named_modules(prefix="m")] == ["m", "m.first", "m.second"]
    assert len(list(net.modules(remove_duplicate=False))) == 4
    assert [n for n, _ in net.named_children()] == ["first", "second"]
    assert list(net.children()) == [net.first, net.second]
    assert len(list(net.parameters())) == 3 and len(list(net.buffers())) == 2
    net.second.weight = net.first.weight
    assert len(list(net.parameters())) == 2


def test_members_by_path() -> None:
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("first") is net.first
    assert net.get_parameter("first.weight") is net.first.weight
    assert net.get_buffer("first.calls") is net.first.calls
    inner = Scale(5)
    net.set_submodule("first", inner)
    assert net.first is inner
    assert raised(AttributeError, lambda: net.get_submodule("first.inner")) == lines(
        "there is no module 'first.inner' in Net: Scale has no attribute 'inner'", "at HERE"
    )
    assert raised(AttributeError, lambda: net.get_submodule("bias")) == lines(
        "there is no module 'bias' in Net: Net has a Parameter as 'bias'", "at HERE"
    )
    assert raised(AttributeError, lambda: net.get_parameter("first.calls")) == lines(
        "there is no parameter 'first.calls' in Net", "Scale has weight", "at HERE"
    )
    assert raised(AttributeError, lambda: net.get_buffer("bias")) == lines(
        "there is no buffer 'bias' in Net", "Net has none", "at HERE"
    )


# --- modes, gradients


def test_train_and_eval_reach_all_modules() -> None:
    net = Net()
    assert all(m.training for m in net.modules())
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())
    assert raised(ValueError, lambda: net.train(1)) == lines(
        "train: mode is a bool, not int 1", "at HERE"
    )


def test_requires_grad_and_zero_grad() -> None:
    net = Net()
    net(gc.ones(2)).sum().backward()
    assert net.bias.grad.tolist() == [1.0, 1.0]
    kept = net.bias.grad
    net.zero_grad(set_to_none=False)
    assert kept.tolist() == [0.0, 0.0] and net.bias.grad is not None
    net.zero_grad()
    assert net.bias.grad is None and net.first.weight.grad is None
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(gc.ones(2)).requires_grad


def test_apply_calls_the_innermost_first() -> None:
    seen: list[Any] = []
    net = Net()
    assert net.apply(seen.append) is net
    assert seen == [net.first, net.second, net]


# --- conversion


def test_conversion_keeps_the_parameters_and_skips_integers() -> None:
    net = Net()
    net.register_buffer("count", gc.tensor(3))
    params = list(net.parameters())
    net(gc.ones(2)).sum().backward()
    assert net.double() is net
    assert all(a is b for a, b in zip(params, net.parameters()))
    assert {t.dtype for t in (*params, net.first.calls, net.bias.grad)} == {gc.float64}
    assert net.count.dtype is gc.int64
    assert net.half().bias.dtype is gc.float16 and net.float().bias.dtype is gc.float32
    assert net.bfloat16().bias.dtype is gc.bfloat16 and net.float().bias.dtype is gc.float32
    assert net.to("cpu", gc.float64).bias.dtype is gc.float64
    assert net.to(gc.ones(1)).bias.dtype is gc.float32
    assert net.to(dtype=gc.float64).to(gc.device("cpu")).bias.dtype is gc.float64
    assert net.type(gc.float32).count.dtype is gc.float32
    assert net.cpu() is net and net.to() is net
    net(gc.ones(2)).sum().backward()


def test_conversion_errors() -> None:
    net = Net()
    assert raised(TypeError, lambda: net.to(gc.int64)) == lines(
        "Net.to: parameters are floats, and cannot be int64",
        "at HERE",
        "hint: use bfloat16, float16, float32 or float64",
    )
    for call in (lambda: net.cuda(), lambda: net.cuda(0), lambda: net.to("cuda")):
        assert raised(ValueError, call).splitlines()[0] == (
            "device 'cuda' is not usable here: eager tensors live on the CPU"
        )


# --- copies


def _assert_equal_state(a: Any, b: Any) -> None:
    assert list(a.state_dict()) == list(b.state_dict())
    for x, y in zip(a.state_dict().values(), b.state_dict().values()):
        assert np.array_equal(x.numpy(), y.numpy())


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_whole_and_independent(way: Any) -> None:
    net = Net().eval()
    with gc.no_grad():
        net.bias.add_(3)
    net.second.weight.requires_grad_(False)
    twin = way(net)
    assert repr(twin) == repr(net) and not twin.training
    assert twin.alias is twin.first and twin.first is not net.first
    assert isinstance(twin.bias, nn.Parameter) and not twin.second.weight.requires_grad
    _assert_equal_state(net, twin)
    with gc.no_grad():
        twin.bias.zero_()
    assert net.bias.tolist() == [3.0, 3.0]
    twin(gc.ones(2)).sum().backward()
    assert twin.bias.grad is not None and net.bias.grad is None


def test_parameters_and_buffers_copy_with_what_they_are() -> None:
    buffer = copy.deepcopy(nn.Buffer(gc.ones(2), persistent=False))
    assert isinstance(buffer, nn.Buffer) and not buffer.persistent
    again = pickle.loads(pickle.dumps(buffer))
    assert isinstance(again, nn.Buffer) and not again.persistent and again.tolist() == [1.0, 1.0]
    frozen = pickle.loads(pickle.dumps(nn.Parameter(gc.ones(2), requires_grad=False)))
    assert isinstance(frozen, nn.Parameter) and not frozen.requires_grad
    tied = nn.Parameter(gc.ones(1))
    a, b = copy.deepcopy([tied, tied])
    assert a is b


def test_a_parameter_shares_memory_and_gives_plain_tensors() -> None:
    data = gc.zeros(2)
    param = nn.Parameter(data)
    with gc.no_grad():
        param.add_(1)
    assert data.tolist() == [1.0, 1.0]
    assert type(param * 2) is gc.Tensor and type(param.detach()) is gc.Tensor
    assert param.is_leaf and param.requires_grad and not data.requires_grad
    assert repr(param) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert repr(nn.Buffer(gc.zeros(1))) == "tensor([0.])"
    assert nn.Parameter().shape == (0,) and nn.Buffer().shape == (0,)
    assert raised(TypeError, lambda: nn.Parameter([1.0])) == lines(
        "Parameter: data must be a tensor, not list",
        "at HERE",
        "hint: write nn.Parameter(gc.tensor(data))",
    )
    assert raised(ValueError, lambda: nn.Parameter(gc.tensor([1]))) == lines(
        "only tensors of a float dtype can require gradients, not int64",
        "at HERE",
        "hint: convert it first: x.float()",
    )


def test_a_call_costs_little_beside_forward() -> None:
    class Same(nn.Module):
        def forward(self, x: Any) -> Any:
            return x

    module = Same()
    module(1)
    assert calls_of(lambda: module(1)) == calls_of(lambda: module.forward(1)) + 1
