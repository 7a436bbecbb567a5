"""Control: nodes with several results, the fused node, the barrier to differentiation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.core.interpret import run_sized
from graphc.core.ir import (
    Graph,
    IndexMap,
    Kind,
    Node,
    NoGradient,
    Op,
    Piece,
    Sample,
    is_literal,
    tensor_type,
)
from graphc.core.types import TensorType, TupleType, Type
from graphc.core.typing import Operand
from graphc.core.walk import substitute
from graphc.errors import InternalError
from graphc.ops.batch import behind
from graphc.ops.declare import as_tensor, declare, public
from graphc.ops.source import INPUT_OP


def _item_infer(x: Type, *, index: int) -> TensorType:
    if not isinstance(x, TupleType) or not 0 <= index < len(x.items):
        raise InternalError(f"item: {x} has no result {index}")
    return x.items[index]


ITEM = declare(
    Op(
        "item", Kind.CONTROL, _item_infer, lambda x, *, index: x[index],
        NoGradient("nodes with several results appear after autodiff"),
        doc="One result of a node that has several.",
    )
)  # fmt: skip


def _fused_infer(*types: Type, body: Graph, inplace: tuple[tuple[int, int], ...] = ()) -> Type:
    results = tuple(tensor_type(o) for o in body.outputs)
    return results[0] if len(results) == 1 else TupleType(results)


def _fused_numpy(
    *arrays: np.ndarray, body: Graph, sizes: Mapping[str, int], inplace: object = ()
) -> Any:
    results = run_sized(body, arrays, sizes)
    return results[0] if len(results) == 1 else results


FUSED = declare(
    Op(
        "fused", Kind.FUSED, _fused_infer, _fused_numpy,
        NoGradient("fusion runs after autodiff"),
        doc="A nested graph that is compiled to one kernel. `inplace` lists (output, input) pairs "
        "that share memory.",
    )
)  # fmt: skip


def alone(node: Node, name: str = "alone") -> Graph:
    """The body that a fused node of one node has: its inputs are the operands, each once."""
    operands = [i for i in dict.fromkeys(node.inputs) if not is_literal(i)]
    inner = {x: INPUT_OP(name=f"p{k}", type=tensor_type(x)) for k, x in enumerate(operands)}
    return Graph.of(name, list(inner.values()), substitute([node], dict(inner)))


STOP_GRADIENT = declare(
    Op(
        "stop_gradient", Kind.MOVEMENT, lambda x: x, lambda x: x, lambda n, ct: (None,),
        IndexMap(lambda n, index, read: [Piece(0, index)], injective=True, flat=True),
        samples=lambda: [Sample((((2, 3), "float32", "real"),))],
        batch=behind(),
        doc="The tensor itself; its cotangent is dropped.",
    )
)  # fmt: skip


def _two(name: str) -> tuple[tuple[tuple[int, ...], str, str], ...]:
    return (((2, 3), name, "real"), ((2, 3), name, "real"))


def _gradient_as_infer(x: Type, like: Type) -> Type:
    if x != like:
        raise InternalError(f"gradient_as: {x} with the gradient of {like}")
    return x


# Two expressions of one value: the first is quick to compute, the second to differentiate.
GRADIENT_AS = declare(
    Op(
        "gradient_as", Kind.MOVEMENT, _gradient_as_infer, lambda x, like: x,
        lambda n, ct: (None, ct),
        IndexMap(lambda n, index, read: [Piece(0, index)], injective=True),
        samples=lambda: [Sample(_two("float32")), Sample(_two("int8"))],
        batch=behind(),
        doc="The first operand, with the gradient of the second, which has the same value.",
    )
)  # fmt: skip


@public
def stop_gradient(x: Operand) -> Any:
    """The tensor itself, through which no gradient flows.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor(3.0, requires_grad=True)
        >>> (x * gc.stop_gradient(x)).backward()
        >>> x.grad
        tensor(3.)
    """
    return STOP_GRADIENT(as_tensor(x, "stop_gradient"))
