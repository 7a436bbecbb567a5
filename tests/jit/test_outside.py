"""Gradients of compiled functions' results, asked for from outside: those of eager code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sampling import some

import graphc as gc
from graphc.errors import GradientError

# A case takes the library and what compiles a function, and gives what can be seen: the same for
# graphc eagerly and compiled, and for PyTorch.
CASES: dict[str, Callable[[Any, Any], Any]] = {}


def case(function: Any) -> Any:
    CASES[function.__name__] = function
    return function


def leaf(lib: Any, *values: Any) -> Any:
    return lib.tensor(values, requires_grad=True)


def seen(value: Any) -> Any:
    """A tensor as plain values, with what it says of its history."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [seen(v) for v in value]
    return [value.detach().tolist(), value.requires_grad, value.is_leaf]


def refused(call: Any) -> str:
    """Whether a call raises the library's error for gradients."""
    try:
        call()
    except (GradientError, RuntimeError):
        return "refused"
    return "done"


@case
def detached_parts_have_no_gradient(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = jit(lambda x: (x * x.detach()).sum())(x)
    y.backward()
    return y, x.grad


@case
def a_straight_through_estimator_passes_gradients(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 0.4, 1.7)
    y = jit(lambda x: ((x + (x.round() - x).detach()) * 3).sum())(x)
    y.backward()
    return y, x.grad


@case
def nothing_under_no_grad_has_a_gradient(lib: Any, jit: Any) -> Any:
    x, t = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)

    def loss(x: Any) -> Any:
        with lib.no_grad():
            y = x * t
        return ((x * 2 - y) ** 2).sum(), y

    value, y = jit(loss)(x)
    value.backward()
    return value, y, x.grad, t.grad


@case
def results_require_a_gradient_one_by_one(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)

    def f(x: Any) -> Any:
        with lib.no_grad():
            a = x * 2
        return {"a": a, "b": x * w, "c": (x * w).detach(), "d": (x > 1), "e": [w, x.detach() * w]}

    r = jit(f)(x)
    r["e"][1].sum().backward()
    return [r[k] for k in "abcd"], r["e"], x.grad, w.grad


