"""`Attached`: what `eager.facade` gives to tensors, as a class of its own.

The operations are functions of tensors, so they stand in modules that import `Tensor`, and become
its methods afterwards. What these are and take is written in `attached.pyi`, which a test compares
with the methods that are there.
"""

from __future__ import annotations

from graphc.core.operators import Operators


class Attached(Operators):
    """The base of `Tensor` in which type checkers find the attached methods."""
