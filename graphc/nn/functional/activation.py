"""Activation functions, as PyTorch has them in `nn.functional`: one operation each."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import Node, caller
from graphc.eager.engine.composite import composite
from graphc.eager.engine.registry import named
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.facade import FACE
from graphc.errors import AttributeValueError, DTypeError
from graphc.nn.functional.common import applied
from graphc.ops.elementwise.arithmetic import absolute
from graphc.ops.elementwise.exponential import exp, expm1, log1p
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.trigonometric import tanh as _tanh
from graphc.ops.network import activations

sigmoid = FACE["sigmoid"]
tanh = FACE["tanh"]


@composite
@named("ReluBackward0")
def _relu(x: Node) -> Any:
    return activations.relu(x)


def relu(input: AnyTensor, inplace: bool = False) -> Any:
    """input where it is positive, else 0; the gradient at 0 is 0.

    Args:
        input: a tensor.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.relu(gc.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return _relu(input) if not inplace else applied(_relu, input, True)


@composite
@named("HardtanhBackward0")
def _hardtanh(x: Any, *, low: float, high: float) -> Any:
    if not x.type.dtype.is_float:  # bounds of integers are integers, and so is what they cut
        low, high = int(low), int(high)
        if x.type.dtype.kind == "bool" or (x.type.dtype.kind == "uint" and low < 0):
            raise DTypeError(
                f"hardtanh: {x.type.dtype.name} between {low} and {high}", where=caller()
            )
    return where(x <= low, low, where(x >= high, high, x))


def hardtanh(
    input: AnyTensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Any:
    """input cut to lie between two numbers, beyond which there is no gradient.

    Args:
        input: floats.
        min_val: the least value.
        max_val: the greatest value.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardtanh(gc.tensor([-2.0, 0.5]))
        tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise AttributeValueError(
            f"hardtanh: min_val {min_val} is greater than max_val {max_val}", where=caller()
        )
    return applied(_hardtanh, input, inplace, low=min_val, high=max_val)


def relu6(input: AnyTensor, inplace: bool = False) -> Any:
    """input cut to lie between 0 and 6.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.relu6(gc.tensor([-1.0, 7.0]))
        tensor([0., 6.])
    """
    return applied(_hardtanh, input, inplace, low=0.0, high=6.0)


@composite
@named("LeakyReluBackward0")
def _leaky_relu(x: Node, *, slope: float) -> Any:
    return activations.leaky_relu(x, slope)


def leaky_relu(input: AnyTensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """input where it is positive, else input times a slope.

    Args:
        input: floats.
        negative_slope: the slope.
        inplace: write the result into the tensor itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.leaky_relu(gc.tensor([-1.0, 2.0]), 0.5)
        tensor([-0.5000,  2.0000])
    """
    return applied(_leaky_relu, input, inplace, slope=negative_slope)


@composite
@named("EluBackward0")
def _elu(x: Node, *, alpha: float) -> Any:
    return activations.elu(x, alpha)


def elu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """input where it is positive, else alpha * (exp(input) - 1).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.elu(gc.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return applied(_elu, input, inplace, alpha=alpha)


@composite
@named("SeluBackward0")
def _selu(x: Node) -> Any:
    return activations.selu(x)


def selu(input: AnyTensor, inplace: bool = False) -> Any:
    """The scaled elu of Klambauer et al., "Self-normalizing neural networks", 2017.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.selu(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 1.0507])
    """
    return applied(_selu, input, inplace)


@composite
@named("CeluBackward0")
def _celu(x: Node, *, alpha: float) -> Any:
    below = expm1(where(x > 0, 0, x) / alpha)
    return where(x > 0, x, below * alpha)


def celu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """input where it is positive, else alpha * (exp(input / alpha) - 1).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.celu(gc.tensor([-1.0, 2.0]), 2.0)
        tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise AttributeValueError("celu: alpha must not be 0", where=caller())
    return applied(_celu, input, inplace, alpha=alpha)


@composite
@named("SiluBackward0")
def _silu(x: Node) -> Any:
    return activations.silu(x)


def silu(input: AnyTensor, inplace: bool = False) -> Any:
    """input * sigmoid(input), also known as swish.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.silu(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7311])
    """
    return applied(_silu, input, inplace)


@composite
@named("MishBackward0")
def _mish(x: Node) -> Any:
    return activations.mish(x)


def mish(input: AnyTensor, inplace: bool = False) -> Any:
    """input * tanh(softplus(input)).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.mish(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8651])
    """
    return applied(_mish, input, inplace)


@composite
@named("GeluBackward0")
def _gelu(x: Node, *, approximate: str) -> Any:
    return activations.gelu(x, approximate)


def gelu(input: AnyTensor, approximate: str = "none") -> Any:
    """input times the normal distribution's probability of a lesser value.

    Args:
        input: floats.
        approximate: "none" for the exact formula, "tanh" for an approximation by tanh.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.gelu(gc.tensor([-1.0, 1.0]))
        tensor([-0.1587,  0.8413])
    """
    return _gelu(input, approximate=approximate)


@composite
@named("HardsigmoidBackward0")
def _hardsigmoid(x: Node) -> Any:
    return activations.relu6(x + 3) / 6


def hardsigmoid(input: AnyTensor, inplace: bool = False) -> Any:
    """input / 6 + 1 / 2, cut to lie between 0 and 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardsigmoid(gc.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return applied(_hardsigmoid, input, inplace)


@composite
@named("HardswishBackward0")
def _hardswish(x: Node) -> Any:
    return x * activations.relu6(x + 3) / 6


def hardswish(input: AnyTensor, inplace: bool = False) -> Any:
    """input * hardsigmoid(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardswish(gc.tensor([1.5, 4.0]))
        tensor([1.1250, 4.0000])
    """
    return applied(_hardswish, input, inplace)


@composite
@named("HardshrinkBackward0")
def _hardshrink(x: Node, *, lambd: float) -> Any:
    return where((x >= -lambd) & (x <= lambd), 0, x)


def hardshrink(input: AnyTensor, lambd: float = 0.5) -> Any:
    """input where it is farther than lambd from 0, else 0.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardshrink(gc.tensor([-2.0, 0.4]))
        tensor([-2.,  0.])
    """
    return _hardshrink(input, lambd=lambd)


@composite
@named("SoftshrinkBackward0")
def _softshrink(x: Node, *, lambd: float) -> Any:
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0))


