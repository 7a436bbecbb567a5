"""`gc.nn.functional`: values and gradients beside PyTorch, formulas, differences; errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import networks
import numpy as np
import pytest
from scipy import signal, special

import graphc as gc
import graphc.nn.functional as F
from graphc.errors import GraphcError

# One line a case, by names that both libraries have.
CASES = """
F.relu(a) | F.relu(a * 1, inplace=True) | F.relu6(a * 4) | F.leaky_relu(a) | F.leaky_relu(a, 0.3)
F.elu(a) | F.elu(a, 0.7) | F.elu(a * 1, 0.7, True) | F.selu(a) | F.celu(a, 1.7) | F.silu(a)
F.mish(a) | F.gelu(a) | F.gelu(a, approximate="tanh") | F.hardtanh(a) | F.hardtanh(a, -0.5, 2.0)
F.hardsigmoid(a * 3) | F.hardswish(a * 3) | F.hardshrink(a) | F.hardshrink(a, 1.0) | F.softshrink(a)
F.softshrink(a, 1.0) | F.softplus(a) | F.softplus(a, 3.0, 2.0) | F.logsigmoid(a * 40)
F.softsign(a) | F.tanhshrink(a) | F.threshold(a, 0.1, 20.0) | F.sigmoid(a) | F.tanh(a)
F.prelu(a, d) | F.prelu(seq, ch) | F.prelu(v, d[:1]) | F.prelu(im, d[:1]) | F.rrelu(a)
F.rrelu(a, 0.2, 0.6) | F.glu(a) | F.glu(a, 0) | F.glu(im, 1) | F.softmax(a, 1)
F.softmax(a * 50, dim=0) | F.log_softmax(a, -1) | F.softmin(a, 0) | F.softmax(a, 1, dtype=t.float32)
F.log_softmax(im, 1) | F.softmax(v, 0) | F.one_hot(labels) | F.one_hot(i, 9) | F.linear(a, w, bias3)
F.linear(a, w) | F.linear(im.transpose(1, 3)[..., :4], logits) | F.linear(c, w, bias3)
F.linear(a, c) | F.bilinear(a[:, :3], b[:, :2], tri[:, :3, :2], bias3)
F.bilinear(seq[..., :4], seq[..., 4:], tri) | F.linear(seq[..., :6], w, bias3)
F.layer_norm(a, (6,)) | F.layer_norm(a, (6,), c, d) | F.layer_norm(im, (6, 7))
F.layer_norm(a, [6], c, None, 0.1) | F.rms_norm(a, (6,)) | F.rms_norm(a, (6,), c)
F.rms_norm(im, (6, 7), None, 0.1) | F.group_norm(im, 2) | F.group_norm(im, 2, bias4, ch)
F.group_norm(a, 3, c, d, 0.1) | F.instance_norm(im) | F.instance_norm(seq, weight=bias4, bias=ch)
F.instance_norm(im, rm, rv, use_input_stats=False) | F.batch_norm(a, None, None, training=True)
F.batch_norm(im, None, None, bias4, ch, True) | F.batch_norm(im, rm, rv, bias4, ch)
F.batch_norm(im, rm, rv) | (F.batch_norm(im, rm, rv, bias4, ch, True, 0.3), rm, rv)
(F.instance_norm(seq, rm, rv, momentum=0.2), rm, rv)
F.batch_norm(vol, None, None, training=True, eps=0.1)
(F.batch_norm(seq, rm, rv, training=True), rm, rv) | F.local_response_norm(im, 3)
F.local_response_norm(seq, 2, 0.1, 0.5, 2.0) | F.normalize(a) | F.normalize(a, 1.5, 0)
F.normalize(a, 1, 1) | F.normalize(a * 0 + 1e-20) | F.normalize(a, math.inf) | F.conv1d(seq, full1)
F.conv1d(seq, full1, bias6, 2, 1) | F.conv1d(seq, k1, bias6, padding="same", groups=2)
F.conv1d(seq[0], full1, bias6) | F.conv1d(seq, full1, None, 1, 2, 2)
F.conv1d(seq, full1, padding="valid") | F.conv1d(seq, full1, None, [2], [1], [2])
F.conv2d(im, full2, bias6) | F.conv2d(im, full2, None, 2, 1)
F.conv2d(im, k2, bias6, (2, 1), (1, 0), (1, 2), 2) | F.conv2d(im[0], full2)
F.conv2d(im, full2, padding="same")
F.conv2d(im, k2, bias6, padding="same", groups=2, dilation=(1, 2))
F.conv2d(im, full2[:, :1].reshape(6, 1, 3, 3)[:4], None, 1, 1, 1, 4) | F.conv3d(vol, full3)
F.conv3d(vol, full3, bias3, (1, 2, 1), 1) | F.conv3d(vol, k3, bias4, 1, (0, 1, 1), 1, 2)
F.conv3d(vol[0], full3, bias3) | F.conv_transpose1d(seq, up1)
F.conv_transpose1d(seq, up1, bias3, 2, 1, 1) | F.conv_transpose1d(seq, up1, bias6, 2, groups=2)
F.conv_transpose1d(seq[0], up1) | F.conv_transpose2d(im, up2, bias3, 2, 1, (1, 0))
F.conv_transpose2d(im, up2, None, (1, 2), (1, 0), 0, 1, 2) | F.conv_transpose2d(im[0], up2)
F.conv_transpose3d(vol, up3, None, 2, 0, 1) | F.conv_transpose3d(vol, up3[:, :1], None, 1, 1, 0, 2)
F.unfold(im, 3) | F.unfold(im, (2, 3), 2, 1, (1, 2)) | F.unfold(im[0], 2)
F.fold(F.unfold(im, 3), (6, 7), 3) | F.fold(F.unfold(im, (2, 3), 1, 1, 2), (6, 7), (2, 3), 1, 1, 2)
F.max_pool1d(seq, 2) | F.max_pool1d(seq, 3, 2, 1) | F.max_pool1d(seq, 3, 2, 1, 2)
F.max_pool1d(seq, 2, 2, 0, 1, True) | F.max_pool1d(seq[0], 3, return_indices=True)
F.max_pool2d(im, 2) | F.max_pool2d(im, 3, 2, 1) | F.max_pool2d(im, (3, 2), (1, 2), (1, 0), (2, 1))
F.max_pool2d(im, 3, 2, 1, ceil_mode=True, return_indices=True) | F.max_pool2d(im, 2, ceil_mode=True)
F.max_pool2d(im[0], 2, return_indices=True) | F.max_pool2d(im, 3, 3, 1, 1, True, True)
F.max_pool2d(im, [2, 2]) | F.max_pool3d(vol, 2) | F.max_pool3d(vol, 2, 1, 1, return_indices=True)
F.max_pool3d(vol[0], (2, 3, 2), ceil_mode=True) | F.avg_pool1d(seq, 2) | F.avg_pool1d(seq, 3, 2, 1)
F.avg_pool1d(seq, 2, ceil_mode=True) | F.avg_pool1d(seq[0], 3, 2, 1, True, False)
F.avg_pool2d(im, 2) | F.avg_pool2d(im, 3, 2, 1) | F.avg_pool2d(im, 3, 2, 1, count_include_pad=False)
F.avg_pool2d(im, 3, 2, 1, True) | F.avg_pool2d(im, 3, 2, 1, True, False)
F.avg_pool2d(im, (2, 3), (1, 2), divisor_override=4) | F.avg_pool2d(im[0], 2) | F.avg_pool3d(vol, 2)
F.avg_pool3d(vol, 2, 1, 1, True, False) | F.avg_pool3d(vol[0], (1, 2, 2), ceil_mode=True)
F.lp_pool1d(seq, 2, 3) | F.lp_pool2d(im, 2, 2, 1) | F.lp_pool2d(im, 2, (2, 3), None, True)
F.lp_pool3d(vol, 2, 2) | F.lp_pool2d(im, math.inf, 2) | F.adaptive_avg_pool1d(seq, 3)
F.adaptive_avg_pool1d(seq, 4) | F.adaptive_avg_pool1d(seq, 12) | F.adaptive_avg_pool2d(im, 1)
F.adaptive_avg_pool2d(im, (3, 7)) | F.adaptive_avg_pool2d(im, (4, 3))
F.adaptive_avg_pool2d(im, (None, 2)) | F.adaptive_avg_pool2d(im[0], (5, None))
F.adaptive_avg_pool3d(vol, (2, 1, 3)) | F.adaptive_avg_pool3d(vol, 3)
F.adaptive_max_pool1d(seq, 4) | F.adaptive_max_pool1d(seq, 2, True)
F.adaptive_max_pool2d(im, 1, True) | F.adaptive_max_pool2d(im, (4, 3), return_indices=True)
F.adaptive_max_pool2d(im[0], (None, 5)) | F.adaptive_max_pool3d(vol, (2, 1, 3), True)
F.max_unpool1d(*F.max_pool1d(seq, 2, return_indices=True), 2)
F.max_unpool2d(*F.max_pool2d(im, 2, return_indices=True), 2, output_size=(6, 7))
F.max_unpool2d(*F.max_pool2d(im[0, :, :, :6], 2, return_indices=True), 2)
F.max_unpool3d(*F.max_pool3d(vol, 2, return_indices=True), 2, output_size=(4, 5, 4))
F.pad(a, (1, 2)) | F.pad(a, (1, 2, 0, 3), value=2.5) | F.pad(a, (-1, 2))
F.pad(a, (-1, -2, 1, 0), "constant", 1.0) | F.pad(seq, (2, 1), "reflect")
F.pad(seq, (2, 1), "replicate") | F.pad(seq, (2, 1), "circular")
F.pad(im, (2, 1, 0, 3), "reflect") | F.pad(im, (2, 1, 0, 3), "replicate")
F.pad(im, (2, 1, 0, 3), "circular") | F.pad(vol, (1, 1, 2, 0, 1, 2), "replicate")
F.pad(vol, (1, 1, 2, 0, 1, 2), "circular") | F.pad(vol, (1, 1, 2, 0, 1, 2), "reflect")
F.pad(im, (-1, 4, 5, -3), "reflect") | F.pad(im, (8, -7, -6, 2), "replicate")
F.pad(seq[:0], (1, 2), "replicate") | F.cosine_similarity(a[0, 0], c[1], 0)
F.pad(im, (0, 0, -1, 1), "circular") | F.embedding(i, table) | F.embedding(i, table, padding_idx=1)
F.embedding(i, table, padding_idx=-1) | F.embedding(flat, table, scale_grad_by_freq=True)
F.embedding(labels[0], table) | F.embedding_bag(i, table) | F.embedding_bag(i, table, mode="sum")
F.embedding_bag(i, table, mode="max") | F.embedding_bag(flat, table, starts)
F.embedding_bag(flat, table, starts, mode="sum") | F.embedding_bag(flat, table, starts, mode="max")
F.embedding_bag(i, table, mode="sum", per_sample_weights=a[:2, :4])
F.embedding_bag(flat, table, starts, padding_idx=4) | F.embedding_bag(i, table, padding_idx=1)
F.embedding_bag(flat, table, t.tensor([0, 3, 8]), include_last_offset=True)
F.embedding_bag(i, table, mode="max", padding_idx=1)
F.embedding_bag(flat, table, starts, mode="max", padding_idx=4) | F.cosine_similarity(a, b)
F.cosine_similarity(a, b, 0, 0.1) | F.cosine_similarity(a, c) | F.pairwise_distance(a, b)
F.pairwise_distance(a, b, 1.0, keepdim=True) | F.pairwise_distance(a, b, 3.0)
F.pairwise_distance(a, b, math.inf) | F.pairwise_distance(c, d) | F.pdist(a) | F.pdist(a, 1.0)
F.pdist(a, 3.0) | F.pixel_shuffle(im, 2) | F.pixel_unshuffle(im[:, :, :, :6], 3)
F.pixel_shuffle(im[0], 2) | F.channel_shuffle(im, 2) | F.interpolate(im, 9)
F.interpolate(im, scale_factor=2) | F.interpolate(im, (3, 10))
F.interpolate(im, scale_factor=(0.5, 1.3)) | F.interpolate(im, (4, 9), mode="nearest-exact")
F.interpolate(seq, 5, mode="linear") | F.interpolate(seq, 14, mode="linear", align_corners=True)
F.interpolate(im, (9, 4), mode="bilinear")
F.interpolate(im, (9, 4), mode="bilinear", align_corners=True)
F.interpolate(im, scale_factor=1.7, mode="bilinear")
F.interpolate(im, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)
F.interpolate(vol, (5, 3, 6), mode="trilinear") | F.interpolate(im, (9, 4), mode="bicubic")
F.interpolate(im, (9, 14), mode="bicubic", align_corners=True)
F.interpolate(im, (4, 3), mode="area") | F.upsample(seq, scale_factor=2)
F.interpolate(im, (1, 1), mode="bilinear", align_corners=True)
F.interpolate(im, scale_factor=2, mode="bicubic")
"""
LINES = networks.lines(CASES)


def _run(line: str, names: dict[str, Any]) -> list[Any]:
    return networks.flattened(eval(line, {"math": math}, names))


@pytest.mark.parity
@pytest.mark.parametrize("line", LINES)
def test_values_and_gradients_are_pytorchs(line: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = networks.ours(), networks.torchs(torch)
    own, wanted = _run(line, mine), _run(line, theirs)
    networks.assert_same(own, wanted)
    total = networks.summed(own)
    if not isinstance(total, float) and total.requires_grad:
        total.backward()
        networks.summed(wanted).backward()
        networks.assert_gradients(mine, theirs)


# No derivative there: integers, a step in the gradient on purpose, changes of other arguments.
_NOT_SMOOTH = ("one_hot", "scale_grad_by_freq", "padding_idx", "rm, rv", "dtype", "1e-20")


@pytest.mark.parametrize("line", [x for x in LINES if not any(w in x for w in _NOT_SMOOTH)])
def test_gradients_agree_with_differences(line: str) -> None:
    networks.assert_differences(lambda names: _run(line, names))


def _whole(dtype: type) -> dict[str, np.ndarray]:
    """The floats of the operands as whole numbers of a dtype."""
    return {name: np.round(3 * x).astype(dtype) for name, x in networks.FLOATS.items()}


@pytest.mark.parity
@pytest.mark.parametrize("line", LINES)
def test_integers_give_what_pytorch_gives_or_what_floats_of_the_same_value_give(line: str) -> None:
    """Or are refused: fractions of them, made integers, are 0."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    whole, floats = ({k: gc.tensor(x) for k, x in _whole(t).items()} for t in (int, float))
    try:
        own = _run(line, networks.ours() | whole)
    except (GraphcError, TypeError):
        return
    try:
        theirs = {name: torch.tensor(x) for name, x in _whole(int).items()}
        networks.assert_same(own, _run(line, networks.torchs(torch) | theirs), 1e-4, 1e-4)
    except (AssertionError, RuntimeError, TypeError, ValueError):
        for a, b in zip(own, _run(line, networks.ours() | floats), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-4, 1e-4)


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * special.ndtr(x)


FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(x)),
    "silu": lambda x: x * special.expit(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "gelu": _gelu,
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "softplus": lambda x: np.logaddexp(x, 0),
    "logsigmoid": special.log_expit,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanhshrink": lambda x: x - np.tanh(x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_their_formulas(name: str, dtype: Any) -> None:
    x = np.concatenate([np.linspace(-8, 8, 1001), [0.0, -30.0, 30.0]]).astype(dtype)
    y = getattr(F, name)(gc.tensor(x))
    expected = FORMULAS[name](x.astype(np.float64))
    assert y.numpy().dtype == dtype
    tight = 1e-12 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(y.numpy(), expected, tight, tight)


@pytest.mark.parametrize("name", ["relu", "elu", "silu", "hardtanh", "hardswish", "celu", "mish"])
def test_in_place_writes_into_the_tensor_and_differentiates(name: str) -> None:
    x = gc.tensor([-2.0, -0.3, 0.4, 3.5], requires_grad=True)
    y = x * 1
    z = getattr(F, name)(y, inplace=True)
    assert z is y
    z.sum().backward()
    own = x.grad.clone()
    x.grad = None
    getattr(F, name)(x).sum().backward()
    assert gc.equal(own, x.grad)


def test_symbolic_tensors_take_the_same_functions() -> None:
    n = gc.dim("n")
    x, w = gc.input("x", (n, 6)), gc.input("w", (3, 6))
    y = F.log_softmax(F.gelu(F.linear(x, w)), dim=1)
    program = gc.compile([x, w], y)
    a, b = networks.FLOATS["a"].astype(np.float32), networks.FLOATS["w"].astype(np.float32)
    expected = special.log_softmax(_gelu((a @ b.T).astype(np.float64)), 1)
    np.testing.assert_allclose(program(a, b), expected, 1e-5, 1e-6)


def test_convolution_is_scipys_correlation() -> None:
    x, w = networks.FLOATS["im"], networks.FLOATS["full2"]
    expected = [
        [sum(signal.correlate(x[n, c], w[o, c], "valid") for c in range(4)) for o in range(6)]
        for n in range(2)
    ]
    y = F.conv2d(gc.tensor(x), gc.tensor(w))
    np.testing.assert_allclose(y.numpy(), np.array(expected), 1e-10, 1e-10)


def test_pooling_takes_each_window() -> None:
    x = networks.FLOATS["im"]
    room = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    seen = np.lib.stride_tricks.sliding_window_view(room, (3, 2), (2, 3))[:, :, ::2, ::3]
    best = F.max_pool2d(gc.tensor(x), (3, 2), (2, 3), 1)
    assert np.array_equal(best.numpy(), seen.max((-1, -2)))
    inside = np.where(np.isinf(seen), 0, seen)
    mean = F.avg_pool2d(gc.tensor(x), (3, 2), (2, 3), 1)
    np.testing.assert_allclose(mean.numpy(), inside.mean((-1, -2)), 1e-12)
    count = F.avg_pool2d(gc.tensor(x), (3, 2), (2, 3), 1, count_include_pad=False)
    many = np.isfinite(seen).sum((-1, -2))
    np.testing.assert_allclose(count.numpy(), inside.sum((-1, -2)) / many)


def test_normalization_gives_mean_0_and_variance_1() -> None:
    x = gc.tensor(networks.FLOATS["im"])
    for y, axes in [
        (F.batch_norm(x, None, None, training=True, eps=0), (0, 2, 3)),
        (F.instance_norm(x, eps=0), (2, 3)),
        (F.layer_norm(x, (6, 7), eps=0), (2, 3)),
        (F.group_norm(x, 1, eps=0), (1, 2, 3)),
    ]:
        np.testing.assert_allclose(y.numpy().mean(axes), 0, atol=1e-12)
        np.testing.assert_allclose(y.numpy().var(axes), 1)


def test_running_statistics_move_in_place() -> None:
    x = networks.FLOATS["a"]
    mean, var = gc.zeros(6, dtype=gc.float64), gc.ones(6, dtype=gc.float64)
    F.batch_norm(gc.tensor(x), mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * x.mean(0))
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * x.var(0, ddof=1))
    assert not mean.requires_grad


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_share_and_the_mean(p: float) -> None:
    gc.manual_seed(0)
    x = gc.ones(400, 500, requires_grad=True)
    y = F.dropout(x, p)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 5e-3
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / (1 - p), 1e-6)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy() != 0, kept)
    assert not np.array_equal(F.dropout(x, p).detach().numpy() != 0, kept)
    gc.manual_seed(0)
    assert np.array_equal(F.dropout(x, p).detach().numpy() != 0, kept)


