"""Observers of passes: verify, dump, time, check by value. Each is asked for by a setting.

    GRAPHC_DEBUG=1      a table of passes: nodes before and after, milliseconds
    GRAPHC_DUMP=dir     00-traced.py, 01-simplify.py, ... and the same as .dot
    GRAPHC_CHECK=1      the verifier after every pass
    GRAPHC_CHECK=2      both graphs interpreted on random inputs, then on inf, nan, zeros and
                        numbers of all magnitudes; a pass that changes a result or an update is
                        blamed, and the rule of it that did, with both graphs' texts

An observer is called as `observer(name, before, after, time_s)`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from graphc import config, viz
from graphc.core import dims, dtypes
from graphc.core.declared import valued, values_of
from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, Kind, Node, all_nodes, tensor_type, toposort
from graphc.core.types import shape_symbols
from graphc.errors import GraphcError, InternalError
from graphc.ops.flow.looping import WHILE
from graphc.ops.printing import muted
from graphc.ops.sampling import admitted, sample_arrays
from graphc.passes.rewrite.engine import Firing, heard
from graphc.text import show
from graphc.verify import verify

Observer = Callable[[str, Graph, Graph, float], None]

LARGEST = 1 << 24  # elements of inputs that a check by value is willing to draw


def from_settings(fast_math: bool = False) -> tuple[Observer, ...]:
    """The observers that GRAPHC_CHECK, GRAPHC_DUMP and GRAPHC_DEBUG ask for.

    Args:
        fast_math: whether passes may change what becomes of nan and inf.
    """
    settings = config.current()
    found: list[Observer] = []
    if settings.debug >= 1:
        found.append(print_times)
    if settings.dump:
        found.append(dump_into(settings.dump))
    if settings.check & {"1", "2"}:
        found.append(verify_after)
    if "2" in settings.check:
        found.append(check_values if fast_math else check_all_values)
    return tuple(found)


def verify_after(name: str, before: Graph, after: Graph, time_s: float) -> None:
    """Run the verifier on what a pass made.

    Raises:
        InternalError: the graph is not sound; the message names the pass and the fault.
    """
    if after is before and name != "traced":
        return
    try:
        verify(after)
    except GraphcError as error:
        raise InternalError(f"after the pass {name}: {error}") from error


def print_times(name: str, before: Graph, after: Graph, time_s: float) -> None:
    """Write one line of the pass table to standard error."""
    if name == "traced":
        sys.stderr.write(f"graphc: {after.name}, {len(after.nodes)} nodes\n")
        return
    nodes = f"{len(before.nodes)} -> {len(after.nodes)}"
    sys.stderr.write(f"graphc: {name:<14}{nodes:>16} nodes {time_s * 1e3:10.2f} ms\n")


def dump_into(folder: str) -> Observer:
    """An observer that writes every graph as text and as dot, numbered, into a folder of its own
    for each program below `folder`."""
    state = {"count": 0, "place": Path(folder)}

    def dump(name: str, before: Graph, after: Graph, time_s: float) -> None:
        if name == "traced":
            state["place"] = _fresh(Path(folder), after.name)
        stem = state["place"] / f"{state['count']:02d}-{name}"  # type: ignore[operator]
        Path(f"{stem}.py").write_text(show(after, origins=True))
        Path(f"{stem}.dot").write_text(viz.dot(after))
        state["count"] += 1  # type: ignore[operator]

    return dump


def _fresh(folder: Path, name: str) -> Path:
    """`folder` itself while it has no dump, else the first free `folder/name-k`."""
    place, k = folder, 1
    while (place / "00-traced.py").exists():
        place, k = folder / f"{name}-{k}", k + 1
    place.mkdir(parents=True, exist_ok=True)
    return place


def check_values(name: str, before: Graph, after: Graph, time_s: float) -> None:
    """Interpret both graphs on random inputs and compare.

    Raises:
        InternalError: an output differs; the message names the pass, its notes have both texts.
    """
    _check_values(name, before, after, ("plain",))


def check_all_values(name: str, before: Graph, after: Graph, time_s: float) -> None:
    """`check_values`, and on special and large values too."""
    _check_values(name, before, after, ("plain", "special", "large"))


@muted()
def _check_values(name: str, before: Graph, after: Graph, kinds: Sequence[str]) -> None:
    if after is before:
        return
    sizes = sample_sizes(before)
    if any(n.op is WHILE and n.attr("max_steps") is None for n in all_nodes(before)):
        return  # with inputs of no meaning it may not end
    if sum(dims.evaluate(tensor_type(i).size, sizes) for i in before.inputs) > LARGEST:
        return
    shapes = [getattr(node.type, "shape", ()) for node in all_nodes(before)]
    if any(dims.evaluate(size, sizes) < 0 for shape in shapes for size in shape):
        return
    for kind in kinds:
        arrays = sample_arrays(before, sizes, kind=kind)
        for k, symbol in valued(before.inputs, before.nodes):
            arrays[k] = np.asarray(sizes[symbol.name], arrays[k].dtype)
        try:
            wanted = run_sized(before, arrays, sizes)
        except GraphcError:
            continue  # such inputs are an error of the program: nothing to compare
        found = run_sized(after, arrays, sizes)
        for position, (left, right) in enumerate(zip(wanted, found, strict=True)):
            if not close(left, right):
                rule = wrong_rule(heard(), dict(zip(before.inputs, arrays)), sizes)
                raise _blame(name, before, after, position, left, right, rule)


def wrong_rule(
    firings: Sequence[Firing], values: Mapping[Node, np.ndarray], sizes: Mapping[str, int]
) -> Firing | None:
    """The first rule that made something of another value.

    Args:
        firings: of one pass.
        values: of the placeholders of its graph; those of bodies in it are drawn.
        sizes: of symbolic dimensions, by name.
    """
    for firing in firings:
        roots = (firing.before, firing.after)
        inputs = [n for n in toposort(roots) if n.op.kind is Kind.SOURCE and not n.op.pure]
        graph = Graph.of("rule", inputs, roots)
        drawn = sample_arrays(graph, sizes)
        arrays = [values.get(node, other) for node, other in zip(inputs, drawn)]
        try:
            wanted, found = run_sized(graph, arrays, sizes)
        except GraphcError:
            continue
        if not close(wanted, found):
            return firing
    return None


def _blame(
    name: str,
    before: Graph,
    after: Graph,
    position: int,
    left: np.ndarray,
    right: np.ndarray,
    rule: Firing | None,
) -> InternalError:
    with np.errstate(all="ignore"):
        difference = np.abs(np.asarray(left, np.float64) - np.asarray(right, np.float64))
    error = InternalError(
        f"the pass {name} changed output {position} of {before.name} by up to "
        f"{np.nanmax(difference, initial=0.0):.3g}",
        [] if rule is None else [f"by the rule {rule.rule.name}: {told(rule)}"],
        where=rule.before.origin or "" if rule is not None else "",
    )
    error.add_note(f"before {name}:\n{show(before)}")
    error.add_note(f"after {name}:\n{show(after)}")
    return error


def told(firing: Firing) -> str:
    """What a rule made of what, on one line."""
    before, after = (_written(node) for node in (firing.before, firing.after))
    return f"{before} became {after}"


def _written(node: Node) -> str:
    operands = ", ".join(operand.name for operand in node.inputs)
    return f"{node.name}({operands}): {node.type}" if node.inputs else f"{node.name}: {node.type}"


def close(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two results of one computation agree: exactly, or for floats to within 1000 units
    in the last place of the largest finite magnitude."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if not dtypes.is_float(left.dtype):
        return bool(np.array_equal(left, right))
    finite = np.isfinite(left)
    if not np.array_equal(finite, np.isfinite(right)):
        return False
    scale = float(np.abs(left[finite]).max(initial=0.0).astype(np.float64))
    tolerance = 1000 * float(dtypes.as_dtype(left.dtype).finfo.eps) * scale
    same = np.array_equal(left[~finite], right[~finite], equal_nan=True)
    return bool(same and np.allclose(left[finite], right[finite], rtol=0, atol=tolerance))


def sample_sizes(graph: Graph) -> dict[str, int]:
    """Small sizes for the symbols of a graph's inputs that their declared facts admit."""
    symbols = {s for node in graph.inputs for s in shape_symbols(tensor_type(node).shape)}
    symbols.update(values_of(graph.nodes).values())
    return {s.name: admitted(s, 3) for s in sorted(symbols, key=lambda s: s.name)}
