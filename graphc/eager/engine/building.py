"""Eager forms on symbolic tensors: what a form does with its tensors becomes part of the graph.

    gc.unbind(gc.input("x", (2, 3)))       # [<reshape: f32[3]>, <reshape: f32[3]>]

The form runs as it does in a compiled function, on tensors that have a node instead of an array;
here no call is recorded, and what it makes are the graph's nodes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node, caller
from graphc.core.operators import (
    FUNCTIONS,
    Operators,
    SymbolicTensorError,
    UnknownValueError,
)
from graphc.core.trees import flatten
from graphc.core.typing import DTypeLike
from graphc.eager.engine import promotion
from graphc.eager.engine.bodies import built, nodes_in
from graphc.eager.engine.bound import parameter_of
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.size import Size
from graphc.eager.engine.template import fill
from graphc.eager.engine.tensor import AnyTensor, Tensor, new, wrap
from graphc.eager.engine.views import link, parts_of, put_back, same_memory
from graphc.errors import ShapeError
from graphc.ops.arrays import random
from graphc.ops.control import GRADIENT_AS, STOP_GRADIENT
from graphc.ops.implied import imply
from graphc.ops.source import INPUT_OP, PARAMETER_OP


def build(
    name: str,
    form: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    state: Iterable[tuple[str, Tensor]] = (),
) -> Any:
    """What an eager form gives for symbolic tensors: nodes of their graph.

    Args:
        name: of the function, for messages.
        form: of eager tensors.
        args: its positional arguments, symbolic tensors or eager ones among them.
        kwargs: its keyword arguments.
        state: eager tensors that are parameters of the graph, by name; what the form writes into
            them the results bring along.

    Raises:
        SymbolicTensorError: it needs values, which symbolic tensors do not have.
        ShapeError: it needs the number of a symbolic size.
    """
    before = tracing.trace
    building = before if isinstance(before, Building) else Building(name, before, state)
    args = [building.given(value) for value in args]
    kwargs = {key: building.given(value) for key, value in kwargs.items()}
    # No `with`: an interrupt may come where Python enters `__exit__`.
    try:
        tracing.trace = building
        hot.slow += 1
        found = building.taken(form(*args, **kwargs))
        if building is not before and building.written:
            imply([leaf for leaf in flatten(found)[0] if isinstance(leaf, Node)], building.written)
        return found
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


def as_tensors(value: object, wrap_node: Callable[[Any], Any] = lambda node: node) -> Any:
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


def is_building(tensor: AnyTensor) -> bool:
    """Whether an eager form runs on a symbolic tensor, whose values a call of a program brings."""
    is_traced = isinstance(tensor, Tensor) and tensor._node is not None
    return is_traced and isinstance(tracing.trace, Building)


class Building:
    """Eager code that runs on symbolic tensors, as it sees it in `tracing.trace`.

    Attributes:
        name: of the function that was called.
        around: the trace of a compiled function in which this runs, or None.
        written: the new values of the state that was written.
    """

    shows_values = False

    def __init__(self, name: str, around: Any, state: Iterable[tuple[str, Tensor]] = ()) -> None:
        self.name = name
        self.around = around
        self.written: dict[Any, Node] = {}
        # Memory that eager code took the data of, which traces keep alive.
        self.owned: list[Any] = []
        self._state = {} if around is not None else {id(t._array): (n, t) for n, t in state}

    def given(self, value: object) -> Any:
        """An argument with tensors of nodes for its symbolic tensors."""
        return as_tensors(value, self.wrap)

    def taken(self, value: object) -> Any:
        """A result with nodes for its tensors."""
        if isinstance(value, Tensor):
            return self.node_of(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.taken, value))
        if isinstance(value, list | tuple) and not isinstance(value, Size):
            return type(value)(map(self.taken, value))
        return value

    def wrap(self, node: Node) -> Tensor:
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
        held = self._parameter(tensor)
        return tensor._of_graph() if held is None else self.written.get(held, held)

    def _parameter(self, tensor: Tensor) -> Any:
        """The parameter that an eager tensor's memory is; None for one that is no state."""
        found = None if tensor._node is not None else self._state.get(id(tensor._array))
        return None if found is None else parameter_of(found[1], found[0])

    def invoke(
        self,
        function: Callable[..., Any],
        template: Any,
        static: Any,
        tensors: Sequence[Any],
        view: bool,
    ) -> Any:
        """An operation: its nodes, in the dtypes that the graph has for them."""
        nodes = [self.node_of(t) if t.is_eager else t for t in tensors]
        found = function(*fill(template, nodes), **dict(static))
        several = isinstance(found, list | tuple)
        made = [self.wrap(_recorded(node)) for node in (found if several else [found])]
        if view:
            for tensor in made:
                link(tensor, tensors[0], function, template, static)
        return tuple(made) if several else made[0]

    def control(self, name: str, *arguments: object, **settings: Any) -> Any:
        """A branch or a loop, whose bodies run on symbolic tensors too."""

        def body(function: Callable[..., Any], nodes: Sequence[Any]) -> Any:
            before = dict(self.written)
            found = nodes_in(function(*map(self.given, nodes)), self.node_of)
            if [*map(id, before.values())] != [*map(id, self.written.values())]:
                raise SymbolicTensorError(
                    f"{self.name}: a module's state is written in the body of {name}",
                    where=caller(),
                    hint="carry it through the loop, or call the module in eval mode",
                )
            return found

        return self.given(built(name, arguments, settings, body, self.node_of))

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

    def expose(self, array: np.ndarray) -> None:
        """An array is a constant of the graph."""

    def identified(self, tensor: Tensor) -> None:
        """Nothing stands for another tensor here."""

    def is_size(self, value: object) -> bool:
        """Whether a value is a symbolic size."""
        return isinstance(value, Dim)

    def is_symbolic(self, shape: Sequence[Any]) -> bool:
        """Whether a size among these is symbolic."""
        return any(isinstance(size, Dim) for size in shape)

    def is_count(self, value: object) -> bool:
        """Whether a value is a symbolic size that is 0 or more, whatever its symbols are."""
        return isinstance(value, Dim) and dims.at_least(value, 0)

    def counted(self, size: Dim, dtype: dtypes.DType) -> Tensor:
        """The numbers from 0 to before a symbolic size."""
        return self.wrap(FUNCTIONS["arange"](0, size, 1, dtype))

    def size_tensor(self, size: Dim, dtype: dtypes.DType) -> Tensor:
        """A symbolic size as a 0-d tensor beside tensors of a dtype."""
        return self.wrap(FUNCTIONS["size"](size, dtype if dtype.is_float else dtypes.int64))

    def full(self, shape: tuple[Any, ...], value: object, dtype: DTypeLike | None) -> Tensor:
        """A tensor of a shape that may be symbolic, filled with a number."""
        kind = promotion.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return self.wrap(FUNCTIONS["full"](tuple(shape), value, kind))

    def zeros(self, shape: tuple[Any, ...]) -> Tensor:
        """Zeros of a shape that may be symbolic, to draw numbers for."""
        return self.full(shape, 0, dtypes.uint8)

    def filled(self, like: Tensor, value: object, dtype: DTypeLike | None) -> Tensor:
        """A tensor of another's shape, filled with a number."""
        return self.full(like.type.shape, value, like.dtype if dtype is None else dtype)

    def agree(self, mine: Tensor, other: Tensor) -> None:
        """Symbolic sizes that differ stay different."""

    def assign(self, target: Tensor, value: Tensor) -> None:
        """A tensor of the form's own becomes its new value, in all that it is a part of too.

        Raises:
            SymbolicTensorError: memory from outside is written.
        """
        whole, keeps_history = target, state.enabled
        while whole._view is not None:
            keeps_history &= whole._view.function is not same_memory
            whole = whole._view.parent
        if not keeps_history and whole._node is not None and not _has_no_history(whole._node):
            raise SymbolicTensorError(
                f"{self.name}: {whole._node!r:.80} is written in place without its gradient",
                where=caller(),
                hint="in a graph a value has the gradient of what it is computed from: compute a "
                "new one, and use x.detach() where it is to have none",
            )
        held = self._parameter(whole)
        if whole._node is None and held is None:
            raise SymbolicTensorError(
                f"{self.name}: an eager tensor ({target.type}) cannot be changed in place to "
                f"{self.node_of(value)!r:.80}, a symbolic tensor, which has no value",
                where=caller(),
                hint="use the function that makes a new tensor, or give the result as an update "
                "of a program: gc.compile(..., updates={parameter: new_value})",
            )
        target.version().count += 1
        part, node = target, self.node_of(value)
        while (view := part._view) is not None:
            part._node = node
            part = view.parent
            node = _recorded(put_back(view, self.node_of(part), node))
        if held is None:
            whole._node = node
        else:
            # A weight that is written without a gradient is still the leaf that is trained.
            trained = whole._edge is not None
            self.written[held] = GRADIENT_AS(node, self.node_of(whole)) if trained else node
        self._refresh(whole)

    def _refresh(self, whole: Tensor) -> None:
        for part, view in parts_of(whole):
            node = self.node_of(whole)
            found = view.function(*fill(view.template, [node]), **dict(view.static))
            part._node = FUNCTIONS["stop_gradient"](found) if found is node else found
            self._refresh(part)

    def draw_key(self, generator: Any) -> Tensor:
        """The key of a draw, other at each call of the program."""
        return self.wrap(random.key_of(generator.parameter))

    def detach(self, tensor: Tensor) -> Tensor:
        """The value without gradient, in the same memory."""
        alias = self.wrap(FUNCTIONS["stop_gradient"](self.node_of(tensor)))
        link(alias, tensor, same_memory)
        return alias

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


def _recorded(node: Node) -> Node:
    """What an operation gives, without gradient where eager code records none."""
    if state.enabled or not node.dtype.is_float or _has_no_history(node):
        return node
    return FUNCTIONS["stop_gradient"](node)


def _has_no_history(node: Node) -> bool:
    return (not node.inputs and node.op not in (INPUT_OP, PARAMETER_OP)) or node.op is STOP_GRADIENT


__all__ = ["as_tensors", "build", "is_building"]
