"""Rules on sums, products, quotients and signs."""

from __future__ import annotations

from graphc.passes.rewrite import Rule, ops, var

x, y = var("x"), var("y")

ARITHMETIC = (
    Rule("mul-one", x * 1, lambda x: x),
    Rule("neg-neg", ops.negative(-x), lambda x: x),
)
