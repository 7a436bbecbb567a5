"""Eager forms on symbolic tensors: what a form does with its tensors becomes part of the graph.

    gc.unbind(gc.input("x", (2, 3)))       # [<reshape: f32[3]>, <reshape: f32[3]>]

The form runs as it does in a compiled function, on tensors that have a node instead of an array;
here no call is recorded, and what it makes are the graph's nodes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.ir import caller
from graphc.core.operators import (
    FUNCTIONS,
    Operators,
    SymbolicTensorError,
    UnknownValueError,
)
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import fill
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor, new, wrap
from graphc.errors import ShapeError
from graphc.ops.arrays import random


def build(
    name: str, form: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What an eager form gives for symbolic tensors: nodes of their graph.

    Args:
        name: of the function, for messages.
        form: of eager tensors.
        args: its positional arguments, symbolic tensors or eager ones among them.
        kwargs: its keyword arguments.

    Raises:
        SymbolicTensorError: it needs values, which symbolic tensors do not have.
        ShapeError: it needs the number of a symbolic size.
    """
    before = tracing.trace
    building = before if isinstance(before, Building) else Building(name, before)
    args = [building.given(value) for value in args]
    kwargs = {key: building.given(value) for key, value in kwargs.items()}
    # No `with`: an interrupt may come where Python enters `__exit__`.
    try:
        tracing.trace = building
        hot.slow += 1
        return building.taken(form(*args, **kwargs))
    except TypeError as error:  # of which an `UnknownValueError` is one
        # A form's own tensors are no nodes: a node whose truth is asked compares a size.
        if not isinstance(error, UnknownValueError) and "'Dim'" not in str(error):
            raise
        raise ShapeError(
            f"{name}: a symbolic size is compared, whose number is not known",
            where=caller(),
            hint="declare the input with a number in place of the symbol, or write the code on "
            "eager tensors and compile it with gc.jit.compile",
        ) from None
    finally:
        tracing.trace = before
        hot.slow -= 1


def as_tensors(value: Any, wrap_node: Callable[[Any], Any] = lambda node: node) -> Any:
    """An argument with tensors for the arrays, and for the symbolic tensors, in it."""
    if isinstance(value, np.ndarray):
        return wrap(value)
    if isinstance(value, Operators) and not value.is_eager:
        return wrap_node(value)
    if value.__class__ in (list, tuple):
        return value.__class__([as_tensors(v, wrap_node) for v in value])
    if value.__class__ is dict:
        return {k: as_tensors(v, wrap_node) for k, v in value.items()}
    return value


def is_building(tensor: Tensor) -> bool:
    """Whether an eager form runs on a symbolic tensor, whose values a call of a program brings."""
    return tensor._node is not None and isinstance(tracing.trace, Building)


