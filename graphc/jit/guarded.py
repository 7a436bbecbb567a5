"""Calls that run a program without Python: what they assume, and how they hand out results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dtypes import is_float
from graphc.core.ir import map_sizes
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.changes import changes
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import AccumulateGrad
from graphc.eager.engine.tensor import Tensor, new, wrap
from graphc.jit.eager_tape import SpentBackward
from graphc.jit.form import Form
from graphc.jit.lost import LOST
from graphc.jit.recipe import Recipe, Reference
from graphc.jit.results import give_history, lose_all, take_view, unshared
from graphc.jit.roots import mismatch, sizes_of
from graphc.jit.trace.consulted import Unproven
from graphc.jit.trace.extents import Extents
from graphc.jit.trace.guards import Guards
from graphc.jit.trace.steps import Given
from graphc.jit.trace.watching import Watch

_OWN = {
    "_array", "_drawn", "_edge", "_grad", "_node", "_version", "_view", "_views", "_is_state",
    "name",
}  # fmt: skip

# Why a run that was given a computed value is repeated with Python.
BY_VALUE = "Python goes by the value of a traced tensor"


class Guarded:
    """A variant whose assumptions are checked without running the function.

    Args:
        variant: what runs.
        recipe: how results are put together.
        trace: the run.
        watch: what Python consulted in it.
        needs: which of its tensors require gradients.
        form: of its arguments.
    """

    def __init__(
        self, variant: Any, recipe: Recipe, trace: Any, watch: Watch,
        needs: tuple[int, ...], form: Form,
    ) -> None:  # fmt: skip
        self.variant = variant
        self.recipe = recipe
        self.types = variant.root.types
        self.fixed_because = variant.root.fixed_because
        self.grad_enabled = state.enabled
        self.grad_matters = bool(trace.edges) or trace.differentiated
        self.is_differentiated = trace.differentiated
        self.requires = needs
        self.readings = list(watch.readings)
        self.guards = Guards(self.readings)
        self.reads = trace.reads
        self.grads_before = list(trace.grads_before.values())
        self.layouts = (
            [real._array.flags.c_contiguous for real in trace.reals.values()]
            if trace.has_read_layout
            else None
        )
        self.held = [(t.tensor, t.array) for t in trace.touched.values() if not t.born]
        self.held += [(t, array) for t, array in trace.owned if not trace.is_born(t)]
        self.is_drawing = bool(trace.generators) or any(t._drawn is not None for t, _ in self.held)
        self.sources = self._sources(trace)
        self.form = form
        self.default_dtype = promotion.get_default_dtype()
        self.written = [
            t.tensor for t in trace.touched.values() if t.current is not t.node and not t.born
        ]
        self.written_arguments = [
            k for k, key in enumerate(trace.stand_ins)
            if trace.stand_ins[key]._version.count != trace.counts[key]
        ]  # fmt: skip
        self.is_writing = bool(variant.updates or recipe.writes)
        self._count = -1
        self._held_memory = Extents()
        for _, array in self.held:
            self._held_memory.add(array)
        self._versions: list[Any] = []
        self._known_shapes: set[Any] = set()
        self._owners: dict[Any, Any] = {t.node: t.tensor for t in trace.touched.values()}
        self._edge_owners: dict[Any, Any] = dict(trace.owners)
        # Of most gradients nothing is kept: apart from the rest, they cost a store each.
        self._without_gradient = [
            (what, LOST if how == "lost" else None) for (kind, what), how, value in recipe.gradients
            if kind == "tensor" and (how == "lost" or value is None)
        ]  # fmt: skip
        self._with_gradient = [
            each for each in recipe.gradients
            if each[0][0] != "tensor" or not (each[1] == "lost" or each[2] is None)
        ]  # fmt: skip
        for k, key in enumerate(trace.stand_ins):
            self._owners[trace.placeholders[key]] = k
            edge = trace.reals[key]._edge
            if edge is not None:
                self._edge_owners[edge] = k

    def _sources(self, trace: Any) -> list[Any]:
        """For each input of the program the position of an argument, or an array."""
        places = {trace.placeholders[key]: k for k, key in enumerate(trace.stand_ins)}
        return [places[n] if n in places else trace.given[n] for n in self.variant.inputs]

    # --- what is assumed

    def mismatch(self, tensors: Sequence[Tensor], is_traced: bool = False) -> str:
        """Why this does not fit a call of these tensors; "" when it does.

        Args:
            tensors: the call's arguments.
            is_traced: whether a forward pass that was recorded may run where nothing is: a trace
                goes by no flags of what it computes.
        """
        unrecorded = is_traced and not state.enabled and not self.is_differentiated
        if self.grad_matters and state.enabled is not self.grad_enabled and not unrecorded:
            return f"gradient recording is {'on' if state.enabled else 'off'}"
        arrays = [t._array for t in tensors]
        shapes = tuple([a.shape for a in arrays])
        dtypes = tuple([a.dtype.char for a in arrays])
        if (shapes, dtypes) not in self._known_shapes:
            reason = mismatch(self.types, tensors)
            if reason:
                why = f" ({self.fixed_because})" if self.fixed_because else ""
                return reason + why
            self._known_shapes.add((shapes, dtypes))
        for k, (tensor, wanted) in enumerate(zip(tensors, self.requires)):
            if not unrecorded and requires(tensor._edge) is not wanted:
                return f"input {k} is {_REQUIRES[requires(tensor._edge)]}"
            if not tensor.__dict__.keys() <= _OWN:
                return f"input {k} has attributes of its own"
        count = changes.count
        if count != self._count:
            # Only what is counted replaces the memory of a tensor.
            for tensor, array in self.held:
                if tensor._array is not array:
                    name = tensor.name or "a tensor"
                    return f"the memory of {name} {list(array.shape)} was replaced"
            self._versions = [tensor.version() for tensor in self.written]
            self._count = count
        broken = self.guards.broken()
        if broken:
            return broken
        for tensor, value, where in self.reads:
            if not np.array_equal(tensor._array, value, equal_nan=is_float(value.dtype)):
                return f"the value of a tensor that Python read at {where} changed"
        for tensor, before in self.grads_before:
            if tensor._grad is not before:
                return f".grad of a tensor is {'None' if tensor._grad is None else 'another one'}"
        if self.layouts is not None and [a.flags.c_contiguous for a in arrays] != self.layouts:
            return "an input has another layout in memory"
        return self._overlap(arrays) if self.is_writing or len(arrays) > 1 else ""

    def outdated(self) -> str:
        """Why no call of any arguments fits as Python's values are now; "" when one may."""
        if self.default_dtype is not promotion.get_default_dtype():
            return f"the default dtype was {self.default_dtype}"
        for tensor, array in self.held:
            if tensor._array is not array:
                return f"the memory of {tensor.name or 'a tensor'} was replaced"
        for tensor, value, where in self.reads:
            if not np.array_equal(tensor._array, value, equal_nan=is_float(value.dtype)):
                return f"the value of a tensor that Python read at {where} changed"
        return self.guards.broken()

    def _overlap(self, arrays: Sequence[np.ndarray]) -> str:
        """Whether memory is written of which the call has another part too."""
        for k, array in enumerate(arrays):
            if self._held_memory.sharing(array):
                return f"input {k} shares memory with another tensor"
            if array.base is not None and len(arrays) > 1:
                others = (*arrays[:k], *arrays[k + 1 :])
                if any(np.may_share_memory(array, other) for other in others):
                    return f"input {k} shares memory with another tensor"
        if len(arrays) > 1 and len({id(a) for a in arrays}) < len(arrays):
            return "two inputs share memory"
        return ""

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
        lines += [
            f"{r} (read at {r.origin})" for r in self.readings
            if not r.definition and not (r.place and r.place[0] == "code")
        ]  # fmt: skip
        lines += [f"a tensor's value, read by Python at {where}" for _, _, where in self.reads]
        return lines

    # --- a call

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Run the program; give what the function would return."""
        arrays = [
            tensors[s]._array if s.__class__ is int else s for s in self.sources
        ]  # fmt: skip
        variant, recipe = self.variant, self.recipe
        outside = variant.outside if state.enabled else None

        def tensor_of(node: Any) -> Tensor:
            place = self._owners.get(node)
            if place is None:
                return wrap(node.state.array)
            return tensors[place] if place.__class__ is int else place

        copies = () if outside is None else outside.before(tensor_of)
        values, saved = variant.run(arrays, variant.live)
        alive = [wrap(array) for array in unshared([values[n] for n in recipe.alive], arrays)]
        for (how, what), node in recipe.writes:
            np.copyto(tensors[what]._array if how == "argument" else what, values[node])
        if self.is_drawing or any(t._drawn is not None for t in tensors):
            lose_all([*alive, *[tensors[k] for k in self.written_arguments]])
        for version in self._versions:
            version.count += 1
        for k in self.written_arguments:
            tensors[k].version().count += 1
        made = _Made(self.types, tensors, alive)
        for view in recipe.views:
            made.add_view(*view)
        for target, gradient in self._without_gradient:
            target._grad = gradient
        for target, how, value in self._with_gradient:
            made.tensor(target)._grad = (
                LOST if how == "lost" else None if value is None else made.tensor(value)
            )
        for reference, name, freed in recipe.spent:
            made.tensor(reference)._edge = (SpentBackward(name, freed), 0)
        if outside is not None:
            real = outside.attach(tensor_of, alive, saved, copies, lambda e: self._end(e, tensors))
            for reference, edge, retained in recipe.histories:
                tensor = made.tensor(reference)
                give_history(tensor, real(edge), reference[0] == "argument", retained)
        return made.built(recipe.result)

    def _end(self, edge: Any, tensors: Sequence[Tensor]) -> Any:
        """The call's edge where the tape of the traced run ends."""
        owner = self._edge_owners.get(edge)
        if owner is None:
            return edge
        return tensors[owner]._edge if owner.__class__ is int else owner._edge


