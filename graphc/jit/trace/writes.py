"""Writes in place in traced code."""

from __future__ import annotations

import contextlib
import sys

from graphc.core.ir import Node, caller
from graphc.eager.engine.mode import state
from graphc.eager.engine.out import is_held
from graphc.eager.engine.signature import late
from graphc.eager.engine.tape import AccumulateGrad
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor
from graphc.eager.engine.views import PutBack, link, parts_of, same_memory
from graphc.jit.trace.recording import recording
from graphc.jit.trace.refused import Left, refusal
from graphc.jit.trace.requests import Requests


class Writes(Requests):
    """A trace's part that is about memory: what is written, and what of it is seen elsewhere."""

    def assign(self, target: Tensor, value: Tensor) -> None:
        """A write in place: the target, what it is a part of, and its parts hold new nodes."""
        try:
            self._check_write(target)
            node = self.node_of(value)
        except Left:
            late("eager.engine.composite").store(target, value)
            return
        recorded = state.enabled
        target.version().count += 1
        self._hold(target, node)
        if recorded:
            target._edge = value._edge
        if target._view is None and not target._views:
            return
        part, piece = target, self.wrap(node)
        piece._edge = value._edge
        detached: Tensor | None = None  # up to which the write is history
        while part._view is not None:
            view, parent = part._view, part._view.parent
            if parent._edge is not None and isinstance(parent._edge[0], AccumulateGrad):
                recorded = False
            whole = piece
            if view.function is same_memory:
                detached = part if recorded and detached is None else detached
                recorded = False
            else:
                with recording(recorded):
                    whole = self.invoke(PutBack(view), (SLOT, SLOT), (), [parent, piece], False)
            self._hold(parent, whole._node)
            if recorded and whole._edge is not None:
                parent._edge = whole._edge
            part, piece = parent, whole
        self._refresh(part, recorded, detached)

    def set_data(self, target: Tensor, value: Tensor) -> None:
        """`target.data = value`: other values, the same history.

        The memory stays, where nobody sees that: what shares it keeps the old values.
        """
        real = self.reals.get(id(target))
        if _is_shared(target) or (real is not None and _is_shared(real)):
            self.end("`.data` is given to a tensor that shares its memory with another one")
            target.data = value
            return
        with recording(False):
            self.assign(target, value)

    def _check_write(self, target: Tensor) -> None:
        """Leave the graph before a write to memory of which the run has another part too.

        Raises:
            Left: the rest of the call runs eagerly.
        """
        whole = target
        while whole._view is not None:
            whole = whole._view.parent
        real = self.reals.get(id(whole))
        array = whole._array if whole._node is None else None if real is None else real._array
        if array is None or id(array) in self.written or array.size == 0:
            return
        if id(array) not in self.touched:
            self.apart.varying(array)
        others = self.parts if array.base is None else self.memory
        if not self.apart.holds and others.shared(array):
            self.leave("two tensors share memory, and one of them is written")
        self.written[id(array)] = array
        self.written_memory.add(array)
        if array.base is not None:
            self.written_parts.add(array)

    def end(self, reason: str) -> None:
        """End the graph, and tell: all traced tensors get their values, the rest of the call runs
        eagerly."""
        self.is_told = True
        with contextlib.suppress(Left):
            self.leave(reason)

    def leave(self, reason: str) -> None:
        """Give all traced tensors their values; the rest of the call runs eagerly.

        Raises:
            Left: always; the operation under way runs eagerly too.
        """
        if self.settle is None or self.bodies:
            raise refusal(reason, where=caller(), hint="work on x.clone()")
        self.left, self.left_at = reason, caller()
        self.settle()
        raise Left

    def _hold(self, tensor: Tensor, node: Node) -> None:
        argument = None if tensor._node is not None else self.by_array.get(id(tensor._array))
        if tensor._node is not None:
            tensor._node = node
        elif argument is not None:
            self.has_captured_argument = True
            argument._node = node
        elif tensor._view is None and not self.bodies and self.is_born(tensor):
            self.adopt(tensor, node)  # nobody outside has its memory
        elif tensor._view is None or self._is_touched(tensor):
            self.touch(tensor).current = node

    def _refresh(self, whole: Tensor, recorded: bool, detached: Tensor | None) -> None:
        """Let the parts of a tensor hold what it holds.

        Args:
            whole: the tensor.
            recorded: whether its new value is part of its history, and so of theirs.
            detached: an alias without the whole's history of which that is true.
        """
        for part, view in parts_of(whole):
            if view.function is same_memory:
                part._node = whole._node if whole._node is not None else self.node_of(whole)
                self._refresh(part, part is detached, detached)
                continue
            with recording(recorded):
                again = self.invoke(view.function, view.template, view.static, [whole], False)
            part._node = again._node
            if recorded and again._edge is not None:
                part._edge = again._edge
            self._refresh(part, recorded, detached)

    def detach(self, tensor: Tensor) -> Tensor:
        """The same memory without history: an alias of a traced tensor."""
        alias = self.wrap(self.node_of(tensor))
        link(alias, tensor, same_memory)
        return alias


def _is_shared(tensor: Tensor) -> bool:
    """Whether another tensor is known to have some of the memory."""
    if is_held(tensor):
        return True
    base = None if tensor._node is not None else tensor._array.base
    return base is not None and sys.getrefcount(base) > _REFERENCES


# Of what only one array is a part of, in the function above: the array's, its name, the call's.
_REFERENCES = 3

__all__ = ["Writes"]
