"""Errors of eager code, whole: what is wrong, the values, the line, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphcError


def _twice() -> None:
    y = (gc.ones(2, requires_grad=True).exp()).sum()
    y.backward()
    y.backward()


def _changed() -> None:
    x = gc.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    y.add_(1)
    z.sum().backward()


def _setting() -> None:
    delta: Any = gc.ones(())
    gc.nn.functional.huber_loss(gc.ones(1), gc.ones(1), delta=delta)


def _leaf() -> None:
    gc.ones(2, requires_grad=True).add_(1)


def _leaf_item() -> None:
    x = gc.ones(2, requires_grad=True)
    x[0] = 3.0


NO_ARRAY: Any = [1, 2]
CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "backward twice": (_twice, """
ExpBackward0: a backward pass has already been through here and freed the values that it needs
  at HERE in _twice
  hint: call backward(retain_graph=True) the first time, or compute the loss again"""),
    "changed in place": (_changed, """
MulBackward0 needs a tensor that was changed in place after it was used
  the tensor: float32[2], changed 1 times since
  at HERE in _changed
  hint: use the operation that makes a new tensor (x = x + 1, not x += 1), or x.clone() before the change"""),  # noqa: E501
    "leaf in place": (_leaf, """
a leaf that requires a gradient cannot be changed in place: its gradient would be of a value that is gone
  at HERE in _leaf
  hint: change it inside `with gc.no_grad():`, or work on x.clone()"""),  # noqa: E501
    "leaf assigned": (_leaf_item, """
a leaf that requires a gradient cannot be changed in place: its gradient would be of a value that is gone
  at HERE in _leaf_item
  hint: change it inside `with gc.no_grad():`, or work on x.clone()"""),  # noqa: E501
    "no history": (lambda: gc.ones(1).backward(), """
backward: the tensor does not require a gradient and was not computed from one that does
  the tensor: f32[1]
  at HERE
  hint: set requires_grad=True on what to differentiate by, before computing"""),
    "no scalar": (lambda: (gc.ones(3, requires_grad=True) * 2).backward(), """
backward: the tensor is f32[3], not a scalar, so it has no single gradient
  at HERE
  hint: reduce it first (x.sum(), x.mean()), or give gradient=, a tensor of its shape"""),
    "cotangent's shape": (
        lambda: (gc.ones(3, requires_grad=True) * 2).backward(gc.ones(2)), """
backward: gradient= has shape (2,), the tensor (3,)
  at HERE"""),
    "unused": (
        lambda: gc.autograd.grad(
            gc.ones(1, requires_grad=True) * 2, gc.ones(1, requires_grad=True)
        ), """
grad: no output depends on input 0
  the tensor: f32[1]
  at HERE
  hint: pass allow_unused=True to get None for it"""),
    "numpy of a recorded tensor": (lambda: gc.ones(1, requires_grad=True).numpy(), """
numpy: the tensor requires a gradient, which an array cannot carry
  at HERE
  hint: use x.detach().numpy()"""),
    "integers and gradients": (lambda: gc.arange(3).requires_grad_(), """
only tensors of a float dtype can require gradients, not int64
  at HERE
  hint: convert it first: x.float()"""),
    "truth of many": (lambda: bool(gc.ones(2)), """
the truth of a tensor of shape (2,) is ambiguous
  at HERE
  hint: use x.any() or x.all()"""),
    "item of many": (lambda: gc.ones(2).item(), """
item: a tensor of shape (2,) has 2 elements, not one
  at HERE
  hint: use x.tolist()"""),
    "shapes of an operator": (lambda: gc.ones(2, 3) + gc.ones(4), """
add: shapes (2, 3) and (4) do not broadcast
  x0: f32[2, 3], made at HERE
  x1: f32[4], made at HERE
  at HERE
  hint: sizes must be equal or 1, axis by axis from the right"""),
    "in place to another shape": (lambda: gc.ones(3).add_(gc.ones(2, 3)), """
add_: the result has shape (2, 3), the tensor that is changed in place (3,)
  at HERE
  hint: use add, which makes a new tensor"""),
    "in place to another kind": (lambda: gc.arange(3).mul_(0.5), """
mul_: a result of float32 does not fit a tensor of int64 in place
  at HERE
  hint: use mul, which makes a new tensor, or convert the tensor first"""),
    "expanded in place": (lambda: gc.ones(1).expand(3).add_(1), """
