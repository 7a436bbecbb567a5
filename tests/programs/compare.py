"""Run a program by graphc and by its reference: values, and gradients of all float arguments.

A program may give one result or several, scalars or arrays. Its gradients are those of one number
made of them: a scalar as it stands, an array by the sum of its sines, which no normalisation
leaves constant.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from lowering import run_lowered

import graphc as gc
from graphc.core.ir import toposort
from graphc.passes.pipeline import optimize

from .corpus import PROGRAMS, Program
from .surfaces import Graphc, Jax, Numpy, differences

TOLERANCE = {
    "float64": {"value": 1e-9, "gradient": 2e-7},
    "float32": {"value": 2e-5, "gradient": 2e-4},
}


def flat(results: Any) -> list[Any]:
    """The results as a list."""
    if isinstance(results, tuple | list):
        return [r for part in results for r in flat(part)]
    return [results]


def number(m: Any, results: Any) -> Any:
    """One number of all float results."""
    total: Any = None
    for place, result in enumerate(flat(results)):
        if np.dtype(getattr(result.dtype, "numpy", result.dtype)).kind != "f":
            continue
        part = m.sum(m.sin(result)) if len(result.shape) else result
        part = part / (1 + place)
        total = part if total is None else total + part
    return total


@functools.cache
def reference(name: str, size: str = "small") -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Values and gradients by NumPy in float64, the gradients by differences.

    At other sizes than small there is one difference an argument, along `direction`; none where
    a kink lies so near on the way that differences of two lengths disagree.
    """
    entry, m = PROGRAMS[name], Numpy()
    arrays = entry.arrays(entry.grown() if size == "grown" else getattr(entry, size))
    m.held = []
    values = [np.asarray(v) for v in flat(entry.function(m, **arrays))]

    def run(moved: Mapping[str, np.ndarray]) -> float:
        m.place = 0
        return number(m, entry.function(m, **{**arrays, **moved}))

    gradients = {}
    for key, x in arrays.items():
        if x.dtype.kind != "f":
            continue
        if size != "small":
            way = direction(x)

            def along(t: np.ndarray, key: str = key, x: np.ndarray = x, way: Any = way) -> float:
                return run({key: x + t * way})

            slope, shorter = (differences(along, np.zeros(()), step) for step in (1e-3, 1e-4))
            if abs(slope - shorter) <= 1e-7 * (1 + abs(slope)):
                gradients[key] = slope
        else:
            gradients[key] = differences(lambda x, key=key: run({key: x}), x)  # type: ignore[misc]
    return values, gradients


def direction(x: np.ndarray) -> np.ndarray:
    """A direction of length one in the space of an argument."""
    way = np.cos(1.0 + np.arange(x.size)).reshape(x.shape)
    return way / np.sqrt((way * way).sum())


def by_jax(entry: Program, sizes: Mapping[str, int]) -> tuple[list[Any], dict[str, Any]]:
    """Values and gradients by JAX in float64."""
    m = Jax()
    arrays = {k: m.xp.asarray(v) for k, v in entry.arrays(sizes).items()}
    floats = [k for k, v in arrays.items() if v.dtype.kind == "f"]

    def total(given: dict[str, Any]) -> tuple[Any, Any]:
        results = entry.function(m, **{**arrays, **given})
        return number(m, results), flat(results)

    (_, values), found = m.jax.value_and_grad(total, has_aux=True)({k: arrays[k] for k in floats})
    return [np.asarray(v) for v in values], {k: np.asarray(found[k]) for k in floats}


def arguments(entry: Program, sizes: Mapping[str, int], dtype: str) -> dict[str, np.ndarray]:
    """The arguments with floats in a dtype."""
    found = entry.arrays(sizes)
    return {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in found.items()}


def build(
    entry: Program, dtype: str, sizes: Mapping[str, int], symbolic: bool
) -> tuple[list[gc.Node], list[gc.Node], list[gc.Node]]:
    """Inputs, results and gradients as nodes of a graph."""
    named: dict[str, Any] = dict(sizes)
    if symbolic and entry.symbolic:
        named[entry.symbolic] = gc.dim(entry.symbolic)
    inputs = []
    for key, array in arguments(entry, sizes, dtype).items():
        shape = tuple(named[s] if s in named else int(s) for s in entry.specs[key].shape)
        inputs.append(gc.input(key, shape, array.dtype.name))
    m = Graphc()
    results = entry.function(m, *inputs)
    floats = [x for x in inputs if x.dtype.numpy.kind == "f"]
    return inputs, flat(results), list(gc.grad(number(m, results), floats))


