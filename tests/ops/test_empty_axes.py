"""Reductions of an axis that turns out to be empty: eager, with fixed sizes and with symbolic ones.

The greatest, the least and their places do not exist: an error at the call. The softmax of none is
none, the logarithm of a sum of none is -inf, as in PyTorch.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ShapeError

EXTREMES: dict[str, Any] = {
    "max": lambda x: gc.max(x, 0),
    "min kept": lambda x: gc.min(x, 0, True),
    "amax of both": lambda x: gc.amax(x, (0, 1)),
    "min of all": lambda x: gc.min(x),
    "argmax": lambda x: gc.argmax(x, 0),
    "argmin of all": lambda x: gc.argmin(x),
    "in a sum": lambda x: gc.sum(x - gc.max(x, 0, True)) + gc.sum(gc.max(x, 0)),
    "of integers": lambda x: gc.max(gc.cast(x, "int32"), 0),
    "of bools": lambda x: gc.max(x > 0, 0),
}


def _symbolic() -> Any:
    return gc.input("x", (gc.dim("n"), gc.dim("m")))


@pytest.mark.parametrize("level", ["O0", "O2"])
@pytest.mark.parametrize("name", EXTREMES)
def test_there_is_no_greatest_of_none(name: str, level: str) -> None:
    x = _symbolic()
    program = gc.compile([x], EXTREMES[name](x), level=level)
    for shape in ((0, 3), (2, 3), (0, 1), (1, 1)):
        array = np.full(shape, 2.0, "f")
        if shape[0]:
            np.testing.assert_allclose(program(array), gc.interpret(program.graph, array)[0])
            continue
        with pytest.raises(ShapeError, match=r"(?s)axis 0 is empty.*at test_empty_axes\.py"):
            program(array)
        with pytest.raises(ShapeError, match="axis 0 is empty"):
            gc.interpret(program.graph, array)
    with pytest.raises(ShapeError, match="is empty"):
        EXTREMES[name](gc.input("x", (0, 3)))


@pytest.mark.parametrize("level", ["O0", "O1", "O2"])
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "amax", "amin"])
def test_an_empty_axis_is_refused_whatever_else_is_empty(name: str, level: str) -> None:
    sizes = itertools.product((0, 2), repeat=3)
    arrays = [np.ones(shape, "f") for shape in sizes]
    several = [] if name.startswith("arg") else [(0, 2), (0, 1, 2)]
    for axis in (0, 1, -1, None, *several):
        x = gc.input("x", (gc.dim("n"), gc.dim("m"), gc.dim("k")))
        y = getattr(gc, name)(x, axis)
        slope = gc.grad(gc.sum(y), [x]) if y.dtype == gc.float32 else []
        program = gc.compile([x], [y, *slope], level=level)
        axes = range(3) if axis is None else axis if isinstance(axis, tuple) else (axis % 3,)
        for array in arrays:
            for run in (program, lambda a: gc.interpret(program.graph, a)):  # noqa: B023
                if all(array.shape[a] for a in axes):
                    found, *_ = run(array)
                    assert found.shape == tuple(array.shape[a] for a in range(3) if a not in axes)
                    continue
                with pytest.raises(ShapeError, match=f"{name[-3:]}: axis . is empty"):
                    run(array)


def test_sizes_known_not_to_be_empty_are_not_tested() -> None:
    x = gc.input("x", (gc.dim("n", min=1), 3))
    names = [node.op.name for node in gc.Graph.of("f", [x], [gc.max(x), gc.argmin(x, 0)]).nodes]
    assert "nonempty" not in names


def test_the_gradient_of_a_greatest_element_passes_the_test() -> None:
    x = _symbolic()
    top = gc.max(x, 0)
    program = gc.compile([x], [top, *gc.grad(gc.sum(top * top), [x])])
    array = np.array([[1.0, 5.0], [3.0, 5.0]], "f")
    np.testing.assert_array_equal(program(array)[1], [[0.0, 5.0], [6.0, 5.0]])
    with pytest.raises(ShapeError, match="max: axis 0 is empty"):
        program(array[:0])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_and_logsumexp_of_none(shape: tuple[int, int], axis: int) -> None:
    array = np.zeros(shape, "f")
    summed = np.full(np.delete(shape, axis), -np.inf if shape[axis] == 0 else np.log(shape[axis]))
    for x in (_symbolic(), gc.input("x", shape)):
        values = [gc.softmax(x, axis), gc.log_softmax(x, axis), gc.logsumexp(x, axis)]
        total = gc.sum(values[0] ** 2) + gc.sum(values[1]) + gc.sum(values[2])
        program = gc.compile([x], [*values, *gc.grad(total, [x])])
        for found in (program(array), gc.interpret(program.graph, array)):
            np.testing.assert_array_equal(found[2], summed.astype("f"))
            assert [a.shape for a in (found[0], found[1], found[3])] == [shape] * 3
    function = gc.jit.compile(lambda x: gc.logsumexp(x, axis))
    for each in (function, lambda x: gc.logsumexp(x, axis)):
        x = gc.tensor(array, requires_grad=True)
        each(x).sum().backward()
        assert x.grad.shape == shape
        np.testing.assert_array_equal(each(x).detach().numpy(), summed.astype("f"))


@pytest.mark.parametrize("name", ["amax", "amin", "argmax", "argmin", "max", "min", "median"])
def test_eager_functions_and_compiled_ones_refuse_alike(name: str) -> None:
    def function(x: Any) -> Any:
        return getattr(gc, name)(x, 0)

    for each in (function, gc.jit.compile(function)):
        with pytest.raises(ShapeError, match="axis 0 .*is empty"):
            each(gc.zeros(0, 3))
