"""The backward pass: cotangents flow from results to leaves, the last recorded step first.

Steps are numbered in the order in which they were recorded, so taking the highest number that
has a cotangent is a topological order. Cotangents are plain arrays and each step runs its
derivative's call; with `create_graph`, and in a trace, they are tensors and it is recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.trees import as_tuple
from graphc.core.walk import postorder
from graphc.eager.engine import quiet
from graphc.eager.engine.drawn import IN_GRADIENTS, lost_of, written
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import invoke
from graphc.eager.engine.mode import state as mode
from graphc.eager.engine.tape import AccumulateGrad, CallBackward, Edge, GradFn
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, new, wrap
from graphc.errors import ArgumentError, GradientError, ShapeError


class Pass:
    """One backward pass: the cotangents under way and the steps that have any."""

    def __init__(self, create_graph: bool, retain: bool | None, of: Iterable[Any] = ()) -> None:
        # Tensors where the pass itself is recorded; plain arrays, which cost less, where not.
        self.recorded = create_graph or (hot.slow > 0 and tracing.trace is not None)
        if hot.slow and tracing.trace is not None:
            tracing.trace.differentiated = True
        self.create_graph = create_graph
        self.lost = lost_of(of, IN_GRADIENTS)
        self.retain = create_graph if retain is None else retain
        self.queue: list[tuple[int, int, GradFn]] = []
        self.sent = 0
        # For each step, one cotangent for each of its results, with whether it may be written.
        self.waiting: dict[GradFn, list[Any]] = {}
        self.captured: dict[tuple[GradFn, int], Any] = {}

    def send(self, edge: Edge, ct: Tensor | np.ndarray, own: bool) -> None:
        """Add a cotangent to those of a result."""
        fn, place = edge
        slots = self.waiting.get(fn)
        if slots is None:
            slots = self.waiting[fn] = []
            self.sent += 1  # leaves, which have one number, are taken in the order of this
            heapq.heappush(self.queue, (-fn.number, self.sent, fn))
        slots += [None] * (place + 1 - len(slots))
        before = slots[place]
        if before is None:
            slots[place] = (ct, own)
        elif self.recorded:
            slots[place] = (before[0] + ct, False)
        elif before[1] and before[0].ndim:
            quiet.run(np.add, before[0], ct, before[0])
        else:
            slots[place] = (np.asarray(quiet.run(np.add, before[0], ct)), True)

    def run(self, only: frozenset[GradFn] | None) -> None:
        """Take steps until none has a cotangent; `only` limits them to what leads to targets."""
        while self.queue:
            _, _, fn = heapq.heappop(self.queue)
            slots = self.waiting.pop(fn)
            if fn.pre_hooks or fn.retained:
                self._before(fn, slots)
            for place in [p for f, p in self.captured if f is fn]:
                if place < len(slots) and slots[place] is not None:
                    self.captured[fn, place] = slots[place]
            if only is not None and fn not in only:
                continue
            if isinstance(fn, AccumulateGrad):
                if only is None and slots[0] is not None:
                    self._accumulate(fn, *slots[0])
                continue
            self._step(fn, slots)

    def hooks_of(self, fn: GradFn) -> list[Any]:
        """The (place, hook) pairs that run before a step."""
        return list((fn.pre_hooks or {}).values())

    def _before(self, fn: GradFn, slots: list[Any]) -> None:
        """Hooks of the step's results: they may replace cotangents."""
        hooks = self.hooks_of(fn)
        slots += [None] * (max((p or 0 for p, _ in hooks), default=0) + 1 - len(slots))
        for place, hook in hooks:
            if place is None:
                given = tuple(None if s is None else self._tensor(s[0]) for s in slots)
                result = hook(given)
                if result is not None:
                    slots[:] = [
                        None if r is None else (self._raw(r), False) for r in as_tuple(result)
                    ]
            elif slots[place] is not None:
                slots[place] = self._hooked(hook, slots[place])
        for place, ref in fn.retained or ():
            tensor = ref()
            if tensor is not None and place < len(slots) and slots[place] is not None:
                self._store(tensor, slots[place][0], False)

    def _hooked(self, hook: Callable[..., Any], slot: Any) -> Any:
        ct = self._tensor(slot[0])
        # Hooks that a compiled function left can be recorded, if they know that they are.
        takes = getattr(hook, "takes_create_graph", False)
        result = hook(ct, self.create_graph) if takes else hook(ct)
        return slot if result is None else (self._raw(_checked(result, slot[0])), False)

    def _tensor(self, ct: Tensor | np.ndarray) -> Tensor:
        return ct if isinstance(ct, Tensor) else wrap(ct)

    def _raw(self, ct: Tensor) -> Any:
        return ct if self.recorded else ct._array

    def _step(self, fn: GradFn, slots: list[Any]) -> None:
        count = len(fn.call.outputs) if isinstance(fn, CallBackward) else fn.results  # type: ignore[attr-defined]
        cts = [None if s is None else s[0] for s in slots]
        cts += [None] * (count - len(cts))
        if isinstance(fn, CallBackward) and not self.recorded:
            parts = fn.apply(cts)
        elif isinstance(fn, CallBackward):
            parts = [None if p is None else (p, False) for p in _tensor_step(fn, cts, self)]
        else:
            tensors = [None if ct is None else self._tensor(ct) for ct in cts]
            given = fn.apply(tensors, self.create_graph)  # type: ignore[attr-defined]
            own = getattr(fn, "fresh", False)
            parts = [None if p is None else (self._raw(p), own) for p in given]
        if fn.hooks:
            parts = self._after(fn, parts, cts)
        if not self.retain:
            fn.release()
        for edge, part in zip(fn.edges, parts):
            if edge is not None and part is not None:
                self.send(edge, *part)

    def _after(self, fn: GradFn, parts: list[Any], cts: list[Any]) -> list[Any]:
        for hook in list((fn.hooks or {}).values()):
            inputs = tuple(None if p is None else self._tensor(p[0]) for p in parts)
            outputs = tuple(None if ct is None else self._tensor(ct) for ct in cts)
            result = hook(inputs, outputs)
            if result is not None:
                parts = [None if r is None else (self._raw(r), False) for r in as_tuple(result)]
        return parts

    def _accumulate(self, fn: AccumulateGrad, ct: Tensor | np.ndarray, own: bool) -> None:
        leaf = fn.variable
        if leaf is None:
            return
        self._store(leaf, ct, own)
        for hook in list((fn.post_hooks or {}).values()):
            hook(leaf)

    def _store(self, tensor: Tensor, ct: Any, own: bool) -> None:
        """Add to `tensor.grad`, in place where nothing is recorded."""
        grad = tensor.grad
        if self.create_graph:
            tensor.grad = ct if grad is None else grad + ct
            return
        if self.recorded:
            was_recording = mode.enabled
            try:
                mode.enabled = False
                if grad is None:
                    tensor.grad = ct.clone()
                else:
                    grad.add_(ct)
            finally:
                mode.enabled = was_recording
            return
        if grad is None:
            kept = new(Tensor)
            kept._array = ct if own and ct.base is None else ct.copy()
            kept._edge, kept._drawn = None, self.lost
            tensor.grad = kept
        elif grad._edge is not None:
            tensor.grad = grad.detach() + wrap(ct)
        else:
            quiet.run(np.add, grad._array, ct, grad._array)
            grad.version().count += 1
            if self.lost is not None:
                written(grad, self.lost)


