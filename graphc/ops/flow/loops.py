"""Loops for users: `scan`, `map`, `while_loop`. JAX's conventions for arguments and results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Graph, Node, caller, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import Tree, flatten
from graphc.core.types import TensorType
from graphc.core.typing import Operand
from graphc.errors import ArgumentError, GraphcError
from graphc.ops.arrays.random import drawing_in_loop
from graphc.ops.control import ITEM
from graphc.ops.declare import as_tensor, bring, common_dtype, is_scalar, public
from graphc.ops.flow.carries import Carry, going, most_steps, pair, steps_of, unroll_of
from graphc.ops.flow.closures import (
    Traced,
    captured,
    check_function,
    close,
    name_body,
    placeholder,
    trace,
)
from graphc.ops.flow.looping import WHILE
from graphc.ops.flow.unrolling import unrolled

COUNTER = TensorType(dtypes.int64, ())
# What a number that starts a carry is at first taken for: the least of its kind, so that the body
# shows what it makes of it.
_LEAST = {bool: dtypes.bool_, int: dtypes.int8, float: dtypes.float16}


class _Body(Carry):
    """A loop's carries, and the function that is run on them."""

    def settle(self, run: Callable[[Sequence[Node]], Traced]) -> None:
        """Find the dtypes of carries that start as numbers, from what the body makes."""
        if not self.weak:
            return
        least = list(self.types)
        for k in self.weak:
            least[k] = TensorType(_LEAST[type(self.leaves[k])], ())
        try:
            traced = run(self.placeholders(least))
        except (GraphcError, OverflowError):
            return
        if traced.tree.count < len(least):
            return
        for k in self.weak:
            new = traced.leaves[k]
            if not is_scalar(new) and new.type != least[k] and new.type.shape == ():
                self.types[k] = new.type

    def placeholders(self, types: Sequence[TensorType]) -> list[Node]:
        """A body's inputs for the carries."""
        return [placeholder(_identifier(label), t) for label, t in zip(self.labels, types)]

    def first(self) -> list[Node]:
        """The first values as tensors."""
        return [
            _number(leaf, type_.dtype) if is_scalar(leaf) else leaf
            for leaf, type_ in zip(self.leaves, self.types)
        ]


def _number(value: bool | int | float, dtype: DType) -> Node:
    return bring(value, dtype, ())


def _identifier(label: str) -> str:
    """A label as a name: `carry['h'][0]` is `carry_h_0`."""
    words = "".join(c if c.isalnum() else " " for c in label).split()
    name = "_".join(words)
    return name if name.isidentifier() else "carry"


@public
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """Run `f` for each slice of `xs` along its first axis, carrying a value from one to the next.

    As this Python loop, in one native call, and compiled in a time that does not depend on the
    length:

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, stack(ys)

    Args:
        f: takes (carry, x), returns (new carry, y). It is called once, now, to see what it
            computes. Tensors of the graph around it may be used in it.
        init: the first carry: a tensor, a number or a structure of them. Each new carry has its
            structure, dtypes and shapes.
        xs: what is sliced: a tensor or a structure of tensors of one first size, fixed or
            symbolic; None for no slices.
        length: how often f runs, where there is no `xs` to say so: an int, a symbolic size, or a
            0-d integer tensor whose value says it at each call.
        reverse: begin with the last slice; ys are stacked in the order of xs all the same.
        unroll: how many steps stand in a row in the compiled loop; True for all of them. The
            values are the same. It helps where a step is little work between large arrays that
            the compiler can fuse with the next step's, and costs time to compile.

    Returns:
        The pair (last carry, ys): ys has the structure of y, with one more axis at the front.

    Raises:
        ShapeError: the first sizes of xs differ; a carry changes its shape.
        DTypeError: a carry changes its dtype.
        ArgumentError: f returns no pair, or a carry of another structure.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> total, sums = gc.scan(lambda c, x: (c + x, c + x), 0.0, x)
        >>> gc.compile([x], sums)([1.0, 2.0, 3.0])
        array([1., 3., 6.], dtype=float32)
    """
    leaves, tree = flatten(xs)
    leaves = [as_tensor(leaf, "scan") for leaf in leaves]
    labels = [f"xs{path}" for path in tree.paths()]
    count = steps_of(leaves, labels, length)
    together = unroll_of(unroll, count)
    carry = _Body("scan", init)
    slices = [
        placeholder(_identifier(label), tensor_type(x).with_shape(tensor_type(x).shape[1:]))
        for label, x in zip(labels, leaves)
    ]
    counter = placeholder("step", COUNTER)

    def run(inputs: Sequence[Node]) -> Traced:
        with drawing_in_loop(counter):
            return trace("scan", f, carry.tree.restore(inputs), tree.restore(slices))

    carry.settle(run)
    inputs = carry.placeholders(carry.types)
    traced = run(inputs)
    new, stacked, form = _results(traced, carry)
    outputs = [*new, *stacked]
    if not outputs:
        return carry.tree.restore([]), form.restore([])
    own = [*inputs, *slices, counter]
    outside = captured(outputs, own, traced.made, hoist=True)
    graph = close(name_body(f, "body"), own, outside, outputs)
    if not _uses(graph, counter):
        graph = _without(graph, counter)
    else:
        leaves = [*leaves, FUNCTIONS["iota"]((count,), 0, dtypes.int64)]
    settings = {"body": graph, "carries": len(inputs), "sequences": len(leaves)}
    operands = [*carry.first(), *leaves, *outside]
    results = unrolled(operands, settings, count, bool(reverse), together)
    return carry.tree.restore(results[: len(inputs)]), form.restore(results[len(inputs) :])


