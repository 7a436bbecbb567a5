"""Gradients kept from growing too large: `clip_grad_norm_` and `clip_grad_value_`.

    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()

Nothing here reads a value, so a traced training step clips as the eager one does.
"""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.drawn import AS_NUMBERS, lose
from graphc.eager.engine.elementwise import SMALL
from graphc.eager.engine.hot import hot
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.methods import methods
from graphc.errors import AttributeValueError, GraphcWarning, NonFiniteError
from graphc.ops.arrays.joining import stack
from graphc.ops.arrays.statistics import max as max_
from graphc.ops.arrays.statistics import min as min_
from graphc.ops.arrays.statistics import sum as sum_
from graphc.ops.elementwise.arithmetic import absolute, multiply, square
from graphc.ops.elementwise.cast import cast
from graphc.ops.elementwise.extremes import clip, minimum
from graphc.ops.elementwise.power import power, sqrt

PLAIN = (np.dtype(np.float32), np.dtype(np.float64))


def _norm(x: Any, p: float) -> Any:
    """The p-norm of all elements."""
    if p == 2.0:
        return sqrt(sum_(square(x)))
    if p == 1.0:
        return sum_(absolute(x))
    if p == 0.0:
        return sum_(cast(x != 0, x.type.dtype))
    if math.isinf(p):
        return (max_ if p > 0 else min_)(absolute(x))
    return power(sum_(power(absolute(x), p)), 1.0 / p)


@composite
def norm_of(x: Any, *, p: float) -> Any:
    """The norm of one tensor."""
    return _norm(x, p)


@composite
def norm_of_norms(norms: Any, *, p: float) -> Any:
    """The norm of 0-d tensors."""
    return _norm(stack(norms), p)


@composite
def clip_factor(max_norm: Any, total: Any) -> Any:
    """What gradients are multiplied by: 1 where the norm is small enough."""
    return minimum(max_norm / (total + 1e-6), 1.0)


@composite
def scaled(x: Any, factor: Any) -> Any:
    """A tensor times a 0-d one, in its own dtype."""
    return multiply(x, cast(factor, x.type.dtype))


@composite
def limited(x: Any, bound: Any) -> Any:
    """A tensor with all elements between -bound and bound."""
    return clip(x, -bound, bound)


def _is_small(tensor: Tensor) -> bool:
    """Whether a NumPy call of the tensor's memory takes less time than an operation does."""
    if hot.slow or tensor._edge is not None:
        return False
    array = tensor._array
    flags = array.flags
    return array.size <= SMALL and flags.c_contiguous and flags.writeable and array.dtype in PLAIN


def _norm_of(tensor: Tensor, p: float) -> Tensor:
    if p == 2.0 and _is_small(tensor):
        flat = tensor._array.reshape(-1)
        return lose(wrap(np.sqrt(np.dot(flat, flat))), [tensor], AS_NUMBERS)
    return norm_of(tensor, p=p)


def _scale(tensor: Any, factor: Tensor) -> None:
    if _is_small(tensor) and factor._array.dtype == tensor._array.dtype:
        np.multiply(tensor._array, factor._array, tensor._array)
        tensor.version().count += 1
    else:
        tensor.copy_(scaled(tensor, factor))


