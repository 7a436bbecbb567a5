"""Which axes of a body's nodes run together: every axis as a product of atoms.

An atom is one loop. Elementwise ops run their operands' atoms together, a broadcast adds some, a
reduction drops some, a transpose orders them anew, and a reshape cuts an atom in two or writes two
as one axis:

    x: f32[n, 6]             (a)(b)      the atom b of size 6 is cut into c and d
    r: f32[n, 2, 3]          (a)(c)(d)
    s: f32[n] = sum(x)       (a)

Numbers written in the graph have no atoms: each use of them may run otherwise. What a slice, a pad
or a gather reads runs with it along the axes that it leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.dims import Size
from graphc.core.ir import Graph, IndexMap, Kind, Node, tensor_type
from graphc.ops.arrays.movement import aligned_groups

Axes = tuple[tuple[int, ...], ...]


class Tangled(Exception):
    """Two axes of one node would have to run together, or shapes do not match up."""


@dataclass
class Spaces:
    """The atoms of a body.

    Attributes:
        axes: for each node that runs with the results, its axes as atoms (see `of`).
        reads: for each reduction, the axes of its operand likewise.
        sizes: the size of each atom.
    """

    axes: dict[Node, Axes] = field(default_factory=dict)
    reads: dict[Node, Axes] = field(default_factory=dict)
    sizes: list[Size] = field(default_factory=list)
    _parent: list[int] = field(default_factory=list)
    _parts: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def fresh(self, size: Size) -> tuple[int, ...]:
        """A new axis: one atom, or none for size 1."""
        if size == 1:
            return ()
        self.sizes.append(size)
        self._parent.append(len(self._parent))
        return (len(self._parent) - 1,)

    def resolve(self, atoms: Iterable[int]) -> tuple[int, ...]:
        """The atoms as they are now: joined with others, cut into parts."""
        found: list[int] = []
        for atom in atoms:
            while (parent := self._parent[atom]) != atom:
                self._parent[atom] = self._parent[parent]  # so that long chains are walked once
                atom = parent
            parts = self._parts.get(atom)
            found += (atom,) if parts is None else self.resolve(parts)
        return tuple(found)

    def of(self, node: Node) -> Axes:
        """A node's axes as atoms."""
        return tuple(self.resolve(axis) for axis in self.axes[node])

    def reduced(self, node: Node) -> tuple[int, ...]:
        """The atoms that a reduction drops."""
        axes = node.attr("axes")
        return self.resolve(a for k, axis in enumerate(self.reads[node]) if k in axes for a in axis)

    def read(self, node: Node) -> Axes:
        """The axes of a reduction's operand as atoms."""
        return tuple(self.resolve(axis) for axis in self.reads[node])

    def space(self, node: Node) -> frozenset[int]:
        """All atoms of a node."""
        return frozenset(atom for axis in self.of(node) for atom in axis)

    def join(self, left: Sequence[int], right: Sequence[int]) -> None:
        """Make two axes, or runs of axes, the same atoms.

        Raises:
            Tangled: no cut makes them equal.
        """
        a, b = list(self.resolve(left)), list(self.resolve(right))
        while a and b:
            x, y = a[0], b[0]
            if x == y or self.sizes[x] == self.sizes[y]:
                self._parent[y] = x
                a, b = a[1:], b[1:]
            elif (count := self._covers(x, b)) > 1:
                self._cut(x, tuple(b[:count]))
                a, b = a[1:], b[count:]
            elif (count := self._covers(y, a)) > 1:
                self._cut(y, tuple(a[:count]))
                a, b = a[count:], b[1:]
            else:
                raise Tangled
            a, b = list(self.resolve(a)), list(self.resolve(b))
        if a or b:
            raise Tangled

    def _covers(self, atom: int, others: Sequence[int]) -> int:
        """How many of the others an atom is the product of; 0 if it is not."""
        total: Size = 1
        for count, other in enumerate(others, 1):
            total = total * self.sizes[other]
            if total == self.sizes[atom]:
                return count
        return 0

    def _cut(self, atom: int, parts: tuple[int, ...]) -> None:
        if atom in parts:
            raise Tangled
        self._parts[atom] = parts


