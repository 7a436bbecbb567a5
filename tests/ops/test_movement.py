"""Movement: NumPy's values with fixed and symbolic sizes, index maps, gradients, refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference import agree, check_gradient, evaluate, nodes_for

import graphc.ops  # noqa: F401
from graphc.core import dims
from graphc.core.interpret import run_node
from graphc.core.ir import OPS, Graph, IndexMap, Node, Op, Sample
from graphc.core.operators import FUNCTIONS
from graphc.errors import ArgumentError, GraphcError, IndexRangeError, ShapeError
from graphc.ops.source import input as placeholder

A = np.arange(24.0).reshape(2, 3, 4)
MAPS = [
    pytest.param(op, sample, id=f"{op.name}-{k}")
    for op in OPS.values()
    if isinstance(op.lowering, IndexMap)
    for k, sample in enumerate(op.samples() if op.samples else ())
]


def gc(name: str) -> Any:
    return FUNCTIONS[name]


def _check_map(node: Node, arrays: list[np.ndarray], wanted: np.ndarray, sizes: dict) -> None:
    """Every element of a movement node stands where its index map says, for loop variables."""
    variables = [
        dims.symbol(dims.Symbol(f"i{k}", 0, size - 1))
        for k, size in enumerate(node.type.shape)  # type: ignore[union-attr]
    ]
    lookups: dict[str, tuple[int, tuple[Any, ...]]] = {}

    def read(operand: int, index: tuple[Any, ...]) -> Any:
        name = f"r{len(lookups)}"
        lookups[name] = operand, index
        return dims.symbol(dims.Symbol(name, 0, node.inputs[0].type.shape[node.attr("axis")] - 1))  # type: ignore[union-attr]

    pieces = node.op.lowering.pieces(node, tuple(variables), read)  # type: ignore[union-attr]
    for index in np.ndindex(*wanted.shape):
        names = sizes | {f"i{k}": i for k, i in enumerate(index)}
        for name, (operand, at) in lookups.items():
            value = int(arrays[operand][tuple(dims.evaluate(i, names) for i in at)])
            limit = arrays[0].shape[node.attr("axis")]
            names[name] = value if value >= 0 else value + limit
        piece = next(
            p
            for p in pieces
            if all(_value(low, names) <= _value(x, names) < _value(high, names)
                   for x, low, high in p.guards)
        )  # fmt: skip
        place = tuple(_value(i, names) for i in piece.index)
        found = piece.value if piece.operand is None else arrays[piece.operand][place]
        assert found == wanted[index] and all(i >= 0 for i in place)


def _value(size: Any, names: dict[str, int]) -> int:
    return dims.evaluate(size, names)


@pytest.mark.parametrize(("op", "sample"), MAPS)
def test_index_map_finds_every_element(op: Op, sample: Sample) -> None:
    rng = np.random.default_rng(0)
    arrays = []
    for shape, dtype, domain in sample.operands:
        limit = sample.operands[0][0][sample.attrs["axis"]] if domain == "index" else 100
        arrays.append(rng.integers(-limit if domain == "index" else 0, limit, shape).astype(dtype))
    nodes = [placeholder(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    _check_map(op(*nodes, **sample.attrs), arrays, op.numpy(*arrays, **sample.attrs), {})


@pytest.mark.parametrize("size", range(7))
def test_slices_are_pythons(size: int) -> None:
    array = np.arange(size)
    bounds = [None, 0, 1, 3, 9, -1, -2, -9]
    for start, stop in itertools.product(bounds, bounds):
        for step in (None, 1, 2, 3, -1, -2):
            cut = slice(start, stop, step)
            agree(lambda x, cut=cut: x[cut], lambda x, cut=cut: x[cut], array)


@pytest.mark.parametrize(
    "index",
    [
        (1,), (-1,), (..., 0), (slice(None), 1, None), (None, ..., None), (0, 1, 2), (),
        (slice(1, None), ..., slice(None, None, -1)), ([0, 1, 1],), (slice(None), [2, -1]),
        (np.array([[0, 1], [1, 0]]),), (0, [1, 2]), (..., [3, 0, -4]), ([],), (np.int64(1),),
    ],
    ids=str,
)  # fmt: skip
def test_brackets_are_numpys(index: Any) -> None:
    where = tuple(np.array(i, np.int64) if isinstance(i, list) else i for i in index)
    np.testing.assert_array_equal(evaluate(lambda x: x[index], A), A[where])


@pytest.mark.parametrize(
    ("index", "error"),
    [
        ((2,), IndexRangeError), ((0, 0, 0, 0), IndexRangeError), ((..., ...), IndexRangeError),
        ((True,), ArgumentError), ((np.zeros(3, bool),), IndexRangeError), ((1.5,), ArgumentError),
        (([0, 1], [1, 0, 0]), ShapeError),
        ((slice(0, 2, 0),), ArgumentError), (("x",), ArgumentError),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_index_is_refused(index: Any, error: type[GraphcError]) -> None:
    with pytest.raises(error):
        placeholder("x", A.shape)[index]


def test_symbolic_slices_have_clipped_sizes() -> None:
    n = dims.dim("n")
    v = placeholder("v", (n,))
    assert v[:-1].shape == v[1:].shape == (dims.maximum(n - 1, 0),)
    assert v[:5].shape == v[-5:].shape == (dims.minimum(n, 5),)
    assert v[::-1].shape == (n,)
    assert v[::2].shape == ((n + 1) // 2,)


def test_neighbours_of_symbolic_length_do_not_add() -> None:
    v = placeholder("v", (dims.dim("n"),))
    with pytest.raises(ShapeError, match=r"do not broadcast"):
        v[:-1] + v


def test_an_int_that_may_be_outside_is_checked_when_it_runs() -> None:
    assert evaluate(lambda x: x[2], np.arange(3.0), symbolic=True) == 2.0
    with pytest.raises(IndexRangeError, match="index 5 is out of range for an axis of size 3"):
        evaluate(lambda x: x[5], np.arange(3.0), symbolic=True)


CASES: dict[str, tuple[Any, Any]] = {
    "reshape": (lambda x: gc("reshape")(x, (x.shape[0], -1)), lambda x: x.reshape(2, 12)),
    "reshape-merge": (lambda x: gc("reshape")(x, (-1, x.shape[2])), lambda x: x.reshape(6, 4)),
    "transpose": (gc("transpose"), np.transpose),
    "transpose-axes": (lambda x: x.transpose(1, -1, 0), lambda x: x.transpose(1, 2, 0)),
    "swapaxes": (lambda x: gc("swapaxes")(x, 0, -1), lambda x: np.swapaxes(x, 0, -1)),
    "moveaxis": (lambda x: gc("moveaxis")(x, (0, 1), (-1, 0)),
                 lambda x: np.moveaxis(x, (0, 1), (-1, 0))),
    "broadcast_to": (lambda x: gc("broadcast_to")(x[:, :1], (5, *x.shape)),
                     lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4))),
    "expand": (lambda x: gc("expand")(x[:, :1], 5, -1, 3, -1),
               lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4))),
    "expand_dims": (lambda x: gc("expand_dims")(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
    "squeeze": (lambda x: gc("squeeze")(x[:, None, :, :1]), lambda x: x[..., 0]),
    "flatten": (lambda x: gc("flatten")(x, 1), lambda x: x.reshape(2, 12)),
    "ravel": (gc("ravel"), np.ravel),
    "flip": (gc("flip"), np.flip),
    "flip-axis": (lambda x: gc("flip")(x, (0, -1)), lambda x: np.flip(x, (0, -1))),
    "roll": (lambda x: gc("roll")(x, 5, 1), lambda x: np.roll(x, 5, 1)),
    "roll-two": (lambda x: gc("roll")(x, (-1, 3), (0, 2)), lambda x: np.roll(x, (-1, 3), (0, 2))),
    "roll-flat": (lambda x: gc("roll")(x, 7), lambda x: np.roll(x, 7)),
    "tril": (lambda x: gc("tril")(x, 1), lambda x: np.tril(x, 1)),
    "triu": (lambda x: gc("triu")(x, -1), lambda x: np.triu(x, -1)),
    "diagonal": (lambda x: gc("diagonal")(x[:, :2, :2], 0, 1, 2),
                 lambda x: np.diagonal(x[:, :2, :2], axis1=1, axis2=2)),
    "repeat": (lambda x: gc("repeat")(x, 3, 1), lambda x: np.repeat(x, 3, 1)),
    "repeat-flat": (lambda x: gc("repeat")(x, 2), lambda x: np.repeat(x, 2)),
    "tile": (lambda x: gc("tile")(x, (2, 1, 3, 2)), lambda x: np.tile(x, (2, 1, 3, 2))),
    "concat": (lambda x: gc("concat")([x, x * 2.0, x], 1),
               lambda x: np.concatenate([x, x * 2, x], 1)),
    "stack": (lambda x: gc("stack")([x, x * 2.0], -1), lambda x: np.stack([x, x * 2], -1)),
    "pad": (lambda x: gc("pad")(x, ((1, 0), (0, 2), (3, 1)), -1.5),
            lambda x: np.pad(x, ((1, 0), (0, 2), (3, 1)), constant_values=-1.5)),
    "slice": (lambda x: x[1:, ::-2, 1::2], lambda x: x[1:, ::-2, 1::2]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys(name: str) -> None:
    ours, numpys = CASES[name]
    if name == "diagonal":
        np.testing.assert_array_equal(evaluate(ours, A), numpys(A))
        return
    agree(ours, numpys, A)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_index_maps_of_functions_find_every_element(name: str, symbolic: bool) -> None:
    if symbolic and name == "diagonal":
        return
    nodes = nodes_for([A], symbolic)
    sizes = {"d2": 2, "d3": 3, "d4": 4}
    graph = Graph.of("test", nodes, [CASES[name][0](*nodes)])
    values: dict[Node, Any] = {nodes[0]: A}
    for node in graph.nodes[1:]:
        values[node] = run_node(node, [values[i] for i in node.inputs], sizes)
        if isinstance(node.op.lowering, IndexMap):
            _check_map(node, [values[i] for i in node.inputs], values[node], sizes)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_exact(name: str) -> None:
    check_gradient(CASES[name][0], np.random.default_rng(2).normal(size=A.shape))


@pytest.mark.parametrize("mode", ["edge", "reflect"])
def test_pad_modes_are_numpys(mode: str) -> None:
    widths = ((1, 0), (2, 1), (0, 3))
    found = evaluate(lambda x: gc("pad")(x, widths, mode=mode), A)
    np.testing.assert_array_equal(found, np.pad(A, widths, mode))  # type: ignore[call-overload]
    check_gradient(lambda x: gc("pad")(x, widths, mode=mode), A)


@pytest.mark.parametrize("sections", [2, [1, 3], [0, 4], [-1], [9]])
def test_split_is_numpys(sections: Any) -> None:
    x = np.arange(8.0).reshape(4, 2)
    found = evaluate(lambda t: gc("split")(t, sections), x)
    for ours, numpys in zip(found, np.split(x, sections), strict=True):
        np.testing.assert_array_equal(ours, numpys)


def test_array_split_and_chunk_cut_as_numpy_and_pytorch_do() -> None:
    x = np.arange(7.0)
    for count in (1, 2, 3, 7):
        for symbolic in (False, True):
            found = evaluate(lambda t: gc("array_split")(t, count), x, symbolic=symbolic)  # noqa: B023
            for ours, numpys in zip(found, np.array_split(x, count), strict=True):
                np.testing.assert_array_equal(ours, numpys)
    assert [len(p) for p in evaluate(lambda t: gc("chunk")(t, 3), x)] == [3, 3, 1]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (3, 0)])
def test_empty_and_single_elements_move(shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    agree(gc("flip"), np.flip, x)
    agree(gc("transpose"), np.transpose, x)
    agree(lambda t: gc("roll")(t, 2, 1), lambda t: np.roll(t, 2, 1), x)
    agree(lambda t: gc("concat")([t, t], 1), lambda t: np.concatenate([t, t], 1), x)


def test_reshape_names_both_counts() -> None:
    n = dims.dim("n")
    x = placeholder("x", (n, 4))
    with pytest.raises(ShapeError) as caught:
        gc("reshape")(x, (n, 5))
    text = str(caught.value)
    assert "reshape: f32[n, 4] has 4*n elements, the shape (n, 5) needs 5*n" in text
    assert "test_movement.py" in text
    with pytest.raises(ShapeError, match="a multiple of 3"):
        gc("reshape")(x, (3, -1))
    assert gc("reshape")(placeholder("y", (dims.dim("m", multiple_of=3), 4)), (3, -1)).ndim == 2


@pytest.mark.parametrize(
    "build",
    [
        lambda x: gc("transpose")(x, (0, 0)),
        lambda x: gc("squeeze")(x, 1),
        lambda x: gc("broadcast_to")(x, (2, 5)),
        lambda x: gc("concat")([x, x[:, :2]], 0),
        lambda x: gc("split")(x, 2, 1),
        lambda x: gc("pad")(x, -1),
        lambda x: gc("pad")(x, 5, mode="reflect"),
        lambda x: gc("moveaxis")(x, 0, 4),
        lambda x: gc("reshape")(x, (-1, -1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_where_written(build: Any) -> None:
    with pytest.raises(ShapeError, match=r"test_movement\.py"):
        build(placeholder("x", (2, 3)))
