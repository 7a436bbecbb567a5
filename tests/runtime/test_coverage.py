"""Kernels on shadow memory: planted faults in single elements are found, and named."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from fuzz import thresholds

import graphc as gc
from graphc.core.ir import Graph
from graphc.errors import InternalError
from graphc.passes.fusion.fuse import fuse
from graphc.runtime.base import homes
from graphc.runtime.base.step import Step
from graphc.runtime.checks.coverage import check_elements
from graphc.runtime.checks.verify_steps import verify_lowering
from graphc.runtime.lower import lower


def _graph() -> Graph:
    n = gc.dim("n", min=1)
    x, w = gc.input("x", (n, 5)), gc.input("w", (5, 4))
    return fuse(Graph.of("g", [x, w], [gc.softmax(x @ w, 1)]))


def _changed(steps: list[Step], op: str, change: Callable[[str], str]) -> list[Step]:
    found = []
    for step in steps:
        source = step.kernel.source
        if step.node.op.name == op:
            source = change(source)
        found.append(replace(step, kernel=replace(step.kernel, source=source)))
    assert any(a.kernel is not b.kernel and a.kernel != b.kernel for a, b in zip(found, steps))
    return found


def _fault(op: str, change: Callable[[str], str]) -> str:
    graph = _graph()
    with pytest.raises(InternalError) as caught:
        verify_lowering(graph, _changed(lower(graph), op, change), {"n": 3})
    assert "at test_coverage.py:" in str(caught.value)
    return caught.value.what


def test_a_sound_program_is_run_to_its_end() -> None:
    graph = _graph()
    assert not check_elements(graph, homes.settle(graph, lower(graph)))
    ((node, why), *_) = check_elements(graph, homes.settle(graph, lower(graph)), {"n": 10_000})
    assert node is graph.outputs[0]
    assert why == "it touches more elements than are looked at"


def test_a_program_that_copies_much_is_not_run() -> None:
    x = gc.input("x", (1000, 1000))
    graph = Graph.of("g", [x], [x])
    assert check_elements(graph, homes.settle(graph, lower(graph)))
    small = Graph.of("g", [w := gc.input("w", (5, 4))], [w])
    assert not check_elements(small, homes.settle(small, lower(small)))


def test_an_element_of_a_result_that_is_never_written() -> None:
    what = _fault("fused", lambda s: s.replace("range(lo, hi)", "range(lo, hi - 1)"))
    assert re.fullmatch(r"kernel \w+ never writes element 8 of result 0 of fused", what)


def test_a_result_of_a_product_that_is_never_written() -> None:
    what = _fault("matmul", lambda s: s.replace("out, at, n, skip,", "out, at, n, skip + 1,"))
    assert re.fullmatch(r"kernel \w+ never writes element 0 of result 0 of matmul", what)


def test_an_element_that_is_read_before_it_is_written() -> None:
    x = gc.input("x", (3, 4))
    graph = Graph.of("g", [x], [gc.cumsum(x, 1)])
    steps = _changed(lower(graph), "cumsum", _reading_ahead)
    with pytest.raises(InternalError, match=r"reads element \d+ of result 0 of cumsum before any"):
        verify_lowering(graph, steps)


def _reading_ahead(source: str) -> str:
    return source.replace("):\n", "):\n    ahead = buffer(args, 1, f32)[0]\n", 1)


def test_an_element_outside() -> None:
    what = _fault("fused", lambda s: re.sub(r"r0\[(.*?)\] =", r"r0[\1 + 1] =", s))
    assert re.fullmatch(r"kernel \w+ writes index 12 of a buffer of 12", what)


def test_slices_that_touch_one_element() -> None:
    x = gc.input("x", (40,))
    graph = Graph.of("g", [x], [gc.exp(x)])
    (step,) = _changed(lower(graph), "exp", lambda s: re.sub(r"r0\[(i\d+)\] =", r"r0[\1 % 7] =", s))
    with pytest.raises(InternalError, match="which another slice of its parallel range writes"):
        verify_lowering(graph, [replace(step, grain=5)])


def test_columns_scatters_sorts_and_convolutions_pass() -> None:
    x, w = gc.input("x", (2, 2, 5, 4)), gc.input("w", (2, 2, 3, 3))
    i = gc.input("i", (3,), gc.int64)
    y = gc.conv(x, w, padding=1, stride=2)
    loss = gc.sum(gc.var(x, 0)) + gc.sum(y * y)
    outputs = [loss, *gc.grad(loss, [x, w]), gc.argsort(x, 3), gc.cumsum(x, 1), gc.take(x, i, 0)]
    outputs += [gc.pad(x, 1), gc.concat([x, x], 2), gc.mean(x, (0, 2)), gc.max(x)]
    graph = fuse(Graph.of("g", [x, w, i], outputs))
    assert not check_elements(graph, homes.settle(graph, lower(graph)), limit=100_000)


LINES = "for p in range(depth):\n                        line"
PLANES = "start + planes * rows * columns)"


@pytest.mark.parametrize(
    ("kernel", "written", "planted"),
    [
        ("matmul", LINES, LINES.replace("depth", "depth - 1")),
        ("pad", PLANES, PLANES.replace(")", " - columns * (image == hi - 1))")),
    ],
)
def test_results_that_hang_on_what_tiles_read_and_nobody_wrote(
    kernel: str, written: str, planted: str
) -> None:
    """Tiles are wider than what is packed for them, and so may read more than was written."""
    x, w = gc.input("x", (4, 5)), gc.input("w", (5, 4))
    image, k = gc.input("image", (2, 3, 9, 9)), gc.input("k", (5, 3, 3, 3))
    inputs, y = (
        ([x, w], x @ w) if kernel == "matmul" else ([image, k], gc.conv(image, k, padding=1))
    )
    graph = Graph.of("g", inputs, [y])
    steps = lower(graph)
    assert not verify_lowering(graph, steps)
    faulty = _changed(steps, graph.outputs[0].op.name, lambda s: s.replace(written, planted))
    with pytest.raises(InternalError, match="of (matmul|conv) with memory that nobody wrote"):
        verify_lowering(graph, faulty)


Outputs = tuple[list[Any], list[Any]]


def _sizes() -> list[Any]:
    return [gc.dim(name) for name in "nmk"]


def _product() -> Outputs:
    n, m, k = _sizes()
    x, w = gc.input("x", (n, k)), gc.input("w", (k, m))
    return [x, w], [gc.tanh(x @ w) + gc.sum(w, 0)]


def _product_of_turned() -> Outputs:
    n, m, k = _sizes()
    x, w = gc.input("x", (k, n)), gc.input("w", (m, k))
    return [x, w], [x.T @ w.T]


def _batches() -> Outputs:
    n, m, k = _sizes()
    x, w = gc.input("x", (2, n, k), gc.float64), gc.input("w", (k, m), gc.float64)
    y = x @ w
    return [x, w], [y, *gc.grad(gc.sum(y * y), [x, w])]


def _convolution() -> Outputs:
    n, m, _ = _sizes()
    x, w = gc.input("x", (1, 2, n + 2, m + 2)), gc.input("w", (3, 2, 3, 2))
    y = gc.conv(x, w, padding=1)
    return [x, w], [y, *gc.grad(gc.sum(y * y), [x, w])]


# Beside the sizes of tiles: of 4 to 8 rows, of 8 to 48 columns; and of nothing.
ROWS, COLUMNS, DEPTHS = (0, 1, 3, 4, 5, 6, 7, 9), (1, 7, 8, 9, 15, 16, 17, 33), (1, 4)


@pytest.mark.parametrize("blocks", ["own", "small"])
@pytest.mark.parametrize(
    "program",
    [_product, _product_of_turned, _batches, _convolution],
    ids=lambda p: p.__name__.strip("_"),
)
def test_contractions_that_are_not_proven_run_at_sizes_beside_their_tiles(
    program: Callable[[], Outputs], blocks: str
) -> None:
    with thresholds.small() if blocks == "small" else nullcontext():
        inputs, outputs = program()
        graph = fuse(Graph.of("g", inputs, outputs))
        settled = homes.settle(graph, lower(graph))
        every = list(itertools.product(ROWS, COLUMNS, DEPTHS))
        every = [e for e in every if e[0] and e[2] == 1] if program is _convolution else every
        for n, m, k in every[:: 3 if program in (_batches, _convolution) else 1]:
            assert not check_elements(graph, settled, {"n": n, "m": m, "k": k}, limit=1_000_000)
