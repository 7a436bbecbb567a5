"""How an eager operation runs: its call found by signature, run, and recorded where that is due.

`invoke` is the one way in for every op. The shorter way of small elementwise ops is in
`elementwise`; views, which NumPy makes, come through `viewed`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.core.dtypes import by_char, is_float
from graphc.core.ir import caller
from graphc.core.operators import Operators, SymbolicTensorError
from graphc.core.types import TensorType
from graphc.eager.engine import quiet
from graphc.eager.engine.drawn import follow
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call, make_call
from graphc.eager.engine.tape import CallBackward, Saved
from graphc.eager.engine.template import ONE, Static, Template, fill
from graphc.eager.engine.tensor import Tensor, View, new, wrap
from graphc.errors import ArgumentError

_CALLS: dict[Any, Call] = {}
_MOST_CALLS = 8192


def call_of(
    function: Callable[..., Any], template: Template, static: Static, types: Sequence[Any]
) -> Call:
    """The call of a signature; `types` has a dtype's character and a shape for each tensor."""
    key = (_apart(function, template, static), template, static, *types)
    call = _CALLS.get(key)
    if call is None:
        _check_settings(function, template, static)
        of_tensors = tuple(
            TensorType(by_char(types[k]), types[k + 1]) for k in range(0, len(types), 2)
        )

        def build(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
            return f(*fill(template, nodes), **dict(static))

        call = make_call(function, of_tensors, build)
        if len(_CALLS) >= _MOST_CALLS:
            _CALLS.clear()
        _CALLS[key] = call
    return call


# How NumPy takes the part of an array that a function takes of a symbolic tensor, where the code
# that computes the function would copy; by the function.
_PARTS: dict[Any, Callable[..., np.ndarray]] = {}


def part_by(function: Callable[..., Any], take: Callable[..., np.ndarray] | None = None) -> Any:
    """Say how NumPy takes what a function takes a view of; a decorator without `take`.

    Args:
        function: of a symbolic tensor, with settings by keyword.
        take: of an array, with the same settings; gives a view of its memory.
    """
    if take is None:
        return partial(part_by, function)
    _PARTS[function] = take
    return take


def part_of(
    function: Callable[..., Any], template: Template, static: Static, array: np.ndarray
) -> np.ndarray:
    """The part of an array that a view is, over the same memory where that can be."""
    take = _PARTS.get(function)
    if take is not None:
        return take(array, *template[1:], **dict(static))
    call = call_of(function, template, static, (array.dtype.char, array.shape))
    (found,) = quiet.run(call.run, array)
    return found


def _apart(function: Callable[..., Any], template: Template, static: Static) -> Any:
    """The function, as a key that tells settings apart that are equal: 2, 2.0; 0, 0.0, -0.0."""
    for value in template:
        if value.__class__ is float and value.is_integer():
            return (function, repr((template, static)))
    for _, value in static:
        if value.__class__ is float and value.is_integer():
            return (function, repr((template, static)))
    return function


def _check_settings(function: Callable[..., Any], template: Template, static: Static) -> None:
    """Refuse a symbolic tensor where a setting stands: its value would be part of the graph."""
    for value in (*template, *(v for _, v in static)):
        if isinstance(value, Operators):
            is_known = value.is_eager and value._node is None  # type: ignore[attr-defined]
            raise SymbolicTensorError(
                f"{getattr(function, '__name__', 'a function').strip('_')}: {value!r:.60} is a "
                f"{'' if is_known else 'symbolic '}tensor where a value is needed",
                where=caller(),
                hint="give the number itself: x.item()" if is_known else "",
            )


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
        A tensor, or a tuple of them where the function returns several. With a symbolic tensor
        among them, the graph.
    """
    if hot.slow and tracing.trace is not None:
        return tracing.trace.invoke(function, template, static, tensors, view)
    apart = function
    if static or len(template) != len(tensors):
        apart = _apart(function, template, static)
    try:
        if len(tensors) == 1:  # the common case, kept short
            (tensor,) = tensors
            array = tensor._array
            call = _CALLS.get((apart, template, static, array.dtype.char, array.shape))
            if (
                call is not None
                and (tensor._edge is None or not state.enabled)
                and call.plain
                and call.single
            ):
                result = new(Tensor)
                result._array = quiet.run(call.run, array)[0]
                result._edge = result._drawn = None
                if tensor._drawn is not None:
                    _follow((result,), function, template, static, call, tensors)
                return result
        arrays = []
        key: list[Any] = [apart, template, static]
        recorded = drawn = False
        for tensor in tensors:
            array = tensor._array
            arrays.append(array)
            key.append(array.dtype.char)
            key.append(array.shape)
            if tensor._edge is not None:
                recorded = True
            if tensor._drawn is not None:
                drawn = True
    except AttributeError:
        if all(isinstance(t, Tensor) for t in tensors):
            raise
        return _mixed(function, template, static, tensors, view)
    call = _CALLS.get(tuple(key))
    if call is None:
        call = call_of(function, template, static, key[3:])
    fn = _recorded(function, call, tensors) if recorded and state.enabled else None
    if view and function in _PARTS:
        results: Any = (part_of(function, template, static, arrays[0]),)
    elif fn is None or not fn.kept_nodes:
        results = quiet.run(call.run, *arrays)
    else:
        results = quiet.run(call.run_keeping, fn.kept_nodes, *arrays)
    if fn is None and call.single and call.plain and not view:
        result = new(Tensor)
        result._array = results[0]
        result._edge = result._drawn = None
        if drawn:
            _follow((result,), function, template, static, call, tensors)
        return result
    found = _wrapped(call, results, tensors, fn, view)
    if drawn:
        _follow(found, function, template, static, call, tensors)
    if view:
        for tensor in found:
            attach_view(tensor, tensors[0], function, template, static)
    return found[0] if call.single else tuple(found)


def _follow(
    results: Sequence[Tensor], function: Callable[..., Any], template: Template, static: Static,
    call: Call, tensors: Sequence[Tensor],
) -> None:  # fmt: skip
    """Mark results of operands among which drawn ones are."""

    def graph(*nodes: object) -> Any:
        return function(*fill(template, nodes), **dict(static))

    def now(*arrays: object) -> Any:
        return call.run(*arrays)[0] if call.single else call.run(*arrays)

    for place, result in enumerate(results):
        follow(result, graph, now, tensors, None if call.single else place)


def of_array(array: np.ndarray) -> Tensor:
    """A tensor over an array's memory, for one operation."""
    if hot.slow and tracing.trace is not None:
        tracing.trace.expose(array)
    return wrap(array)


def _mixed(
    function: Callable[..., Any], template: Template, static: Static, values: Sequence[Any],
    view: bool,
) -> Any:  # fmt: skip
    """`invoke` with arrays or symbolic tensors among the tensors; the latter make a graph of it."""
    for value in values:
        if not isinstance(value, Operators | np.ndarray | np.generic | bool | int | float):
            name = getattr(function, "__name__", "a function").strip("_")
            raise ArgumentError(
                f"{name}: {type(value).__name__} {value!r:.40} is not a tensor, an array or a "
                "number",
                where=caller(),
            )
    tensors: list[Any] = [
        v if isinstance(v, Operators) else of_array(np.asarray(v)) for v in values
    ]
    if all(t.is_eager for t in tensors):
        return invoke(function, template, static, tensors, view)
    return function(*fill(template, [t.as_node() for t in tensors]), **dict(static))


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


def _recorded(function: Any, call: Call, tensors: Sequence[Tensor]) -> CallBackward | None:
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
    fn.kept_nodes, fn.reads = derivative.kept, derivative.outputs
    return fn


def _is_shared(array: np.ndarray, before: Sequence[Any], tensors: Sequence[Tensor]) -> bool:
    """Whether a result is part of other memory, an operand itself, or a result a second time."""
    if array.base is not None or any(array is other for other in before):
        return True
    return any(array is t._array for t in tensors)


def _wrapped(
    call: Call, results: Sequence[Any], tensors: Sequence[Tensor], fn: Any, view: bool
) -> list[Tensor]:
    """Tensors over the results, with their edges, and what the backward step keeps of them."""
    count = len(call.outputs)
    found = []
    for k in range(count):
        array = results[k]
        if call.may_alias[k] and not view and _is_shared(array, results[:k], tensors):
            array = array.copy()
        tensor = new(Tensor)
        tensor._array = array
        tensor._edge = tensor._drawn = None
        found.append(tensor)
    if fn is not None:
        fn.kept = tuple(results[count:])
        flags = call.differentiable
        fn.outputs = (None,) * count
        if fn.reads:
            fn.outputs = tuple([Saved(t, None) if k in fn.reads else None
                                for k, t in enumerate(found)])  # fmt: skip
        if count > 1:
            fn.shapes = tuple([t._array.shape for t in found])
        for k, tensor in enumerate(found):
            if flags[k]:
                tensor._edge = (fn, k)
    return found


def attach_view(
    tensor: Tensor, parent: Tensor, function: Callable[..., Any], template: Template, static: Static
) -> None:
    """Note that a tensor is a view of another, when it shares the other's memory."""
    own = parent._array
    if tensor._array is own:  # the whole of it is a view too, with a history of its own
        tensor._array = own.view()
    base = tensor._array.base
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


def viewed(
    tensor: Tensor, array: np.ndarray, function: Callable[..., Any], static: Static
) -> Tensor:
    """A tensor over a part of another's memory, recorded as `function` of it.

    Args:
        tensor: the whole.
        array: the part, a NumPy view of the whole's array (or a copy, where it cannot be).
        function: of a symbolic tensor; takes the part.
        static: its keyword arguments.
    """
    result = new(Tensor)
    result._array = array
    result._edge = result._drawn = None
    attach_view(result, tensor, function, ONE, static)
    whole = tensor._array
    if tensor._edge is not None and state.enabled and is_float(whole.dtype):
        types = (whole.dtype.char, whole.shape)
        fn = CallBackward(
            backward_name(function),
            (call_of, function, ONE, static, types),
            (tensor._edge,),
            (None,),
        )
        result._edge = (fn, 0)
    if tensor._drawn is not None:
        call = call_of(function, ONE, static, (whole.dtype.char, whole.shape))
        _follow((result,), function, ONE, static, call, (tensor,))
    return result
