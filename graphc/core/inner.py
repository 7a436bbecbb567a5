"""Inputs of bodies, which have a value only inside of a loop or a branch, by identity."""

from __future__ import annotations

import weakref

from graphc.core.ir import Node

_placeholders: weakref.WeakValueDictionary[int, Node] = weakref.WeakValueDictionary()


def as_placeholder(node: Node) -> Node:
    """Enter a body's input, and give it back."""
    _placeholders[id(node)] = node
    return node


def is_placeholder(node: Node) -> bool:
    """Whether a node is the input of a body, which has a value only inside of it."""
    return _placeholders.get(id(node)) is node


__all__ = ["as_placeholder", "is_placeholder"]
