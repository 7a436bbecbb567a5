"""Clusters: groups of nodes that become one kernel, and what may join them.

A cluster has a domain, the shape that its loops run over, and perhaps rows: reductions over
trailing axes leave the leading `rows` axes, and what is computed from them per row, or spread
back over the row, joins. Reductions over the leading axes (`columns`) are results only: nothing
in the cluster can use them, since they are ready when all rows are done.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc import dims
from graphc.dims import Size
from graphc.ir import Node, tensor_type

# A row of more bytes leaves the fast caches between its reduction and its use.
ROW_NBYTES = 256 * 1024
MOST_NODES = 96
MOST_OPERANDS = 24


def strip(sizes: tuple[Size, ...], last: int) -> tuple[Size, ...]:
    """Sizes (or indices) without entries equal to `last` at their end."""
    while sizes and sizes[-1] == last:
        sizes = sizes[:-1]
    return sizes


@dataclass(slots=True, eq=False)
class Cluster:
    """One future kernel.

    `members` in order; `terminal` are members that nothing inside may use; `before` is the set
    (as bits) of clusters that this one depends on.
    """

    number: int
    domain: tuple[Size, ...]
    rows: int | None = None
    columns: int | None = None
    members: list[Node] = field(default_factory=list)
    terminal: set[Node] = field(default_factory=set)
    operands: set[Node] = field(default_factory=set)
    before: int = 0
    bits: int = 0
    open: bool = True

    def level(self, shape: tuple[Size, ...]) -> str:
        """Whether a shape is the whole domain ("full"), one element a row ("row"), or neither."""
        if strip(shape, 1) == strip(self.domain, 1):
            return "full"
        if self.rows is None:
            return ""
        return "row" if strip(shape, 1) == strip(self.domain[: self.rows], 1) else ""

    def stripped(self) -> int:
        """How many axes the domain has without size-1 axes at its end."""
        return len(strip(self.domain, 1))

    def is_map(self) -> bool:
        """Whether there are no reductions: every member has one element a turn of the loops."""
        return self.rows is None and self.columns is None

    def can_grow(self, shape: tuple[Size, ...]) -> bool:
        """Whether the domain may become the rows of a larger one."""
        rank = self.stripped()
        if not self.is_map() or rank == 0 or len(strip(shape, 1)) <= rank:
            return False
        return shape[:rank] == self.domain[:rank]

    def holds_rows_of(self, other: Cluster) -> bool:
        """Whether the other computes one element a row of this one."""
        rows = self.columns if self.rows is None else self.rows
        if rows is None or not other.is_map() or self.level(other.domain) == "full":
            return False
        return strip(other.domain, 1) == strip(self.domain[:rows], 1)

    def row_nbytes(self) -> Size:
        """The bytes of a row of the widest member."""
        width = max((tensor_type(m).dtype.itemsize for m in self.members), default=4)
        return dims.product(self.domain[self.rows :]) * width if self.rows is not None else 0


def reduced_part(node: Node) -> str:
    """Whether a reduction is over trailing axes ("rows"), leading ones ("columns"), all, or
    others ("apart")."""
    axes, rank = node.attr("axes"), tensor_type(node.inputs[0]).rank
    if len(axes) == rank:
        return "all"
    if axes == tuple(range(rank - len(axes), rank)):
        return "rows"
    return "columns" if axes == tuple(range(len(axes))) else "apart"
