"""Every error of the compile-and-run API, compared as a whole: what, values, lines, way out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import MAX_LINES, GraphcError

TARGETS = ("cpu", "reference")


def here() -> str:
    """How a message names the line that calls this."""
    frame = sys._getframe(1)
    name = frame.f_code.co_name
    inside = "" if name.startswith("<") else f" in {name}"
    return f"test_errors.py:{frame.f_lineno}{inside}"


def raised(kind: type[BaseException], call: Callable[[], object]) -> str:
    """The text of the error that a call raises: of graphc's kind and of a built-in's."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert isinstance(error, GraphcError)
    assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
    assert len(str(error).splitlines()) <= MAX_LINES
    return str(error)


def lines(*texts: str) -> str:
    return "\n  ".join(texts)


def test_shapes_that_do_not_broadcast_name_both_operands() -> None:
    x, at_x = gc.input("x", (3, 4)), here()
    y, at_y = gc.input("y", (5, 4)), here()

    def call() -> object:
        return x + y

    assert raised(ValueError, call) == lines(
        "add: shapes (3, 4) and (5, 4) do not broadcast",
        f"x: f32[3, 4], made at {at_x}",
        f"y: f32[5, 4], made at {at_y}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: sizes must be equal or 1, axis by axis from the right",
    )


def test_a_dtype_that_an_op_does_not_take_names_both_operands() -> None:
    x, at_x = gc.input("x", (3,), gc.int32), here()
    y, at_y = gc.input("y", (3,), gc.float32), here()

    def call() -> object:
        return x & y

    assert raised(TypeError, call) == lines(
        "bitwise_and: float64 is not supported",
        f"x: i32[3], made at {at_x}",
        f"y: f32[3], made at {at_y}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: cast to one of bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64",
    )


def test_an_output_that_needs_an_unlisted_input_shows_the_path() -> None:
    x, z, at_z = gc.input("x", (3,)), gc.input("z", (3,)), here()
    y, at_y = gc.negative(z), here()
    s, at_s = x + y, here()

    def call() -> object:
        return gc.compile([x], [x, s])

    assert raised(ValueError, call) == lines(
        "compile: output 1 depends on input 'z', which is not listed",
        f"z: f32[3], made at {at_z}",
        f"through negative: f32[3], made at {at_y}",
        f"through add: f32[3], made at {at_s}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: add z to the inputs",
    )


def test_a_long_path_to_an_unlisted_input_is_cut_in_the_middle() -> None:
    z = gc.input("z", (3,))
    y = z
    for _ in range(40):
        y = gc.negative(y)
    text = raised(ValueError, lambda: gc.compile([], {"last": y}))
    assert text.startswith("compile: output 'last' depends on input 'z', which is not listed")
    assert text.splitlines()[5].strip() == "..."


