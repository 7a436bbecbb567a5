"""The rewriting driver: what patterns match, what rules may do, and how faults are named."""

from __future__ import annotations

from collections import Counter

import pytest

import graphc as gc
from graphc import config
from graphc.core.ir import OPS, Graph, Node
from graphc.errors import InternalError
from graphc.passes.rewrite.engine import (
    Pattern,
    Rule,
    attribute,
    constant,
    matches,
    number,
    ops,
    rewrite,
    uniform,
    var,
)

x, y = var("x"), var("y")


def _names(pattern: Pattern, node: Node) -> list[dict[str, str]]:
    return [{k: getattr(v, "name", v) for k, v in f.items()} for f in matches(pattern, node)]  # type: ignore[misc]


def _inputs() -> tuple[Node, Node]:
    return gc.input("a", (3,)), gc.input("b", (3,))


def test_commutative_ops_match_in_both_orders() -> None:
    a, b = _inputs()
    assert _names(x + y, a + b) == [{"x": "a", "y": "b"}, {"x": "b", "y": "a"}]
    assert _names(x - y, a - b) == [{"x": "a", "y": "b"}]
    assert _names(ops.exp(x) * y, b * gc.exp(a)) == [{"x": "a", "y": "b"}]


def test_a_variable_that_occurs_twice_is_one_node() -> None:
    a, b = _inputs()
    assert not _names(x - x, a - b)
    assert _names(x - x, a - a) == [{"x": "a"}]
    assert _names((x * y) + x, b + a * b) == [{"x": "b", "y": "a"}]


def test_numbers_match_constants_of_any_dtype_and_shape() -> None:
    a, _ = _inputs()
    i = gc.input("i", (2, 2), gc.uint8)
    assert _names(x * 1, a * 1.0) and _names(x * 1, i * 1) and _names(x * True, i * 1)
    assert not _names(x * 1, a * 1.5)
    spread = OPS["broadcast"](gc.ops.source.full((), 1.0, gc.float32), axes=(0,), shape=(3,))
    assert _names(x * 1, OPS["multiply"](a, spread))


def test_zeros_and_nans_are_told_apart() -> None:
    a, _ = _inputs()
    assert _names(x + 0, a + 0.0) and not _names(x + 0, a + -0.0)
    assert _names(x + -0.0, a + -0.0) and not _names(x + -0.0, a + 0.0)
    assert _names(x + number(float("nan")), a + float("nan"))
    assert not _names(x + 0, a + float("nan"))


def test_constants_hold_what_their_dtype_can() -> None:
    assert uniform(gc.ops.source.full((2,), 1e300, gc.float32)) == float("inf")
    assert uniform(gc.ops.source.full((2,), 0.1, gc.float32)) != 0.1
    assert uniform(gc.input("a", (2,))) is None
    a, b = _inputs()
    assert not _names(x + constant("c"), a + b)


def test_attributes_are_bound_and_must_agree() -> None:
    a = gc.input("a", (2, 3))
    node = OPS["transpose"](OPS["transpose"](a, axes=(1, 0)), axes=(1, 0))
    twice = ops.transpose(ops.transpose(x, axes=attribute("p")), axes=attribute("p"))
    assert _names(twice, node) == [{"p": (1, 0), "x": "a"}]
    other = OPS["transpose"](OPS["transpose"](a, axes=(1, 0)), axes=(0, 1))
    assert not _names(twice, other)
    assert _names(ops.transpose(x, axes=(1, 0)), node)
    assert not _names(ops.transpose(x, axes=(0, 1)), node)


def test_a_rule_fires_until_nothing_matches_and_is_counted() -> None:
    a, _ = _inputs()
    node = a
    for _ in range(10):
        node = -node
    fired: Counter[str] = Counter()
    rule = Rule("neg-neg", ops.negative(ops.negative(x)), lambda x: x)
    after = rewrite(Graph.of("g", [a], [node]), [rule], fired)
    assert after.outputs[0] is a
    assert fired == {"neg-neg": 5}


def test_a_graph_without_matches_is_returned_itself() -> None:
    a, b = _inputs()
    graph = Graph.of("g", [a, b], [a + b])
    assert rewrite(graph, [Rule("neg-neg", ops.negative(ops.negative(x)), lambda x: x)]) is graph


def test_replacements_keep_the_line_of_what_they_replace() -> None:
    a, b = _inputs()
    node = a - -b
    rule = Rule("sub-neg", x - ops.negative(y), lambda x, y: x + y)
    after = rewrite(Graph.of("g", [a, b], [node]), [rule])
    assert after.outputs[0].origin == node.origin is not None


def test_a_rule_that_changes_a_type_is_named() -> None:
    a, _ = _inputs()
    rule = Rule("shrink", ops.exp(x), lambda x: gc.sum(x))  # type: ignore[arg-type, return-value]
    with pytest.raises(InternalError, match=r"rule shrink turned f32\[3\] into f32\[\(\)\]"):
        rewrite(Graph.of("g", [a], [gc.exp(a)]), [rule])


def test_rules_that_go_in_circles_are_named() -> None:
    a, b = _inputs()
    rule = Rule("swap", x + y, lambda x, y: y + x)
    with pytest.raises(InternalError, match="rule swap still fires after 64 rewrites of one node"):
        rewrite(Graph.of("g", [a, b], [a + b]), [rule])


def test_a_guard_that_declines_lets_the_next_match_try() -> None:
    a, b = _inputs()
    rule = Rule("drop-b", x + y, lambda x: x, lambda y: "" if y.name == "b" else "it is not b")
    after = rewrite(Graph.of("g", [a, b], [b + a]), [rule])
    assert after.outputs[0] is a


def test_firings_and_refusals_are_logged_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    a, _ = _inputs()
    rule = Rule("never", ops.exp(x), lambda x: x, lambda x: "of a principle")
    graph = Graph.of("g", [a], [gc.exp(a)])
    rewrite(graph, [rule])
    assert capsys.readouterr().err == ""
    with config.override(debug=5):
        rewrite(graph, [rule])
    assert "graphc: declined never: of a principle at test_rewrite.py:" in capsys.readouterr().err


def test_a_pattern_that_is_a_variable_is_no_rule() -> None:
    with pytest.raises(InternalError, match="rule any: its pattern is no operation"):
        Rule("any", x, lambda x: x)
