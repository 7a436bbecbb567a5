"""The table of loop nests: `ir.Library` names to the steps of a node.

    steps = NESTS[node.op.lowering.name](node)

Contractions are not here: see `matmul_kernel` and `conv_kernel`.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir import Node
from graphc.runtime.nest_scan import RULES, scan
from graphc.runtime.nest_scatter import scatter
from graphc.runtime.nest_sort import argsort
from graphc.runtime.nest_windows import windows_transpose
from graphc.runtime.step import Step

NESTS: dict[str, Callable[[Node], list[Step]]] = {
    "argsort": argsort,
    "windows_transpose": windows_transpose,
    **{name: scan(name) for name in RULES},
    **{name: scatter(name) for name in ("scatter_add", "index_add", "index_update")},
}
