"""The audit: a compiled call and an eager one from the same state, compared in all they leave.

    found = check(step, compiled, (x, y))
    found.apart                # None, or the first difference
    step(x, y)                 # with GRAPHC_JIT=audit: an AuditError where there is one

The compiled call comes first and is the one that counts: its result, its changes of the state, its
exception, what it prints. Then the state is put back, the function runs eagerly with its output
held back, and the state is again as the compiled call left it. So Python's side effects on what
cannot be put back (files, sockets, clocks, iterators) happen twice in an audited call. A function
that gives something else when it runs eagerly twice from one state is not comparable: a warning
says so, once.
"""

from __future__ import annotations

import contextlib
import functools
import io
import operator
import random
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

import numpy as np

from graphc.core.dtypes import is_float
from graphc.core.origin import Origin, caller, is_internal
from graphc.core.profilers import put_back
from graphc.eager.engine.backward import grad
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.generator import default_generator
from graphc.errors import AuditError, GraphcError, GraphcWarning, TraceError
from graphc.jit.lost import LOST
from graphc.jit.observation import Apart, Observation, array_at, beyond_rounding, differences
from graphc.jit.snapshot import Snapshot

# Eager runs from a state whose numbers differ in their last place: a difference that they show
# too is one of rounding (a gradient that is zero but for roundings, divided by its own size).
_PROBES = 8
_TIMES = 4
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_one_at_a_time = threading.RLock()
# How many first calls of each program are compared, unless another number is asked for.
AUDITED = 3
# The part of later calls that are compared too.
LATER = 1 / 32


@dataclass
class Checked:
    """A call that was run both ways.

    Attributes:
        result: of the compiled call.
        error: what it raised; None where it returned.
        apart: the first difference; None where there is none, and where nothing was compared.
        line: the user's line that computed what differs, as far as it is known.
        unrepeatable: where two eager runs from one state differ; "" where they do not.
    """

    result: Any = None
    error: Exception | None = None
    apart: Apart | None = None
    line: Origin | None = None
    unrepeatable: str = ""


@dataclass
class _Outcome:
    result: Any
    error: Exception | None
    seen: Observation
    printed: str


def check(
    function: Callable[..., Any], compiled: Callable[..., Any], args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None, wanted: Callable[[], bool] = lambda: True,
) -> Checked:  # fmt: skip
    """Run a compiled call, and the same eagerly from the same state, and compare them.

    Args:
        function: what was compiled.
        compiled: the compiled function.
        args, kwargs: of the call.
        wanted: asked after the compiled call: whether to run and compare the eager one.

    Returns:
        What the compiled call gave, and the first difference. The state is as it left it.
    """
    with _one_at_a_time:
        return _Check(function, args, kwargs or {}).run(compiled, wanted)


