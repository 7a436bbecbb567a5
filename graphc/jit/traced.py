"""`gc.jit.trace`: one function, one program, and a certificate of what was checked.

Unlike `compile` a trace is made once and never again: calls that do not fit it are errors.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from graphc import text
from graphc.core import dims, trees
from graphc.core.dtypes import as_dtype
from graphc.core.ir import caller
from graphc.core.types import TensorType
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.random import default_generator
from graphc.errors import ArgumentError, AttributeValueError, GraphcWarning, ShapeError, TraceError
from graphc.jit.arguments import Arguments
from graphc.jit.compiled import Compiled, Options
from graphc.jit.ending import types_of
from graphc.jit.form import Form, arranged, tensors_for_arrays
from graphc.jit.guarded import Guarded
from graphc.jit.roots import new_root
from graphc.jit.run import Run
from graphc.jit.trace import branches
from graphc.jit.trace.naming import Names
from graphc.jit.trace.refused import refusal

_RTOL, _ATOL = 1e-4, 1e-5
_POLICIES = tuple(p for p in branches.POLICIES if p != "eager")


class Traced:
    """A function as one program, with its parameters and buffers bound.

    Attributes:
        name: of the function.
        certificate: what was checked when it was traced, and what was baked in: a dict of
            plain values.

    Example:
        >>> import graphc as gc
        >>> traced = gc.jit.trace(lambda x: x * 2, gc.ones(2))
        >>> traced(gc.tensor([1.0, 5.0]))
        tensor([ 2., 10.])
    """

    def __init__(
        self, name: str, signature: inspect.Signature | None, guarded: Guarded, key: Any,
        effects: Sequence[str], names: Names,
    ) -> None:  # fmt: skip
        self.name = name
        self._names = names
        self._signature = signature
        self._guarded = guarded
        self._variant = guarded.variant
        self._key = key
        self.certificate: dict[str, Any] = {
            "assumes": guarded.assumes(), "baked": [str(r) for r in guarded.readings],
            "effects": list(effects), "checks": [],
        }  # fmt: skip

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Args:
            args, kwargs: as the function takes them; NumPy arrays are taken as tensors, what is
                no tensor must be what it was when the function was traced.

        Raises:
            TraceError: the arguments, or something that the program assumes, do not fit.
        """
        arguments = Arguments(args, kwargs)
        with no_grad() if not self._guarded.grad_enabled else nullcontext():
            reason = ""
            if arguments.key != self._key:
                made: dict[int, Tensor] = {}
                args, kwargs = arranged(
                    self._signature, *(tensors_for_arrays(v, made) for v in (args, kwargs))
                )
                arguments = Arguments(args, kwargs)
                form = Form.of(args, kwargs, arguments.tensors, self._signature)
                reason = self._guarded.form.difference(form)
            tensors = arguments.tensors
            reason = reason or self._guarded.mismatch(tensors, is_traced=True)
            if reason:
                raise TraceError(
                    f"{self.name}: the trace does not fit this call: {reason}",
                    where=caller(),
                    hint="trace it again, or use gc.jit.compile, which does so by itself",
                )
            return self._guarded(tensors)

    def assumes(self) -> list[str]:
        """What the program assumes, a line each.

        Example:
            >>> import graphc as gc
            >>> gc.jit.trace(lambda x: x * 2, gc.ones(2)).assumes()
            ['input 0: f32[2]']
        """
        return self._guarded.assumes()

    @property
    def program(self) -> Any:
        """The compiled program, a `gc.Program`: its stats, kernels, plan, profile.

        Example:
            >>> import graphc as gc
            >>> gc.jit.trace(lambda x: x * 2, gc.ones(2)).program.stats.kernels
            1
        """
        return self._variant.program

    @property
    def graph(self) -> Any:
        """The graph as it was traced.

        Example:
            >>> import graphc as gc
            >>> len(gc.jit.trace(lambda x: x * 2, gc.ones(2)).graph.nodes)
            4
        """
        return self.program.graph

    @property
    def code(self) -> str:
        """The graph as readable Python text, which `gc.text.parse` reads back.

        Example:
            >>> import graphc as gc
            >>> print(gc.jit.trace(lambda x: x.tanh(), gc.ones(2)).code)
            def traced(x0: f32[2]):
                v0: f32[2] = tanh(x0)
                return v0
        """
        return text.show(self.graph)

    def __repr__(self) -> str:
        inputs = ", ".join(str(t) for t in self._guarded.types)
        return f"<traced {self.name}({inputs})>"


