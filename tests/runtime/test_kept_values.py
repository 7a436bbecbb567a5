"""What a row keeps in scratch memory is read after it is written: not in front of the row."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc


@pytest.mark.parametrize("level", ["O0", "O1", "O2", "O3"])
def test_a_reduction_that_rows_share_computes_what_they_keep_by_itself(level: str) -> None:
    x = gc.input("x", (5, 5), gc.float32)
    columns = gc.sum(x * gc.mean(x, axis=-1, keepdims=True), axis=0)
    loss = gc.sum(x) + gc.mean(gc.absolute(gc.softmax(columns, axis=-1)))
    (slope,) = gc.grad(loss, [x])
    program = gc.compile([x], [slope], level=level, threads=1)
    array = np.random.default_rng(0).standard_normal((5, 5)).astype(np.float32)
    # A softmax sums to 1 whatever its operand, so the loss is the sum of x and 1/5.
    np.testing.assert_allclose(program(array)[0], np.ones((5, 5)), atol=1e-6)
