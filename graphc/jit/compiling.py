"""`gc.jit.compile`: makes a function, or a module, run as compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import config
from graphc.core.ir import caller
from graphc.errors import ArgumentError, AttributeValueError
from graphc.jit.audit import AUDITED, Audit
from graphc.jit.compiled import Compiled, Options
from graphc.jit.trace import branches

_IMPURE = ("run", "error", "bake")
_AT_LIMIT = ("drop", "error", "eager")
_TIERS = ("auto", "guarded", "checked")


class Audited(Compiled):
    """A compiled function whose calls are compared with eager ones."""

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self._audit = Audit(getattr(function, "__name__", type(function).__name__), options.audit)
        super().__init__(function, options)

    @property
    def compared(self) -> int:
        """How many calls were compared."""
        return self._audit.compared

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled call, and the function itself from the same state."""
        return self._audit.call(self._function, super().__call__, self._ran, args, kwargs)

    def _ran(self) -> Any:
        return max(self.variants, key=lambda v: v.last_used, default=self)


def _again(function: Any, options: Options) -> Compiled:
    return (Audited if options.audit else Compiled)(function, options)


def compile(
    function: Any = None, *, dynamic: bool = True, on_branch: str = "error",
    impure: str = "run", limit: int = 16, at_limit: str = "drop", keep_grads: bool = False,
    level: str = "O2", tier: str = "auto", audit: bool | int | None = None,
) -> Any:  # fmt: skip
    """Make a function of eager tensors run as compiled programs.

    The function is traced at its first call: forward passes, `loss.backward()`, optimizer steps,
    running statistics and random draws become one program, whose changes of parameters, buffers
    and generators are its updates. Where all that its Python consulted is guarded by cheap checks,
    later calls run the program without Python; elsewhere the Python runs at every call over
    stand-ins, with its side effects, and the program computes.

    Args:
        function: what to compile: a function or a module. Without it, a decorator.
        dynamic: try to let the first axis of the inputs have any size.
        on_branch: what to do where Python asks for a tensor's value: "error", "specialise" (the
            branch taken is part of the program, calls evaluate the condition first), "fork" (both
            arms are traced and merged), or "eager" (the program so far runs, and the rest of the
            call runs eagerly; a warning names the line).
        impure: what to do where the code reads a clock or foreign random numbers: "run" its
            Python at every call, "error", or "bake": repeat what the first call found.
        limit: how many programs to keep.
        at_limit: "drop" the program that was used longest ago, with one warning; "error"; or
            "eager" to run the function itself.
        keep_grads: leave gradients in `.grad` after a step that computed them.
        level: how much to optimize, see `gc.compile`.
        tier: "auto"; "guarded": a `TraceError` where calls cannot do without the function's
            Python; "checked": run it at every call.
        audit: compare this many first calls of each program (True: 3), and some later ones, with
            the function run eagerly from the same state; see `graphc.jit.audit`. Unless given,
            True where `GRAPHC_JIT=audit`.

    Returns:
        A function like the one given; of a module, a module. `variants`, `assumes()`,
        `tier(*args)` and `would_recompile(*args)` say what it holds.

    Raises:
        TraceError: at a call, where the code does what a static graph cannot hold.
        AuditError: at an audited call, where the two differ.

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
        (at_limit, _AT_LIMIT, "at_limit"), (tier, _TIERS, "tier"),
    ):  # fmt: skip
        if value not in allowed:
            raise AttributeValueError(
                f"compile: {what}={value!r}", where=caller(), hint=f"one of {', '.join(allowed)}"
            )
    if audit is None:
        audit = config.current().jit == "audit"
    calls = AUDITED if audit is True else int(audit)
    options = Options(dynamic, on_branch, impure, limit, at_limit, keep_grads, level, tier, calls)
    if function is None:
        return lambda f: _again(f, options)
    if not callable(function):
        raise ArgumentError(f"compile: {type(function).__name__} is not a function", where=caller())
    return _again(function, options)


__all__ = ["Audited", "compile"]