def _tensor_step(fn: CallBackward, cts: Sequence[Any], walk: Pass) -> list[Any]:
    """One step on tensors: the derivative as an operation that is recorded itself."""
    fn.check_alive()
    flags = fn.call.differentiable
    given = tuple(ct is not None for ct in cts)
    function = fn.call.exact_derivative(fn.wanted, given)
    if not function.targets:
        return [None] * len(fn.edges)
    inputs = fn.inputs or ()
    kept = [(inputs[k] if k < len(inputs) else None) for k in function.inputs]
    if None in kept:
        raise GradientError(
            f"{fn.name} did not keep what its second derivative needs", where=caller()
        )
    operands = [
        _unpacked(fn, saved, None if k in function.sized else saved.edge)  # type: ignore[union-attr]
        for k, saved in zip(function.inputs, kept)
    ]
    for k in function.outputs:
        operands.append(_unpacked(fn, fn.outputs[k], (fn, k) if flags[k] else None))
    operands += [cts[k] for k in function.cotangents]
    was_recording = mode.enabled
    try:
        mode.enabled = walk.create_graph
        results = invoke(function, (SLOT,) * len(operands), (), operands)
    finally:
        mode.enabled = was_recording
    found: list[Any] = [None] * len(fn.edges)
    for place, result in zip(function.targets, results, strict=True):
        found[place] = result
    return found


