"""`nonempty`: a reduction's result, an error where an axis that it reduced turns out to be empty.

    nonempty(y, n; function="max", reduced=0)   y; n is the size of axis 0 beside each element

The greatest element of none is no number. What softmax subtracts may be anything there, so its own
maximum does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.ir import Sample, Scalar
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.errors import ShapeError
from graphc.ops.declare import elementwise_op
from graphc.ops.source import never_zero


def _failure(function: str, reduced: int) -> ShapeError:
    return ShapeError(
        f"{function}: axis {reduced} is empty",
        hint="give it an element; dim(name, min=1) refuses such calls by name",
    )


def _infer(y: TensorType, n: TensorType, *, function: str, reduced: int) -> TensorType:
    if n != TensorType(dtypes.int64, y.shape):
        raise ShapeError(f"nonempty: {n} beside {y}")
    return y


def _numpy(y: np.ndarray, n: np.ndarray, *, function: str, reduced: int) -> np.ndarray:
    if not n.all():
        raise _failure(function, reduced)
    return y


def _case(shape: tuple[int, ...], dtype: str) -> Sample:
    operands = ((shape, dtype, "real"), (shape, "int64", "nonzero"))
    return Sample(operands, {"function": "max", "reduced": 0})


NONEMPTY = elementwise_op(
    "nonempty",
    numpy=_numpy,
    scalar=Scalar(
        "{0}",
        check=lambda y, n, *, function, reduced: "{1} == 0",
        value="",
        failure=lambda node, value: _failure(node.attr("function"), node.attr("reduced")),
    ),
    vjp=lambda node, ct: (ct, None),
    checked=lambda node: not never_zero(node.inputs[1]),
    infer=_infer,
    samples=lambda: [_case((3, 4), "float32"), _case((), "bool"), _case((0, 2), "uint8")],
    doc="y, of a reduction over an axis of n elements; an error where n is 0.",
)


def nonempty(y: Any, function: str, sizes: dict[int, Size]) -> Any:
    """A reduction's result, which stops the program if one of these sizes turns out to be 0.

    Args:
        y: the result.
        function: the user's name of what was computed, for the message.
        sizes: by axis, of what was reduced.
    """
    for axis, size in sizes.items():
        if not dims.at_least(size, 1):
            n = FUNCTIONS["size"](size)
            if not dims.at_least(dims.product(y.type.shape), 1):
                n = NONEMPTY(n, n, function=function, reduced=axis)  # y may have no element to test
            n = FUNCTIONS["broadcast_to"](n, y.type.shape)
            y = NONEMPTY(y, n, function=function, reduced=axis)
    return y
