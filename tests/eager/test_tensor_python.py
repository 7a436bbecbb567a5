"""Tensors as Python objects: pickles, copies, len, iteration, truth, numbers, keys, f-strings."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
from layouts import DTYPES, LAYOUTS, assert_same, elements, laid_out, shares_memory

import graphc as gc
from graphc.core.dtypes import as_dtype
from graphc.errors import GraphcError, ShapeError

# --- pickles and copies

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pickle(layout: str, protocol: int) -> None:
    array = laid_out(layout)
    tensor = gc.from_numpy(array)
    back = pickle.loads(pickle.dumps(tensor, protocol))
    assert type(back) is gc.Tensor
    assert_same(back, array)
    assert not back.requires_grad
    assert not shares_memory(back, array) or not array.size
    back.fill_(1)  # its memory is its own, and may be written


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_the_dtype(dtype: str) -> None:
    array = elements(dtype)
    assert_same(pickle.loads(pickle.dumps(gc.from_numpy(array))), array)


def test_pickle_keeps_requires_grad_and_drops_the_graph() -> None:
    leaf = gc.ones(2, requires_grad=True)
    (leaf * leaf).sum().backward()
    back = pickle.loads(pickle.dumps(leaf))
    assert back.requires_grad
    assert back.is_leaf
    assert back.grad is None
    computed = pickle.loads(pickle.dumps(leaf * 3))
    assert computed.requires_grad
    assert computed.is_leaf
    assert computed.grad_fn is None
    computed.sum().backward()
    assert leaf.grad.tolist() == [2, 2]  # as it was: nothing flows back


class Celsius(gc.Tensor):
    """A class of one's own."""


def test_pickles_and_copies_keep_the_class() -> None:
    tensor = Celsius([1.0, 2.0]).requires_grad_()
    pickled = pickle.loads(pickle.dumps(tensor))
    for other in (pickled, copy.copy(tensor), copy.deepcopy(tensor)):
        assert type(other) is Celsius
        assert other.requires_grad
        assert other.tolist() == [1, 2]


def test_pickle_of_a_part_holds_the_part() -> None:
    part = gc.zeros(100_000)[5:8]
    assert len(pickle.dumps(part)) < 1000


def test_pickle_of_many() -> None:
    file = io.BytesIO()
    first = gc.tensor([1.0])
    pickle.dump({"a": first, "b": [first, gc.tensor(2)]}, file)
    file.seek(0)
    back = pickle.load(file)
    assert back["a"] is back["b"][0]
    assert back["b"][1].item() == 2


def test_copy_of_a_leaf() -> None:
    """A shallow copy shares memory, as in PyTorch; a deep copy has its own, and a gradient."""
    leaf = gc.ones(2, requires_grad=True)
    (leaf * 3).sum().backward()
    shallow, deep = copy.copy(leaf), copy.deepcopy(leaf)
    for copied in (shallow, deep):
        assert copied is not leaf
        assert type(copied) is gc.Tensor
        assert copied.requires_grad
        assert copied.is_leaf
    assert shares_memory(shallow, leaf.detach().numpy())
    assert not shares_memory(deep, leaf.detach().numpy())
    assert deep.grad.tolist() == [3, 3]
    assert deep.grad is not leaf.grad


@pytest.mark.parametrize("layout", LAYOUTS)
def test_deepcopy(layout: str) -> None:
    array = laid_out(layout)
    copied = copy.deepcopy(gc.from_numpy(array))
    assert_same(copied, array)
    assert not shares_memory(copied, array) or not array.size


def test_deepcopy_copies_a_tensor_once() -> None:
    tensor = gc.ones(2)
    first, second = copy.deepcopy([tensor, tensor])
    assert first is second
    assert first is not tensor


def test_deepcopy_of_a_computed_tensor_is_refused() -> None:
    computed = gc.ones(2, requires_grad=True) * 2
    with pytest.raises(GraphcError) as caught:
        copy.deepcopy(computed)
    lines = str(caught.value).splitlines()
    assert lines[0] == "deepcopy: the tensor was computed and has a history"
    assert lines[-1] == "  hint: copy x.detach(), or use x.clone()"
    assert copy.deepcopy(computed.detach()).tolist() == [2, 2]


# --- plain Python


def test_len() -> None:
    assert len(gc.zeros(3, 2)) == 3
    assert len(gc.zeros(0)) == 0
    with pytest.raises(TypeError, match=r"^len\(\) of a 0-d tensor"):
        len(gc.tensor(1))


def test_iteration() -> None:
    tensor = gc.tensor([[1, 2], [3, 4]])
    rows = list(tensor)
    assert [type(row) for row in rows] == [gc.Tensor] * 2
    assert [row.tolist() for row in tensor] == [[1, 2], [3, 4]]
    rows[0].fill_(9)
    assert tensor.tolist() == [[9, 9], [3, 4]]
    a, b = gc.tensor([5.0, 6.0])
    assert (a.item(), b.item()) == (5, 6)
    assert list(gc.zeros(0)) == []
    assert [v.item() for v in reversed(gc.arange(3))] == [2, 1, 0]
    with pytest.raises(TypeError, match=r"^iteration over a 0-d tensor"):
        iter(gc.tensor(1))


def test_iteration_is_differentiable() -> None:
    x = gc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    sum(v * k for k, v in enumerate(x)).backward()
    assert x.grad.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_truth(dtype: str) -> None:
    for shape in ((), (1,), (1, 1)):
        assert bool(gc.from_numpy(np.ones(shape, dtype))) is True
        assert bool(gc.from_numpy(np.zeros(shape, dtype))) is False
    assert gc.tensor(float("nan"))


