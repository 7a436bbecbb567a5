"""`Methods`: what `eager.facade` gives to symbolic tensors, as a class of its own.

They compute by the functions of eager tensors, which import `Node`, so they become its methods
afterwards. What these are and take is written in `methods.pyi`, which a test compares.
"""

from __future__ import annotations

from graphc.core.operators import Operators, missing


class Methods(Operators):
    """The base of `Node` in which type checkers find the attached methods."""

    __slots__ = ()


# Not in the class, where a checker of types would take every name to be there; and not in that of
# tensors, whose attributes Python would find more slowly.
setattr(Methods, "__getattr__", missing)  # noqa: B010
