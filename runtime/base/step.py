"""Steps: what the lowering gives the executable, one for each kernel launch.

A step names a kernel, where its arguments come from, and how far its parallel range goes. Sizes
are symbolic (`Size`) or computed from bound sizes; the executable evaluates them once for each
set of sizes. Nothing here holds an address.

    Step(kernel, (Value(x), Value(y), Number(n)), extent=n, grain=4096)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Graph, Node
from graphc.core.results import updated, value_of
from graphc.runtime.base.kernel import Kernel

Sized = Size | Callable[[Mapping[str, int]], int]


@dataclass(frozen=True, slots=True)
class Value:
    """The address of a node's result (the `index`-th of a node with several)."""

    node: Node
    index: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """An integer that the kernel reads from its arguments."""

    size: Sized


@dataclass(frozen=True, slots=True)
class Workspace:
    """The address of scratch memory; steps of one node share those of one key."""

    node: Node
    key: str
    nbytes: Sized


@dataclass(frozen=True, slots=True)
class StatusBlock:
    """The address of the run's status block (int64[8]); see `language.fail`."""


@dataclass(frozen=True, slots=True)
class Site:
    """The number (1, 2, ...) by which the status block names `node`, for the error message."""

    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """Two words: the address of the frame of a nested program, and that of its arena.

    `graph` is the program, whose inputs and outputs its caller points the frame's externals at;
    `steps` are its lowering; `key` tells it from the others of `node`.
    """

    node: Node
    key: str
    graph: Graph
    steps: tuple[Step, ...]


Argument = Value | Number | Workspace | StatusBlock | Site | Child


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel launch.

    `extent`: the kernel's parallel range is 0..extent, split over threads in multiples of
    `grain`; a range of at most one grain runs on one thread. `commit`: it writes program state,
    so it runs only when no error was recorded before. `node` is what it computes, for messages,
    profiles and lifetimes.
    """

    kernel: Kernel
    args: tuple[Argument, ...]
    extent: Sized
    node: Node
    grain: int = 1
    commit: bool = False
    notes: tuple[str, ...] = field(default=())


def is_operand(node: Node, argument: Value) -> bool:
    """Whether a value is another node's, which a step of `node` leaves as it is."""
    if argument.node is node:
        return False
    return value_of(argument.node, argument.index) not in updated(node)


def evaluate(size: Sized, sizes: Mapping[str, int]) -> int:
    """The value of a symbolic or computed size."""
    return size(sizes) if callable(size) else dims.evaluate(size, sizes)