def trace(
    function: Callable[..., Any],
    *examples: Any,
    dynamic_axes: Any = None,
    check: int = 1,
    on_branch: str = "error",
    impure: str = "error",
    level: str = "O2",
) -> Traced:
    """Trace a function or module into one program.

    Args:
        function: what to trace.
        examples: arguments to trace it with: of tensors and NumPy arrays, which are taken as
            tensors, only dtypes and shapes matter, all else is part of the program.
        dynamic_axes: axes that may have any size: for each tensor (by its position) a dict of
            axis and name, or a list of axes; None for fixed shapes.
        check: how many times to compare the program with the function, on fresh random inputs
            and sizes of dynamic axes. Functions that change state are not run again for it.
        on_branch: see `gc.jit.compile`; not "eager".
        impure: see `gc.jit.compile`.
        level: see `gc.compile`.

    Returns:
        The program, callable with tensors.

    Raises:
        TraceError: the code does what a static graph cannot hold, or a check failed.

    Example:
        >>> import graphc as gc
        >>> f = gc.jit.trace(lambda x: x.relu().sum(), gc.ones(2, 3), dynamic_axes={0: {0: "n"}})
        >>> f(gc.ones(5, 3))
        tensor(15.)
    """
    if not examples or not callable(function):
        raise ArgumentError(
            "trace: it takes a function and examples of its arguments", where=caller()
        )
    if on_branch not in _POLICIES:
        raise AttributeValueError(
            f"trace: on_branch={on_branch!r}", where=caller(), hint=f"one of {', '.join(_POLICIES)}"
        )
    made: dict[int, Tensor] = {}
    arguments = Arguments(tensors_for_arrays(examples, made), {})
    tensors = arguments.tensors
    types = _types(tensors, dynamic_axes)
    options = Options(dynamic=False, on_branch=on_branch, impure=impure, level=level)
    owner = Compiled(function, options)
    run = _run(owner, arguments, types)
    effects = _report(owner._name, run, impure)
    traced = Traced(
        owner._name, owner._signature, run.guarded, arguments.key, effects, Names(function)
    )
    variant = run.guarded.variant
    if not variant.updates and not run.guarded.recipe.gradients and not run.guarded.recipe.writes:
        for k in range(check):
            traced.certificate["checks"].append(_checked(traced, function, arguments, tensors, k))
    return traced


def _run(owner: Compiled, arguments: Arguments, types: Sequence[TensorType]) -> Any:
    """One run of the function with inputs of the given types."""
    is_fixed = all(isinstance(s, int) for t in types for s in t.shape)
    root = new_root(types, is_fixed)

    def fixed() -> Any:
        raise refusal(
            "a size is symbolic, and Python asked for its number",
            where=caller(),
            hint="leave this axis out of dynamic_axes, or compute with the size itself",
        )

    run = Run(owner, root, arguments, branches.POLICY[owner._options.on_branch], fixed, True)
    run.is_only = True
    run()
    if run.guarded is None:
        raise TraceError(
            f"{owner._name}: no one program is the function: {run.trace.left}",
            where=run.trace.left_at, hint="use gc.jit.compile",
        )  # fmt: skip
    return run


def _report(name: str, run: Any, impure: str) -> list[str]:
    """Side effects, told as a warning too; as an error what a call would give another value."""
    watch, recipe = run.watch, run.guarded.recipe
    if recipe.wrong:
        raise TraceError(
            f"{name}: {recipe.wrong[0].reason}, which no program gives again",
            where=recipe.wrong[0].origin,
            hint="return tensors, numbers, and new lists, tuples and dicts of them",
        )
    if watch.impure and impure == "error":
        raise TraceError(
            f"{name}: the traced code used a value that is another one at every call; the program "
            "would repeat the first",
            watch.impure[:6],
            where=caller(),
            hint='pass it as a tensor argument, draw with gc.rand, or impure="bake"',
        )
    effects = [*watch.effects, *(str(lost) for lost in recipe.lost)]
    if effects:
        warnings.warn(
            GraphcWarning(f"{name}: side effects are not part of the program: "
                          + "; ".join(effects[:4])),
            stacklevel=3,
        )  # fmt: skip
    return effects


