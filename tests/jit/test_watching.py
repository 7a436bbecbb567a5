"""Which traced runs may be repeated without Python: what a proof relies on, and when it breaks."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import STEPS, Program

import graphc as gc
from graphc.jit.arguments import Arguments
from graphc.jit.compiled import Compiled, Options
from graphc.jit.ending import types_of
from graphc.jit.roots import new_root
from graphc.jit.run import Run
from graphc.jit.trace import branches
from graphc.jit.trace.guards import Guards
from graphc.jit.trace.watching import Watch


def watched(function: Any, *args: Any) -> Watch:
    """What a traced run of a function consulted."""
    owner = Compiled(function, Options(dynamic=False))
    arguments = Arguments(args, {})
    root = new_root(types_of(arguments.tensors), True)
    run = Run(owner, root, arguments, branches.refuse, lambda: root, True)
    run()
    assert run.watch is not None
    return run.watch


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy())


# What the proof is not expected to follow: it says so, and Python runs.
UNPROVEN = {"deque", "array", "long list", "map", "vars"}


@pytest.mark.parametrize("root", ["global", "closure", "default", "keyword default", "self"])
@pytest.mark.parametrize("step", [s for s in STEPS if s not in UNPROVEN])
def test_a_number_behind_one_step_is_proven_and_guarded(root: str, step: str) -> None:
    program = Program(root, [step], 0, 3.0)
    x = gc.tensor([1.0, 2.0])
    before = program.function(x)
    watch = watched(program.function, x)
    assert not watch.unproven
    guards = Guards(watch.readings)
    assert guards.broken() == ""
    program.change(0, 0, 5.0)
    assert not _same(program.function(x), before)
    assert guards.broken()


def _repeats_as_long_as_its_guards_hold(data: Any) -> None:
    names = sorted(STEPS)
    inner = [n for n in names if not STEPS[n].leaf]
    steps = data.draw(st.lists(st.sampled_from(inner), max_size=3))
    if data.draw(st.booleans()) or not steps:
        steps = [*steps, data.draw(st.sampled_from(names))]
    root = data.draw(st.sampled_from(["global", "closure", "default", "keyword default", "self"]))
    program = Program(root, steps, data.draw(st.integers(0, 9)), 3.0)
    levels, ways = st.integers(0, len(steps) - 1), st.integers(0, 2)
    leaves = st.sampled_from([1.0, 3.0, 4.0, 5, 3])
    changes = data.draw(st.lists(st.tuples(levels, ways, leaves), min_size=3, max_size=3))
    x = gc.tensor([1.0, 2.0])
    before = program.function(x)
    watch = watched(program.function, x)
    if watch.unproven:
        return
    guards = Guards(watch.readings)
    assert guards.broken() == "", program.source
    for level, how, leaf in changes:
        what = program.change(level, how, leaf)
        if guards.broken():
            return
        assert _same(program.function(x), before), (what, program.source)


@settings(
    max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.data())
def test_a_proven_run_repeats_as_long_as_its_guards_hold(data: Any) -> None:
    _repeats_as_long_as_its_guards_hold(data)


@pytest.mark.slow
@settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(st.data())
def test_more_proven_runs_repeat_as_long_as_their_guards_hold(data: Any) -> None:
    _repeats_as_long_as_its_guards_hold(data)


class Block(gc.nn.Module):
    """A residual block with settings of several kinds."""

    gain = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.first = gc.nn.Linear(3, 3)
        self.norm = gc.nn.LayerNorm(3)
        self.drop = gc.nn.Dropout(0.1)
        self.scale = 0.5
        self.sizes = [3, 3]
        self.shift = gc.nn.Parameter(gc.zeros(3))
        self.register_buffer("offset", gc.zeros(3))

    def forward(self, x: Any) -> Any:
        batch, width = x.shape
        assert width == self.sizes[0], f"{width} and {self.sizes}"
        y = self.drop(gc.relu(self.first(self.norm(x)))) * self.scale * self.gain
        if self.training:
            y = y + self.shift
        return x + y + self.offset


class Net(gc.nn.Module):
    """Blocks in a list, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = gc.nn.ModuleList([Block(), Block()])
        self.head = gc.nn.Sequential(gc.nn.Linear(3, 2), gc.nn.Tanh())

    def forward(self, x: Any) -> Any:
        kept = []
        for k, block in enumerate(self.blocks):
            x = block(x)
            kept.append(x * k)
        return self.head(x + sum(kept))


def _replace(net: Any, name: str, value: Any) -> None:
    setattr(net, name, value)


MODULE_CHANGES: dict[str, Any] = {
    "mode": lambda net: net.eval(),
    "mode of a child": lambda net: net.blocks[1].drop.eval(),
    "attribute": lambda net: _replace(net.blocks[0], "scale", 0.25),
    "class attribute hidden": lambda net: _replace(net.blocks[0], "gain", 3.0),
    "list in place": lambda net: net.blocks[0].sizes.append(1),
    "setting of a layer": lambda net: _replace(net.blocks[0].drop, "p", 0.5),
    "parameter": lambda net: _replace(net.blocks[0], "shift", gc.nn.Parameter(gc.ones(3))),
    "parameter of a layer": lambda net: _replace(
        net.head[0], "weight", gc.nn.Parameter(gc.ones(2, 3))
    ),
    "bias taken away": lambda net: _replace(net.head[0], "bias", None),
    "buffer": lambda net: _replace(net.blocks[0], "offset", gc.ones(3)),
    "buffer in the table": lambda net: net.blocks[0]._buffers.update(offset=gc.ones(3)),
    "submodule": lambda net: _replace(net, "head", gc.nn.Linear(3, 2)),
    "submodule in the table": lambda net: net._modules.update(head=gc.nn.Linear(3, 2)),
    "item of a container": lambda net: net.head.__setitem__(1, gc.nn.ReLU()),
    "longer container": lambda net: net.blocks.append(Block()),
    "shorter container": lambda net: net.blocks.__delitem__(0),
    "frozen": lambda net: net.requires_grad_(False),
    "one frozen": lambda net: net.head[0].bias.requires_grad_(False),
    "forward hook": lambda net: net.head[0].register_forward_hook(lambda *a: None),
    "pre-hook": lambda net: net.blocks[0].register_forward_pre_hook(lambda *a: None),
    "tensor hook": lambda net: net.head[0].bias.register_hook(lambda g: g * 2),
    "forward of an object": lambda net: _replace(net.blocks[0], "forward", lambda x: x),
    "loaded": lambda net: net.load_state_dict(net.state_dict(), assign=True),
}  # fmt: skip


