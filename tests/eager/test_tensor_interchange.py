"""Tensors exchange memory with NumPy, with PyTorch, and with whatever speaks DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layouts import DTYPES, LAYOUTS, as_torch, assert_same, laid_out, shares_memory

import graphc as gc
from graphc.errors import ArgumentError, GradientError, GraphcError


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


# --- NumPy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_numpy_shares_memory(layout: str, dtype: str) -> None:
    array = laid_out(layout, dtype)
    tensor = gc.from_numpy(array)
    assert_same(tensor, array)
    assert tensor.numpy().strides == array.strides
    if array.size:
        array[...] = 1
        assert (tensor.numpy() == 1).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_asarray_shares_memory(layout: str) -> None:
    tensor = gc.from_numpy(laid_out(layout))
    for array in (np.asarray(tensor), np.array(tensor, copy=None), np.array(tensor, copy=False)):
        assert type(array) is np.ndarray
        assert_same(tensor, array)
        assert shares_memory(tensor, array) or not array.size


def test_writing_to_the_one_changes_the_other() -> None:
    tensor = gc.zeros(3)
    array = np.asarray(tensor)
    array[1] = 5
    assert tensor.tolist() == [0, 5, 0]
    tensor.add_(1)
    assert array.tolist() == [1, 6, 1]


def test_array_copies_when_asked() -> None:
    tensor = gc.ones(3)
    assert not shares_memory(tensor, np.array(tensor))
    assert not shares_memory(tensor, np.array(tensor, copy=True))
    assert not shares_memory(tensor, tensor.__array__(copy=True))
    assert not shares_memory(tensor, tensor.__array__(np.float32, copy=True))


def test_array_of_another_dtype() -> None:
    tensor = gc.tensor([1.5, -2.5])
    for array in (np.asarray(tensor, np.float64), np.array(tensor, np.float64)):
        assert array.dtype == np.float64
        assert array.tolist() == [1.5, -2.5]
    assert np.asarray(tensor, np.int32).tolist() == [1, -2]
    assert shares_memory(tensor, np.asarray(tensor, np.float32))
    assert shares_memory(tensor, tensor.__array__(np.float32, copy=False))
    with pytest.raises(ValueError, match="copy"):
        np.array(tensor, np.float64, copy=False)


def test_array_of_a_tensor_that_requires_a_gradient() -> None:
    tensor = gc.ones(2, requires_grad=True)
    for function in (np.asarray, np.array, np.stack, type(tensor).numpy):
        with pytest.raises(GradientError) as caught:
            function(tensor)  # type: ignore[call-overload]
        assert "use x.detach().numpy()" in str(caught.value)
    assert shares_memory(tensor, np.asarray(tensor.detach()))


def test_numpy_functions_take_tensors() -> None:
    tensor = gc.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.stack([tensor, tensor]).shape == (2, 2, 2)
    assert np.concatenate([tensor, np.zeros((1, 2), np.float32)]).shape == (3, 2)
    assert np.linalg.det(np.asarray(tensor)) == pytest.approx(-2)
    assert np.array_equal(tensor, [[1, 2], [3, 4]])
    assert np.allclose(tensor, tensor)
    assert np.isclose(tensor, np.asarray(tensor)).all()
    assert np.array([gc.tensor(1.0), gc.tensor(2.0)]).tolist() == [1, 2]
    assert np.float64(gc.tensor(2.5)) == 2.5
    np.testing.assert_allclose(tensor, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(tensor, np.asarray(tensor))


def test_arrays_and_tensors_in_one_expression() -> None:
    """The tensor takes the operation, whichever side it stands on."""
    tensor, array = gc.tensor([1.0, 2.0]), np.float32([10, 20])  # type: ignore[arg-type]
    for result, expected in (
        (array + tensor, [11, 22]),
        (tensor + array, [11, 22]),
        (array - tensor, [9, 18]),
        (array / tensor, [10, 10]),
        (array * tensor, [10, 40]),
        (np.float32(2) * tensor, [2, 4]),
        (np.float64(2) * tensor, [2, 4]),
        (np.int64(2) ** tensor, [2, 4]),
    ):
        assert type(result) is gc.Tensor
        assert result.dtype == gc.float32
        assert result.tolist() == expected
    matrix = np.float32([[1, 2], [3, 4]])  # type: ignore[arg-type]
    assert (matrix @ tensor).tolist() == [5, 11]
    assert (array > tensor).tolist() == [True, True]
    assert (np.float32([1, 5]) == tensor).tolist() == [True, False]  # type: ignore[arg-type]
    assert (np.float32([1, 5]) != tensor).tolist() == [False, True]  # type: ignore[arg-type]


UFUNCS = (
    np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.remainder, np.power,
    np.maximum, np.minimum, np.arctan2, np.equal, np.less, np.logical_and, np.hypot,
)  # fmt: skip
UNARY = (np.exp, np.log, np.sqrt, np.sin, np.tanh, np.abs, np.negative, np.floor, np.isnan)


@pytest.mark.parametrize("ufunc", UFUNCS + UNARY, ids=lambda ufunc: ufunc.__name__)
def test_elementwise_functions_of_numpy(ufunc: np.ufunc) -> None:
    """They give tensors, on either side of an array or a number."""
    x, y = np.float32([1.5, 2.5, 4]), np.float32([[2, 1, 0.5], [3, 4, 5]])  # type: ignore[arg-type]
    a, b = gc.tensor(x), gc.tensor(y)
    if ufunc.nin == 1:
        calls = [(ufunc(a), ufunc(x))]
    else:
        calls = [(ufunc(*pair), ufunc(x, y)) for pair in ((a, b), (x, b), (a, y))]
        calls.append((ufunc(b, 2), ufunc(y, np.float32(2))))
    for result, expected in calls:
        assert type(result) is gc.Tensor
        assert result.numpy().dtype == expected.dtype
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


def test_elementwise_functions_of_numpy_are_recorded() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    (np.exp(x) * np.float32([1, 3])).sum().backward()  # type: ignore[arg-type, operator]
    np.testing.assert_allclose(x.grad, [np.e, 3 * np.e**2], rtol=1e-6)


def test_numpy_writes_into_arrays() -> None:
    array = np.float32([1, 2])  # type: ignore[arg-type]
    same = array
    array += gc.tensor([10.0, 20.0])  # type: ignore[assignment]
    assert array is same
    assert array.tolist() == [11, 22]
    assert np.add.reduce(gc.tensor([1.0, 2.0])) == 3
    assert np.multiply.outer(gc.arange(2), gc.arange(3)).tolist() == [[0, 0, 0], [0, 1, 2]]
    with pytest.raises(TypeError):
        np.add(array, array, out=gc.zeros(2))  # type: ignore[call-overload]


def test_arrays_index_tensors_and_tensors_index_arrays() -> None:
    tensor, array = gc.arange(5), np.arange(5) * 10
    assert tensor[np.array([3, 1])].tolist() == [3, 1]
    assert tensor[np.array([True, False, True, False, False])].tolist() == [0, 2]
    assert array[gc.tensor(2)] == 20
    assert array[np.asarray(gc.tensor([0, 4]))].tolist() == [0, 40]
    assert tensor[np.int64(3)].item() == 3


def test_writes_to_read_only_memory_are_refused() -> None:
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    tensor = gc.from_numpy(array)
    assert (tensor + 1).tolist() == [1, 1, 1]
    for write in (
        lambda: tensor.add_(1),
        lambda: tensor.fill_(1),
        lambda: tensor.__setitem__(0, 1.0),
        lambda: tensor.__setitem__([0, 2], 1.0),
    ):
        with pytest.raises(ArgumentError) as caught:
            write()
        first, _, hint = str(caught.value).splitlines()
        assert first == "the tensor's memory is read-only, so it cannot be changed in place"
        assert hint == "  hint: work on x.clone()"
    assert array.tolist() == [0, 0, 0]


@pytest.mark.parametrize("value", [[1, 2], "text", 5, None])
def test_from_numpy_takes_arrays_only(value: Any) -> None:
    with pytest.raises(TypeError, match="is not a NumPy array"):
        gc.from_numpy(value)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]", "object", ">f4", ">i8"])
def test_from_numpy_of_a_dtype_that_graphc_has_not(dtype: str) -> None:
    with pytest.raises(GraphcError) as caught:
        gc.from_numpy(np.zeros(2, dtype))
    assert len(str(caught.value).splitlines()) <= 12


def test_array_namespace() -> None:
    tensor = gc.ones(2)
    space = tensor.__array_namespace__()
    assert space is gc
    assert tensor.__array_namespace__(api_version=None) is gc
    assert space.add(tensor, 1).tolist() == [2, 2]
    assert space.sum(space.ones((2, 3)), axis=1).tolist() == [3, 3]
    assert space.asarray([1, 2]).dtype == gc.int64


# --- DLPack


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dlpack_to_numpy_and_back(layout: str, dtype: str) -> None:
    array = laid_out(layout, dtype)
    if dtype == "bfloat16":  # NumPy's own DLPack refuses it, both ways
        tensor = gc.from_dlpack(gc.from_numpy(array))
        back = gc.from_dlpack(tensor).numpy()
    else:
        tensor = gc.from_dlpack(array)
        back = np.from_dlpack(tensor)
    assert_same(tensor, array)
    assert_same(tensor, back)
    if array.size:
        assert back.strides == array.strides
        assert shares_memory(tensor, array)
        array[...] = 1
        assert (back == 1).all()
        assert (tensor.numpy() == 1).all()


def test_dlpack_is_written_through() -> None:
    tensor = gc.zeros(2, 2)
    array = np.from_dlpack(tensor)
    array[0, 1] = 7
    assert tensor.tolist() == [[0, 7], [0, 0]]
    again = gc.from_dlpack(tensor)
    again.mul_(2)
    assert array.tolist() == [[0, 14], [0, 0]]


def test_dlpack_copies_when_asked() -> None:
    tensor = gc.ones(3)
    assert not shares_memory(tensor, np.from_dlpack(tensor, copy=True))
    assert shares_memory(tensor, np.from_dlpack(tensor, copy=False))


def test_dlpack_device_is_the_cpu() -> None:
    assert tuple(gc.ones(1).__dlpack_device__()) == (1, 0)


def test_dlpack_keeps_memory_alive() -> None:
    array = np.from_dlpack(gc.full((1000,), 3.0))
    other = [gc.zeros(1000) for _ in range(10)]
    assert (array == 3).all()
    tensor = gc.from_dlpack(np.full(1000, 4.0))
    other += [gc.zeros(1000) for _ in range(10)]
    assert (tensor.numpy() == 4).all()


def test_dlpack_of_a_tensor_that_requires_a_gradient() -> None:
    with pytest.raises((GradientError, BufferError)):
        np.from_dlpack(gc.ones(2, requires_grad=True))


@pytest.mark.parametrize("value", [[1, 2], 3.5, "text"])
def test_from_dlpack_of_something_else(value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        gc.from_dlpack(value)
    assert type(value).__name__ in str(caught.value)


# --- PyTorch


@pytest.mark.parity
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "backwards"])
def test_torch_and_back(torch: Any, layout: str, dtype: str) -> None:
    """PyTorch has no negative strides."""
    array = laid_out(layout, dtype)
    theirs = torch.from_dlpack(gc.from_numpy(array))
    assert tuple(theirs.shape) == array.shape
    assert str(theirs.dtype) == f"torch.{dtype}"
    ours = gc.from_dlpack(theirs)
    assert_same(ours, array)
    if array.size:
        assert theirs.data_ptr() == array.__array_interface__["data"][0]
        assert shares_memory(ours, array)
    if array.size and layout != "broadcast":  # whose elements share memory: PyTorch refuses
        theirs[...] = 1
        assert (array == 1).all()
    other = gc.from_dlpack(as_torch(torch, laid_out(layout, dtype)))
    if other.numel() and layout != "broadcast":
        other.fill_(0)
        assert not other.numpy().any()


@pytest.mark.parity
def test_torch_tensors_are_written_through(torch: Any) -> None:
    theirs = torch.zeros(2, 3).t()
    ours = gc.from_dlpack(theirs)
    ours[1, 0] = 5
    assert theirs[1, 0] == 5
    theirs[2, 1] = 7
    assert ours[2, 1].item() == 7
    assert ours.numpy().strides == tuple(4 * step for step in theirs.stride())


@pytest.mark.parity
def test_torch_takes_tensors_as_arrays(torch: Any) -> None:
    ours = gc.tensor([[1.0, 2.0]])
    assert torch.equal(torch.as_tensor(ours.numpy()), torch.tensor([[1.0, 2.0]]))
    assert torch.asarray(ours).tolist() == [[1, 2]]
    assert gc.tensor(torch.ones(2)).tolist() == [1, 1]
    assert gc.as_tensor(torch.ones(2, dtype=torch.int32)).dtype == gc.int32


@pytest.mark.parity
def test_torch_prints_the_same(torch: Any) -> None:
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for shape in ((), (3,), (2, 3), (0, 2), (50, 40)):
            array = np.asarray(rng.integers(0, 2, shape) * 1.5).astype(dtype)
            assert repr(gc.from_numpy(array)) == repr(as_torch(torch, array.copy()))
            assert str(gc.from_numpy(array)) == str(as_torch(torch, array.copy()))
    for module in (gc, torch):
        x = module.ones(2, 2, requires_grad=True)
        y = x + 1
        texts = [repr(v) for v in (x, y, y.sum(), x * y, y.mean(), x @ y, x.t(), y.view(4))]
        if module is gc:
            ours = texts
    assert ours == texts
