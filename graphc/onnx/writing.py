"""Writing ONNX graphs: nodes, constants and sizes, by name.

w = Writer(graph, 18)
w.op("Add", w.name(x), w.number(1.0, x.dtype))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from graphc.core import dims, dtypes
from graphc.core.atoms import Call, Symbol
from graphc.core.dims import Dim, Size
from graphc.core.dtypes import DType
from graphc.core.ir import Graph, Node, tensor_type
from graphc.core.types import TensorType
from graphc.errors import UnsupportedError
from graphc.onnx.files import DTYPES
from graphc.onnx.names import Names
from graphc.ops.source import Bound

ELEMS = {dtypes.as_dtype(dtype): elem for elem, dtype in DTYPES.items()}
# How an operator is written: of the writer, the node, its operands' names.
Form = Callable[..., str | list[str]]
FORMS: dict[str, Form] = {}


def form(*names: str) -> Callable[[Form], Form]:
    """Enter a function as the form of ops."""

    def enter(function: Form) -> Form:
        for name in names:
            FORMS[name] = function
        return function

    return enter


class Writer:
    """One ONNX graph that is written, or a body inside of it.

    Args:
        graph: graphc's.
        opset: of ONNX's operators.
        outer: the writer of the graph around it.
    """

    def __init__(self, graph: Graph, opset: int, outer: Writer | None = None) -> None:
        self.graph, self.opset, self.outer = graph, opset, outer
        self.root: Writer = self if outer is None else outer.root
        self.names: Names = Names() if outer is None else outer.names
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}
        self.values: dict[Node, str | list[str]] = {}
        self._sizes: dict[Any, str] = {}
        self._constants: dict[Any, str] = {}
        self._count = 0
        self._origin = ""

    def fresh(self, name: str) -> str:
        """A name that no other value has."""
        self.root._count += 1
        return f"{name}_{self.root._count}"

    def op(self, kind: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        """Write a node; the name of its output, or of each.

        Args:
            kind: ONNX's operator.
            inputs: names, "" for one that is left out.
            count: how many outputs there are.
            attributes: None for one that is left out.
        """
        outputs = [self.fresh(kind.lower()) for _ in range(count)]
        given = {k: v for k, v in attributes.items() if v is not None}
        made = helper.make_node(kind, list(inputs), outputs, name=outputs[0], **given)
        made.doc_string = self.root._origin
        self.nodes.append(made)
        return outputs[0] if count == 1 else outputs

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A constant's name."""
        array = np.asarray(value, dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        root = self.root
        if key not in root._constants:
            name = self.fresh("constant")
            root.weights[name] = numpy_helper.from_array(array, name)
            root._constants[key] = name
        return root._constants[key]

    def number(self, value: Any, dtype: DType) -> str:
        """A 0-d constant of a dtype."""
        return self.constant(np.asarray(value).astype(dtype.numpy))

    def cast(self, name: str, dtype: DType) -> str:
        """A value in another dtype."""
        return self.op("Cast", name, to=ELEMS[dtype])

    def vector(self, sizes: Sequence[Size]) -> str:
        """Sizes as a vector of int64."""
        if all(isinstance(s, int) for s in sizes):
            return self.constant(np.array(sizes, np.int64).reshape(len(sizes)))
        return self.op("Concat", *[self.size(s) for s in sizes], axis=0)

    def size(self, size: Size) -> str:
        """A size as a vector of one number."""
        if isinstance(size, int):
            return self.constant(np.array([size], np.int64))
        root = self.root
        if size not in root._sizes:
            root._sizes[size] = root._sum(size)
        return root._sizes[size]

    def _sum(self, size: Dim) -> str:
        found = ""
        for monomial, factor in size.terms.items():
            term = self._product(monomial, factor)
            found = self.op("Add", found, term) if found else term
        return found

    def _product(self, monomial: Any, factor: int) -> str:
        found = ""
        for atom in monomial:
            part = self._atom(atom)
            found = self.op("Mul", found, part) if found else part
        if not found:
            return self.size(factor)
        return found if factor == 1 else self.op("Mul", found, self.size(factor))

    def _atom(self, atom: Any) -> str:
        if isinstance(atom, Symbol):
            return self._symbol(atom)
        assert isinstance(atom, Call)
        kind = {"//": "Div", "%": "Mod", "min": "Min", "max": "Max"}[atom.function]
        left, right = self.size(atom.x), self.size(atom.y)
        if kind == "Div":
            # `//` rounds down, and Div towards 0: what is left of the whole is taken off first.
            left = self.op("Sub", left, self.op("Mod", left, right))
        return self.op(kind, left, right)

    def _symbol(self, symbol: Symbol) -> str:
        """A symbol's size, from the shape of an input or the value of a node."""
        if symbol.source is not None:
            value = self.cast(self.value(symbol.source), dtypes.int64)
            return self.op("Reshape", value, self.constant(np.array([1], np.int64)))
        wanted = dims.symbol(symbol)
        for node in self.root.graph.inputs:
            for axis, size in enumerate(tensor_type(node).shape):
                if isinstance(size, Dim) and dims.symbols(size) == {symbol}:
                    offset = dims.substitute(size, {symbol: 0})
                    slope = dims.substitute(size, {symbol: 1}) - offset
                    is_line = isinstance(slope, int) and isinstance(offset, int) and slope
                    if is_line and dims.is_same(size, wanted * slope + offset):
                        return self._solved(node, axis, slope, offset)
        raise UnsupportedError(f"onnx.export: the size {symbol.name} is of no input's axis")

    def _solved(self, node: Node, axis: int, slope: Size, offset: Size) -> str:
        name = self.value(node)
        found = self.op("Shape", name)
        found = self.op("Slice", found, self.size(axis), self.size(axis + 1))
        if offset:
            found = self.op("Sub", found, self.size(offset))
        return found if slope == 1 else self.op("Div", found, self.size(slope))

    def value(self, node: Node) -> str:
        """The name of a node's value."""
        found = self.find(node)
        if found is None:
            self.write(node)
            found = self.find(node)
        assert isinstance(found, str)
        return found

    def find(self, node: Node) -> Any:
        """The names of a node's results, here or around; None where it is not written yet."""
        if node in self.values:
            return self.values[node]
        return None if self.outer is None else self.outer.find(node)

    def write(self, node: Node) -> None:
        """Write a node, after its operands.

        Raises:
            UnsupportedError: ONNX has no form for it.
        """
        if isinstance(node, Bound) and node not in self.root.values:
            self.root.bind(node)
            return
        operands = []
        for operand in node.inputs:
            if self.find(operand) is None:
                self.write(operand)
            operands.append(self.find(operand))
        self.root._origin = "" if node.origin is None else str(node.origin)
        self.values[node] = FORMS[node.op.name](self, node, *operands)

    def bind(self, node: Bound) -> None:
        """A parameter or a constant as an initialiser."""
        name = self.names.of(node.name) if node.op.name == "parameter" else self.fresh("constant")
        self.weights[name] = numpy_helper.from_array(node.value, name)
        self.values[node] = name

    def info(self, name: str, type_: TensorType) -> onnx.ValueInfoProto:
        """The declaration of a value."""
        shape = [s if isinstance(s, int) else str(s) for s in type_.shape]
        return helper.make_tensor_value_info(name, ELEMS[type_.dtype], shape)

    def body(self, graph: Graph, taken: Sequence[Node], name: str) -> onnx.GraphProto:
        """A nested graph as one of ONNX's.

        Args:
            graph: graphc's.
            taken: of its inputs, those that ONNX's has as inputs; others are bound already.
            name: of it.
        """
        inside = Writer(graph, self.opset, self)
        return inside.finished(graph, taken, name)

    def finished(
        self, graph: Graph, taken: Sequence[Node], name: str, bound: Any = ()
    ) -> onnx.GraphProto:
        """The graph of all nodes written for some outputs."""
        infos = []
        for node in taken:
            made = self.fresh("x")
            self.values[node] = made
            infos.append(self.info(made, tensor_type(node)))
        self.values.update(bound)
        for node in graph.nodes:
            if self.find(node) is None:
                self.write(node)
        outputs = []
        for node in graph.outputs:
            made = self.op("Identity", self.value(node))
            outputs.append(self.info(made, tensor_type(node)))
        return helper.make_graph(self.nodes, name, infos, outputs)