def compiled(
    entry: Program, level: str, dtype: str, symbolic: bool, sizes: Mapping[str, int], **how: Any
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Values and gradients by a compiled graph."""
    inputs, results, gradients = build(entry, dtype, sizes, symbolic)
    run = gc.compile(inputs, results + gradients, level=level, name=entry.name, **how)
    return _parts(inputs, len(results), run(*arguments(entry, sizes, dtype).values()))


def for_any_size(entry: Program, level: str, dtype: str) -> Any:
    """One program for all values of the symbolic size: a function of the sizes."""
    inputs, results, gradients = build(entry, dtype, entry.small, True)
    run = gc.compile(inputs, results + gradients, level=level, name=entry.name)
    return lambda sizes: _parts(inputs, len(results), run(*arguments(entry, sizes, dtype).values()))


def _parts(inputs: list[gc.Node], count: int, found: Any) -> Any:
    names = [x.name for x in inputs if x.dtype.numpy.kind == "f"]
    return found[:count], dict(zip(names, found[count:]))


def in_python(
    entry: Program, level: str, dtype: str, symbolic: bool, sizes: Mapping[str, int], parts: int = 2
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Values and gradients by the lowered graph, its kernels run as plain Python over garbage."""
    inputs, results, gradients = build(entry, dtype, sizes, symbolic)
    fixed = [n for n in toposort((*results, *gradients)) if n.op.name == "constant"]
    graph = gc.Graph.of(entry.name, inputs + fixed, results + gradients)
    final, _ = optimize(graph, level)
    numbers = {entry.symbolic: sizes[entry.symbolic]} if symbolic and entry.symbolic else {}
    arrays = [*arguments(entry, sizes, dtype).values(), *(n.value for n in fixed)]  # type: ignore[attr-defined]
    found, _ = run_lowered(final, arrays, numbers, parts=parts)
    return _parts(inputs, len(results), found)


def as_step(entry: Program) -> Any:
    """The program and its gradients as a function of tensors, to run eagerly or compiled."""
    m = Graphc()

    def step(*tensors: Any) -> Any:
        results = entry.function(m, *tensors)
        floats = [t for t in tensors if t.is_floating_point()]
        found = gc.autograd.grad(number(m, results), floats, allow_unused=True)
        return flat(results), [gc.zeros_like(t) if g is None else g for t, g in zip(floats, found)]

    return step


def by_step(
    entry: Program, run: Any, dtype: str, sizes: Mapping[str, int]
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Values and gradients by a function that `as_step` made."""
    arrays = arguments(entry, sizes, dtype)
    tensors = {k: gc.tensor(v) for k, v in arrays.items()}
    floats = [k for k, v in arrays.items() if v.dtype.kind == "f"]
    for key in floats:
        tensors[key].requires_grad_()
    values, slopes = run(*tensors.values())
    return [v.detach().numpy() for v in values], {
        k: g.detach().numpy() for k, g in zip(floats, slopes)
    }


def assert_equal(entry: Program, found: Any, dtype: str = "float64", size: str = "small") -> None:
    """Stop unless values and gradients are the reference's, within a dtype's rounding."""
    wanted_values, wanted_slopes = reference(entry.name, size)
    values, slopes = found
    allowed = TOLERANCE[dtype]
    assert len(values) == len(wanted_values)
    for place, (a, b) in enumerate(zip(values, wanted_values)):
        _close(a, b, allowed["value"] * entry.rough, f"result {place}")
    for key, b in wanted_slopes.items():
        a, scale = np.asarray(slopes[key], np.float64), 1.0
        if size != "small":  # what is lost is measured by the whole gradient, not by its part
            a, scale = (a * direction(a)).sum(), 1.0 + np.sqrt((a * a).sum())
        _close(a, b, allowed["gradient"] * entry.rough * scale, f"gradient of {key}")


def _close(a: Any, b: np.ndarray, tolerance: float, what: str) -> None:
    a = np.asarray(a)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, expected {b.shape}"
    if b.dtype.kind != "f":
        np.testing.assert_array_equal(a, b, what)
        return
    scale = 1.0 + (np.abs(b[np.isfinite(b)]).max() if np.isfinite(b).any() else 0.0)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale, err_msg=what)
