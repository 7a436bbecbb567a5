"""Windows of signals by PyTorch's names: hann_window, hamming_window, blackman_window, kaiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.registry import as_axis, eager
from graphc.eager.functions.creation import as_numpy, finish
from graphc.errors import ArgumentError


def _places(name: str, window_length: int, periodic: bool) -> np.ndarray:
    """Where the elements of a window are, 0 to 1; a periodic one leaves out the last."""
    count = as_axis(window_length)
    if count < 0:
        raise ArgumentError(f"{name}: window_length={count} is below 0", where=caller())
    if count == 1:
        return np.full(1, 0.5)
    return np.arange(count) / (count - 1 + bool(periodic)) if count else np.zeros(0)


def _cosines(a0: float, a1: float, a2: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    def make(place: np.ndarray) -> np.ndarray:
        return a0 - a1 * np.cos(2 * np.pi * place) + a2 * np.cos(4 * np.pi * place)

    return make


def _triangle(place: np.ndarray) -> np.ndarray:
    return 1 - np.abs(2 * place - 1)


def _window(name: str, what: str, of: Callable[[np.ndarray], np.ndarray], example: str) -> None:
    def apply(
        window_length: int, periodic: bool = True, *, dtype: DTypeLike | None = None,
        layout: Any = None, device: DeviceLike | None = None, pin_memory: bool = False,
        requires_grad: bool = False,
    ) -> Any:  # fmt: skip
        array = of(_places(name, window_length, periodic)).astype(as_numpy(dtype))
        return finish(array, device, requires_grad)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""The {what} window.

    Args:
        window_length: its number of elements.
        periodic: as one period of a repeating signal, so that the last element is left out.
        dtype: a float.
        layout, device, pin_memory: taken as PyTorch's.
        requires_grad: record operations on it.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(5, periodic=False)
        tensor({example})
    """
    eager(name)(apply)


_window("hann_window", "Hann", _cosines(0.5, 0.5), "[0.0000, 0.5000, 1.0000, 0.5000, 0.0000]")
_window("blackman_window", "Blackman", _cosines(0.42, 0.5, 0.08),
        "[-1.3878e-17,  3.4000e-01,  1.0000e+00,  3.4000e-01, -1.3878e-17]")  # fmt: skip
_window("bartlett_window", "Bartlett", _triangle, "[0.0000, 0.5000, 1.0000, 0.5000, 0.0000]")


@eager()
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *,
    dtype: DTypeLike | None = None, layout: Any = None, device: DeviceLike | None = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """The Hamming window, alpha - beta * cos.

    Example:
        >>> import graphc as gc
        >>> gc.hamming_window(3, periodic=False)
        tensor([0.0800, 1.0000, 0.0800])
    """
    place = _places("hamming_window", window_length, periodic)
    found = _cosines(alpha, beta)(place) if len(place) != 1 else np.ones(1)
    return finish(found.astype(as_numpy(dtype)), device, requires_grad)


@eager()
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *,
    dtype: DTypeLike | None = None, layout: Any = None, device: DeviceLike | None = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """The Kaiser window, whose shape beta says.

    Example:
        >>> import graphc as gc
        >>> gc.kaiser_window(3, periodic=False, beta=1.0)
        tensor([0.7898, 1.0000, 0.7898])
    """
    place = _places("kaiser_window", window_length, periodic)
    found = np.i0(beta * np.sqrt(np.maximum(1 - (2 * place - 1) ** 2, 0))) / np.i0(beta)
    return finish(found.astype(as_numpy(dtype)), device, requires_grad)


__all__ = ["hamming_window", "kaiser_window"]
