"""Loops whose carries are a few numbers: one kernel, the loop inside it, the carries its variables.

    scan(lambda c, x: (a * c + x, c), c, xs)      c0 = p0[0]
                                                  for i0 in range(n0):
                                                      v0 = p1[i0]
                                                      p3[i0] = c0
                                                      c0 = a * c0 + v0
                                                  p2[0] = c0

The elements of small arrays are variables too, and what is summed over them is written out; a
branch is an `if`, and a scan inside that slices and stacks nothing a loop. Loops with larger
states, or with steps that have kernels of their own, are run by the step machine (see
`machine.control`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.inner import is_placeholder
from graphc.core.ir import (
    Graph,
    Kind,
    Node,
    Reduction,
    bodies,
    is_checked,
    is_item,
    is_literal,
    tensor_type,
)
from graphc.core.walk import remade, remake
from graphc.loops.spaces import Spaces
from graphc.loops.views import offset
from graphc.ops.flow.branching import COND
from graphc.ops.flow.closures import inline, placeholder
from graphc.ops.flow.looping import SCAN
from graphc.runtime.base.kernel import generated
from graphc.runtime.base.step import Argument, Number, Step, Value
from graphc.runtime.fused.assemble import Arguments
from graphc.runtime.fused.emit import Accumulator, Emitter, Index
from graphc.runtime.fused.loops import TAB, Block, Branch, Loop, Symbols, Text

# Elements that a step may compute, and elements of an operand that are read before the loop.
MOST = 256
FEW = 16
WRITTEN_OUT = (Kind.ELEMENTWISE, Kind.MOVEMENT, Kind.REDUCE)


class Unfit(Exception):
    """A step does what is not done with variables alone."""


def turning(node: Node, value_of: Callable[[Node], Value]) -> Step | None:
    """The one kernel of a loop; None where its steps are too much for one.

    Args:
        node: the scan or the while loop.
        value_of: where an operand's value is.
    """
    if node.op.name not in ("scan", "while_loop"):
        return None
    try:
        graphs = [_flat(body) for body in bodies(node).values()]
        works = [_work(graph) for graph in graphs]
        if not all(isinstance(work, int) and work <= MOST for work in works):
            return None
        return _Turning(node, value_of, graphs).step()
    except Unfit:
        return None


def _flat(graph: Graph) -> Graph:
    """A body without fused nodes.

    Raises:
        Unfit: it holds what has kernels of its own.
    """
    several: dict[Node, list[Node]] = {}

    def make(node: Node, new: dict[Node, Node]) -> Node:
        operands = [new[i] for i in node.inputs]
        if is_item(node) and node.inputs[0] in several:
            return several[node.inputs[0]][node.attr("index")]
        if node.op.kind is Kind.FUSED:
            several[node] = inline(node.attr("body"), operands)
            return several[node][0]
        if node.op in (COND, SCAN):
            attrs = {k: _flat(v) if isinstance(v, Graph) else v for k, v in node.attrs}
            return node.op(*operands, **attrs)
        if is_literal(node) or is_item(node) or node.op.kind in WRITTEN_OUT:
            return remade(node, new)
        raise Unfit

    flat = remake(graph, make)
    return Graph.of(graph.name, flat.inputs, flat.outputs)


def _work(graph: Graph) -> Size:
    """The elements that a body's nodes have, those of bodies inside it included.

    Raises:
        Unfit: some nodes give no numbers that are known by the place alone.
    """
    total: Size = sum(tensor_type(o).size for o in graph.outputs)
    given = set(graph.inputs)
    for node in graph.nodes:
        if node in given or is_literal(node) or is_item(node):
            continue
        if not node.op.pure:
            raise Unfit
        if node.op.kind is Kind.CONTROL:
            total = total + sum(_work(body) for body in bodies(node).values())
            continue
        read = node.inputs[0] if node.op.kind is Kind.REDUCE else node
        total = total + tensor_type(read).size
    return total


class _Emitter(Emitter):
    """The statements of one step.

    Args:
        places: the buffer and the first element of what is read from memory at each step.
        symbols, arguments: of the kernel.
        known: the variables that hold elements.
    """

    def __init__(
        self,
        places: Mapping[Node, tuple[str, Size]],
        symbols: Symbols,
        arguments: Arguments,
        known: Mapping[tuple[Node, Index], str],
    ) -> None:
        super().__init__({}, symbols, arguments, Spaces())
        self.places = places
        for key, name in known.items():
            self.root.known[key] = name

    def _compute(self, node: Node, index: Index) -> str:
        place = self.places.get(node)
        if place is not None:
            buffer, first = place
            return self.load(buffer, first + offset(tensor_type(node).shape, index))
        if is_item(node):
            return self._item(node, index)
        if is_placeholder(node) or not all(isinstance(i, int) for i in index):
            raise Unfit
        return super()._compute(node, index)

    def _item(self, node: Node, index: Index) -> str:
        """A result of a branch or a loop inside the step, of which all are computed at once."""
        whole, position = node.inputs[0], node.attr("index")
        key = (whole, position, index)
        if self._lookup(key) is None:
            (self._branched if whole.op is COND else self._looped)(whole)
        return self._lookup(key)

    def _branched(self, node: Node) -> None:
        taken = self.define(f"i64({self.value(node.inputs[0], ())})")
        guard = dims.symbol(self.symbols.value(taken, 2)), 1, 2
        blocks = []
        names: dict[Any, str] = {}
        for branch in ("true", "false"):
            results = inline(node.attr(branch), node.inputs[1:])
            blocks.append(Block(self.block, is_branch=True))
            with self._inside(blocks[-1]):
                for k, result in enumerate(results):
                    for index in _indices(result):
                        value = self.value(result, index)
                        key = (node, k, index)
                        names[key] = names.get(key) or self.symbols.variable()
                        self.line(f"{names[key]} = {value}")
        self.block.items.append(Branch((guard,), *blocks))
        self.block.known.update(names)

    def _looped(self, node: Node) -> None:
        carries, length = node.attr("carries"), node.attr("length")
        body = node.attr("body")
        if node.attr("sequences") or len(body.outputs) > carries:
            raise Unfit  # what is sliced or stacked is in memory
        own = [placeholder(n.name, tensor_type(n)) for n in body.inputs[:carries]]
        names: list[str] = []
        known: dict[object, str] = {}
        for k, (given, first) in enumerate(zip(own, node.inputs)):
            for index in _indices(given):
                names.append(self.define(self.value(first, index)))
                known[(given, index)] = known[(node, k, index)] = names[-1]
        block = Block(self.block, known=dict(known), is_branch=True)
        with self._inside(block):
            results = inline(body, [*own, *node.inputs[carries:]])
            self.carry(names, [self.value(r, index) for r in results for index in _indices(r)])
        self.block.items.append(Loop(self.symbols.loop(length), length, block))
        self.block.known.update(known)

    def carry(self, names: Sequence[str], values: Sequence[str]) -> None:
        """Give the carries' variables their new values."""
        # A new carry that is another carry is kept until that one has changed.
        kept = {v: self.define(v) for v in dict.fromkeys(values) if v in names}
        for name, value in zip(names, values):
            if name != value:
                self.line(f"{name} = {kept.get(value, value)}")

    def _reduced(self, node: Node, index: Index) -> str:
        fact: Any = node.op.lowering
        if not isinstance(fact, Reduction):
            raise Unfit
        axes = node.attr("axes")
        shape = tensor_type(node.inputs[0]).shape
        total = Accumulator(self, node)
        for inner in itertools.product(*(range(shape[a]) for a in axes)):
            inside, outside = iter(inner), iter(index)
            full = tuple(next(inside if a in axes else outside) for a in range(len(shape)))
            total.add(self.value(node.inputs[0], full), inner[0] if inner else 0)
        return total.result()


