"""From an ONNX graph to graphc's: a walk over its nodes, each built by the rule of its operator.

    Reader(model, folder, "model.onnx").graph(model.graph, {"x": Value("x", tensor=x)})

Where every input of a node is known, so is what it gives. Operators without a rule are read by
the function that ONNX defines them by, where it has one.
"""

from __future__ import annotations

import contextlib
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.ir import Node
from graphc.core.operators import Operators
from graphc.errors import FormatError, GraphcError
from graphc.onnx.definitions import actual, body_of, filled
from graphc.onnx.files import ODD, array_of, attribute, nested
from graphc.onnx.names import Names
from graphc.onnx.ordering import ordered, place_of
from graphc.onnx.sizes import SIZED
from graphc.onnx.table import Rule, Use, find
from graphc.onnx.unsupported import check_supported, schema_of
from graphc.onnx.values import (
    MOST_FOLDED,
    Absent,
    NeedsValue,
    SequenceValue,
    Value,
    constants_of,
    is_constant,
    plain,
)

# Functions and graphs within each other are no deeper.
DEEPEST = 64

Scope = MutableMapping[str, Any]
# What a rule meets in a file that is damaged.
FAULTS = (
    ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, NotImplementedError,
    RecursionError, StopIteration, TypeError, UnicodeError, ValueError,
)  # fmt: skip


@contextlib.contextmanager
def as_damage(label: str) -> Iterator[None]:
    """Python's errors at what a damaged file holds, as one that says so.

    Raises:
        FormatError: something else than an error of graphc's was raised.
    """
    try:
        yield
    except GraphcError:
        raise
    except FAULTS as error:
        raise FormatError(f"{label}: damaged: {error or type(error).__name__}") from error


