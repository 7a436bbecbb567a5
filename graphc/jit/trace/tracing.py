"""One trace: eager code runs, and a graph of what it does is made.

Tensors made in a trace have a node instead of an array. A concrete tensor that the code touches
(a weight, a running mean, an optimizer's moment) stands in the graph as a parameter over the
tensor's own memory; what is written into it becomes an update of the program. The trace keeps
which concrete tensors it touched, what it assumed of them, and what Python saw of their values.
"""

from __future__ import annotations

from typing import Any

from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.captured import Touched, uniform_node
from graphc.jit.trace.values import Values


class Trace(Values):
    """A run under way, as eager code sees it in `tracing.trace`."""

    # --- gradients

    def grad_of(self, tensor: Tensor) -> Any:
        """`tensor.grad` as the traced code left it."""
        tensor = self.reals.get(id(tensor), tensor)
        found = self.grads.get(id(tensor))
        if found is not None:
            return found[1]
        if tensor._node is None:
            self.grads_before.setdefault(id(tensor), (tensor, tensor._grad))
        return tensor._grad

    def set_grad(self, tensor: Tensor, value: object) -> None:
        """`tensor.grad = value` in traced code."""
        tensor = self.reals.get(id(tensor), tensor)
        self.grads[id(tensor)] = (tensor, value)


__all__ = ["Touched", "Trace", "uniform_node"]
