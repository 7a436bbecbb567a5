"""Nested tuples, lists, dicts and dataclasses as flat lists of leaves, and back.

    leaves, shape = flatten({"h": h, "c": (c, 0.0)})    # [c, 0.0, h]: dicts in the order of keys
    shape.restore([1, 2, 3])                            # {"h": 3, "c": (1, 2)}
    shape.paths()                                       # ["['c'][0]", "['c'][1]", "['h']"]

`None` is a structure without leaves; everything else that is no tuple, list or dict is a leaf.
With `named`, dicts keep their own order, and users' dataclasses are structures of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tree:
    """The form of a nested structure: `form` is None for a leaf, NoneType for None, or the class
    of a container with its `keys` (of a dict, a named tuple or a dataclass) and `parts`."""

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
        if self.keys:
            return self.form(**dict(zip(self.keys, values)))
        return self.form(*values) if hasattr(self.form, "_fields") else self.form(values)

    def paths(self) -> list[str]:
        """How code would reach each leaf: `""` for a lone one, `"[0]['h']"`."""
        if self.form is None:
            return [""]
        keys = self.keys or range(len(self.parts))
        shown = "[{!r}]" if issubclass(self.form, list | dict) or not self.keys else ".{}"
        return [
            shown.format(k) + path for k, part in zip(keys, self.parts) for path in part.paths()
        ]

    def parts_of(self, value: object) -> list[Any] | None:
        """The parts of a value of this form, in order; None where it is of another.

        What has no names stands for what has, and the other way round for a dict of the names.
        """
        if isinstance(value, Mapping) and self.keys:
            return [value[k] for k in self.keys] if value.keys() == set(self.keys) else None
        if self.form is type(value) and self.keys and not issubclass(self.form, dict):
            return [getattr(value, key) for key in self.keys]
        if isinstance(value, list | tuple) and not issubclass(self.form, dict):
            return list(value) if len(value) == len(self.parts) else None
        return None

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
        if self.keys:
            named = ", ".join(f"{k}={s}" for k, s in zip(self.keys, inside))
            return f"{self.form.__name__}({named})"
        return f"({', '.join(inside)}{',' if len(inside) == 1 else ''})"


def flatten(value: object, named: bool = False) -> tuple[list[Any], Tree]:
    """The leaves of a nested structure in order, and its form.

    Args:
        value: the structure.
        named: whether what has names is taken by them: dicts in their own order, and the fields
            of named tuples and dataclasses.
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves, named)


def _flatten(value: Any, leaves: list[Any], named: bool) -> Tree:
    if value is None:
        return Tree(type(None))
    keys: tuple[Any, ...] = ()
    form: Any = type(value)
    if isinstance(value, dict):
        form, keys = dict, tuple(value) if named else _ordered(value)
        parts = [value[k] for k in keys]
    elif isinstance(value, tuple | list):
        keys = getattr(value, "_fields", ()) if named else ()
        parts = list(value)
    elif named and is_record(value):
        keys = tuple(field.name for field in fields(value))
        parts = [getattr(value, k) for k in keys]
    else:
        leaves.append(value)
        return Tree()
    return Tree(form, keys, tuple(_flatten(part, leaves, named) for part in parts))


def is_record(value: object) -> bool:
    """Whether a value is of a user's dataclass whose fields are all that it is made of."""
    if not is_dataclass(value) or isinstance(value, type):
        return False
    if type(value).__module__.partition(".")[0] in ("graphc", "passes", "runtime"):
        return False  # nodes, sizes, dtypes
    return all(field.init for field in fields(value))


def _ordered(value: dict[Any, Any]) -> tuple[Any, ...]:
    """A dict's keys, sorted where they can be: two dicts of equal keys have one form."""
    try:
        return tuple(sorted(value))
    except TypeError:
        return tuple(value)


def as_tuple(result: object) -> tuple[Any, ...]:
    """Several results as a tuple; one as a tuple of it."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)
