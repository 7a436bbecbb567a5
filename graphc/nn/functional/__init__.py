"""Layers as functions: PyTorch's `torch.nn.functional`.

    import graphc.nn.functional as F

    y = F.relu(F.conv2d(x, weight, bias, padding=1))

Each is one operation in eager mode; on symbolic tensors each builds its graph.
"""

# isort: off
from graphc.nn.functional.activation import (
    celu, elu, gelu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, logsigmoid, mish,
    relu, relu6, selu, sigmoid, silu, softplus, softshrink, softsign, tanh, tanhshrink, threshold,
)  # fmt: skip
from graphc.nn.functional.attention import (
    scaled_dot_product_attention,
)  # fmt: skip
from graphc.nn.functional.conv import (
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, fold, unfold,
)  # fmt: skip
from graphc.nn.functional.distance import (
    cosine_embedding_loss, cosine_similarity, hinge_embedding_loss, margin_ranking_loss,
    pairwise_distance, pdist, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from graphc.nn.functional.dropout import (
    alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout,
)  # fmt: skip
from graphc.nn.functional.embedding import (
    embedding, embedding_bag,
)  # fmt: skip
from graphc.nn.functional.gated import (
    glu, prelu, rrelu,
)  # fmt: skip
from graphc.nn.functional.heads import (
    multi_head_attention_forward,
)  # fmt: skip
from graphc.nn.functional.length import (
    normalize,
)  # fmt: skip
from graphc.nn.functional.linear import (
    bilinear, linear,
)  # fmt: skip
from graphc.nn.functional.loss import (
    binary_cross_entropy, binary_cross_entropy_with_logits, gaussian_nll_loss, huber_loss, kl_div,
    l1_loss, mse_loss, poisson_nll_loss, smooth_l1_loss,
)  # fmt: skip
from graphc.nn.functional.loss_classes import (
    cross_entropy, multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, nll_loss,
)  # fmt: skip
from graphc.nn.functional.norm import (
    batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, rms_norm,
)  # fmt: skip
from graphc.nn.functional.padding import (
    pad,
)  # fmt: skip
from graphc.nn.functional.pooling import (
    avg_pool1d, avg_pool2d, avg_pool3d, lp_pool1d, lp_pool2d, lp_pool3d, max_pool1d, max_pool2d,
    max_pool3d,
)  # fmt: skip
from graphc.nn.functional.pooling_adaptive import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool2d, adaptive_max_pool3d,
)  # fmt: skip
from graphc.nn.functional.softmax import (
    gumbel_softmax, log_softmax, one_hot, softmax, softmin,
)  # fmt: skip
from graphc.nn.functional.unpooling import (
    max_unpool1d, max_unpool2d, max_unpool3d,
)  # fmt: skip
from graphc.nn.functional.vision import (
    channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle, upsample,
)  # fmt: skip
# isort: on

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "alpha_dropout", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "celu", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss",
    "cosine_similarity", "cross_entropy", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu",
    "embedding", "embedding_bag", "feature_alpha_dropout", "fold", "gaussian_nll_loss", "gelu",
    "glu", "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss",
    "layer_norm", "leaky_relu", "linear", "local_response_norm", "log_softmax", "logsigmoid",
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool2d",
    "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss",
    "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance",
    "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "relu", "relu6",
    "rms_norm", "rrelu", "scaled_dot_product_attention", "selu", "sigmoid", "silu",
    "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink",
    "softsign", "tanh", "tanhshrink", "threshold", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "unfold", "upsample",
]  # fmt: skip