class Reader:
    """Reads the graphs of one model.

    Args:
        model: as parsed.
        folder: of external data.
        label: what messages call the model.
    """

    def __init__(self, model: ModelProto, folder: Path | None, label: str) -> None:
        self.model, self.folder, self.label = model, folder, label
        self.names = Names()
        self.parameters: dict[str, Any] = {}
        self.given_weights: Mapping[str, Any] | None = None
        self.opsets = _opsets(model.opset_import)
        self.functions = {(f.domain, f.name): f for f in model.functions}
        self.depth = 0
        check_supported(model, self.functions, label)

    def tensor(self, proto: TensorProto) -> Value:
        """A tensor of the file as a constant."""
        elem = proto.data_type if proto.data_type in ODD else 0
        return Value(proto.name, known=array_of(proto, self.folder), elem=elem)

    def initial(self, proto: TensorProto) -> Value:
        """An initialiser: a parameter where it is of floats, else a constant."""
        value = self.tensor(proto)
        known = value.known
        if value.elem or known is None or known.dtype == object:
            return value
        if dtypes.as_dtype(known.dtype).is_float:
            value.made = lambda: self._parameter(value)
        return value

    def _parameter(self, value: Value) -> Any:
        if self.given_weights is not None:
            return self.given_weights[value.name]
        made = gc.parameter(self.names.of(value.name), value.array())
        self.parameters[value.name] = made
        return made

    def graph(self, graph: GraphProto, scope: Scope) -> list[Any]:
        """The outputs of a graph whose inputs are in the scope."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise FormatError(f"{self.label}: graphs within each other, over {DEEPEST} deep")
        try:
            for proto in graph.initializer:
                scope.setdefault(proto.name, self.initial(proto))
            for sparse in graph.sparse_initializer:
                raise FormatError(f"{self.label}: {sparse.values.name!r} is a sparse initialiser")
            self.nodes(ordered(graph.node, scope, self.label), scope)
            return [self._found(scope, o.name, f"graph {graph.name!r}") for o in graph.output]
        finally:
            self.depth -= 1

    def inner(self, graph: GraphProto, scope: Scope, given: Sequence[Any]) -> list[Any]:
        """The outputs of a nested graph.

        Args:
            graph: of an attribute.
            scope: what stands around it.
            given: values of its inputs.
        """
        if len(given) != len(graph.input):
            raise FormatError(
                f"{self.label}: graph {graph.name!r} takes {len(graph.input)} inputs, "
                f"it is given {len(given)}"
            )
        own: Scope = ChainMap({i.name: v for i, v in zip(graph.input, given)}, scope)
        for proto in graph.initializer:
            own[proto.name] = self.initial(proto)
        return self.graph(graph, own)

    def nodes(self, nodes: Iterable[NodeProto], scope: Scope) -> None:
        """Read nodes in their order; what they give goes into the scope."""
        for node in nodes:
            results = self.apply(node, scope)
            if len(results) < len([n for n in node.output if n]):
                raise FormatError(
                    f"{place_of(node)} has {len(node.output)} outputs, not {len(results)}"
                )
            for name, value in zip(node.output, results):
                if name:
                    scope[name] = value

    def _found(self, scope: Scope, name: str, what: str) -> Any:
        try:
            return scope[name]
        except KeyError:
            raise FormatError(f"{self.label}: {what} reads {name!r}, which nothing makes") from None

    def apply(self, node: NodeProto, scope: Scope) -> list[Any]:
        """What one node gives."""
        place = place_of(node)
        inputs = [self._found(scope, n, place) if n else None for n in node.input]
        domain = "" if node.domain == "ai.onnx" else node.domain
        own = self.functions.get((node.domain, node.op_type))
        if own is not None:
            return self._function(own, node, inputs, place)
        version, attributes = _attributes(node, domain, self.opsets.get(domain, 1))
        use = Use(attributes, version, inputs, list(node.output), self, scope, place)
        row = find(domain, node.op_type, version)
        try:
            if row is None:
                return self._defined(node, domain, inputs, place)
            return self._built(row, domain + node.op_type, use)
        except NeedsValue:
            raise
        except (GraphcError, *FAULTS) as error:
            _look_for_loose(row, inputs)
            if not isinstance(error, GraphcError):
                text = f"{self.label}: {place}: {error or type(error).__name__}"
                raise FormatError(text) from error
            if isinstance(error, FormatError) or place in error.details:
                raise
            error.details = (*error.details, place)
            error.args = (error.message(),)
            raise

    def _built(self, row: Rule, key: str, use: Use) -> list[Any]:
        """What a rule gives: computed now where all is known."""
        fixed = [v for v in use.inputs if v is not None]
        is_known = all(isinstance(v, Value) and v.is_fixed and not v.elem for v in fixed)
        if is_known and key in SIZED:
            found = SIZED[key](use, *[v if v is None else v.known for v in use.inputs])
            if found is not None:
                return [Value(use.names[0], known=plain(np.asarray(found)))]
        arguments = [_given(row, k, v, use) for k, v in enumerate(use.inputs)]
        results = row.build(use, *arguments)
        results = results if isinstance(results, tuple) else (results,)
        values = [
            _as_value(r, use.names[k] if k < len(use.names) else "") for k, r in enumerate(results)
        ]
        if is_known:
            _fold(values, fixed)
        return values

    def _defined(self, node: NodeProto, domain: str, inputs: list[Any], place: str) -> list[Any]:
        """A node by the function that ONNX defines its operator by."""
        schema = schema_of(domain, node.op_type, self.opsets.get(domain, 1))
        body = None if schema is None else body_of(schema, node, inputs, self.opsets.get(domain, 1))
        if body is None:
            raise FormatError(f"{self.label}: {place} is not supported")
        return self._function(body, node, inputs, place, schema)

    def _function(self, body: FunctionProto, node: NodeProto, inputs: list[Any], place: str,
                  schema: Any = None) -> list[Any]:  # fmt: skip
        before, self.opsets = self.opsets, {**self.opsets, **_opsets(body.opset_import)}
        self.depth += 1
        try:
            if self.depth > DEEPEST:
                raise FormatError(f"{self.label}: functions within each other, over {DEEPEST} deep")
            if len(inputs) > len(body.input):
                raise FormatError(f"{self.label}: {place} has too many inputs")
            scope: Scope = dict(zip(body.input, [*inputs, *[None] * len(body.input)]))
            nodes = [filled(n, actual(body, node, schema)) for n in body.node]
            self.nodes(ordered(nodes, scope, self.label), scope)
            wanted = {k for k, name in enumerate(node.output) if name}
            return [
                self._found(scope, name, place) if k in wanted else scope.get(name)
                for k, name in enumerate(body.output)
            ]
        finally:
            self.opsets = before
            self.depth -= 1

    def outer_names(self, graph: GraphProto) -> set[str]:
        """The names that a nested graph takes from around it."""
        own = {i.name for i in graph.input} | {i.name for i in graph.initializer}
        own |= {name for node in graph.node for name in node.output}
        used = {name for node in graph.node for name in node.input}
        used |= {o.name for o in graph.output}
        for node in graph.node:
            for inner in nested(node):
                used |= self.outer_names(inner)
        return used - own - {""}


def _opsets(imports: Any) -> dict[str, int]:
    return {"" if i.domain == "ai.onnx" else i.domain: i.version for i in imports}


def _attributes(node: NodeProto, domain: str, opset: int) -> tuple[int, dict[str, Any]]:
    """The operator's version and a node's attributes, ONNX's defaults filled in.

    Raises:
        FormatError: an attribute is unknown, missing or of another kind; too many inputs.
    """
    found = {proto.name: proto for proto in node.attribute}
    schema = schema_of(domain, node.op_type, opset)
    if schema is None:
        return 1, {name: attribute(proto) for name, proto in found.items()}
    place = place_of(node)
    values: dict[str, Any] = {}
    for name, spec in schema.attributes.items():
        if name in found:
            if found[name].type != int(spec.type.value):
                raise FormatError(
                    f"{place}: attribute {name!r} is of another kind than {spec.type}"
                )
            values[name] = attribute(found.pop(name))
        elif spec.required:
            raise FormatError(f"{place}: attribute {name!r} is missing")
        elif spec.default_value.name:
            values[name] = attribute(spec.default_value)
    if found:
        raise FormatError(
            f"{place}: {schema.name} of opset {opset} has no attribute {next(iter(found))!r}"
        )
    if not schema.min_input <= len(node.input) <= schema.max_input:
        raise FormatError(f"{place}: {len(node.input)} inputs")
    for name, formal in zip(node.input, schema.inputs):
        if not name and formal.option.name == "Single":
            raise FormatError(f"{place}: the input {formal.name!r} is missing")
    if len(node.output) > schema.max_output:
        raise FormatError(f"{place}: {len(node.output)} outputs")
    return schema.since_version, values


def _given(row: Rule, place: int, value: Any, use: Use) -> Any:
    """An input as its rule takes it."""
    if value is None:
        return None
    kind = row.kind(place)
    if not isinstance(value, Value):
        if kind != "v":
            raise FormatError(f"{use.place} takes no sequence")
        return value
    if value.elem and not row.is_odd:
        raise FormatError(f"{use.place}: input {place} is of a type that is only stored: cast it")
    if kind == "x":
        return value.x
    if kind == "k":
        return value.array()
    return value.sizes() if kind == "s" else value


def _look_for_loose(row: Rule | None, inputs: Sequence[Any]) -> None:
    """Where a rule failed that had sizes which only a call brings: they must be known.

    Raises:
        NeedsValue: there is such an input.
    """
    for k, value in enumerate(inputs):
        is_loose = isinstance(value, Value) and value.known is None and value.rank <= 1
        if row is not None and is_loose and value.dtype.is_integer and row.kind(k) in "sv":
            raise NeedsValue(value)


def _as_value(result: Any, name: str) -> Any:
    if isinstance(result, Operators) and result.is_eager:
        result = result.detach().numpy()  # type: ignore[attr-defined]
    if isinstance(result, Value | SequenceValue | Absent):
        return result
    if isinstance(result, np.ndarray | np.generic):
        return Value(name, known=np.asarray(result))
    if isinstance(result, Dim):
        return Value(name, known=np.array(result, object))
    return Value(name, tensor=result)


def _fold(values: list[Any], inputs: Sequence[Value]) -> None:
    """Compute results whose inputs are all known, where they are small."""
    if sum(v.known.size for v in inputs if v.known is not None) > MOST_FOLDED:
        return
    for value in values:
        node = value.tensor if isinstance(value, Value) and value.known is None else None
        if not isinstance(node, Node):
            continue
        size = node.type.size  # type: ignore[union-attr]
        if isinstance(size, int) and size <= MOST_FOLDED and is_constant(node):
            try:
                value.known = constants_of([node])[0]
            except GraphcError:
                continue  # it fails when the program runs, as ONNX has it
