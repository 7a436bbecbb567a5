"""Layers: outputs, gradients, texts and states beside PyTorch; first values; running statistics."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from typing import Any

import networks
import numpy as np
import pytest
from scipy import stats

import graphc as gc
from graphc import nn
from graphc.errors import GraphcError

# One line a case: a layer, and what it is called with.
CASES = """
nn.Identity(3, x=4) : a | nn.Linear(6, 3) : a | nn.Linear(6, 3, bias=False) : a
nn.Linear(7, 2) : im | nn.Linear(6, 3) : c | nn.Bilinear(6, 6, 2) : a, b
nn.Bilinear(6, 6, 2, bias=False) : a, b | nn.ReLU() : a | nn.ReLU(inplace=True) : a * 1
nn.ReLU6() : a * 4 | nn.LeakyReLU() : a | nn.LeakyReLU(0.3, True) : a * 1 | nn.PReLU() : a
nn.PReLU(4, 0.1) : im | nn.RReLU(0.1, 0.5).eval() : a | nn.ELU(0.7) : a | nn.CELU(0.7) : a
nn.SELU() : a | nn.GELU() : a | nn.GELU("tanh") : a | nn.SiLU() : a | nn.SiLU(True) : a * 1
nn.Mish() : a | nn.Sigmoid() : a | nn.LogSigmoid() : a | nn.Tanh() : a | nn.Softplus(2.0, 3.0) : a
nn.Softshrink(0.3) : a | nn.Hardshrink() : a | nn.Softsign() : a | nn.Tanhshrink() : a
nn.Threshold(0.1, 20.0) : a | nn.GLU() : a | nn.GLU(0) : a | nn.Softmax(1) : a
nn.Softmin(dim=0) : a | nn.LogSoftmax(dim=1) : a | nn.Softmax2d() : im | nn.Hardtanh() : a
nn.Hardtanh(-2, 0.5) : a | nn.Hardswish() : a * 3 | nn.Hardsigmoid() : a * 3
nn.ELU(inplace=True) : a * 1 | nn.Threshold(0, 1, True) : a * 1 | nn.Hardtanh(inplace=True) : a * 1
nn.Conv1d(4, 6, 3) : seq
nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False) : seq
nn.Conv1d(4, 6, 3, padding="same", padding_mode="circular") : seq | nn.Conv1d(4, 6, 3) : seq[0]
nn.Conv1d(4, 4, 3, padding="valid") : seq
nn.Conv1d(4, 6, 3, padding=2, padding_mode="reflect") : seq
nn.Conv1d(4, 6, (3,), padding=(2,), padding_mode="replicate") : seq | nn.Conv2d(4, 6, 3) : im
nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2) : im
nn.Conv2d(4, 6, 3, padding="same") : im
nn.Conv2d(4, 6, (2, 3), padding="same", padding_mode="reflect", bias=False) : im
nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="circular") : im
nn.Conv2d(4, 6, 3, 2, (1, 2), padding_mode="replicate") : im[0] | nn.Conv2d(4, 4, 3, groups=4) : im
nn.Conv3d(2, 3, 2) : vol | nn.Conv3d(2, 4, (2, 3, 2), (1, 2, 1), (0, 1, 1), groups=2) : vol
nn.Conv3d(2, 3, 3, padding=1, padding_mode="circular") : vol[0]
nn.Conv3d(2, 3, 3, padding=1, padding_mode="replicate") : vol
nn.ConvTranspose1d(4, 6, 3, 2, 1, 1) : seq
nn.ConvTranspose1d(4, 6, 3, groups=2, bias=False, dilation=2) : seq
nn.ConvTranspose2d(4, 3, 3, 2, 1, (1, 0)) : im
nn.ConvTranspose2d(4, 4, (3, 2), (1, 2), groups=2) : im[0]
nn.ConvTranspose2d(4, 3, 3, 2, 1) : im, [12, 13] | nn.ConvTranspose3d(2, 3, 2, 2, 0, 1) : vol
nn.ConvTranspose1d(4, 3, 3, 2) : seq, (2, 3, 20) | nn.BatchNorm1d(6) : a | nn.BatchNorm1d(4) : seq
nn.BatchNorm1d(6, 0.1, 0.3) : a | nn.BatchNorm1d(6, momentum=None) : a
nn.BatchNorm1d(6, affine=False) : a | nn.BatchNorm1d(6, track_running_stats=False) : a
nn.BatchNorm1d(6).eval() : a | nn.BatchNorm1d(6, track_running_stats=False).eval() : a
nn.BatchNorm2d(4) : im | nn.BatchNorm2d(4).eval() : im | nn.BatchNorm3d(2) : vol
nn.BatchNorm2d(4, bias=False) : im | nn.InstanceNorm1d(4) : seq | nn.InstanceNorm1d(4) : seq[0]
nn.InstanceNorm2d(4, affine=True) : im | nn.InstanceNorm2d(4, track_running_stats=True) : im
nn.InstanceNorm2d(4, track_running_stats=True).eval() : im
nn.InstanceNorm3d(2, affine=True, bias=False) : vol | nn.LayerNorm(6) : a
nn.LayerNorm((6, 7)) : im | nn.LayerNorm([6, 7], 0.1, False) : im | nn.LayerNorm(6, bias=False) : a
nn.GroupNorm(2, 4) : im | nn.GroupNorm(3, 6, 0.1, False) : a | nn.GroupNorm(2, 4, bias=False) : seq
nn.RMSNorm(6) : a | nn.RMSNorm((6, 7), 0.1, False) : im | nn.LocalResponseNorm(2) : im
nn.LocalResponseNorm(3, 0.1, 0.5, 2.0) : seq | nn.MaxPool1d(2) : seq
nn.MaxPool1d(3, 2, 1, return_indices=True) : seq | nn.MaxPool2d(2) : im
nn.MaxPool2d((3, 2), 1, 1, 2, ceil_mode=True) : im | nn.MaxPool2d(3, 2, 1) : im[0]
nn.MaxPool3d(2, 1) : vol | nn.AvgPool1d(3, 2, 1) : seq | nn.AvgPool2d(2) : im
nn.AvgPool2d((3, 2), 2, 1, True, False) : im | nn.AvgPool2d(2, divisor_override=3) : im
nn.AvgPool3d(2, 1, 1, False, False) : vol | nn.LPPool1d(2, 3) : seq
nn.LPPool2d(2, 2, 1, True) : im | nn.LPPool3d(2, 2) : vol | nn.AdaptiveAvgPool1d(4) : seq
nn.AdaptiveAvgPool2d(1) : im | nn.AdaptiveAvgPool2d((None, 3)) : im
nn.AdaptiveAvgPool3d((2, 2, 3)) : vol | nn.AdaptiveMaxPool1d(4, True) : seq
nn.AdaptiveMaxPool2d((2, None)) : im | nn.AdaptiveMaxPool3d(2) : vol
nn.MaxUnpool1d(2) : *nn.MaxPool1d(2, return_indices=True)(seq[..., :8])
nn.MaxUnpool2d(2, 2) : *nn.MaxPool2d(2, return_indices=True)(im), (6, 7)
nn.MaxUnpool3d(1) : *nn.MaxPool3d(1, return_indices=True)(vol) | nn.ZeroPad1d(1) : seq
nn.ZeroPad2d((1, 2, 0, 3)) : im | nn.ZeroPad3d(1) : vol | nn.ConstantPad1d(2, 3.5) : seq
nn.ConstantPad2d(1, 0.5) : im | nn.ConstantPad3d((1, 2, 3, 0, 1, 1), 3) : vol
nn.ReflectionPad1d(2) : seq | nn.ReflectionPad2d((1, 2, 0, 3)) : im | nn.ReflectionPad3d(1) : vol
nn.ReplicationPad1d((2, 0)) : seq | nn.ReplicationPad2d(2) : im | nn.ReplicationPad3d(1) : vol
nn.CircularPad1d(2) : seq | nn.CircularPad2d(1) : im | nn.CircularPad3d(1) : vol
nn.Dropout().eval() : a | nn.Dropout(0.0) : a | nn.Dropout1d(0.1).eval() : seq
nn.Dropout2d(0.1, True).eval() : im | nn.Dropout3d().eval() : vol | nn.AlphaDropout().eval() : a
nn.FeatureAlphaDropout().eval() : im | nn.Dropout(1.0) : a | nn.Embedding(7, 3) : i
nn.Embedding(7, 3, padding_idx=2) : i | nn.Embedding(7, 3, -1, scale_grad_by_freq=True) : i
nn.Embedding(7, 3, max_norm=0.5, norm_type=1.0) : i | nn.EmbeddingBag(7, 3) : i
nn.EmbeddingBag(7, 3, mode="max") : flat, starts
nn.EmbeddingBag(7, 3, mode="sum", padding_idx=1) : i, None, a[:2, :4]
nn.EmbeddingBag(7, 3, max_norm=1.0, norm_type=3.0, mode="sum") : i
nn.Flatten() : im | nn.Flatten(0, 1) : im | nn.Unflatten(1, (2, 2)) : im
nn.Unflatten(-1, (3, 2)) : a | nn.CosineSimilarity() : a, b | nn.CosineSimilarity(0, 0.1) : a, b
nn.PairwiseDistance() : a, b | nn.PairwiseDistance(1.0, 0.1, True) : a, b | nn.PixelShuffle(2) : im
nn.PixelUnshuffle(3) : im[..., :6] | nn.ChannelShuffle(2) : im | nn.Upsample(9) : im
nn.Upsample(scale_factor=2, mode="bilinear") : im
nn.Upsample((4, 9), mode="bicubic", align_corners=True) : im
nn.Upsample(scale_factor=(2, 1.5)) : im | nn.UpsamplingNearest2d(scale_factor=2) : im
nn.UpsamplingBilinear2d((9, 3)) : im | nn.Unfold((2, 3), 1, 1, 2) : im | nn.Unfold(2) : im
nn.Fold((6, 7), 3) : nn.Unfold(3)(im)
"""
LINES = networks.lines(CASES)


def _made(line: str, names: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The layer in float64, and its arguments."""
    made, given = line.split(" : ")
    layer = eval(made, {}, names).double()
    return layer, eval(f"[{given}]", {}, names)