def test_an_input_listed_twice() -> None:
    x, at = gc.input("x", (3,)), here()

    def call() -> object:
        return gc.compile([x, x], x)

    assert raised(ValueError, call) == lines(
        "compile: input 'x' is listed twice",
        f"x: f32[3], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_two_inputs_of_one_name() -> None:
    x, at_x = gc.input("x", (3,)), here()
    y, at_y = gc.input("x", (4,)), here()

    def call() -> object:
        return gc.compile([x, y], [x, y])

    assert raised(ValueError, call) == lines(
        "compile: two inputs are named 'x'",
        f"x: f32[3], made at {at_x}",
        f"x: f32[4], made at {at_y}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: give each a name of its own",
    )


def test_two_parameters_of_one_name() -> None:
    v, at_v = gc.parameter("w", np.zeros(3)), here()
    w, at_w = gc.parameter("w", np.zeros(3)), here()

    def call() -> object:
        return gc.compile([], v + w)

    assert raised(ValueError, call) == lines(
        "compile: two parameters are named 'w'",
        f"w: f64[3], made at {at_v}",
        f"w: f64[3], made at {at_w}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: give each a name of its own: state() and load_state() go by names",
    )


def test_an_input_that_nothing_uses() -> None:
    x, y, at = gc.input("x", (3,)), gc.input("y", (3,)), here()

    def call() -> object:
        return gc.compile([x, y], x)

    assert raised(ValueError, call) == lines(
        "compile: input 'y' is not used by any output or update",
        f"y: f32[3], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: remove it from the inputs",
    )


def test_a_parameter_among_the_inputs() -> None:
    w, at = gc.parameter("w", np.zeros(3)), here()

    def call() -> object:
        return gc.compile([w], w)

    assert raised(TypeError, call) == lines(
        "compile: input 0 is the parameter 'w'",
        f"w: f64[3], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: leave it out: what a graph needs of its parameters is found by itself",
    )


def test_an_input_that_is_computed() -> None:
    y, at = gc.negative(gc.input("x", (3,))), here()

    def call() -> object:
        return gc.compile([y], y)

    assert raised(TypeError, call) == lines(
        "compile: input 0 is not made by gc.input",
        f"negative: f32[3], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_an_output_that_is_no_tensor() -> None:
    def call() -> object:
        return gc.compile([], {"loss": 1.0})

    assert raised(TypeError, call) == lines(
        "compile: output 'loss' is a float, not a tensor",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: outputs are one tensor, or a list, tuple or dict of tensors",
    )


def test_nothing_to_compute() -> None:
    def call() -> object:
        return gc.compile([], [])

    assert raised(ValueError, call) == lines(
        "compile: there are no outputs and no updates",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_an_update_of_what_is_no_parameter() -> None:
    x, at = gc.input("x", (3,)), here()

    def call() -> object:
        return gc.compile([x], x, updates={x: x})  # type: ignore[dict-item]

    assert raised(TypeError, call) == lines(
        "compile: a key of updates is not a parameter",
        f"x: f32[3], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: only what gc.parameter made keeps a value between calls",
    )


def test_an_update_of_another_dtype() -> None:
    w, at_w = gc.parameter("w", np.zeros(3, np.float32)), here()
    x, at_x = gc.input("x", (3,), gc.float64), here()

    def call() -> object:
        return gc.compile([x], x, updates={w: x})

    assert raised(TypeError, call) == lines(
        "compile: the update of 'w' is f64[3], the parameter is f32[3]",
        f"w: f32[3], made at {at_w}",
        f"x: f64[3], made at {at_x}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: cast it with astype(gc.float32)",
    )


def test_an_update_of_another_shape() -> None:
    w, at_w = gc.parameter("w", np.zeros(3, np.float32)), here()
    x, at_x = gc.input("x", (4,)), here()

    def call() -> object:
        return gc.compile([x], x, updates={w: x})

    assert raised(ValueError, call) == lines(
        "compile: the update of 'w' is f32[4], the parameter is f32[3]",
        f"w: f32[3], made at {at_w}",
        f"x: f32[4], made at {at_x}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


@pytest.mark.parametrize(
    ("option", "what", "hint"),
    [
        ({"level": "O9"}, "'O9' is not a level", "one of O0, O1, O2, O3"),
        ({"target": "gpu"}, "'gpu' is not a target", "one of cpu, reference, cuda"),
        ({"threads": 0}, "threads must be a number from 1, or None, not 0", ""),
        ({"name": "my step"}, "the name 'my step' is not an identifier", 'such as "train_step"'),
    ],
)
def test_an_option_that_compile_does_not_take(option: dict, what: str, hint: str) -> None:
    x = gc.input("x", (3,))

    def call() -> object:
        return gc.compile([x], x, **option)

    at = f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call"
    tail = [f"hint: {hint}"] if hint else []
    assert raised(ValueError, call) == lines(f"compile: {what}", at, *tail)


def test_a_size_that_no_input_has() -> None:
    m = gc.dim("m")
    y, at = gc.zeros((m,)), here()

    def call() -> object:
        return gc.compile([], y)

    assert raised(ValueError, call) == lines(
        "compile: the size m is not the size of any input's axis",
        f"full: f32[m], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: declare an input with an axis of size m",
    )


def program(target: str = "reference") -> gc.Program:
    n = gc.dim("n")
    x, y = gc.input("x", (n, 3)), gc.input("y", (n,))
    return gc.compile([x, y], [-x, -y], name="step", target=target)


X, Y = np.zeros((2, 3), np.float32), np.zeros(2, np.float32)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("args", "named", "kind", "text"),
    [
        ((X,), {}, TypeError, ["step() takes 2 inputs (x, y), got 1", "missing: y: f32[n]", "at"]),
        ((X, Y, Y), {}, TypeError, ["step() takes 2 inputs (x, y), got 3", "at"]),
        (
            (X,),
            {"z": Y},
            TypeError,
            ["step() has no input 'z'", "at", "hint: its inputs are x, y"],
        ),
        ((X,), {"x": X}, TypeError, ["step() got input 'x' twice", "at"]),
        (
            (X.astype(np.float64), Y),
            {},
            TypeError,
            [
                "input 'x' is float64; it is declared f32[n, 3]",
                "at",
                'hint: convert it with astype(np.float32), or compile with casting="same_kind"',
            ],
        ),
        (
            (X, np.float32(1)),
            {},
            ValueError,
            ["input 'y' has 0 axes, shape (); it is declared f32[n] with 1", "at"],
        ),
        ((X[:, :2], Y), {}, ValueError, ["axis 1 of input 'x' has size 2, not 3", "at"]),
        (
            (X, np.zeros(5, np.float32)),
            {},
            ValueError,
            [
                "axis 0 of input 'y' has size 5, not n = 2",
                "n = 2, from axis 0 of input 'x'",
                "at",
            ],
        ),
        (("text", Y), {}, TypeError, ["input 'x' is given a str, no array", "at"]),
        (
            ([["a", "b", "c"]], Y),
            {},
            TypeError,
            ["input 'x': list [['a', 'b', 'c']] makes no array of numbers", "at"],
        ),
    ],
)
def test_arguments_that_do_not_fit(
    target: str, args: tuple, named: dict, kind: type[Exception], text: list[str]
) -> None:
    step = program(target)

    def call() -> object:
        return step(*args, **named)

    at = f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call"
    assert raised(kind, call) == lines(*(at if line == "at" else line for line in text))


def test_a_list_of_floats_is_no_integer_input() -> None:
    step = gc.compile(x := gc.input("x", (2,), gc.int32), -x, target="reference")

    def call() -> object:
        return step([1.5, 2.0])

    assert raised(TypeError, call) == lines(
        "input 'x' is given Python floats; it is declared i32[2]",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_a_list_with_a_number_too_large() -> None:
    step = gc.compile(x := gc.input("x", (2,), gc.int8), -x, target="reference")

    def call() -> object:
        return step([1, 300])

    assert raised(TypeError, call) == lines(
        "input 'x' is given 300, which int8 cannot hold; it is declared i8[2]",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_a_symbolic_tensor_as_an_argument() -> None:
    x, at = gc.input("x", (2,)), here()
    step = gc.compile([x], -x, target="reference")

    def call() -> object:
        return step(x)

    assert at
    assert raised(TypeError, call) == lines(
        "input 'x' is given the symbolic tensor <x: f32[2]>; it takes an array",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: programs are called with values; use the tensor itself to build a graph",
    )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("out", "kind", "what", "hint"),
    [
        ([1.0, None], TypeError, "the array given for output 0 is a float, not an ndarray", ""),
        (
            [X.astype(np.float64), None],
            TypeError,
            "the array given for output 0 is float64; the result is f32[n, 3]",
            "",
        ),
        (
            [None, np.zeros(3, np.float32)],
            ValueError,
            "the array given for output 1 has shape (3,); the result has (2,)",
            "",
        ),
        (
            [np.zeros((3, 2), np.float32).T, None],
            TypeError,
            "the array given for output 0 must be C-contiguous, aligned and writable",
            "allocate it with np.empty",
        ),
        (X, TypeError, "step: out must be a list or tuple of 2 arrays", ""),
    ],
)
def test_out_that_does_not_fit(
    target: str, out: object, kind: type[Exception], what: str, hint: str
) -> None:
    step = program(target)

    def call() -> object:
        return step(X, Y, out=out)

    at = f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call"
    assert raised(kind, call) == lines(what, at, *([f"hint: {hint}"] if hint else []))


def test_results_that_would_be_written_over_each_other() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    step = gc.compile([x], {"a": -x, "b": x + x}, target="reference")
    buffer = np.zeros(5, np.float32)

    def call() -> object:
        return step(np.ones(3, np.float32), out={"a": buffer[:3], "b": buffer[2:]})

    assert raised(TypeError, call) == lines(
        "the arrays given for output 'a' and output 'b' share memory",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_size_that_would_be_negative(target: str) -> None:
    n = gc.dim("n")
    x = gc.input("x", (n,))
    y, at = gc.zeros((n - 4,)), here()
    step = gc.compile([x], [x, y], target=target, name="step")

    def call() -> object:
        return step(np.zeros(3, np.float32))

    assert raised(ValueError, call) == lines(
        "full would have an axis of size n - 4 = -1",
        "n = 3",
        f"full: f32[n - 4], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
        "hint: declare gc.dim('n', min=...) so that it is refused earlier",
    )


@pytest.mark.parametrize("target", TARGETS)
def test_an_index_out_of_range_is_found_and_state_kept(target: str) -> None:
    table = gc.parameter("table", np.ones((5, 2), np.float32))
    index = gc.input("index", (gc.dim("n"),), gc.int64)
    rows, at = gc.take(table, index, axis=0), here()
    step = gc.compile([index], rows, updates={table: table + 1.0}, target=target)

    def call() -> object:
        return step(np.array([0, 7]))

    assert raised(IndexError, call) == lines(
        "take: index 7 is out of range for an axis of size 5", f"at {at}"
    )
    np.testing.assert_array_equal(table.value, 1.0)
    np.testing.assert_array_equal(step(np.array([0, -1])), np.ones((2, 2)))
    np.testing.assert_array_equal(table.value, 2.0)


@pytest.mark.parametrize("target", TARGETS)
def test_a_cast_that_overflows_is_found_and_state_kept(target: str) -> None:
    count = gc.parameter("count", np.zeros((), np.int64))
    x = gc.input("x", (3,), gc.int32)
    y, at = gc.cast(x, gc.int8), here()
    step = gc.compile([x], y, updates={count: count + 1}, target=target)
    text = raised(OverflowError, lambda: step(np.array([1, 300, -5], np.int32)))
    assert text == lines(
        "cast: 300 is not a value of int8, which holds -128 to 127",
        f"at {at}",
        'hint: use a wider dtype, or overflow="wrap"',
    )
    assert count.value == 0
    np.testing.assert_array_equal(step(np.array([1, 127, -128], np.int32)), [1, 127, -128])
    assert count.value == 1


def test_out_of_memory_names_the_largest_buffers() -> None:
    n = gc.dim("n")
    x = gc.input("x", (n, 1))
    y, at = x @ gc.transpose(x), here()
    step = gc.compile([x], gc.sum(gc.matmul(y, y)), name="step", level="O1")

    def call() -> object:
        return step(np.ones((1 << 24, 1), np.float32))

    text = raised(MemoryError, call).splitlines()
    assert text[0].startswith("step: ") and text[0].endswith(" for outputs do not fit")
    assert text[1] == "  with n = 16777216"
    assert any("1.0 PB" in line or "1024.0 TB" in line for line in text[2:])
    assert any(f"[{at.split(' ')[0]}]" in line for line in text[2:])
    assert text[-2] == f"  at test_errors.py:{call.__code__.co_firstlineno + 1} in call"
    assert text[-1] == "  hint: use smaller batches"


def test_the_finite_check_names_the_first_op_that_made_a_nan() -> None:
    total = gc.parameter("total", np.zeros((), np.float32))
    x, at_x = gc.input("x", (3,)), here()
    y, at = gc.log(x), here()
    with gc.config.override(check=["finite"]):
        step = gc.compile([x], gc.exp(y), updates={total: total + gc.sum(x)})
    text = raised(ArithmeticError, lambda: step(np.array([1, -2, 4], np.float32)))
    assert text == lines(
        "log made nan at index 1 from finite values",
        f"operand -2.0 to 4.0: x: f32[3], made at {at_x}",
        f"at {at}",
        "hint: the state of the program is as it was before the call",
    )
    assert total.value == 0
    np.testing.assert_allclose(step(np.array([1, 2, 4], np.float32)), [1, 2, 4], rtol=1e-6)
    assert total.value == 7


def test_the_finite_check_names_an_input_that_holds_a_nan() -> None:
    x, at = gc.input("x", (2, 2)), here()
    with gc.config.override(check=["finite"]):
        step = gc.compile([x], -x)
    text = raised(ArithmeticError, lambda: step(np.array([[1, 2], [np.nan, 4]], np.float32)))
    assert text == lines(
        "input 'x' holds nan at index (1, 0)",
        f"at {at}",
        "hint: the value was nan before the program ran",
    )


@pytest.mark.parametrize("make", [
    lambda: gc.input("x", (2,)), lambda: -gc.input("x", (2,)), lambda: gc.constant([1.0]),
    lambda: gc.parameter("w", np.zeros(2)),
])  # fmt: skip
def test_a_node_says_that_it_is_immutable(make: Callable[[], Any]) -> None:
    node = make()
    with pytest.raises(gc.errors.ArgumentError, match="nodes are immutable: 'name' cannot be set"):
        node.name = "h"
    with pytest.raises(AttributeError, match="nodes are immutable: 'other' cannot be set"):
        node.other = 1


@pytest.mark.parametrize("checks", ["finite", "1,finite", ["finite"], {"1", "finite"}])
def test_checks_are_words_in_a_string_or_one_by_one(checks: object) -> None:
    x = gc.input("x", (2,))
    with gc.config.override(check=checks):
        step = gc.compile([x], gc.log(x))
    with pytest.raises(ArithmeticError, match="log made nan"):
        step(np.array([1, -1], np.float32))
    refused = pytest.raises(gc.errors.ConfigError, match="'finit' is not a check")
    with refused, gc.config.override(check="finit"):
        pass


def test_settings_stay_in_force_until_their_block_is_left() -> None:
    first, second = gc.config.override(debug=0, threads=3), gc.config.override(threads=2)
    with first:
        second.__enter__()
        assert gc.config.current().threads == 2
        second.__exit__(None, None, None)
        assert gc.config.current().threads == 3
        with first:  # a second time, inside
            assert gc.config.current().threads == 3
        assert gc.config.current().threads == 3
    before = gc.config.current().threads

    @gc.config.override(threads=7)
    def inside() -> int:
        return gc.config.current().threads

    assert inside() == 7 and gc.config.current().threads == before


def test_a_state_with_other_names() -> None:
    w = gc.parameter("w", np.zeros(2))
    step = gc.compile([], -w, name="step", target="reference")

    def call() -> None:
        step.load_state({"v": np.ones(2)})

    assert raised(TypeError, call) == lines(
        "step: the state does not have the program's parameters",
        "missing: w",
        "unknown: v",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_a_state_of_another_shape_or_dtype() -> None:
    w = gc.parameter("w", np.zeros(2, np.int64))
    step = gc.compile([], -w, target="reference")

    def shape() -> None:
        step.load_state({"w": np.ones(3)})

    def dtype() -> None:
        step.load_state({"w": np.ones(2, np.float32)})

    at = f"at test_errors.py:{shape.__code__.co_firstlineno + 1} in shape"
    assert raised(ValueError, shape) == lines(
        "the value of parameter 'w' has shape (3,); it is i64[2]", at
    )
    at = f"at test_errors.py:{dtype.__code__.co_firstlineno + 1} in dtype"
    assert raised(TypeError, dtype) == lines(
        "the value of parameter 'w' is float32; it is i64[2]", at
    )


def test_interpret_with_another_number_of_arrays() -> None:
    x, at = gc.input("x", (2,)), here()
    graph = gc.Graph.of("g", [x], [-x])

    def call() -> object:
        return gc.interpret(graph)

    assert raised(TypeError, call) == lines(
        "interpret: g has 1 inputs without a value, got 0 arrays",
        f"x: f32[2], made at {at}",
        f"at test_errors.py:{call.__code__.co_firstlineno + 1} in call",
    )


def test_a_setting_with_a_value_that_it_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gc.input("x", (2,))
    monkeypatch.setenv("GRAPHC_CHECK", "everything")
    assert raised(ValueError, lambda: gc.compile([x], -x)) == lines(
        "GRAPHC_CHECK='everything': 'everything' is not a check",
        "hint: use 1 (verify), 2 (compare by value), finite, poison, bounds, launch, or several "
        "with commas",
    )
