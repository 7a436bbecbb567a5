"""Settings that are equal in Python and mean something else: 2 and 2.0, True and 1, 0.0 and -0.0.

Calls are found again by their settings; each function is called with both, in either order, and
compared with PyTorch, dtypes and signs of zeros included.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn.functional

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.parity

FORMS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "pow": lambda lib, x, v: x**v,
    "pow of a number": lambda lib, x, v: v**x,
    "clamp": lambda lib, x, v: lib.clamp(x, v, v),
    "clamp least": lambda lib, x, v: lib.clamp(x, min=v),
    "lp_pool": lambda lib, x, v: lib.nn.functional.lp_pool1d(x[None], v, 2),
    "pad": lambda lib, x, v: lib.nn.functional.pad(x, (1, 1), value=v),
    "masked_fill": lambda lib, x, v: x.masked_fill(x > 2, v),
    "index_fill": lambda lib, x, v: x.index_fill(0, lib.tensor([0]), v),
    "full_like": lambda lib, x, v: lib.full_like(x, v),
    "new_full": lambda lib, x, v: x.new_full((2,), v),
    "full": lambda lib, x, v: lib.full((2,), v),
    "where": lambda lib, x, v: lib.where(x > 2, x, v),
    "where first": lambda lib, x, v: lib.where(x > 2, v, x),
    "add": lambda lib, x, v: x + v,
    "multiply": lambda lib, x, v: x * v,
    "divide": lambda lib, x, v: x / v,
    "floor_divide": lambda lib, x, v: lib.floor_divide(x, v),
    "remainder": lambda lib, x, v: lib.remainder(x, v),
    "fmod": lambda lib, x, v: lib.fmod(x, v),
    "add scaled": lambda lib, x, v: lib.add(x.float(), x, alpha=v),
    "addcmul": lambda lib, x, v: lib.addcmul(x, x, x, value=v),
    "lerp": lambda lib, x, v: lib.lerp(x.float(), x.float() * 2, v),
    "threshold": lambda lib, x, v: lib.nn.functional.threshold(x, v, v),
    "hardtanh": lambda lib, x, v: lib.nn.functional.hardtanh(x.float(), -3, v),
    "leaky_relu": lambda lib, x, v: lib.nn.functional.leaky_relu(-x.float(), v),
    "scatter": lambda lib, x, v: x.scatter(1, lib.tensor([[0], [1]]), v),
    "set": lambda lib, x, v: (lambda y: (y.__setitem__(0, v), y)[1])(x.clone()),
    "nan_to_num": lambda lib, x, v: lib.nan_to_num(x / 0 - x / 0, nan=v),
    "norm": lambda lib, x, v: lib.norm(x.float(), v),
    "equal": lambda lib, x, v: x == v,
    "arange": lambda lib, x, v: lib.arange(v),
    "tensor": lambda lib, x, v: lib.tensor([v]),
    "copysign": lambda lib, x, v: lib.copysign(x.float(), lib.tensor(float(v))),
}
EQUAL = [(2, 2.0), (1, 1.0, True), (0, 0.0, -0.0, False)]
DATA = [np.arange(1, 7).reshape(2, 3), np.arange(6, dtype="f").reshape(2, 3) + 1]


@pytest.mark.parametrize("name", FORMS)
def test_equal_settings_of_other_types_are_other_calls(name: str) -> None:
    for values, array in itertools.product(EQUAL, DATA):
        for value in (*values, *reversed(values)):
            try:
                wanted = FORMS[name](torch, torch.tensor(array), value).numpy()
            except (RuntimeError, TypeError, ZeroDivisionError):
                continue
            found = FORMS[name](gc, gc.tensor(array), value).numpy()
            message = f"{name} {value!r} of {array.dtype}"
            np.testing.assert_allclose(
                found, wanted, rtol=1e-6, atol=1e-7, err_msg=message, strict=True
            )
            if wanted.dtype.kind == "f":
                zero = wanted == 0
                signs = np.signbit(found[zero]), np.signbit(wanted[zero])
                np.testing.assert_array_equal(*signs, err_msg=message)