def _fill(layer: Any, tensor: Any) -> None:
    """Values that do not depend on a generator, in a layer of either library."""
    for seed, value in enumerate(layer.state_dict().values()):
        array = value.numpy()
        if array.dtype.kind == "f":
            array[...] = np.random.RandomState(seed).rand(*array.shape) + 0.3


@pytest.mark.parity
@pytest.mark.parametrize("line", LINES)
def test_layers_are_pytorchs(line: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = networks.ours(), networks.torchs(torch)
    (layer, given), (other, args) = _made(line, mine), _made(line, theirs)
    assert repr(layer) == repr(other)
    state, expected = layer.state_dict(), other.state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == {
        k: tuple(v.shape) for k, v in expected.items()
    }
    _fill(layer, gc.tensor)
    _fill(other, torch.tensor)
    own, wanted = networks.flattened(layer(*given)), networks.flattened(other(*args))
    networks.assert_same(own, wanted)
    # Running statistics and tables that were scaled, too.
    networks.assert_same(list(layer.state_dict().values()), list(other.state_dict().values()))
    total = networks.summed(own)
    if not isinstance(total, float) and total.requires_grad:
        total.backward()
        networks.summed(wanted).backward()
        networks.assert_gradients(mine, theirs)
        for (name, p), q in zip(layer.named_parameters(), other.parameters()):
            assert (p.grad is None) == (q.grad is None)
            if q.grad is not None:
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), 1e-6, 1e-8, err_msg=name)


