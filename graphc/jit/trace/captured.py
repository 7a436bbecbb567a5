"""Concrete tensors in a trace: their memory, and what they hold now."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Node
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.steps import Captured
from graphc.ops.source import CONSTANT_OP, Bound, State

# Arrays up to this many elements that all are one number are written into the graph as it.
_UNIFORM = 1 << 20


class Touched:
    """A concrete tensor in a trace: its placeholder, and what it holds now."""

    __slots__ = ("array", "born", "current", "node", "step", "tensor")

    def __init__(self, tensor: Tensor, step: Any, born: bool) -> None:
        self.tensor = tensor
        self.array = tensor._array
        self.step = step
        self.node: Any = step.nodes[0]
        self.current: Node = self.node
        self.born = born

    @property
    def step_is_constant(self) -> bool:
        """Whether the program has the tensor's value, and not its memory."""
        return isinstance(self.step, Captured) and self.step.is_constant

    @property
    def is_bound(self) -> bool:
        """Whether the program's placeholder is this very memory."""
        return isinstance(self.step, Captured) and not self.step.is_constant


def uniform_node(array: np.ndarray, origin: Any) -> Node:
    """An array in a graph: one number when all its elements are that, else a constant."""
    if array.size and array.size <= _UNIFORM and bool((array == array.flat[0]).all()):
        return FUNCTIONS["full"](array.shape, array.flat[0].item(), dtypes.as_dtype(array.dtype))
    type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
    attrs = (("name", "constant"), ("type", type_))
    return Bound(CONSTANT_OP, (), attrs, type_, origin, State(array.copy()))


__all__ = ["Touched", "uniform_node"]
