"""`composite`: a function of symbolic tensors as one eager operation.

    @composite
    def silu(x):
        return x * FUNCTIONS["sigmoid"](x)

Called with eager tensors it runs as one fused forward step and records one backward step; called
with symbolic tensors it just builds its graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine import promotion
from graphc.eager.engine.drawn import written
from graphc.eager.engine.elementwise import number
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import invoke, of_array
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import AccumulateGrad
from graphc.eager.engine.template import placed
from graphc.eager.engine.tensor import Tensor
from graphc.eager.engine.views import expanded_written
from graphc.errors import ArgumentError, GradientError


def composite(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of symbolic tensors one eager operation.

    Args:
        function: builds a graph. Its positional arguments are tensors, None, or Python numbers
            (which become 0-d tensors, so that another value is not another graph); its keyword
            arguments are hashable and part of the graph. It sees only dtypes and shapes.

    Returns:
        A function of eager or symbolic tensors. Its `grad_fn` is named after it.

    Example:
        >>> import graphc as gc
        >>> from graphc.eager.engine.composite import composite
        >>> @composite
        ... def swish(x, beta):
        ...     return x * gc.sigmoid(x * beta)
        >>> swish(gc.zeros(2), 1.5)
        tensor([0., 0.])
    """

    @functools.wraps(function)
    def apply(*args: object, **static: Any) -> Any:
        template, tensors, is_eager = placed(args, of_numbers=True)
        if not is_eager:
            if any(isinstance(t, Operators) and not isinstance(t, Tensor) for t in tensors):
                return _of_symbolic(function, args, static)
            tensors = _as_tensors(tensors)
        if not tensors:
            return function(*args, **static)
        settings = tuple(sorted(static.items())) if static else ()
        return invoke(function, template, settings, tensors)

    apply.body = function  # type: ignore[attr-defined]
    return apply


def _of_symbolic(function: Callable[..., Any], args: Sequence[Any], static: Any) -> Any:
    """The graph of a call with symbolic tensors; arrays among the arguments are constants."""
    constant = FUNCTIONS["constant"]
    return function(*[constant(v) if isinstance(v, np.ndarray) else v for v in args], **static)


def _as_tensors(values: Sequence[Any]) -> list[Tensor]:
    """Tensors of arrays too, and beside them of numbers, in the dtype that they have there."""
    found = [v if isinstance(v, Tensor | int | float) else of_array(np.asarray(v)) for v in values]
    beside = [v for v in found if isinstance(v, Tensor)]
    first = next((v for v in beside if v.dtype.is_float), None)
    dtype = promotion.get_default_dtype() if first is None else first.dtype
    return [v if isinstance(v, Tensor) else number(v, dtype) for v in found] if beside else []


def store(target: Tensor, value: Tensor) -> None:
    """Write a value of equal type into a tensor's memory; its history is the value's.

    Raises:
        GradientError: the tensor is a leaf that requires a gradient, and recording is on.
    """
    if state.enabled and target._edge is not None and isinstance(target._edge[0], AccumulateGrad):
        raise leaf_written()
    if target._node is not None or (hot.slow and tracing.trace is not None):
        tracing.trace.assign(target, value)
        return
    if target._array is not value._array:
        check_writable(target)
        np.copyto(target._array, value._array, casting="unsafe")
    if value._drawn is not None or target._drawn is not None:
        written(target, value._drawn)
    if target._version is None:
        target.version()
    target._version.count += 1  # type: ignore[union-attr]


def check_writable(target: Tensor) -> None:
    """Refuse to write memory that is read-only, or where elements share a place.

    Raises:
        ArgumentError: either is so.
    """
    array = target._array
    if (
        array.size
        and 0 in array.strides
        and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape))
    ):
        raise expanded_written(array.shape)
    if not array.flags.writeable:
        raise read_only()


def read_only() -> ArgumentError:
    """The error for memory that may not be written, such as that of a read-only array."""
    return ArgumentError(
        "the tensor's memory is read-only, so it cannot be changed in place",
        where=caller(),
        hint="work on x.clone()",
    )


def leaf_written() -> GradientError:
    """The error for a leaf that requires a gradient and is changed in place."""
    return GradientError(
        "a leaf that requires a gradient cannot be changed in place: its gradient would be of a "
        "value that is gone",
        where=caller(),
        hint="change it inside `with gc.no_grad():`, or work on x.clone()",
    )


def apply_in_place(
    update: Callable[..., Any], targets: Sequence[Tensor], *args: object, **static: Any
) -> None:
    """Run a composite and store its results in tensors, in place.

    Args:
        update: a composite that returns as many tensors as there are targets.
        targets: tensors of the results' types.
        args: the composite's tensors and numbers.
        static: its keyword arguments.
    """
    was_recording = state.enabled
    try:
        state.enabled = False
        results = update(*args, **static)
        results = results if isinstance(results, tuple) else (results,)
        for target, result in zip(targets, results, strict=True):
            store(target, result)
    finally:
        state.enabled = was_recording


__all__ = ["apply_in_place", "composite", "store"]
