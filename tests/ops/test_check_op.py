"""`gc.check_op` passes what is right, and names each planted mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import OPS
from graphc.core.operators import FUNCTIONS
from graphc.eager import facade
from graphc.errors import ArgumentError, AttributeValueError, GradientError, OpError
from graphc.ops.cases import is_plain
from graphc.ops.declare import FLOAT, binary, unary


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = {*OPS}
    yield
    for name in {*OPS} - before:
        for table in (OPS, FUNCTIONS, facade.EAGER, facade.FACE):
            table.pop(name, None)
        for method in {name, f"{name}_"} & {*facade._OWN}:
            facade._OWN.remove(method)
            delattr(gc.Tensor, method)


def _own(declared: Callable[..., Any] = unary, **facts: Any) -> Any:
    right: dict[str, Any] = {
        "numpy": lambda x: x * 2, "scalar": lambda t: f"{{0}} * {t.compute.short}(2.0)",
        "vjp": lambda n, ct: (ct * 2.0,), "kinds": FLOAT, "doc": "Twice x.",
    }  # fmt: skip
    return declared("case_twice", **{**right, **facts})


@pytest.mark.parametrize("name", ["tanh", "hypot", "sum", "pad", "where"])
def test_ops_of_graphc_pass(name: str) -> None:
    gc.check_op(name)


@pytest.mark.slow
def test_every_elementwise_op_of_graphc_passes() -> None:
    for name in sorted(OPS):
        if is_plain(OPS[name]):
            gc.check_op(name)


def test_an_op_that_is_right_passes() -> None:
    gc.check_op(_own())


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "kernel and definition differ": ({"scalar": "{0} * f32(3.0)"}, "the kernel gives 3.0"),
    "differ at nan alone": (
        {"numpy": lambda x: np.maximum(x * 2, x), "scalar": "select({0} > {0} * f32(2.0), {0}, "
         "select(isnan({0}), f32(0.0), {0} * f32(2.0)))", "vjp": gc.ops.declare.NoGradient("")},
        "the kernel gives 0.0, numpy= gives nan, of nan",
    ),
    "gradient is no tuple": ({"vjp": lambda n, ct: ct}, "gave a Node, no tuple"),
    "gradient has too many": ({"vjp": lambda n, ct: (ct, ct)}, "gave 2 cotangents for 1 operand"),
    "gradient is wrong": ({"vjp": lambda n, ct: (ct * 3.0,)}, "not that of finite differences"),
    "gradient has another type": (
        {"vjp": lambda n, ct: (gc.cast(ct, gc.float64) * 2.0,)}, "gave f64",
    ),
    "template asks for more": ({"scalar": "{1} * f32(2.0)"}, "does not fit 1 operands"),
    "template is no code": ({"scalar": "{0} * twice(2)"}, "doesn't compile"),
    "definition has another dtype": (
        {"numpy": lambda x: np.asarray(x, np.float64) * 2}, "numpy= gives float64",
    ),
    "definition has another shape": ({"numpy": lambda x: x[..., None]}, "its type is"),
    "definition writes its operand": (
        {"numpy": lambda x: np.multiply(x, 2, out=x)}, "writes to operand 0",
    ),
    "inference fails": ({"result": lambda t: t.dtyp}, "its inference fails"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(mistake: str) -> None:
    facts, told = MISTAKES[mistake]
    with pytest.raises(OpError, match=rf"^op case_twice: .*{told}"):
        gc.check_op(_own(**facts))


def test_a_wrong_claim_of_commutativity_is_found() -> None:
    op = _own(
        binary, numpy=lambda x, y: x - y, scalar="{0} - {1}", vjp=lambda n, ct: (ct, -ct),
        commutative=True,
    )  # fmt: skip
    with pytest.raises(OpError, match="swapped, as commutative= says"):
        gc.check_op(op)


def test_what_cannot_be_declared_or_checked_is_refused() -> None:
    with pytest.raises(AttributeValueError, match="'my op'"):
        unary("my op", numpy=np.exp, scalar="exp({0})", vjp=lambda n, ct: (ct,), doc="x")
    with pytest.raises(ArgumentError, match="did you mean 'tanh'"):
        gc.check_op("tanhh")
    with pytest.raises(ArgumentError, match="is not an op"):
        gc.check_op(3)


def test_a_rule_that_gives_no_tuple_is_an_error_of_symbolic_sizes_too() -> None:
    x = gc.input("x", (gc.dim("n"),))
    op = _own(vjp=lambda n, ct: ct)
    with pytest.raises(GradientError, match="gradient of case_twice gave a Node, no tuple"):
        gc.grad(gc.sum(op(x)), x)
