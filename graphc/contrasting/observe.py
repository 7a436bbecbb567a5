"""What eager code dispatches, and where its time and memory go; nothing of it runs otherwise.

`operations` sees every operation of one call by Python's profiler hook, with the shortest way of
small ops switched off, so that all come through `invoke`. `timing` puts clocks around NumPy
functions and native steps. Both are for a call or two beside the calls whose time is reported.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

from graphc.core.ir import Node
from graphc.core.observing import watched
from graphc.core.origin import Origin, is_internal
from graphc.core.profilers import put_back
from graphc.eager.engine import quiet
from graphc.eager.engine.hot import hot
from graphc.eager.engine.invoke import invoke, run_call, viewed
from graphc.eager.engine.tape import CallBackward
from graphc.eager.engine.tensor import Tensor
from graphc.eager.methods.methods import concrete
from graphc.optim.together import _Flat
from graphc.program import report


@dataclass
class Operation:
    """One operation that Python dispatched.

    Attributes:
        name: such as "linear" or "AddmmBackward0".
        phase: "forward", "backward" or "update" (an optimizer's compiled update).
        operands, results: arrays.
        recorded: whether autograd wrote it down.
        origin: the user's line.
    """

    name: str
    phase: str
    operands: list[np.ndarray]
    results: list[np.ndarray] = field(default_factory=list)
    recorded: bool = False
    origin: Origin | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of the results that are no parts of operands."""
        return sum(
            r.nbytes for r in self.results
            if not any(np.may_share_memory(r, a) for a in self.operands)
        )  # fmt: skip


@dataclass
class Value:
    """A tensor's value that Python asked for: by `if`, by `item()`."""

    what: str
    value: Any
    origin: Origin | None


@dataclass
class Observed:
    """What one eager call did."""

    operations: list[Operation] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    @property
    def branches(self) -> list[Value]:
        """The values that decided a branch."""
        return [v for v in self.values if v.what == "bool()"]

    def count(self, phase: str) -> int:
        """The operations of a phase."""
        return sum(o.phase == phase for o in self.operations)


def operations(function: Callable[[], Any]) -> Observed:
    """Call a function and see the operations that it dispatches."""
    found = Observed()
    under_way: dict[FrameType, Operation | Value] = {}
    entries: dict[CodeType, Callable[..., Operation | Value]] = {
        invoke.__code__: _forward,
        run_call.__code__: _known,
        viewed.__code__: _view,
        CallBackward.apply.__code__: _backward,
        _Flat.run.__code__: _update,
        concrete.__code__: _value,
    }

    def event(frame: FrameType, kind: str, argument: Any) -> None:
        entry = entries.get(frame.f_code)
        if entry is None:
            return
        if kind == "call":
            under_way[frame] = entry(frame.f_locals, _origin(frame))
        elif kind == "return":
            made = under_way.pop(frame, None)
            if isinstance(made, Value):
                made.value = None if argument is None or argument.size != 1 else argument.item()
                found.values.append(made)
            elif made is not None and (argument is not None or made.phase == "update"):
                _finish(made, argument)
                found.operations.append(made)

    before = sys.getprofile()
    hot.slow += 1
    sys.setprofile(event)
    try:
        function()
    finally:
        put_back(before)
        hot.slow -= 1
    return found


def _forward(scope: dict[str, Any], origin: Origin | None) -> Operation:
    function = scope["function"]
    name = getattr(function, "__name__", type(function).__name__).strip("_")
    return Operation(name, "forward", [t._array for t in scope["tensors"]], origin=origin)


def _known(scope: dict[str, Any], origin: Origin | None) -> Operation:
    operands = [t._array for t in scope["tensors"]]
    return Operation(scope["call"].name, "forward", operands, origin=origin)


def _view(scope: dict[str, Any], origin: Origin | None) -> Operation:
    name = scope["function"].__name__.strip("_")
    return Operation(name, "forward", [scope["tensor"]._array], origin=origin)


def _backward(scope: dict[str, Any], origin: Origin | None) -> Operation:
    fn = scope["self"]
    saved = [s.array for s in (*(fn.inputs or ()), *fn.outputs) if s is not None]
    operands = [a for a in (*scope["cts"], *saved, *fn.kept) if isinstance(a, np.ndarray)]
    return Operation(fn.name, "backward", operands, origin=origin)


def _update(scope: dict[str, Any], origin: Origin | None) -> Operation:
    found = Operation("optimizer_update", "update", list(scope["arrays"]), origin=origin)
    found.results = list(scope["held"])
    return found


def _value(scope: dict[str, Any], origin: Origin | None) -> Value:
    return Value(scope["what"], None, origin)


def _finish(operation: Operation, result: Any) -> None:
    items = result if isinstance(result, list | tuple) else [result]
    for item in items:
        array = item[0] if item.__class__ is tuple else getattr(item, "_array", None)
        if isinstance(array, np.ndarray | np.generic):
            operation.results.append(np.asarray(array))
        operation.recorded |= isinstance(item, Tensor) and item._edge is not None


def _origin(frame: FrameType | None) -> Origin | None:
    while frame is not None and is_internal(frame.f_code):
        frame = frame.f_back
    return Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) if frame else None


