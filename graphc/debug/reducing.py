"""`gc.debug.reduce`: a graph that fails, made small, and written as a file that fails by itself."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from graphc import text
from graphc.core.arguments import bind_sizes
from graphc.core.declared import valued
from graphc.core.ir import Graph, Kind, Node, caller, is_item, tensor_type
from graphc.core.types import TensorType
from graphc.core.walk import substitute, toposort
from graphc.debug.subject import node_values, subject_of
from graphc.errors import ArgumentError, GraphcError
from graphc.ops.printing import muted
from graphc.ops.source import INPUT_OP
from graphc.passes.observers import close
from graphc.program.driver import compile
from graphc.program.reference import interpret

TRIALS, SECONDS = 400, 120
SHOWN = 24  # elements of an array that a file has as numbers

Fails = Callable[[Graph, Sequence[np.ndarray]], str]


@dataclass(frozen=True, slots=True)
class Reduced:
    """A small graph that fails.

    Attributes:
        graph: its parameters are inputs.
        arrays: of its inputs.
        message: how it fails.
        source: of a file that fails; it was run, and seen failing.
        path: where it was written, or None.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> graph = gc.Graph.of("small", [x], [gc.exp(x)])
        >>> print(gc.debug.Reduced(graph, (), "the compiled result differs", "", None))
        the compiled result differs: 1 ops (exp)
    """

    graph: Graph
    arrays: tuple[np.ndarray, ...]
    message: str
    source: str
    path: Path | None

    @property
    def ops(self) -> list[str]:
        """What the graph computes.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (2,))
            >>> graph = gc.Graph.of("small", [x], [gc.exp(-x)])
            >>> gc.debug.Reduced(graph, (), "", "", None).ops
            ['negative', 'exp']
        """
        return [n.op.name for n in self.graph.nodes if n.op.kind is not Kind.SOURCE]

    def __str__(self) -> str:
        where = f", written to {self.path}" if self.path else ""
        return f"{self.message}: {len(self.ops)} ops ({', '.join(self.ops)}){where}"


@muted()
def reduce(
    program: object,
    *args: Any,
    path: str | PathLike[str] | None = None,
    level: str = "O2",
    setup: str = "",
    **named: Any,
) -> Reduced:
    """Make a program that gives something wrong small, as long as it does.

    Args:
        program: a program, a function that has one, or a graph: compiled, it differs from its
            definition, or cannot be compiled.
        args: as in a call that fails.
        path: where a file is written that fails by itself; nowhere unless given.
        level: at which it fails.
        setup: Python that the file runs first: what declares an op or a rule of yours.
        named: inputs by name.

    Returns:
        The small graph, its arrays, and the file's text.

    Raises:
        ArgumentError: it does not fail; or the file alone does not.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> try:
        ...     gc.debug.reduce(gc.compile([x], -x), np.ones(2, np.float32))
        ... except gc.errors.ArgumentError as error:
        ...     print(error.what)
        reduce: program gives what its definition gives
    """
    found = subject_of("reduce", program, args, named)
    graph, arrays = _plain(found.graph, found.arrays)
    fails: Fails = lambda graph, arrays: failure(graph, arrays, level)  # noqa: E731
    message = fails(graph, arrays)
    if not message:
        raise ArgumentError(
            f"reduce: {graph.name} gives what its definition gives", where=caller(),
            hint="give the arguments of a call that is wrong, and its level",
        )  # fmt: skip
    graph, kept = _Reducing(fails, message).run(graph, arrays)
    source = _source(graph, kept, level, setup, message)
    _see_failing(source)
    target = None if path is None else Path(path)
    if target is not None:
        target.write_text(source, encoding="utf-8")
    return Reduced(graph, tuple(kept), message, source, target)


def failure(graph: Graph, arrays: Sequence[np.ndarray], level: str) -> str:
    """How a graph fails when it is compiled: a few words, "" where it does not."""
    try:
        wanted = interpret(graph, *arrays)
    except GraphcError:
        return ""  # such values are an error of the graph
    try:
        got = compile(list(graph.inputs), list(graph.outputs), level=level)(*arrays)
    except Exception as error:
        return type(error).__name__
    return "" if all(map(close, wanted, got)) else "the compiled result differs"


def _plain(graph: Graph, arrays: Sequence[np.ndarray]) -> tuple[Graph, list[np.ndarray]]:
    """A graph whose parameters and constants are inputs; new values of parameters are results."""
    inputs = [INPUT_OP(name=f"x{k}", type=n.type) for k, n in enumerate(graph.inputs)]
    outputs = substitute(graph.outputs, dict(zip(graph.inputs, inputs)))
    return _used(graph.name, inputs, outputs, list(arrays))


def _used(
    name: str, inputs: Sequence[Node], outputs: Sequence[Node], arrays: Sequence[np.ndarray]
) -> tuple[Graph, list[np.ndarray]]:
    """A graph without the inputs that nothing needs."""
    order = toposort(outputs)
    kept = [k for k, node in enumerate(inputs) if node in order]
    return Graph.of(name, [inputs[k] for k in kept], outputs), [arrays[k] for k in kept]


Candidates = Iterator[tuple[Graph, list[np.ndarray]]]
Way = Callable[[Graph, Sequence[np.ndarray]], Candidates]


class _Reducing:
    """Smaller graphs are tried as long as there is time; one that fails alike is kept."""

    def __init__(self, fails: Fails, message: str) -> None:
        self.fails, self.message, self.trials = fails, message, TRIALS

    def run(self, graph: Graph, arrays: Sequence[np.ndarray]) -> tuple[Graph, Sequence[np.ndarray]]:
        """The smallest that is found."""
        best = (graph, arrays)
        for way in (_ends, _depths, _ends, _replaced):
            while (smaller := self._first(way, *best)) is not None:
                best = smaller
        return best

    def _first(
        self, way: Way, graph: Graph, arrays: Sequence[np.ndarray]
    ) -> tuple[Graph, Sequence[np.ndarray]] | None:
        for candidate in way(graph, arrays):
            if _size(candidate[0]) >= _size(graph):
                continue
            if self.trials <= 0:
                return None
            self.trials -= 1
            if self.fails(*candidate) == self.message:
                return candidate
        return None


def _size(graph: Graph) -> tuple[int, int]:
    return sum(n.op.kind is not Kind.SOURCE for n in graph.nodes), len(graph.outputs)


def _ends(graph: Graph, arrays: Sequence[np.ndarray]) -> Candidates:
    """One output instead of all; a node before it instead: some far ones first."""
    if len(graph.outputs) > 1:
        for output in graph.outputs:
            yield _used(graph.name, graph.inputs, [output], arrays)
    inner = [n for n in graph.nodes if _is_value(n) and n not in {*graph.outputs}]
    far = [inner[len(inner) * part // 8] for part in (1, 2, 4, 6)] if len(inner) > 8 else []
    near = [n for o in graph.outputs for n in o.inputs if _is_value(n)]
    for node in dict.fromkeys([*far, *near]):
        yield _used(graph.name, graph.inputs, [node], arrays)


def _is_value(node: Node) -> bool:
    return node.op.kind is not Kind.SOURCE and isinstance(node.type, TensorType)


def _depths(graph: Graph, arrays: Sequence[np.ndarray]) -> Candidates:
    """The last few nodes, what is before them given by value."""
    values = _values(graph, arrays)
    depth = dict.fromkeys(graph.outputs, 0)
    for node in reversed(graph.nodes):
        for operand in node.inputs:
            if node in depth:
                depth[operand] = max(depth.get(operand, 0), depth[node] + 1)
    deepest = max(depth.values(), default=0)
    for most in [d for d in (1, 2, 3, 4, 6, 9, 14, 20, 30, 50, 80, 130) if d < deepest]:
        cut = [n for n in graph.nodes if depth.get(n, 0) >= most and _is_value(n)]
        yield _given(graph, arrays, values, cut)


def _replaced(graph: Graph, arrays: Sequence[np.ndarray]) -> Candidates:
    """A node given by value, or replaced by an operand of its type."""
    values = _values(graph, arrays)
    for node in graph.nodes:
        if not _is_value(node) or is_item(node):
            continue
        if node not in {*graph.outputs}:
            yield _given(graph, arrays, values, [node])
        for operand in node.inputs:
            if operand.type == node.type and operand.op.kind is not Kind.SOURCE:
                outputs = substitute(graph.outputs, {node: operand})
                yield _used(graph.name, graph.inputs, outputs, arrays)


def _values(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[Node, Any]:
    sizes = bind_sizes(graph.inputs, arrays, valued(graph.inputs, graph.nodes))
    return node_values(graph, arrays, sizes)


def _given(
    graph: Graph, arrays: Sequence[np.ndarray], values: Mapping[Node, Any], cut: Sequence[Node]
) -> tuple[Graph, list[np.ndarray]]:
    fresh = [INPUT_OP(name=f"v{len(graph.inputs)}_{k}", type=n.type) for k, n in enumerate(cut)]
    outputs = substitute(graph.outputs, dict(zip(cut, fresh)))
    given = [np.asarray(values[n], tensor_type(n).dtype.numpy) for n in cut]
    return _used(graph.name, [*graph.inputs, *fresh], outputs, [*arrays, *given])


_FILE = '''"""A fault of graphc: {message}. Run it: it fails as long as the fault is there."""

import base64
import sys
import zlib

import numpy as np

import graphc as gc
{setup}

def packed(data: str, dtype: str, shape: tuple) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b85decode(data)), dtype).reshape(shape)


graph = gc.text.parse("""{graph}""")
arrays = [
{arrays}
]
wanted = gc.interpret(graph, *arrays)
found = gc.compile(list(graph.inputs), list(graph.outputs), level={level!r})(*arrays)
for want, got in zip(wanted, found):
    scale = np.abs(want[np.isfinite(want)]).max(initial=0) if want.dtype.kind == "f" else 0
    near = 1000 * np.finfo(want.dtype).eps * scale if want.dtype.kind == "f" else 0
    if not np.allclose(want, got, rtol=0, atol=near, equal_nan=want.dtype.kind == "f"):
        print("by definition", want, "compiled", got, sep="\\n")
        sys.exit("the compiled result differs")
print("no fault")
'''


def _source(
    graph: Graph, arrays: Sequence[np.ndarray], level: str, setup: str, message: str
) -> str:
    return _FILE.format(
        message=message, setup=f"\n{setup}\n" if setup else "", graph=text.show(graph),
        arrays="\n".join(f"    {_written(array)}," for array in arrays), level=level,
    )  # fmt: skip


def _written(array: np.ndarray) -> str:
    if array.size <= SHOWN and array.dtype.isbuiltin and np.isfinite(array).all():
        return f"np.array({array.tolist()!r}, {array.dtype.name!r})"
    data = base64.b85encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()
    return f"packed({data!r}, {array.dtype.name!r}, {array.shape!r})"


def _see_failing(source: str) -> None:
    """Run the file in a process of its own.

    Raises:
        ArgumentError: it does not fail there.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reproducer.py"
        file.write_text(source, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(file)], capture_output=True, text=True, timeout=SECONDS
        )
    if done.returncode == 0:
        raise ArgumentError(
            "reduce: the reduced graph does not fail in a process of its own", where=caller(),
            hint="what makes it fail is in this process alone: give it as setup=",
        )  # fmt: skip


__all__ = ["Reduced", "reduce"]
