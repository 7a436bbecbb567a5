"""Schedulers set the learning rates that closed forms, and PyTorch where installed, give."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, AttributeValueError, GraphcWarning
from graphc.optim import lr_scheduler as schedulers

EPOCHS = 50

# name, arguments, the closed form of lr / base at a step (None: compared with PyTorch only)
CASES: list[tuple[str, dict[str, Any], Callable[[int], float] | None]] = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}, lambda t: 0.5 ** (t // 7)),
    ("MultiStepLR", {"milestones": [3, 10, 10, 30], "gamma": 0.5},
     lambda t: 0.5 ** sum(m <= t for m in (3, 10, 10, 30))),
    ("ConstantLR", {"factor": 0.25, "total_iters": 6}, lambda t: 0.25 if t < 6 else 1.0),
    ("ConstantLR", {}, lambda t: 1 / 3 if t < 5 else 1.0),
    ("LinearLR", {}, lambda t: 1 / 3 + 2 / 3 * min(t, 5) / 5),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 20},
     lambda t: 1 - 0.9 * min(t, 20) / 20),
    ("ExponentialLR", {"gamma": 0.9}, lambda t: 0.9**t),
    ("PolynomialLR", {"total_iters": 30, "power": 2.0}, lambda t: (1 - min(t, 30) / 30) ** 2),
    ("PolynomialLR", {}, lambda t: 1 - min(t, 5) / 5),
    ("CosineAnnealingLR", {"T_max": 20}, lambda t: (1 + math.cos(math.pi * t / 20)) / 2),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}, None),
    ("CosineAnnealingWarmRestarts", {"T_0": 8},
     lambda t: (1 + math.cos(math.pi * (t % 8) / 8)) / 2),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.02}, None),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)}, lambda t: 1 / (1 + t)),
    ("LambdaLR", {"lr_lambda": [lambda t: 0.9**t, lambda t: 1 / (1 + t)]}, None),
    ("MultiplicativeLR", {"lr_lambda": lambda t: 1 - 1 / (1 + t)}, lambda t: 1 / (1 + t)),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 60}, None),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 6, "steps_per_epoch": 10,
                    "anneal_strategy": "linear", "three_phase": True}, None),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 50, "pct_start": 0.1, "div_factor": 5.0,
                    "base_momentum": [0.6, 0.5]}, None),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6}, None),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 4, "step_size_down": 9,
                  "mode": "triangular2"}, None),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "mode": "exp_range",
                  "gamma": 0.95, "base_momentum": 0.5}, None),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5,
                  "scale_fn": lambda x: 1 / x, "cycle_momentum": False}, None),
]  # fmt: skip
NAMES = [f"{name}-{k}" for k, (name, _, _) in enumerate(CASES)]
OPTIMIZERS = ("SGD", "Adam")


def optimizer(name: str = "SGD", package: Any = gc, dtype: Any = None) -> Any:
    params = [package.tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.3}]
    extra = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(package.optim, name)(groups, lr=0.1, **extra)


def settings(found: Any) -> list[Any]:
    keys = ("lr", "betas", "momentum")
    return [{key: group[key] for key in keys if key in group} for group in found.param_groups]


@pytest.mark.parametrize("name, given, form", [case for case in CASES if case[2]])
def test_closed_forms(name: str, given: dict[str, Any], form: Any) -> None:
    opt = optimizer()
    scheduler = getattr(schedulers, name)(opt, **given)
    for step in range(EPOCHS):
        expected = [0.1 * form(step), 0.3 * form(step)]
        np.testing.assert_allclose([g["lr"] for g in opt.param_groups], expected, 1e-12, 1e-15)
        assert scheduler.get_last_lr() == [g["lr"] for g in opt.param_groups]
        opt.step()
        scheduler.step()


@pytest.mark.parity
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name, given, form", CASES, ids=NAMES)
def test_pytorchs_rates(name: str, given: dict[str, Any], form: Any, kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    opt, theirs = optimizer(kind), optimizer(kind, torch)
    scheduler = getattr(schedulers, name)(opt, **given)
    their_scheduler = getattr(torch.optim.lr_scheduler, name)(theirs, **given)
    for _ in range(EPOCHS):
        assert settings(opt) == settings(theirs)
        assert scheduler.get_last_lr() == their_scheduler.get_last_lr()
        opt.step()
        theirs.step()
        scheduler.step()
        their_scheduler.step()
    ours, others = scheduler.state_dict(), their_scheduler.state_dict()
    assert set(ours) - {"_scale_fn_custom"} == set(others) - {"_scale_fn_custom", "_scale_fn_ref"}


@pytest.mark.parametrize("name, given, form", CASES, ids=NAMES)
def test_a_schedule_resumed_equals_one_that_was_not(
    name: str, given: dict[str, Any], form: Any
) -> None:
    opt, first = optimizer(), optimizer()
    whole, scheduler = (getattr(schedulers, name)(o, **given) for o in (opt, first))
    for _ in range(20):
        for o, s in ((opt, whole), (first, scheduler)):
            o.step()
            s.step()
    saved, saved_optimizer = scheduler.state_dict(), first.state_dict()
    second = optimizer()
    resumed = getattr(schedulers, name)(second, **given)
    second.load_state_dict(saved_optimizer)
    resumed.load_state_dict(saved)
    for _ in range(20):
        assert settings(second) == settings(opt)
        for o, s in ((opt, whole), (second, resumed)):
            o.step()
            s.step()


@pytest.mark.parity
@pytest.mark.parametrize("which", range(3))
def test_composed_schedules_have_pytorchs_rates(which: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    opt, theirs = optimizer(), optimizer(package=torch)
    ours, others = _composed(gc, opt, which), _composed(torch, theirs, which)
    for _ in range(EPOCHS):
        assert settings(opt) == settings(theirs)
        assert ours.get_last_lr() == others.get_last_lr()
        for thing in (opt, theirs, ours, others):
            thing.step()
    assert set(ours.state_dict()) == set(others.state_dict())


def _composed(package: Any, opt: Any, which: int) -> Any:
    s = package.optim.lr_scheduler
    if which == 0:
        parts = [s.ConstantLR(opt, 0.1, 5), s.ExponentialLR(opt, 0.9), s.CosineAnnealingLR(opt, 10)]
        return s.SequentialLR(opt, parts, [5, 20])
    if which == 1:
        return s.ChainedScheduler([s.ConstantLR(opt, 0.1, 5), s.ExponentialLR(opt, 0.9)])
    parts = [s.LinearLR(opt, 0.1), s.CosineAnnealingWarmRestarts(opt, 7)]
    return s.SequentialLR(opt, parts, [5])


def test_a_sequence_by_hand() -> None:
    opt = optimizer()
    scheduler = _composed(gc, opt, 0)
    for step in range(20):
        factor = 0.1 if step < 5 else 0.9 ** (step - 5)
        np.testing.assert_allclose(scheduler.get_last_lr(), [0.1 * factor, 0.3 * factor], 1e-12)
        opt.step()
        scheduler.step()


def test_a_composed_schedule_resumes() -> None:
    for which in range(3):
        opt, second = optimizer(), optimizer()
        whole, resumed = _composed(gc, opt, which), _composed(gc, second, which)
        for _ in range(13):
            opt.step()
            whole.step()
        second.load_state_dict(opt.state_dict())
        resumed.load_state_dict(whole.state_dict())
        for _ in range(20):
            assert settings(second) == settings(opt)
            for thing in (opt, whole, second, resumed):
                thing.step()


PLATEAUS: list[dict[str, Any]] = [
    {},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 3, "threshold": 0.1},
    {"mode": "max", "patience": 2, "threshold_mode": "abs", "threshold": 0.05},
    {"mode": "max", "patience": 0, "min_lr": [0.01, 0.05]},
    {"patience": 1, "threshold_mode": "abs", "min_lr": 0.02, "eps": 0.01},
]


@pytest.mark.parity
@pytest.mark.parametrize("given", PLATEAUS, ids=range(len(PLATEAUS)))
def test_plateaus_are_pytorchs(given: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    opt, theirs = optimizer(), optimizer(package=torch)
    ours = schedulers.ReduceLROnPlateau(opt, **given)
    others = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **given)
    random = np.random.default_rng(0)
    for step in range(80):
        figure = float(np.exp(-step / 20) + 0.1 * random.normal())
        ours.step(figure)
        others.step(figure)
        assert settings(opt) == settings(theirs)
        assert (ours.best, ours.num_bad_epochs) == (others.best, others.num_bad_epochs)
    assert ours.state_dict() == others.state_dict()


def test_a_plateau_by_hand() -> None:
    opt = optimizer()
    scheduler = schedulers.ReduceLROnPlateau(opt, patience=1, factor=0.5, cooldown=1)
    rates = []
    for loss in (5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 1.0):
        scheduler.step(gc.tensor(loss))
        rates.append(opt.param_groups[0]["lr"])
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025]


def test_the_step_uses_the_rate_that_was_set() -> None:
    w = gc.tensor([8.0], requires_grad=True)
    opt = gc.optim.SGD([w], lr=1.0)
    scheduler = schedulers.ExponentialLR(opt, 0.5)
    seen = []
    for _ in range(3):
        w.grad = gc.ones(1)
        opt.step()
        scheduler.step()
        seen.append(w.item())
    assert seen == [7.0, 6.5, 6.25]


def test_a_rate_in_a_tensor_is_changed_in_place() -> None:
    rate = gc.tensor(1.0)
    opt = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=rate)
    scheduler = schedulers.ExponentialLR(opt, 0.5)
    opt.step()
    scheduler.step()
    assert opt.param_groups[0]["lr"] is rate and rate.item() == 0.5
    assert [lr.item() for lr in scheduler.get_last_lr()] == [0.5]


def test_an_epoch_given_uses_the_closed_form() -> None:
    opt = optimizer()
    scheduler = schedulers.StepLR(opt, 7, 0.5)
    opt.step()
    with pytest.warns(GraphcWarning, match="is deprecated"):
        scheduler.step(21)
    np.testing.assert_allclose(scheduler.get_last_lr(), [0.0125, 0.0375])


def test_a_callable_objects_attributes_are_saved() -> None:
    class Factor:
        def __init__(self, base: float) -> None:
            self.base = base

        def __call__(self, step: int) -> float:
            return self.base**step

    scheduler = schedulers.LambdaLR(optimizer(), Factor(0.5))
    other = schedulers.LambdaLR(optimizer(), Factor(0.25))
    other.load_state_dict(scheduler.state_dict())
    assert other.lr_lambdas[0].base == 0.5


def test_warnings() -> None:
    opt = optimizer()
    scheduler = schedulers.StepLR(opt, 1)
    with pytest.warns(GraphcWarning) as caught:
        scheduler.step()
    assert str(caught[0].message) == (
        "StepLR.step() was called before optimizer.step(), so the first learning rate of the "
        "schedule is never used; call optimizer.step() first"
    )
    with pytest.warns(GraphcWarning) as caught:
        scheduler.get_lr()
    assert str(caught[0].message) == (
        "StepLR.get_lr() computes the next learning rates from the present ones; get_last_lr() "
        "returns the present ones"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


ERRORS: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda o: schedulers.StepLR(3, 1), ArgumentError,  # type: ignore[arg-type]
     "StepLR: optimizer is a int, not an Optimizer"),
    (lambda o: schedulers.StepLR(o, 1, last_epoch=4), AttributeValueError,
     "StepLR: last_epoch is 4, but parameter group 0 has no 'initial_lr'"),
    (lambda o: schedulers.ConstantLR(o, 2.0), AttributeValueError,
     "ConstantLR: factor is 2.0; it must be from 0 to 1"),
    (lambda o: schedulers.LinearLR(o, 0.0), AttributeValueError,
     "LinearLR: start_factor is 0.0; it must be above 0 and at most 1"),
    (lambda o: schedulers.LinearLR(o, 1.0, 2.0), AttributeValueError,
     "LinearLR: end_factor is 2.0; it must be from 0 to 1"),
    (lambda o: schedulers.LambdaLR(o, [len]), AttributeValueError,  # type: ignore[list-item]
     "LambdaLR: lr_lambda has 1 values; the optimizer has 2 parameter groups"),
    (lambda o: schedulers.MultiplicativeLR(o, 0.5), ArgumentError,  # type: ignore[arg-type]
     "MultiplicativeLR: lr_lambda is a float, not a function of the step"),
    (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 0), AttributeValueError,
     "CosineAnnealingWarmRestarts: T_0 is 0; it must be a whole number from 1 up"),
    (lambda o: schedulers.CosineAnnealingWarmRestarts(o, 2, 1.5), AttributeValueError,  # type: ignore[arg-type]
     "CosineAnnealingWarmRestarts: T_mult is 1.5; it must be a whole number from 1 up"),
    (lambda o: schedulers.OneCycleLR(o, 1.0), AttributeValueError,
     "OneCycleLR: neither total_steps nor both of epochs and steps_per_epoch are given"),
    (lambda o: schedulers.OneCycleLR(o, 1.0, 0), AttributeValueError,
     "OneCycleLR: total_steps is 0; it must be a whole number from 1 up"),
    (lambda o: schedulers.OneCycleLR(o, 1.0, 5, pct_start=2.0), AttributeValueError,
     "OneCycleLR: pct_start is 2.0; it must be a float from 0 to 1"),
    (lambda o: schedulers.OneCycleLR(o, 1.0, 5, anneal_strategy="sin"), AttributeValueError,
     "OneCycleLR: anneal_strategy is 'sin'; it must be 'cos' or 'linear'"),
    (lambda o: schedulers.CyclicLR(o, 0.1, 1.0, mode="square"), AttributeValueError,
     "CyclicLR: mode is 'square'; it must be one of 'triangular', 'triangular2', 'exp_range', or "
     "scale_fn given"),
    (lambda o: schedulers.ReduceLROnPlateau(o, factor=1.0), AttributeValueError,
     "ReduceLROnPlateau: factor is 1.0; it must be below 1"),
    (lambda o: schedulers.ReduceLROnPlateau(o, "least"), AttributeValueError,
     "ReduceLROnPlateau: mode is 'least'; it must be 'min' or 'max'"),
    (lambda o: schedulers.SequentialLR(o, [], []), AttributeValueError,
     "SequentialLR: no schedulers"),
    (lambda o: schedulers.SequentialLR(o, [schedulers.StepLR(o, 1)], [3]), AttributeValueError,
     "SequentialLR: 1 milestones for 1 schedulers; there must be one fewer than schedulers"),
    (lambda o: schedulers.ChainedScheduler([o]), ArgumentError,
     "ChainedScheduler: scheduler 0 is a SGD, not an LRScheduler"),
    (lambda o: schedulers.SequentialLR(optimizer(), [schedulers.StepLR(o, 1)], []),
     AttributeValueError, "SequentialLR: scheduler 0, StepLR, belongs to another optimizer"),
]  # fmt: skip


@pytest.mark.parametrize("make, kind, text", ERRORS, ids=range(len(ERRORS)))
def test_errors(make: Callable[[Any], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        make(optimizer())
    what, where = str(caught.value).split("\n")[:2]
    assert what == text
    assert where.startswith("  at test_lr_scheduler.py:")


def test_errors_with_a_hint() -> None:
    opt = gc.optim.Adagrad([gc.zeros(1, requires_grad=True)])
    with pytest.raises(AttributeValueError) as caught:
        schedulers.OneCycleLR(opt, 1.0, 5)
    assert "\n  hint: pass cycle_momentum=False" in str(caught.value)
    scheduler = schedulers.OneCycleLR(opt, 1.0, 2, cycle_momentum=False)
    opt.step()
    scheduler.step()
    scheduler.step()
    with pytest.raises(AttributeValueError) as caught:
        scheduler.step()
    lines = str(caught.value).split("\n")
    assert lines[0] == "OneCycleLR.step: step 3 of a cycle of 2"
    assert lines[2] == (
        "  hint: give the number of all steps as total_steps, or epochs and steps_per_epoch"
    )
