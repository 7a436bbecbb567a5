"""Gradients of gradients through compiled functions: those of eager code at every order.

Enumerated: functions x which inputs require a gradient x arguments or closure x order x how the
last gradient is asked for. What is compared: values, requires_grad, and where there is none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sampling import some

import graphc as gc
from graphc.errors import GraphcError

Case = Callable[..., Any]
FUNCTIONS: dict[str, Case] = {
    "linear": lambda lib, x, w, b: x * 2 + w * 3 + b,
    "sum of products": lambda lib, x, w, b: (x**3 * w + b).sum(),
    "layer": lambda lib, x, w, b: lib.tanh(x @ w + b),
    "two layers": lambda lib, x, w, b: (lib.relu(x @ w + b) @ w).sum(),
    "two results": lambda lib, x, w, b: (x * w, (b * b).sum()),
    "a result of a result": lambda lib, x, w, b: (y := x.exp() * w, (y * b).sum()),
    "one result twice": lambda lib, x, w, b: (y := x * w, y),
    "detached": lambda lib, x, w, b: (x * w.detach()).sum() + b.detach() * b,
    "chosen": lambda lib, x, w, b: lib.where(x > 0, w, b),
    "views": lambda lib, x, w, b: (x[0], x.t() @ w, b),
    "an argument": lambda lib, x, w, b: (x, w * 1),
    "activation": lambda lib, x, w, b: lib.relu(x * w) + b,
    "unused": lambda lib, x, w, b: x * 1.0,
    "maximum": lambda lib, x, w, b: (x * w).max(1)[0] * b[0],
    "softmax": lambda lib, x, w, b: (x @ w).softmax(1) * b,
    "norm": lambda lib, x, w, b: ((x * w).norm(2, dim=1) - 1) ** 2 + b[0],
    "gathered": lambda lib, x, w, b: (x[lib.tensor([0, 0, 1])] * w[0]).sum(0) + b,
    "penalty": lambda lib, x, w, b: penalty(lib, lib.tanh(x @ w + b), x),
    "penalty of a linear function": lambda lib, x, w, b: penalty(lib, x @ w + b, x),
    "in place": lambda lib, x, w, b: in_place(x, w, b),
    "custom": lambda lib, x, w, b: squared(lib).apply(x * w, w) + b,
    "hook": lambda lib, x, w, b: hooked(x * w) * b,
}
# How the last gradient is asked for: (function, its arguments).
LAST: list[tuple[str, dict[str, bool]]] = [
    ("grad", {"allow_unused": True}),
    ("grad", {"create_graph": True}),
    ("grad", {"allow_unused": True, "create_graph": True}),
    ("backward", {}),
    ("backward", {"retain_graph": True}),
]


def penalty(lib: Any, y: Any, x: Any) -> Any:
    if not (x.requires_grad and y.requires_grad):
        return y.sum()
    (gradient,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return (gradient**2).sum()


def in_place(x: Any, w: Any, b: Any) -> Any:
    y = (x * w).clone()
    y.mul_(x)
    y[0].add_(b[0])
    return y.tanh()


def hooked(y: Any) -> Any:
    if y.requires_grad:
        y.register_hook(lambda g: g * g)
    return y


def squared(lib: Any) -> Any:
    class Squared(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            return x * x * w

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            return 2 * g * x * w, (g * x * x) if ctx.needs_input_grad[1] else None

    return Squared


def called(case: Case, lib: Any, wrap: Any, by_closure: bool) -> Any:
    """A case as a function of its three tensors, two of them arguments or found by closure."""
    if not by_closure:
        return wrap(lambda x, w, b: case(lib, x, w, b))
    box: dict[str, Any] = {}
    inner = wrap(lambda x: case(lib, x, box["w"], box["b"]))

    def outer(x: Any, w: Any, b: Any) -> Any:
        box.update(w=w, b=b)
        return inner(x)

    return outer


def seen(value: Any, flags: bool) -> Any:
    if isinstance(value, list | tuple):
        return [seen(v, flags) for v in value]
    if value is None or isinstance(value, str):
        return value
    return np.asarray(value.detach().numpy()), flags and value.requires_grad


def walked(
    lib: Any, function: Any, required: tuple[bool, ...], order: int, last: Any, flags: bool
) -> list[Any]:
    """What can be seen of a function's gradients of gradients, up to an order."""
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((2, 2)) for _ in required]
    tensors = [lib.tensor(v, requires_grad=r) for v, r in zip(values, required)]
    inputs = [t for t in tensors if t.requires_grad]
    now = function(*tensors)
    found = [seen(now, flags)]
    for k in range(order):
        found.append(differentiated(lib, now, inputs, last if k == order - 1 else None, flags))
        now = found[-1].pop() if isinstance(found[-1], list) else None
        if now is None:
            break
    return found


