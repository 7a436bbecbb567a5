"""The golden archive of version 1: `python tests/helpers/golden_archive.py` would write it anew.

It is never written anew: files of users stay loadable. A new version gets a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc

PATH = Path(__file__).resolve().parent.parent / "golden" / "program_v1.gcz"


def program() -> Any:
    """A small training step with something of everything: draws, indices, a loop, a branch."""
    rng = np.random.default_rng(0)
    n = gc.dim("n", min=1, max=4096)
    words = gc.input("words", (n, 4), gc.int64)
    rate = gc.input("rate", ())
    table = gc.parameter("table", rng.normal(size=(7, 3)).astype(np.float32))
    weight = gc.parameter("weight", rng.normal(size=(3, 3)).astype(np.float32))
    steps = gc.parameter("steps", np.int64(0))
    seen = gc.take(table, words, axis=0)

    def cell(state: Any, x: Any) -> Any:
        new = gc.tanh(state @ weight + x)
        return new, gc.sum(new)

    start = gc.zeros((n, 3), gc.float32)
    last, sums = gc.scan(cell, start, gc.transpose(seen, (1, 0, 2)))
    kept = gc.dropout(last, 0.5)
    best = gc.max_pool(gc.reshape(kept, (n, 1, 3)), 3)
    loss = gc.mean(gc.square(kept)) + gc.mean(best) + 0.1 * gc.mean(sums)
    loss = gc.cond(steps > 100, lambda x: x * 0.5, lambda x: x, loss)
    grads = gc.grad(loss, [table, weight])
    updates = {p: p - rate * g for p, g in zip((table, weight), grads)}
    updates[steps] = steps + 1
    return gc.compile([words, rate], {"loss": loss, "last": last}, updates, name="step")


if __name__ == "__main__":
    assert not PATH.exists(), f"{PATH} is there: it stays as it is"
    gc.manual_seed(1)
    gc.jit.save(
        program(), PATH, certificate={"assumes": ["words are numbers of rows of the table"]}
    )
