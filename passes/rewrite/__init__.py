"""Rewriting by rules as data, and the facts that rules ask."""

from graphc.passes.rewrite.engine import (
    Attribute,
    Pattern,
    Rule,
    any_of,
    attribute,
    constant,
    matches,
    number,
    ops,
    rewrite,
    same_graph,
    uniform,
    var,
)

__all__ = [
    "Attribute", "Pattern", "Rule", "any_of", "attribute", "constant", "matches", "number", "ops",
    "rewrite", "same_graph", "uniform", "var",
]  # fmt: skip
