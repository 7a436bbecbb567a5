"""`cond`, `while_loop`, `scan` and `map` of eager tensors: Python's own branches and loops.

Eagerly a branch is a branch: one function is called, and what it does is recorded. While a
function is traced they become the graph's ops, whose bodies are traced in their turn. What is
checked is the same: where values do not show it (the branch not taken, a scan of no steps, the
dtype of a carry that starts as a number), the functions are run once more on symbolic tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.dims import Dim
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators, SymbolicTensorError
from graphc.core.trees import Tree, flatten
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.building import build
from graphc.eager.engine.drawn import settings
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.registry import EAGER, as_eager, eager
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import (
    ArgumentError,
    CastOverflowError,
    CheckError,
    DivisionError,
    IndexRangeError,
)
from graphc.ops.declare import as_tensor, is_scalar, is_tensor
from graphc.ops.declare import promotion as promoting
from graphc.ops.flow.branching import PRED, as_pred, differing, like
from graphc.ops.flow.carries import Carry, going, most_steps, pair, steps_of, unroll_of
from graphc.ops.flow.closures import check_function, name_body, placeholder


def _is_traced() -> bool:
    return bool(hot.slow) and tracing.trace is not None


@eager("cond")
def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any
) -> Any:
    """The results of `true_fn(*operands)` if `pred`, else of `false_fn(*operands)`.

    Args:
        pred: a bool scalar.
        true_fn: a function of the operands.
        false_fn: a function of the operands, with results of the same structure and types.
        operands: tensors, or nested tuples, lists and dicts of them.

    Returns:
        What the function that was called returns.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor(-3.0)
        >>> gc.cond(x > 0, lambda x: x * 2, lambda x: -x, x)
        tensor(3.)
    """
    if _is_traced():
        return tracing.trace.control("cond", pred, true_fn, false_fn, *operands)
    if not isinstance(pred, bool) and not _is_pred(pred):
        as_pred("cond", "pred", pred)
    check_function("cond", true_fn)
    check_function("cond", false_fn)
    taken = bool(pred)
    result = (true_fn if taken else false_fn)(*operands)
    leaves, tree = flatten(result)
    if _has_nodes(leaves):  # the function reads a graph: so the branch is part of it
        return FUNCTIONS["cond"](pred, true_fn, false_fn, *operands)

    def found(*_: Any) -> Any:
        return tree.restore([_stand_in(leaf) for leaf in leaves])

    found.__name__ = name_body(true_fn if taken else false_fn, "true" if taken else "false")
    functions = (found, false_fn) if taken else (true_fn, found)
    seen = _on_symbols("cond", cond, pred, *functions, *operands)
    nodes = flatten(seen)[0]
    types = [n.type for n in nodes] if nodes else [None] * len(leaves)
    return tree.restore([_tensor(leaf, type_) for leaf, type_ in zip(leaves, types)])


@eager("while_loop")
def while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    init: Any,
    max_steps: int | None = None,
) -> Any:
    """Run `body_fn` on a value again and again, while `cond_fn` of it holds.

    Args:
        cond_fn: takes the value, returns a bool scalar.
        body_fn: takes the value, returns a new one of its structure, dtypes and shapes.
        init: the first value: a tensor, a number or a structure of them.
        max_steps: stop after so many runs.

    Returns:
        The last value.

    Example:
        >>> import graphc as gc
        >>> gc.while_loop(lambda v: v < 100, lambda v: v * 2, gc.tensor(3.0))
        tensor(192.)
    """
    if _is_traced():
        return tracing.trace.control("while_loop", cond_fn, body_fn, init, max_steps)
    most = most_steps(max_steps)
    check_function("while_loop", cond_fn)
    check_function("while_loop", body_fn)
    carry = _carry("while_loop", init)
    if _has_nodes(carry.leaves):
        return FUNCTIONS["while_loop"](cond_fn, body_fn, init, max_steps)
    if carry.weak or not carry.leaves:
        _settle(carry, _on_symbols("while_loop", while_loop, cond_fn, body_fn, init, max_steps))
    leaves = _first(carry)
    steps = 0
    while most is None or steps < most:
        goes_on = cond_fn(carry.tree.restore(leaves))
        if is_tensor(goes_on):  # the functions read a graph: so the loop is part of it
            return FUNCTIONS["while_loop"](cond_fn, body_fn, init, max_steps)
        if not isinstance(goes_on, bool) and not _is_pred(goes_on):
            goes_on = going(goes_on)
        if not bool(goes_on):
            break
        new, tree = flatten(body_fn(carry.tree.restore(leaves)))
        if _has_nodes(new):
            return FUNCTIONS["while_loop"](cond_fn, body_fn, init, max_steps)
        leaves = _checked(carry, tree, new, "body_fn")
        steps += 1
    return carry.tree.restore(leaves)


@eager("scan")
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """Run `f` for each slice of `xs` along its first axis, carrying a value from one to the next.

    Args:
        f: takes (carry, x), returns (new carry, y).
        init: the first carry: a tensor, a number or a structure of them.
        xs: what is sliced: a tensor or a structure of tensors of one first size.
        length: how often f runs, where there is no `xs` to say so.
        reverse: begin with the last slice; ys are stacked in the order of xs all the same.
        unroll: how many steps stand in a row where the loop is compiled; True for all of them.

    Returns:
        The pair (last carry, ys): ys has the structure of y, with one more axis at the front.

    Raises:
        ShapeError: the first sizes of xs differ; a carry changes its shape.
        DTypeError: a carry changes its dtype.
        ArgumentError: f returns no pair, or a carry of another structure.

    Example:
        >>> import graphc as gc
        >>> total, sums = gc.scan(lambda c, x: (c + x, c + x), gc.tensor(0.0), gc.ones(3))
        >>> sums
        tensor([1., 2., 3.])
    """
    if _is_traced():
        return tracing.trace.control("scan", f, init, xs, length, reverse, unroll)
    check_function("scan", f)
    leaves, form = flatten(xs)
    sequences = [_leaf(x, "scan") for x in leaves]
    carry = _carry("scan", init)
    steps = steps_of(sequences, [f"xs{path}" for path in form.paths()], length)
    unroll_of(unroll, steps)
    if _has_nodes([*sequences, *carry.leaves]) or isinstance(steps, Dim):
        return FUNCTIONS["scan"](f, init, xs, length, reverse, unroll)
    if carry.weak or not steps:
        seen = _on_symbols("scan", scan, f, init, xs, length, reverse)
        _settle(carry, None if seen is None else seen[0])
        if not steps:
            return carry.tree.restore(_first(carry)), _of_no_steps(seen)
    state, ys = _first(carry), []
    slices = [EAGER["unbind"](x) for x in sequences]
    for k in reversed(range(steps)) if reverse else range(steps):
        new, y = pair(f(carry.tree.restore(state), form.restore([x[k] for x in slices])))
        new, tree = flatten(new)
        if _has_nodes([*new, *flatten(y)[0]]):  # f reads a graph: the loop is part of it
            return FUNCTIONS["scan"](f, init, xs, length, reverse, unroll)
        state = _checked(carry, tree, new, "f")
        ys.append(y)
    return carry.tree.restore(state), _stacked(ys[::-1] if reverse else ys)


@eager("map")
def map(f: Callable[..., Any], xs: Any) -> Any:
    """Apply `f` to each slice of `xs` along its first axis, and stack the results.

    Args:
        f: takes a slice, in the structure of `xs`; returns a tensor or a structure of tensors.
        xs: a tensor or a structure of tensors of one first size.

    Example:
        >>> import graphc as gc
        >>> gc.map(lambda row: row.sum(), gc.ones(2, 3))
        tensor([3., 3.])
    """
    if _is_traced():
        return tracing.trace.control("map", f, xs)
    check_function("map", f)

    def step(carry: Any, x: Any) -> Any:
        return None, f(x)

    step.__name__ = name_body(f, "body")
    return scan(step, None, xs)[1]


def _leaf(value: Any, name: str) -> Any:
    """An array or a number as an eager tensor; a symbolic one is itself.

    Raises:
        ArgumentError: it is none of them.
    """
    if isinstance(value, Operators | np.ndarray | bool | int | float):
        return as_eager(value)
    return wrap(as_tensor(value, name).value)  # type: ignore[attr-defined]


def _has_nodes(leaves: Sequence[Any]) -> bool:
    return any(is_tensor(leaf) for leaf in leaves)


def _carry(name: str, init: Any) -> Carry:
    return Carry(name, init, _leaf)


def _is_pred(value: Any) -> bool:
    return isinstance(value, Tensor) and value.type == PRED


# What a branch that is not taken, or a loop of no steps, may not raise: of values it closes over.
_OF_VALUES = (CastOverflowError, CheckError, DivisionError, IndexRangeError)


def _on_symbols(name: str, form: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives for symbolic tensors of its tensors' types: it checks all of it.

    Returns:
        A structure of nodes; None where the user's functions read values, which these have not.
    """
    leaves, tree = flatten(arguments)
    given = tree.restore([_stand_in(leaf) for leaf in leaves])
    enabled, state.enabled = state.enabled, False
    before, settings.types_alone = settings.types_alone, True
    try:
        with promoting(promotion.promote):
            return build(name, form, given, {})
    except (SymbolicTensorError, *_OF_VALUES):
        return None
    finally:
        state.enabled, settings.types_alone = enabled, before


