"""`torch.nn.modules.activation`."""

from graphc.nn.layers.activation import *  # noqa: F403
from graphc.nn.layers.activation_axis import *  # noqa: F403
from graphc.nn.layers.activation_hard import *  # noqa: F403
from graphc.nn.layers.attention import *  # noqa: F403
