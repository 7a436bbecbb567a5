"""What a run of traced code leaves behind, and how its tensors get their values.

Traced tensors that outlive the run, whoever holds them, are filled: with a result of the program,
with the memory of the argument that they are, or as the view of another that they were taken as.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core.dtypes import as_dtype
from graphc.core.ir import Node
from graphc.core.trees import flatten
from graphc.core.types import TensorType
from graphc.eager.engine.drawn import share_mark
from graphc.eager.engine.tensor import Tensor
from graphc.jit.eager_tape import (
    SpentBackward,
    freed_step,
    is_freed,
    kept_nodes,
    runs_python,
    to_values,
)
from graphc.jit.lost import LOST
from graphc.jit.pullback import steps_from
from graphc.jit.results import give_history, keeps_gradient, lose_all, take_view, unshared
from graphc.jit.trace.steps import Given
from graphc.jit.trace.tracing import Trace, uniform_node


class Ending:
    """The values and changes that a run leaves.

    Attributes:
        alive: traced tensors whose values are results, in the order in which they were made.
        views: traced tensors that are parts of others, the others first.
        writes: (array, node): memory that takes a result.
        rewritten: the arguments whose memory is among it.
        updates: new values of the program's own parameters.
        gradients: (tensor, how, value) of `.grad`: how is "none", "lost", "out" or "same".
        histories: (tensor, edge) of those with a history of this run.
        runs_python: whether a backward pass through these runs hooks or custom functions.
        kept: the nodes that their steps keep, where it does.
        places: the steps' positions in the run, where it does not.
    """

    def __init__(self, trace: Trace, keep_grads: bool, result: Any = None) -> None:
        self.trace = trace
        leaves, _ = flatten(result)
        self._order = {id(leaf): k for k, leaf in enumerate(leaves)}
        self.gradients: list[tuple[Tensor, str, Any]] = []
        self.updates: dict[Node, Node] = {}
        self.writes: list[tuple[np.ndarray, Node]] = []
        self.rewritten: list[Tensor] = []
        self._gradients(keep_grads)
        self._memory()
        self._tensors()
        self._histories()

    def _gradients(self, keep: bool) -> None:
        trace = self.trace
        for key, (tensor, value) in list(trace.grads.items()):
            if value is None:
                self.gradients.append((tensor, "none", None))
            elif value._node is None:
                self.gradients.append((tensor, "same", value))
            elif keep or key in trace.grads_before or id(tensor) not in trace.used:
                self.gradients.append((tensor, "out", value))
            else:
                self.gradients.append((tensor, "lost", None))
                trace.grads[key] = (tensor, None)

    def _memory(self) -> None:
        trace = self.trace
        for touched in trace.touched.values():
            if touched.current is touched.node:
                continue
            if touched.is_bound:
                self.updates[touched.node] = touched.current
            else:
                self.writes.append((touched.array, touched.current))
        for parameter, node in trace.generators.values():
            bound = any(step.nodes and step.nodes[0] is parameter for step in trace.path)
            if bound:
                if node is not parameter:
                    self.updates[parameter] = node
            else:
                self.writes.append((parameter.state.array, node))
        for key, real in trace.reals.items():
            stand_in = trace.stand_ins[key]
            if stand_in._node is not trace.placeholders[key]:
                self.writes.append((real._array, stand_in._node))
                self.rewritten.append(real)

    def _tensors(self) -> None:
        trace = self.trace
        self.alive: list[Tensor] = []
        self.views: list[Tensor] = []
        for ref in trace.made:
            tensor = ref()
            if tensor is None or tensor._node is None or id(tensor) in trace.reals:
                continue
            view = tensor._view
            (self.alive if view is None else self.views).append(tensor)
        # The function's results first, in their order.
        self.alive.sort(key=lambda t: self._order.get(id(t), len(self._order)))

    def _histories(self) -> None:
        """Tensors that have a history of this run, with their edges."""
        trace = self.trace
        holders = [*self.alive, *self.views, *trace.stand_ins.values()]
        holders += [t.tensor for t in trace.touched.values()]
        found = [
            (t, t._edge) for t in holders
            if t._edge is not None and t._edge[0].number > trace.first
        ]  # fmt: skip
        steps = steps_from([edge for _, edge in found], trace.first)
        if any(map(is_freed, steps)):
            # What a backward pass of the run has freed stays as it is: another pass says so.
            found = [
                (t, edge) for t, edge in found
                if not any(map(is_freed, steps_from([edge], trace.first)))
            ]  # fmt: skip
            steps = steps_from([edge for _, edge in found], trace.first)
        self.histories: list[tuple[Tensor, Any]] = found
        self.runs_python = runs_python(steps)
        self.kept: list[Node] = kept_nodes(steps) if self.runs_python else []
        self.places: dict[Any, int] = {}
        if found and not self.runs_python:
            for k, (_, ref) in enumerate(trace.steps_recorded):
                self.places[ref()] = k

    @property
    def has_others(self) -> bool:
        """Whether traced tensors are alive that the function did not return."""
        return any(id(t) not in self._order for t in (*self.alive, *self.views))

    def forget(self) -> None:
        """Look again for the traced tensors that are alive, once garbage is gone."""
        self.alive, self.views = [], []
        self.histories = []
        gc.collect()
        self._tensors()
        self._histories()

    @property
    def nodes(self) -> list[Node]:
        """The results that the program has to give; what has an effect is one."""
        alive = (t._node for t in self.alive)
        return [*alive, *(node for _, node in self.writes), *self.kept, *self.effects]

    @property
    def effects(self) -> list[Node]:
        """What the run did besides, whether anything needs its result or not."""
        return [n for step in self.trace.path for n in step.nodes if n.op.effect is not None]

    def fill(self, values: Mapping[Node, np.ndarray], operands: Sequence[np.ndarray]) -> None:
        """Give tensors and memory their values.

        Args:
            values: the program's results by node.
            operands: the program's arguments, whose memory no result may share.
        """
        trace = self.trace
        found = unshared([values[t._node] for t in self.alive], operands)
        writes = [(array, values[node]) for array, node in self.writes]
        for tensor, array in zip(self.alive, found):
            tensor._array = array
            tensor._node = None
        for array, value in writes:
            np.copyto(array, value)
        held = [t.tensor for t in trace.touched.values() if not t.born]
        if trace.generators or any(t._drawn is not None for t in (*held, *trace.reals.values())):
            lose_all([*self.alive, *self.rewritten])
        for key, real in trace.reals.items():
            _become(trace.stand_ins[key], real)
        for tensor in self.views:
            _fill_view(tensor, trace)
        if self.runs_python:
            edges = [edge for _, edge in self.histories]
            to_values(steps_from(edges, trace.first), values, trace.numbers)
        for tensor, how, value in self.gradients:
            tensor._grad = LOST if how == "lost" else None if how == "none" else value

    def give_histories(self, edge_of: Callable[[Any], Any]) -> None:
        """Let tensors have their histories.

        Args:
            edge_of: gives the edge that stands for one of the run.
        """
        trace = self.trace
        known = {id(tensor) for tensor, _ in self.histories}
        for tensor in (*self.alive, *self.views):
            edge = tensor._edge
            if edge is not None and id(tensor) not in known and edge[0].number > trace.first:
                spent = SpentBackward(edge[0].name, freed_step(edge, trace.first))
                tensor._edge = (spent, 0)
        for tensor, edge in self.histories:
            real = trace.reals.get(id(tensor))
            retains = keeps_gradient(tensor, edge)
            target = tensor if real is None else real
            give_history(target, edge_of(edge), real is not None, retains)
        for key, real in trace.reals.items():
            edge = trace.stand_ins[key]._edge
            if edge is None and real._edge is not None:
                real._edge = None
            elif edge is not None and edge is not real._edge and edge[0].number <= trace.first:
                # A leaf from here on; what was recorded goes on to the caller's tensor.
                edge[0].leaf = weakref.ref(real)
                real._edge = edge
            # What code does with it from here on, it does with the caller's.
            trace.stand_ins[key].__dict__ = real.__dict__


def _become(stand_in: Tensor, real: Tensor) -> None:
    """Let a traced argument be another tensor over the memory of the caller's."""
    stand_in._node = None
    stand_in._array = real._array
    stand_in._version = real._version
    share_mark(stand_in, real)
    for name, value in stand_in.__dict__.items():
        if not hasattr(Tensor, name) and name != "_array":
            real.__dict__[name] = value


