"""An `import` inside of a function: what it finds among the modules that are there already."""

from __future__ import annotations

import sys
from typing import Any

from graphc.core.ir import Origin
from graphc.jit.trace.consulted import Consulted
from graphc.jit.trace.lookups import Unknown


def imported(consulted: Consulted, name: str, names: Any, level: Any, origin: Origin) -> Any:
    """What an `import` gives, with a reading of the table of modules.

    Args:
        name: the module's, with dots.
        names: what is taken from it; None where the module itself is.
        level: how many packages up it is looked for.
    """
    if level != 0:
        consulted.refuse("a relative import", origin)
        return Unknown()
    found = name if names else name.partition(".")[0]
    if found not in sys.modules or name not in sys.modules:
        consulted.refuse(f"an import of {name}", origin)
        return Unknown()
    consulted.item(sys.modules, found, f"module {found}", origin)
    return sys.modules[found]


__all__ = ["imported"]
