"""GRAPHC_CHECK=2 at calls: what a compiled program gives, against the reference on the same values.

    expected = expect(graph, arrays, sizes)     before the call: results may lie over inputs
    ...                                         the call
    compare(expected, results, labels)          results and new values of parameters

Rounding is told from error by a second run of the reference, its float inputs moved by one unit
in the last place: a result may differ by a multiple of what that changes. An integer or a bool
that this changes is on an edge, and not compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.core import dtypes
from graphc.core.access import access
from graphc.core.interpret import AT_RUN_TIME, run_sized
from graphc.core.ir import Graph, Node
from graphc.errors import InternalError
from graphc.ops.printing import muted
from graphc.ops.source import Bound, Parameter
from graphc.text import show

# Calls of a program that are compared.
CALLS = 3
# Elements of inputs that are worth the reference's time.
LARGEST = 1 << 24
# Units in the last place of the largest magnitude, and multiples of what a moved input changes.
ULPS = {2: 100, 4: 1000, 8: 1000}
MOVED = 64


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference gives.

    Attributes:
        graph: that was run.
        values: its outputs, None where it raised.
        moved: its outputs for inputs a unit in the last place away.
        error: what it raised.
    """

    graph: Graph
    values: tuple[np.ndarray, ...] | None
    moved: tuple[np.ndarray, ...]
    error: Exception | None = None


@muted()
def expect(
    graph: Graph, arrays: Sequence[np.ndarray], sizes: Mapping[str, int], largest: float = LARGEST
) -> Expected | None:
    """Run the reference for a call that is about to be made.

    Args:
        graph: as traced.
        arrays: values of its inputs that are no parameters or constants.
        sizes: of symbolic dimensions, by name.
        largest: elements of inputs with which it is run.

    Returns:
        None where the inputs are too large, or rounding alone makes the program fail.
    """
    if sum(array.size for array in arrays) > largest:
        return None
    bound = [n.state for n in graph.inputs if isinstance(n, Parameter)]
    given = iter(arrays)
    with access(reads=bound):
        values = [
            np.array(n.state.latest() if isinstance(n, Bound) else next(given))
            for n in graph.inputs
        ]
    near = [_moved(value, seed) for seed, value in enumerate(values)]
    try:
        found = run_sized(graph, values, sizes)
    except AT_RUN_TIME as error:
        return Expected(graph, None, (), error)
    try:
        return Expected(graph, found, run_sized(graph, near, sizes))
    except AT_RUN_TIME:
        return None


def _moved(array: np.ndarray, seed: int) -> np.ndarray:
    """Floats a unit in the last place up or down; other values as they are."""
    if not dtypes.is_float(array.dtype):
        return array
    up = np.random.default_rng(seed).integers(0, 2, array.shape).astype(bool)
    with np.errstate(all="ignore"):
        low, high = (np.nextafter(array, array.dtype.type(to)) for to in (-np.inf, np.inf))
        # An infinity or a zero is exact: what it means would change.
        exact = ~np.isfinite(array) | (array == np.trunc(array))
        return np.where(exact, array, np.where(up, high, low)).astype(array.dtype)


def state_of(graph: Graph) -> dict[int, np.ndarray]:
    """Copies of the parameters that a graph updates, by the position of the output."""
    nodes = {output: graph.inputs[place] for output, place in graph.aliases}
    with access(reads=[n.state for n in nodes.values()]):  # type: ignore[attr-defined]
        return {k: n.state.latest().copy() for k, n in nodes.items()}  # type: ignore[attr-defined]


def compare(expected: Expected, results: Sequence[np.ndarray], labels: Sequence[str]) -> None:
    """Compare a call's results and the state after it with the reference's.

    Args:
        expected: from `expect`.
        results: the call's, in the order of the graph's outputs that are not aliases.
        labels: what messages call these.

    Raises:
        InternalError: one differs; or the reference raised where the call did not.
    """
    graph = expected.graph
    if expected.values is None:
        raise InternalError(
            f"{graph.name}: the reference fails where the compiled program does not",
            str(expected.error).splitlines()[:4],
            hint=_HINT,
        ) from expected.error
    state = state_of(graph)
    found, names = iter(results), iter(labels)
    aliased = dict(graph.aliases)
    for position, (wanted, near) in enumerate(zip(expected.values, expected.moved)):
        if position in state:
            what = f"the new value of {graph.inputs[aliased[position]].name!r}"
            got = state[position]
        else:
            what, got = next(names), next(found)
        wrong = _differing(np.asarray(got), np.asarray(wanted), np.asarray(near))
        if wrong.any():
            raise _fault(graph, graph.outputs[position], what, got, wanted, wrong)


_HINT = "a fault of graphc: report it with the graph (the error's note), or GRAPHC_DUMP=folder"


def _differing(found: np.ndarray, wanted: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Where a result is not what it should be."""
    if not dtypes.is_float(found.dtype):
        changed = bool((wanted != near).any())
        return np.zeros(wanted.shape, bool) if changed else np.asarray(found != wanted)
    with np.errstate(all="ignore"):
        finite = np.isfinite(wanted) & np.isfinite(near)
        steady = np.isfinite(wanted) == np.isfinite(near)
        x, y, z = (np.where(finite, a, 0).astype(np.float64) for a in (found, wanted, near))
        scale = np.abs(y).max(initial=0.0)
        limit = ULPS[found.dtype.itemsize] * float(dtypes.as_dtype(found.dtype).finfo.eps) * scale
        limit += MOVED * np.abs(z - y).max(initial=0.0)
        # Where rounding may cross the border of the format, it may on either side.
        far = finite & ~(np.abs(x - y) <= limit)
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return far | (~finite & steady & ~same)


def _fault(
    graph: Graph, node: Node, what: str, found: np.ndarray, wanted: np.ndarray, wrong: np.ndarray
) -> InternalError:
    with np.errstate(all="ignore"):
        apart = np.abs(np.asarray(found, np.float64) - np.asarray(wanted, np.float64))
    index = tuple(int(k) for k in np.argwhere(wrong)[0])
    place = str(list(index)) if index else ""
    error = InternalError(
        f"{what} of {graph.name} differs from the reference by up to "
        f"{np.nanmax(apart[wrong], initial=0.0):.3g}",
        [
            node.describe(),
            f"{place or 'it'} is {found[index]}, the reference gives {wanted[index]}; "
            f"{int(wrong.sum())} of {wrong.size} elements differ",
        ],
        where=node.origin or "",
        hint=_HINT,
    )
    error.add_note(f"the graph:\n{show(graph)}")
    return error
