"""Functions that see when objects go: nothing that follows a first call holds them longer."""

from __future__ import annotations

import gc as garbage
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import graphc as gc


class Thing:
    """An object of the user's."""

    def __init__(self, k: float = 3.0) -> None:
        self.k = k


class Child:
    """Knows what holds it, weakly."""

    def __init__(self, parent: Any) -> None:
        self.parent = weakref.ref(parent)


_kept = Thing()
_kept_child = Child(_kept)
_of_kept = [weakref.ref(_kept)]
_table: Any = weakref.WeakValueDictionary()


def _reference(x: Any) -> Any:
    y = x * 2
    seen = weakref.ref(y)
    del y
    return x + (1 if seen() is None else 2)


def _reference_to_object(x: Any) -> Any:
    one: Any = Thing()
    seen = weakref.ref(one)
    one = None
    return x + (1 if seen() is None else 2)


def _of_a_temporary(x: Any) -> Any:
    return x + (1 if weakref.ref(x * 2)() is None else 2)


def _proxy(x: Any) -> Any:
    one = Thing()
    seen = weakref.proxy(one)
    del one
    try:
        return x * seen.k
    except ReferenceError:
        return x * 10


def _weak_table(x: Any) -> Any:
    _table["a"] = x * 3
    one = _table["b"] = Thing()
    before = len(_table)
    del one
    return x + before + 10 * len(_table)


def _weak_set(x: Any) -> Any:
    known: Any = weakref.WeakSet()
    one = x * 2
    known.add(one)
    before = len(known)
    del one
    return x + before + 10 * len(known)


def _weak_keys(x: Any) -> Any:
    cache: Any = weakref.WeakKeyDictionary()
    key = Thing()
    cache[key] = x * 2
    before = len(cache)
    del key
    return x + before + 10 * len(cache)


def _finalizer(x: Any) -> Any:
    log: list[int] = []
    one, two = Thing(), x * 2
    for each in (one, two):
        weakref.finalize(each, log.append, 1)
    del one, two, each
    return x + len(log)


def _method(x: Any) -> Any:
    one = Thing()
    one.act = lambda: 1.0  # type: ignore[attr-defined]
    seen = weakref.ref(one.act)  # type: ignore[attr-defined]
    del one
    return x + (1 if seen() is None else 2)


def _cycle(x: Any) -> Any:
    one = Thing()
    one.me = one  # type: ignore[attr-defined]
    seen = weakref.ref(one)
    del one
    before = seen() is None
    garbage.collect()
    return x + before + 2 * (seen() is None)


def _in_a_helper(x: Any) -> Any:
    y = x * 2
    seen = (lambda z: weakref.ref(z))(y)
    before = seen() is None
    y = None
    return x + before + 2 * (seen() is None)


def _parents(x: Any) -> Any:
    return x * _kept_child.parent().k + _of_kept[0]().k  # type: ignore[union-attr]


@pytest.mark.parametrize("tier", ["auto", "checked"])
@pytest.mark.parametrize(
    "function",
    [_reference, _reference_to_object, _of_a_temporary, _proxy, _weak_table, _weak_set,
     _weak_keys, _finalizer, _method, _cycle, _in_a_helper, _parents],
)  # fmt: skip
def test_objects_go_when_they_go_eagerly(function: Callable[..., Any], tier: str) -> None:
    wanted = function(gc.ones(2)).tolist()
    compiled = gc.jit.compile(function, tier=tier)
    assert [compiled(gc.ones(2)).tolist() for _ in range(3)] == [wanted] * 3
