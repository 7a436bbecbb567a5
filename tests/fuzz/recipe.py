"""A program as text: inputs, lines of the public API, outputs, updates, and how it is run.

    Recipe(inputs={"x": Input("float32", (3, "n"), array)}, lines=[("v0", "gc.sum(x, axis=1)")],
           outputs=["v0"], sizes={"n": 4})

The same lines are read with graphc (`build`) and with NumPy (`mean`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import graphc as gc
from graphc.core.ir import Graph, Node, toposort
from graphc.core.operators import FUNCTIONS
from graphc.ops.source import Bound, Parameter

from .meaning import Meaning
from .wide import Wide, widened

_MEANINGS = {name: getattr(Meaning, name) for name in FUNCTIONS if hasattr(Meaning, name)}
# The symbolic sizes that there are, and how small they may be.
LEAST = {"n": 1, "m": 0}
WORD = re.compile(r"\b[a-z]+\d+\b")


@dataclass(frozen=True)
class Input:
    """An input or, with `state`, a parameter: dtype, shape with symbolic sizes as names, value.

    `others` are values for other sizes.
    """

    dtype: str
    shape: tuple[int | str, ...]
    value: np.ndarray
    state: bool = False
    others: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """One program; `sizes` has the values of the symbolic sizes, one mapping for each run."""

    inputs: Mapping[str, Input]
    lines: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    updates: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[Mapping[str, int], ...] = ({},)
    level: str = "O2"
    threads: int = 1
    into: bool = False  # results written to given arrays
    layout: str = ""  # of arguments in memory: "columns", "backwards", "stepped", "fixed"

    def with_(self, **changes: Any) -> Recipe:
        """A copy with other fields."""
        return replace(self, **changes)

    def arrays(self, run: int = 0) -> dict[str, np.ndarray]:
        """The values of the inputs for one of the sizes."""
        return {k: (i.value, *i.others)[run] for k, i in self.inputs.items()}


@functools.cache
def code(text: str) -> Any:
    """A line's expression, compiled."""
    return compile(text, "<recipe>", "eval")


def evaluate(text: str, values: Mapping[str, Any], namespace: Any) -> Any:
    """A line's value, functions taken from `namespace`."""
    with np.errstate(all="ignore"):
        # `gc.full`, as PyTorch's, is a tensor with a value; FN has the op.
        functions = FUNCTIONS if namespace is gc else _MEANINGS
        return eval(code(text), {"gc": namespace, "np": np, "FN": functions, **values})


def bind(name: str, value: Any, values: dict[str, Any]) -> None:
    """Keep what a line gave: `g0, g1` for a line of two results."""
    values.update(zip(split(name), value if "," in name else [value], strict=True))


def split(name: str) -> list[str]:
    """The names that a line gives."""
    return [n.strip() for n in name.split(",")]


