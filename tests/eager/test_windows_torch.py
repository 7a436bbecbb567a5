"""Windows of every geometry beside PyTorch's: strides beyond the kernel, dilation, padding.

Values and gradients of pooling, convolution and unfolding, enumerated over small sizes; gaps
between windows, and images whose ends no window reaches, are where kernels went astray.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
import graphc.nn.functional
from graphc.errors import DTypeError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

GEOMETRIES = [
    (k, s, p, d)
    for k, s, p, d in itertools.product((1, 2, 3), (1, 2, 4, 5), (0, 1), (1, 2))
    if 2 * p <= k
]


def _both(name: str, rank: int, shape: tuple[int, ...], how: dict[str, Any]) -> Any:
    """Value and gradients by graphc and by PyTorch, eagerly."""
    rng = np.random.default_rng(sum(shape))
    data = [rng.standard_normal(shape).astype("f")]
    if name.startswith("conv"):
        kernel = how.pop("kernel")
        first = (2, shape[1]) if name == f"conv{rank}d" else (shape[1], 2)
        data.append(rng.standard_normal((*first, *(kernel,) * rank)).astype("f"))
    found = []
    for library in (gc, torch):
        tensors = [library.tensor(a, requires_grad=True) for a in data]
        y = getattr(library.nn.functional, name)(*tensors, **how)
        (y * y).sum().backward()
        found.append([y.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    return found


def _agree(name: str, rank: int, shape: tuple[int, ...], how: dict[str, Any]) -> None:
    ours, theirs = _both(name, rank, shape, dict(how))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4, err_msg=f"{name} {shape} {how}")


def _shape(rank: int, k: int, d: int, more: int) -> tuple[int, ...]:
    return (2, 2, *(d * (k - 1) + 1 + more + axis for axis in range(rank)))


def _check(k: int, s: int, p: int, d: int, rank: int, more: int) -> None:
    shape = _shape(rank, k, d, more)
    how = {"stride": s, "padding": p}
    _agree(f"max_pool{rank}d", rank, shape, {**how, "kernel_size": k, "dilation": d})
    if d == 1:
        _agree(f"avg_pool{rank}d", rank, shape, {**how, "kernel_size": k})
    _agree(f"conv{rank}d", rank, shape, {**how, "dilation": d, "kernel": k})
    if s < 5:
        _agree(f"conv_transpose{rank}d", rank, shape, {**how, "dilation": d, "kernel": k})
    if rank == 2:
        _agree("unfold", rank, shape, {**how, "kernel_size": k, "dilation": d})


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_windows_of_images_are_pytorchs(geometry: tuple[int, ...]) -> None:
    _check(*geometry, rank=2, more=9)  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("more", [0, 1, 5, 20])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_windows_of_any_rank_are_pytorchs(geometry: tuple[int, ...], more: int, rank: int) -> None:
    _check(*geometry, rank=rank, more=5 if rank == 3 and more == 20 else more)  # type: ignore[misc]


POOLED = ("max_pool2d", "avg_pool2d")


@pytest.mark.parametrize("shape", [(1, 1, 24, 24), (1, 1, 9, 25)])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 4), (4, 16), (2, 8)])
@pytest.mark.parametrize("name", POOLED)
def test_compiled_pooling_with_gaps_is_pytorchs(
    name: str, kernel: int, stride: int, shape: tuple[int, ...]
) -> None:
    data = np.random.default_rng(0).standard_normal(shape).astype("f")
    x = gc.tensor(data, requires_grad=True)
    (gc.jit.compile(lambda x: getattr(gc.nn.functional, name)(x, kernel, stride))(x) ** 2
     ).sum().backward()  # fmt: skip
    t = torch.tensor(data, requires_grad=True)
    (getattr(torch.nn.functional, name)(t, kernel, stride) ** 2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-5, atol=1e-6)


POOLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("max_pool1d", (1, 2, 8), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("max_pool1d", (1, 2, 9), {"kernel_size": 4, "stride": 1, "padding": 2, "dilation": 2}),
    ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "padding": 1}),
    ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2}),
    ("avg_pool1d", (1, 2, 8), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool2d", (1, 2, 5, 5), {"kernel_size": 2, "padding": 1, "count_include_pad": False}),
    ("adaptive_avg_pool1d", (1, 2, 8), {"output_size": 3}),
    ("adaptive_avg_pool2d", (1, 2, 7, 5), {"output_size": 3}),
    ("adaptive_max_pool1d", (1, 2, 7), {"output_size": 3}),
    ("interpolate", (1, 2, 6, 6), {"size": 4, "mode": "area"}),
    ("interpolate", (1, 2, 6), {"size": 9, "mode": "linear"}),
    ("unfold", (1, 2, 5, 5), {"kernel_size": 3, "padding": 1, "stride": 2}),
    ("fold", (1, 8, 9), {"output_size": (4, 4), "kernel_size": 2}),
]


def _with_gradient(library: Any, name: str, how: Any) -> Any:
    """A function of x and the cotangent: the value and x's gradient, as arrays."""

    def both(x: Any, ct: Any) -> Any:
        y = getattr(library.nn.functional, name)(x, **how)
        return y, *library.autograd.grad(y, [x], ct)

    function = gc.jit.compile(both) if library is gc else both

    def arrays(x: Any, ct: Any) -> list[np.ndarray]:
        found = function(library.tensor(x, requires_grad=True), library.tensor(ct))
        return [t.detach().numpy() for t in found]

    return arrays


