"""`torch.nn.modules.linear`."""

from graphc.nn.layers.linear import *  # noqa: F403
