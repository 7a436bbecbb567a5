"""Random tensors, by PyTorch's names, and the generators they draw from.

A draw takes the generator's state as its key and moves the state on by one step, in eager code and
in traced programs alike, so a traced training step draws the numbers that the eager one would.
The default generator is the one that programs use; `gc.manual_seed` sets it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import broadcast_shapes
from graphc.core.typing import DTypeLike, Operand, ShapeLike
from graphc.eager.engine import promotion
from graphc.eager.engine.device import DeviceLike, check_device
from graphc.eager.engine.registry import EAGER, call, eager, named
from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike
from graphc.eager.functions.creation import recorded
from graphc.eager.functions.drawing import draw, in_graph
from graphc.eager.functions.generator import Generator, default_generator, draw_key
from graphc.eager.functions.shapes import size_of, sizes_given, sizes_of
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, ShapeError
from graphc.ops.declare import as_symbolic, is_tensor


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, which eager code and programs draw from.

    Args:
        seed: any int.

    Returns:
        The default generator.

    Example:
        >>> import graphc as gc
        >>> a = gc.manual_seed(0) and gc.rand(2)
        >>> b = gc.manual_seed(0) and gc.rand(2)
        >>> bool((a == b).all())
        True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator with a number no run has had, and return it.

    Example:
        >>> import graphc as gc
        >>> start = gc.seed()
        >>> gc.initial_seed() == start
        True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Example:
        >>> import graphc as gc
        >>> _ = gc.manual_seed(7)
        >>> gc.initial_seed()
        7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator.

    Example:
        >>> import graphc as gc
        >>> state = gc.get_rng_state()
        >>> first = gc.rand(3)
        >>> gc.set_rng_state(state)
        >>> gc.equal(gc.rand(3), first)
        True
    """
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    """Go on from a state that `get_rng_state` gave.

    Example:
        >>> import graphc as gc
        >>> state = gc.get_rng_state()
        >>> first = gc.randn(2)
        >>> gc.set_rng_state(state)
        >>> gc.equal(gc.randn(2), first)
        True
    """
    default_generator.set_state(state)


# Draws are written for a flat run of numbers whose count is that of a tensor of zeros, so that
# one kernel serves every shape.


def _uniform(like: Operators, key: Operators, *, dtype: DTypeLike) -> Any:
    drawn = FUNCTIONS["uniform"](like.type.shape, dtype=dtype, key=key)
    return drawn + FUNCTIONS["cast"](like, dtype)


def _normal(like: Operators, key: Operators, *, dtype: DTypeLike) -> Any:
    drawn = FUNCTIONS["normal"](like.type.shape, dtype=dtype, key=key)
    return drawn + FUNCTIONS["cast"](like, dtype)


def _randint(like: Operators, key: Operators, *, low: int, high: int, dtype: DTypeLike) -> Any:
    drawn = FUNCTIONS["randint"](low, high, like.type.shape, dtype=dtype, key=key)
    return drawn + FUNCTIONS["cast"](like, dtype)


def _permutation(like: Operators, key: Operators) -> Any:
    words = FUNCTIONS["permutation"](like.type.shape[0], key)
    return words + FUNCTIONS["cast"](like, dtypes.int64)


def _float(dtype: DTypeLike | None) -> Any:
    return promotion.get_default_dtype() if dtype is None else as_dtype(dtype)