def _tensors(tensors: Any) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None
) -> Tensor:
    """The norm of several tensors, as if they were one vector.

    Args:
        tensors: a tensor, or an iterable of them, such as gradients.
        norm_type: the p of the p-norm; `math.inf` is the largest absolute value.
        error_if_nonfinite: whether a norm of nan or inf is an error.
        foreach: accepted, and of no effect.

    Returns:
        A 0-d tensor; 0 for no tensors.

    Raises:
        NonFiniteError: see error_if_nonfinite.

    Example:
        >>> import graphc as gc
        >>> gc.nn.utils.get_total_norm([gc.tensor([3.0]), gc.tensor([4.0])])
        tensor(5.)
    """
    p = float(norm_type)
    given = _tensors(tensors)
    if not given:
        return wrap(np.array(0.0, np.float32))
    with no_grad(), np.errstate(all="ignore"):
        norms = [_norm_of(tensor, p) for tensor in given]
        kinds = {norm.dtype for norm in norms}
        if len(kinds) > 1:
            widest = dtypes.promote(*kinds)
            norms = [norm.to(widest) for norm in norms]
        total = norm_of_norms(norms, p=p)
    if error_if_nonfinite and not math.isfinite(methods.concrete(total, "error_if_nonfinite")):
        raise NonFiniteError(
            f"the norm of order {p:g} of {len(given)} gradients is {total.item()}, so they cannot "
            "be clipped",
            where=caller(),
            hint="look for nan with gc.isnan, or pass error_if_nonfinite=False",
        )
    return total


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Tensor, foreach: Any = None
) -> None:
    """Multiply all gradients by min(1, max_norm / total_norm), in place.

    Args:
        parameters: a tensor, or an iterable of them.
        max_norm: the norm that the gradients have at most afterwards.
        total_norm: the norm that they have, from `get_total_norm`.
        foreach: accepted, and of no effect.

    Example:
        >>> import graphc as gc
        >>> w = gc.zeros(2, requires_grad=True)
        >>> w.grad = gc.tensor([3.0, 4.0])
        >>> gc.nn.utils.clip_grads_with_norm_(w, 1.0, gc.tensor(5.0))
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    grads = [p.grad for p in _tensors(parameters) if p.grad is not None]
    if not grads:
        return
    with no_grad(), np.errstate(all="ignore"):
        factor = clip_factor(float(max_norm), total_norm)
        for grad in grads:
            _scale(grad, factor)


def clip_grad_norm_(
    parameters: Iterable[Any] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """Scale all gradients down, in place, so that their norm together is at most `max_norm`.

    Args:
        parameters: a tensor, or an iterable of them; those without a gradient are left out.
        max_norm: the greatest norm.
        norm_type: the p of the p-norm; `math.inf` is the largest absolute value.
        error_if_nonfinite: whether a norm of nan or inf is an error.
        foreach: accepted, and of no effect.

    Returns:
        The norm before, a 0-d tensor.

    Raises:
        NonFiniteError: see error_if_nonfinite.

    Example:
        >>> import graphc as gc
        >>> w = gc.zeros(2, requires_grad=True)
        >>> w.grad = gc.tensor([3.0, 4.0])
        >>> gc.nn.utils.clip_grad_norm_([w], max_norm=1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    given = _tensors(parameters)
    if not given and isinstance(parameters, types.GeneratorType):
        warnings.warn(
            "clip_grad_norm_: the generator of parameters gave none, so nothing is clipped",
            GraphcWarning,
            stacklevel=2,
        )
    grads = [p.grad for p in given if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def clip_grad_value_(
    parameters: Iterable[Any] | Tensor, clip_value: float, foreach: Any = None
) -> None:
    """Limit all gradients to [-clip_value, clip_value], in place.

    Args:
        parameters: a tensor, or an iterable of them; those without a gradient are left out.
        clip_value: the bound, not negative.
        foreach: accepted, and of no effect.

    Raises:
        AttributeValueError: the bound is negative.

    Example:
        >>> import graphc as gc
        >>> w = gc.zeros(2, requires_grad=True)
        >>> w.grad = gc.tensor([3.0, -0.5])
        >>> gc.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad
        tensor([ 1.0000, -0.5000])
    """
    bound = float(clip_value)
    if bound < 0:
        raise AttributeValueError(
            f"clip_grad_value_: clip_value={clip_value!r} is negative", where=caller()
        )
    with no_grad():
        for param in _tensors(parameters):
            if param.grad is not None:
                param.grad.copy_(limited(param.grad, bound))


__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