@dataclass
class Clock:
    """Sums over the calls made under `timing`.

    Attributes:
        native_ns, launches: time and number of native steps.
        numpy_ns, numpy_calls: of NumPy functions.
        results_nbytes: of arrays that programs returned, or that the reference made.
        steps: (kernel, ns) of the native steps, in order.
        arenas: bytes that each program holds for intermediate results.
        last_ns: when the reference began, or ended an op.
    """

    native_ns: int = 0
    launches: int = 0
    numpy_ns: int = 0
    numpy_calls: int = 0
    results_nbytes: int = 0
    steps: list[tuple[str, int]] = field(default_factory=list)
    arenas: dict[int, int] = field(default_factory=dict)
    last_ns: int = 0

    @property
    def kernels_s(self) -> float:
        """Seconds in NumPy and native code."""
        return (self.native_ns + self.numpy_ns) * 1e-9

    def leaf(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """Run a NumPy function; where it turns out to run native steps, these count instead."""
        before, start = self.launches, time.perf_counter_ns()
        result = function(*arrays)
        spent = time.perf_counter_ns() - start
        if self.launches == before:
            self.numpy_ns += spent
            self.numpy_calls += 1
        return result

    def native(self, executable: Any, call: Any, times: Sequence[int]) -> None:
        """See `core.observing.Observer`."""
        self.native_ns += sum(times)
        self.launches += len(times)
        self.steps += zip(map(report.launch_name, executable.launches), times)
        self.arenas[id(executable)] = call.arena_nbytes
        for shape, dtype in call.outputs:
            self.results_nbytes += int(np.prod(shape, dtype=np.int64)) * dtype.itemsize

    def begun(self) -> None:
        """See `core.observing.Observer`."""
        self.last_ns = time.perf_counter_ns()

    def node(self, node: Node, operands: Sequence[Any], value: object) -> None:
        """See `core.observing.Observer`."""
        self.numpy_ns += time.perf_counter_ns() - self.last_ns
        self.numpy_calls += 1
        given = [a for a in operands if isinstance(a, np.ndarray)]
        for array in value if isinstance(value, tuple | list) else [value]:
            if isinstance(array, np.ndarray | np.generic) and not any(
                np.may_share_memory(array, a) for a in given
            ):
                self.results_nbytes += array.nbytes
        self.last_ns = time.perf_counter_ns()


@contextmanager
def timing() -> Iterator[Clock]:
    """Clocks around NumPy functions and native steps, as long as the block runs."""
    clock = Clock()
    plain = quiet.local.run

    def run(function: Callable[..., Any], *arrays: Any) -> Any:
        return plain(clock.leaf, function, *arrays)

    quiet.local.run = run  # type: ignore[assignment]
    try:
        with watched(clock):
            yield clock
    finally:
        quiet.local.run = plain


def peak_nbytes(function: Callable[[], Any]) -> int:
    """The most memory that a call has allocated at any time: arrays and Python objects, bytes."""
    gc.collect()
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        function()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not running:
            tracemalloc.stop()
    return max(0, peak - before)


__all__ = ["Clock", "Observed", "Operation", "Value", "operations", "peak_nbytes", "timing"]
