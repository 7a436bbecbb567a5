"""Sizes beyond what 64-bit words count are refused where they are written, or at the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ShapeError

N = gc.dim("n")
WRITTEN: dict[str, Callable[[Any], Any]] = {
    "an axis of 2**64": lambda x: gc.input("z", (2**64,)),
    "axes whose product is too large": lambda x: gc.input("z", (2**40, 2**40)),
    "bytes, not elements": lambda x: gc.input("z", (2**61,)),
    "a sum over a broadcast": lambda x: gc.sum(gc.broadcast_to(x[:, None], (4, 2**64))),
    "a mean that would count modulo 2**64": lambda x: gc.mean(
        gc.broadcast_to(x[:, None], (4, 2**63))
    ),
    "padding that is cut off again": lambda x: gc.pad(x, ((2**64, 0),))[2**64 :],
    "a symbolic axis beside it": lambda x: gc.broadcast_to(gc.input("z", (N, 1)), (N, 2**64)),
    "an empty tensor": lambda x: gc.input("z", (0, 2**64)),
}


@pytest.mark.parametrize("what", sorted(WRITTEN))
def test_a_tensor_larger_than_memory_is_refused(what: str) -> None:
    with pytest.raises(
        ShapeError, match="too large: memory has less than 2\\*\\*63 bytes"
    ) as error:
        WRITTEN[what](gc.input("x", (4,)))
    assert "test_sizes.py" in str(error.value)


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_sizes_of_a_call_that_multiply_to_too_much_are_refused(target: str) -> None:
    x = gc.input("x", (N,))
    power = gc.broadcast_to(gc.reshape(x, (N, *[1] * 6)), (N,) * 7)
    program = gc.compile([x], gc.sum(power), target=target)
    assert program(np.ones(2, np.float32)) == 2**7
    with pytest.raises(ShapeError, match="too large") as error:
        program(np.ones(2**10, np.float32))
    assert "n = 1024" in str(error.value)


@pytest.mark.parametrize("level", ["O0", "O2"])
def test_axes_beyond_the_loops_that_python_nests(level: str) -> None:
    """Python takes 20 loops inside one another; rows are one loop beyond a few."""
    shape = (2,) * 21
    x = gc.input("x", shape)
    array = np.arange(2**21, dtype=np.float32).reshape(shape)
    program = gc.compile([x], gc.transpose(x, range(21)[::-1]) * 2.0, level=level)
    np.testing.assert_array_equal(program(array), array.T * 2)


@pytest.mark.parametrize("use", [lambda x, y: x + y, lambda x, y: x @ y, gc.maximum])
def test_sizes_that_are_equal_where_none_is_0_say_how_to_promise_that(use: Any) -> None:
    x = gc.input("x", (gc.dim("n"),))
    with pytest.raises(ShapeError, match=r'never 0, say so: gc.dim\("n", min=1\)'):
        use(gc.concatenate([x[0][None], x[1:]]), x)
    x = gc.input("x", (gc.dim("n", min=1),))
    assert use(gc.concatenate([x[0][None], x[1:]]), x).dtype is gc.float32
