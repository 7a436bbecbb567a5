"""Data and comparisons for tests of `gc.nn`: one line of source, run by graphc and by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gc
from graphc.eager.engine.tensor import Tensor


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape)


def _uniform(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).rand(*shape) * 0.9 + 0.05


def _far_from_corners(x: np.ndarray) -> np.ndarray:
    """Away from places where activations have corners, so that differences are gradients."""
    for corner in (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0):
        near = np.abs(x - corner) < 0.05
        x = np.where(near, x + 0.1, x)
    return x


# Floats: inputs whose gradients are compared. A name's letters say what it is.
FLOATS = {
    "v": _far_from_corners(_normal(0, 5)),
    "a": _far_from_corners(_normal(1, 4, 6) * 2),
    "b": _normal(2, 4, 6),
    "p": _uniform(3, 4, 6),
    "q": _uniform(4, 4, 6),
    "c": _normal(5, 6),
    "d": _uniform(6, 6),
    "w": _normal(7, 3, 6),
    "seq": _normal(8, 2, 4, 9),
    "im": _normal(9, 2, 4, 6, 7),
    "vol": _normal(10, 1, 2, 4, 5, 4),
    "k1": _normal(11, 6, 2, 3),
    "k2": _normal(12, 6, 2, 3, 2),
    "k3": _normal(13, 4, 1, 2, 3, 2),
    "full1": _normal(14, 6, 4, 3),
    "full2": _normal(15, 6, 4, 3, 3),
    "full3": _normal(16, 3, 2, 2, 2, 2),
    "up1": _normal(17, 4, 3, 4),
    "up2": _normal(18, 4, 3, 3, 2),
    "up3": _normal(19, 2, 2, 2, 2, 2),
    "bias6": _normal(20, 6),
    "bias4": _normal(21, 4),
    "bias3": _normal(22, 3),
    "ch": _uniform(23, 4),
    "table": _normal(24, 7, 3),
    "logits": _normal(25, 5, 4),
    "maps": _normal(26, 2, 4, 3, 2),
    "probs": np.random.RandomState(27).dirichlet(np.ones(4), 5),
    "tri": _normal(28, 3, 4, 5),
}  # fmt: skip
# Without gradients: indices, labels, signs, constants.
FIXED = {
    "i": np.array([[0, 2, 1, 6], [1, 1, 3, 2]]),
    "flat": np.array([1, 2, 4, 5, 4, 3, 0, 2]),
    "starts": np.array([0, 3, 3, 5]),
    "labels": np.array([0, 3, 1, 1, 2]),
    "some": np.array([0, -100, 1, 1, -100]),
    "planes": np.array([[[0, 1], [2, 3], [1, 1]], [[0, 0], [1, 2], [3, 3]]]),
    "signs": np.array([1.0, -1.0, 1.0, -1.0]),
    "signs6": np.sign(_normal(29, 4, 6)),
    "bits": (np.random.RandomState(30).rand(4, 6) > 0.5).astype(np.float64),
    "counts": np.random.RandomState(31).randint(0, 6, (4, 6)).astype(np.float64),
    "shares": _uniform(32, 4),
    "many": np.array([[1, 3, -1, 0], [2, -1, 1, 1], [0, 1, 2, 3], [-1, 0, 0, 0], [3, 0, -1, 2]]),
    "rm": _normal(33, 4),
    "rv": _uniform(34, 4),
}  # fmt: skip


def ours(dtype: Any = np.float64) -> dict[str, Any]:
    """The data as graphc's tensors, with `F`, `nn` and `t`."""
    found = {name: gc.tensor(x.astype(dtype)) for name, x in FLOATS.items()}
    for tensor in found.values():
        tensor.requires_grad_()
    fixed = {name: gc.tensor(x.astype(_kind(x, dtype))) for name, x in FIXED.items()}
    return {**found, **fixed, "F": gc.nn.functional, "nn": gc.nn, "t": gc}


def _kind(x: np.ndarray, dtype: Any) -> Any:
    return dtype if x.dtype.kind == "f" else x.dtype


def torchs(torch: Any, dtype: Any = np.float64) -> dict[str, Any]:
    """The data as PyTorch's tensors, with `F`, `nn` and `t`."""
    found = {name: torch.tensor(x.astype(dtype), requires_grad=True) for name, x in FLOATS.items()}
    fixed = {name: torch.tensor(x.astype(_kind(x, dtype))) for name, x in FIXED.items()}
    nn = torch.nn
    return {**found, **fixed, "F": nn.functional, "nn": nn, "t": torch}


def lines(text: str) -> list[str]:
    """The cases of a table: separated by ` | ` or on lines of their own."""
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


def flattened(value: Any) -> list[Any]:
    """The tensors of a result."""
    if isinstance(value, tuple | list):
        return [t for v in value for t in flattened(v)]
    return [value]


def summed(results: list[Any]) -> Any:
    """A number of all float results, each element with a weight of its own, to differentiate."""
    total: Any = 0.0
    for result in results:
        array = result.detach().numpy()
        if array.dtype.kind != "f":
            continue
        weights = np.cos(np.arange(array.size, dtype=array.dtype)).reshape(array.shape)
        like = gc.tensor(weights) if isinstance(result, Tensor) else result.new_tensor(weights)
        total = (result * like).sum() + total
    return total


def assert_same(own: list[Any], wanted: list[Any], rtol: float = 1e-7, atol: float = 1e-9) -> None:
    """Equal shapes, dtypes and values."""
    assert len(own) == len(wanted)
    for mine, other in zip(own, wanted):
        a, b = mine.detach().numpy(), other.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        single = 1e-6 if a.dtype == np.float32 else 0.0
        np.testing.assert_allclose(a, b, max(rtol, single), max(atol, single))


def assert_gradients(mine: dict[str, Any], theirs: dict[str, Any], **tolerance: float) -> None:
    """Equal gradients of everything named by both."""
    for name in FLOATS:
        a, b = mine[name].grad, theirs[name].grad
        assert (a is None) == (b is None) or _nothing(a, b), name
        if a is not None and b is not None:
            np.testing.assert_allclose(  # type: ignore[call-overload]
                a.numpy(), b.numpy(), **{"rtol": 1e-6, "atol": 1e-8, **tolerance}, err_msg=name
            )


def _nothing(a: Any, b: Any) -> bool:
    """PyTorch gives zeros where nothing depends on an operand; None says the same."""
    found = a if a is not None else b
    return not found.numpy().any()


def assert_differences(run: Callable[[dict[str, Any]], list[Any]]) -> None:
    """Gradients against central differences, along one direction in all inputs together.

    d/de f(x + e u) is the sum of <gradient, u>.
    """
    names = ours()
    summed(run(names)).backward()
    used = [n for n in FLOATS if names[n].grad is not None]
    assert used
    way = {n: np.sin(1 + np.arange(FLOATS[n].size)).reshape(FLOATS[n].shape) for n in used}
    expected = sum(float((names[n].grad.numpy() * way[n]).sum()) for n in used)
    around = []
    for step in (1e-6, -1e-6):
        moved = ours()
        with gc.no_grad():
            for name in used:
                moved[name].add_(gc.tensor(way[name]), alpha=step)
        around.append(summed(run(moved)).item())
    assert abs((around[0] - around[1]) / 2e-6 - expected) < 1e-5 * (1 + abs(expected))
