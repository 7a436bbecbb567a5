"""A tutorial's models, each run eagerly, traced and compiled from the same state, in one table.

    python examples/dynamic_vs_static.py
    python -m graphc contrast examples/dynamic_vs_static.py:step

The command runs what `make_step()` returns, and writes a page."""

from __future__ import annotations

from typing import Any

import graphc as gc
from graphc import nn, optim
from graphc.contrasting import contrast, summary


class DynamicModel(nn.Module):
    """Which layer runs second depends on the values that the first one gives."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide, self.narrow = nn.Linear(10, 20), nn.Linear(20, 5), nn.Linear(20, 5)

    def forward(self, x: gc.Tensor) -> gc.Tensor:
        x = self.first(x)
        return self.wide(gc.relu(x)) if x.sum() > 0 else self.narrow(gc.tanh(x))


def _training(model: nn.Module, loss_of: nn.Module, optimizer: Any) -> Any:
    def step(x: gc.Tensor, y: gc.Tensor) -> gc.Tensor:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def make_step() -> tuple[Any, ...]:
    """SimpleNetwork, 784-512-256-10, for images of digits."""
    gc.manual_seed(0)
    layers = nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
    model = nn.Sequential(*layers)
    step = _training(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01))
    return step, gc.randn(64, 784), gc.randint(0, 10, (64,))


def make_classifier() -> tuple[Any, ...]:
    """SimpleClassifier: so small that Python is all that it costs."""
    gc.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
    step = _training(model, nn.BCELoss(), optim.Adam(model.parameters(), lr=0.01))
    return step, gc.randn(10, 5), gc.rand(10, 1).round()


def make_dynamic() -> tuple[Any, ...]:
    """DynamicModel: a Python branch on a value, compiled with both arms."""
    gc.manual_seed(0)
    return DynamicModel(), gc.randn(16, 10)


def make_convnet() -> tuple[Any, ...]:
    """ConvNet with batch norm on 28x28 images."""
    gc.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = _training(model, nn.CrossEntropyLoss(), sgd)
    return step, gc.randn(32, 1, 28, 28), gc.randint(0, 10, (32,))


if __name__ == "__main__":
    makers = {"SimpleNetwork": make_step, "SimpleClassifier": make_classifier,
              "DynamicModel": make_dynamic, "ConvNet": make_convnet}  # fmt: skip
    print(summary([contrast(*m(), name=name, budget_s=2.0) for name, m in makers.items()]))
