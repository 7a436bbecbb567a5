"""Random fused graphs, and an executor that runs them in planned memory as badly as it may.

The executor takes the memory plan and the in-place pairs at their word: results go where the plan
says, over whatever lies there. A fused node's outputs are computed in any order, half by half,
always from what memory holds at that moment, except that outputs which one overwritten operand
reaches are computed together, element by element: so much the lowering promises. Movement outside
fused nodes is sometimes not computed at all: its readers look through it, loop nests apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from graphc.core import dtypes
from graphc.core.interpret import run_node, run_sized
from graphc.core.ir import OPS, Graph, Kind, Node, toposort
from graphc.core.types import TupleType
from graphc.ops.control import FUSED, ITEM
from graphc.ops.source import INPUT_OP, input, parameter
from graphc.passes.memory.inplace import Body, reached
from graphc.passes.memory.lifetime import is_item, result_type, shared_with, value_of
from graphc.passes.memory.plan import plan

SHAPES = ((4, 3), (3,))


def random_graph(rng: random.Random, size: int = 14) -> Graph:
    """Elementwise ops, broadcasts, transposes, sums, updates of rows; parameters with updates."""
    inputs: list[Node] = [input(f"x{k}", shape, "float64") for k, shape in enumerate(SHAPES)]
    for k in range(rng.randint(0, 3)):
        inputs.append(parameter(f"w{k}", np.zeros(rng.choice(SHAPES))))
    values = list(inputs)
    for _ in range(rng.randint(1, size)):
        values.append(_grow(rng, values))
    outputs = [values[-1], *(rng.choice(values) for _ in range(rng.randint(0, 2)))]
    aliases = []
    for place, node in enumerate(inputs):
        fitting = [v for v in values if v.type == node.type]
        if place >= len(SHAPES) and rng.random() < 0.8:
            aliases.append((len(outputs), place))
            outputs.append(rng.choice(fitting))
    return Graph.of("random", inputs, outputs, aliases)


def _grow(rng: random.Random, values: list[Node]) -> Node:
    x = rng.choice(values[-4:] if rng.random() < 0.7 else values)
    choice = rng.randint(0, 7)
    if choice == 7:
        return _update(rng, x, values)
    if choice == 0:
        return OPS["negative"](x)
    if choice == 1 and x.type.shape == (3,):  # type: ignore[union-attr]
        return OPS["broadcast"](x, axes=(0,), shape=(4, 3))
    if choice == 2 and x.type.shape == (4, 3):  # type: ignore[union-attr]
        return OPS["slice"](x, starts=(3, 2), sizes=(4, 3), steps=(-1, -1))
    if choice == 3 and x.type.shape == (4, 3) and "sum" in OPS:  # type: ignore[union-attr]
        return OPS["sum"](x, axes=(0,))
    other = rng.choice([v for v in values if v.type == x.type])
    return OPS[rng.choice(["add", "multiply"])](x, other)


def _update(rng: random.Random, x: Node, values: list[Node]) -> Node:
    """Some rows of a value added to or replaced, by what else there is."""
    shape = x.type.shape  # type: ignore[union-attr]
    index = OPS["iota"](shape=shape[:1], axis=0, dtype=dtypes.int64)
    if rng.random() < 0.5:
        index = OPS["full"](shape=shape[:1], dtype=dtypes.int64, value=rng.randint(-3, 2))
    updates = rng.choice([v for v in values if v.type == x.type])
    return OPS[rng.choice(["index_add", "index_update"])](x, index, updates, axis=0)


def fuse_runs(graph: Graph, rng: random.Random) -> Graph:
    """Fuse runs of neighbouring nodes at random: any run of an order is acyclic as one node."""
    new: dict[Node, Node] = {node: node for node in graph.inputs}
    nodes = list(graph.inputs)
    rest = [node for node in graph.nodes if node not in new]
    needed = set(graph.outputs)
    while rest:
        run = rest[: rng.choice((1, 1, 2, 3, 4))]
        rest = rest[len(run) :]
        outside = needed.union(*(n.inputs for n in rest)) if rest else needed
        if any(n.op.kind is Kind.LIBRARY for n in run):
            run, rest = run[:1], run[1:] + rest
            outside = needed.union(*(n.inputs for n in rest)) if rest else needed
        if run[0].op.kind is Kind.LIBRARY or (len(run) == 1 and rng.random() < 0.7):
            new[run[0]] = run[0].with_inputs([new[i] for i in run[0].inputs])
            nodes.append(new[run[0]])
            continue
        inside = set(run)
        outer = list(dict.fromkeys(i for n in run for i in n.inputs if i not in inside))
        inner = {n: INPUT_OP(name=f"p{k}", type=n.type) for k, n in enumerate(outer)}
        for node in run:
            inner[node] = node.with_inputs([inner[i] for i in node.inputs])
        results = [n for n in run if n in outside]
        if not results:
            continue
        body = Graph.of("body", [inner[i] for i in outer], [inner[r] for r in results])
        fused = FUSED(*(new[i] for i in outer), body=body)
        nodes.append(fused)
        for k, result in enumerate(results):
            new[result] = fused if len(results) == 1 else ITEM(fused, index=k)
            if new[result] is not fused:
                nodes.append(new[result])
    outputs = tuple(new[o] for o in graph.outputs)
    used = toposort((*graph.inputs, *outputs))
    kept = tuple(n for n in nodes if n in used)
    return Graph(graph.name, graph.inputs, kept, outputs, graph.aliases)


def execute(
    graph: Graph, arrays: list[np.ndarray], rng: random.Random
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The outputs that are no updates, and the inputs' memory after the run."""
    memory_plan = plan(graph)
    placement = memory_plan.place({})
    arena = np.full(placement.total, 0xAB, np.uint8)
    roots = shared_with(graph)
    memory = {(n, 0): a.copy() for n, a in zip(graph.inputs, arrays)}
    for k, buffer in enumerate(memory_plan.buffers):
        type_ = result_type(*buffer.key)
        raw = arena[placement.offsets[k] :][: placement.sizes[k]]
        memory[buffer.key] = raw.view(type_.dtype.numpy).reshape(type_.shape)

    def at(node: Node, index: int = 0) -> np.ndarray:
        value = (node, index) if isinstance(node.type, TupleType) else value_of(node)
        root = roots.get(value, value)
        if root not in memory:  # a result of the program: memory of its own
            memory[root] = np.full(result_type(*value).shape, -1.0)
        return memory[root]

    def read(node: Node) -> np.ndarray:
        if node in looked_through:
            return run_node(node, [read(i) for i in node.inputs], {})
        return at(node)

    given = set(graph.inputs)
    shown_nodes = set(graph.outputs)
    in_memory = {i for n in graph.nodes if n.op.kind is Kind.LIBRARY for i in n.inputs}
    looked_through = {
        n
        for n in graph.nodes
        if n.op.kind is Kind.MOVEMENT and n not in shown_nodes | in_memory and rng.random() < 0.7
    }
    for node in graph.nodes:
        if node in given or node in looked_through or is_item(node):
            continue
        if node.op.kind is Kind.FUSED:
            _run_fused(node, lambda node=node: [read(i) for i in node.inputs], at, rng)  # type: ignore[misc]
        else:
            at(node)[...] = run_node(node, [read(i).copy() for i in node.inputs], {})
    old = dict(zip(graph.inputs, arrays))  # such results are copied before state is written
    results = [old[o].copy() if o in old else at(o).copy() for o in graph.outputs]
    for output, place in graph.aliases:
        at(graph.inputs[place])[...] = results[output]
    aliased = dict(graph.aliases)
    shown = [r for k, r in enumerate(results) if k not in aliased]
    return shown, [memory[(n, 0)] for n in graph.inputs]


def _run_fused(
    node: Node,
    operands: Callable[[], list[np.ndarray]],
    at: Callable[[Node, int], np.ndarray],
    rng: random.Random,
) -> None:
    body = node.attr("body")
    groups = [{k} for k in range(len(body.outputs))]
    for _, operand in dict(node.attrs).get("inplace", ()):
        together = set(reached(Body(body), operand) or ())
        joined = set().union(*(g for g in groups if g & together))
        groups = [g for g in groups if not g & together] + [joined]
    rng.shuffle(groups)
    for group in groups:
        for half in (0, 1):
            values = [np.copy(v) for v in run_sized(body, operands(), {})]
            for k in group:
                target = at(node, k)
                cut = target.shape[0] // 2
                part = slice(0, cut) if half == 0 else slice(cut, None)
                target[part] = values[k][part]
