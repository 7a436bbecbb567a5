"""`emitted`: the code of an intrinsic that is made of its values alone.

@emitted
def codegen(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> Any:
    return builder.add(x, y)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core.base import BaseContext
from numba.core.typing.templates import Signature

Codegen = Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[Any]], Any]


def emitted(emit: Callable[..., Any]) -> Codegen:
    """What Numba calls to emit code; of a function that returns None, code without a result."""

    def codegen(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        values: Sequence[ir.Value],
    ) -> Any:
        found = emit(builder, *values)
        return context.get_dummy_value() if found is None else found

    return codegen


__all__ = ["Codegen", "emitted"]
