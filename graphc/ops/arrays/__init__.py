"""Ops that make, move, join, reduce, index, order and draw arrays."""