class Building:
    """Eager code that runs on symbolic tensors, as it sees it in `tracing.trace`.

    Attributes:
        name: of the function that was called.
        around: the trace of a compiled function in which this runs, or None.
    """

    def __init__(self, name: str, around: Any) -> None:
        self.name = name
        self.around = around

    def given(self, value: Any) -> Any:
        """An argument with tensors of nodes for its symbolic tensors."""
        return as_tensors(value, self.wrap)

    def taken(self, value: Any) -> Any:
        """A result with nodes for its tensors."""
        if isinstance(value, Tensor):
            return self.node_of(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.taken, value))
        if isinstance(value, list | tuple) and not isinstance(value, Size):
            return type(value)(map(self.taken, value))
        return value

    def wrap(self, node: Any) -> Tensor:
        """A tensor that has a node instead of an array."""
        tensor = new(Tensor)
        tensor._node = node
        return tensor

    def node_of(self, tensor: Tensor) -> Any:
        """The node that holds a tensor's value; one with a value is a constant."""
        if tensor._node is not None:
            return tensor._node
        if self.around is not None:
            return self.around.node_of(tensor)
        return tensor._of_graph()

    def invoke(
        self, function: Any, template: Any, static: Any, tensors: Sequence[Any], view: bool
    ) -> Any:
        """An operation: its nodes, in the dtypes that the graph has for them."""
        nodes = [self.node_of(t) if t.is_eager else t for t in tensors]
        found = function(*fill(template, nodes), **dict(static))
        if isinstance(found, list | tuple):
            return tuple([self.wrap(node) for node in found])
        return self.wrap(found)

    # --- what forms ask for besides

    def shape_of(self, shape: tuple[Any, ...]) -> Size:
        """A shape as eager code gets it, with symbolic sizes as they are."""
        return Size(shape)

    def layout(self, tensor: Tensor) -> np.ndarray:
        """An array of as many axes, in order in memory; what is symbolic has no strides."""
        return tensor._array if tensor._node is None else np.empty((1,) * tensor.ndim)

    def value_of(self, tensor: Tensor, what: str) -> NoReturn:
        """Values are not known while a graph is built."""
        raise SymbolicTensorError(
            f"{self.name}: {tensor._node!r:.80} is a symbolic tensor and has no value",
            where=caller(),
            hint="make it an output of a program (gc.compile) and use what a call returns, or "
            "write the code on eager tensors and compile it with gc.jit.compile",
        )

    def value_read(self, tensor: Tensor, what: str) -> None:
        """Values of eager tensors are constants."""

    def bear(self, tensor: Tensor) -> None:
        """A tensor that the form made from nothing is a constant."""

    def expose(self, array: Any) -> None:
        """An array is a constant of the graph."""

    def identified(self, tensor: Tensor) -> None:
        """Nothing stands for another tensor here."""

    def is_size(self, value: Any) -> bool:
        """Whether a value is a symbolic size."""
        return isinstance(value, Dim)

    def is_symbolic(self, shape: Sequence[Any]) -> bool:
        """Whether a size among these is symbolic."""
        return any(isinstance(size, Dim) for size in shape)

    def size_tensor(self, size: Dim, dtype: Any) -> Tensor:
        """A symbolic size as a 0-d tensor beside tensors of a dtype."""
        return self.wrap(FUNCTIONS["size"](size, dtype if dtype.is_float else dtypes.int64))

    def full(self, shape: tuple[Any, ...], value: Any, dtype: Any) -> Tensor:
        """A tensor of a shape that may be symbolic, filled with a number."""
        kind = promotion.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return self.wrap(FUNCTIONS["full"](tuple(shape), value, kind))

    def zeros(self, shape: tuple[Any, ...]) -> Tensor:
        """Zeros of a shape that may be symbolic, to draw numbers for."""
        return self.full(shape, 0, dtypes.uint8)

    def filled(self, like: Tensor, value: Any, dtype: Any) -> Tensor:
        """A tensor of another's shape, filled with a number."""
        return self.full(like.type.shape, value, like.dtype if dtype is None else dtype)

    def agree(self, mine: Tensor, other: Tensor) -> None:
        """Symbolic sizes that differ stay different."""

    def assign(self, target: Tensor, value: Tensor) -> None:
        """A tensor of the form's own becomes its new value; memory from outside is not written."""
        if target._node is None:
            raise SymbolicTensorError(
                f"{self.name}: an eager tensor ({target.type}) cannot be changed in place to "
                f"{self.node_of(value)!r:.80}, a symbolic tensor, which has no value",
                where=caller(),
                hint="use the function that makes a new tensor, or give the result as an update "
                "of a program: gc.compile(..., updates={parameter: new_value})",
            )
        target._node = self.node_of(value)

    def draw_key(self, generator: Any) -> Tensor:
        """The key of a draw, other at each call of the program."""
        if generator.parameter is not random.GENERATOR:
            raise SymbolicTensorError(
                f"{self.name}: a graph draws from the default generator or by a key",
                where=caller(),
                hint="leave generator= away",
            )
        return self.wrap(random._key_for(self.name, None))

    def detach(self, tensor: Tensor) -> Tensor:
        """The value without gradient."""
        return self.wrap(FUNCTIONS["stop_gradient"](self.node_of(tensor)))

    def grad_of(self, tensor: Tensor) -> Any:
        """Symbolic tensors have no `grad`; those of eager ones are theirs."""
        return tensor._grad

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise SymbolicTensorError(
            f"{self.name}: not of symbolic tensors ({name.replace('_', ' ')})",
            where=caller(),
            hint="write the code on eager tensors and compile it with gc.jit.compile",
        )


__all__ = ["as_tensors", "build", "is_building"]