class _Check:
    """One call run several times from one state."""

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._given = {f"argument {k}": a for k, a in enumerate(args)}
        self._given |= {f"argument {name}": a for name, a in kwargs.items()}
        self._before = Snapshot(function, self._given)
        self._lost: list[Tensor] = []
        self._shaking = np.random.default_rng(0)
        # What these remember cannot be put back.
        found = [v for _, v in self._before.reach.items]
        self._caches = [v for v in found if isinstance(v, functools._lru_cache_wrapper)]
        self._misses = [cache.cache_info().misses for cache in self._caches]
        self._iterators = [(v, _position(v)) for v in found if isinstance(v, Iterator)]
        self._needing = [t for t in self._before.tensors.values() if t._edge is not None]

    def run(self, compiled: Any, wanted: Callable[[], bool]) -> Checked:
        """See `check`."""
        own, after = self._counting(compiled)
        found = Checked(own.result, own.error)
        try:
            for cache, misses in zip(self._caches, self._misses):
                if cache.cache_info().misses != misses:
                    name = getattr(cache, "__name__", "a function")
                    found.unrepeatable = f"{name} remembers its results"
                    return found
            moved = (i for i, before in self._iterators if _position(i) != before)
            if (iterator := next(moved, None)) is not None:
                found.unrepeatable = f"a {type(iterator).__name__} has gone on"
                return found
            # A refusal says itself that there is no compiled call.
            if not isinstance(own.error, TraceError) and wanted():
                with _eagerly():
                    self._compare(own, found)
        finally:
            self._before.restore()
            after.restore()
        return found

    def _counting(self, compiled: Any) -> tuple[_Outcome, Snapshot]:
        """The compiled call, and the state after it."""
        shown = sys.stdout
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                result, error = _called(compiled, self._args, self._kwargs)
        finally:
            shown.write(printed.getvalue())
        more = {"result": result, "before": [v for _, v in self._before.reach.items]}
        after = Snapshot(self._function, {**self._given, **more})
        with contextlib.redirect_stdout(io.StringIO()):
            seen = self._observed(result, error)
        self._lost = seen.lost
        return _Outcome(result, error, seen, printed.getvalue()), after

    def _eager(self) -> _Outcome:
        """The function itself, from the state as it is."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, error = _called(self._function, self._args, self._kwargs)
            for tensor in self._lost:
                tensor._grad = LOST
            seen = self._observed(result, error)
        return _Outcome(result, error, seen, printed.getvalue())

    def _observed(self, result: Any, error: Exception | None) -> Observation:
        known = self._before.reach
        first = Observation({"result": result}, known)
        roots = {
            "exception": _described(error), "result": result, **self._given, "": self._function,
            "random stream": default_generator,
            "random stream of numpy.random": np.random.get_state(legacy=False),
            "random stream of random": np.array(random.getstate()[1]),
            "gradient": self._gradients(first),
        }  # fmt: skip
        return Observation(roots, known)

    def _gradients(self, seen: Observation) -> Any:
        """Gradients of the results, in a direction, by all that was there and needs one."""
        outputs = [
            v for _, v in seen.reach.items
            if isinstance(v, Tensor) and v._edge is not None
            and id(v) not in self._before.reach.numbers
        ]  # fmt: skip
        if not outputs or not self._needing:
            return None
        drawn = np.random.default_rng(1)
        cts = [
            wrap(drawn.uniform(0.5, 1.5, t._array.shape).astype(t._array.dtype)) for t in outputs
        ]
        try:
            return grad(outputs, self._needing, cts, retain_graph=True, allow_unused=True)
        except Exception as error:
            return _described(error)

    # --- differences

    def _compare(self, own: _Outcome, found: Checked) -> None:
        self._before.restore()
        wanted = self._eager()
        different = list(_differences(wanted, own))
        if not different:
            return
        self._before.restore()
        again = self._eager()
        if other := next(_differences(wanted, again), None):
            found.unrepeatable = str(other).replace(" compiled", " the second time")
            return
        noisy = [self._shaken() for _ in range(_PROBES)]
        for apart in different:
            if not _is_rounding(apart, wanted, own, noisy):
                found.apart = apart
                found.line = self._line(apart, wanted)
                return

    def _shaken(self) -> _Outcome:
        """An eager run from numbers that differ in their last place."""
        self._before.restore()
        for tensor in self._before.tensors.values():
            array = tensor._array
            if is_float(array.dtype) and array.flags.writeable:
                eps = float(tensor.dtype.compute.finfo.eps)
                shake = 1 + eps * self._shaking.uniform(-1, 1, array.shape)
                array[...] = (array.astype(np.float64) * shake).astype(array.dtype)
        return self._eager()

    def _line(self, apart: Apart, wanted: _Outcome) -> Origin | None:
        """The user's line that computed what differs."""
        if apart.number < 0:
            return None
        path, value = wanted.seen.reach.items[apart.number]
        owner = self._before.tensors.get(path.removesuffix(".grad"))
        lines = Lines(owner, path.endswith(".grad"))
        self._before.restore()
        with lines:
            again = self._eager()
        value = again.seen.reach.items[apart.number][1]
        return lines.line_of(value)


def _position(iterator: Any) -> Any:
    """How far an iterator has gone, as far as it shows it."""
    if not isinstance(iterator, GeneratorType):
        left = operator.length_hint(iterator, -1)
        return (left, repr(iterator)) if left >= 0 or " at 0x" not in repr(iterator) else object()
    frame = iterator.gi_frame
    if frame is None:
        return None
    return frame.f_lasti, {name: id(value) for name, value in frame.f_locals.items()}


def _called(function: Any, args: Any, kwargs: Any) -> tuple[Any, Exception | None]:
    try:
        return function(*args, **kwargs), None
    except Exception as error:
        return None, error


def _described(error: Exception | None) -> Any:
    """What two exceptions are compared by: our own messages have lines and symbols."""
    if error is None:
        return None
    name = type(error).__name__
    return name if isinstance(error, GraphcError) else f"{name}: {error}"


def _differences(wanted: _Outcome, own: _Outcome) -> Iterator[Apart]:
    yield from differences(wanted.seen, own.seen)
    a, b = (_NUMBER.split(o.printed) for o in (wanted, own))
    x, y = (list(map(float, _NUMBER.findall(o.printed))) for o in (wanted, own))
    if a != b or not np.allclose(x, y, rtol=1e-3, atol=1e-3, equal_nan=True):
        yield Apart("printed", "what is printed", repr(wanted.printed), repr(own.printed))


