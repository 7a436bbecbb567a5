"""What `.grad` holds after a compiled step that used the gradient and did not keep it."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor, new
from graphc.errors import TraceError


class LostGradient(Tensor):
    """A gradient that was used inside a compiled step: asking for it is an error that says so.

    What is added to it is lost like it.
    """

    def add_(self, *args: Any, **kwargs: Any) -> LostGradient:
        """It stays lost."""
        return self

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


LOST = new(LostGradient)

__all__ = ["LOST", "LostGradient"]
