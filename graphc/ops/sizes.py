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
from collections.abc import Callable, Mapping
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
    "cast": lambda x: x,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
}
_Facts = tuple[int, "int | None", int]
_Entry = tuple["weakref.ref[Node]", str, _Facts]
# Nodes whose values are sizes, by identity: the node, the symbol's name, its facts.
_known: dict[int, _Entry] = {}
# Those that may compute the same, together.
_alike_ones: dict[int, dict[int, _Entry]] = {}


def dim(
    name: str | Operators, *, min: int = 0, max: int | None = None, multiple_of: int = 1
) -> Dim:
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
        return dims.dim(name, min=min, max=max, multiple_of=multiple_of)  # type: ignore[arg-type]
    return _of_node(_checked("dim", name), (min, max, multiple_of))


def as_size(what: str, value: object) -> Any:
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
    sizes: dict[Node, Size] = {}
    for each in toposort([node], stop=_is_leaf):
        if each.op.name in ("full", "size"):
            sizes[each] = each.attr("value" if each.op.name == "full" else "size")
        elif _is_leaf(each):
            sizes[each] = leaf(each)
        else:
            sizes[each] = _ARITHMETIC[each.op.name](*[sizes[i] for i in each.inputs])
    return sizes[node]


def _is_leaf(node: Node) -> bool:
    """Whether a tensor is no arithmetic of sizes."""
    if node.op.name not in _ARITHMETIC or node.dtype is not dtypes.int64:
        return True
    if node.op.name in ("floor_divide", "remainder"):
        divisor = node.inputs[1]
        return divisor.op.name != "full" or divisor.attr("value") <= 0
    return node.op.name == "cast" and not node.inputs[0].dtype.is_integer


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
    found = _known.get(id(node))
    if found is None:
        place = _hash(node)
        twins = [*_alike_ones.get(place, {}).values()]
        found = next((e for e in twins if (x := e[0]()) is not None and _alike(x, node)), None)
    if found is None:
        name = _name(node)
        dims.dim(name, **dict(zip(("min", "max", "multiple_of"), facts or ())))  # type: ignore[arg-type]
        key = id(node)
        ref = weakref.ref(node, lambda _: _forget(key, place))
        found = _known[key] = ref, name, facts or (0, None, 1)
        _alike_ones.setdefault(place, {})[key] = found
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


def _forget(key: int, place: int) -> None:
    _known.pop(key, None)
    together = _alike_ones.get(place, {})
    together.pop(key, None)
    if not together:
        _alike_ones.pop(place, None)


def _hash(node: Node) -> int:
    """A number that nodes which compute the same have in common."""
    return hash((node.type, *[each.op.name for each in toposort([node])]))


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
    if x.op is not y.op or x.type != y.type:
        return False
    left, right = list(toposort([x])), list(toposort([y]))
    places = {node: k for k, node in enumerate(left)}, {node: k for k, node in enumerate(right)}
    return len(left) == len(right) and all(
        a is b or (a.op.pure and _key(a, places[0]) == _key(b, places[1]))
        for a, b in zip(left, right)
    )


def _key(node: Node, places: Mapping[Node, int]) -> tuple[object, ...]:
    """What a node computes, its operands by their places."""
    attrs = [(name, type(value), repr(value), value) for name, value in node.attrs]
    return node.op, node.type, attrs, [places[i] for i in node.inputs]


__all__ = ["as_size", "dim", "expressed"]
