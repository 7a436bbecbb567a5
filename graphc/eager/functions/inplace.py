"""Changing tensors in place: memory, versions, and the history of views.

The memory of a tensor and of its views is one; so is the count of writes, by which a backward
step notices that a value it kept has changed. When a write is recorded, the written tensor takes
the history of the new value. When it is a view, the tensor it is a part of gets a step that puts
the part back into the whole (`put_back`), and the tensor's other views are taken from it anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import DTypeLike
from graphc.eager.engine.composite import check_writable, leaf_written, store
from graphc.eager.engine.drawn import written
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import backward_name, call_of, invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import AccumulateGrad, CallBackward, Version
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, View
from graphc.eager.engine.views import PutBack
from graphc.errors import DTypeError, ShapeError


def write(target: Tensor, value: Tensor, name: str) -> Tensor:
    """Change a tensor to a value computed from it, with the value's history.

    Args:
        target: the tensor.
        value: of its shape; of its dtype, or one that it can hold.
        name: the operation, for messages.

    Returns:
        The target.

    Raises:
        ShapeError, DTypeError: the value does not fit the target's memory.
        GradientError: the target is a leaf that requires a gradient.
    """
    check_fits(target, value, name)
    if value.dtype is not target.dtype:
        value = invoke(FUNCTIONS["cast"], (SLOT,), _cast_to(target.dtype), [value])
    _keep_old(target, value)
    store(target, value)
    if state.enabled and (hot.slow == 0 or tracing.trace is None):
        take_history(target, value)
    return target


def _keep_old(target: Tensor, value: Tensor) -> None:
    """Copy what the step that made the value kept of the memory that is now written."""
    fn = value._edge[0] if value._edge is not None else None
    if not isinstance(fn, CallBackward) or target._version is None:
        return
    for saved in fn.inputs or ():
        if saved is not None and saved.version is target._version:
            if saved.node is None:
                saved.array = saved.array.copy()  # type: ignore[union-attr]
            saved.version, saved.count = Version(), 0


def _cast_to(dtype: DTypeLike) -> tuple[tuple[str, Any], ...]:
    return (("dtype", dtype),)


def check_fits(target: Tensor, value: Tensor, name: str) -> None:
    """Refuse a result that the memory of its target cannot hold."""
    if hot.slow and tracing.trace is not None:
        tracing.trace.agree(value, target)
    # The types' shapes: a traced size that is asked for as a number is a number ever after.
    if value.type.shape != target.type.shape:
        raise ShapeError(
            f"{name}: the result has shape {tuple(value.shape)}, the tensor that is changed in "
            f"place {tuple(target.shape)}",
            where=caller(),
            hint=f"use {name.rstrip('_')}, which makes a new tensor",
        )
    kinds = {"bool": 0, "uint": 1, "int": 1, "float": 2}
    if kinds[value.dtype.kind] > kinds[target.dtype.kind]:
        raise DTypeError(
            f"{name}: a result of {value.dtype.name} does not fit a tensor of {target.dtype.name} "
            "in place",
            where=caller(),
            hint=f"use {name.rstrip('_')}, which makes a new tensor, or convert the tensor first",
        )


def take_history(target: Tensor, value: Tensor) -> None:
    """Let a tensor that was written have the history of its new value."""
    view = target._view
    if value._edge is None and (target._edge is None or view is None):
        if target._edge is not None:
            target._edge = None
            _refresh_views(target)
        return
    target._edge = value._edge
    if view is None:
        _refresh_views(target)
        return
    # From the view up to the whole: each parent gets the step that puts the part back.
    part = target
    while part._view is not None:
        parent = part._view.parent
        _put_back(parent, part, part._view)
        part = parent
    _refresh_views(part)


def _put_back(parent: Tensor, part: Tensor, view: View) -> None:
    if parent._edge is None and part._edge is None:
        return
    if parent._edge is not None and isinstance(parent._edge[0], AccumulateGrad):
        raise leaf_written()
    function = PutBack(view)
    whole, piece = parent._array, part._array
    types = (whole.dtype.char, whole.shape, piece.dtype.char, piece.shape)
    call = call_of(function, (SLOT, SLOT), (), types)
    fn = CallBackward("CopySlices", call, (parent._edge, part._edge), (None, None))
    parent._edge = (fn, 0)


def _refresh_views(whole: Tensor) -> None:
    """Take the views of a tensor, and theirs, from its new history."""
    for ref in whole._views or ():
        part = ref()
        if part is None or part._view is None or part._view.parent is not whole:
            continue
        view = part._view
        if whole._edge is None:
            part._edge = None
        else:
            types = (whole._array.dtype.char, whole._array.shape)
            call = call_of(view.function, view.template, view.static, types)
            if call.differentiable[0]:
                name = backward_name(view.function)
                part._edge = (CallBackward(name, call, (whole._edge,), (None,)), 0)
        _refresh_views(part)


def check_leaf_view(target: Tensor) -> None:
    """Refuse a write through a view of a leaf that requires a gradient."""
    part = target
    while part._view is not None:
        part = part._view.parent
        if part._edge is not None and isinstance(part._edge[0], AccumulateGrad) and state.enabled:
            raise leaf_written()


def in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The in-place form of an operation: `add_` of `add`.

    Args:
        function: the operation, of eager tensors.
        name: with the underscore.
    """

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_leaf_view(self)
        return write(self, function(self, *args, **kwargs), name)

    method.__name__ = name
    method.__wrapped__ = function  # type: ignore[attr-defined]  # whose signature it has
    method.__doc__ = _documented(name, function.__doc__ or "")
    return method


def _documented(name: str, doc: str) -> str:
    """The docstring of an in-place form, with the example of the function it is of.

    That example ends with `gc.name(x, ...)` and what it prints, which `x.name_(...)` prints too;
    bools are written as ones and zeros.
    """
    said = f"`{name[:-1]}`, written into the tensor itself; returns it."
    example = doc.rpartition("Example:\n")[2]
    called = re.search(rf"gc\.{_WORD}\(x(?:, )?(?=.*\n[^\n]*tensor[^>]*$)", example)
    if called is None:
        return said
    head, line, result = example[: called.start()], *example[called.end() :].split("\n", 1)
    result = result.replace("[ True", "[True").replace("True", "1").replace("False", "0")
    return f"{said}\n\nExample:\n{head}x.{name}({line}\n{result}"


_WORD = r"\w+"


def overwrite(target: Tensor, value: Tensor) -> None:
    """Fill the memory of a tensor that has no history with another, broadcast and converted."""
    if value._drawn is None:
        zero_cost_copy(target, value._array)
    else:
        static = (*_cast_to(target.dtype), ("shape", target._array.shape))
        store(target, invoke(_spread, (SLOT,), static, [value]))


def _spread(value: Any, *, dtype: DTypeLike, shape: tuple[int, ...]) -> Any:
    return FUNCTIONS["broadcast_to"](FUNCTIONS["cast"](value, dtype, "wrap"), shape)


def zero_cost_copy(target: Tensor, array: np.ndarray) -> None:
    """Fill the memory of a tensor that has no history, broadcasting an array or number."""
    check_writable(target)
    np.copyto(target._array, array, casting="unsafe")
    if target._drawn is not None:
        written(target, None)
    target.version().count += 1


__all__ = ["check_leaf_view", "in_place", "write"]
