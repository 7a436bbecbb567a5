"""Hooks of optimizers: functions called around a step, a save or a load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.changes import CountedDict
from graphc.errors import ArgumentError

Hooks = dict[int, Callable[..., Any]]

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
