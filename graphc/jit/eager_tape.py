"""The tape of a run with values in place of nodes, where its backward pass runs the user's Python.

Gradient hooks and custom functions may do anything when their turn comes, so they run as they do
eagerly: the program gives all that the recorded steps keep, and the steps stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.ir import Node
from graphc.eager.engine.invoke import SLOT, call_of, invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import CallBackward, Edge, GradFn, spent
from graphc.eager.engine.tensor import Tensor, new
from graphc.jit.pullback import steps_from


class ValueBackward(CallBackward):
    """A step recorded in a trace, with its values: it keeps operands and results only."""

    def apply(self, cts: Sequence[Any]) -> list[tuple[Any, bool] | None]:
        """The operands' cotangents as arrays, each with whether nothing else holds it."""
        self.check_alive()
        given = tuple(ct is not None for ct in cts)
        function = self.call.exact_derivative(self.wanted, given)
        kept = [(self.inputs or ())[k] for k in function.inputs]
        kept += [self.outputs[k] for k in function.outputs]
        operands = []
        for saved in kept:
            saved.check(self.name)  # type: ignore[union-attr]
            operands.append(_tensor(saved.array))  # type: ignore[union-attr]
        operands += [_tensor(cts[k]) for k in function.cotangents]
        was_recording, state.enabled = state.enabled, False
        try:
            results = invoke(function, (SLOT,) * len(operands), (), operands)
        finally:
            state.enabled = was_recording
        found: list[tuple[Any, bool] | None] = [None] * len(self.edges)
        for place, result in zip(function.targets, results, strict=True):
            found[place] = (result._array, False)
        return found


class SpentBackward(GradFn):
    """The history of a result that a backward pass inside the compiled function has used up."""

    results = 1

    def __init__(self, name: str, freed: str) -> None:
        super().__init__(())
        self.name = name
        self._freed = freed

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """Say so.

        Raises:
            GradientError: always.
        """
        raise spent(self._freed)


def freed_step(edge: Edge, first: int) -> str:
    """The name of the step whose values a second backward pass misses first."""
    freed = [fn for fn in steps_from([edge], first) if getattr(fn, "freed", False)]
    return max(freed, key=lambda fn: fn.number).name if freed else edge[0].name


def runs_python(edges: Sequence[Edge], first: int) -> bool:
    """Whether a backward pass from these edges runs hooks or custom functions."""
    return any(
        not isinstance(fn, CallBackward) or fn.hooks or fn.pre_hooks
        for fn in steps_from(edges, first)
    )


def kept_nodes(edges: Sequence[Edge], first: int) -> list[Node]:
    """The nodes that the steps below the edges keep."""
    found = {
        saved.node: None
        for fn in steps_from(edges, first)
        for saved in fn.kept_values()
        if saved.node is not None
    }
    for fn in steps_from(edges, first):
        for tensor in getattr(fn, "shapes", ()) or ():
            if isinstance(tensor, Tensor) and tensor._node is not None:
                found[tensor._node] = None
    return list(found)


def to_values(edges: Sequence[Edge], first: int, values: Mapping[Node, np.ndarray]) -> None:
    """Give the steps below the edges the values of their nodes."""
    for fn in steps_from(edges, first):
        steps: Any = fn
        for saved in fn.kept_values():
            if saved.node is not None:
                saved.array, saved.node = values[saved.node], None
        for tensor in getattr(fn, "shapes", ()) or ():
            if isinstance(tensor, Tensor) and tensor._node is not None:
                tensor._array, tensor._node, tensor._view = values[tensor._node], None, None
        if isinstance(fn, CallBackward) and fn.inputs is not None and fn._call.__class__ is tuple:
            step = fn._call[0].__self__
            types: list[Any] = []
            for saved in steps.inputs:
                types += [saved.array.dtype.char, saved.array.shape]
            static = _numbers(step.static, step, steps)
            template = _numbers(step.template, step, steps)
            fn._call = (call_of, step.function, template, static, tuple(types))
            fn.__class__ = ValueBackward


def _numbers(value: Any, step: Any, fn: Any) -> Any:
    """Settings with the sizes of the values in place of symbols."""
    if isinstance(value, tuple):
        return tuple([_numbers(v, step, fn) for v in value])
    if not isinstance(value, dims.Dim):
        return value
    sizes: dict[str, int] = {}
    for node, saved in zip(step.operands, fn.inputs):
        for want, have in zip(node.type.shape, saved.array.shape):
            if isinstance(want, dims.Dim) and len(dims.symbols(want)) == 1:
                (symbol,) = dims.symbols(want)
                if want == dims.symbol(symbol):
                    sizes[symbol.name] = have
    return dims.evaluate(value, sizes)


def _tensor(array: Any) -> Tensor:
    tensor = new(Tensor)
    tensor._array = array
    return tensor


__all__ = ["SpentBackward", "freed_step", "kept_nodes", "runs_python", "to_values"]
