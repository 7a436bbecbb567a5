"""Ops that compute each element from the operands' elements at its place."""
