"""An optimizer's step in a graph: new values of its parameters and of what it keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.origin import scoped
from graphc.core.types import TensorType
from graphc.core.walk import toposort
from graphc.eager.engine.bound import number_of, parameter_of
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError
from graphc.ops.control import STOP_GRADIENT
from graphc.ops.implied import implied
from graphc.optim.hooks import EVERY_POST, EVERY_PRE
from graphc.passes.grad import grad


def symbolic_updates(
    optimizer: Any, loss: Any, grads: Mapping[Any, Any] | None = None
) -> dict[Any, Node]:
    """See `Optimizer.updates`."""
    name = type(optimizer).__name__
    if not hasattr(optimizer, "_composite"):
        raise ArgumentError(
            f"{name}: its step is Python code, which a program cannot run",
            where=caller(),
            hint="write the step eagerly and compile it with gc.jit.compile",
        )
    if EVERY_PRE or EVERY_POST or optimizer._hooks("step_pre") or optimizer._hooks("step_post"):
        raise ArgumentError(
            f"{name}: it has step hooks, which a program does not call",
            where=caller(),
            hint="remove them, or write the step eagerly and compile it with gc.jit.compile",
        )
    if not isinstance(loss, Node):
        raise ArgumentError(
            f"{name}.updates: the loss is {type(loss).__name__} {loss!r:.60}, no tensor of a graph",
            where=caller(),
            hint="compute it from gc.input tensors; an eager loss has loss.backward() and "
            "optimizer.step()",
        )
    slopes = _slopes(optimizer, loss, grads)
    if not slopes:
        raise ArgumentError(
            f"{name}.updates: the loss depends on none of the optimizer's parameters",
            [loss.describe()],
            where=caller(),
            hint="compute the loss with the model whose parameters the optimizer has",
        )
    # What the model itself writes of a weight (an embedding's max_norm) comes before the step.
    written = implied(toposort([loss]), ())
    found: dict[Any, Node] = {}
    for group in optimizer.param_groups:
        update, names, _, static = optimizer.rule(group)
        check = _same_rule(optimizer, group, names, static)
        numbers = [_number(group, key, place, check) for key, place in optimizer._numbers]
        for param in group["params"]:
            node = parameter_of(param)
            if node not in slopes:
                continue
            state = optimizer.fill_state(names, param, group)
            held = [
                None if key is None else parameter_of(state[key], f"{node.name}_{key}")
                for key in names
            ]
            new = update(written.get(node, node), slopes[node], *held, *numbers, **static)
            found |= zip([p for p in (node, *held) if p is not None], new, strict=True)
    optimizer._opt_called = True
    return found


def _updates_called(frame: FrameType) -> tuple[str, Any, str]:
    return type(frame.f_locals["optimizer"]).__name__, None, "optimizer"


scoped(symbolic_updates.__code__, _updates_called)


def _slopes(optimizer: Any, loss: Any, grads: Mapping[Any, Any] | None) -> dict[Any, Node]:
    """Gradients by parameter of the graph, of those that have one."""
    trained = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    nodes = [parameter_of(p) for p in trained]
    if grads is not None:
        given = {parameter_of(p) if isinstance(p, Tensor) else p: g for p, g in grads.items()}
        return {node: given[node] for node in nodes if node in given}
    # What only a stopped gradient or a decision needs has none, as eagerly, and stays as it is.
    order = toposort([loss], stop=lambda n: n.op is STOP_GRADIENT or _is_exact(n))
    nodes = [node for node in nodes if node in order]
    return dict(zip(nodes, grad(loss, nodes)))


def _is_exact(node: Node) -> bool:
    return isinstance(node.type, TensorType) and not node.type.dtype.is_float


def _same_rule(optimizer: Any, group: Any, names: Any, static: Any) -> Callable[[], None]:
    """Refuses a group whose settings ask for another rule than its program has."""

    def check() -> None:
        now = {key: find(group) for key, find in optimizer._static.items()}
        used = [n if optimizer.is_used(n, group) else None for n in optimizer._state]
        if now != static or used != [*names]:
            asked = {**static, **{n: n in names for n in optimizer._state}}
            other = {**now, **{n: n in used for n in optimizer._state}}
            raise ArgumentError(
                f"{type(optimizer).__name__}: the settings of a group ask for another update than "
                "the program has",
                [f"{k}: was {asked[k]}, is {other[k]}" for k in asked if asked[k] != other[k]],
                where=caller(),
                hint="numbers may change between calls; after switching a setting on or off "
                "(weight_decay or momentum from 0) build the updates and compile again",
            )

    return check


def _number(group: Any, key: str, place: int | None, check: Callable[[], None]) -> Node:
    value = group[key] if place is None else group[key][place]
    if not isinstance(value, Tensor):
        return number_of(group, key, place, check)
    node = FUNCTIONS["reshape"](parameter_of(value, key), ())
    # A tensor is read as it is; a setting beside it, which is 1, has the check.
    one = number_of({key: 1.0}, key, None, check)
    return FUNCTIONS["multiply"](node, FUNCTIONS["cast"](one, node.dtype))
