"""What a call of a compiled function costs beside the program that it runs.

    python tests/benchmarks/compiled_calls.py            (needs the `bench` extra)

For each model: a guarded call (no Python of the function's runs) and a checked one (its Python
runs and is compared), less the program alone; eager graphc, eager PyTorch and `torch.compile` (its
`inductor` backend, or `aot_eager` where no C++ compiler is found) beside it; and the first call,
with an empty kernel cache and with a warm one. Outputs are compared first. Times are medians; the
contenders take turns. "us an op" divides what a checked call costs on top by the operations traced.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from measure import paired

import graphc as gc
from graphc.jit.trace.steps import Operation

BACKEND = "inductor" if shutil.which("g++") or shutil.which("clang++") else "aot_eager"
Call = Callable[[Any], Any]


def mlp(t: Any) -> Any:
    """Three layers."""
    n = t.nn
    return n.Sequential(n.Linear(32, 64), n.ReLU(), n.Linear(64, 64), n.GELU(), n.Linear(64, 10))


def deep(t: Any) -> Any:
    """30 layers, 60 parameters."""
    n = t.nn
    return n.Sequential(*[layer for _ in range(30) for layer in (n.Linear(16, 16), n.ReLU())])


def convnet(t: Any) -> Any:
    """A convolution with batch norm, and a layer."""
    n = t.nn
    return n.Sequential(
        n.Conv2d(1, 8, 3, padding=1), n.BatchNorm2d(8), n.ReLU(), n.MaxPool2d(2), n.Flatten(),
        n.Linear(512, 10),
    )  # fmt: skip


def encoder(t: Any) -> Any:
    """Two layers of a transformer."""
    n = t.nn
    layer = n.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    return n.TransformerEncoder(layer, 2)


MODELS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "MLP, 3 layers": (mlp, (4, 32)),
    "MLP, 60 parameters": (deep, (4, 16)),
    "ConvNet": (convnet, (4, 1, 16, 16)),
    "encoder": (encoder, (2, 16, 64)),
}


def forward(t: Any, model: Any) -> Call:
    """The model's results, without a gradient."""

    def run(x: Any) -> Any:
        with t.no_grad():
            return model(x)

    return run


def training(t: Any, model: Any) -> Call:
    """A step with Adam."""
    optimizer = t.optim.Adam(model.parameters(), lr=1e-3)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def program_alone(compiled: Any, x: Any) -> Callable[[], Any]:
    """The program of a guarded function, on the arrays of a call."""
    variant = compiled.variants[-1]
    given: list[Any] = []

    def run(arrays: Any, live: Any) -> Any:
        given[:] = arrays
        return type(variant).run(variant, arrays, live)

    variant.run = run
    compiled(x)
    del variant.run
    return lambda: variant._full(*given)


def operations(compiled: Any) -> int:
    """How many operations were traced."""
    step, count = compiled.variants[-1].root, 0
    while step.after:
        step = step.after[0]
        count += isinstance(step, Operation)
    return count


def calls(make: Any, shape: tuple[int, ...], what: Any) -> tuple[dict[str, Callable[[], Any]], int]:
    """The contenders by name, after outputs were compared; and the operations of a call."""
    theirs = make(torch)
    values = {k: v.numpy().copy() for k, v in theirs.state_dict().items()}

    def of_ours(wrap: Callable[[Call], Any]) -> Any:
        model = make(gc)
        model.load_state_dict(values)
        return wrap(what(gc, model))

    again = make(torch)
    again.load_state_dict(theirs.state_dict())
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x, y = gc.tensor(array), torch.tensor(array)
    ours: dict[str, Any] = {
        "guarded": of_ours(lambda f: gc.jit.compile(f, tier="guarded")),
        "checked": of_ours(lambda f: gc.jit.compile(f, tier="checked")),
        "eager": of_ours(lambda f: f),
    }
    others = {
        "torch eager": what(torch, theirs),
        "torch.compile": torch.compile(what(torch, again), backend=BACKEND),
    }
    for _ in range(3):
        wanted = others["torch eager"](y).detach().numpy()
        found = [f(x).detach().numpy() for f in ours.values()]
        found.append(others["torch.compile"](y).detach().numpy())
        for each in found:
            np.testing.assert_allclose(each, wanted, rtol=1e-3, atol=1e-4)
    run: dict[str, Callable[[], Any]] = {k: partial(f, x) for k, f in ours.items()}
    run |= {k: partial(f, y) for k, f in others.items()}
    return {"program": program_alone(ours["guarded"], x), **run}, operations(ours["checked"])


def table(title: str, what: Any) -> None:
    """A row for each model: microseconds a call."""
    print(f"\n{title}, us a call")
    print(
        f"{'':20}{'program':>9}{'guarded':>9}{'on top':>8}{'checked':>9}{'ops':>5}{'us an op':>9}"
        f"{'eager':>9}{'torch':>9}{'torch.compile':>14}{'guarded/it':>11}"
    )
    for name, (make, shape) in MODELS.items():
        contenders, count = calls(make, shape, what)
        found = {k: v * 1e6 for k, v in paired(contenders).items()}
        program, guarded, checked = found["program"], found["guarded"], found["checked"]
        print(
            f"{name:20}{program:9.1f}{guarded:9.1f}{guarded - program:8.1f}{checked:9.1f}"
            f"{count:5}{(checked - program) / max(1, count):9.2f}{found['eager']:9.1f}"
            f"{found['torch eager']:9.1f}{found['torch.compile']:14.1f}"
            f"{guarded / found['torch.compile']:11.2f}",
            flush=True,
        )


def first_calls() -> None:
    """Seconds of process time of a first call, in processes of their own."""
    print("\nFirst call of a training step with Adam (process CPU seconds)")
    print(f"{'':20}{'empty cache':>12}{'warm cache':>12}")
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "GRAPHC_CACHE_DIR": folder}
            command = [sys.executable, __file__, "--first", name]
            cold, warm = (
                float(subprocess.run(command, env=environment, capture_output=True, text=True,
                                     check=True).stdout)
                for _ in range(2)
            )  # fmt: skip
        print(f"{name:20}{cold:12.2f}{warm:12.2f}", flush=True)


def first_call(name: str) -> float:
    """Process time of the first call in this process."""
    make, shape = MODELS[name]
    step, x = gc.jit.compile(training(gc, make(gc))), gc.randn(*shape)
    began = time.process_time()
    step(x)
    return time.process_time() - began


def main() -> None:
    """All tables."""
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--first"]:
        print(first_call(sys.argv[2]))
        return
    torch.set_num_threads(1)  # the models are small: what is measured is what is around them
    print(
        f"Python {sys.version.split()[0]}, torch {torch.__version__} "
        f"(torch.compile: {BACKEND}), one thread"
    )
    table("Forward, no gradient", forward)
    table("Training step, Adam", training)
    first_calls()


if __name__ == "__main__":
    main()
