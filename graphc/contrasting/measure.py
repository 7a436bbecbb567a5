"""`contrast`: one function run eagerly, traced and compiled, from the same state, and measured."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc import config
from graphc.contrasting.difference import Difference, difference
from graphc.contrasting.observe import Clock, Observed, operations, peak_nbytes, timing
from graphc.contrasting.result import Contrast, Recompilation, Side
from graphc.core import trees
from graphc.core.ir import Graph, all_nodes, caller
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, AttributeValueError, GraphcError, TraceError
from graphc.jit.audit import check
from graphc.jit.compiled import Compiled, Options
from graphc.jit.snapshot import Snapshot
from graphc.runtime.objects import loader

POLICIES = ("error", "fork", "specialise")
TRACED = ("reference", "O0")
# How long one turn of a side lasts.
_TURN_S = 0.02


@dataclass
class _Runner:
    """One way to run the function: its state after warming up, and how to call it."""

    side: Side
    call: Callable[..., Any]
    compiled: Compiled | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    steady: Snapshot | None = None
    results: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)
    laps: list[float] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)


def contrast(
    function: Callable[..., Any],
    *args: Any,
    others: Sequence[tuple[Any, ...]] | None = None,
    steps: int = 3,
    rounds: int = 15,
    budget_s: float = 10.0,
    on_branch: str | None = None,
    traced: str = "reference",
    cold: bool = False,
    name: str | None = None,
) -> Contrast:
    """Run a function eagerly, traced and compiled, and report what each costs and gives.

    All three start from the same state, that of the call: what the function changes (parameters,
    optimizer state, running statistics, generators, lists) is put back before each of them, and
    after the last. Print the result, or write it: `contrast(step, x, y).save("out")`.

    Args:
        function: what to run, such as a training step; also what `gc.jit.compile` returned.
        args: of each call.
        others: arguments of further calls, to see which compile another program; other batch
            sizes unless given.
        steps: calls by whose results and state the three are compared.
        rounds: turns that each takes when calls are timed; the median turn counts.
        budget_s: seconds for timing, roughly; slow functions get fewer calls a turn.
        on_branch: see `gc.jit.compile`; unless given "error", and where a branch depends on a
            value "fork", then "specialise".
        traced: how the graph as written runs: "reference" (op by op with NumPy), or "O0" (a
            kernel for each op).
        cold: compile all kernels anew, as on a machine that never ran this.
        name: for the report; the function's unless given.

    Returns:
        The figures of all three.

    Raises:
        ArgumentError, AttributeValueError: the function is none, a setting is not one of those.

    Example:
        >>> import graphc as gc
        >>> from graphc.contrasting import contrast
        >>> found = contrast(lambda x: (x * x).sum(), gc.ones(4), rounds=3, budget_s=0.1)
        >>> found.eager.operations, found.compiled.operations
        (2, 0)
        >>> found.compiled.results.is_exact
        True
    """
    if isinstance(function, Compiled):
        function = function._function
    if not callable(function):
        raise ArgumentError(f"contrast: {type(function).__name__} is no function", where=caller())
    for value, allowed, what in ((traced, TRACED, "traced"), (on_branch, POLICIES, "on_branch")):
        if value is not None and value not in allowed:
            raise AttributeValueError(
                f"contrast: {what}={value!r}", where=caller(), hint=f"one of {', '.join(allowed)}"
            )
    if steps < 1 or rounds < 1:
        raise AttributeValueError("contrast: steps and rounds are 1 or more", where=caller())
    args = tuple(wrap(a) if isinstance(a, np.ndarray) else a for a in args)
    called = name or getattr(function, "__name__", type(function).__name__).strip("<>")
    start = Snapshot(function, {"argument": args})
    found = Contrast(called, steps=steps, rounds=rounds, traced_by=traced, cold=cold)
    try:
        with _cache(cold):
            runners = _warmed(function, args, start, found, on_branch)
            _verify(function, args, start, found)
            for runner in runners:
                _look(runner, args, found)
            _time(runners, args, rounds, budget_s)
            _recompilations(runners[-1], args, others, found)
    finally:
        start.restore()
    return found


@contextlib.contextmanager
def _cache(cold: bool) -> Iterator[None]:
    if not cold:
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="graphc-cold-") as folder,
        config.override(cache_dir=folder),
    ):
        yield


def _warmed(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    start: Snapshot,
    found: Contrast,
    on_branch: str | None,
) -> list[_Runner]:
    """The three ways, each warmed up by the calls whose numbers are compared."""
    eager = _Runner(found.eager, function)
    _first_calls(eager, function, args, found.steps)
    runners = [eager]
    for side, settings, level in (
        (found.traced, {"device": "reference"} if found.traced_by == "reference" else {}, "O0"),
        (found.compiled, {}, "O2"),
    ):
        chosen = [on_branch] if on_branch else list(POLICIES)
        for policy in chosen:
            start.restore()
            compiled = Compiled(function, Options(on_branch=policy, level=level))
            runner = _Runner(side, compiled, compiled, settings)
            try:
                _first_calls(runner, function, args, found.steps)
            except TraceError as error:
                side.refused = str(error)
                if "bool()" in str(error) or policy != "error":
                    continue
                break
            except GraphcError as error:
                side.refused = str(error)
                break
            side.refused = ""
            side.policy = policy
            side.tier = compiled.tier(*args)
            runners.append(runner)
            _compare(eager, runner)
            break
    return runners


def _first_calls(
    runner: _Runner, function: Callable[..., Any], args: tuple[Any, ...], steps: int
) -> None:
    compiled_before = len(loader.compiled)
    with config.override(**runner.settings), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(steps):
            begin = time.perf_counter()
            result = runner.call(*args)
            if step == 0:
                runner.side.first_s = time.perf_counter() - begin
                runner.side.kernels_compiled = len(loader.compiled) - compiled_before
            for number, leaf in enumerate(trees.flatten(result)[0]):
                if isinstance(leaf, Tensor):
                    label = f"result {number} of call {step + 1}"
                    runner.results[label] = leaf._array.copy()
                elif isinstance(leaf, int | float):
                    runner.results[f"result {number} of call {step + 1}"] = np.asarray(leaf)
    runner.side.notes += list(dict.fromkeys(str(w.message).splitlines()[0] for w in caught))
    runner.steady = Snapshot(function, {"argument": args})
    runner.state = runner.steady.values()


def _compare(eager: _Runner, runner: _Runner) -> None:
    runner.side.results = difference(eager.results, runner.results)
    runner.side.state = difference(eager.state, runner.state)


def _verify(
    function: Callable[..., Any], args: tuple[Any, ...], start: Snapshot, found: Contrast
) -> None:
    """Compare compiled calls with eager ones as an audit does, each from the same state."""
    if found.compiled.refused:
        return
    start.restore()
    compiled = Compiled(function, Options(on_branch=found.compiled.policy))
    for _ in range(found.steps):
        checked = check(function, compiled, args)
        if checked.apart is not None:
            line = f", computed at {checked.line}" if checked.line else ""
            found.differs = f"{checked.apart}{line}"
        found.unrepeatable = checked.unrepeatable
        if found.differs or found.unrepeatable:
            return


def _again(runner: _Runner) -> None:
    if runner.steady is not None:
        runner.steady.restore()


def _look(runner: _Runner, args: tuple[Any, ...], found: Contrast) -> None:
    """What one call does: operations, steps, memory."""
    side = runner.side

    def call() -> Any:
        with config.override(**runner.settings):
            return runner.call(*args)

    _again(runner)
    clock = _clocked(runner, args)
    side.launches, side.numpy_calls = clock.launches, clock.numpy_calls
    side.allocated_nbytes = clock.results_nbytes
    _again(runner)
    side.peak_nbytes = peak_nbytes(call) + sum(clock.arenas.values())
    if runner.compiled is None:
        _again(runner)
        observed = operations(call)
        _eager_record(side, observed, found)
    else:
        _static_record(runner, found)
    _again(runner)


def _eager_record(side: Side, observed: Observed, found: Contrast) -> None:
    found.record = observed.operations
    side.operations = len(observed.operations)
    side.allocated_nbytes = sum(o.nbytes for o in observed.operations if o.phase != "update")
    for value in observed.branches:
        found.branches.append(f"{value.origin}: {bool(value.value)}")
    for value in observed.values:
        if value.what != "bool()":
            found.values_read.append(f"{value.what} at {value.origin}")


def _static_record(runner: _Runner, found: Contrast) -> None:
    side, compiled = runner.side, runner.compiled
    if compiled is None or not compiled.variants:
        return
    variant = compiled.variants[-1]
    program = variant.program
    side.programs = len(compiled.variants)
    if program is None:
        return
    side.nodes = _work(program.graph)
    if runner.settings:
        return
    side.held_nbytes = program.memory()[0]
    if side is not found.compiled:
        return
    found.program = program
    found.assumes = compiled.assumes()
    found.baked = [
        f"{r} (read at {r.origin})" for r in getattr(variant, "readings", ())
        if not r.definition and r.seen is not None and r.seen[0] not in ("object", "method")
    ]  # fmt: skip
    found.effects = list(getattr(variant, "effects", ()))
    conditions = sum(n.op.name == "cond" for n in program.graph.nodes)
    if side.policy == "fork" and conditions:
        lines = dict.fromkeys(b.rsplit(":", 1)[0] for b in found.branches)
        found.merged = [f"{line}: the program has both arms" for line in lines]
    found.guarded = list(getattr(variant, "branches", ()))


def _work(graph: Graph) -> int:
    """The operations of a graph: its nodes without sources."""
    return sum(bool(node.inputs) for node in all_nodes(graph))


def _time(runners: Sequence[_Runner], args: tuple[Any, ...], rounds: int, budget_s: float) -> None:
    """Turns of calls, each side after the other, from the same state every time."""
    counts = []
    for runner in runners:
        _again(runner)
        once = min(_turn(runner, args, 1) for _ in range(2))
        counts.append(max(1, min(2000, round(_TURN_S / max(once, 1e-7)))))
        runner.laps = []
    begin = time.perf_counter()
    for number in range(rounds):
        for runner, count in zip(runners, counts):
            _again(runner)
            runner.laps.append(_turn(runner, args, count))
            runner.clocks.append(_clocked(runner, args))
        if number >= 2 and time.perf_counter() - begin > budget_s:
            break
    for runner in runners:
        runner.side.call_s = statistics.median(runner.laps)
        runner.side.laps = list(runner.laps)
        clocks = sorted(runner.clocks, key=lambda clock: clock.kernels_s)
        middle = clocks[len(clocks) // 2]
        runner.side.kernels_s = min(middle.kernels_s, runner.side.call_s)
        runner.side.steps = list(middle.steps)


def _clocked(runner: _Runner, args: tuple[Any, ...]) -> Clock:
    """One call with clocks around its kernels."""
    with config.override(**runner.settings), timing() as clock:
        runner.call(*args)
    return clock


def _turn(runner: _Runner, args: tuple[Any, ...], count: int) -> float:
    """Seconds a call, over some calls."""
    call = runner.call
    with config.override(**runner.settings):
        begin = time.perf_counter()
        for _ in range(count):
            call(*args)
        return (time.perf_counter() - begin) / count


def _recompilations(runner: _Runner, args: tuple[Any, ...], others: Any, found: Contrast) -> None:
    """What other arguments do to the compiled function."""
    compiled = runner.compiled
    if compiled is None or runner.side is not found.compiled:
        return
    _again(runner)
    cases = _batches(args) if others is None else [(_described(o), tuple(o)) for o in others]
    for what, given in cases:
        before = len(compiled.variants)
        reason = compiled.would_recompile(*given)
        case = Recompilation(what, reason)
        try:
            begin = time.perf_counter()
            compiled(*given)
            case.first_s = time.perf_counter() - begin
        except GraphcError as error:
            case.error = str(error).splitlines()[0]
        case.compiled = len(compiled.variants) > before
        found.recompilations.append(case)
        _again(runner)
    found.compiled.programs = len(compiled.variants)


def _batches(args: tuple[Any, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """The same arguments with other sizes of the first axis."""
    first = next((a for a in args if isinstance(a, Tensor) and a.ndim), None)
    size = 0 if first is None else int(first._array.shape[0])
    wanted = [s for s in dict.fromkeys((size - 1, size // 2, 2 * size)) if 2 <= s != size]
    return [(f"first axis {s}, not {size}", tuple(_resized(a, size, s) for a in args))
            for s in wanted]  # fmt: skip


def _resized(value: object, size: int, wanted: int) -> Any:
    if not isinstance(value, Tensor) or not value.ndim or value._array.shape[0] != size:
        return value
    tensor = wrap(np.ascontiguousarray(np.resize(value._array, (wanted, *value._array.shape[1:]))))
    return tensor.requires_grad_() if value.requires_grad else tensor


def _described(args: Sequence[Any]) -> str:
    return ", ".join(str(a.type) if isinstance(a, Tensor) else repr(a) for a in args)


__all__ = ["POLICIES", "TRACED", "Difference", "contrast"]
