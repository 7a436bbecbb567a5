"""How tensors of a call get what they are: memory of their own, a part of another's, a history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.drawn import Lost, written
from graphc.eager.engine.invoke import attach_view, part_of
from graphc.eager.engine.tensor import Tensor, new
from graphc.eager.engine.views import same_memory
from graphc.eager.functions.inplace import take_history


def unshared(arrays: Iterable[np.ndarray], operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A program's results, copied where they are an operand, a part of one, or each other."""
    used = {id(a) for a in operands}
    found = []
    for array in arrays:
        own = array.copy() if id(array) in used or array.base is not None else array
        used.add(id(own))
        found.append(own)
    return found


def take_view(tensor: Tensor, whole: Tensor, function: Any, template: Any, static: Any) -> None:
    """Let a tensor be a part of another's memory.

    Args:
        tensor: what is to be the part.
        whole: the other.
        function, template, static: what takes the part, with sizes that are numbers.
    """
    tensor._view = None
    array = whole._array
    if function is same_memory:
        tensor._array = array
        tensor._version = whole.version()
        return
    tensor._array = part_of(function, template, static, array)
    attach_view(tensor, whole, function, template, static)


def lose_all(results: Sequence[Tensor]) -> None:
    """Mark what a call of a compiled function that draws, or is given draws, left."""
    mark = Lost(caller(), "a compiled function that draws, or was given draws, computed them")
    for tensor in results:
        written(tensor, mark)


def keeps_gradient(tensor: Tensor, edge: Any) -> bool:
    """Whether a tensor with this edge was asked to retain its gradient."""
    return any(ref() is tensor for _, ref in getattr(edge[0], "retained", None) or ())


def give_history(tensor: Tensor, edge: Any, is_argument: bool, retains: bool) -> None:
    """Let a tensor have a history.

    Args:
        tensor: the call's.
        edge: where its cotangent goes.
        is_argument: whether it is the caller's and was written in place, its views with it.
        retains: whether it keeps its gradient.
    """
    if is_argument:
        carrier = new(Tensor)
        carrier._edge = edge
        take_history(tensor, carrier)
    else:
        tensor._edge = edge
    if retains:
        tensor.retain_grad()


__all__ = ["give_history", "keeps_gradient", "take_view", "unshared"]