def _fill_view(tensor: Tensor, trace: Trace) -> None:
    """The memory of a view, which is a part of its parent's."""
    view = tensor._view
    if view is None or tensor._node is None:
        return
    parent = view.parent
    if parent._node is not None:
        _fill_view(parent, trace)
    parent = trace.reals.get(id(parent), parent)
    tensor._node = None
    template, static = trace.numbers(view.template), trace.numbers(view.static)
    take_view(tensor, parent, view.function, template, static)


def decide_constants(trace: Trace) -> None:
    """See which tensors that the traced code made are alike at every call.

    Those that modules or optimizers keep are state of the program.
    """
    for touched in trace.touched.values():
        step = touched.step
        if isinstance(step, Given) or step.value is None or not touched.born:
            continue
        if not step.is_constant and not step.is_kept:
            kept = touched.current is not touched.node and trace.known(touched.tensor)
            step.is_kept = bool(kept)
            step.is_constant = not kept


def constants(trace: Trace) -> dict[Node, Node]:
    """What stands for tensors that the traced code makes at every call alike."""
    return {
        touched.step.nodes[0]: uniform_node(touched.step.value, touched.step.nodes[0].origin)
        for touched in trace.touched.values()
        if touched.step_is_constant
    }


def types_of(tensors: Sequence[Tensor]) -> list[TensorType]:
    """The types of tensors, with their shapes as they are."""
    return [TensorType(as_dtype(t._array.dtype), t._array.shape) for t in tensors]


__all__ = ["Ending", "constants", "decide_constants", "types_of"]