def _uses(graph: Graph, node: Node) -> bool:
    return any(node in set(user.inputs) for user in graph.nodes)


def _without(graph: Graph, unused: Node) -> Graph:
    inputs = [n for n in graph.inputs if n is not unused]
    return Graph.of(graph.name, inputs, graph.outputs)


def _results(traced: Traced, carry: Carry) -> tuple[list[Node], list[Node], Tree]:
    """The new carries, what is stacked, and its structure."""
    pair(traced.value)
    first, second = traced.tree.parts
    ys = [
        bring(leaf, common_dtype([leaf]), ()) if is_scalar(leaf) else leaf
        for leaf in traced.leaves[first.count :]
    ]
    return carry.checked(first, traced.leaves[: first.count], "f"), ys, second


@public
def map(f: Callable[..., Any], xs: Any) -> Any:
    """Apply `f` to each slice of `xs` along its first axis, and stack the results.

    Args:
        f: takes a slice (in the structure of `xs`), returns a tensor or a structure of tensors.
        xs: a tensor or a structure of tensors of one first size.

    Returns:
        What f returns, with one more axis at the front.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3, 2))
        >>> gc.compile([x], gc.map(gc.sum, x))([[1, 2], [3, 4], [5, 6]])
        array([ 3.,  7., 11.], dtype=float32)
    """

    check_function("map", f)

    def step(carry: object, x: Operand) -> Any:
        return None, f(x)

    step.__name__ = name_body(f, "body")
    return scan(step, None, xs)[1]


@public
def while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    init: Any,
    max_steps: int | None = None,
) -> Any:
    """Run `body_fn` on a value again and again, while `cond_fn` of it holds.

    As this Python loop, in one native call:

        value = init
        while cond_fn(value):
            value = body_fn(value)
        return value

    Args:
        cond_fn: takes the value, returns a bool scalar.
        body_fn: takes the value, returns a new one of its structure, dtypes and shapes.
        init: the first value: a tensor, a number or a structure of them.
        max_steps: stop after so many runs of `body_fn`, whatever `cond_fn` says. Without it there
            is no gradient: what it needs of each step is kept, and room must be known.

    Returns:
        The last value.

    Raises:
        DTypeError, ShapeError: the condition is no bool scalar; the value changes its type.
        ArgumentError: the value changes its structure.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> y = gc.while_loop(lambda v: v < 100.0, lambda v: v * 2.0, x)
        >>> float(gc.compile([x], y)(3.0))
        192.0
    """
    max_steps = most_steps(max_steps)
    carry = _Body("while_loop", init)
    if not carry.leaves:
        raise ArgumentError("while_loop: init holds no tensor", where=caller())
    counter = placeholder("step", COUNTER)

    def run(inputs: Sequence[Node]) -> Traced:
        with drawing_in_loop(counter):
            return trace("while_loop", body_fn, carry.tree.restore(inputs))

    carry.settle(run)
    inputs = carry.placeholders(carry.types)
    traced = run(inputs)
    outputs = carry.checked(traced.tree, traced.leaves, "body_fn")
    with drawing_in_loop(counter):
        test = trace("while_loop", cond_fn, carry.tree.restore(inputs))
    goes_on = going(test.value)
    own = [*inputs, counter]
    outside = dict.fromkeys(captured(outputs, own, traced.made, hoist=True))
    outside.update(dict.fromkeys(captured([goes_on], own, test.made, hoist=True)))
    first = carry.first()
    body = close(name_body(body_fn, "body"), own, list(outside), outputs)
    cond = close(name_body(cond_fn, "cond"), own, list(outside), [goes_on])
    if _uses(body, counter) or _uses(cond, counter):
        first.append(_number(0, dtypes.int64))
        body = Graph.of(body.name, body.inputs, [*body.outputs, FUNCTIONS["add"](counter, 1)])
    else:
        body, cond = _without(body, counter), _without(cond, counter)
    node = WHILE(*first, *outside, body=body, carries=len(first), cond=cond, max_steps=max_steps)
    return carry.tree.restore([ITEM(node, index=k) for k in range(len(outputs))])
