"""Hooks of optimizers: functions called around a step, a save or a load."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from graphc.core.ir import caller
from graphc.core.origin import scoped
from graphc.eager.engine.changes import CountedDict
from graphc.errors import ArgumentError

Hooks = dict[int, Callable[..., Any]]

# What hooks of one optimizer are called around.
HOOK_KINDS = (
    "step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre",
    "load_state_dict_post",
)  # fmt: skip
# Hooks of every optimizer's step.
EVERY_PRE: Hooks = CountedDict()
EVERY_POST: Hooks = CountedDict()


class RemovableHandle:
    """What registering a hook returns: `remove()`, or leaving a `with` block, takes it off."""

    next_id = 0

    def __init__(self, hooks: Hooks) -> None:
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        self._hooks = hooks

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register(hooks: Hooks, hook: Callable[..., Any], *, prepend: bool = False) -> RemovableHandle:
    """Add a hook behind the others, or before them."""
    handle = RemovableHandle(hooks)
    later = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[handle.id] = hook
    hooks.update(later)
    return handle


def changed_arguments(hook: Any, result: Any, args: Any, kwargs: Any) -> Any:
    """The arguments that a hook returned, or those that were."""
    if result is None:
        return args, kwargs
    if isinstance(result, tuple) and len(result) == 2:
        return result
    raise ArgumentError(
        f"the step hook {getattr(hook, '__name__', hook)!r} returned {result!r:.60}; it must "
        "return None or a pair of arguments and keyword arguments",
        where=caller(),
    )


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every optimizer's step.

    Example:
        >>> import graphc as gc
        >>> from graphc.optim.hooks import register_optimizer_step_pre_hook
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)])
        >>> with register_optimizer_step_pre_hook(lambda *_: print("before a step")):
        ...     optimizer.step()
        before a step
    """
    return register(EVERY_PRE, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every optimizer's step.

    Example:
        >>> import graphc as gc
        >>> from graphc.optim.hooks import register_optimizer_step_post_hook
        >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)])
        >>> with register_optimizer_step_post_hook(lambda *_: print("after a step")):
        ...     optimizer.step()
        after a step
    """
    return register(EVERY_POST, hook)


class Hooked:
    """An optimizer's part that keeps hooks."""

    _stepping: bool
    _opt_called: bool

    def _set_hooks(self) -> None:
        for kind in HOOK_KINDS:
            self.__dict__.setdefault(f"_{kind}_hooks", CountedDict())

    def _hooks(self, kind: str) -> Hooks:
        return self.__dict__[f"_{kind}_hooks"]

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return both changed.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> handle = optimizer.register_step_pre_hook(lambda *given: print("before"))
            >>> optimizer.step()
            before
        """
        return register(self._hooks("step_pre"), hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> handle = optimizer.register_step_post_hook(lambda *given: print("after"))
            >>> optimizer.step()
            after
        """
        return register(self._hooks("step_post"), hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> handle = optimizer.register_state_dict_pre_hook(lambda o: print("saving"))
            >>> saved = optimizer.state_dict()
            saving
        """
        return register(self._hooks("state_dict_pre"), hook, prepend=prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> handle = optimizer.register_state_dict_post_hook(lambda o, d: {**d, "epoch": 3})
            >>> optimizer.state_dict()["epoch"]
            3
        """
        return register(self._hooks("state_dict_post"), hook, prepend=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before a load; it may return another to load.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> hook = optimizer.register_load_state_dict_pre_hook(lambda *given: print("loading"))
            >>> optimizer.load_state_dict(optimizer.state_dict())
            loading
        """
        return register(self._hooks("load_state_dict_pre"), hook, prepend=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after a load.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> handle = optimizer.register_load_state_dict_post_hook(lambda o: print("loaded"))
            >>> optimizer.load_state_dict(optimizer.state_dict())
            loaded
        """
        return register(self._hooks("load_state_dict_post"), hook, prepend=prepend)


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step with the hooks around it."""

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._stepping:  # a subclass's step calls its parent's: one step, hooked once
            return step(self, *args, **kwargs)
        before, after = self.__dict__["_step_pre_hooks"], self.__dict__["_step_post_hooks"]
        given: tuple[Any, ...] = (self, *args)
        if EVERY_PRE or before:
            for hook in (*EVERY_PRE.values(), *before.values()):
                given, kwargs = changed_arguments(hook, hook(self, given, kwargs), given, kwargs)
        self._stepping = True
        try:
            result = step(*given, **kwargs)
        finally:
            self._stepping = False
        self._opt_called = True
        if EVERY_POST or after:
            for hook in (*after.values(), *EVERY_POST.values()):
                hook(self, given, kwargs)
        return result

    called: Any = run
    scoped(called.__code__, _step_called)
    return run


def _step_called(frame: FrameType) -> tuple[str, Any, str]:
    return type(frame.f_locals["self"]).__name__, None, "optimizer"
