"""`torch.nn.modules.batchnorm`."""

from graphc.nn.layers.norm_batch import *  # noqa: F403
from graphc.nn.layers.norm_batch import _BatchNorm as _BatchNorm
