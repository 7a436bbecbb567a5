"""Load a model's source for a library, train it, and make numbers of what came."""

from __future__ import annotations

import json
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
NAMES = ("resnet", "densenet", "mobilenet", "unet", "language", "transformer", "diffusion")
STEPS = 3
IMPORTS = {
    "import graphc as torch": "import torch",
    "import graphc.nn as nn": "import torch.nn as nn",
    "import graphc.nn.functional as F": "import torch.nn.functional as F",
}


def load(name: str, torch: bool = False) -> Any:
    """A model's source as a module, for graphc or with its import lines made PyTorch's."""
    path = FOLDER / f"{name}.py"
    lines = path.read_text().splitlines()
    if torch:
        lines = [IMPORTS.get(line, line) for line in lines]
        assert not any("graphc" in line for line in lines)
    module = types.ModuleType(f"models_{name}")
    exec(compile("\n".join(lines), str(path), "exec"), module.__dict__)
    return module


def weights(model: Any) -> dict[str, np.ndarray]:
    """Initial weights by the names of parameters: the same for both libraries."""
    found = {}
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        random = np.random.RandomState(zlib.crc32(name.encode()))
        drawn = random.standard_normal(shape)
        if len(shape) > 1:
            found[name] = drawn * np.sqrt(1.5 / np.prod(shape[1:]))
        else:
            found[name] = 0.1 * drawn + (1.0 if name.endswith("weight") else 0.0)
    return found


def batches(module: Any, small: bool, dtype: str) -> list[tuple[np.ndarray, ...]]:
    """The data of the steps."""
    random = np.random.RandomState(0)
    drawn = [module.batch(random, small) for _ in range(STEPS)]
    return [tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in b) for b in drawn]


def train(module: Any, library: Any, small: bool, dtype: str, compiled: Any = None) -> Any:
    """Some steps from the initial weights.

    Args:
        module: a model's source, loaded.
        library: graphc or PyTorch.
        small: the reduced model.
        dtype: of parameters and floating-point data.
        compiled: what makes a compiled function of the step, if any.

    Returns:
        The losses; the gradients of the first step, the parameters' changes over all steps and
        the buffers after them, by name.
    """
    model = module.make(small).to(getattr(library, dtype))
    first = weights(model)
    with library.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(library.tensor(first[name].astype(dtype)))
    optimizer = module.optimizer(model)

    def step(*tensors: Any) -> Any:
        optimizer.zero_grad()
        loss = module.loss(model, *tensors)
        loss.backward()
        if hasattr(module, "clip"):
            module.clip(model)
        optimizer.step()
        return loss

    run = step if compiled is None else compiled(step)
    losses, gradients = [], {}
    for place, data in enumerate(batches(module, small, dtype)):
        losses.append(run(*(library.tensor(a) for a in data)).item())
        if place == 0:
            gradients = {n: p.grad.numpy().copy() for n, p in model.named_parameters()}
    changes = {n: p.detach().numpy() - first[n] for n, p in model.named_parameters()}
    buffers = {n: b.numpy() for n, b in model.named_buffers() if b.is_floating_point()}
    return losses, gradients, changes, buffers


def projected(array: np.ndarray) -> list[float]:
    """Two numbers of an array: along a fixed direction, and its length."""
    flat = np.asarray(array, np.float64).reshape(-1)
    way = np.cos(1.0 + np.arange(flat.size))
    return [float(flat @ way / np.sqrt(way @ way)), float(np.sqrt(flat @ flat))]


def summary(results: Any) -> dict[str, Any]:
    """What is recorded of a training."""
    losses, *arrays = results
    named = zip(("gradients", "changes", "buffers"), arrays)
    return {"losses": losses} | {
        kind: {n: projected(a) for n, a in found.items()} for kind, found in named
    }


def expected(name: str, small: bool) -> dict[str, Any]:
    """PyTorch's numbers, recorded."""
    with open(FOLDER / "expected.json") as file:
        return json.load(file)[f"{name} {'small' if small else 'full'}"]
