"""One kernel for many results that are computed alike, element by element: a table says where.

    w0 = w0 - 0.1 * g0                rows    blocks  size   addresses and numbers
    w1 = w1 - 0.1 * g1        ->      w0      0..196  12544  &w0 &g0 0.1
    b0 = b0 - 0.2 * g2                w1    196..204    512  &w1 &g1 0.1
                                      b0    204..205     10  &b0 &g2 0.2

The parts of a fused body that have nothing in common but numbers, and whose statements read the
same, are rows of one table: the updates of all parameters of a model, whatever their number,
shapes and rates. The table lies among the step's arguments, so it is laid out when the program is
loaded; the kernel's source knows neither how many rows there are nor how long they are, so it is
compiled once for all programs. Its parallel range is blocks of elements, those of all rows end to
end.

Not here: parts that are alone of their kind, that read broadcasts, or that reduce (`rows`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.facts import filled
from graphc.core.ir import IndexMap, Kind, Node, Scalar, is_checked, tensor_type, toposort
from graphc.loops import views
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Step, Value
from graphc.runtime.fused.assemble import SLICE
from graphc.runtime.fused.rows import Body, named
from graphc.runtime.fused.scalars import cast, literal, scalar_cost, wide

# Elements of a block, the unit of the parallel range.
BLOCK = 64
# Words of a row before its addresses and numbers: its first block, its elements.
HEAD = 2

_SOURCE = """\
def {name}(args, lo, hi):
    low, high = 0, args[0]
    while high - low > 1:
        middle = quotient(low + high, 2)
        if args[1 + middle * {width}] <= lo:
            low = middle
        else:
            high = middle
    row = 1 + low * {width}
    block = lo
    while block < hi:
        start = args[row]
        first = (block - start) * {block}
        block = select(args[row + {width}] < hi, args[row + {width}], hi)
        last = (block - start) * {block}
        last = select(last < args[row + 1], last, args[row + 1])
{entries}
        for i in range(first, last):
{statements}
        row += {width}
