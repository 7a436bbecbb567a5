"""`torch.nn.modules.dropout`."""

from graphc.nn.layers.dropout import *  # noqa: F403
from graphc.nn.layers.dropout import _Dropout as _DropoutNd  # noqa: F401
