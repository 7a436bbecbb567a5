"""What LLVM is told of a kernel's loops, by their sources."""

from __future__ import annotations

import ast

import pytest

from graphc.runtime.objects.loop_hints import INTERLEAVE, KEPT, told

LOOP = """def kernel(args, lo, hi):
    p0 = buffer(args, 0, f32)
    r0 = buffer(args, 1, f32)
    for i0 in range({turns}):
        {body}
"""


@pytest.mark.parametrize(
    ("turns", "body", "wanted"),
    [
        ("lo, hi", "r0[i0] = tanh(p0[i0])", (INTERLEAVE,)),
        ("lo, hi", "r0[i0] = p0[i0] + p0[i0]", ()),
        ("1000", "r0[i0] = exp(p0[i0])", (INTERLEAVE,)),
        ("100", "r0[i0] = exp(p0[i0])", (KEPT, INTERLEAVE)),
        ("32", "r0[i0] = exp(p0[i0])", (KEPT,)),
        ("32", "r0[i0] = p0[i0] + p0[i0]", (KEPT,)),
        ("8", "r0[i0] = exp(p0[i0])", ()),
    ],
)
def test_long_loops_of_chains_are_interleaved_and_short_ones_not_unrolled(
    turns: str, body: str, wanted: tuple[str, ...]
) -> None:
    assert told(ast.parse(LOOP.format(turns=turns, body=body))).get(5, ()) == wanted


def test_a_loop_around_another_is_told_nothing() -> None:
    source = LOOP.format(
        turns="lo, hi", body="for i1 in range(1000):\n            r0[i1] = exp(p0[i1])"
    )
    assert told(ast.parse(source)) == {6: (INTERLEAVE,)}
