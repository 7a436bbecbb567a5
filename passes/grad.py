"""Reverse-mode differentiation: cotangents flow from outputs back to tensors, node by node.

The result is ordinary nodes, so gradients of gradients need nothing more. Each op's rule stands
on the op (`Op.vjp`); here are the order of the walk, the sums where a value is used twice, and
the messages. Integer and boolean values carry no cotangent.

    loss = sum(x * x)          grad(loss, x):   ct = broadcast(1.0);  ct * x + ct * x

A tensor that the loss does not depend on has a gradient of zeros, as in JAX.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphc.core.ir import Node, NoGradient, at_origin, caller, is_item, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.origin import backward_of, scoped
from graphc.core.trees import flatten
from graphc.core.types import TensorType, TupleType
from graphc.core.walk import dependents, toposort
from graphc.errors import ArgumentError, AttributeValueError, GradientError
from graphc.ops import source
from graphc.ops.declare import as_tensor
from graphc.passes.stabilise import stabilised

PATH_LINES = 7  # of a path in a message: the rest of the 12 lines say what and where


def vjp(outputs: Sequence[Node], seeds: Sequence[Node], wrt: Sequence[Node]) -> list[Node]:
    """The product of cotangents with the Jacobian of outputs by `wrt`.

    Args:
        outputs: float tensors.
        seeds: the cotangent of each output, of its type.
        wrt: float tensors, usually inputs and parameters; intermediate ones work too.

    Returns:
        One tensor for each of `wrt`, of its type; zeros where no output depends on it.

    Raises:
        GradientError: an op on the way has no gradient, or something is not of a float dtype.
    """
    cts = cotangents(outputs, seeds, wrt)
    return [cts[node] if node in cts else filled(tensor_type(node), 0) for node in wrt]


def cotangents(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wrt: Sequence[Node],
    constant: Collection[Node] = (),
    given: Collection[Node] = (),
) -> dict[Node, Node]:
    """What the walk from outputs back gives each tensor; nothing for those it does not reach.

    Args:
        outputs: float tensors.
        seeds: the cotangent of each output, of its type.
        wrt: float tensors.
        constant: tensors behind which the walk does not go, unless they are `given`.
        given: outputs whose cotangents are all there is: what others say of them is dropped.
    """
    for node in wrt:
        _check_wrt(node)
    for output, ct in zip(outputs, seeds, strict=True):
        check_output(output)
        if ct.type != output.type:
            raise GradientError(
                f"the cotangent is {ct.type}, its output {output.type}",
                [output.describe()],
                where=caller(),
            )
    stops = {*constant} - {*given}
    order = list(toposort(outputs, stop=stops.__contains__ if stops else None))
    active = dependents([n for n in order if n not in stops] if stops else order, wrt)
    cts: dict[Node, Node] = {}
    via: dict[Node, Node] = {}
    for output, ct in zip(outputs, seeds):
        cts[output] = FUNCTIONS["add"](cts[output], ct) if output in cts else ct
    fixed = {node: cts[node] for node in given}
    several: dict[Node, dict[int, Node]] = {}
    for node in reversed(order):
        if node in fixed:
            cts[node] = fixed[node]
        if node not in active or node in stops or not any(i in active for i in node.inputs):
            continue
        with at_origin(backward_of(node.origin)):
            if node in cts and is_item(node):
                _gather(node, cts[node], several, via)
            elif node in cts or node in several:
                _propagate(node, cts, several, via, active)
    return cts | fixed


def filled(type_: TensorType, value: int) -> Node:
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
        parts = rule(node, given, wanted, vjp)
    else:
        parts = rule(node, cts[node])
    count = len(parts) if isinstance(parts, tuple | list) else 0
    if count != len(node.inputs):
        gave = f"{count} cotangents" if count else f"a {type(parts).__name__}, no tuple,"
        raise GradientError(
            f"the gradient of {node.op.name} gave {gave} for {len(node.inputs)} operands",
            where=node.origin or "",
            hint="the vjp of an op returns a tuple: a cotangent, or None, for each operand",
        )
    for operand, part in zip(node.inputs, parts):
        if part is None or operand not in active or not tensor_type(operand).dtype.is_float:
            continue
        if part.type != operand.type:
            raise GradientError(
                f"the gradient of {node.op.name} gave {part.type} for an operand {operand.type}",
                where=node.origin or "",
                hint="the vjp of an op gives each operand a cotangent of its type, or None",
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


def _check_wrt(node: object) -> None:
    if not isinstance(node, Node):
        raise ArgumentError(
            f"a gradient is with respect to tensors of the graph, not {type(node).__name__}",
            where=caller(),
            hint="give an input, a parameter, or a list of them: [*model.parameters()]",
        )
    if not tensor_type(node).dtype.is_float:
        raise GradientError(
            f"no gradient with respect to {node.name!r}: {node.type} is not of a float dtype",
            [node.describe()],
            where=caller(),
            hint="cast to a float first and differentiate by the result",
        )


def check_output(output: object) -> None:
    if not isinstance(output, Node):
        raise ArgumentError(
            f"a gradient is of a tensor of the graph, not {type(output).__name__}",
            where=caller(),
            hint="an eager loss has loss.backward()",
        )
    if not tensor_type(output).dtype.is_float:
        raise GradientError(
            f"{output.type} cannot be differentiated: it is not of a float dtype",
            [output.describe()],
            where=caller(),
        )


def _check_loss(loss: Any) -> None:
    check_output(loss)
    if loss.type.shape != ():
        raise GradientError(
            f"the loss must be a scalar, not {loss.type}",
            [loss.describe()],
            where=caller(),
            hint="take its sum or mean, or use gc.jacobian",
        )


def listed(wrt: object) -> tuple[list[Node], Any]:
    """`wrt` as a list, and the function that brings a list of results to its form."""
    found, tree = flatten(wrt)
    return [_of_graph(n) for n in found], tree.restore


def _of_graph(value: object) -> Any:
    """What stands for a tensor in the graph: an eager one that is trained is a parameter of it."""
    return value.as_node() if isinstance(value, Operators) else value


def grad(
    loss: Node | None,
    wrt: Any,
    *,
    known_grads: Mapping[Node, Any] | None = None,
    consider_constant: Sequence[Node] = (),
    disconnected: str = "zero",
) -> Any:
    """The gradient of a scalar with respect to tensors.

    Args:
        loss: a float scalar, `f32[()]`; None where `known_grads` say all.
        wrt: a float tensor, or a nested structure (lists, tuples, dicts) of them.
        known_grads: gradients of tensors that are known, in place of what the loss says of them:
            {tensor: its gradient}, of the tensor's type. They are followed on to `wrt`.
        consider_constant: tensors through which no gradient flows.
        disconnected: what the gradient by a tensor is that the loss does not depend on: "zero",
            "none" (None stands there), or "raise".

    Returns:
        A tensor of the type of `wrt`; for a structure, one of the same form.

    Raises:
        GradientError: an op on the way has no gradient (the message has the path), the loss is no
            scalar, a dtype is not float, or the loss does not depend on a tensor and
            `disconnected` is "raise".
        ArgumentError, AttributeValueError: something is no tensor of a graph; an unknown word.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> slope = gc.grad(gc.sum(x * x), x)  # 2 * x
        >>> gc.compile([x], slope)(np.array([1, 2, 3], np.float32))
        array([2., 4., 6.], dtype=float32)
    """
    if disconnected not in ("zero", "none", "raise"):
        raise AttributeValueError(
            f"grad: disconnected is {disconnected!r:.40}",
            where=caller(),
            hint='one of "zero", "none", "raise"',
        )
    nodes, form = listed(wrt)
    known = {_of_graph(n): as_tensor(ct, "grad") for n, ct in (known_grads or {}).items()}
    consider_constant = [_of_graph(node) for node in consider_constant]
    for node in (*known, *consider_constant):
        check_output(node)
    seeds: dict[Node, Node] = dict(known)
    if loss is not None or not known:
        _check_loss(loss)
        assert loss is not None
        seeds.setdefault(loss, filled(tensor_type(loss), 1))
    constant = {*consider_constant, *known}
    outputs = stabilised([*seeds], {*nodes, *constant})
    cts = cotangents(outputs, [*seeds.values()], nodes, constant, {*known})
    missed = [node for node in nodes if node not in cts]
    if missed and disconnected == "raise":
        raise _disconnected(missed[0], [*seeds])
    if disconnected == "zero":
        cts |= {node: filled(tensor_type(node), 0) for node in missed}
    return form([cts.get(node) for node in nodes])


for _function in (vjp, grad):
    scoped(_function.__code__, lambda frame: ("", None, "backward"))


def _disconnected(node: Node, outputs: Sequence[Node]) -> GradientError:
    what = ", ".join(repr(o.name) for o in outputs)
    return GradientError(
        f"grad: {what} does not depend on {node.name!r}, or through no float tensor",
        [node.describe(), *(o.describe() for o in outputs)],
        where=caller(),
        hint='leave it out of wrt, or pass disconnected="zero" or "none"',
    )


def value_and_grad(loss: Node, wrt: Any, **settings: Any) -> tuple[Node, Any]:
    """The loss itself and its gradient, for compiling both into one program.

    Args:
        loss: a float scalar.
        wrt: a float tensor, or a nested structure of them.
        settings: what `grad` takes besides: `known_grads`, `consider_constant`, `disconnected`.

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
    return loss, grad(loss, wrt, **settings)


__all__ = ["grad", "value_and_grad", "vjp"]
