"""The table of ops, and what tests try them on."""

from __future__ import annotations

import graphc.ops  # noqa: F401
from graphc.core.ir import OPS, Scalar
from graphc.ops.cases import (
    RANGES,
    Case,
    accepted,
    arity,
    array,
    cases,
    domains,
    edge_cases,
    edge_pairs,
    edges,
    is_plain,
    operands,
    seed_of,
)

TABLE = sorted(OPS.values(), key=lambda op: op.name)
PLAIN = [op for op in TABLE if is_plain(op)]
SCALAR = [op for op in TABLE if isinstance(op.lowering, Scalar)]

__all__ = [
    "PLAIN", "RANGES", "SCALAR", "TABLE", "Case", "accepted", "arity", "array", "cases", "domains",
    "edge_cases", "edge_pairs", "edges", "is_plain", "operands", "seed_of",
]  # fmt: skip
