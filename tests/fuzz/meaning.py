"""What the functions of recipes mean: NumPy, floats in float64 whatever their declared dtype.

Written from the functions' documentation, and with none of graphc's own definitions: a recipe's
lines are read once with `gc` and once with `Meaning` under that name.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import linalg, special

from graphc.core.dtypes import is_float

from .meaning_torch import Composed

FLOATS = ("bfloat16", "float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(a % x.ndim for a in given)


def _pair(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _windows(x: Any, sizes: Any, stride: Any, padding: Any, dilation: Any, fill: float) -> Any:
    """x[n, c, *spatial] as [n, c, *out, *kernel]."""
    rank = x.ndim - 2
    stride, padding, dilation = (_pair(v, rank) for v in (stride, padding, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=fill)
    spans = tuple((k - 1) * d + 1 for k, d in zip(sizes, dilation))
    view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=tuple(range(2, x.ndim)))
    outer = tuple(slice(None, None, s) for s in stride)
    inner = tuple(slice(None, None, d) for d in dilation)
    return view[(slice(None), slice(None), *outer, *inner)]


class Meaning(Composed):
    """The namespace that stands for `gc`."""

    bool_ = np.dtype(bool)
    pi = np.pi

    # Elementwise functions that NumPy has under the same name are found by `__getattr__` below.
    erf, erfc = staticmethod(special.erf), staticmethod(special.erfc)
    sigmoid = staticmethod(special.expit)
    lgamma, digamma, zeta = map(staticmethod, (special.gammaln, special.digamma, special.zeta))
    ndtri, erfinv, erfcinv = map(staticmethod, (special.ndtri, special.erfinv, special.erfcinv))
    erfcx, i0e, i1e = map(staticmethod, (special.erfcx, special.i0e, special.i1e))

    @staticmethod
    def i0(x: Any) -> Any:
        return np.where(np.isinf(x), np.inf, special.i0(x))  # SciPy's is nan there

    @staticmethod
    def i1(x: Any) -> Any:
        return np.where(np.isinf(x), x, special.i1(x))

    @staticmethod
    def log1mexp(x: Any) -> Any:
        return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))

    @staticmethod
    def sinc(x: Any) -> Any:
        whole = np.rint(x)  # near integers NumPy's sine of pi * x has lost its digits
        wave = np.sin(np.pi * (x - whole)) * np.where(whole % 2 == 0, 1, -1)
        return np.where(np.abs(x) < 0.5, np.sinc(x), wave / np.where(x == 0, 1, np.pi * x))

    @staticmethod
    def rsqrt(x: Any) -> Any:
        return 1 / np.sqrt(x)

    @staticmethod
    def softplus(x: Any) -> Any:
        return np.logaddexp(0.0, x)

    @staticmethod
    def relu(x: Any) -> Any:
        return np.maximum(x, 0)

    @staticmethod
    def silu(x: Any) -> Any:
        return x * special.expit(x)

    @staticmethod
    def gelu(x: Any) -> Any:
        return x * 0.5 * (1 + special.erf(x / np.sqrt(2)))

    @staticmethod
    def sign(x: Any) -> Any:
        return np.sign(x)

    @staticmethod
    def clip(x: Any, low: Any, high: Any) -> Any:
        return np.minimum(np.maximum(x, low), high)

    @staticmethod
    def stop_gradient(x: Any) -> Any:
        return x

    @staticmethod
    def check(condition: Any, message: str, x: Any) -> Any:
        return x

    @staticmethod
    def cast(x: Any, dtype: Any, overflow: str = "error") -> Any:
        x = np.asarray(x)
        if x.dtype.kind != "f" or dtype.kind not in "iu":
            return x.astype(dtype)
        last = 2.0**64 if dtype == np.uint64 else 2.0**63
        cut = [int(v) if -(2.0**63) <= v < last else -(2**63) for v in x.ravel()]
        bits = 8 * dtype.itemsize
        return np.array([v % 2**bits for v in cut], np.uint64).reshape(x.shape).astype(dtype)

    # Reductions

    @staticmethod
    def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        top = np.max(x, axis=axis, keepdims=True)
        top = np.where(np.isinf(top), 0, top)
        found = top + np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True))
        return found if keepdims else np.squeeze(found, axis)

    @staticmethod
    def softmax(x: Any, axis: int = -1) -> Any:
        return special.softmax(x, axis=axis)

    @staticmethod
    def log_softmax(x: Any, axis: int = -1) -> Any:
        return special.log_softmax(x, axis=axis)

    @staticmethod
    def var(x: Any, axis: Any = None, keepdims: bool = False, *, correction: int = 1) -> Any:
        return np.var(x, axis=axis, keepdims=keepdims, ddof=correction)

    @staticmethod
    def std(x: Any, axis: Any = None, keepdims: bool = False, *, correction: int = 1) -> Any:
        return np.std(x, axis=axis, keepdims=keepdims, ddof=correction)

    @staticmethod
    def cross_entropy(x: Any, labels: Any) -> Any:
        return -np.mean(special.log_softmax(x, axis=1)[np.arange(len(labels)), labels])

    @staticmethod
    def mse_loss(x: Any, target: Any) -> Any:
        return np.mean((x - target) ** 2)

    # Movement

    @staticmethod
    def pad(x: Any, widths: Any, value: Any = 0, mode: str = "constant") -> Any:
        return np.pad(  # type: ignore[call-overload]
            x, widths, mode=mode, **({} if mode != "constant" else {"constant_values": value})
        )

    @staticmethod
    def concat(xs: Sequence[Any], axis: int = 0) -> Any:
        return np.concatenate(xs, axis)

    @staticmethod
    def iota(shape: Any, axis: int = 0, dtype: Any = np.int64) -> Any:
        own = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return np.broadcast_to(own, shape).astype(dtype)

    @staticmethod
    def full(shape: Any, value: Any, dtype: Any = None) -> Any:
        return np.full(shape, value, dtype)

    @staticmethod
    def constant(value: Any) -> Any:
        array = np.asarray(value)
        return array.astype(np.float64) if is_float(array.dtype) else array

    @staticmethod
    def one_hot(index: Any, count: int, dtype: Any = np.float64) -> Any:
        found = index[..., None] == np.arange(count)
        if not found.any(-1).all():
            raise IndexError
        return found.astype(dtype)

    @staticmethod
    def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return np.diagonal(x, offset, axis1, axis2)

    # Contractions

    @staticmethod
    def matmul_integer(x: Any, y: Any, x_zero: int = 0, y_zero: int = 0) -> Any:
        wide = (x.astype(np.int64) - x_zero) @ (y.astype(np.int64) - y_zero)
        return wide.astype(np.int32)

    @staticmethod
    def conv(
        x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Any:  # fmt: skip
        rank = x.ndim - 2
        view = _windows(x, weight.shape[2:], stride, padding, dilation, 0)
        parts = zip(np.split(view, groups, 1), np.split(weight, groups, 0))
        # Not by BLAS, which may leave out zeros: times infinity they are nan.
        places, inner = "uvw"[:rank], "xyz"[:rank]
        rule = f"nc{places}{inner},oc{inner}->no{places}"
        result = np.concatenate([np.einsum(rule, v, w) for v, w in parts], 1)
        return result if bias is None else result + bias.reshape(-1, *(1,) * rank)

    @staticmethod
    def max_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
        rank = x.ndim - 2
        view = _windows(x, _pair(size, rank), stride or size, padding, dilation, -np.inf)
        return view.max(tuple(range(2 + rank, view.ndim)))

    @staticmethod
    def avg_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
        rank = x.ndim - 2
        view = _windows(x, _pair(size, rank), stride or size, padding, 1, 0)
        return view.mean(tuple(range(2 + rank, view.ndim)))

    @staticmethod
    def conv_transpose(
        x: Any, weight: Any, bias: Any, stride: int, padding: int, output_padding: int = 0,
        groups: int = 1, dilation: int = 1,
    ) -> Any:  # fmt: skip
        rank, kernel = x.ndim - 2, weight.shape[2:]
        spans = [(n - 1) * stride + dilation * (k - 1) + 1 for n, k in zip(x.shape[2:], kernel)]
        whole = np.zeros((len(x), groups * weight.shape[1], *(s + output_padding for s in spans)))
        parts = zip(np.split(x, groups, 1), np.split(weight, groups, 0), np.split(whole, groups, 1))
        for part, weights, out in parts:
            for place in np.ndindex(*kernel):
                one = np.einsum(
                    "nc...,co->no...", part, weights[(slice(None), slice(None), *place)]
                )
                where = tuple(slice(dilation * p, dilation * p + stride * (n - 1) + 1, stride)
                              for p, n in zip(place, x.shape[2:]))  # fmt: skip
                out[(slice(None), slice(None), *where)] += one
        ends = [slice(padding, whole.shape[2 + k] - padding) for k in range(rank)]
        return whole[(slice(None), slice(None), *ends)]

    # Order, indices

    @staticmethod
    def cumsum(x: Any, axis: int, *, reverse: bool = False, exclusive: bool = False) -> Any:
        return _cumulative(np.cumsum, x, axis, reverse, exclusive, 0)

    @staticmethod
    def cumprod(x: Any, axis: int, *, reverse: bool = False, exclusive: bool = False) -> Any:
        return _cumulative(np.cumprod, x, axis, reverse, exclusive, 1)

    @staticmethod
    def recurrence(a: Any, b: Any, axis: int = -1, *, reverse: bool = False) -> Any:
        a, b = (np.moveaxis(v, axis, 0) for v in np.broadcast_arrays(a, b))
        result, carry = np.zeros_like(b), np.zeros_like(b[:1].sum(0))
        for t in reversed(range(len(b))) if reverse else range(len(b)):
            carry = result[t] = a[t] * carry + b[t]
        return np.moveaxis(result, 0, axis)

    @staticmethod
    def argsort(x: Any, axis: int = -1, descending: bool = False) -> Any:
        if not descending:
            return np.argsort(x, axis, kind="stable")
        places = np.argsort(np.flip(x, axis), axis, kind="stable")
        return np.flip(x.shape[axis] - 1 - places, axis)

    @staticmethod
    def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
        found = np.sort(x, axis)
        return np.flip(found, axis) if descending else found

    @staticmethod
    def index_add(x: Any, index: Any, updates: Any, axis: int = 0) -> Any:
        result = x.copy()
        np.add.at(np.moveaxis(result, axis, 0), index, np.moveaxis(updates, axis, 0))
        return result

    @staticmethod
    def index_update(x: Any, index: Any, values: Any, axis: int = 0) -> Any:
        result = x.copy()
        np.moveaxis(result, axis, 0)[index] = np.moveaxis(values, axis, 0)
        return result

    @staticmethod
    def index_reduce(x: Any, axis: int, index: Any, updates: Any, reduce: str) -> Any:
        result = x.copy()
        how = {"amax": np.maximum, "amin": np.minimum, "prod": np.multiply}[reduce]
        how.at(np.moveaxis(result, axis, 0), index, np.moveaxis(updates, axis, 0))
        return result

    @staticmethod
    def scatter_add(x: Any, index: Any, updates: Any, axis: int = -1) -> Any:
        result = x.copy()
        places = list(np.indices(index.shape))
        places[axis] = index
        np.add.at(result, tuple(places), updates)
        return result

    # Control flow

    @staticmethod
    def cond(pred: Any, true: Callable[..., Any], false: Callable[..., Any], *operands: Any) -> Any:
        return true(*operands) if pred else false(*operands)

    @staticmethod
    def scan(f: Callable[..., Any], init: Any, xs: Any, reverse: bool = False) -> Any:
        carry, ys = init, []
        for x in xs[::-1] if reverse else xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, np.stack(ys[::-1] if reverse else ys)

    @staticmethod
    def map(f: Callable[..., Any], xs: Any) -> Any:
        return np.stack([f(x) for x in xs])

    @staticmethod
    def while_loop(
        going: Callable[..., Any], step: Callable[..., Any], init: Any, max_steps: Any = None
    ) -> Any:
        state = init
        for _ in itertools.count() if max_steps is None else range(max_steps):
            if not going(state):
                break
            state = step(state)
        return tuple(np.asarray(s) for s in state)

    # Random numbers have no meaning but graphc's own: what is tested is that all ways agree.

    @staticmethod
    def random_key(seed: int) -> tuple[int, ...]:
        return (seed,)

    @staticmethod
    def fold_in(key: tuple[int, ...], data: int) -> tuple[int, ...]:
        return (*key, data)


def _cumulative(f: Any, x: Any, axis: int, reverse: bool, exclusive: bool, start: int) -> Any:
    x = np.flip(x, axis) if reverse else x
    if exclusive:
        head = np.full_like(np.take(x, [0], axis), start)
        x = np.concatenate([head, np.delete(x, -1, axis)], axis)
    found = f(x, axis)
    return np.flip(found, axis) if reverse else found


def _drawn(name: str) -> Callable[..., Any]:
    def draw(*args: Any, key: tuple[int, ...], **more: Any) -> Any:
        import graphc as gc
        from graphc.core.ir import Graph
        from graphc.core.operators import FUNCTIONS

        made = gc.random_key(key[0])
        for data in key[1:]:
            made = gc.fold_in(made, data)
        node = FUNCTIONS[name](*args, key=made, **more)
        (value,) = gc.interpret(Graph.of("draw", [], [node]))
        return value.astype(np.float64) if is_float(value.dtype) else value

    return draw


for _name in ("uniform", "normal", "randint", "bernoulli"):
    setattr(Meaning, _name, staticmethod(_drawn(_name)))


def _dropped(x: Any, p: float, *, key: tuple[int, ...]) -> Any:
    return x * _drawn("dropout")(np.ones(x.shape), p, key=key)


Meaning.dropout = staticmethod(_dropped)  # type: ignore[attr-defined]
for _name in FLOATS:
    setattr(Meaning, _name, np.dtype(np.float64))
for _name in INTEGERS:
    setattr(Meaning, _name, np.dtype(_name))
for _name in dir(np):
    if callable(getattr(np, _name)) and not _name.startswith("_") and not hasattr(Meaning, _name):
        setattr(Meaning, _name, staticmethod(getattr(np, _name)))
# Not each index of the whole rule inside the others, as `np.einsum` runs three operands.
Meaning.einsum = staticmethod(functools.partial(np.einsum, optimize=True))  # type: ignore[attr-defined]
Meaning.full_like = staticmethod(lambda x, value: np.full(np.shape(x), value, x.dtype))  # type: ignore[attr-defined]


class _Linalg:
    """What stands for `gc.linalg`, of batches of matrices."""

    inv, det = staticmethod(np.linalg.inv), staticmethod(np.linalg.det)
    solve, cholesky = staticmethod(np.linalg.solve), staticmethod(np.linalg.cholesky)
    eigh, pinv = staticmethod(np.linalg.eigh), staticmethod(np.linalg.pinv)
    qr, svd = staticmethod(np.linalg.qr), staticmethod(np.linalg.svd)
    matrix_exp = staticmethod(linalg.expm)

    @staticmethod
    def svdvals(x: Any) -> Any:
        return np.linalg.svd(x, compute_uv=False)

    @staticmethod
    def lu(x: Any) -> Any:
        return tuple(map(np.stack, zip(*map(linalg.lu, x))))

    @staticmethod
    def solve_triangular(x: Any, y: Any, *, upper: bool) -> Any:
        pairs = zip(x, y)
        return np.stack([linalg.solve_triangular(a, b, lower=not upper) for a, b in pairs])


Meaning.linalg = _Linalg  # type: ignore[attr-defined]
