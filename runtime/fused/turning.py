"""Loops whose carries are a few numbers: one kernel, the loop inside it, the carries its variables.

    scan(lambda c, x: (a * c + x, c), c, xs)      c0 = p0[0]
                                                  for i0 in range(n0):
                                                      v0 = p1[i0]
                                                      p3[i0] = c0
                                                      c0 = a * c0 + v0
                                                  p2[0] = c0

The elements of small arrays are variables too, and what is summed over them is written out. Loops
with larger states, or with steps that have kernels of their own, are run by the step machine (see
`machine.control`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import (
    Graph,
    Kind,
    Node,
    Reduction,
    is_checked,
    is_item,
    is_literal,
    tensor_type,
)
from graphc.loops.spaces import Spaces
from graphc.loops.views import offset
from graphc.ops.flow.closures import inline
from graphc.runtime.base.kernel import generated
from graphc.runtime.base.step import Argument, Number, StatusBlock, Step, Value
from graphc.runtime.fused.assemble import Arguments
from graphc.runtime.fused.emit import Accumulator, Emitter, Index
from graphc.runtime.fused.loops import TAB, Line, Symbols, Text, loops_of

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
    graphs = [_flat(node.attr(name)) for name in ("body", "cond") if name in dict(node.attrs)]
    if not all(g is not None and _is_little(g) for g in graphs):
        return None
    try:
        return _Turning(node, value_of, graphs).step()  # type: ignore[arg-type]
    except Unfit:
        return None


def _flat(graph: Graph) -> Graph | None:
    """A body without fused nodes; None where it holds what has kernels of its own."""
    new: dict[Node, Node] = {n: n for n in graph.inputs}
    several: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if node in new:
            continue
        if is_item(node) and node.inputs[0] in several:
            new[node] = several[node.inputs[0]][node.attr("index")]
        elif node.op.kind is Kind.FUSED:
            several[node] = inline(node.attr("body"), [new[i] for i in node.inputs])
            new[node] = several[node][0]
        elif is_literal(node) or node.op.kind in WRITTEN_OUT:
            new[node] = node.with_inputs([new[i] for i in node.inputs])
        else:
            return None
    return Graph.of(graph.name, graph.inputs, [new[o] for o in graph.outputs])


def _is_little(graph: Graph) -> bool:
    """Whether the nodes of a body are so few and small that each element can be a variable."""
    total: Size = 0
    given = set(graph.inputs)
    for node in graph.nodes:
        if node in given or is_literal(node):
            continue
        if is_checked(node) or not node.op.pure or node.op.kind not in WRITTEN_OUT:
            return False
        read = node.inputs[0] if node.op.kind is Kind.REDUCE else node
        total = total + tensor_type(read).size
    total = total + sum(tensor_type(o).size for o in graph.outputs)
    return isinstance(total, int) and total <= MOST


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
        if not all(isinstance(i, int) for i in index):
            raise Unfit
        return super()._compute(node, index)

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
        for k, (placeholder, operand) in enumerate(zip(self.body.inputs, self.node.inputs)):
            type_ = tensor_type(placeholder)
            name = self._buffer(f"p{k}", self.value_of(operand), type_.dtype.short)
            if k < self.carries:
                self._load(placeholder, name, self.names[k])
            elif k < until:
                self.places[placeholder] = name, at * type_.size
            elif isinstance(type_.size, int) and type_.size <= FEW:
                self._load(placeholder, name, [f"f{k}_{j}" for j in range(type_.size)])
            else:
                self.places[placeholder] = name, 0

    def _load(self, placeholder: Node, buffer: str, names: Sequence[str]) -> None:
        for j, (index, name) in enumerate(zip(_indices(placeholder), names)):
            self.known[(placeholder, index)] = name
            self.begin.append(f"{name} = {buffer}[{j}]")

    def _emitter(self, graph: Graph) -> _Emitter:
        """An emitter for a graph whose inputs are the body's."""
        own = dict(zip(self.body.inputs, graph.inputs))
        known = {(own[n], index): name for (n, index), name in self.known.items()}
        places = {own[n]: place for n, place in self.places.items()}
        return _Emitter(places, self.symbols, self.arguments, known)

    def _lines(self, emitter: _Emitter) -> list[str]:
        if any(True for _ in loops_of(emitter.root)):
            raise Unfit
        return self.text.lines(emitter.root, 0) if emitter.root.items else []

    def _turn(self, at: Size, results: Sequence[str]) -> list[str]:
        """One step: what it computes, stores and carries on."""
        emitter = self._emitter(self.body)
        outputs = self.body.outputs
        values = [[emitter.value(o, index) for index in _indices(o)] for o in outputs]
        for result, found in list(zip(results, values))[self.carries :]:
            for j, value in enumerate(found):
                emitter.store(result, at * len(found) + j, value)
        new = [v for found in values[: self.carries] for v in found]
        old = [name for names in self.names for name in names]
        # A new carry that is another carry is kept until that one has changed.
        kept = {v: f"{v}_old" for v in new if v in old}
        emitter.root.items += [Line((f"{k} = {v}",)) for v, k in kept.items()]
        emitter.root.items += [
            Line((f"{name} = {kept.get(v, v)}",)) for name, v in zip(old, new) if name != v
        ]
        return self._lines(emitter)

    def _while(self) -> list[str]:
        """The loop, with its test before the first turn and at the end of each.

        After an error, values are anything: then a loop that ends by them might not end.
        """
        assert self.cond is not None
        emitter = self._emitter(self.cond)
        going = emitter.value(self.cond.outputs[0], ())
        test = [*self._lines(emitter), f"going = {going}"]
        status = self._buffer("status", StatusBlock(), "i64")
        turn = self._turn(0, [""] * self.carries)
        begin, head = [*test, f"going = going and {status}[0] == 0"], "while going:"
        limit = self.node.attr("max_steps")
        if limit is not None:
            most = self.arguments.number("most", "most", Number(limit))
            begin, head = ["turn = i64(0)", *begin], f"while going and turn < {most}:"
            turn += ["turn = turn + 1"]
        return [*begin, head, *_inside([*turn, *test])]

    def _assembled(self, lines: Sequence[str]) -> Step:
        head, args = list(self.arguments.lines), list(self.arguments.args)
        for symbol in self.text.sizes:
            head.append(f"{self.text.names[symbol]} = args[{len(args)}]")
            args.append(Number(dims.symbol(symbol)))
        body = [*head, "for once in range(lo, hi):", *_inside(lines)]
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