a tensor of shape (3,) that was expanded cannot be changed in place: several of its elements are one place in memory
  at HERE
  hint: work on x.clone()"""),  # noqa: E501
    "negative tolerance": (lambda: gc.allclose(gc.ones(2), gc.ones(2), atol=-0.4), """
allclose: rtol=1e-05 and atol=-0.4; a tolerance is not negative
  at HERE"""),
    "negative size": (lambda: gc.eye(2, -1), """
eye: -1 in (2, -1) is not a size
  at HERE
  hint: sizes are ints of 0 or more"""),
    "without end": (lambda: gc.arange(0, float("inf"), 2), """
arange: from 0 to inf by 2
  at HERE
  hint: the step is not 0 and leads from the start to the end, a finite number of times"""),
    "of nothing": (lambda: gc.arange(0, float("nan"), dtype=gc.int64), """
arange: from 0 to nan by 1
  at HERE
  hint: the step is not 0 and leads from the start to the end, a finite number of times"""),
    "clamped number": (lambda: gc.clamp_max(2, 3), """
clamp: 2 is not a tensor
  at HERE"""),
    "step of a number": (lambda: gc.heaviside(gc.ones(2), 2), """
heaviside: 2 is not a tensor
  at HERE"""),
    "assigned shape": (lambda: gc.ones(3).copy_(gc.ones(2)), """
a value of shape (2,) does not broadcast to (3,)
  at HERE"""),
    "index beyond": (lambda: gc.ones(3)[5], """
index 5 is out of bounds for axis 0 with size 3 (a tensor of shape (3,), index 5)
  at HERE"""),
    "view of unordered memory": (lambda: gc.ones(2, 3).T.view(6), """
view: a tensor of shape (3, 2) whose elements are not in order in memory has no view of shape (6,)
  at HERE
  hint: use x.reshape(...), which copies where it must"""),
    "ragged data": (lambda: gc.tensor([[1, 2], [3]]), """
tensor: list [[1, 2], [3]] is not numbers in a regular shape
  at HERE
  hint: every row must have the same length, every element be a number"""),
    "device": (lambda: gc.ones(1).to("cuda"), """
device 'cuda' is not usable here: eager tensors live on the CPU
  at HERE
  hint: choose with gc.device("cuda" if gc.cuda.is_available() else "cpu")"""),
    "mean of integers": (lambda: gc.arange(3).mean(), """
mean: a tensor of int64 has no mean of its dtype
  at HERE
  hint: convert it: x.float().mean()"""),
    "operand": (lambda: gc.add(gc.ones(2), "a"), """
add: str 'a' is not a tensor, an array or a number
  at HERE"""),
    "grad assigned": (lambda: setattr(gc.ones(1, requires_grad=True), "grad", 3), """
grad: int is neither a tensor nor None
  at HERE"""),
    "from_numpy": (lambda: gc.from_numpy(NO_ARRAY), """
from_numpy: list is not a NumPy array
  at HERE
  hint: use gc.tensor(...)"""),
    "byte order": (lambda: gc.from_numpy(np.ones(1, ">f4")), """
from_numpy: the array's byte order, '>f4', is not the machine's
  at HERE
  hint: convert it first: array.astype(array.dtype.newbyteorder('='))"""),
    "hook": (lambda: gc.ones(1).register_hook(print), """
register_hook: the tensor does not require a gradient
  at HERE
  hint: x.requires_grad_() first"""),
    "setting": (_setting, """
huber_loss: tensor(1.) is a tensor where a value is needed
  at HERE in _setting
  hint: give the number itself: x.item()"""),
    "size": (lambda: gc.zeros(2, -1), """
zeros: -1 in (2, -1) is not a size
  at HERE
  hint: sizes are ints of 0 or more"""),
}  # fmt: skip


def _without_lines(text: str) -> str:
    return re.sub(r"test_eager_errors\.py:\d+( in <lambda>)?", "HERE", text)


@pytest.mark.parametrize("name", CASES)
def test_the_whole_text(name: str) -> None:
    run, wanted = CASES[name]
    with pytest.raises(GraphcError) as caught:
        run()
    assert _without_lines(str(caught.value)) == wanted.strip("\n")
    assert str(caught.value).count("\n") < 12