def _maker(name: str, run: Callable[..., Any], what: str) -> Any:
    def function(
        *size: Any, generator: Generator | None = None, dtype: DTypeLike | None = None,
        device: DeviceLike | None = None, requires_grad: bool = False, key: Any = None, **kw: Any,
    ) -> Tensor:  # fmt: skip
        check_device(device)
        sizes = sizes_given(name, size, kw, ("size",), "generator, key, ")
        result = draw(run, sizes_of(sizes), generator, key, dtype=_float(dtype))
        return recorded(result, requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Random floats, {what}.

    Args:
        size: the sizes, one by one or as one sequence.
        generator: the default one unless given.
        dtype: float32 unless given.
        device: "cpu".
        requires_grad: whether operations on it are recorded.
        key: of the draw, such as `gc.random_key(0)`, instead of one from a generator.

    Example:
        >>> import graphc as gc
        >>> gc.{name}(2, 3).shape
        graphc.Size([2, 3])
    """
    EAGER[name] = function

    def like(
        input: AnyTensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
        requires_grad: bool = False, generator: Generator | None = None,
        memory_format: object = None,
    ) -> Tensor:  # fmt: skip
        kind = input.dtype if dtype is None else dtype
        return function(
            *input.shape, dtype=kind, device=device, requires_grad=requires_grad,
            generator=generator,
        )  # fmt: skip

    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"""`{name}` of the shape, and unless told the dtype, of a tensor.

    Example:
        >>> import graphc as gc
        >>> gc.{name}_like(gc.zeros(2, 3)).shape
        graphc.Size([2, 3])
    """
    EAGER[like.__name__] = like
    return function


rand = _maker("rand", _uniform, "uniform in [0, 1)")
randn = _maker("randn", _normal, "of the normal distribution with mean 0 and variance 1")


@eager("randint")
def randint(
    low: Any = 0, high: Any = None, size: ShapeLike | None = None, *,
    generator: Generator | None = None, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False, key: Any = None,
) -> Tensor:  # fmt: skip
    """Random integers, uniform in [low, high); `randint(high, size)` counts from 0.

    With a `key`, such as `gc.random_key(0)`, they are a function of it, of no generator.

    Example:
        >>> import graphc as gc
        >>> gc.randint(0, 10, (2, 3)).shape
        graphc.Size([2, 3])
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise ArgumentError("randint: size is not given", where=caller())
    kind = dtypes.int64 if dtype is None else as_dtype(dtype)
    drawn = dtypes.int64 if kind.is_float else kind
    low, high = size_of(low), size_of(high)
    bounds = {"low": low, "high": high, "dtype": drawn}
    if isinstance(low, Dim) or isinstance(high, Dim):
        result = in_graph(_randint, sizes_of((size,)), generator, bounds, as_symbolic(key))
    else:
        result = draw(_randint, sizes_of((size,)), generator, key, **bounds)
    return recorded(result.to(kind), requires_grad)


@eager()
def randint_like(
    input: AnyTensor, low: int = 0, high: Any = None, *, generator: Generator | None = None,
    dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
    memory_format: object = None,
) -> Tensor:  # fmt: skip
    """`randint` of the shape, and unless told the dtype, of a tensor.

    Example:
        >>> import graphc as gc
        >>> drawn = gc.randint_like(gc.zeros(2, 3), 10)
        >>> drawn.shape, bool((drawn < 10).all())
        (graphc.Size([2, 3]), True)
    """
    low, high = (0, low) if high is None else (low, high)
    return randint(
        low, high, tuple(input.shape), generator=generator, device=device,
        dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad,
    )  # fmt: skip


@eager()
def randperm(
    n: Any, *, generator: Generator | None = None, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False, key: Any = None,
) -> Tensor:  # fmt: skip
    """A random order of 0 .. n - 1; with a `key`, a function of it, of no generator.

    Example:
        >>> import graphc as gc
        >>> sorted(gc.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    check_device(device)
    result = draw(_permutation, (size_of(n),), generator, key)
    return recorded(result if dtype is None else result.to(dtype), requires_grad)


@eager("normal")
def normal(
    mean: Any = 0.0, std: Any = 1.0, size: ShapeLike | None = None, *,
    generator: Generator | None = None, dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: bool = False, key: Any = None,
) -> Tensor:  # fmt: skip
    """Random floats of the normal distribution; mean and std are numbers or tensors.

    With a `key`, such as `gc.random_key(0)`, they are a function of it, of no generator.

    Example:
        >>> import graphc as gc
        >>> gc.normal(0.0, 2.0, (3,)).shape
        graphc.Size([3])
    """
    check_device(device)
    for word, value in (("mean", mean), ("std", std)):
        if isinstance(value, tuple | list):
            raise ArgumentError(
                f"normal: {word} is {value!r:.40}, no number and no tensor",
                where=caller(),
                hint="sizes come third: gc.normal(0.0, 1.0, (2, 3)), or size=(2, 3)",
            )
    check_spread("normal", std)
    if size is None:
        shape = broadcast_shapes([tuple(v.shape) for v in (mean, std) if isinstance(v, Operators)])
        if shape is None:
            raise ShapeError(
                f"normal: a mean of shape {mean.shape} and a std of shape {std.shape} do not "
                "broadcast",
                where=caller(),
            )
    else:
        shape = sizes_of((size,))
    if is_tensor(mean) or is_tensor(std):
        drawn = in_graph(_normal, shape, generator, {"dtype": _float(dtype)}, as_symbolic(key))
        return drawn * std + mean
    drawn = randn(*shape, generator=generator, dtype=dtype, key=key)
    return recorded(drawn * std + mean, requires_grad)


def check_spread(name: str, std: Operand) -> None:
    if isinstance(std, int | float) and not std >= 0:
        raise AttributeValueError(
            f"{name}: std={std!r}", where=caller(), hint="it must be 0 or more"
        )


@eager("bernoulli")
def bernoulli(
    input: AnyTensor, p: TensorLike | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probability that stands at each place (or with p), else 0.

    Example:
        >>> import graphc as gc
        >>> gc.bernoulli(gc.ones(3))
        tensor([1., 1., 1.])
    """
    limit = input if p is None else p
    drawn = rand(*input.shape, generator=generator, dtype=input.dtype)
    return (drawn < limit).to(input.dtype)


@eager()
def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Random places in each row, by the weights that stand there.

    Without replacement by Gumbel's trick: the greatest of log(weight) + noise.
    Source: Vieira, "Gumbel-max trick and weighted reservoir sampling", 2014.

    Args:
        input: weights of 0 or more, a vector or rows of them.
        num_samples: how many places a row.
        replacement: whether a place may be drawn twice.
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> gc.multinomial(gc.tensor([0.0, 1.0, 0.0]), 1)
        tensor([1])
    """
    if not input.dtype.is_float:
        raise DTypeError(
            f"multinomial: weights of {input.dtype.name}", where=caller(), hint="use x.float()"
        )
    if input.ndim not in (1, 2) or num_samples < 1:
        raise ArgumentError(
            f"multinomial: {num_samples} samples by weights of shape {tuple(input.shape)}",
            where=caller(),
            hint="the weights are a vector or rows of them, and there is at least one sample",
        )
    if input._node is None:
        _check_weights(input._array)
    weights = input if input.ndim == 2 else input.unsqueeze(0)
    if not replacement and num_samples > weights.shape[1]:
        raise AttributeValueError(
            f"multinomial: {num_samples} places of {weights.shape[1]} without replacement",
            where=caller(),
            hint="pass replacement=True",
        )
    rows, columns = weights.shape
    if replacement:
        ends = weights.double().cumsum(1)
        u = rand(rows, num_samples, generator=generator, dtype=dtypes.float64) * ends[:, -1:]
        found = (u.unsqueeze(2) >= ends.unsqueeze(1)).sum(2).clamp(max=columns - 1)
    else:
        u = rand(rows, columns, generator=generator, dtype=dtypes.float64)
        scores = weights.double().log() - (-(1 - u).log()).log()
        found = scores.topk(num_samples, 1).indices
    return found if input.ndim == 2 else found[0]


def _check_weights(weights: np.ndarray) -> None:
    """Refuse weights by which nothing can be drawn."""
    bad = weights[~(weights >= 0) | np.isinf(weights)]
    if bad.size or not (weights.sum(-1) > 0).all():
        what = f"{bad.flat[0]} is a weight" if bad.size else "the weights of a row are all 0"
        raise ArgumentError(
            f"multinomial: {what}", where=caller(), hint="weights are finite, 0 or more"
        )


@named("NativeDropoutBackward0")
def _dropout(x: Operators, key: Operators, *, p: float) -> Any:
    return FUNCTIONS["dropout"](x, p, True, key)


@eager("dropout")
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """input with elements set to 0 with probability p, the others divided by 1 - p.

    Args:
        input: a float tensor.
        p: the probability of a zero.
        training: False returns input.
        generator: the default one unless given.

    Example:
        >>> import graphc as gc
        >>> gc.dropout(gc.ones(3), 0.5, training=False)
        tensor([1., 1., 1.])
    """
    if not training or p == 0:
        return input
    return call(_dropout, input, draw_key(generator), p=p)


__all__ = ["Generator", "default_generator", "draw_key", "manual_seed"]