@case
def a_custom_backward_is_called(lib: Any, jit: Any) -> Any:
    class Reverse(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return -g

    x = leaf(lib, 1.0, 2.0)
    jit(lambda x: (Reverse.apply(x * 2) * x).sum())(x).backward()
    return x.grad


@case
def a_custom_function_keeps_tensors(lib: Any, jit: Any) -> Any:
    class Scaled(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any, k: int) -> Any:
            y = (x * w).exp()
            ctx.save_for_backward(x, y, w)
            ctx.k = k
            return y, x * k

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            x, y, w = ctx.saved_tensors
            return g * y * w + h, g * y * x * 0.5, None

    x, w = leaf(lib, 0.1, 0.2), leaf(lib, 0.3, 0.4)

    def f(x: Any) -> Any:
        a, b = Scaled.apply(x, w, 3)
        return (a * b).sum(), a.sum()

    both = jit(f)
    found = []
    for k in range(2):
        x.grad = w.grad = None
        both(x)[k].backward()
        found.append([x.grad, w.grad])
    return found


@case
def a_custom_identity_has_its_own_backward(lib: Any, jit: Any) -> Any:
    class Halved(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g / 2

    x = leaf(lib, 1.0, 2.0)
    y = jit(lambda x: Halved.apply(x))(x)
    (y * y).sum().backward()
    return y.detach().tolist(), x.grad


@case
def hooks_of_the_function_change_gradients(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, -2.0)

    def f(x: Any) -> Any:
        h = x * 3
        h.register_hook(lambda g: g.clamp(-1, 1) * 2)
        return (h * h).sum()

    jit(f)(x).backward()
    return x.grad


@case
def hooks_of_the_caller_run_once(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 1.0, -2.0), leaf(lib, 2.0, 2.0)
    calls: list[Any] = []

    def noted(name: str, factor: int) -> Any:
        def hook(g: Any) -> Any:
            calls.append(name)
            return g * factor

        return hook

    x.register_hook(noted("x", 10))
    w.register_hook(noted("w", 100))
    f = jit(lambda x: (x * w).sum())
    f(x).backward()
    f(x).backward()
    return sorted(calls), x.grad, w.grad


@case
def hooks_and_kept_gradients_of_results_see_all_of_it(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, -2.0)

    def f(x: Any) -> Any:
        h = x * 3
        return h, (h * h).sum() + (x * h).sum()

    h, loss = jit(f)(x)
    h.register_hook(lambda g: g * 2)
    h.retain_grad()
    (loss + (h * 5).sum()).backward()
    return h, h.grad, x.grad


@case
def a_result_in_the_middle_can_be_differentiated_by(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, -2.0)

    def f(x: Any) -> Any:
        h = x * 3
        g = h.exp()
        return h, g, (h * g).sum()

    h, g, loss = jit(f)(x)
    return lib.autograd.grad(loss, [h, g, x])


@case
def results_that_are_not_used_reach_no_leaf(lib: Any, jit: Any) -> Any:
    x, v, w = leaf(lib, 1.0, 2.0), leaf(lib, 1.0, 2.0), leaf(lib, 0.0, 0.0)
    f = jit(lambda x: ((x * v).sum(), (x / w).sum(), (v * w).sum()))
    a, b, c = f(x)
    a.backward()
    return x.grad, v.grad, w.grad


@case
def losses_of_one_call_go_back_one_by_one(lib: Any, jit: Any) -> Any:
    v, w = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    a, b = jit(lambda x: ((x * v * v).sum(), (x * w * w).sum()))(lib.tensor([1.0, 2.0]))
    a.backward()
    b.backward()
    return v.grad, w.grad, refused(a.backward)


@case
def a_second_pass_needs_retain_graph(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    f = jit(lambda x: ((x * x).sum(), (x.exp() * 2).sum()))
    a, b = f(x)
    a.backward(retain_graph=True)
    a.backward()
    found = [x.grad.tolist(), refused(a.backward)]
    h = jit(lambda x: ((h := x * x).sum(), h.exp().sum()))
    a, b = h(x)
    a.backward()
    return found, refused(b.backward), x.grad


@case
def sums_can_go_back_twice(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = jit(lambda x: (x + 1).sum())(x)
    y.backward()
    y.backward()
    return x.grad


@case
def calls_keep_their_own_values(lib: Any, jit: Any) -> Any:
    f = jit(lambda x: (x * x * x).sum())
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    a, b = f(x), f(y)
    (a * 2 + b).backward()
    return x.grad, y.grad


@case
def one_leaf_in_several_calls_adds_up(lib: Any, jit: Any) -> Any:
    a, b = leaf(lib, 0.0, 0.0), leaf(lib, 0.0, 0.0)
    x = lib.tensor([1.0, 2.0])
    f = jit(lambda x: x.sin() + a + b)
    (f(x).sum() + f(x * 2).sum() + f(x * 3).sum()).backward()
    return a.grad, b.grad


@case
def values_from_before_a_write_are_used(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def f(x: Any) -> Any:
        y = x * 2
        z = y + 1
        y.mul_(x)
        y[0] = 5
        return (y * z).sum()

    jit(f)(x).backward()
    return x.grad


@case
def a_write_over_a_needed_value_is_refused_at_the_backward_pass(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def f(x: Any) -> Any:
        y = x * 2
        z = y * y
        y.add_(1)
        return z.sum(), y.sum()

    z, y = jit(f)(x)
    y.backward()
    return x.grad, refused(z.backward)


@case
def a_weight_changed_after_the_call_is_noticed(lib: Any, jit: Any) -> Any:
    x, w, b = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0), leaf(lib, 3.0, 4.0)
    f = jit(lambda x: (x * w + b).sum())
    y, z = f(x), f(x)
    with lib.no_grad():
        b.add_(1)
    y.backward()
    with lib.no_grad():
        w.add_(1)
    return seen([x.grad, w.grad, b.grad]), refused(z.backward)


@case
def a_result_changed_after_the_call_is_noticed(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    f = jit(lambda x: (x.exp(), (x * 2).sum(), x.exp().sum()))
    a, b, c = f(x)
    with lib.no_grad():
        a.add_(1)
    b.backward()
    c.backward()
    return x.grad, refused(a.sum().backward)


@case
def results_written_in_place_go_on(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    y = jit(lambda x: x * 3)(x)
    y.mul_(x)
    y.sum().backward()
    return y, x.grad


@case
def arguments_that_were_computed_pass_gradients_on(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 1.0, 2.0), leaf(lib, 1.0, 2.0)
    h = w * 3
    f = jit(lambda x, y: (x * y * h).sum())
    f(x * 2, w.exp()).backward()
    return x.grad, w.grad


@case
def an_argument_given_twice_gets_both(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    jit(lambda a, b: (a * 2 + b * b).sum())(x, x).backward()
    return x.grad


@case
def results_that_were_there_before_are_those(lib: Any, jit: Any) -> Any:
    x, w, b = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0), lib.tensor([5.0, 6.0])
    r = jit(lambda x: (x, w, b, (h := x * w), h))(x)
    same = [r[0] is x, r[1] is w, r[2] is b, r[3] is r[4]]
    (r[0] * r[1] * r[3]).sum().backward()
    return same, x.grad, w.grad


@case
def views_among_results_share_memory(lib: Any, jit: Any) -> Any:
    x, b = lib.zeros(4), lib.zeros(2, 2)

    def f(x: Any) -> Any:
        h = x + 1
        return x[1:3], b.t()[0], h, h.view(2, 2), x.detach(), (g := x * 2)[:3], g[1:]

    part, column, h, square, alias, left, right = jit(f)(x)
    for k, each in enumerate((part, column, square, alias, left)):
        each.add_(k + 1)
    return x, b, h, square, right


@case
def views_among_results_have_the_wholes_history(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 1.0, 2.0, 3.0), leaf(lib, 4.0, 5.0, 6.0)
    a, b, h, c = jit(lambda x: (x[:2], w.view(3, 1), (h := x * w), h[1:]))(x)
    h.mul_(2)
    (a.sum() + (b * b).sum() + (c * c).sum()).backward()
    return x.grad, w.grad, c


@case
def leaves_made_inside_get_their_gradient(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def f(x: Any) -> Any:
        d = (x * 2).detach().requires_grad_()
        e = x.detach().requires_grad_()
        return d, e, (d * d * e).sum()

    d, e, loss = jit(f)(x)
    loss.backward()
    return d, d.grad, e, e.grad, x.grad


@case
def an_argument_may_be_made_to_require_a_gradient(lib: Any, jit: Any) -> Any:
    def f(x: Any) -> Any:
        x.requires_grad_()
        loss = (x * x).sum()
        (g,) = lib.autograd.grad(loss, x, retain_graph=True)
        return loss, g

    x = lib.tensor([1.0, 2.0])
    loss, g = jit(f)(x)
    loss.backward()
    return loss, g, x, x.grad


@case
def written_arguments_and_buffers_take_the_history(lib: Any, jit: Any) -> Any:
    x, buffer = leaf(lib, 1.0, 2.0), lib.zeros(2)

    def f(x: Any, y: Any) -> Any:
        y.mul_(x)
        buffer.copy_(x * 3)

    y = x * 2
    jit(f)(x, y)
    ((y * 5).sum() + buffer.sum()).backward()
    return y, buffer, x.grad


@case
def a_call_under_no_grad_has_no_history(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)
    f = jit(lambda x: (x * x, x))
    with lib.no_grad():
        a = f(x)
    b = f(x)
    b[0].sum().backward()
    return a[0], b[0], a[1] is x, x.grad


@case
def a_used_up_result_says_so(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def f(x: Any) -> Any:
        loss = (x * x).sum()
        loss.backward()
        return loss, (x * 3).sum()

    loss, other = jit(f, keep_grads=True)(x) if jit is gc.jit.compile else f(x)
    other.backward()
    return loss, x.grad, refused(loss.backward)


@case
def gradients_of_arguments_add_up(lib: Any, jit: Any) -> Any:
    def f(x: Any) -> None:
        (x * x).sum().backward()

    run = jit(f)
    x = leaf(lib, 1.0, 2.0)
    found = []
    for _ in range(3):
        run(x)
        found.append(x.grad.tolist())
    kept = x.grad
    x.grad = None
    run(x)
    return found, kept, x.grad


@case
def gradients_are_read_as_they_are_at_the_call(lib: Any, jit: Any) -> Any:
    w = leaf(lib, 0.0, 0.0)

    def f(x: Any) -> Any:
        (w * x).sum().backward()
        return w.grad * 2

    run = jit(f)
    found = []
    for k in range(6):
        found.append(run(lib.tensor([1.0, float(k)])).tolist())
        if k == 1:
            w.grad = lib.tensor([100.0, 100.0])
        if k == 3:
            w.grad = None
    return found, w.grad


@case
def a_kept_gradient_of_a_result_is_set(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 1.0, 2.0)

    def f(x: Any) -> Any:
        h = x * 2
        h.retain_grad()
        g = x * 3
        g.retain_grad()
        (h * h).sum().backward()
        return h, g

    h, g = jit(f)(x)
    g.sum().backward()
    return h.grad, g.grad, x.grad


@case
def parts_of_one_step_go_back_alone(lib: Any, jit: Any) -> Any:
    x = leaf(lib, 3.0, 1.0, 2.0, 5.0)

    def f(x: Any) -> Any:
        a, b = (x * 2).chunk(2)
        values, places = x.view(2, 2).max(1)
        return a, b, values, places

    a, b, values, places = jit(f)(x)
    (b.sum() + (values * values).sum()).backward()
    return x.grad, places.tolist()


@case
def gradients_can_be_differentiated_again(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 0.5, -1.0), leaf(lib, 2.0, 0.3)
    f = jit(lambda x: ((x * w).tanh() * x.exp()).sum())
    (g,) = lib.autograd.grad(f(x), x, create_graph=True)
    (h,) = lib.autograd.grad((g * g).sum(), x, create_graph=True)
    h.sum().backward()
    return g, h, x.grad, w.grad


@case
def a_penalty_of_the_gradient_beside_the_loss(lib: Any, jit: Any) -> Any:
    x, w = leaf(lib, 0.5, -1.0), leaf(lib, 2.0, 0.3)

    def f(x: Any) -> Any:
        h = (x * w).sin()
        h.register_hook(lambda g: g.tanh())
        k = h * 2
        return (k * h.detach() * k * x).sum(), k

    loss, k = jit(f)(x)
    g, h = lib.autograd.grad(loss, [x, k], create_graph=True)
    (loss + (g * g).sum() + (h * h * h).sum()).backward()
    return g, h, x.grad, w.grad


@case
def a_custom_backward_is_differentiated_itself(lib: Any, jit: Any) -> Any:
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * x * x

    x = leaf(lib, 0.5, -1.0)
    (g,) = lib.autograd.grad(jit(lambda x: Cube.apply(x * 2).sum())(x), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x)
    return g, h


@pytest.mark.parametrize("name", CASES)
def test_compiled_is_eager(name: str) -> None:
    wanted = seen(CASES[name](gc, lambda f, **_: f))
    got = seen(CASES[name](gc, gc.jit.compile))
    assert str(got) == str(wanted) or _near(got, wanted), f"{got}\n{wanted}"


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_compiled_is_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    wanted = seen(CASES[name](torch, lambda f, **_: f))
    got = seen(CASES[name](gc, gc.jit.compile))
    assert str(got) == str(wanted) or _near(got, wanted), f"{got}\n{wanted}"


def _near(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_near, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-5, abs=1e-6, nan_ok=True)
    return type(a) is type(b) and a == b


class Bent(gc.autograd.Function):
    """A backward step that is no derivative, and that needs what forward kept."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return x * y, x + y

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        x, y = ctx.saved_tensors
        return g.clamp(-1, 1) * y + h * 2, g * g


def _program(drawn: np.random.RandomState) -> list[tuple[str, int, int, int]]:
    """Random steps: (operation, two operands counted from the last value, a number)."""
    names = [
        "add", "mul", "sub", "tanh", "sin", "relu", "matmul", "sum", "detach", "no_grad", "dropout",
        "add_", "mul_", "part_", "bent", "hook", "row", "square", "softmax", "where", "half",
        "leaf",
    ]  # fmt: skip
    return [
        (names[drawn.randint(len(names))], drawn.randint(6), drawn.randint(6), drawn.randint(6))
        for _ in range(drawn.randint(2, 12))
    ]


def _ran(program: Any, values: list[Any], held: Any) -> Any:
    """The values of a program; those given come first."""
    values = list(values)

    def at(k: int) -> Any:
        return values[-1 - k % len(values)]

    for name, i, j, k in program:
        x, y = at(i), at(j)
        match name:
            case "add" | "mul" | "sub":
                values.append({"add": x + y, "mul": x * y, "sub": x - y}[name])
            case "tanh" | "sin" | "relu":
                values.append(getattr(x, name)())
            case "matmul":
                values.append(x @ held)
            case "sum":
                values.append(x.sum(k % 2, keepdim=True) * 0.3 + y)
            case "detach":
                values.append(x.detach())
            case "no_grad":
                with gc.no_grad():
                    values.append(x * y + held)
            case "dropout":
                values.append(gc.nn.functional.dropout(x, 0.4))
            case "add_" | "mul_":
                z = x * 1 if k % 3 else x
                getattr(z, name)(y)
                values.append(z)
            case "part_":
                z = x * 1 if k % 3 else x
                z[k % 3] = y[0]
                values.append(z)
            case "bent":
                values += Bent.apply(x, y)
            case "hook":
                z = x * 1.5
                if z.requires_grad:
                    z.register_hook(_hook(k % 3, x))
                values.append(z)
            case "row":
                values.append(x[k % 3] + y)
            case "square":
                values.append(x * x)
            case "softmax":
                values.append(x.softmax(k % 2))
            case "where":
                values.append(gc.where(x > 0, x, y))
            case "half":
                values.append(gc.cat([x.chunk(3)[k % 3]] * 3))
            case "leaf":
                values.append(x.detach().requires_grad_() * y)
    return values


def _hook(which: int, x: Any) -> Any:
    return [lambda g: g * 2, lambda g: g.tanh(), lambda g: g * x][which]


def _observed(seed: int, jit: Any) -> Any:
    drawn = np.random.RandomState(seed)
    program = _program(drawn)
    kept = sorted({int(k) for k in drawn.randint(0, 12, 4)})
    used = [bool(b) for b in drawn.randint(0, 2, len(kept))]
    weights = drawn.uniform(-1, 1, (len(kept), 3, 3)).astype(np.float32)
    start = drawn.uniform(-1.5, 1.5, (3, 3, 3)).astype(np.float32)
    x, w = (gc.tensor(v, requires_grad=True) for v in start[:2])
    y = gc.tensor(start[2], requires_grad=bool(drawn.randint(2)))
    asked = drawn.randint(5)

    def function(x: Any, y: Any) -> Any:
        values = _ran(program, [w, y, x * 1], w)
        return [values[-1 - k % len(values)] for k in kept]

    run = jit(function)
    found: list[Any] = []
    for call in range(2):
        gc.manual_seed(seed)
        try:
            results = run(x, y)
            found += [(r.requires_grad, r.is_leaf, r.detach().numpy().copy()) for r in results]
            ends = [r for r in results if r.requires_grad]
            if asked == 1:
                for r in ends:
                    r.register_hook(lambda g: g * 0.5)
            if asked == 2:
                for r in ends:
                    r.retain_grad()
            chosen = [
                (r * c).sum() for r, c, u in zip(results, weights, used) if r.requires_grad and u
            ]
            if asked == 3 and chosen and ends:
                grads = gc.autograd.grad(sum(chosen[1:], chosen[0]), ends, allow_unused=True)
                found += [None if g is None else g.numpy() for g in grads]
                continue
            loss = sum(chosen[1:], chosen[0]) if chosen else None
            if asked == 4 and loss is not None:
                grads = gc.autograd.grad(loss, [x, w], create_graph=True, allow_unused=True)
                for g in grads:
                    if g is not None and g.requires_grad:
                        loss = loss + (g * g).sum() * 0.1
            if loss is not None:
                loss.backward()
            for r in (*ends, x, y, w):
                found.append(None if r.grad is None else r.grad.detach().numpy().copy())
        except GradientError as error:
            found.append(str(error).split(":")[0].split(" needs")[0])
    return found


def _differ(a: Any, b: Any) -> str:
    if len(a) != len(b):
        return f"{len(a)} and {len(b)} observations\n{a}\n{b}"
    for k, (p, q) in enumerate(zip(a, b)):
        *flags, p = p if isinstance(p, tuple) else (p,)
        *others, q = q if isinstance(q, tuple) else (q,)
        same = flags == others and type(p) is type(q)
        if same and isinstance(p, np.ndarray):
            same = np.allclose(p, q, 1e-4, 1e-5, equal_nan=True)
        elif same:
            same = p == q
        if not same:
            return f"observation {k}: {flags} {p} is not {others} {q}"
    return ""


@pytest.mark.parametrize("seed", some(range(60), 4))
def test_random_programs_have_the_gradients_of_eager_code(seed: int) -> None:
    wanted = _observed(seed, lambda f: f)
    got = _observed(seed, gc.jit.compile)
    assert not _differ(wanted, got)


def test_a_run_that_ends_as_an_earlier_one_did_leaves_its_own_history() -> None:
    # Runs are watched again where an assumption changed, here whether gradients are wanted.
    @gc.jit.compile
    def loss(x: Any, w: Any) -> Any:
        return ((x @ w) ** 2).sum()

    rng = np.random.default_rng(0)
    for turn in range(8):
        width = 3 + turn % 3
        x = rng.standard_normal((2 + turn, width)).astype(np.float32)
        w = rng.standard_normal((width, 2)).astype(np.float32)
        loss(gc.tensor(x), gc.tensor(w))
        leaf = gc.tensor(w, requires_grad=True)
        loss(gc.tensor(x), leaf).backward()
        np.testing.assert_allclose(leaf.grad.numpy(), 2 * x.T @ (x @ w), rtol=1e-3, atol=1e-3)