def test_dropout_settings() -> None:
    x = gc.ones(50, 40, 3)
    assert F.dropout(x, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert not F.dropout(x, 1.0).numpy().any()
    y = gc.ones(1000)
    assert F.dropout(y, 0.5, inplace=True) is y
    assert 300 < np.count_nonzero(y.numpy()) < 700
    whole = F.dropout1d(x, 0.5).numpy()
    assert set(np.unique(whole.sum(2))) == {0.0, 6.0}
    single = F.dropout1d(x[0], 0.5).numpy()
    assert set(np.unique(single.sum(1))) <= {0.0, 6.0}
    images = F.dropout2d(gc.ones(9, 8, 2, 2), 0.5).numpy()
    assert set(np.unique(images.sum((2, 3)))) == {0.0, 8.0}
    volumes = F.dropout3d(gc.ones(9, 8, 2, 2, 2), 0.5).numpy()
    assert set(np.unique(volumes.sum((2, 3, 4)))) == {0.0, 16.0}


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    gc.manual_seed(1)
    x = gc.randn(500, 500)
    y = F.alpha_dropout(x, 0.3, training=True).numpy()
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.02
    z = F.feature_alpha_dropout(gc.randn(200, 50, 4), 0.5, training=True).numpy()
    spread = z.std(2)
    assert 0.4 < (spread < 1e-6).mean() < 0.6


def test_rrelu_draws_slopes_in_training() -> None:
    gc.manual_seed(2)
    x = gc.full((10000,), -1.0)
    slopes = -F.rrelu(x, 0.2, 0.6, training=True).numpy()
    assert 0.2 <= slopes.min() < slopes.max() <= 0.6
    assert abs(slopes.mean() - 0.4) < 0.01


def test_gumbel_softmax_draws_from_the_distribution() -> None:
    gc.manual_seed(3)
    probs = np.array([0.1, 0.2, 0.7], np.float32)
    logits = gc.tensor(np.log(probs)).expand(20000, 3).clone().requires_grad_()
    y = F.gumbel_softmax(logits, hard=True)
    values = y.detach().numpy()
    np.testing.assert_allclose(values.sum(1), 1, 1e-6)
    np.testing.assert_allclose(values.mean(0), probs, atol=0.02)
    (y * gc.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad.numpy().any()


def test_embedding_max_norm_scales_the_rows_used() -> None:
    table = gc.tensor([[3.0, 4.0], [30.0, 40.0], [0.3, 0.4]], requires_grad=True)
    y = F.embedding(gc.tensor([0, 2]), table, max_norm=1.0)
    np.testing.assert_allclose(y.detach().numpy(), [[0.6, 0.8], [0.3, 0.4]], 1e-5)
    np.testing.assert_allclose(table.detach().numpy()[1], [30, 40])


ERRORS: list[tuple[str, str]] = [
    ("F.linear(t.ones(2, 5), t.ones(3, 4))",
     "linear: the input has 5 features, the weight (out 3, in 4) takes 4"),
    ("F.linear(t.ones(2, 4), t.ones(3, 4), t.ones(4))", "the bias has shape (4,)"),
    ("F.conv2d(t.ones(2, 3), t.ones(1, 1, 2, 2))",
     "conv2d: the input must be (N, C, H, W) or (C, H, W)"),
    ("F.conv2d(t.ones(1, 3, 4, 4), t.ones(2, 4, 2, 2))", "x has 3 channels"),
    ("F.conv2d(t.ones(1, 1, 2, 2), t.ones(1, 1, 3, 3))", "does not fit the padded image"),
    ("F.conv1d(t.ones(1, 1, 4), t.ones(1, 1, 2, 2))", "the weight must have 3 axes"),
    ("F.max_pool2d(t.ones(1, 1, 2, 2), 3)", "max_pool2d: a kernel of (3, 3) does not fit"),
    ("F.max_pool2d(t.ones(1, 1, 4, 4), 2, padding=2)", "more than half the kernel size"),
    ("F.avg_pool1d(t.ones(4), 2)", "avg_pool1d: the input must be (N, C, L) or (C, L)"),
    ("F.avg_pool2d(t.ones(1, 1, 4, 4), 2, divisor_override=0)", "divisor_override is 0"),
    ("F.batch_norm(t.ones(2, 3), t.ones(4), t.ones(4))",
     "the input has 3 channels, running_mean has shape (4,)"),
    ("F.batch_norm(t.ones(1, 3), None, None, training=True)", "more than 1 value per channel"),
    ("F.batch_norm(t.ones(2, 3), None, None)", "outside training"),
    ("F.layer_norm(t.ones(2, 3), (4,))",
     "normalized_shape (4,) is not the end of the input's shape (2, 3)"),
    ("F.group_norm(t.ones(2, 3), 2)", "3 channels do not make 2 groups"),
    ("F.instance_norm(t.ones(2, 3, 1))", "more than 1 place per channel"),
    ("F.glu(t.ones(2, 3))", "must have an even size"),
    ("F.prelu(t.ones(2, 3), t.ones(2))", "2"),
    ("F.hardtanh(t.ones(2), 1.0, 0.0)", "min_val 1.0 is greater than max_val 0.0"),
    ("F.gelu(t.ones(2), 'erf')", "approximate='erf'"),
    ("F.dropout(t.ones(2), 1.5)", "p=1.5 is no probability"),
    ("F.embedding(t.ones(2), t.ones(3, 2))", "indices must be integers, not float32"),
    ("F.embedding(t.tensor([0]), t.ones(3, 2), padding_idx=3)",
     "padding_idx 3 is outside the 3 rows"),
    ("F.embedding(t.tensor([3]), t.ones(3, 2))", "3"),
    ("F.embedding(t.tensor([-1]), t.ones(3, 2))", "-1"),
    ("F.embedding_bag(t.tensor([0]), t.ones(3, 2))", "(n,) with offsets"),
    ("F.pad(t.ones(2), (1,))", "1 widths"),
    ("F.pad(t.ones(2), (1, 1), 'mirror')", "mode='mirror'"),
    ("F.pad(t.ones(1, 1, 2), (2, 0), 'reflect')", "reflect"),
    ("F.interpolate(t.ones(1, 1, 2), 3, mode='bilinear')", "mode='bilinear'"),
    ("F.interpolate(t.ones(1, 1, 2))", "size or scale_factor"),
    ("F.interpolate(t.ones(1, 1, 2, dtype=t.int64), 3, mode='linear')", "float dtype"),
    ("F.adaptive_avg_pool1d(t.ones(1, 1, 2, dtype=t.uint8), 1)", "float dtype"),
    ("F.pixel_shuffle(t.ones(3, 2, 2), 2)", "3 channels"),
    ("F.one_hot(t.tensor([3]), 2)", "3"),
    ("F.softplus('x')", ""),
    ("F.max_unpool1d(t.ones(1, 1, 2), t.zeros(1, 1, 3, dtype=t.int64), 2)", "indices"),
    ("F.bilinear(t.ones(1, 2), t.ones(1, 2), t.ones(4, 2, 3))", "takes (*, 2) and (*, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), ERRORS)
def test_errors_say_what_is_wrong(source: str, text: str) -> None:
    with pytest.raises((GraphcError, TypeError)) as found:
        eval(source, {"F": F, "t": gc})
    message = str(found.value)
    assert text in message
    assert len(message.splitlines()) <= 12


def test_one_call_is_one_operation() -> None:
    names = networks.ours(np.float32)
    for line, name in [
        ("F.linear(a, w, bias3)", "AddmmBackward0"),
        ("F.relu(a)", "ReluBackward0"),
        ("F.conv2d(im, full2, bias6)", "ConvolutionBackward0"),
        ("F.batch_norm(im, rm, rv, training=True)", "NativeBatchNormBackward0"),
        ("F.max_pool2d(im, 2)", "MaxPoolWithIndicesBackward0"),
        ("F.cross_entropy(logits, labels)", "NllLossBackward0"),
        ("F.gelu(a)", "GeluBackward0"),
        ("F.softmax(a, 1)", "SoftmaxBackward0"),
        ("F.layer_norm(a, (6,), c, d)", "NativeLayerNormBackward0"),
    ]:
        fn = eval(line, names).grad_fn
        assert fn.name == name or type(fn).__name__ == name or name in repr(fn)
        beyond = [step for step, _ in fn.next_functions if step is not None]
        assert all("AccumulateGrad" in repr(step) for step in beyond)
