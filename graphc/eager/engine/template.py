"""A call's arguments as a template: what a graph is made for, apart from the tensors in it.

placed((x, 2, [y, z]))      # (SLOT, 2, Listed.of(2)), [x, y, z]
fill(template, nodes)       # the arguments again, of nodes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from graphc.core.operators import Operators
from graphc.eager.engine.tensor import Tensor


class _Slot:
    """Stands for a tensor in the template of a call's arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "_"


class Listed:
    """Stands for a list of `count` tensors."""

    __slots__ = ("count",)
    _made: ClassVar[dict[int, Any]] = {}

    def __init__(self, count: int) -> None:
        self.count = count

    @classmethod
    def of(cls, count: int) -> Listed:
        """The one object for lists of this length, so that templates compare equal."""
        return cls._made.setdefault(count, cls(count))


SLOT: _Slot = _Slot()
ONE = (SLOT,)
TWO = (SLOT, SLOT)
Template: TypeAlias = tuple[Any, ...]
Static: TypeAlias = tuple[tuple[str, Any], ...]
_TENSORS = (np.ndarray, Operators)
_LISTS = (list, tuple)
# What is a setting where numbers are tensors.
_WORDS = (str, type(None), bool, type)


def placed(values: Iterable[Any], of_numbers: bool) -> tuple[Template, list[Any], bool]:
    """Positional arguments as a template, what stands in its slots, and whether all is eager.

    Args:
        values: tensors, symbolic ones, arrays, lists of tensors, and settings.
        of_numbers: whether numbers, and lists of them, are tensors too.
    """
    template: list[Any] = []
    tensors: list[Any] = []
    is_eager = True
    for value in values:
        if isinstance(value, Tensor):
            template.append(SLOT)
            tensors.append(value)
        elif isinstance(value, _LISTS) and value and _are_tensors(value, of_numbers):
            template.append(Listed.of(len(value)))
            tensors.extend(value)
            is_eager = is_eager and all(isinstance(v, Tensor) for v in value)
        elif isinstance(value, _TENSORS) or (of_numbers and not isinstance(value, _WORDS)):
            template.append(SLOT)
            tensors.append(value)
            is_eager = False
        else:
            template.append(static_value(value))
    return tuple(template), tensors, is_eager


def _are_tensors(values: Sequence[Any], of_numbers: bool) -> bool:
    """Whether a list is one of tensors, numbers beside them where those are tensors too."""
    return isinstance(values[0], Operators) and (
        of_numbers or all(isinstance(v, Operators) for v in values)
    )


def static_value(value: object) -> Any:
    """A setting in a form that can be a key."""
    if isinstance(value, list):
        return tuple(static_value(v) for v in value)
    if isinstance(value, np.integer):
        return int(value)
    if value.__class__ is Tensor and value.ndim == 0:
        return value.item()
    return value


def fill(template: Template, nodes: Sequence[Any]) -> list[Any]:
    """The positional arguments of a call, with its tensors in their places."""
    given = iter(nodes)
    found: list[Any] = []
    for item in template:
        if item is SLOT:
            found.append(next(given))
        elif isinstance(item, Listed):
            found.append([next(given) for _ in range(item.count)])
        else:
            found.append(item)
    return found


__all__ = ["ONE", "SLOT", "TWO", "Listed", "Static", "Template", "fill", "placed", "static_value"]
