"""Where Python asks for what no graph holds, the graph ends, and the rest of the call is eager.

What is compared: values, flags, gradients, what arguments and results are, what is shown.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest
from observed import Body, Note, Wrap, difference

import graphc as gc
import graphc.nn as nn

PROGRAMS: list[Body] = []


def program(body: Body) -> Body:
    PROGRAMS.append(body)
    return body


def _x(seed: int = 0, rows: int = 4) -> Any:
    return gc.tensor(np.random.RandomState(seed).randn(rows, 3).astype(np.float32))


@program
def arguments_are_the_callers_own(wrap: Wrap, note: Note) -> None:
    kept: list[Any] = []

    def f(x: Any, z: Any) -> Any:
        x.requires_grad_(True)
        k = float((x * 2).sum())
        ((x**2).sum() * k).backward()
        x.tag = "seen"
        z.grad = gc.ones(3) * k
        kept.append(x)
        return x.grad, x

    f = wrap(f, keep_grads=True)
    for k in range(2):
        x, z = _x(k), gc.zeros(3)
        gradient, same = f(x, z)
        note(gradient, gradient is x.grad, same is x, x.requires_grad, x.tag, z.grad)
        note(kept[-1] is x)


@program
def views_of_arguments_are_written(wrap: Wrap, note: Note) -> None:
    def f(x: Any) -> Any:
        part = x[0]
        part.add_((x * 2).sum().item())
        x.mul_(2)
        x.data = x.data + 1
        return part, x.t()

    f = wrap(f)
    for k in range(2):
        x = _x(k)
        found = f(x)
        note(x, found)
        x.zero_()
        note(found)


@program
def masks_that_are_computed(wrap: Wrap, note: Note) -> None:
    def f(x: Any, m: Any) -> Any:
        y = x * 1
        y[y > 1] *= 2
        y[m] = y[m] + 1
        z = y[m & (y > 0)]
        y[:, 0][y[:, 0] < 0] = gc.zeros(int((y[:, 0] < 0).sum()))
        return y, z, (z * z).sum()

    f = wrap(f)
    for k in range(3):
        x = _x(k).requires_grad_()
        found = f(x, _x(k) > 0.5)
        found[2].backward()
        note(found[:2], x.grad)


@program
def sizes_in_views_of_memory_that_was_written(wrap: Wrap, note: Note) -> None:
    whole = gc.arange(24.0)
    first, second = whole[:12], whole[6:18]

    def f(x: Any) -> Any:
        first.add_(x.sum())
        return second.view(x.shape[0], 3) * x

    f = wrap(f)
    for k in range(2):
        note(f(_x(k)), whole)


@program
def texts_of_tensors(wrap: Wrap, note: Note) -> None:
    scale = gc.ones(2)

    def f(x: Any) -> Any:
        print(x, scale, x * 2, f"{x}", f"{(x * scale[0]).sum():.2f}")
        return x * 3

    f = wrap(f)
    for k in range(3):
        with redirect_stdout(io.StringIO()) as shown:
            note(f(_x(k, 2)))
        note(shown.getvalue())
        scale.fill_(k)


@program
def memory_that_is_replaced_while_others_have_it(wrap: Wrap, note: Note) -> None:
    weight = gc.ones(3)
    part = weight[:2]
    parameter = nn.Parameter(weight)

    def replaced(x: Any) -> Any:
        row, same = x[0], x.detach()
        x.data = x.data + 1
        first = weight[:2]
        weight.data = weight.data * 2
        parameter.data = parameter.data * 3
        y = x * 1
        inner = y[0]
        y.data = x * 3
        return row, same, first, weight * 1, y.add_(1), inner, y[1]

    f = wrap(replaced)
    for _ in range(2):
        x = _x()
        found = f(x)
        note(x, found, weight, part, parameter)
        x.zero_()
        note(found)


@pytest.mark.parametrize("policy", ["eager", "specialise"])
@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
@pytest.mark.filterwarnings("ignore::graphc.errors.GraphcWarning")
def test_the_call_is_the_eager_call(body: Body, policy: str) -> None:
    assert difference(body, on_branch=policy) is None
