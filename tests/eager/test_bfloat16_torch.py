"""Eager bfloat16 beside PyTorch's: single ops bit for bit, dtypes of all pairs, layers, files."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import as_torch, from_torch

import graphc as gc
from graphc.core import dtypes

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.parity

BFLOAT16 = gc.bfloat16.numpy
EVERY = np.arange(1 << 16, dtype=np.uint16).view(BFLOAT16)
RNG = np.random.default_rng(0)
NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64")  # fmt: skip

# What both compute in float32, exactly or nearly so, and round once.
ONE_EXACT = (
    "sqrt", "abs", "neg", "floor", "ceil", "trunc", "round", "reciprocal", "square", "relu",
    "isnan", "isinf", "isfinite", "signbit", "frac", "nan_to_num",
)  # fmt: skip
# PyTorch's own float32 functions err by more where results are subnormal or overflow.
ONE_NEAR = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "rsqrt", "sin", "cos", "tan", "asin",
    "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid",
)  # fmt: skip
TWO_EXACT = (
    "add", "sub", "mul", "div", "fmod", "remainder", "maximum", "minimum", "fmax", "fmin",
    "copysign", "eq", "ne", "lt", "le", "gt", "ge", "heaviside",
)  # fmt: skip
# Whose vectorised forms in PyTorch give nan where its others, as graphc, do not.
FINITE = ("fmod", "remainder")
TWO_NEAR = ("pow", "atan2", "hypot", "logaddexp")


def tensors(*arrays: np.ndarray, grad: bool = False) -> tuple[list[Any], list[Any]]:
    """The arrays as tensors of both libraries, of memory of their own."""
    ours = [gc.tensor(a) for a in arrays]
    theirs = [as_torch(torch, a.copy()) for a in arrays]
    for x in [*ours, *theirs] if grad else ():
        x.requires_grad_()
    return ours, theirs


def drawn(*shape: int, spread: float = 1.0) -> np.ndarray:
    return (RNG.normal(size=shape) * spread).astype(BFLOAT16)


def exactly(ours: Any, theirs: Any) -> None:
    found, wanted = ours.detach().numpy(), from_torch(theirs)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(dtypes.widened(found), dtypes.widened(wanted))


def nearly(ours: Any, theirs: Any, units: float = 2) -> None:
    """To within units in the last place of the largest number."""
    found, wanted = ours.detach().numpy(), from_torch(theirs)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    found, wanted = found.astype(np.float32), wanted.astype(np.float32)
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=units * 2.0**-7 * scale)


@pytest.mark.parametrize("name", ONE_EXACT)
def test_one_operand_exactly(name: str) -> None:
    (x,), (t,) = tensors(EVERY)
    exactly(getattr(gc, name)(x), getattr(torch, name)(t))


@pytest.mark.parametrize("name", ONE_NEAR)
def test_one_operand_to_the_last_place(name: str) -> None:
    (x,), (t,) = tensors(EVERY)
    found = getattr(gc, name)(x).numpy().view(np.int16).astype(np.int64)
    wanted = from_torch(getattr(torch, name)(t))
    with np.errstate(all="ignore"):
        size = np.abs(wanted.astype(np.float32))
    normal = np.isfinite(size) & (size > 2.0**-126) & (size < 2.0**127)
    places = np.abs(found - wanted.view(np.int16))[normal]
    assert places.max() <= 1 and (places > 0).mean() < 1e-3


@pytest.mark.parametrize("name", TWO_EXACT)
def test_two_operands_exactly(name: str) -> None:
    arrays = [drawn(20_000) * 10.0 ** RNG.integers(-3, 4, 20_000) for _ in range(2)]
    arrays = [a.astype(BFLOAT16) for a in arrays]
    if name not in FINITE:
        arrays = [np.concatenate(pair) for pair in zip(arrays, _edges())]
    ours, theirs = tensors(*arrays)
    exactly(getattr(gc, name)(*ours), getattr(torch, name)(*theirs))


def _edges() -> tuple[np.ndarray, np.ndarray]:
    info = gc.bfloat16.finfo
    values = [0.0, -0.0, 1.0, -1.5, 2.5, np.inf, -np.inf, np.nan, float(info.max), float(info.tiny)]
    pairs = np.array(list(itertools.product(values, repeat=2)))
    return pairs[:, 0].astype(BFLOAT16), pairs[:, 1].astype(BFLOAT16)


@pytest.mark.parametrize("name", TWO_NEAR)
def test_two_operands_to_the_last_place(name: str) -> None:
    ours, theirs = tensors(np.abs(drawn(20_000)), drawn(20_000))
    found = getattr(gc, name)(*ours).numpy().view(np.int16).astype(np.int64)
    places = np.abs(found - from_torch(getattr(torch, name)(*theirs)).view(np.int16))
    assert places.max() <= 1 and (places > 0).mean() < 1e-3


OPERATIONS = {
    "add": lambda m, x, y: x + y,
    "divide": lambda m, x, y: x / y,
    "result_type": lambda m, x, y: m.result_type(x, y),
    "maximum": lambda m, x, y: m.maximum(x, y),
    "where": lambda m, x, y: m.where(m.ones(2) > 0, x, y),
    "pow": lambda m, x, y: m.pow(x, y),
    "cat": lambda m, x, y: m.cat([x.reshape(-1), y.reshape(-1)]),
    "atan2": lambda m, x, y: m.atan2(x, y),
    "compare": lambda m, x, y: x < y,
    "number": lambda m, x, y: x * 2 + 0.5,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_dtypes_of_all_pairs(operation: str) -> None:
    shapes = list(itertools.product(((2,), ()), repeat=2))
    for (left, right), (first, second) in itertools.product(
        itertools.product(NAMES, repeat=2), shapes
    ):
        if "bfloat16" not in (left, right):
            continue
        names = []
        for module in (gc, torch):
            x = module.ones(first, dtype=getattr(module, left))
            y = module.ones(second, dtype=getattr(module, right))
            result = OPERATIONS[operation](module, x, y)
            names.append(str(getattr(result, "dtype", result)).split(".")[-1])
        short = dtypes.BY_SHORT.get(names[0])
        assert (short.name if short else names[0]) == names[1], (left, right, first, second)


REDUCED = {
    "sum": lambda m, x: x.sum(1), "mean": lambda m, x: x.mean(), "var": lambda m, x: x.var(0),
    "std": lambda m, x: x.std(1), "norm": lambda m, x: x.norm(), "max": lambda m, x: x.max(1)[0],
    "argmax": lambda m, x: x.argmax(1), "prod": lambda m, x: x.prod(1),
    "sort": lambda m, x: x.sort(1)[0], "median": lambda m, x: x.median(),
    "unique": lambda m, x: m.unique(x), "topk": lambda m, x: x.topk(3)[0],
    "logsumexp": lambda m, x: m.logsumexp(x, 1), "cumsum": lambda m, x: x.cumsum(1),
    "softmax": lambda m, x: m.softmax(x, 1), "matmul": lambda m, x: x @ x.T,
    "einsum": lambda m, x: m.einsum("ij,kj->ik", x, x),
    "flip": lambda m, x: x.flip(0), "gather": lambda m, x: x[:, [3, 1]],
    "log_softmax": lambda m, x: m.log_softmax(x, 1), "clamp": lambda m, x: x.clamp(-0.5, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCED)
def test_reductions_and_products(name: str) -> None:
    (x,), (t,) = tensors(drawn(6, 40))
    nearly(REDUCED[name](gc, x), REDUCED[name](torch, t))


def test_nan_is_sorted_last_and_wins() -> None:
    (x,), (t,) = tensors(np.array([3, np.nan, -1, np.inf, 2, 2], BFLOAT16))
    for call in ("sort", "argsort", "argmax", "argmin", "max", "min", "unique", "isnan"):
        found, wanted = getattr(x, call)(), getattr(t, call)()
        pair = (found[0], wanted[0]) if isinstance(found, tuple) else (found, wanted)
        exactly(*pair)


LAYERS = {
    "linear": (lambda m: m.nn.Linear(8, 4), (5, 8)),
    "conv": (lambda m: m.nn.Conv2d(2, 3, 3, padding=1), (2, 2, 6, 6)),
    "layer norm": (lambda m: m.nn.LayerNorm(8), (5, 8)),
    "batch norm": (lambda m: m.nn.BatchNorm1d(8), (16, 8)),
    "group norm": (lambda m: m.nn.GroupNorm(2, 8), (4, 8, 5)),
    "gelu": (lambda m: m.nn.GELU(), (5, 8)),
    "silu": (lambda m: m.nn.SiLU(), (5, 8)),
    "softmax": (lambda m: m.nn.Softmax(1), (5, 8)),
    "max pool": (lambda m: m.nn.MaxPool2d(2), (2, 2, 6, 6)),
    "average pool": (lambda m: m.nn.AvgPool2d(2), (2, 2, 6, 6)),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_forward_and_backward(name: str, compiled: bool) -> None:
    make, shape = LAYERS[name]
    theirs = make(torch).bfloat16()
    ours = make(gc).bfloat16()
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    assert {p.dtype for p in ours.parameters()} <= {gc.bfloat16}
    (x,), (t,) = tensors(drawn(*shape), grad=True)
    run = gc.jit.compile(ours) if compiled else ours
    found, wanted = run(x), theirs(t)
    (slope,), (other_slope,) = tensors(drawn(*wanted.shape))
    found.backward(slope)
    wanted.backward(other_slope)
    nearly(found, wanted)
    nearly(x.grad, t.grad, units=4)
    for own, other in zip(ours.parameters(), theirs.parameters()):
        nearly(own.grad, other.grad, units=4)


LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits")


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    (x, y), (t, u) = tensors(drawn(5, 8), np.abs(drawn(5, 8, spread=0.2)), grad=True)
    ours = getattr(gc.nn.functional, name)(x, y.detach())
    theirs = getattr(torch.nn.functional, name)(t, u.detach())
    nearly(ours, theirs, units=4)
    ours.backward()
    theirs.backward()
    nearly(x.grad, t.grad, units=4)


def test_cross_entropy() -> None:
    (x,), (t,) = tensors(drawn(6, 5), grad=True)
    labels = np.array([0, 1, 4, 2, 2, 3])
    ours = gc.nn.functional.cross_entropy(x, gc.tensor(labels))
    theirs = torch.nn.functional.cross_entropy(t, torch.from_numpy(labels))
    ours.backward()
    theirs.backward()
    nearly(ours, theirs)
    nearly(x.grad, t.grad)


OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {"lr": 0.1}, "AdamW": {"lr": 0.1},
    "RMSprop": {"lr": 0.05}, "Adagrad": {"lr": 0.1}, "Adadelta": {"lr": 1.0},
    "Adamax": {"lr": 0.1}, "NAdam": {"lr": 0.1}, "RAdam": {"lr": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_follow_those_of_float32(name: str) -> None:
    """PyTorch rounds the steps inside an update; graphc an update's results, as of float16."""
    start, slopes = drawn(40), [drawn(40) for _ in range(5)]
    x = gc.nn.Parameter(gc.tensor(start))
    t = torch.nn.Parameter(as_torch(torch, start).float())
    ours = getattr(gc.optim, name)([x], **OPTIMIZERS[name])
    theirs = getattr(torch.optim, name)([t], **OPTIMIZERS[name])
    for slope in slopes:
        x.grad, t.grad = gc.tensor(slope), as_torch(torch, slope).float()
        ours.step()
        theirs.step()
    assert x.dtype is gc.bfloat16
    states = [s for s in ours.state[x].values() if getattr(s, "shape", ()) == x.shape]
    assert {s.dtype for s in states} <= {gc.bfloat16}
    nearly(x, t.bfloat16(), units=4)


