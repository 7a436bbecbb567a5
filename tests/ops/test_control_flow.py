"""Branches and loops: interpreted and compiled, against Python loops over NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting import calls_of

import graphc as gc
from graphc.core.interpret import run
from graphc.core.ir import Graph, Node, all_nodes
from graphc.core.operators import FUNCTIONS
from graphc.errors import GraphcError, IndexRangeError
from graphc.ops.arrays import random
from graphc.ops.arrays.filled import zeros
from graphc.ops.flow.branching import cond
from graphc.ops.flow.looping import SCAN, WHILE
from graphc.ops.flow.loops import map as map_
from graphc.ops.flow.loops import scan, while_loop
from graphc.passes.cse import cse
from graphc.passes.pipeline import optimize
from graphc.text import parse, show
from graphc.verify import verify

RNG = np.random.default_rng(0)
LEVELS = ("O0", "O1", "O2", "O3")


def _values(inputs: list[Node], outputs: list[Node], *arrays: Any) -> list[np.ndarray]:
    """What every level gives, which must be what the reference gives."""
    reference = gc.compile(inputs, outputs, target="reference")
    verify(reference.graph)
    assert show(parse(show(reference.graph))) == show(reference.graph)
    random.GENERATOR.value = np.uint64(7)
    wanted = reference(*arrays)
    for level in LEVELS:
        for threads in (1, 2):
            program = gc.compile(inputs, outputs, level=level, threads=threads)
            for _, graph in program.history:
                verify(graph)
                assert show(parse(show(graph))) == show(graph)
            random.GENERATOR.value = np.uint64(7)
            for left, right in zip(program(*arrays), wanted, strict=True):
                assert left.dtype == right.dtype
                np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)
    return wanted


def _normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_a_branch_is_chosen_by_a_value() -> None:
    x = gc.input("x", (3,))
    w = gc.parameter("w", np.arange(3, dtype=np.float32))
    y = cond(gc.sum(x) > 0, lambda x: {"a": x * w, "b": 1}, lambda x: {"a": -x, "b": 2}, x)
    for sign in (1, -1):
        a = np.full(3, sign, np.float32)
        first, second = _values([x], [y["a"], y["b"]], a)
        np.testing.assert_array_equal(first, a * np.arange(3) if sign > 0 else -a)
        assert second == (1 if sign > 0 else 2)


def test_only_the_branch_that_is_chosen_runs() -> None:
    """The other would fail."""
    x, k = gc.input("x", (3,)), gc.input("k", (), gc.int64)
    y = cond(k < 3, lambda: x[k], lambda: gc.sum(x))
    program = gc.compile([x, k], y)
    assert program(np.ones(3, np.float32), 1) == 1
    assert program(np.ones(3, np.float32), 5) == 3


def test_nested_branches_and_closures_of_closures() -> None:
    x, a, b = gc.input("x", ()), gc.input("a", (4,)), gc.input("b", (4,))

    def outer() -> Node:
        z = a * x
        return cond(x > 1, lambda: z + b, lambda: z - b)

    y = cond(x > 0, outer, lambda: a)
    arrays = _normal(4), _normal(4)
    for value in (-1.0, 0.5, 2.0):
        (found,) = _values([x, a, b], [y], np.float32(value), *arrays)
        z = arrays[0] * np.float32(value)
        wanted = z + arrays[1] if value > 1 else z - arrays[1] if value > 0 else arrays[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_constant_predicate_leaves_one_branch() -> None:
    x = gc.input("x", (3,))
    program = gc.compile([x], cond(True, lambda: x + 1, lambda: x - 1))
    assert all(node.op.name != "cond" for node in program.history[-1][1].nodes)
    np.testing.assert_array_equal(program(np.zeros(3, np.float32)), np.ones(3))


def test_a_while_loop_is_pythons() -> None:
    x = gc.input("x", (), gc.int64)
    steps, value = while_loop(
        lambda c: c[1] != 1,
        lambda c: (c[0] + 1, gc.where(c[1] % 2 == 0, c[1] // 2, 3 * c[1] + 1)),
        (0, x),
    )
    for start in (1, 6, 27):
        found, last = _values([x], [steps, value], np.int64(start))
        count, n = 0, start
        while n != 1:
            count, n = count + 1, n // 2 if n % 2 == 0 else 3 * n + 1
        assert found == count and last == 1


def test_a_while_loop_stops_after_so_many_steps() -> None:
    x = gc.input("x", (2,))
    for steps in (0, 1, 2, 5):
        y = while_loop(lambda v: gc.sum(v) < 100, lambda v: v * 2, x, max_steps=steps)
        (found,) = _values([x], [y], np.ones(2, np.float32))
        np.testing.assert_array_equal(found, np.full(2, 2.0**steps))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_a_scan_is_a_loop_with_stacked_results(length: int, reverse: bool) -> None:
    n = gc.dim("n")
    xs, other = gc.input("xs", (n, 3)), gc.input("other", (n,))
    h0, w = gc.input("h0", (3,)), gc.parameter("w", _normal(3, 3))

    def step(h: Node, x: tuple[Node, dict[str, Node]]) -> tuple[Node, tuple[Node, Node]]:
        new = gc.tanh(h @ w + x[0]) * x[1]["k"]
        return new, (h, gc.sum(new))

    last, (kept, sums) = scan(step, h0, (xs, {"k": other}), reverse=reverse)
    a, b, c = _normal(length, 3), _normal(length), _normal(3)
    found = _values([xs, other, h0], [last, kept, sums], a, b, c)
    h, stacks = c, (np.zeros((length, 3), np.float32), np.zeros(length, np.float32))
    for t in reversed(range(length)) if reverse else range(length):
        stacks[0][t] = h
        h = np.tanh(h @ w.value + a[t]) * b[t]
        stacks[1][t] = h.sum()
    for left, right in zip(found, (h, *stacks)):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def test_a_program_of_one_scan_takes_any_length() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    program = gc.compile([x], scan(lambda c, x: (c + x, c + x * n_of(n)), 0.0, x))
    for length in (0, 1, 4, 100, 3):
        a = _normal(length)
        total, sums = program(a)
        before = np.concatenate([[0], np.cumsum(a)[:-1]]) if length else a
        np.testing.assert_allclose(total, a.sum(), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(sums, before + a * length, rtol=1e-3, atol=1e-4)


def n_of(n: Any) -> Node:
    return gc.ops.source.size(n, gc.float32)


def test_a_scan_without_slices_and_a_map() -> None:
    x, m = gc.input("x", ()), gc.input("m", (4, 3))
    last, ys = scan(lambda c, _: (c * x, c), 1.0, None, length=5)
    rows = map_(lambda row: {"sum": gc.sum(row), "sorted": gc.sort(row)}, m)
    a = _normal(4, 3)
    found = _values([x, m], [last, ys, rows["sum"], rows["sorted"]], np.float32(2), a)
    np.testing.assert_array_equal(found[0], 32)
    np.testing.assert_array_equal(found[1], [1, 2, 4, 8, 16])
    np.testing.assert_allclose(found[2], a.sum(1), rtol=1e-5)
    np.testing.assert_array_equal(found[3], np.sort(a, 1))


def test_loops_in_branches_in_loops() -> None:
    x, k = gc.input("x", (4, 3)), gc.input("k", (), gc.int64)

    def inner(v: Node) -> Node:
        return scan(lambda c, row: (c * 0.5 + row, None), v, x)[0]

    def body(state: tuple[Node, Node]) -> tuple[Node, Node]:
        i, v = state
        return i + 1, cond(i % 2 == 0, inner, lambda v: v + 1, v)

    _, y = while_loop(lambda s: s[0] < k, body, (0, zeros((3,), dtype=gc.float32)))
    a = _normal(4, 3)
    for count in (0, 1, 5):
        (found,) = _values([x, k], [y], a, np.int64(count))
        v = np.zeros(3, np.float32)
        for i in range(count):
            if i % 2 == 0:
                for row in a:
                    v = v * np.float32(0.5) + row
            else:
                v = v + 1
        np.testing.assert_allclose(found, v, rtol=1e-5, atol=1e-6)


def test_carries_may_pass_through_swap_and_repeat() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    (a, b, c), ys = scan(lambda s, _: ((s[1], s[0], s[2]), (s[0], s[0], s[2])), (x, y, x), length=3)
    p, q = _normal(3), _normal(3)
    found = _values([x, y], [a, b, c, *ys], p, q)
    for left, right in zip(found, (q, p, p, [p, q, p], [p, q, p], [p, p, p])):
        np.testing.assert_array_equal(left, np.array(right))


def test_parameters_take_the_results_of_loops() -> None:
    x, w = gc.input("x", (5, 3)), gc.parameter("w", np.zeros(3, np.float32))
    last, ys = scan(lambda c, row: (c + row, gc.sum(c)), w, x)
    program = gc.compile([x], ys, updates={w: last})
    a = np.ones((5, 3), np.float32)
    program(a)
    np.testing.assert_array_equal(program(a), 15 + 3 * np.arange(5))
    np.testing.assert_array_equal(w.value, np.full(3, 10))


def test_draws_differ_from_step_to_step() -> None:
    ys = scan(lambda c, _: (c, gc.uniform((2,))), None, length=50)[1]
    (found,) = _values([], [ys])
    assert len(np.unique(found)) > 95
    last = while_loop(lambda s: s[0] < 20, lambda s: (s[0] + 1, s[1] + gc.uniform(())), (0, 0.0))[1]
    (total,) = _values([], [last])
    assert not math.isclose(total % 1, 0, abs_tol=1e-6) and 3 < total < 17
    nested = scan(
        lambda c, _: (c, scan(lambda c, _: (c, gc.uniform(())), None, length=8)[1]), None, length=8
    )[1]
    (grid,) = _values([], [nested])
    assert len(np.unique(grid)) > 60


def test_a_key_of_the_users_own_is_carried() -> None:
    def step(key: Node, _: None) -> tuple[Node, Node]:
        return gc.fold_in(key, 1), gc.uniform((), key=key)

    ys = scan(step, gc.random_key(3), length=4)[1]
    (found,) = _values([], [ys])
    assert len(set(found.tolist())) == 4


# Errors ------------------------------------------------------------------------------------------


def _line(function: Callable[..., Any], offset: int) -> str:
    return f"{Path(__file__).name}:{function.__code__.co_firstlineno + offset}"


def test_an_index_out_of_range_names_the_line_inside_the_body() -> None:
    x, k = gc.input("x", (3,)), gc.input("k", (4,), gc.int64)

    def step(c: Node, i: Node) -> tuple[Node, Node]:
        picked = x[i]
        return c + picked, picked

    total, _ = scan(step, 0.0, k)
    w = gc.parameter("state", np.float32(5))
    for target in ("cpu", "reference"):
        program = gc.compile([x, k], total, updates={w: total}, target=target)
        a = np.ones(3, np.float32)
        assert program(a, [0, 1, 2, -1]) == 4
        assert w.value == 4
        with pytest.raises(IndexRangeError) as caught:
            program(a, [0, 1, 7, 2])
        assert "index 7 is out of range for an axis of size 3" in str(caught.value)
        assert f"at {_line(step, 1)} in step" in str(caught.value)
        assert w.value == 4, "a call that fails changes no state"
        w.value = np.float32(5)
        assert program(a, [0, 1, 2, 2]) == 4


def test_a_failure_ends_a_loop_that_would_not_end() -> None:
    x, k = gc.input("x", (3,)), gc.input("k", (), gc.int64)
    y = while_loop(lambda v: v[0] > -1.0, lambda v: (v[0] + x[v[1]], v[1] + 1), (0.0, k))
    z = while_loop(lambda v: v < 1.0, lambda v: v * y[0], FUNCTIONS["full"]((), 0.5, "float32"))
    program = gc.compile([x, k], z)
    with pytest.raises(IndexRangeError, match="index 3 is out of range"):
        program(np.ones(3, np.float32), 0)


def _text(call: Callable[[], Any]) -> str:
    with pytest.raises(GraphcError) as caught:
        call()
    return str(caught.value).replace(
        f"{Path(__file__).name}:{call.__code__.co_firstlineno}", "HERE"
    )


def test_a_predicate_must_be_a_bool_scalar() -> None:
    x, v = gc.input("x", ()), gc.input("v", (3,))
    call = lambda: cond(x, lambda: x, lambda: x)  # noqa: E731
    assert _text(call).splitlines()[0] == "cond: pred must be a bool scalar, not f32[()]"
    assert _text(call).splitlines()[-1] == "  hint: compare it with something, as in x != 0"
    call = lambda: cond(v > 0, lambda: x, lambda: x)  # noqa: E731
    assert _text(call).splitlines()[0] == "cond: pred must be a bool scalar, not b1[3]"
    assert "gc.any or gc.all" in _text(call)
    call = lambda: while_loop(lambda s: s, lambda s: s, x)  # noqa: E731
    assert _text(call).startswith(
        "while_loop: what cond_fn returns must be a bool scalar, not f32[()]"
    )


def test_branches_of_different_types() -> None:
    x = gc.input("x", (3,))

    def double() -> Node:
        return x * 2

    def count() -> Node:
        return gc.sum(x)

    def call() -> object:
        return cond(gc.sum(x) > 0, double, count)

    here = Path(__file__).name
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == "\n  ".join(
        [
            "cond: the branches give different types: f32[3] and f32[()]",
            f"double gives multiply: f32[3], made at {_line(double, 1)} in double",
            f"count gives sum: f32[()], made at {_line(count, 1)} in count",
            f"at {here}:{call.__code__.co_firstlineno + 1} in call",
            "hint: bring both to one shape",
        ]
    )
    with pytest.raises(TypeError) as error:
        cond(gc.sum(x) > 0, lambda: {"y": x}, lambda: {"y": x.astype("float64")})
    assert str(error.value).splitlines()[0] == (
        "cond: the branches give different types for result['y']: f32[3] and f64[3]"
    )
    with pytest.raises(TypeError) as error:
        cond(gc.sum(x) > 0, lambda: (x, x), lambda: [x])
    assert str(error.value).splitlines()[:3] == [
        "cond: the branches give different structures",
        "  body gives (*, *)".replace("body", "true"),
        "  body gives [*]".replace("body", "false"),
    ]


def test_a_carry_that_changes_its_type() -> None:
    x, h = gc.input("x", (5, 3)), gc.input("h", (3,))

    def step(c: dict[str, Node], row: Node) -> tuple[dict[str, Node], None]:
        return {"h": gc.concat([c["h"], row]), "n": c["n"]}, None

    def call() -> object:
        return scan(step, {"h": h, "n": h}, x)

    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == "\n  ".join(
        [
            "scan: carry['h'] changes its type from one step to the next: f32[3] and f32[6]",
            "going in:   f32[3]",
            f"coming out: concat: f32[6], made at {_line(step, 1)} in step",
            f"at {_line(call, 1)} in call",
            "hint: bring both to one shape",
        ]
    )
    with pytest.raises(TypeError, match="f32\\[3\\] and f64\\[3\\]"):
        while_loop(lambda v: gc.sum(v) > 0, lambda v: v.astype("float64"), h)
    with pytest.raises(TypeError, match="the carry has the structure \\* going in and"):
        scan(lambda c, row: ((c, c), None), h, x)
    with pytest.raises(TypeError, match="f must return a pair \\(carry, y\\), not a Node"):
        scan(lambda c, row: c, h, x)


def test_a_value_that_leaves_its_loop() -> None:
    x, kept = gc.input("x", (5, 3)), []

    def step(c: Node, row: Node) -> tuple[Node, None]:
        kept.append(c + row)
        return c, None

    scan(step, x[0], x)

    def call() -> object:
        return gc.compile([x], kept[0])

    with pytest.raises(ValueError) as caught:
        call()
    text = str(caught.value).splitlines()
    assert text[0] == "compile: the output depends on 'carry', a value inside a loop or a branch"
    assert text[2] == f"  through add: f32[3], made at {_line(step, 1)} in step"
    assert text[-1] == (
        "  hint: return it from the function of the loop or branch instead of keeping it"
    )


def test_arrays_and_constants_in_bodies() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 3))
    table = np.arange(6, dtype=np.float32).reshape(2, 3)

    def step(c: Node, row: Node) -> tuple[Node, Node]:
        new = c + row * table[0] + gc.constant(table)[1]
        return new, gc.sum(gc.ops.source.iota((n,), 0, gc.float32)) + new[0]

    last, ys = scan(step, np.zeros(3, np.float32), x)
    a = _normal(4, 3)
    found = _values([x], [last, ys], a)
    np.testing.assert_allclose(found[0], (a * table[0] + table[1]).sum(0), rtol=1e-4, atol=1e-5)


def test_slices_of_different_lengths() -> None:
    x, y = gc.input("x", (5, 3)), gc.input("y", (4,))
    with pytest.raises(ValueError) as caught:
        scan(lambda c, row: (c, None), 0.0, {"x": x, "y": y})
    assert str(caught.value).splitlines()[:3] == [
        "scan: the first axes of xs differ: 5, 4",
        f"  xs['x'] is {x.describe()}",
        f"  xs['y'] is {y.describe()}",
    ]
    with pytest.raises(ValueError, match="length is 3, the first axis of xs 5"):
        scan(lambda c, row: (c, None), 0.0, x, length=3)
    with pytest.raises(TypeError, match="there are no xs, so length must be given"):
        scan(lambda c, row: (c, None), 0.0)
    with pytest.raises(ValueError, match="xs is a scalar"):
        scan(lambda c, row: (c, None), 0.0, gc.input("s", ()))
    with pytest.raises(ValueError, match="length must be an int of 0 or more"):
        scan(lambda c, row: (c, None), 0.0, length=-1)
    with pytest.raises(ValueError, match="max_steps must be an int"):
        while_loop(lambda v: v < 1, lambda v: v, gc.input("s", ()), max_steps=-3)


# Passes ------------------------------------------------------------------------------------------


def test_what_nobody_uses_is_dropped_from_loops() -> None:
    x, h, w = gc.input("x", (5, 3)), gc.input("h", (3,)), gc.parameter("w", _normal(3))

    def step(c: tuple[Node, Node], row: Node) -> tuple[tuple[Node, Node], tuple[Node, Node]]:
        return (c[0] + row, c[1] * w), (c[0], c[1])

    (first, _), (kept, _) = scan(step, (h, h), x)
    graph, _ = optimize(Graph.of("g", [x, h, w], [first, kept]), "O1", observers=())
    (node,) = (n for n in graph.nodes if n.op is SCAN)
    assert len(node.inputs) == 2 and len(node.type.items) == 2  # type: ignore[union-attr]
    graph, _ = optimize(Graph.of("g", [x, h, w], [kept]), "O1", observers=())
    (node,) = (n for n in graph.nodes if n.op is SCAN)
    assert len(node.type.items) == 2, "the carry is needed for what is stacked"  # type: ignore[union-attr]


def test_equal_loops_become_one() -> None:
    x, h = gc.input("x", (5, 3)), gc.input("h", (3,))
    first = scan(lambda c, row: (gc.tanh(c + row), c), h, x)
    second = scan(lambda state, x: (gc.tanh(x + state), state * 2), h, x)
    other = scan(lambda c, row: (gc.tanh(c - row), c), h, x)
    graph = Graph.of("g", [x, h], [*first, *second, *other])
    after = verify(cse(graph))
    assert sum(n.op is SCAN for n in after.nodes) == 2
    a, b = _normal(5, 3), _normal(3)
    for left, right in zip(run(graph, [a, b]), run(after, [a, b]), strict=True):
        np.testing.assert_array_equal(left, right)


def test_bodies_are_simplified_and_fused() -> None:
    x, h = gc.input("x", (5, 3)), gc.input("h", (3,))
    last, _ = scan(lambda c, row: (gc.negative(-c) * 1 + gc.exp(row) * 2, None), h, x)
    program = gc.compile([x, h], last)
    (node,) = (n for n in program.history[-1][1].nodes if n.op is SCAN)
    kinds = [n.op.name for n in node.attr("body").nodes]
    assert kinds == ["input", "input", "fused"]
    assert all(n.op.name != "negative" for n in all_nodes(program.history[-1][1]))


def test_what_does_not_change_is_computed_before_the_loop() -> None:
    x, w = gc.input("x", (5, 3)), gc.parameter("w", _normal(3, 3))
    last, _ = scan(lambda c, row: (c + row @ gc.exp(w), None), zeros((3,), dtype="float32"), x)
    node = last.inputs[0]
    assert node.op is SCAN
    assert all(n.op.name != "exp" for n in node.attr("body").nodes)


def test_verify_names_the_carry() -> None:
    x = gc.input("x", (3,))
    last = while_loop(lambda v: gc.sum(v) < 9, lambda v: v + 1, x)
    node = last.inputs[0]
    body = node.attr("body")
    wrong = Graph.of("body", body.inputs, [gc.sum(body.inputs[0])])
    attrs = tuple((k, wrong if k == "body" else v) for k, v in node.attrs)
    bad = Node(WHILE, node.inputs, attrs, node.type)
    item = Node(last.op, (bad,), last.attrs, last.type)
    with pytest.raises(GraphcError, match=r"carry 0 \(carry\) is f32\[3\] going in, f32\[\(\)\]"):
        verify(Graph.of("g", [x], [item]))


def test_pictures_and_reports_show_what_is_inside(tmp_path: Path) -> None:
    x = gc.input("x", (5, 300))
    last, _ = scan(
        lambda c, row: (cond(gc.sum(c) > 0, lambda: gc.exp(row), lambda: c), None),
        zeros((300,), dtype="float32"),
        x,
    )
    program = gc.compile([x], last)
    assert "branch" in program.explain() and "loop" in program.explain()
    program.dump(tmp_path)
    assert "cluster" in (tmp_path / "00-traced.dot").read_text()
    assert "cond" in (tmp_path / "final.svg").read_text()


def test_checks_between_passes_hold() -> None:
    from graphc import config

    x, h = gc.input("x", (gc.dim("n"), 3)), gc.input("h", (3,))
    last, ys = scan(lambda c, row: (gc.tanh(c + row), c * 2 + 0), h, x)
    more = while_loop(lambda v: gc.sum(v) < 9, lambda v: v + 1, last)
    with config.override(check=["1", "2"]):
        gc.compile([x, h], [ys, more])
        gc.compile([x, h], [ys, last])


def test_a_program_with_loops_is_called_from_several_threads() -> None:
    x, w = gc.input("x", (gc.dim("n"), 32, 48)), gc.parameter("w", _normal(48, 48))

    def step(h: Node, row: Node) -> tuple[Node, Node]:
        return gc.tanh(h @ w * 0.1 + row), gc.sum(h)

    last, ys = scan(step, zeros((32, 48), dtype=gc.float32), x)
    program = gc.compile([x], [last, ys], threads=2)
    arrays = [_normal(n, 32, 48) for n in (1, 7, 20, 33)]
    wanted = [program(a) for a in arrays]

    def work(number: int) -> bool:
        for turn in range(30):
            k = (number + turn) % 4
            for left, right in zip(program(arrays[k]), wanted[k]):
                np.testing.assert_array_equal(left, right)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


# Work --------------------------------------------------------------------------------------------


def test_an_lstm_compiles_with_work_independent_of_its_length() -> None:
    def build(length: int) -> Any:
        x = gc.input("x", (length, 2, 4))
        w, u = gc.parameter("w", _normal(4, 12)), gc.parameter("u", _normal(3, 12))

        def step(state: tuple[Node, Node], xt: Node) -> tuple[tuple[Node, Node], Node]:
            h, c = state
            z = xt @ w + h @ u
            i, f, o, g = (z[:, 3 * k : 3 * k + 3] for k in range(4))
            c = gc.sigmoid(f) * c + gc.sigmoid(i) * gc.tanh(g)
            h = gc.sigmoid(o) * gc.tanh(c)
            return (h, c), h

        start = zeros((2, 3), dtype=gc.float32)
        _, ys = scan(step, (start, start), x)
        loss = gc.sum(ys * ys)
        gw, gu = gc.grad(loss, [w, u])
        return gc.compile([x], loss, updates={w: w - 0.1 * gw, u: u - 0.1 * gu})

    build(10)
    build(10_000)  # the kernels outside the loop are made for sizes
    short, long = calls_of(lambda: build(10)), calls_of(lambda: build(10_000))
    assert long < 1.2 * short
    first, second = build(10), build(10_000)
    count = [sum(1 for _ in all_nodes(p.history[-1][1])) for p in (first, second)]
    assert count[0] == count[1]
    assert np.isfinite(second(_normal(10_000, 2, 4)))


def test_a_loop_from_an_eager_value_whose_condition_or_body_reads_a_graph_is_part_of_it() -> None:
    x = gc.input("x", (4,))
    ones = np.ones(4, np.float32)
    counted = gc.while_loop(lambda c: c < gc.sum(x), lambda c: c + 1, gc.zeros(()))
    assert gc.compile([x], counted)(ones) == 4
    summed = gc.while_loop(lambda c: c < 10, lambda c: c + gc.sum(x), gc.zeros(()))
    assert gc.compile([x], summed)(ones) == 12
