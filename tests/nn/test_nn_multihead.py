"""Multi-head attention takes NumPy's written-out values, PyTorch's values and gradients."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from attending import check_text, close, softmax

import graphc as gc
from graphc import nn

EMBED, HEADS, BATCH, STEPS, KEYS = 8, 2, 3, 4, 5


def mask_values(name: str) -> np.ndarray | None:
    """Masks by name; True leaves a key out."""
    rng = np.random.default_rng(3)
    shapes = {
        "pairs": (STEPS, KEYS),
        "each": (BATCH * HEADS, STEPS, KEYS),
        "each_single": (HEADS, STEPS, KEYS),
        "padding": (BATCH, KEYS),
        "padding_single": (KEYS,),
    }
    kind, _, name = name.partition("_")
    if not name:
        return None
    values = rng.normal(size=shapes[name])
    if kind == "float":
        return values
    given = values > 0.5
    given[..., 0] = False
    return given


# options of the module, options of the call; masks by name
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "batch_first": ({"batch_first": True}, {}),
    "no_bias": ({"bias": False}, {}),
    "no_weights": ({}, {"need_weights": False}),
    "weights_of_heads": ({}, {"average_attn_weights": False}),
    "other_sizes": ({"kdim": 5, "vdim": 7}, {}),
    "other_sizes_no_bias": ({"kdim": 5, "bias": False, "batch_first": True}, {}),
    "bias_kv": ({"add_bias_kv": True}, {}),
    "zero_attn": ({"add_zero_attn": True}, {}),
    "both_more": ({"add_bias_kv": True, "add_zero_attn": True, "batch_first": True}, {}),
    "pairs": ({}, {"attn_mask": "bool_pairs"}),
    "pairs_float": ({}, {"attn_mask": "float_pairs"}),
    "each_pair": ({}, {"attn_mask": "bool_each"}),
    "each_pair_float": ({"batch_first": True}, {"attn_mask": "float_each"}),
    "padding": ({}, {"key_padding_mask": "bool_padding"}),
    "padding_float": ({"batch_first": True}, {"key_padding_mask": "float_padding"}),
    "both_masks": (
        {"batch_first": True},
        {"key_padding_mask": "bool_padding", "attn_mask": "bool_pairs", "need_weights": False},
    ),
    "all_masked_more": (
        {"add_bias_kv": True, "add_zero_attn": True},
        {"key_padding_mask": "bool_padding", "attn_mask": "bool_each"},
    ),
    "no_weights_masks": (
        {"add_zero_attn": True},
        {"key_padding_mask": "float_padding", "attn_mask": "float_each", "need_weights": False},
    ),
}


def build(case: str, single: bool) -> tuple[Any, list[np.ndarray], dict[str, Any]]:
    """A module, query, key and value, and the options of the call."""
    options, call = CASES[case]
    gc.manual_seed(8)
    module = nn.MultiheadAttention(EMBED, HEADS, dtype=gc.float64, **options)
    rng = np.random.default_rng(6)
    sizes = [(STEPS, EMBED), (KEYS, module.kdim), (KEYS, module.vdim)]
    values = []
    for steps, size in sizes:
        shape = (BATCH, steps, size) if module.batch_first else (steps, BATCH, size)
        values.append(rng.normal(size=(steps, size) if single else shape))
    call = dict(call)
    for key in ("attn_mask", "key_padding_mask"):
        name = call.get(key, "")
        if single and name.endswith(("each", "padding")):
            name += "_single"
        call[key] = mask_values(name)
    with gc.no_grad():
        for parameter in module.parameters():
            parameter.copy_(gc.tensor(rng.normal(size=parameter.shape)))
    return module, values, call


def written_out(module: Any, values: list[np.ndarray], call: dict[str, Any]) -> Any:
    """What the module computes for one batch element after the other, in loops over heads."""
    state = {k: v.detach().numpy() for k, v in module.named_parameters()}
    if "in_proj_weight" in state:
        parts = np.split(state["in_proj_weight"], 3)
    else:
        parts = [state[f"{k}_proj_weight"] for k in "qkv"]
    biases = np.split(state.get("in_proj_bias", np.zeros(3 * EMBED)), 3)
    axis = 0 if module.batch_first else 1
    outputs, shares = [], []
    for b in range(BATCH):
        xs = [np.take(v, b, axis) for v in values]
        q, k, v = (x @ w.T + c for x, w, c in zip(xs, parts, biases))
        if "bias_k" in state:
            k = np.concatenate([k, state["bias_k"][0]])
            v = np.concatenate([v, state["bias_v"][0]])
        if module.add_zero_attn:
            k, v = (np.concatenate([x, np.zeros((1, EMBED))]) for x in (k, v))
        size = EMBED // HEADS
        results = []
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            scores = q[:, part] @ k[:, part].T / np.sqrt(size)
            mask, padding = call["attn_mask"], call["key_padding_mask"]
            if mask is not None:
                scores = masked(scores, mask if mask.ndim == 2 else mask[b * HEADS + h])
            if padding is not None:
                scores = masked(scores, padding[b][None])
            share = softmax(scores)
            shares.append(share)
            results.append(share @ v[:, part])
        outputs.append(
            np.concatenate(results, -1) @ state["out_proj.weight"].T
            + state.get("out_proj.bias", 0.0)
        )
    shape = (BATCH, HEADS, *shares[0].shape)
    return np.stack(outputs, axis), np.stack(shares).reshape(shape)


def masked(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    more = scores.shape[-1] - mask.shape[-1]
    mask = np.pad(mask, [(0, 0), (0, more)])
    return np.where(mask, -np.inf, scores) if mask.dtype == np.bool_ else scores + mask


def tensors(make: Any, values: Any) -> Any:
    if isinstance(values, dict):
        return {k: make(v) if isinstance(v, np.ndarray) else v for k, v in values.items()}
    return [make(v, requires_grad=True) for v in values]


@pytest.mark.parametrize("case", CASES)
def test_the_module_is_the_loops(case: str) -> None:
    module, values, call = build(case, False)
    output, shares = module(*tensors(gc.tensor, values), **tensors(gc.tensor, call))
    expected, each = written_out(module, values, call)
    close(output, expected, 1e-11)
    if call.get("need_weights", True):
        close(shares, each.mean(1) if call.get("average_attn_weights", True) else each, 1e-11)
    else:
        assert shares is None


@pytest.mark.parametrize("case", CASES)
def test_one_sequence_is_a_batch_of_one(case: str) -> None:
    module, values, call = build(case, True)
    output, shares = module(*tensors(gc.tensor, values), **tensors(gc.tensor, call))
    axis = 0 if module.batch_first else 1
    if call["key_padding_mask"] is not None:
        call["key_padding_mask"] = call["key_padding_mask"][None]
    batch = tensors(gc.tensor, [np.expand_dims(v, axis) for v in values])
    expected, each = module(*batch, **tensors(gc.tensor, call))
    close(output, expected.squeeze(axis).detach().numpy(), 1e-12)
    assert output.shape == values[0].shape[:1] + (EMBED,)
    if shares is not None:
        close(shares, each.squeeze(0).detach().numpy(), 1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning")
def test_the_module_as_pytorch(case: str, single: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module, values, call = build(case, single)
    theirs = torch.nn.MultiheadAttention(EMBED, HEADS, dtype=torch.float64, **CASES[case][0])
    state = {k: torch.tensor(v.detach().numpy()) for k, v in module.state_dict().items()}
    theirs.load_state_dict(state)
    assert list(theirs.state_dict()) == list(module.state_dict())
    assert repr(theirs) == repr(module)
    mine, others = tensors(gc.tensor, values), tensors(torch.tensor, values)
    found = module(*mine, **tensors(gc.tensor, call))
    expected = theirs(*others, **tensors(torch.tensor, call))
    total, other = 0, 0
    rng = np.random.default_rng(2)
    for a, b in zip(found, expected, strict=True):
        if b is not None:
            close(a, b.detach().numpy(), 1e-11)
            weight = rng.normal(size=a.shape)
            total = total + (a * gc.tensor(weight)).sum()
            other = other + (b * torch.tensor(weight)).sum()
    total.backward()  # type: ignore[attr-defined]
    other.backward()  # type: ignore[attr-defined]
    for a, b in zip([*mine, *module.parameters()], [*others, *theirs.parameters()], strict=True):
        close(a.grad, b.grad.numpy(), 1e-10)


@pytest.mark.parametrize("batch_first", [False, True])
def test_self_attention(batch_first: bool) -> None:
    module = nn.MultiheadAttention(EMBED, HEADS, batch_first=batch_first, dtype=gc.float64)
    value = np.random.default_rng(0).normal(size=(4, 3, EMBED))
    x = gc.tensor(value, requires_grad=True)
    same, shares = module(x, x, x)
    others = [gc.tensor(value, requires_grad=True) for _ in range(3)]
    expected, each = module(*others)
    close(same, expected.detach().numpy(), 1e-12)
    close(shares, each.detach().numpy(), 1e-12)
    (same * same).sum().backward()
    (expected * expected).sum().backward()
    close(x.grad, sum(o.grad.numpy() for o in others), 1e-12)


def test_a_causal_mask_and_the_hint() -> None:
    module = nn.MultiheadAttention(EMBED, HEADS)
    x = gc.randn(4, 3, EMBED)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    plain = module(x, x, x, attn_mask=mask)[0]
    assert (module(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0] == plain).all()
    # The first steps do not depend on the last.
    y = gc.cat([x[:3], gc.zeros(1, 3, EMBED)])
    close(module(y, y, y, attn_mask=mask)[0][:3], plain[:3].detach().numpy(), 1e-6)


def test_dropout_is_of_training() -> None:
    module = nn.MultiheadAttention(EMBED, HEADS, dropout=0.5)
    x = gc.randn(4, 3, EMBED)
    gc.manual_seed(1)
    first, shares = module(x, x, x, average_attn_weights=False)
    gc.manual_seed(1)
    assert (module(x, x, x)[0] == first).all()
    assert (module(x, x, x)[0] != first).any()
    assert 0.2 < float((shares == 0).float().mean()) < 0.8
    module.eval()
    assert (module(x, x, x)[0] == module(x, x, x)[0]).all()
    close(module(x, x, x)[1].sum(-1), np.ones((3, 4)), 1e-5)


@pytest.mark.parity
def test_the_function_by_pytorchs_signature() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(4)
    q, k, v = rng.normal(size=(STEPS, BATCH, EMBED)), *rng.normal(size=(2, KEYS, BATCH, EMBED))
    w, u, b = (rng.normal(size=s) for s in ((3 * EMBED, EMBED), (EMBED, EMBED), (EMBED,)))
    static = rng.normal(size=(2, BATCH * HEADS, KEYS + 2, EMBED // HEADS))

    def run(make: Any, function: Any) -> Any:
        first = [make(x) for x in (q, k, v)]
        return function(
            *first, EMBED, HEADS, make(w), None, None, None, False, 0.3, make(u), make(b),
            training=False, static_k=make(static[0]), static_v=make(static[1]),
        )  # fmt: skip

    found = run(gc.tensor, nn.functional.multi_head_attention_forward)
    expected = run(torch.tensor, torch.nn.functional.multi_head_attention_forward)
    for a, b_ in zip(found, expected, strict=True):
        close(a, b_.numpy(), 1e-11)


def test_initial_parameters() -> None:
    gc.manual_seed(5)
    module = nn.MultiheadAttention(32, 4, add_bias_kv=True)
    bound = np.sqrt(6 / (4 * 32))
    weight = module.in_proj_weight.detach().numpy()
    assert np.abs(weight).max() <= bound and np.abs(weight).max() > 0.95 * bound
    assert (module.in_proj_bias == 0).all() and (module.out_proj.bias == 0).all()
    assert float(module.out_proj.weight.abs().max()) <= 1 / np.sqrt(32)
    assert 0 < float(module.bias_k.std()) < 1
    assert [k for k, _ in module.named_parameters()] == [
        "in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    other = nn.MultiheadAttention(32, 4, kdim=8)
    assert other.q_proj_weight.shape == (32, 32) and other.k_proj_weight.shape == (32, 8)
    assert other.in_proj_weight is None
    assert repr(module) == (
        "MultiheadAttention(\n"
        "  (out_proj): NonDynamicallyQuantizableLinear(in_features=32, out_features=32, "
        "bias=True)\n)"
    )


def test_copies_and_pickles() -> None:
    module = nn.MultiheadAttention(EMBED, HEADS)
    x = gc.randn(4, 3, EMBED)
    expected = module(x, x, x)[0]
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert (twin(x, x, x)[0] == expected).all()


X = [gc.zeros(4, 3, EMBED)] * 3
E = gc.errors
ERRORS = {
    "heads": (
        lambda: nn.MultiheadAttention(8, 3),
        E.AttributeValueError,
        "MultiheadAttention: embed_dim is 8 and num_heads is 3; embed_dim must be a positive "
        "multiple of num_heads\n  at LINE",
    ),
    "causal": (
        lambda: nn.MultiheadAttention(8, 2)(*X, is_causal=True),
        E.ArgumentError,
        "MultiheadAttention: is_causal=True is a hint about attn_mask, and there is no "
        "attn_mask\n  at LINE\n"
        "  hint: pass nn.Transformer.generate_square_subsequent_mask(steps) as attn_mask",
    ),
    "axes": (
        lambda: nn.MultiheadAttention(8, 2)(X[0], X[1], gc.zeros(4, 8)),
        E.ShapeError,
        "multi_head_attention: query, key and value must all have 3 axes, or 2 without a batch\n"
        "  query: f32[4, 3, 8]\n  key: f32[4, 3, 8]\n  value: f32[4, 8]\n  at LINE",
    ),
    "features": (
        lambda: nn.MultiheadAttention(8, 2)(*[gc.zeros(4, 3, 6)] * 3),
        E.ShapeError,
        "multi_head_attention: the query has 6 features, its projection takes 8\n"
        "  the query: f32[4, 3, 6]\n  at LINE",
    ),
    "key_features": (
        lambda: nn.MultiheadAttention(8, 2, kdim=4)(*X),
        E.ShapeError,
        "multi_head_attention: the key has 8 features, its projection takes 4\n"
        "  the key: f32[4, 3, 8]\n  at LINE",
    ),
    "pairs": (
        lambda: nn.MultiheadAttention(8, 2)(*X, attn_mask=gc.zeros(4, 5)),
        E.ShapeError,
        "multi_head_attention: attn_mask has shape (4, 5); it must have (4, 4), which is "
        "(steps, keys), or (6, 4, 4), which is (batch * heads, steps, keys)\n  at LINE",
    ),
    "padding": (
        lambda: nn.MultiheadAttention(8, 2)(*X, key_padding_mask=gc.zeros(4, 3)),
        E.ShapeError,
        "multi_head_attention: key_padding_mask has shape (4, 3); it must have (3, 4), which is "
        "(batch, keys)\n  at LINE",
    ),
    "mask_dtype": (
        lambda: nn.MultiheadAttention(8, 2)(*X, key_padding_mask=gc.zeros(3, 4, dtype=gc.int64)),
        E.DTypeError,
        "multi_head_attention: key_padding_mask has dtype int64; it must be bool or the query's, "
        "float32\n  at LINE",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_the_whole_text_of_errors(case: str) -> None:
    make, kind, text = ERRORS[case]
    check_text(make, kind, text)
