"""Reverse-mode differentiation: cotangents flow from outputs back to tensors, node by node.

The result is ordinary nodes, so gradients of gradients need nothing more. Each op's rule stands
on the op (`Op.vjp`); here are the order of the walk, the sums where a value is used twice, and
the messages. Integer and boolean values carry no cotangent.

    loss = sum(x * x)          grad(loss, x):   ct = broadcast(1.0);  ct * x + ct * x

A tensor that the loss does not depend on has a gradient of zeros, as in JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core.ir import Node, NoGradient, at_origin, caller, is_item, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType, TupleType
from graphc.core.walk import dependents, toposort
from graphc.errors import ArgumentError, GradientError, InternalError
from graphc.ops import source
from graphc.ops.declare import as_tensor

PATH_LINES = 7  # of a path in a message: the rest of the 12 lines say what and where


def vjp(outputs: Sequence[Node], cotangents: Sequence[Node], wrt: Sequence[Node]) -> list[Node]:
    """The product of cotangents with the Jacobian of outputs by `wrt`.

    Args:
        outputs: float tensors.
        cotangents: one for each output, of its type.
        wrt: float tensors, usually inputs and parameters; intermediate ones work too.

    Returns:
        One tensor for each of `wrt`, of its type; zeros where no output depends on it.

    Raises:
        GradientError: an op on the way has no gradient, or something is not of a float dtype.
    """
    for node in wrt:
        _check_wrt(node)
    for output, ct in zip(outputs, cotangents, strict=True):
        _check_output(output)
        if ct.type != output.type:
            raise GradientError(
                f"the cotangent is {ct.type}, its output {output.type}",
                [output.describe()],
                where=caller(),
            )
    order = list(toposort(outputs))
    active = dependents(order, wrt)
    cts: dict[Node, Node] = {}
    via: dict[Node, Node] = {}
    for output, ct in zip(outputs, cotangents):
        cts[output] = FUNCTIONS["add"](cts[output], ct) if output in cts else ct
    several: dict[Node, dict[int, Node]] = {}
    for node in reversed(order):
        if node not in active or not any(i in active for i in node.inputs):
            continue
        with at_origin(node.origin):
            if node in cts and is_item(node):
                _gather(node, cts[node], several, via)
            elif node in cts or node in several:
                _propagate(node, cts, several, via, active)
    return [cts[node] if node in cts else _filled(tensor_type(node), 0) for node in wrt]


def _filled(type_: TensorType, value: int) -> Node:
    return source.full(type_.shape, value, type_.dtype)


def _gather(
    node: Node, ct: Node, several: dict[Node, dict[int, Node]], via: dict[Node, Node]
) -> None:
    """Keep the cotangent of one result of a node with several until all are there."""
    owner, index = node.inputs[0], node.attr("index")
    known = several.setdefault(owner, {})
    known[index] = FUNCTIONS["add"](known[index], ct) if index in known else ct
    via.setdefault(owner, node)


def _propagate(
    node: Node,
    cts: dict[Node, Node],
    several: dict[Node, dict[int, Node]],
    via: dict[Node, Node],
    active: set[Node],
) -> None:
    """Add the cotangents that the rule of `node` gives its operands to theirs."""
    rule = node.op.vjp
    if isinstance(rule, NoGradient):
        raise _no_gradient(node, rule, via, active)
    if isinstance(node.type, TupleType):
        # A node with nested graphs: its rule differentiates these, by the operands that matter.
        given = [several[node].get(k) for k in range(len(node.type.items))]
        wanted = [i in active and tensor_type(i).dtype.is_float for i in node.inputs]
        parts = tuple(rule(node, given, wanted, vjp))
    else:
        parts = tuple(rule(node, cts[node]))
    if len(parts) != len(node.inputs):
        raise InternalError(
            f"the gradient of {node.op.name} gave {len(parts)} cotangents for "
            f"{len(node.inputs)} operands"
        )
    for operand, part in zip(node.inputs, parts):
        if part is None or operand not in active or not tensor_type(operand).dtype.is_float:
            continue
        if part.type != operand.type:
            raise InternalError(
                f"the gradient of {node.op.name} gave {part.type} for an operand {operand.type}",
                where=node.origin or "",
            )
        via.setdefault(operand, node)
        cts[operand] = FUNCTIONS["add"](cts[operand], part) if operand in cts else part


def _no_gradient(
    node: Node, rule: NoGradient, via: dict[Node, Node], active: set[Node]
) -> GradientError:
    """The error for an op without a gradient, with the path from the output to `wrt` through it."""
    path = [node]
    while path[0] in via:
        path.insert(0, via[path[0]])
    while below := [i for i in path[-1].inputs if i in active]:
        path.append(below[0])
    lines = [step.describe() for step in path]
    if len(lines) > PATH_LINES:
        at = next(k for k, step in enumerate(path) if step is node)
        first = max(1, min(at - 1, len(lines) - PATH_LINES + 2))
        kept = lines[first : first + PATH_LINES - 3]
        after = len(lines) - first - len(kept) - 1
        lines = [lines[0], f"... {first - 1} more", *kept, f"... {after} more", lines[-1]]
        lines = [line for line in lines if line != "... 0 more"]
    return GradientError(
        f"{node.op.name} has no gradient: {rule.why}",
        ["on the path", *(f"  {line}" for line in lines)],
        where=node.origin or caller(),
        hint="gc.stop_gradient(...) on its operand makes the gradient zero",
    )


def _check_wrt(node: Any) -> None:
    if not isinstance(node, Node):
        raise ArgumentError(
            f"a gradient is with respect to tensors of the graph, not {type(node).__name__}",
            where=caller(),
        )
    if not tensor_type(node).dtype.is_float:
        raise GradientError(
            f"no gradient with respect to {node.name!r}: {node.type} is not of a float dtype",
            [node.describe()],
            where=caller(),
            hint="cast to a float first and differentiate by the result",
        )


def _check_output(output: Any) -> None:
    if not isinstance(output, Node):
        raise ArgumentError(
            f"a gradient is of a tensor of the graph, not {type(output).__name__}", where=caller()
        )
    if not tensor_type(output).dtype.is_float:
        raise GradientError(
            f"{output.type} cannot be differentiated: it is not of a float dtype",
            [output.describe()],
            where=caller(),
        )


def _check_loss(loss: Any) -> None:
    _check_output(loss)
    if loss.type.shape != ():
        raise GradientError(
            f"the loss must be a scalar, not {loss.type}",
            [loss.describe()],
            where=caller(),
            hint="take its sum or mean, or use gc.jacobian",
        )


def _listed(wrt: Any) -> tuple[list[Node], Any]:
    """`wrt` as a list, and the function that brings a list of results to its form."""
    if isinstance(wrt, tuple | list):
        return list(wrt), type(wrt)
    return [wrt], lambda results: results[0]


def grad(loss: Node, wrt: Any) -> Any:
    """The gradient of a scalar with respect to tensors.

    Args:
        loss: a float scalar, `f32[()]`.
        wrt: a float tensor, or a list or tuple of them.

    Returns:
        A tensor of the type of `wrt`; for a list (tuple), a list (tuple) of them. Where the loss
        does not depend on a tensor, its gradient is zeros.

    Raises:
        GradientError: an op on the way has no gradient (the message has the path), the loss is no
            scalar, or a dtype is not float.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> slope = gc.grad(gc.sum(x * x), x)  # 2 * x
        >>> gc.compile([x], slope)(np.array([1, 2, 3], np.float32))
        array([2., 4., 6.], dtype=float32)
    """
    _check_loss(loss)
    nodes, form = _listed(wrt)
    nodes = [n.as_node() if isinstance(n, Operators) else n for n in nodes]
    return form(vjp([loss], [_filled(loss.type, 1)], nodes))  # type: ignore[arg-type]


def value_and_grad(loss: Node, wrt: Any) -> tuple[Node, Any]:
    """The loss itself and its gradient, for compiling both into one program.

    Args:
        loss: a float scalar.
        wrt: a float tensor, or a list or tuple of them.

    Returns:
        The pair (loss, what `grad` returns).

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> program = gc.compile([x], [*gc.value_and_grad(gc.sum(x * x), x)])
        >>> value, slope = program(np.array([1, 2, 3], np.float32))
        >>> value, slope
        (array(14., dtype=float32), array([2., 4., 6.], dtype=float32))
    """
    return loss, grad(loss, wrt)


def jacobian(output: Node, wrt: Any) -> Any:
    """All partial derivatives of a tensor, one backward pass for each of its elements.

    Args:
        output: a float tensor of fixed size; the passes are written out, so keep it small.
        wrt: a float tensor, or a list or tuple of them.

    Returns:
        A tensor of shape `output.shape + wrt.shape`; for a list (tuple), a list (tuple) of them.

    Raises:
        GradientError: as `grad`; also when the output's size is symbolic.

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
    _check_output(output)
    nodes, form = _listed(wrt)
    count = output.type.size  # type: ignore[union-attr]
    if not isinstance(count, int):
        raise GradientError(
            f"the Jacobian of {output.type} needs one backward pass for each element, so its size "
            "must be fixed",
            [output.describe()],
            where=caller(),
        )
    flat = FUNCTIONS["reshape"](output, (count,))
    rows = [vjp([flat], [_unit(tensor_type(flat), k)], nodes) for k in range(count)]
    blocks = [_stacked([row[k] for row in rows], output, node) for k, node in enumerate(nodes)]
    return form(blocks)


