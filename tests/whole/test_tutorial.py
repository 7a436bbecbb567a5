"""A PyTorch tutorial with nothing but its import lines changed, beside PyTorch itself."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sampling import some

import graphc as gc
from graphc.data.vision import datasets, transforms

FOLDER = Path(__file__).parent.parent.parent / "examples" / "tutorial"
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "pictures")
IMPORTS = {
    "import graphc as torch": "import torch",
    "import graphc.nn as nn": "import torch.nn as nn",
    "import graphc.optim as optim": "import torch.optim as optim",
    "from graphc.data import DataLoader, TensorDataset":
        "from torch.utils.data import DataLoader, TensorDataset",
    "from graphc.data import DataLoader": "from torch.utils.data import DataLoader",
    "from graphc.data.vision import datasets, transforms":
        "from stand_ins import datasets, transforms",
}  # fmt: skip


def _load(name: str, library: Any) -> Any:
    """The example as a module, with graphc's import lines or PyTorch's."""
    source = (FOLDER / f"{name}.py").read_text()
    if library is not gc:
        lines = [IMPORTS.get(line, line) for line in source.splitlines()]
        source = "\n".join(lines)
        assert "graphc" not in source.split('"""', 2)[2]
    module = types.ModuleType(f"tutorial_{name}")
    exec(compile(source, str(FOLDER / f"{name}.py"), "exec"), module.__dict__)
    return module


@pytest.fixture(autouse=True)
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def _torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PyTorch, with stand-ins for what torchvision would bring: our readers, its tensors."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    class Both:
        def __init__(self, kind: Any) -> None:
            self.kind = kind

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            inner = self.kind(*args, **kwargs)

            class Data(torch.utils.data.Dataset):  # type: ignore[name-defined]
                def __len__(self) -> int:
                    return len(inner)

                def __getitem__(self, index: int) -> Any:
                    image, label = inner[index]
                    return torch.tensor(image.numpy()), label

            return Data()

    stand_ins = types.ModuleType("stand_ins")
    stand_ins.datasets = types.SimpleNamespace(  # type: ignore[attr-defined]
        MNIST=Both(datasets.MNIST), CIFAR10=Both(datasets.CIFAR10)
    )
    stand_ins.transforms = transforms  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stand_ins", stand_ins)
    return torch


def _same_weights(own: Any, other: Any) -> None:
    own.load_state_dict({k: gc.tensor(v.numpy()) for k, v in other.state_dict().items()})


def _arguments(name: str, folder: Path) -> list[Any]:
    if name not in ("convnet", "cifar10"):
        return []
    pictures = __import__("pictures")
    if name == "convnet":
        pictures.write_mnist(folder, 320)
        return [folder, 1]
    pictures.write_cifar10(folder, 20)
    return [folder, 1]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "cifar10" else []) for n in NAMES]
)
def test_every_example_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name in ("convnet", "cifar10"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    module = _load(name, gc)
    result = (
        module.compare(30) if name == "optimizers" else module.main(*_arguments(name, tmp_path))
    )
    assert result is not None
    assert capsys.readouterr().out
    if name == "optimizers":
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
        module.plot(result, tmp_path / "plot.png")
        assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parity
def test_tensors_and_gradients_are_pytorchs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = _torch(monkeypatch)
    own, wanted = _load("tensors", gc).main(), _load("tensors", torch).main()
    for a, b in zip(own, wanted):
        assert repr(a) == repr(b)
    assert _load("autograd", gc).main() == pytest.approx(_load("autograd", torch).main())


@pytest.mark.parity
def test_the_network_prints_as_in_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "SimpleNetwork(\n"
        "  (fc1): Linear(in_features=784, out_features=512, bias=True)\n"
        "  (fc2): Linear(in_features=512, out_features=256, bias=True)\n"
        "  (fc3): Linear(in_features=256, out_features=10, bias=True)\n"
        "  (relu): ReLU()\n"
        "  (dropout): Dropout(p=0.2, inplace=False)\n"
        ")"
    )
    assert repr(_load("simple_network", gc).SimpleNetwork()) == text
    torch = _torch(monkeypatch)
    assert repr(_load("simple_network", torch).SimpleNetwork()) == text


@pytest.mark.parity
def test_the_classifier_ends_at_pytorchs_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = _torch(monkeypatch)
    own, other = _load("simple_classifier", gc), _load("simple_classifier", torch)
    drawn = np.random.RandomState(0)
    x = drawn.randn(100, 5).astype(np.float32)
    y = (x.sum(1, keepdims=True) > 0).astype(np.float32)
    batches = [(x[k : k + 10], y[k : k + 10]) for k in range(0, 100, 10)]
    theirs, ours = other.SimpleClassifier(), own.SimpleClassifier()
    _same_weights(ours, theirs)
    found = own.train(ours, [tuple(map(gc.tensor, b)) for b in batches])
    wanted = other.train(theirs, [tuple(map(torch.tensor, b)) for b in batches])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parity
