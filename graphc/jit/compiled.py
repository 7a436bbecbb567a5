"""`gc.jit.compile`: a function traced at its first call that runs as programs from then on."""

from __future__ import annotations

import functools
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core import trees
from graphc.core.ir import Node, caller, toposort
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.signature import late
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, AttributeValueError, GraphcError, GraphcWarning, TraceError
from graphc.jit.merge import merged
from graphc.jit.trace import branches
from graphc.jit.trace.branches import Script, Shared
from graphc.jit.trace.record import record
from graphc.jit.trace.sizes import SizeNeeded
from graphc.jit.trace.watching import fingerprint
from graphc.jit.variant import Plan, Variant, fixed_types, free_types

_IMPURE = ("error", "bake")
_AT_LIMIT = ("error", "eager")


@dataclass(frozen=True)
class Options:
    """The settings of `compile`."""

    dynamic: bool = True
    on_branch: str = "error"
    impure: str = "error"
    limit: int = 16
    at_limit: str = "error"
    keep_grads: bool = False
    level: str = "O2"


class Skeleton:
    """The arguments of a call without their tensors: where these stand, and all other values."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        leaves, self.tree = trees.flatten((list(args), kwargs))
        self.places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.leaves = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.key = (
            str(self.tree),
            tuple(self.places),
            tuple(fingerprint(v) for v in self.leaves),
        )

    def __call__(self, tensors: Sequence[Tensor]) -> tuple[list[Any], dict[str, Any]]:
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, tensors):
            leaves[place] = tensor
        args, kwargs = self.tree.restore(leaves)
        return args, kwargs


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], Any]:
    """The tensors of a call, and what tells calls with other arguments apart."""
    if not kwargs and all(a.__class__ is Tensor for a in args):
        return list(args), len(args)
    args = tuple(wrap(a) if isinstance(a, np.ndarray) else a for a in args)
    kwargs = {k: wrap(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    leaves, _ = trees.flatten((list(args), kwargs))
    return [v for v in leaves if isinstance(v, Tensor)], Skeleton(args, kwargs)


class Compiled:
    """A function that runs as compiled programs, one for each set of assumptions.

    Attributes:
        variants: the programs so far, the latest last.

    Example:
        >>> import graphc as gc
        >>> @gc.jit.compile
        ... def double(x):
        ...     return x * 2
        >>> double(gc.ones(2)), len(double.variants)
        (tensor([2., 2.]), 1)
    """

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self._function = function
        self._options = options
        self._by_key: dict[Any, list[Any]] = {}
        self.variants: list[Any] = []
        self._reasons: list[str] = []
        # One thread traces at a time: a second would make the same program once more.
        self._lock = threading.RLock()
        _all.add(self)
        functools.update_wrapper(self, function, updated=())
        name = getattr(function, "__name__", type(function).__name__)
        self._name = name if name.isidentifier() else "traced"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self.__call__, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program whose assumptions hold; trace a new one where none do."""
        if hot.slow and tracing.trace is not None:
            return self._function(*args, **kwargs)
        tensors, skeleton = _split(args, kwargs)
        key = skeleton if skeleton.__class__ is int else skeleton.key
        variants = self._by_key.get(key)
        if variants is not None:
            for variant in variants:
                if not variant.mismatch(tensors):
                    return variant(tensors)
        else:
            variants = self._by_key.setdefault(key, [])
        if skeleton.__class__ is int:
            skeleton = Skeleton(args, kwargs)
        variant = self._built(skeleton, variants, tensors)
        if variant is None:
            return self._at_limit(args, kwargs, variants, tensors)
        return variant(tensors)

    def _built(self, skeleton: Any, variants: list[Any], tensors: Sequence[Tensor]) -> Any:
        """A new program, or what another thread has made meanwhile; None at the limit."""
        with self._lock:
            for variant in variants:
                if not variant.mismatch(tensors):
                    return variant
            if len(self.variants) >= self._options.limit:
                return None
            if variants:
                self._reasons.append(variants[0].mismatch(tensors))
            variant = build(self._function, self._name, skeleton, tensors, self._options)
            variants.insert(0, variant)
            self.variants.append(variant)
            return variant

    def _at_limit(
        self, args: Any, kwargs: Any, variants: Sequence[Any], tensors: Sequence[Tensor]
    ) -> Any:
        if self._options.at_limit == "eager":
            return self._function(*args, **kwargs)
        reason = variants[0].mismatch(tensors) if variants else "other Python arguments"
        raise TraceError(
            f"{self._name}: {len(self.variants)} programs were compiled, and none fits this call",
            [f"the latest does not fit: {reason}", *(f"before: {r}" for r in self._reasons[-4:])],
            where=caller(),
            hint='make what changes a tensor argument, or raise limit=, or at_limit="eager"',
        )

    def would_recompile(self, *args: Any, **kwargs: Any) -> str:
        """Why a call with these arguments would compile a new program; "" when one fits.

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> y = double(gc.ones(3, 2))
            >>> double.would_recompile(gc.ones(7, 2))
            ''
            >>> double.would_recompile(gc.ones(7, 5))
            'axis 1 of input 0 has size 5, not 2'
        """
        tensors, skeleton = _split(args, kwargs)
        key = skeleton if skeleton.__class__ is int else skeleton.key
        variants = self._by_key.get(key)
        if not variants:
            return (
                "nothing was compiled yet"
                if not self.variants
                else ("the arguments that are not tensors differ from every call before")
            )
        reasons = [v.mismatch(tensors) for v in variants]
        return "" if "" in reasons else reasons[0]

    def assumes(self) -> list[str]:
        """What the latest program assumes, a line each.

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> _ = double(gc.ones(2))
            >>> double.assumes()
            ['input 0: f32[n]']
        """
        return self.variants[-1].assumes() if self.variants else []

    @property
    def program(self) -> Any:
        """The latest program.

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> double(gc.ones(2)), double.program.stats.kernels
            (tensor([2., 2.]), 1)
        """
        return self.variants[-1].program if self.variants else None

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {len(self.variants)} programs>"


