"""Eager graphc beside eager PyTorch, in one process: single ops, training steps, an epoch.

    python tests/benchmarks/eager.py            (needs the `bench` and `examples` extras)

Outputs are compared first. Times are medians of rounds in which the two take turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import graphc as gc

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "examples" / "tutorial"))
torch.set_num_threads(2)
ROUNDS = 9


def medians(ours: Callable[[], Any], theirs: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Seconds a call, of both, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for run, found in zip((ours, theirs), times):
            run()
            began = time.perf_counter()
            for _ in range(calls):
                run()
            found.append((time.perf_counter() - began) / calls)
    return statistics.median(times[0]), statistics.median(times[1])


def both(array: np.ndarray, grad: bool = False) -> tuple[Any, Any]:
    """An array as a tensor of each library."""
    return (
        gc.tensor(array.copy(), requires_grad=grad),
        torch.tensor(array.copy(), requires_grad=grad),
    )


def op_cases(size: tuple[int, int]) -> list[tuple[str, Callable[[Any, Any, Any, Any], Any]]]:
    """Names, and functions of (library, a, b, a tensor that requires a gradient)."""
    rows, columns = size
    return [
        ("a + b", lambda t, a, b, c: a + b),
        ("a + b, recorded", lambda t, a, b, c: c + b),
        ("a * b, recorded", lambda t, a, b, c: c * b),
        ("a * 2.0", lambda t, a, b, c: a * 2.0),
        ("exp", lambda t, a, b, c: a.exp()),
        ("tanh", lambda t, a, b, c: a.tanh()),
        ("relu", lambda t, a, b, c: t.relu(a)),
        ("sum", lambda t, a, b, c: a.sum()),
        ("sum(1)", lambda t, a, b, c: a.sum(1)),
        ("mean", lambda t, a, b, c: a.mean()),
        ("softmax", lambda t, a, b, c: t.softmax(a, 1)),
        ("a @ b.T", lambda t, a, b, c: a @ b.T),
        ("a @ b.T, recorded", lambda t, a, b, c: c @ b.T),
        ("view", lambda t, a, b, c: a.view(rows * columns)),
        ("a[0]", lambda t, a, b, c: a[0]),
        ("a > b", lambda t, a, b, c: a > b),
        ("where", lambda t, a, b, c: t.where(a > b, a, b)),
        ("cat", lambda t, a, b, c: t.cat([a, b])),
        ("max(1)", lambda t, a, b, c: a.max(1)),
        ("(c * c).sum().backward()", lambda t, a, b, c: (c * c).sum().backward()),
    ]


def ops(size: tuple[int, int], calls: int) -> None:
    """A table of single operations on tensors of one size."""
    print(f"\n| op on {size[0]} x {size[1]} | graphc | torch | ratio |\n|---|---|---|---|")
    drawn = np.random.RandomState(0)
    a, b, c = (both(drawn.rand(*size).astype(np.float32) + 0.1, k == 2) for k in range(3))
    for name, run in op_cases(size):
        own, wanted = run(gc, a[0], b[0], c[0]), run(torch, a[1], b[1], c[1])
        if isinstance(wanted, torch.Tensor):
            np.testing.assert_allclose(
                own.detach().numpy(), wanted.detach().numpy(), rtol=1e-4, atol=1e-5
            )
        mine, theirs = medians(
            lambda run=run: run(gc, a[0], b[0], c[0]),  # type: ignore[misc]
            lambda run=run: run(torch, a[1], b[1], c[1]),  # type: ignore[misc]
            calls,
        )
        print(f"| {name} | {_text(mine)} | {_text(theirs)} | {mine / theirs:.2f} |")


def _text(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.2f} us"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _mlp(t: Any) -> Any:
    n = t.nn
    return n.Sequential(
        n.Linear(784, 512), n.ReLU(), n.Linear(512, 256), n.ReLU(), n.Linear(256, 10)
    )  # fmt: skip


def _convnet(t: Any) -> Any:
    n = t.nn
    return n.Sequential(
        n.Conv2d(1, 32, 3, padding=1), n.BatchNorm2d(32), n.ReLU(), n.MaxPool2d(2),
        n.Conv2d(32, 64, 3, padding=1), n.BatchNorm2d(64), n.ReLU(), n.MaxPool2d(2),
        n.Flatten(), n.Linear(64 * 49, 128), n.ReLU(), n.Linear(128, 10),
    )  # fmt: skip


def stepper(t: Any, model: Any) -> Callable[[Any, Any], Any]:
    """A training step with SGD and momentum."""
    loss_fn = t.nn.CrossEntropyLoss()
    optimizer = t.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def training(name: str, make: Callable[[Any], Any], shape: tuple[int, ...], calls: int) -> None:
    """A row of a training step: eager both, and compiled."""
    drawn = np.random.RandomState(0)
    x = both(drawn.randn(64, *shape).astype(np.float32))
    y = both(drawn.randint(0, 10, 64))
    theirs = make(torch)
    models = []
    for _ in range(2):
        models.append(make(gc))
        models[-1].load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    own, wanted = stepper(gc, models[0]), stepper(torch, theirs)
    compiled = gc.jit.compile(stepper(gc, models[1]))
    for _ in range(5):
        losses = [s(x[k], y[k]).item() for s, k in ((own, 0), (wanted, 1), (compiled, 0))]
    np.testing.assert_allclose(losses, losses[1], rtol=1e-3)
    mine, other = medians(lambda: own(x[0], y[0]), lambda: wanted(x[1], y[1]), calls)
    fast, _ = medians(lambda: compiled(x[0], y[0]), lambda: None, calls)
    print(f"| {name} | {_text(mine)} | {_text(other)} | {mine / other:.2f} | {_text(fast)} |")


def epoch() -> None:
    """An epoch over files of MNIST's format, loader included."""
    from pictures import write_mnist

    from graphc.data import DataLoader
    from graphc.data.vision import datasets, transforms

    with tempfile.TemporaryDirectory() as folder:
        write_mnist(folder)
        both_steps = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        )
        data = datasets.MNIST(folder, transform=both_steps)

        class Same(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(data)

            def __getitem__(self, index: int) -> Any:
                image = torch.from_numpy(data.data._array[index]).float().div_(255)[None]
                return (image - 0.1307) / 0.3081, data.targets._array[index]

        own, wanted = stepper(gc, _convnet(gc)), stepper(torch, _convnet(torch))
        ours = DataLoader(data, batch_size=64)
        theirs = torch.utils.data.DataLoader(Same(), batch_size=64)
        mine, other = medians(
            lambda: [own(x, y) for x, y in ours], lambda: [wanted(x, y) for x, y in theirs], 1
        )
    print(
        f"| ConvNet, an epoch of 1437 pictures, loader included | {_text(mine)} | {_text(other)} "
        f"| {mine / other:.2f} | |"
    )


def main() -> None:
    """All tables."""
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, two threads each")
    ops((10, 10), 2000)
    ops((1000, 1000), 20)
    print("\n| training | graphc eager | torch eager | ratio | graphc compiled |")
    print("|---|---|---|---|---|")
    training("MLP 784-512-256-10, SGD, batch 64", _mlp, (784,), 20)
    training("ConvNet with batch norm, 28 x 28, SGD, batch 64", _convnet, (1, 28, 28), 5)
    epoch()


if __name__ == "__main__":
    main()