@pytest.mark.parity
def test_signatures_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for name in sorted({line.split("(")[0].removeprefix("nn.") for line in LINES}):
        own = inspect.signature(getattr(nn, name).__init__).parameters.values()
        other = inspect.signature(getattr(torch.nn, name).__init__).parameters.values()
        if any(p.kind is p.VAR_POSITIONAL for p in other):
            continue
        assert [(p.name, p.default, p.kind) for p in own] == [
            (p.name, p.default, p.kind) for p in other
        ], name


# Layers whose parameters are differentiated here, without PyTorch.
SMOOTH = [
    x
    for x in LINES
    if any(f"nn.{k}" in x for k in ("Linear", "Bilinear", "Conv", "Norm", "PReLU", "Embedding"))
    and not any(w in x for w in ("padding_idx", "scale", "max_norm", "eval", "Embedding(7, 3)"))
]


@pytest.mark.parametrize("line", SMOOTH)
def test_gradients_of_parameters_agree_with_differences(line: str) -> None:
    names = networks.ours()
    layer, given = _made(line, names)
    _fill(layer, gc.tensor)
    parameters = list(layer.parameters())
    if not parameters:
        pytest.skip("no parameters")

    def value() -> Any:
        return networks.summed(networks.flattened(layer(*given)))

    value().backward()
    ways = [np.sin(1 + np.arange(p.numel())).reshape(p.shape) for p in parameters]
    expected = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(parameters, ways))
    around = []
    for step in (1e-6, -2e-6):
        with gc.no_grad():
            for p, way in zip(parameters, ways):
                p.add_(gc.tensor(way), alpha=step)
        around.append(value().item())
    assert (around[0] - around[1]) / 2e-6 == pytest.approx(expected, rel=1e-5, abs=1e-5)