def softshrink(input: AnyTensor, lambd: float = 0.5) -> Any:
    """input moved towards 0 by lambd, and 0 where that would cross it.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softshrink(gc.tensor([-2.0, 0.4]))
        tensor([-1.5000,  0.0000])
    """
    if lambd < 0:
        raise AttributeValueError(f"softshrink: lambd={lambd} is less than 0", where=caller())
    return _softshrink(input, lambd=lambd)


@composite
@named("SoftplusBackward0")
def _softplus(x: Node, *, beta: float, threshold: float) -> Any:
    # What is not used must not overflow: its gradient would be nan.
    large = x * beta > threshold
    below = log1p(exp(where(large, 0, x * beta))) / beta
    return where(large, x, below)


def softplus(input: AnyTensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta * input)) / beta; input itself where beta * input is past a threshold.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softplus(gc.tensor([0.0, 30.0]))
        tensor([ 0.6931, 30.0000])
    """
    return _softplus(input, beta=beta, threshold=threshold)


@composite
@named("LogSigmoidBackward0")
def _logsigmoid(x: Node) -> Any:
    return activations.log_sigmoid(x)


def logsigmoid(input: AnyTensor) -> Any:
    """log(sigmoid(input)), without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.logsigmoid(gc.tensor([0.0]))
        tensor([-0.6931])
    """
    return _logsigmoid(input)


@composite
@named("DivBackward0")
def _softsign(x: Node) -> Any:
    return x / (absolute(x) + 1)


def softsign(input: AnyTensor) -> Any:
    """input / (1 + |input|).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softsign(gc.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    return _softsign(input)


@composite
@named("SubBackward0")
def _tanhshrink(x: Node) -> Any:
    return x - _tanh(x)


def tanhshrink(input: AnyTensor) -> Any:
    """input - tanh(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.tanhshrink(gc.tensor([1.0]))
        tensor([0.2384])
    """
    return _tanhshrink(input)


@composite
@named("ThresholdBackward0")
def _threshold(x: Any, *, threshold: float, value: float) -> Any:
    if x.type.dtype.is_integer:  # PyTorch cuts both to x's dtype
        threshold, value = int(threshold), int(value)
    return where(x <= threshold, value, x)


def threshold(input: AnyTensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """input where it is greater than a threshold, else a value.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.threshold(gc.tensor([0.0, 2.0]), 1.0, 20.0)
        tensor([20.,  2.])
    """
    return applied(_threshold, input, inplace, threshold=threshold, value=value)


__all__ = [
    "celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold",
]  # fmt: skip
