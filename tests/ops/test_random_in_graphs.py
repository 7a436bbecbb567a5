"""Random functions in a graph: new numbers at each call and each step of a loop, from the program's
state; the same for any number of threads; what is drawn once says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

F = gc.nn.functional
SHAPE = (64, 32)
ONES = np.ones(SHAPE, np.float32)
# What draws, of a float tensor of SHAPE.
DRAWS: dict[str, Callable[[Any], Any]] = {
    "gc.dropout": gc.dropout,
    "F.dropout": F.dropout,
    "nn.Dropout": gc.nn.Dropout(),
    "F.dropout1d": lambda x: F.dropout1d(x.reshape(8, 8, 32)),
    "F.dropout2d": lambda x: F.dropout2d(x.reshape(8, 8, 4, 8)),
    "F.alpha_dropout": lambda x: F.alpha_dropout(x, training=True),
    "F.feature_alpha_dropout": lambda x: F.feature_alpha_dropout(x, training=True),
    "F.rrelu": lambda x: F.rrelu(-x, training=True),
    "F.gumbel_softmax": F.gumbel_softmax,
    "attention": lambda x: F.scaled_dot_product_attention(
        *(x.reshape(4, 16, 32),) * 3, dropout_p=0.5
    ),
    "randn": lambda x: x + gc.randn(*SHAPE),
    "rand": lambda x: x * gc.rand(SHAPE),
    "randint": lambda x: x * gc.randint(0, 1000, SHAPE),
    "randperm": lambda x: x.sum() * gc.randperm(1000),
    "randn_like": lambda x: x + gc.randn_like(x),
    "rand_like": lambda x: x + gc.rand_like(x),
    "normal": lambda x: x + gc.normal(2.0, 3.0, SHAPE),
    "normal_of_means": lambda x: gc.normal(x, 1.0),
    "normal_of_spreads": lambda x: gc.normal(0.0, x),
    "bernoulli": lambda x: gc.bernoulli(x * 0.5),
    "multinomial": lambda x: gc.multinomial(x, 3),
    "uniform": lambda x: x * gc.uniform(SHAPE),
    "symbolic_size": lambda x: gc.randn(x.shape[0], 32) + x,
    "eager_number": lambda x: gc.exp(x * gc.randn(())),
}


def compiled(draw: Callable[[Any], Any], **options: Any) -> Any:
    x = gc.input("x", SHAPE if draw is not DRAWS["symbolic_size"] else (gc.dim("n"), 32))
    return gc.compile([x], draw(x), **options)


@pytest.mark.parametrize("name", DRAWS)
def test_each_call_draws_new_numbers_from_a_state_that_is_seen_and_set(name: str) -> None:
    program = compiled(DRAWS[name])
    start = program.state()
    assert list(start) == ["generator"]
    first, second = program(ONES), program(ONES)
    assert (first != second).any()
    program.load_state(start)
    np.testing.assert_array_equal(program(ONES), first)
    gc.manual_seed(5)
    seeded = program(ONES)
    gc.manual_seed(5)
    np.testing.assert_array_equal(program(ONES), seeded)


@pytest.mark.parametrize("name", ["F.dropout", "randn", "normal", "randint"])
def test_numbers_are_the_same_for_any_number_of_threads_and_at_any_level(name: str) -> None:
    gc.manual_seed(0)
    start = gc.get_rng_state()
    x = gc.input("x", SHAPE)
    drawn = DRAWS[name](x)
    found = []
    for level, threads in (("O0", 1), ("O2", 1), ("O2", 2)):
        gc.set_rng_state(start)
        found.append(gc.compile([x], drawn, level=level, threads=threads)(ONES))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    np.testing.assert_array_equal(found[1], found[2])


def test_each_step_of_a_loop_draws_other_numbers() -> None:
    x = gc.input("x", (4,))
    _, noise = gc.scan(lambda c, _: (c + gc.randn(4), F.dropout(c, 0.5) + gc.randn(4)), x, length=6)
    walk = gc.compile([x], noise)(np.ones(4, np.float32))
    assert len(np.unique(walk.round(5))) == walk.size


def test_one_tensor_is_one_draw_and_two_are_independent() -> None:
    x, noise, other = gc.input("x", SHAPE), gc.randn(SHAPE), gc.randn(SHAPE)
    program = gc.compile([x], [x + noise, x + noise, x + other])
    one, same, apart = program(np.zeros(SHAPE, np.float32))
    np.testing.assert_array_equal(one, same)
    assert abs(np.corrcoef(one.ravel(), apart.ravel())[0, 1]) < 0.1


def test_draws_in_graphs_have_the_moments_they_are_said_to_have() -> None:
    n = 200_000
    x = gc.input("x", (n,))
    program = gc.compile([x], [x + gc.randn(n), x + gc.rand(n), x + gc.normal(2.0, 3.0, (n,)),
                               F.dropout(x + 1, 0.25)])  # fmt: skip
    normal, uniform, wide, dropped = program(np.zeros(n, np.float32))
    for found, mean, std in ((normal, 0, 1), (uniform, 0.5, 12**-0.5), (wide, 2, 3)):
        assert abs(found.mean() - mean) < 5 * std / n**0.5
        assert abs(found.std() / std - 1) < 0.01
    assert abs((dropped == 0).mean() - 0.25) < 0.005
    np.testing.assert_allclose(dropped[dropped != 0], 4 / 3, rtol=1e-6)


def test_a_constant_of_drawn_numbers_is_these_numbers() -> None:
    x, noise = gc.input("x", SHAPE), gc.randn(SHAPE)
    for kept in (gc.constant(noise), gc.parameter("noise", noise)):
        program = gc.compile([x], x + kept)
        np.testing.assert_array_equal(program(ONES), ONES + noise.numpy())


def test_dropped_elements_have_no_gradient_and_a_normal_has_that_of_its_mean_and_spread() -> None:
    x = gc.input("x", SHAPE)
    dropped: Any = F.dropout(x, 0.5)
    drawn: Any = gc.normal(x, 2.0 * x)
    program = gc.compile([x], [dropped, gc.grad(gc.sum(dropped), [x])[0], drawn,
                               gc.grad(gc.sum(drawn), [x])[0]])  # fmt: skip
    values, slope, normal, spread = program(ONES)
    np.testing.assert_array_equal(slope, values)
    np.testing.assert_allclose(spread, normal, rtol=1e-5)


def test_bounds_and_sizes_of_draws_may_be_values() -> None:
    k = gc.input("k", (), gc.int64)
    program = gc.compile(
        [k], [gc.randint(0, k, (20_000,)), gc.randint(-k, k + 1, (999,)), gc.randperm(k)]
    )
    for count in (1, 5):
        low, around, order = program(count)
        np.testing.assert_allclose(np.bincount(low) / 20_000, 1 / count, atol=0.02)
        assert {*around} == {*range(-count, count + 1)} and {*order} == {*range(count)}
    wide = gc.compile([k], gc.randint(0, k, (20_000,)))(3 << 61)
    assert abs(wide.mean() / (3 << 61) - 0.5) < 0.01 and wide.max() > (3 << 61) * 0.99
    with pytest.raises(gc.errors.CheckError, match="no integer from 0 to below 0"):
        program(0)


def test_coins_are_of_the_dtype_of_their_probabilities() -> None:
    for dtype in (gc.float32, gc.float64):
        node = gc.input("p", (500,), dtype)
        found = gc.compile([node], gc.bernoulli(node))(np.full(500, 0.5, dtype.numpy))
        assert (
            found.dtype
            == dtype.numpy
            == gc.bernoulli(gc.full((500,), 0.5, dtype=dtype)).numpy().dtype
        )
        assert {*found} == {0, 1}
