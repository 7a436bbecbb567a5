"""`check_grad`: the gradients of a graph against finite differences, in float64.

The graph is built again with float64 in the places of narrower floats, so that differences say
what the rules give and not how they round. Its parameters become inputs: nothing draws anew or
changes between two evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.arguments import as_array
from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.ir import Graph, Node, caller, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import flatten
from graphc.core.types import TensorType
from graphc.core.walk import substitute, toposort
from graphc.errors import ArgumentError, GradientError
from graphc.ops.declare import as_symbolic
from graphc.ops.flow.closures import placeholder
from graphc.ops.source import INPUT_OP, Bound, Parameter
from graphc.passes.grad import vjp
from graphc.program.clone import made_with
from graphc.program.driver import compile
from graphc.program.program import Program

SHOWN = 6  # elements in a message


def check_grad(
    outputs: Any,
    values: Any = (),
    *,
    wrt: Any = None,
    eps: float = 1e-6,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    elements: int = 100,
    seed: int = 0,
) -> None:
    """Compare the gradients of a graph with central differences, in float64.

    Of all float outputs a sum with random weights is differentiated.

    Args:
        outputs: a program, a graph, a tensor of a graph or a structure of them.
        values: of the inputs: a list in the order of the program's or the graph's, or a dict by
            input or name. Parameters have the values that they have now.
        wrt: the inputs and parameters whose gradients are checked; all floats unless given.
        eps: the step of the differences, relative to an element greater than 1.
        rtol: tolerance relative to the larger of the two.
        atol: absolute tolerance, relative to the largest of a gradient that is greater than 1.
        elements: how many elements of each are checked, chosen at random.
        seed: for the choice and the weights.

    Raises:
        GradientError: some differ; the message has the input, the elements and both values.
        ArgumentError: an input has no value, or nothing has a gradient.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.check_grad(gc.sum(gc.tanh(x) ** 2), {x: [0.5, -1.0, 2.0]})
        >>> try:
        ...     gc.check_grad(gc.floor(x) + gc.stop_gradient(x), [[0.5, -1.5, 2.5]])
        ... except gc.errors.GradientError as error:
        ...     print(error.what)
        check_grad: the gradient by 'x' is not that of finite differences
    """
    inputs, roots = _parts(outputs)
    sources = list(toposort([*inputs, *roots]))
    free = [n for n in sources if n.op is INPUT_OP]
    bound = [n for n in sources if isinstance(n, Bound)]
    given = _given(inputs or free, free, values)
    arrays = [*given.values(), *(n.state.array for n in bound)]
    checked = _chosen(wrt, [*free, *bound])
    new, twins = _widened([*free, *bound], roots)
    run = _compiled(list(new.values()), twins, [new[n] for n in checked], seed)
    wide = [np.array(a, tensor_type(n).dtype.numpy) for a, n in zip(arrays, new.values())]
    _, *slopes = run(*wide)
    rng = np.random.default_rng(seed)
    places = {node: k for k, node in enumerate(new)}
    for node, slope in zip(checked, slopes):
        picked = rng.permutation(slope.size)[:elements]
        found = [_difference(run, wide, places[node], int(k), eps) for k in picked]
        _compare(node, slope, picked, np.array(found), rtol, atol)


def _parts(outputs: Any) -> tuple[list[Node], list[Node]]:
    """The inputs in order, where they are known, and the float outputs."""
    graph = outputs.graph if isinstance(outputs, Program) else outputs
    if isinstance(graph, Graph):
        aliased = dict(graph.aliases)
        roots = [o for k, o in enumerate(graph.outputs) if k not in aliased]
        inputs = [n for n in graph.inputs if not isinstance(n, Bound)]
    else:
        inputs, roots = [], [as_symbolic(leaf) for leaf in flatten(graph, True)[0]]
        roots = [root for root in roots if not isinstance(root, Dim)]
    for root in roots:
        if not isinstance(root, Node):
            raise ArgumentError(
                f"check_grad: it is given a {type(root).__name__} {root!r:.60}, no graph",
                where=caller(),
                hint="give a program or symbolic tensors; gc.autograd.gradcheck checks functions "
                "of eager ones",
            )
    floats = [root for root in roots if tensor_type(root).dtype.is_float]
    if not floats:
        raise ArgumentError("check_grad: there is no float output", where=caller())
    return inputs, floats


def _given(inputs: Sequence[Node], free: Sequence[Node], values: Any) -> dict[Node, np.ndarray]:
    """The arrays of inputs."""
    if isinstance(values, Mapping):
        found = {n: values[k] for n in free for k in (n, n.name) if k in {*values}}
    else:
        found = dict(zip(inputs, values))
    if missing := [n for n in free if n not in found]:
        raise ArgumentError(
            f"check_grad: input {missing[0].name!r} has no value",
            [n.describe() for n in missing[:SHOWN]],
            where=caller(),
            hint="write check_grad(loss, {x: array})",
        )
    return {n: as_array(n, _in_dtype(n, found[n])) for n in free}


def _in_dtype(node: Node, value: Any) -> Any:
    """Float arrays in the input's dtype, since all is computed in float64."""
    is_array = isinstance(value, np.ndarray) and dtypes.is_float(value.dtype)
    return value.astype(tensor_type(node).dtype.numpy) if is_array else value


