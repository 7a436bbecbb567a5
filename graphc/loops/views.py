"""Where elements come from through movement ops: index maps followed to a node that computes.

    follow(transpose(reshape(x)), (i, j), stop)   ->  (x, index into x)
    strides(transpose(x))                         ->  (x, (1, 64)): a matrix read by columns

Facts of index maps only: no op is known by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Call, Dim, Size, Symbol
from graphc.core.ir import IndexMap, Kind, Library, Node, tensor_type

Index = tuple[Size, ...]

# Tensors joined along an axis up to which their readers choose the one that an element is of.
MOST_PIECES = 24


class _DataDependent(Exception):
    """An index map that reads its index from memory."""


def _no_read(operand: int, index: Index) -> Size:
    raise _DataDependent


def is_view(node: Node) -> bool:
    """Whether every element of a node is one element of an operand, at an index known from sizes
    alone."""
    if not isinstance(node.op.lowering, IndexMap) or not node.inputs:
        return False
    index = symbols_of(node, "view")
    return step(node, index) is not None


def symbols_of(node: Node, prefix: str) -> Index:
    """An index of fresh symbols, one for each axis, with the axis' range."""
    shape = tensor_type(node).shape
    return tuple(
        0 if size == 1 else dims.symbol(Symbol(f"{prefix}{axis}", 0, size - 1))
        for axis, size in enumerate(shape)
    )


def step(node: Node, index: Index) -> tuple[Node, Index] | None:
    """The operand and the index that a movement node's element at `index` comes from; None when
    that depends on data or on the place."""
    if not isinstance(node.op.lowering, IndexMap):
        return None
    try:
        pieces = node.op.lowering.pieces(node, index, _no_read)
    except _DataDependent:
        return None
    first = pieces[0]
    if first.guards or first.operand is None:
        return None
    return node.inputs[first.operand], tuple(first.index)


def follow(node: Node, index: Index, stop: Callable[[Node], bool]) -> tuple[Node, Index]:
    """Follow views from an element back to the first node where `stop` holds or that is none."""
    while not stop(node):
        found = step(node, index)
        if found is None:
            break
        node, index = found
    return node, index


def coefficient(size: Size, symbol: Symbol) -> Size | None:
    """The factor of `symbol` in an expression linear in it; None when it is not linear."""
    if isinstance(size, int):
        return 0
    total: Size = 0
    for monomial, factor in size.terms.items():
        for atom in monomial:
            if isinstance(atom, Call) and symbol in dims.symbols(Dim({(atom,): 1})):
                return None
        count = sum(atom == symbol for atom in monomial)
        if count > 1:
            return None
        if count:
            rest = [Dim({(atom,): 1}) for atom in monomial if atom != symbol]
            total = total + factor * dims.product(rest)
    return total


def offset(shape: Sequence[Size], index: Index) -> Size:
    """The row-major place of an element."""
    flat: Size = 0
    for size, at in zip(shape, index):
        flat = flat * size + at
    return flat


def contiguous(shape: Sequence[Size]) -> tuple[Size, ...]:
    """Row-major strides; 0 along axes of size 1."""
    return tuple(
        0 if size == 1 else dims.product(shape[axis + 1 :]) for axis, size in enumerate(shape)
    )


def joins_many(node: Node) -> bool:
    """Whether a node joins more tensors than a kernel that reads it would choose from."""
    fact = node.op.lowering
    return isinstance(fact, IndexMap) and fact.joins and len(node.inputs) > MOST_PIECES


def read_in_place(node: Node, user: Node) -> tuple[Node, tuple[Size, ...]] | None:
    """The node whose memory `user` reads for its operand `node`, and the strides in it.

    A contraction looks through views that leave elements evenly spaced, if its kernel takes
    strides; through those that leave memory as it is in any case, and so does what joins many.

    Returns:
        None when the operand must be in memory itself.
    """
    fact = user.op.lowering
    if user.op.kind is Kind.CONTRACT and isinstance(fact, Library):
        any_stride = fact.strided
    elif joins_many(user):
        any_stride = False
    else:
        return None
    found = strides(node)
    if found is None or (not any_stride and found[1] != contiguous(tensor_type(node).shape)):
        return None
    return found


def in_memory(user: Node) -> list[Node]:
    """The nodes whose memory `user` reads: its operands, or what stands behind views that it looks
    through (see `read_in_place`); for each operand one."""
    found = [(operand, read_in_place(operand, user)) for operand in user.inputs]
    return [operand if place is None else place[0] for operand, place in found]


def strides(node: Node) -> tuple[Node, tuple[Size, ...]] | None:
    """The node in memory behind views, and the elements between neighbours along each axis.

    Returns:
        None when the elements are not evenly spaced from the first one on.
    """
    chain = [node]
    while isinstance(chain[-1].op.lowering, IndexMap) and len(chain[-1].inputs) == 1:
        chain.append(chain[-1].inputs[0])
    if len(chain) == 1 and not isinstance(node.op.lowering, IndexMap):
        return node, contiguous(tensor_type(node).shape)
    key = tuple([(n.op, n.attrs, n.type) for n in chain])
    if key not in _spacings:
        if len(_spacings) >= MOST_SPACINGS:
            _spacings.clear()
        found = _spaced(node)
        places = [k for k, n in enumerate(chain) if found is not None and n is found[0]]
        if found is not None and not places:
            return found
        _spacings[key] = None if found is None else (places[0], found[1])
    known = _spacings[key]
    return None if known is None else (chain[known[0]], known[1])


# What views do to memory, by their ops, attributes and types: the same in each layer of a model.
_spacings: dict[Any, tuple[int, tuple[Size, ...]] | None] = {}
MOST_SPACINGS = 4096


def _spaced(node: Node) -> tuple[Node, tuple[Size, ...]] | None:
    """`strides`, found out."""
    index = symbols_of(node, "view")
    base, place = _place(node, index)
    found: list[Size] = []
    left = place
    for axis_index, size in zip(index, tensor_type(node).shape):
        if size == 1:
            found.append(0)
            continue
        (symbol,) = dims.symbols(axis_index)
        stride = coefficient(place, symbol)
        if stride is None:
            return None
        left = left - stride * axis_index
        found.append(stride)
    return (base, tuple(found)) if left == 0 else None


def _place(node: Node, index: Index) -> tuple[Node, Size]:
    """The node in memory behind views, and the row-major place in it of an element."""
    while True:
        base = node
        while isinstance(base.op.lowering, IndexMap) and base.op.lowering.flat:
            base = base.inputs[0]
        found = step(node, index)
        # What only names the elements anew, in their order, has them at the same places.
        if found is None or step(base, symbols_of(base, "at")) is None:
            return base if found is not None else node, offset(tensor_type(node).shape, index)
        node, index = found