# Compiled functions, whose locks a forked child makes anew: their threads aren't there.
_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


def _unlock() -> None:
    for compiled in list(_all):
        compiled._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def build(
    function: Callable[..., Any], name: str, skeleton: Any, tensors: Sequence[Tensor],
    options: Options, types: Any = None,
) -> Any:  # fmt: skip
    """Trace a function and compile it.

    Args:
        function: what to trace.
        name: of the program.
        skeleton: puts tensors into the place of arguments.
        tensors: the call's tensors.
        options: see `compile`.
        types: of the inputs, with symbolic sizes; found from the tensors unless given.

    Returns:
        A `Variant`, or what chooses among several.
    """
    requires = [t._edge is not None for t in tensors]
    because = ""
    given = types if types is not None else free_types(tensors) if options.dynamic else None
    if given is not None:
        try:
            return _traced(function, name, skeleton, tensors, requires, given, options, "")
        except SizeNeeded as needed:
            if types is not None:
                raise TraceError(
                    f"the size {needed.size} is symbolic, and Python asked for its number",
                    where=needed.origin,
                    hint="leave this axis out of dynamic_axes, or compute with the size itself",
                ) from None
            because = f"Python needed the size at {needed.origin}"
        except TraceError:
            raise
        except GraphcError:
            if types is not None:
                raise
            because = "an operation needs the size"
    fixed = fixed_types(tensors)
    return _traced(function, name, skeleton, tensors, requires, fixed, options, because)


def _traced(
    function: Any, name: str, skeleton: Any, tensors: Any, requires: Any, types: Any,
    options: Options, because: str,
) -> Any:  # fmt: skip
    if options.on_branch == "fork":
        return _forked(function, name, skeleton, requires, types, options, because)
    if options.on_branch == "specialise":
        return Specialised(function, name, skeleton, tensors, requires, types, options, because)
    run = record(function, skeleton, types, requires, branches.refuse)
    _report(run, name, options)
    return Variant(name, types, Plan(run, options.keep_grads), run, options, because)


def _report(run: Any, name: str, options: Options) -> None:
    """Side effects as a warning, values that change by themselves as an error."""
    watch = run.watch
    if watch.impure and options.impure == "error":
        raise TraceError(
            f"{name}: the traced code used a value that is another one at every call; the program "
            "would repeat the first",
            watch.impure[:6],
            where=caller(),
            hint='pass it as a tensor argument, draw with gc.rand, or impure="bake"',
        )
    if watch.effects:
        warnings.warn(
            GraphcWarning(f"{name}: side effects are not part of the program: "
                          + "; ".join(watch.effects[:4])),
            stacklevel=5,
        )  # fmt: skip


