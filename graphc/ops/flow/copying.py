"""Nodes and ops copied and pickled: what `copy.deepcopy` and `pickle` make of them.

    y, x = pickle.loads(pickle.dumps((y, x)))       x is the input of y as it was

A pickle names ops and holds attributes: no code, and reading it calls only what makes nodes, whose
types are inferred anew. What was one node is one node again within one pickle. Parameters become
others of the same value.
"""

from __future__ import annotations

import copyreg
import weakref
from typing import Any

from graphc.core.inner import is_placeholder
from graphc.core.ir import OPS, Attrs, Node, Op, Origin
from graphc.core.walk import toposort
from graphc.errors import StorageError
from graphc.ops.flow.closures import placeholder
from graphc.ops.source import CONSTANT_OP, Bound, State

# Pickle follows operands by recursion: every so many nodes of a chain, a node names those below.
STRIDE = 30
# By identity, since comparing nodes makes a node.
_depths: dict[int, tuple[weakref.ref[Node], int]] = {}


def _depth(node: Node) -> int:
    """The longest chain of operands below a node."""
    for each in toposort([node], stop=lambda n: id(n) in _depths):
        key = id(each)
        if key not in _depths:
            depth = 1 + max((_depths[id(i)][1] for i in each.inputs), default=-1)
            gone = weakref.ref(each, lambda _, key=key: _depths.pop(key, None))  # type: ignore[misc]
            _depths[key] = gone, depth
    return _depths[id(node)][1]


def _reduced(node: Node) -> Any:
    if is_placeholder(node):
        return placeholder, (node.name, node.type)
    below: tuple[Node, ...] = ()
    if _depth(node) % STRIDE == 0 and node.inputs:
        below = tuple(n for n in toposort(node.inputs) if _depth(n) % STRIDE == 0 and n.inputs)
    return _made, (below, node.op, node.inputs, node.attrs, node.origin)


def _made(
    below: object, op: Op, inputs: tuple[Node, ...], attrs: Attrs, origin: Origin | None
) -> Node:
    type_ = op.infer(*(i.type for i in inputs), **dict(attrs))
    return Node(op, tuple(inputs), tuple(attrs), type_, origin)


def _reduced_constant(node: Bound) -> Any:
    return _constant, (node.attrs, node.type, node.origin, node.state.latest().copy())


def _constant(attrs: Attrs, type_: Any, origin: Origin | None, array: Any) -> Bound:
    return Bound(CONSTANT_OP, (), attrs, type_, origin, State(array))


def _op(name: str) -> Op:
    """The op of a name.

    Raises:
        StorageError: there is none.
    """
    if name not in OPS:
        raise StorageError(
            f"a node of the op {name!r} is read, which is not declared",
            hint="import the module that declares it first",
        )
    return OPS[name]


copyreg.pickle(Node, _reduced)
copyreg.pickle(Bound, _reduced_constant)
copyreg.pickle(Op, lambda op: (_op, (op.name,)))

__all__: list[str] = []
