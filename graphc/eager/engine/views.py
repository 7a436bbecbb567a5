"""Views of tensors that have a node instead of memory: parts of one another all the same.

    y = x * 1; z = y[0]; z.add_(1)     # traced, y is `PutBack` of the new z in the old y

Who writes such a tensor gives new nodes to what it is a part of, and to the parts of that.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from graphc.core import dtypes
from graphc.core.dims import Size
from graphc.core.ir import Node, caller, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.walk import toposort
from graphc.eager.engine.template import SLOT, Static, Template, fill
from graphc.eager.engine.tensor import Tensor, View
from graphc.errors import ArgumentError
from graphc.ops.arrays.movement import BROADCAST


class PutBack:
    """The function (whole, part) -> whole with the part in place of a view of it."""

    __name__ = "copy_slices"
    backward_name = "CopySlices"

    def __init__(self, view: View) -> None:
        self.key = (view.function, view.template, view.static)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PutBack) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __call__(self, whole: Any, part: Any) -> Any:
        function, template, static = self.key
        cast = FUNCTIONS["cast"]
        if whole.type.shape == part.type.shape == ():
            return part
        places = FUNCTIONS["reshape"](
            FUNCTIONS["iota"]((whole.type.size,), 0, dtypes.int64), whole.type.shape
        )
        chosen = function(*fill(template, [places]), **dict(static))
        if any(map(_repeats, toposort((chosen,)))):
            raise expanded_written(part.type.shape)
        flat = FUNCTIONS["flatten"](whole)
        # The places are distinct, so a later one never overwrites an earlier.
        changed = FUNCTIONS["index_update"](
            flat, FUNCTIONS["flatten"](chosen), FUNCTIONS["flatten"](cast(part, flat.type.dtype))
        )
        return FUNCTIONS["reshape"](changed, whole.type.shape)


def _repeats(node: Node) -> bool:
    """Whether elements of a node are one place in memory."""
    if node.op is not BROADCAST or 0 in tensor_type(node).shape:
        return False
    repeated = (tensor_type(node).shape[axis] for axis in node.attr("axes"))
    return any(not isinstance(size, int) or size > 1 for size in repeated)


def expanded_written(shape: tuple[Size, ...]) -> ArgumentError:
    """What a write to a tensor raises of which several elements are one place in memory."""
    return ArgumentError(
        f"a tensor of shape {shape} that was expanded cannot be changed in place: "
        "several of its elements are one place in memory",
        where=caller(),
        hint="work on x.clone()",
    )


def same_memory(x: Operators) -> Operators:
    """The view that is all of its whole, as `detach` gives it."""
    return x


def put_back(view: View, whole: Operators, part: Operators) -> Any:
    """The node of a whole in which a view of it has another one."""
    return part if view.function is same_memory else PutBack(view)(whole, part)


def link(
    part: Tensor,
    parent: Tensor,
    function: Callable[..., Any],
    template: Template = (SLOT,),
    static: Static = (),
) -> None:
    """Make a tensor a part of another one's memory.

    Args:
        part: without memory of its own.
        parent: what it is a part of.
        function, template, static: how it is taken from there.
    """
    part._view = View(parent, function, template, static)
    part._version = parent.version()
    parent._views = parent._views if parent._views is not None else []
    parent._views.append(weakref.ref(part))


def parts_of(whole: Tensor) -> list[tuple[Tensor, View]]:
    """The living tensors that are parts of this one and have nodes."""
    found = [ref() for ref in whole._views or ()]
    return [
        (part, part._view) for part in found
        if part is not None and part._view is not None and part._view.parent is whole
        and part._node is not None
    ]  # fmt: skip


__all__ = ["PutBack", "link", "parts_of", "put_back", "same_memory"]
