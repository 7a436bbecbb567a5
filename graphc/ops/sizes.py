"""Sizes that are values: of integer inputs, and of what is computed before a program runs.

    k = input("k", (), int64)
    arange(k), x[:k + 1]          # the size k is the value of k at each call
    x[x > 0]                      # its size is counted first, by a program of its own

A 0-d integer tensor stands wherever a size does. Arithmetic of values is arithmetic of dimensions,
so that `x[k : k + 2]` is known to be as long as `y[k : k + 2]`; what else a size is computed of
runs before memory is planned.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from graphc.core import dims, dtypes
from graphc.core.atoms import is_kept
from graphc.core.dims import Dim, Size, Symbol
from graphc.core.inner import is_placeholder
from graphc.core.ir import Node, caller
from graphc.core.operators import Operators
from graphc.core.walk import toposort
from graphc.errors import ArgumentError, AttributeValueError

# What arithmetic of nodes is for sizes; of int64 alone, others' wraps around earlier.
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "negative": lambda x: -x,
    "maximum": dims.maximum,
    "minimum": dims.minimum,
}
_DIVISION: dict[str, Callable[..., Any]] = {
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
}
_Facts = tuple[int, "int | None", int]
# Nodes whose values are sizes, by identity: the node, the symbol's name, its facts.
_known: dict[int, tuple[weakref.ref[Node], str, _Facts]] = {}


def dim(name: Any, *, min: int = 0, max: int | None = None, multiple_of: int = 1) -> Dim:
    """A symbolic dimension: bound by the shapes of a call's arrays, or the value of a tensor.

    Args:
        name: an identifier; two dims of one name and the same facts are the same dimension. Or a
            0-d integer tensor of a graph, whose value at each call is the size.
        min: smallest size that calls may bind.
        max: largest size, or None.
        multiple_of: every size is a multiple of this.

    Returns:
        The dimension, for use in shapes and in arithmetic with ints and other dims.

    Raises:
        AttributeValueError: the name is no identifier, or the facts contradict each other.
        ArgumentError: the tensor is no 0-d integer, or has a value only inside a loop.

    Example:
        >>> import graphc as gc
        >>> n = gc.dim("n", min=1, max=4096, multiple_of=8)
        >>> (n * 2) // 8 == n // 4, n % 8
        (True, 0)
        >>> k = gc.input("k", (), gc.int64)
        >>> gc.compile([k], gc.arange(gc.dim(k, max=100)))(3)
        array([0, 1, 2])
    """
    if not isinstance(name, Operators) or name.is_eager:
        return dims.dim(name, min=min, max=max, multiple_of=multiple_of)
    return _of_node(_checked("dim", name), (min, max, multiple_of))


def as_size(what: str, value: Any) -> Any:
    """A 0-d integer tensor of a graph as a dimension of its value; anything else as it is.

    Args:
        what: the function that takes the size, for messages.
        value: as it was given.

    Raises:
        ArgumentError: it is a tensor of a graph, and no 0-d integer, or of a loop's body.
    """
    if not isinstance(value, Node):
        return value
    return expressed(_checked(what, value), lambda node: _of_node(node, None))


def expressed(node: Node, leaf: Callable[[Node], Size]) -> Size:
    """A 0-d integer as arithmetic of sizes.

    Args:
        node: the tensor.
        leaf: the size that a tensor is which is no arithmetic of others.
    """
    if node.op.name == "full":
        return int(node.attr("value"))
    if node.op.name == "size":
        return node.attr("size")
    if node.op.name == "cast" and node.dtype is dtypes.int64:
        return expressed(node.inputs[0], leaf) if node.inputs[0].dtype.is_integer else leaf(node)
    compute = _ARITHMETIC.get(node.op.name) or _DIVISION.get(node.op.name)
    if compute is None or node.dtype is not dtypes.int64:
        return leaf(node)
    if node.op.name in _DIVISION:
        divisor = node.inputs[1]
        if divisor.op.name != "full" or divisor.attr("value") <= 0:
            return leaf(node)
    return compute(*(expressed(i, leaf) for i in node.inputs))


def _checked(what: str, node: Any) -> Any:
    """A node that can be a size."""
    if node.type.shape != () or not node.type.dtype.is_integer:
        raise ArgumentError(
            f"{what}: {node!r:.80} is no size: a size is an int, a gc.dim or a 0-d integer tensor",
            [node.describe()],
            where=caller(),
            hint="take one element of it" if node.type.shape else "cast it with astype(gc.int64)",
        )
    inner = [n for n in toposort([node]) if is_placeholder(n)]
    if inner:
        raise ArgumentError(
            f"{what}: {node.name!r} as a size depends on {inner[0].name!r}, which has a value only "
            "inside of a loop or a branch: there sizes are the same at every step",
            [node.describe()],
            where=caller(),
            hint="take the largest size and choose by gc.where(gc.arange(largest) < size, x, 0); "
            "x[k : k + 3] and gc.nonzero(mask, size=3) have a fixed size",
        )
    return node


def _of_node(node: Node, facts: _Facts | None) -> Dim:
    """The dimension that is a node's value; it has the facts that were first said of it."""
    found = _known.get(id(node)) or next(
        (e for e in [*_known.values()] if (twin := e[0]()) is not None and _alike(twin, node)), None
    )
    if found is None:
        name = _name(node)
        dims.dim(name, **dict(zip(("min", "max", "multiple_of"), facts or ())))  # type: ignore[arg-type]
        key = id(node)
        ref = weakref.ref(node, lambda _: _known.pop(key, None))
        found = _known[key] = ref, name, facts or (0, None, 1)
    elif facts is not None and facts != found[2]:
        low, high, multiple = found[2]
        raise AttributeValueError(
            f"dim: {node.name!r} is a size already, with min={low}, max={high}, "
            f"multiple_of={multiple}",
            [node.describe()],
            where=caller(),
            hint="say what is known of it before it is first used as a size",
        )
    ref, name, (low, high, multiple) = found
    first = ref()
    source = node if first is None else first
    return dims.symbol(Symbol(name, low, high, multiple, True, source))


def _name(node: Node) -> str:
    """The symbol's name: an input's own, `size_1` ... of what is computed."""
    if node.op.name == "input":
        name = node.name
        if name in dims.RESERVED or not is_kept(name):
            raise ArgumentError(
                f"the input {name!r} cannot be a size by this name",
                [node.describe()],
                where=caller(),
                hint="give the input another name, such as 'k'",
            )
        return name
    taken = {name for _, name, _ in _known.values()}
    count = 1
    while f"size_{count}" in taken:
        count += 1
    return f"size_{count}"


def _alike(x: Node, y: Node) -> bool:
    """Whether two nodes compute the same of the same: counts of one mask, written twice."""
    waiting = [(x, y)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        a, b = waiting.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if a.op is not b.op or a.type != b.type or len(a.inputs) != len(b.inputs):
            return False
        if not a.op.pure or not all(map(_is_same, a.attrs, b.attrs)):
            return False
        waiting += zip(a.inputs, b.inputs)
    return True


def _is_same(x: Any, y: Any) -> bool:
    return x is y or (repr(x) == repr(y) and type(x[1]) is type(y[1]) and x == y)


__all__ = ["as_size", "dim", "expressed"]