def test_training_goes_down_compiled() -> None:
    gc.manual_seed(0)
    net = gc.nn.Sequential(gc.nn.Linear(8, 16), gc.nn.ReLU(), gc.nn.Linear(16, 3)).bfloat16()
    optimizer = gc.optim.Adam(net.parameters(), lr=1e-2)
    x, labels = gc.tensor(drawn(30, 8)), gc.tensor(RNG.integers(0, 3, 30))

    @gc.jit.compile
    def step(images: Any, wanted: Any) -> Any:
        optimizer.zero_grad()
        loss = gc.nn.functional.cross_entropy(net(images), wanted)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x, labels).item() for _ in range(40)]
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.dtype is gc.bfloat16 for p in net.parameters())


def test_texts_and_limits() -> None:
    (x,), (t,) = tensors(drawn(3, 4))
    assert repr(x) == repr(t) and repr(x[0, 0]) == repr(t[0, 0])
    assert x.type() == t.type() == "torch.BFloat16Tensor"
    named: Any = gc.ones(2)
    assert named.type("torch.BFloat16Tensor").dtype is gc.bfloat16
    for name in ("bfloat16", "float16", "float32", "float64"):
        ours, theirs = (m.finfo(getattr(m, name)) for m in (gc, torch))
        assert repr(ours) == repr(theirs)
        for fact in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(ours, fact) == getattr(theirs, fact), (name, fact)
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        limits = [m.iinfo(getattr(m, name)) for m in (gc, torch)]
        assert repr(limits[0]) == repr(limits[1])
        assert [(i.bits, i.min, i.max, i.dtype) for i in limits[:1]] == [
            (i.bits, i.min, i.max, i.dtype) for i in limits[1:]
        ]
    own = gc.nn.ParameterDict({"a": gc.zeros(2, dtype=gc.bfloat16)})
    other = torch.nn.ParameterDict({"a": torch.zeros(2, dtype=torch.bfloat16)})
    assert repr(own) == repr(other)