class _Turning:
    """The kernel of one loop as it is written."""

    def __init__(
        self, node: Node, value_of: Callable[[Node], Value], graphs: Sequence[Graph]
    ) -> None:
        self.node, self.value_of = node, value_of
        self.body, self.cond = graphs[0], graphs[1] if len(graphs) > 1 else None
        self.carries: int = node.attr("carries")
        self.sequences: int = dict(node.attrs).get("sequences", 0)
        self.arguments, self.symbols = Arguments(), Symbols()
        self.text = Text(self.symbols)
        self.known: dict[tuple[Node, Index], str] = {}
        self.places: dict[Node, tuple[str, Size]] = {}
        self.begin: list[str] = []
        self.names = [
            [f"c{k}_{j}" for j in range(_count(n))]
            for k, n in enumerate(self.body.inputs[: self.carries])
        ]

    def step(self) -> Step:
        """The step that runs it."""
        length = dict(self.node.attrs).get("length", 0)
        turn = self.symbols.loop(length)
        at = dims.symbol(turn)
        at = length - 1 - at if dict(self.node.attrs).get("reverse") else at
        self._read(at)
        results = [self._buffer(f"y{k}", Value(self.node, k), t) for k, t in self._results()]
        if self.cond is None:
            lines = [f"for {self.text.names[turn]} in range({self.text.size(length)}):"]
            lines += _inside(self._turn(at, results))
        else:
            lines = self._while()
        for result, names in zip(results, self.names):
            lines += [f"{result}[{j}] = {name}" for j, name in enumerate(names)]
        return self._assembled([*self.begin, *lines])

    def _results(self) -> list[tuple[int, Any]]:
        outputs = self.body.outputs
        return [(k, tensor_type(o).dtype.short) for k, o in enumerate(outputs)]

    def _buffer(self, name: str, argument: Argument, dtype: str) -> str:
        return self.arguments.buffer(name, argument, dtype)

    def _read(self, at: Size) -> None:
        """Where the body's inputs are: in variables, or in memory."""
        until = self.carries + self.sequences
        for k, (given, operand) in enumerate(zip(self.body.inputs, self.node.inputs)):
            type_ = tensor_type(given)
            name = self._buffer(f"p{k}", self.value_of(operand), type_.dtype.short)
            if k < self.carries:
                self._load(given, name, self.names[k])
            elif k < until:
                self.places[given] = name, at * type_.size
            else:
                self.places[given] = name, 0
                few = type_.size if isinstance(type_.size, int) and type_.size <= FEW else 0
                self._load(given, name, [f"f{k}_{j}" for j in range(few)])

    def _load(self, given: Node, buffer: str, names: Sequence[str]) -> None:
        for j, (index, name) in enumerate(zip(_indices(given), names)):
            self.known[(given, index)] = name
            self.begin.append(f"{name} = {buffer}[{j}]")

    def _emitter(self, graph: Graph) -> _Emitter:
        """An emitter for a graph whose inputs are the body's."""
        own = dict(zip(self.body.inputs, graph.inputs))
        known = {(own[n], index): name for (n, index), name in self.known.items()}
        places = {own[n]: place for n, place in self.places.items()}
        return _Emitter(places, self.symbols, self.arguments, known)

    def _lines(self, emitter: _Emitter) -> list[str]:
        return self.text.lines(emitter.root, 0) if emitter.root.items else []

    def _turn(self, at: Size, results: Sequence[str]) -> list[str]:
        """One step: what it computes, stores and carries on."""
        emitter = self._emitter(self.body)
        outputs = self.body.outputs
        values = [[emitter.value(o, index) for index in _indices(o)] for o in outputs]
        for result, found in list(zip(results, values))[self.carries :]:
            for j, value in enumerate(found):
                emitter.store(result, at * len(found) + j, value)
        old = [name for names in self.names for name in names]
        emitter.carry(old, [v for found in values[: self.carries] for v in found])
        return self._lines(emitter)

    def _while(self) -> list[str]:
        """The loop, with its test before the first turn and at the end of each.

        After an error, values are anything: then a loop that ends by them might not end.
        """
        assert self.cond is not None
        emitter = self._emitter(self.cond)
        going = emitter.value(self.cond.outputs[0], ())
        test = self._lines(emitter)
        turn = self._turn(0, [""] * self.carries)
        goes_on = [going, f"{self.arguments.status()}[0] == 0"]
        goes_on += [line.removeprefix("if ").replace(":", " == False") for line in self._flags()]
        begin, head = [*test, f"going = {' and '.join(goes_on)}"], "while going:"
        checks = any(is_checked(n) for graph in (self.body, self.cond) for n in graph.nodes)
        test.append(f"going = {' and '.join(goes_on if checks else [going])}")
        limit = self.node.attr("max_steps")
        if limit is not None:
            most = self.arguments.number("most", "most", Number(limit))
            begin, head = ["turn = i64(0)", *begin], f"while going and turn < {most}:"
            turn += ["turn = turn + 1"]
        return [*begin, head, *_inside([*turn, *test])]

    def _flags(self) -> list[str]:
        """The tests at the kernel's end for checks that failed."""
        return [line for line in self.arguments.last if line.startswith("if ")]

    def _assembled(self, lines: Sequence[str]) -> Step:
        head, args = list(self.arguments.lines), list(self.arguments.args)
        for symbol in self.text.sizes:
            head.append(f"{self.text.names[symbol]} = args[{len(args)}]")
            args.append(Number(dims.symbol(symbol)))
        body = [*head, "for once in range(lo, hi):", *_inside(lines), *self.arguments.last]
        source = "".join(f"{TAB}{line}\n" for line in body)
        label = f"{self.node.op.name}_{self.body.name}"
        return Step(generated(label, source), tuple(args), 1, self.node)


def _inside(lines: Sequence[str]) -> list[str]:
    return [f"{TAB}{line}" for line in lines] or [f"{TAB}pass"]


def _count(node: Node) -> int:
    size = tensor_type(node).size
    if not isinstance(size, int):
        raise Unfit
    return size


def _indices(node: Node) -> list[Index]:
    shape = tensor_type(node).shape
    if not all(isinstance(size, int) for size in shape):
        raise Unfit
    return list(itertools.product(*(range(size) for size in shape)))


__all__ = ["turning"]
