"""Padding layers: room around an image, filled in one of four ways."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.core.ir import caller
from graphc.core.typing import Ints
from graphc.eager.engine.tensor import AnyTensor
from graphc.errors import ArgumentError
from graphc.nn.functional.padding import pad
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module


@layer(text="{padding}")
class _Pad(Module):
    """Room at the ends of the last axes; `mode` is how it is filled."""

    padding: Ints
    rank: ClassVar[int] = 0
    mode: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        padding = self.padding
        widths = (padding,) * (2 * self.rank) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self.rank:
            raise ArgumentError(
                f"{type(self).__name__}: padding={padding!r}",
                where=caller(),
                hint=f"an int, or {2 * self.rank} of them: before and after, the last axis first",
            )
        self.padding = widths

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.pad`."""
        return pad(input, self.padding, self.mode)  # type: ignore[arg-type]  # a tuple by now


@layer(text="padding={padding}, value={value}")
class _ConstantPad(_Pad):
    value: float

    def forward(self, input: AnyTensor) -> Any:
        """See `functional.pad`."""
        return pad(input, self.padding, "constant", self.value)  # type: ignore[arg-type]


class _ZeroPad(_Pad):
    value = 0.0


class ReflectionPad1d(_Pad):
    """Room around the last axis: mirrored, without the border.

    Args:
        padding: an int, or before and after it; a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReflectionPad1d(2)(gc.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    rank = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Room around the last two axes: mirrored, without the border.

    Args:
        padding: an int, or (left, right, top, bottom); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReflectionPad2d(1)(gc.zeros(1, 3, 3)).shape
        graphc.Size([1, 5, 5])
    """

    rank = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Room around the last three axes: mirrored, without the border.

    Args:
        padding: an int, or (left, right, top, bottom, front, back); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReflectionPad3d(1)(gc.zeros(1, 3, 3, 3)).shape
        graphc.Size([1, 5, 5, 5])
    """

    rank = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Room around the last axis: the border repeated.

    Args:
        padding: an int, or before and after it; a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReplicationPad1d(2)(gc.tensor([[1.0, 2.0, 3.0]]))
        tensor([[1., 1., 1., 2., 3., 3., 3.]])
    """

    rank = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Room around the last two axes: the border repeated.

    Args:
        padding: an int, or (left, right, top, bottom); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReplicationPad2d(1)(gc.zeros(1, 3, 3)).shape
        graphc.Size([1, 5, 5])
    """

    rank = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Room around the last three axes: the border repeated.

    Args:
        padding: an int, or (left, right, top, bottom, front, back); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ReplicationPad3d(1)(gc.zeros(1, 3, 3, 3)).shape
        graphc.Size([1, 5, 5, 5])
    """

    rank = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Room around the last axis: the other end's elements.

    Args:
        padding: an int, or before and after it; a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CircularPad1d(2)(gc.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 3., 1., 2., 3., 1., 2.]])
    """

    rank = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Room around the last two axes: the other end's elements.

    Args:
        padding: an int, or (left, right, top, bottom); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CircularPad2d(1)(gc.zeros(1, 3, 3)).shape
        graphc.Size([1, 5, 5])
    """

    rank = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Room around the last three axes: the other end's elements.

    Args:
        padding: an int, or (left, right, top, bottom, front, back); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.CircularPad3d(1)(gc.zeros(1, 3, 3, 3)).shape
        graphc.Size([1, 5, 5, 5])
    """

    rank = 3
    mode = "circular"


class ZeroPad1d(_ZeroPad):
    """Room around the last axis: zeros.

    Args:
        padding: an int, or before and after it; a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ZeroPad1d(2)(gc.tensor([[1.0, 2.0, 3.0]]))
        tensor([[0., 0., 1., 2., 3., 0., 0.]])
    """

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Room around the last two axes: zeros.

    Args:
        padding: an int, or (left, right, top, bottom); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ZeroPad2d(1)(gc.zeros(1, 3, 3)).shape
        graphc.Size([1, 5, 5])
    """

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Room around the last three axes: zeros.

    Args:
        padding: an int, or (left, right, top, bottom, front, back); a negative number cuts.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ZeroPad3d(1)(gc.zeros(1, 3, 3, 3)).shape
        graphc.Size([1, 5, 5, 5])
    """

    rank = 3


class ConstantPad1d(_ConstantPad):
    """Room around the last axis: a value.

    Args:
        padding: an int, or before and after it; a negative number cuts.
        value: what the room holds.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ConstantPad1d(2, 9.0)(gc.tensor([[1.0, 2.0, 3.0]]))
        tensor([[9., 9., 1., 2., 3., 9., 9.]])
    """

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Room around the last two axes: a value.

    Args:
        padding: an int, or (left, right, top, bottom); a negative number cuts.
        value: what the room holds.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ConstantPad2d(1, 9.0)(gc.zeros(1, 3, 3)).shape
        graphc.Size([1, 5, 5])
    """

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Room around the last three axes: a value.

    Args:
        padding: an int, or (left, right, top, bottom, front, back); a negative number cuts.
        value: what the room holds.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ConstantPad3d(1, 9.0)(gc.zeros(1, 3, 3, 3)).shape
        graphc.Size([1, 5, 5, 5])
    """

    rank = 3


__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip
