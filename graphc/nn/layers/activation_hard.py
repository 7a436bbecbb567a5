"""Activation layers of straight pieces: cut, shifted or set to a value past a threshold."""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.errors import AttributeValueError
from graphc.nn import functional as F
from graphc.nn.module.module import Module


class Hardswish(Module):
    """input * hardsigmoid(input).

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardswish()(gc.tensor([1.5]))
        tensor([1.1250])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.hardswish`."""
        return F.hardswish(input, self.inplace)


class Hardsigmoid(Module):
    """input / 6 + 1 / 2, cut to lie between 0 and 1.

    Args:
        inplace: write the result into the input itself.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardsigmoid()(gc.tensor([0.0, 4.0]))
        tensor([0.5000, 1.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.hardsigmoid`."""
        return F.hardsigmoid(input, self.inplace)


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

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """See `functional.threshold`."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"threshold={self.threshold}, value={self.value}{inplace}"


class Softshrink(Module):
    """input moved towards 0 by lambd, and 0 where that would cross it.

    Args:
        lambd: how far.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Softshrink()(gc.tensor([-2.0]))
        tensor([-1.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """See `functional.softshrink`."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return str(self.lambd)


class Hardshrink(Module):
    """input where it is farther than lambd from 0, else 0.

    Args:
        lambd: how far.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Hardshrink()(gc.tensor([-2.0, 0.4]))
        tensor([-2.,  0.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """See `functional.hardshrink`."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        return f"{self.lambd}"


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

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.min_val >= self.max_val:
            raise AttributeValueError(
                f"Hardtanh: min_val {self.min_val} must be less than max_val {self.max_val}",
                where=caller(),
            )

    def forward(self, input: Any) -> Any:
        """See `functional.hardtanh`."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"min_val={self.min_val}, max_val={self.max_val}{inplace}"


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
