"""A variant: the program of one path through a function's requests, and how a call runs it.

The requests of a run lead to a step of the tree (`trace.steps`); what the run leaves behind there
(`Ending`) is a variant. Where everything that Python consulted on the way is guarded, later calls
run the program without Python (`Guarded`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, toposort
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import late, replayed
from graphc.eager.engine.tensor import Tensor
from graphc.jit.ending import Ending, constants
from graphc.jit.trace.tracing import Trace
from graphc.ops.source import INPUT_OP


class Variant:
    """One program of a function.

    Attributes:
        name: of the function.
        root: where its path begins, with the types of the inputs.
        inputs: the placeholders that the program takes: of arguments, and of other memory.
        outputs: the nodes of its results, each once, as the path has them.
        updates: new values of parameters.
        readings: Python values that were read on the way.
        unproven: why calls run Python, [] where they need not.
    """

    def __init__(self, name: str, trace: Trace, ending: Ending, options: Any) -> None:
        self.name = name
        self.root = trace.root
        self.step = trace.at
        self._options = options
        self.constants = constants(trace)
        self.outputs: list[Node] = list(dict.fromkeys(ending.nodes))
        self.updates = dict(ending.updates)
        self.live = list(trace.live_values)
        self.grad_enabled = state.enabled
        self.last_used = 0
        self.guarded: Any = None
        self.unproven: list[Any] = []
        self._prepare(trace)
        self._program: Any = None

    def _prepare(self, trace: Trace) -> None:
        roots = [*self.outputs, *self.updates.values()]
        memo = dict(self.constants)
        done = replayed(roots, memo, {}) if memo else roots
        count = len(self.outputs)
        self.graph_outputs = done[:count]
        self.graph_updates = dict(zip(self.updates, done[count:]))
        used = toposort(done)
        placeholders = dict.fromkeys([*self.root.inputs, *trace.given])
        self.inputs = [n for n in placeholders if n in used and n.op is INPUT_OP]
        self.is_empty = not roots

    @property
    def program(self) -> Any:
        """The program: its results, and the updates of what the code changed."""
        if self._program is None and not self.is_empty:
            self._program = late("program.driver").compile(
                self.inputs, self.graph_outputs, self.graph_updates, name=self.name,
                level=self._options.level,
            )  # fmt: skip
        return self._program

    def assumes(self) -> list[str]:
        """What the program assumes, a line each."""
        lines = (
            [f"input {k}: {type_}" for k, type_ in enumerate(self.root.types)]
            if self.guarded is None
            else self.guarded.assumes()
        )
        return [*lines, *(f"Python runs at every call: {reason}" for reason in self.unproven)]

    def covers(self, ending: Ending) -> bool:
        """Whether the program gives what a run at this step leaves."""
        if ending.updates.keys() != self.updates.keys():
            return False
        if any(self.updates[k] is not v for k, v in ending.updates.items()):
            return False
        known = set(self.outputs)
        return all(node in known for node in ending.nodes)

    def run(self, arrays: Sequence[np.ndarray]) -> dict[Node, np.ndarray]:
        """Run the program.

        Args:
            arrays: for `inputs`.

        Returns:
            The results, by the path's nodes.
        """
        if self.is_empty:
            return {}
        for group, key, index, node in self.live:
            value = group[key] if index is None else group[key][index]
            node.state.array[...] = value._array if isinstance(value, Tensor) else value
        found = self.program(*arrays)
        return dict(zip(self.outputs, found))


__all__ = ["Variant"]