"""


@dataclass(slots=True)
class Row:
    """One part of a body: its statements, and what they read and write.

    Attributes:
        outputs: positions of the body's results.
        size: elements of each of its tensors.
        entries: lines that read the row's words, in order; `statements` are those of an element.
        arguments: the words.
        ops: the names of its ops, in order.
        cost: about how many additions an element takes.
    """

    outputs: list[int]
    size: int
    entries: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    ops: dict[str, None] = field(default_factory=dict)
    cost: float = 0.0

    @property
    def rule(self) -> tuple[str, ...]:
        """What rows of one kernel have in common."""
        return (*self.entries, "", *self.statements)


def many_steps(body: Body) -> tuple[list[Step], list[int]]:
    """A step for each rule that several parts of a body follow.

    Args:
        body: of a fused node, or of one node.

    Returns:
        The steps, and the positions of the results that they do not compute.
    """
    outputs = body.graph.outputs
    every = list(range(len(outputs)))
    if len(outputs) < 2:
        return [], every
    rules: dict[tuple[str, ...], list[Row]] = {}
    position = {node: k for k, node in enumerate(body.graph.inputs)}
    for part in _parts(body):
        row = _row(body, part, position)
        if row is not None:
            rules.setdefault(row.rule, []).append(row)
    tables = [rows for rows in rules.values() if len(rows) > 1]
    done = {k for rows in tables for row in rows for k in row.outputs}
    return [_step(body, rows) for rows in tables], [k for k in every if k not in done]


def _parts(body: Body) -> list[list[int]]:
    """Positions of results that share what is computed, or an input that is written over.

    What follows from numbers alone is no bond: each part computes it for itself.
    """
    written = {body.graph.inputs[k] for k in body.inplace.values()}
    given = set(body.graph.inputs)
    bonds: set[Node] = set()
    for node in body.graph.nodes:
        if node in given:
            continue
        if any(i in bonds or i in written or _is_array(i, given) for i in node.inputs):
            bonds.add(node)
    owner: dict[Node, int] = {}
    group: dict[int, int] = {}

    def root(k: int) -> int:
        while group.setdefault(k, k) != k:
            k = group[k]
        return k

    parts: dict[int, list[int]] = {}
    for k, output in enumerate(body.graph.outputs):
        for node in toposort((output,)):
            if node in bonds or node in written:
                group[root(k)] = root(owner.setdefault(node, k))
    for k in range(len(body.graph.outputs)):
        parts.setdefault(root(k), []).append(k)
    return list(parts.values())


def _is_array(node: Node, given: set[Node]) -> bool:
    """Whether a node is an input of more than one element."""
    return node in given and tensor_type(node).size != 1


def _row(body: Body, outputs: list[int], position: dict[Node, int]) -> Row | None:
    """The row of some results; None where they are not computed element by element."""
    results = [body.graph.outputs[k] for k in outputs]
    size = tensor_type(results[0]).size
    if not isinstance(size, int) or size == 0:
        return None
    writer = _Writer(body, Row(outputs, size), position)
    for node in toposort(results):
        if not writer.add(node):
            return None
    writer.store()
    return writer.row


class _Writer:
    """Writes the statements of one row.

    Attributes:
        names: the variable, or the text, of each node's element.
        buffers: the variable of each input's memory; `position`: its place among the inputs.
    """

    def __init__(self, body: Body, row: Row, position: dict[Node, int]) -> None:
        self.body, self.row, self.position = body, row, position
        self.names: dict[Node, str] = {}
        self.buffers: dict[Node, str] = {}

    def add(self, node: Node) -> bool:
        """Write what computes a node's element; False where that is not one of each operand."""
        type_ = tensor_type(node)
        if type_.size not in (1, self.row.size):
            return False
        if node in self.position:
            self._input(node)
            return True
        kind = node.op.kind
        if kind is Kind.SOURCE:
            return "value" in dict(node.attrs)
        if kind is Kind.MOVEMENT:
            return self._moved(node)
        fact = node.op.lowering
        if kind is not Kind.ELEMENTWISE or not isinstance(fact, Scalar) or is_checked(node):
            return False
        operands = [self._operand(x) for x in node.inputs]
        text = filled(node, fact.template, operands)
        self._define(node, cast(type_.dtype, text), scalar_cost(text))
        self.row.ops[node.op.name] = None
        return True

    def store(self) -> None:
        """Write the results, after all has been read."""
        row, body = self.row, self.body
        values = [self._operand(body.graph.outputs[k]) for k in row.outputs]
        for k, value in zip(row.outputs, values):
            if k in body.inplace:
                name = self.buffers[body.graph.inputs[body.inplace[k]]]
            else:
                dtype = tensor_type(body.graph.outputs[k]).dtype.short
                name = self._entry("r", f"buffer_at(args, {{at}}, {dtype}, {{place}})")
                row.arguments.append(Value(body.node, body.positions[k]))
            row.statements.append(f"{name}[i] = {value}")
            row.cost += 1

    def _entry(self, prefix: str, text: str) -> str:
        """A variable with the row's next word."""
        place = len(self.row.arguments)
        name = f"{prefix}{place}"
        text = text.format(at=f"row + {HEAD + place}", place=place)
        self.row.entries.append(f"{name} = {text}")
        return name

    def _define(self, node: Node, text: str, cost: float = 0.0) -> None:
        """A variable for a node's element: of a number, before the loop."""
        name = self.names[node] = f"v{len(self.names)}"
        lone = tensor_type(node).size == 1 and self.row.size != 1
        (self.row.entries if lone else self.row.statements).append(f"{name} = {text}")
        self.row.cost += 0.0 if lone else cost

    def _input(self, node: Node) -> None:
        type_ = tensor_type(node)
        text = f"buffer_at(args, {{at}}, {type_.dtype.short}, {{place}})"
        self.buffers[node] = buffer = self._entry("p", text)
        self.row.arguments.append(self.body.operands[self.position[node]])
        lone = type_.size == 1 and self.row.size != 1
        self._define(node, f"{buffer}[{'0' if lone else 'i'}]", 1)

    def _moved(self, node: Node) -> bool:
        """Movement of one number, or to another shape: the element is the operand's."""
        (operand, *others) = node.inputs
        same_place = isinstance(node.op.lowering, IndexMap) and node.op.lowering.flat
        if others or not (same_place or tensor_type(operand).size == 1) or not views.is_view(node):
            return False
        if operand.op.kind is Kind.SOURCE and operand not in self.position:
            self._define(node, self._operand(operand))
        else:
            self.names[node] = self.names[operand]
        return True

    def _operand(self, node: Node) -> str:
        """The text of an operand; a float of the program's own is a word of the table."""
        if node in self.names:
            return self.names[node]
        dtype, value = tensor_type(node).dtype, node.attr("value")
        if not dtype.is_float:
            return literal(dtype, value)
        name = self._entry("c", f"number_at(args, {{at}}, {wide(dtype)})")
        self.row.arguments.append(Number(float_bits(dtype, value)))
        return name


def float_bits(dtype: DType, value: float) -> int:
    """The word in which a kernel finds a number of its own, of the dtype that it is computed in."""
    word = np.array(dtype.numpy.type(value)).astype(dtype.compute.numpy)
    return int(word.view(f"int{8 * dtype.compute.itemsize}"))


def _step(body: Body, rows: Sequence[Row]) -> Step:
    """The kernel of a rule and the table of its rows."""
    width = HEAD + len(rows[0].arguments)
    text = _SOURCE.format(
        name="{name}",
        width=width,
        block=BLOCK,
        entries="\n".join(" " * 8 + line for line in rows[0].entries),
        statements="\n".join(" " * 12 + line for line in rows[0].statements),
    )
    label = f"many_{named(rows[0].ops)}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    args: list[Argument] = [Number(len(rows))]
    start = 0
    for row in rows:
        args += [Number(start), Number(row.size), *row.arguments]
        start += -(-row.size // BLOCK)
    args.append(Number(start))
    grain = max(1, int(SLICE / (max(rows[0].cost, 1.0) * BLOCK)))
    kernel = Kernel(label, text.format(name=label))
    note = f"{len(rows)} tensors, by a table"
    return Step(kernel, tuple(args), start, body.node, grain, notes=(note,))
