"""A variant: one traced program of a function, and everything that it assumed.

`build` traces the function once and compiles what came out. A variant knows the types its inputs
had (with symbolic sizes where nothing depended on the number), the Python values it read, the
tensors it touched; `mismatch` says in words why it does not fit a call.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims, trees
from graphc.core.dtypes import as_dtype, is_float
from graphc.core.ir import Node, caller, toposort
from graphc.core.operators import Operators
from graphc.core.types import TensorType
from graphc.eager.engine.invoke import run_call
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call, late, replayed
from graphc.eager.engine.tensor import Tensor, new, wrap
from graphc.errors import TraceError
from graphc.jit.trace.record import Recorded
from graphc.jit.trace.tracing import Touched, Trace, uniform_node
from graphc.jit.trace.watching import Reading
from graphc.ops.source import INPUT_OP, Parameter

Shape = tuple[Any, ...]


class LostGradient(Tensor):
    """What `.grad` holds after a compiled step that used the gradient and kept it inside."""

    def __getattr__(self, name: str) -> Any:
        if name == "_array":
            raise TraceError(
                "this gradient was used inside a compiled step and not kept",
                where=caller(),
                hint="compile with keep_grads=True, or return the gradient from the function",
            )
        raise AttributeError(name)

    def __repr__(self) -> str:
        return "<gradient used inside a compiled step; compile with keep_grads=True to keep it>"


def _concrete(value: Any) -> Any:
    """A result that is no tensor, as it is.

    Raises:
        TraceError: it is a symbolic tensor, which means nothing outside the graph it belongs to.
    """
    if not isinstance(value, Operators):
        return value
    described = [value.describe()] if isinstance(value, Node) else []
    raise TraceError(
        "a traced function returns a symbolic tensor",
        described,
        where=caller(),
        hint="inside it compute with the tensors it is given; gc.input and gc.parameter belong to "
        "graphs that gc.compile makes",
    )


class Plan:
    """A recorded run as a graph: inputs, outputs, updates, and how to put results together."""

    def __init__(self, run: Recorded, keep_grads: bool) -> None:
        trace = run.trace
        self.inputs = run.placeholders
        leaves, self.tree = trees.flatten(run.result)
        self.leaves = leaves
        self.outputs: list[Node] = []
        self.places: list[Any] = []  # for each leaf: ("out", k), ("same", tensor), ("value", v)
        self.needs_grad: list[bool] = []
        untouched = {id(t.array): t for t in trace.touched.values() if t.current is t.node}
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                self.places.append(("value", _concrete(leaf)))
                continue
            if leaf._node is None and (
                id(leaf._array) in untouched or id(leaf._array) in trace.touched
            ):
                self.places.append(("same", leaf))
                continue
            self.places.append(("out", len(self.outputs)))
            self.outputs.append(_now(trace, leaf))
            self.needs_grad.append(leaf._edge is not None and not _is_spent(leaf._edge[0]))
        # Arguments that the code wrote into: their new values go to the caller's tensors.
        self.written_inputs: list[tuple[int, int]] = []
        for k, (tensor, node) in enumerate(zip(run.inputs, run.placeholders)):
            if tensor._node is not node:
                self.written_inputs.append((k, len(self.outputs)))
                self.outputs.append(tensor._node)
                self.needs_grad.append(False)
        self.grads = self._gradients(trace, keep_grads)
        self.touched = list(trace.touched.values())
        self.updates = {t.node: t.current for t in self.touched if t.current is not t.node}
        self.generators = dict(trace.generators.values())

    def _gradients(self, trace: Trace, keep: bool) -> list[tuple[Tensor, Any]]:
        """What becomes of `.grad`: ("none",), ("lost",), ("out", position), ("same", tensor)."""
        found: list[tuple[Tensor, Any]] = []
        for key, (tensor, value) in trace.grads.items():
            if tensor._node is not None:
                continue
            if value is None:
                found.append((tensor, ("none", None)))
            elif value._node is None:
                found.append((tensor, ("same", value)))
            elif keep or key in trace.grads_before:
                found.append((tensor, ("out", len(self.outputs))))
                self.outputs.append(value._node)
                self.needs_grad.append(False)
            else:
                found.append((tensor, ("lost", None)))
        return found


def _is_spent(fn: Any) -> bool:
    """Whether a backward pass inside the traced code has used up a result's history."""
    return bool(getattr(fn, "freed", False))


