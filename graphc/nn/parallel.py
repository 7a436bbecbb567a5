"""Models on several devices, by PyTorch's names, on the one that there is.

model = nn.DataParallel(model)
"""

from __future__ import annotations

from typing import Any

from graphc.nn.module.module import Module


class DataParallel(Module):
    """A model that would run on several devices; on one, the model itself.

    Args:
        module: the model; its state has names that begin with `module.`.
        device_ids, output_device, dim: of no effect.

    Example:
        >>> import graphc as gc
        >>> import graphc.nn as nn
        >>> model = nn.DataParallel(nn.ReLU())
        >>> model(gc.tensor([-1.0, 2.0])), model.module
        (tensor([0., 2.]), ReLU())
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.dim = dim
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the model gives.

        Example:
            >>> import graphc as gc
            >>> gc.nn.DataParallel(gc.nn.ReLU()).forward(gc.tensor([-1.0]))
            tensor([0.])
        """
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(DataParallel):
    """A model trained by several processes; by one, the model itself.

    Args:
        module: the model; its state has names that begin with `module.`.
        device_ids, output_device, dim: of no effect, as are PyTorch's other settings.

    Example:
        >>> import graphc as gc
        >>> import graphc.nn as nn
        >>> list(nn.parallel.DistributedDataParallel(nn.Linear(2, 1)).state_dict())
        ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0,
        **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(module, device_ids, output_device, dim)


__all__ = ["DataParallel", "DistributedDataParallel"]