# (layer, parameter, the bound of its uniform distribution)
UNIFORM = [
    (lambda: nn.Linear(400, 300), "weight", 1 / 20),
    (lambda: nn.Linear(400, 3000), "bias", 1 / 20),
    (lambda: nn.Bilinear(100, 30, 40), "weight", 1 / 10),
    (lambda: nn.Bilinear(100, 3, 4000), "bias", 1 / 10),
    (lambda: nn.Conv1d(40, 50, 5), "weight", 1 / math.sqrt(200)),
    (lambda: nn.Conv2d(40, 60, 3, groups=4), "weight", 1 / math.sqrt(90)),
    (lambda: nn.Conv2d(10, 4000, 3), "bias", 1 / math.sqrt(90)),
    (lambda: nn.Conv3d(10, 40, 2), "weight", 1 / math.sqrt(80)),
    (lambda: nn.ConvTranspose2d(40, 60, 3, groups=4), "weight", 1 / math.sqrt(135)),
    (lambda: nn.ConvTranspose1d(4, 3000, 3), "bias", 1 / math.sqrt(9000)),
]


@pytest.mark.parametrize(("make", "name", "bound"), UNIFORM)
def test_parameters_start_uniform(make: Any, name: str, bound: float) -> None:
    gc.manual_seed(0)
    values = getattr(make(), name).detach().numpy().ravel()
    found = stats.kstest(values, stats.uniform(-bound, 2 * bound).cdf)
    assert found.pvalue > 1e-3
    assert np.abs(values).max() <= bound


def test_other_first_values() -> None:
    gc.manual_seed(0)
    table = nn.Embedding(300, 50, padding_idx=7).weight.detach().numpy()
    assert not table[7].any()
    assert stats.kstest(np.delete(table, 7, 0).ravel(), "norm").pvalue > 1e-3
    norm = nn.BatchNorm2d(5)
    assert norm.weight.detach().numpy().tolist() == norm.running_var.numpy().tolist() == [1.0] * 5  # type: ignore[union-attr]
    assert norm.bias.detach().numpy().tolist() == norm.running_mean.numpy().tolist() == [0.0] * 5  # type: ignore[union-attr]
    assert norm.num_batches_tracked.item() == 0
    assert norm.num_batches_tracked.dtype is gc.int64
    assert nn.PReLU(3).weight.detach().numpy().tolist() == [0.25] * 3


def test_running_statistics_over_batches() -> None:
    batches = [np.random.RandomState(k).randn(20, 3, 4) * (k + 1) for k in range(4)]
    moving, average = nn.BatchNorm1d(3).double(), nn.BatchNorm1d(3, momentum=None).double()
    expected = np.zeros(3)
    for x in batches:
        moving(gc.tensor(x))
        average(gc.tensor(x))
        expected = 0.9 * expected + 0.1 * x.mean((0, 2))
    np.testing.assert_allclose(moving.running_mean.numpy(), expected, 1e-10)
    every = np.mean([x.mean((0, 2)) for x in batches], 0)
    np.testing.assert_allclose(average.running_mean.numpy(), every, 1e-10)
    spread = np.mean([x.transpose(1, 0, 2).reshape(3, -1).var(1, ddof=1) for x in batches], 0)
    np.testing.assert_allclose(average.running_var.numpy(), spread, 1e-10)
    assert average.num_batches_tracked.item() == 4
    before = moving.running_mean
    moving.eval()(gc.tensor(batches[0]))
    assert moving.running_mean is before
    np.testing.assert_allclose(before.numpy(), expected, 1e-10)
    moving.reset_running_stats()
    assert not moving.running_mean.numpy().any()
    assert moving.num_batches_tracked.item() == 0


def test_batch_norm_backward_needs_no_copy_of_its_statistics() -> None:
    norm = nn.BatchNorm1d(6)
    x = gc.randn(8, 6, requires_grad=True)
    first = norm(x)
    norm(x)  # the statistics moved between forward and backward
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-5)


def test_dropout_layers_follow_training() -> None:
    gc.manual_seed(0)
    x = gc.ones(50, 20, 2, 2)
    for make in (nn.Dropout, nn.Dropout2d, nn.FeatureAlphaDropout, nn.AlphaDropout):
        layer = make(0.5)
        assert not np.array_equal(layer(x).numpy(), x.numpy())
        assert np.array_equal(layer.eval()(x).numpy(), x.numpy())


