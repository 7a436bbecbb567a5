"""How the tensors of a run, and what it returned, are put together from a program's results."""

from __future__ import annotations

import enum
import gc
from types import FrameType
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor
from graphc.jit.eager_tape import freed_step
from graphc.jit.ending import Ending
from graphc.jit.results import keeps_gradient
from graphc.jit.trace.consulted import Unproven
from graphc.jit.trace.refused import refusal
from graphc.jit.trace.sizes import TracedSize
from graphc.jit.trace.tracing import uniform_node

_PLAIN = (bool, int, float, complex, str, bytes, type(None), DType, Size)

# What every tensor may have in its `__dict__`.
OWN = {*Tensor.__annotations__}

Reference = tuple[str, Any]


class Recipe:
    """How a run's tensors and its result are put together from a program's results.

    Attributes:
        alive: nodes of the tensors that are results of the program.
        views: (parent, function, template, static) of tensors that are parts of others.
        writes: (target, node) of memory that takes a result.
        gradients: (target, how, value) of `.grad`.
        histories: (target, edge, whether it retains its gradient) of those with one.
        runs_python: whether a backward pass through these runs hooks or custom functions.
        result: what the function returned.
        wrong: why a call's result would be another one.
        lost: what the run did besides that no recipe says.
    """

    def __init__(self, ending: Ending, returned: list[Any], where: Any) -> None:
        trace = ending.trace
        self._where = where
        self._trace = trace
        self.wrong: list[Unproven] = []
        self.lost: list[Unproven] = []
        self._found: dict[int, Reference] = {}
        self._used: set[int] = set()
        for k, key in enumerate(trace.stand_ins):
            self._found[key] = ("argument", k)
            self._found[id(trace.reals[key])] = ("argument", k)
        for k, tensor in enumerate(ending.alive):
            self._found[id(tensor)] = ("alive", k)
        for k, tensor in enumerate(ending.views):
            self._found[id(tensor)] = ("view", k)
        self.alive = [t._node for t in ending.alive]
        self.views = [self._view(t) for t in ending.views]
        self._view_nodes = [t._node for t in ending.views]
        self._argument_nodes = [t._node for t in trace.stand_ins.values()]
        # Taken out of the list: who else holds a container is asked, and arguments are held.
        self.result = self._spec(returned.pop(), None)
        in_result = set(self._used)
        self.gradients = [
            (self._reference(t), how, None if value is None else self._reference(value))
            for t, how, value in ending.gradients
        ]
        self.writes = [self._write(trace, array, node) for array, node in ending.writes]
        self.histories = []
        for tensor, edge in ending.histories:
            self.histories.append((self._reference(tensor), edge, keeps_gradient(tensor, edge)))
        # Those whose history a backward pass of the run has used up.
        inside = {id(t) for t, _ in ending.histories}
        self.spent = [
            (self._reference(t), t._edge[0].name, freed_step(t._edge, trace.first))
            for t in (*ending.alive, *ending.views)
            if t._edge is not None and id(t) not in inside and t._edge[0].number > trace.first
        ]
        self.runs_python = ending.runs_python
        if ending.runs_python:
            self._lose("the backward pass of a result runs a hook or a custom function")
        leaves = [t for t in (*ending.alive, *ending.views) if t.is_leaf and t._edge is not None]
        if leaves:
            refuse = self._refuse if any(id(t) in in_result for t in leaves) else self._lose
            refuse("a leaf that requires a gradient is made in the function")
        for key, stand_in in trace.stand_ins.items():
            before = trace.reals[key]._edge
            if stand_in._edge is not before and (
                stand_in._edge is None or stand_in._edge[0].number <= trace.first
            ):
                self._lose("requires_grad of an argument is changed")
        if not ending.runs_python:
            self._outliving(ending)

    @property
    def unproven(self) -> list[Unproven]:
        """What no recipe says."""
        return [*self.wrong, *self.lost]

    def node_of(self, reference: Reference) -> Any:
        """The node of a tensor."""
        how, what = reference
        if how == "constant":
            return uniform_node(what, None)
        if how == "tensor":
            return self._trace.node_of(what)
        nodes = {"alive": self.alive, "view": self._view_nodes}.get(how, self._argument_nodes)
        return nodes[what]

    def plain(self, spec: Any = None) -> Any:
        """The result with nodes for tensors that are computed: nested lists, tuples and dicts."""
        kind, what = self.result if spec is None else spec
        if kind == "value":
            return what
        if kind == "size":
            return FUNCTIONS["size"](what, "int64")
        if kind == "tensor":
            return what
        if kind.__class__ is str:
            return self.node_of((kind, what))
        if kind is dict:
            return {k: self.plain(v) for k, v in what.items()}
        parts = [self.plain(v) for v in what]
        return parts if kind is list else tuple(parts)

    def _refuse(self, reason: str) -> None:
        self.wrong.append(Unproven(reason, self._where))

    def _lose(self, reason: str) -> None:
        self.lost.append(Unproven(reason, self._where))

    def _outliving(self, ending: Ending) -> None:
        """Note that a tensor which is no part of the result is held by more than the trace."""
        own = {id(each) for each in (*self._trace.touched.values(), self._trace.kept)}
        for group in (ending.alive, ending.views):
            for tensor in group:
                if id(tensor) in self._used:
                    continue
                holders = [r for r in gc.get_referrers(tensor) if id(r) not in own]
                if any(r is not group and r.__class__ is not FrameType for r in holders):
                    self._lose(f"a tensor {tensor._node.type} outlives the call outside its result")
                    return

    def _reference(self, tensor: Tensor) -> Reference:
        self._used.add(id(tensor))
        found = self._found.get(id(tensor))
        if found is None and tensor._node is not None:
            self._refuse("a traced tensor of another call is a result")
        if found is None and self._trace.is_born(tensor):
            # Every call makes it anew, with the values that it has in this one.
            return "constant", tensor._array.copy()
        return ("tensor", tensor) if found is None else found

    def _view(self, tensor: Tensor) -> Any:
        view = tensor._view
        assert view is not None
        return self._reference(view.parent), view.function, view.template, view.static

    def _write(self, trace: Any, array: np.ndarray, node: Any) -> Any:
        for k, real in enumerate(trace.reals.values()):
            if real._array is array:
                return ("argument", k), node
        if any(t.array is array and t.born for t in trace.touched.values()):
            self._refuse("a tensor made in the function is written and kept")
        return ("array", array), node

    def _parts(self, values: Any, holder: Any) -> list[Any]:
        found = []
        for value in values:
            found.append(self._spec(value, holder))  # no closure holds `value`
        return found

    def _check_new(self, value: Any, holder: Any) -> None:
        """Note that a container of the result is held by more than the result."""
        holders = [r for r in gc.get_referrers(value) if r is not holder]
        if any(r.__class__ is not FrameType for r in holders):
            self._lose("the result is a container that something else holds")

    def _spec(self, value: Any, holder: Any) -> Any:
        """A result by kind: tensors by reference, new containers of such, plain values.

        Args:
            value: the result or a part of it.
            holder: what it is a part of.
        """
        kind = type(value)
        if isinstance(value, Tensor):
            if value._node is not None and not value.__dict__.keys() <= OWN:
                self._refuse("a tensor of the result has attributes of its own")
            return self._reference(value)
        if kind is TracedSize:
            return "size", value.dim
        if kind is Size and any(type(s) is TracedSize for s in value):
            return Size, self._parts(value, value)
        if kind in _PLAIN or isinstance(value, np.generic | enum.Enum):
            return "value", value
        if isinstance(value, Operators):
            raise refusal(
                "a traced function returns a symbolic tensor",
                where=caller(),
                hint="inside it compute with the tensors it is given; gc.input and gc.parameter "
                "belong to graphs that gc.compile makes",
            )
        if kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            if value:
                self._check_new(value, holder)
            return kind, self._parts(value, value)
        if kind is list or kind is dict:
            self._check_new(value, holder)
            if kind is list:
                return kind, self._parts(value, value)
            return kind, dict(zip(value, self._parts(value.values(), value)))
        self._refuse(f"the result holds a {kind.__name__}")
        return "value", value


__all__ = ["OWN", "Recipe", "Reference"]
