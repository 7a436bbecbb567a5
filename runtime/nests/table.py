"""The table of loop nests: `ir.Library` names to the steps of a node.

    steps = NESTS[node.op.lowering.name](node)

Contractions are not here: see `matmul_kernel` and `conv_kernel`.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.core.ir import Node
from graphc.runtime.base.step import Step
from graphc.runtime.nests.lapack import LAPACK, permutation
from graphc.runtime.nests.printing import printed
from graphc.runtime.nests.scan import RULES, scan
from graphc.runtime.nests.scatter import WRITES, scatter
from graphc.runtime.nests.sort import argsort
from graphc.runtime.nests.windows import windows_transpose

NESTS: dict[str, Callable[[Node], list[Step]]] = {
    "argsort": argsort,
    "permutation": permutation,
    "print": printed,
    "windows_transpose": windows_transpose,
    **LAPACK,
    **{name: scan(name) for name in RULES},
    **{name: scatter(name) for name in WRITES},
}