def differentiated(lib: Any, now: Any, inputs: Any, last: Any, flags: bool) -> Any:
    """One gradient of what there is, twice, with what it gave as the last item; or a word."""
    outputs = [t for t in (now if isinstance(now, list | tuple) else [now]) if t is not None]
    outputs = [t for t in outputs if t.requires_grad]
    if not outputs:
        return "nothing requires a gradient"
    cts = [lib.ones_like(t) * (k + 2) for k, t in enumerate(outputs)]
    how, options = last or ("grad", {"allow_unused": True, "create_graph": True})
    parts: list[Any] = []
    given: Any = None
    for _ in range(2):
        try:
            if how == "grad":
                given = lib.autograd.grad(outputs, inputs, cts, **options)
                parts.append(seen(given, flags))
            else:
                lib.autograd.backward(outputs, cts, **options)
                parts.append(seen([t.grad for t in inputs], flags))
        except (GraphcError, RuntimeError):
            return [*parts, "refused", None]
    return [*parts, given]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, tuple) and isinstance(b, tuple):
        scale = np.abs(a[0]).max(initial=1.0)
        return a[1] == b[1] and np.allclose(a[0], b[0], rtol=1e-9, atol=1e-12 * scale)
    return type(a) is type(b) and bool(a == b)


WAYS = [*itertools.product((1, 2), LAST), (3, LAST[1]), (3, LAST[4])]
REQUIRED = [r for r in itertools.product((True, False), repeat=3) if any(r)]


@pytest.mark.parametrize("name", some(FUNCTIONS, 3))
def test_gradients_of_gradients_are_those_of_eager_code(name: str) -> None:
    for by_closure in (False, True):
        eager = called(FUNCTIONS[name], gc, lambda f: f, by_closure)
        compiled = called(FUNCTIONS[name], gc, gc.jit.compile, by_closure)
        ways = WAYS if not by_closure else [(2, LAST[2])]
        for required, (order, last) in itertools.product(REQUIRED, ways):
            wanted = walked(gc, eager, required, order, last, True)
            got = walked(gc, compiled, required, order, last, True)
            assert same(wanted, got), (required, order, last, wanted, got)


@pytest.mark.parity
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_gradients_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = called(FUNCTIONS[name], torch, lambda f: f, False)
    compiled = called(FUNCTIONS[name], gc, gc.jit.compile, False)
    for required, order in itertools.product(REQUIRED, (1, 2)):
        wanted = walked(torch, theirs, required, order, LAST[2], False)
        got = walked(gc, compiled, required, order, LAST[2], False)
        assert same(wanted, got), (required, order, wanted, got)


@pytest.mark.parametrize("tier", ["eager", "checked", "auto"])
def test_leaves_get_their_gradients_in_the_order_of_the_backward_pass(tier: str) -> None:
    model = gc.nn.Sequential(*[gc.nn.Linear(3, 3) for _ in range(4)])
    names: list[str] = []
    for name, p in model.named_parameters():
        p.register_post_accumulate_grad_hook(lambda p, name=name: names.append(name))

    def loss(x: Any) -> Any:
        return model(x).sum()

    f = loss if tier == "eager" else gc.jit.compile(loss, tier=tier)
    for _ in range(3):
        names.clear()
        f(gc.ones(2, 3)).backward()
        assert [n[0] for n in names] == [*"33221100"]
        assert names[:2] == ["3.weight", "3.bias"]
