"""Eager functions and methods beside PyTorch's: values, dtypes, gradients, over a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.parity

A, B, M, V, INDEX, MASK = "a", "b", "m", "v", "i", "mask"
DATA = {
    A: np.random.RandomState(0).randn(3, 4).astype(np.float32),
    B: np.random.RandomState(1).rand(3, 4).astype(np.float32) + 0.5,
    M: np.random.RandomState(2).randn(4, 5).astype(np.float32),
    V: np.random.RandomState(3).randn(4).astype(np.float32),
    INDEX: np.array([[0, 2, 1, 0], [1, 1, 2, 2], [2, 0, 0, 1]]),
    MASK: np.random.RandomState(4).rand(3, 4) > 0.5,
}

# One line a case: what is computed, by names that both libraries have.
CASES = """
t.add(a, b, alpha=2) | t.sub(a, b, alpha=3) | t.mul(a, 2) | a / b
t.div(a, b, rounding_mode="floor") | t.div(a, b, rounding_mode="trunc") | a % b | a ** 2
b ** 0.5 | 2 ** a | b ** a | -a | abs(a) | 1 - a | 1 / b | a @ m | a @ v | v @ m | t.mm(a, m)
v @ v | a.T @ b | t.bmm(a[None], m[None]) | t.exp(a) | t.log(b) | t.sqrt(b) | t.rsqrt(b)
t.sigmoid(a) | t.tanh(a) | t.sin(a) | t.cos(a) | t.tan(a) | t.erf(a) | t.erfc(a) | t.expm1(a)
t.log1p(b) | t.log2(b) | t.log10(b) | t.square(a) | t.reciprocal(b) | t.relu(a) | t.floor(a)
t.ceil(a) | t.round(a) | t.trunc(a) | t.frac(a) | t.sign(a) | t.abs(a) | t.clamp(a, -0.5, 0.5)
t.clamp(a, min=0) | a.clamp(max=b) | t.maximum(a, b) | t.minimum(a, b) | t.lerp(a, b, 0.3)
t.addcmul(a, a, b, value=2) | t.addcdiv(a, a, b, value=-1) | t.hypot(a, b) | t.atan2(a, b)
t.logit(t.sigmoid(a)) | t.nan_to_num(a / 0) | t.logaddexp(a, b) | t.fmod(a, b)
t.remainder(a, 0.7) | a.sum() | a.sum(0) | a.sum((0, 1)) | a.sum(1, keepdim=True) | a.mean()
a.mean(1) | a.prod() | a.prod(1) | a.max() | a.max(1).values | a.max(1).indices
a.min(0, keepdim=True).values | t.max(a, b) | a.amax(1) | a.amin((0, 1)) | a.var() | a.std()
a.var(1) | a.std(0, keepdim=True) | a.var(1, unbiased=False) | a.std(correction=0) | a.norm()
a.norm(1) | a.norm(dim=1) | a.argmax() | a.argmax(1) | a.argmin(0) | a.cumsum(1) | a.cumprod(0)
t.logsumexp(a, 1) | a.sort(1).values | a.sort(1, descending=True).indices | a.argsort(0)
a.topk(2).values | a.topk(2, largest=False).indices | a.median() | a.median(1).values
a.kthvalue(2, 1).values | (a > 0).any() | (a > 0).all(1) | (a > 0).sum() | a.count_nonzero()
a.view(4, 3) | a.reshape(2, -1) | a.t() | a.transpose(0, 1) | a.permute(1, 0) | a.unsqueeze(1)
a[None].squeeze(0) | a.flatten() | a[:, None].expand(-1, 5, -1) | t.cat([a, b], 1)
t.stack([a, b], 2) | t.hstack([a, b]) | t.vstack([a, b]) | t.split(a, 2, 1)[1]
t.split(a, [1, 3], 1)[1] | a.chunk(2, 1)[1] | a.unbind(1)[2] | a.narrow(1, 1, 2) | a.select(1, 2)
t.tensor_split(a, 3, 1)[0] | a.diagonal() | t.diag(v) | t.diag(a @ b.T) | t.tril(a) | t.triu(a, 1)
t.trace(a @ b.T) | a.flip(1) | a.roll(1, 0) | a.roll((1, 2), (0, 1)) | a.repeat(2, 1)
a.tile(2, 2) | a.repeat_interleave(2, 1) | a.movedim(0, 1) | a[0] | a[-1, 2] | a[:, 1:3]
a[1:, ::2] | a[..., 0] | a[None, :, None] | a[t.tensor([0, 2])] | a[:, t.tensor([1, 1, 3])]
a[mask] | a[t.tensor([0, 1]), t.tensor([2, 3])] | a[i[:, 0]] | a[[0, 2], 1:] | a[a > 0]
a[1, [0, 3]] | t.where(mask, a, b) | t.where(a > 0, a, 0.0) | a.masked_fill(mask, -1.0)
a.masked_select(mask) | t.gather(a, 1, i) | t.gather(a, 0, i)
a.index_select(1, t.tensor([3, 0])) | t.take(a, t.tensor([0, 5])) | t.take_along_dim(a, i, 1)
t.zeros(3, 4).scatter(0, i, a) | t.zeros(3, 4).scatter_add(1, i, a)
a.index_add(0, t.tensor([0, 2]), b[:2]) | a.index_fill(1, t.tensor([1]), 7.0)
t.einsum("ij,jk->ik", a, m) | t.einsum("ij,ij->i", a, b) | t.outer(v, v) | t.dot(v, v)
t.addmm(t.ones(3, 5), a, m, beta=2, alpha=0.5) | t.softmax(a, dim=1) | t.log_softmax(a, dim=0)
t.zeros_like(a) | t.ones_like(i) | t.full_like(a, 3) | t.eye(3) | t.arange(5)
t.arange(1, 2, 0.25) | t.linspace(0, 1, 5) | t.full((2, 2), 1.5) | t.full((2,), 7)
t.tensor([1, 2]) / 2 | t.tensor([1, 2]) * 2.5 | t.tensor([1, 2]) + t.tensor([1.5, 2.5])
t.tensor(3) * a | t.tensor(2.5, dtype=t.float64) * a | t.tensor([7, -7]) // 2
t.tensor([7, -7]) % 3 | t.div(t.tensor([7, -7]), 2, rounding_mode="trunc")
t.tensor([True, False]) + 1 | t.exp(t.tensor([1, 2])) | t.tensor([1, 2]).float().mean()
t.tensor([5, 6]).sum() | a.to(t.float64) | a.long() | (a > 0).float() | a.double().sum() | a == b
a != b | a < 0 | a >= b | t.isnan(a) | t.isfinite(a) | t.logical_and(mask, a > 0) | ~mask
mask & mask | mask | t.isclose(a, a) | t.meshgrid(v, v, indexing="ij")[0]
t.meshgrid(v, v, indexing="xy")[1] | t.nonzero(mask) | t.unique(i) | t.bincount(i.flatten())
a.new_zeros(2) | a.type_as(i) | a.unflatten(1, (2, 2)) | t.searchsorted(v.sort().values, a)
t.std_mean(a)[0] | t.var_mean(a, 1)[1]
"""
LINES = [part.strip() for line in CASES.strip().splitlines() for part in line.split(" | ")]


def _tensors(library: Any, make: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    found = {name: make(array.copy()) for name, array in DATA.items()}
    for name in (A, B, M, V):
        found[name].requires_grad_()
    return {**found, "t": library}


def _evaluated(source: str) -> tuple[Any, dict[str, Any], Any, dict[str, Any]]:
    ours = _tensors(gc, lambda x: gc.tensor(x))
    theirs = _tensors(torch, lambda x: torch.tensor(x))
    return eval(source, ours), ours, eval(source, theirs), theirs


@pytest.mark.parametrize("source", LINES)
def test_values_dtypes_and_gradients_are_pytorchs(source: str) -> None:
    own, ours, wanted, theirs = _evaluated(source)
    assert tuple(own.shape) == tuple(wanted.shape)
    assert own.dtype.name == str(wanted.dtype).removeprefix("torch.")
    np.testing.assert_allclose(own.detach().numpy(), wanted.detach().numpy(), rtol=2e-5, atol=1e-5)
    assert own.requires_grad == wanted.requires_grad
    if not wanted.requires_grad:
        return
    ct = np.asarray(np.random.RandomState(7).randn(*wanted.shape), np.float32)
    own.backward(gc.tensor(ct, dtype=own.dtype))
    wanted.backward(torch.tensor(ct, dtype=wanted.dtype))
    for name in (A, B, M, V):
        if theirs[name].grad is None:
            assert ours[name].grad is None
            continue
        np.testing.assert_allclose(
            ours[name].grad.numpy(), theirs[name].grad.numpy(), rtol=2e-4, atol=2e-5
        )


IN_PLACE = """
x.add_(y) | x.add_(y, alpha=2) | x.sub_(1) | x.mul_(y) | x.div_(2) | x.pow_(2) | x.neg_()
x.exp_() | x.clamp_(0, 1) | x.zero_() | x.fill_(3) | x.copy_(y) | x.lerp_(y, 0.5)
x.addcmul_(y, y) | x.addcdiv_(y, y + 2, value=2) | x.relu_() | x[0].mul_(2)
x[:, 1:3].add_(y[:, 1:3]) | x.view(-1)[2:5].copy_(y.view(-1)[:3]) | x.t().mul_(y.t())
x[1][2].fill_(5) | x.masked_fill_(y > 0, 2.0) | x.index_add_(0, t.tensor([0, 1]), y[:2])
x.scatter_(1, t.tensor([[0], [1], [2]]), y[:, :1])
"""
STATEMENTS = """
x[0] = 1.0 | x[:, 1] = y[:, 2] | x[x > 0] = 0.0 | x[t.tensor([0, 2])] = y[:2] | x[1, 2] = y[0, 0]
x[..., 0] = 7 | x += y | x *= 2 | x -= y[0] | x /= 3 | x[1:] += y[1:] | x[0, 0] *= y[1, 1]
"""


def _changed(library: Any, statement: str, run: Callable[..., Any]) -> tuple[Any, Any, Any]:
    make = gc.tensor if library is gc else torch.tensor
    leaf = make(DATA[A].copy(), requires_grad=True)
    y = make(DATA[B].copy(), requires_grad=True)
    x = leaf * 1.5
    views = x[0], x.view(-1), x.t()
    run(statement, {"t": library, "x": x, "y": y})
    total = (x * x).sum() + sum((v * 0.5).sum() for v in views)
    if total.requires_grad:
        total.backward()
    return x, leaf.grad, y.grad


@pytest.mark.parametrize(
    "statement",
    [s.strip() for line in (IN_PLACE + STATEMENTS).strip().splitlines() for s in line.split(" | ")],
)
def test_changes_in_place_and_their_gradients_are_pytorchs(statement: str) -> None:
    own = _changed(gc, statement, exec)
    wanted = _changed(torch, statement, exec)
    np.testing.assert_allclose(own[0].detach().numpy(), wanted[0].detach().numpy(), rtol=1e-5)
    for mine, other in zip(own[1:], wanted[1:]):
        if other is None:
            assert mine is None
            continue
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "floor_divide"],
)
@pytest.mark.parametrize("numbers", [(2, 3), (2.5, 3), (-7, 2.0), (True, 3.0), (7.0, -2.0)])
def test_arithmetic_of_numbers_alone_is_computed_at_once(name: str, numbers: Any) -> None:
    if "sub" in name and True in numbers:
        return  # which PyTorch refuses
    theirs = getattr(torch, name)(*numbers)
    compiled = gc.jit.compile(lambda x: x + getattr(gc, name)(*numbers))
    for ours in (getattr(gc, name)(*numbers), compiled(gc.zeros((), dtype=gc.float64))):
        assert isinstance(ours, gc.Tensor)
        np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-6)
    assert getattr(gc, name)(*numbers).numpy().dtype == theirs.numpy().dtype


def test_arithmetic_of_numbers_alone_is_a_constant_of_a_graph() -> None:
    x = gc.input("x", (2,))
    chosen = gc.cond(gc.sum(x) > 0, lambda: gc.add(1.0, 2.0), lambda: gc.mul(3.0, 3.0))
    program = gc.compile([x], [x * gc.add(2.0, 3.0), chosen])
    for sign, number in ((1, 3.0), (-1, 9.0)):
        values = program(np.full(2, sign, "f"))
        np.testing.assert_array_equal(values[0], np.full(2, 5.0 * sign, "f"))
        assert values[1] == number


def test_the_sign_of_nan_and_every_nan_among_distinct_elements() -> None:
    x = np.array([np.nan, 2.0, -0.0, np.nan, -3.0, 2.0, np.inf], np.float32)
    for name in ("sign", "sgn"):
        wanted = getattr(torch, name)(torch.tensor(x)).numpy()
        for each in (getattr(gc, name), gc.jit.compile(getattr(gc, name))):
            np.testing.assert_array_equal(each(gc.tensor(x)).numpy(), wanted)
    theirs = torch.unique(torch.tensor(x), return_inverse=True, return_counts=True)
    ours = gc.unique(gc.tensor(x), return_inverse=True, return_counts=True)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# Which of equal elements PyTorch names is not promised; here it is the first, as in a stable sort.
ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "sort": lambda lib, x: lib.sort(x, 1),
    "sort down": lambda lib, x: lib.sort(x, 1, descending=True),
    "topk": lambda lib, x: lib.topk(x, 5, 1),
    "topk least": lambda lib, x: lib.topk(x, 5, 1, largest=False),
    "kthvalue": lambda lib, x: lib.kthvalue(x, 7, 1),
    "median": lambda lib, x: lib.median(x, 1),
}


@pytest.mark.parametrize("name", ORDERS)
def test_indices_among_equal_elements(name: str) -> None:
    rng = np.random.default_rng(0)
    for among in ((0, 1), (0, 1, 2, 3), (-np.inf, 0, np.inf), (1,)):
        x = rng.choice(np.array(among, np.float32), (4, 20))
        values = ORDERS[name](torch, torch.tensor(x))[0].numpy()
        for run in (ORDERS[name], lambda lib, t: gc.jit.compile(lambda t: ORDERS[name](gc, t))(t)):
            found, index = (t.numpy() for t in run(gc, gc.tensor(x)))
            np.testing.assert_array_equal(found, values)
            places, found = index.reshape(4, -1), found.reshape(4, -1)
            np.testing.assert_array_equal(np.take_along_axis(x, places, 1), found)
            for row, chosen in zip(x, places, strict=True):
                for value in set(row[chosen]) if len(chosen) > 1 else ():
                    own = [p for p in chosen if row[p] == value]
                    assert own == list(np.flatnonzero(row == value)[: len(own)])