def requires(edge: Any) -> int:
    """Whether an argument requires a gradient: 0, 1 for a leaf, 2 for a computed one."""
    if edge is None:
        return 0
    return 1 if edge[0].__class__ is AccumulateGrad else 2


_REQUIRES = ("without a gradient", "a leaf that requires a gradient", "computed from such a leaf")


class _Made:
    """The tensors of one call.

    Args:
        types: of the arguments, with symbolic sizes.
        tensors: the arguments.
        alive: results of the program.
    """

    def __init__(
        self, types: Sequence[TensorType], tensors: Sequence[Tensor], alive: Sequence[Tensor]
    ) -> None:
        self._types = types
        self.tensors = tensors
        self.alive = alive
        self.views: list[Tensor] = []

    def tensor(self, reference: Reference) -> Tensor:
        """The tensor that is meant."""
        how, what = reference
        if how == "alive":
            return self.alive[what]
        if how == "argument":
            return self.tensors[what]
        if how == "constant":
            return wrap(what.copy())
        return self.views[what] if how == "view" else what

    def add_view(self, parent: Reference, function: Any, template: Any, static: Any) -> None:
        """Make a tensor that is a part of another's memory."""
        tensor = new(Tensor)
        template, static = self.numbers(template), self.numbers(static)
        take_view(tensor, self.tensor(parent), function, template, static)
        self.views.append(tensor)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {s.name: size for s, size in sizes_of(self._types, self.tensors).items()}

    def numbers(self, value: Any) -> Any:
        """A setting or a size with the call's own sizes."""
        return map_sizes(value, lambda size: dims.evaluate(size, self._sizes))

    def built(self, spec: Any) -> Any:
        """A result from its recipe."""
        kind, what = spec
        if kind == "value":
            return what
        if kind == "size":
            return self.numbers(what)
        if kind.__class__ is str:
            return self.tensor(spec)
        if kind is dict:
            return {k: self.built(v) for k, v in what.items()}
        parts = [self.built(v) for v in what]
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def reasons_against(trace: Any, watch: Watch, recipe: Recipe, where: Any) -> list[Unproven]:
    """Why a run cannot be repeated without Python; [] when it can."""
    found = [*recipe.unproven, *watch.unproven]
    found += [Unproven(line, where) for line in (*watch.effects, *watch.impure)]
    if trace.has_captured_argument:
        found.append(Unproven("an argument is a tensor that the function holds too", where))
    if trace.has_evaluated:
        found.append(Unproven(BY_VALUE, where))
    found += [Unproven(f"{what} of an argument", where) for what, where in trace.read_arguments]
    if trace.has_read_layout and not all(
        real._array.flags.c_contiguous for real in trace.reals.values()
    ):
        found.append(Unproven("Python asked for the layout of memory that is in no order", where))
    for touched in trace.touched.values():
        if isinstance(touched.step, Given) and touched.born:
            found.append(
                Unproven("a tensor made in the function has other values at every call", where)
            )
    return found


__all__ = ["BY_VALUE", "Guarded", "Unproven", "reasons_against"]