def links(node: Node) -> list[tuple[int, ...]]:
    """For each axis of each operand of a movement, the axis of the result that it is, or -1."""
    fact = node.op.lowering
    assert isinstance(fact, IndexMap)
    shape = tensor_type(node).shape
    symbols = tuple(dims.symbol(Symbol(f"@axis{k}", 0, size - 1)) for k, size in enumerate(shape))
    found = [[-1] * tensor_type(x).rank for x in node.inputs]

    def note(operand: int, index: tuple[Size, ...]) -> None:
        for axis, x in enumerate(index):
            if isinstance(x, int):
                continue
            place = next((k for k, s in enumerate(symbols) if s == x), -1)
            same = place >= 0 and tensor_type(node.inputs[operand]).shape[axis] == shape[place]
            found[operand][axis] = place if same else -1

    def read(operand: int, index: tuple[Size, ...]) -> Size:
        note(operand, index)
        return dims.symbol(Symbol("@read"))

    for piece in fact.pieces(node, symbols, read):
        if piece.operand is not None:
            note(piece.operand, piece.index)
    return [tuple(axes) for axes in found]


def is_flat(node: Node) -> bool:
    """Whether a movement keeps the row-major order of its one operand."""
    return isinstance(node.op.lowering, IndexMap) and node.op.lowering.flat


def spaces(body: Graph, loads: bool = True) -> Spaces:
    """The atoms of all nodes of a body.

    Args:
        body: elementwise, movement, reduce and source nodes.
        loads: whether all uses of an input run together.

    Raises:
        Tangled: the body's axes cannot be told apart.
    """
    found = Spaces()
    inputs = set(body.inputs)
    for node in body.nodes:
        if node in inputs and loads:
            found.axes[node] = tuple(map(found.fresh, tensor_type(node).shape))
        elif node not in inputs and node.op.kind is not Kind.SOURCE:
            _place(found, node)
    for output in body.outputs:
        if output not in found.axes:
            found.axes[output] = tuple(map(found.fresh, tensor_type(output).shape))
    every = [*map(found.of, found.axes), *map(found.read, found.reads)]
    for axes in every:
        atoms = [atom for axis in axes for atom in axis]
        if len(set(atoms)) != len(atoms):
            raise Tangled
    return found


def _place(found: Spaces, node: Node) -> None:
    """Give a node its axes, and run them together with those of its operands."""
    shape = tensor_type(node).shape
    mine: Axes = tuple(map(found.fresh, shape))
    kind = node.op.kind
    if kind is Kind.ELEMENTWISE:
        for x in node.inputs:
            for left, right in zip(found.axes.get(x, ()), mine):
                found.join(left, right)
    elif kind is Kind.REDUCE:
        _place_reduction(found, node, mine)
    elif is_flat(node):
        (x,) = node.inputs
        for before, after in aligned_groups(tensor_type(x).shape, shape) if x in found.axes else ():
            found.join(
                [atom for axis in before for atom in found.axes[x][axis]],
                [atom for axis in after for atom in mine[axis]],
            )
    else:
        for x, places in zip(node.inputs, links(node)):
            for left, k in zip(found.axes.get(x, ()), places):
                if k >= 0:
                    found.join(left, mine[k])
    found.axes[node] = mine


def _place_reduction(found: Spaces, node: Node, mine: Axes) -> None:
    (x,), axes = node.inputs, node.attr("axes")
    reads = found.axes.get(x) or tuple(map(found.fresh, tensor_type(x).shape))
    found.reads[node] = reads
    for left, right in zip([a for k, a in enumerate(reads) if k not in axes], mine):
        found.join(left, right)


def is_gather(node: Node) -> bool:
    """Whether a movement reads an operand at an index that is data."""
    read: list[int] = []
    fact = node.op.lowering
    if not isinstance(fact, IndexMap):
        return False

    def note(operand: int, index: tuple[Size, ...]) -> Size:
        read.append(operand)
        return 0

    fact.pieces(node, (0,) * tensor_type(node).rank, note)
    return bool(read)