def _unit(type_: TensorType, position: int) -> Node:
    """The vector with a one at `position` and zeros elsewhere."""
    places = source.iota(type_.shape, 0)
    return FUNCTIONS["cast"](FUNCTIONS["equal"](places, position), type_.dtype)


def _stacked(rows: Sequence[Node], output: Node, node: Node) -> Node:
    shape = (*output.shape, *node.shape)
    if not rows:
        return _filled(TensorType(node.dtype, shape), 0)
    lifted = [FUNCTIONS["reshape"](row, (1, *node.shape)) for row in rows]
    return FUNCTIONS["reshape"](FUNCTIONS["concat"](lifted, 0), shape)


def hessian(loss: Node, wrt: Any) -> Any:
    """All second derivatives of a scalar, one backward pass for each element of `wrt`.

    Args:
        loss: a float scalar.
        wrt: a float tensor of fixed size, or a list or tuple of them.

    Returns:
        For one tensor, shape `wrt.shape + wrt.shape`. For a list (tuple), a nested one: block
        [i][j] has shape `wrt[i].shape + wrt[j].shape`.

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
    nodes, form = _listed(wrt)
    return form([jacobian(slope, wrt) for slope in grad(loss, nodes)])


def hvp(loss: Node, wrt: Any, vectors: Any) -> Any:
    """The product of the Hessian of a scalar with vectors, without forming the Hessian.

    Args:
        loss: a float scalar.
        wrt: a float tensor, or a list or tuple of them.
        vectors: one tensor or array, or a list or tuple of them, of the shapes and dtypes of
            `wrt`. They count as constants.

    Returns:
        What multiplying gives: a tensor of the type of `wrt`, or a list (tuple) of them.

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
    nodes, form = _listed(wrt)
    given = list(vectors) if isinstance(wrt, tuple | list) else [vectors]
    if len(given) != len(nodes):
        raise ArgumentError(f"hvp: {len(given)} vectors for {len(nodes)} tensors", where=caller())
    lifted: list[Any] = [as_tensor(v, "hvp") for v in given]
    for node, vector in zip(nodes, lifted):
        if vector.type != node.type:
            raise GradientError(
                f"hvp: the vector is {vector.type}, its tensor {node.type}",
                [vector.describe(), node.describe()],
                where=caller(),
            )
    # The Hessian is symmetric, so pulling the vectors back through the gradient multiplies by it.
    return form(vjp(grad(loss, nodes), lifted, nodes))


__all__ = ["grad", "hessian", "hvp", "jacobian", "value_and_grad", "vjp"]
