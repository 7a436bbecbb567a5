"""Transforms beside PyTorch's `torch.func`: one text for both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.core.trees import flatten

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(0)
DATA = {
    "a": RNG.standard_normal((5, 3)), "b": RNG.standard_normal(3), "m": RNG.standard_normal((3, 3)),
    "i": np.array([2, 0, 1, 1, 0]), "z": RNG.standard_normal((5, 2, 6, 6)),
    "w": RNG.standard_normal((4, 2, 3, 3)), "u": RNG.standard_normal((5, 4, 2, 3, 3)),
}  # fmt: skip
TEXTS = """
    F.vmap(lambda x: T.softmax(x, -1).max())(a)
    F.vmap(lambda x: x.max(0))(a)
    F.vmap(lambda x: x.sort(0)[0] * x.std())(a)
    F.vmap(lambda x, k: x.gather(0, k[None]).sum(), in_dims=(0, 0))(a, i)
    F.vmap(lambda x: T.cat([x, x * 2])[1:4].flip(0), out_dims=1)(a)
    F.vmap(lambda x, y: T.outer(x, y) @ y, in_dims=(0, None))(a, b)
    F.vmap(lambda x: T.where(x > 0, x.cumsum(0), x.prod()))(a)
    F.vmap(lambda x: N.conv2d(x, w, padding=1))(z)
    F.vmap(lambda k: N.conv2d(z[0][None], k))(u)
    F.vmap(lambda x, k: N.conv2d(x[None], k))(z, u)
    F.vmap(F.grad(lambda k, x: (N.conv2d(x[None], k) ** 2).sum()), in_dims=(None, 0))(w, z)
    F.vmap(lambda x: N.max_pool2d(x[None], 2).sum())(z)
    F.vmap(F.grad(lambda x: N.avg_pool2d(x[None], 3, 2, 1).pow(2).sum()))(z)
    F.vmap(lambda x: N.layer_norm(x, (3,)))(a)
    F.vmap(F.jacrev(lambda x: N.normalize(x, dim=0)))(a)
    F.vmap(F.hessian(lambda x: T.logsumexp(m @ x, 0)))(a)
    F.vmap(F.vmap(lambda x, y: x * y), in_dims=(0, None))(a, b)
    F.hessian(lambda x, y: (T.tanh(x) * y).sum(), argnums=(0, 1))(b, m[0])
    F.jacfwd(lambda x: {"s": x.sin(), "p": (x.prod(), x[0])})(b)
    F.jacrev(F.grad(lambda x: (x ** 4).sum()))(b)
    F.jvp(lambda x, y: (x @ y, x.sum()), (a, b), (a * 2, b + 1))
    F.vjp(lambda x, y: x @ y, a, b)[1](T.ones_like(a[:, 0]))
    F.vjp(lambda x: (x.sin(), x.exp().sum()), b)[1]((b, b[0]))
    F.linearize(lambda x: T.erf(m @ x), b)[1](b * 2)
    F.grad_and_value(lambda x: (x.norm(), x * 2), has_aux=True)(b)
    F.grad(lambda x: F.jvp(lambda y: (y ** 3).sum(), (x,), (x,))[1])(b)
    F.vmap(lambda x: F.jvp(T.sin, (x,), (x,))[1])(a)
    F.grad(lambda d: (d["x"] * d["y"]).sum())({"x": b, "y": m[1]})
"""


@pytest.mark.parametrize("text", [line.strip() for line in TEXTS.strip().splitlines()])
def test_one_text_gives_the_same_in_both(text: str) -> None:
    torch = pytest.importorskip("torch")

    def evaluate(module: Any, functions: Any) -> list[np.ndarray]:
        names = {"T": module, "F": functions, "N": module.nn.functional}
        found = eval(text, names | {name: module.tensor(x) for name, x in DATA.items()})
        return [leaf.detach().numpy() for leaf in flatten(found)[0]]

    for got, wanted in zip(evaluate(gc, gc.func), evaluate(torch, torch.func), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
