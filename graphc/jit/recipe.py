"""How the tensors of a run, and what it returned, are put together from a program's results."""

from __future__ import annotations

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

Reference = tuple[str, Any]


class Recipe:
    """How a run's tensors and its result are put together from a program's results.

    Attributes:
        alive: nodes of the tensors that are results of the program.
        views: (parent, function, template, static) of tensors that are parts of others.
        writes: (target, node) of memory that takes a result.
        gradients: (target, how, value) of `.grad`.
        result: what the function returned.
        unproven: what no recipe says.
    """

    def __init__(self, ending: Ending, returned: list[Any], where: Any) -> None:
        trace = ending.trace
        self._where = where
        self._trace = trace
        self.unproven: list[Unproven] = []
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
        if ending.runs_python:
            self._refuse("the backward pass runs a hook or a custom function")
        if any(t.is_leaf and t._edge is not None for t in (*ending.alive, *ending.views)):
            self._refuse("a leaf that requires a gradient is made in the function")
        for key, stand_in in trace.stand_ins.items():
            before = trace.reals[key]._edge
            if stand_in._edge is not before and (
                stand_in._edge is None or stand_in._edge[0].number <= trace.first
            ):
                self._refuse("requires_grad of an argument is changed")
        for tensor in (*ending.alive, *ending.views):
            if id(tensor) not in self._used:
                self._refuse(f"a tensor {tensor._node.type} outlives the call outside its result")
                break

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
        self.unproven.append(Unproven(reason, self._where))

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

    def _spec(self, value: Any, holder: Any) -> Any:
        """A result by kind: tensors by reference, new containers of such, plain values.

        Args:
            value: the result or a part of it.
            holder: what it is a part of.
        """
        kind = value.__class__
        if isinstance(value, Tensor):
            return self._reference(value)
        if kind is TracedSize:
            return "size", value.dim
        if kind is Size and any(s.__class__ is TracedSize for s in value):
            return Size, self._parts(value, value)
        if kind in _PLAIN or isinstance(value, np.generic):
            return "value", value
        if isinstance(value, Operators):
            raise refusal(
                "a traced function returns a symbolic tensor",
                where=caller(),
                hint="inside it compute with the tensors it is given; gc.input and gc.parameter "
                "belong to graphs that gc.compile makes",
            )
        if kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return kind, self._parts(value, value)
        if kind is list or kind is dict:
            holders = [r for r in gc.get_referrers(value) if r is not holder]
            if any(r.__class__ is not FrameType for r in holders):
                self._refuse("the result is a container that something else holds")
            if kind is list:
                return kind, self._parts(value, value)
            return kind, dict(zip(value, self._parts(value.values(), value)))
        self._refuse(f"the result holds a {kind.__name__}")
        return "value", value


__all__ = ["Recipe", "Reference"]
