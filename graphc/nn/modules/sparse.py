"""`torch.nn.modules.sparse`."""

from graphc.nn.layers.sparse import *  # noqa: F403
