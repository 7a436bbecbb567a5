"""Random numbers: known answers, reproducible, independent, and of the right distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import evaluate
from scipy import stats

import graphc.ops  # noqa: F401
from graphc.core import dims
from graphc.core.ir import toposort
from graphc.core.operators import FUNCTIONS
from graphc.errors import AttributeValueError, DTypeError
from graphc.ops.arrays.philox import philox_words
from graphc.ops.arrays.random import GENERATOR, PHILOX, advance
from graphc.ops.source import input as placeholder
from graphc.ops.source import is_stream

COUNT = 20_000
KEY = np.uint64(7)


def gc(name: str) -> Any:
    return FUNCTIONS[name]


def draw(function: Any, seed: int = 7) -> np.ndarray:
    """The values that `function(key)` draws under a key."""
    found = evaluate(function, np.uint64(seed))
    assert isinstance(found, np.ndarray)
    return found


def test_philox_gives_the_published_answers() -> None:
    # Random123's known answers for philox4x32-10, those with the upper counter words 0.
    assert [f"{w:08x}" for w in philox_words(np.uint64(0), np.zeros(1, np.uint64))[0]] == [
        "6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8",
    ]  # fmt: skip


@pytest.mark.parametrize("lane", range(4))
def test_the_op_is_word_lane_of_each_block(lane: int) -> None:
    keys = np.array([[1, 2], [1, 2**63]], np.uint64)
    counters = np.array([[0, 5], [2**40, 5]], np.uint64)
    found = evaluate(lambda k, c: PHILOX(k, c, lane=lane), keys, counters)
    wanted = [
        [philox_words(k, np.array([c]))[0, lane] for k, c in zip(*rows)]
        for rows in zip(keys, counters)
    ]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform_is_uniform(dtype: str) -> None:
    values = draw(lambda k: gc("uniform")((COUNT,), dtype=dtype, key=k))
    assert values.dtype == dtype and values.min() >= 0 and values.max() < 1
    assert stats.kstest(values.astype(np.float64), "uniform").pvalue > 1e-3
    scaled = draw(lambda k: gc("uniform")((COUNT,), -3.0, 5.0, dtype, k))
    assert scaled.min() >= -3 and scaled.max() <= 5 and abs(scaled.astype(float).mean() - 1) < 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_is_normal(dtype: str) -> None:
    values = draw(lambda k: gc("normal")((COUNT // 2, 2), dtype=dtype, key=k))
    assert values.dtype == dtype and np.isfinite(values).all()
    assert stats.kstest(values.ravel(), "norm").pvalue > 1e-3
    scaled = draw(lambda k: gc("normal")((COUNT,), 3.0, 0.5, dtype, k))
    assert abs(scaled.mean() - 3) < 0.02 and abs(scaled.std() - 0.5) < 0.02


def test_neighbouring_elements_keys_and_lanes_are_uncorrelated() -> None:
    a = draw(lambda k: gc("normal")((COUNT,), key=k), 1).astype(np.float64)
    b = draw(lambda k: gc("normal")((COUNT,), key=k), 2).astype(np.float64)
    c = draw(lambda k: gc("normal")((COUNT,), key=gc("fold_in")(k, 0)), 1).astype(np.float64)
    for x, y in ((a[1:], a[:-1]), (a, b), (a, c), (b, c), (a**2, b**2)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 5 / np.sqrt(COUNT)


def test_bernoulli_has_its_probability() -> None:
    values = draw(lambda k: gc("bernoulli")(0.3, (COUNT,), key=k))
    assert values.dtype == bool and abs(values.mean() - 0.3) < 0.02
    assert not draw(lambda k: gc("bernoulli")(0.0, (99,), key=k)).any()
    assert draw(lambda k: gc("bernoulli")(1.0, (99,), key=k)).all()


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 6, "int64"), (-3, 4, "int8"), (0, 2**40 + 1, "int64"), (-(2**63), 2**63, "int64"),
     (0, 2**64, "uint64"), (-128, 128, "int8"), (5, 6, "uint8"), (0, 2**32, "int64")],
)  # fmt: skip
def test_randint_is_uniform_over_its_range(low: int, high: int, dtype: str) -> None:
    values = draw(lambda k: gc("randint")(low, high, (COUNT,), dtype, k))
    assert values.dtype == dtype and int(values.min()) >= low and int(values.max()) < high
    if high - low <= 256:
        counts = np.bincount([int(v) - low for v in values], minlength=high - low)
        assert stats.chisquare(counts).pvalue > 1e-3 if len(counts) > 1 else True
    else:
        unit = np.array([(int(v) - low) / (high - low) for v in values])
        assert stats.kstest(unit, "uniform").pvalue > 1e-3


def test_randint_scales_the_64_bit_word_exactly() -> None:
    words = philox_words(KEY, np.arange(50, dtype=np.uint64))
    for high in (6, 2**32 - 1, 2**32, 2**33 + 7, 2**63 - 1):
        found = draw(lambda k: gc("randint")(0, high, (50,), "int64", k))  # noqa: B023
        wanted = [((int(a) | int(b) << 32) * high) >> 64 for a, b, _, _ in words]
        assert found.tolist() == wanted


def test_permutation_is_one_and_differs_by_key() -> None:
    orders = [draw(lambda k: gc("permutation")(100, k), seed) for seed in (1, 2)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(100))
    assert (orders[0] != orders[1]).any()
    rows = evaluate(lambda k, x: gc("permutation")(x, k), KEY, np.arange(20).reshape(10, 2))
    assert isinstance(rows, np.ndarray)
    assert sorted(map(tuple, rows.tolist())) == [(2 * i, 2 * i + 1) for i in range(10)]


def test_dropout_keeps_the_mean() -> None:
    values = draw(lambda k: gc("dropout")(gc("full")((COUNT,), 1.0, "float32"), 0.25, key=k))
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((values == 0).mean() - 0.25) < 0.02
    x = placeholder("x", (3,))
    assert gc("dropout")(x, 0.5, training=False) is x and gc("dropout")(x, 0.0) is x


def test_a_longer_draw_begins_with_the_shorter() -> None:
    short, long = (draw(lambda k, n=n: gc("uniform")((n,), key=k)) for n in (5, 9))
    np.testing.assert_array_equal(long[:5], short)


def test_symbolic_shapes_draw() -> None:
    n = dims.dim("n")
    assert gc("normal")((n, 3)).shape == (n, 3)
    found = evaluate(
        lambda x, k: gc("uniform")(x.shape, key=k) + x * 0.0, np.zeros((4, 3), np.float32), KEY,
        symbolic=True,
    )  # fmt: skip
    fixed = draw(lambda k: gc("uniform")((4, 3), key=k))
    np.testing.assert_array_equal(found, fixed)


def test_the_default_generator_reproduces_after_its_seed() -> None:
    def twice() -> list[np.ndarray]:
        gc("manual_seed")(3)
        return evaluate(lambda: [gc("uniform")((4,)), gc("uniform")((4,))])  # type: ignore[return-value]

    first, second = twice(), twice()
    np.testing.assert_array_equal(first, second)
    assert (first[0] != first[1]).all()


def test_advancing_the_generator_changes_every_draw() -> None:
    u = gc("uniform")((4,))
    assert any(map(is_stream, toposort([u]))) and not is_stream(placeholder("x"))
    before = evaluate(lambda: u)
    GENERATOR.value = evaluate(lambda: advance(GENERATOR))
    after = evaluate(lambda: u)
    assert (np.asarray(before) != np.asarray(after)).all()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(AttributeValueError):
        gc("bernoulli")(1.5, (2,))
    with pytest.raises(AttributeValueError):
        gc("randint")(3, 3, (2,))
    with pytest.raises(AttributeValueError):
        gc("randint")(0, 300, (2,), "uint8")
    with pytest.raises(AttributeValueError):
        gc("dropout")(placeholder("x", (2,)), 1.5)
    with pytest.raises(DTypeError):
        gc("uniform")((2,), dtype="int32")
    with pytest.raises(DTypeError, match="random_key"):
        gc("uniform")((2,), key=placeholder("k", (2,)))