class Specialised:
    """Variants by the outcomes of value-dependent branches, found out before each call.

    The conditions up to a branch are a program of their own; its outcome leads to the next
    condition, and in the end to the variant of that path.
    """

    def __init__(
        self, function: Any, name: str, skeleton: Any, tensors: Any, requires: Any, types: Any,
        options: Options, because: str,
    ) -> None:  # fmt: skip
        self._arguments = (function, name, skeleton, requires, types, options, because)
        self._paths: dict[tuple[bool, ...], Variant] = {}
        self._conditions: dict[tuple[bool, ...], Any] = {}
        self.branches: list[str] = []
        self._first = self._path((), tensors)

    def _path(self, outcomes: tuple[bool, ...], tensors: Sequence[Tensor]) -> Variant:
        function, name, skeleton, requires, types, options, because = self._arguments
        shared = Shared()

        def choose(node: Node) -> bool:
            return bool(self._evaluate(node, shared.inputs or (), tensors))

        script = Script(outcomes, choose)
        run = record(function, skeleton, types, requires, script, shared)
        _report(run, name, options)
        for k, node in enumerate(script.predicates):
            prefix = tuple(script.outcomes[:k])
            self._conditions.setdefault(prefix, self._condition(node, shared.inputs or ()))
        self.branches += [
            f"{origin}: {outcome}" for origin, outcome in zip(script.origins, script.outcomes)
        ]
        variant = Variant(name, types, Plan(run, options.keep_grads), run, options, because)
        self._paths[tuple(script.outcomes)] = variant
        return variant

    def _condition(self, node: Node, inputs: Sequence[Node]) -> Any:
        used = toposort((node,))
        places = [k for k, x in enumerate(inputs) if x in used]
        driver = late("program.driver")
        program = driver.compile([inputs[k] for k in places], node, name="condition")
        return places, program

    def _evaluate(self, node: Node, inputs: Sequence[Node], tensors: Sequence[Tensor]) -> Any:
        places, program = self._condition(node, inputs)
        return program(*[tensors[k]._array for k in places])

    def mismatch(self, tensors: Sequence[Tensor]) -> str:
        """Why no path fits a call, apart from its branches."""
        return self._first.mismatch(tensors)

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        outcomes: tuple[bool, ...] = ()
        while outcomes in self._conditions:
            places, program = self._conditions[outcomes]
            value = program(*[tensors[k]._array for k in places])
            outcomes = (*outcomes, bool(np.asarray(value).reshape(())))
        variant = self._paths.get(outcomes)
        if variant is None:
            variant = self._path(outcomes, tensors)
            return self(tensors) if tuple(outcomes) not in self._paths else variant(tensors)
        return variant(tensors)

    def assumes(self) -> list[str]:
        """What the programs assume, and the branches they took."""
        return [*self._first.assumes(), *(f"branch at {b}" for b in self.branches)]

    @property
    def program(self) -> Any:
        """The program of the first path."""
        return self._first.program


def _forked(
    function: Any, name: str, skeleton: Any, requires: Any, types: Any, options: Options,
    because: str,
) -> Variant:  # fmt: skip
    """Every path traced, then merged from the last branch to the first."""
    shared = Shared()
    runs: list[tuple[tuple[bool, ...], Any, Script]] = []
    waiting: list[tuple[bool, ...]] = [()]
    while waiting:
        prefix = waiting.pop()
        script = Script(prefix, lambda node: True)
        run = record(function, skeleton, types, requires, script, shared)
        _report(run, name, options)
        outcomes = tuple(script.outcomes)
        runs.append((outcomes, run, script))
        if len(runs) > branches.MOST_DECISIONS:
            raise TraceError(
                f"{name}: more than {branches.MOST_DECISIONS} paths through value-dependent "
                "branches",
                where=caller(),
                hint="a loop on values is gc.while_loop(cond_fn, body_fn, init)",
            )
        waiting += [(*outcomes[:k], False) for k in range(len(prefix), len(outcomes))]
    return merged(name, types, runs, options, because)


def compile(
    function: Any = None, *, dynamic: bool = True, on_branch: str = "error",
    impure: str = "error", limit: int = 16, at_limit: str = "error", keep_grads: bool = False,
    level: str = "O2",
) -> Any:  # fmt: skip
    """Make a function of eager tensors run as compiled programs.

    The function is traced at its first call: forward passes, `loss.backward()`, optimizer steps,
    running statistics and random draws become one program, whose changes of parameters, buffers
    and generators are its updates. One program is kept for each set of assumptions.

    Args:
        function: what to compile: a function or a module. Without it, a decorator.
        dynamic: try to let the first axis of the inputs have any size.
        on_branch: what to do where Python branches on a tensor's value: "error", "specialise"
            (the branch taken is part of the program, calls evaluate the condition first), or
            "fork" (both arms are traced and merged).
        impure: what to do where the code reads a clock or foreign random numbers: "error", or
            "bake" the value of the trace.
        limit: how many programs at most.
        at_limit: "error", or "eager" to run the function itself.
        keep_grads: leave gradients in `.grad` after a step that computed them.
        level: how much to optimize, see `gc.compile`.

    Returns:
        A function like the one given. `variants`, `assumes()` and `would_recompile(*args)` say
        what it holds.

    Raises:
        TraceError: at a call, where the code does what a static graph cannot hold.

    Example:
        >>> import graphc as gc
        >>> @gc.jit.compile
        ... def f(x):
        ...     return (x * x).sum()
        >>> f(gc.ones(3))
        tensor(3.)
    """
    for value, allowed, what in (
        (on_branch, branches.POLICIES, "on_branch"), (impure, _IMPURE, "impure"),
        (at_limit, _AT_LIMIT, "at_limit"),
    ):  # fmt: skip
        if value not in allowed:
            raise AttributeValueError(
                f"compile: {what}={value!r}", where=caller(), hint=f"one of {', '.join(allowed)}"
            )
    options = Options(dynamic, on_branch, impure, limit, at_limit, keep_grads, level)
    if function is None:
        return lambda f: Compiled(f, options)
    if not callable(function):
        raise ArgumentError(f"compile: {type(function).__name__} is not a function", where=caller())
    return Compiled(function, options)


__all__ = ["Compiled", "Options", "build", "compile"]
