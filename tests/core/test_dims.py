"""Symbolic dimensions: canonical form, facts, and agreement with integer arithmetic."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphc.core import dims
from graphc.core.dims import Symbol, at_least, bounds, dim, evaluate, maximum, minimum, symbol
from graphc.errors import AttributeValueError, ShapeError

n, m = dim("n"), dim("m", min=1, max=64, multiple_of=8)


def test_equal_expressions_have_one_form() -> None:
    assert (n + 1) * 2 == 2 * n + 2
    assert n * m - m * n == 0
    assert (2 * n) // 2 == n
    assert (m * 2) // 8 == m // 4
    assert m % 8 == 0
    assert hash(n + m) == hash(m + n)
    assert not dims.is_same(n, m)


def test_a_comparison_that_calls_decide_is_no_answer_while_a_graph_is_built() -> None:
    k = dim("k", min=3, multiple_of=4)
    assert not (n == -1 or k == 2 or k == 6 or n % 2 == 2 or n == n + 1)
    for asked in (lambda: n == 3, lambda: n != m, lambda: n % 2 == 0, lambda: (n, 4) == (m, 4)):
        with pytest.raises(ShapeError, match=r"not known while the graph is built\n.*test_dims.py"):
            asked()
    assert {n: 1, m: 2}[m] == 2


def test_text_is_readable_python() -> None:
    assert str(n + 1) == "n + 1"
    assert str(3 * n * m - 2) == "3*m*n - 2"
    assert str((n - 5) // 2 + 1) == "(n + 1)//2 - 2"
    assert str(maximum(n - 1, 0)) == "max(n - 1, 0)"


def test_ranges_of_loop_variables_simplify_division() -> None:
    i = symbol(Symbol("i", 0, n - 1))
    j = symbol(Symbol("j", 0, 63))
    assert (64 * i + j) // 64 == i
    assert (64 * i + j) % 64 == j
    k = symbol(Symbol("k", 0, m - 1))
    assert (m * j + k) // m == j
    assert (m * j + k) % m == k


def test_what_a_cut_leaves_adds_up() -> None:
    even = dim("even", multiple_of=2)
    assert maximum(n - 2, 0) + minimum(n, 2) == n
    assert 3 * minimum(n, m) + 3 * maximum(m - n, 0) == 3 * m
    assert (n + 1) // 2 + n // 2 == n
    assert (even + 1) // 2 == even // 2
    assert 2 * (even // 2) == even // 2 + even // 2 == even
    assert at_least(n - n // 3, 0) and not at_least(n - 2 * (n // 2), 1)
    assert maximum(n - n // 2, 0) + minimum(n, n // 2) == n


def test_facts_decide_minimum_and_maximum() -> None:
    assert maximum(m - 1, 0) == m - 1
    assert minimum(m, 100) == m
    assert str(minimum(n, 5)) == "min(n, 5)"
    assert at_least(m, 1) and not at_least(n, 1)
    assert bounds(m - 3) == (-2, 61)


def test_a_size_has_no_truth_value_and_is_no_integer() -> None:
    with pytest.raises(ShapeError, match="the size n is not known"):
        bool(n)
    with pytest.raises(ShapeError, match="it is no integer"):
        range(n)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2n", {}), "'2n' is not an identifier"),
        (("max", {}), "is taken"),
        (("n", {"min": 3, "max": 2}), "admit no size"),
        (("n", {"multiple_of": 0}), "admit no size"),
    ],
)
def test_bad_facts_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(AttributeValueError, match=message):
        dim(arguments[0], **arguments[1])


SIZES = st.integers(0, 40)
LEAVES = st.one_of(st.sampled_from([n, m]), st.integers(-6, 9))
OPERATIONS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "min": min, "max": max,
}  # fmt: skip
SYMBOLIC = {**OPERATIONS, "min": minimum, "max": maximum}
TREES = st.recursive(
    LEAVES, lambda inner: st.tuples(st.sampled_from(sorted(OPERATIONS)), inner, inner), max_leaves=6
)


def _build(tree: object, table: dict, leaf: dict) -> object:
    if isinstance(tree, tuple):
        x, y = (_build(t, table, leaf) for t in tree[1:])
        if tree[0] in ("//", "%") and not (isinstance(y, int) and y > 0):
            y = 3
        return table[tree[0]](x, y)
    return leaf.get(tree, tree)


@given(TREES, SIZES, st.integers(1, 8))
def test_every_expression_evaluates_as_integers_do(tree: object, a: int, b: int) -> None:
    sizes = {"n": a, "m": 8 * b}
    built = _build(tree, SYMBOLIC, {})
    value = evaluate(built, sizes)  # type: ignore[arg-type]
    # The same tree over plain integers, with divisors fixed where the symbolic build fixed them.
    assert value == _reference(tree, sizes)
    low, high = bounds(built)  # type: ignore[arg-type]
    assert (low is None or low <= value) and (high is None or value <= high)


def _reference(tree: object, sizes: dict[str, int]) -> int:
    if not isinstance(tree, tuple):
        return sizes[str(tree)] if isinstance(tree, dims.Dim) else tree  # type: ignore[return-value]
    x, y = (_reference(t, sizes) for t in tree[1:])
    if tree[0] in ("//", "%"):
        built = _build(tree[2], SYMBOLIC, {})
        y = built if isinstance(built, int) and built > 0 else 3
    return OPERATIONS[tree[0]](x, y)  # type: ignore[operator]
