"""`Compiled`: a function traced at its first call that runs as programs from then on."""

from __future__ import annotations

import functools
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.tensor import Tensor
from graphc.errors import GraphcWarning, TraceError
from graphc.jit.arguments import Arguments
from graphc.jit.fork import Paths
from graphc.jit.form import Form, signature_of
from graphc.jit.guarded import BY_VALUE, Guarded
from graphc.jit.replacing import Kept
from graphc.jit.roots import Roots, mismatch
from graphc.jit.run import Run
from graphc.jit.tiers import Tiers, tiers_of
from graphc.jit.trace import branches
from graphc.jit.trace.consulted import Unproven
from graphc.jit.variant import Variant


@dataclass(frozen=True)
class Options:
    """The settings of `compile`."""

    dynamic: bool = True
    on_branch: str = "error"
    impure: str = "run"
    limit: int = 16
    at_limit: str = "drop"
    keep_grads: bool = False
    level: str = "O2"
    tier: str = "auto"
    audit: int = 0


class Compiled:
    """A function that runs as compiled programs, one for each path through its Python.

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
        self._options = options
        self._roots: dict[Any, Roots] = {}
        self._guarded: dict[Any, list[Guarded]] = {}
        self.variants: list[Variant] = []
        self._function = function
        self._signature = signature_of(function)
        self._reasons: list[str] = []
        self._has_warned = False
        self._kept = Kept()
        self._ends: set[str] = set()  # told of
        # One thread traces at a time: a second would make the same program once more.
        self._lock = threading.RLock()
        _all.add(self)
        functools.update_wrapper(self, function, updated=())
        name = getattr(function, "__name__", type(function).__name__)
        self._name = name if name.isidentifier() else "traced"
        # Last: from here on attributes of a module are the module's.
        self._module = all(map(partial(hasattr, function), ("named_parameters", "state_dict")))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self.__call__, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program whose assumptions hold; run the function over traced tensors where none
        does."""
        if hot.slow and tracing.trace is not None:
            return self._inside(args, kwargs)
        key, tensors, arguments = _told_apart(args, kwargs)
        for guarded in self._guarded.get(key, ()):
            if not guarded.mismatch(tensors):
                return guarded(tensors)
        return self._checked(arguments or Arguments(args, kwargs), key)

    def _inside(self, args: Any, kwargs: Any) -> Any:
        """A call from traced code: part of that trace, by this function's policy for branches."""
        trace = tracing.trace
        before = trace.decide
        if self._options.on_branch != "error":
            trace.decide = branches.POLICY[self._options.on_branch]
        try:
            return self._function(*args, **kwargs)
        finally:
            trace.decide = before

    def _checked(self, arguments: Arguments, key: Any) -> Any:
        """A call by running the function's Python over traced tensors."""
        if self._options.at_limit == "eager" and len(self.variants) >= self._options.limit:
            return self._function(*arguments.args, **arguments.kwargs)
        with self._lock:
            roots = self._roots_of(arguments)
            root = roots.root(arguments.tensors)
        decide = branches.POLICY[self._options.on_branch]
        began = time.perf_counter()
        fresh = root.is_unwatched
        with self._lock if fresh else nullcontext():
            run = Run(self, root, arguments, decide, lambda: roots.fixed(arguments.tensors), fresh)
            result = run()
            if run.trace.left:
                self._note_end(run, root)
            elif fresh:
                self._keep(run, root, key)
                tier, policy = self._options.tier, self._options.on_branch
                if tier != "checked" and policy == "fork" and run.trace.has_evaluated:
                    self._fork(run, arguments, key)
        if fresh or run.variant is None:
            return result
        run.variant.took(time.perf_counter() - began)
        if run.trace.left:
            return result
        if run.variant.guarded is None:
            self._watch_again(root)
        return result

    def _note_end(self, run: Run, root: Any) -> None:
        """Say, once for each line, that a graph ended before its call did."""
        root.is_unwatched = False
        end = Unproven(f"the rest of the call runs eagerly: {run.trace.left}", run.trace.left_at)
        reason = str(end)
        if run.variant is not None:
            run.variant.unproven = [end]
        if self._options.tier == "guarded":
            raise TraceError(
                f"{self._name}: the function cannot be left out of a call", [reason],
                where=caller(), hint='change what the line names, or compile with tier="auto"',
            )  # fmt: skip
        if run.trace.is_told and reason not in self._ends:
            self._ends.add(reason)
            warnings.warn(GraphcWarning(f"{self._name}: {reason}"), stacklevel=4)

    def _watch_again(self, root: Any) -> None:
        """Let the next run be watched, where a value that an earlier one assumed has changed."""
        proven = (g.variant.root is root for known in self._guarded.values() for g in known)
        if root.watches and any(proven):
            root.watches -= 1
            root.is_unwatched = True

    def _fork(self, run: Run, arguments: Arguments, key: Any) -> None:
        """Let later calls choose among all arms without Python, where that was proven."""
        if any(r.reason != BY_VALUE for r in run.reasons) or run.ending_has_history:
            return

        def explore(script: Any) -> Run:
            return Run(self, run.trace.root, arguments, script, run.fixed, True).explore()

        try:
            guarded = Paths(explore).merged(self, arguments)
        except Exception as error:
            # An arm that this call does not take may raise: calls go on by the values.
            assert run.variant is not None
            reason = f"the arms cannot be merged: {str(error).splitlines()[0]}"
            run.variant.unproven = [Unproven(reason, run.where)]
            return
        guarded.variant.guarded = guarded
        guarded.variant.step.leaves.append(guarded.variant)
        if run.variant in self.variants:
            self.variants.remove(run.variant)
        self.variants.append(guarded.variant)
        self._guarded.setdefault(key, []).insert(0, guarded)

    def _keep(self, run: Run, root: Any, key: Any) -> None:
        """Let later calls do without Python, where that was proven."""
        variant = run.variant
        if run.guarded is None or variant is None:
            return
        root.is_unwatched = False
        if self._options.tier == "checked":
            return  # it was watched for what no tier can do
        # A history is a tape; a program that an earlier run left knows that run's only.
        if run.found_variant and run.ending_has_history:
            return
        variant.unproven = run.reasons
        variant.guarded = run.guarded
        if not run.reasons or self._options.impure == "bake":
            self._guarded.setdefault(key, []).insert(0, run.guarded)
        elif self._options.tier == "guarded":
            raise TraceError(
                f"{self._name}: the function cannot be left out of a call",
                [str(reason) for reason in run.reasons[:6]],
                where=caller(),
                hint='change what the lines name, or compile with tier="auto"',
            )

    def _roots_of(self, arguments: Arguments) -> Roots:
        key = (arguments.form, promotion.get_default_dtype())
        roots = self._roots.get(key)
        if roots is None:
            roots = self._roots[key] = Roots(self._options.dynamic)
        return roots

    def _added(self, trace: Any, ending: Any, arguments: Arguments) -> Variant:
        """A new variant at the end of a path, within the limit."""
        with self._lock:
            for variant in trace.at.leaves:
                if variant.covers(ending):
                    return variant
            if len(self.variants) >= self._options.limit:
                self._make_room(trace)
            variant = Variant(self._name, trace, ending, self._options)
            variant.because = self._because(trace, arguments)
            trace.at.leaves.append(variant)
            self.variants.append(variant)
            self._reasons += trace.varied[:1]
            return variant

    def _because(self, trace: Any, arguments: Arguments) -> str:
        """What differs from the calls before, where no program of theirs fits a call."""
        if not self.variants:
            return "the first call"
        if trace.varied:
            return str(trace.varied[0])
        tensors = arguments.tensors
        known = [g for each in self._guarded.values() for g in each if g.types == trace.root.types]
        if not known:
            differs = mismatch(self.variants[-1].root.types, tensors)
            return differs or "the run asked for something else"
        known.sort(key=lambda g: g.variant.last_used, reverse=True)
        call = Form.of(arguments.args, arguments.kwargs, tensors, self._signature)
        found = [g.form.difference(call) for g in known]
        return next((g.mismatch(tensors) for g, d in zip(known, found) if not d), found[0])

    def _make_room(self, trace: Any) -> None:
        """Drop the program that was used longest ago, or say that there are too many."""
        varied = [*self._reasons[-3:], *trace.varied[:1]]
        if self._options.at_limit == "error":
            raise TraceError(
                f"{self._name}: {len(self.variants)} programs were compiled, and none fits this "
                "call",
                [f"what varies: {v}" for v in dict.fromkeys(varied)],
                where=caller(),
                hint='make what changes a tensor argument, or raise limit=, or at_limit="drop"',
            )
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                GraphcWarning(
                    f"{self._name}: {len(self.variants)} programs were compiled, the least "
                    "recently used are dropped from here on; what varies: "
                    + "; ".join(dict.fromkeys(varied))
                    + " (make it a tensor argument, or raise limit=)"
                ),
                stacklevel=5,
            )
        oldest = min(self.variants, key=lambda v: v.last_used)
        if oldest in oldest.step.leaves:
            oldest.step.leaves.remove(oldest)
        self.variants.remove(oldest)
        for known in self._guarded.values():
            known[:] = [g for g in known if g.variant is not oldest]

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
            >>> scaled = gc.jit.compile(lambda x, k: x * k)
            >>> y = scaled(gc.ones(3), 2.0)
            >>> scaled.would_recompile(gc.ones(3), 4.0)
            'argument k is 4.0, not 2.0'
        """
        arguments = Arguments(args, kwargs)
        if not self.variants:
            return "nothing was compiled yet"
        key = (arguments.form, promotion.get_default_dtype())
        if key not in self._roots:
            return self._other_arguments(arguments)
        reason = self._roots[key].mismatch(arguments.tensors)
        if reason:
            return reason
        told_apart, tensors, _ = _told_apart(args, kwargs)
        found = [g.mismatch(tensors) for g in self._guarded.get(told_apart, ())]
        if found:
            return "" if "" in found else found[0]
        # Where Python runs at every call, it goes by the values of this one.
        return self._other_arguments(arguments) if any(self._guarded.values()) else ""

    def _other_arguments(self, arguments: Arguments) -> str:
        """How arguments that are no tensors differ from those of the programs so far."""
        call = Form.of(arguments.args, arguments.kwargs, arguments.tensors, self._signature)
        known = [g for latest_first in self._guarded.values() for g in latest_first]
        known.sort(key=lambda g: g.variant.last_used, reverse=True)
        found = [g.form.difference(call) for g in known]
        if not found:
            return "the structure of the arguments differs from every call before"
        dtype = promotion.get_default_dtype()
        other = f"the default dtype is {dtype}, not {known[0].default_dtype}"
        return next((reason for reason in found if reason), other)

    def tier(self, *args: Any, **kwargs: Any) -> str:
        """How a call with these arguments runs: "guarded" (without Python) or "checked: why".

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> y = double(gc.ones(3))
            >>> double.tier(gc.ones(3))
            'guarded'
        """
        key, tensors, _ = _told_apart(args, kwargs)
        if any(not guarded.mismatch(tensors) for guarded in self._guarded.get(key, ())):
            return "guarded"
        reasons = [str(r) for v in reversed(self.variants) for r in v.unproven]
        return f"checked: {reasons[0]}" if reasons else "checked"

    def tiers(self) -> Tiers:
        """The programs so far as a table: the tier, why, what each was compiled for, its calls.

        Returns:
            A `graphc.jit.tiers.Row` for each program; as a text, a table.

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> _ = double(gc.ones(4, 2)), double(gc.ones(4, 3))
            >>> [row.because for row in double.tiers()]
            ['the first call', 'axis 1 of input 0 has size 3, not 2']
        """
        return tiers_of(self.variants, self._options.tier)

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

    def explain(self) -> str:
        """How the latest program runs, what it assumes, and what the compiler did.

        Example:
            >>> import graphc as gc
            >>> double = gc.jit.compile(lambda x: x * 2)
            >>> _ = double(gc.ones(2))
            >>> print(double.explain().splitlines()[0])
            guarded: calls run without Python
        """
        if not self.variants:
            return "nothing was compiled yet"
        latest = self.variants[-1]
        is_guarded = latest.guarded is not None and not latest.unproven
        tier = "guarded: calls run without Python" if is_guarded else "checked"
        done = "" if latest.program is None else latest.program.explain()
        return "\n".join([tier, *latest.assumes(), done])

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

    # --- what it shares with what it was made of

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_function" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._function, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in self.__dict__ or not self.__dict__.get("_module"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._function, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            object.__delattr__(self, name)
        else:
            delattr(self._function, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """A compiled module is a module to `isinstance`."""
        return type(self._function) if self.__dict__.get("_module") else Compiled

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A copy, or what pickle makes of it, compiles anew."""
        return type(self), (self._function, self._options)

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {len(self.variants)} programs>"


def _told_apart(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Sequence[Tensor], Arguments | None]:
    """What tells guarded calls apart, the call's tensors, and what was made to find these."""
    plain = not kwargs and all(a.__class__ is Tensor for a in args)
    if plain and (len(args) < 2 or len({id(a) for a in args}) == len(args)):
        return len(args), args, None
    arguments = Arguments(args, kwargs)
    return arguments.key, arguments.tensors, arguments


# Compiled functions, whose locks a forked child makes anew: their threads aren't there.
_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


def _unlock() -> None:
    for compiled in list(_all):
        compiled._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


__all__ = ["Compiled", "Options"]
