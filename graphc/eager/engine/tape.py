"""The recorded graph: what an eager operation leaves behind so that it can be differentiated.

A tensor that was computed from one that requires a gradient has an edge: the pair (function that
takes its cotangent back, which of the function's results it is). Leaves that require a gradient
have an edge to `AccumulateGrad`. Functions are numbered as they are made, so a function's number
is above those of all it depends on; that order is all that a backward pass needs.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core.ir import Node, caller
from graphc.eager.engine import quiet
from graphc.eager.engine.changes import changes
from graphc.eager.engine.signature import Call
from graphc.errors import GradientError, InternalError

_numbers = itertools.count(1)
Edge = tuple[Any, int]


class Version:
    """How often the memory of a tensor, and of all its views, was written in place.

    `moves` has the arrays that `tensor.data = other` took from tensors, with their edges, and what
    these have instead.
    """

    __slots__ = ("count", "moves")

    def __init__(self) -> None:
        self.count = 0
        self.moves: tuple[tuple[weakref.ref[np.ndarray], Edge | None, np.ndarray], ...] = ()

    def move(self, old: np.ndarray, edge: Edge | None, new: np.ndarray) -> None:
        """Note that a tensor of this edge has another array."""
        before = [
            (ref, e, new if now is old and e is edge else now)
            for ref, e, now in self.moves
            if ref() is not None
        ]
        self.moves = (*before, (weakref.ref(old), edge, new))


class GradFn:
    """One step of a backward pass; what `tensor.grad_fn` shows.

    Attributes:
        edges: for each operand the edge that its cotangent goes to, or None.
        number: its place in the order of recording.
    """

    name = "GradFn"
    # On the class what most steps have, so that making one sets few attributes.
    # Functions of users: after the step, before it, and tensors that keep their gradient.
    hooks: dict[int, Callable[..., Any]] | None = None
    pre_hooks: dict[int, list[Any]] | None = None
    retained: list[Any] | None = None
    is_spent = False  # whether it stands for steps that a pass has freed
    edges: tuple[Edge | None, ...]

    def __init__(self, edges: Sequence[Edge | None]) -> None:
        self.edges = tuple(edges)
        self.number = next(_numbers)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The functions that take the cotangents further, each with the place of its result."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    def kept_values(self) -> list[Saved]:
        """The values that were kept for the backward pass."""
        return []

    def release(self) -> None:
        """Let go of the values that were kept for the backward pass."""

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call `hook(grad_inputs, grad_outputs)` after this step; it may return new grad_inputs."""
        self.hooks = {} if self.hooks is None else self.hooks
        return Handle(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call `hook(grad_outputs)` before this step; it may return new grad_outputs."""
        self.pre_hooks = {} if self.pre_hooks is None else self.pre_hooks
        return Handle(self.pre_hooks, [None, hook])

    def __repr__(self) -> str:
        return f"<{self.name} object at {hex(id(self))}>"


class Handle:
    """What registering a hook returns: `remove()` takes the hook away.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(1, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 2)
        >>> handle.remove()
    """

    _ids = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks = weakref.ref(hooks) if not isinstance(hooks, dict) else (lambda: hooks)
        self.id = next(Handle._ids)
        changes.count += 1
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; once more does nothing."""
        changes.count += 1
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class AccumulateGrad(GradFn):
    """The end of the graph at a leaf: adds the cotangent to `leaf.grad`."""

    name = "AccumulateGrad"

    def __init__(self, leaf: Any) -> None:
        super().__init__(())
        self.number = 0  # leaves come last, when all their cotangents are together
        self.leaf = weakref.ref(leaf)
        self.post_hooks: dict[int, Callable[..., Any]] | None = None

    @property
    def variable(self) -> Any:
        """The leaf."""
        return self.leaf()


class Saved:
    """A tensor's value as it was when it was recorded, and how to tell that it still is."""

    __slots__ = ("array", "count", "edge", "node", "version")

    def __init__(self, tensor: Any, edge: Edge | None, node: Any = None) -> None:
        self.node = node
        self.array = tensor._array if node is None else None
        version = None if tensor is None else tensor._version
        if version is None:
            version = Version()
            if tensor is not None:
                tensor._version = version
        self.version = version
        self.count = version.count
        self.edge = edge

    def check(self, name: str) -> None:
        """Refuse a value that was changed in place since.

        Raises:
            GradientError: it was.
        """
        if self.version.moves:
            self._follow(name)
        # A node keeps its value, whatever is written to the tensor later.
        if self.node is None and self.version.count != self.count:
            raise self.changed(name)

    def changed(self, name: str) -> GradientError:
        """The error for a value that was changed in place since it was recorded."""
        return GradientError(
            f"{name} needs a tensor that was changed in place after it was used",
            [
                f"the tensor: {type_text(self.array, self.node)}, changed "
                f"{self.version.count - self.count} times since"
            ],
            where=caller(),
            hint="use the operation that makes a new tensor (x = x + 1, not x += 1), "
            "or x.clone() before the change",
        )

    def _follow(self, name: str) -> None:
        """Take the array that the tensor was given by `tensor.data = other`, as PyTorch does."""
        array: Any = self.array
        for old, edge, new in self.version.moves:
            if array is None or id(old()) != id(array) or edge is not self.edge:
                continue
            if new.shape != array.shape or new.dtype != array.dtype:
                raise GradientError(
                    f"{name} needs a tensor whose data was replaced by other data of another type",
                    [f"{type_text(array)} when it was used, {type_text(new)} now"],
                    where=caller(),
                    hint="compute the loss again after `tensor.data = ...`",
                )
            self.array = new
            return


def type_text(array: Any, node: Node | None = None) -> str:
    """A value's dtype and shape for messages."""
    if node is not None:
        return str(node.type)
    return f"{array.dtype.name}{list(array.shape)}"


def _alone(arrays: Sequence[np.ndarray]) -> list[bool]:
    """For each array whether no other one has its memory, as two equal cotangents may."""
    if len(arrays) == 1:
        return [True]
    owners = [id(a if a.base is None else a.base) for a in arrays]
    return [owners.count(owner) == 1 for owner in owners]


def spent(name: str) -> GradientError:
    """The error for a second pass through a step whose values are gone."""
    return GradientError(
        f"{name}: a backward pass has already been through here and freed the values that it needs",
        where=caller(),
        hint="call backward(retain_graph=True) the first time, or compute the loss again",
    )


class CallBackward(GradFn):
    """The backward step of an op of graphc: the derivative of its call."""

    outputs: tuple[Saved | None, ...] = ()
    kept: tuple[np.ndarray, ...] = ()
    kept_nodes: tuple[Any, ...] = ()
    reads: tuple[int, ...] = ()  # positions of outputs
    shapes: tuple[Any, ...] = ()
    freed = False

    def __init__(
        self,
        name: str,
        call: Any,
        edges: tuple[Edge | None, ...],
        inputs: Sequence[Saved | None],
    ) -> None:
        self.name = name
        self.edges = edges
        self.number = next(_numbers)
        # A `Call`, or what finds it: most steps of small programs never need it.
        self._call = call
        self.inputs: Sequence[Saved | None] | None = inputs

    @property
    def call(self) -> Call:
        """The call that was recorded."""
        if self._call.__class__ is tuple:
            find, *signature = self._call
            self._call = find(*signature)
        return self._call

    @property
    def wanted(self) -> tuple[bool, ...]:
        """Which operands get a cotangent."""
        return tuple([edge is not None for edge in self.edges])

    def kept_values(self) -> list[Saved]:
        return [s for s in (*(self.inputs or ()), *self.outputs) if s is not None]

    def release(self) -> None:
        if self._keeps_values():
            self.freed = True
            self.inputs, self.outputs, self.kept = (), (), ()

    def _keeps_values(self) -> bool:
        """Whether the step has values that a backward pass needs."""
        kept = self.kept_values()
        if [saved for saved in kept if saved.node is not None]:
            # A trace keeps all operands, needed or not.
            return any(self.call.reads(self.wanted, self.call.differentiable))
        return bool(kept or self.kept)

    def check_alive(self) -> None:
        """Refuse a second pass through a step whose values are gone.

        Raises:
            GradientError: a backward pass has freed them.
        """
        if self.freed:
            raise spent(self.name)

    def apply(self, cts: Sequence[Any]) -> list[tuple[Any, bool] | None]:
        """The operands' cotangents as arrays, each with whether nothing else holds it."""
        self.check_alive()
        given = tuple([ct is not None for ct in cts])
        call = self.call
        derivative = call.derivative(self.wanted, given)
        if not derivative.targets:
            return [None] * len(self.edges)
        arrays = self._values(derivative)
        if arrays is None:
            cts = [self._zeros(k) if ct is None else ct for k, ct in enumerate(cts)]
            derivative = call.derivative(self.wanted, call.differentiable)
            arrays = self._values(derivative)
            if arrays is None:
                raise InternalError(f"{self.name}: a value that its derivative needs was not kept")
        arrays += [cts[k] for k in derivative.cotangents]
        results = quiet.run(derivative.call.run, *arrays)
        found: list[tuple[Any, bool] | None] = [None] * len(self.edges)
        alone = _alone(results)
        for place, result, alias, own in zip(
            derivative.targets, results, derivative.call.may_alias, alone, strict=True
        ):
            found[place] = (result, own and not alias)
        return found

    def _values(self, derivative: Any) -> list[np.ndarray] | None:
        """The arrays that the derivative starts from; None when one was not kept."""
        arrays = []
        inputs, outputs = self.inputs or (), self.outputs
        for source, places in ((inputs, derivative.inputs), (outputs, derivative.outputs)):
            for k in places:
                saved = source[k] if k < len(source) else None
                if saved is None:
                    return None
                saved.check(self.name)
                arrays.append(saved.array)
        for node in derivative.kept:
            place = next((k for k, n in enumerate(self.kept_nodes) if n is node), None)
            if place is None:
                return None
            arrays.append(self.kept[place])
        return arrays

    def _zeros(self, position: int) -> np.ndarray:
        return np.zeros(self.shapes[position], self.call.dtypes[position].numpy)
