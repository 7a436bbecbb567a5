"""What stands for the values of an ONNX graph while it is read.

A value is known (an array: of numbers, or of sizes, some of them symbolic), or it is a tensor of
graphc's: a node of a graph, or an eager tensor. Shape arithmetic stays known, so that a `Reshape`
to `Concat(Shape(x)[0], -1)` has a dimension where ONNX has four nodes.

    Shape(x)             known: array([n, 3, 224, 224], dtype=object)
    Conv(x, w)           tensor: <conv: f32[n, 64, 112, 112]>
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node, toposort
from graphc.errors import FormatError, ShapeError
from graphc.ops.source import INPUT_OP, Bound, Parameter

# Arrays of more elements are not computed while a graph is read.
MOST_FOLDED = 4096
# No axis that is symbolic is longer.
MOST_SIZE = 10**9


# What a file says is to be listed one by one while it is read is no longer than this.
MOST_LISTED = 4096
# Nor has an array that is made then more elements.
MOST_MADE = 2**22


def bounded(count: Any, most: int, what: str) -> int:
    """A number that a file gives, for which work is done while it is read.

    Raises:
        FormatError: it is too large.
    """
    if count > most:
        raise FormatError(f"{what}: {count}, over {most}")
    return int(count)


class NeedsValue(Exception):
    """What stands in a graph depends on the value of a tensor."""

    def __init__(self, value: Value) -> None:
        self.value = value
        super().__init__(value.name)


@dataclass(eq=False)
class Value:
    """One value of an ONNX graph.

    Attributes:
        name: in the file.
        known: its array: of numbers, of strings, or of ints and `Dim`s (dtype object).
        tensor: a node or an eager tensor; made of what is known when it is first needed.
        elem: ONNX's element type where graphc has none and stores it in another: the codes of
            float8 in uint8, the numbers of int4 in int8; 0 otherwise.
        made: makes the tensor of an initialiser.
    """

    name: str
    known: np.ndarray | None = None
    tensor: Any = None
    elem: int = 0
    made: Callable[[], Any] | None = None

    @property
    def x(self) -> Any:
        """The tensor."""
        if self.tensor is None:
            self.tensor = self.made() if self.made is not None else as_tensor(self.known)
        return self.tensor

    @property
    def shape(self) -> tuple[Any, ...]:
        """Ints and symbolic sizes."""
        if self.known is not None:
            return self.known.shape
        return tuple(self.tensor.type.shape)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> DType:
        """Of the tensor; of sizes, int64."""
        if self.known is None:
            return self.tensor.type.dtype
        return dtypes.int64 if self.known.dtype == object else dtypes.as_dtype(self.known.dtype)

    @property
    def is_fixed(self) -> bool:
        """Whether it is known and may be computed with now: no weight that may be trained."""
        return self.known is not None and self.made is None

    @property
    def is_text(self) -> bool:
        """Whether it is an array of strings."""
        known = self.known
        if known is None or known.dtype != object:
            return False
        return all(isinstance(s, str) for s in known.flat)

    def array(self) -> np.ndarray:
        """What is known of it.

        Raises:
            NeedsValue: it is a tensor whose value only a call brings.
        """
        if self.known is None:
            self.known = evaluated(self.tensor)
        if self.known is None:
            raise NeedsValue(self)
        if self.known.dtype == object and any(isinstance(s, Dim) for s in self.known.flat):
            raise ShapeError(f"{self.name!r} depends on a size that is symbolic: {self.known}")
        return self.known

    def sizes(self) -> list[Any]:
        """The elements of a vector, for a shape: ints, symbolic sizes, or 0-d tensors."""
        if self.known is None:
            self.known = evaluated(self.tensor)
        if self.known is not None:
            return [s if isinstance(s, Dim) else int(s) for s in self.known.reshape(-1).tolist()]
        if not isinstance(self.tensor, Node) or not all(isinstance(s, int) for s in self.shape):
            raise NeedsValue(self)
        flat = gc.cast(gc.reshape(self.tensor, (-1,)), dtypes.int64)
        return [flat[k] for k in range(int(np.prod(self.shape)))]


@dataclass(eq=False)
class SequenceValue:
    """An ONNX sequence: a list of values."""

    items: list[Any] = field(default_factory=list)
    name: str = ""


class Absent:
    """An ONNX optional that holds nothing."""


def as_tensor(known: np.ndarray | None) -> Any:
    """A node that is constant, or holds sizes."""
    if known is None:
        raise FormatError("a value is used that has none")
    if known.dtype != object:
        return gc.constant(known)
    if known.size and isinstance(known.flat[0], str):
        raise FormatError("strings cannot be computed with")
    items = [gc.size(s) if isinstance(s, Dim) else gc.constant(np.int64(s)) for s in known.flat]
    return gc.reshape(gc.stack(items), known.shape) if known.ndim else items[0]


def evaluated(tensor: Any) -> np.ndarray | None:
    """The value of a tensor that depends on no input and no parameter; None of others."""
    if not isinstance(tensor, Node):
        return tensor.detach().numpy()
    return constants_of([tensor])[0] if is_constant(tensor) else None


def is_constant(node: Node) -> bool:
    """Whether a node depends on no input, no parameter, no symbolic size."""
    order = toposort([node])
    loose = (
        n.op is INPUT_OP or isinstance(n, Parameter) or not n.op.pure
        for n in order
        if not isinstance(n, Bound) or isinstance(n, Parameter)
    )
    if any(loose):
        return False
    return all(_is_static(n) for n in order)


def _is_static(node: Node) -> bool:
    items: Any = getattr(node.type, "items", (node.type,))
    return node.op.name != "size" and all(t.is_static for t in items)


def constants_of(nodes: Sequence[Node]) -> list[np.ndarray]:
    """The values of constant nodes."""
    bound = [n for n in toposort(list(nodes)) if isinstance(n, Bound)]
    return list(run(Graph.of("folded", bound, list(nodes)), [n.value for n in bound]))


def plain(known: np.ndarray) -> np.ndarray:
    """An array of sizes as one of integers, where all are."""
    if known.dtype != object or any(isinstance(s, Dim | str) for s in known.flat):
        return known
    return known.astype(np.int64)
