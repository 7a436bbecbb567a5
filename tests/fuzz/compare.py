"""One recipe run in every way, each against what it means.

    built -> meant (NumPy), wide (float64, exact and with roundings drawn), slopes by differences,
    interpreted, optimised and lowered at its level, then simulated (kernels as plain Python over
    memory full of garbage) or compiled and called

`check` returns None or the first difference as a `Finding`.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from lowering import run_lowered

import graphc as gc
from graphc.core import dims
from graphc.core.dtypes import is_float
from graphc.core.interpret import run_sized
from graphc.core.ir import Graph, all_nodes
from graphc.core.types import TensorType
from graphc.errors import GraphcError
from graphc.passes.pipeline import optimize
from graphc.runtime.checks.verify_steps import verify_lowering
from graphc.runtime.lower import lower

from .recipe import Built, Recipe, build, mean, split, used
from .wide import MORE_WAYS, WAYS, Wide

SAFETY = 12.0
# Elements that programs compute at most to be simulated: plain Python takes a microsecond for each.
SIMULATED = 30_000


@dataclass(frozen=True)
class Finding:
    """A difference: where it showed, what it was; `kind` is what reduction keeps."""

    kind: str
    text: str


class Undetermined(Exception):
    """Roundings decide whether a program stops with an error: an index of what is nearly equal."""


@dataclass(frozen=True)
class Expected:
    """An exact value and how far from it a correct one may be; integers are compared exactly."""

    value: Any
    slack: Any  # per element; for integers, whether the element is determined

    def off(self, found: Any) -> str:
        """What is wrong with a value, or nothing."""
        value = np.asarray(self.value)
        found = np.asarray(found)
        if found.shape != value.shape:
            return f"shape {found.shape} for {value.shape}"
        if value.dtype.kind != "f":
            bad = (found != value) & self.slack
            return _first(bad, found, value)
        with np.errstate(all="ignore"):
            wide = found.astype(np.float64)
            near = np.abs(wide - value) <= self.slack
            # nan in the slack: an element that is not determined.
            bad = ~(near | (wide == value) | (np.isnan(wide) & np.isnan(value)))
        return _first(bad & ~np.isnan(self.slack), found, value)


def _first(bad: Any, found: Any, wanted: Any) -> str:
    if not np.any(bad):
        return ""
    place = tuple(int(k) for k in np.argwhere(bad)[0])
    return f"{found[place]} for {wanted[place]} at {list(place)}, {int(np.sum(bad))} elements"


def expected(
    recipe: Recipe, built: Built, run: int, ways: Sequence[Any] = WAYS
) -> tuple[list[Expected], Finding | None]:
    """What the outputs and updates should be."""
    meant = mean(recipe, run, built)
    names = [*recipe.outputs, *recipe.updates.values()]
    given = built.given(recipe.arrays(run))
    sizes = recipe.sizes[run]
    exact = Wide(sizes).run(built.graph, given)
    try:
        moved = [Wide(sizes, way).run(built.graph, given) for way in ways]
    except GraphcError as error:
        raise Undetermined from error
    found = []
    for place, (name, node) in enumerate(zip(names, built.graph.outputs, strict=True)):
        others = [each[place] for each in moved]
        found.append(_bounded(meant[name], exact[place], others, node.type.dtype))  # type: ignore[union-attr]
        if text := found[-1].off(exact[place]):
            slack = _fine(built, given, sizes, place, exact[place])
            if text := Expected(meant[name], slack).off(exact[place]):
                return found, Finding("meaning", f"{name}: the graph's exact value {text}")
    return found, None


def _bounded(value: Any, exact: Any, moved: Sequence[Any], dtype: Any) -> Expected:
    if np.asarray(exact).dtype.kind != "f":
        return Expected(value, np.all([m == exact for m in moved], axis=0))
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(m - exact) for m in moved], axis=0)
        same = np.all([np.isnan(m) == np.isnan(exact) for m in moved], axis=0)
        spread = np.where(same & ~np.isfinite(exact), 0.0, spread)
        info = dtype.finfo
        slack = SAFETY * spread + 4 * float(info.eps) * np.abs(exact) + float(info.tiny)
        # Beyond the dtype's range, what is finite here may be infinite there.
        slack = np.where(np.abs(exact) + slack > 0.9 * float(info.max), np.nan, slack)
        slack = np.where(np.isinf(exact) & same, 0.0, slack)
    return Expected(value, slack)


def _fine(built: Built, given: Any, sizes: Any, place: int, exact: Any) -> Any:
    """The spread that float64 alone explains, much magnified."""
    moved = [Wide(sizes, way, fine=True).run(built.graph, given)[place] for way in WAYS]
    if np.asarray(exact).dtype.kind != "f":
        return np.all([m == exact for m in moved], axis=0)
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(m - exact) for m in moved], axis=0)
        # A literal such as 0.1 is rounded to its dtype in the graph.
        return 1e4 * spread + 1e-6 * np.abs(exact) + 1e-9


def check(
    recipe: Recipe,
    compiled: bool = False,
    differences: bool = True,
    left: list[str] | None = None,
) -> Finding | None:
    """Run a recipe in every way.

    Args:
        recipe: what to run, with its level, threads and sizes.
        compiled: compile its kernels; otherwise they run as plain Python.
        differences: compare gradients with central differences.
        left: takes what the verifier of lowered programs could not show, a line for each node.
    """
    left = [] if left is None else left
    try:
        built = build(recipe)
    except Exception as error:
        return _raised("build", error)
    steps: tuple[Any, ...] = (_interpreted, _compiled if compiled else _simulated)
    if differences:
        steps = (_slopes, *steps)
    try:
        finding = _checked(recipe, built, steps, WAYS, left)
        if finding is not None and finding.kind.endswith(" value"):
            finding = _checked(recipe, built, steps, MORE_WAYS, [])
    except Undetermined:
        return None
    return finding


def _checked(
    recipe: Recipe, built: Built, steps: Sequence[Any], ways: Sequence[Any], left: list[str]
) -> Finding | None:
    wanted = []
    for run in range(len(recipe.sizes)):
        found, finding = expected(recipe, built, run, ways)
        if finding is not None:
            return finding
        wanted.append(found)
    for step in steps:
        try:
            if finding := step(recipe, built, wanted, ways, left):
                return finding
        except Undetermined:
            raise
        except Exception as error:
            return _raised(step.__name__.strip("<_>"), error)
    return None


def _raised(stage: str, error: Exception) -> Finding:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = frame.filename.rsplit("/", 1)[-1]
    return Finding(
        f"{stage} {type(error).__name__} {where}:{frame.name}",
        "".join(traceback.format_exception(error, limit=-4)),
    )


def _compared(
    stage: str, recipe: Recipe, found: Sequence[Any], wanted: Sequence[Expected]
) -> Finding | None:
    names = [*recipe.outputs, *recipe.updates.values()]
    for name, value, each in zip(names, found, wanted, strict=True):
        if text := each.off(value):
            return Finding(f"{stage} value", f"{name}: {stage} at {recipe.level} gave {text}")
    return None


def _slopes(
    recipe: Recipe, built: Built, wanted: Any, ways: Sequence[Any], left: list[str]
) -> Finding | None:
    return check_slopes(recipe, built)


def _interpreted(
    recipe: Recipe, built: Built, wanted: Any, ways: Sequence[Any], left: list[str]
) -> Finding | None:
    given = built.given(recipe.arrays())
    found = run_sized(built.graph, given, recipe.sizes[0])
    return _compared("interpreted", recipe, found, wanted[0])


def _verify(recipe: Recipe, final: Graph, steps: Sequence[Any], left: list[str]) -> None:
    for sizes in recipe.sizes:
        for node, why in verify_lowering(final, steps, sizes=sizes):
            left.append(f"{node.op.name}: {why}")


def _simulated(
    recipe: Recipe, built: Built, wanted: Any, ways: Sequence[Any], left: list[str]
) -> Finding | None:
    final, _ = optimize(built.graph, recipe.level)
    steps = lower(final)
    _verify(recipe, final, steps, left)
    for run, sizes in enumerate(recipe.sizes):
        calls = any(step.kernel.language == "library" for step in steps)  # Python has no addresses
        if calls or _elements(final, sizes) > SIMULATED:
            continue
        given = built.given(recipe.arrays(run))
        found, _ = run_lowered(final, given, sizes, parts=recipe.threads, steps=steps)
        written = {final.inputs[place] for _, place in final.aliases}
        for place, node in enumerate(final.outputs):
            if node in written:  # the executable copies such a result before it commits
                found[place] = wanted[run][place].value
        if finding := _compared("simulated", recipe, found, wanted[run]):
            return finding
    return None


def _elements(graph: Graph, sizes: Mapping[str, int]) -> float:
    """How many elements the nodes of a graph have."""
    types = [n.type for n in all_nodes(graph) if isinstance(n.type, TensorType)]
    return sum(float(np.prod([dims.evaluate(d, sizes) for d in t.shape])) for t in types)


def _compiled(
    recipe: Recipe, built: Built, wanted: Any, ways: Sequence[Any], left: list[str]
) -> Finding | None:
    inputs = [n for n, k in zip(built.inputs, built.names) if not recipe.inputs[k].state]
    program = gc.compile(
        inputs, built.outputs, built.updates, level=recipe.level, threads=recipe.threads
    )
    final = program.history[-1][1]
    _verify(recipe, final, lower(final), left)
    # The first sizes again in the end: nothing of the others may be left.
    runs = [*range(len(recipe.sizes)), 0] if len(recipe.sizes) > 1 else [0]
    for run in runs:
        for parameter, name in zip(built.updates, recipe.updates):
            parameter.value = recipe.inputs[name].value
        if finding := _called(recipe, built, program, run, wanted[run]):
            return finding
    if recipe.updates:
        moved = dict(recipe.inputs)
        for parameter, name in zip(built.updates, recipe.updates):
            moved[name] = replace(moved[name], value=np.array(parameter.value))
        again = recipe.with_(inputs=moved)
        found, finding = expected(again, built, 0, ways)
        return finding or _called(again, built, program, 0, found)
    return None


def _called(
    recipe: Recipe, built: Built, program: Any, run: int, wanted: Sequence[Expected]
) -> Finding | None:
    """One call, its arguments laid out as the recipe says, against what it should give."""
    inputs = [n for n, k in zip(built.inputs, built.names) if not recipe.inputs[k].state]
    arrays = recipe.arrays(run)
    given = [_laid(arrays[n.name], recipe.layout) for n in inputs]
    out = None
    if recipe.into:
        out = [_garbage(e.value, o.type.dtype) for e, o in zip(wanted, built.outputs)]  # type: ignore[union-attr]
    found = list(program(*given, out=out))
    if any(not np.array_equal(a, arrays[n.name], equal_nan=is_float(a.dtype))
           for a, n in zip(given, inputs)):  # fmt: skip
        return Finding("compiled wrote an input", f"at {recipe.level}")
    found += [p.value for p in built.updates]
    return _compared("compiled", recipe, found, wanted)


def _laid(array: np.ndarray, layout: str) -> np.ndarray:
    """A copy of an array that lies in memory in a certain way."""
    if layout == "columns":
        return np.array(array, order="F")
    if layout == "backwards":
        return np.flip(array).copy()[(slice(None, None, -1),) * array.ndim]
    if layout == "stepped" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    copy = array.copy()
    copy.flags.writeable = layout != "fixed"
    return copy


def _garbage(value: Any, dtype: Any) -> np.ndarray:
    array = np.empty(np.shape(value), dtype.numpy)
    array.reshape(-1).view(np.uint8)[...] = 1 if dtype.name == "bool" else 0xA5
    return array


def check_slopes(recipe: Recipe, built: Built) -> Finding | None:
    """Gradients along a random direction against differences of what the loss means."""
    for name, text in recipe.lines:
        if text.startswith("gc.grad("):
            loss, names = text[len("gc.grad(") :].split("]")[0].split(", [")
            slopes = dict(zip(names.split(", "), split(name)))
            if finding := _along(recipe, built, loss, slopes):
                return finding
    return None


def _along(recipe: Recipe, built: Built, loss: str, slopes: dict[str, str]) -> Finding | None:
    part = used(recipe.with_(outputs=(loss,), updates={}))
    if any("gradient" in text or text.startswith("gc.grad(") for _, text in part.lines):
        return None
    values = mean(recipe, 0, built)
    rng = np.random.default_rng(0)
    ways = {k: rng.standard_normal(np.shape(values[k])) for k in slopes if k in part.inputs}
    exact = sum(float(np.sum(values[slopes[k]] * way)) for k, way in ways.items())
    # Constants of gradient rules are rounded to their dtype in the graph.
    floats = [n.type.dtype for n in all_nodes(built.graph) if hasattr(n.type, "dtype")]
    eps = max(float(d.finfo.eps) for d in floats if d.is_float)
    rounding = (
        8 * eps * sum(float(np.sum(np.abs(values[slopes[k]] * way))) for k, way in ways.items())
    )

    def at(step: float) -> float:
        inputs = dict(part.inputs)
        for k, way in ways.items():
            moved = inputs[k].value.astype(np.float64) + step * way
            inputs[k] = type(inputs[k])(inputs[k].dtype, inputs[k].shape, moved)
        return float(mean(part.with_(inputs=inputs))[loss])

    middle = at(0.0)
    found = []
    for step in (1e-4, 1e-5, 1e-6):
        left, right = middle - at(-step), at(step) - middle
        if abs(left - right) > 1e-3 * (abs(left) + abs(right)) + 1e-9:
            return None  # a kink nearby
        found.append((left + right) / (2 * step))
    low, high = min(found), max(found)
    if not np.isfinite([low, high, exact]).all():
        return None
    slack = 10 * (high - low) + 1e-4 * abs(exact) + 1e-7 * abs(middle) + 1e-6 + rounding
    if low - slack <= exact <= high + slack:
        return None
    return Finding("slope", f"grad of {loss} along a direction: {exact}, differences: {found}")
