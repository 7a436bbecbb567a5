"""ONNX's names as identifiers, which inputs and parameters of graphs need."""

from __future__ import annotations

import re

from graphc.core.atoms import is_kept


class Names:
    """Gives each name an identifier of its own.

    Args:
        reserved: identifiers that none gets.

    Example:
        >>> names = Names()
        >>> names.of("layer.0/weight"), names.of("layer_0.weight"), names.of("x")
        ('layer_0_weight', 'layer_0_weight_2', 'x')
    """

    def __init__(self, reserved: frozenset[str] = frozenset()) -> None:
        self._taken: set[str] = set(reserved)
        self._found: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The identifier of a name."""
        if name in self._found:
            return self._found[name]
        base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
        if not base.isidentifier() or not is_kept(base):
            base = f"v_{base}"
        made, count = base, 1
        while made in self._taken:
            count += 1
            made = f"{base}_{count}"
        self._taken.add(made)
        self._found[name] = made
        return made
