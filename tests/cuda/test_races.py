"""Kernels for blocks of threads have no races and stay inside; planted faults are found."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import races
from races import Race

import graphc as gc
from graphc.core.ir import Graph

ROWS, WIDE, SHORT = 3, 300, 7


def _final(inputs: list, outputs: list) -> Graph:
    return gc.compile(inputs, outputs, target=gc.cuda.Target()).history[-1][1]


def _softmax(width: int) -> Graph:
    x = gc.input("x", (ROWS, width))
    e = gc.exp(x - gc.max(x, axis=1, keepdims=True))
    return _final([x], [e / gc.sum(e, axis=1, keepdims=True)])


def _layer_norm() -> Graph:
    x, w = gc.input("x", (ROWS, WIDE)), gc.input("w", (WIDE,))
    centred = x - gc.mean(x, axis=1, keepdims=True)
    scale = gc.sqrt(gc.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    y = centred / scale * w
    return _final([x, w], [y, *gc.grad(gc.sum(y * y), [x, w])])


def _classifier() -> Graph:
    x, w = gc.input("x", (ROWS, 13)), gc.input("w", (13, 10))
    y = gc.tanh(x @ w)
    return _final([x, w], [gc.argmax(y, axis=1), gc.sum(y), *gc.grad(gc.sum(y * y), [w])])


def _moved() -> Graph:
    x, y = gc.input("x", (5, 129)), gc.input("y", (129, 5))
    return _final([x, y], [gc.concat([x.T, y], axis=1) + 1.0, gc.argmax(x, axis=1)])


def _products() -> Graph:
    x, y = gc.input("x", (2, 17, 19)), gc.input("y", (2, 21, 19))
    return _final([x, y], [x @ gc.transpose(y, (0, 2, 1))])


GRAPHS = {
    "products": _products,
    "softmax": lambda: _softmax(WIDE),
    "short softmax": lambda: _softmax(SHORT),
    "layer norm": _layer_norm,
    "classifier": _classifier,
    "moved": _moved,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_threads_do_not_race(name: str) -> None:
    assert races.check(GRAPHS[name]()) > 0


def _without_barrier(which: int) -> Callable[[str], str]:
    def change(source: str) -> str:
        parts = source.split("    barrier()\n")
        return (
            "".join(p + "    barrier()\n" * (k != which) for k, p in enumerate(parts[:-1]))
            + (parts[-1])
        )

    return change


FAULTS = {
    "no barrier before cells are read": (_without_barrier(0), Race),
    "no barrier before cells are written again": (_without_barrier(1), Race),
    "a stride of half the threads": (
        lambda source: re.sub(
            r"range\(me, (\w+), (\d+)\)", lambda m: f"range(me, {m[1]}, {int(m[2]) // 2})", source
        ),
        Race,
    ),
    "every block does one row": (lambda source: source.replace("block_index()", "0"), Race),
    "no guard of the tail": (
        lambda source: re.sub(r"range\(me, (\d+),", r"range(me, \1 + 1,", source),
        IndexError,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found(name: str) -> None:
    change, error = FAULTS[name]
    graph = _softmax(WIDE)
    with pytest.raises(error):
        races.check(graph, change)


def test_a_thread_past_the_tail_is_found() -> None:
    x = gc.input("x", (300,))
    graph = _final([x], [gc.tanh(x)])
    assert races.check(graph) == 1
    with pytest.raises(IndexError):
        races.check(graph, lambda source: source.replace("if p < 300:", "if p < 301:"))
