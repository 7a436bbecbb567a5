"""What a graph from a file may say: ops and attributes that no honest program contradicts.

A graph's text is data, yet kernels are generated from it, so nothing in it is taken on trust:
every attribute has the kind that ops give it, promises that save checks at run time must follow
from the graph itself, and sizes that facts leave open are checked when a call binds them.

    guard(op, operands, attrs)          before each node is made; for `text.parse`
    bounds(graph)                       what must be 0 or more at each call, beside sizes
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.declared import values_of
from graphc.core.dims import Dim, Size
from graphc.core.dtypes import DType
from graphc.core.ir import Graph, Kind, Node, Op, all_nodes, is_item, tensor_type
from graphc.core.types import TensorType
from graphc.errors import ArchiveError
from graphc.ops.arrays.movement import SLICE
from graphc.ops.control import FUSED

MAX_ITEMS = 64
# Of one tensor of fixed sizes; processors address no more.
MOST_BYTES = 1 << 47
MAX_LANE = 3
# Positions of results are numbers below what a node has; so are numbers of carries.
_MANY = 1 << 20


def _is_int(value: object, low: int = 0, high: int = 1 << 40) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_size(value: object) -> bool:
    return isinstance(value, Dim) or _is_int(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _all(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_tuple(value: object) -> bool:
        return isinstance(value, tuple) and len(value) <= MAX_ITEMS and all(map(check, value))

    return is_tuple


def _is_axis(value: object) -> bool:
    return _is_int(value, 0, MAX_ITEMS)


def _is_graph(value: object) -> bool:
    return isinstance(value, Graph)


def _is_function(value: object) -> bool:
    """Whether it is what messages call a function by; nothing is looked up by it."""
    return isinstance(value, str) and re.fullmatch(r"(linalg\.)?[a-z_0-9]{1,40}", value) is not None


def _is_tolerance(value: object) -> bool:
    return isinstance(value, float) and value >= 0


def _is_positive(value: object) -> bool:
    return _is_int(value, 1)


def _is_start(value: object) -> bool:
    return isinstance(value, Dim) or _is_int(value, -(1 << 40))


# What every attribute must be, by its name: ops agree on these.
ATTRIBUTES: Mapping[str, Callable[[Any], bool]] = {
    "atol": _is_tolerance,
    "axes": _all(_is_axis),
    "axis": _is_axis,
    "body": _is_graph,
    "carries": lambda v: _is_int(v, 0, _MANY),
    "check": _is_bool,
    "complete": _is_bool,
    "cond": _is_graph,
    "count": _is_size,
    "descending": _is_bool,
    "dilation": _all(_is_positive),
    "dtype": lambda v: isinstance(v, DType),
    "false": _is_graph,
    "full": _is_bool,
    "function": _is_function,
    "groups": _is_positive,
    "high": _all(_is_size),
    "index": lambda v: _is_int(v, 0, _MANY),
    "interior": _all(_is_int),
    "kernel": _all(_is_size),
    "lane": lambda v: _is_int(v, 0, MAX_LANE),
    "length": _is_size,
    "low": _all(_is_size),
    "max_steps": lambda v: v is None or _is_int(v),
    "message": lambda v: isinstance(v, str) and len(v) <= _MANY,
    "overflow": lambda v: v in ("error", "wrap"),
    "padding": _all(_is_int),
    "rank": _is_int,
    "reduced": _is_axis,
    "reverse": _is_bool,
    "rtol": _is_tolerance,
    "sequences": lambda v: _is_int(v, 0, _MANY),
    "shape": _all(_is_size),
    "size": _is_size,
    "sizes": _all(_is_size),
    "span": lambda v: _is_int(v, 0, _MANY),
    "starts": _all(_is_start),
    "steps": _all(lambda v: _is_int(abs(v) if isinstance(v, int) else v, 1)),
    "stride": _all(_is_positive),
    "true": _is_graph,
    "trusted": _is_bool,
    "unit": _is_bool,
    "upper": _is_bool,
    "value": lambda v: isinstance(v, bool | int | float),
}


def guard(op: Op, operands: Sequence[Node], attrs: dict[str, Any]) -> None:
    """Refuse an op with attributes that no honest graph has; drop promises that do not follow.

    Raises:
        ArchiveError: an attribute is unknown or of the wrong kind; an axis is none of the
            operand's.
    """
    if op is FUSED or (op.kind is Kind.SOURCE and not op.pure):
        raise ArchiveError(f"{op.name} stands in no saved graph")
    wanted = operands_of(op)
    if len(operands) != wanted if wanted is not None else not operands:
        raise ArchiveError(f"{op.name} of {len(operands)} operands")
    for name, value in attrs.items():
        check = ATTRIBUTES.get(name)
        if check is None or not check(value):
            raise ArchiveError(f"{op.name}: {name}={value!r:.60} is not what the op takes")
    axis = attrs.get("axis")
    if axis is not None:
        sizes = attrs["shape"] if "shape" in attrs else tensor_type(operands[0]).shape
        if axis + attrs.get("span", 1) > len(sizes):
            raise ArchiveError(f"{op.name}: axis {axis} of {len(sizes)}")
    if attrs.get("trusted"):
        counted = tensor_type(operands[0]).shape[axis:][: attrs.get("span", 1)]
        attrs["trusted"] = follows(operands[1], dims.product(counted))


@functools.cache
def operands_of(op: Op) -> int | None:
    """The number of operands that an op takes, found from its definition; None for any number."""
    definition = getattr(op.numpy, "__wrapped__", op.numpy)
    if definition is np.where:
        return 3
    if isinstance(definition, np.ufunc):
        return definition.nin
    parameters = inspect.signature(definition).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


def follows(index: Node, size: Size) -> bool:
    """Whether every element of an index lies on an axis of a size, as argmax and argsort give it.

    Args:
        index: an index that an op trusts.
        size: of the axis that it counts along.
    """
    while index.op.kind is Kind.MOVEMENT and index.op.name in _MOVES:
        index = index.inputs[0]
    if index.op.name not in ("argmax", "argmin", "argsort"):
        return False
    (source,) = index.inputs
    axis = index.attr("axis") if index.op.name == "argsort" else index.attr("axes")[0]
    return bool(tensor_type(source).shape[axis] == size)


# Movement that neither adds elements nor reads an index.
_MOVES = frozenset(("broadcast", "reshape", "transpose", "slice", "stop_gradient"))


def bounds(graph: Graph) -> list[tuple[Size, Size, Node]]:
    """Reads that facts do not show to stay inside their axis.

    Returns:
        Triples (number of elements, room, node): where the first is 1 or more at a call, the
        second, the least distance from an end of the axis, must be 0 or more.
    """
    found = []
    for node in all_nodes(graph):
        if node.op is not SLICE:
            continue
        limits = tensor_type(node.inputs[0]).shape
        parts = zip(node.attr("starts"), node.attr("sizes"), node.attr("steps"), limits)
        for start, size, step, limit in parts:
            last = start + (size - 1) * step
            for room in (start, last, limit - 1 - start, limit - 1 - last):
                if not dims.at_least(room, 0) and size != 0:
                    found.append((size, room, node))
    return found


def check_bounds(found: Sequence[tuple[Size, Size, Node]], sizes: Mapping[str, int]) -> None:
    """Refuse sizes for which a slice would leave its axis.

    Raises:
        ArchiveError: names the slice and the sizes.
    """
    for size, room, node in found:
        if dims.evaluate(size, sizes) > 0 and dims.evaluate(room, sizes) < 0:
            given = ", ".join(f"{name} = {value}" for name, value in sorted(sizes.items()))
            raise ArchiveError(
                f"{node.op.name} leaves its axis with {given}",
                [node.describe()],
                where=node.origin or "",
            )


def check_graph(graph: Graph) -> None:
    """Refuse a graph that no program has.

    Raises:
        ArchiveError: results that are no tensors, a wrong update, a size that no input has.
    """
    # An input and a parameter may share a name: calls name inputs, states name parameters.
    names = [(node.op.name, node.name) for node in graph.inputs if node.op.name != "constant"]
    if len(set(names)) != len(names) or not all(name.isidentifier() for _, name in names):
        raise ArchiveError("its inputs do not have names of their own")
    if not graph.outputs:
        raise ArchiveError("it has no outputs")
    if any(not isinstance(o.type, TensorType) for o in graph.outputs):
        raise ArchiveError("an output is no tensor")
    places = [k for _, k in graph.aliases]
    if len(set(places)) != len(places):
        raise ArchiveError("a parameter has two new values")
    for position, place in graph.aliases:
        target = graph.inputs[place]
        if target.op.name != "parameter" or target.type != graph.outputs[position].type:
            raise ArchiveError(f"{target.name} cannot take the new value of output {position}")
    aliased = [position for position, _ in graph.aliases]
    first = len(graph.outputs) - len(aliased)
    if aliased != list(range(first, len(graph.outputs))):
        raise ArchiveError("results stand behind updates")
    for node in all_nodes(graph):
        for type_ in (node.type,) if isinstance(node.type, TensorType) else node.type.items:
            if type_.is_static and type_.nbytes > MOST_BYTES:
                raise ArchiveError(f"{node.op.name} is {type_}, more than memory can hold")
    _check_symbols(graph)


def _check_symbols(graph: Graph) -> None:
    """Every symbolic size must be the size of some input's axis."""
    known: set[Any] = set()
    for node in graph.inputs:
        shape = tensor_type(node).shape
        if node.op.name != "input" and not tensor_type(node).is_static:
            raise ArchiveError(f"{node.name} is {node.type}, of no fixed size")
        known |= {s for size in shape if isinstance(size, Dim) for s in _lone(size)}
        if node.op.name == "input" and shape == () and tensor_type(node).dtype.is_integer:
            known |= {s for s in values_of(graph.nodes).values() if s.name == node.name}
    for node in all_nodes(graph):
        for size in _sizes(node):
            missing = [s.name for s in dims.symbols(size) if s not in known]
            if missing:
                raise ArchiveError(f"the size {missing[0]} is not the size of any input's axis")


def _lone(size: Dim) -> set[Any]:
    """The symbols that a call binds where an axis has this size."""
    return dims.symbols(size)


def _sizes(node: Node) -> list[Dim]:
    """The symbolic sizes in a node's type and attributes."""
    found: list[Dim] = []
    waiting: list[Any] = [value for _, value in node.attrs]
    if isinstance(node.type, TensorType):
        waiting += node.type.shape
    elif not is_item(node):
        waiting += [size for item in node.type.items for size in item.shape]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Dim):
            found.append(value)
        elif isinstance(value, tuple):
            waiting += value
        elif isinstance(value, TensorType):
            waiting += value.shape
    return found


__all__ = ["bounds", "check_bounds", "check_graph", "guard"]
