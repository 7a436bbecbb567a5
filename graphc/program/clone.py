"""A graph built again with other nodes in the places of some: `clone`, Theano's givens.

    y = gc.tanh(x @ w)
    z = gc.clone(y, replace={x: 2.0 * x})       # gc.tanh((2.0 * x) @ w)

Nodes that nothing replaced leads to are used as they are. Where the new tensor has other sizes, the
symbols of the old one's shape become these, in all nodes and in the bodies of loops.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as replaced
from typing import Any

from graphc.core import dims
from graphc.core.declared import values_of
from graphc.core.dims import Symbol
from graphc.core.ir import Graph, Node, all_nodes, at_origin, bodies, caller, map_sizes
from graphc.core.operators import Operators
from graphc.core.origin import name_node
from graphc.core.trees import flatten
from graphc.core.types import TensorType, match, shape_symbols
from graphc.core.walk import remade, substitute, toposort
from graphc.errors import ArgumentError, DTypeError, GraphError, InternalError, ShapeError
from graphc.ops.declare import as_symbolic, bring, operand
from graphc.ops.flow.closures import placeholder
from graphc.ops.sizes import as_size, dim


def clone(outputs: Any, replace: Mapping[Any, Any] | None = None) -> Any:
    """Tensors computed as others are, with some nodes replaced: Theano's `givens`.

    Args:
        outputs: a tensor of a graph, or a nested structure (lists, tuples, dicts) of them. An
            eager tensor is copied, as in PyTorch.
        replace: what stands for nodes: {old: new}. A new tensor has its old one's dtype and
            shape; sizes that are symbolic in the old one may be others. Numbers and arrays are
            brought to the old one's type. All are replaced at once: {x: y, y: x} swaps, and
            what is new is used as it is.

    Returns:
        The structure of `outputs`, of tensors computed of the new nodes. Parts of the graph
        that no replaced node leads to are shared, drawn numbers too.

    Raises:
        GraphError: an old node is no part of the outputs, or stands inside a loop or branch.
        DTypeError, ShapeError: a new tensor is not of its old one's type.
        ArgumentError: something is no tensor of a graph.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x, y = gc.input("x", (2,)), gc.input("y", (2,))
        >>> z = gc.clone(x * x + 1.0, replace={x: gc.exp(y)})
        >>> gc.compile([y], z)(np.zeros(2, np.float32))
        array([2., 2.], dtype=float32)
    """
    if isinstance(outputs, Operators) and outputs.is_eager and not replace:
        return outputs.clone()  # type: ignore[attr-defined]  # a Tensor, which stands above
    roots, tree = flatten(outputs)
    for path, root in zip(tree.paths(), roots):
        if not isinstance(root, Node):
            raise ArgumentError(
                f"clone: outputs{path} is a {type(root).__name__}, not a tensor of a graph",
                where=caller(),
                hint="give nodes, or lists, tuples and dicts of them; x.clone() copies a tensor",
            )
    pairs = {_old(key): value for key, value in (replace or {}).items()}
    _check_reached(roots, pairs)
    new = {old: _new(old, value) for old, value in pairs.items()}
    sizes = _sizes(new)
    sizes |= _measured(roots, new, sizes)
    order = toposort(roots, stop=lambda node: node in new)
    for node in order:
        _check_sized(node, new, sizes)
    if not sizes:
        return tree.restore(substitute(roots, new))
    change = _resizing(sizes)
    return tree.restore(substitute(roots, new, lambda node, new: made_with(node, new, change)))


def _old(key: Any) -> Node:
    node = as_symbolic(key)
    if isinstance(node, Node) and isinstance(node.type, TensorType):
        return node
    raise ArgumentError(
        f"clone: a key of replace is a {type(key).__name__}, not a tensor of a graph",
        where=caller(),
        hint="write replace={old_tensor: new_tensor}",
    )


def _check_reached(roots: list[Node], pairs: Mapping[Node, Any]) -> None:
    """Every node that is to be replaced is there, and not inside of a body."""
    order = toposort(roots)
    for old in pairs:
        if old in order:
            continue
        for node in order:
            if any(old in {*all_nodes(body)} for body in bodies(node).values()):
                raise GraphError(
                    f"clone: {old.name!r} stands inside the body of a {node.op.name}",
                    [old.describe(), node.describe()],
                    where=caller(),
                    hint="replace what the loop or branch takes, or build it again",
                )
        raise GraphError(
            f"clone: {old.name!r} is to be replaced, and no output depends on it",
            [old.describe()],
            where=caller(),
            hint="remove it from replace, or replace the tensor that the outputs were made of",
        )


def _new(old: Node, value: Any) -> Node:
    """What stands for a node, of its dtype and rank."""
    type_: Any = old.type
    node = as_symbolic(value)
    if not isinstance(node, Node):
        return bring(operand(value, "clone"), type_.dtype, type_.shape)
    own: Any = node.type
    fits = isinstance(own, TensorType) and own.rank == type_.rank
    if fits and own.dtype is type_.dtype:
        return node
    error = ShapeError if not fits else DTypeError
    raise error(
        f"clone: {old.name!r} is {type_}, what is to replace it is {own}",
        [old.describe(), node.describe()],
        where=caller(),
        hint=f"cast it with astype({type_.dtype.spelling})" if fits else "give one of its shape",
    )


def _sizes(new: Mapping[Node, Node]) -> dict[Symbol, Any]:
    """What symbols become, those that stay left out."""
    pairs = [
        pair
        for old, node in new.items()
        for pair in zip(old.type.shape, node.type.shape)  # type: ignore[union-attr]
    ]
    try:
        found = match(pairs)
        fits = all(_in_terms(size, found) == size_ for size, size_ in pairs)
    except InternalError:
        fits = False
    for old, node in new.items():
        shape = old.type.shape  # type: ignore[union-attr]
        if fits or shape == node.type.shape:  # type: ignore[union-attr]
            continue
        raise ShapeError(
            f"clone: {old.name!r} is {old.type}, what is to replace it is {node.type}",
            [old.describe(), node.describe()],
            where=caller(),
            hint="sizes that are numbers stay, a symbol becomes one size wherever it stands",
        )
    sizes = {symbol: size for symbol, size in found.items() if size != dims.symbol(symbol)}
    for symbol, size in sizes.items():
        low, high = dims.at_least(size, symbol.min), symbol.max
        fits = low and (high is None or dims.at_least(high - size, 0))
        if not fits or dims.multiple(size) % symbol.multiple_of:
            raise ShapeError(
                f"clone: the size {symbol.name} would become {size}, which it is not to be",
                [f"{symbol.name}: min={symbol.min}, max={high}, multiple_of={symbol.multiple_of}"],
                where=caller(),
            )
    return sizes


def _measured(
    roots: Sequence[Node], new: dict[Node, Node], sizes: Mapping[Symbol, Any]
) -> dict[Symbol, Any]:
    """What sizes become that are values of nodes which are replaced, or depend on one."""
    found: dict[Symbol, Any] = {}
    change = _resizing(sizes)
    for symbol in values_of(toposort(roots)).values():
        source = symbol.source
        if source is not None and any(node in new for node in toposort([source])):
            (value,) = substitute([source], new, lambda node, new: made_with(node, new, change))
            facts = {"min": symbol.min, "max": symbol.max, "multiple_of": symbol.multiple_of}
            is_free = (symbol.min, symbol.max, symbol.multiple_of) == (0, None, 1)
            found[symbol] = as_size("clone", value) if is_free else dim(value, **facts)
    return found


def _resizing(sizes: Mapping[Symbol, Any]) -> Callable[[Any], Any]:
    """The function that writes an attribute or a type in the new sizes."""
    return lambda value: map_sizes(value, lambda size: _in_terms(size, sizes))


def _in_terms(size: Any, sizes: Mapping[Symbol, Any]) -> Any:
    known = {s: sizes[s] for s in dims.symbols(size) if s in sizes} if sizes else {}
    return dims.substitute(size, known) if known else size


def _check_sized(node: Node, new: Mapping[Node, Node], sizes: Mapping[Symbol, Any]) -> None:
    """A source of a size that becomes another is replaced too."""
    if node in new or node.inputs or not sizes or not isinstance(node.type, TensorType):
        return
    both = shape_symbols(node.type.shape) & sizes.keys()
    if both and (not node.op.pure or any(key == "name" for key, _ in node.attrs)):
        symbol = min(both, key=lambda s: s.name)
        raise ShapeError(
            f"clone: the size {symbol.name} becomes {sizes[symbol]}, and {node.name!r}, which is "
            "not replaced, has it too",
            [node.describe()],
            where=caller(),
            hint=f"replace {node.name} as well",
        )


def made_with(node: Node, new: Mapping[Node, Node], change: Callable[[Any], Any]) -> Node:
    """A node on what stands for its operands, its attributes changed, in nested graphs too.

    Args:
        node: to build again.
        new: what stands for its operands.
        change: gives what stands for an attribute or a type; the very same for one that stays.
    """
    attrs = {key: _changed(value, change) for key, value in node.attrs}
    if all(attrs[key] is value or attrs[key] == value for key, value in node.attrs):
        return remade(node, new)
    with at_origin(node.origin):
        result = Node.build(node.op, [new[i] for i in node.inputs], attrs)
    if node.label:
        name_node(result, node.label)
    return result


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if not isinstance(value, Graph):
        return change(value)
    new: dict[Node, Node] = {}
    for node in value.inputs:
        type_ = change(node.type)
        new[node] = node if type_ == node.type else placeholder(node.name, type_)
    inputs = tuple(new[node] for node in value.inputs)
    for node in value.nodes:
        if node not in new:
            new[node] = made_with(node, new, change)
    nodes = tuple(dict.fromkeys(new[node] for node in value.nodes))
    if all(map(operator.is_, nodes, value.nodes)):
        return value
    outputs = tuple(new[node] for node in value.outputs)
    return replaced(value, inputs=inputs, nodes=nodes, outputs=outputs)


__all__ = ["clone", "made_with"]
