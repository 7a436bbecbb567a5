"""Fine-tune an ONNX model: read it as a module, train it with an optimizer, write it back.

A network that knows the digits 0 to 4 is written as an ONNX file, as another program would leave
it. The file is read, and learns all ten digits from what it knows.

    python examples/fine_tune_onnx.py [--epochs 12]
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

BATCH = 64


def train(model: nn.Module, images: np.ndarray, labels: np.ndarray, epochs: int) -> None:
    """Adam, in batches of a fixed order."""
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for start in range(0, len(images) - BATCH + 1, BATCH):
            batch = slice(start, start + BATCH)
            loss = F.cross_entropy(model(gc.tensor(images[batch])), gc.tensor(labels[batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of digits that are told."""
    with gc.no_grad():
        return float((model(gc.tensor(images)).numpy().argmax(1) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    epochs = parser.parse_args().epochs
    gc.manual_seed(0)
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    held, taught = slice(0, 360), slice(360, None)

    network = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    few = labels[taught] < 5
    train(network, images[taught][few], labels[taught][few], epochs)
    x = gc.input("x", (gc.dim("n"), 64))
    gc.onnx.export(gc.compile([x], network(x)), "five_digits.onnx")

    model = gc.onnx.to_module("five_digits.onnx")
    before = accuracy(model, images[held], labels[held])
    train(model, images[taught], labels[taught], epochs)
    after = accuracy(model, images[held], labels[held])
    print(f"360 held-out digits: {before:.1%} before, {after:.1%} after")

    weights = {name: p.detach().numpy() for name, p in model.named_parameters()}
    program = gc.onnx.load("five_digits.onnx")
    for parameter in program.history[0][1].inputs:
        if isinstance(parameter, gc.Parameter):
            parameter.value = weights[parameter.name]
    gc.onnx.export(program, "ten_digits.onnx")
    found = gc.onnx.load("ten_digits.onnx")(images[held]).argmax(1)
    print(f"ten_digits.onnx: {(found == labels[held]).mean():.1%}")


if __name__ == "__main__":
    main()
