"""`Tensor`: an array that computes at once, and how its operations are run and recorded.

    x = gc.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()          # NumPy or a compiled kernel, now
    y.backward()               # the op table's own gradient rules
    x.grad

`invoke` is the one way in for every op: it finds the call of the signature, runs it, and records
it when a gradient may be asked for. The shorter way of small elementwise ops is in `elementwise`,
methods and functions by their PyTorch names are in `methods` and `functions`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.autograd.graph import AccumulateGrad, CallBackward, Edge, Saved, Version
from graphc.autograd.mode import state
from graphc.dtypes import _BY_NUMPY as BY_NUMPY
from graphc.dtypes import DType
from graphc.eager import quiet
from graphc.eager.hot import hot, tracing
from graphc.eager.signature import Call, make_call
from graphc.eager.size import Size
from graphc.errors import ArgumentError, GradientError
from graphc.ir import Kind, caller, toposort
from graphc.operators import FUNCTIONS, Operators
from graphc.types import TensorType

new = object.__new__
ndarray = np.ndarray


class Tensor(Operators):
    """An array of one dtype whose operations run at once and can be differentiated.

    Make one with `gc.tensor`, `gc.zeros`, `gc.randn` and their like.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    # What most tensors have is on the class, so that making one sets a single attribute.
    _array: np.ndarray
    _edge: Edge | None = None
    _version: Version | None = None
    _view: View | None = None
    _views: list[Any] | None = None
    _node: Any = None  # while traced: the node of the graph that is being made
    _grad: Any = None
    name: str | None = None
    is_eager = True

    def __init__(self, *data: Any) -> None:
        array = np.array(data[0] if len(data) == 1 else np.empty(data), np.float32)
        self._array = array

    def __hash__(self) -> int:
        return id(self)

    # --- what it is

    @property
    def type(self) -> TensorType:
        """dtype and shape as the graph's types have them, such as `f32[2, 3]`."""
        if self._node is not None:
            return self._node.type
        array = self._array
        return TensorType(BY_NUMPY[array.dtype], array.shape)

    @property
    def shape(self) -> Any:
        """The sizes of the axes."""
        if self._node is not None:
            return tracing.shape_of(self._node.type.shape)
        return Size(self._array.shape)

    @property
    def dtype(self) -> DType:
        """The element type, such as `gc.float32`."""
        if self._node is not None:
            return self._node.type.dtype
        return BY_NUMPY[self._array.dtype]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._node.type.shape) if self._node is not None else self._array.ndim

    # --- what is recorded

    @property
    def grad(self) -> Any:
        """The gradient that backward passes added up: a tensor, or None."""
        if hot.slow and tracing.trace is not None:
            return tracing.trace.grad_of(self)
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise ArgumentError(
                f"grad: {type(value).__name__} is neither a tensor nor None", where=caller()
            )
        if hot.slow and tracing.trace is not None:
            tracing.trace.set_grad(self, value)
        else:
            self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded, so that `backward()` reaches it."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set, in place, whether operations on it are recorded.

        Args:
            requires_grad: whether.

        Returns:
            The tensor itself.

        Raises:
            GradientError: its dtype is not float, or it was computed from others.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2).requires_grad_()
            tensor([0., 0.], requires_grad=True)
        """
        if not self.is_leaf:
            if requires_grad:
                return self
            raise GradientError(
                "requires_grad of a tensor that was computed from others cannot be set to False",
                [f"it was made by {self.grad_fn.name}"],
                where=caller(),
                hint="use x.detach() for a tensor without that history",
            )
        if not requires_grad:
            self._edge = None
            return self
        if not self.dtype.is_float:
            raise GradientError(
                f"only tensors of a float dtype can require gradients, not {self.dtype.name}",
                where=caller(),
                hint="convert it first: x.float()",
            )
        if self._edge is None:
            self._edge = (AccumulateGrad(self), 0)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was not computed by recorded operations."""
        return self._edge is None or isinstance(self._edge[0], AccumulateGrad)

    @property
    def grad_fn(self) -> Any:
        """The recorded operation that made it; None for leaves."""
        return None if self.is_leaf else self._edge[0]  # type: ignore[index]

    @property
    def data(self) -> Tensor:
        """The same memory without history; assigning replaces the memory."""
        return wrap(self._array) if self._node is None else self.detach()  # type: ignore[attr-defined]

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentError(
                f"data: {type(value).__name__} is not a tensor",
                where=caller(),
                hint="make one with gc.tensor(...)",
            )
        if self._node is not None or value._node is not None:
            tracing.trace.assign(self, value)
        else:
            self._array = value._array

    def as_node(self) -> Any:
        """The tensor in a symbolic graph: a constant, or the node while it is traced."""
        if hot.slow and tracing.trace is not None:
            return tracing.trace.node_of(self)
        return FUNCTIONS["constant"](self._array)

    def version(self) -> Version:
        """The counter of writes in place, made when it is first asked for."""
        if self._version is None:
            self._version = Version()
        return self._version


