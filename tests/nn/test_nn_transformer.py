"""Transformer layers and stacks take PyTorch's values and gradients, and obey their masks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from attending import attention, check_text, close

import graphc as gc
from graphc import nn

EMBED, HEADS, INSIDE, BATCH, STEPS, KEYS = 8, 2, 12, 3, 4, 5

LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch_first": {"batch_first": True},
    "norm_first": {"norm_first": True},
    "gelu": {"activation": "gelu", "batch_first": True},
    "eps": {"layer_norm_eps": 0.1},
    "no_bias": {"bias": False, "norm_first": True},
}


def normed(x: np.ndarray, norm: Any) -> np.ndarray:
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + norm.eps)
    return y * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def test_an_encoder_layer_is_the_formula() -> None:
    options = {"batch_first": True, "dtype": gc.float64}
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.0, **options)  # type: ignore[arg-type]
    x = np.random.default_rng(0).normal(size=(BATCH, STEPS, EMBED))
    state = {k: v.detach().numpy() for k, v in layer.named_parameters()}
    qkv = x @ state["self_attn.in_proj_weight"].T + state["self_attn.in_proj_bias"]
    shape = (BATCH, STEPS, HEADS, EMBED // HEADS)
    q, k, v = (np.swapaxes(p.reshape(shape), 1, 2) for p in np.split(qkv, 3, -1))
    y = np.swapaxes(attention(q, k, v), 1, 2).reshape(BATCH, STEPS, EMBED)
    y = y @ state["self_attn.out_proj.weight"].T + state["self_attn.out_proj.bias"]
    x1 = normed(x + y, layer.norm1)
    y = np.maximum(x1 @ state["linear1.weight"].T + state["linear1.bias"], 0)
    y = y @ state["linear2.weight"].T + state["linear2.bias"]
    close(layer(gc.tensor(x)), normed(x1 + y, layer.norm2), 1e-12)


def values(batch_first: bool, single: bool = False) -> list[np.ndarray]:
    """A target of STEPS and a memory of KEYS steps."""
    rng = np.random.default_rng(1)
    found = []
    for steps in (STEPS, KEYS):
        shape = (BATCH, steps, EMBED) if batch_first else (steps, BATCH, EMBED)
        found.append(rng.normal(size=(steps, EMBED) if single else shape))
    return found


def masks(which: str, single: bool = False) -> dict[str, np.ndarray]:
    """Masks for a target and a memory: "none", "causal", "padding" or "both"."""
    rng = np.random.default_rng(2)
    found: dict[str, np.ndarray] = {}
    if which in ("causal", "both"):
        found["tgt_mask"] = np.triu(np.ones((STEPS, STEPS), bool), 1)
        found["memory_mask"] = np.triu(np.ones((STEPS, KEYS), bool), 2)
    if which in ("padding", "both"):
        for key, steps in (("tgt_key_padding_mask", STEPS), ("memory_key_padding_mask", KEYS)):
            mask = rng.random((BATCH, steps)) < 0.3
            mask[:, 0] = False
            found[key] = mask[0] if single else mask
    return found


def as_encoder(given: dict[str, Any]) -> dict[str, Any]:
    """The masks of a target as an encoder layer's."""
    return {k.replace("tgt", "src"): v for k, v in given.items() if k.startswith("tgt")}