def test_what_makes_tensors_makes_them_of_it() -> None:
    for make in (
        lambda m, d: m.tensor([0.1, 257.0, 1e38, -2.0], dtype=d),
        lambda m, d: m.zeros(2, 3, dtype=d),
        lambda m, d: m.full((2,), 0.1, dtype=d),
        lambda m, d: m.arange(0, 2, 0.3, dtype=d),
        lambda m, d: m.eye(3, dtype=d),
        lambda m, d: m.tensor([1, 2, 300]).to(d),
        lambda m, d: m.tensor([1.5]).bfloat16(),
        lambda m, d: m.ones(2).type_as(m.zeros(1, dtype=d)),
        lambda m, d: m.ones(2, dtype=d).new_zeros(3),
        lambda m, d: m.zeros_like(m.ones(2, dtype=d)),
        lambda m, d: m.tensor([16256, 16448], dtype=m.int16).view(d),
    ):
        exactly(make(gc, gc.bfloat16), make(torch, torch.bfloat16))


def test_random_numbers_are_of_it() -> None:
    like = gc.zeros(500, dtype=gc.bfloat16)
    for x in (
        gc.rand(500, dtype=gc.bfloat16), gc.rand_like(like), gc.empty_like(like).uniform_(),
        gc.bernoulli(gc.full((500,), 0.5, dtype=gc.bfloat16)),
    ):  # fmt: skip
        assert x.dtype is gc.bfloat16 and x.min().item() >= 0 and x.max().item() <= 1
        assert 0.4 < x.float().mean().item() < 0.6
    for x in (gc.randn(500, dtype=gc.bfloat16), gc.randn_like(like), gc.empty_like(like).normal_()):
        assert x.dtype is gc.bfloat16 and abs(x.float().std().item() - 1) < 0.2
    assert gc.empty_like(like).random_().max().item() <= 256  # all whole numbers that it has


