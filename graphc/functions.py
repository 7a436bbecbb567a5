"""The functions of `gc`, by name: each takes eager tensors and symbolic ones.

What they are is put together in `eager.facade`, of the op table and of the eager functions;
`functions.pyi` says what they take and give.
"""

from typing import Any

from graphc.eager.facade import FACE


def __getattr__(name: str) -> Any:
    if name not in FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return FACE[name]


def __dir__() -> list[str]:
    return sorted(FACE)