def twins(torch: Any, name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """A module and PyTorch's with the same random parameters."""
    theirs = getattr(torch.nn, name)(*args, dtype=torch.float64, **options)
    mine = getattr(nn, name)(*args, dtype=gc.float64, **options)
    match(torch, mine, theirs)
    return mine, theirs


def match(torch: Any, mine: Any, theirs: Any) -> None:
    rng = np.random.default_rng(3)
    state = {k: rng.normal(size=v.shape) * 0.5 for k, v in theirs.state_dict().items()}
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    mine.load_state_dict({k: gc.tensor(v) for k, v in state.items()})
    assert list(mine.state_dict()) == list(theirs.state_dict())


def compare(torch: Any, mine: Any, theirs: Any, inputs: list[np.ndarray], call: Any) -> None:
    """Values and gradients of one call of both."""
    ours = [gc.tensor(v, requires_grad=True) for v in inputs]
    others = [torch.tensor(v, requires_grad=True) for v in inputs]
    found = mine(*ours, **{k: gc.tensor(v) for k, v in call.items()})
    expected = theirs(*others, **{k: torch.tensor(v) for k, v in call.items()})
    close(found, expected.detach().numpy(), 1e-10)
    weight = np.random.default_rng(4).normal(size=found.shape)
    (found * gc.tensor(weight)).sum().backward()
    (expected * torch.tensor(weight)).sum().backward()
    pairs = zip([*ours, *mine.parameters()], [*others, *theirs.parameters()], strict=True)
    for a, b in pairs:
        close(a.grad, b.grad.numpy(), 1e-8)


@pytest.mark.parity
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("which", ["none", "causal", "padding", "both"])
@pytest.mark.parametrize("case", LAYERS)
def test_encoder_layers_as_pytorch(case: str, which: str, single: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = twins(
        torch, "TransformerEncoderLayer", EMBED, HEADS, INSIDE, 0.0, **LAYERS[case]
    )
    x = values(LAYERS[case].get("batch_first", False), single)[:1]
    compare(torch, mine, theirs, x, as_encoder(masks(which, single)))
    assert repr(mine) == repr(theirs)


@pytest.mark.parity
@pytest.mark.parametrize("which", ["none", "both"])
@pytest.mark.parametrize("case", LAYERS)
def test_decoder_layers_as_pytorch(case: str, which: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = twins(
        torch, "TransformerDecoderLayer", EMBED, HEADS, INSIDE, 0.0, **LAYERS[case]
    )
    x = values(LAYERS[case].get("batch_first", False))
    compare(torch, mine, theirs, x, masks(which))
    assert repr(mine) == repr(theirs)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("which", ["none", "both"])
@pytest.mark.parametrize("normed", [False, True])
def test_stacks_as_pytorch(normed: bool, which: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for kind in ("Encoder", "Decoder"):

        def build(library: Any, dtype: Any, kind: str = kind) -> Any:
            layer = getattr(library, f"Transformer{kind}Layer")(
                EMBED, HEADS, INSIDE, 0.0, dtype=dtype
            )
            norm = library.LayerNorm(EMBED, dtype=dtype) if normed else None
            return getattr(library, f"Transformer{kind}")(layer, 2, norm)

        mine, theirs = build(nn, gc.float64), build(torch.nn, torch.float64)
        assert repr(mine) == repr(theirs)
        match(torch, mine, theirs)
        x, call = values(False), masks(which)
        if kind == "Encoder":
            x, call = x[:1], as_encoder(call)
            call = {"mask" if k == "src_mask" else k: v for k, v in call.items()}
        compare(torch, mine, theirs, x, call)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_transformer_as_pytorch(batch_first: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = twins(
        torch, "Transformer", EMBED, HEADS, 2, 1, INSIDE, 0.0, batch_first=batch_first
    )
    tgt, src = values(batch_first)
    call = masks("both")
    call["src_key_padding_mask"] = call["memory_key_padding_mask"]
    compare(torch, mine, theirs, [src, tgt], call)
    assert repr(mine) == repr(theirs)


def test_the_causal_mask() -> None:
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.tolist() == [
        [0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0],
    ]  # fmt: skip
    assert mask.dtype is gc.float32
    assert nn.Transformer.generate_square_subsequent_mask(2, dtype=gc.float64).dtype is gc.float64
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.0)
    x = gc.randn(3, BATCH, EMBED)
    before = layer(x, src_mask=mask, is_causal=True)
    y = gc.cat([x[:2], gc.zeros(1, BATCH, EMBED)])
    close(layer(y, src_mask=mask)[:2], before[:2].detach().numpy(), 1e-5)


def test_padding_does_not_matter() -> None:
    model = nn.Transformer(EMBED, HEADS, 1, 1, INSIDE, 0.0, batch_first=True)
    src, tgt = gc.randn(2, KEYS, EMBED), gc.randn(2, STEPS, EMBED)
    mask = gc.tensor([[False] * 4 + [True]] * 2)
    call = {"src_key_padding_mask": mask, "memory_key_padding_mask": mask}
    before = model(src, tgt, **call)
    other = gc.cat([src[:, :4], 9 * gc.ones(2, 1, EMBED)], 1)
    close(model(other, tgt, **call), before.detach().numpy(), 1e-5)
    close(model(src[:, :4], tgt), before.detach().numpy(), 1e-4)


def test_training_and_evaluation() -> None:
    gc.manual_seed(0)
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.5)
    x = gc.randn(STEPS, BATCH, EMBED)
    assert (layer(x) != layer(x)).any()
    layer.eval()
    assert (layer(x) == layer(x)).all()
    gc.manual_seed(1)
    layer.train()
    first = layer(x)
    gc.manual_seed(1)
    assert (layer(x) == first).all()


def test_a_compiled_training_step() -> None:
    def losses(compiled: bool) -> list[float]:
        gc.manual_seed(7)
        layer = nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.1, batch_first=True)
        model = nn.TransformerEncoder(layer, 2)
        optimizer = gc.optim.SGD(model.parameters(), lr=0.1)
        mask = nn.Transformer.generate_square_subsequent_mask(STEPS)

        def step(x: Any, padding: Any) -> Any:
            optimizer.zero_grad()
            output = model(x, mask=mask, src_key_padding_mask=padding)
            loss = (output - x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = gc.jit.compile(step) if compiled else step
        found = []
        for batch in (BATCH, 5, 7, BATCH):
            padding = gc.zeros(batch, STEPS, dtype=gc.bool)
            padding[0, -1] = True
            found.append(float(run(gc.randn(batch, STEPS, EMBED), padding)))
        assert not compiled or len(run.variants) == 1  # type: ignore[union-attr]
        return found

    assert losses(True) == pytest.approx(losses(False), rel=1e-5)


def test_stacks_copy_their_layer() -> None:
    layer = nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.0)
    encoder = nn.TransformerEncoder(layer, 3, nn.LayerNorm(EMBED))
    parameters = list(encoder.parameters())
    assert len({id(p) for p in parameters}) == len(parameters) == 3 * 12 + 2
    first, second = encoder.layers[0], encoder.layers[1]
    assert (first.linear1.weight == second.linear1.weight).all()
    with gc.no_grad():
        first.linear1.weight.zero_()
    assert (second.linear1.weight != 0).any() and (layer.linear1.weight != 0).any()
    twin = copy.deepcopy(encoder)
    x = gc.randn(STEPS, BATCH, EMBED)
    assert (twin(x) == encoder(x)).all()


def test_activations() -> None:
    x = gc.randn(STEPS, BATCH, EMBED)
    layers = []
    for activation in ("gelu", nn.functional.gelu, nn.GELU(), lambda x: nn.functional.gelu(x)):
        gc.manual_seed(2)
        layers.append(nn.TransformerEncoderLayer(EMBED, HEADS, INSIDE, 0.0, activation))
    for layer in layers:
        assert (layer(x) == layers[0](x)).all()
    assert "(activation): GELU(approximate='none')" in repr(layers[2])


def test_custom_encoder_and_decoder() -> None:
    class Twice(nn.Module):
        def forward(self, src: Any, **given: Any) -> Any:
            return src * 2

    class Both(nn.Module):
        def forward(self, tgt: Any, memory: Any, **given: Any) -> Any:
            return tgt + memory

    model = nn.Transformer(EMBED, HEADS, custom_encoder=Twice(), custom_decoder=Both())
    x, y = gc.randn(STEPS, BATCH, EMBED), gc.randn(STEPS, BATCH, EMBED)
    close(model(x, y), (y + 2 * x).numpy(), 1e-6)


def test_initial_parameters_of_the_transformer() -> None:
    model = nn.Transformer(EMBED, HEADS, 1, 1, INSIDE)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = np.sqrt(6 / sum(parameter.shape))
            assert 0 < float(parameter.abs().max()) <= bound, name


E = gc.errors
ERRORS = {
    "activation": (
        lambda: nn.TransformerEncoderLayer(8, 2, activation="elu"),
        E.AttributeValueError,
        "TransformerEncoderLayer: activation is 'elu'; it must be 'relu', 'gelu' or a function\n"
        "  at LINE",
    ),
    "batch": (
        lambda: nn.Transformer(8, 2, 1, 1, 8)(gc.zeros(4, 3, 8), gc.zeros(4, 2, 8)),
        E.ShapeError,
        "Transformer: src has a batch of 3, tgt of 2\n  src: f32[4, 3, 8]\n"
        "  tgt: f32[4, 2, 8]\n  at LINE",
    ),
    "features": (
        lambda: nn.Transformer(8, 2, 1, 1, 8)(gc.zeros(4, 3, 8), gc.zeros(4, 3, 6)),
        E.ShapeError,
        "Transformer: tgt has 6 features; d_model is 8\n  tgt: f32[4, 3, 6]\n  at LINE",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_the_whole_text_of_errors(case: str) -> None:
    make, kind, text = ERRORS[case]
    check_text(make, kind, text)
