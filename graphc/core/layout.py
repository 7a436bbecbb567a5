"""How values go into and come out of a program's calls: in the structures that `compile` was given.

    gc.compile([x, {"w": w, "b": b}], {"loss": loss})
    program(images, {"w": 1.0, "b": 0.0})                  {"loss": ...}

An argument is an entry of the inputs: a tensor, or a structure of them. What a call leaves out of
the inputs has a value that was given before: a default, or one that `partial` fixed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.core.arguments import as_array, bind_sizes
from graphc.core.ir import Node, caller
from graphc.core.trees import Tree, flatten
from graphc.errors import ArgumentError


@dataclass(frozen=True, slots=True)
class Layout:
    """The forms of a call.

    Attributes:
        tree: of the results.
        takes: the arguments in order, each with a key (of a dict, "" where it has none) and the
            form of its tensors; None where each input is an argument of its own.
        given: values of inputs that a call need not give, by name.
        fixed: the names of those that it cannot give.
        casting: which arrays of other dtypes calls take, one of `CASTINGS`.
    """

    tree: Tree
    takes: tuple[tuple[str, Tree], ...] | None = None
    given: Mapping[str, np.ndarray] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    casting: str = "equiv"

    @staticmethod
    def of(outputs: object) -> tuple[Layout, list[Any]]:
        """The layout of what a user gave as outputs, and its items in order."""
        leaves, tree = flatten(dict(outputs) if isinstance(outputs, Mapping) else outputs, True)
        return Layout(tree), leaves

    @property
    def is_plain(self) -> bool:
        """Whether a call's positional arguments are the arrays of all inputs."""
        return self.takes is None and not self.fixed

    def restorer(self) -> Callable[[list[Any]], Any]:
        """The function that gives a list of values the form that the outputs had."""
        form = self.tree.form
        if form is None:
            return operator.itemgetter(0)
        is_flat = all(part.form is None for part in self.tree.parts)
        if form in (list, tuple) and is_flat:
            return tuple if form is tuple else _itself
        return self.tree.restore

    def label(self, position: int) -> str:
        """How messages name an output."""
        path = self.tree.paths()[position]
        if not path:
            return "the output"
        is_flat = path.startswith("[") and path.index("]") == len(path) - 1
        return f"output {path[1:-1] if is_flat else path}"

    def split(self, name: str, out: object, count: int) -> list[Any]:
        """What a user gave as `out=`, one entry an output (None where it has none)."""
        return _split(name, self.tree, out)


def _itself(values: list[Any]) -> Any:
    return values


def _split(name: str, tree: Tree, out: object) -> list[Any]:
    if tree.form is None:
        return [out]
    if tree.form is type(None):
        return []
    if issubclass(tree.form, dict):
        if not isinstance(out, Mapping) or not set(out) <= set(tree.keys):
            raise ArgumentError(
                f"{name}: out must be a dict with keys among {list(tree.keys)}", where=caller()
            )
        parts = [out.get(key) for key in tree.keys]
    else:
        found = tree.parts_of(out)
        if found is None:
            form = f"{len(tree.parts)} arrays" if tree.count == len(tree.parts) else f"form {tree}"
            raise ArgumentError(f"{name}: out must be a list or tuple of {form}", where=caller())
        parts = found
    none = ([None] * part.count if p is None and part.form is not None else None
            for part, p in zip(tree.parts, parts))  # fmt: skip
    split = [n or _split(name, part, p) for n, part, p in zip(none, tree.parts, parts)]
    return [array for part in split for array in part]


def arguments(inputs: object) -> tuple[tuple[tuple[str, Tree], ...] | None, list[Any]]:
    """What a user gave as inputs: the arguments of calls, and the tensors in order.

    Args:
        inputs: a tensor, or a structure: its entries are the arguments.
    """
    leaves, tree = flatten(dict(inputs) if isinstance(inputs, Mapping) else inputs, True)
    if tree.form is None or (all(part.form is None for part in tree.parts) and not tree.keys):
        return None, leaves
    keys = map(str, tree.keys) if tree.keys else ("" for _ in tree.parts)
    return tuple(zip(keys, tree.parts)), leaves


