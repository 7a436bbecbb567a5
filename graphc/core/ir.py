"""The graph: `Op` (what an operation is), `Node` (one use of it), `Graph` (nodes in order).

Nodes are immutable and compared by identity; nothing is interned, so that common-subexpression
and dead-code elimination are passes one can watch. A graph is an ordered list of nodes, not just
its outputs: dumps keep the program's order and dead code is visible. There is no implicit
broadcast or promotion here: the functions in `ops` insert `broadcast_to` and `cast` nodes.

    x: f32[n, 64]                        input
    v0: f32[n] = sum(x, axes=(1,))       node: op, inputs, attributes, type, origin
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, NoReturn

from graphc.core.at import At
from graphc.core.dims import Dim, Size
from graphc.core.facts import (
    Cost,
    IndexMap,
    Library,
    Lowering,
    NoGradient,
    Piece,
    Reduction,
    Sample,
    Scalar,
)
from graphc.core.methods import Methods
from graphc.core.operators import SymbolicTensorError
from graphc.core.origin import Origin, at_origin, builder, caller, record, recording
from graphc.core.types import TensorType, TupleType, Type, oversized
from graphc.core.walk import rebuild, toposort
from graphc.errors import InternalError, ShapeError


class Kind(StrEnum):
    """What passes and the lowering need to know of an op; they never ask for its name."""

    SOURCE = "source"  # no inputs: placeholders, constants, iota
    ELEMENTWISE = "elementwise"  # one scalar expression for each element
    REDUCE = "reduce"  # combines elements over axes
    MOVEMENT = "movement"  # every element comes from elsewhere: an index map
    CONTRACT = "contract"  # matmul, convolution
    LIBRARY = "library"  # a loop nest of its own: scatter, sort, cumulative
    FUSED = "fused"  # a nested graph compiled to one kernel
    CONTROL = "control"  # projections, branches, loops: nested graphs that run as programs


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """Everything that graphc knows of one operation; declared once, in `ops/`.

    `infer(*types, **attrs) -> Type`; `numpy(*arrays, **attrs) -> array` is the definition;
    `vjp(node, ct) -> tuple of cotangents (or None) for each input`, or `NoGradient(why)`.
    `checked` ops may fail at run time (index out of range); `domain` says what tests draw;
    `flops(node)` counts the additions and multiplications of a result, where these are not one
    for each element;
    `effect` of one that does something besides its result is its rank: effects are kept, and
    happen in the order of these;
    `example` of an elementwise op has operands and what they give: "[4.0, 9.0] -> [2., 3.]";
    `cost` says what NumPy takes for the definition, where that is not what its kind takes;
    `batch` is the rule for operands with one more axis in front, see `ops.batch`.
    """

    name: str
    kind: Kind
    infer: Callable[..., Type]
    numpy: Callable[..., Any]
    vjp: Callable[..., Sequence[Any]] | NoGradient
    lowering: Lowering = None
    pure: bool = True
    commutative: bool = False
    checked: bool | Callable[[Node], bool] = False
    domain: str = "real"
    samples: Callable[[], Sequence[Sample]] | None = None
    doc: str = ""
    example: str = ""
    cost: Cost | None = None
    effect: Callable[[Node], int] | None = None
    batch: Callable[..., Any] | None = None
    flops: Callable[[Node], Size] | None = None

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Build the result: the operands' class decides what that is (a `Node`, a pattern)."""
        builder = type(inputs[0]).build if inputs else Node.build
        return builder(self, inputs, attrs)


