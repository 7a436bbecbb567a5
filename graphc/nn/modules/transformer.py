"""`torch.nn.modules.transformer`."""

from graphc.nn.layers.transformer import *  # noqa: F403
