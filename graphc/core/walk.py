"""Walks over graphs: what depends on what, in which order, and graphs built again.

    order = toposort((loss,))              what the loss needs, operands before users
    (z,) = substitute((y,), {x: w})        y computed of w where it was of x
    rebuild(graph, visit)                  each node replaced by what `visit` makes of it

This is the one place that follows operands by a stack, or builds a graph again node by node
(`tests/whole/test_walks.py` finds others). Nothing recurses, so a chain of 100,000 nodes is a
graph like any other; each node is visited once; orders are the program's own, never a set's.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from graphc.core.origin import keep_label, made_for

if TYPE_CHECKING:  # they stand above: a graph is made by a walk
    from graphc.core.ir import Graph, Node

T = TypeVar("T")
_operands = operator.attrgetter("inputs")


def postorder(
    roots: Iterable[T], needs: Callable[[T], Iterable[T]], done: Container[T]
) -> Iterator[T]:
    """Whatever roots need, each thing after all that it needs itself.

    Args:
        roots: where to begin.
        needs: what a thing needs; asked once, before anything that it needs is given.
        done: things that are not looked at; the caller enters here each that it is given.

    Example:
        >>> from graphc.core.walk import postorder
        >>> found = {}
        >>> for task in postorder(["eat"], {"eat": ["cook"], "cook": []}.get, found):
        ...     found[task] = None
        >>> list(found)
        ['cook', 'eat']
    """
    for root in roots:
        if root in done:
            continue
        path = [(root, iter(needs(root)))]
        while path:
            thing, rest = path[-1]
            for other in rest:
                if other not in done:
                    path.append((other, iter(needs(other))))
                    break
            else:
                path.pop()
                yield thing


def reach(starts: Iterable[T], near: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """What chains of `near` lead to, each thing once, the starts included; the last first.

    Args:
        starts: where to begin.
        near: what a thing leads to; asked after the caller has seen the thing.

    Example:
        >>> from graphc.core.walk import reach
        >>> list(reach([6], lambda n: [n // 2, n - 1] if n else []))
        [6, 5, 4, 3, 2, 1, 0]
    """
    seen: set[T] = set()
    stack = list(starts)
    while stack:
        thing = stack.pop()
        if thing not in seen:
            seen.add(thing)
            yield thing
            stack.extend(near(thing))


def toposort(
    roots: Iterable[Node],
    order: dict[Node, None] | None = None,
    stop: Callable[[Node], bool] | None = None,
) -> dict[Node, None]:
    """Everything the roots need, operands before users.

    Args:
        roots: nodes to reach.
        order: an order to extend in place; what it holds is not visited again.
        stop: nodes for which it holds are in the order, but their operands are not looked at.

    Returns:
        The order, as the keys of a dict.

    Example:
        >>> import graphc as gc
        >>> from graphc.core.walk import toposort
        >>> x = gc.input("x", (3,))
        >>> [node.name for node in toposort([gc.exp(x) + x])]
        ['x', 'exp', 'add']
    """
    order = {} if order is None else order
    needs = _operands if stop is None else lambda node: () if stop(node) else node.inputs
    for node in postorder(roots, needs, order):
        order[node] = None
    return order


def dependents(nodes: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The sources, and those of some nodes that depend on any of them.

    Args:
        nodes: with operands before users.
        sources: any nodes.

    Example:
        >>> import graphc as gc
        >>> from graphc.core.walk import dependents, toposort
        >>> x, y = gc.input("x", (3,)), gc.input("y", (3,))
        >>> z = gc.exp(x)
        >>> order = list(toposort([z * y]))
        >>> [node.name for node in order if node in dependents(order, [x])]
        ['x', 'exp', 'multiply']
    """
    found = set(sources)
    for node in nodes:
        if not found.isdisjoint(node.inputs):
            found.add(node)
    return found


def needed(nodes: Sequence[Node], roots: Iterable[Node]) -> set[Node]:
    """The roots, and the operands of those of some nodes that the roots need.

    Args:
        nodes: with operands before users; what stands elsewhere is not looked through.
        roots: any nodes.
    """
    found = set(roots)
    for node in reversed(nodes):
        if node in found:
            found.update(node.inputs)
    return found


def remade(node: Node, new: Mapping[Node, Node]) -> Node:
    """A node on what stands for its operands; itself when these are."""
    return node.with_inputs([new[operand] for operand in node.inputs])


def substitute(
    roots: Iterable[Node],
    new: dict[Node, Node],
    make: Callable[[Node, Mapping[Node, Node]], Node] = remade,
) -> list[Node]:
    """The roots, with nodes replaced.

    Args:
        roots: nodes of any graph.
        new: what stands for nodes, whose operands are not looked at; it gets all that was built.
        make: builds a node again: `make(node, new)`, where `new` has its operands.

    Returns:
        What stands for each of the roots.

    Example:
        >>> import graphc as gc
        >>> from graphc.core.walk import substitute
        >>> x, w = gc.input("x", (3,)), gc.input("w", (3,))
        >>> (y,) = substitute([gc.exp(x)], {x: w})
        >>> y.inputs[0] is w
        True
    """
    roots = list(roots)
    for node in postorder(roots, _operands, new):
        new[node] = make(node, new)
    return [new[root] for root in roots]


def remake(graph: Graph, make: Callable[[Node, dict[Node, Node]], Node | None]) -> Graph:
    """A graph whose nodes are made anew, in its order.

    Args:
        graph: what to build again; its inputs are kept.
        make: what stands for a node: `make(node, new)`, where `new` says what stands for those
            before it; None for nodes that nothing needs any more. It may be `remade(node, new)`.
            Nodes that it builds have the origin of the node they are for.

    Returns:
        The new nodes where the old ones stood, each with whatever new operands it brings just
        before it.
    """
    new: dict[Node, Node] = {node: node for node in graph.inputs}
    order: dict[Node, None] = dict.fromkeys(graph.inputs)
    with made_for() as origin:
        for node in graph.nodes:
            if node in new:
                continue
            origin(node)
            result = make(node, new)
            if result is None:
                continue
            new[node] = result
            if result not in order:
                keep_label(node, result)
            if all(map(order.__contains__, result.inputs)):
                order[result] = None
            else:
                toposort((result,), order)
    outputs = tuple(new[output] for output in graph.outputs)
    return dataclasses.replace(graph, nodes=tuple(order), outputs=outputs)


def rebuild(graph: Graph, visit: Callable[[Node], Node]) -> Graph:
    """Apply `visit` to every node in order, its operands already replaced.

    Nodes that `visit` returns are placed where the old node stood, with whatever new operands
    they bring just before them. Inputs are kept.
    """
    return remake(graph, lambda node, new: visit(node.with_inputs([new[i] for i in node.inputs])))


__all__ = [
    "dependents", "needed", "postorder", "reach", "rebuild", "remade", "remake", "substitute",
    "toposort",
]  # fmt: skip
