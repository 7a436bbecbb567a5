"""Initial values of parameters: `nn.init.xavier_uniform_(layer.weight)` and its like.

Every function fills a tensor in place, outside of any recording, and returns it. Random ones draw
from the default generator unless given another, so `gc.manual_seed` decides them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions import random
from graphc.eager.functions.random import Generator
from graphc.eager.methods import methods
from graphc.errors import ArgumentError, AttributeValueError, DTypeError, GraphcWarning, ShapeError
from graphc.nn.fans import (
    _calculate_correct_fan,
    _calculate_fan_in_and_fan_out,
    calculate_gain,
)


def _check(name: str, tensor: Tensor, ndims: Sequence[int] = (), draws: bool = True) -> None:
    """Refuse what the function cannot fill; `ndims` are the numbers of axes that it can."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(
            f"{name}: it fills a tensor in place, and was given a {type(tensor).__name__}",
            where=caller(),
        )
    if draws and not tensor.dtype.is_float:
        raise DTypeError(
            f"{name}: random floats do not fit a tensor of {tensor.dtype.name}", where=caller()
        )
    if ndims and tensor.ndim not in ndims:
        wanted = " or ".join(map(str, ndims))
        raise ShapeError(
            f"{name}: the tensor has shape {tuple(tensor.shape)}; it must have {wanted} axes",
            where=caller(),
        )


def _fill(tensor: Tensor, array: np.ndarray) -> Any:
    with no_grad():
        return tensor.copy_(wrap(array))


def _constant(name: str, tensor: Tensor, value: float) -> Any:
    _check(name, tensor, draws=False)
    with no_grad():
        return tensor.fill_(value)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Any:
    """Fill with draws of the uniform distribution on [a, b).

    Args:
        tensor: a float tensor.
        a, b: the bounds.
        generator: the default one unless given.

    Returns:
        The tensor.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.uniform_(gc.empty(3, 5), -1, 1)
    """
    _check("uniform_", tensor)
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Any:
    """Fill with draws of the normal distribution.

    Args:
        tensor: a float tensor.
        mean: its mean.
        std: its standard deviation.
        generator: the default one unless given.

    Returns:
        The tensor.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.normal_(gc.empty(3, 5), std=0.02)
    """
    _check("normal_", tensor)
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Any:  # fmt: skip
    """Fill with draws of the normal distribution, limited to [a, b].

    Uniform draws are taken through the inverse of the distribution, in the logarithms of its
    values, so the bounds may be far out in a tail.

    Args:
        tensor: a float tensor.
        mean, std: those of the normal distribution before it is limited.
        a, b: the bounds, values and not multiples of std.
        generator: the default one unless given.

    Returns:
        The tensor.

    Raises:
        AttributeValueError: std is not positive, or a is not below b.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.trunc_normal_(gc.empty(3, 5), std=0.02, a=-0.04, b=0.04)
    """
    _check("trunc_normal_", tensor)
    if not std > 0 or not a < b:
        raise AttributeValueError(
            f"trunc_normal_: std={std!r} must be positive, and a={a!r} below b={b!r}",
            where=caller(),
        )
    from scipy.special import log_ndtr, ndtri_exp

    low, high = (a - mean) / std, (b - mean) / std
    # The left tail has small values, which logarithms tell apart; the right one is its mirror.
    mirrored = low + high > 0
    if mirrored:
        low, high = -high, -low
    drawn = random.rand(*tensor.shape, generator=generator, dtype=np.float64)
    u = methods.concrete(drawn, "trunc_normal_")
    log_low, log_high = float(log_ndtr(low)), float(log_ndtr(high))
    logs = np.log(u + (1.0 - u) * math.exp(log_low - log_high)) + log_high
    found = ndtri_exp(np.maximum(logs, log_low))
    values = mean + std * (-found if mirrored else found)
    kind = tensor.dtype.numpy
    return _fill(tensor, np.clip(values.astype(kind), kind.type(a), kind.type(b)))


