"""Activation layers of straight pieces: cut, shifted or set to a value past a threshold."""

from __future__ import annotations

from dataclasses import InitVar

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.nn import functional as F
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer(F.hardswish, text="")
class Hardswish(Module):
    """input * hardsigmoid(input).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardswish()(gc.tensor([1.5]))
        tensor([1.1250])
    """

    inplace: bool = False


@layer(F.hardsigmoid, text="")
class Hardsigmoid(Module):
    """input / 6 + 1 / 2, cut to lie between 0 and 1.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardsigmoid()(gc.tensor([0.0, 4.0]))
        tensor([0.5000, 1.0000])
    """

    inplace: bool = False


@layer(F.threshold)
class Threshold(Module):
    """input where it is greater than a threshold, else a value.

    Args:
        threshold: the threshold.
        value: the value.
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Threshold(1.0, 20.0)(gc.tensor([0.0, 2.0]))
        tensor([20.,  2.])
    """

    threshold: float
    value: float
    inplace: bool = False


@layer(F.softshrink, text="{lambd}")
class Softshrink(Module):
    """input moved towards 0 by lambd, and 0 where that would cross it.

    Args:
        lambd: how far.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softshrink()(gc.tensor([-2.0]))
        tensor([-1.5000])
    """

    lambd: float = 0.5


@layer(F.hardshrink, text="{lambd}")
class Hardshrink(Module):
    """input where it is farther than lambd from 0, else 0.

    Args:
        lambd: how far.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardshrink()(gc.tensor([-2.0, 0.4]))
        tensor([-2.,  0.])
    """

    lambd: float = 0.5


@layer(F.hardtanh)
class Hardtanh(Module):
    """The input cut to lie between two numbers.

    Args:
        min_val: the least value.
        max_val: the greatest value.
        inplace: write the result into the input itself.
        min_value: old name of min_val.
        max_value: old name of max_val.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardtanh(-2, 2)(gc.tensor([-3.0, 1.0]))
        tensor([-2.,  1.])
    """

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False
    min_value: InitVar[float | None] = None
    max_value: InitVar[float | None] = None

    def __post_init__(self, min_value: float | None = None, max_value: float | None = None) -> None:
        self.min_val = self.min_val if min_value is None else min_value
        self.max_val = self.max_val if max_value is None else max_value
        if self.min_val >= self.max_val:
            raise AttributeValueError(
                f"Hardtanh: min_val {self.min_val} must be less than max_val {self.max_val}",
                where=caller(),
            )


class ReLU6(Hardtanh):
    """The input cut to lie between 0 and 6.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReLU6()(gc.tensor([-1.0, 7.0]))
        tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return "inplace=True" if self.inplace else ""


__all__ = [
    "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "ReLU6", "Softshrink", "Threshold",
]  # fmt: skip
