"""The cases: each builds graphc's contender and its peers', and compares their outputs first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import peers
from measure import paired

import graphc as gc

Contenders = dict[str, peers.Contender]


def race(contenders: Contenders, tolerance: float, **settings: Any) -> dict[str, float]:
    """Compare every contender's first result with graphc's, then time them all in turn."""
    wanted = contenders["graphc"][1]()
    for name, (_, result) in contenders.items():
        if name == "graphc":
            continue
        for ours, theirs in zip(wanted, result(), strict=True):
            scale = max(1e-6, float(np.abs(theirs).max(initial=0)))
            error = float(np.abs(np.asarray(ours, np.float64) - theirs).max(initial=0)) / scale
            assert error < tolerance, f"{name} and graphc differ by {error:.2e}"
    return paired({name: call for name, (call, _) in contenders.items()}, **settings)


def _weights(sizes: list[int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found = []
    for inner, outer in pairwise(sizes):
        bound = 1 / np.sqrt(inner)
        found.append(rng.uniform(-bound, bound, (outer, inner)).astype(np.float32))
        found.append(rng.uniform(-bound, bound, outer).astype(np.float32))
    return found


def _mlp(relu: Callable[[Any], Any], weights: list[Any], x: Any) -> Any:
    for k in range(0, len(weights), 2):
        x = x @ weights[k].T + weights[k + 1]
        if k + 2 < len(weights):
            x = relu(x)
    return x


def mlp_program(weights: list[np.ndarray], rate: float = 0.01) -> gc.Program:
    """The training step of an MLP with cross-entropy and SGD."""
    n = gc.dim("n", min=1)
    x = gc.input("x", (n, weights[0].shape[1]), gc.float32)
    t = gc.input("t", (n,), gc.int64)
    parameters = [gc.parameter(f"w{k}", w) for k, w in enumerate(weights)]
    loss = gc.cross_entropy(_mlp(gc.relu, parameters, x), t)
    gradients = gc.grad(loss, parameters)
    updates = {w: w - rate * g for w, g in zip(parameters, gradients)}
    return gc.compile([x, t], loss, updates, name="mlp_step")


def mlp(sizes: list[int] | None = None, batch: int = 64) -> dict[str, float]:
    """A training step of 784-512-256-10, batch 64, cross-entropy, SGD, two threads."""
    sizes = sizes or [784, 512, 256, 10]
    weights = _weights(sizes)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
    t = rng.integers(0, sizes[-1], batch)
    step = mlp_program(weights)
    contenders: Contenders = {"graphc": (lambda: step(x, t), lambda: [step(x, t)])}
    contenders |= peers.torch_training(
        weights,
        lambda torch, p, x: _mlp(torch.relu, p, x),
        lambda torch, y, t: torch.nn.functional.cross_entropy(y, t),
        lambda torch, p: torch.optim.SGD(p, lr=0.01),
        x,
        t,
    )
    contenders |= peers.jax_training(
        weights,
        lambda jnp, p, x: _mlp(lambda v: jnp.maximum(v, 0), p, x),
        _jax_cross_entropy,
        lambda jnp, p, g, s: ([w - 0.01 * d for w, d in zip(p, g)], s),
        {},
        x,
        t,
    )
    return race(contenders, 1e-4)


def _jax_cross_entropy(jnp: Any, logits: Any, t: Any) -> Any:
    import jax

    logp = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(logp, t[:, None], axis=1).mean()


def tiny_program(weights: list[np.ndarray], rate: float = 1e-3) -> gc.Program:
    """The training step of Linear(5,8), ReLU, Linear(8,1), Sigmoid with BCE and Adam."""
    x = gc.input("x", (10, 5), gc.float32)
    t = gc.input("t", (10, 1), gc.float32)
    parameters = [gc.parameter(f"w{k}", w) for k, w in enumerate(weights)]
    y = gc.sigmoid(_mlp(gc.relu, parameters, x))
    loss = -gc.mean(t * gc.log(y) + (1 - t) * gc.log(1 - y))
    count = gc.parameter("count", np.zeros((), np.float32))
    updates: dict[Any, Any] = {count: count + 1.0}
    first, second = 1 - 0.9 ** updates[count], 1 - 0.999 ** updates[count]
    for w, g in zip(parameters, gc.grad(loss, parameters)):
        m = gc.parameter(f"{w.name}_m", np.zeros_like(w.value))
        v = gc.parameter(f"{w.name}_v", np.zeros_like(w.value))
        updates[m] = 0.9 * m + 0.1 * g
        updates[v] = 0.999 * v + 0.001 * g * g
        updates[w] = w - rate * (updates[m] / first) / (gc.sqrt(updates[v] / second) + 1e-8)
    return gc.compile([x, t], loss, updates, name="tiny_step")


def tiny() -> dict[str, float]:
    """A training step of Linear(5,8), ReLU, Linear(8,1), Sigmoid; BCE, Adam, batch 10."""
    weights = _weights([5, 8, 1])
    rng = np.random.default_rng(1)
    x = rng.standard_normal((10, 5)).astype(np.float32)
    t = rng.integers(0, 2, (10, 1)).astype(np.float32)
    step = tiny_program(weights)
    contenders: Contenders = {"graphc": (lambda: step(x, t), lambda: [step(x, t)])}
    contenders |= peers.torch_training(
        weights,
        lambda torch, p, x: torch.sigmoid(_mlp(torch.relu, p, x)),
        lambda torch, y, t: torch.nn.functional.binary_cross_entropy(y, t),
        lambda torch, p: torch.optim.Adam(p, lr=1e-3),
        x,
        t,
    )
    contenders |= peers.jax_training(
        weights,
        lambda jnp, p, x: 1 / (1 + jnp.exp(-_mlp(lambda v: jnp.maximum(v, 0), p, x))),
        lambda jnp, y, t: -(t * jnp.log(y) + (1 - t) * jnp.log(1 - y)).mean(),
        _jax_adam,
        {
            "count": np.zeros((), np.float32),
            "m": [np.zeros_like(w) for w in weights],
            "v": [np.zeros_like(w) for w in weights],
        },
        x,
        t,
    )
    return race(contenders, 1e-4)


def _jax_adam(jnp: Any, weights: Any, gradients: Any, state: Any) -> Any:
    count = state["count"] + 1
    first, second = 1 - 0.9**count, 1 - 0.999**count
    m = [0.9 * m + 0.1 * g for m, g in zip(state["m"], gradients)]
    v = [0.999 * v + 0.001 * g * g for v, g in zip(state["v"], gradients)]
    new = [w - 1e-3 * (a / first) / (jnp.sqrt(b / second) + 1e-8) for w, a, b in zip(weights, m, v)]
    return new, {"count": count, "m": m, "v": v}


def softmax() -> dict[str, float]:
    """Softmax over the rows of 4096 x 1000, one thread."""
    x = np.random.default_rng(0).standard_normal((4096, 1000)).astype(np.float32)
    inp = gc.input("x", x.shape, gc.float32)
    program = gc.compile([inp], gc.softmax(inp, axis=-1), threads=1, name="softmax")
    contenders: Contenders = {"graphc": (lambda: program(x), lambda: [program(x)])}
    contenders |= peers.torch_function(lambda torch: lambda x: torch.softmax(x, -1), x)
    contenders |= peers.jax_function(lambda jax, jnp: lambda x: jax.nn.softmax(x, -1), x)
    return race(contenders, 1e-5)


def layer_norm_program(shape: tuple[int, ...], threads: int | None = 1) -> gc.Program:
    """Layer norm and its gradients wrt input, scale and shift, for a given cotangent."""
    x, ct = gc.input("x", shape), gc.input("ct", shape)
    scale, shift = gc.input("scale", shape[-1:]), gc.input("shift", shape[-1:])
    centred = x - gc.mean(x, axis=-1, keepdims=True)
    var = gc.mean(centred * centred, axis=-1, keepdims=True)
    y = centred / gc.sqrt(var + 1e-5) * scale + shift
    gradients = gc.grad(gc.sum(y * ct), [x, scale, shift])
    return gc.compile([x, scale, shift, ct], [y, *gradients], threads=threads, name="layer_norm")


def layer_norm() -> dict[str, float]:
    """Layer norm over 4096 x 768, forward and backward, one thread."""
    rng = np.random.default_rng(0)
    x, ct = (rng.standard_normal((4096, 768)).astype(np.float32) for _ in range(2))
    scale, shift = (rng.standard_normal(768).astype(np.float32) for _ in range(2))
    program = layer_norm_program(x.shape)
    contenders: Contenders = {
        "graphc": (lambda: program(x, scale, shift, ct), lambda: program(x, scale, shift, ct))
    }

    def make_torch(torch: Any) -> Any:
        def function(x: Any, scale: Any, shift: Any, ct: Any) -> Any:
            leaves = [v.detach().requires_grad_() for v in (x, scale, shift)]
            y = torch.nn.functional.layer_norm(leaves[0], (768,), leaves[1], leaves[2])
            return (y, *torch.autograd.grad(y, leaves, ct))

        return function

    def make_jax(jax: Any, jnp: Any) -> Any:
        def forward(x: Any, scale: Any, shift: Any) -> Any:
            mean = x.mean(-1, keepdims=True)
            var = ((x - mean) ** 2).mean(-1, keepdims=True)
            return (x - mean) / jnp.sqrt(var + 1e-5) * scale + shift

        def function(x: Any, scale: Any, shift: Any, ct: Any) -> Any:
            y, pull = jax.vjp(forward, x, scale, shift)
            return (y, *pull(ct))

        return function

    found = peers.torch_function(make_torch, x, scale, shift, ct)
    # torch.compile cannot hold autograd.grad of its own inputs; its fair form is compiled forward.
    if "torch.compile" in found:
        found["torch.compile"] = _compiled_layer_norm(x, scale, shift, ct)
    contenders |= found
    contenders |= peers.jax_function(make_jax, x, scale, shift, ct)
    return race(contenders, 1e-3)


def _compiled_layer_norm(*arrays: np.ndarray) -> peers.Contender:
    torch = peers.torch
    x, scale, shift, ct = (torch.from_numpy(a) for a in arrays)
    leaves = [v.detach().requires_grad_() for v in (x, scale, shift)]
    forward = torch.compile(
        lambda x, scale, shift: torch.nn.functional.layer_norm(x, (x.shape[-1],), scale, shift)
    )

    def call() -> Any:
        y = forward(*leaves)
        return (y, *torch.autograd.grad(y, leaves, ct))

    return call, lambda: [v.detach().numpy() for v in call()]


def chain(threads: int | None = None) -> dict[str, float]:
    """Ten elementwise ops over 10 million floats, against a copy of the same array."""
    x = np.random.default_rng(0).standard_normal(10_000_000).astype(np.float32)
    inp = gc.input("x", (gc.dim("n"),), gc.float32)

    def ten(y: Any, maximum: Any, minimum: Any) -> Any:
        y = y * 1.5 + 0.25
        y = maximum(y, -1.0)
        y = minimum(y, 1.0)
        y = y * y - 0.5
        y = -y * 0.75
        return y + 2.0

    program = gc.compile([inp], ten(inp, gc.maximum, gc.minimum), threads=threads, name="chain")
    out, copy = np.empty_like(x), np.empty_like(x)
    contenders: Contenders = {
        "graphc": (lambda: program(x, out=out), lambda: [program(x)]),
    }
    contenders |= peers.torch_function(
        lambda torch: (
            lambda x: ten(x, lambda a, b: torch.clamp(a, min=b), lambda a, b: torch.clamp(a, max=b))
        ),
        x,
    )
    contenders |= peers.jax_function(lambda jax, jnp: lambda x: ten(x, jnp.maximum, jnp.minimum), x)
    times = race(contenders, 1e-5, rounds=9)
    times["copy, one thread"] = paired({"copy": lambda: np.copyto(copy, x)}, rounds=15)["copy"]
    halves = gc.compile([inp], inp + 0.0, threads=threads, name="copy")
    times["copy, all threads"] = paired({"copy": lambda: halves(x, out=copy)}, rounds=15)["copy"]
    return times


def convnet_program(batch: int = 256) -> tuple[gc.Program, Any]:
    """The training step of a standard tutorial's ConvNet on 28 x 28 images."""
    rng = np.random.default_rng(0)
    x = gc.input("x", (batch, 1, 28, 28), gc.float32)
    t = gc.input("t", (batch,), gc.int64)
    trained: list[Any] = []

    def parameter(name: str, *shape: int) -> Any:
        bound = 1 / np.sqrt(np.prod(shape[1:]) or 1)
        trained.append(gc.parameter(name, rng.uniform(-bound, bound, shape).astype(np.float32)))
        return trained[-1]

    y: Any = x
    for k, (inner, outer) in enumerate([(1, 16), (16, 32)]):
        y = gc.conv(
            y, parameter(f"conv{k}", outer, inner, 5, 5), parameter(f"bias{k}", outer), padding=2
        )
        mean = gc.mean(y, axis=(0, 2, 3), keepdims=True)
        var = gc.var(y, axis=(0, 2, 3), keepdims=True)
        scale, shift = parameter(f"scale{k}", outer), parameter(f"shift{k}", outer)
        y = (y - mean) / gc.sqrt(var + 1e-5) * scale.reshape(1, -1, 1, 1)
        y = gc.max_pool(gc.relu(y + shift.reshape(1, -1, 1, 1)), 2)
    y = y.reshape(batch, 32 * 7 * 7) @ parameter("linear", 10, 32 * 7 * 7).T + parameter("bias", 10)
    loss = gc.cross_entropy(y, t)
    updates: dict[Any, Any] = {}
    for w, g in zip(trained, gc.grad(loss, trained)):
        velocity = gc.parameter(f"{w.name}_velocity", np.zeros_like(w.value))
        updates[velocity] = 0.9 * velocity + g
        updates[w] = w - 0.01 * updates[velocity]
    return gc.compile([x, t], loss, updates, name="convnet_step"), loss


def table(batch: int, rows: int = 400_000, columns: int = 64) -> dict[str, float]:
    """A training step of some rows of a table: SGD with sparse gradients; JAX's by hand."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((rows, columns)).astype(np.float32)
    places = rng.integers(0, rows, batch)
    places[:2] = places[0]
    wanted = rng.standard_normal((batch, columns)).astype(np.float32)
    w = gc.parameter("w", start)
    i, x = gc.input("i", (batch,), gc.int64), gc.input("x", (batch, columns))
    loss = gc.sum((gc.nn.functional.embedding(i, w) - x) ** 2.0)
    step = gc.compile([i, x], loss, {w: w - 0.01 * gc.grad(loss, w)}, name="table_step")

    def stepped() -> list[np.ndarray]:
        step(places, wanted)
        return [w.value[places]]

    contenders: Contenders = {"graphc": (lambda: step(places, wanted), stepped)}
    return race(contenders | peers.table_steps(start, places, wanted, 0.01), 1e-5, rounds=9)


CASES = {
    "tiny": tiny, "mlp": mlp, "softmax": softmax, "layer_norm": layer_norm, "chain": chain,
    "table_32": lambda: table(32), "table_4096": lambda: table(4096),
}  # fmt: skip
