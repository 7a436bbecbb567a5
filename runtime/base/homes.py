"""Where the values of a program live, in which order its steps run, and the copies it needs.

A value (a node's k-th result) lives in one of three homes: memory of the call (an input, an
output), a parameter's or constant's own memory, or the arena. Values that share memory in place
have one home. Three things need a copy: a result that is an input or another result, a new value
of a parameter that was not computed in place, and one that reads what another update writes.

Homes are compared by identity. Steps that write state come last, so that a program whose status
is not clean stops before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphc.core.dims import Size
from graphc.core.ir import Graph, Kind, Node, is_checked, tensor_type
from graphc.core.results import Value, results, shared_with, value_of, written_over
from graphc.core.types import TupleType
from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Step

COPY = Kernel(
    "copy_bytes",
    """\
def copy_bytes(args, lo, hi):
    x = buffer(args, 0, u8)
    y = buffer(args, 1, u8)
    for i in range(lo, hi):
        y[i] = x[i]
""",
)
# A copy of fewer bytes runs on one thread.
COPY_GRAIN = 1 << 18


@dataclass(frozen=True, slots=True)
class External:
    """The `position`-th pointer that a call brings: inputs first, then outputs."""

    position: int


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The memory of a parameter or a constant: a placeholder of the graph."""

    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A place in the arena, for the value `key`."""

    key: Value


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A place in the arena that nobody shares: the old value of a parameter on its way."""

    node: Node


Home = External | Held | Planned | Staged


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """The bytes of a value moved from one home to another."""

    source: Home
    target: Home
    node: Node
    index: int = 0


@dataclass(slots=True)
class Homes:
    """Every value's home, and the program's steps and copies in the order in which they run.

    From step `commits_from` on, steps may write state.
    """

    of: dict[Value, Home] = field(default_factory=dict)
    steps: list[Step | Copy] = field(default_factory=list)
    commits_from: int = 0


def _writes_state(node: Node, roots: Mapping[Value, Value]) -> bool:
    over = [value_of(node.inputs[k]) for _, k in written_over(node)]
    return any(hasattr(roots.get(value, value)[0], "state") for value in over)


def settle(graph: Graph, steps: Sequence[Step]) -> Homes:
    """Give every value a home and every step its turn.

    Args:
        graph: the final graph. Nodes that write state in place come last. Its outputs that are
            not aliases are the call's results.
        steps: what the lowering made of it, in the graph's order.

    Raises:
        InternalError: a step that may fail comes after one that writes state.
    """
    homes = Homes()
    roots = shared_with(graph)
    inputs = [node for node in graph.inputs if not hasattr(node, "state")]
    for node in graph.inputs:
        homes.of[(node, 0)] = Held(node)
    for position, node in enumerate(inputs):
        homes.of[(node, 0)] = External(position)
    aliased = dict(graph.aliases)
    returned = [output for k, output in enumerate(graph.outputs) if k not in aliased]
    early: list[Copy] = []
    late: list[Copy] = []
    for number, output in enumerate(returned, len(inputs)):
        key = value_of(output)
        root = roots.get(key, key)
        if root not in homes.of:
            homes.of[root] = External(number)
            continue
        home = homes.of[root]
        if key in roots and isinstance(home, External) and home.position < len(inputs):
            continue  # the new value of a carry, in the carry's own memory
        is_placeholder = key[0].op.kind is Kind.SOURCE
        copy = Copy(home, External(number), key[0], key[1])
        (early if is_placeholder else late).append(copy)
    for node in graph.nodes:
        for index in results(node):
            key = value_of(node, index)
            root = roots.get(key, key)
            homes.of[key] = homes.of.setdefault(root, Planned(root))
    commits = _commits(graph, homes, early)
    writers = {step.node for step in steps if step.commit or _writes_state(step.node, roots)}
    first = next((k for k, step in enumerate(steps) if step.node in writers), len(steps))
    for step in steps[first:]:
        if is_checked(step.node):
            raise InternalError(f"{step.kernel.name} may fail after state has been written")
    homes.commits_from = first + len(early)
    homes.steps = [*steps[:first], *early, *steps[first:], *commits, *late]
    return homes


def _commits(graph: Graph, homes: Homes, early: list[Copy]) -> list[Copy]:
    """The copies that give parameters their new values; adds to `early` what these need."""
    written = {graph.inputs[position] for _, position in graph.aliases}
    found = []
    for output, position in graph.aliases:
        target = homes.of[(graph.inputs[position], 0)]
        node, index = value_of(graph.outputs[output])
        source = homes.of[(node, index)]
        if source is target:
            continue
        # The new value is the old one of a parameter that may be written before it is read.
        if node in written:
            staged = Staged(node)
            early.append(Copy(source, staged, node, index))
            source = staged
        found.append(Copy(source, target, node, index))
    return found


def nbytes(node: Node, index: int = 0) -> Size:
    """The bytes of a value, symbolic where its shape is."""
    if isinstance(node.type, TupleType):
        return node.type.items[index].nbytes
    return tensor_type(node).nbytes