OPS: dict[str, Op] = {}
Attrs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Node(Methods):
    """One operation in a graph: immutable, equal only to itself.

    Users hold nodes as symbolic tensors: operators and methods build further nodes.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> y = gc.tanh(x)
        >>> y.op, y.type, y.inputs == (x,)
        (tanh, TensorType(dtype=graphc.float32, shape=(3,)), True)
    """

    op: Op
    inputs: tuple[Node, ...]
    attrs: Attrs
    type: Type
    origin: Origin | None = None

    def __post_init__(self) -> None:
        # However it is made: a node that a pass builds again inside of a loop's body is its own.
        record(self)

    @property
    def at(self) -> At:
        """Parts of the tensor to write: `x.at[index].set(values)` and `.add` give a new tensor.

        Example:
            >>> import graphc as gc
            >>> x, t = gc.input("x", (3, 4)), gc.input("t", (2,), gc.int64)
            >>> x.at[t].set(0.0)
            <index_update: f32[3, 4]>
        """
        return At(self)

    @staticmethod
    def build(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Node:
        """Infer the type and make the node; its origin is the user's line.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.Node.build(gc.tanh(x).op, (x,), {})
            <tanh: f32[3]>
        """
        inputs = tuple(inputs)
        type_ = op.infer(*(i.type for i in inputs), **attrs)
        if fault := oversized(type_):
            raise ShapeError(f"{op.name}: {fault}", where=caller())
        return Node(op, inputs, tuple(sorted(attrs.items())), type_, builder())

    def attr(self, name: str) -> Any:
        """The value of an attribute.

        Example:
            >>> import graphc as gc
            >>> gc.sum(gc.input("x", (2, 3)), axis=1).attr("axes")
            (1,)
        """
        for key, value in self.attrs:
            if key == name:
                return value
        raise InternalError(f"{self.op.name} has no attribute {name!r}")

    def with_inputs(self, inputs: Sequence[Node]) -> Node:
        """The same operation on other operands, its type inferred again; self if none differs.

        Example:
            >>> import graphc as gc
            >>> x, y = gc.input("x", (3,)), gc.input("y", (5,))
            >>> gc.tanh(x).with_inputs([y])
            <tanh: f32[5]>
        """
        if [*map(id, inputs)] == [*map(id, self.inputs)]:
            return self
        inputs = tuple(inputs)
        same = all(a.type == b.type for a, b in zip(inputs, self.inputs))
        type_ = self.type if same else self.op.infer(*(i.type for i in inputs), **dict(self.attrs))
        return Node(self.op, inputs, self.attrs, type_, self.origin)

    # By identity, since `==` makes a tensor.
    __hash__ = object.__hash__

    @property
    def name(self) -> str:
        """What `gc.named` called it; the name of a placeholder (an input); else the op's name.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (3,)).name, gc.tanh(gc.input("x", (3,))).name
            ('x', 'tanh')
        """
        if self.label:
            return self.label
        for key, value in self.attrs:
            if key == "name":
                return value
        return self.op.name

    @property
    def label(self) -> str:
        """What `gc.named` called it, or "".

        Example:
            >>> import graphc as gc
            >>> gc.named("h", gc.exp(gc.input("x", (3,)))).label
            'h'
        """
        return self.origin.label if self.origin is not None else ""

    def __repr__(self) -> str:
        return f"<{self.name}: {self.type}>"

    def describe(self) -> str:
        """One line for messages: name, type and the line that made it.

        Example:
            >>> import graphc as gc
            >>> gc.tanh(gc.input("x", (3,))).describe()
            'tanh: f32[3], made at ...'
        """
        made = f", made at {self.origin}" if self.origin else ""
        return f"{self.name}: {self.type}{made}"


def immutable(node: Node, name: str, value: object) -> NoReturn:
    """Refuse `node.name = value`: what a frozen dataclass with slots says of it is unclear.

    Raises:
        SymbolicTensorError: always; an AttributeError too.
    """
    raise SymbolicTensorError(
        f"{node!r:.80} is a node of a graph, and nodes are immutable: {name!r} cannot be set",
        where=caller(),
        hint="a function makes a new node; what changes between calls is a gc.parameter",
    )


Node.__setattr__ = immutable  # type: ignore[method-assign, assignment]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A name, inputs, nodes in order (inputs included, operands before users), outputs.

    `aliases` are pairs (output, input), by position: the output becomes the new value of that
    input's memory when the program ends. So a program updates its parameters.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> graph = gc.Graph.of("double", [x], [x * 2.0])
        >>> print(gc.text.show(graph))
        def double(x: f32[3]):
            v0: f32[3] = full(dtype=f32, shape=(3,), value=2.0)
            v1: f32[3] = multiply(x, v0)
            return v1
    """

    name: str
    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Node, ...]
    aliases: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(
        name: str,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
        aliases: Sequence[tuple[int, int]] = (),
        kept: Sequence[Node] = (),
    ) -> Graph:
        """The graph of everything that outputs need, in an order that defines before use.

        Effects stand in the order of their ranks, as far as what they need allows; those in
        `kept` are there whether an output needs them or not.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> [node.op.name for node in gc.Graph.of("g", [x], [gc.exp(-x)]).nodes]
            ['input', 'negative', 'exp']
        """
        order = toposort((*inputs, *outputs, *kept))
        if found := effects(order):
            found.sort(key=lambda node: rank(node) or 0)
            order = toposort((*inputs, *found, *outputs))
        return Graph(name, tuple(inputs), tuple(order), tuple(outputs), tuple(aliases))

    def users(self) -> dict[Node, list[Node]]:
        """For each node, the nodes that use it, in order (a node once for each use).

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> graph = gc.Graph.of("g", [x], [x * x])
            >>> graph.users()[x]
            [<multiply: f32[3]>, <multiply: f32[3]>]
        """
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for operand in node.inputs:
                found[operand].append(node)
        return found

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiDiGraph`; nodes carry `op`, `type` and `origin`.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.Graph.of("g", [x], [x * x]).to_networkx().number_of_edges()
            2
        """
        import networkx

        result = networkx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            result.add_node(node, op=node.op.name, type=str(node.type), origin=str(node.origin))
        for node in self.nodes:
            for position, operand in enumerate(node.inputs):
                result.add_edge(operand, node, operand=position)
        return result

    def _repr_svg_(self) -> str:
        """What a notebook shows of a graph."""
        return import_module("graphc.viz").svg(self)


def bodies(node: Node) -> dict[str, Graph]:
    """The nested graphs of a node (fused or control) by the names of its attributes."""
    if node.op.kind is not Kind.FUSED and node.op.kind is not Kind.CONTROL:
        return {}
    return {name: value for name, value in node.attrs if isinstance(value, Graph)}


def all_nodes(graph: Graph) -> Iterator[Node]:
    """The nodes of a graph and of all graphs nested in it."""
    for node in graph.nodes:
        yield node
        for body in bodies(node).values():
            yield from all_nodes(body)


def rank(node: Node) -> int | None:
    """The place of a node's first effect among effects; None where it has none."""
    if node.op.effect is not None:
        return node.op.effect(node)
    if node.op.kind is not Kind.CONTROL:
        return None
    inside = (rank(inner) for body in bodies(node).values() for inner in body.nodes)
    return min((r for r in inside if r is not None), default=None)


def effects(nodes: Iterable[Node]) -> list[Node]:
    """The nodes that do something besides their results, bodies that do included, in order."""
    return [n for n in nodes if n.op.effect is not None or rank(n) is not None]


def is_item(node: Node) -> bool:
    """Whether a node only names a result of another."""
    return bool(node.inputs) and isinstance(node.inputs[0].type, TupleType)


def is_literal(node: Node) -> bool:
    """Whether a node needs nothing: a number, a count, a size. Kernels make it for themselves."""
    return node.op.kind is Kind.SOURCE and node.op.pure


def is_checked(node: Node) -> bool:
    """Whether the node may record an error when it runs (an index out of range)."""
    if nested := bodies(node):
        return any(is_checked(inner) for body in nested.values() for inner in body.nodes)
    checked = node.op.checked
    return checked(node) if callable(checked) else checked


def tensor_type(node: Any) -> TensorType:
    """The type of a node with one result.

    Raises:
        InternalError: the node has several results.
    """
    if isinstance(node.type, TupleType):
        raise InternalError(f"{node.op.name} has several results; take one with item()")
    return node.type


def map_sizes(value: object, change: Callable[[Size], Any]) -> Any:
    """An attribute with `change` applied to every size and type inside it."""
    if isinstance(value, Dim):
        return change(value)
    if isinstance(value, tuple):
        return tuple(map_sizes(v, change) for v in value)
    if isinstance(value, TensorType):
        return TensorType(value.dtype, tuple(map_sizes(d, change) for d in value.shape))
    return value


__all__ = [
    "OPS", "Attrs", "Cost", "Graph", "IndexMap", "Kind", "Library", "Lowering", "NoGradient",
    "Node", "Op", "Origin", "Piece", "Reduction", "Sample", "Scalar", "all_nodes", "at_origin",
    "bodies", "caller", "effects", "is_checked", "is_item", "is_literal", "map_sizes", "rank",
    "rebuild", "recording", "tensor_type", "toposort",
]  # fmt: skip
