"""The graph fuzzer: a short run, samples of the enumerations, and that it finds what is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fuzz import campaign, compare, elements, loops, pairs, recipe, systematic, thresholds
from fuzz.generate import generate
from fuzz.matrices import matrices
from fuzz.recipe import Input, Recipe

import graphc as gc
from graphc.core.ir import OPS, Graph, all_nodes, rebuild
from graphc.core.operators import FUNCTIONS
from graphc.runtime.base.step import Child
from graphc.runtime.fused import blocked

warnings.filterwarnings("ignore", category=RuntimeWarning, module="fuzz|numpy|scipy")
LEVELS = ("O0", "O1", "O2", "O3")


def _clean(report: campaign.Report) -> None:
    assert not report.found, "\n".join(report.texts())
    assert sum(report.unproved.values()) <= 1 + report.graphs // 20, report.unproved


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("first", [0, 1000])
def test_random_programs_mean_the_same_in_every_way(first: int) -> None:
    _clean(campaign.run(range(first, first + 100), compiled=False))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_programs_that_take_the_ways_of_large_ones() -> None:
    with thresholds.small():
        _clean(campaign.run(range(2000, 2060), compiled=False))
    assert blocked.BLOCK == 1024


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_programs_compiled() -> None:
    _clean(campaign.run(range(5000, 5008), compiled=True))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "every"),
    [("elements", 301), ("losses", 301), ("pairs", 501), ("reductions", 53), ("views", 301)],
)
def test_enumerated_programs(name: str, every: int) -> None:
    make, count = systematic.recipes(name)
    _clean(campaign.run(range(0, count, every), compiled=False, make=make))


# So many, not so long: what passes passes on every machine. In parts, which processes share.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("part", range(5))
def test_many_random_programs(part: int) -> None:
    _clean(campaign.run(range(20_000 + 200 * part, 20_200 + 200 * part), compiled=False))
    _clean(campaign.run(range(50_000 + 30 * part, 50_030 + 30 * part), compiled=True))
    with thresholds.small():
        _clean(campaign.run(range(80_000 + 200 * part, 80_200 + 200 * part), compiled=False))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("level", ["O1", "O3"])
@pytest.mark.parametrize(
    ("name", "every"),
    [("elements", 101), ("losses", 101), ("pairs", 101), ("reductions", 17), ("views", 101)],
)
def test_more_enumerated_programs(name: str, every: int, level: str) -> None:
    make, count = systematic.recipes(name, level)
    _clean(campaign.run(range(5, count, every), compiled=False, make=make))


def _program(*lines: tuple[str, str], outputs: tuple[str, ...], **more: Any) -> Recipe:
    rng = np.random.default_rng(0)
    inputs = {
        f"x{k}": Input("float32", (4, 3), rng.standard_normal((4, 3)).astype(np.float32))
        for k in range(2)
    }
    return recipe.used(Recipe(inputs, lines, outputs, **more))


@pytest.mark.parametrize("given", list(matrices()), ids=lambda given: given.lines[0][1])
def test_linear_algebra_is_what_it_means(given: Recipe) -> None:
    finding = compare.check(given)
    assert finding is None, finding.text


def test_a_sum_of_nothing_beside_other_reductions() -> None:
    lines = (
        ("v0", "x0[:, 3:]"), ("v1", "gc.where(gc.prod(x0, keepdims=True) > x0, x1, x0)"),
        ("v2", "gc.max(v1) + gc.sum(v0 * v0)"),
    )  # fmt: skip
    for level in LEVELS:
        finding = compare.check(_program(*lines, outputs=("v2",), level=level))
        assert finding is None, finding.text


@pytest.mark.parametrize(
    "line",
    [
        "gc.signbit(gc.sqrt(x0) + gc.min(x1))",
        'gc.arctan2(gc.einsum("ab,zb->b", x0 * 0.0, x1), x0)',
        "gc.copysign(x1, gc.sum(x0 * 0.0, axis=0))",
    ],
)
def test_the_sign_of_nan_and_of_a_sum_of_zeros_is_not_determined(line: str) -> None:
    finding = compare.check(_program(("v0", line), outputs=("v0",)))
    assert finding is None, finding.text


def test_the_sign_of_zero_is_determined_where_nothing_is_added() -> None:
    given = _program(("v0", "gc.arctan2(x0 * 0.0, x1)"), outputs=("v0",))
    built = recipe.build(given)
    [found], _ = compare.expected(given, built, 0)
    assert found.off(-found.value)


def _greatest_in_a_loop(x: Any, y: Any) -> Recipe:
    lines = (
        ("v0, v1", "gc.scan(lambda c, s: (c + gc.max(s * x1) * c, s), x0[0, 1], x0)"),
        ("g0", "gc.grad(v0, [x0])[0]"),
    )
    inputs = {
        f"x{k}": Input("float16", (1, 3), np.array([a], np.float16)) for k, a in enumerate((x, y))
    }
    return Recipe(inputs, lines, ("g0",))


def test_roundings_that_make_elements_equal_are_no_difference() -> None:
    two, one = 1 + 2**-9, 1 + 2**-10  # two = one * one but for a rounding
    finding = compare.check(_greatest_in_a_loop((two, one, 1), (1, one, two)))
    assert finding is None, finding.text


def test_a_gradient_that_misses_the_greatest_element_is_found() -> None:
    given = _greatest_in_a_loop((1, 2, 3), (0.3, 0.7, 0.9))
    [wanted], _ = compare.expected(given, recipe.build(given), 0)
    assert not wanted.off(wanted.value)
    assert wanted.off(np.where([[True, True, False]], wanted.value, 0))


@pytest.mark.parametrize("layout", ["", "columns", "backwards", "stepped", "fixed"])
def test_arguments_lie_in_memory_in_every_way(layout: str) -> None:
    for shape in ((), (1,), (3, 2), (0, 2)):
        given = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
        inputs = {"x0": Input("float32", shape, given)}
        recipe = Recipe(inputs, (("v0", "x0 * 2.0"),), ("v0",), layout=layout)
        finding = compare.check(recipe, compiled=True)
        assert finding is None, finding.text


def _broken(graph: Graph) -> Graph:
    """A pass with a fault: every flip is taken away."""

    def visit(node: Any) -> Any:
        if node.op.name == "slice" and -1 in node.attr("steps"):
            return node.inputs[0]
        return node

    return rebuild(graph, visit)


def test_a_wrong_pass_is_found_and_reduced_to_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    optimize = compare.optimize

    def wrong(graph: Graph, level: str) -> Any:
        final, history = optimize(graph, level)
        return _broken(final), history

    monkeypatch.setattr(compare, "optimize", wrong)
    given = _program(
        ("v0", "gc.tanh(x0)"), ("v1", "v0[::-1]"), ("v2", "gc.sum(v1 * x1, axis=0)"),
        ("v3", "v2 - gc.mean(x1)"), outputs=("v3", "v0"), level="O1", threads=2,
    )  # fmt: skip
    report = campaign.run([0], compiled=False, make=lambda _: given)
    ((_, found, finding),) = report.found.values()
    assert finding.kind == "simulated value"
    assert found.lines == (("v1", "x0[::-1]"),)
    (text,) = report.texts()
    scope: dict[str, Any] = {"gc": gc, "np": np, "FN": FUNCTIONS}
    exec(text, scope)
    scope["test_found"]()  # the public API is sound, so the printed test passes


def test_a_wrong_meaning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _program(("v0", "gc.cumsum(x0, axis=1)"), outputs=("v0",))
    assert compare.check(given) is None
    monkeypatch.setattr(recipe.Meaning, "cumsum", staticmethod(lambda x, axis: np.cumsum(x, 0)))
    assert compare.check(given).kind == "meaning"  # type: ignore[union-attr]


def test_a_wrong_gradient_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _program(
        ("v0", "gc.sum(gc.sin(x0) * x1)"), ("g0", "gc.grad(v0, [x0])[0]"), outputs=("g0",)
    )
    assert compare.check(given) is None
    wrong = replace(OPS["sin"], vjp=lambda node, ct: (ct * gc.sin(node.inputs[0]),))
    monkeypatch.setattr(gc, "sin", lambda x: wrong(x))
    assert compare.check(given).kind == "slope"  # type: ignore[union-attr]


def test_a_crash_is_a_finding() -> None:
    def make(seed: int) -> Recipe:
        return _program(("v0", "np.testing.assert_(0)"), outputs=("v0",))

    report = campaign.run([0], compiled=False, make=make, shrink=False)
    assert list(report.found) == ["build AssertionError utils.py:assert_"]


def test_recipes_are_the_same_every_time() -> None:
    first, again = generate(7), generate(7)
    assert (first.lines, first.outputs, first.level) == (again.lines, again.outputs, again.level)


def _some_of_every_kind() -> Iterator[Recipe]:
    yield from (generate(seed) for seed in range(150))
    yield from (pairs.paired((rule, "sum_rows", True)) for rule in pairs.RULES)
    yield pairs.paired(("cut", "min_rows", True))  # of n - 1 rows, perhaps none
    cases = [c for c in elements.elements() if c[2:] == (True, "plain")]
    first = {(case[0], case[1][:2]): case for case in reversed(cases)}
    yield from (elements.element(case) for case in first.values())
    yield from matrices()
    # A condition that holds: this op has no other meaning than its value's.
    given = elements.element(("tanh", "float32", True, "plain"))
    held = ("v0", "gc.check(x0 == x0, 'is nan: {}', gc.tanh(x0))")
    yield given.with_(lines=(held, *given.lines[1:]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_op_of_the_table_is_drawn_with_gradients_and_symbolic_sizes() -> None:
    drawn: set[str] = set()
    sloped: set[str] = set()
    symbolic: set[str] = set()
    for given in _some_of_every_kind():
        ops = {node.op.name for node in all_nodes(recipe.build(given).graph)}
        drawn |= ops
        symbolic |= ops if len(given.sizes) > 1 else set()
        sloped |= ops if any(text.startswith("gc.grad(") for _, text in given.lines) else set()
    # Made by passes; without meaning in float64; without a gradient; known by what it shows.
    left_out = {"fused", "nextafter", "zeta", "print"}
    assert set(OPS) - drawn == left_out
    assert set(OPS) - symbolic <= {*left_out, "gradient_as", "philox"}
    truths = {op.name for op in OPS.values() if op.vjp is not None} - sloped
    # Of integers and truth values, at which a gradient ends.
    assert truths <= {
        *left_out, "gradient_as", "any", "all", "argmax", "argmin", "argsort",
        "bitwise_and", "bitwise_count", "bitwise_or", "bitwise_xor", "gcd", "invert", "isfinite",
        "isinf", "isnan", "lcm", "left_shift", "logical_and", "logical_not", "logical_or",
        "logical_xor", "equal", "not_equal", "right_shift", "signbit",
        "matmul_integer", "permutation", "qr_complete",
    }  # fmt: skip


def test_what_is_wrong_in_a_body_of_a_loop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _program(
        ("v0, v1", "gc.scan(lambda c, s: (gc.tanh(c + s), gc.cumsum(c, axis=0) - s), x0[0], x0)"),
        ("v2", "gc.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * v0), (0, x0[1]))[1]"),
        ("v3", "gc.cond(gc.sum(x1) > 0.0, lambda: gc.flip(v1, axis=0), lambda: v1 * 2.0)"),
        outputs=("v2", "v3"), threads=2,
    )  # fmt: skip
    assert compare.check(given) is None
    lower = compare.lower

    def wrong(graph: Graph) -> Any:
        [scan] = [step for step in lower(graph) if step.node.op.name == "scan"]
        body = next(a for a in scan.args if isinstance(a, Child))
        kept = replace(body, steps=body.steps[1:])
        args = tuple(kept if a is body else a for a in scan.args)
        return [replace(s, args=args) if s.node is scan.node else s for s in lower(graph)]

    monkeypatch.setattr(compare, "lower", wrong)
    monkeypatch.setattr(compare, "verify_lowering", lambda *args, **more: None)
    assert compare.check(given) is not None


@pytest.mark.parametrize("body", loops.BODIES)
def test_every_body_of_a_loop_means_something(body: str) -> None:
    first, second = body.format("c", "s"), body.format("s", "c")
    line = ("v0, v1", f"gc.scan(lambda c, s: ({first}, {second}), x0[0], x0)")
    rows = ("v2", f"gc.map(lambda s: {body.format('s', 'x1[0]')}, x0)")
    finding = compare.check(_program(line, rows, outputs=("v0", "v1", "v2")))
    assert finding is None, finding.text
