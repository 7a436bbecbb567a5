"""L-BFGS minimizes, and goes PyTorch's way where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import AttributeValueError
from graphc.optim.line_search import Point, Search, cubic_minimum

CASES: list[dict[str, Any]] = [
    {"lr": 1e-3, "max_iter": 5},
    {"lr": 0.02, "max_iter": 8, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "max_iter": 12},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "lr": 0.5, "max_iter": 6, "max_eval": 7},
    {"line_search_fn": "strong_wolfe", "max_iter": 3, "tolerance_grad": 0.5},
    {"max_iter": 1, "lr": 1e-3},
]


def rosenbrock(x: Any, y: Any) -> Any:
    return ((1 - x) ** 2).sum() + (100 * (y - x * x) ** 2).sum()


def minimized(package: Any, given: dict[str, Any], steps: int) -> tuple[list[float], Any, Any]:
    x = package.tensor(np.array([-1.2, 0.5]), requires_grad=True)
    y = package.tensor(np.array([[1.0], [-0.5]]), requires_grad=True)
    optimizer = package.optim.LBFGS([x, y], **given)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = rosenbrock(x, y.reshape(2))
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(steps)]
    return losses, (x.detach().numpy(), y.detach().numpy()), optimizer


@pytest.mark.parity
@pytest.mark.parametrize("given", CASES, ids=range(len(CASES)))
def test_pytorchs_way(given: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    # Roundings grow: PyTorch from 1e-15 away is 1e-5 away after twenty iterations.
    steps = 1 if given.get("max_iter") == 12 else 4
    losses, ends, ours = minimized(gc, given, steps)
    their_losses, their_ends, theirs = minimized(torch, given, steps)
    np.testing.assert_allclose(losses, their_losses, 1e-5)
    for end, their_end in zip(ends, their_ends):
        np.testing.assert_allclose(end, their_end, 1e-5, 1e-8)
    state, their_state = ours.state_dict()["state"][0], theirs.state_dict()["state"][0]
    assert state["func_evals"] == their_state["func_evals"]
    assert state["n_iter"] == their_state["n_iter"]
    assert set(their_state) - {"al"} == set(state)
    assert len(state["old_dirs"]) == len(their_state["old_dirs"])


def test_it_finds_the_minimum() -> None:
    _, (x, y), _ = minimized(gc, {"line_search_fn": "strong_wolfe", "max_iter": 100}, 2)
    np.testing.assert_allclose(x, [1, 1], 1e-5)
    np.testing.assert_allclose(y, [[1], [1]], 1e-5)


def test_a_run_resumed_equals_one_that_was_not() -> None:
    given = {"line_search_fn": "strong_wolfe", "max_iter": 3}
    w, v = (gc.tensor(np.array([-1.2, 1.0]), requires_grad=True) for _ in range(2))
    first, second = (gc.optim.LBFGS([p], **given) for p in (w, v))  # type: ignore[arg-type]

    def closure(optimizer: Any, p: Any) -> Any:
        def run() -> Any:
            optimizer.zero_grad()
            loss = rosenbrock(p[0], p[1])
            loss.backward()
            return loss

        return run

    first.step(closure(first, w))
    with gc.no_grad():
        v.copy_(w)
    second.load_state_dict(first.state_dict())
    for optimizer, p in ((first, w), (second, v)):
        for _ in range(3):
            optimizer.step(closure(optimizer, p))
    np.testing.assert_array_equal(w.detach().numpy(), v.detach().numpy())


def test_a_step_needs_a_closure() -> None:
    with pytest.raises(AttributeValueError) as caught:
        gc.optim.LBFGS([gc.zeros(1, requires_grad=True)]).step()
    what, where, hint = str(caught.value).split("\n")
    assert what == "LBFGS.step needs a closure: it computes the loss several times"
    assert where.startswith("  at test_lbfgs.py:")
    assert hint == (
        "  hint: step(closure), where closure clears the gradients, calls backward() and returns "
        "the loss"
    )


def test_a_cubics_minimum() -> None:
    # x**3 - 3 x, least at 1
    ends = [Point(x, x**3 - 3 * x, None, 3 * x * x - 3) for x in (0.0, 3.0)]
    for a, b in (ends, ends[::-1]):
        np.testing.assert_allclose(cubic_minimum(a, b), 1.0)
        assert cubic_minimum(a, b, (1.5, 2.5)) == 1.5
    # One that falls without end has none between: the middle.
    fall = [Point(x, -x - x**3, None, -1 - 3 * x * x) for x in (0.0, 1.0)]
    assert 0 <= cubic_minimum(*fall) <= 1  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [1e-4, 0.1, 1.0, 30.0])
def test_the_line_search_satisfies_strong_wolfe(first: float) -> None:
    def line(t: float) -> tuple[float, float, float]:
        return (t - 2) ** 4 - t, t, 4 * (t - 2) ** 3 - 1

    start = Point(0.0, *line(0.0))
    search = Search(line, start, 1.0, 25)
    found = search.run(first)
    assert found.loss <= start.loss + 1e-4 * found.length * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)
    assert search.evaluations <= 26
