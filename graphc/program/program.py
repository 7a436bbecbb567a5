"""A compiled program: called with arrays, asked for its state, looked into.

How one is made is in `driver`; what it says of itself is in `inspected`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.core.arguments import (
    ALIGNED,
    C_CONTIGUOUS,
    as_array,
    check_apart,
    check_bytes,
    check_out,
    check_sizes,
)
from graphc.core.ir import tensor_type
from graphc.core.layout import arrange, given_values
from graphc.ops.implied import watchers
from graphc.ops.source import Parameter
from graphc.program import budget, comparing
from graphc.program.build import Build
from graphc.program.failing import failed, out_of_memory
from graphc.program.inspected import Inspected
from graphc.program.measuring import Sizing
from graphc.program.profiling import Profile
from graphc.program.sizes import symbolic_bytes, uncertain_sizes
from graphc.program.states import read_states, write_states
from graphc.runtime.base import poison
from graphc.runtime.machine.call import Call

_PLAIN = C_CONTIGUOUS | ALIGNED


class Program(Inspected):
    """A graph compiled to native code; call it with arrays.

    Example:
        program = gc.compile([x, t], loss, updates={w: w - 0.1 * gw})
        value = program(images, labels)          # or program(x=images, t=labels)
        program(images, labels, out=buffer)      # writes the result there

    Inputs are arrays of the declared dtypes (anything with `__array__` or `__dlpack__`), Python
    numbers or lists. They are never written. Results come in the form that the outputs had when
    they were compiled. A program may be called from several threads at once; calls that update a
    parameter and calls that use it take turns. A call that raises leaves the state as it was
    (arrays given as `out` may hold part of a result).

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> double = gc.compile([x], x * 2.0)
        >>> double(np.ones(3, np.float32)), double(np.ones(5, np.float32)).shape
        (array([2., 2., 2.], dtype=float32), (5,))
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self.graph = build.graph
        self.history = list(build.history)
        self._executable = build.executable
        self._sizing = Sizing(build.graph, build.first)
        self._inputs = self._sizing.inputs
        self._dtypes = tuple(tensor_type(n).dtype.numpy for n in self._inputs)
        self._poisoned = build.executable.is_poisoned
        # Calls that are still to be compared with the reference.
        self._compared = comparing.CALLS if "2" in build.executable.checks else 0
        is_short = build.executable.is_native and build.debug < 2 and not self._sizing.valued
        is_short = is_short and not self._poisoned and not self._compared
        self._count = len(self._inputs) if is_short and build.layout.is_plain else -1
        aliased = dict(build.graph.aliases)
        self._results = [o for k, o in enumerate(build.graph.outputs) if k not in aliased]
        self._restore = build.layout.restorer()
        self._states = {n.name: n for n in build.graph.inputs if isinstance(n, Parameter)}
        written = {build.graph.inputs[k] for k in aliased.values()}
        self._watchers = watchers(self._states.values(), written)
        self._sized = uncertain_sizes(build.graph)
        self._counted = symbolic_bytes(build.graph)
        self._last_sizes: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The name given to `compile`.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.compile([x], x * 2.0, name="double").name
            'double'
        """
        return self.graph.name

    def __repr__(self) -> str:
        inputs = ", ".join(f"{n.name}: {n.type}" for n in self._inputs)
        return f"<Program {self.name}({inputs})>"

    def __call__(self, *args: Any, out: Any = None, **named: Any) -> Any:
        """Run the program once.

        Args:
            args: the inputs in their order.
            out: arrays that take the results, in the form of the outputs.
            named: inputs by name.

        Returns:
            The results: arrays in the form that the outputs had.

        Raises:
            ArgumentError, DTypeError, ShapeError: an argument is not what was declared.
            IndexRangeError, CastOverflowError: a check failed while the program ran.
            OutOfMemoryError: the arena or a result doesn't fit.
        """
        if self._watchers:
            for watch in self._watchers:
                watch()
        # The common case, kept short: everything is right and these shapes were seen before.
        if named or len(args) != self._count:
            return self._call(args, named, out)
        for array, dtype in zip(args, self._dtypes):
            if (
                type(array) is not np.ndarray
                or array.dtype is not dtype
                or array.flags.num & _PLAIN != _PLAIN
            ):
                return self._call(args, named, out)
        executable = self._executable
        call = executable.find(tuple([array.shape for array in args]))
        if call is None:
            return self._call(args, named, out)
        if out is not None:
            return self._run(call, args, out)
        try:
            results = [np.empty(shape, dtype) for shape, dtype in call.outputs]
            failure = executable.run(call, (*args, *results))
        except MemoryError as error:
            raise out_of_memory(self._build, call, error) from None
        if failure is not None:
            raise failed(self._build, call, args, *failure)
        return self._restore(results)

    def _call(self, args: Sequence[Any], named: Mapping[str, Any], out: Any) -> Any:
        """A call in full: arguments arranged and converted, sizes bound, `out` looked at."""
        arrays = self._arrays(args, named)
        return self._run(self._bound(arrays), arrays, out)

    def _arrays(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[np.ndarray]:
        given = arrange(self.name, self._inputs, self._build.layout, args, named)
        casting = self._build.layout.casting
        arrays = [as_array(n, v, casting) for n, v in zip(self._inputs, given)]
        return self._sizing.completed(arrays)

    def _run(self, call: Call, arrays: Sequence[np.ndarray], out: Any) -> Any:
        """Run with plain arrays whose sizes are bound, into `out` where it is given."""
        executable = self._executable
        results, targets = self._take_out(arrays, out, call.outputs)
        expected = comparing.expect(self.graph, arrays, call.sizes) if self._compared > 0 else None
        times: list[int] | None = [] if self._build.debug >= 2 else None
        try:
            made = poison.guarded if self._poisoned else _unguarded
            memory = [
                made(shape, dtype) if result is None else (result, None)
                for result, (shape, dtype) in zip(results, call.outputs)
            ]
            results = [array for array, _ in memory]
            failure = executable.run(call, (*arrays, *results), times)
        except MemoryError as error:
            raise out_of_memory(self._build, call, error) from None
        self._check_red_zones(memory)
        if times is not None:
            sys.stderr.write(str(Profile.of(self.name, executable, times)))
        if failure is not None:
            raise failed(self._build, call, arrays, *failure)
        if expected is not None:
            self._compared -= 1
            labels = [self._build.layout.label(k) for k in range(len(results))]
            comparing.compare(expected, results, labels)
        return self._restore(_delivered(results, targets))

    def _check_red_zones(self, memory: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> None:
        for k, (array, red_zone) in enumerate(memory):
            if red_zone is not None and poison.is_damaged(red_zone, array.nbytes):
                label = self._build.layout.label(k)
                raise poison.overrun(f"{label} of {self.name}", self._results[k])

    def _bound(self, arrays: Sequence[np.ndarray]) -> Call:
        """What these shapes decide; worked out when they are new."""
        executable = self._executable
        key = self._sizing.key(arrays)
        call = executable.find(key)
        if call is None:
            sizes = self._sizing.bind(arrays)
            check_sizes(self._sized, sizes)
            check_bytes(self._counted, sizes)
            if self._build.budget is not None:
                budget.check(self._build, sizes)
            call = executable.bind(sizes)
            executable.keep(key, call)
        self._last_sizes = call.sizes
        return call

    def _take_out(
        self, arrays: Sequence[np.ndarray], out: Any, wanted: Sequence[tuple[tuple[int, ...], Any]]
    ) -> tuple[list[Any], list[Any]]:
        """Arrays for the results, None where one is to be allocated, and where to copy them.

        A result that shares memory with an input is computed elsewhere and copied.
        """
        if out is None:
            return [None] * len(wanted), [None] * len(wanted)
        layout = self._build.layout
        given = layout.split(self.name, out, len(wanted))
        labels = [layout.label(k) for k in range(len(wanted))]
        results = [
            check_out(label, array, tensor_type(node), shape)
            for label, array, node, (shape, _) in zip(labels, given, self._results, wanted)
        ]
        check_apart(labels, results)
        targets: list[Any] = [None] * len(wanted)
        for position, array in enumerate(results):
            if array is not None and any(np.may_share_memory(array, a) for a in arrays):
                results[position], targets[position] = None, array
        return list(results), targets

    def partial(self, *args: Any, **named: Any) -> Program:
        """The program with some of its inputs given once and for all.

        Args:
            args: values of the first arguments, as calls take them.
            named: values of others, by name.

        Returns:
            A program that takes the rest; it shares parameters and compiled code with this one,
            and does not change when an array that was given does.

        Example:
            >>> import graphc as gc
            >>> x, y = gc.input("x", (2,)), gc.input("y", ())
            >>> times = gc.compile([x, y], x * y)
            >>> times.partial(y=10.0)([1.0, 2.0])
            array([10., 20.], dtype=float32)
        """
        layout = self._build.layout
        found = given_values(self.name, self._inputs, layout, args, named)
        fixed = layout.fixed | found.keys()
        layout = replace(layout, given={**layout.given, **found}, fixed=fixed)
        other = object.__new__(type(self))
        vars(other).update(vars(self))  # copy.copy would give it parameters of its own
        other._build = replace(self._build, layout=layout)
        other._count = -1
        return other

    def state(self) -> dict[str, np.ndarray]:
        """Copies of the values of all parameters, by name.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> w = gc.parameter("w", np.ones(2, np.float32))
            >>> gc.compile([], w * 2.0).state()
            {'w': array([1., 1.], dtype=float32)}
        """
        return read_states(self._states)

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Set all parameters.

        Args:
            values: one array for each parameter, by name, of its shape and dtype.

        Raises:
            ArgumentError: a name is missing or unknown.
            ShapeError, DTypeError: an array doesn't fit; then no parameter was changed.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> w = gc.parameter("w", np.ones(2, np.float32))
            >>> program = gc.compile([], w * 2.0)
            >>> program.load_state({"w": np.array([3.0, 4.0], np.float32)})
            >>> program()
            array([6., 8.], dtype=float32)
        """
        write_states(self.name, self._states, values)


def _delivered(results: list[Any], targets: Sequence[Any]) -> list[Any]:
    """Results, copied where the caller wants them elsewhere."""
    for position, target in enumerate(targets):
        if target is not None:
            target[...] = results[position]
            results[position] = target
    return results


def _unguarded(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, None]:
    return np.empty(shape, dtype), None
