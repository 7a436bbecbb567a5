"""Algebra: a table of named rules, by theme, applied at every node.

    v0 = full(value=1.0, ...)
    v1 = multiply(x, v0)          mul-one: x
    v2 = negative(v1)
    v3 = negative(v2)             neg-neg: x

`EXACT` rules keep every bit of every value (nan payloads aside); the rest may change a rounding,
or what becomes of nan, inf and -0.0, and run with fast math only. The rules stand in
`simplify_arithmetic` and its neighbours.
"""

from __future__ import annotations

import graphc.ops  # noqa: F401  the rules are made of all ops
from graphc.core.ir import Graph
from graphc.passes.rewrite.engine import rewrite
from graphc.passes.rules.arithmetic import ARITHMETIC
from graphc.passes.rules.casts import CASTS
from graphc.passes.rules.choice import CHOICE
from graphc.passes.rules.functions import FUNCTIONS
from graphc.passes.rules.movement import MOVEMENT
from graphc.passes.rules.reduce import REDUCE
from graphc.passes.rules.slices import SLICES

RULES = (*ARITHMETIC, *FUNCTIONS, *CHOICE, *CASTS, *MOVEMENT, *SLICES, *REDUCE)
EXACT = tuple(rule for rule in RULES if rule.exact)


def simplify(graph: Graph) -> Graph:
    """Apply the exact rules.

    Returns:
        The simplified graph; the graph itself when no rule fired.
    """
    return rewrite(graph, EXACT)


def simplify_fast(graph: Graph) -> Graph:
    """Apply all rules, those of fast math too.

    Returns:
        The simplified graph; the graph itself when no rule fired.
    """
    return rewrite(graph, RULES)
