"""An op declared in a user's file is an op: symbolic, eager, differentiated, traced, saved."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.ir import OPS, Cost
from graphc.core.operators import FUNCTIONS
from graphc.eager import facade
from graphc.errors import ArchiveError, TraceError
from graphc.ops.declare import FLOAT, public, unary

DECLARATION = """
import numpy as np
import graphc as gc
from graphc.ops.declare import FLOAT, unary

own_bend = unary(
    "own_bend", numpy=lambda x: x / (1 + np.abs(x)), scalar="{0} / (f32(1.0) + absolute({0}))",
    vjp=lambda node, ct: (ct / (1.0 + gc.absolute(node.inputs[0])) ** 2,),
    kinds=FLOAT, promote="float", doc="x / (1 + |x|), elementwise.",
)
"""
VALUES = np.array([-3.0, -0.5, 0.0, 2.0], np.float32)


def bent(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.abs(x))


def slope(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.abs(x)) ** 2


@pytest.fixture
def bend() -> Iterator[Any]:
    yield _bend(bent)
    _forget()


def _bend(numpy: Callable[..., Any], **facts: Any) -> Any:
    return unary(
        "own_bend",
        numpy=numpy,
        scalar="{0} / (f32(1.0) + absolute({0}))",
        vjp=lambda node, ct: (ct / (1.0 + gc.absolute(node.inputs[0])) ** 2,),
        kinds=FLOAT,
        promote="float",
        doc="x / (1 + |x|), elementwise.",
        **facts,
    )


def _forget() -> None:
    for name in ("own_bend", "own_twice"):
        for table in (OPS, FUNCTIONS, facade.EAGER, facade.FACE):
            table.pop(name, None)
        for method in (name, f"{name}_"):
            if method in facade._OWN:
                facade._OWN.remove(method)
                delattr(gc.Tensor, method)


@pytest.mark.parametrize(("cost", "runs"), [(None, 1), (Cost(0.3, call=1e6), 0), (Cost(1e5), 0)])
def test_an_op_says_when_numpy_is_too_slow_for_it(cost: Cost | None, runs: int) -> None:
    called = []

    def counted(x: np.ndarray) -> np.ndarray:
        called.append(x)
        return bent(x)

    try:
        result = _bend(counted, cost=cost)(gc.tensor(VALUES))
    finally:
        _forget()
    np.testing.assert_allclose(result.numpy(), bent(VALUES), rtol=1e-6)
    assert len(called) == runs


def test_it_computes_eagerly_and_is_recorded(bend: Any) -> None:
    x = gc.tensor(VALUES, requires_grad=True)
    y = bend(x)
    assert type(y) is gc.Tensor and y.grad_fn is not None
    np.testing.assert_allclose(y.detach().numpy(), bent(VALUES), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slope(VALUES), rtol=1e-6)


def test_it_is_a_method_and_one_in_place(bend: Any) -> None:
    x = gc.tensor(VALUES)
    np.testing.assert_allclose(x.own_bend().numpy(), bent(VALUES), rtol=1e-6)  # type: ignore[attr-defined]
    found = x.own_bend_()  # type: ignore[attr-defined]
    assert found is x
    np.testing.assert_allclose(x.numpy(), bent(VALUES), rtol=1e-6)


def test_methods_of_tensors_stay_what_they_are() -> None:
    before = gc.Tensor.exp
    taken = OPS.pop("exp"), FUNCTIONS.pop("exp"), facade.EAGER["exp"], facade.FACE["exp"]
    try:
        unary("exp", numpy=np.exp, scalar="exp({0})", vjp=None, kinds=FLOAT, doc="e to the x.")
        assert gc.Tensor.exp is before
    finally:
        OPS["exp"], FUNCTIONS["exp"], facade.EAGER["exp"], facade.FACE["exp"] = taken


def test_it_is_symbolic_on_symbolic_tensors(bend: Any) -> None:
    x = gc.input("x", (gc.dim("n"),), gc.float32)
    program = gc.compile([x], [bend(x), gc.grad(gc.sum(bend(x)), x)])
    found = program(VALUES)
    np.testing.assert_allclose(found[0], bent(VALUES), rtol=1e-6)
    np.testing.assert_allclose(found[1], slope(VALUES), rtol=1e-6)


def test_a_composition_is_a_function_too(bend: Any) -> None:
    @public
    def own_twice(x: Any, scale: float = 2.0) -> Any:
        """The bend, scaled."""
        return bend(x) * scale

    x = gc.tensor(VALUES, requires_grad=True)
    np.testing.assert_allclose(own_twice(x).detach().numpy(), 2 * bent(VALUES), rtol=1e-6)
    own_twice(x, scale=3.0).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * slope(VALUES), rtol=1e-6)
    assert "scale" in str(__import__("inspect").signature(own_twice))


def test_it_is_traced_with_its_gradient(bend: Any) -> None:
    @gc.jit.compile
    def step(x: Any) -> Any:
        return (bend(x) ** 2).sum()

    x = gc.tensor(VALUES, requires_grad=True)
    step(x).backward()
    wanted = 2 * bent(VALUES) * slope(VALUES)
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=1e-5, atol=1e-7)


def test_a_saved_program_wants_its_declaration(bend: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.gcz"
    gc.jit.save(gc.jit.trace(lambda x: bend(x) + 1, gc.tensor(VALUES)), path)
    np.testing.assert_allclose(gc.jit.load(path)(gc.tensor(VALUES)).numpy(), bent(VALUES) + 1)
    code = f"""
        print(gc.jit.load({str(path)!r})(gc.tensor([1.0, 1.0, 1.0, 1.0])).tolist())
    """
    command = [sys.executable, "-c", DECLARATION + textwrap.dedent(code)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout == "[1.5, 1.5, 1.5, 1.5]\n"
    own = OPS.pop("own_bend")
    try:
        with pytest.raises(ArchiveError, match="'own_bend' is not an op of graphc; if it is yours"):
            gc.jit.load(path)
    finally:
        OPS["own_bend"] = own


def test_a_symbolic_tensor_does_not_leave_a_traced_function() -> None:
    with pytest.raises(TraceError, match="a traced function returns a symbolic tensor"):
        gc.jit.compile(lambda x: gc.input("y", (2,)))(gc.ones(2))
