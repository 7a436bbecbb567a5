"""Mixed precision by PyTorch's names: `autocast` and `GradScaler`.

Where there is no CUDA, PyTorch's are switched off for it, and training steps that have them run in
float32: so they do here. Models are made bfloat16 or float16 with `model.bfloat16()`.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import device
from graphc.eager.engine.mode import no_grad
from graphc.errors import ArgumentError, GraphcWarning

Closure = Callable[[], Any] | None


class _Optimizer(Protocol):
    """What a scaler needs of an optimizer."""

    param_groups: list[dict[str, Any]]

    def step(self, closure: Closure = None) -> Any: ...


class autocast(contextlib.ContextDecorator):
    """Compute in a narrower dtype where that loses little: a context, and a decorator.

    Args:
        device_type: "cuda" is switched off, as in PyTorch where there is none. "cpu" casts
            nothing by itself: with enabled=True it is an error that says what to write.
        dtype: the narrower dtype.
        enabled: False leaves everything as it is.
        cache_enabled: of no effect.

    Raises:
        ArgumentError: it would have to cast on the CPU.

    Example:
        >>> import graphc as gc
        >>> with gc.autocast("cpu", enabled=False):
        ...     gc.is_autocast_enabled()
        False
    """

    def __init__(
        self, device_type: str = "cuda", dtype: DTypeLike | None = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:  # fmt: skip
        if enabled and device(device_type).type == "cpu":
            raise ArgumentError(
                "autocast: on the CPU nothing is cast by itself",
                where=caller(),
                hint="convert the model and its inputs: model.bfloat16(), x.bfloat16(); or pass "
                "enabled=False",
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether operations cast by themselves: never.

    Example:
        >>> import graphc as gc
        >>> gc.is_autocast_enabled()
        False
    """
    return False


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str | None = None,
    cast_inputs: DTypeLike | None = None,
) -> Any:  # fmt: skip
    """A decorator of `Function.forward` for `autocast`: the function as it is.

    Example:
        >>> import graphc as gc
        >>> gc.amp.custom_fwd(abs)(-1)
        1
    """
    return functools.partial(custom_fwd, device_type=device_type) if fwd is None else fwd


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str | None = None) -> Any:
    """A decorator of `Function.backward` for `autocast`: the function as it is.

    Example:
        >>> import graphc as gc
        >>> gc.amp.custom_bwd(abs)(-1)
        1
    """
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd


class GradScaler:
    """Scales losses, so that gradients of float16 do not become 0, and gradients back again.

    Args:
        device: "cuda" is switched off with a warning, as in PyTorch where there is none.
        init_scale: the first scale.
        growth_factor: what the scale is multiplied with after `growth_interval` steps without inf.
        backoff_factor: what it is multiplied with where a gradient was inf or nan.
        growth_interval: see there.
        enabled: False makes `scale` and `unscale_` do nothing, and `step` the optimizer's.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.Parameter(gc.ones(2))
        >>> optimizer = gc.optim.SGD([w], lr=0.5)
        >>> scaler = gc.amp.GradScaler("cpu")
        >>> scaler.scale((w * 2).sum()).backward()
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> w.tolist()
        [0.0, 0.0]
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 65536.0, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        if enabled and str(device).startswith("cuda"):
            warnings.warn(
                "GradScaler is enabled, but CUDA is not available. Disabling.",
                GraphcWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled, self._scale = enabled, float(init_scale)
        self._growth, self._backoff = float(growth_factor), float(backoff_factor)
        self._interval, self._steps = growth_interval, 0
        self._found: dict[int, bool] = {}

    def is_enabled(self) -> bool:
        """Whether it does anything.

        Example:
            >>> import graphc as gc
            >>> gc.amp.GradScaler("cpu").is_enabled()
            True
        """
        return self._enabled

    def get_scale(self) -> float:
        """The scale now; 1 where it is not enabled.

        Example:
            >>> import graphc as gc
            >>> gc.amp.GradScaler("cpu", init_scale=4.0).get_scale()
            4.0
        """
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Any) -> Any:
        """A loss, or several, times the scale.

        Example:
            >>> import graphc as gc
            >>> gc.amp.GradScaler("cpu", init_scale=4.0).scale(gc.tensor(2.0))
            tensor(8.)
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, list | tuple):
            return type(outputs)(self.scale(part) for part in outputs)
        return outputs * self._scale

    def unscale_(self, optimizer: _Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, once a step.

        Raises:
            ArgumentError: they were since the last `update`.

        Example:
            >>> import graphc as gc
            >>> w = gc.nn.Parameter(gc.ones(1))
            >>> scaler = gc.amp.GradScaler("cpu", init_scale=4.0)
            >>> scaler.scale(w.sum()).backward()
            >>> scaler.unscale_(gc.optim.SGD([w], lr=0.1))
            >>> w.grad
            tensor([1.])
        """
        if not self._enabled:
            return
        if id(optimizer) in self._found:
            raise ArgumentError("unscale_: called twice since the last update()", where=caller())
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        finite = True
        with no_grad():
            for grad in grads:
                if grad is not None:
                    grad.mul_(1.0 / self._scale)
                    finite = finite and bool(np.isfinite(grad.float().numpy()).all())
        self._found[id(optimizer)] = finite

    def step(self, optimizer: _Optimizer, *args: Closure, **kwargs: Closure) -> Any:
        """The optimizer's step, left out where a gradient is inf or nan.

        Example:
            >>> import graphc as gc
            >>> w = gc.nn.Parameter(gc.ones(1))
            >>> w.grad = gc.tensor([float("inf")])
            >>> gc.amp.GradScaler("cpu").step(gc.optim.SGD([w], lr=0.1))
            >>> w.tolist()
            [1.0]
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        return optimizer.step(*args, **kwargs) if self._found[id(optimizer)] else None

    def update(self, new_scale: float | None = None) -> None:
        """Change the scale as the steps since the last call were.

        Args:
            new_scale: take this one instead.

        Example:
            >>> import graphc as gc
            >>> scaler = gc.amp.GradScaler("cpu")
            >>> scaler.update(8.0)
            >>> scaler.get_scale()
            8.0
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not all(self._found.values()):
            self._scale, self._steps = self._scale * self._backoff, 0
        else:
            self._steps += 1
            if self._steps == self._interval:
                self._scale, self._steps = self._scale * self._growth, 0
        self._found = {}

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it changes; empty where it is not enabled.

        Example:
            >>> import graphc as gc
            >>> gc.amp.GradScaler("cpu").state_dict()["scale"]
            65536.0
        """
        if not self._enabled:
            return {}
        return {
            "scale": self._scale, "growth_factor": self._growth, "backoff_factor": self._backoff,
            "growth_interval": self._interval, "_growth_tracker": self._steps,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what `state_dict` gave.

        Example:
            >>> import graphc as gc
            >>> scaler = gc.amp.GradScaler("cpu")
            >>> scaler.load_state_dict(gc.amp.GradScaler("cpu", init_scale=2.0).state_dict())
            >>> scaler.get_scale()
            2.0
        """
        if self._enabled:
            self._scale, self._growth = state_dict["scale"], state_dict["growth_factor"]
            self._backoff = state_dict["backoff_factor"]
            self._interval, self._steps = (
                state_dict["growth_interval"], state_dict["_growth_tracker"],
            )  # fmt: skip


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_enabled"]
