"""What eager code computes of drawn numbers, where it meets a graph: drawn anew, or an error."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from forms.compare import difference
from forms.forms import DATA, namespace
from forms.recorded import expected

import graphc as gc
from graphc.core.ir import toposort
from graphc.ops.source import Bound

F = gc.nn.functional
X = np.ones(4, np.float32)


def _drawn_scope() -> dict[str, gc.Tensor]:
    """The tensors of the forms, drawn: of the same shapes and dtypes."""
    gc.manual_seed(3)
    found: dict[str, gc.Tensor] = {n: gc.randn(a.shape) for n, a in DATA.items()}
    found["b"] = gc.rand(DATA["b"].shape) > 0.4
    found["k"] = gc.randint(-3, 7, DATA["k"].shape)
    found["u"] = gc.randint(0, 9, DATA["u"].shape).to(gc.uint8)
    found["i"] = gc.randperm(3)
    return found


def _tensors(result: Any) -> list[Any]:
    listed = list(result) if isinstance(result, list | tuple) else [result]
    return [t for t in listed if isinstance(t, gc.Tensor)]


def _evaluated(text: str, tensors: dict[str, Any]) -> list[Any]:
    """The tensors that a form gives; none where it refuses them."""
    # In place it writes a copy: another form has the tensor as it was.
    names = [n for n in DATA if n in compile(text, "form", "eval").co_names]
    scope = namespace(gc, gc.tensor) | {n: tensors[n] for n in names}
    if text.split("(")[0].endswith("_"):
        scope |= {n: tensors[n].clone() for n in names}
    try:
        return _tensors(eval(text, scope))
    except (gc.errors.GraphcError, ValueError, TypeError, IndexError):
        return []


def _interpreted(nodes: list[Any]) -> list[np.ndarray]:
    bound = [n for n in toposort(nodes) if isinstance(n, Bound)]
    return [np.asarray(a) for a in gc.interpret(gc.Graph.of("all", bound, nodes))]


def test_what_each_function_makes_of_draws_is_drawn_anew_or_an_error_that_says_what_to_write() -> (
    None
):
    scope = _drawn_scope()
    nodes: list[Any] = [t.as_node() for t in scope.values()]
    wanted: list[tuple[str, int, int]] = []
    kept: list[tuple[str, int, np.ndarray]] = []
    lost: dict[str, str] = {}
    for text in expected():
        for place, result in enumerate(_evaluated(text, scope)):
            try:
                node = result.as_node()
            except gc.errors.GraphError as error:
                assert "gc.constant" in str(error) and "drawn at" in str(error), error
                lost[text] = str(error)
                continue
            if isinstance(node, Bound):
                kept.append((text, place, result.numpy()))
            else:
                wanted.append((text, place, len(nodes)))
                nodes.append(node)
    assert len(wanted) > 1500 and len(lost) < 100, (len(wanted), len(kept), len(lost))
    values = _interpreted(nodes)
    again: dict[str, Any] = {n: gc.tensor(v) for n, v in zip(scope, values)}
    assert all((again[n] != t).any() for n, t in scope.items() if t.numel())
    wrong = []
    for text, place, where in wanted:
        want = _evaluated(text, again)[place].numpy()
        if why := difference([want], [values[where]]):
            wrong.append(f"{text}: {why}")
    for text, place, before in kept:  # no constants but of what depends on no value
        found = _evaluated(text, again)
        if not found or difference([found[place].numpy()], [before]):
            wrong.append(f"{text}: frozen")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:40])


def _noisy_module() -> Any:
    class Noisy(gc.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + 0.1 * gc.randn(4)

    return Noisy()


def _in_place() -> gc.Tensor:
    noise = gc.randn(4)
    noise.mul_(0.1)
    noise += 1
    return noise


SCALE = gc.tensor(np.linspace(1, 2, 2048, dtype=np.float32))
FOREIGN = gc.Generator().manual_seed(1)
DRAWS: dict[str, Callable[[Any], Any]] = {
    "scaled": lambda x: x + 0.1 * gc.randn(4),
    "mask": lambda x: x * (gc.rand(4) < 0.5),
    "generator": lambda x: x + gc.randn(4, generator=FOREIGN),
    "in_place": lambda x: x + _in_place(),
    "reshaped": lambda x: x + gc.randn(2, 2).reshape(4),
    "converted": lambda x: x + gc.randn(4).to(gc.float64),
    "dropout": lambda x: x * F.dropout(gc.ones(4)),
    "dropout_generator": lambda x: F.dropout(x, 0.5) * gc.dropout(x, generator=FOREIGN),
    "module": lambda x: _noisy_module()(x),
    "filled": lambda x: x + gc.zeros(4).normal_().exp(),
    "large": lambda x: x + (gc.randn(2048) * SCALE).reshape(4, 512).mean(1),
    "indices": lambda x: x[gc.randint(0, 4, (4,)) % 2] * gc.rand(4),
    "copied": lambda x: x + copy.deepcopy(gc.tensor(gc.randn(4)).detach()).data,
    "multinomial": lambda x: x + gc.multinomial(gc.ones(9), 4),
    "key": lambda x: x + gc.uniform((4,), key=gc.default_generator.draw_key()),
    "method": lambda x: x.add(gc.randn(4).sort().values),
    "update": lambda x: gc.cond(gc.sum(x) > 0, lambda a: a + 2 * gc.randn(4), lambda a: a, x),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_computed_of_a_draw_is_drawn_anew_by_seed_state_and_any_threads(name: str) -> None:
    x = gc.input("x", (4,))
    result = DRAWS[name](x)
    program, two = (gc.compile([x], result, threads=n) for n in (1, 2))
    start = program.state()
    assert start and all(key.startswith("generator") for key in start)
    first, second = program(X), program(X)
    assert (first != second).any()
    for again in (two, program):
        again.load_state(start)
        np.testing.assert_array_equal(again(X), first)
    gc.manual_seed(7)
    FOREIGN.manual_seed(8)
    seeded = program(X)
    gc.manual_seed(7)
    FOREIGN.manual_seed(8)
    np.testing.assert_array_equal(program(X), seeded)


def test_an_own_generator_is_state_of_its_own() -> None:
    x, g, h = gc.input("x", (4,)), gc.Generator(), gc.Generator()
    both = gc.compile([x], [x + gc.randn(4, generator=g), gc.randn_like(x, generator=h)])
    g.manual_seed(1), h.manual_seed(1)
    first = both(X)
    g.manual_seed(1)
    gc.manual_seed(5)
    again = both(X)
    np.testing.assert_array_equal(again[0], first[0])
    assert (again[1] != first[1]).any()
    assert len(both.state()) == 2


def test_loops_draw_anew_at_each_step_of_what_was_computed_eagerly() -> None:
    x, noise = gc.input("x", (4,)), 0.5 * gc.randn(4) + 1
    _, rows = gc.scan(lambda c, _: (c, c + noise), x, length=6)
    walked = gc.while_loop(lambda c: gc.sum(c) < 40, lambda c: c + gc.exp(noise), x)
    mapped = gc.map(lambda row: row * noise, gc.stack([x, x, x]))
    program = gc.compile([x], [rows, walked, mapped])
    found, again = program(X), program(X)
    assert len(np.unique(found[0])) == 24 and len(np.unique(found[2])) == 12
    assert all((a != b).all() for a, b in zip(found, again))


def test_one_draw_is_one_in_all_that_was_computed_of_it() -> None:
    x, noise = gc.input("x", (4,)), gc.randn(4)
    twice, half = 2 * noise, noise / 2
    program = gc.compile([x], [x + twice - 4 * half, x + noise, x + twice])
    same, one, two = program(X)
    np.testing.assert_allclose(same, X, rtol=1e-6)
    np.testing.assert_allclose(two - X, 2 * (one - X), rtol=1e-5)


def _chain() -> gc.Tensor:
    found = gc.randn(4)
    for _ in range(100):
        found = found * 0.9 + 0.1
    return found


def _of_a_part() -> gc.Tensor:
    found = gc.zeros(4)
    found[0].copy_(gc.randn(()))
    return found


def _of_what_is_gone() -> gc.Tensor:
    return (gc.randn(2048) * gc.tensor(np.ones(2048, np.float32)))[:4]


def _of_what_changed() -> gc.Tensor:
    scale = gc.ones(4)
    found = scale * gc.randn(4)
    scale.fill_(3)
    return found


def _gradient() -> gc.Tensor:
    w = gc.ones(4, requires_grad=True)
    (w * gc.randn(4)).sum().backward()
    grad: gc.Tensor = w.grad
    return grad


def _detached() -> gc.Tensor:
    return (gc.ones(4, requires_grad=True) * gc.randn(4)).detach() * 2


LOST: dict[str, Callable[[], Any]] = {
    "a long chain": _chain,
    "a part that was written": _of_a_part,
    "an operand that is gone": _of_what_is_gone,
    "an operand that changed": _of_what_changed,
    "a gradient": _gradient,
    "what has a history": _detached,
    "a mask": lambda: gc.where((z := gc.randn(9)) > 0, z, 1)[z > -9][:4],
    "unique": lambda: gc.unique(gc.rand(4)),
    "places": lambda: gc.nonzero(gc.rand(4) > -1)[:, 0],
    "as bytes": lambda: gc.randn(4).view_dtype(gc.int32),
    "a list": lambda: gc.tensor([gc.randn(()), 1.0, 2.0, 3.0]),
    "a compiled function": lambda: gc.jit.compile(lambda: gc.randn(4))(),
    "a compiled function of draws": lambda: gc.jit.compile(lambda t: t * 2)(gc.randn(4)),
}


@pytest.mark.parametrize("name", LOST)
def test_a_draw_that_cannot_be_followed_is_an_error_that_says_what_to_write(name: str) -> None:
    found, x = LOST[name](), gc.input("x", (4,))
    with pytest.raises(gc.errors.GraphError) as error:
        x + found
    text = str(error.value)
    assert "gc.constant(t)" in text and "gc.randn_like(x)" in text and __file__[-13:] in text
    assert len(text.splitlines()) <= 12
    kept = gc.compile([x], x * 0 + gc.constant(found))
    np.testing.assert_array_equal(kept(X), found.numpy())


def _buffer() -> gc.Tensor:
    module = gc.nn.Module()
    module.register_buffer("noise", gc.randn(4))
    module.noise.copy_(gc.randn(4))
    noise: gc.Tensor = module.noise
    return noise


def _loaded() -> gc.Tensor:
    layer = gc.nn.Linear(1, 4)
    layer.load_state_dict({"weight": gc.randn(4, 1), "bias": 2 * gc.randn(4)})
    return layer.bias


STATE: dict[str, Callable[[], Any]] = {
    "parameter": lambda: gc.nn.Parameter(gc.randn(4)),
    "frozen": lambda: gc.nn.Parameter(2 * gc.randn(4), requires_grad=False),
    "initialised": lambda: gc.nn.init.normal_(gc.nn.Parameter(gc.zeros(4))),
    "trained": lambda: gc.randn(4).requires_grad_(),
    "detached": lambda: gc.nn.Parameter(gc.randn(4)).detach(),
    "data": lambda: gc.randn(4, requires_grad=True).data.normal_(),
    "buffer": _buffer,
    "nn.Buffer": lambda: gc.nn.Buffer(gc.randn(4)),
    "loaded": _loaded,
    "overwritten": lambda: gc.randn(4).fill_(2),
    "zeros_like": lambda: gc.zeros_like(gc.randn(4)),
    "from NumPy": lambda: gc.from_numpy(gc.randn(4).numpy()),
}


@pytest.mark.parametrize("name", STATE)
def test_parameters_state_and_what_is_read_as_arrays_are_values(name: str) -> None:
    found, x = STATE[name](), gc.input("x", (4,))
    program = gc.compile([x], x + found)
    np.testing.assert_array_equal(program(X), X + found.detach().numpy())


def test_a_program_takes_drawn_arguments_and_a_frozen_model_keeps_its_values() -> None:
    x, model = gc.input("x", (2, 4)), gc.nn.Sequential(gc.nn.Linear(4, 3), gc.nn.BatchNorm1d(3))
    model(gc.randn(8, 4)).sum().backward()
    model.eval().requires_grad_(False)
    program = gc.compile([x], model(x))
    given = gc.randn(2, 4)
    np.testing.assert_allclose(program(given), model(given).numpy(), rtol=1e-5, atol=1e-6)


def test_eager_loops_close_over_draws_that_no_graph_could_follow() -> None:
    noise = _chain()
    _, rows = gc.scan(lambda c, _: (c, c + noise), gc.zeros(4), length=2)
    np.testing.assert_array_equal(rows.numpy(), np.stack([noise.numpy()] * 2))


def test_nothing_large_is_kept_alive_for_a_graph_that_may_come() -> None:
    large = gc.tensor(np.ones(100_000, np.float32))
    alive = weakref.ref(large._array)
    noise = large * gc.randn(100_000)
    del large
    assert alive() is None and noise.shape == (100_000,)
