"""`torch.nn.modules.loss`."""

from graphc.nn.layers.loss import *  # noqa: F403
from graphc.nn.layers.loss import Loss as _Loss
from graphc.nn.layers.loss_classes import *  # noqa: F403

_WeightedLoss = _Loss
