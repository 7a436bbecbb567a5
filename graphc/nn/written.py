"""Functions that follow from a declaration, compiled as what one would have written by hand.

written("area", "def area(self): return self.w * self.h", {}, globals(), __file__, 12)
"""

from __future__ import annotations

import functools
from types import CodeType
from typing import Any


def written(
    name: str, source: str, scope: dict[str, Any], names: dict[str, Any], file: str, line: int
) -> Any:
    """The function of a source, which stands in no file.

    Args:
        name: its name.
        source: its definition, on one line.
        scope: values that it reads, by their names.
        names: the globals that it has.
        file, line: where tracebacks and errors say that it stands.
    """
    filled: dict[str, Any] = {}
    exec(_compiled(name, source, *scope), names, filled)
    function = filled["made"](**scope)
    function.__code__ = function.__code__.replace(co_filename=file, co_firstlineno=line)
    return function


@functools.cache
def _compiled(name: str, source: str, *scope: str) -> CodeType:
    """The code of a function that makes the function over what it reads."""
    return compile(f"def made({', '.join(scope)}):\n {source}\n return {name}", "<made>", "exec")


__all__ = ["written"]
