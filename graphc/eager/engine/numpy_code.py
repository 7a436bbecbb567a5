"""Graphs as straight Python over NumPy: what runs where a compiled kernel does not pay.

For a graph of known shapes `numpy_function` writes one Python function, a line for a node, and
returns it. Broadcasts are left to NumPy wherever the op that follows does them by itself:

    def softmax(x0):
        v0 = c0(x0, axes=(1,))
        v1 = subtract(x0, v0.reshape((4, 1)))
        ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.interpret import AT_RUN_TIME, located
from graphc.core.ir import Kind, Node, tensor_type, toposort
from graphc.core.types import TupleType
from graphc.core.typing import Number
from graphc.ops.source import Bound

Shape = tuple[int, ...]
# Elements that NumPy may add up in any order.
FEW = 128


def filled(value: np.ndarray | Number, shape: Shape) -> np.ndarray:
    """A fresh array of `shape` with the elements of `value`, which broadcasts to it."""
    value = np.asarray(value)
    result = np.empty(shape, value.dtype)
    result[...] = value
    return result


def _add_reduce(x: Any, axes: tuple[int, ...]) -> Any:
    """A sum of few elements, for which any order will do."""
    return np.add.reduce(x, axes, x.dtype)


def _add_all(x: Any) -> Any:
    """A sum of all elements, which NumPy adds in pairs where they lie in one piece."""
    return np.add.reduce(x.reshape(-1), None, x.dtype)


class _Writer:
    """The lines of the function, the names in them, and the form that each value has."""

    def __init__(self, inputs: Sequence[Node]) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {"filled": filled, "asarray": np.asarray}
        self.names: dict[Node, str] = {}
        # The shape that the array has in fact: it broadcasts to the node's.
        self.shapes: dict[Node, Shape] = {}
        self._known: dict[int, str] = {}
        for k, node in enumerate(inputs):
            self.names[node] = f"x{k}"
            self.shapes[node] = tensor_type(node).shape  # type: ignore[assignment]

    def constant(self, value: object) -> str:
        """The name under which the function finds a Python object."""
        name = self._known.get(id(value))
        if name is None:
            name = self._known[id(value)] = f"c{len(self._known)}"
            self.scope[name] = value
        return name

    def put(self, node: Node, text: str, shape: Shape) -> None:
        """A line that computes a node."""
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.names[node] = name
        self.shapes[node] = shape

    def whole(self, node: Node) -> str:
        """The name of a node's value in its full shape."""
        shape = node.type.shape if not isinstance(node.type, TupleType) else None
        if shape is None or self.shapes[node] == shape:
            return self.names[node]
        self.put(node, f"filled({self.names[node]}, {shape})", shape)  # type: ignore[arg-type]
        return self.names[node]

    def write(self, node: Node) -> None:
        """The line of one node."""
        op = node.op
        if isinstance(node, Bound):
            self.names[node] = self.constant(node.state.array)
            self.shapes[node] = node.state.array.shape
        elif op.name == "full":
            dtype = tensor_type(node).dtype.numpy
            value = np.asarray(node.attr("value")).astype(dtype)
            self.names[node], self.shapes[node] = self.constant(value), ()
        elif op.name == "broadcast":
            self._broadcast(node)
        elif op.kind is Kind.ELEMENTWISE and _broadcasts(op.numpy, len(node.inputs)):
            self._elementwise(node)
        elif op.name == "reshape":
            self._reshape(node)
        else:
            self._plain(node)

    def _broadcast(self, node: Node) -> None:
        """Ones where the new axes are; NumPy does the rest."""
        (x,) = node.inputs
        rank = len(x.type.shape)  # type: ignore[union-attr]
        have = self.shapes[x]
        padded = (1,) * (rank - len(have)) + have
        axes, sizes = node.attr("axes"), iter(padded)
        wanted = tuple(1 if a in axes else next(sizes) for a in range(len(node.attr("shape"))))
        if wanted[len(wanted) - len(have) :] == have and set(wanted[: len(wanted) - len(have)]) <= {
            1
        }:
            self.names[node], self.shapes[node] = self.names[x], have
            return
        self.put(node, f"{self.names[x]}.reshape({wanted})", wanted)

    def _reshape(self, node: Node) -> None:
        (x,) = node.inputs
        shape: Shape = node.type.shape  # type: ignore[union-attr, assignment]
        if self.shapes[x] == ():
            self.names[node], self.shapes[node] = self.names[x], ()
            return
        self.put(node, f"{self.whole(x)}.reshape({shape})", shape)

    def _elementwise(self, node: Node) -> None:
        shape = np.broadcast_shapes(*(self.shapes[i] for i in node.inputs))
        operands = ", ".join(self.names[i] for i in node.inputs)
        plain = _plain_function(node.op.numpy, tensor_type(node.inputs[0]).dtype)
        self.put(node, f"{self.constant(plain)}({operands}{self._attributes(node)})", shape)

    def _plain(self, node: Node) -> None:
        operands = ", ".join(self.whole(i) for i in node.inputs)
        shape = () if isinstance(node.type, TupleType) else node.type.shape
        dtype = None if isinstance(node.type, TupleType) else node.type.dtype
        function = _located(node) if node.op.checked else node.op.numpy
        if node.op.name == "sum" and dtype is not None and dtype.wide is None:
            text = self._sum(node, operands)
        elif node.op.name == "transpose":
            text = f"{operands}.transpose({node.attr('axes')})"
        else:
            text = f"{self.constant(function)}({operands}{self._attributes(node, bool(operands))})"
        self.put(node, text, shape)  # type: ignore[arg-type]

    def _sum(self, node: Node, operand: str) -> str:
        """NumPy's own sum is short to call, but adds long axes but the last one by one."""
        shape: Shape = node.inputs[0].type.shape  # type: ignore[union-attr, assignment]
        axes = node.attr("axes")
        if math.prod(shape[a] for a in axes) <= FEW:
            return f"{self.constant(_add_reduce)}({operand}, {axes})"
        if len(axes) == len(shape):
            return f"{self.constant(_add_all)}({operand})"
        return f"{self.constant(node.op.numpy)}({operand}, axes={axes})"

    def _attributes(self, node: Node, comma: bool = True) -> str:
        if not node.attrs:
            return ""
        text = ", ".join(f"{key}={self.constant(value)}" for key, value in node.attrs)
        return f", {text}" if comma else text


