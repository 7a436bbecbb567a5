"""The beginnings of runs whose arguments have one structure: by their dtypes and sizes.

The first axis is symbolic where it can be. An axis whose size changes between calls becomes
symbolic too. Where a run needed the numbers, each choice of sizes has a beginning of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.core import dims
from graphc.core.dtypes import as_dtype
from graphc.core.types import TensorType, match
from graphc.eager.engine.tensor import Tensor
from graphc.jit.ending import types_of
from graphc.jit.trace.steps import Root
from graphc.ops.source import INPUT_OP

_MOST_KNOWN = 256
_SMALLEST = 2  # sizes 0 and 1 broadcast, and are not what a symbol stands for


class Roots:
    """The beginnings for one structure of arguments.

    Args:
        dynamic: whether sizes may be symbolic.
    """

    def __init__(self, dynamic: bool) -> None:
        self._dynamic = dynamic
        self._symbolic: list[Root] = []
        self._fixed: dict[Any, Root] = {}
        self._known: dict[Any, Root] = {}  # by dtypes and shapes; until another root comes

    def root(self, tensors: Sequence[Tensor]) -> Root:
        """Where a run with these arguments begins."""
        signature = _signature(tensors)
        root = self._known.get(signature)
        if root is None or root.needs_numbers:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            root = self._known[signature] = self._found(tensors)
        return root

    def _found(self, tensors: Sequence[Tensor]) -> Root:
        because = ""
        for root in self._symbolic:
            if not mismatch(root.types, tensors):
                if not root.needs_numbers:
                    return root
                because = root.needs_numbers
        if because or not self._dynamic:
            root = self.fixed(tensors)
            root.fixed_because = root.fixed_because or because
            return root
        exact = self._fixed.get(_signature(tensors))
        if exact is not None:
            return exact
        types = self._widened(tensors) or _first_free(tensors)
        if types is None:
            return self.fixed(tensors)
        root = new_root(types, False)
        self._symbolic.append(root)
        self._known.clear()
        return root

    def fixed(self, tensors: Sequence[Tensor]) -> Root:
        """Where a run begins whose sizes are numbers."""
        key = _signature(tensors)
        if key not in self._fixed:
            self._fixed[key] = new_root(types_of(tensors), True)
            self._known.clear()
        return self._fixed[key]

    def mismatch(self, tensors: Sequence[Tensor]) -> str:
        """Why no run so far began with such arguments; "" when one did."""
        reason = ""
        for root in (*self._symbolic, *self._fixed.values()):
            found = mismatch(root.types, tensors)
            if not found and not root.needs_numbers:
                return ""
            reason = found or reason
        return reason or "Python needs the sizes, which are new"

    def _widened(self, tensors: Sequence[Tensor]) -> list[TensorType] | None:
        """The types of a run before with those axes symbolic whose sizes differ now."""
        for root in (*reversed(self._symbolic), *reversed(self._fixed.values())):
            found = None if root.needs_numbers else _joined(root.types, tensors)
            if found is not None:
                return found
        return None


def _signature(tensors: Sequence[Tensor]) -> Any:
    return tuple([(t._array.dtype.char, t._array.shape) for t in tensors])


def new_root(types: Sequence[TensorType], is_fixed: bool) -> Root:
    """Where runs with inputs of these types begin."""
    inputs = [INPUT_OP(name=f"x{k}", type=t) for k, t in enumerate(types)]
    root = Root(types, inputs, is_fixed)
    root.names.update(f"x{k}" for k in range(len(types)))
    return root


def _first_free(tensors: Sequence[Tensor]) -> list[TensorType] | None:
    """The types with the size of the first axis symbolic wherever it is that of the first tensor.

    None where that cannot be: there is no such axis, or its size is 0 or 1, which broadcast.
    """
    first = next((t for t in tensors if t._array.ndim), None)
    if first is None or first._array.shape[0] < _SMALLEST:
        return None
    size = first._array.shape[0]
    batch = dims.dim("n", min=_SMALLEST)
    return [
        TensorType(as_dtype(a.dtype), (batch, *a.shape[1:]) if a.ndim and a.shape[0] == size
                   else a.shape)
        for a in (t._array for t in tensors)
    ]  # fmt: skip


def _joined(types: Sequence[TensorType], tensors: Sequence[Tensor]) -> list[TensorType] | None:
    """Types that fit a run before and this one; None where that takes more than sizes."""
    if len(types) != len(tensors):
        return None
    symbols: dict[Any, Any] = {}
    found = []
    is_changed = False
    for type_, tensor in zip(types, tensors):
        array = tensor._array
        if array.dtype != type_.dtype.numpy or array.ndim != len(type_.shape):
            return None
        shape = []
        for was, size in zip(type_.shape, array.shape):
            if isinstance(was, int) and was == size:
                shape.append(size)
                continue
            if size < _SMALLEST or (isinstance(was, int) and was < _SMALLEST):
                return None
            pair = (str(was), size)
            if pair not in symbols:
                symbols[pair] = dims.dim("nmklpqrst"[len(symbols) % 9] + "x" * (len(symbols) // 9),
                                         min=_SMALLEST)  # fmt: skip
            shape.append(symbols[pair])
            is_changed = True
        found.append(TensorType(type_.dtype, tuple(shape)))
    return found if is_changed else None


def sizes_of(types: Sequence[TensorType], tensors: Sequence[Tensor]) -> dict[Any, int]:
    """What the symbols in the arguments' types are in a call."""
    pairs = [
        pair
        for type_, tensor in zip(types, tensors)
        if not type_.is_static
        for pair in zip(type_.shape, tensor._array.shape)
    ]
    return match(pairs)  # type: ignore[return-value]  # numbers for symbols


def sizes_in(root: Root, tensors: Sequence[Tensor]) -> dict[Any, int]:
    """What the symbols of a root are in a call, found once for each choice of shapes."""
    shapes = tuple([t._array.shape for t in tensors])
    found = root.sizes.get(shapes)
    if found is None:
        if len(root.sizes) >= _MOST_KNOWN:
            root.sizes.clear()
        found = root.sizes[shapes] = sizes_of(root.types, tensors)
    return dict(found)


def mismatch(types: Sequence[TensorType], tensors: Sequence[Tensor]) -> str:
    """Why tensors do not have these types; "" when they do."""
    if len(tensors) != len(types):
        return f"{len(tensors)} tensors, not {len(types)}"
    sizes: dict[str, int] = {}
    for k, (tensor, type_) in enumerate(zip(tensors, types)):
        array = tensor._array
        if array.dtype != type_.dtype.numpy:
            return f"input {k} is {array.dtype.name}, not {type_.dtype.name}"
        if array.ndim != len(type_.shape):
            return f"input {k} has {array.ndim} axes, not {len(type_.shape)}"
        for axis, (have, want) in enumerate(zip(array.shape, type_.shape)):
            wanted = want if isinstance(want, int) else sizes.setdefault(str(want), have)
            least = 0 if isinstance(want, int) else dims.bounds(want)[0] or 0
            if have != wanted or have < least:
                return f"axis {axis} of input {k} has size {have}, not {wanted}"
    return ""


__all__ = ["Roots", "mismatch", "new_root", "sizes_in", "sizes_of"]
