"""Attention written out in NumPy, and how tests of networks compare values and messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc


def softmax(scores: np.ndarray) -> np.ndarray:
    top = scores.max(-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = powers.sum(-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def attention(q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False, scale: Any = None):
    """Attention as the formula has it; True in a mask keeps a key."""
    scores = q @ np.swapaxes(k, -1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    return softmax(scores) @ v


def close(found: Any, expected: Any, tolerance: float = 2e-5) -> None:
    found = found.detach().numpy() if isinstance(found, gc.Tensor) else found
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def check_text(make: Any, kind: type[Exception], text: str) -> None:
    """The whole message, with this file's line in the place of LINE."""
    with pytest.raises(kind) as caught:
        make()
    lines = str(caught.value).split("\n")
    for k, line in enumerate(lines):
        if line.startswith("  at "):
            assert line.split(":")[0].endswith(".py"), line
            lines[k] = "  at LINE"
    assert "\n".join(lines) == text