def test_dlpack_shares_memory_both_ways() -> None:
    ours = gc.ones(2, 3, dtype=gc.bfloat16)
    theirs = torch.from_dlpack(ours)
    assert theirs.dtype is torch.bfloat16 and theirs.tolist() == [[1.0] * 3] * 2
    theirs[0, 1] = 7
    assert ours[0, 1].item() == 7
    back = gc.from_dlpack(theirs.t())
    assert back.dtype is gc.bfloat16 and back.shape == (3, 2)
    back[2, 1] = -3
    assert ours[1, 2].item() == -3 and theirs[1, 2].item() == -3
    exactly(gc.from_dlpack(torch.arange(5).bfloat16()[::2]), torch.arange(0, 5, 2).bfloat16())


def test_tensors_of_pytorch_are_taken_where_arrays_are() -> None:
    theirs = torch.tensor([1.0, 0.1], dtype=torch.bfloat16)
    exactly(gc.tensor(theirs), theirs)
    exactly(gc.as_tensor(theirs), theirs)
    x = gc.input("x", (2,), gc.bfloat16)
    found = gc.compile([x], x + gc.constant(theirs))(theirs)
    np.testing.assert_array_equal(found, from_torch(theirs + theirs))
    assert gc.parameter("w", theirs).type == x.type


def test_files_are_those_of_safetensors(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    theirs = torch.nn.Linear(3, 2).bfloat16()
    package.save_file(theirs.state_dict(), tmp_path / "theirs")
    ours = gc.nn.Linear(3, 2).bfloat16()
    ours.load_state_dict(gc.load(tmp_path / "theirs"))
    gc.save(ours.state_dict(), tmp_path / "ours")
    again = package.load_file(tmp_path / "ours")
    for name, value in theirs.state_dict().items():
        exactly(ours.state_dict()[name], value)
        assert torch.equal(again[name], value)
    wide = gc.nn.Linear(3, 2)  # takes what it loads in its own dtype
    wide.load_state_dict(theirs.state_dict())
    assert wide.weight.dtype is gc.float32
    exactly(wide.weight, theirs.weight.float())
