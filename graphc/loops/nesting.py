"""How a body of fused nodes runs: its loop nests, told from the atoms of its axes.

Each nest has rows: atoms that all of its results share, the parallel loops. In a row, reductions
run one after another, each once, then the results are written; a row's reductions are joined to its
elements again (softmax, layer norm). A reduction over the rows themselves (a bias gradient, a mean
of losses) collects in columns: chunks of rows add up on their own, and a second step combines the
chunks and computes what follows from them.

    plan(body) -> [Nesting(rows=(a,), inner=(b,), ...)]

Fusion asks here whether a body has nests at all; the lowering asks what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Graph, Kind, Node, Reduction, tensor_type
from graphc.core.walk import needed
from graphc.loops.spaces import Spaces, Tangled, spaces

# A row may have this many elements when it does not lie in one piece in memory.
STRIDED_ROW = 2048
# And this many when it does: 512 KiB of float32.
ROW = 1 << 17

# One row of all elements runs on one thread.
LONE_ROW = 1 << 14
# A reduction of so few elements is computed again where several rows need the same one.
AGAIN = 256


class Unfit(Exception):
    """Why a body has no loop nests of its own."""


@dataclass
class Nesting:
    """One loop nest.

    Attributes:
        rows: the atoms of the outer loops, outermost first.
        outputs: positions of results that are written row by row.
        stages: reductions to run in each row, in order; those of one list share loops.
        columns: reductions over the rows.
        after: positions of results that follow from the columns.
    """

    rows: tuple[int, ...]
    outputs: list[int] = field(default_factory=list)
    stages: list[list[Node]] = field(default_factory=list)
    columns: list[Node] = field(default_factory=list)
    after: list[int] = field(default_factory=list)


def plan(body: Graph) -> tuple[Spaces, list[Nesting]]:
    """The nests of a body.

    Args:
        body: elementwise, movement, reduce and source nodes.

    A reduction that is no stage and no column is computed by whatever needs it, where it does.

    Raises:
        Unfit: its results do not share loops, with the reason.
    """
    found = spaces_of(body)
    return found, [_nest(found, body, group) for group in _components(found, body)]


def spaces_of(body: Graph) -> Spaces:
    """The atoms of a body's axes; those of what it reads run with its results where they can.

    Raises:
        Unfit: one axis would run along two.
    """
    for loads in (True, False):
        try:
            return spaces(body, loads)
        except Tangled:
            continue
    raise Unfit("one axis would run along two at once")


def _components(found: Spaces, body: Graph) -> list[list[int]]:
    """Positions of results that share nodes, or inputs of more than one element."""
    group: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while group.setdefault(node, node) is not node:
            node = group[node]
        return node

    inputs = set(body.inputs)
    for node in body.nodes:
        for operand in node.inputs if node not in inputs else ():
            pure = operand.op.kind is Kind.SOURCE and operand not in inputs
            # One number is read by nests that have nothing else in common.
            number = tensor_type(operand).size == 1 and tensor_type(node).size != 1
            if not pure and not (operand in inputs and number):
                group[root(node)] = root(operand)
    parts: dict[Node, list[int]] = {}
    for k, output in enumerate(body.outputs):
        if tensor_type(output).size != 0:
            parts.setdefault(root(output), []).append(k)
    return list(parts.values())


def _nest(found: Spaces, body: Graph, outputs: Sequence[int]) -> Nesting:
    nodes = _needed(found, body, outputs)
    reductions = [n for n in nodes if n.op.kind is Kind.REDUCE]
    roots = [body.outputs[k] for k in outputs]
    waits = _waits(nodes, reductions)
    order = _order(found, roots, reductions)
    joined = _joined(found, nodes, reductions, waits)
    if joined:
        rows = _rows_of_joined(found, order, joined)
    else:
        rows = _rows(found, order, roots, reductions, waits)
    if not rows:
        _check_lone(found, order)
    nest = Nesting(rows)
    for r in reductions:
        _place(found, nest, r, waits)
    columns = set(nest.columns)
    kept = frozenset().union(*map(found.space, nest.columns))
    for k, root in zip(outputs, roots):
        late = not columns.isdisjoint(waits.get(root, ()))
        (nest.after if late else nest.outputs).append(k)
        if not late and not set(rows) <= _space(found, root):
            raise Unfit("its results do not share loops")
        if late and not _space(found, root) <= kept:
            raise Unfit("it needs a reduction of all rows first")
    return nest


def _space(found: Spaces, node: Node) -> frozenset[int]:
    return found.space(node) if node in found.axes else frozenset()


def _needed(found: Spaces, body: Graph, outputs: Sequence[int]) -> list[Node]:
    """The nodes of the space that some results need, in order."""
    inputs = set(body.inputs)
    inner = [node for node in body.nodes if node not in inputs]
    reached = needed(inner, (body.outputs[k] for k in outputs))
    return [n for n in body.nodes if n in reached and n in found.axes and n not in inputs]


def _waits(nodes: Sequence[Node], reductions: Sequence[Node]) -> dict[Node, frozenset[Node]]:
    """For each node, the reductions that it is, or waits for."""
    own = set(reductions)
    waits: dict[Node, frozenset[Node]] = {}
    for node in nodes:
        below = frozenset().union(*(waits.get(x, frozenset()) for x in node.inputs))
        waits[node] = below | {node} if node in own else below
    return waits


def _order(found: Spaces, roots: Sequence[Node], reductions: Sequence[Node]) -> tuple[int, ...]:
    """All atoms, as the largest tensor has them in memory."""
    runs = [[a for axis in found.of(r) for a in axis] for r in roots if r in found.axes]
    runs += [[a for axis in found.read(r) for a in axis] for r in reductions]
    order: list[int] = []
    for run in sorted(runs, key=len, reverse=True):
        order += [atom for atom in run if atom not in order]
    return tuple(order)


def _joined(
    found: Spaces,
    nodes: Sequence[Node],
    reductions: Sequence[Node],
    waits: dict[Node, frozenset[Node]],
) -> list[Node]:
    """Reductions whose result meets elements of the axes that they drop."""
    joined = []
    for r in reductions:
        dropped = set(found.reduced(r))
        if any(r in waits[n] and dropped & found.space(n) for n in nodes if n is not r):
            joined.append(r)
    return joined


def _rows_of_joined(
    found: Spaces, order: tuple[int, ...], joined: Sequence[Node]
) -> tuple[int, ...]:
    inner = set(found.reduced(joined[0]))
    kept: set[int] = set()
    for r in joined:
        if set(found.reduced(r)) != inner:
            raise Unfit("reductions over different axes are joined to the elements again")
        kept |= found.space(r)
    if kept & inner:
        raise Unfit("reductions over different axes are joined to the elements again")
    rows = tuple(a for a in order if a in kept)
    for r in joined:
        _check_row(found, r, bool(rows))
    return rows


def _check_row(found: Spaces, r: Node, several: bool) -> None:
    """A row that is read several times should stay in cache."""
    run = [a for axis in found.read(r) for a in axis]
    inner = found.reduced(r)
    count = extent(found, inner)
    in_one_piece = tuple(run[len(run) - len(inner) :]) == inner
    limit = STRIDED_ROW if not in_one_piece else ROW if several else LONE_ROW
    if isinstance(count, int) and count > limit:
        raise Unfit(f"a row of {count} elements does not fit in cache")
    if not isinstance(count, int) and not in_one_piece:
        raise Unfit(f"a row of {count} elements does not lie in one piece")


def _check_lone(found: Spaces, order: tuple[int, ...]) -> None:
    """Without rows there is one thread: only for what is small."""
    count = extent(found, order)
    if not isinstance(count, int) or count > LONE_ROW:
        raise Unfit("its results do not share loops")


def _rows(
    found: Spaces,
    order: tuple[int, ...],
    roots: Sequence[Node],
    reductions: Sequence[Node],
    waits: dict[Node, frozenset[Node]],
) -> tuple[int, ...]:
    """The atoms that results share, or that reductions may collect over."""
    plain = [_space(found, r) for r in roots if not waits.get(r)]
    shared = frozenset(order).intersection(*plain)
    rows: list[int] = []
    for atom in order:
        tried = {*rows, atom}
        if atom not in shared or not all(_fits(found, r, tried) for r in reductions):
            break
        rows.append(atom)
    if rows or not reductions:
        return tuple(rows)
    whole = {frozenset(a for axis in found.read(r) for a in axis) for r in reductions}
    if len(whole) > 1 or any(not found.space(r) <= s for r in roots for s in whole):
        raise Unfit("its results do not share loops")
    shared = shared.intersection(*map(found.space, reductions))
    return tuple(a for a in order if a in shared)


def _fits(found: Spaces, r: Node, rows: set[int]) -> bool:
    """Whether a reduction can run inside rows, or collect over them."""
    return rows <= found.space(r) or (rows <= set(found.reduced(r)) and not is_arg(r))


def is_arg(r: Node) -> bool:
    """Whether a reduction yields an index."""
    return isinstance(r.op.lowering, Reduction) and r.op.lowering.arg


def _place(found: Spaces, nest: Nesting, r: Node, waits: dict[Node, frozenset[Node]]) -> None:
    """Run a reduction in the rows, after those it waits for, or as a column over them."""
    rows, reduced = set(nest.rows), found.reduced(r)
    late = not set(nest.columns).isdisjoint(waits[r])
    if rows <= found.space(r):
        if late:
            raise Unfit("a reduction follows from a reduction over rows")
        if found.space(r) <= rows:
            _stage(found, nest, r, waits)
        return
    if rows.isdisjoint(reduced) and not late:
        count = extent(found, reduced)
        if not isinstance(count, int) or count > AGAIN:
            raise Unfit(f"several rows would compute a reduction of {count} elements again")
        return
    if late or is_arg(r) or not rows <= set(reduced):
        raise Unfit("reductions over different axes do not share rows")
    nest.columns.append(r)


def _stage(found: Spaces, nest: Nesting, r: Node, waits: dict[Node, frozenset[Node]]) -> None:
    below = waits[r] - {r}
    level = 0
    for k, stage in enumerate(nest.stages):
        if not below.isdisjoint(stage):
            level = k + 1
    inner = set(found.reduced(r))
    while level < len(nest.stages):
        stage = nest.stages[level]
        if set(found.reduced(stage[0])) == inner:
            stage.append(r)
            return
        level += 1
    nest.stages.append([r])


def row_atoms(found: Spaces, node: Node, rows: Iterable[int]) -> tuple[int, ...]:
    """The atoms of a node beside the rows, in the order of its axes."""
    taken = set(rows)
    return tuple(a for axis in found.of(node) for a in axis if a not in taken)


def extent(found: Spaces, atoms: Iterable[int]) -> Size:
    """How many elements atoms run through."""
    return dims.product(found.sizes[a] for a in atoms)