def constant_(tensor: Tensor, val: float) -> Any:
    """Fill with one number.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.constant_(gc.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    return _constant("constant_", tensor, val)


def ones_(tensor: Tensor) -> Any:
    """Fill with 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.ones_(gc.empty(2))
        tensor([1., 1.])
    """
    return _constant("ones_", tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """Fill with 0.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.zeros_(gc.empty(2))
        tensor([0., 0.])
    """
    return _constant("zeros_", tensor, 0.0)


def eye_(tensor: Tensor) -> Any:
    """Fill a matrix with 1 on its diagonal and 0 elsewhere.

    Raises:
        ShapeError: the tensor is not a matrix.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.eye_(gc.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    _check("eye_", tensor, (2,), draws=False)
    return _fill(tensor, np.eye(*tensor.shape, dtype=tensor.dtype.numpy))


def dirac_(tensor: Tensor, groups: int = 1) -> Any:
    """Fill the weights of a convolution so that it returns its input, as far as channels go.

    Args:
        tensor: (out channels, in channels, one to three spatial axes).
        groups: the convolution's groups, each of which gets the identity.

    Raises:
        ShapeError: the tensor has another number of axes, or the groups do not divide axis 0.

    Example:
        >>> import graphc as gc
        >>> gc.nn.init.dirac_(gc.empty(2, 2, 3))[1]
        tensor([[0., 0., 0.],
                [0., 1., 0.]])
    """
    _check("dirac_", tensor, (3, 4, 5), draws=False)
    sizes = tuple(tensor.shape)
    if sizes[0] % groups:
        raise ShapeError(
            f"dirac_: {sizes[0]} output channels do not divide into {groups} groups",
            where=caller(),
        )
    each = sizes[0] // groups
    array = np.zeros(sizes, tensor.dtype.numpy)
    centre = tuple(size // 2 for size in sizes[2:])
    for group in range(groups):
        for channel in range(min(each, sizes[1])):
            array[(group * each + channel, channel, *centre)] = 1
    return _fill(tensor, array)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Any:
    """Fill with uniform draws of standard deviation gain * sqrt(2 / (fan_in + fan_out)).

    Source: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.

    Args:
        tensor: (fan_out, fan_in, ...), of two axes or more.
        gain: see `calculate_gain`.
        generator: the default one unless given.

    Returns:
        The tensor.

    Raises:
        ShapeError: the tensor has fewer than two axes.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.xavier_uniform_(gc.empty(3, 5), gain=gc.nn.init.calculate_gain("relu"))
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Any:
    """Fill with normal draws of standard deviation gain * sqrt(2 / (fan_in + fan_out)).

    Arguments as for `xavier_uniform_`.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.xavier_normal_(gc.empty(3, 5))
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """The standard deviation; None when the tensor has no elements."""
    if 0 in tensor.shape:
        warnings.warn(
            f"a tensor of shape {tuple(tensor.shape)} has no elements to initialise",
            GraphcWarning,
            stacklevel=3,
        )
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Any:  # fmt: skip
    """Fill with uniform draws of standard deviation gain / sqrt(fan).

    Source: He et al., "Delving deep into rectifiers", 2015.

    Args:
        tensor: (fan_out, fan_in, ...), of two axes or more.
        a: the negative slope of the leaky_relu after the layer.
        mode: "fan_in" keeps variances in the forward pass, "fan_out" in the backward pass.
        nonlinearity: see `calculate_gain`.
        generator: the default one unless given.

    Returns:
        The tensor.

    Raises:
        ShapeError: the tensor has fewer than two axes.
        AttributeValueError: mode or nonlinearity is not known.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.kaiming_uniform_(gc.empty(3, 5), nonlinearity="relu")
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Any:  # fmt: skip
    """Fill with normal draws of standard deviation gain / sqrt(fan).

    Arguments as for `kaiming_uniform_`.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.kaiming_normal_(gc.empty(3, 5), mode="fan_out", nonlinearity="relu")
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Any:
    """Fill with a random (semi-)orthogonal matrix, the axes after the first taken as one.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2013; uniform by Mezzadri, "How to generate random matrices from the
    classical compact groups", 2006.

    Args:
        tensor: a float tensor of two axes or more.
        gain: a factor.
        generator: the default one unless given.

    Returns:
        The tensor.

    Raises:
        ShapeError: the tensor has fewer than two axes.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.orthogonal_(gc.empty(3, 5))
        >>> gc.allclose(w @ w.T, gc.eye(3), atol=1e-6)
        True
    """
    _check("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ShapeError(
            f"orthogonal_: a tensor of shape {tuple(tensor.shape)} is not a matrix", where=caller()
        )
    if 0 in tensor.shape:
        return tensor
    rows = tensor.shape[0]
    drawn = random.randn(rows, tensor.numel() // rows, generator=generator, dtype=np.float64)
    matrix = methods.concrete(drawn, "orthogonal_")
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r))
    q = q if tall is matrix else q.T
    return _fill(tensor, gain * q.reshape(tuple(tensor.shape)))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Any:
    """Fill a matrix with normal draws, and set a fraction of each column to 0.

    Source: Martens, "Deep learning via Hessian-free optimization", 2010.

    Args:
        tensor: a float matrix.
        sparsity: the fraction of zeros in each column.
        std: the standard deviation of the others.
        generator: the default one unless given.

    Returns:
        The tensor.

    Raises:
        ShapeError: the tensor is not a matrix.

    Example:
        >>> import graphc as gc
        >>> w = gc.nn.init.sparse_(gc.empty(4, 3), 0.5)
        >>> (w == 0).sum(0)
        tensor([2, 2, 2])
    """
    _check("sparse_", tensor, (2,))
    zeros = math.ceil(sparsity * tensor.shape[0])
    normal_(tensor, 0.0, std, generator)
    order = random.rand(*tensor.shape, generator=generator).argsort(0)
    with no_grad():
        return tensor.masked_fill_(order < zeros, 0.0)


__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_",
    "normal_", "ones_", "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_",
    "xavier_uniform_", "zeros_",
]  # fmt: skip
