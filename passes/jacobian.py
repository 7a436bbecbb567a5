"""Jacobians: whole, by rows that are pulled back together, and times vectors from either side.

y = exp(x)        jacobian(y, x)    the vjp of a seed, batched over the unit vectors
                  jvp(y, x, t)      t * y: a vjp is linear in its seed, so the vjp of that
                                    function of the seed pushes tangents forward
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import Node, caller, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.trees import flatten
from graphc.core.types import TensorType, TupleType
from graphc.core.walk import dependents, substitute, toposort
from graphc.errors import ArgumentError, GradientError
from graphc.ops import source
from graphc.ops.arrays.shaping import cut
from graphc.ops.batch import spread
from graphc.ops.declare import as_tensor
from graphc.passes.batch import batched
from graphc.passes.grad import check_output, filled, grad, listed, vjp
from graphc.passes.stabilise import stabilised

# Rows of a Jacobian that are computed at once: as many as have together so many elements in the
# largest tensor on the way; fewer where calls say how many these are.
ROWS, FEW_ROWS = 64, 16
ELEMENTS = 1 << 24


def jacobian(output: Node, wrt: Any) -> Any:
    """All partial derivatives of a tensor, by one backward pass for many of its elements at once.

    Args:
        output: a float tensor; its size may be symbolic.
        wrt: a float tensor, or a nested structure (lists, tuples, dicts) of them.

    Returns:
        A tensor of shape `output.shape + wrt.shape`; for a structure, one of the same form.

    Raises:
        GradientError: as `grad`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> slopes = gc.jacobian(x * x, x)  # 2 * x on the diagonal
        >>> gc.compile([x], slopes)(np.array([1, 2, 3], np.float32))
        array([[2., 0., 0.],
               [0., 4., 0.],
               [0., 0., 6.]], dtype=float32)
    """
    check_output(output)
    nodes, form = listed(wrt)
    (output,) = stabilised([output], nodes)
    seed = source.input("seed", output.shape, output.dtype)
    pulled = vjp([output], [seed], nodes)
    rows = _rows(tensor_type(output), seed, pulled)
    return form([_reshaped(r, (*output.shape, *node.shape)) for node, r in zip(nodes, rows)])


def _reshaped(x: Operators, shape: Sequence[Any]) -> Any:
    return FUNCTIONS["reshape"](x, tuple(shape))


def _rows(output: TensorType, seed: Node, pulled: Sequence[Node]) -> list[Any]:
    """What is pulled back by each element of an output, along a first axis.

    So many rows at once as their number allows: what a row needs is kept for all of them.
    """
    count, at_once = output.size, _at_once(seed, pulled)
    if not isinstance(count, int) or count > at_once:
        blocks = FUNCTIONS["map"](
            lambda block: _some_rows(output, seed, pulled, block * at_once, at_once),
            source.iota(((count + at_once - 1) // at_once,), 0),
        )
        flat = [_reshaped(b, (b.shape[0] * at_once, *b.shape[2:])) for b in blocks]
        return [cut(b, 0, 0, count) for b in flat]
    return _some_rows(output, seed, pulled, 0, count)


def _at_once(seed: Node, pulled: Sequence[Node]) -> int:
    """How many rows are computed together."""
    sizes = [
        type_.size
        for node in dependents(toposort(pulled), [seed])
        for type_ in (node.type.items if isinstance(node.type, TupleType) else (node.type,))
    ]
    known = [size for size in sizes if isinstance(size, int)]
    most = ROWS if len(known) == len(sizes) else FEW_ROWS
    return max(1, min(most, ELEMENTS // max(known, default=1)))


def _some_rows(
    output: TensorType, seed: Node, pulled: Sequence[Node], start: object, count: int
) -> list[Any]:
    """The rows from `start`; of those beyond the last all elements are 0."""
    shape = (count, output.size)
    first = source.iota(shape, 0) + start
    units = FUNCTIONS["cast"](FUNCTIONS["equal"](first, source.iota(shape, 1)), output.dtype)
    found = batched(pulled, {seed: _reshaped(units, (count, *output.shape))})
    return [
        spread(one, count) if rows is None else rows for one, rows in zip(pulled, found)
    ]  # fmt: skip


def hessian(loss: Node, wrt: Any) -> Any:
    """All second derivatives of a scalar: the Jacobian of its gradient.

    Args:
        loss: a float scalar.
        wrt: a float tensor, or a nested structure (lists, tuples, dicts) of them.

    Returns:
        For one tensor, shape `wrt.shape + wrt.shape`. For a structure, one of such structures:
        block [i][j] has shape `wrt[i].shape + wrt[j].shape`.

    Raises:
        GradientError: as `jacobian`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> second = gc.hessian(gc.sum(x * x * x), x)  # 6 * x on the diagonal
        >>> gc.compile([x], second)(np.array([1, 2, 3], np.float32))
        array([[ 6.,  0.,  0.],
               [ 0., 12.,  0.],
               [ 0.,  0., 18.]], dtype=float32)
    """
    nodes, form = listed(wrt)
    return form([jacobian(slope, wrt) for slope in grad(loss, nodes)])


def hvp(loss: Node, wrt: Any, vectors: Any) -> Any:
    """The product of the Hessian of a scalar with vectors, without forming the Hessian.

    Args:
        loss: a float scalar.
        wrt: a float tensor, or a nested structure (lists, tuples, dicts) of them.
        vectors: one tensor or array, or a structure of them as `wrt` has, of the shapes and
            dtypes of `wrt`. They count as constants.

    Returns:
        What multiplying gives: a tensor of the type of `wrt`, or a structure of them.

    Raises:
        GradientError: as `grad`; a vector of another type than its tensor.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x, v = gc.input("x", (2,)), gc.input("v", (2,))
        >>> product = gc.compile([x, v], gc.hvp(gc.sum(x * x * x), x, v))  # 6 * x * v
        >>> product(np.array([1, 2], np.float32), np.array([1, 10], np.float32))
        array([  6., 120.], dtype=float32)
    """
    nodes, form = listed(wrt)
    lifted = _vectors("hvp", wrt, nodes, vectors)
    # The Hessian is symmetric, so pulling the vectors back through the gradient multiplies by it.
    slopes = stabilised(grad(loss, nodes), nodes)
    return form(vjp(slopes, lifted, nodes))


def _vectors(name: str, wrt: object, nodes: Sequence[Node], vectors: object) -> list[Any]:
    """Tangents of tensors, of their types."""
    given = flatten(vectors)[0] if isinstance(wrt, tuple | list | dict) else [vectors]
    if len(given) != len(nodes):
        raise ArgumentError(
            f"{name}: {len(given)} vectors for {len(nodes)} tensors", where=caller()
        )
    lifted: list[Any] = [as_tensor(v, name) for v in given]
    for node, vector in zip(nodes, lifted):
        if vector.type != node.type:
            raise GradientError(
                f"{name}: the vector is {vector.type}, its tensor {node.type}",
                [vector.describe(), node.describe()],
                where=caller(),
            )
    return lifted


def jvp(outputs: Any, wrt: Any, tangents: Any) -> Any:
    """How outputs move where tensors move along tangents: the Jacobian times vectors.

    Args:
        outputs: a float tensor, or a nested structure (lists, tuples, dicts) of them.
        wrt: a float tensor, or a structure of them.
        tangents: one tensor or array, or a structure of them as `wrt` has, of the shapes and
            dtypes of `wrt`.

    Returns:
        A tensor of its type for each output, in the structure of `outputs`; zeros where it does
        not depend on `wrt`.

    Raises:
        GradientError: as `grad`; a tangent of another type than its tensor.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x, t = gc.input("x", (2,)), gc.input("t", (2,))
        >>> push = gc.compile([x, t], gc.jvp(x * x, x, t))  # 2 * x * t
        >>> push(np.array([1, 2], np.float32), np.array([1, 10], np.float32))
        array([ 2., 40.], dtype=float32)
    """
    nodes, _ = listed(wrt)
    lifted = _vectors("jvp", wrt, nodes, tangents)
    roots, tree = flatten(outputs)
    for root in roots:
        check_output(root)
    roots = stabilised(roots, nodes)
    seeds = [source.input(f"seed{k}", r.shape, r.dtype) for k, r in enumerate(roots)]
    pushed = vjp(vjp(roots, seeds, nodes), lifted, seeds)
    # What is linear in the seeds has a derivative that is free of their values.
    return tree.restore(substitute(pushed, {seed: filled(seed.type, 0) for seed in seeds}))


__all__ = ["hessian", "hvp", "jacobian", "jvp"]
