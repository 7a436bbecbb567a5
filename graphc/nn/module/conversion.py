"""A module in another dtype: `to`, `float`, `double`, `half`, `bfloat16`, `cpu`, `cuda`.

The parameters stay the same objects, so an optimizer goes on with them.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graphc.core import dtypes
from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import check_device
from graphc.eager.engine.device import device as Device
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import Tensor
from graphc.errors import DTypeError
from graphc.jit.lost import LOST
from graphc.nn.module.members import Members


class Converted(Members):
    """Conversion of all parameters and buffers."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Put `fn(tensor)` in the place of every parameter, its gradient, and every buffer."""
        for module in list(self.modules()) if recurse else [self]:
            with no_grad():
                for param in module._parameters.values():
                    if param is not None:
                        param.data = fn(param)
                        if param.grad is not None and param.grad is not LOST:
                            param.grad.data = fn(param.grad)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Convert all float parameters and buffers to a dtype, in place.

        Args:
            args: a float dtype, a device, or a tensor whose dtype is taken, in PyTorch's orders.
            kwargs: dtype, device, non_blocking.

        Returns:
            The module itself.

        Raises:
            DTypeError: the dtype is not a float.
            AttributeValueError: the device is not usable.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Linear(1, 1).to("cpu", gc.float64).weight.dtype
            graphc.float64
        """
        dtype, place = kwargs.get("dtype"), kwargs.get("device")
        for value in args:
            if isinstance(value, Tensor):
                dtype = value.dtype
            elif isinstance(value, str | Device):
                place = value
            elif value is not None and not isinstance(value, builtins.bool):
                dtype = value
        check_device(place)
        if dtype is None:
            return self
        kind = as_dtype(dtype)
        if not kind.is_float:
            raise DTypeError(
                f"{builtins.type(self).__name__}.to: parameters are floats, and cannot be "
                f"{kind.name}",
                where=caller(),
                hint="use bfloat16, float16, float32 or float64",
            )
        return self._floats(kind)

    def _floats(self, dtype: DTypeLike) -> Any:
        def convert(tensor: Any) -> Any:
            return tensor.to(dtype) if tensor.dtype.is_float else tensor

        return self._apply(convert)

    def float(self) -> Any:
        """Convert all float parameters and buffers to float32, in place.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Linear(1, 1).double().float().weight.dtype
            graphc.float32
        """
        return self._floats(dtypes.float32)

    def double(self) -> Any:
        """Convert all float parameters and buffers to float64, in place.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.Linear(2, 1).double().weight.dtype
            graphc.float64
        """
        return self._floats(dtypes.float64)

    def half(self) -> Any:
        """Convert all float parameters and buffers to float16, in place.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.Linear(2, 1).half().weight.dtype
            graphc.float16
        """
        return self._floats(dtypes.float16)

    def bfloat16(self) -> Any:
        """Convert all float parameters and buffers to bfloat16, in place.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Linear(2, 1).bfloat16().weight.dtype
            graphc.bfloat16
        """
        return self._floats(dtypes.bfloat16)

    def type(self, dst_type: Any) -> Any:
        """Convert all parameters and buffers, of whatever dtype, in place.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.Linear(2, 1).type(gc.float64).weight.dtype
            graphc.float64
        """
        kind = as_dtype(dst_type)
        return self._apply(lambda tensor: tensor.to(kind))

    def cpu(self) -> Any:
        """Do nothing: the CPU is where parameters are.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> layer.cpu() is layer
            True
        """
        return self

    def cuda(self, device: Any = None) -> Any:
        """Move to a CUDA device.

        Raises:
            AttributeValueError: there is none.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> try:
            ...     nn.Linear(2, 1).cuda()
            ... except gc.errors.GraphcError as error:
            ...     print(error.what)
            device 'cuda' is not usable here: eager tensors live on the CPU
        """
        check_device("cuda" if device is None or isinstance(device, int) else device)
        return self


__all__ = ["Converted"]
