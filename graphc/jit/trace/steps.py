"""What traced code asked for, step by step, as a tree over all runs of one function.

Each request of a run (an operation, a captured tensor, a random draw, a number read at each call)
is a step; its answer are nodes of the graph. A later run that asks for the same is given the same
nodes: nothing is inferred or made again. Where it asks for something else the tree branches. So a
path from the root is a graph, and two runs compute the same exactly if they end at the same step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from graphc.core.ir import Node, tensor_type
from graphc.eager.engine.signature import Call
from graphc.jit.trace.extents import Lasting


class Step:
    """A request, its answer, and the requests that followed it.

    Attributes:
        after: the steps that came next, in the runs so far.
        leaves: the programs of runs that ended here.
        values: programs of values that Python asked for here, by node.
        nodes: the answer.
    """

    __slots__ = ("after", "leaves", "nodes", "values")

    def __init__(self, nodes: tuple[Node, ...] = ()) -> None:
        self.after: list[Any] = []
        self.leaves: list[Any] = []
        self.values: dict[Node, Any] = {}
        self.nodes = nodes

    def copy(self) -> Any:
        """The same request in another place of the tree."""
        new = object.__new__(type(self))
        for name in self.__slots__:
            setattr(new, name, getattr(self, name))
        new.after, new.leaves, new.values, new.nodes = [], [], {}, self.nodes
        return new

    def describe(self) -> str:
        """What was asked for, for messages."""
        return "the start"


# Of the runs from one beginning: being watched takes long.
_MOST_WATCHED = 8


class Root(Step):
    """Where runs with arguments of certain types begin.

    Attributes:
        inputs: the placeholders of the arguments' tensors.
        calls: derivatives of operations, shared by those that are alike.
        is_fixed: whether no size is symbolic.
        fixed_because: why sizes are fixed, or "".
        parameters: (array, node) of memory that is a parameter on some path, by identity.
        needs_numbers: whether a run had to have the numbers of symbolic sizes.
        sizes: what the symbols are in calls of certain shapes.
        memory: the arrays that all runs use.
        watches: how many more runs may be watched once what one assumed has changed.
    """

    __slots__ = (
        "calls", "fixed_because", "inputs", "is_fixed", "is_unwatched", "memory", "names",
        "needs_numbers", "parameters", "sizes", "types", "watches",
    )  # fmt: skip

    def __init__(self, types: Sequence[Any], inputs: Sequence[Node], is_fixed: bool) -> None:
        super().__init__(tuple(inputs))
        self.types = tuple(types)
        self.inputs = list(inputs)
        self.is_fixed = is_fixed
        self.fixed_because = ""
        self.needs_numbers = ""
        self.is_unwatched = True
        self.watches = _MOST_WATCHED
        self.calls: dict[Any, Call] = {}
        self.names: set[str] = set()
        self.parameters: dict[int, Any] = {}
        self.sizes: dict[Any, dict[Any, int]] = {}
        self.memory = Lasting()


class Operation(Step):
    """An operation on nodes.

    Attributes:
        function, template, static: what `invoke` was asked for.
        operands: nodes.
        recorded: for which operands a cotangent is recorded; () where nothing is.
        single: whether the function gives one result, not a tuple.
        floats: for each result whether it has a float dtype.
    """

    __slots__ = (
        "_call",
        "floats",
        "function",
        "operands",
        "recorded",
        "single",
        "static",
        "template",
    )

    def __init__(
        self, function: Callable[..., Any], template: Any, static: object, operands: Sequence[Node],
        recorded: tuple[bool, ...], results: tuple[Node, ...], single: bool,
    ) -> None:  # fmt: skip
        super().__init__(results)
        self.function = function
        self.template = template
        self.static = static
        self.operands = operands
        self.recorded = recorded
        self.single = single
        self.floats = [tensor_type(r).dtype.is_float for r in results]
        self._call: Call | None = None

    def fits(
        self, function: Callable[..., Any], template: Any, static: Any, operands: Sequence[Node],
        recorded: tuple[bool, ...],
    ) -> bool:  # fmt: skip
        """Whether this is the request."""
        if self.function is not function and self.function != function:
            return False
        if len(operands) != len(self.operands) or recorded != self.recorded:
            return False
        if not all(map(is_, self.operands, operands)):
            return False
        if not all(map(is_, self.template, template)) and not same(self.template, template):
            return False
        return len(self.template) == len(template) and (
            self.static is static or same(self.static, static)
        )

    def call(self, find: Callable[..., Call], calls: dict[Any, Call]) -> Call:
        """The operation as a call, which has derivatives."""
        if self._call is None:
            types = tuple(n.type for n in self.operands)
            self._call = find(calls, self.function, self.template, self.static, types)
        return self._call

    def describe(self) -> str:
        return f"the operation {getattr(self.function, '__name__', 'op').strip('_')}"


class Captured(Step):
    """A concrete tensor: memory older than the call, or values that every call makes alike.

    Attributes:
        array: the memory, which is a parameter of the program.
        value: a copy of what the traced code made from nothing; None for older memory.
        is_constant: whether the program has the value, and not the memory.
        is_kept: whether a module or an optimizer keeps what the traced code made.
    """

    __slots__ = ("array", "is_constant", "is_kept", "value")

    def __init__(self, array: np.ndarray, node: Node, is_born: bool = False) -> None:
        super().__init__((node,))
        self.array = array
        self.value = array.copy() if is_born else None
        self.is_constant = False
        self.is_kept = False

    def fits(self, array: np.ndarray, is_born: bool) -> bool:
        """Whether an array is this memory, or has the same dtype, shape and values, to the bit."""
        if not self.is_constant:
            return self.array is array
        return is_born and equal_bits(self.value, array)

    def describe(self) -> str:
        if self.value is not None and self.value.ndim == 0:
            return f"the value {self.value.item()}"
        return f"a captured tensor {self.nodes[0].type}"


def equal_bits(mine: Any, array: np.ndarray) -> bool:
    """Whether two arrays have the same dtype, shape and bits."""
    if mine.dtype is not array.dtype or mine.shape != array.shape:
        return False
    return mine.tobytes() == array.tobytes()


class Given(Step):
    """A tensor whose memory is another at every call: it is an input of the program."""

    __slots__ = ()

    def fits(self, array: np.ndarray) -> bool:
        """Whether an array has the dtype and shape."""
        type_ = tensor_type(self.nodes[0])
        return type_.dtype.numpy == array.dtype and type_.shape == array.shape


class Asked(Step):
    """Any other request, told apart by a key: a draw, a live number, a node of a size.

    Attributes:
        key: what was asked for.
    """

    __slots__ = ("key",)

    def __init__(self, key: tuple[Any, ...], nodes: tuple[Node, ...]) -> None:
        super().__init__(nodes)
        self.key = key

    def describe(self) -> str:
        return str(self.key[0])


def same(a: Any, b: Any) -> bool:
    """Whether two settings are the same value of the same type: 1, 1.0 and True are three."""
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is str or kind is int or kind is bool:
        return bool(a == b)
    if kind is tuple or kind is list:
        return len(a) == len(b) and all(map(same, a, b))
    if kind is float:
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if kind is dict:
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    try:
        return bool(a == b)
    except Exception:
        return False


__all__ = ["Asked", "Captured", "Given", "Operation", "Root", "Step", "equal_bits", "same"]
