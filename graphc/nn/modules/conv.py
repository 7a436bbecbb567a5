"""`torch.nn.modules.conv`."""

from graphc.nn.layers.conv import *  # noqa: F403
from graphc.nn.layers.conv import _ConvNd as _ConvNd
