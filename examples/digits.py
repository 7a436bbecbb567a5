"""Train a ConvNet on real handwritten digits, forward, backward and update as one program.

The network of a standard tutorial: conv 5x5 -> 16, batch norm, relu, max-pool; conv 5x5 -> 32,
batch norm, relu, max-pool; linear -> 10; cross-entropy; SGD with momentum 0.9. The data are the
1,797 digits of 8x8 pixels that scikit-learn carries; 360 of them are held out.

    python examples/digits.py [--epochs 12] [--out out/digits]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from rich.progress import Progress
from sklearn.datasets import load_digits

import graphc as gc

BATCH, MOMENTUM, EPSILON = 64, 0.9, 1e-5


class ConvNet:
    """The parameters, and the forward pass as a graph."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.trained: list[gc.Parameter] = []
        self.running: dict[gc.Parameter, gc.Node] = {}
        self.conv1 = self.weight(rng, "conv1", (16, 1, 5, 5))
        self.conv2 = self.weight(rng, "conv2", (32, 16, 5, 5))
        self.linear = self.weight(rng, "linear", (10, 32 * 2 * 2))
        self.bias = self.parameter("bias", np.zeros(10))
        self.norms = [self.norm("norm1", 16), self.norm("norm2", 32)]

    def parameter(self, name: str, value: np.ndarray) -> gc.Parameter:
        self.trained.append(gc.parameter(name, value.astype(np.float32)))
        return self.trained[-1]

    def weight(self, rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> gc.Parameter:
        bound = 1 / np.sqrt(np.prod(shape[1:]))
        return self.parameter(name, rng.uniform(-bound, bound, shape))

    def norm(self, name: str, channels: int) -> dict[str, gc.Parameter]:
        zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        return {
            "scale": self.parameter(f"{name}_scale", ones),
            "shift": self.parameter(f"{name}_shift", zeros),
            "mean": gc.parameter(f"{name}_mean", zeros),
            "var": gc.parameter(f"{name}_var", ones),
        }

    def batch_norm(self, x: gc.Node, norm: dict[str, gc.Parameter], training: bool) -> gc.Node:
        mean, var = norm["mean"], norm["var"]
        if training:
            mean, var = gc.mean(x, axis=(0, 2, 3)), gc.var(x, axis=(0, 2, 3), correction=0)
            self.running[norm["mean"]] = 0.9 * norm["mean"] + 0.1 * mean
            self.running[norm["var"]] = 0.9 * norm["var"] + 0.1 * var
        scale = norm["scale"] / gc.sqrt(var + EPSILON)
        shift = norm["shift"] - mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)

    def __call__(self, x: gc.Node, training: bool) -> gc.Node:
        for weight, norm in zip((self.conv1, self.conv2), self.norms):
            x = self.batch_norm(gc.conv(x, weight, padding=2), norm, training)
            x = gc.max_pool(gc.relu(x), 2)
        return x.reshape(x.shape[0], -1) @ self.linear.T + self.bias


def programs(net: ConvNet) -> tuple[gc.Program, gc.Program]:
    """The training step and the prediction; they share the parameters."""
    n = gc.dim("n", min=1)
    x = gc.input("x", (n, 1, 8, 8), gc.float32)
    labels = gc.input("labels", (n,), gc.int64)
    rate = gc.input("rate", (), gc.float32)
    loss = gc.cross_entropy(net(x, training=True), labels)
    updates = dict(net.running)
    for weight, gradient in zip(net.trained, gc.grad(loss, net.trained)):
        velocity = gc.parameter(f"{weight.name}_velocity", np.zeros_like(weight.value))
        updates[velocity] = MOMENTUM * velocity + gradient
        updates[weight] = weight - rate * updates[velocity]
    step = gc.compile([x, labels, rate], loss, updates, name="train_step")
    predict = gc.compile([x], gc.argmax(net(x, training=False), axis=1), name="predict")
    return step, predict


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("out/digits"))
    options = parser.parse_args()
    digits = load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(digits.target))
    images = (digits.images[order, None] / 16).astype(np.float32)
    labels = digits.target[order].astype(np.int64)
    train, test = slice(360, None), slice(0, 360)

    start = time.perf_counter()
    step, predict = programs(ConvNet(seed=0))
    print(step.report())
    print(f"graphs built and compiled in {time.perf_counter() - start:.2f} s")

    start = time.perf_counter()
    batches = (len(images) - 360) // BATCH
    with Progress() as progress:
        task = progress.add_task("training", total=options.epochs * batches)
        for epoch in range(options.epochs):
            rate = np.float32(0.05 * 0.5 * (1 + np.cos(np.pi * epoch / options.epochs)))
            losses = []
            for batch in np.array_split(360 + rng.permutation(len(images) - 360), batches):
                losses.append(step(images[batch], labels[batch], rate))
                progress.update(task, advance=1, description=f"loss {np.mean(losses):.4f}")
            progress.console.print(f"epoch {epoch + 1:2}: mean loss {np.mean(losses):.4f}")
    fit = np.mean(predict(images[train]) == labels[train])
    accuracy = float(np.mean(predict(images[test]) == labels[test]))
    print(f"trained in {time.perf_counter() - start:.2f} s")
    print(f"accuracy: {fit:.2%} on the training digits, {accuracy:.2%} on 360 held-out digits")
    folder = step.dump(options.out)
    print(f"every pass's graph, the kernels and the memory plan are in {folder}")
    return accuracy


if __name__ == "__main__":
    main()
