"""`torch.nn.modules.rnn`."""

from graphc.nn.layers.rnn import *  # noqa: F403
from graphc.nn.layers.rnn_base import *  # noqa: F403
from graphc.nn.layers.rnn_cells import *  # noqa: F403
