"""The tape of a run with values in place of nodes, where its backward pass runs the user's Python.

Gradient hooks and custom functions may do anything when their turn comes, so they run as they do
eagerly: the program gives all that the recorded steps keep, and the steps stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller
from graphc.eager.engine.invoke import call_of, invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import CallBackward, Edge, GradFn, spent
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, new
from graphc.errors import GradientError
from graphc.jit.pullback import steps_from


class ValueBackward(CallBackward):
    """A step recorded in a trace, with its values: it keeps operands and results only."""

    def apply(self, cts: Sequence[Any]) -> list[tuple[Any, bool] | None]:
        """The operands' cotangents as arrays, each with whether nothing else holds it."""
        self.check_alive()
        given = tuple(ct is not None for ct in cts)
        function = self.call.exact_derivative(self.wanted, given)
        if not function.targets:
            return [None] * len(self.edges)
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
    is_spent = True

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


class UntoldBackward(GradFn):
    """The history of a trace's result whose backward pass runs the user's Python."""

    results = 1

    def __init__(self, name: str) -> None:
        super().__init__(())
        self.name = name

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """Say so.

        Raises:
            GradientError: always.
        """
        raise GradientError(
            f"{self.name}: the backward pass of a traced function runs a hook or a custom "
            "function, which no program holds",
            where=caller(),
            hint="use gc.jit.compile",
        )


def is_freed(fn: GradFn) -> bool:
    """Whether a backward pass has freed a step's values."""
    return bool(getattr(fn, "freed", False))


def freed_step(edge: Edge, first: int) -> str:
    """The name of the step whose values a second backward pass misses first."""
    freed = list(filter(is_freed, steps_from([edge], first)))
    return max(freed, key=lambda fn: fn.number).name if freed else edge[0].name


def runs_python(steps: Iterable[GradFn]) -> bool:
    """Whether steps of a backward pass run hooks or custom functions."""
    return any(not isinstance(fn, CallBackward) or fn.hooks or fn.pre_hooks for fn in steps)


def _shapes(fn: GradFn) -> list[Tensor]:
    """The traced tensors that a custom function keeps for their shapes."""
    shapes = getattr(fn, "shapes", ()) or ()
    return [t for t in shapes if isinstance(t, Tensor) and t._node is not None]


def kept_nodes(steps: Iterable[GradFn]) -> list[Node]:
    """The nodes that steps keep."""
    found: dict[Node, None] = {}
    for fn in steps:
        found |= {s.node: None for s in fn.kept_values() if s.node is not None}
        found |= {t._node: None for t in _shapes(fn)}
    return list(found)


def to_values(
    steps: Iterable[GradFn], values: Mapping[Node, np.ndarray], numbers: Callable[[Any], Any]
) -> None:
    """Give steps the values of their nodes.

    Args:
        steps: of a traced run.
        values: by node.
        numbers: gives a setting with the call's sizes.
    """
    for fn in steps:
        for saved in fn.kept_values():
            if saved.node is not None:
                saved.array, saved.node = values[saved.node], None
        for tensor in _shapes(fn):
            tensor._array, tensor._node, tensor._view = values[tensor._node], None, None
        if isinstance(fn, CallBackward) and fn.inputs is not None and fn._call.__class__ is tuple:
            step = fn._call[0].__self__
            types: list[Any] = []
            for kept in fn.inputs:
                types += [kept.array.dtype.char, kept.array.shape]  # type: ignore[union-attr]
            template, static = numbers(step.template), numbers(step.static)
            fn._call = (call_of, step.function, template, static, tuple(types))
            fn.__class__ = ValueBackward


def _tensor(array: Any) -> Tensor:
    tensor = new(Tensor)
    tensor._array = array
    return tensor


__all__ = [
    "SpentBackward", "UntoldBackward", "freed_step", "is_freed", "kept_nodes", "runs_python",
    "to_values",
]  # fmt: skip