@dataclass(frozen=True)
class Built:
    """A recipe as nodes, and as the graph of what its outputs and updates need."""

    values: dict[str, Any]
    inputs: list[Node]
    outputs: list[Node]
    updates: dict[Parameter, Node]
    graph: Graph
    names: list[str]  # of the graph's inputs, but for the constants at their end

    def given(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The values of the graph's inputs."""
        constants = self.graph.inputs[len(self.names) :]
        return [*(arrays[k] for k in self.names), *(c.state.array for c in constants)]  # type: ignore[attr-defined]


def placeholder(name: str, given: Input) -> Node:
    """The node of an input."""
    shape = tuple(gc.dim(s, min=LEAST[s]) if isinstance(s, str) else s for s in given.shape)
    if given.state:
        return gc.parameter(name, given.value.copy())
    return gc.input(name, shape, getattr(gc, given.dtype))


def build(recipe: Recipe) -> Built:
    """The nodes of a recipe."""
    values: dict[str, Any] = {k: placeholder(k, i) for k, i in recipe.inputs.items()}
    for name, text in recipe.lines:
        bind(name, evaluate(text, values, gc), values)
    outputs = [values[o] for o in recipe.outputs]
    updates = {values[p]: values[v] for p, v in recipe.updates.items()}
    order = toposort((*outputs, *updates.values()))
    kept = [k for k in recipe.inputs if values[k] in order or values[k] in updates]
    inputs = [values[k] for k in kept]
    results = [*outputs, *updates.values()]
    places = {node: k for k, node in enumerate(inputs)}
    aliases = [(len(outputs) + k, places[p]) for k, p in enumerate(updates)]
    constants = [n for n in order if isinstance(n, Bound) and n not in places]
    graph = Graph.of("program", [*inputs, *constants], results, aliases)
    return Built(values, inputs, outputs, updates, graph, kept)


def mean(recipe: Recipe, run: int = 0, built: Built | None = None) -> dict[str, Any]:
    """What every name of a recipe stands for, by NumPy; gradients by `Wide`."""
    values: dict[str, Any] = {k: widened(a) for k, a in recipe.arrays(run).items()}
    for name, text in recipe.lines:
        if text.startswith("gc.grad("):
            built = built or build(recipe)
            found: Any = slopes(recipe, built, [built.values[n] for n in split(name)], run)
            found = found if "," in name else found[0]
        else:
            found = evaluate(text, values, Meaning)
            found = [np.asarray(v) for v in found] if "," in name else np.asarray(found)
        bind(name, found, values)
    return values


def slopes(recipe: Recipe, built: Built, wanted: Sequence[Node], run: int) -> list[Any]:
    """Some nodes of a recipe in float64."""
    order = toposort(wanted)
    names = [k for k in recipe.inputs if built.values[k] in order]
    inputs = [built.values[k] for k in names]
    constants = [n for n in order if isinstance(n, Bound) and n not in set(inputs)]
    graph = Graph.of("slopes", [*inputs, *constants], wanted)
    arrays = recipe.arrays(run)
    given = [*(arrays[k] for k in names), *(c.state.array for c in constants)]
    return Wide(recipe.sizes[run]).run(graph, given)


def used(recipe: Recipe) -> Recipe:
    """A recipe without the lines and inputs that nothing needs."""
    needed = {*recipe.outputs, *recipe.updates, *recipe.updates.values()}
    lines = []
    for name, text in reversed(recipe.lines):
        if needed.isdisjoint(split(name)):
            continue
        needed.update(WORD.findall(text))
        lines.append((name, text))
    inputs = {k: i for k, i in recipe.inputs.items() if k in needed}
    return recipe.with_(lines=tuple(reversed(lines)), inputs=inputs)


def fixed(recipe: Recipe, run: int = 0) -> Recipe:
    """A recipe with the symbolic sizes of one of its runs as numbers."""
    inputs = {}
    for name, given in recipe.inputs.items():
        value = (given.value, *given.others)[run]
        inputs[name] = Input(given.dtype, value.shape, value, given.state)
    return recipe.with_(inputs=inputs, sizes=({},))


def source(recipe: Recipe, title: str = "", name: str = "found") -> str:
    """A recipe as a test that can be copied into a file: it needs only the public API."""
    lines = [f"def test_{name}() -> None:"]
    if title:
        lines.append(f'    """{title}"""')
    symbols = dict.fromkeys(
        s for i in recipe.inputs.values() for s in i.shape if isinstance(s, str)
    )
    lines += [f'    {s} = gc.dim("{s}", min={LEAST[s]})' for s in symbols]
    for k, given in recipe.inputs.items():
        lines.append(f"    a_{k} = {_literal(given.value)}")
        shape = f"({', '.join(str(s) for s in given.shape)}{',' * (len(given.shape) == 1)})"
        made = f'gc.parameter("{k}", a_{k})' if given.state else (
            f'gc.input("{k}", {shape}, gc.{given.dtype})')  # fmt: skip
        lines.append(f"    {k} = {made}")
    lines += [f"    {k} = {text}" for k, text in recipe.lines]
    asked = [k for k, i in recipe.inputs.items() if not i.state]
    updates = ", ".join(f"{p}: {v}" for p, v in recipe.updates.items())
    options = f', level="{recipe.level}", threads={recipe.threads}'
    options = (f", updates={{{updates}}}" if updates else "") + options
    outputs = f"[{', '.join(recipe.outputs)}]"
    lines.append(f"    program = gc.compile([{', '.join(asked)}], {outputs}{options})")
    lines.append(f"    found = program({', '.join(f'a_{k}' for k in asked)})")
    values = mean(recipe)
    for place, output in enumerate(recipe.outputs):
        wanted = _literal(np.asarray(values[output]))
        lines.append(
            f"    np.testing.assert_allclose(found[{place}], {wanted}, rtol=1e-3, atol=1e-4)"
        )
    for p, v in recipe.updates.items():
        wanted = _literal(np.asarray(values[v]))
        lines.append(f"    np.testing.assert_allclose({p}.value, {wanted}, rtol=1e-3, atol=1e-4)")
    return "\n".join(lines) + "\n"


def _literal(array: np.ndarray) -> str:
    name = array.dtype.name
    dtype = f"np.{name}" if hasattr(np, name) else f"gc.{name}.numpy"
    if array.size > 64:
        first = array.ravel()[:16].tolist()
        return f"np.resize(np.array({first}), {array.shape}).astype({dtype})"
    return f"np.array({array.tolist()}, {dtype})" if array.size else (
        f"np.zeros({array.shape}, {dtype})")  # fmt: skip
