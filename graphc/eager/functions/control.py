"""`cond`, `while_loop`, `scan` and `map` of eager tensors: Python's own branches and loops.

Eagerly a branch is a branch: one function is called, and what it does is recorded. While a
function is traced they become the graph's ops, whose bodies are traced in their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import flatten
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.registry import EAGER, as_eager, eager
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.declare import is_tensor


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
        return tracing.trace.control("cond", [pred, (true_fn, operands), (false_fn, operands)])
    return (true_fn if bool(pred) else false_fn)(*operands)


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
        init: the first value: a tensor or a structure of them.
        max_steps: stop after so many runs.

    Returns:
        The last value.

    Example:
        >>> import graphc as gc
        >>> gc.while_loop(lambda v: v < 100, lambda v: v * 2, gc.tensor(3.0))
        tensor(192.)
    """
    if _is_traced():
        return tracing.trace.control("while_loop", [cond_fn, body_fn, init, max_steps])
    value, steps = init, 0
    while max_steps is None or steps < max_steps:
        goes_on = cond_fn(value)
        if is_tensor(goes_on):  # the functions read a graph: so the loop is part of it
            return FUNCTIONS["while_loop"](cond_fn, body_fn, init, max_steps)
        if not goes_on:
            break
        value = body_fn(value)
        steps += 1
    return value


@eager("scan")
def scan(
    f: Callable[..., Any], init: Any, xs: Any = None, length: Any = None, reverse: bool = False
) -> Any:
    """Run `f` for each slice of `xs` along its first axis, carrying a value from one to the next.

    Args:
        f: takes (carry, x), returns (new carry, y).
        init: the first carry: a tensor or a structure of them.
        xs: what is sliced: a tensor or a structure of tensors of one first size.
        length: how often f runs, where there is no `xs` to say so.
        reverse: begin with the last slice; ys are stacked in the order of xs all the same.

    Returns:
        The pair (last carry, ys): ys has the structure of y, with one more axis at the front.

    Raises:
        ShapeError: the first sizes of xs differ.

    Example:
        >>> import graphc as gc
        >>> total, sums = gc.scan(lambda c, x: (c + x, c + x), gc.tensor(0.0), gc.ones(3))
        >>> sums
        tensor([1., 2., 3.])
    """
    if _is_traced():
        return tracing.trace.control("scan", [f, init, xs, length, reverse])
    leaves, tree = flatten(xs)
    leaves = [as_eager(x) for x in leaves]
    sizes = sorted({x.shape[0] for x in leaves} | ({length} if length is not None else set()))
    if len(sizes) != 1:
        raise ShapeError(
            f"scan: first sizes {', '.join(map(str, sizes)) or 'unknown: no xs and no length'}",
            where=caller(),
            hint="all of xs must have one first size",
        )
    carry, results = init, []
    order = range(sizes[0])
    for k in reversed(order) if reverse else order:
        pair = f(carry, tree.restore([x[k] for x in leaves]))
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ArgumentError(
                f"scan: f must return a pair (carry, y), not {type(pair).__name__}",
                where=caller(),
            )
        carry, y = pair
        results.append(y)
    return carry, _stacked(results[::-1] if reverse else results)


def _stacked(results: list[Any]) -> Any:
    if not results:
        return None
    _, form = flatten(results[0])
    columns = zip(*(flatten(r)[0] for r in results))
    return form.restore([EAGER["stack"]([as_eager(v) for v in column]) for column in columns])


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
        return tracing.trace.control("map", [f, xs])
    return scan(lambda carry, x: (carry, f(x)), None, xs)[1]


def is_control(values: Any) -> bool:
    """Whether a call of a control function is for the eager form: an eager tensor is among it."""
    leaves, _ = flatten(list(values))
    return any(isinstance(v, Tensor) for v in leaves)


__all__ = ["cond", "is_control", "map", "scan", "while_loop"]
