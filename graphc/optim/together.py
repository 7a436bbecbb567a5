"""An update run in place: one compiled program for parameters of every size.

An optimizer's update takes each element by itself, so a parameter, its gradient and its moments
are vectors to it, of one symbolic length, and one program serves them all. Its vector kernel reads
element i before it writes element i, so it writes straight into the tensors' memory; counters
(0-d, read by other kernels too) are written beside and copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dtypes import by_char
from graphc.core.ir import Kind, Node, toposort
from graphc.core.types import TensorType, TupleType
from graphc.eager.engine.composite import apply_in_place
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.signature import late, trace
from graphc.eager.engine.tensor import Tensor
from graphc.optim.fresh import COUNTERS

# NumPy's flag bits: C-contiguous, aligned, writeable.
_READ = 0x1 | 0x100
_WRITE = _READ | 0x400

# A parameter, its gradient and its state (None where an entry is not in use).
Item = tuple[Tensor, Tensor, Sequence[Tensor | None]]


def update_in_place(
    update: Callable[..., Any],
    names: tuple[str | None, ...],
    items: Sequence[Item],
    numbers: Sequence[Tensor],
    static: dict[str, Any],
) -> None:
    """Update parameters and their state, in place.

    Args:
        update: made by `arithmetic.update`.
        names: of the state entries.
        items: what to update.
        numbers: 0-d tensors.
        static: the keyword arguments.
    """
    settings = tuple(static.items())
    traced = hot.slow and tracing.trace is not None
    scalars = [] if traced else [number._array for number in numbers]
    for param, grad, state in items:
        if traced or not _run(update, names, settings, param, grad, state, scalars):
            targets = [param, *(entry for entry in state if entry is not None)]
            args = (param, grad, *state, *numbers)
            if traced:
                tracing.trace.used.add(id(param))
            apply_in_place(update, targets, *args, **static)


_PROGRAMS: dict[Any, _Flat | None] = {}


def _run(
    update: Callable[..., Any],
    names: tuple[str | None, ...],
    settings: tuple[tuple[str, Any], ...],
    param: Tensor,
    grad: Tensor,
    state: Sequence[Tensor | None],
    scalars: Sequence[np.ndarray],
) -> bool:
    """Run the compiled update; False where the memory is not what it needs."""
    gradient = grad._array
    if gradient.flags.num & _READ != _READ:
        gradient = np.ascontiguousarray(gradient)
    held = [param._array]
    tensors = [param]
    size = held[0].size
    if not size or gradient.size != size:
        return False
    for name, entry in zip(names, state):
        if entry is not None:
            array = entry._array
            if array.size != (1 if name in COUNTERS else size):
                return False
            held.append(array)
            tensors.append(entry)
    chars = [gradient.dtype.char]
    for array in held:
        if array.flags.num & _WRITE != _WRITE:
            return False
        chars.append(array.dtype.char)
    chars += [array.dtype.char for array in scalars]
    key = (update, names, settings, tuple(chars))
    if key not in _PROGRAMS:
        _PROGRAMS[key] = _flat(update, names, settings, chars)
    program = _PROGRAMS[key]
    if program is None:
        return False
    program.run(size, [held[0], gradient, *held[1:], *scalars], held)
    for tensor in tensors:
        version = tensor._version
        if version is None:
            version = tensor.version()
        version.count += 1
    return True


class _Flat:
    """The program of an update at one signature.

    Args:
        program: takes the inputs in `taken`; its results are the new param and state entries.
        taken: positions among param, grad, state and numbers.
        counters: for each result, whether it is a counter.
    """

    def __init__(self, program: Any, taken: list[int], counters: list[bool]) -> None:
        self.executable = program._executable
        self.taken = taken
        self.beside = counters if _one_kernel(program) else [True] * len(counters)
        self.copies = [k for k, beside in enumerate(self.beside) if beside]

    def run(self, size: int, arrays: list[np.ndarray], held: list[np.ndarray]) -> None:
        """Compute new values from `arrays` and write them into `held`."""
        executable = self.executable
        call = executable.find(size)
        if call is None:
            call = executable.bind({"n": size})
            executable.keep(size, call)
        inputs = [arrays[k] for k in self.taken]
        results = list(held)
        for k in self.copies:
            results[k] = np.empty(held[k].shape, held[k].dtype)
        executable.run(call, inputs + results)
        for k in self.copies:
            held[k][...] = results[k]


def _flat(
    update: Any, names: Sequence[str | None], settings: Sequence[Any], chars: Sequence[str]
) -> _Flat | None:
    """Compile an update; None where programs run the reference."""
    vector, number = (dims.dim("n"),), ()
    used = [name for name in names if name is not None]
    shapes: list[Any] = [vector, vector, *(number if n in COUNTERS else vector for n in used)]
    shapes += [number] * (len(chars) - len(shapes))
    # `chars` begins with the gradient's, arguments with the parameter's.
    ordered = [chars[1], chars[0], *chars[2:]]
    types = tuple(TensorType(by_char(c), shape) for c, shape in zip(ordered, shapes))

    def build(function: Callable[..., Any], nodes: Sequence[Any]) -> Any:
        given = iter(nodes)
        first = [next(given), next(given)]
        state = [None if name is None else next(given) for name in names]
        return function(*first, *state, *given, **dict(settings))

    inputs, outputs, _ = trace(update.body, types, build, True)
    reached = toposort(outputs)
    taken = [k for k, node in enumerate(inputs) if node in reached]
    name = update.__name__
    program = late("program.driver").compile_as_written(
        [inputs[k] for k in taken], outputs, name=name
    )
    if not program._executable.is_native:
        return None
    return _Flat(program, taken, [False, *(name in COUNTERS for name in used)])


def _one_kernel(program: Any) -> bool:
    """Whether one kernel alone touches vectors, and takes each element by itself."""
    touching = 0
    for launch in program._executable.launches:
        nodes = [launch.node, *(a.node for a in getattr(launch, "args", ()) if hasattr(a, "node"))]
        touching += not all(map(_is_scalar, nodes))
    plain = (Kind.ELEMENTWISE, Kind.SOURCE, Kind.MOVEMENT)
    return touching == 1 and all(n.op.kind in plain for n in program.history[0][1].nodes)


def _is_scalar(node: Node) -> bool:
    items = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    return all(getattr(item, "shape", ()) == () for item in items)
