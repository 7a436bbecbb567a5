"""`Parameter` and `Buffer`: tensors that a module keeps track of.

    self.weight = nn.Parameter(gc.zeros(2, 3))       # trained: in parameters() and state_dict()
    self.mean = nn.Buffer(gc.zeros(3))               # not trained: in buffers() and state_dict()

Not to be confused with `gc.parameter`, which makes the symbolic parameter of a graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.methods import methods
from graphc.errors import ArgumentError


def _source(kind: str, data: Any) -> Tensor:
    """What the new tensor shares its memory, and the count of its writes, with."""
    if data is None:
        return wrap(np.empty(0, np.float32))
    if not isinstance(data, Tensor):
        raise ArgumentError(
            f"{kind}: data must be a tensor, not {type(data).__name__}",
            where=caller(),
            hint=f"write nn.{kind}(gc.tensor(data))",
        )
    return data.detach()


class Parameter(Tensor):
    """A tensor that a module trains: assigned to an attribute, it is one of its parameters.

    Args:
        data: the tensor whose memory the parameter shares; an empty one unless given.
        requires_grad: whether operations on it are recorded.

    Raises:
        ArgumentError: data is not a tensor.
        GradientError: data is not of a float dtype and requires_grad is True.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Parameter(gc.ones(2))
        Parameter containing:
        tensor([1., 1.], requires_grad=True)
    """

    _is_state = True

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        vars(self).update(vars(_source("Parameter", data)), _drawn=None)
        if requires_grad:
            self.requires_grad_()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt_parameter, (_elements(self), self.requires_grad)


class Buffer(Tensor):
    """A tensor that belongs to a module's state and is not trained, such as a running mean.

    Args:
        data: the tensor whose memory the buffer shares; an empty one unless given.
        persistent: whether the module's state dict has it.

    Raises:
        ArgumentError: data is not a tensor.

    Example:
        >>> import graphc as gc
        >>> module = gc.nn.Module()
        >>> module.count = gc.nn.Buffer(gc.zeros(1))
        >>> list(module.state_dict())
        ['count']
    """

    persistent = True
    _is_state = True

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        vars(self).update(vars(_source("Buffer", data)), _drawn=None)
        self.persistent = persistent
        if isinstance(data, Tensor) and data.requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        plain = self.detach()
        return repr(plain.requires_grad_(self.requires_grad))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt_buffer, (_elements(self), self.persistent)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        result: Any = super().__deepcopy__(memo)
        result.persistent = self.persistent
        return result


def _elements(tensor: Tensor) -> np.ndarray:
    """The elements in order, for a pickle."""
    array = methods.concrete(tensor, "a pickle")
    return np.ascontiguousarray(array).reshape(array.shape)


def _rebuilt_parameter(array: np.ndarray, requires_grad: bool) -> Parameter:
    return Parameter(wrap(array), requires_grad)


def _rebuilt_buffer(array: np.ndarray, persistent: bool) -> Buffer:
    return Buffer(wrap(array), persistent=persistent)


__all__ = ["Buffer", "Parameter"]
