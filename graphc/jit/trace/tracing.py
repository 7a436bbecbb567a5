"""One trace: eager code runs, and a graph of what it does is made.

Tensors made in a trace have a node instead of an array. A concrete tensor that the code touches
(a weight, a running mean, an optimizer's moment) stands in the graph as a parameter over the
tensor's own memory; what is written into it becomes an update of the program. The trace keeps
which concrete tensors it touched, what it assumed of them, and what Python saw of their values.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import Node, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.profilers import unwatched
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.invoke import SLOT, backward_name, fill
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call
from graphc.eager.engine.signature import trace as trace_call
from graphc.eager.engine.tape import AccumulateGrad, CallBackward, Saved
from graphc.eager.engine.tensor import Tensor, View, new
from graphc.eager.functions.inplace import PutBack
from graphc.errors import TraceError
from graphc.jit.trace.control import control
from graphc.jit.trace.sizes import TracedSize, shape_of, unwrapped
from graphc.ops.arrays import random
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import CONSTANT_OP, INPUT_OP, PARAMETER_OP, Bound, Parameter, State

_STATES: weakref.WeakValueDictionary[int, State] = weakref.WeakValueDictionary()
# Arrays up to this many elements that all are one number are written into the graph as it.
_UNIFORM = 1 << 20
# Where functions stand that run no code of the user's and read nothing but their arguments.
_OWN_ALONE = ("graphc.optim.",)


def state_of(array: np.ndarray) -> State:
    """The state over an array's memory; one for each array, so that programs take turns."""
    found = _STATES.get(id(array))
    if found is None or found.array is not array:
        found = State(array)
        _STATES[id(array)] = found
    return found


class Touched:
    """A concrete tensor in a trace: its placeholder, and what it holds now."""

    __slots__ = ("array", "born", "current", "node", "tensor")

    def __init__(self, tensor: Tensor, node: Bound, born: bool) -> None:
        self.tensor = tensor
        self.array = tensor._array
        self.node = node
        self.current: Node = node
        self.born = born


