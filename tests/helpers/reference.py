"""Run functions of tensors through the interpreter, and check gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node
from graphc.core.operators import FUNCTIONS
from graphc.ops.source import Bound
from graphc.ops.source import input as placeholder
from graphc.passes.grad import vjp


def nodes_for(arrays: Sequence[np.ndarray], symbolic: bool = False) -> list[Node]:
    """An input for each array; with `symbolic`, size 3 becomes the dimension d3 (1 stays)."""
    return [
        placeholder(
            f"x{k}",
            [dims.dim(f"d{n}", min=min(n, 1)) if symbolic and n != 1 else n for n in array.shape],
            array.dtype,
        )
        for k, array in enumerate(arrays)
    ]


def evaluate(
    function: Callable[..., Any], *arrays: Any, symbolic: bool = False
) -> np.ndarray | list[np.ndarray]:
    """`function` of inputs, interpreted on arrays: one array, or a list for several results."""
    arrays = tuple(np.asarray(a) for a in arrays)
    nodes = nodes_for(arrays, symbolic)
    result = function(*nodes)
    many = isinstance(result, list | tuple)
    outputs = _run(nodes, result if many else [result], arrays)
    return outputs if many else outputs[0]


def _run(nodes: list[Node], outputs: Sequence[Node], arrays: Sequence[Any]) -> list[np.ndarray]:
    graph = Graph.of("test", nodes, outputs)
    bound = [n for n in graph.nodes if isinstance(n, Bound)]
    graph = Graph.of("test", [*nodes, *bound], outputs)
    return list(run(graph, [*arrays, *(b.state.array for b in bound)]))


def agree(function: Callable[..., Any], reference: Callable[..., Any], *arrays: Any) -> None:
    """Check values, shape and dtype against NumPy, with fixed and with symbolic sizes."""
    wanted = np.asarray(reference(*arrays))
    for symbolic in (False, True):
        found = evaluate(function, *arrays, symbolic=symbolic)
        assert isinstance(found, np.ndarray)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_array_equal(found, wanted)


def check_gradient(function: Callable[..., Any], *arrays: np.ndarray, order: int = 2) -> None:
    """Compare the cotangents of a random projection with central differences, in float64.

    With order 2 the gradient itself is differentiated once more and compared the same way.
    """
    rng = np.random.default_rng(0)
    ways = [rng.normal(size=np.shape(a)) for a in arrays]

    def slope(*nodes: Any) -> Any:
        result = function(*nodes)
        results = result if isinstance(result, list | tuple) else [result]
        fixed = np.random.default_rng(1)
        cts = [FUNCTIONS["constant"](fixed.normal(size=r.type.shape)) for r in results]
        gradients = vjp(results, cts, list(nodes))
        total: Any = 0.0
        for gradient, way in zip(gradients, ways):
            total = total + FUNCTIONS["sum"](gradient * FUNCTIONS["constant"](way))
        return total

    def value(*nodes: Any) -> Any:
        result = function(*nodes)
        results = result if isinstance(result, list | tuple) else [result]
        fixed = np.random.default_rng(1)
        total: Any = 0.0
        for r in results:
            total = total + FUNCTIONS["sum"](
                r * FUNCTIONS["constant"](fixed.normal(size=r.type.shape))
            )
        return total

    _compare(value, slope, arrays, ways)
    if order == 2:
        check_gradient(slope, *arrays, order=1)


def _compare(value: Any, slope: Any, arrays: Sequence[np.ndarray], ways: Any) -> None:
    step = 1e-5
    ahead, behind = (
        evaluate(value, *(a + sign * step * w for a, w in zip(arrays, ways))) for sign in (1, -1)
    )
    found = evaluate(slope, *arrays)
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)  # type: ignore[operator]
