"""Every simplification rule fires on its samples and keeps their values, bit for bit if exact."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.dtypes import as_dtype, is_float
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node, toposort
from graphc.ops.source import FULL, input
from graphc.passes import pipeline
from graphc.passes.rewrite.engine import Pattern, Rule, matches, rewrite
from graphc.passes.rewrite.facts import filled
from graphc.passes.simplify import EXACT, RULES, simplify
from graphc.verify import verify

FLOAT_EDGES = (0.0, -0.0, 1.0, -1.5, 3.0, 0.1, np.inf, -np.inf, np.nan, 1e-45, 3e38)
CONSTANTS = {"c": 3, "d": 2}


def edges(dtype: str) -> list[Any]:
    """Values at which rules go wrong, of a dtype."""
    if dtype == "bool":
        return [False, True]
    if dtype.startswith("float"):
        info = as_dtype(dtype).finfo
        return [*FLOAT_EDGES, float(info.max), float(info.smallest_subnormal)]
    info = np.iinfo(dtype)
    return sorted({v for v in (-7, -1, 0, 1, 2, 3, 100, info.min, info.max) if v >= info.min})


def instantiate(rule: Rule, dtype: str) -> Node:
    """The smallest node that a rule's pattern describes; a variable has all values with those of
    all others."""
    inputs: dict[str, Node] = {}
    count = len(edges(dtype)) ** len(_variables(rule.pattern))

    def build(pattern: Pattern) -> Node:
        if pattern.op is not None:
            attrs = dict(pattern.attrs)
            return Node.build(pattern.op, [build(i) for i in pattern.inputs], attrs)
        like = input("like", (count,), dtype)
        if pattern.name in CONSTANTS:
            return filled(like, CONSTANTS[pattern.name])
        if not pattern.name:
            return filled(like, pattern.value)
        return inputs.setdefault(pattern.name, input(pattern.name, (count,), dtype))

    return build(rule.pattern)


def _variables(pattern: Pattern) -> set[str]:
    if pattern.op is None:
        return {pattern.name} - {"", *CONSTANTS}
    return set().union(*(_variables(i) for i in pattern.inputs))


def samples(rule: Rule) -> list[Graph]:
    """Graphs on which a rule fires."""
    roots = rule.samples() if rule.samples else [instantiate(rule, d) for d in rule.dtypes]
    graphs = []
    for root in roots:
        given = [n for n in toposort((root,)) if n.op.name == "input"]
        graphs.append(Graph.of("sample", given, [root]))
    return graphs


def _arrays(graph: Graph, rule: Rule, seed: int) -> list[np.ndarray]:
    """Edge values for exact rules, in all combinations where the sample has room; else tame."""
    rng = np.random.default_rng(seed)
    found = []
    width = len(graph.inputs)
    for k, node in enumerate(graph.inputs):
        dtype, shape = node.type.dtype.numpy, node.type.shape  # type: ignore[union-attr]
        if not rule.exact:
            found.append(rng.uniform(0.5, 2.0, shape).astype(dtype))
            continue
        values = np.array(edges(dtype.name), dtype)
        total = len(values) ** width
        if shape == (total,):
            grid = list(itertools.product(values, repeat=width))
            found.append(np.array([row[k] for row in grid], dtype))
        else:
            found.append(rng.choice(values, shape))
    return found


def _bits(array: np.ndarray) -> np.ndarray:
    plain = np.ascontiguousarray(array)
    if is_float(plain.dtype):
        plain = np.where(np.isnan(plain), np.array(np.nan, plain.dtype), plain)
        return plain.view(f"i{plain.dtype.itemsize}")
    return plain


def _compare(rule: Rule, wanted: np.ndarray, found: np.ndarray) -> None:
    assert wanted.dtype == found.dtype and wanted.shape == found.shape
    if not rule.exact:
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    elif rule.ulps and is_float(wanted.dtype):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
        fine = np.isfinite(wanted)
        np.testing.assert_array_max_ulp(found[fine], wanted[fine], rule.ulps)
    elif "mum" in rule.name:  # which of two zeros maximum and minimum give is not specified
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_array_equal(_bits(found), _bits(wanted))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_fires_and_keeps_the_values(rule: Rule) -> None:
    for graph in samples(rule):
        after = rewrite(graph, [rule])
        assert after is not graph, f"does not fire on {graph.outputs[0].type}"
        verify(after)
        for seed in range(4):
            arrays = _arrays(graph, rule, seed)
            with np.errstate(all="ignore"):
                _compare(rule, run(graph, arrays)[0], run(after, arrays)[0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_all_rules_together_settle_and_keep_the_values(rule: Rule) -> None:
    for graph in samples(rule):
        after, _ = pipeline.optimize(graph, "O1", fast_math=not rule.exact, observers=())
        arrays = _arrays(graph, rule, 7)
        wanted, found = run(graph, arrays)[0], run(after, arrays)[0]
        if rule.exact and is_float(wanted.dtype):
            # Other exact rules may be a unit in the last place nearer to the true value.
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
        else:
            _compare(rule, wanted, found)


def test_there_are_enough_rules_and_their_names_are_their_own() -> None:
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names)) >= 60
    assert all(re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)*", name) for name in names)


def _declines(name: str, node: Node) -> str:
    """Why a rule declines a node that its pattern matches."""
    (rule,) = [r for r in RULES if r.name == name]
    given = [n for n in toposort((node,)) if n.op.name == "input"]
    graph = Graph.of("g", given, [node])
    assert rewrite(graph, [rule]) is graph
    reasons = [rule.reason(node, found) for found in matches(rule.pattern, node)]
    assert reasons and all(reasons)
    return reasons[0]


def test_guards_say_why_a_rule_declines() -> None:
    x = gc.input("x", (2, 3))
    i = gc.input("i", (2, 3), gc.int32)
    assert _declines("mul-zero-integer", x * 0.0) == "of floats, nan, inf and -0.0 forbid it"
    assert _declines("div-power-of-two", x / 3.0) == "1 / 3.0 is rounded"
    assert _declines("abs-unsigned", abs(i)) == "int32 values may be negative"
    assert _declines("maximum-neutral", gc.maximum(x, 0.0)) == "the constant is not -inf"
    assert _declines("not-less", gc.logical_not(x < x.T.T)) == "with a nan both are false"
    wide = gc.cast(gc.cast(i, gc.float32), gc.int64)
    assert _declines("cast-cast", wide) == "float32 does not hold every int32"
    assert _declines("sum-ones", gc.sum(x, axis=0)) == "axis 0 has more than one element"


def test_division_by_a_power_whose_reciprocal_is_denormal_stays() -> None:
    x = gc.input("x", (3,), gc.float16)
    for value in (2.0**16, 2.0**-16):
        node = OPS["divide"](x, OPS["full"](value=value, shape=(3,), dtype=gc.float16))
        arrays = [np.array([1, 3, 65504], np.float16)]
        graph = Graph.of("g", [x], [node])
        np.testing.assert_array_equal(run(simplify(graph), arrays)[0], run(graph, arrays)[0])


def test_adding_zero_to_floats_stays_without_fast_math() -> None:
    x = gc.input("x", (3,))
    graph = Graph.of("g", [x], [x + 0.0])
    assert simplify(graph) is graph
    assert rewrite(graph, RULES) is not graph


def test_symbolic_sizes_are_simplified_where_facts_allow() -> None:
    n, m = gc.dim("n"), gc.dim("m", min=1)
    maybe_empty = gc.input("x", (n, 3))
    full = gc.input("y", (m, 3))
    spread = [OPS["broadcast"](t, axes=(0,), shape=(4, *t.shape)) for t in (maybe_empty, full)]
    results = [OPS["max"](t, axes=(0,)) for t in spread]
    along = [
        OPS["max"](OPS["broadcast"](full, axes=(0,), shape=(k, *full.shape)), axes=(0,))
        for k in (n, m)
    ]
    graph = Graph.of("g", [maybe_empty, full], [*results, *along])
    after, _ = pipeline.optimize(graph, "O1", observers=())
    assert after.outputs[0] is maybe_empty
    assert after.outputs[1] is full and after.outputs[3] is full
    assert after.outputs[2].op is OPS["max"]


def test_the_exact_rules_are_those_of_simplify() -> None:
    assert {r.name for r in EXACT} == {r.name for r in RULES if r.exact}
    assert len(EXACT) >= 60


@pytest.mark.parametrize("op", [gc.add, gc.multiply, gc.maximum, gc.minimum])
@pytest.mark.parametrize("shape", [(), (2, 0), (3,)])
def test_constants_of_three_operands_are_joined_once(op: Any, shape: tuple[int, ...]) -> None:
    """With a constant for x as well, any two of the three would go on being joined."""
    full = [FULL(value=v, shape=shape, dtype=gc.int64) for v in (5, 2, 3)]
    graph = Graph.of("g", [], [op(op(full[0], full[1]), full[2])])
    (found,) = run(simplify(graph), [])
    (wanted,) = run(graph, [])
    np.testing.assert_array_equal(found, wanted)
