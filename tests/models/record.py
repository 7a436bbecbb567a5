"""Write `expected.json`: what PyTorch computes in float64. Run: `python tests/models/record.py`."""

from __future__ import annotations

import json
from typing import Any

import torch
from training import FOLDER, NAMES, load, summary, train


def rounded(value: Any) -> Any:
    """Eight digits, which are more than is compared."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.8g}")


if __name__ == "__main__":
    found = {}
    for name in NAMES:
        for small in (True, False):
            results = train(load(name, torch=True), torch, small, "float64")
            found[f"{name} {'small' if small else 'full'}"] = rounded(summary(results))
            print(name, small, results[0])
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
    (FOLDER / "expected.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
