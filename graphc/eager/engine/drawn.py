"""How eager code came to numbers that were drawn, so that a graph which they meet draws anew.

    noise = 0.1 * gc.randn(4)     # its mark: a product, of a number and of a draw
    x + noise                     # x symbolic: the graph draws and multiplies, at each call

A tensor that was computed of a draw has a mark: the key that was taken from a generator, a `Step`
made of other marks, or `Lost`, where how it was computed is not kept. Where the tensor meets a
graph, its mark is followed on the arrays first, to prove that it tells the truth, and then on
nodes. What is lost, or no longer true, is an error that says what to write, never a constant.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphc.core.ir import Origin, caller
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine import promotion, quiet
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.tape import AccumulateGrad
from graphc.errors import GraphError
from graphc.ops.arrays import random
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import Parameter

if TYPE_CHECKING:
    from graphc.eager.engine.tensor import Tensor

# Steps that are followed, and bytes of an operand that is kept alive to follow them.
MOST_STEPS = 32
KEPT_BYTES = 4096

# Why how numbers were computed is not kept.
BY_VALUES = "how many they are, or where they stand, depends on their values"
IN_GRADIENTS = "they are gradients of what depends on a draw"
AS_NUMBERS = "they, or what they depend on, were read as numbers or arrays"


class _Settings(threading.local):
    """Whether a graph is made for its types alone, and thrown away."""

    types_alone = False


settings = _Settings()


class Lost:
    """The mark of numbers that depend on a draw in a way that is not kept."""

    __slots__ = ("origin", "why")

    def __init__(self, origin: Origin | None, why: str) -> None:
        self.origin = origin
        self.why = why


class Key:
    """The mark of a key that was taken from a generator.

    Args:
        array: the key.
        stream: the generator's state.
    """

    __slots__ = ("array", "nodes", "origin", "stream")

    steps = 0

    def __init__(self, array: np.ndarray, stream: Parameter) -> None:
        self.array = array
        self.stream = stream
        self.origin = caller()
        self.nodes: dict[Any, Any] = {}

    def value(self, known: dict[Any, Any]) -> np.ndarray:
        """The key, as it was."""
        return self.array

    def made(self) -> Any:
        """A key of the graph, other at each call."""
        return random.key_of(self.stream)


class Step:
    """The mark of numbers that were computed of drawn ones.

    Args:
        graph: makes nodes of the operands' nodes.
        now: makes arrays of their arrays.
        operands: marks; tensors, or weak references to them; numbers.
        place: which of several results it is; None for the only one.
        steps: how many there are up to here.
        origin: where numbers were drawn.
    """

    __slots__ = ("graph", "nodes", "now", "operands", "origin", "place", "steps")

    def __init__(
        self, graph: Callable[..., Any], now: Callable[..., Any], operands: Sequence[Any],
        place: int | None, steps: int, origin: Origin | None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.now = now
        self.operands = operands
        self.place = place
        self.steps = steps
        self.origin = origin
        self.nodes: dict[Any, Any] | None = None

    def value(self, known: dict[Any, Any]) -> Any:
        """The numbers, computed once more; None where an operand is gone."""
        if self not in known:
            given = [_value(operand, known) for operand in self.operands]
            found = None if any(v is None for v in given) else quiet.run(self.now, *given)
            known[self] = found if self.place is None or found is None else found[self.place]
        return known[self]

    def made(self) -> Any:
        """The nodes of such numbers, drawn anew."""
        found = self.graph(*[_node(operand) for operand in self.operands])
        return found if self.place is None else found[self.place]


Mark: TypeAlias = Key | Step | Lost


def _value(operand: object, known: dict[Any, Any]) -> Any:
    if operand.__class__ is Step or operand.__class__ is Key:
        return operand.value(known)
    if operand.__class__ is weakref.ref:
        operand = operand()
        return None if operand is None else operand._array
    return getattr(operand, "_array", operand)


def _node(operand: object) -> Any:
    if operand.__class__ is Step or operand.__class__ is Key:
        # One draw is one, in each loop that it is drawn in.
        place = random.counters()
        nodes = operand.nodes = {} if operand.nodes is None else operand.nodes
        if place not in nodes:
            nodes[place] = operand.made()
        return nodes[place]
    operand = operand() if operand.__class__ is weakref.ref else operand
    return operand._of_graph() if hasattr(operand, "_of_graph") else operand


def node_of(tensor: Tensor) -> Any:
    """What a tensor that has a mark is in a graph: a draw, and what was computed of it.

    Raises:
        GraphError: how it was computed is not kept, or has changed since.
    """
    mark = tensor._drawn
    if settings.types_alone:
        return FUNCTIONS["constant"](tensor._array)
    if mark.__class__ is Lost:
        raise _refused(tensor, mark.origin, mark.why)
    before, tracing.trace = tracing.trace, None
    try:
        again = mark.value({})
        if again is None:
            raise _refused(tensor, mark.origin, "a tensor that they were computed with is gone")
        if not _is_same(np.asarray(again), tensor._array):
            why = "they, or what they were computed with, were changed since"
            raise _refused(tensor, mark.origin, why)
        with promoting(promotion.promote):
            return _node(mark)
    finally:
        tracing.trace = before


def _is_same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _refused(tensor: Tensor, origin: Origin | None, why: str) -> GraphError:
    return GraphError(
        f"eager numbers ({tensor.type}) that depend on a draw would be drawn once for all calls of "
        "the graph",
        [f"drawn at {origin}" if origin is not None else "drawn before", why],
        where=caller(),
        hint="gc.constant(t) keeps these very numbers; to draw anew at each call, draw and compute "
        "in the graph: gc.randn_like(x), F.dropout(x), of a symbolic x",
    )


def follow(
    result: Tensor,
    graph: Callable[..., Any],
    now: Callable[..., Any],
    operands: Sequence[Any],
    place: int | None = None,
) -> None:
    """Mark a result that was computed of operands among which marked ones may be.

    Args:
        result: the tensor.
        graph: makes it of nodes.
        now: makes its array of arrays, and numbers as they are among the operands.
        operands: tensors and numbers.
        place: which of several results it is.
    """
    steps, kept, origin, why = 1, [], None, ""
    for operand in operands:
        mark = getattr(operand, "_drawn", None)
        if mark is None:
            edge = getattr(operand, "_edge", None)
            if edge is not None and edge[0].__class__ is not AccumulateGrad:
                why = "they were computed with tensors that have a history"
            is_kept = not hasattr(operand, "_array") or (edge is None and _is_small(operand._array))
            kept.append(operand if is_kept else weakref.ref(operand))
        elif mark.__class__ is Lost:
            result._drawn = mark
            return
        else:
            steps += mark.steps
            origin = origin or mark.origin
            kept.append(mark)
    if result._edge is not None:
        why = "they have a history, for gradients"
    elif steps > MOST_STEPS:
        why = f"more than {MOST_STEPS} eager operations computed them"
    result._drawn = Lost(origin, why) if why else Step(graph, now, kept, place, steps, origin)


def _is_small(array: np.ndarray) -> bool:
    owner = array.base if isinstance(array.base, np.ndarray) else array
    return owner.nbytes <= KEPT_BYTES


def lost_of(operands: Iterable[Any], why: str) -> Lost | None:
    """The mark of what depends on operands in a way that is not kept; None where none is drawn.

    Args:
        operands: tensors, and anything else.
        why: what stands in the error: a sentence about the numbers.
    """
    for operand in operands:
        mark = getattr(operand, "_drawn", None)
        if mark is not None:
            return Lost(mark.origin, why)
    return None


def lose(results: Any, operands: Iterable[Any], why: str) -> Any:
    """Give a tensor, or a list or tuple of them, the mark `lost_of`; returns them."""
    lost = lost_of(operands, why)
    if lost is not None:
        for result in results if isinstance(results, list | tuple) else [results]:
            result._drawn = lost
    return results


def written(target: Tensor, mark: Mark | None) -> None:
    """Note that a tensor's memory was written: by numbers with a mark, or without one (None).

    What else shares the memory is lost where either is drawn.
    """
    whole = target
    while whole._view is not None:
        whole = whole._view.parent
    if is_state(whole) or (mark is None and whole._drawn is None and target._drawn is None):
        return
    some = mark or whole._drawn or target._drawn
    if mark is None and target is not whole:
        mark = Lost(some.origin, "a part of them was written in place")
    lost = None if mark is None else Lost(some.origin, "a part of them was written in place")
    whole._drawn = lost
    _spread(whole, lost)
    target._drawn = mark


def _spread(whole: Tensor, mark: Lost | None) -> None:
    for ref in whole._views or ():
        part = ref()
        if part is not None and part._view is not None and part._view.parent is whole:
            part._drawn = mark
            _spread(part, mark)


def share_mark(alias: Tensor, tensor: Tensor) -> None:
    """Let another tensor over the same memory be what the tensor is: drawn, or a module's state."""
    alias._drawn = tensor._drawn
    if tensor._edge is not None or tensor._is_state:
        alias._is_state = is_state(tensor)


def is_state(tensor: Tensor) -> bool:
    """Whether a tensor is a parameter or belongs to a module's state, whose numbers are values
    wherever they came from."""
    edge = tensor._edge
    return tensor._is_state or (edge is not None and edge[0].__class__ is AccumulateGrad)


__all__ = ["Key", "follow", "is_state", "lose", "node_of", "written"]
