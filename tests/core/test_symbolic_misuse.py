"""What a symbolic tensor cannot be used for: each error says so, and what to write instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import GraphcError

X: Any = gc.input("x", (3, 4))
ROWS: Any = gc.input("rows", (gc.dim("n"), 4))
S: Any = gc.sum(X)
K: Any = gc.input("k", (), gc.int64)
MODEL = nn.Linear(4, 2)
OPTIMIZER: Any = optim.SGD(MODEL.parameters(), lr=0.1)
LOSS: Any = gc.sum(MODEL(X))
W: Any = gc.parameter("w", np.zeros(3, np.float32))


def _assigned() -> None:
    X[0] = 1


def _branch() -> Any:
    return 1 if S else 2


def _of(width: int = 4, dtype: Any = gc.float32) -> Any:
    return gc.input("y", (3, width), dtype)


# What is done, and words of what the error says to do.
CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "a carry taken apart": (
        lambda: gc.while_loop(lambda v, n: n < 3, lambda v, n: (v, n + 1), (S, 0)),
        "takes (v, n), and is called with 1: (*, *)",
    ),
    "float": (lambda: float(S), "functions of gc"),
    "int": (lambda: int(S), "astype"),
    "complex": (lambda: complex(S), "functions of gc"),
    "index": (lambda: [1, 2][S], "gc.take"),
    "range": (lambda: range(S), "gc.scan"),
    "round": (lambda: round(S, 2), "gc.round"),
    "format": (lambda: f"{S:.2f}", "call of a program"),
    "percent": (lambda: "%f" % S, "functions of gc"),  # noqa: UP031
    "math": (lambda: math.sqrt(S), "functions of gc"),
    "if": (_branch, "gc.where"),
    "not": (lambda: not X, "gc.where"),
    "min": (lambda: min(S, 1), "gc.where"),
    "in": (lambda: 3 in X, "gc.where"),
    "for": (lambda: list(ROWS), "gc.scan"),
    "len": (lambda: len(ROWS), "x.shape[0]"),
    "set": (_assigned, "x.at[index].set"),
    "add_": (lambda: X.add_(1), "x.add("),
    "item": (lambda: S.item(), "gc.compile"),
    "numpy": (lambda: X.numpy(), "gc.compile"),
    "tolist": (lambda: X.detach().tolist(), "gc.compile"),
    "asarray": (lambda: np.asarray(X), "compile"),
    "stack": (lambda: np.stack([X, X]), "compile"),
    "norm": (lambda: np.linalg.norm(X), "compile"),
    "isnat": (lambda: np.isnat(X), "function of gc"),
    "outer": (lambda: np.add.outer(X, X), "function of gc"),
    "out": (lambda: np.add(X, 1, out=np.zeros((3, 4))), "function of gc"),
    "backward": (lambda: LOSS.backward(), "optimizer.updates"),
    "grad": (lambda: LOSS.grad, "gc.grad"),
    "requires_grad": (lambda: X.requires_grad_(), "gc.grad"),
    "data": (lambda: X.data, "gc.stop_gradient"),
    "closure": (lambda: OPTIMIZER.step(lambda: LOSS), "optimizer.updates"),
    "updates of a number": (lambda: OPTIMIZER.updates(3.0), "gc.input"),
    "updates of an eager loss": (lambda: OPTIMIZER.updates(gc.ones(())), "backward"),
    "updates of rows": (lambda: OPTIMIZER.updates(MODEL(X)), "sum or mean"),
    "updates of another": (lambda: OPTIMIZER.updates(S), "the model"),
    "optimizer of nodes": (lambda: optim.SGD([X], lr=0.1), "model.parameters()"),
    "optimizer as updates": (lambda: gc.compile([X], LOSS, OPTIMIZER), "optimizer.updates"),
    "grad by a model": (lambda: gc.grad(LOSS, MODEL), "model.parameters()"),
    "features": (lambda: MODEL(_of(5)), "takes 4"),
    "rank": (lambda: nn.Conv2d(3, 4, 3)(X), "must be (N, C, H, W)"),
    "indices": (lambda: nn.Embedding(5, 3)(X), "must be integers"),
    "target": (lambda: nn.CrossEntropyLoss()(X, X[:2]), "class indices"),
    "values": (lambda: gc.tensor(K), "use it as it is"),
    "values in lists": (lambda: gc.tensor([K, 1]), "gc.stack joins"),
    "sizes": (lambda: gc.zeros((3, S)), "a size is an int"),
    "vectors as sizes": (lambda: gc.arange(gc.input("v", (3,), gc.int64)), "one element"),
    "sizes in loops": (lambda: gc.map(gc.zeros, gc.iota((3,))), "gc.where(gc.arange(largest)"),
    "masks in loops": (lambda: gc.map(lambda x: x[x > 0], X), "size=3"),
    "bounds said too late": (lambda: (gc.zeros(K), gc.dim(K, max=3)), "before it is first used"),
    "sizes not listed": (lambda: gc.compile([X], X[:K]), "add k to the inputs"),
    "more than there are": (lambda: gc.topk(X[0], gc.dim("many")), "gc.dim(k, max=size)"),
    "parameter": (lambda: gc.parameter("w", X), "compile the graph"),
    "sizes as a mean": (lambda: gc.normal((4,)), "sizes come third"),
    "negative sizes": (lambda: gc.randn(-1), "ints of 0 or more"),
    "bounds that are nothing": (lambda: gc.clamp(X, object()), "neither a tensor nor a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_misuse_is_an_error_that_says_what_to_write(name: str) -> None:
    use, instead = CASES[name]
    with pytest.raises(GraphcError) as caught:
        use()
    text = str(caught.value)
    assert instead in text and len(text.splitlines()) <= 12
    inner = ("_array", "_node", "_edge", "__", "Operators", "is_eager", "has no attribute")
    assert not [word for word in inner if word in text]


def test_functions_of_numpy_on_nodes_are_those_of_graphc() -> None:
    data = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    found = gc.compile([X], [np.exp(X), np.maximum(data, X * 2), np.ones((2, 3)) @ X, data < X])
    wanted = np.exp(data), np.maximum(data, data * 2), np.ones((2, 3)) @ data, data < data
    for own, other in zip(found(data), wanted):
        np.testing.assert_allclose(own, other, rtol=1e-6)
        assert own.dtype == other.dtype
    assert [x.type for x in (X * np.float64(2), np.float64(2) * X)] == [X.type, X.type]
