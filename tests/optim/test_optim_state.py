"""Optimizers as objects: groups, state dicts, hooks, text, errors; and L-BFGS."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, GraphcWarning
from graphc.optim.hooks import register_optimizer_step_post_hook, register_optimizer_step_pre_hook


def tensor(*values: float) -> Any:
    return gc.tensor(list(values), requires_grad=True)


def stepped(optimizer: Any, *grads: float) -> Any:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for param, grad in zip(params, grads):
        param.grad = gc.tensor(np.full(param.shape, grad, param.dtype.numpy))
    optimizer.step()
    return params


def test_groups_have_settings_of_their_own() -> None:
    a, b = tensor(1.0), tensor(1.0)
    optimizer = gc.optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    stepped(optimizer, 1.0, 1.0)
    np.testing.assert_allclose([a.item(), b.item()], [0.9, 0.5], 1e-6)


def test_named_parameters() -> None:
    a, b = tensor(1.0), tensor(1.0)
    optimizer = gc.optim.SGD([("a", a), ("b", b)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]


def test_the_text() -> None:
    optimizer = gc.optim.SGD([{"params": [tensor(1.0)]}, {"params": [tensor(1.0)], "lr": 0.5}])
    text = """\
SGD (
Parameter Group 0
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.001
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0
Parameter Group 1
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.5
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0
)"""
    assert repr(optimizer).split("\n") == text.split("\n")


def test_zero_grad() -> None:
    w = tensor(1.0)
    optimizer = gc.optim.SGD([w])
    w.grad = gc.ones(1)
    held = w.grad
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is held and held.tolist() == [0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_a_closure() -> None:
    w = tensor(2.0)
    optimizer = gc.optim.SGD([w], lr=0.25)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with gc.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert w.tolist() == [1.0]


def test_the_state_dicts_layout() -> None:
    optimizer = gc.optim.Adam([{"params": [tensor(1.0)]}, {"params": [tensor(1.0), tensor(2.0)]}])
    params = stepped(optimizer, 1.0, 2.0, 3.0)
    found = optimizer.state_dict()
    assert set(found) == {"state", "param_groups"}
    assert [group["params"] for group in found["param_groups"]] == [[0], [1, 2]]
    assert list(found["state"]) == [0, 1, 2]
    assert list(found["state"][2]) == ["step", "exp_avg", "exp_avg_sq"]
    assert found["state"][2]["step"].item() == 1.0
    assert found["state"][2]["step"].dtype is gc.float32
    np.testing.assert_allclose(found["state"][2]["exp_avg"].numpy(), [0.3], 1e-6)
    assert len(params) == 3


def test_loading_keeps_the_objects_that_are_there() -> None:
    optimizer = gc.optim.Adam([tensor(1.0)], lr=0.1)
    (w,) = stepped(optimizer, 1.0)
    saved = copy.deepcopy(optimizer.state_dict())
    stepped(optimizer, 5.0)
    group, moment = optimizer.param_groups[0], optimizer.state[w]["exp_avg"]
    group["lr"] = 7.0
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0] is group and group["lr"] == 0.1
    assert optimizer.state[w]["exp_avg"] is moment
    np.testing.assert_allclose(moment.numpy(), [0.1], 1e-6)
    assert optimizer.state[w]["step"].item() == 1.0


def test_loading_takes_the_parameters_dtype() -> None:
    optimizer = gc.optim.NAdam([gc.tensor(np.ones(2, np.float64), requires_grad=True)])
    stepped(optimizer, 1.0)
    other = gc.optim.NAdam([gc.tensor(np.ones(2, np.float32), requires_grad=True)])
    other.load_state_dict(optimizer.state_dict())
    (state,) = other.state.values()
    assert [value.dtype.name for value in state.values()] == ["float32"] * 4
    numbers = copy.deepcopy(optimizer.state_dict())
    numbers["state"][0]["step"] = 3  # as old checkpoints have it
    other.load_state_dict(numbers)
    (state,) = other.state.values()
    assert state["step"].item() == 3.0


def test_adagrads_state_exists_from_the_start() -> None:
    optimizer = gc.optim.Adagrad([tensor(1.0, 2.0)], initial_accumulator_value=0.5)
    assert optimizer.state_dict()["state"][0]["sum"].tolist() == [0.5, 0.5]


def test_pickling_and_copying() -> None:
    optimizer = gc.optim.SGD([tensor(1.0, 2.0)], lr=0.5, momentum=0.9)
    stepped(optimizer, 1.0)
    for other in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        (w,) = stepped(other, 1.0)
        np.testing.assert_allclose(w.tolist(), [1 - 0.5 - 0.95, 2 - 0.5 - 0.95], 1e-6)
    np.testing.assert_allclose(optimizer.param_groups[0]["params"][0].tolist(), [0.5, 1.5])


def test_step_hooks() -> None:
    seen: list[str] = []
    w = tensor(1.0)
    optimizer = gc.optim.SGD([w], lr=0.5)
    before = optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    after = optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    with (
        register_optimizer_step_pre_hook(lambda *_: seen.append("every before")),
        register_optimizer_step_post_hook(lambda *_: seen.append("every after")),
    ):
        optimizer.step()
    assert seen == ["every before", "before", "after", "every after"]
    before.remove()
    after.remove()
    optimizer.step()
    assert len(seen) == 4


def test_a_step_hook_may_change_arguments() -> None:
    optimizer = gc.optim.SGD([tensor(1.0)])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "given"), {}))
    assert optimizer.step() == "given"
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(ArgumentError) as caught:
        optimizer.step()
    assert str(caught.value).split("\n")[0] == (
        "the step hook '<lambda>' returned 3; it must return None or a pair of arguments and "
        "keyword arguments"
    )


def test_state_dict_hooks() -> None:
    optimizer = gc.optim.SGD([tensor(1.0)], lr=0.5)
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("before"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, found: {**found, "more": 1})
    found = optimizer.state_dict()
    assert found["more"] == 1 and seen == ["before", "first"]
    optimizer.register_load_state_dict_pre_hook(
        lambda o, found: {**found, "param_groups": [{**found["param_groups"][0], "lr": 9.0}]}
    )
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(found)
    assert optimizer.param_groups[0]["lr"] == 9.0 and seen[-1] == "loaded"


def test_a_subclass_that_calls_its_parents_step_is_hooked_once() -> None:
    class Loud(gc.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    seen: list[int] = []
    optimizer = Loud([tensor(1.0)])
    optimizer.register_step_pre_hook(lambda *_: seen.append(1))
    optimizer.step()
    assert seen == [1]


def test_an_optimizer_of_ones_own() -> None:
    class Signs(gc.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.1) -> None:
            super().__init__(params, {"lr": lr})

        def step(self, closure: Any = None) -> None:
            with gc.no_grad():
                for group in self.param_groups:
                    for param in group["params"]:
                        param.add_(param.grad.sign(), alpha=-group["lr"])

    optimizer = Signs([tensor(1.0, -2.0)], lr=0.5)
    (w,) = stepped(optimizer, 3.0)
    assert w.tolist() == [0.5, -2.5]
    assert repr(optimizer) == "Signs (\nParameter Group 0\n    lr: 0.5\n)"


def test_a_parameter_listed_twice() -> None:
    w = tensor(1.0)
    with pytest.warns(GraphcWarning, match="SGD: a parameter group lists a parameter twice"):
        gc.optim.SGD([w, w])


class Bare(gc.optim.Optimizer):
    pass


def computed() -> Any:
    return tensor(1.0) * 2


SETTINGS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda w: gc.optim.SGD([w], lr=-1.0), "SGD: lr is -1.0; it must be 0 or more"),
    (lambda w: gc.optim.SGD([w], momentum=-0.5), "SGD: momentum is -0.5; it must be 0 or more"),
    (lambda w: gc.optim.SGD([w], nesterov=True),
     "SGD: nesterov needs a momentum above 0 and no dampening, got momentum=0 and dampening=0"),
    (lambda w: gc.optim.Adam([w], betas=(1.0, 0.9)),
     "Adam: betas[0] is 1.0; it must be from 0 to below 1"),
    (lambda w: gc.optim.AdamW([w], betas=(0.5, -0.1)),
     "AdamW: betas[1] is -0.1; it must be from 0 to below 1"),
    (lambda w: gc.optim.Adam([w], betas=0.9), "Adam: betas is 0.9; it must be a pair of numbers"),  # type: ignore[arg-type]
    (lambda w: gc.optim.Adam([w], eps=float("nan")), "Adam: eps is nan; it must be 0 or more"),
    (lambda w: gc.optim.Adam([w], foreach=True, fused=True),
     "Adam: foreach and fused are both True; at most one may be"),
    (lambda w: gc.optim.SGD([w], differentiable=True),
     "SGD: differentiable=True is not supported: a step changes parameters in place and records "
     "nothing"),
    (lambda w: gc.optim.Adadelta([w], rho=1.5), "Adadelta: rho is 1.5; it must be from 0 to 1"),
    (lambda w: gc.optim.SGD([w], lr=gc.ones(2)),
     "SGD: lr is a tensor of shape (2,); it must have one element"),
    (lambda w: gc.optim.LBFGS([w], line_search_fn="armijo"),
     "LBFGS: line_search_fn is 'armijo'; it must be 'strong_wolfe' or None"),
    (lambda w: gc.optim.LBFGS([{"params": [w]}, {"params": [tensor(1.0)]}]),
     "LBFGS: 2 parameter groups; it takes one, because all parameters share one direction"),
    (lambda w: gc.optim.SGD([]), "SGD: params is empty"),
    (lambda w: gc.optim.SGD([computed()]),
     "SGD: parameter 0, of shape (1,), is computed from other tensors, so it has no gradient of "
     "its own"),
    (lambda w: gc.optim.SGD([("w", w), w]), "SGD: 1 of 2 parameters have names; all must or none"),
    (lambda w: gc.optim.SGD([{"params": [w]}, {"params": [w]}]),
     "SGD: a parameter of shape (1,) is in group 0 already"),
    (lambda w: gc.optim.SGD([{"params": [("a", w)]}, {"params": [tensor(1.0)]}]),
     "SGD: all parameter groups must have names or none: group 0 has, group new has not"),
    (lambda w: Bare([w], {"lr": gc.optim.optimizer.required}),
     "Bare: the parameter group has no 'lr', which has no default"),
]  # fmt: skip


@pytest.mark.parametrize("make, text", SETTINGS, ids=range(len(SETTINGS)))
def test_refused_settings(make: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(AttributeValueError) as caught:
        make(tensor(1.0))
    what, where, *_ = str(caught.value).split("\n")
    assert what == text
    assert where.startswith("  at test_optim_state.py:")
    assert isinstance(caught.value, ValueError)


ARGUMENTS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda w: gc.optim.SGD(w),
     "SGD: params is one tensor; it must be a list of tensors or of groups"),
    (lambda w: gc.optim.SGD([3]),  # type: ignore[list-item]
     "SGD: parameter 0 is a int, not a tensor"),
    (lambda w: gc.optim.SGD([{"params": {w}}]),
     "SGD: params is a set, whose order changes between runs"),
    (lambda w: gc.optim.SGD([w]).add_param_group([w]),  # type: ignore[arg-type]
     "SGD: a parameter group must be a dict, not list"),
]  # fmt: skip


@pytest.mark.parametrize("make, text", ARGUMENTS, ids=range(len(ARGUMENTS)))
def test_refused_arguments(make: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make(tensor(1.0))
    assert str(caught.value).split("\n")[0] == text
    assert isinstance(caught.value, TypeError)


def test_a_state_dict_of_other_groups() -> None:
    saved = gc.optim.SGD([{"params": [tensor(1.0)]}, {"params": [tensor(1.0)]}]).state_dict()
    with pytest.raises(AttributeValueError) as caught:
        gc.optim.SGD([tensor(1.0), tensor(2.0)]).load_state_dict(saved)
    lines = str(caught.value).split("\n")
    assert lines[:3] == [
        "SGD.load_state_dict: the parameter groups differ",
        "  this optimizer: 1 group with 2 parameters",
        "  the state dict: 2 groups with 1, 1 parameters",
    ]
    assert lines[3].startswith("  at test_optim_state.py:")
    assert lines[4] == (
        "  hint: build the optimizer with the same groups of parameters before loading"
    )


@pytest.mark.parity
def test_a_checkpoint_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    value, grads = np.array([1.0, 2.0]), [np.array([0.5, -1.0]), np.array([0.1, 3.0])]
    their = torch.tensor(value, requires_grad=True)
    theirs = torch.optim.Adam([their], lr=0.1)
    for grad in grads:
        their.grad = torch.tensor(grad)
        theirs.step()
    saved = theirs.state_dict()
    state = {entry: gc.tensor(value.numpy()) for entry, value in saved["state"][0].items()}
    saved = {**saved, "state": {0: state}}
    w = gc.tensor(their.detach().numpy().copy(), requires_grad=True)
    optimizer = gc.optim.Adam([w])
    optimizer.load_state_dict(saved)
    w.grad, their.grad = gc.tensor(grads[0]), torch.tensor(grads[0])
    optimizer.step()
    theirs.step()
    np.testing.assert_allclose(w.detach().numpy(), their.detach().numpy(), 1e-12)