@pytest.mark.parametrize("shape", [(2,), (0,), (3, 1)])
def test_truth_of_several(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        bool(gc.ones(*shape))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"the truth of a tensor of shape {shape} is ambiguous"
    assert lines[-1] == "  hint: use x.any() or x.all()"


def test_numbers() -> None:
    for tensor in (gc.tensor(2.75), gc.tensor([2.75]), gc.tensor([[2.75]])):
        assert float(tensor) == 2.75
        assert int(tensor) == 2
        assert complex(tensor) == 2.75 + 0j
        assert tensor.item() == 2.75
    assert type(float(gc.tensor(1))) is float
    assert type(int(gc.tensor(1.0))) is int
    assert type(gc.tensor(1).item()) is int
    assert type(gc.tensor(1.0).item()) is float
    assert type(gc.tensor(True).item()) is bool
    assert float(gc.tensor(0.1)) == float(np.float32(0.1))
    assert int(gc.tensor(2**53 + 1)) == 2**53 + 1
    assert float(gc.tensor(1.5, requires_grad=True)) == 1.5
    with pytest.raises(OverflowError):
        int(gc.tensor(float("inf")))


@pytest.mark.parametrize("kind", [int, float, complex])
def test_numbers_of_several(kind: Any) -> None:
    for shape in ((2,), (0,)):
        with pytest.raises(ValueError) as caught:
            kind(gc.ones(*shape))
        assert f"{kind.__name__}()" in str(caught.value)
    with pytest.raises(ShapeError):
        gc.ones(2).item()


def test_index() -> None:
    assert [10, 20, 30][gc.tensor(1)] == 20
    assert list(range(gc.tensor(3))) == [0, 1, 2]
    assert "abc"[: gc.tensor(2)] == "ab"
    assert hex(gc.tensor(255)) == "0xff"
    for wrong in (gc.tensor(1.0), gc.tensor([1, 2])):
        with pytest.raises(TypeError):
            [1, 2, 3][wrong]


def test_contains() -> None:
    tensor = gc.tensor([[1.0, 2.0], [3.0, float("nan")]])
    assert 2 in tensor
    assert 2.0 in tensor
    assert 5 not in tensor
    assert float("nan") not in tensor
    assert gc.tensor(3.0) in tensor
    assert gc.tensor([9.0, 9.0]) not in tensor
    for wrong in ("a", None, [1.0]):
        with pytest.raises(TypeError):
            wrong in tensor  # noqa: B015


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_tolist(layout: str, dtype: str) -> None:
    array = laid_out(layout, dtype)
    listed = gc.from_numpy(array).tolist()
    assert listed == array.tolist()
    while isinstance(listed, list) and listed:
        listed = listed[0]
    kind = {"bool": bool, "int": int, "uint": int, "float": float}[as_dtype(dtype).kind]
    assert type(listed) is kind or listed == []
    assert gc.ones(2, requires_grad=True).tolist() == [1, 1]


def test_tensors_are_keys_by_identity() -> None:
    first, second = gc.ones(2), gc.ones(2)
    table = {first: "first", second: "second"}
    assert table[first] == "first"
    assert table[second] == "second"
    assert hash(first) == hash(first)
    assert len({first, second, first}) == 2
    before = hash(first)
    first.add_(1)
    assert hash(first) == before
    assert any(value is second for value in [first, second])


def test_comparison_with_what_is_no_number() -> None:
    assert (gc.ones(2) == None) is False  # noqa: E711
    assert (gc.ones(2) != None) is True  # noqa: E711
    assert (gc.ones(2) == "a") is False
    with pytest.raises(TypeError):
        gc.ones(2) < "a"  # noqa: B015


def test_f_strings() -> None:
    assert f"{gc.tensor(3.14159):.2f}" == "3.14"
    assert f"{gc.tensor(3.14159):8.3f}|" == "   3.142|"
    assert f"{gc.tensor(42):>6}" == "    42"
    assert f"{gc.tensor(0.5):.0%}" == "50%"
    assert f"{gc.tensor(1.5)}" == "1.5"
    assert f"{gc.tensor(7)} {gc.tensor(True)}" == "7 True"
    assert f"{gc.tensor(1.5, requires_grad=True):.1f}" == "1.5"
    assert f"{gc.tensor(1.5)!r}" == "tensor(1.5000)"
    assert f"{gc.tensor([1.5])}" == "tensor([1.5000])"
    assert f"{gc.tensor(1234.5):.3e}" == "1.234e+03"
    assert "%.2f %d" % (gc.tensor(2.5), gc.tensor(7)) == "2.50 7"  # noqa: UP031
    with pytest.raises(TypeError):
        f"{gc.ones(2):.2f}"


def test_python_functions() -> None:
    values = gc.tensor([3.0, 1.0, 2.0])
    assert [v.item() for v in sorted(values)] == [1, 2, 3]
    assert max(values).item() == 3
    assert min(values).item() == 1
    assert sum(values).item() == 6  # type: ignore[attr-defined]
    assert abs(gc.tensor(-2)).item() == 2
    assert all(values > 0)
    assert any(values > 2)
    assert [k for k, v in zip(range(3), values) if v > 1.5] == [0, 2]
    assert divmod(7, 2) == (3, 1)
    assert isinstance(values, gc.Tensor)
