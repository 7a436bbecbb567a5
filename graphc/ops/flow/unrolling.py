"""Several steps of a scan in a row: one run of its body for each `k`, and the rest as they are.

    scan over n steps   =   scan over n // k runs of k steps, then scan over n % k steps

The values are the same, draws included; the compiler sees `k` steps at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.core.dims import Size
from graphc.core.ir import Graph, Node, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.ops.control import ITEM
from graphc.ops.flow.closures import inline, placeholder
from graphc.ops.flow.looping import SCAN


def unrolled(
    operands: Sequence[Node],
    settings: Mapping[str, Any],
    length: Size,
    reverse: bool,
    together: int,
) -> list[Node]:
    """The results of a scan whose steps stand `together` in a row.

    Args:
        operands: the scan's.
        settings: its body, and how many carries and sequences it has.
        length: how many steps it has.
        reverse: whether the last slice comes first.
        together: how many steps stand in a row.
    """
    if isinstance(length, int):
        together = min(together, length)
    if together == 1 or length == 0:
        node = SCAN(*operands, length=length, reverse=reverse, **settings)
        return [ITEM(node, index=k) for k in range(len(settings["body"].outputs))]
    split = settings["carries"]
    until = split + settings["sequences"]
    first, slices, rest = operands[:split], operands[split:until], operands[until:]
    if together == length:
        return _in_a_row(settings["body"], first, slices, rest, together, reverse)
    runs = length // together
    whole = runs * together
    grouped = [_grouped(x[:whole], runs, together) for x in slices]
    left = [x[whole:] for x in slices]

    def in_groups(carries: Sequence[Node]) -> list[Node]:
        inner = {**settings, "body": _row_of(settings, together, reverse)}
        node = SCAN(*carries, *grouped, *rest, length=runs, reverse=reverse, **inner)
        found = [ITEM(node, index=k) for k in range(len(settings["body"].outputs))]
        return [*found[:split], *(_flat(y, whole) for y in found[split:])]

    def singly(carries: Sequence[Node]) -> list[Node]:
        return unrolled([*carries, *left, *rest], settings, length - whole, reverse, 1)

    if length == whole:
        return in_groups(first)
    before, after = (singly, in_groups) if reverse else (in_groups, singly)
    begun = before(first)
    ended = after(begun[:split])
    low, high = (ended, begun) if reverse else (begun, ended)
    stacks = [FUNCTIONS["concat"]([a, b]) for a, b in zip(low[split:], high[split:])]
    return [*ended[:split], *stacks]


def _in_a_row(
    body: Graph,
    carries: Sequence[Node],
    slices: Sequence[Node],
    rest: Sequence[Node],
    count: int,
    reverse: bool,
) -> list[Node]:
    """The results of `count` steps, without a loop."""
    split = len(carries)
    stacked: list[list[Node]] = []
    for t in reversed(range(count)) if reverse else range(count):
        found = inline(body, [*carries, *(x[t] for x in slices), *rest])
        carries = found[:split]
        stacked.append(found[split:])
    columns = zip(*(stacked[::-1] if reverse else stacked))
    return [*carries, *(FUNCTIONS["stack"](list(column)) for column in columns)]


def _row_of(settings: Mapping[str, Any], count: int, reverse: bool) -> Graph:
    """A body of `count` steps, whose slices have one more axis."""
    body, split = settings["body"], settings["carries"]
    until = split + settings["sequences"]
    inputs = [
        placeholder(n.name, _longer(n, count) if split <= k < until else tensor_type(n))
        for k, n in enumerate(body.inputs)
    ]
    parts = inputs[:split], inputs[split:until], inputs[until:]
    return Graph.of(body.name, inputs, _in_a_row(body, *parts, count, reverse))


def _longer(node: Node, count: int) -> Any:
    type_ = tensor_type(node)
    return type_.with_shape((count, *type_.shape))


def _grouped(x: Node, runs: Size, together: int) -> Node:
    return FUNCTIONS["reshape"](x, (runs, together, *tensor_type(x).shape[1:]))


def _flat(y: Node, length: Size) -> Node:
    return FUNCTIONS["reshape"](y, (length, *tensor_type(y).shape[2:]))
