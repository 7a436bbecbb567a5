"""What goes with a graph without being said: state that its modules keep, memory of eager tensors.

A module in training that keeps running values, called with a symbolic tensor, writes them: its
result `implies` the new values, and each program that needs the result updates them. Parameters
that are eager tensors' memory are looked after before each call.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.core.ir import Node
from graphc.core.walk import substitute, toposort
from graphc.ops.source import Parameter, is_stream

_serial = itertools.count()
# By identity, since comparing nodes makes a node: the node, and when and what was written.
_implied: dict[int, tuple[weakref.ref[Node], int, dict[Parameter, Node]]] = {}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Watched(Parameter):
    """A parameter that is looked after before each call of a program.

    Attributes:
        watcher: makes of a program's parameters of this kind, and of those that it writes, what is
            called before each call.
    """

    watcher: Callable[[Sequence[Any], Container[Any]], Callable[[], None]] = None  # type: ignore[assignment]

    __hash__ = Node.__hash__


Watched.__setattr__ = Parameter.__setattr__  # type: ignore[method-assign]


def named_apart(bound: Iterable[Node]) -> dict[Node, Node]:
    """What stands in a program for those of its watched parameters that have another's name."""
    names: set[str] = set()
    new: dict[Node, Node] = {}
    for node in sorted(bound, key=lambda n: isinstance(n, Watched)):
        if not isinstance(node, Parameter):
            continue
        name, count = node.name, 1
        while (isinstance(node, Watched) or is_stream(node)) and name in names:
            count += 1
            name = f"{node.name}_{count}"
        names.add(name)
        if name != node.name:
            new[node] = twin = replace(node, attrs=(("name", name), ("type", node.type)))
            slots: tuple[str, ...] = type(node).__slots__
            for slot in slots:
                object.__setattr__(twin, slot, getattr(node, slot))
    return new


def watchers(parameters: Iterable[Any], written: Container[Any]) -> tuple[Callable[[], None], ...]:
    """What a program calls before each of its calls.

    Args:
        parameters: its own.
        written: those that it updates.
    """
    kinds: dict[Any, list[Watched]] = {}
    for node in parameters:
        if isinstance(node, Watched):
            kinds.setdefault(node.watcher, []).append(node)
    return tuple([watcher(nodes, written) for watcher, nodes in kinds.items()])


def imply(results: Iterable[Node], writes: Mapping[Parameter, Node]) -> None:
    """Let results bring new values of parameters along.

    Args:
        results: what was computed while these were written.
        writes: the new values, computed from the parameters as they were before.
    """
    serial = next(_serial)
    for result in results:
        key = id(result)
        ref = weakref.ref(result, lambda _, key=key: _implied.pop(key, None))  # type: ignore[misc]
        _implied[key] = ref, serial, dict(writes)


def implied(order: Mapping[Node, None], said: Iterable[Parameter]) -> dict[Parameter, Node]:
    """The new values that nodes bring along, each computed from those before.

    Args:
        order: the nodes of a graph.
        said: parameters whose new values are given.
    """
    entries: dict[int, dict[Parameter, Node]] = {}
    looked = dict(order)
    fresh = _entries(looked)
    while fresh:
        entries |= fresh
        values = [value for writes in fresh.values() for value in writes.values()]
        more = {n: None for n in toposort(values) if n not in looked}
        looked |= more
        fresh = _entries(more)
    known = set(said)
    found: dict[Parameter, Node] = {}
    for _, writes in sorted(entries.items()):
        new = [value for parameter, value in writes.items() if parameter not in known]
        values = substitute(new, dict[Node, Node](found.items()))
        found |= zip([p for p in writes if p not in known], values)
    return found


def _entries(nodes: Iterable[Node]) -> dict[int, dict[Parameter, Node]]:
    found = (_implied.get(id(n)) for n in nodes)
    return dict(entry[1:] for entry in found if entry is not None)


__all__ = ["Watched", "implied", "imply", "named_apart", "watchers"]
