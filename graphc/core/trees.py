"""Nested tuples, lists and dicts as flat lists of leaves, and back.

    leaves, shape = flatten({"h": h, "c": (c, 0.0)})    # [c, 0.0, h]: dicts in the order of keys
    shape.restore([1, 2, 3])                            # {"h": 3, "c": (1, 2)}
    shape.paths()                                       # ["['c'][0]", "['c'][1]", "['h']"]

`None` is a structure without leaves; everything else that is no tuple, list or dict is a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tree:
    """The form of a nested structure: `form` is None for a leaf, NoneType for None, or the class
    of a container with its `keys` (of a dict) and `parts`."""

    form: Any = None
    keys: tuple[Any, ...] = ()
    parts: tuple[Tree, ...] = ()

    @property
    def count(self) -> int:
        """The number of leaves."""
        return 1 if self.form is None else sum(part.count for part in self.parts)

    def restore(self, leaves: Sequence[Any]) -> Any:
        """The structure with other leaves."""
        return self._restore(iter(leaves))

    def _restore(self, leaves: Any) -> Any:
        if self.form is None:
            return next(leaves)
        if self.form is type(None):
            return None
        values = [part._restore(leaves) for part in self.parts]
        if issubclass(self.form, dict):
            return dict(zip(self.keys, values))
        if hasattr(self.form, "_fields"):
            return self.form(*values)
        return self.form(values)

    def paths(self) -> list[str]:
        """How code would reach each leaf: `""` for a lone one, `"[0]['h']"`."""
        if self.form is None:
            return [""]
        keys = self.keys or range(len(self.parts))
        return [f"[{k!r}]{path}" for k, part in zip(keys, self.parts) for path in part.paths()]

    def __str__(self) -> str:
        if self.form is None:
            return "*"
        if self.form is type(None):
            return "None"
        inside = [str(part) for part in self.parts]
        if issubclass(self.form, dict):
            return "{" + ", ".join(f"{k!r}: {s}" for k, s in zip(self.keys, inside)) + "}"
        if issubclass(self.form, list):
            return f"[{', '.join(inside)}]"
        return f"({', '.join(inside)}{',' if len(inside) == 1 else ''})"


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """The leaves of a nested structure in order, and its form."""
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


def _flatten(value: Any, leaves: list[Any]) -> Tree:
    if value is None:
        return Tree(type(None))
    if isinstance(value, dict):
        keys = _ordered(value)
        return Tree(dict, keys, tuple(_flatten(value[k], leaves) for k in keys))
    if isinstance(value, tuple | list):
        return Tree(type(value), (), tuple(_flatten(v, leaves) for v in value))
    leaves.append(value)
    return Tree()


def _ordered(value: dict[Any, Any]) -> tuple[Any, ...]:
    """A dict's keys, sorted where they can be: two dicts of equal keys have one form."""
    try:
        return tuple(sorted(value))
    except TypeError:
        return tuple(value)