def _types(tensors: Sequence[Tensor], dynamic_axes: Any) -> list[TensorType]:
    types = types_of(tensors)
    if dynamic_axes is None:
        return types
    if not isinstance(dynamic_axes, Mapping):
        raise ArgumentError(
            f"trace: dynamic_axes must be a dict, not {type(dynamic_axes).__name__}",
            where=caller(),
            hint='such as {0: {0: "n"}}: axis 0 of tensor 0 has any size, called n',
        )
    for position, axes in dynamic_axes.items():
        if not isinstance(position, int) or not 0 <= position < len(types):
            raise ArgumentError(
                f"trace: dynamic_axes names tensor {position!r} of {len(types)}", where=caller()
            )
        shape = list(types[position].shape)
        named = axes.items() if isinstance(axes, Mapping) else [(a, f"n{a}") for a in axes]
        for axis, name in named:
            if not -len(shape) <= axis < len(shape):
                raise ShapeError(
                    f"trace: dynamic_axes names axis {axis} of tensor {position}, which has "
                    f"{len(shape)}",
                    where=caller(),
                )
            shape[axis] = dims.dim(name, min=0)
        types[position] = TensorType(types[position].dtype, tuple(shape))
    return types


def _checked(
    traced: Traced,
    function: Callable[..., Any],
    arguments: Arguments,
    examples: Sequence[Tensor],
    k: int,
) -> dict[str, Any]:
    """One comparison of program and function: fresh values, other sizes of dynamic axes."""
    drawn = np.random.default_rng(k)
    sizes: dict[str, int] = {}
    tensors = []
    for example, type_ in zip(examples, traced._guarded.types):
        shape = tuple(
            d if isinstance(d, int) else sizes.setdefault(str(d), int(drawn.integers(1, 9)))
            for d in type_.shape
        )
        tensors.append(_like(example, shape, drawn))
    args, kwargs = arguments.lend(tensors)
    seed = default_generator.get_state()
    try:
        with no_grad():
            wanted = function(*args, **kwargs)
            default_generator.set_state(seed)
            got = traced(*args, **kwargs)
            default_generator.set_state(seed)
    finally:
        arguments.undo()
    worst = 0.0
    pairs = zip(trees.flatten(wanted)[0], trees.flatten(got)[0])
    for position, (a, b) in enumerate(pairs):
        if isinstance(a, Tensor):
            worst = max(worst, _difference(traced.name, position, a, b))
    return {"sizes": sizes, "seed": k, "worst": worst}


def _like(example: Tensor, shape: tuple[int, ...], drawn: np.random.Generator) -> Tensor:
    dtype = as_dtype(example._array.dtype)
    if dtype.is_float:
        return wrap(drawn.standard_normal(shape).astype(dtype.numpy))
    if example._array.size == 0:
        return wrap(np.zeros(shape, dtype.numpy))
    low, high = int(example._array.min()), int(example._array.max())
    return wrap(drawn.integers(low, high + 1, shape).astype(dtype.numpy))


def _difference(name: str, position: int, a: Tensor, b: Tensor) -> float:
    x, y = np.asarray(a._array, np.float64), np.asarray(b._array, np.float64)
    if x.shape != y.shape or not np.allclose(x, y, _RTOL, _ATOL, equal_nan=True):
        raise TraceError(
            f"{name}: the program and the function differ on fresh inputs, in result {position}",
            [f"the function gives {list(x.shape)}, the program {list(y.shape)}"]
            if x.shape != y.shape
            else [f"by up to {np.nanmax(np.abs(x - y)):.3g}, of values up to "
                  f"{np.nanmax(np.abs(x)):.3g}"],
            where=caller(),
            hint="a value was baked in: look at assumes()",
        )  # fmt: skip
    return float(np.nanmax(np.abs(x - y), initial=0.0))


__all__ = ["Traced", "trace"]