def _now(trace: Trace, leaf: Tensor) -> Node:
    if leaf._node is not None:
        return leaf._node
    found = trace.touched.get(id(leaf._array))
    return found.current if found is not None else uniform_node(leaf._array, None)


class Variant:
    """One compiled trace of a function.

    Attributes:
        program: what runs, a `Program`; None while the result is differentiated from outside.
        readings: Python values that the program assumes.
        reads: concrete tensors whose values Python saw.
        effects: side effects that are not part of the program.
        symbolic: why shapes are fixed, or "" where the first axis may have any size.
    """

    def __init__(
        self, name: str, types: Sequence[TensorType], plan: Plan, run: Recorded, options: Any,
        fixed_because: str,
    ) -> None:  # fmt: skip
        self.name = name
        self.types = tuple(types)
        self.grad_enabled = state.enabled
        # Where nothing that was touched requires a gradient, recording is as good as off.
        self.grad_matters = bool(run.trace.edges)
        # A traced forward pass alone computes the same when nothing is recorded.
        self.needs_mode = not self.grad_enabled or run.trace.differentiated
        self.requires = tuple(t._edge is not None for t in run.inputs)
        self.readings: list[Reading] = run.watch.readings
        self.reads = run.trace.reads
        self.effects = run.watch.effects
        self.fixed_because = fixed_because
        self.tree = plan.tree
        self.places = plan.places
        self.grads = plan.grads
        self.grads_before = [(t, g is None, g) for t, g in run.trace.grads_before.values()]
        self.live = run.trace.live_values
        self.known_shapes: set[Any] = set()
        self._options = options
        born = _fates(run, plan)
        self._finish(plan, born)

    def _finish(self, plan: Plan, dead: dict[Node, Node]) -> None:
        updates = {node: value for node, value in plan.updates.items() if node not in dead}
        roots = [*plan.outputs, *updates.values(), *plan.generators.values()]
        roots = replayed(roots, dict(dead), {})
        count = len(plan.outputs)
        outputs, values = roots[:count], roots[count:]
        self.inputs = plan.inputs
        self.written_inputs = plan.written_inputs
        self.outputs = outputs
        self.updates = dict(zip([*updates, *plan.generators], values))
        used = toposort(roots)
        self.positions = [k for k, x in enumerate(plan.inputs) if x in used]
        self.distinct, self.order = _distinct(outputs)
        self._program: Any = None
        alive = [t for t in plan.touched if t.node not in dead]
        # Written memory counts as written for tensors that others hold.
        self.written = [t.tensor for t in alive if t.node in updates]
        self.held = [(t.tensor, t.array) for t in alive]
        self.from_outside = any(plan.needs_grad) and self.grad_enabled
        self.is_empty = not roots
        if self.from_outside:
            generators = {p: self.updates[p] for p in plan.generators}
            changed = {n: self.updates[n] for n in updates}
            self._differentiable(plan, outputs, changed, generators, alive)
        elif not self.is_empty:
            self._program = self._compiled()

    def _compiled(self) -> Any:
        return late("program.driver").compile(
            [self.inputs[k] for k in self.positions], self.distinct, self.updates,
            name=self.name, level=self._options.level,
        )  # fmt: skip

    @property
    def program(self) -> Any:
        """The program: its results, and the updates of what the code changed."""
        if self._program is None and not self.is_empty:
            self._program = self._compiled()
        return self._program

    def _differentiable(
        self, plan: Plan, outputs: list[Node], updates: Any, generators: Any,
        alive: Sequence[Touched],
    ) -> None:  # fmt: skip
        """A call whose inputs are the tensors touched too, so that it can be recorded."""
        new_nodes: dict[Node, Node] = {}
        every = list(plan.inputs)
        self.extra: list[Any] = []
        roots = [*outputs, *updates.values(), *generators.values()]
        for node in toposort(roots):
            if isinstance(node, Parameter):
                new_nodes[node] = INPUT_OP(name=f"{node.name}_", type=node.type)
                every.append(new_nodes[node])
                owner = next((t.tensor for t in alive if t.node is node), None)
                self.extra.append(owner if owner is not None else node)
        for node in plan.inputs:
            new_nodes[node] = node
        self.call = Call(
            self.name, every, replayed(roots, new_nodes, {}), single=False, compiled=True
        )
        self.stored = [*self.written]
        self.generator_nodes = list(generators)
        self.count = len(outputs)

    # --- a call

    def mismatch(self, tensors: Sequence[Tensor]) -> str:
        """Why this variant does not fit a call of these tensors; "" when it does."""
        if self.grad_matters and state.enabled is not self.grad_enabled and self.needs_mode:
            return f"gradient recording is {'on' if state.enabled else 'off'}"
        arrays = [t._array for t in tensors]
        shapes = tuple([a.shape for a in arrays])
        if shapes not in self.known_shapes:
            reason = self._shape_mismatch(arrays)
            if reason:
                return reason
            self.known_shapes.add(shapes)
        if state.enabled:
            for k, (tensor, wanted) in enumerate(zip(tensors, self.requires)):
                if (tensor._edge is not None) is not wanted:
                    return f"input {k} {'does not require' if wanted else 'requires'} a gradient"
        for tensor, array in self.held:
            if tensor._array is not array:
                return f"the memory of {tensor.name or 'a tensor'} {list(array.shape)} was replaced"
        for reading in self.readings:
            if not reading.holds():
                return f"{reading.what} changed from {shown_of(reading)}"
        for tensor, value, where in self.reads:
            if not np.array_equal(tensor._array, value, equal_nan=is_float(value.dtype)):
                return f"the value of a tensor that Python read at {where} changed"
        for tensor, was_none, _ in self.grads_before:
            if (tensor._grad is None) is not was_none:
                return f".grad of a tensor is {'set' if was_none else 'None'}"
        return ""

    def _shape_mismatch(self, arrays: Sequence[np.ndarray]) -> str:
        if len(arrays) != len(self.types):
            return f"{len(arrays)} tensors, not {len(self.types)}"
        sizes: dict[str, int] = {}
        for k, (array, type_) in enumerate(zip(arrays, self.types)):
            if array.dtype != type_.dtype.numpy:
                return f"input {k} is {array.dtype.name}, not {type_.dtype.name}"
            if array.ndim != len(type_.shape):
                return f"input {k} has {array.ndim} axes, not {len(type_.shape)}"
            for axis, (have, want) in enumerate(zip(array.shape, type_.shape)):
                wanted = want if isinstance(want, int) else sizes.setdefault(str(want), have)
                if have != wanted or (not isinstance(want, int) and have < _least(want)):
                    why = f" ({self.fixed_because})" if self.fixed_because else ""
                    return f"axis {axis} of input {k} has size {have}, not {wanted}{why}"
        return ""

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        for group, key, index, node in self.live:
            value = group[key] if index is None else group[key][index]
            if isinstance(value, Tensor):
                value = value._array
            node.state.array[...] = value  # type: ignore[attr-defined]
        if self.from_outside and state.enabled:
            results = self._recorded_call(tensors)
        elif self.is_empty:
            results = []
        else:
            found = self.program(*[tensors[k]._array for k in self.positions])
            results = [_tensor(found[k]) for k in self.order]
            for tensor in self.written:
                tensor.version().count += 1
        for k, place in self.written_inputs:
            np.copyto(tensors[k]._array, results[place]._array)
            tensors[k].version().count += 1
        for tensor, (how, what) in self.grads:
            if how == "none":
                tensor._grad = None
            elif how == "lost":
                tensor._grad = _LOST
            elif how == "out":
                tensor._grad = results[what]
            else:
                tensor._grad = what
        return self._put_together(results)

    def _recorded_call(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        operands = list(tensors)
        for owner in self.extra:
            operands.append(owner if isinstance(owner, Tensor) else wrap(owner.state.array))
        found = run_call(self.call, operands, f"{self.name.title()}Backward")
        count = self.count
        was_recording = state.enabled
        try:
            state.enabled = False
            for target, value in zip(self.stored, found[count:]):
                np.copyto(target._array, value._array)
                target.version().count += 1
            for node, value in zip(self.generator_nodes, found[count + len(self.stored) :]):
                node.state.array[...] = value._array
        finally:
            state.enabled = was_recording
        return list(found[:count])

    def assumes(self) -> list[str]:
        """What the program assumes, a line each."""
        lines = [
            f"input {k}: {type_}{', which requires a gradient' if needs else ''}"
            for k, (type_, needs) in enumerate(zip(self.types, self.requires))
        ]
        if self.fixed_because:
            lines.append(f"shapes are fixed: {self.fixed_because}")
        if self.grad_matters:
            lines.append(f"gradient recording is {'on' if self.grad_enabled else 'off'}")
        lines += [f"{reading} (read at {reading.origin})" for reading in self.readings]
        lines += [f"a tensor's value, read by Python at {where}" for _, _, where in self.reads]
        return lines

    def _put_together(self, results: Sequence[Tensor]) -> Any:
        if len(self.places) == 1 and self.places[0] == ("out", 0) and self.tree.form is None:
            return results[0]
        leaves = [results[what] if how == "out" else what for how, what in self.places]
        return self.tree.restore(leaves)


_LOST = new(LostGradient)


def _least(size: Any) -> int:
    low, _ = dims.bounds(size)
    return low or 0


def shown_of(reading: Reading) -> str:
    """What a reading was, for messages."""
    return str(reading).split(" = ", 1)[1]


def _tensor(array: np.ndarray) -> Tensor:
    tensor = new(Tensor)
    tensor._array = array
    return tensor


def _distinct(outputs: Sequence[Node]) -> tuple[list[Node], list[int]]:
    """Outputs without repetition, and the place of each among them."""
    places: dict[Node, int] = {}
    for node in outputs:
        places.setdefault(node, len(places))
    return list(places), [places[n] for n in outputs]


def _fates(run: Recorded, plan: Plan) -> dict[Node, Node]:
    """Constants for tensors that the traced code made and let go: every call makes them anew.

    Those that something still holds, an optimizer's state, are state of the program.
    """
    born: list[tuple[Touched, Any]] = []
    for touched in run.trace.touched.values():
        if touched.born:
            born.append((touched, weakref.ref(touched.tensor)))
            touched.tensor = None  # type: ignore[assignment]
    if not born:
        return {}
    held = {id(what) for how, what in plan.places if how == "same"}
    gc.collect()
    dead: dict[Node, Node] = {}
    for touched, ref in born:
        tensor = ref()
        if tensor is None or (id(tensor) in held and touched.current is touched.node):
            dead[touched.node] = uniform_node(touched.array, touched.node.origin)
        else:
            touched.tensor = tensor
    return dead


def fixed_types(tensors: Sequence[Tensor]) -> list[TensorType]:
    """The types of tensors, with their shapes as they are."""
    return [TensorType(as_dtype(t._array.dtype), t._array.shape) for t in tensors]


def free_types(tensors: Sequence[Tensor]) -> list[TensorType] | None:
    """The types with the size of the first axis symbolic wherever it is that of the first tensor.

    None where that cannot be: there is no such axis, or its size is 0 or 1, which broadcast.
    """
    first = next((t for t in tensors if t._array.ndim), None)
    if first is None or first._array.shape[0] < 2:
        return None
    size = first._array.shape[0]
    batch = dims.dim("n", min=2)
    return [
        TensorType(as_dtype(a.dtype), (batch, *a.shape[1:]) if a.ndim and a.shape[0] == size
                   else a.shape)
        for a in (t._array for t in tensors)
    ]  # fmt: skip


__all__ = ["Plan", "Variant", "fixed_types", "free_types"]
