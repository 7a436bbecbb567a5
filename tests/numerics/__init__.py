"""The numerics contract: what every op loses to rounding, measured, written down and tested.

    python -m tests.numerics            writes tests/numerics/CONTRACT.md anew (some minutes)

Errors are in units in the last place of the result. `points` has the operands, `functions` what is
elementwise, `collected` sums and what else has many operands, `contract` the table.
"""
