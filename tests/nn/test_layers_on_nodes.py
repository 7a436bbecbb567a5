"""Every layer called with a symbolic tensor gives what it gives eagerly: values, gradients, state.

Programs run by the reference: how graphs become kernels is tested elsewhere.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from forms.layers import GROUPS, INPUTS

import graphc as gc
from graphc import nn
from graphc.core.dtypes import as_dtype
from graphc.core.trees import flatten

# Layers that take several tensors, and losses: what makes them, and their arguments.
OTHERS: dict[str, tuple[Any, ...]] = {
    "Bilinear(6, 6, 2)": (INPUTS["r2"], INPUTS["r2"] * 0.5 + 1),
    "CosineSimilarity()": (INPUTS["r2"], INPUTS["r2"] * 0.5 + 1),
    "PairwiseDistance()": (INPUTS["r2"], INPUTS["r2"] * 0.5 + 1),
    "MultiheadAttention(6, 2, batch_first=True)": (INPUTS["r3"],) * 3,
    "MultiheadAttention(6, 3, bias=False, add_zero_attn=True)": (INPUTS["r3"],) * 3,
    "TransformerEncoderLayer(6, 2, 5, 0.0, batch_first=True)": (INPUTS["r3"],),
    "TransformerDecoderLayer(6, 2, 5, 0.0)": (INPUTS["r3"], INPUTS["r3"] * 0.5),
    "TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 5, 0.0), 2)": (INPUTS["r3"],),
    "TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 5, 0.0), 1)": (INPUTS["r3"],) * 2,
    "Transformer(6, 2, 1, 1, 5, 0.0)": (INPUTS["r3"], INPUTS["r3"] * 0.5),
    "CrossEntropyLoss()": (INPUTS["r2"], np.array([0, 5, 2, 1])),
    "CrossEntropyLoss(label_smoothing=0.1)": (INPUTS["r2"], np.array([0, 5, 2, 1])),
    "NLLLoss()": (INPUTS["r2"], np.array([0, 5, 2, 1])),
    "MultiMarginLoss()": (INPUTS["r2"], np.array([0, 5, 2, 1])),
    "MultiLabelMarginLoss()": (INPUTS["r2"], np.array([[0, 5, -1, 1, 1, 1]] * 4)),
    "GaussianNLLLoss()": (INPUTS["r2"], INPUTS["r2"] * 0.5, INPUTS["r2"] ** 2 + 1),
    "MarginRankingLoss()": (INPUTS["r2"], INPUTS["r2"][::-1].copy(), np.sign(INPUTS["r2"])),
    "CosineEmbeddingLoss()": (INPUTS["r2"], INPUTS["r2"] + 1, np.array([1, -1, 1, -1])),
    "TripletMarginLoss()": (INPUTS["r2"], INPUTS["r2"] + 1, INPUTS["r2"] * 2),
    "TripletMarginWithDistanceLoss()": (INPUTS["r2"], INPUTS["r2"] + 1, INPUTS["r2"] * 2),
    "MaxUnpool1d(2)": (INPUTS["r3"], np.tile(np.arange(0, 12, 2), (2, 4, 1))),
    "MaxUnpool2d(1)": (INPUTS["r4"], np.tile(np.arange(30).reshape(6, 5), (2, 4, 1, 1))),
    "MaxUnpool3d(1)": (INPUTS["r5"], np.tile(np.arange(90).reshape(5, 6, 3), (2, 4, 1, 1, 1))),
    "RReLU()": (INPUTS["r2"],), "Flatten()": (INPUTS["r3"],),
    **{f"{name}(0.0)": (INPUTS["r4"],) for name in (
        "Dropout3d", "FeatureAlphaDropout")},
    "Dropout1d(0.0)": (INPUTS["r3"],),
    **{f"{name}(1)": (INPUTS["r5"],) for name in ("CircularPad3d", "ReflectionPad3d", "ZeroPad3d")},
    "ReplicationPad2d(1)": (INPUTS["r4"],), "ConstantPad2d(1, 2.0)": (INPUTS["r4"],),
    "Conv3d(4, 2, 2)": (INPUTS["r5"],), "LPPool3d(2, 2)": (INPUTS["r5"],),
    "CircularPad2d(1)": (INPUTS["r4"],),
}  # fmt: skip
_PAIRS = (
    "MSELoss L1Loss SmoothL1Loss HuberLoss KLDivLoss PoissonNLLLoss SoftMarginLoss "
    "HingeEmbeddingLoss BCEWithLogitsLoss MultiLabelSoftMarginLoss"
)
_TARGETS = np.where(INPUTS["r2"] > 0, 1, 0).astype("f")
OTHERS |= {f"{name}()": (INPUTS["r2"], _TARGETS) for name in _PAIRS.split()}
OTHERS["BCELoss()"] = (1 / (1 + np.exp(-INPUTS["r2"])), _TARGETS)


def _prepared(layer: str, arrays: tuple[Any, ...], training: bool) -> Any:
    gc.manual_seed(0)
    module = eval(f"nn.{layer}", {"nn": nn, "t": gc})
    if "Lazy" in layer:
        module(*map(gc.tensor, arrays))
    with gc.no_grad():
        for k, p in enumerate(module.parameters()):
            ramp = np.sin(np.arange(math.prod(p.shape)) * 0.7 + k) * 0.6
            p.copy_(gc.tensor(ramp.reshape(tuple(p.shape)).astype("f")))
    return module.train(training)


def _outcome(module: Any, given: list[Any], gradients: Callable[..., Any]) -> list[Any]:
    # Layers in place write what they get, which must be no leaf.
    found = module(*[x * 1 if x.dtype.is_float else x for x in given])
    results = [f for f in flatten(found)[0] if f is not None]
    loss = sum((f * f * 0.5 + f).sum() for f in results if f.dtype.is_float)
    leaves = [x for x in given if x.dtype.is_float] + [*module.parameters()]
    return [*results, *gradients(loss, leaves)]


def _eager_gradients(loss: Any, leaves: list[Any]) -> list[Any]:
    if isinstance(loss, int) or not loss.requires_grad:
        return [gc.zeros_like(x) for x in leaves]
    found = gc.autograd.grad(loss, leaves, allow_unused=True)
    return [gc.zeros_like(x) if g is None else g for x, g in zip(leaves, found)]


def _eagerly(layer: str, arrays: tuple[Any, ...], training: bool) -> list[np.ndarray]:
    module = _prepared(layer, arrays, training)
    given = [gc.tensor(a).requires_grad_(a.dtype.kind == "f") for a in arrays]
    twice = [_outcome(module, given, _eager_gradients) for _ in range(2)]
    return [t.detach().numpy() for run in twice for t in run] + [
        b.numpy() for b in module.buffers()
    ]


def _as_graph(layer: str, arrays: tuple[Any, ...], training: bool) -> list[np.ndarray]:
    module = _prepared(layer, arrays, training)
    inputs = [gc.input(f"x{k}", a.shape, as_dtype(a.dtype)) for k, a in enumerate(arrays)]
    program = gc.compile(inputs, _outcome(module, inputs, gc.grad), target="reference")
    found = [a for _ in range(2) for a in program(*arrays)]
    return found + [b.numpy() for b in module.buffers()]


def _takes(layer: str, arrays: tuple[Any, ...]) -> bool:
    try:
        _eagerly(layer, arrays, False)
    except Exception:  # the layer takes another batch
        return False
    return True


@functools.cache
def _forms() -> list[tuple[str, tuple[Any, ...]]]:
    """Each layer with the first batch that it takes."""
    found: list[tuple[str, tuple[Any, ...]]] = []
    for layers, names in GROUPS:
        batches = [(INPUTS[n],) for n in ("r3", "r4", "r5", "r2", "k2", "r1") if n in names]
        for layer in layers:
            if hasattr(nn, layer.split("(")[0]):
                found += itertools.islice(((layer, b) for b in batches if _takes(layer, b)), 1)
    return found + list(OTHERS.items())


@pytest.mark.parametrize("training", [True, False])
def test_every_layer_gives_on_nodes_what_it_gives_eagerly(training: bool) -> None:
    wrong = []
    for layer, arrays in _forms():
        if layer == "RReLU()" and training:
            continue  # it draws
        want = _eagerly(layer, arrays, training)
        try:
            got = _as_graph(layer, arrays, training)
        except Exception as error:
            wrong.append(f"{layer}: {type(error).__name__}: {error}")
            continue
        if len(got) != len(want):
            wrong.append(f"{layer}: {len(got)} results, not {len(want)}")
        for k, (a, b) in enumerate(zip(got, want)):
            same = a.shape == b.shape and a.dtype == b.dtype
            if not same or not np.allclose(a, b, rtol=2e-4, atol=2e-5, equal_nan=True):
                shown = [f"{v.dtype}{v.shape} {v.ravel()[:3]}" for v in (a, b)]
                wrong.append(f"{layer}, result {k}: {shown[0]}, not {shown[1]}")
                break
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)


def test_no_layer_is_left_out() -> None:
    names = {layer.split("(")[0] for layer, _ in _forms()}
    layers = {
        name for name, kind in vars(nn).items()
        if inspect.isclass(kind) and issubclass(kind, nn.Module) and kind is not nn.Module
    }  # fmt: skip
    containers = {
        "DataParallel", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"
    }  # fmt: skip
    assert layers - names - containers == {"RNNBase", "RNNCellBase"}
