"""Memory written, or replaced, between the forward pass and the backward one, beside PyTorch's.

What is written through `.data` or NumPy is read as it is then; through the tensor, its views or
`.detach()` it is an error; `.data = other` gives the step that read the tensor the other values.
"""

from __future__ import annotations

import gc as garbage
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GradientError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.parity

WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "nothing": lambda lib, y: None,
    "data, an element": lambda lib, y: y.data.__setitem__(0, 5.0),
    "data, all": lambda lib, y: y.data.mul_(3),
    "data, a view": lambda lib, y: y.data[:1].mul_(3),
    "data, a copy of other values": lambda lib, y: y.data.copy_(lib.tensor([7.0, 8.0])),
    "data replaced": lambda lib, y: setattr(y, "data", lib.tensor([7.0, 8.0])),
    "data replaced twice": lambda lib, y: _replaced(lib, y, y),
    "data of detached replaced": lambda lib, y: setattr(y.detach(), "data", lib.tensor([7.0, 8.0])),
    "NumPy": lambda lib, y: y.detach().numpy().__setitem__(0, 5.0),
    "detached, an element": lambda lib, y: y.detach().__setitem__(0, 5.0),
    "detached, all": lambda lib, y: y.detach().mul_(3),
    "detached, a view": lambda lib, y: y.detach()[:1].mul_(3),
    "without gradients": lambda lib, y: _quietly(lib, y),
    "without gradients, a view": lambda lib, y: _quietly(lib, y[:1]),
}


def _replaced(lib: Any, *tensors: Any) -> None:
    for k, y in enumerate(tensors, 3):
        y.data = lib.tensor([float(k), k + 1.0])


def _quietly(lib: Any, y: Any) -> None:
    with lib.no_grad():
        y.mul_(3)


# What is saved: an operand that was computed, a leaf beside it, a result, an operand detached.
STEPS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "computed": lambda lib, x: (lambda y: (y, y * y))(x * 1),
    "leaf": lambda lib, x: (lambda w: (w, x * w))(lib.tensor([3.0, 4.0], requires_grad=True)),
    "number beside": lambda lib, x: (lambda w: (w, x * w))(lib.tensor([3.0, 4.0])),
    "result": lambda lib, x: (lambda y: (y, y))(lib.exp(x)),
    "of two steps": lambda lib, x: (lambda y: (y, y * y + lib.sin(y)))(x * 2),
    "matmul": lambda lib, x: (lambda y: (y, y @ lib.ones(2, 3) + y.sum()))(x * 2),
    "detached operand": lambda lib, x: (lambda y: (y, x * y.detach()))(x * 2),
}


def _gradient(lib: Any, step: str, way: str) -> Any:
    """The gradient of the leaf, or that the backward pass is refused."""
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    saved, z = STEPS[step](lib, x)
    WAYS[way](lib, saved)
    try:
        z.sum().backward()
    except (RuntimeError, GradientError) as error:
        assert "in place" in str(error) or "inplace" in str(error)
        return "refused"
    return x.grad.numpy()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
def test_what_a_backward_pass_reads_of_memory_that_changed(step: str, way: str) -> None:
    ours, theirs = (_gradient(lib, step, way) for lib in (gc, torch))
    assert isinstance(ours, str) == isinstance(theirs, str), (ours, theirs)
    if not isinstance(ours, str):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_data_of_another_shape_is_refused_by_the_backward_pass() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    z = (x * x).sum()
    x.data = gc.zeros(3)
    with pytest.raises(GradientError, match=r"float32\[2\] when it was used, float32\[3\] now"):
        z.backward()


def test_data_that_was_replaced_is_freed() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    first = x.data
    gone = [weakref.ref(first.numpy())]
    for k in range(5):
        (x * x).sum().backward()
        x.data = gc.full((2,), float(k))
        gone.append(weakref.ref(x.detach().numpy()))
    del first
    garbage.collect()
    assert sum(r() is not None for r in gone) <= 2
