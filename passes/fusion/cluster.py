"""Clusters: groups of nodes that become one kernel."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.core.ir import Node
from graphc.core.types import Shape
from graphc.loops.spaces import Axes

MOST_NODES = 96
MOST_OPERANDS = 24
# How many clusters that read a tensor are tried as company for one more reader.
MOST_SIBLINGS = 2


@dataclass(slots=True, eq=False)
class Cluster:
    """One future kernel.

    `members` in order; `operands` is what they read; `before` is the set (as bits) of clusters
    that this one depends on; `shape` is that of all members where they are elementwise. As of the
    last time its nests were planned, `axes` are the atoms of its nodes (see `loops.spaces`) and
    `spaces` those of its results.
    """

    number: int
    members: list[Node] = field(default_factory=list)
    operands: set[Node] = field(default_factory=set)
    before: int = 0
    bits: int = 0
    open: bool = True
    shape: Shape | None = None
    axes: dict[Node, Axes] = field(default_factory=dict)
    spaces: set[frozenset[int]] = field(default_factory=set)