def arrange(
    name: str, inputs: Sequence[Node], layout: Layout, args: Sequence[Any], named: Mapping[str, Any]
) -> list[Any]:
    """The arguments of a call in the inputs' order.

    Args:
        name: the program, for messages.
        inputs: its inputs.
        layout: what calls give.
        args: positional arguments.
        named: arguments by key, or tensors by the names of inputs.

    Raises:
        ArgumentError: too many, too few, of another form, a name that no input has, or one given
            twice.
    """
    found = {**layout.given, **_found(name, inputs, layout, args, named)}
    if missing := [node for node in inputs if node.name not in found]:
        raise ArgumentError(
            f"{_takes(name, _entries(inputs, layout))}, got {len(args) + len(named)}",
            [f"missing: {node.name}: {node.type}" for node in missing],
            where=caller(),
        )
    return [found[node.name] for node in inputs]


def _found(
    name: str, inputs: Sequence[Node], layout: Layout, args: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """What the arguments of a call give inputs, by name."""
    entries = _entries(inputs, layout)
    if len(args) > len(entries):
        raise ArgumentError(f"{_takes(name, entries)}, got {len(args)}", where=caller())
    by_key = {entry.key: entry for entry in entries if entry.key}
    found: dict[str, Any] = {}
    for position, value in enumerate(args):
        found |= entries[position].leaves(name, value)
    for key, value in named.items():
        entry = by_key.get(key)
        if entry is None and (key in layout.fixed or not any(key in e.names for e in entries)):
            listed = ", ".join(e.label for e in entries)
            fixed = f"{key} has a value already; " if key in layout.fixed else ""
            raise ArgumentError(
                f"{name}() has no input {key!r}",
                where=caller(),
                hint=f"{fixed}its inputs are {listed}",
            )
        new = {key: value} if entry is None else entry.leaves(name, value)
        if not found.keys().isdisjoint(new):
            raise ArgumentError(f"{name}() got input {key!r} twice", where=caller())
        found |= new
    return found


def _takes(name: str, entries: Sequence[_Entry]) -> str:
    listed = f" ({', '.join(e.label for e in entries)})" if entries else ""
    return f"{name}() takes {_count(len(entries), 'input')}{listed}"


def given_values(
    name: str, inputs: Sequence[Node], layout: Layout, args: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Copies of the arrays that some arguments give inputs, by name.

    Raises:
        ArgumentError, DTypeError, ShapeError: one is not what the input takes.
    """
    found = _found(name, inputs, layout, args, named)
    nodes = [node for node in inputs if node.name in found]
    arrays = [as_array(node, found[node.name], layout.casting).copy() for node in nodes]
    bind_sizes(nodes, arrays)
    return {node.name: array for node, array in zip(nodes, arrays)}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One argument of a call: the key by which it is given, or "", its form, its inputs' names."""

    key: str
    tree: Tree
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """How messages name it."""
        if self.tree.form is None:
            return self.key
        form = self.tree.restore([_Shown(name) for name in self.names])
        return f"{self.key}: {form!r}" if self.key else repr(form)

    def leaves(self, name: str, value: object) -> dict[str, Any]:
        """The arrays of a value, by the names of inputs."""
        return dict(zip(self.names, _leaves(self.tree, value, name, self.label)))


class _Shown(str):
    """A name that a structure shows without quotes."""

    __repr__ = str.__str__


def _leaves(tree: Tree, value: object, name: str, label: str) -> list[Any]:
    if tree.form is None:
        return [value]
    if tree.form is type(None) and value is None:
        return []
    parts = None if tree.form is type(None) else tree.parts_of(value)
    if parts is None:
        raise ArgumentError(
            f"{name}(): an argument is a {type(value).__name__} of another form: {value!r:.60}",
            where=caller(),
            hint=f"give {label}",
        )
    found = [_leaves(part, p, name, label) for part, p in zip(tree.parts, parts)]
    return [leaf for part in found for leaf in part]


def _entries(inputs: Sequence[Node], layout: Layout) -> list[_Entry]:
    """The arguments that calls can give."""
    names = [node.name for node in inputs]
    if layout.takes is None:
        return [_Entry(n, Tree(), (n,)) for n in names if n not in layout.fixed]
    found, start = [], 0
    for key, tree in layout.takes:
        own = tuple(names[start : start + tree.count])
        start += tree.count
        found.append(_Entry(key or (own[0] if tree.form is None else ""), tree, own))
    return [e for e in found if not e.names or not layout.fixed.issuperset(e.names)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


__all__ = ["Layout", "arguments", "arrange", "given_values"]
