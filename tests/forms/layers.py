"""Layers in the ways they are made and called: values, gradients and statistics beside PyTorch's.

A form is two expressions: one makes the layer over `nn`, one is its input. A layer has the same
weights on both sides (of a ramp, told by the order of its parameters), and is called in training
and in evaluation, twice, so that running statistics move. What is compared: results, gradients of
the inputs and of the parameters, buffers, and dtypes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import graphc as gc

from .compare import Outcome, arrays, difference

R = np.random.default_rng(5)
INPUTS: dict[str, np.ndarray] = {
    "r0": np.array(0.75, "f"), "r1": R.standard_normal(6).astype("f"),
    "r2": R.standard_normal((4, 6)).astype("f"), "r3": R.standard_normal((2, 4, 6)).astype("f"),
    "r4": R.standard_normal((2, 4, 6, 5)).astype("f"),
    "r5": R.standard_normal((2, 4, 5, 6, 3)).astype("f"),
    "e2": np.zeros((0, 6), "f"), "e3": np.zeros((0, 4, 6), "f"), "e4": np.zeros((0, 4, 6, 5), "f"),
    "d3": R.standard_normal((2, 4, 6)), "h2": R.standard_normal((4, 6)).astype(np.float16),
    "k2": R.integers(0, 4, (4, 6)), "b2": R.random((4, 6)) > 0.5,
}  # fmt: skip
_ACTIVATIONS = (
    "ReLU()", "ReLU(inplace=True)", "ReLU6()", "ReLU6(True)", "LeakyReLU()", "LeakyReLU(0.3)",
    "LeakyReLU(negative_slope=0.2, inplace=True)", "ELU()", "ELU(0.5)", "ELU(1.5, True)", "SELU()",
    "CELU(2.0)", "GELU()", "GELU('tanh')", "GELU(approximate='tanh')", "SiLU()", "SiLU(True)",
    "Mish()", "Softplus()", "Softplus(2, 1)", "Softplus(beta=0.5, threshold=3)", "Softshrink()",
    "Softshrink(0.2)", "Hardshrink(0.3)", "Hardtanh()", "Hardtanh(-0.5, 2)",
    "Hardtanh(min_val=-2, max_val=0.1, inplace=True)", "Hardsigmoid()", "Hardswish()", "Tanh()",
    "Sigmoid()", "LogSigmoid()", "Softsign()", "Tanhshrink()", "Threshold(0.1, 20)",
    "Threshold(0.1, -1, True)", "PReLU()", "PReLU(4)", "PReLU(init=0.1)", "Softmax(-1)",
    "Softmax(dim=0)", "Softmin(1)", "LogSoftmax(-2)", "GLU()", "GLU(0)", "GLU(dim=-1)",
    "Softmax2d()", "Identity()", "Identity(3, unused=2)", "Flatten()", "Flatten(0)",
    "Flatten(-2, -1)", "Flatten(start_dim=0, end_dim=1)", "Unflatten(-1, (2, 3))",
    "Unflatten(1, [2, -1])", "Dropout(0)", "Dropout(p=0.0, inplace=True)", "AlphaDropout(0.0)",
    "Dropout2d(0.0)", "ZeroPad1d(1)", "ConstantPad1d((1, 2), 3.5)", "ConstantPad1d(-1, 2)",
    "ReflectionPad1d(2)", "ReflectionPad1d((1, 2))", "ReplicationPad1d(2)", "CircularPad1d((2, 1))",
    "ZeroPad2d(1)", "ZeroPad2d((1, 2, 0, 1))", "ReflectionPad2d(1)",
    "ReplicationPad2d((1, 0, 2, 1))",
    "ConstantPad2d(1, -1)", "ConstantPad3d(1, 0.5)", "ReplicationPad3d(1)", "CircularPad2d(1)",
    "ChannelShuffle(2)", "PixelShuffle(2)", "PixelUnshuffle(2)", "Upsample(scale_factor=2)",
    "Upsample(9)", "Upsample((3, 4))", "Upsample(scale_factor=(2, 1.5), mode='bilinear')",
    "Upsample(size=7, mode='linear', align_corners=True)", "Upsample(scale_factor=0.5)",
    "UpsamplingNearest2d(scale_factor=2)", "UpsamplingBilinear2d((3, 9))",
)  # fmt: skip
_WEIGHTED = (
    "Linear(6, 3)", "Linear(6, 3, False)", "Linear(in_features=6, out_features=1, bias=True)",
    "Linear(6, 2, dtype=t.float64)", "LazyLinear(3)", "Conv1d(4, 2, 3)", "Conv1d(4, 2, (1,))",
    "Conv1d(4, 4, 3, padding='same')", "Conv1d(4, 8, 2, stride=2, padding=1, groups=4)",
    "Conv1d(4, 2, 3, 1, 2, 2, bias=False)", "Conv1d(4, 2, 3, padding=1, padding_mode='circular')",
    "Conv1d(4, 2, 3, padding=2, padding_mode='reflect')", "Conv2d(4, 2, 3)",
    "Conv2d(4, 2, (3, 1), (2, 1), padding=(1, 0))", "Conv2d(4, 4, 2, groups=2, dilation=2)",
    "Conv2d(4, 4, 3, padding='same', groups=4, bias=False)", "Conv2d(4, 2, 3, padding='valid')",
    "Conv3d(4, 2, 2)", "Conv3d(4, 2, (1, 2, 3), padding=(0, 1, 1))", "ConvTranspose1d(4, 2, 3)",
    "ConvTranspose1d(4, 2, 3, 2, 1, 1)", "ConvTranspose1d(4, 4, 2, groups=2, bias=False)",
    "ConvTranspose2d(4, 2, 3, stride=2, output_padding=1)",
    "ConvTranspose2d(4, 2, (2, 3), dilation=2)",
    "ConvTranspose3d(4, 2, 2)", "LazyConv1d(2, 3)", "LazyConv2d(2, kernel_size=3)",
)  # fmt: skip
_NORMS = (
    "BatchNorm1d(4)", "BatchNorm1d(6)", "BatchNorm1d(6, affine=False)", "BatchNorm1d(4, 1e-3, 0.3)",
    "BatchNorm1d(4, momentum=None)", "BatchNorm1d(6, momentum=None)",
    "BatchNorm1d(4, momentum=0.0)",
    "BatchNorm1d(4, track_running_stats=False)", "BatchNorm2d(4)", "BatchNorm2d(4, momentum=1)",
    "BatchNorm2d(4, affine=False, momentum=None)", "BatchNorm3d(4)", "LazyBatchNorm1d()",
    "InstanceNorm1d(4)", "InstanceNorm1d(4, affine=True)", "InstanceNorm2d(4)",
    "InstanceNorm1d(4, affine=True, track_running_stats=True)", "InstanceNorm3d(4, momentum=0.3)",
    "InstanceNorm2d(4, track_running_stats=True, momentum=0.5)", "GroupNorm(2, 4)",
    "GroupNorm(1, 4)",
    "GroupNorm(4, 4, affine=False)", "GroupNorm(num_groups=2, num_channels=4, eps=1e-2)",
    "LayerNorm(6)", "LayerNorm((4, 6))", "LayerNorm([6], 1e-3)", "LayerNorm(6, bias=False)",
    "LayerNorm(6, elementwise_affine=False)", "RMSNorm(6)",
    "RMSNorm(6, eps=0.01)", "RMSNorm((4, 6), 1e-3)",
    "RMSNorm(6, elementwise_affine=False)", "LocalResponseNorm(2)",
    "LocalResponseNorm(3, 1e-2, 0.5, 2.0)", "CrossMapLRN2d(3)",
)  # fmt: skip
_POOLS = (
    "MaxPool1d(2)", "MaxPool1d(3, 1)", "MaxPool1d(3, 2, 1)", "MaxPool1d(2, ceil_mode=True)",
    "MaxPool1d(2, 1, dilation=2)", "MaxPool1d(2, return_indices=True)", "MaxPool1d((2,), (4,))",
    "MaxPool2d(2)", "MaxPool2d((2, 3), 1, (1, 1))", "MaxPool2d(3, 4, 1)",
    "MaxPool2d(2, dilation=2)",
    "MaxPool2d((3, 2), (2, 1), ceil_mode=True, return_indices=True)", "MaxPool3d(2)",
    "MaxPool3d((1, 2, 1), 3)", "AvgPool1d(2)", "AvgPool1d(3, 2, 1)", "AvgPool1d(3, 2, 1, True)",
    "AvgPool1d(3, 1, 1, count_include_pad=False)", "AvgPool1d(2, 5)", "AvgPool2d(2)",
    "AvgPool2d((2, 3), (1, 2), (1, 0))", "AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5)",
    "AvgPool3d(2)", "AvgPool3d((1, 2, 3), 2, count_include_pad=False)", "LPPool1d(2, 3)",
    "LPPool1d(1, 2, 1, True)", "LPPool2d(2, 2)", "LPPool2d(3, (2, 1), stride=2)",
    "AdaptiveAvgPool1d(3)", "AdaptiveAvgPool1d(4)", "AdaptiveAvgPool2d(1)",
    "AdaptiveAvgPool2d((3, None))",
    "AdaptiveAvgPool2d((4, 2))", "AdaptiveAvgPool3d((2, None, 1))", "AdaptiveMaxPool1d(4)",
    "AdaptiveMaxPool1d(3, return_indices=True)", "AdaptiveMaxPool2d((2, 3))",
    "AdaptiveMaxPool3d(2)", "Fold((3, 4), 2)", "Fold((2, 3), (1, 2), stride=(3, 1))", "Unfold(2)",
    "Unfold((2, 3), padding=1, stride=2, dilation=1)",
)  # fmt: skip
_RECURRENT = tuple(
    f"{kind}(6, 3{rest})"
    for kind in ("RNN", "LSTM", "GRU")
    for rest in ("", ", 2", ", batch_first=True", ", bias=False", ", bidirectional=True",
                 ", num_layers=2, bidirectional=True, batch_first=True")
) + (
    "RNN(6, 3, nonlinearity='relu')", "LSTM(6, 4, proj_size=2)", "RNNCell(6, 3)",
    "RNNCell(6, 3, False, 'relu')", "LSTMCell(6, 3)", "GRUCell(6, 3, bias=False)",
)  # fmt: skip
_FLOATS = tuple(n for n in INPUTS if n[0] in "reh") + ("d3",)
GROUPS = (
    (_ACTIVATIONS, tuple(INPUTS)), (_WEIGHTED, _FLOATS), (_NORMS, _FLOATS), (_POOLS, _FLOATS),
    (_RECURRENT, ("r1", "r2", "r3", "e2", "e3", "d3")), (("Embedding(5, 3)", "Embedding(4, 2, 0)",
      "Embedding(4, 3, padding_idx=-1, max_norm=1.0)", "Embedding(4, 2, scale_grad_by_freq=True)",
      "EmbeddingBag(4, 3)", "EmbeddingBag(4, 3, mode='max')", "EmbeddingBag(4, 2, mode='sum')"),
     ("k2", "r2", "b2")),
)  # fmt: skip


def all_layers() -> Iterator[tuple[str, str]]:
    """The forms: (layer, name of its input)."""
    for layers, names in GROUPS:
        for layer, name in itertools.product(layers, names):
            # Its eps is that of the dtype where none is given, so float32 could not decide.
            if name != "h2" or not layer.startswith("RMSNorm") or "eps=" in layer:
                yield layer, name


def run_layer(
    t: Any, layer: str, name: str, training: bool, compiled: bool = False, wide: bool = False
) -> Outcome:
    """What a layer gives, and what its call changes; `wide` makes its input float32."""
    given = INPUTS[name].astype("f") if wide else INPUTS[name].copy()
    try:
        return Outcome(_run(t, layer, given, training, compiled))
    except Exception as error:
        text = (str(error).splitlines() or [""])[0][:90]
        return Outcome(None, f"{type(error).__name__}: {text}")


def _run(t: Any, layer: str, array: np.ndarray, training: bool, compiled: bool) -> list[np.ndarray]:
    module = eval(f"nn.{layer}", {"nn": t.nn, "t": t})
    given = t.tensor(array)
    if "Lazy" in layer:
        module(given)
    with t.no_grad():
        for k, p in enumerate(module.parameters()):
            ramp = np.sin(np.arange(math.prod(p.shape)) * 0.7 + k) * 0.6
            p.copy_(t.tensor(ramp.reshape(tuple(p.shape)).astype("f")))
    module.train(training)
    is_float = given.dtype in (t.float16, t.float32, t.float64)
    given.requires_grad_(is_float)

    def step(x: Any) -> Any:
        # Layers in place write what they get, which must be no leaf.
        found = module(x * 1 if is_float else x)
        found = list(found) if isinstance(found, tuple) else [found]
        found = [f for g in found for f in (g if isinstance(g, tuple) else [g])]
        loss = sum((f * f * 0.5 + f).sum() for f in found if f.requires_grad)
        leaves = [p for p in (x, *module.parameters()) if p.requires_grad]
        grads: tuple[Any, ...] = ()
        if not isinstance(loss, int):
            grads = t.autograd.grad(loss, leaves, allow_unused=True)
        # Where none is given, a dtype that no gradient has says so.
        none = t.zeros(1, dtype=t.int8)
        return [f.detach() for f in found] + [none if g is None else g for g in grads]

    run = gc.jit.compile(step) if compiled else step
    results = [arrays(run(given)) for _ in range(2)]
    return [a for r in results for a in r] + arrays(list(module.buffers()))


def sweep_layers(torch: Any, forms: list[tuple[str, str]], both: bool) -> dict[str, list[Any]]:
    """The forms by outcome, as in the sweep of functions."""
    found: dict[str, list[Any]] = {k: [] for k in ("right", "silent", "refused", "taken")}
    for layer, name in forms:
        for training, compiled in itertools.product((True, False), (False, True)[: 1 + both]):
            want = run_layer(torch, layer, name, training)
            if compiled and want.values is None:
                continue
            got = run_layer(gc, layer, name, training, compiled)
            text = f"{'compiled' if compiled else 'eager'} {layer}({name}), training={training}"
            if want.values is None and got.values is None:
                continue
            if want.values is None:
                found["taken"].append((text, want.error))
            elif got.values is None:
                found["refused"].append((text, got.error))
            else:
                why = difference(want.values, got.values, half=name[0] == "h")
                if why and name[0] == "h":  # PyTorch rounds on the way: its float32 decides
                    exact = run_layer(torch, layer, name, training, wide=True).values or []
                    exact = [e.astype(w.dtype) for e, w in zip(exact, want.values)]
                    why = difference(exact, got.values, half=True)
                found["silent" if why else "right"].append((text, why))
    return found
