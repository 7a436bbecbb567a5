"""Random graphs: what is compiled equals what is interpreted, at every level.

Integer and boolean results must be equal to the last bit at O1 (and at every other level); float
results within 64 units in the last place of the largest magnitude that the graph can reach, since
fused sums are added in another order.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc.core.dims import is_same
from graphc.core.dtypes import as_dtype, widened
from graphc.core.ir import Graph, Node, toposort
from graphc.text import parse, show
from graphc.verify import verify

LEVELS = ("O0", "O1", "O2", "O3")
UNARY = ("negative", "absolute", "tanh", "sigmoid", "sin", "square")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")
INTEGER_UNARY = ("negative", "absolute", "square", "invert")
INTEGER_BINARY = (*BINARY, "bitwise_and", "bitwise_xor", "floor_divide")
REDUCE = ("sum", "max", "min", "mean")
ROWS, COLUMNS = 3, 4


def _pick(draw: st.DrawFn, values: list) -> object:
    return values[draw(st.integers(0, len(values) - 1))]


@st.composite
def graphs(draw: st.DrawFn, dtype: str = "float32", symbolic: bool = False) -> Graph:
    """A random graph of 1 to 14 operations on two inputs of shape (rows, 4)."""
    integer = not as_dtype(dtype).is_float
    rows = gc.dim("n", min=1) if symbolic else ROWS
    inputs = [gc.input(name, (rows, COLUMNS), getattr(gc, dtype)) for name in "xy"]
    values = list(inputs)
    for _ in range(draw(st.integers(1, 14))):
        values.append(_grow(draw, values, integer))  # type: ignore[arg-type]
    count = draw(st.integers(1, 3))
    outputs = [values[-1], *(_pick(draw, values) for _ in range(count - 1))]
    return Graph.of("random", inputs, outputs)  # type: ignore[arg-type]


def _grow(draw: st.DrawFn, values: list, integer: bool) -> object:
    choice = draw(st.integers(0, 7))
    x = _pick(draw, values)
    if choice == 0:
        return getattr(gc, _pick(draw, list(INTEGER_UNARY if integer else UNARY)))(x)  # type: ignore[call-overload]
    if choice == 1:
        return x * draw(st.sampled_from([2, 3, -1])) + draw(st.sampled_from([0, 1, -2]))  # type: ignore[operator]
    if choice == 2:
        return x.T if x.ndim == 2 and is_same(*x.shape) else gc.flip(x, axis=-1)  # type: ignore[attr-defined]
    if choice == 3:
        name = _pick(draw, list(REDUCE[:3] if integer else REDUCE))
        total = getattr(gc, name)(x, axis=draw(st.sampled_from([0, 1, -1])), keepdims=True)  # type: ignore[call-overload]
        return gc.broadcast_to(gc.cast(total, x.dtype, overflow="wrap"), x.shape)  # type: ignore[attr-defined]
    if choice == 4:
        return gc.where(x > _pick(draw, values), x, _pick(draw, values))  # type: ignore[operator]
    if choice == 5:
        start = draw(st.integers(0, 2))
        left, right = x[:, start:], x[:, :start]  # type: ignore[index]
        return gc.concat([left, right], axis=1)
    if choice == 6:
        if integer:
            return gc.cast(gc.cumsum(x, axis=1), x.dtype, overflow="wrap")  # type: ignore[attr-defined]
        return x / (1.0 + gc.absolute(x))  # type: ignore[operator]
    name = _pick(draw, list(INTEGER_BINARY if integer else BINARY))
    y = _pick(draw, values)
    if name == "floor_divide":
        y = gc.where(y != 0, y, 1)  # an integer divided by 0 is an error
    return getattr(gc, name)(x, y)  # type: ignore[call-overload]


def _arrays(dtype: str, seed: int, rows: int = ROWS) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if as_dtype(dtype).is_float:
        return [rng.standard_normal((rows, COLUMNS)).astype(dtype) for _ in range(2)]
    if dtype == "bool":
        return [rng.integers(0, 2, (rows, COLUMNS)).astype(bool) for _ in range(2)]
    return [rng.integers(-50, 50, (rows, COLUMNS)).astype(dtype) for _ in range(2)]


def _used(graph: Graph) -> list[Node]:
    """The inputs that the outputs depend on: `compile` refuses others."""
    needed = toposort(graph.outputs)
    return [x for x in graph.inputs if x in needed]


def _compiled(graph: Graph, arrays: list[np.ndarray], level: str) -> list[np.ndarray]:
    used = _used(graph)
    program = gc.compile(used, list(graph.outputs), level=level)
    given = [a for x, a in zip(graph.inputs, arrays) if any(x is u for u in used)]
    return program(*given)


FUZZ = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _close(ours: np.ndarray, wanted: np.ndarray) -> None:
    assert ours.dtype == wanted.dtype and ours.shape == wanted.shape
    scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0))
    tolerance = 64 * np.finfo(np.float32).eps
    np.testing.assert_allclose(ours, wanted, rtol=256 * tolerance, atol=tolerance * scale)  # type: ignore[call-overload]


@pytest.mark.parametrize("level", LEVELS)
@FUZZ
@given(graph=graphs(), seed=st.integers(0, 99))
def test_compiled_equals_interpreted_for_floats(level: str, graph: Graph, seed: int) -> None:
    arrays = _arrays("float32", seed)
    wanted = gc.interpret(graph, *arrays)
    for ours, reference in zip(_compiled(graph, arrays, level=level), wanted, strict=True):
        _close(ours, reference)


@FUZZ
@given(graph=graphs("float16"), seed=st.integers(0, 99))
def test_compiled_equals_interpreted_for_float16(graph: Graph, seed: int) -> None:
    _agrees("float16", graph, seed)


@FUZZ
@given(graph=graphs("bfloat16"), seed=st.integers(0, 99))
def test_compiled_equals_interpreted_for_bfloat16(graph: Graph, seed: int) -> None:
    _agrees("bfloat16", graph, seed)


def _agrees(dtype: str, graph: Graph, seed: int) -> None:
    """Of a narrow float: each op rounds once on both sides; only the order of sums differs."""
    arrays = _arrays(dtype, seed)
    wanted = gc.interpret(graph, *arrays)
    for ours, reference in zip(_compiled(graph, arrays, level="O2"), wanted, strict=True):
        assert ours.dtype == reference.dtype
        tolerance = 16 * float(as_dtype(reference.dtype).finfo.eps)
        ours, reference = map(widened, (ours, reference))
        scale = float(np.abs(reference[np.isfinite(reference)]).max(initial=1.0))
        np.testing.assert_allclose(ours, reference, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("level", LEVELS)
@FUZZ
@given(graph=graphs("int32"), seed=st.integers(0, 99))
def test_compiled_equals_interpreted_exactly_for_integers(
    level: str, graph: Graph, seed: int
) -> None:
    arrays = _arrays("int32", seed)
    wanted = gc.interpret(graph, *arrays)
    for ours, reference in zip(_compiled(graph, arrays, level=level), wanted, strict=True):
        assert ours.dtype == reference.dtype
        np.testing.assert_array_equal(ours, reference)


@FUZZ
@given(graph=graphs(symbolic=True), seed=st.integers(0, 99))
def test_one_program_serves_every_size(graph: Graph, seed: int) -> None:
    used = _used(graph)
    program = gc.compile(used, list(graph.outputs))
    for rows in (1, 2, 17):
        arrays = _arrays("float32", seed, rows)
        given = {x.name: a for x, a in zip(graph.inputs, arrays) if any(x is u for u in used)}
        for ours, reference in zip(program(**given), gc.interpret(graph, *arrays), strict=True):
            _close(ours, reference)


@FUZZ
@given(graph=graphs(symbolic=True))
def test_every_pass_leaves_a_sound_graph_that_reads_back(graph: Graph) -> None:
    program = gc.compile(_used(graph), list(graph.outputs))
    for _, stage in program.history:
        verify(stage)
        assert show(parse(show(stage))) == show(stage)


@FUZZ
@given(graph=graphs(), seed=st.integers(0, 99))
def test_gradients_of_random_graphs_agree_with_finite_differences(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = Graph.of("wide", graph.inputs, graph.outputs)
    loss = gc.sum(gc.sin(wide.outputs[0]))
    x = graph.inputs[0]
    slope = gc.grad(loss, x)
    both = Graph.of("both", graph.inputs, (loss, slope))
    arrays = _arrays("float32", seed)
    direction = rng.standard_normal(arrays[0].shape).astype(np.float32)
    step = 1e-2
    values = []
    for sign in (1, -1):
        moved = [arrays[0] + np.float32(sign * step) * direction, arrays[1]]
        values.append(float(gc.interpret(both, *moved)[0]))
    numeric = (values[0] - values[1]) / (2 * step)
    exact = float((gc.interpret(both, *arrays)[1] * direction).sum())
    middle = float(gc.interpret(both, *arrays)[0])
    # A kink (maximum, where) between the two points shows as one-sided slopes that differ.
    one_sided = abs((values[0] - middle) - (middle - values[1])) / step
    assert abs(numeric - exact) <= 2e-2 * (1 + abs(exact)) + one_sided
