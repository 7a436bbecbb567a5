"""`torch.nn.modules.padding`."""

from graphc.nn.layers.padding import *  # noqa: F403
