"""Which arguments a program converts: what has no dtype always, what has one as `casting=` says."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import AttributeValueError, DTypeError

DTYPES = ("float32", "float64", "int64", "int8", "bool", "complex64")


def _twice(casting: str, dtype: str = "float32") -> Any:
    x = gc.input("x", (3,), dtype)
    return gc.compile([x], x + x, casting=casting)


@pytest.mark.parametrize("casting", ["equiv", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize("declared", ["float32", "int64"])
@pytest.mark.parametrize("given", DTYPES)
def test_arrays_are_cast_by_numpys_rule(casting: str, declared: str, given: str) -> None:
    program, value = _twice(casting, declared), np.ones(3, given)
    is_taken = given == declared or (
        given != "complex64" and casting != "equiv" and np.can_cast(given, declared, casting)  # type: ignore[arg-type]
    )
    if not is_taken:
        with pytest.raises(DTypeError, match=f"input 'x' is {given}"):
            program(value)
        return
    found = program(value)
    assert found.dtype == declared and found.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "given", [[1.0, 2.0, 3.0], [np.float64(1), np.float64(2), np.float64(3)], [1, 2, 3], (1, 2, 3)]
)
def test_lists_have_no_dtype_of_their_own(given: Any) -> None:
    assert _twice("equiv")(given).tolist() == [2, 4, 6]


@pytest.mark.parametrize("given", [0.5, np.float64(0.5), np.float32(0.5), np.float16(0.5)])
def test_numbers_have_no_dtype_of_their_own(given: Any) -> None:
    s = gc.input("s", ())
    assert gc.compile([s], s + s)(given) == 1


def test_tensors_are_cast_as_arrays_are() -> None:
    with pytest.raises(DTypeError, match="float64"):
        _twice("equiv")(gc.ones(3, dtype=gc.float64))
    assert _twice("same_kind")(gc.ones(3, dtype=gc.float64)).tolist() == [2, 2, 2]
    assert _twice("equiv")(gc.ones(3)).tolist() == [2, 2, 2]


def test_a_file_keeps_the_rule_and_partial_and_defaults_follow_it() -> None:
    x, y = gc.input("x", (3,)), gc.input("y", (3,))
    program = gc.compile([x, y], x * y, casting="same_kind", defaults={y: np.arange(3)})
    assert program(np.ones(3)).tolist() == [0, 1, 2]
    assert program.partial(y=np.full(3, 4.0))(np.ones(3, int)).tolist() == [4, 4, 4]
    file = io.BytesIO()
    gc.jit.save(program, file)
    assert gc.jit.load(io.BytesIO(file.getvalue()))(np.ones(3)).tolist() == [0, 1, 2]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(AttributeValueError, match="casting='no'"):
        _twice("no")
