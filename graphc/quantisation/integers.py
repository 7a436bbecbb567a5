"""Products of dequantised tensors as products of their integers: `with_integers`.

    matmul((q - a) * s, (w - b) * t)    ->    cast(matmul_integer(q, w, a, b), f32) * s * t

The sum of integers is exact, so this rounds less than what it replaces. A sum that could leave
int32 stays one of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.core import dims, dtypes
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node, rebuild, tensor_type, toposort
from graphc.ops.source import CONSTANT_OP, FULL, Bound
from graphc.quantisation.affine import Affine, affine, lines

# The greatest magnitude of a byte less its zero point, without and with one.
MOST, MOST_SHIFTED = {"int8": 128, "uint8": 255}, 255


def with_integers(graph: Graph) -> Graph:
    """A graph whose products and convolutions of dequantised tensors are of integers.

    Example:
        >>> import graphc as gc
        >>> q, w = gc.input("q", (2, 3), "uint8"), gc.input("w", (3, 4), "int8")
        >>> y = (gc.cast(q, "float32") * 0.5) @ (gc.cast(w, "float32") * 0.25)
        >>> found = gc.quantisation.with_integers(gc.Graph.of("g", [q, w], [y]))
        >>> "matmul_integer" in [node.op.name for node in found.nodes]
        True
    """
    return rebuild(graph, lowered)


def integral(inputs: Sequence[Node], outputs: Sequence[Node]) -> list[Node]:
    """Outputs of inputs, with products of integers: see `with_integers`."""
    return list(with_integers(Graph.of("model", inputs, outputs)).outputs)


def lowered(node: Node) -> Node:
    """A product as one of integers, or the node itself."""
    if node.op not in (OPS["matmul"], OPS["conv"]):
        return node
    if tensor_type(node).dtype is not dtypes.float32:
        return node
    x, y = (affine(operand) for operand in node.inputs)
    if x is None or y is None:
        return node
    found = _product(x, y) if node.op is OPS["matmul"] else _convolution(node, x, y)
    return node if found is None else found


def _is_safe(x: Affine, y: Affine, terms: Any) -> bool:
    """Whether no sum of so many terms leaves int32."""
    most = 1
    for each in (x, y):
        most *= MOST[tensor_type(each.q).dtype.name] if each.zero is None else MOST_SHIFTED
    return isinstance(terms, int) and 0 < terms * most < 2**31


def _known(node: Node) -> Any:
    """The value of a node that depends on constants alone; None of others."""
    order = toposort([node])
    bound = [n for n in order if isinstance(n, Bound)]
    fixed = all(n.op is CONSTANT_OP for n in bound) and tensor_type(node).is_static
    if not fixed or not all(
        isinstance(n, Bound) or n.op is FULL or (n.inputs and n.op.pure) for n in order
    ):
        return None
    return run(Graph.of("known", bound, [node]), [n.value for n in bound])[0]


def _whole(zero: Any) -> Any:
    """A zero point as an integer, or as a tensor of int32; None where it is 0."""
    if zero is None:
        return None
    known = _known(zero)
    if known is None:
        return gc.cast(zero, dtypes.int32, "wrap")
    if not known.any():
        return None
    return int(known) if known.ndim == 0 else gc.constant(known.astype(np.int32))


def _parts(x: Affine, axes: tuple[int, ...], every: tuple[int, ...]) -> tuple[Any, Any] | None:
    """The scale and the zero point of lines along `axes`, the latter along `every`."""
    scale = lines(x.scale, axes)
    zero = None if x.zero is None else lines(x.zero, every)
    if scale is None or (x.zero is not None and zero is None):
        return None
    return scale, _whole(zero)


def _product(x: Affine, y: Affine) -> Any:
    left, right = _parts(x, (-1,), (-1,)), _parts(y, (-2,), (-2,))
    if left is None or right is None or not _is_safe(x, y, tensor_type(x.q).shape[-1]):
        return None
    found = gc.matmul_integer(x.q, y.q, left[1], right[1])
    return gc.cast(found, dtypes.float32) * left[0] * right[0]


def _convolution(node: Node, x: Affine, w: Affine) -> Any:
    inner = tuple(range(1, len(tensor_type(node).shape)))
    left, right = _parts(x, inner, (0, *inner)), _parts(w, inner, inner)
    terms = dims.product(tensor_type(w.q).shape[1:])
    if left is None or right is None or not _is_safe(x, w, terms):
        return None
    zeros: Any = [gc.reshape(z, (-1,)) if isinstance(z, Node) else z for z in (left[1], right[1])]
    how: Any = {name: node.attr(name) for name in ("stride", "padding", "dilation", "groups")}
    found = gc.conv_integer(x.q, w.q, zeros[0], zeros[1], **how)
    outputs = tensor_type(w.q).shape[0]
    scale = gc.reshape(right[0], (outputs, *(1 for _ in inner[1:])))
    return gc.cast(found, dtypes.float32) * left[0] * scale
