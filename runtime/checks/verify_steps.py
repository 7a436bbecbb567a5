"""The verifier of lowered programs: what a step reads has been written, every result is written.

    verify_lowering(graph, lower(graph))

Proven for every program, whatever its sizes: each value and each scratch memory that a kernel
reads is an input or is written by a kernel before it, and has not been overwritten since by a
value computed in its place; each output and each new value of a parameter is written. Bodies of
loops and branches are programs of their own, and are looked at likewise.

Which elements is proven for all sizes where kernels' indices allow it (`prove`); other steps are
run on shadow memory, for one set of sizes (`coverage`). What is too large for that is told.

Not proven here: that no two values share memory in the arena (`overlaps`), what values are right.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from graphc.core.ir import Graph, Node
from graphc.core.results import value_of, written_over
from graphc.core.types import TensorType, TupleType
from graphc.errors import InternalError
from graphc.runtime.base import homes as places
from graphc.runtime.base.homes import Copy, Homes
from graphc.runtime.base.step import Child, Step, Value, Workspace, evaluate
from graphc.runtime.checks import coverage
from graphc.runtime.checks.proofs import Effects, unproved
from graphc.runtime.checks.touched import touched

Memory = Value | Workspace


def verify_lowering(
    graph: Graph,
    steps: Sequence[Step],
    sizes: Mapping[str, int] | None = None,
    limit: int | None = None,
) -> list[tuple[Node, str]]:
    """Verify the steps of a graph. Nothing is compiled or run.

    Args:
        graph: the final graph.
        steps: its lowering, in the graph's order.
        sizes: of symbolic dimensions, by name, for what is looked at by element.
        limit: elements of memory that a program may touch on shadow memory; where it is given,
            steps that are proven are run too.

    Returns:
        What is neither proven nor was run to its end: the nodes, each with why.

    Raises:
        InternalError: a step reads what no step before it writes or what another has overwritten,
            or a result is not written; the message names the node and the user's line.
    """
    homes = places.settle(graph, steps)
    small = coverage.small_sizes(graph)
    is_sure = all(name in (sizes or {}) for name in small)
    # The value that each piece of memory holds.
    holds: dict[Hashable, Hashable] = {homes.of[(n, 0)]: (id(n), 0) for n in graph.inputs}
    left: list[tuple[Node, str]] = []
    for step in homes.steps:
        if isinstance(step, Copy):
            _check_copy(step, holds)
            holds[step.target] = step
        else:
            _check_step(step, homes, holds)
        for argument in getattr(step, "args", ()):
            if isinstance(argument, Child):
                left += verify_lowering(argument.graph, argument.steps, sizes, limit)
    for position, output in enumerate(graph.outputs):
        node, index = value_of(output)
        if homes.of[(node, index)] not in holds and not _is_empty(Value(node, index)):
            raise InternalError(
                f"output {position} of {graph.name} is never written: {_named(node, index)}",
                [output.describe()],
                where=node.origin,
            )
    bound = {**small, **(sizes or {})}
    if limit is not None:
        return left + coverage.check_elements(graph, homes, bound, limit, is_sure)
    nodes = {step.node for step, _ in unproved_steps(graph, homes)}
    if nodes:
        left += coverage.check_elements(graph, homes, bound, is_sure=is_sure, nodes=nodes)
    return left


def unproved_steps(graph: Graph, homes: Homes) -> list[tuple[Step, str]]:
    """The steps of a program that are not proven for all sizes, and what could not be shown.

    Args:
        graph: the final graph.
        homes: what `homes.settle` made of it and its lowering.
    """
    effects = Effects(
        lambda argument: _place(homes, argument), _key, lambda step: _over(step.node), _is_empty
    )
    return unproved(graph, homes, effects)


def _check_step(step: Step, homes: Homes, holds: dict[Hashable, Hashable]) -> None:
    """A step's reads, then what memory holds after it."""
    reads, writes = _touched(step)
    own = {_key(argument) for argument in writes}
    for argument in reads:
        if _is_empty(argument):
            continue
        found = holds.get(_place(homes, argument))
        if found is None and _key(argument) not in own:
            raise _unwritten(step, argument, "no step before it writes")
        if found is not None and found != _key(argument):
            raise _unwritten(step, argument, "has been overwritten by then")
    over = _over(step.node)
    for argument in writes:
        key = _key(argument)
        holds[_place(homes, argument)] = over.get(key, key)


def _key(argument: Memory) -> Hashable:
    """The value that an argument stands for: compared by identity, since `==` builds nodes."""
    if isinstance(argument, Workspace):
        return id(argument.node), argument.key
    node, index = value_of(argument.node, argument.index)
    return id(node), index


def _over(node: Node) -> dict[Hashable, Hashable]:
    """The results of a fused node by the operands' values that they are written over."""
    over = written_over(node)
    return {_key(Value(node.inputs[k])): (id(node), output) for output, k in over}


def _touched(step: Step) -> tuple[list[Memory], list[Memory]]:
    """The memory that a step may read, and that it may write."""
    if step.kernel.language != "kernel":
        own = [a for a in step.args if isinstance(a, Value) and a.node is step.node]
        return [a for a in step.args if isinstance(a, Value) and a.node is not step.node], [*own]
    found = touched(step.kernel)
    rows = evaluate(step.args[0].size, {}) if found.table else 0  # type: ignore[union-attr]
    reads, writes = (found.arguments(p, rows) for p in (found.reads, found.writes))
    return list(_memory(step, reads)), list(_memory(step, writes))


def _memory(step: Step, positions: Sequence[int]) -> Iterator[Memory]:
    for k in positions:
        argument = step.args[k]
        if isinstance(argument, Value | Workspace):
            yield argument


def _place(homes: Homes, argument: Memory) -> Hashable:
    """What stands for the memory of an argument: one for all values that share it."""
    if isinstance(argument, Workspace):
        return _key(argument)
    return homes.of[value_of(argument.node, argument.index)]


def _is_empty(argument: Memory) -> bool:
    if isinstance(argument, Workspace):
        return argument.nbytes == 0
    type_ = argument.node.type
    if isinstance(type_, TupleType):
        type_ = type_.items[argument.index]
    return isinstance(type_, TensorType) and type_.size == 0


def _check_copy(copy: Copy, holds: Mapping[Hashable, Hashable]) -> None:
    if copy.source not in holds and not _is_empty(Value(copy.node, copy.index)):
        raise InternalError(
            f"{_named(copy.node, copy.index)} is copied before any step writes it",
            [copy.node.describe()],
            where=copy.node.origin,
        )


def _unwritten(step: Step, argument: Memory, why: str) -> InternalError:
    if isinstance(argument, Workspace):
        what, made = f"its scratch memory {argument.key!r}", step.node
    else:
        what, made = _named(argument.node, argument.index), argument.node
    return InternalError(
        f"{step.node.op.name} reads {what}, which {why}",
        [f"kernel {step.kernel.name}", f"reads {made.describe()}"],
        where=step.node.origin,
    )


def _named(node: Node, index: int) -> str:
    several = isinstance(node.type, TupleType)
    return f"result {index} of {node.name}" if several else node.name