class Trace:
    """What a trace under way has recorded.

    Attributes:
        touched: concrete tensors, by the identity of their arrays.
        decide: called with a 0-d traced tensor whose truth Python asks for; gives True or False,
            or raises.
        live_values: (mapping, key, index, node) of numbers that calls read anew.
        reads: concrete values that Python saw: (tensor, its value, where).
        known: the name by which modules and optimizers know a tensor, or "".
    """

    def __init__(self, decide: Callable[[Trace, Tensor, str], Any]) -> None:
        self.touched: dict[int, Touched] = {}
        self.names: set[str] = set()
        self.known: Callable[[Tensor], str] = lambda tensor: ""
        self.decide = decide
        self.live_values: list[tuple[Any, Any, Any, Node]] = []
        self.reads: list[tuple[Tensor, np.ndarray, Any]] = []
        self.grads: dict[int, tuple[Tensor, Any]] = {}
        self.grads_before: dict[int, tuple[Tensor, Any]] = {}
        self.born: dict[int, Any] = {}  # weak references, by identity
        self.generators: dict[int, tuple[Any, Node]] = {}
        self.calls: dict[Any, Call] = {}
        self.edges: dict[Node, Any] = {}  # of nodes whose cotangents are recorded
        self.differentiated = False  # whether the traced code ran a backward pass
        self.shared: Any = None  # placeholders that other runs of the function use too

    # --- nodes

    def check_alone(self) -> None:
        """Raise if another trace is under way in this thread."""
        if tracing.trace is not None:
            raise TraceError(
                "a trace inside a trace",
                where=caller(),
                hint="call the function itself: it becomes part of the trace around it",
            )

    def shape_of(self, shape: tuple[Any, ...]) -> Any:
        """A traced tensor's shape as Python code gets it."""
        return shape_of(shape)

    def wrap(self, node: Node) -> Tensor:
        """A traced tensor."""
        tensor = new(Tensor)
        tensor._node = node
        return tensor

    def input(self, name: str, type_: TensorType) -> Tensor:
        """A tensor that calls of the program give."""
        self.names.add(name)
        return self.wrap(INPUT_OP(name=name, type=type_))

    def node_of(self, tensor: Tensor) -> Node:
        """The node that holds a tensor's value now."""
        if tensor._node is not None:
            return tensor._node
        view = tensor._view
        if view is not None and not self._is_touched(tensor):
            return self._applied(view, self.node_of(view.parent))
        return self.touch(tensor).current

    def _is_touched(self, tensor: Tensor) -> bool:
        return id(tensor._array) in self.touched

    def touch(self, tensor: Tensor) -> Touched:
        """The entry of a concrete tensor, made when it is first used."""
        found = self.touched.get(id(tensor._array))
        if found is not None:
            return found
        array = tensor._array
        if not (array.flags.c_contiguous and array.flags.aligned):
            array = tensor._array = np.ascontiguousarray(array)
        type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
        name = self._name(self.known(tensor) or tensor.name or "state")
        attrs = (("name", name), ("type", type_))
        node = Parameter(PARAMETER_OP, (), attrs, type_, caller(), state_of(array))
        if self.shared is not None and not self.is_born(tensor):
            node = self.shared.touched.setdefault(id(array), node)
        found = self.touched[id(array)] = Touched(tensor, node, self.is_born(tensor))
        return found

    def _name(self, wanted: str) -> str:
        base = "".join(c if c.isalnum() else "_" for c in wanted)
        base = base if base[:1].isalpha() else f"s{base}"
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name

    # --- operations

    def invoke(
        self, function: Any, template: Any, static: Any, tensors: Sequence[Tensor], view: bool
    ) -> Any:
        """An operation of eager code: nodes are built, and recorded for differentiation."""
        nodes = [self.node_of(t) for t in tensors]
        for tensor, node in zip(tensors, nodes):
            if tensor._edge is not None:
                self.edges[node] = tensor._edge
        template = tuple(_unwrapped(item) for item in template)
        static = tuple((key, _unwrapped(value)) for key, value in static)
        with promoting(promotion.promote):
            args = fill(template, nodes)
            if str(getattr(function, "__module__", "")).startswith(_OWN_ALONE):
                result = unwatched(function, *args, **dict(static))
            else:
                result = function(*args, **dict(static))
        single = isinstance(result, Node)
        results = [result] if single else list(result)
        found = [self.wrap(r) for r in results]
        self._record(function, template, static, tensors, nodes, found)
        if view:
            for tensor in found:
                tensor._view = View(tensors[0], function, template, static)
                tensor._version = tensors[0].version()
                parent = tensors[0]
                parent._views = parent._views if parent._views is not None else []
                parent._views.append(weakref.ref(tensor))
        return found[0] if single else tuple(found)

    def _record(
        self, function: Any, template: Any, static: Any, tensors: Sequence[Tensor],
        nodes: Sequence[Node], results: Sequence[Tensor],
    ) -> None:  # fmt: skip
        edges = tuple(t._edge for t in tensors)
        if not state.enabled or all(e is None for e in edges):
            return
        floats = [r.dtype.is_float for r in results]
        if not any(floats):
            return
        types = tuple(n.type for n in nodes)
        signature = (_symbolic_call, self.calls, function, template, static, types)
        saved = [Saved(t, t._edge, n) for t, n in zip(tensors, nodes)]
        fn = CallBackward(backward_name(function), signature, edges, saved)
        fn.outputs = tuple(Saved(r, None, r._node) for r in results)
        for k, result in enumerate(results):
            if floats[k]:
                self.give_edge(result, (fn, k))

    def give_edge(self, tensor: Tensor, edge: Any) -> None:
        """Record where a traced tensor's cotangent goes."""
        tensor._edge = edge
        self.edges[tensor._node] = edge

    def control(self, name: str, arguments: Sequence[Any]) -> Any:
        """A branch or a loop of tensors: the graph's op."""
        return control(self, name, arguments)

    def _applied(self, view: View, parent: Node) -> Node:
        with promoting(promotion.promote):
            return view.function(*fill(view.template, [parent]), **dict(view.static))

    def assign(self, target: Tensor, value: Tensor) -> None:
        """A write in place: the target, what it is a part of, and its parts hold new nodes."""
        node = self.node_of(value)
        recorded = state.enabled
        target.version().count += 1
        self._hold(target, node)
        if recorded:
            target._edge = value._edge
        part = target
        while part._view is not None:
            view, parent = part._view, part._view.parent
            if parent._edge is not None and isinstance(parent._edge[0], AccumulateGrad):
                recorded = False
            if view.function is _same:
                whole = self.wrap(self.node_of(part))
            else:
                with _recording(recorded):
                    whole = self.invoke(PutBack(view), (SLOT, SLOT), (), [parent, part], False)
            self._hold(parent, whole._node)
            if recorded and whole._edge is not None:
                parent._edge = whole._edge
            part = parent
        self._refresh(part, recorded)

    def _hold(self, tensor: Tensor, node: Node) -> None:
        if tensor._node is not None:
            tensor._node = node
        elif tensor._view is None or self._is_touched(tensor):
            self.touch(tensor).current = node

    def _refresh(self, whole: Tensor, recorded: bool) -> None:
        for ref in list(whole._views or ()):
            part = ref()
            view = part._view if part is not None else None
            if part is None or view is None or view.parent is not whole or part._node is None:
                continue
            with _recording(recorded):
                again = self.invoke(view.function, view.template, view.static, [whole], False)
            part._node = again._node
            if recorded and again._edge is not None:
                part._edge = again._edge
            self._refresh(part, recorded)

    def detach(self, tensor: Tensor) -> Tensor:
        """The same memory without history: an alias of a traced tensor."""
        alias = self.wrap(self.node_of(tensor))
        alias._view = View(tensor, _same, (SLOT,), ())
        alias._version = tensor.version()
        tensor._views = tensor._views if tensor._views is not None else []
        tensor._views.append(weakref.ref(alias))
        return alias

    # --- what Python asks for

    def value_of(self, tensor: Tensor, what: str) -> np.ndarray:
        """The value of a traced tensor, as far as the trace's policy gives one."""
        return np.asarray(self.decide(self, tensor, what))

    def value_read(self, tensor: Tensor, what: str) -> None:
        """Python saw the value of a concrete tensor: the program assumes that it stays."""
        found = self.touched.get(id(tensor._array))
        if found is not None and found.current is not found.node:
            raise TraceError(
                f"{what} of a tensor that the traced code has changed: the value is not known "
                "while the graph is made",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="keep it a tensor, or read it outside of the traced function",
            )
        if self.is_born(tensor):
            return
        self.reads.append((tensor, tensor._array.copy(), caller()))

    def live(self, group: Any, key: Any, index: Any) -> Tensor:
        """A number that each call reads again."""
        for mapping, name, place, node in self.live_values:
            if mapping is group and name == key and place == index:
                return self.wrap(node)
        name = self._name(str(key) if index is None else f"{key}{index}")
        value = group[key] if index is None else group[key][index]
        type_ = TensorType(dtypes.float64, ())
        attrs = (("name", name), ("type", type_))
        cell = State(np.array(value, np.float64))
        node = Parameter(PARAMETER_OP, (), attrs, type_, caller(), cell)
        if self.shared is not None:
            node = self.shared.live.setdefault((id(group), key, index), node)
        self.live_values.append((group, key, index, node))
        return self.wrap(node)

    def draw_key(self, generator: Any) -> Tensor:
        """The key of a draw; the generator's state moves on in the graph."""
        parameter = generator.parameter
        known = self.generators.get(id(parameter))
        key = parameter if known is None else known[1]
        self.generators[id(parameter)] = (parameter, random.advance(key))
        return self.wrap(key)

    def zeros(self, shape: tuple[Any, ...]) -> Tensor:
        """Zeros of a shape that may be symbolic, to draw numbers for."""
        return self.wrap(FUNCTIONS["full"](tuple(unwrapped(s) for s in shape), 0, dtypes.uint8))

    def filled(self, like: Tensor, value: Any, dtype: Any) -> Tensor:
        """A tensor of a traced one's shape, filled with a number."""
        return self.full(like.type.shape, value, like.dtype if dtype is None else dtype)

    def full(self, shape: tuple[Any, ...], value: Any, dtype: Any) -> Tensor:
        """A tensor of a shape that may be symbolic, filled with a number."""
        kind = promotion.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return self.wrap(FUNCTIONS["full"](tuple(unwrapped(s) for s in shape), value, kind))

    def is_symbolic(self, shape: tuple[Any, ...]) -> bool:
        """Whether a size among these is symbolic."""
        return any(isinstance(s, TracedSize) for s in shape)

    def is_size(self, value: Any) -> bool:
        """Whether a value is a symbolic size."""
        return isinstance(value, TracedSize)

    def size_tensor(self, size: TracedSize, dtype: Any) -> Tensor:
        """A symbolic size as a 0-d tensor beside tensors of a dtype."""
        kind = dtype if dtype.is_float else dtypes.int64
        return self.wrap(FUNCTIONS["size"](size.dim, kind))

    # --- gradients

    def grad_of(self, tensor: Tensor) -> Any:
        """`tensor.grad` as the traced code left it."""
        found = self.grads.get(id(tensor))
        if found is not None:
            return found[1]
        if tensor._node is None:
            self.grads_before.setdefault(id(tensor), (tensor, tensor._grad))
        return tensor._grad

    def set_grad(self, tensor: Tensor, value: Any) -> None:
        """`tensor.grad = value` in traced code."""
        self.grads[id(tensor)] = (tensor, value)

    # --- tensors made by the traced code from nothing

    def bear(self, tensor: Tensor) -> Tensor:
        """Note a concrete tensor that the traced code made."""
        self.born[id(tensor)] = weakref.ref(tensor)
        return tensor

    def is_born(self, tensor: Tensor) -> bool:
        """Whether the traced code made a concrete tensor."""
        ref = self.born.get(id(tensor))
        return ref is not None and ref() is tensor


