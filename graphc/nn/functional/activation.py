"""Activation functions, as PyTorch has them in `nn.functional`: one operation each."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import AnyTensor
from graphc.eager.facade import FACE
from graphc.errors import AttributeValueError, DTypeError
from graphc.nn.functional.operation import operation
from graphc.ops.elementwise.arithmetic import absolute
from graphc.ops.elementwise.exponential import exp, expm1, log1p
from graphc.ops.elementwise.logic import where
from graphc.ops.elementwise.trigonometric import tanh as _tanh
from graphc.ops.network import activations

sigmoid = FACE["sigmoid"]
tanh = FACE["tanh"]


@operation("ReluBackward0")
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
    return activations.relu(input)


@operation("HardtanhBackward0")
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
    if not input.dtype.is_float:  # bounds of integers are integers, and so is what they cut
        min_val, max_val = int(min_val), int(max_val)
        if input.dtype.kind == "bool" or (input.dtype.kind == "uint" and min_val < 0):
            raise DTypeError(
                f"hardtanh: {input.dtype.name} between {min_val} and {max_val}", where=caller()
            )
    return where(input <= min_val, min_val, where(input >= max_val, max_val, input))


def relu6(input: AnyTensor, inplace: bool = False) -> Any:
    """input cut to lie between 0 and 6.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.relu6(gc.tensor([-1.0, 7.0]))
        tensor([0., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


@operation("LeakyReluBackward0")
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
    return activations.leaky_relu(input, negative_slope)


@operation("EluBackward0")
def elu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """input where it is positive, else alpha * (exp(input) - 1).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.elu(gc.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return activations.elu(input, alpha)


@operation("SeluBackward0")
def selu(input: AnyTensor, inplace: bool = False) -> Any:
    """The scaled elu of Klambauer et al., "Self-normalizing neural networks", 2017.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.selu(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 1.0507])
    """
    return activations.selu(input)


@operation("CeluBackward0")
def celu(input: AnyTensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """input where it is positive, else alpha * (exp(input / alpha) - 1).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.celu(gc.tensor([-1.0, 2.0]), 2.0)
        tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise AttributeValueError("celu: alpha must not be 0", where=caller())
    below = expm1(where(input > 0, 0, input) / alpha)
    return where(input > 0, input, below * alpha)


@operation("SiluBackward0")
def silu(input: AnyTensor, inplace: bool = False) -> Any:
    """input * sigmoid(input), also known as swish.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.silu(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7311])
    """
    return activations.silu(input)


@operation("MishBackward0")
def mish(input: AnyTensor, inplace: bool = False) -> Any:
    """input * tanh(softplus(input)).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.mish(gc.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8651])
    """
    return activations.mish(input)


@operation("GeluBackward0")
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
    return activations.gelu(input, approximate)


@operation("HardsigmoidBackward0")
def hardsigmoid(input: AnyTensor, inplace: bool = False) -> Any:
    """input / 6 + 1 / 2, cut to lie between 0 and 1.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardsigmoid(gc.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return activations.relu6(input + 3) / 6


@operation("HardswishBackward0")
def hardswish(input: AnyTensor, inplace: bool = False) -> Any:
    """input * hardsigmoid(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardswish(gc.tensor([1.5, 4.0]))
        tensor([1.1250, 4.0000])
    """
    return input * activations.relu6(input + 3) / 6


@operation("HardshrinkBackward0")
def hardshrink(input: AnyTensor, lambd: float = 0.5) -> Any:
    """input where it is farther than lambd from 0, else 0.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.hardshrink(gc.tensor([-2.0, 0.4]))
        tensor([-2.,  0.])
    """
    return where((input >= -lambd) & (input <= lambd), 0, input)


@operation("SoftshrinkBackward0")
def softshrink(input: AnyTensor, lambd: float = 0.5) -> Any:
    """input moved towards 0 by lambd, and 0 where that would cross it.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softshrink(gc.tensor([-2.0, 0.4]))
        tensor([-1.5000,  0.0000])
    """
    if lambd < 0:
        raise AttributeValueError(f"softshrink: lambd={lambd} is less than 0", where=caller())
    return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, input * 0))


@operation("SoftplusBackward0")
def softplus(input: AnyTensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta * input)) / beta; input itself where beta * input is past a threshold.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softplus(gc.tensor([0.0, 30.0]))
        tensor([ 0.6931, 30.0000])
    """
    # What is not used must not overflow: its gradient would be nan.
    large = input * beta > threshold
    below = log1p(exp(where(large, 0, input * beta))) / beta
    return where(large, input, below)


@operation("LogSigmoidBackward0")
def logsigmoid(input: AnyTensor) -> Any:
    """log(sigmoid(input)), without overflow.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.logsigmoid(gc.tensor([0.0]))
        tensor([-0.6931])
    """
    return activations.log_sigmoid(input)


@operation("DivBackward0")
def softsign(input: AnyTensor) -> Any:
    """input / (1 + |input|).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.softsign(gc.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    return input / (absolute(input) + 1)


@operation("SubBackward0")
def tanhshrink(input: AnyTensor) -> Any:
    """input - tanh(input).

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.tanhshrink(gc.tensor([1.0]))
        tensor([0.2384])
    """
    return input - _tanh(input)


@operation("ThresholdBackward0")
def threshold(input: AnyTensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """input where it is greater than a threshold, else a value.

    Example:
        >>> import graphc as gc
        >>> gc.nn.functional.threshold(gc.tensor([0.0, 2.0]), 1.0, 20.0)
        tensor([20.,  2.])
    """
    if input.dtype.is_integer:  # PyTorch cuts both to input's dtype
        threshold, value = int(threshold), int(value)
    return where(input <= threshold, value, input)


__all__ = [
    "celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold",
]  # fmt: skip
