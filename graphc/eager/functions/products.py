"""Products of matrices and vectors by PyTorch's names: matmul, mm, addmm, einsum, tensordot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine import quiet
from graphc.eager.engine.drawn import follow
from graphc.eager.engine.elementwise import F32, F64, record_pair
from graphc.eager.engine.hot import hot
from graphc.eager.engine.mode import state
from graphc.eager.engine.registry import as_eager, call, call_list, eager, named, step
from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike, wrap
from graphc.errors import ArgumentError, ShapeError

_MM, _BMM, _MV, _DOT = (step("matmul", f"{n}Backward0") for n in ("Mm", "Bmm", "Mv", "Dot"))


@eager("matmul")
def matmul(input: Any, other: Any) -> Any:
    """The matrix product, batched over leading axes, with vectors as rows and columns.

    Example:
        >>> import graphc as gc
        >>> gc.matmul(gc.ones(2, 3), gc.ones(3))
        tensor([3., 3.])
    """
    if isinstance(input, np.ndarray) or isinstance(other, np.ndarray):
        input, other = as_eager(input), as_eager(other)
    if not hot.slow and isinstance(input, Tensor) and isinstance(other, Tensor):
        x, y = input._array, other._array
        # NumPy's own product of matrices, which its BLAS computes.
        dtype = x.dtype
        is_float = dtype is y.dtype and (dtype is F32 or dtype is F64)
        if is_float and x.ndim == 2 == y.ndim and x.shape[1] == y.shape[0]:
            result = wrap(quiet.run(np.matmul, x, y))
            if state.enabled and (input._edge is not None or other._edge is not None):
                record_pair(_MM, input, other, result)
            if input._drawn is not None or other._drawn is not None:
                follow(result, _MM, np.matmul, (input, other))
            return result
    ranks = (input.ndim, other.ndim)
    if ranks == (2, 2):
        return call(_MM, input, other)
    step = _DOT if ranks == (1, 1) else _MV if ranks == (2, 1) else _BMM
    return call(step, input, other)


def _of_rank(name: str, *pairs: tuple[Any, int]) -> list[Any]:
    """The operands as tensors, each of its rank."""
    found = [(as_eager(value), rank) for value, rank in pairs]
    for tensor, rank in found:
        if tensor.ndim != rank:
            raise ShapeError(
                f"{name}: a tensor of shape {tuple(tensor.shape)} where one with {rank} axes "
                "is needed",
                where=caller(),
                hint="use gc.matmul, which broadcasts",
            )
    return [tensor for tensor, _ in found]


@eager()
def mm(input: TensorLike, mat2: AnyTensor) -> Any:
    """The product of two matrices.

    Example:
        >>> import graphc as gc
        >>> gc.mm(gc.tensor([[1.0, 2.0]]), gc.tensor([[3.0], [4.0]]))
        tensor([[11.]])
    """
    input, mat2 = _of_rank("mm", (input, 2), (mat2, 2))
    return matmul(input, mat2)


@eager()
def bmm(input: TensorLike, mat2: AnyTensor) -> Any:
    """The products of two batches of matrices.

    Example:
        >>> import graphc as gc
        >>> gc.bmm(gc.ones(5, 2, 3), gc.ones(5, 3, 4)).shape
        graphc.Size([5, 2, 4])
    """
    input, mat2 = _of_rank("bmm", (input, 3), (mat2, 3))
    return matmul(input, mat2)


@eager()
def mv(input: TensorLike, vec: AnyTensor) -> Any:
    """The product of a matrix and a vector.

    Example:
        >>> import graphc as gc
        >>> gc.mv(gc.tensor([[1.0, 2.0], [3.0, 4.0]]), gc.tensor([1.0, 1.0]))
        tensor([3., 7.])
    """
    input, vec = _of_rank("mv", (input, 2), (vec, 1))
    return matmul(input, vec)


@eager("dot")
def dot(input: TensorLike, other: TensorLike) -> Any:
    """The sum of the products of two vectors.

    Example:
        >>> import graphc as gc
        >>> gc.dot(gc.tensor([1.0, 2.0]), gc.tensor([3.0, 4.0]))
        tensor(11.)
    """
    input, other = _of_rank("dot", (input, 1), (other, 1))
    return matmul(input, other)


@eager("vdot")
def vdot(input: TensorLike, other: TensorLike) -> Any:
    """The sum of the products of two vectors.

    Example:
        >>> import graphc as gc
        >>> gc.vdot(gc.tensor([1.0, 2.0]), gc.tensor([3.0, 4.0]))
        tensor(11.)
    """
    input, other = _of_rank("vdot", (input, 1), (other, 1))
    return matmul(input, other)


_inner = step("inner", "InnerBackward0")


@eager("inner")
def inner(input: Any, other: Any) -> Any:
    """The sums of products over the last axes of both; with a 0-d tensor, the product.

    Example:
        >>> import graphc as gc
        >>> gc.inner(gc.tensor([1.0, 2.0]), gc.tensor([[3.0, 4.0], [5.0, 6.0]]))
        tensor([11., 17.])
    """
    return call(_inner, input, other)


_outer = step("outer", "OuterBackward0")


@eager("outer")
def outer(input: Any, vec2: Any) -> Any:
    """All products of the elements of two vectors, as a matrix.

    Example:
        >>> import graphc as gc
        >>> gc.outer(gc.tensor([1, 2]), gc.tensor([3, 4, 5]))
        tensor([[ 3,  4,  5],
                [ 6,  8, 10]])
    """
    input, vec2 = _of_rank("outer", (input, 1), (vec2, 1))
    return call(_outer, input, vec2)


@named("AddmmBackward0")
def _addmm(
    x: Operators, a: Operators, b: Operators, beta: float, alpha: float, *, batched: bool
) -> Any:
    return beta * _beside_product(x, product := _product_of(a, b, batched)) + alpha * product


@named("AddmmBackward0")
def _mm_alone(x: Operators, a: Operators, b: Operators, alpha: float, *, batched: bool) -> Any:
    product = _product_of(a, b, batched)
    _beside_product(x, product)
    return alpha * product


def _product_of(a: Operators, b: Operators, batched: bool) -> Any:
    product = FUNCTIONS["matmul"](a, b)
    return FUNCTIONS["sum"](product, 0) if batched else product


def _beside_product(x: Operators, product: Operators) -> Any:
    return FUNCTIONS["broadcast_to"](x, product.type.shape)


def _added(
    name: str, ranks: tuple[int, int], names: tuple[str, str], example: tuple[str, str, str, str]
) -> None:
    first, second = names
    x, one, two, found = example  # the operands' elements and the result's

    def add(input: Any, *matrices: Any, beta: Any = 1, alpha: Any = 1, **given: Any) -> Any:
        a, b = _two_of(name, names, matrices, given)
        input = as_eager(input)
        a, b = _of_rank(name, (a, ranks[0]), (b, ranks[1]))
        batched = name == "addbmm"
        if input.dtype.is_integer:  # PyTorch takes the whole part of both
            beta, alpha = int(beta), int(alpha)
        if isinstance(beta, int | float) and beta == 0:  # then input counts for its shape alone
            return call(_mm_alone, input, a, b, as_eager(alpha, input), batched=batched)
        factors = as_eager(beta, input), as_eager(alpha, input)
        return call(_addmm, input, a, b, *factors, batched=batched)

    add.__name__ = add.__qualname__ = name
    add.__doc__ = f"""beta * input + alpha * ({first} @ {second}){
        ", the products summed" if name == "addbmm" else ""
    }; with beta=0 input counts for its shape alone.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor({x})
        >>> gc.{name}(x, gc.tensor({one}), gc.tensor({two}))
        tensor({found})
    """
    eager(name)(add)


def _two_of(
    name: str, names: tuple[str, str], matrices: tuple[Any, ...], given: dict[str, Any]
) -> tuple[Any, Any]:
    """Two operands, by position or by name."""
    found = list(matrices) + [given.pop(n) for n in names[len(matrices) :] if n in given]
    if len(found) != 2 or given:
        raise ArgumentError(
            f"{name}: takes input, {names[0]}, {names[1]}, beta and alpha", where=caller()
        )
    return found[0], found[1]


_added("addmm", (2, 2), ("mat1", "mat2"), ("[[1.0]]", "[[2.0, 3.0]]", "[[4.0], [5.0]]", "[[24.]]"))
_added("addmv", (2, 1), ("mat", "vec"), ("[1.0]", "[[2.0, 3.0]]", "[4.0, 5.0]", "[24.]"))
_added(
    "baddbmm",
    (3, 3),
    ("batch1", "batch2"),
    ("[[[1.0]]]", "[[[2.0, 3.0]]]", "[[[4.0], [5.0]]]", "[[[24.]]]"),
)
_added(
    "addbmm",
    (3, 3),
    ("batch1", "batch2"),
    ("[[1.0]]", "[[[2.0]], [[3.0]]]", "[[[4.0]], [[5.0]]]", "[[24.]]"),
)


@named("EinsumBackward0")
def _einsum(operands: Sequence[Tensor], *, equation: str) -> Any:
    return FUNCTIONS["einsum"](equation, *operands)


@eager("einsum")
def einsum(equation: Any, *operands: Any) -> Any:
    """Einstein's summation: axes by letters, summed where the result lacks them.

    Args:
        equation: such as "ij,jk->ik"; or the first operand, in the form
            `einsum(x, [0, 1], y, [1, 2], [0, 2])` that names axes by numbers.
        operands: the tensors, one by one or as one list.

    Example:
        >>> import graphc as gc
        >>> gc.einsum("ij,jk->ik", gc.ones(2, 3), gc.ones(3, 2))
        tensor([[3., 3.],
                [3., 3.]])
    """
    if not isinstance(equation, str):
        equation, operands = _lettered((equation, *operands))
    given = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    )
    return call_list(_einsum, list(given), equation=equation)


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _lettered(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation of operands whose axes are named by numbers, and the operands."""

    def term(axes: Any) -> str:
        return "".join("..." if a is ... else _LETTERS[a] for a in axes)

    pairs = len(given) // 2
    operands, axes = given[0 : 2 * pairs : 2], given[1 : 2 * pairs : 2]
    if not all(isinstance(x, Tensor) for x in operands) or not all(
        isinstance(a, list | tuple) for a in given[1::2] + given[2 * pairs :]
    ):
        raise ArgumentError(
            "einsum: needs an equation, or tensors each followed by the numbers of its axes",
            where=caller(),
        )
    equation = ",".join(map(term, axes))
    return (f"{equation}->{term(given[-1])}" if len(given) % 2 else equation), operands


_tensordot = step("tensordot", "TensordotBackward0")


@eager("tensordot")
def tensordot(
    a: Any, b: Any, dims: int | Sequence[Any] = 2, *, axes: int | Sequence[Any] | None = None
) -> Any:
    """The sums of products over pairs of axes.

    Args:
        a: a tensor.
        b: a tensor.
        dims: a number (the last axes of a with the first of b), or two lists of axes.
        axes: NumPy's name of dims.

    Example:
        >>> import graphc as gc
        >>> gc.tensordot(gc.ones(2, 3), gc.ones(3, 2), dims=1)
        tensor([[3., 3.],
                [3., 3.]])
    """
    given = dims if axes is None else axes
    given = given.tolist() if isinstance(given, Tensor) else given
    if isinstance(given, list | tuple):
        given = tuple(tuple(g) if isinstance(g, list | tuple) else (g,) for g in given)
    return call(_tensordot, a, b, axes=given)
