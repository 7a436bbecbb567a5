"""The peers, where they are installed: PyTorch eager, torch.compile, jax.jit.

Each function returns contenders for one case: name -> (call, result as NumPy arrays). Inputs are
converted beforehand, and JAX's results are waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None  # type: ignore[assignment]

Contender = tuple[Callable[[], Any], Callable[[], list[np.ndarray]]]


def missing() -> list[str]:
    """The peers that are not installed."""
    return [name for name, module in (("torch", torch), ("jax", jax)) if module is None]


def versions() -> str:
    """The peers' versions, in words."""
    found = [f"{m.__name__} {m.__version__}" for m in (torch, jax) if m is not None]
    return ", ".join(found) or "no peer is installed"


def use_threads(count: int) -> None:
    """Set PyTorch's thread count; JAX follows the processors that the process may use."""
    if torch is not None:
        torch.set_num_threads(count)


def torch_function(make: Callable[[Any], Callable[..., Any]], *arrays: Any) -> dict[str, Contender]:
    """PyTorch eager and compiled forms of a function of arrays."""
    if torch is None:
        return {}
    tensors = [torch.from_numpy(a) for a in arrays]
    found: dict[str, Contender] = {}
    for name, wrap in (("torch eager", lambda f: f), ("torch.compile", torch.compile)):
        function = wrap(make(torch))
        found[name] = (
            lambda function=function: function(*tensors),  # type: ignore[misc]
            lambda function=function: _numpy(function(*tensors)),  # type: ignore[misc]
        )
    return found


def jax_function(
    make: Callable[[Any, Any], Callable[..., Any]], *arrays: Any
) -> dict[str, Contender]:
    """The jitted JAX form of a function of arrays."""
    if jax is None:
        return {}
    values = [jnp.asarray(a) for a in arrays]
    function = jax.jit(make(jax, jnp))
    call = lambda: jax.block_until_ready(function(*values))  # noqa: E731
    return {"jax.jit": (call, lambda: [np.asarray(v) for v in jax.tree.leaves(call())])}


def _numpy(result: Any) -> list[np.ndarray]:
    items = result if isinstance(result, tuple | list) else [result]
    return [item.detach().numpy() for item in items]


def torch_training(
    weights: list[np.ndarray],
    forward: Callable[[Any, list[Any], Any], Any],
    loss: Callable[[Any, Any, Any], Any],
    optimizer: Callable[[Any, list[Any]], Any],
    x: np.ndarray,
    t: np.ndarray,
) -> dict[str, Contender]:
    """A PyTorch training step, eager and compiled; the result is the loss."""
    if torch is None:
        return {}
    found: dict[str, Contender] = {}
    xt, tt = torch.from_numpy(x), torch.from_numpy(t)
    for name in ("torch eager", "torch.compile"):
        parameters = [torch.nn.Parameter(torch.from_numpy(w.copy())) for w in weights]
        optim = optimizer(torch, parameters)

        def objective(x: Any, t: Any, parameters: Any = parameters) -> Any:
            return loss(torch, forward(torch, parameters, x), t)

        if name == "torch.compile":
            objective = torch.compile(objective)

        def step(objective: Any = objective, optim: Any = optim) -> Any:
            optim.zero_grad()
            value = objective(xt, tt)
            value.backward()
            optim.step()
            return value

        found[name] = (step, lambda step=step: [step().detach().numpy()])  # type: ignore[misc]
    return found


def jax_training(
    weights: list[np.ndarray],
    forward: Callable[[Any, list[Any], Any], Any],
    loss: Callable[[Any, Any, Any], Any],
    update: Callable[[Any, Any, Any, Any], Any],
    state: Any,
    x: np.ndarray,
    t: np.ndarray,
) -> dict[str, Contender]:
    """A jitted JAX training step with donated state; the result is the loss."""
    if jax is None:
        return {}
    xj, tj = jnp.asarray(x), jnp.asarray(t)

    def raw(parameters: Any, state: Any, x: Any, t: Any) -> Any:
        objective = lambda p: loss(jnp, forward(jnp, p, x), t)  # noqa: E731
        value, gradients = jax.value_and_grad(objective)(parameters)
        return (value, *update(jnp, parameters, gradients, state))

    compiled = jax.jit(raw, donate_argnums=(0, 1))
    held = [[jnp.asarray(w) for w in weights], jax.tree.map(jnp.asarray, state)]

    def step() -> Any:
        value, *held[:] = compiled(*held, xj, tj)
        jax.block_until_ready(held)
        return value

    return {"jax.jit": (step, lambda: [np.asarray(step())])}


def table_steps(
    start: np.ndarray, places: np.ndarray, wanted: np.ndarray, rate: float
) -> dict[str, Contender]:
    """A step towards rows of a table by sparse gradients: PyTorch's, and JAX's rows by hand."""
    found: dict[str, Contender] = {}
    if torch is not None:
        weight = torch.nn.Parameter(torch.from_numpy(start.copy()))
        optimizer = torch.optim.SGD([weight], lr=rate)
        i, x = torch.from_numpy(places), torch.from_numpy(wanted)

        def torch_step() -> Any:
            optimizer.zero_grad()
            rows = torch.nn.functional.embedding(i, weight, sparse=True)
            ((rows - x) ** 2).sum().backward()
            optimizer.step()
            return weight

        found["torch eager"] = (torch_step, lambda: _numpy(torch_step()[i]))
    if jax is not None:
        held = [jnp.asarray(start)]
        moved = jax.jit(lambda w, i, x: w.at[i].add(-2 * rate * (w[i] - x)), donate_argnums=0)

        def jax_step() -> Any:
            held[0] = moved(held[0], places, wanted)
            return held[0].block_until_ready()

        found["jax.jit"] = (jax_step, lambda: [np.asarray(jax_step()[places])])
    return found
