"""Post-training quantisation of programs: `quantize`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node, caller, tensor_type, toposort
from graphc.core.walk import remade, remake
from graphc.errors import ArgumentError, AttributeValueError
from graphc.jit.archive.archive_source import source_of
from graphc.ops.source import Bound
from graphc.program.driver import compile as compile_graph
from graphc.program.program import Program
from graphc.program.traced import parts_of
from graphc.quantisation.affine import dequantised, quantised
from graphc.quantisation.calibration import Method, Range, seen
from graphc.quantisation.integers import with_integers

FORMS = ("integer", "qdq", "weights")
# Elements of a kernel up to which a convolution is faster of integers.
MOST_PLACES = 25
# Outputs of a group from which on what is copied for them is used often enough.
FEWEST_OUTPUTS = 8


class Quantised(Program):
    """A program whose products are of small integers.

    Attributes:
        summary: how many products were quantised, and what their weights take.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x, w = gc.input("x", (2, 3)), gc.parameter("w", np.ones((3, 4), np.float32))
        >>> gc.quantize(gc.compile([x], x @ w)).summary
        'quantised: 1 of 1 products; their weights 48 bytes -> 28'
    """

    summary: str = ""


def quantize(
    program: Any,
    calibration_data: Iterable[Any] | None = None,
    *,
    method: Method = "minmax",
    percentile: float = 99.99,
    form: Literal["integer", "qdq", "weights"] = "integer",
    skip: Sequence[str] = (),
) -> Quantised:
    """A program whose matrix products and convolutions with weights are of int8.

    Weights get one scale for each output, the range of the greatest magnitude; zero points are 0.
    Activations are scaled by ranges seen over the calibration data: uint8 where none was negative,
    else int8. Without data each call scales them, by row (an image in a convolution).

    Args:
        program: a `gc.Program` without updates, or what `gc.jit.trace`, `gc.jit.load` or
            `gc.onnx.load` returns. It stays as it is; weights are those of now.
        calibration_data: calls: for each a tuple of arguments, or the only one. None to scale
            activations at each call.
        method: a range is the greatest magnitude ("minmax"), that of a percentile, or the one
            that loses least of the distribution ("entropy").
        percentile: of magnitudes, in (0, 100].
        form: "integer" computes with integers; "qdq" rounds to them and computes with floats;
            "weights" stores weights as int8, and computes with floats.
        skip: texts; products whose line or module has one of them stay as they are.

    Returns:
        The program, of the same inputs and outputs. Its `summary` has sizes.

    Raises:
        ArgumentError: the program has updates, or nothing that can be quantised; no calibration
            data came.
        AttributeValueError: an option is none of those.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x, w = gc.input("x", (2, 3)), gc.parameter("w", np.eye(3, dtype=np.float32))
        >>> small = gc.quantize(gc.compile([x], x @ w), [np.full((2, 3), 2.0, np.float32)])
        >>> small(np.ones((2, 3), np.float32)).round(1)
        array([[1., 1., 1.],
               [1., 1., 1.]], dtype=float32)
    """
    if form not in FORMS:
        raise AttributeValueError(f"quantize: form {form!r}; one of {', '.join(FORMS)}")
    Range(method, percentile)
    found = _program_of(program)
    graph = found.history[0][1] if found.history else found.graph
    if graph.aliases:
        raise ArgumentError("quantize: the program has updates; give one that only computes",
                            where=caller())  # fmt: skip
    every = [node for node in graph.nodes if _has_weight(node)]
    chosen = [node for node in every if not any(text in node.describe() for text in skip)]
    if not chosen:
        raise ArgumentError(
            "quantize: no float32 product or convolution with weights to quantise", where=caller()
        )
    limits = None
    if calibration_data is not None and form != "weights":
        limits = _limits(found, graph, chosen, calibration_data, method, percentile)
    stored: dict[Node, tuple[np.ndarray, np.ndarray]] = {n: _weights(n) for n in chosen}
    new = _inserted(graph, stored, limits, form)
    if form == "integer":
        new = with_integers(new)
    made = Quantised(_compiled(found, new)._build)
    before = sum(tensor_type(n.inputs[1]).size * 4 for n in chosen)
    after = sum(q.nbytes + s.nbytes for q, s in stored.values())
    made.summary = (
        f"quantised: {len(chosen)} of {len(every)} products; "
        f"their weights {before} bytes -> {after}"
    )
    return made


def _program_of(value: Any) -> Program:
    """The one program of what was given."""
    if isinstance(value, Program):
        return value
    made = getattr(value, "programs", None)
    if made is None:
        return source_of("", value, None).program
    if len(made) != 1:
        raise ArgumentError(
            f"quantize: {value!r} has {len(made)} programs, and one is wanted", where=caller(),
            hint="call it once, or say what its inputs are: gc.onnx.load(path, inputs={...})",
        )  # fmt: skip
    return made[0]


def _has_weight(node: Node) -> bool:
    """Whether a node multiplies float32 by what depends on parameters and constants alone.

    Convolutions that are as fast in float32 stay: with a group for each channel, whose sums are
    short, and of large kernels or few outputs, for which more is copied than multiplied.
    """
    if node.op not in (OPS["matmul"], OPS["conv"]):
        return False
    x, w = node.inputs
    if tensor_type(node).dtype is not dtypes.float32 or not tensor_type(w).is_static:
        return False
    if node.op is OPS["conv"] and not _gains(tensor_type(w).shape, node.attr("groups")):
        return False
    return _is_fixed(w) and not _is_fixed(x) and tensor_type(w).size != 0


def _gains(shape: Sequence[Any], groups: int) -> bool:
    places = dims.product(shape[2:])
    is_wide = places == 1 or shape[0] // groups >= FEWEST_OUTPUTS
    return (groups == 1 or shape[1] > 1) and places <= MOST_PLACES and is_wide


def _is_fixed(node: Node) -> bool:
    order = toposort([node])
    return all(
        isinstance(n, Bound) or (n.inputs and n.op.pure) or n.op is OPS["full"] for n in order
    )


def _weights(node: Node) -> tuple[np.ndarray, np.ndarray]:
    """A weight as int8, and the scale of each output in a shape that broadcasts."""
    w = node.inputs[1]
    bound = [n for n in toposort([w]) if isinstance(n, Bound)]
    (array,) = run(Graph.of("weight", bound, [w]), [n.value for n in bound])
    rank = array.ndim
    axes = (rank - 2,) if node.op is OPS["matmul"] else tuple(range(1, rank))
    most = np.abs(array).max(axes, keepdims=True)
    if not np.isfinite(most).all():
        raise ArgumentError("quantize: a weight is not finite", [w.describe()], where=caller())
    scale = np.maximum(most / np.float32(127), dtypes.float32.finfo.tiny).astype(np.float32)
    return np.clip(np.rint(array / scale), -127, 127).astype(np.int8), scale


def _limits(
    program: Program,
    graph: Graph,
    chosen: list[Node],
    data: Iterable[Any],
    method: str,
    part: float,
) -> dict[Node, Range]:
    """The ranges of what is multiplied by weights."""
    wanted = list(dict.fromkeys(node.inputs[0] for node in chosen))
    watched = _compiled(program, graph, wanted)
    ranges = seen(watched, data, len(wanted), method, part)
    if all(each.most == 0 for each in ranges):
        raise ArgumentError("quantize: the calibration data is empty, or all 0", where=caller())
    return dict(zip(wanted, ranges))


def _inserted(graph: Graph, stored: Any, limits: Any, form: str) -> Graph:
    """The graph with numbers rounded to integers and back before each product."""
    codes: dict[Any, Any] = {}

    def visit(node: Node, source: Node) -> Node:
        q, scale = stored[source]
        w = dequantised(gc.constant(q), gc.constant(scale))
        x = node.inputs[0]
        if form != "weights":
            key = x, node.op
            if key not in codes:
                codes[key] = _rounded(x, node, limits and limits[source.inputs[0]])
            x = codes[key]
        return remade(node, {node.inputs[0]: x, node.inputs[1]: w})

    def make(node: Node, new: Any) -> Node:
        again = remade(node, new)
        return visit(again, node) if node in stored else again

    return remake(graph, make)


def _rounded(x: Node, node: Node, range_: Range | None) -> Any:
    """x rounded to integers and back, by a range that was seen or by its own."""
    if range_ is None:
        shape = tensor_type(x).shape
        axes = (-1,) if node.op is OPS["matmul"] else tuple(range(1, len(shape)))
        most = gc.amax(gc.abs(x), axes, keepdims=True) / np.float32(127)
        scale = gc.where(most > 0, most, gc.constant(np.float32(1)))
        return dequantised(quantised(x, scale, dtypes.int8), scale)
    dtype = dtypes.int8 if range_.is_signed else dtypes.uint8
    levels = np.iinfo(dtype.numpy).max
    limit = np.float32(range_.limit() / levels) or np.float32(1)
    return dequantised(quantised(x, limit, dtype), limit)


def _arguments(program: Program, inputs: Sequence[Node]) -> Any:
    """Inputs as the program's calls give them."""
    takes = program._build.layout.takes
    if takes is None:
        return list(inputs)
    left, found = list(inputs), []
    for key, tree in takes:
        found.append((key, tree.restore([left.pop(0) for _ in range(tree.count)])))
    return dict(found) if any(key for key, _ in found) else [value for _, value in found]


def _compiled(program: Program, graph: Graph, watched: Sequence[Node] = ()) -> Program:
    """A program of a graph, called as another is, of its results or of some nodes and these."""
    inputs, results, _ = parts_of(graph)
    layout = program._build.layout
    options = {
        k: v for k, v in (program._build.options or {}).items()
        if k in ("level", "threads", "target", "fast_math")
    }  # fmt: skip
    given = {n: layout.given[n.name] for n in inputs if n.name in layout.given}
    outputs = (*watched, *results) if watched else layout.tree.restore(results)
    return compile_graph(
        _arguments(program, inputs), outputs, defaults=given or None, casting=layout.casting,
        name=program.name, **options,
    )  # fmt: skip
