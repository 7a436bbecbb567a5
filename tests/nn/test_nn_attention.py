"""Attention takes NumPy's written-out values and PyTorch's values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attending import attention, check_text, close

import graphc as gc
from graphc.nn import functional as F

RNG = np.random.default_rng


# shapes of q, k, v; the mask's shape and kind; options
SDPA = {
    "plain": ((2, 4, 8), (2, 5, 8), (2, 5, 8), None, {}),
    "heads": ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 6), None, {}),
    "two_axes": ((4, 8), (5, 8), (5, 3), None, {}),
    "scale": ((2, 4, 8), (2, 5, 8), (2, 5, 8), None, {"scale": 0.3}),
    "causal": ((2, 6, 8), (2, 6, 8), (2, 6, 8), None, {"is_causal": True}),
    "causal_wide": ((2, 4, 8), (2, 7, 8), (2, 7, 8), None, {"is_causal": True}),
    "causal_tall": ((2, 7, 8), (2, 4, 8), (2, 4, 8), None, {"is_causal": True}),
    "bool_mask": ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8), ((4, 5), bool), {}),
    "bool_mask_batch": ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8), ((2, 1, 4, 5), bool), {}),
    "float_mask": ((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8), ((1, 3, 4, 5), float), {}),
    "one_key": ((2, 4, 8), (2, 1, 8), (2, 1, 8), None, {}),
    "large": ((4, 4, 32, 16), (4, 4, 40, 16), (4, 4, 40, 16), ((32, 40), bool), {}),
    "grouped": ((2, 6, 4, 8), (2, 2, 5, 8), (2, 2, 5, 8), None, {"enable_gqa": True}),
}


def sdpa_values(case: str) -> tuple[list[np.ndarray], np.ndarray | None, dict[str, Any]]:
    *shapes, mask, options = SDPA[case]
    rng = RNG(7)
    values = [rng.normal(size=s).astype(np.float32) for s in shapes]
    if mask is None:
        return values, None, options  # type: ignore[return-value]
    shape, kind = mask
    if kind is bool:
        given = rng.random(shape) < 0.7
        given[..., 0] = True
        return values, given, options  # type: ignore[return-value]
    return values, rng.normal(size=shape).astype(np.float32), options  # type: ignore[return-value]


@pytest.mark.parametrize("case", SDPA)
def test_scaled_dot_product_attention(case: str) -> None:
    (q, k, v), mask, options = sdpa_values(case)
    given = None if mask is None else gc.tensor(mask)
    found = F.scaled_dot_product_attention(*map(gc.tensor, (q, k, v)), given, **options)  # type: ignore[arg-type, call-arg]
    if "enable_gqa" in options:
        k, v = (np.repeat(x, 3, axis=-3) for x in (k, v))
    causal = options.get("is_causal", False)
    close(found, attention(q, k, v, mask, causal, options.get("scale")))


@pytest.mark.parity
@pytest.mark.parametrize("case", SDPA)
def test_scaled_dot_product_attention_as_pytorch(case: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    values, mask, options = sdpa_values(case)
    mine = [gc.tensor(v, requires_grad=True) for v in values]
    theirs = [torch.tensor(v, requires_grad=True) for v in values]
    masks: list[Any] = [None, None]
    if mask is not None:
        wants = mask.dtype != np.bool_
        masks = [gc.tensor(mask, requires_grad=wants), torch.tensor(mask, requires_grad=wants)]
    found = F.scaled_dot_product_attention(*mine, masks[0], **options)  # type: ignore[arg-type, call-arg]
    expected = torch.nn.functional.scaled_dot_product_attention(*theirs, masks[1], **options)
    close(found, expected.detach().numpy())
    weights = RNG(1).normal(size=found.shape).astype(np.float32)
    (found * gc.tensor(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    for a, b in zip([*mine, masks[0]], [*theirs, masks[1]]):
        if a is not None and a.requires_grad:
            close(a.grad, b.grad.numpy())


def test_a_query_that_may_attend_to_nothing_gets_zeros() -> None:
    q, k, v = (gc.randn(2, 3, 4, requires_grad=True) for _ in range(3))
    mask = gc.tensor([[True, True, False], [False, False, False], [True, False, False]])
    found = F.scaled_dot_product_attention(q, k, v, mask)
    assert (found[:, 1] == 0).all()
    found.sum().backward()
    for x in (q, k, v):
        assert np.isfinite(x.grad.numpy()).all()
    assert (q.grad[:, 1] == 0).all()


def test_attention_drops_weights() -> None:
    q, k = gc.zeros(1, 200, 8), gc.zeros(1, 50, 8)
    v = gc.ones(1, 50, 1)
    gc.manual_seed(3)
    found = F.scaled_dot_product_attention(q, k, v, dropout_p=0.4).numpy()
    # Each weight is 1 / 50, dropped with probability 0.4 or divided by 0.6.
    assert abs(found.mean() - 1) < 0.02
    shares = found * 0.6 * 50
    np.testing.assert_allclose(shares, np.round(shares), atol=1e-3)
    assert shares.std() == pytest.approx(np.sqrt(50 * 0.4 * 0.6), rel=0.2)
    gc.manual_seed(3)
    close(F.scaled_dot_product_attention(q, k, v, dropout_p=0.4), found, 0)


def test_attention_of_a_symbolic_graph() -> None:
    n = gc.dim("n")
    q, k, v = (gc.input(name, (n, 4, 8)) for name in "qkv")
    run = gc.compile([q, k, v], F.scaled_dot_product_attention(q, k, v, is_causal=True))
    for batch in (1, 3):
        values = [RNG(batch).normal(size=(batch, 4, 8)).astype(np.float32) for _ in range(3)]
        close(run(*values), attention(*values, causal=True))  # type: ignore[arg-type, misc]


def test_the_second_derivative_of_attention() -> None:
    values = [gc.tensor(RNG(k).normal(size=(2, 3, 4)), requires_grad=True) for k in range(3)]
    assert gc.autograd.gradgradcheck(
        lambda *x: F.scaled_dot_product_attention(*x, is_causal=True),  # type: ignore[misc]
        values,
    )


SDPA_ERRORS = {
    "both": (
        lambda: F.scaled_dot_product_attention(  # type: ignore[call-arg, misc]
            *[gc.zeros(2, 3, 4)] * 3,  # type: ignore[arg-type]
            gc.zeros(3, 3),
            is_causal=True,
        ),
        gc.errors.ArgumentError,
        "scaled_dot_product_attention: attn_mask and is_causal=True are both given\n  at LINE\n"
        "  hint: leave is_causal out and put the causal mask into attn_mask",
    ),
    "features": (
        lambda: F.scaled_dot_product_attention(
            gc.zeros(2, 3, 4), gc.zeros(2, 3, 5), gc.zeros(2, 3, 4)
        ),
        gc.errors.ShapeError,
        "scaled_dot_product_attention: the query has 4 features, the key 5\n"
        "  query: f32[2, 3, 4]\n  key: f32[2, 3, 5]\n  value: f32[2, 3, 4]\n  at LINE",
    ),
    "keys": (
        lambda: F.scaled_dot_product_attention(
            gc.zeros(2, 3, 4), gc.zeros(2, 5, 4), gc.zeros(2, 6, 4)
        ),
        gc.errors.ShapeError,
        "scaled_dot_product_attention: there are 5 keys and 6 values\n"
        "  query: f32[2, 3, 4]\n  key: f32[2, 5, 4]\n  value: f32[2, 6, 4]\n  at LINE",
    ),
    "mask": (
        lambda: F.scaled_dot_product_attention(  # type: ignore[call-arg]
            *[gc.zeros(2, 3, 4)] * 3,  # type: ignore[arg-type]
            gc.zeros(3, 3, dtype=gc.int64),
        ),
        gc.errors.DTypeError,
        "scaled_dot_product_attention: attn_mask has dtype int64; it must be bool or the "
        "query's, float32\n  at LINE",
    ),
    "groups": (
        lambda: F.scaled_dot_product_attention(  # type: ignore[misc]
            gc.zeros(1, 4, 2, 2),
            *[gc.zeros(1, 3, 2, 2)] * 2,  # type: ignore[arg-type]
            enable_gqa=True,
        ),
        gc.errors.ShapeError,
        "scaled_dot_product_attention: the query's 4 heads are no multiple of the 3 of "
        "f32[1, 3, 2, 2]\n  at LINE",
    ),
}


@pytest.mark.parametrize("case", SDPA_ERRORS)
def test_the_whole_text_of_attention_errors(case: str) -> None:
    make, kind, text = SDPA_ERRORS[case]
    check_text(make, kind, text)
