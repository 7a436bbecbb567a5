"""`torch.nn.modules.pooling`."""

from graphc.nn.layers.pooling import *  # noqa: F403
from graphc.nn.layers.pooling_adaptive import *  # noqa: F403
