"""`cond`: one of two functions runs, as a value says.

    y = cond(pred, true_fn, false_fn, *operands)

Both are traced, so both must give results of equal types; one of them runs. What they use of the
graph around them is handed to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, Op, caller, tensor_type
from graphc.core.trees import flatten
from graphc.core.types import TensorType, TupleType, Type
from graphc.core.typing import Pullback, Values
from graphc.errors import ArgumentError, DTypeError, InternalError, ShapeError
from graphc.ops.control import ITEM
from graphc.ops.declare import (
    as_tensor,
    bring,
    common_dtype,
    declare,
    describe,
    is_scalar,
    is_tensor,
    public,
)
from graphc.ops.flow.batching import cond_batch
from graphc.ops.flow.closures import (
    Traced,
    captured,
    close,
    name_body,
    placeholder,
    trace,
)

PRED = TensorType(dtypes.bool_, ())


def _cond_infer(pred: Type, *types: Type, true: Graph, false: Graph) -> TupleType:
    if pred != PRED:
        raise DTypeError(f"cond: pred must be a bool scalar, not {pred}")
    results = []
    for graph in (true, false):
        if [i.type for i in graph.inputs] != list(types):
            raise InternalError(f"cond: {graph.name} takes other types than its operands'")
        results.append(tuple(tensor_type(o) for o in graph.outputs))
    if results[0] != results[1]:
        raise InternalError(f"cond: {true.name} and {false.name} give different types")
    return TupleType(results[0])


def _cond_numpy(
    pred: object, *arrays: np.ndarray, true: Graph, false: Graph, sizes: Mapping[str, int]
) -> tuple[Any, ...]:
    return run_sized(true if pred else false, arrays, sizes)


def _cond_vjp(node: Node, cts: Sequence[Any], wanted: Sequence[bool], vjp: Pullback) -> list[Any]:
    """The gradient runs the branch that ran, forward and back."""
    graphs = (node.attr("true"), node.attr("false"))
    shown = [k for k, ct in enumerate(cts) if ct is not None]
    places = [k for k, want in enumerate(wanted[1:]) if want]
    seeds = [placeholder(f"ct{k}", tensor_type(cts[k])) for k in shown]
    branches = []
    for graph in graphs:
        grads = vjp([graph.outputs[k] for k in shown], seeds, [graph.inputs[k] for k in places])
        branches.append(Graph.of(f"{graph.name}_grad", [*graph.inputs, *seeds], grads))
    operands = (*node.inputs, *(cts[k] for k in shown))
    result = COND(*operands, true=branches[0], false=branches[1])
    found: list[Any] = [None] * len(node.inputs)
    for position, k in enumerate(places):
        found[k + 1] = ITEM(result, index=position)
    return found


COND = declare(
    Op(
        "cond", Kind.CONTROL, _cond_infer, _cond_numpy, _cond_vjp, batch=cond_batch,
        doc="The results of `true` or of `false`, as the first operand says.",
    )
)  # fmt: skip


def as_pred(name: str, what: str, value: Values) -> Node:
    """A condition as a bool scalar.

    Raises:
        DTypeError, ShapeError: it is something else.
    """
    pred: Any = as_tensor(value, name)
    if pred.type == PRED:
        return pred
    if pred.type.shape:
        raise ShapeError(
            f"{name}: {what} must be a bool scalar, not {pred.type}",
            [describe(pred)],
            where=caller(),
            hint="reduce it with gc.any or gc.all, or choose element by element with gc.where",
        )
    raise DTypeError(
        f"{name}: {what} must be a bool scalar, not {pred.type}",
        [describe(pred)],
        where=caller(),
        hint="compare it with something, as in x != 0",
    )


@public
def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any
) -> Any:
    """The results of `true_fn(*operands)` if `pred`, else of `false_fn(*operands)`; one is run.

    Args:
        pred: a bool scalar.
        true_fn: a function of tensors. It is called once, now, to see what it computes.
        false_fn: likewise; its results have the structure and types of the other's.
        operands: tensors, or nested tuples, lists and dicts of them. Tensors that the functions
            use without being given them are handed to them all the same.

    Returns:
        What the functions return: a tensor or a structure of tensors.

    Raises:
        DTypeError, ShapeError: `pred` is no bool scalar; the branches' types differ.
        ArgumentError: the branches' structures differ.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", ())
        >>> y = gc.cond(x > 0, lambda x: x * 2, lambda x: -x, x)
        >>> float(gc.compile([x], y)(-3.0))
        3.0
    """
    chosen = as_pred("cond", "pred", pred)
    leaves, tree = flatten(operands)
    leaves = [leaf if is_scalar(leaf) else as_tensor(leaf, "cond") for leaf in leaves]
    tensors = [leaf for leaf in leaves if is_tensor(leaf)]
    own = [placeholder(f"x{k}", tensor_type(t)) for k, t in enumerate(tensors)]
    inner = iter(own)
    arguments = tree.restore([next(inner) if is_tensor(leaf) else leaf for leaf in leaves])
    true, false = (trace("cond", f, *arguments) for f in (true_fn, false_fn))
    names = name_body(true_fn, "true"), name_body(false_fn, "false")
    results = _agreed(true, false, names)
    if not results[0]:
        return true.tree.restore([])
    outside: dict[Node, None] = {}
    for traced, outputs in zip((true, false), results):
        outside.update(dict.fromkeys(captured(outputs, own, traced.made, hoist=False)))
    graphs = [close(n, own, list(outside), o) for n, o in zip(names, results)]
    node = COND(chosen, *tensors, *outside, true=graphs[0], false=graphs[1])
    return true.tree.restore([ITEM(node, index=k) for k in range(len(results[0]))])


def _agreed(true: Traced, false: Traced, names: tuple[str, str]) -> tuple[list[Any], list[Any]]:
    """The branches' results, Python numbers brought to the type that the other branch has."""
    if true.tree != false.tree:
        raise ArgumentError(
            "cond: the branches give different structures",
            [f"{names[0]} gives {true.tree}", f"{names[1]} gives {false.tree}"],
            where=caller(),
            hint="both must return the same nesting of tuples, lists and dicts",
        )
    results: tuple[list[Any], list[Any]] = ([], [])
    for path, left, right in zip(true.tree.paths(), true.leaves, false.leaves):
        if is_scalar(left) and is_scalar(right):
            dtype = common_dtype([left, right])
            left, right = (bring(v, dtype, ()) for v in (left, right))
        elif is_scalar(left):
            left = like(left, right.type)
        elif is_scalar(right):
            right = like(right, left.type)
        if left.type != right.type:
            raise differing(
                f"cond: the branches give different types{' for result' if path else ''}{path}",
                left.type,
                right.type,
                [f"{n} gives {describe(v)}" for n, v in zip(names, (left, right))],
            )
        results[0].append(left)
        results[1].append(right)
    return results


def like(value: object, type_: TensorType) -> Any:
    """A Python number in a dtype, where that holds it; else in its own."""
    kinds = {bool: ("bool", "int", "uint", "float"), int: ("int", "uint", "float")}
    fits = type_.dtype.kind in kinds.get(type(value), ("float",))
    return bring(value, type_.dtype if fits else common_dtype([value]), ())


def differing(what: str, left: TensorType, right: TensorType, details: Sequence[str]) -> Exception:
    """The error for two types that should be one."""
    if left.dtype is not right.dtype:
        return DTypeError(
            f"{what}: {left} and {right}",
            details,
            where=caller(),
            hint=f"cast one with astype(gc.{left.dtype.name}) or astype(gc.{right.dtype.name})",
        )
    return ShapeError(
        f"{what}: {left} and {right}",
        details,
        where=caller(),
        hint="bring both to one shape",
    )
