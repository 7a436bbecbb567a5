"""Whether operations are recorded for differentiation: a setting of each thread.

with no_grad():        # nothing inside is recorded
    w -= 0.1 * w.grad

An interrupt may come where Python enters `__exit__`, and recording then stays as it was inside. So
graphc's own code sets `state` in a `try` and restores it in its `finally`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any


class _State(threading.local):
    """What this thread records. Class attributes are what a new thread starts with."""

    enabled = True
    inference = False


state = _State()


class _Mode:
    """A context manager, also a decorator, that sets recording and restores it."""

    def __init__(self, enabled: bool, inference: bool | None = None) -> None:
        self._wanted = (enabled, inference)
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append((state.enabled, state.inference))
        enabled, inference = self._wanted
        state.enabled = enabled
        if inference is not None:
            state.inference = inference

    def __exit__(self, *exception: object) -> None:
        # In this order: an interrupt may come after any call.
        state.enabled, state.inference = self._before[-1]
        self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: object, **kwargs: Any) -> Any:
            with type(self)(*self._arguments()):
                return function(*args, **kwargs)

        return wrapped

    def _arguments(self) -> tuple[Any, ...]:
        return ()


class no_grad(_Mode):
    """Nothing inside is recorded for differentiation; a context manager and a decorator.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> with gc.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = super().__new__(cls)
        if function is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(False)


class enable_grad(no_grad):
    """Operations inside are recorded, even within `no_grad`.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> with gc.no_grad(), gc.enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        True
    """

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        _Mode.__init__(self, True)


class inference_mode(_Mode):
    """Like `no_grad`, and says so: `is_inference_mode_enabled`.

    Args:
        mode: False leaves everything as it is.

    Example:
        >>> import graphc as gc
        >>> with gc.inference_mode():
        ...     gc.is_inference_mode_enabled()
        True
    """

    def __new__(cls, mode: object = True) -> Any:
        self = super().__new__(cls)
        if not callable(mode):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: Any = True) -> None:
        self._mode = bool(mode) or callable(mode)
        if self._mode:
            super().__init__(False, True)
        else:
            super().__init__(state.enabled, None)

    def _arguments(self) -> tuple[Any, ...]:
        return (self._mode,)


class set_grad_enabled(_Mode):
    """Sets recording at once; as a context manager restores it at the end.

    Args:
        mode: whether to record.

    Example:
        >>> import graphc as gc
        >>> with gc.set_grad_enabled(False):
        ...     gc.is_grad_enabled()
        False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._before = [(state.enabled, state.inference)]
        state.enabled = bool(mode)

    def __enter__(self) -> None:
        state.enabled = self._wanted[0]

    def __exit__(self, *exception: object) -> None:
        state.enabled, state.inference = self._before[0]

    def _arguments(self) -> tuple[Any, ...]:
        return (self._wanted[0],)


def is_grad_enabled() -> bool:
    """Whether operations are recorded now, in this thread.

    Example:
        >>> import graphc as gc
        >>> gc.is_grad_enabled()
        True
    """
    return state.enabled


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`.

    Example:
        >>> import graphc as gc
        >>> gc.is_inference_mode_enabled()
        False
    """
    return state.inference