def _is_rounding(apart: Apart, wanted: _Outcome, own: _Outcome, noisy: Sequence[_Outcome]) -> bool:
    """Whether numbers that differ in their last place move the eager call's value as far."""
    if apart.kind not in ("value", "state", "gradient", "printed"):
        return False
    a, b = (array_at(o.seen, apart.number) for o in (wanted, own))
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        # A number of Python's, or what a branch on one decided.
        return any(
            d.path == apart.path and d.kind == apart.kind
            for other in noisy for d in _differences(wanted, other)
        )  # fmt: skip
    off = beyond_rounding(a, b)
    a, b = (np.where(off, x, 0).astype(np.float64) for x in (a, b))
    moved = np.zeros(a.shape)
    for other in noisy:
        c = array_at(other.seen, apart.number)
        if c is not None and c.shape == a.shape:
            with np.errstate(invalid="ignore"):
                moved = np.fmax(moved, np.abs(np.where(off, c, 0).astype(np.float64) - a))
    with np.errstate(invalid="ignore"):
        return bool(np.all(~off | (np.abs(a - b) <= np.maximum(_TIMES * moved, moved.max()))))


class Lines:
    """Sees which of the user's lines made a tensor, or changed one last; a context manager.

    Args:
        watched: a tensor that is older than the call, or None.
        by_grad: watch its gradient instead.
    """

    def __init__(self, watched: Tensor | None, by_grad: bool) -> None:
        self._watched = watched
        self._by_grad = by_grad
        self._content = self._now()
        self._changed: Origin | None = None
        self._made: dict[int, tuple[Any, Origin]] = {}

    def _now(self) -> Any:
        tensor = self._watched
        if tensor is not None and self._by_grad:
            tensor = tensor._grad
        return None if tensor is None or tensor is LOST else tensor._array.tobytes()

    def __enter__(self) -> Lines:
        self._before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *exception: object) -> None:
        put_back(self._before)

    def _event(self, frame: Any, kind: str, value: Any) -> None:
        back = frame.f_back
        if kind != "return" or back is None or not is_internal(frame.f_code):
            return
        if is_internal(back.f_code):
            return
        origin = Origin(back.f_code.co_filename, back.f_lineno, back.f_code.co_name)
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, Tensor) and each._node is None:
                self._made[_address(each)] = each, origin
        if self._watched is not None and (now := self._now()) != self._content:
            self._content, self._changed = now, origin

    def line_of(self, value: Any) -> Origin | None:
        """The line of a tensor."""
        if self._changed is not None or not isinstance(value, Tensor):
            return self._changed
        return self._made.get(_address(value), (None, None))[1]


def _address(tensor: Tensor) -> int:
    return int(tensor._array.__array_interface__["data"][0])


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    """Let the audited functions that are called run eagerly."""
    before = getattr(_under_way, "eager", False)
    _under_way.eager = True
    try:
        yield
    finally:
        _under_way.eager = before


_under_way = threading.local()


class Audit:
    """Which calls of a compiled function are audited, and what is said of them.

    Args:
        name: of the function.
        calls: how many of the first ones of each program.
    """

    def __init__(self, name: str, calls: int) -> None:
        self.name = name
        self.calls = calls
        self.compared = 0
        self._counts: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._chance = random.Random(name)
        self._has_warned = False

    def call(
        self, function: Any, compiled: Any, program: Callable[[], Any], args: Any, kwargs: Any
    ) -> Any:
        """A call of the compiled function, compared.

        Args:
            function, compiled: the two ways.
            program: gives the program that ran last.
            args, kwargs: of the call.
        """
        if getattr(_under_way, "eager", False):
            return function(*args, **kwargs)
        if tracing.trace is not None:
            return compiled(*args, **kwargs)
        found = check(function, compiled, args, kwargs, lambda: self.wanted(program()))
        self.judge(found, caller())
        if found.error is not None:
            raise found.error
        return found.result

    def wanted(self, program: Any) -> bool:
        """Whether a call that this program ran is compared: its first ones, and some later."""
        count = self._counts.get(program, 0)
        self._counts[program] = count + 1
        is_wanted = count < self.calls or self._chance.random() < LATER
        self.compared += is_wanted
        return is_wanted

    def judge(self, found: Checked, where: Any) -> None:
        """Raise what a difference comes to.

        Raises:
            AuditError: the two calls differ.
        """
        if found.unrepeatable and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                GraphcWarning(
                    f"{self.name} cannot be audited: run eagerly twice from one state, "
                    f"{found.unrepeatable}; it reads what cannot be put back (a clock, a file, an "
                    "iterator)"
                ),
                stacklevel=4,
            )
        if found.apart is None:
            return
        raise AuditError(
            f"{self.name}: the compiled call and the eager one differ in {found.apart.path}",
            [f"kind: {found.apart.kind}", f"eager: {found.apart.wanted}",
             f"compiled: {found.apart.own}"],
            where=found.line or where,
            hint="this is a fault of graphc: report the line; until then run the function itself",
        )  # fmt: skip


__all__ = ["AUDITED", "LATER", "Audit", "Checked", "Lines", "check"]
