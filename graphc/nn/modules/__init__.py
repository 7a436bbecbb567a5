"""The layers by PyTorch's other name, `torch.nn.modules`.

from graphc.nn.modules.batchnorm import _BatchNorm
"""

from graphc.nn.layers.activation import *  # noqa: F403
from graphc.nn.layers.activation_axis import *  # noqa: F403
from graphc.nn.layers.activation_hard import *  # noqa: F403
from graphc.nn.layers.attention import *  # noqa: F403
from graphc.nn.layers.conv import *  # noqa: F403
from graphc.nn.layers.distance import *  # noqa: F403
from graphc.nn.layers.dropout import *  # noqa: F403
from graphc.nn.layers.flatten import *  # noqa: F403
from graphc.nn.layers.linear import *  # noqa: F403
from graphc.nn.layers.loss import *  # noqa: F403
from graphc.nn.layers.loss_classes import *  # noqa: F403
from graphc.nn.layers.norm import *  # noqa: F403
from graphc.nn.layers.norm_batch import *  # noqa: F403
from graphc.nn.layers.padding import *  # noqa: F403
from graphc.nn.layers.pooling import *  # noqa: F403
from graphc.nn.layers.pooling_adaptive import *  # noqa: F403
from graphc.nn.layers.rnn import *  # noqa: F403
from graphc.nn.layers.rnn_base import *  # noqa: F403
from graphc.nn.layers.rnn_cells import *  # noqa: F403
from graphc.nn.layers.sparse import *  # noqa: F403
from graphc.nn.layers.transformer import *  # noqa: F403
from graphc.nn.layers.vision import *  # noqa: F403
from graphc.nn.module.containers import ModuleDict, ModuleList, Sequential
from graphc.nn.module.module import Module
from graphc.nn.module.parameter_containers import ParameterDict, ParameterList

__all__ = ["Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