def test_the_convnet_ends_at_pytorchs_losses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    torch = _torch(monkeypatch)
    own, other = _load("convnet", gc), _load("convnet", torch)
    __import__("pictures").write_mnist(tmp_path, 192)
    data = datasets.MNIST(tmp_path)
    images = data.data.numpy().reshape(-1, 1, 28, 28).astype(np.float32) / 255
    labels = data.targets.numpy()
    parts = [slice(k, k + 32) for k in range(0, 192, 32)]
    # Drawn anew, some weights put an activation so near a kink that roundings part the trainings.
    torch.manual_seed(0)
    theirs, ours = other.ConvNet(), own.ConvNet()
    _same_weights(ours, theirs)
    found = own.train(ours, [(gc.tensor(images[p]), gc.tensor(labels[p])) for p in parts], 5)
    wanted = other.train(
        theirs, [(torch.tensor(images[p]), torch.tensor(labels[p])) for p in parts], 5
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parity
def test_the_other_models_compute_what_pytorchs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = _torch(monkeypatch)
    own, other = _load("dynamic_model", gc), _load("dynamic_model", torch)
    theirs, ours = other.DynamicModel(), own.DynamicModel()
    _same_weights(ours, theirs)
    x = np.random.RandomState(0).rand(4, 10).astype(np.float32)
    for sign in (1, -1):
        np.testing.assert_allclose(
            ours(gc.tensor(sign * x)).detach().numpy(),
            theirs(torch.tensor(sign * x)).detach().numpy(), rtol=1e-5,
        )  # fmt: skip
    own, other = _load("custom_layer", gc), _load("custom_layer", torch)
    theirs, ours = other.make_model(), own.make_model()
    assert repr(theirs) == repr(ours)
    _same_weights(ours, theirs)
    y = np.sin(x[:, :1])
    found = own.train(ours, gc.tensor(x[:, :3]), gc.tensor(y), 50)
    wanted = other.train(theirs, torch.tensor(x[:, :3]), torch.tensor(y), 50)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    own, other = _load("noise_layer", gc), _load("noise_layer", torch)
    theirs, ours = other.NoisyLinear(4, 2).eval(), own.NoisyLinear(4, 2).eval()
    _same_weights(ours, theirs)
    np.testing.assert_allclose(
        ours(gc.tensor(x[:, :4])).detach().numpy(),
        theirs(torch.tensor(x[:, :4])).detach().numpy(), rtol=1e-5,
    )  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("which", ["SGD", "Adam", "RMSprop"])
def test_optimizers_take_pytorchs_path(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = _torch(monkeypatch)
    own, other = _load("optimizers", gc), _load("optimizers", torch)
    torch.manual_seed(0)
    # In float64: RMSprop's first, long steps make much of the rounding of float32.
    theirs, ours = other.make_model().double(), own.make_model().double()
    _same_weights(ours, theirs)
    (a, b), (c, d) = own.make_data(), other.make_data()
    found = own.train(ours, own.CHOICES[which](ours.parameters()), a.double(), b, 60)
    wanted = other.train(theirs, other.CHOICES[which](theirs.parameters()), c.double(), d, 60)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("name", some(["simple_classifier", "convnet"], 2))
def test_compiled_models_end_at_the_eager_losses(name: str) -> None:
    """The tutorial's models as compiled training steps."""
    module = _load(name, gc)
    shape, build = (
        ((5,), "SimpleClassifier") if name == "simple_classifier" else ((1, 28, 28), "ConvNet")
    )
    drawn = np.random.RandomState(0)
    x = [gc.tensor(drawn.randn(16, *shape).astype(np.float32)) for _ in range(6)]
    if name == "convnet":
        y, loss_fn = [gc.tensor(drawn.randint(0, 10, 16)) for _ in x], gc.nn.CrossEntropyLoss()
    else:
        y = [gc.tensor(drawn.rand(16, 1).round().astype(np.float32)) for _ in x]
        loss_fn = gc.nn.BCELoss()  # type: ignore[assignment]
    ends = []
    for compiled in (False, True):
        gc.manual_seed(0)
        model = getattr(module, build)()
        optimizer = gc.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

        def step(a: Any, b: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = loss_fn(model(a), b)
            loss.backward()
            optimizer.step()
            return loss

        run = gc.jit.compile(step) if compiled else step
        ends.append([float(run(a, b)) for a, b in zip(x, y)])
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-5)
