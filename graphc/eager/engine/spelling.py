"""Keywords by which PyTorch knows arguments that functions have under another name.

    gc.split(tensor=x, split_size=2)        # gc.split(x, 2)
    gc.swapaxes(x, axis0=0, axis1=1)

`SPELLED` is the one table; `tests/eager/test_keywords.py` compares it with PyTorch's signatures.
Not here: `dim` and `axis`, `keepdim` and `keepdims`, which functions take themselves.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

# By function: PyTorch's word, and the function's own.
SPELLED: dict[str, dict[str, str]] = {
    "amax": {"axis": "dim", "keepdims": "keepdim"},
    "amin": {"axis": "dim", "keepdims": "keepdim"},
    "aminmax": {"axis": "dim", "keepdims": "keepdim"},
    "clone": {"input": "self"},
    "dot": {"tensor": "other"},
    "float_power": {"exponent": "y"},
    "isin": {"element": "elements", "test_element": "test_elements"},
    "max": {"other": "dim"},
    "min": {"other": "dim"},
    "numel": {"input": "value"},
    "pow": {"self": "input"},
    "random_": {"from": "low", "to": "high"},
    "split": {
        "tensor": "input",
        "split_size": "split_size_or_sections",
        "split_sizes": "split_size_or_sections",
    },
    "swapaxes": {"axis0": "dim0", "axis1": "dim1"},
    "tensor_split": {"tensor_indices_or_sections": "indices_or_sections"},
    "tensordot": {"input": "a", "other": "b"},
}
# NumPy's words for operands, which PyTorch takes everywhere.
NUMPYS = {"a": "input", "x": "input", "x1": "input", "x2": "other"}


def spelled(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, taking PyTorch's words too; itself where it has no others."""
    words = SPELLED.get(name)
    if words is None:
        return function

    @functools.wraps(function)
    def apply(*args: object, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {words.get(key, key): value for key, value in kwargs.items()}
        return function(*args, **kwargs)

    # What it is made of, if of a graph's function, is what the function is made of.
    vars(apply).pop("__wrapped__")
    if hasattr(function, "__wrapped__"):
        apply.__wrapped__ = function.__wrapped__
    else:
        apply.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return apply


def of_numpy(own: Collection[str], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords of a call with NumPy's words for operands as the function has them."""
    if not kwargs.keys() & NUMPYS.keys():
        return kwargs
    return {key if key in own else NUMPYS.get(key, key): value for key, value in kwargs.items()}


__all__ = ["SPELLED", "of_numpy", "spelled"]
