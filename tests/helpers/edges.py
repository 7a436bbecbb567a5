"""Differentiable functions as PyTorch spells them, and values at which their formulas have edges.

    UNARY["relu"](torch, x)            the same text for graphc and for PyTorch
    EDGES                              nan, infinities, zeros of both signs, kinks, tiny and large

Each function is of a library and its operands, so that one table is read by both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

nan, inf = float("nan"), float("inf")
# Tiny and large ones have squares in float32: of others PyTorch's formulas lose more than ours.
# Where some function has a kink or leaves its domain: 0, 0.5, 1, 2, 3, 6, 20 among them.
KINKS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 6.0, -6.0, 20.0, -20.0)
EDGES = (*KINKS, nan, inf, -inf, 0.3, -0.7, 1e-15, -1e-15, 1e15, -1e15, 100.0, -100.0, 2.5, -1.5)
FEW = (nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-15, 1e15)
Function = Callable[..., Any]


def _of(names: str) -> dict[str, Function]:
    return {name: (lambda lib, *x, n=name: getattr(lib, n)(*x)) for name in names.split()}


def _nn(names: str, **how: Any) -> dict[str, Function]:
    return {
        name: (lambda lib, *x, n=name: getattr(lib.nn.functional, n)(*x, **how))
        for name in names.split()
    }


UNARY: dict[str, Function] = {
    **_of(
        "abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad erf erfc exp exp2 expm1 floor "
        "frac log log10 log1p log2 logit nan_to_num neg positive rad2deg reciprocal relu round "
        "rsqrt selu sigmoid sign sin sinc sinh sqrt square tan tanh trunc"
    ),
    **_nn(
        "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu6 "
        "silu softplus softshrink softsign tanhshrink"
    ),
    "clamp": lambda lib, x: lib.clamp(x, -1.0, 2.0),
    "clamp_min": lambda lib, x: lib.clamp(x, min=0.5),
    "clamp_max": lambda lib, x: lib.clamp(x, max=0.5),
    "elu(alpha)": lambda lib, x: lib.nn.functional.elu(x, 0.5),
    "gelu(tanh)": lambda lib, x: lib.nn.functional.gelu(x, approximate="tanh"),
    "leaky_relu(0)": lambda lib, x: lib.nn.functional.leaky_relu(x, 0.0),
    "threshold": lambda lib, x: lib.nn.functional.threshold(x, 0.5, 7.0),
    "softplus(3)": lambda lib, x: lib.nn.functional.softplus(x, 3.0, 1.5),
    "logit(eps)": lambda lib, x: lib.logit(x, 0.25),
    "nan_to_num(1)": lambda lib, x: lib.nan_to_num(x, 1.0, 2.0, 3.0),
    **{
        f"pow({p})": (lambda lib, x, p=p: x**p) for p in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.5, 1 / 3)
    },
    **{f"{p}**x": (lambda lib, x, p=p: p**x) for p in (0.0, 1.0, 2.0, 0.5)},
    **{f"fmod({p})": (lambda lib, x, p=p: lib.fmod(x, p)) for p in (0.0, 2.0, -1.5, inf)},
    **{f"remainder({p})": (lambda lib, x, p=p: lib.remainder(x, p)) for p in (0.0, 2.0, -1.5, inf)},
    **{f"x/{p}": (lambda lib, x, p=p: x / p) for p in (0.0, inf)},
    **{f"{p}/x": (lambda lib, x, p=p: p / x) for p in (0.0, 1.0, inf)},
    "masked_fill": lambda lib, x: x.masked_fill(x > 0, 2.0),
    "where": lambda lib, x: lib.where(x > 0, x * x, 1.0 / x),
}

BINARY: dict[str, Function] = {
    **_of(
        "add atan2 copysign div fmax fmin fmod hypot logaddexp logaddexp2 maximum minimum mul pow "
        "remainder sub"
    ),
    **_nn("mse_loss l1_loss smooth_l1_loss huber_loss hinge_embedding_loss "
          "kl_div poisson_nll_loss binary_cross_entropy_with_logits", reduction="none"),
    "smooth_l1(2)": lambda lib, x, y: lib.nn.functional.smooth_l1_loss(
        x, y, beta=2.0, reduction="none"),
    "smooth_l1(0)": lambda lib, x, y: lib.nn.functional.smooth_l1_loss(
        x, y, beta=0.0, reduction="none"),
    "huber(2)": lambda lib, x, y: lib.nn.functional.huber_loss(x, y, delta=2.0, reduction="none"),
    "kl_div(log)": lambda lib, x, y: lib.nn.functional.kl_div(
        x, y, log_target=True, reduction="none"),
    "poisson(full)": lambda lib, x, y: lib.nn.functional.poisson_nll_loss(
        x, y, log_input=False, full=True, reduction="none"),
    "margin_ranking": lambda lib, x, y: lib.nn.functional.margin_ranking_loss(
        x, y, lib.ones_like(x), margin=0.5, reduction="none"),
    "gaussian_nll": lambda lib, x, y: lib.nn.functional.gaussian_nll_loss(
        x, y, lib.ones_like(x) * 0.5, reduction="none"),
    "soft_margin": lambda lib, x, y: lib.nn.functional.soft_margin_loss(
        x - y, lib.ones_like(x), reduction="none"),
    "lerp": lambda lib, x, y: lib.lerp(x, y, 0.25),
    "addcdiv": lambda lib, x, y: lib.addcdiv(x, x, y, value=0.5),
    "addcmul": lambda lib, x, y: lib.addcmul(x, x, y, value=0.5),
    "prelu": lambda lib, x, y: lib.where(x > 0, x, x * y),
    "clamp(tensor)": lambda lib, x, y: lib.clamp(x, min=y),
    "where": lambda lib, x, y: lib.where(x > y, x, y),
}  # fmt: skip


def _norm(p: float) -> Function:
    return lambda lib, x: lib.norm(x, p, -1)


ROWS: dict[str, Function] = {
    **{name: (lambda lib, x, n=name: getattr(lib, n)(x, -1))
       for name in ("sum", "mean", "prod", "cumsum", "cumprod", "var", "std", "logsumexp",
                    "softmax", "log_softmax", "amax", "amin")},
    **{name: (lambda lib, x, n=name: getattr(lib, n)(x, -1)[0])
       for name in ["max", "min", "median", "sort"]},
    "topk": lambda lib, x: lib.topk(x, 2, -1)[0],
    "kthvalue": lambda lib, x: lib.kthvalue(x, 2, -1)[0],
    "var(0)": lambda lib, x: lib.var(x, -1, correction=0),
    "aminmax": lambda lib, x: sum(lib.aminmax(x, dim=-1)),
    "std(0)": lambda lib, x: lib.std(x, -1, correction=0),
    "var_mean": lambda lib, x: sum(lib.var_mean(x, -1)),
    **{f"norm({p})": _norm(p) for p in (0, 0.5, 1, 1.5, 2, 3, -1, inf, -inf)},
    "normalize": lambda lib, x: lib.nn.functional.normalize(x, dim=-1),
    "softmin": lambda lib, x: lib.nn.functional.softmin(x, -1),
    "layer_norm": lambda lib, x: lib.nn.functional.layer_norm(x, x.shape[-1:]),
    "rms_norm": lambda lib, x: lib.nn.functional.rms_norm(x, x.shape[-1:], eps=1e-5),
    "glu": lambda lib, x: lib.nn.functional.glu(lib.cat([x, x], -1), -1),
    "cosine_similarity": lambda lib, x: lib.nn.functional.cosine_similarity(
        x, lib.flip(x, (-1,)) * 0.5, -1),
    "pairwise_distance": lambda lib, x: lib.nn.functional.pairwise_distance(
        x, lib.zeros_like(x)),
    "cross_entropy": lambda lib, x: lib.nn.functional.cross_entropy(
        x, lib.zeros_like(x).argmax(-1), reduction="none"),
    "cross_entropy(smooth)": lambda lib, x: lib.nn.functional.cross_entropy(
        x, lib.zeros_like(x).argmax(-1), reduction="none", label_smoothing=0.1),
    "multi_margin": lambda lib, x: lib.nn.functional.multi_margin_loss(
        x, lib.zeros_like(x).argmax(-1), reduction="none"),
    "multi_margin(2)": lambda lib, x: lib.nn.functional.multi_margin_loss(
        x, lib.zeros_like(x).argmax(-1), p=2, reduction="none"),
    "multilabel_margin": lambda lib, x: lib.nn.functional.multilabel_margin_loss(
        x, lib.zeros_like(x).long(), reduction="none"),
    "multilabel_soft_margin": lambda lib, x: lib.nn.functional.multilabel_soft_margin_loss(
        x, lib.ones_like(x), reduction="none"),
    "max_pool1d": lambda lib, x: lib.nn.functional.max_pool1d(x, 2, 1),
    "avg_pool1d": lambda lib, x: lib.nn.functional.avg_pool1d(x, 2, 1),
    "lp_pool1d": lambda lib, x: lib.nn.functional.lp_pool1d(x, 2, 2, 1),
    "adaptive_max_pool1d": lambda lib, x: lib.nn.functional.adaptive_max_pool1d(x, 2),
    "dot": lambda lib, x: (x * lib.flip(x, (-1,))).sum(-1),
    "matmul": lambda lib, x: lib.matmul(x.unsqueeze(-2), x.unsqueeze(-1)),
}  # fmt: skip


def columns(dtype: Any) -> np.ndarray:
    """The values of functions of one operand."""
    return np.array(EDGES, dtype)


def pairs(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of values of functions of two operands."""
    x, y = zip(*itertools.product(FEW, FEW))
    return np.array(x, dtype), np.array(y, dtype)


def rows(dtype: Any) -> np.ndarray:
    """Rows of three: all choices of a few values, so ties, several zeros, and nan among them."""
    few = (nan, inf, -inf, 0.0, -0.0, 1.0, 1.0, -2.0, 0.5)
    return np.array(list(itertools.product(few, repeat=3)), dtype)