def _unpacked(fn: CallBackward, saved: Any, edge: Edge | None) -> Tensor:
    saved.check(fn.name)
    tensor = new(Tensor)
    if saved.node is not None:
        tensor._node = saved.node
    else:
        tensor._array = saved.array
    tensor._edge = edge
    tensor._version = saved.version
    return tensor


def _checked(result: object, before: Tensor | np.ndarray) -> Any:
    if not isinstance(result, Tensor):
        raise ArgumentError(
            f"a gradient hook returned {type(result).__name__}, not a tensor or None",
            where=caller(),
        )
    if tuple(result.shape) != tuple(before.shape):
        raise ShapeError(
            f"a gradient hook returned shape {tuple(result.shape)} for a gradient of shape "
            f"{tuple(before.shape)}",
            where=caller(),
        )
    return result


def start(tensors: Sequence[Any], gradients: Sequence[Any] | None) -> list[tuple[Any, Any]]:
    """The edges and first cotangents of a pass.

    Raises:
        GradientError: a tensor has no history, or is no scalar and no cotangent is given.
        ShapeError: a cotangent's shape is not its tensor's.
    """
    given = [None] * len(tensors) if gradients is None else list(gradients)
    if len(given) != len(tensors):
        raise ArgumentError(
            f"{len(tensors)} tensors, but {len(given)} gradients for them", where=caller()
        )
    found = []
    for tensor, ct in zip(tensors, given):
        if tensor._edge is None:
            raise GradientError(
                "backward: the tensor does not require a gradient and was not computed from one "
                "that does",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="set requires_grad=True on what to differentiate by, before computing",
            )
        found.append((tensor._edge, _cotangent(tensor, ct)))
    return found


