"""The programs that the README shows run, and learn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text()
EAGER, SYMBOLIC = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def _data(count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % 10
    centres = np.random.default_rng(0).standard_normal((10, 64))
    noise = np.random.default_rng(1).standard_normal((count, 64))
    return (centres[labels] + 0.1 * noise).astype(np.float32), labels


def test_eager_first_then_static() -> None:
    gc.manual_seed(0)
    data, labels = _data(640)
    names: dict[str, Any] = {"x": gc.tensor(data), "t": gc.tensor(labels)}
    exec(EAGER, names)
    assert names["loss"].item() < 2.0  # that of a guess is 2.3


def test_a_symbolic_program() -> None:
    gc.manual_seed(0)
    data, labels = _data(64)
    names: dict[str, Any] = {"batches": [(data, labels), (data[:40], labels[:40])] * 15}
    with gc.config.override(device="reference"):
        exec(SYMBOLIC, names)
        found = names["predict"](data)
    assert names["value"] < 0.7 and np.mean(found.argmax(1) == labels) > 0.9
    assert 10 < len(SYMBOLIC.strip().splitlines()) <= 17
