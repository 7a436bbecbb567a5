"""`torch.nn.modules.normalization`."""

from graphc.nn.layers.norm import *  # noqa: F403
