"""One count of structural changes: parameters, submodules, hooks and flags that were set anew.

A compiled program relies on what modules and optimizers hold. As long as nothing anywhere was
registered, replaced or switched, the count stays, and one comparison says that all of it holds.

    before = changes.count
    model.eval()
    changes.count > before
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any


class _Changes:
    """How often the structure of any module, optimizer or parameter was changed."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


changes = _Changes()


def _counted(base: type, name: str) -> Any:
    original = getattr(base, name)

    def method(self: object, *args: object, **kwargs: Any) -> Any:
        changes.count += 1
        return original(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = original.__doc__
    return method


_WRITES = (
    "__setitem__", "__delitem__", "__ior__", "pop", "popitem", "clear", "update", "setdefault",
)  # fmt: skip


class CountedDict(dict[Any, Any]):
    """A dict whose writes are counted in `changes`; its copies and pickles are plain dicts."""

    def __reduce_ex__(self, protocol: object) -> Any:
        return dict, (dict(self),)


class CountedStates(defaultdict[Any, Any]):
    """A defaultdict of counted dicts whose writes are counted too."""

    def __init__(self) -> None:
        super().__init__(CountedDict)

    def __reduce_ex__(self, protocol: object) -> Any:
        return _restored, (dict(self),)


def _restored(items: dict[Any, Any]) -> CountedStates:
    states = CountedStates()
    dict.update(states, {key: counted(value) for key, value in items.items()})
    return states


for _name in _WRITES:
    setattr(CountedDict, _name, _counted(dict, _name))
    setattr(CountedStates, _name, _counted(defaultdict, _name))


def counted(items: object) -> Any:
    """A plain dict as a counted one; anything else as it is."""
    return CountedDict(items) if type(items) is dict else items


__all__ = ["CountedDict", "CountedStates", "changes", "counted"]
