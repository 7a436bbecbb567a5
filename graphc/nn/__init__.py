"""Layers, models, losses and initial values: PyTorch's `torch.nn`.

    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))

Arguments, defaults, initial values and texts are PyTorch's.
"""

from graphc.nn import functional, init, modules, parallel, utils

# isort: off
from graphc.nn.layers.activation import (
    CELU, ELU, GELU, SELU, LeakyReLU, LogSigmoid, Mish, ReLU, Sigmoid, SiLU, Softplus, Softsign,
    Tanh, Tanhshrink,
)  # fmt: skip
from graphc.nn.layers.activation_axis import (
    GLU, LogSoftmax, PReLU, RReLU, Softmax, Softmax2d, Softmin,
)  # fmt: skip
from graphc.nn.layers.activation_hard import (
    Hardshrink, Hardsigmoid, Hardswish, Hardtanh, ReLU6, Softshrink, Threshold,
)  # fmt: skip
from graphc.nn.layers.attention import (
    MultiheadAttention,
)  # fmt: skip
from graphc.nn.layers.conv import (
    Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
)  # fmt: skip
from graphc.nn.layers.distance import (
    CosineSimilarity, PairwiseDistance,
)  # fmt: skip
from graphc.nn.layers.dropout import (
    AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout,
)  # fmt: skip
from graphc.nn.layers.flatten import (
    Flatten, Unflatten,
)  # fmt: skip
from graphc.nn.layers.linear import (
    Bilinear, Identity, Linear,
)  # fmt: skip
from graphc.nn.layers.loss import (
    BCELoss, BCEWithLogitsLoss, GaussianNLLLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss,
    PoissonNLLLoss, SmoothL1Loss,
)  # fmt: skip
from graphc.nn.layers.loss_classes import (
    CosineEmbeddingLoss, CrossEntropyLoss, HingeEmbeddingLoss, MarginRankingLoss,
    MultiLabelMarginLoss, MultiLabelSoftMarginLoss, MultiMarginLoss, NLLLoss, SoftMarginLoss,
    TripletMarginLoss, TripletMarginWithDistanceLoss,
)  # fmt: skip
from graphc.nn.layers.norm import (
    GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm,
)  # fmt: skip
from graphc.nn.layers.norm_batch import (
    BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d,
)  # fmt: skip
from graphc.nn.layers.padding import (
    CircularPad1d, CircularPad2d, CircularPad3d, ConstantPad1d, ConstantPad2d, ConstantPad3d,
    ReflectionPad1d, ReflectionPad2d, ReflectionPad3d, ReplicationPad1d, ReplicationPad2d,
    ReplicationPad3d, ZeroPad1d, ZeroPad2d, ZeroPad3d,
)  # fmt: skip
from graphc.nn.layers.pooling import (
    AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool1d, MaxUnpool2d,
    MaxUnpool3d,
)  # fmt: skip
from graphc.nn.layers.pooling_adaptive import (
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, LPPool1d, LPPool2d, LPPool3d,
)  # fmt: skip
from graphc.nn.layers.rnn import (
    GRU, LSTM, RNN,
)  # fmt: skip
from graphc.nn.layers.rnn_base import (
    RNNBase,
)  # fmt: skip
from graphc.nn.layers.rnn_cells import (
    GRUCell, LSTMCell, RNNCell, RNNCellBase,
)  # fmt: skip
from graphc.nn.layers.sparse import (
    Embedding, EmbeddingBag,
)  # fmt: skip
from graphc.nn.layers.transformer import (
    Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer,
)  # fmt: skip
from graphc.nn.layers.vision import (
    ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, Unfold, Upsample, UpsamplingBilinear2d,
    UpsamplingNearest2d,
)  # fmt: skip

# isort: on
from graphc.nn.module.containers import ModuleDict, ModuleList, Sequential
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.module.parameter_containers import ParameterDict, ParameterList
from graphc.nn.parallel import DataParallel
from graphc.nn.parameter import Buffer, Parameter

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AlphaDropout", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Bilinear",
    "Buffer", "CELU", "ChannelShuffle", "CircularPad1d", "CircularPad2d", "CircularPad3d",
    "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Conv1d", "Conv2d", "Conv3d",
    "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "CosineEmbeddingLoss",
    "CosineSimilarity", "CrossEntropyLoss", "DataParallel", "Dropout", "Dropout1d", "Dropout2d",
    "Dropout3d", "ELU", "Embedding", "EmbeddingBag", "FeatureAlphaDropout", "Flatten", "Fold",
    "GELU", "GLU", "GRU", "GRUCell", "GaussianNLLLoss", "GroupNorm", "Hardshrink", "Hardsigmoid",
    "Hardswish", "Hardtanh", "HingeEmbeddingLoss", "HuberLoss", "Identity", "InstanceNorm1d",
    "InstanceNorm2d", "InstanceNorm3d", "KLDivLoss", "L1Loss", "LPPool1d", "LPPool2d", "LPPool3d",
    "LSTM", "LSTMCell", "LayerNorm", "LeakyReLU", "Linear", "LocalResponseNorm", "LogSigmoid",
    "LogSoftmax", "MSELoss", "MarginRankingLoss", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Mish", "Module", "ModuleDict", "ModuleList",
    "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "MultiheadAttention",
    "NLLLoss", "PReLU", "PairwiseDistance", "Parameter", "ParameterDict", "ParameterList",
    "PixelShuffle", "PixelUnshuffle", "PoissonNLLLoss", "RMSNorm", "RNN", "RNNBase", "RNNCell",
    "RNNCellBase", "RReLU", "ReLU", "ReLU6", "ReflectionPad1d", "ReflectionPad2d",
    "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "SELU",
    "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "SoftMarginLoss", "Softmax", "Softmax2d",
    "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer", "TripletMarginLoss", "TripletMarginWithDistanceLoss", "Unflatten",
    "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d", "functional", "init", "layer", "modules", "parallel", "utils",
]  # fmt: skip