@pytest.mark.parametrize("change", list(MODULE_CHANGES))
def test_a_changed_module_breaks_the_guards(change: str) -> None:
    net = Net()
    watch = watched(net, gc.ones(4, 3))
    assert not watch.unproven
    guards = Guards(watch.readings)
    assert guards.broken() == "" and guards.broken() == ""
    MODULE_CHANGES[change](net)
    assert guards.broken()


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: gc.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: gc.optim.Adam(p, lr=1e-2),
    "adamw": lambda p: gc.optim.AdamW(p, lr=1e-2),
    "adamax": lambda p: gc.optim.Adamax(p, lr=1e-2),
    "adagrad": lambda p: gc.optim.Adagrad(p, lr=1e-2),
    "adadelta": lambda p: gc.optim.Adadelta(p, lr=1e-2),
    "nadam": lambda p: gc.optim.NAdam(p, lr=1e-2),
    "radam": lambda p: gc.optim.RAdam(p, lr=1e-2),
    "rmsprop": lambda p: gc.optim.RMSprop(p, lr=1e-2),
}
OPTIMIZER_CHANGES: dict[str, Any] = {
    "weight decay": lambda o: o.param_groups[0].update(weight_decay=0.1),
    "maximize": lambda o: o.param_groups[0].update(maximize=True),
    "parameters": lambda o: o.param_groups[0]["params"].pop(),
    "group": lambda o: o.add_param_group({"params": [gc.zeros(2, requires_grad=True)]}),
    "state": lambda o: o.state.clear(),
    "entry of the state": lambda o: next(iter(o.state.values())).clear(),
    "step hook": lambda o: o.register_step_post_hook(lambda *a: None),
}  # fmt: skip


def _step(optimizer: str) -> tuple[Any, Any]:
    net = Net()
    chosen = OPTIMIZERS[optimizer](net.parameters())

    def step(x: Any, y: Any) -> Any:
        chosen.zero_grad()
        out = net(x)
        loss = gc.nn.functional.mse_loss(out, y)
        loss.backward()
        norm = gc.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        chosen.step()
        with gc.no_grad():
            error = (out - y).abs().mean()
        return loss, {"norm": norm, "error": error}

    return step, chosen


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_a_training_step_is_proven_and_a_schedule_keeps_it(optimizer: str) -> None:
    step, chosen = _step(optimizer)
    watch = watched(step, gc.ones(4, 3), gc.ones(4, 2))
    assert not watch.unproven and not watch.effects
    guards = Guards(watch.readings)
    assert guards.broken() == ""
    chosen.param_groups[0]["lr"] = 0.03
    assert guards.broken() == ""


@pytest.mark.parametrize("change", list(OPTIMIZER_CHANGES))
def test_a_changed_optimizer_breaks_the_guards(change: str) -> None:
    step, chosen = _step("adam")
    guards = Guards(watched(step, gc.ones(4, 3), gc.ones(4, 2)).readings)
    assert guards.broken() == ""
    OPTIMIZER_CHANGES[change](chosen)
    assert guards.broken()


def _summed(x: Any, count: int) -> Any:
    total = 0
    for k in range(count):
        total += k % 3
    return x * total


@pytest.mark.parametrize("count, tier", [(200, "guarded"), (40_000, "checked")])
def test_a_run_is_followed_up_to_a_number_of_instructions(count: int, tier: str) -> None:
    compiled = gc.jit.compile(lambda x: _summed(x, count))
    x = gc.tensor([1.0, 2.0])
    for _ in range(3):
        assert _same(compiled(x), _summed(x, count))
    assert compiled.tier(x).split(":")[0] == tier
    reasons = [line for line in compiled.assumes() if "instructions of Python run" in line]
    assert len(reasons) == (tier == "checked")
    assert all("in _summed" in line or "test_watching.py" in line for line in reasons)


def test_what_changes_after_the_last_followed_instruction_is_seen() -> None:
    scale = {"is": 2.0}

    def function(x: Any) -> Any:
        return _summed(x, 40_000) * scale["is"]

    compiled = gc.jit.compile(function)
    x = gc.tensor([1.0, 2.0])
    for scale["is"] in (2.0, 3.0, 2.0, -1.0):
        assert _same(compiled(x), function(x))


@pytest.mark.parametrize("count", [200, 40_000])
def test_another_tracer_goes_on_hearing_of_all_lines(count: int) -> None:
    def heard(function: Any) -> list[int]:
        lines = []

        def tracer(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_code is not _summed.__code__:
                return None
            if event == "line":
                lines.append(frame.f_lineno)
            return tracer

        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            function(gc.ones(2), count)
        finally:
            sys.settrace(before)
        return lines

    assert heard(gc.jit.compile(_summed)) == heard(_summed)