def test_layers_are_copied_and_pickled() -> None:
    x = gc.randn(2, 4, 6, 7)
    for layer in (nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(4).eval(), nn.PReLU(4)):
        expected = layer(x).detach().numpy()
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert np.array_equal(twin(x).detach().numpy(), expected)


def test_an_embedding_from_a_table() -> None:
    table = gc.randn(5, 3)
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad
    assert np.array_equal(layer(gc.tensor([4])).numpy(), table.numpy()[[4]])
    assert nn.Embedding.from_pretrained(table, freeze=False, padding_idx=-1).padding_idx == 4
    bag = nn.EmbeddingBag.from_pretrained(table, mode="sum", freeze=False)
    assert bag.weight.requires_grad


def test_a_network_learns() -> None:
    gc.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4 * 4 * 4, 2),
    )  # fmt: skip
    x = gc.randn(64, 1, 8, 8)
    labels = (x.mean((1, 2, 3)) > 0).long()
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(40):
        model.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        with gc.no_grad():
            for p in model.parameters():
                p.add_(p.grad, alpha=-0.1)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_traced_step_is_the_eager_one() -> None:
    # Running statistics, draws and writes in place are part of the compiled step.
    x, labels = gc.randn(8, 1, 8, 8), gc.tensor(np.arange(8) % 3)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def prepared() -> Any:
        gc.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
            nn.MaxPool2d(2), nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(64, 10),
            nn.BatchNorm1d(10, momentum=None), nn.GELU(), nn.Dropout(0.1), nn.Linear(10, 3),
        )  # fmt: skip
        optimizer = gc.optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, labels: Any) -> Any:
            optimizer.zero_grad()
            loss = criterion(model(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    losses, states = [], []
    for compiled in (False, True):
        model, step = prepared()
        step = gc.jit.compile(step) if compiled else step
        gc.manual_seed(5)
        losses.append([step(x, labels).item() for _ in range(4)])
        states.append([v.numpy() for v in model.state_dict().values()])
    np.testing.assert_allclose(losses[0], losses[1], 1e-5)
    for mine, other in zip(*states):
        np.testing.assert_allclose(mine, other, 1e-4, 1e-5)


ERRORS = [
    ("nn.Linear(4, 3)(t.ones(2, 5))", "the input has 5 features, the weight (out 3, in 4) takes 4"),
    ("nn.Conv2d(3, 4, 3, groups=2)", "groups=2"),
    ("nn.Conv2d(3, 4, 3, padding='full')", "padding='full'"),
    ("nn.Conv2d(3, 4, 3, 2, 'same')", "stride 1"),
    ("nn.Conv2d(3, 4, 3, padding_mode='mirror')", "padding_mode='mirror'"),
    ("nn.Conv2d(3, 4, (3, 3, 3))", "kernel_size=(3, 3, 3)"),
    ("nn.Conv2d(3, 4, 3)(t.ones(1, 2, 5, 5))", "2 channels"),
    ("nn.ConvTranspose2d(3, 4, 3, padding_mode='reflect')", "padding_mode='reflect'"),
    ("nn.ConvTranspose1d(3, 4, 3, 2)(t.ones(1, 3, 5), [20])", "output_size (20,)"),
    ("nn.BatchNorm2d(3)(t.ones(2, 3))", "BatchNorm2d: the input must be (N, C, H, W)"),
    ("nn.BatchNorm1d(3)(t.ones(2, 4))", "the input has 4 channels"),
    ("nn.GroupNorm(2, 3)", "3 channels do not make 2 groups"),
    ("nn.Dropout(-0.1)", "Dropout: p=-0.1 is no probability"),
    ("nn.Embedding(3, 2, padding_idx=5)", "padding_idx 5 is outside the 3 rows"),
    ("nn.Embedding(3, 2, _weight=t.ones(2, 2))", "(2, 2)"),
    ("nn.Embedding.from_pretrained(t.ones(2))", "(rows, columns)"),
    ("nn.Hardtanh(1.0, 0.0)", "must be less than"),
    ("nn.ZeroPad2d((1, 2))", "ZeroPad2d: padding=(1, 2)"),
    ("nn.Softmax2d()(t.ones(2, 2))", "Softmax2d"),
    ("nn.Unflatten('x', 3)", "Unflatten: dim='x'"),
    ("nn.Bilinear(0, 1, 1)", "in1_features=0"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), ERRORS)
def test_errors_say_what_is_wrong(source: str, text: str) -> None:
    with pytest.raises((GraphcError, TypeError)) as found:
        eval(source, {"nn": nn, "t": gc})
    message = str(found.value)
    assert text in message
    assert len(message.splitlines()) <= 12
