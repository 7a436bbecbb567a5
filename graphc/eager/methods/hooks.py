"""Methods of `Tensor` about its gradient: backward, hooks, keeping it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.backward import backward
from graphc.eager.engine.tape import AccumulateGrad, Handle
from graphc.eager.engine.tensor import Tensor
from graphc.eager.methods.methods import METHODS, method
from graphc.errors import GradientError


@method
def register_hook(self: Tensor, hook: Any) -> Handle:
    """Call `hook(grad)` when the tensor's gradient is known; it may return another.

    Raises:
        GradientError: the tensor does not require a gradient.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: 10 * grad)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
    """
    if self._edge is None:
        raise GradientError(
            "register_hook: the tensor does not require a gradient",
            where=caller(),
            hint="x.requires_grad_() first",
        )
    fn, place = self._edge
    fn.pre_hooks = {} if fn.pre_hooks is None else fn.pre_hooks
    return Handle(fn.pre_hooks, [place, hook])


@method
def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[..., Any]) -> Handle:
    """Call `hook(x)` after a backward pass added to `x.grad`; leaves only.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda x: print("got", x.grad))
        >>> x.sum().backward()
        got tensor([1., 1.])
    """
    if self._edge is None or not isinstance(self._edge[0], AccumulateGrad):
        raise GradientError(
            "register_post_accumulate_grad_hook: the tensor is no leaf that requires a gradient",
            where=caller(),
        )
    fn = self._edge[0]
    fn.post_hooks = {} if fn.post_hooks is None else fn.post_hooks
    return Handle(fn.post_hooks, hook)


@method
def retain_grad(self: Tensor) -> None:
    """Let a backward pass set `.grad` of a tensor that is no leaf.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> y = 3 * x
        >>> y.retain_grad()
        >>> y.sum().backward()
        >>> y.grad
        tensor([1., 1.])
    """
    if self._edge is None:
        raise GradientError("retain_grad: the tensor does not require a gradient", where=caller())
    fn, place = self._edge
    if isinstance(fn, AccumulateGrad):
        return
    fn.retained = fn.retained or []
    fn.retained.append((place, weakref.ref(self)))


def _backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:  # fmt: skip
    """Add up the gradients in the leaves that the tensor depends on: `gc.autograd.backward`.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> (3 * x).sum().backward()
        >>> x.grad
        tensor([3., 3.])
    """
    backward(self, gradient, retain_graph, create_graph, inputs)


METHODS["backward"] = _backward
