"""`gradcheck`: gradients against finite differences, first and second order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.trees import as_tuple
from graphc.eager.engine.backward import grad
from graphc.eager.engine.mode import enable_grad, no_grad
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, GradientError


def _outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    found = [o for o in as_tuple(func(*inputs)) if isinstance(o, Tensor) and o.dtype.is_float]
    if not found:
        raise ArgumentError("gradcheck: the function returned no float tensor", where=caller())
    return found


def _numerical(
    func: Callable[..., Any], inputs: Sequence[Any], which: int, eps: float
) -> list[np.ndarray]:
    """Central differences: for each output, a matrix (elements of the input, of the output)."""
    array = inputs[which]._array
    columns: list[list[np.ndarray]] = []
    with no_grad():
        for place in np.ndindex(array.shape):
            before = array[place]
            array[place] = before + eps
            above = [o._array.astype(np.float64).ravel() for o in _outputs(func, inputs)]
            array[place] = before - eps
            below = [o._array.astype(np.float64).ravel() for o in _outputs(func, inputs)]
            array[place] = before
            columns.append([(a - b) / (2 * eps) for a, b in zip(above, below)])
    count = len(_outputs(func, inputs))
    return [np.array([c[k] for c in columns]).reshape(array.size, -1) for k in range(count)]


def _analytical(output: Tensor, target: Tensor) -> np.ndarray:
    """The same matrix by one backward pass for each element of the output."""
    size = output._array.size
    rows = np.zeros((target._array.size, size))
    for k in range(size):
        ct = np.zeros(size, output._array.dtype)
        ct[k] = 1
        (found,) = grad(
            output, target, wrap(ct.reshape(output._array.shape)), retain_graph=True,
            allow_unused=True,
        )  # fmt: skip
        if found is not None:
            rows[:, k] = found._array.astype(np.float64).ravel()
    return rows


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    check_undefined_grad: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
) -> bool:
    """Compare the gradients of a function with central differences.

    Args:
        func: of tensors; returns a tensor or several.
        inputs: a tensor or a tuple; those that require a gradient are checked. Use float64.
        eps: the step of the differences.
        atol: absolute tolerance.
        rtol: tolerance relative to the differences.
        raise_exception: raise on the first mismatch, or return False.
        check_undefined_grad: accepted as PyTorch does.
        nondet_tol: how much two backward passes may differ.
        fast_mode: accepted as PyTorch does; all elements are checked in any case.

    Returns:
        True when all agree.

    Raises:
        GradientError: they do not; the message has the element and both values.
        ArgumentError: no input requires a gradient.

    Example:
        >>> import graphc as gc
        >>> x = gc.rand(3, dtype=gc.float64, requires_grad=True)
        >>> gc.autograd.gradcheck(gc.sin, x)
        True
    """
    given = as_tuple(inputs)
    checked = [k for k, x in enumerate(given) if isinstance(x, Tensor) and x._edge is not None]
    if not checked:
        raise ArgumentError(
            "gradcheck: no input requires a gradient",
            where=caller(),
            hint="pass tensors with requires_grad=True, of float64",
        )
    with enable_grad():
        outputs = _outputs(func, given)
        for which in checked:
            numerical = _numerical(func, given, which, eps)
            for place, output in enumerate(outputs):
                if output._edge is None:
                    analytical = np.zeros_like(numerical[place])
                else:
                    analytical = _analytical(output, given[which])
                    again = _analytical(output, given[which])
                    if np.abs(analytical - again).max(initial=0) > nondet_tol:
                        return _failed(raise_exception, "two backward passes differ", which, place)
                wrong = ~np.isclose(analytical, numerical[place], rtol, atol, equal_nan=True)
                if wrong.any():
                    row, column = (int(v) for v in np.argwhere(wrong)[0])
                    return _failed(
                        raise_exception,
                        f"element {column} of output {place} by element {row} of input {which}: "
                        f"backward gives {analytical[row, column]:.6g}, differences "
                        f"{numerical[place][row, column]:.6g}",
                        which, place, int(wrong.sum()), wrong.size,
                    )  # fmt: skip
    return True


def _failed(raises: bool, what: str, which: int, place: int, count: int = 1, size: int = 1) -> bool:
    if not raises:
        return False
    raise GradientError(
        f"gradcheck: {what}",
        [f"{count} of {size} entries of this Jacobian differ"],
        where=caller(),
        hint="use float64 inputs away from kinks, or mend the backward rule",
    )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **settings: Any,
) -> bool:
    """Compare second derivatives of a function with differences of first ones.

    Args:
        func: as for `gradcheck`.
        inputs: as for `gradcheck`.
        grad_outputs: cotangents of the outputs; random ones unless given.
        eps: the step of the differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: raise on the first mismatch, or return False.
        settings: passed on to `gradcheck`.

    Example:
        >>> import graphc as gc
        >>> x = gc.rand(3, dtype=gc.float64, requires_grad=True)
        >>> gc.autograd.gradgradcheck(gc.sin, x)
        True
    """
    given = as_tuple(inputs)
    outputs = _outputs(func, given)
    if grad_outputs is None:
        drawn = np.random.default_rng(0)
        cts = [wrap(drawn.standard_normal(o._array.shape).astype(o._array.dtype)) for o in outputs]
    else:
        cts = list(as_tuple(grad_outputs))
    for ct in cts:
        ct.requires_grad_()
    checked = [x for x in given if isinstance(x, Tensor) and x._edge is not None]

    def first(*values: Any) -> tuple[Any, ...]:
        inner, outer = values[: len(given)], values[len(given) :]
        results = _outputs(func, inner)
        wanted = [v for v, x in zip(inner, given) if any(x is c for c in checked)]
        pairs = [(r, ct) for r, ct in zip(results, outer) if r._edge is not None]
        found = grad(
            [r for r, _ in pairs], wanted, [ct for _, ct in pairs], create_graph=True,
            allow_unused=True,
        )  # fmt: skip
        return tuple(f for f in found if f is not None)

    def recorded(*values: Any) -> tuple[Any, ...]:
        with enable_grad():
            return first(*values)

    return gradcheck(
        recorded, (*given, *cts), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, **settings,
    )  # fmt: skip


__all__ = ["gradcheck", "gradgradcheck"]
