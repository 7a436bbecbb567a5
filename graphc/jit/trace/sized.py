"""Numbers in place of symbolic sizes, in the middle of a run."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import Any

from graphc.core import dims
from graphc.core.ir import caller, map_sizes
from graphc.eager.engine.signature import replayed
from graphc.eager.engine.tensor import Tensor, View
from graphc.jit.trace.recording import symbolic_call
from graphc.jit.trace.refused import refusal
from graphc.jit.trace.sizes import SizeNeeded, TracedSize
from graphc.jit.trace.steps import Asked, Operation
from graphc.jit.trace.writes import Writes


class Sized(Writes):
    """A trace's part that is about symbolic sizes.

    Attributes:
        python_sizes: weak references to the symbolic sizes that Python was given.
        replace: puts one object in the place of another, wherever that one is held.
    """

    def __init__(self, decide: Any, root: Any = None) -> None:
        super().__init__(decide, root)
        self.python_sizes: list[weakref.ref[TracedSize]] = []
        self.replace: Callable[..., None] = lambda old, new, known: None

    def to_numbers(self, because: str) -> bool:
        """Make the graph so far once more, with the call's sizes in place of symbolic ones.

        Returns:
            False where no size is symbolic.
        """
        if self.root.is_fixed or self.fixed is None:
            return False
        if self.bodies:
            raise SizeNeeded(None, caller())
        if self.has_control:
            raise refusal(
                "the number of a symbolic size is needed after a differentiated branch or loop",
                where=caller(),
                hint="compile with dynamic=False, or ask for the size before",
            )
        before, path = self.root, self.path
        before.needs_numbers = because
        self.root = root = self.fixed()
        self.apart.holds = False  # it is about the runs from another beginning
        root.fixed_because = because
        root.names |= before.names
        root.parameters |= before.parameters
        self.names = root.names
        self.at, self.path = root, []
        moved = dict(zip(before.inputs, root.inputs))
        self.moved.update(moved)
        self.given = {moved.get(n, n): a for n, a in self.given.items()}
        self.placeholders = {k: moved[n] for k, n in self.placeholders.items()}
        for step in path:
            self._once_more(step)
        self._move_all()
        return True

    def _once_more(self, step: Any) -> None:
        moved = self.moved
        if isinstance(step, Operation):
            operands = [moved.get(n, n) for n in step.operands]
            template, static = self.numbers(step.template), self.numbers(step.static)
            again = self._operation(step.function, template, static, operands, step.recorded)
        elif isinstance(step, Asked) and step.key[0] not in ("live",):
            again = self._asked(
                step.key, lambda: tuple(replayed(step.nodes, dict(moved), self.symbols))
            )
        else:
            found = next(
                (s for s in self.at.after if all(map(operator.is_, s.nodes, step.nodes))), None
            )
            again = self._take(found) if found is not None else self._branch(step.copy(), False)
        moved.update(zip(step.nodes, again.nodes))

    def numbers(self, value: object) -> Any:
        """A setting with the call's own sizes."""
        return map_sizes(value, lambda size: dims.evaluate(size, self.sizes))

    def _move_all(self) -> None:
        """Whatever holds a node of the graph before holds that of the new one."""
        moved = self.moved
        for ref in self.made:
            tensor = ref()
            if tensor is None or tensor._node is None:
                continue
            tensor._node = moved.get(tensor._node, tensor._node)
            if tensor._view is not None:
                view = tensor._view
                template, static = self.numbers(view.template), self.numbers(view.static)
                tensor._view = View(view.parent, view.function, template, static)
        for entry in self.touched.values():
            entry.current = moved.get(entry.current, entry.current)
        self.edges = {moved.get(n, n): e for n, e in self.edges.items()}
        self.generators = {k: (p, moved.get(n, n)) for k, (p, n) in self.generators.items()}
        for place, ref in self.steps_recorded:
            fn = ref()
            if fn is None:
                continue
            if place is not None:
                fn._call = (self.path[place].call, symbolic_call, self.root.calls)
            for saved in fn.kept_values():
                saved.node = moved.get(saved.node, saved.node)

    def agree(self, mine: Tensor, other: Tensor) -> None:
        """Make sizes numbers where two shapes differ that may be equal in this call."""
        if mine.type.shape != other.type.shape:
            self.to_numbers(f"shapes are compared at {caller()}")

    def number_of(self, dim: Any) -> int:
        """The number of a size, which Python asked for: sizes are fixed from here on."""
        if not self.root.is_fixed and not self.has_ended:
            self.to_numbers(f"Python needed the size {dim} at {caller()}")
        return dims.evaluate(dim, self.sizes)


__all__ = ["Sized"]