class View:
    """How a tensor is a part of another's memory: the function that takes it from there."""

    __slots__ = ("function", "parent", "static", "template")

    def __init__(self, parent: Tensor, function: Any, template: Any, static: Any) -> None:
        self.parent = parent
        self.function = function
        self.template = template
        self.static = static


def wrap(array: Any) -> Tensor:
    """A tensor over an array."""
    tensor = new(Tensor)
    tensor._array = array if array.__class__ is ndarray else np.asarray(array)
    return tensor


class _Slot:
    """Stands for a tensor in the template of a call's arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "_"


class _Listed:
    """Stands for a list of `count` tensors."""

    __slots__ = ("count",)
    _made: dict[int, Any] = {}

    def __init__(self, count: int) -> None:
        self.count = count

    @classmethod
    def of(cls, count: int) -> _Listed:
        """The one object for lists of this length, so that templates compare equal."""
        return cls._made.setdefault(count, cls(count))


SLOT = _Slot()
ONE = (SLOT,)
TWO = (SLOT, SLOT)
Template = tuple[Any, ...]
Static = tuple[tuple[str, Any], ...]

_CALLS: dict[Any, Call] = {}
_MOST_CALLS = 8192


def fill(template: Template, nodes: Sequence[Any]) -> list[Any]:
    """The positional arguments of a call, with its tensors in their places."""
    given = iter(nodes)
    found: list[Any] = []
    for item in template:
        if item is SLOT:
            found.append(next(given))
        elif isinstance(item, _Listed):
            found.append([next(given) for _ in range(item.count)])
        else:
            found.append(item)
    return found


def call_of(
    function: Callable[..., Any], template: Template, static: Static, types: Sequence[Any]
) -> Call:
    """The call of a signature; `types` has a dtype's character and a shape for each tensor."""
    key = (function, template, static, *types)
    call = _CALLS.get(key)
    if call is None:
        of_tensors = tuple(
            TensorType(BY_NUMPY[np.dtype(types[k])], types[k + 1]) for k in range(0, len(types), 2)
        )

        def build(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
            return f(*fill(template, nodes), **dict(static))

        call = make_call(function, of_tensors, build)
        if len(_CALLS) >= _MOST_CALLS:
            _CALLS.clear()
        _CALLS[key] = call
    return call


def invoke(
    function: Callable[..., Any],
    template: Template,
    static: Static,
    tensors: Sequence[Tensor],
    view: bool = False,
) -> Any:
    """Run a function of symbolic tensors on eager ones, now, and record it where that is due.

    Args:
        function: builds the graph.
        template: its positional arguments; `SLOT` where a tensor stands.
        static: its keyword arguments, hashable, as sorted pairs.
        tensors: the tensors for the slots.
        view: whether results are to share the memory of the first tensor where they can.

    Returns:
        A tensor, or a tuple of them where the function returns several.
    """
    if hot.slow and tracing.trace is not None:
        return tracing.trace.invoke(function, template, static, tensors, view)
    arrays = []
    key: list[Any] = [function, template, static]
    recorded = False
    for tensor in tensors:
        array = tensor._array
        arrays.append(array)
        key.append(array.dtype.char)
        key.append(array.shape)
        if tensor._edge is not None:
            recorded = True
    call = _CALLS.get(tuple(key))
    if call is None:
        call = call_of(function, template, static, key[3:])
    if not recorded or not state.enabled:
        results = quiet.run(call.run, *arrays)
        if call.single and call.plain:
            result = new(Tensor)
            result._array = results[0]
            return result
        fn = None
    else:
        fn = _recorded(function, call, tensors)
        if fn is None or not fn.kept_nodes:
            results = quiet.run(call.run, *arrays)
        else:
            results = quiet.run(call.run_keeping, fn.kept_nodes, *arrays)
    found = _wrapped(call, results, tensors, fn, view)
    if view:
        for tensor in found:
            attach_view(tensor, tensors[0], function, template, static)
    return found[0] if call.single else tuple(found)


def run_call(call: Call, tensors: Sequence[Tensor], name: str) -> list[Tensor]:
    """Run a call that is known, and record it under a name where that is due.

    Args:
        call: the call.
        tensors: for its inputs.
        name: of its backward step.
    """
    arrays = [t._array for t in tensors]
    fn = None
    if state.enabled and any(t._edge is not None for t in tensors):
        fn = _recorded(name, call, tensors)
    if fn is None or not fn.kept_nodes:
        results = quiet.run(call.run, *arrays)
    else:
        results = quiet.run(call.run_keeping, fn.kept_nodes, *arrays)
    return _wrapped(call, results, tensors, fn, False)


def _recorded(
    function: Any, call: Call, tensors: Sequence[Tensor]
) -> CallBackward | None:
    """The backward step of a call, or None when no result can carry a gradient."""
    if not any(call.differentiable):
        return None
    edges = tuple([t._edge for t in tensors])
    wanted = tuple([e is not None for e in edges])
    derivative = call.derivative(wanted, call.differentiable)
    everything = bool(derivative.kept)
    needed = derivative.inputs
    saved = [
        Saved(t, t._edge) if everything or k in needed else None for k, t in enumerate(tensors)
    ]
    name = function if isinstance(function, str) else backward_name(function)
    fn = CallBackward(name, call, edges, saved)
    fn.kept_nodes = derivative.kept
    return fn


def _wrapped(
    call: Call, results: Sequence[Any], tensors: Sequence[Tensor], fn: Any, view: bool
) -> list[Tensor]:
    """Tensors over the results, with their edges, and what the backward step keeps of them."""
    count = len(call.outputs)
    found = []
    for k in range(count):
        array = results[k]
        if call.may_alias[k] and not view:
            array = array.copy()
        tensor = new(Tensor)
        tensor._array = array
        found.append(tensor)
    if fn is not None:
        fn.kept = tuple(results[count:])
        flags = call.differentiable
        needed = call.derivative(fn.wanted, flags).outputs
        fn.outputs = tuple(Saved(t, None) if k in needed else None for k, t in enumerate(found))
        if count > 1:
            fn.shapes = tuple(t._array.shape for t in found)
        for k, tensor in enumerate(found):
            if flags[k]:
                tensor._edge = (fn, k)
    return found


def attach_view(
    tensor: Tensor, parent: Tensor, function: Any, template: Template, static: Static
) -> None:
    """Note that a tensor is a view of another, when it shares the other's memory."""
    base, own = tensor._array.base, parent._array
    if base is not own and (base is None or base is not own.base):
        return
    tensor._version = parent.version()
    tensor._view = View(parent, function, template, static)
    views = parent._views
    if views is None:
        parent._views = [weakref.ref(tensor)]
        return
    if len(views) >= 32 and len(views) & (len(views) - 1) == 0:
        views[:] = [ref for ref in views if ref() is not None]
    views.append(weakref.ref(tensor))


_NAMES: dict[Any, str] = {}


def backward_name(function: Callable[..., Any]) -> str:
    """How `grad_fn` is called: `softmax` is `SoftmaxBackward0`."""
    name = _NAMES.get(function)
    if name is None:
        name = getattr(function, "backward_name", None)
        if name is None:
            words = function.__name__.strip("_").split("_")
            name = "".join(w[:1].upper() + w[1:] for w in words) + "Backward0"
        _NAMES[function] = name
    return name


def viewed(tensor: Tensor, array: Any, function: Any, static: Static) -> Tensor:
    """A tensor over a part of another's memory, recorded as `function` of it.

    Args:
        tensor: the whole.
        array: the part, a NumPy view of the whole's array (or a copy, where it cannot be).
        function: of a symbolic tensor; takes the part.
        static: its keyword arguments.
    """
    result = new(Tensor)
    result._array = array
    attach_view(result, tensor, function, ONE, static)
    whole = tensor._array
    if tensor._edge is not None and state.enabled and whole.dtype.kind == "f":
        types = (whole.dtype.char, whole.shape)
        fn = CallBackward(
            backward_name(function),
            (call_of, function, ONE, static, types),
            (tensor._edge,),
            (None,),
        )
        result._edge = (fn, 0)
    return result


def is_movement(call: Call) -> bool:
    """Whether a call only moves elements."""
    return all(n.op.kind in (Kind.MOVEMENT, Kind.SOURCE) for n in toposort(call.outputs))
