"""Which of its arguments a kernel reads and writes, from its source.

    def scale(args, lo, hi):
        x = buffer(args, 0, f32)
        y = buffer(args, 1, f32)
        for i in range(lo, hi):
            y[i] = x[i] * f32(2.0)          # reads 0, writes 1

What a branch may touch counts as touched. A kernel that works through a table in its arguments
(`many`, `joined`) touches the same words of each row. Not here: which elements (`coverage`).
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field

from graphc.runtime.base.kernel import Kernel

# The position of the buffer that a function of the kernel language writes; it only reads others.
WRITES = {
    "tile_store": 1, "tile_store_part": 1, "tile_store_at": 2, "tile_update": 1,
    "tile_pack_bytes": 7,
}  # fmt: skip


@dataclass(slots=True)
class Touched:
    """Positions of a kernel's arguments that are buffers it reads, and that it writes.

    Attributes:
        reads, writes: of arguments; negative where they are words of each row of a table, -1 the
            row's first.
        width: words of a row.
    """

    reads: set[int] = field(default_factory=set)
    writes: set[int] = field(default_factory=set)
    width: int = 0

    @property
    def table(self) -> bool:
        """Whether some of the buffers are words of a table's rows."""
        return min(self.reads | self.writes, default=0) < 0

    def arguments(self, positions: set[int], rows: int) -> list[int]:
        """The arguments that some of `reads` or `writes` are, of a table of so many rows."""
        found = {p for p in positions if p >= 0}
        for row in range(rows):
            found.update(row * self.width - p for p in positions if p < 0)
        return sorted(found)


@functools.lru_cache(maxsize=4096)
def touched(kernel: Kernel) -> Touched:
    """What a kernel in the kernel language touches.

    Args:
        kernel: its source defines one function.

    Example:
        >>> source = "def one(args, lo, hi):\\n    buffer(args, 2, f32)[0] = 1"
        >>> touched(Kernel("one", source)).writes
        {2}
    """
    visitor = _Visitor()
    visitor.visit(ast.parse(kernel.source))
    return visitor.found


class _Visitor(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found = Touched()
        self.buffers: dict[str, frozenset[int]] = {}

    def _of(self, node: ast.expr) -> frozenset[int]:
        """The arguments that an expression may be the buffer of; none if it is no buffer."""
        if isinstance(node, ast.Name):
            return self.buffers.get(node.id, frozenset())
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return frozenset()
        if node.func.id == "buffer" and isinstance(node.args[1], ast.Constant):
            return frozenset([node.args[1].value])  # type: ignore[list-item]
        if node.func.id == "buffer_at":
            match node.args[1]:
                case ast.BinOp(ast.Name("row"), ast.Add(), ast.Constant(int(place))):
                    return frozenset([-1 - place])
        if node.func.id == "either":
            return self._of(node.args[1]) | self._of(node.args[2])
        return frozenset()

    def visit_Assign(self, node: ast.Assign) -> None:
        found = self._of(node.value)
        for target in node.targets:
            if found and isinstance(target, ast.Name):
                self.buffers[target.id] = found
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        match node:
            case ast.AugAssign(ast.Name("row"), ast.Add(), ast.Constant(int(width))):
                self.found.width = width
        if isinstance(node.target, ast.Subscript):
            self.found.reads |= self._of(node.target.value)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        is_store = isinstance(node.ctx, ast.Store)
        (self.found.writes if is_store else self.found.reads).update(self._of(node.value))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in ("either", "buffer", "buffer_at", "fail"):
            for position, argument in enumerate(node.args):
                is_store = WRITES.get(name) == position
                (self.found.writes if is_store else self.found.reads).update(self._of(argument))
        self.generic_visit(node)