def _chosen(wrt: Any, sources: Sequence[Node]) -> list[Node]:
    if wrt is None:
        can = (n for n in sources if n.op is INPUT_OP or isinstance(n, Parameter))
        found = [n for n in can if tensor_type(n).dtype.is_float]
    else:
        found = [as_symbolic(leaf) for leaf in flatten(wrt)[0]]
    for node in found:
        if node not in set(sources) or not tensor_type(node).dtype.is_float:
            what = node.describe() if isinstance(node, Node) else repr(node)[:80]
            raise ArgumentError(
                "check_grad: wrt has what is no float input or parameter of the outputs",
                [what],
                where=caller(),
            )
    if not found:
        raise ArgumentError("check_grad: no input or parameter is a float", where=caller())
    return found


def _widened(sources: Sequence[Node], roots: Sequence[Node]) -> tuple[dict[Node, Node], list[Node]]:
    """Inputs of float64 for the sources, and the outputs computed of them."""
    new = {n: placeholder(f"v{k}", _wide(n.type)) for k, n in enumerate(sources)}
    return new, substitute(roots, dict(new), lambda node, new: made_with(node, new, _wide))


def _wide(value: Any) -> Any:
    """An attribute or a type with float64 for other floats."""
    if isinstance(value, DType):
        return dtypes.float64 if value.is_float else value
    if isinstance(value, TensorType):
        return TensorType(_wide(value.dtype), value.shape)
    return tuple(map(_wide, value)) if isinstance(value, tuple) else value


def _compiled(inputs: list[Node], roots: list[Node], wrt: list[Node], seed: int) -> Any:
    """A program that gives the weighted sum of the outputs, and its gradients."""
    rng = np.random.default_rng(seed)
    weights = [_weights(root, rng) for root in roots]
    order = toposort([*roots, *weights])
    slopes = vjp(roots, weights, wrt)
    terms = [(w * r).sum() for w, r in zip(weights, roots)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    needed = toposort([total, *slopes], order)
    return _Run(compile([n for n in inputs if n in needed], [total, *slopes]), inputs)


def _weights(root: Node, rng: np.random.Generator) -> Node:
    """Numbers about 1 for each element of an output, whose sizes may be symbolic."""
    type_ = tensor_type(root)
    phase = float(rng.uniform(0, 6))
    steps = FUNCTIONS["iota"]((type_.size,), 0, dtypes.float64)
    return FUNCTIONS["reshape"](FUNCTIONS["sin"](steps * 1.7 + phase) + 1.5, type_.shape)


class _Run:
    """A program called with the arrays of all inputs, needed or not."""

    def __init__(self, program: Program, inputs: Sequence[Node]) -> None:
        names = {n.name for n in program.graph.inputs}
        self.program = program
        self.used = [n.name in names for n in inputs]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.program(*[a for a, used in zip(arrays, self.used) if used])


def _difference(
    run: Callable[..., Any], arrays: Sequence[np.ndarray], place: int, at: int, eps: float
) -> float:
    """The slope by one element, of two values beside it."""
    array = arrays[place].copy()
    value = array.flat[at]
    step = eps * max(1.0, abs(value))
    sides = []
    for side in (value + step, value - step):
        array.flat[at] = side
        sides.append(float(run(*arrays[:place], array, *arrays[place + 1 :])[0]))
    return (sides[0] - sides[1]) / ((value + step) - (value - step))


def _compare(
    node: Node, slope: np.ndarray, picked: np.ndarray, wanted: np.ndarray, rtol: float, atol: float
) -> None:
    got = slope.reshape(-1)[picked]
    largest = max(1.0, float(np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0)))
    near = np.abs(got - wanted) <= atol * largest + rtol * np.maximum(abs(got), abs(wanted))
    wrong = np.flatnonzero(~near)
    if not wrong.size:
        return
    lines = []
    for k in wrong[:SHOWN]:
        index = ", ".join(str(int(i)) for i in np.unravel_index(picked[k], slope.shape))
        name = f"{node.name}[{index}]" if index else node.name
        lines.append(f"{name}: gc.grad gives {got[k]:.8g}, differences {wanted[k]:.8g}")
    raise GradientError(
        f"check_grad: the gradient by {node.name!r} is not that of finite differences",
        [f"{wrong.size} of {len(picked)} elements that were checked differ", *lines],
        where=caller(),
        hint="mend the vjp of an op of yours; at a kink, or behind stop_gradient, they do differ",
    )


__all__ = ["check_grad"]
