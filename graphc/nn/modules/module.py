"""`torch.nn.modules.module`."""

from graphc.nn.module.module import Module

__all__ = ["Module"]