def _cotangent(tensor: Tensor, ct: object) -> Tensor:
    if ct is None:
        if tensor._node is None and tensor._array.size != 1:
            raise GradientError(
                f"backward: the tensor is {tensor.type}, not a scalar, so it has no single "
                "gradient",
                where=caller(),
                hint="reduce it first (x.sum(), x.mean()), or give gradient=, a tensor of its "
                "shape",
            )
        return (
            tensor.new_ones(tensor.shape)
            if tensor._node is not None
            else wrap(np.ones(tensor._array.shape, tensor._array.dtype))
        )
    if not isinstance(ct, Tensor):
        ct = wrap(np.asarray(ct, tensor._array.dtype))
    if tuple(ct.shape) != tuple(tensor.shape):
        raise ShapeError(
            f"backward: gradient= has shape {tuple(ct.shape)}, the tensor {tuple(tensor.shape)}",
            where=caller(),
        )
    if ct.dtype is not tensor.dtype:
        ct = ct.to(tensor.dtype)
    return ct


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add up the gradients of tensors in the `.grad` of the leaves that they depend on.

    Args:
        tensors: a tensor or several; scalars unless `grad_tensors` is given.
        grad_tensors: cotangents, one for each tensor, of its shape.
        retain_graph: keep the recorded values for another pass; as `create_graph` unless given.
        create_graph: record the pass itself, for second derivatives.
        inputs: only these leaves get a `.grad`; all unless given.

    Raises:
        GradientError: nothing is recorded, a value was changed in place or freed by a pass.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor(3.0, requires_grad=True)
        >>> gc.autograd.backward(x * x)
        >>> x.grad
        tensor(6.)
    """
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if inputs is not None:
        leaves = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        found = grad(roots, leaves, grad_tensors, retain_graph, create_graph, allow_unused=True)
        walk = Pass(create_graph, True, found)
        for leaf, ct in zip(leaves, found):
            if ct is not None:
                walk._store(leaf, walk._raw(ct), False)
        return
    cts = (
        None
        if grad_tensors is None
        else ([grad_tensors] if isinstance(grad_tensors, Tensor) else grad_tensors)
    )
    walk = Pass(create_graph, retain_graph, [*roots, *(cts or ())])
    for edge, ct in start(roots, cts):
        walk.send(edge, walk._raw(ct), False)
    walk.run(None)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of tensors with respect to others, returned and not added to `.grad`.

    Args:
        outputs: a tensor or several; scalars unless `grad_outputs` is given.
        inputs: a tensor or several to differentiate by (`only_inputs`); intermediate ones too.
        grad_outputs: cotangents, one for each output (None for 1), of its shape.
        retain_graph: keep the recorded values; as `create_graph` unless given.
        create_graph: record the pass itself, for second derivatives.
        allow_unused: give None for an input that the outputs do not depend on, not an error.
        materialize_grads: give zeros instead of None, with `allow_unused`; no `is_grads_batched`.

    Returns:
        One tensor for each input, of its shape.

    Raises:
        GradientError: an input does not require a gradient or is not used.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor(2.0, requires_grad=True)
        >>> gc.autograd.grad(x**3, x)
        (tensor(12.),)
    """
    if is_grads_batched:
        raise ArgumentError(
            "grad: is_grads_batched=True is not supported",
            where=caller(),
            hint="call grad once for each row of grad_outputs",
        )
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    targets = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    cts = [grad_outputs] if isinstance(grad_outputs, Tensor) else grad_outputs
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    for position, target in enumerate(targets):
        if target._edge is None:
            raise GradientError(
                f"grad: input {position} does not require a gradient",
                [f"the tensor: {target.type}"],
                where=caller(),
                hint="set requires_grad=True on it before computing the outputs",
            )
    walk = Pass(create_graph, retain_graph, [*roots, *(cts or ())])
    edges: list[Any] = [t._edge for t in targets]
    walk.captured = dict.fromkeys(edges)
    beginnings = start(roots, cts)
    only = _leading_to({fn for fn, _ in edges}, [edge[0] for edge, _ in beginnings])
    for edge, ct in beginnings:
        walk.send(edge, walk._raw(ct), False)
    walk.run(only)
    return tuple(
        _captured(walk, position, target, allow_unused, materialize_grads)
        for position, target in enumerate(targets)
    )


def _captured(
    walk: Pass, position: int, target: Tensor, allow_unused: bool, materialize: bool
) -> Any:
    found = walk.captured[target._edge]  # type: ignore[index]
    if found is not None:
        result = found[0] if walk.recorded else wrap(found[0].copy())
        result._drawn = result._drawn or walk.lost
        return result
    if materialize:
        return wrap(np.zeros(target._array.shape, target._array.dtype))
    if allow_unused:
        return None
    raise GradientError(
        f"grad: no output depends on input {position}",
        [f"the tensor: {target.type}"],
        where=caller(),
        hint="pass allow_unused=True to get None for it",
    )


def _leading_to(targets: set[GradFn], roots: Sequence[GradFn]) -> frozenset[GradFn]:
    """The steps between roots and targets, without those that only targets themselves need."""
    order: dict[GradFn, None] = {}
    useful: set[GradFn] = set()
    for fn in postorder(roots, lambda fn: [e[0] for e in fn.edges if e is not None], order):
        order[fn] = None
        if fn.is_spent or any(
            e is not None and (e[0] in useful or e[0] in targets) for e in fn.edges
        ):
            useful.add(fn)
    return frozenset(useful)


__all__ = ["Pass", "backward", "grad"]
