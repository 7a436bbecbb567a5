"""What the ops of LAPACK share: their packed results, their definitions' loops, their errors.

An op with several results has one tensor of them, flat, after the batch's axes: what LAPACK says of
each matrix (`info`) comes last. So rules, passes and files meet nothing new.

    packed = LU(a, function="linalg.lu", check=False)     (*batch, m * n + k + 1)
    lu = part(packed, 0, (m, n))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Size
from graphc.core.interpret import located
from graphc.core.ir import Cost, Kind, Library, Node, NoGradient, Op, Sample, caller, tensor_type
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import Pullback
from graphc.errors import DTypeError, LinAlgError, ShapeError
from graphc.ops.arrays.shaping import cut, reshape, swapaxes
from graphc.ops.batch import behind
from graphc.ops.declare import declare

COST = Cost(1.0, call=4000.0)
# What a matrix that has no result is, by the op; {} is LAPACK's number.
SINGULAR = "is singular: pivot {} of its LU factors is 0"
INDEFINITE = "is not positive-definite: its leading block of order {} is not"
DIVERGED = "has values that are not finite, or the algorithm did not converge"
_NUMBER = 1 << 32


def fault(function: str, cause: str, rank: int, value: int) -> LinAlgError:
    """The error of one matrix.

    Args:
        function: the user's name of what was computed.
        cause: one of the texts above.
        rank: of the tensor that the matrix is of.
        value: the matrix' number in the batch times 2 ** 32, and LAPACK's number.
    """
    which = "the matrix" if rank == 2 else f"matrix {value // _NUMBER} of the batch"
    return LinAlgError(f"{function}: {which} {cause.format(value % _NUMBER)}")


def failure(cause: str) -> Callable[[Node, int], LinAlgError]:
    """What a failing step of an op raises."""

    def make(node: Node, value: int) -> LinAlgError:
        rank = tensor_type(node.inputs[0]).rank
        return located(fault(node.attr("function"), cause, rank, value), node)  # type: ignore[return-value]

    return make


def refuse(function: str, cause: str, x: np.ndarray, info: Sequence[int]) -> None:
    """Raise the error of the first matrix that has no result."""
    for number, found in enumerate(info):
        if found:
            raise fault(function, cause, x.ndim, number * _NUMBER + max(found, 0))


def routine(name: str, dtype: np.dtype, library: str = "lapack") -> Callable[..., Any]:
    """SciPy's function of LAPACK or BLAS for a dtype."""
    import scipy.linalg

    letter = "s" if dtype == np.float32 else "d"
    found: Callable[..., Any] = getattr(getattr(scipy.linalg, library), letter + name)
    return found


def matrices(x: np.ndarray) -> np.ndarray:
    """A batch as one axis of matrices."""
    return x.reshape(int(np.prod(x.shape[:-2])), *x.shape[-2:])


def packed(x: np.ndarray, rows: Sequence[Sequence[Any]], size: int) -> np.ndarray:
    """The results of each matrix of a batch in one row."""
    found = [np.concatenate([np.ravel(p) for p in row]) for row in rows]
    return np.array(found, x.dtype).reshape(*x.shape[:-2], size)


def check_matrices(name: str, *types: TensorType) -> tuple[tuple[Size, ...], Size, Size]:
    """The batch's sizes and the first operand's rows and columns.

    Raises:
        ShapeError: an operand is no batch of matrices, or batches differ.
        DTypeError: a dtype is neither float32 nor float64, or dtypes differ.
    """
    first = types[0]
    batches = {t.shape[:-2] for t in types}
    if any(t.rank < 2 for t in types) or len(batches) > 1:
        raise ShapeError(f"{name}: {' and '.join(map(str, types))}", where=caller())
    if first.dtype.name not in ("float32", "float64") or any(t.dtype != first.dtype for t in types):
        raise DTypeError(
            f"{name}: {' and '.join(t.dtype.name for t in types)} are not supported",
            where=caller(), hint="cast to float32 or float64",
        )  # fmt: skip
    return first.shape[:-2], first.shape[-2], first.shape[-1]


def check_square(name: str, *types: TensorType) -> tuple[tuple[Size, ...], Size]:
    """The batch's sizes and the order of the first operand's matrices.

    Raises:
        ShapeError: they are not square.
    """
    batch, m, n = check_matrices(name, *types)
    if m != n:
        raise ShapeError(f"{name}: the matrices must be square, but are {m} by {n}", where=caller())
    return batch, n


def part(x: Operators, start: Size, shape: Sequence[Size]) -> Any:
    """A result out of a packed tensor, or of its cotangent."""
    flat = cut(x, -1 % len(x.type.shape), start, dims.product(shape))
    return reshape(flat, (*x.type.shape[:-1], *shape))


def turned(x: Operators) -> Any:
    """Matrices transposed."""
    return swapaxes(x, -1, -2)


def identity(like: Any, size: Size) -> Any:
    """The identity matrix of an order, broadcast over the batch of another tensor."""
    batch, dtype = like.type.shape[:-2], like.type.dtype
    return FUNCTIONS["broadcast_to"](FUNCTIONS["eye"](size, dtype=dtype), (*batch, size, size))


def by_columns(x: Operators, row: Any) -> Any:
    """Matrices with their columns multiplied by numbers (*batch, n)."""
    return x * FUNCTIONS["expand_dims"](row, -2)


def ratio(x: Operators, y: Operators) -> Any:
    """x / y; 0 where both are 0: what has no part in a loss has no gradient.

    Elsewhere it stays linear in x, so that its transpose, the tangent of vectors, is right at 0.
    """
    return x / FUNCTIONS["where"]((x == 0) & (y == 0), 1, y)


def doubled_lower(x: Operators) -> Any:
    """A symmetric gradient as that of the lower triangle alone, which stands for both."""
    return FUNCTIONS["tril"](x) + FUNCTIONS["tril"](x, -1)


def library_op(
    name: str,
    infer: Callable[..., TensorType],
    numpy: Callable[..., np.ndarray],
    vjp: Pullback | NoGradient,
    samples: Callable[[], list[Sample]],
    doc: str,
    cause: str = "",
) -> Op:
    """Declare an op that LAPACK computes; with a `cause` it fails where its attribute `check`
    says so."""
    return declare(
        Op(
            name, Kind.LIBRARY, infer, numpy, vjp,
            Library(name, failure=failure(cause) if cause else None),
            checked=(lambda node: node.attr("check")) if cause else False,
            samples=samples, doc=doc, cost=COST, batch=behind(),
        )
    )  # fmt: skip


def case(*shapes: tuple[int, ...], domain: str = "real", **attrs: Any) -> list[Sample]:
    """A test case in float64 and one in float32."""
    return [
        Sample(tuple((shape, dtype, domain) for shape in shapes), attrs)
        for dtype in (dtypes.float64.name, dtypes.float32.name)
    ]
