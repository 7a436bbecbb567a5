"""A variant: the program of one path through a function's requests, and how a call runs it.

The requests of a run lead to a step of the tree (`trace.steps`); what the run leaves behind there
(`Ending`) is a variant. Where everything that Python consulted on the way is guarded, later calls
run the program without Python (`Guarded`).
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, toposort
from graphc.eager.engine.signature import late, replayed
from graphc.eager.engine.tensor import Tensor
from graphc.jit.ending import Ending, constants
from graphc.jit.outside import Outside
from graphc.jit.tiers import operations_in
from graphc.jit.trace.tracing import Trace
from graphc.ops.source import INPUT_OP

_uses = itertools.count(1)


class Variant:
    """One program of a function.

    Attributes:
        name: of the function.
        root: where its path begins, with the types of the inputs.
        inputs: the placeholders that the program takes: of arguments, and of other memory.
        outputs: the nodes of its results, each once, as the path has them.
        updates: new values of parameters.
        branches: the outcomes of branches on values on the way.
        because: why it was compiled: what differed from the calls before.
        calls: how many it has run.
        operations: how many the run asked for.
        fastest: seconds of the fastest call that ran Python, without the first; or None.
        unproven: why calls run Python, [] where they need not.
    """

    def __init__(self, name: str, trace: Trace, ending: Ending, options: Any) -> None:
        self.name = name
        self.root = trace.root
        self.step = trace.at
        self.made_by = trace.first  # tells runs apart
        self._options = options
        self.constants = constants(trace)
        self.outputs: list[Node] = list(dict.fromkeys(ending.nodes))
        self.updates = dict(ending.updates)
        self.live = list(trace.live_values)
        self.last_used = 0
        self.because = ""
        self.calls = 0
        self.operations = operations_in(trace.path)
        self.fastest: float | None = None
        self.guarded: Any = None
        self.unproven: list[Any] = []
        self.branches = list(trace.outcomes)
        self.reads_values = False
        self.outside: Outside | None = None
        self.saved: list[Node] = []
        self.alive: list[Node] = []
        self._program: Any = None
        self._full: Any = None  # the program that runs: it gives `saved` too
        self._prepare(trace, ending)

    def _prepare(self, trace: Trace, ending: Ending) -> None:
        memo = dict(self.constants)
        roots = [*self.outputs, *self.updates.values()]
        done = replayed(roots, memo, {}) if memo else roots
        count = len(self.outputs)
        self.graph_outputs = done[:count]
        self.graph_updates = dict(zip(self.updates, done[count:]))
        self.placeholders = list(dict.fromkeys([*self.root.inputs, *trace.given]))
        if ending.histories and not ending.runs_python:
            self._differentiate(trace, ending, memo)
        used = toposort([*done, *self.saved])
        self.inputs = [n for n in self.placeholders if n in used and n.op is INPUT_OP]
        self.is_empty = not used

    def _differentiate(self, trace: Trace, ending: Ending, memo: dict[Node, Node]) -> None:
        """Plan the backward passes from outside."""
        edges = [edge for _, edge in ending.histories]
        differentiated = trace.differentiated
        self.outside = outside = Outside(self.name, trace, edges)
        trace.differentiated = differentiated  # by the traced code itself
        results = [t._node for t in ending.alive]
        self.alive = results
        others = [t.node for t in trace.touched.values() if not t.step_is_constant]
        written = {*self.updates}
        for array, _ in ending.writes:
            written |= {n for n, a in trace.given.items() if a is array}
        outside.plan(dict(memo), results, self.root.inputs, others, written)
        self.saved = list(outside.saved)
        # The tape of the run, by which later runs' steps are known.
        self.tape = [ref() for _, ref in trace.steps_recorded]
        places = {fn: k for k, fn in enumerate(self.tape)}
        self.slots = {(places[fn], slot) for fn, slot in outside.slots}
        self.ends = {edge: (places[fn], slot) for edge, (fn, slot) in outside.ends.items()}

    @property
    def program(self) -> Any:
        """The program: its results, and the updates of what the code changed."""
        if self._program is None and not self.is_empty:
            used = toposort([*self.graph_outputs, *self.graph_updates.values()])
            inputs = [n for n in self.inputs if n in used]
            self._program = self._compiled(inputs, self.graph_outputs)
        return self._program

    def program_of(self, nodes: Sequence[Node]) -> tuple[Any, list[int]]:
        """A program of nodes of the path, with the updates.

        Args:
            nodes: its results.

        Returns:
            The program, and the positions of the arguments that it takes.
        """
        arguments = self.root.inputs
        outputs = replayed(list(nodes), dict(self.constants), {})
        used = toposort([*outputs, *self.graph_updates.values()])
        places = [k for k, n in enumerate(arguments) if n in used]
        if len(outputs) == len(self.graph_outputs) and all(
            map(operator.is_, outputs, self.graph_outputs)
        ):
            taken = [arguments[k] for k in places]
            if len(taken) == len(self.inputs) and all(map(operator.is_, taken, self.inputs)):
                return self.program, places
        return self._compiled([arguments[k] for k in places], outputs), places

    def _compiled(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> Any:
        return late("program.driver").compile_as_written(
            inputs, outputs, self.graph_updates, name=self.name, level=self._options.level
        )

    def covers(self, ending: Ending) -> bool:
        """Whether the program gives what a run at this step leaves."""
        if ending.updates.keys() != self.updates.keys():
            return False
        if any(self.updates[k] is not v for k, v in ending.updates.items()):
            return False
        known = set(self.outputs)
        if not all(node in known for node in ending.nodes):
            return False
        if not ending.histories or ending.runs_python:
            return True
        if self.outside is None or [t._node for t in ending.alive] != self.alive:
            return False
        return all((ending.places[fn], slot) in self.slots for _, (fn, slot) in ending.histories)

    def run(
        self, arrays: Sequence[np.ndarray], live: Sequence[Any]
    ) -> tuple[dict[Node, np.ndarray], Sequence[Any]]:
        """Run the program.

        Args:
            arrays: for `inputs`.
            live: where the call finds numbers that are read anew: (mapping, key, index, node).

        Returns:
            The results, by the path's nodes, and what a backward pass needs besides.
        """
        self.last_used = next(_uses)
        self.calls += 1
        if self.is_empty:
            return {}, ()
        for group, key, index, node in live:
            value = group[key] if index is None else group[key][index]
            node.state.array[...] = value._array if isinstance(value, Tensor) else value
        if self._full is None:
            self._full = self._compiled(self.inputs, [*self.graph_outputs, *self.saved])
            if not self.saved:
                self._program = self._full
        found = self._full(*arrays)
        count = len(self.outputs)
        return dict(zip(self.outputs, found)), found[count:]

    def took(self, seconds: float) -> None:
        """Note how long a call took that ran Python."""
        if self.calls > 1 and (self.fastest is None or seconds < self.fastest):
            self.fastest = seconds

    @property
    def is_checked(self) -> bool:
        """Whether Python runs at every call."""
        baked = self.guarded is not None and self._options.impure == "bake"
        return self.guarded is None or (bool(self.unproven) and not baked)

    @property
    def readings(self) -> list[Any]:
        """Python values that the program assumes; [] where Python runs at every call."""
        return [] if self.guarded is None else self.guarded.readings

    def assumes(self) -> list[str]:
        """What the program assumes, a line each."""
        lines = (
            [f"input {k}: {type_}" for k, type_ in enumerate(self.root.types)]
            if self.guarded is None
            else self.guarded.assumes()
        )
        return [*lines, *(f"Python runs at every call: {reason}" for reason in self.unproven)]


__all__ = ["Variant"]