def _broadcasts(function: Callable[..., Any], arity: int) -> bool:
    """Whether the definition of an elementwise op may get arrays of other shapes."""
    inner = getattr(function, "__wrapped__", function)
    return arity == 1 or isinstance(inner, np.ufunc) or inner is np.where


def _plain_function(function: Callable[..., Any], dtype: DType) -> Any:
    """The definition without its care for narrow floats, where there are none."""
    return getattr(function, "__wrapped__", function) if dtype.wide is None else function


def _located(node: Node) -> Callable[..., Any]:
    """The definition of a checked op; its errors carry the op's name and the user's line."""

    def run(*arrays: object, **attrs: Any) -> Any:
        try:
            return node.op.numpy(*arrays, **attrs)
        except AT_RUN_TIME as error:
            raise located(error, node) from None

    return run


def numpy_function(
    name: str, inputs: Sequence[Node], outputs: Sequence[Node]
) -> Callable[..., tuple[np.ndarray, ...]]:
    """A Python function that computes a graph of known shapes with NumPy.

    Args:
        name: for tracebacks.
        inputs: placeholders, in the order of the function's arguments.
        outputs: tensors that depend on them alone.

    Returns:
        The function: arrays of the declared types in, a tuple of arrays out. The arrays may share
        memory with those given.
    """
    writer = _Writer(inputs)
    for node in toposort(outputs):
        if node not in writer.names:
            writer.write(node)
    results = [f"asarray({writer.whole(o)})" for o in outputs]
    arguments = ", ".join(f"x{k}" for k in range(len(inputs)))
    body = "\n    ".join([*writer.lines, f"return ({', '.join(results)},)"])
    source = f"def run({arguments}):\n    {body}\n"
    exec(compile(source, f"<numpy code of {name}>", "exec"), writer.scope)
    return writer.scope["run"]