def _same(x: Any) -> Any:
    return x


class _recording:
    """Recording for differentiation, on or off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.before = state.enabled
        state.enabled = self.enabled and state.enabled

    def __exit__(self, *exception: object) -> None:
        state.enabled = self.before


def _unwrapped(value: Any) -> Any:
    """A setting with symbolic sizes as the graph has them."""
    if isinstance(value, TracedSize):
        return value.dim
    if isinstance(value, tuple):
        return tuple(_unwrapped(v) for v in value)
    return value


def _symbolic_call(
    calls: dict[Any, Call], function: Any, template: Any, static: Any, types: Any
) -> Call:
    """The call of an operation on types that may have symbolic sizes.

    Args:
        calls: those of the trace; operations that are alike share one, and its derivatives.
    """
    key = None
    if str(getattr(function, "__module__", "")).startswith("graphc."):
        key = _exactly((template, static))
    found = None if key is None else calls.get((function, key, types))
    if found is not None:
        return found

    def build(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
        return f(*fill(template, nodes), **dict(static))

    inputs, outputs, single = trace_call(function, types, build, False)
    name = getattr(function, "__name__", "op")
    call = Call(name if name.isidentifier() else "op", inputs, outputs, single=single)
    if key is not None:
        calls[function, key, types] = call
    return call


def _exactly(value: Any) -> Any:
    """A key that only the very same arguments have (1, 1.0 and True are equal); None where some
    may change or are no plain values."""
    if isinstance(value, tuple):
        items = tuple(map(_exactly, value))
        return None if any(item is None for item in items) else items
    if isinstance(value, float):
        return ("float", value.hex())
    if value is SLOT or value is None or isinstance(value, bool | int | str | dtypes.DType):
        return (type(value).__name__, value)
    return None


def uniform_node(array: np.ndarray, origin: Any) -> Node:
    """An array in a graph: one number when all its elements are that, else a constant."""
    if array.size and array.size <= _UNIFORM and bool((array == array.flat[0]).all()):
        return FUNCTIONS["full"](array.shape, array.flat[0].item(), dtypes.as_dtype(array.dtype))
    type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
    attrs = (("name", "constant"), ("type", type_))
    return Bound(CONSTANT_OP, (), attrs, type_, origin, State(array.copy()))


__all__ = ["Touched", "Trace", "state_of", "uniform_node"]
