"""Branches and loops as steps: their bodies are programs of their own, run by the step machine.

A control step is one kernel in the machine's language. Its bodies have frames of their own, and
for each run of a body it points the frame's externals at where the operands and results are: at
the next slice of what is sliced and stacked, and for carries at two places in turn, so that a new
value never lies over the one it is made from. A carry of which the body updates places has one
place, into which its first value is copied. Then it calls the machine's `run`. Nothing returns to
Python; a body's kernels are shared by threads like any others.

    loop(h -> h', x[t] -> y[t]):     step t reads h at A and writes h' at B, the next one back
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.core import results
from graphc.core.dims import Size
from graphc.core.ir import Graph, Node, tensor_type
from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import (
    Argument,
    Child,
    Number,
    StatusBlock,
    Step,
    Value,
    Workspace,
    evaluate,
)
from graphc.runtime.machine.machine_source import FRAME

# More steps than any loop takes.
FOREVER = 1 << 62

_CONSTANTS = "".join(f"{name} = {FRAME[name]}\n" for name in ("RUN", "EXTERNALS", "STATUS"))

BRANCH = Kernel(
    "branch",
    _CONSTANTS
    + '''
def branch(args, lo, hi):
    """Run one of two frames, as a byte says.

    args: status, true frame and its arena, false frame and its arena, address of the byte, how
    many externals, these.
    """
    if pointer(args[0])[0] != 0:
        return
    frame = args[1] if byte_at(args[5]) != 0 else args[3]
    externals = pointer(pointer(frame)[EXTERNALS])
    for k in range(args[6]):
        externals[k] = args[7 + k]
    call(pointer(frame)[RUN], frame, 0, 0)
    status = pointer(pointer(frame)[STATUS])
    if status[0] != 0:
        for k in range(3):
            pointer(args[0])[k] = status[k]
''',
    "machine",
)

LOOP = Kernel(
    "loop",
    _CONSTANTS
    + '''
def loop(args, lo, hi):
    """Run a frame again and again: a number of times, or while another frame says so.

    args: status, body frame and its arena, condition's frame and its arena (0 and 0 without),
    most runs, whether slices come last first, address of the condition's byte, how many fixed
    operands, sliced ones, carries; then
    - of each fixed operand: its external of the body, its external of the condition, address
    - of each slice: its external, address, stride in bytes
    - of each carry: its external in the body (in, out), in the condition, address of the first
      value, of the last one, of the other place (the same: computed in place), bytes
    """
    if pointer(args[0])[0] != 0:
        return
    body = args[1]
    cond = args[3]
    limit = args[5]
    externals = pointer(pointer(body)[EXTERNALS])
    asked = externals
    if cond != 0:
        asked = pointer(pointer(cond)[EXTERNALS])
    fixed = 11
    sliced = fixed + 3 * args[8]
    carried = sliced + 3 * args[9]
    for k in range(args[8]):
        externals[args[fixed + 3 * k]] = args[fixed + 3 * k + 2]
        if cond != 0:
            asked[args[fixed + 3 * k + 1]] = args[fixed + 3 * k + 2]
    for k in range(args[10]):
        at = carried + 7 * k
        externals[args[at]] = args[at + 3]
        if args[at + 5] == args[at + 4]:
            copy_bytes(args[at + 4], args[at + 3], args[at + 6])
            externals[args[at]] = args[at + 4]
    turn = 0
    failed = 0
    while turn < limit and failed == 0:
        if cond != 0:
            for k in range(args[10]):
                at = carried + 7 * k
                asked[args[at + 2]] = externals[args[at]]
            asked[args[8] + args[10]] = args[7]
            call(pointer(cond)[RUN], cond, 0, 0)
            failed = pointer(pointer(cond)[STATUS])[0]
            if failed != 0:
                failed = cond
                break
            if byte_at(args[7]) == 0:
                break
        which = limit - 1 - turn if args[6] != 0 else turn
        for k in range(args[9]):
            at = sliced + 3 * k
            externals[args[at]] = args[at + 1] + which * args[at + 2]
        # The last run of a loop of known length writes where the result belongs.
        last = 0 if cond != 0 else (limit - 1) & 1
        for k in range(args[10]):
            at = carried + 7 * k
            externals[args[at + 1]] = args[at + 4] if (turn & 1) == last else args[at + 5]
        call(pointer(body)[RUN], body, 0, 0)
        if pointer(pointer(body)[STATUS])[0] != 0:
            failed = body
            break
        for k in range(args[10]):
            at = carried + 7 * k
            externals[args[at]] = externals[args[at + 1]]
        turn += 1
    if failed != 0:
        status = pointer(pointer(failed)[STATUS])
        for k in range(3):
            pointer(args[0])[k] = status[k]
        return
    for k in range(args[10]):
        at = carried + 7 * k
        if externals[args[at]] != args[at + 4]:
            copy_bytes(args[at + 4], externals[args[at]], args[at + 6])
''',
    "machine",
)

Lower = Callable[[Graph], list[Step]]
ValueOf = Callable[[Node], Value]


def lower_control(node: Node, lower: Lower, value_of: ValueOf) -> list[Step]:
    """The step of a branch or a loop.

    Args:
        node: the op.
        lower: makes the steps of a body.
        value_of: where an operand's value is.
    """
    makers = {"cond": _branch, "scan": _scan, "while_loop": _while}
    if node.op.name not in makers:
        raise InternalError(f"{node.op.name} has no lowering")
    kernel, args = makers[node.op.name](node, lower, value_of)
    return [Step(kernel, tuple(args), 1, node, grain=0)]


def _child(node: Node, name: str, lower: Lower) -> Child:
    graph = node.attr(name)
    return Child(node, name, graph, tuple(lower(graph)))


def _branch(node: Node, lower: Lower, value_of: ValueOf) -> tuple[Kernel, list[Argument]]:
    pred, *operands = (value_of(i) for i in node.inputs)
    results = [Value(node, k) for k in range(len(node.type.items))]  # type: ignore[union-attr]
    return BRANCH, [
        StatusBlock(),
        _child(node, "true", lower),
        _child(node, "false", lower),
        pred,
        Number(len(operands) + len(results)),
        *operands,
        *results,
    ]


def _scan(node: Node, lower: Lower, value_of: ValueOf) -> tuple[Kernel, list[Argument]]:
    body, carries, sequences = (node.attr(n) for n in ("body", "carries", "sequences"))
    count = len(body.inputs)
    head: list[Argument] = [
        StatusBlock(),
        _child(node, "body", lower),
        Number(0),
        Number(0),
        Number(node.attr("length")),
        Number(int(node.attr("reverse"))),
        Number(0),
    ]
    sliced: list[Argument] = []
    for k in range(carries, carries + sequences):
        sliced += [Number(k), value_of(node.inputs[k]), Number(tensor_type(body.inputs[k]).nbytes)]
    for k in range(carries, len(body.outputs)):
        stride = tensor_type(body.outputs[k]).nbytes
        sliced += [Number(count + k), Value(node, k), Number(stride)]
    fixed = _fixed(node, carries + sequences, value_of)
    return LOOP, _loop(node, head, fixed, sliced, value_of)


def _while(node: Node, lower: Lower, value_of: ValueOf) -> tuple[Kernel, list[Argument]]:
    steps = node.attr("max_steps")
    head: list[Argument] = [
        StatusBlock(),
        _child(node, "body", lower),
        _child(node, "cond", lower),
        Number(FOREVER if steps is None else steps),
        Number(0),
        Workspace(node, "condition", 1),
    ]
    return LOOP, _loop(node, head, _fixed(node, node.attr("carries"), value_of), [], value_of)


def _fixed(node: Node, first: int, value_of: ValueOf) -> list[Argument]:
    found: list[Argument] = []
    for k in range(first, len(node.inputs)):
        found += [Number(k), Number(k), value_of(node.inputs[k])]
    return found


def _loop(
    node: Node,
    head: list[Argument],
    fixed: list[Argument],
    sliced: list[Argument],
    value_of: ValueOf,
) -> list[Argument]:
    body, carries = node.attr("body"), node.attr("carries")
    carried: list[Argument] = []
    roots = results.shared_with(body)
    for k in range(carries):
        nbytes = tensor_type(body.inputs[k]).nbytes
        key = results.value_of(body.outputs[k])
        is_over = key in roots and roots[key][0] is body.inputs[k]
        result = Value(node, k)
        other = Workspace(node, f"carry {k}", _at_least_one(nbytes))
        carried += [
            Number(k),
            Number(len(body.inputs) + k),
            Number(k),
            value_of(node.inputs[k]),
            result,
            result if is_over else other,
            Number(nbytes),
        ]
    counts = [Number(len(part) // size) for part, size in ((fixed, 3), (sliced, 3), (carried, 7))]
    return [*head, *counts, *fixed, *sliced, *carried]


def _at_least_one(nbytes: Size) -> Size | Callable[[Mapping[str, int]], int]:
    """Room with an address of its own, whatever the size."""
    if isinstance(nbytes, int):
        return max(nbytes, 1)
    return lambda sizes: max(evaluate(nbytes, sizes), 1)


__all__ = ["BRANCH", "LOOP", "lower_control"]
