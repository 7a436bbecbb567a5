"""One run of a function on traced tensors, and what was seen of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from graphc.core import trees
from graphc.core.ir import Node
from graphc.core.profilers import put_back
from graphc.core.types import TensorType
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.naming import Names
from graphc.jit.trace.tracing import Trace
from graphc.jit.trace.watching import Watch


class Recorded:
    """What one run of the function under a trace left."""

    def __init__(
        self, trace: Trace, watch: Watch, inputs: list[Tensor], placeholders: list[Node],
        result: Any,
    ) -> None:  # fmt: skip
        self.trace = trace
        self.watch = watch
        self.inputs = inputs
        self.placeholders = placeholders
        self.result = result


def record(
    function: Callable[..., Any],
    skeleton: Any,
    types: Sequence[TensorType],
    requires: Sequence[bool],
    decide: Callable[..., Any],
    shared: Any = None,
) -> Recorded:
    """Run a function on traced tensors of the given types."""
    trace = Trace(decide)
    trace.known = Names(function).of
    inputs = [trace.input(f"x{k}", t) for k, t in enumerate(types)]
    if shared is not None:
        shared.join(trace, inputs)
    for tensor, wanted in zip(inputs, requires):
        if wanted:
            tensor.requires_grad_()
    placeholders = [t._node for t in inputs]
    args, kwargs = skeleton(inputs)
    trace.check_alone()
    was_recording, profile = state.enabled, sys.getprofile()
    # No `with`: an interrupt may come where Python enters `__exit__`.
    try:
        tracing.trace = trace
        hot.slow += 1
        with Watch(function) as watch:
            result = function(*args, **kwargs)
            # What the result holds that is concrete, while the trace is still there to ask.
            leaves, _ = trees.flatten(result)
            for leaf in leaves:
                if isinstance(leaf, Tensor):
                    trace.node_of(leaf)
    finally:
        tracing.trace = None
        hot.slow -= 1
        state.enabled = was_recording
        put_back(profile)
    return Recorded(trace, watch, inputs, placeholders, result)
