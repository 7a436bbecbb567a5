"""Tensors joined, by PyTorch's names: cat, stack and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.typing import Axes
from graphc.eager.engine.registry import as_axis, call_list, eager, named, step
from graphc.eager.engine.tensor import Tensor, TensorLike
from graphc.eager.functions.shapes import reshape
from graphc.errors import AttributeValueError


@named("CatBackward0")
def _cat(xs: Sequence[Tensor], *, axis: int) -> Any:
    shapes = [x.type.shape for x in xs]
    # PyTorch lets an empty vector stand among tensors of any shape.
    kept = [x for x, s in zip(xs, shapes) if s != (0,)] if len(set(map(len, shapes))) > 1 else xs
    return FUNCTIONS["concat"](kept, axis)


_stack = step("stack", "StackBackward0")


def _listed(tensors: Sequence[Any], name: str) -> list[Tensor]:
    found = list(tensors)
    if not found:
        raise AttributeValueError(f"{name}: an empty list of tensors", where=caller())
    return found


@eager("cat", "concat", "concatenate")
def cat(tensors: Sequence[TensorLike], dim: int = 0, *, axis: Axes | None = None) -> Any:
    """Tensors one after the other along an axis.

    Example:
        >>> import graphc as gc
        >>> gc.cat([gc.zeros(2), gc.ones(1)])
        tensor([0., 0., 1.])
    """
    return call_list(_cat, _listed(tensors, "cat"), axis=as_axis(dim if axis is None else axis))


@eager("stack")
def stack(tensors: Sequence[TensorLike], dim: int = 0, *, axis: Axes | None = None) -> Any:
    """Tensors of one shape along a new axis.

    Example:
        >>> import graphc as gc
        >>> gc.stack([gc.zeros(2), gc.ones(2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    return call_list(_stack, _listed(tensors, "stack"), axis=as_axis(dim if axis is None else axis))


def _at_least(tensors: Sequence[Any], rank: int) -> list[Tensor]:
    return [x if x.ndim >= rank else reshape(x, (1,) * (rank - x.ndim) + tuple(x.shape))
            for x in tensors]  # fmt: skip


@eager("hstack")
def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors side by side: along axis 1, vectors along axis 0.

    Example:
        >>> import graphc as gc
        >>> gc.hstack([gc.tensor([1, 2]), gc.tensor([3])])
        tensor([1, 2, 3])
    """
    lifted = _at_least(tensors, 1)
    return cat(lifted, 0 if not lifted or lifted[0].ndim == 1 else 1)


@eager("vstack", "row_stack")
def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors one below the other: along axis 0, vectors as rows.

    Example:
        >>> import graphc as gc
        >>> gc.vstack([gc.tensor([1, 2]), gc.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    return cat(_at_least(tensors, 2), 0)