@pytest.mark.parametrize(("name", "shape", "how"), POOLS)
def test_what_is_not_finite_stays_where_it_is(name: str, shape: Any, how: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.permutation(int(np.prod(shape))).reshape(shape).astype("f")
    y = getattr(torch.nn.functional, name)(torch.tensor(x), **how)
    ct = rng.standard_normal(tuple(y.shape)).astype("f")
    ours, theirs = (_with_gradient(library, name, how) for library in (gc, torch))
    for value, place, in_x in itertools.product((np.nan, np.inf, -np.inf), (0, -1), (True, False)):
        pair = [x.copy(), ct.copy()]
        pair[not in_x].reshape(-1)[place] = value
        for got, expected in zip(ours(*pair), theirs(*pair), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_windows_of_nothing_but_the_least_number_have_their_gradient_inside() -> None:
    for name, shape, how in POOLS[:4]:
        x = np.full(shape, -np.inf, "f")
        y = getattr(torch.nn.functional, name)(torch.tensor(x), **how)
        ct = np.arange(1, 1 + y.numel(), dtype="f").reshape(tuple(y.shape))
        pair = (_with_gradient(library, name, how)(x, ct) for library in (gc, torch))
        for got, expected in zip(*pair, strict=True):
            np.testing.assert_array_equal(got, expected)


def _with_place(library: Any, name: str, how: Any) -> Any:
    """A function of x: greatest elements, where they are, and x's gradient."""

    def found(x: Any) -> Any:
        y, place = getattr(library.nn.functional, name)(x, **how, return_indices=True)
        z = getattr(library.nn.functional, name)(x, **how)
        weights = library.arange(1.0, y.numel() + 1).reshape(y.shape)
        return y, place, z, *library.autograd.grad((z * weights).sum(), [x])

    return found


def _max_pools() -> Iterator[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """Each max_pool with windows that touch, overlap or leave gaps, at the end of an image too."""
    for rank, size in ((1, 8), (2, 7), (3, 5)):
        shape = (2, 2, size, *range(size - 1, size - rank, -1))
        for k, s, p, d in [(2, 2, 0, 1), (3, 1, 1, 1), (2, 1, 1, 2), (3, 4, 0, 1), (1, 2, 0, 1)]:
            how = {"kernel_size": k, "stride": s, "padding": p, "dilation": d}
            yield f"max_pool{rank}d", shape, how
            yield f"max_pool{rank}d", shape, {**how, "ceil_mode": True}
        yield from ((f"adaptive_max_pool{rank}d", shape, {"output_size": o}) for o in (1, 3, 4))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rank", ["1d", "2d", "3d"])
def test_equal_elements_and_several_nans_of_a_window(rank: str, compiled: bool) -> None:
    rng = np.random.default_rng(0)
    for name, shape, how in _max_pools():
        if not name.endswith(rank):
            continue
        function = _with_place(gc, name, how)
        function = gc.jit.compile(function) if compiled else function
        for among in ((0, 1), (0, 1, np.nan), (np.nan, -np.inf), (0, -np.inf, np.inf)):
            x = rng.choice(np.array(among, "f"), shape)
            ours = function(gc.tensor(x, requires_grad=True))
            theirs = _with_place(torch, name, how)(torch.tensor(x, requires_grad=True))
            for a, b in zip(ours, theirs, strict=True):
                message = f"{name} {how} {among}"
                np.testing.assert_array_equal(
                    a.detach().numpy(), b.detach().numpy(), err_msg=message
                )


SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("conv_transpose2d", {"stride": 2, "output_padding": 3, "dilation": 4, "kernel": 2}),
    ("conv_transpose1d", {"stride": 1, "output_padding": 1, "dilation": 2, "padding": 2}),
    ("conv_transpose2d", {"stride": 3, "output_padding": 4, "dilation": 5, "padding": 3}),
    ("conv2d", {"stride": (2,), "padding": (1,), "dilation": (2,)}),
    ("avg_pool2d", {"kernel_size": (3,), "stride": (1,), "padding": (1,)}),
    ("max_pool2d", {"kernel_size": (2,), "dilation": (2,)}),
]


@pytest.mark.parametrize(("name", "how"), SETTINGS)
def test_one_setting_for_all_axes_and_wide_output_padding(name: str, how: Any) -> None:
    rank = int(name[-2])
    kernel = {"kernel": 2} if name.startswith("conv") else {}
    _agree(name, rank, (2, 2, *(5, 6)[:rank]), {**kernel, **how})


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("how", [
    {}, {"padding": 1, "stride": 1}, {"padding": 1, "count_include_pad": False},
    {"ceil_mode": True, "stride": 3}, {"divisor_override": 3}, {"divisor_override": -4},
], ids=str)  # fmt: skip
def test_means_of_int64_are_cut_towards_0(rank: int, how: dict[str, Any]) -> None:
    if rank == 1 and "divisor_override" in how:
        return
    x = np.random.default_rng(rank).integers(-9, 9, (2, 2, *(7, 5, 4)[:rank]))
    wanted = getattr(torch.nn.functional, f"avg_pool{rank}d")(torch.tensor(x), 2, **how)
    function = lambda x: getattr(gc.nn.functional, f"avg_pool{rank}d")(x, 2, **how)  # noqa: E731
    for run in (function, gc.jit.compile(function)):
        np.testing.assert_array_equal(run(gc.tensor(x)).numpy(), wanted.numpy(), strict=True)
    if set(how) <= {"padding", "stride", "count_include_pad"}:
        node = gc.input("x", x.shape, gc.int64)
        program = gc.compile([node], gc.avg_pool(node, 2, **how))
        np.testing.assert_array_equal(program(x), wanted.numpy(), strict=True)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "int64", "float32"])
@pytest.mark.parametrize("p", [1, 2, 3, 2.0])
def test_lp_pools_of_integers_are_pytorchs_or_refused(dtype: str, p: float) -> None:
    x = np.random.default_rng(0).integers(0, 9, (1, 2, 6, 6)).astype(dtype)
    try:
        wanted = torch.nn.functional.lp_pool2d(torch.tensor(x), p, 2)
    except NotImplementedError:
        with pytest.raises(DTypeError, match=f"lp_pool2d: {dtype} is not supported"):
            gc.nn.functional.lp_pool2d(gc.tensor(x), p, 2)
        return
    found = gc.nn.functional.lp_pool2d(gc.tensor(x), p, 2).numpy()
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-6)
    assert found.dtype == wanted.numpy().dtype


@pytest.mark.parametrize("rows", [1, 2, 4])  # of none PyTorch crashes
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, np.inf])
def test_distances_of_few_rows(rows: int, p: float) -> None:
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype("f")
    found = []
    for library in (gc, torch):
        t = library.tensor(x, requires_grad=True)
        y = library.nn.functional.pdist(t, p)
        y.sum().backward()
        found.append((y.detach().numpy(), t.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