def _stand_in(value: Any) -> Any:
    value = as_eager(value) if isinstance(value, np.ndarray) else value
    return placeholder("x", value.type) if isinstance(value, Tensor) else value


def _settle(carry: Carry, seen: Any) -> None:
    """Take the dtypes of carries that start as numbers from what the loop gives for symbols."""
    for k, node in enumerate(flatten(seen)[0]):
        carry.types[k] = node.type


def _first(carry: Carry) -> list[Any]:
    return [_tensor(leaf, type_) for leaf, type_ in zip(carry.leaves, carry.types)]


def _tensor(value: Any, type_: TensorType | None = None) -> Any:
    """A result as a tensor; a number in the dtype of a type that holds it, or in its own."""
    if not is_scalar(value):
        return as_eager(value)
    with promoting(promotion.promote):
        dtype = promotion.of_number(value) if type_ is None else like(value, type_).type.dtype
    return wrap(np.array(value, dtype.numpy))


def _checked(carry: Carry, tree: Tree, leaves: Sequence[Any], who: str) -> list[Any]:
    if tree == carry.tree:
        leaves = [_tensor(leaf, type_) for leaf, type_ in zip(leaves, carry.types)]
    return carry.checked(tree, leaves, who)


def _of_no_steps(seen: Any) -> Any:
    """What a scan of no steps stacks."""
    if seen is None:
        raise ArgumentError(
            "scan: there are no steps, and f reads values of its arguments, so the shapes of what "
            "it gives are not known",
            where=caller(),
            hint="leave out the scan where there are no steps",
        )
    leaves, form = flatten(seen[1])
    return form.restore([wrap(np.zeros(n.type.shape, n.type.dtype.numpy)) for n in leaves])


def _stacked(results: Sequence[Any]) -> Any:
    """The results of the steps, one more axis at the front.

    Raises:
        ArgumentError, DTypeError, ShapeError: they are not of one structure and type.
    """
    first = Carry("scan", results[0], _leaf)
    first.leaves = [_tensor(leaf) for leaf in first.leaves]
    columns: list[list[Any]] = [[] for _ in first.leaves]
    for result in results:
        leaves, tree = flatten(result)
        if tree != first.tree:
            raise ArgumentError(
                f"scan: y has the structure {first.tree} in one step and {tree} in another",
                where=caller(),
            )
        for label, column, start, leaf in zip(first.labels, columns, first.leaves, leaves):
            leaf = _tensor(leaf)
            if leaf.type != start.type:
                what = f"scan: {label.replace('carry', 'y', 1)} changes its type from one step to"
                raise differing(f"{what} the next", start.type, leaf.type, [])
            column.append(leaf)
    return first.tree.restore([EAGER["stack"](column) for column in columns])


__all__ = ["cond", "map", "scan", "while_loop"]
