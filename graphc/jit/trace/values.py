"""What Python asks of traced tensors besides operations: values, layouts, draws, live numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dtypes import DType
from graphc.core.ir import Node, caller, toposort
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import part_of
from graphc.eager.engine.signature import late, replayed
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, new
from graphc.eager.engine.views import same_memory
from graphc.jit.trace.branches import ended
from graphc.jit.trace.captured import uniform_node
from graphc.jit.trace.refused import refusal
from graphc.jit.trace.sized import Sized
from graphc.jit.trace.sizes import TracedSize
from graphc.jit.trace.steps import Captured, Given, equal_bits
from graphc.ops.arrays import random
from graphc.ops.printing import muted
from graphc.ops.source import INPUT_OP, PARAMETER_OP, Parameter, State


class Values(Sized):
    """A trace's part that answers Python."""

    shows_values = True  # the text of a tensor is its value's

    def layout(self, tensor: Tensor) -> np.ndarray:
        """An array of the shape and strides that a tensor has eagerly; its values mean nothing."""
        self.has_read_layout = True
        if tensor._node is None:
            return tensor._array
        real = self.reals.get(id(tensor))
        if real is not None:
            return real._array
        view = tensor._view
        if view is None:
            type_ = tensor._node.type
            sizes = [dims.evaluate(s, self.sizes) for s in type_.shape]
            return np.empty(sizes, type_.dtype.numpy)
        parent = self.layout(view.parent)
        if view.function is same_memory:
            return parent
        template, static = self.numbers(view.template), self.numbers(view.static)
        return part_of(view.function, template, static, parent)

    def value_of(self, tensor: Tensor, what: str) -> np.ndarray:
        """The value of a traced tensor, as far as the trace's policy gives one."""
        real = self.reals.get(id(tensor))
        if real is not None and tensor._node is self.placeholders[id(tensor)]:
            self.read_arguments.append((what, caller()))
            if what == "numpy()":
                self.expose(real._array)
            return real._array
        if not any(
            n.op is INPUT_OP or (n.inputs and not n.op.pure) for n in toposort((tensor._node,))
        ):
            # Of tensors that are older than the call: they have their values.
            self.read_arguments.append((what, caller()))
            return self.evaluated(tensor)
        found = np.asarray(self.decide(self, tensor, what))
        if what == "bool()" and not self.left:
            # The arms of a branch are paths of their own.
            self._asked(("outcome", bool(found)), tuple)
            self.outcomes.append(f"{caller()}: {bool(found)}")
        return found

    def evaluated(self, tensor: Tensor) -> np.ndarray:
        """The value of a traced tensor, by a program of its own; kept for later runs."""
        self.has_evaluated = True
        node = tensor._node
        program = self.at.values.get(node)
        if program is None:
            program = self.at.values[node] = _evaluation(node, self)
        places, keys, run = program
        arrays = [keys[n].state.array if n in keys else self.given[n] for n in places]
        tracing.trace, hot.slow = None, hot.slow - 1
        try:
            with muted():  # what is shown on the way is the run's own program's to show
                return run(*arrays)
        finally:
            tracing.trace, hot.slow = self, hot.slow + 1

    def value_read(self, tensor: Tensor, what: str) -> None:
        """Python saw the value of a concrete tensor: the program assumes that it stays."""
        found = self.touched.get(id(tensor._array))
        if (found is not None and found.current is not found.node) or self._is_part_of_written(
            tensor
        ):
            if self.decide is ended:
                self.end(f"{what} of a tensor that the traced code has changed")
                return
            raise refusal(
                f"{what} of a tensor that the traced code has changed: the value is not known "
                "while the graph is made",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="keep it a tensor, or read it outside of the traced function",
            )
        if what == "numpy()":
            self.expose(tensor._array)
        if self.is_born(tensor):
            return
        self.reads.append((tensor, tensor._array.copy(), caller()))

    def expose(self, array: np.ndarray) -> None:
        """Note memory that Python code can write without a word, NumPy's, as it is now."""
        if not any(known is array for known, _, _ in self.exposed):
            self.exposed.append((array, array.copy(), caller()))

    def check_exposed(self) -> None:
        """Refuse a run that wrote memory of NumPy's which it had used: the program runs later."""
        for array, before, where in self.exposed:
            if not equal_bits(before, array):
                raise refusal(
                    "the traced code changed a NumPy array after it had been used as a tensor",
                    [f"the array: {array.dtype.name}{list(array.shape)}"],
                    where=where,
                    hint="use a copy of it, or change it outside of the traced function",
                )

    def identified(self, tensor: Tensor) -> None:
        """Refuse the hash of what stands for an argument: as a key it would be another one."""
        if id(tensor) in self.reals:
            raise refusal(
                "the traced code uses an argument as a key, which goes by its identity",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="use a name of your own as a key, or call the function outside",
            )

    def _is_part_of_written(self, tensor: Tensor) -> bool:
        return self.written_memory.shared(tensor._array)

    def live(self, group: Any, key: object, index: int | None) -> Tensor:
        """A number that each call reads again."""
        value = group[key] if index is None else group[key][index]
        for mapping, name, place, node in self.live_values:
            # The traced code may have set another since.
            if mapping is group and name == key and place == index:
                seen = self.live_seen[node]
                if value is seen or (not isinstance(value, Tensor) and value == seen):
                    return self.wrap(node)

        def build() -> tuple[Node, ...]:
            name = self._name(str(key) if index is None else f"{key}{index}")
            type_ = TensorType(dtypes.float64, ())
            attrs = (("name", name), ("type", type_))
            cell = State(np.array(value, np.float64))
            node = Parameter(PARAMETER_OP, (), attrs, type_, caller(), cell)
            return (node,)

        (node,) = self._asked(("live", key, index), build).nodes
        self.live_values.append((group, key, index, node))
        self.live_seen[node] = value
        return self.wrap(node)

    def live_now(self) -> list[tuple[Any, Any, Any, Node]]:
        """The numbers that each call reads anew, as the traced code found them."""
        return [({None: value}, None, None, node) for node, value in self.live_seen.items()]

    def draw_key(self, generator: Any) -> Tensor:
        """The key of a draw; the generator's state moves on in the graph."""
        parameter = generator.parameter
        known = self.generators.get(id(parameter))
        key = self._generator(parameter) if known is None else known[1]
        (after,) = self._operation(random.advance, (SLOT,), (), [key], ()).nodes
        self.generators[id(parameter)] = (parameter, after)
        return self.wrap(key)

    def _generator(self, parameter: Any) -> Node:
        """The state of a generator: an input where a run before had another in its place."""
        array = parameter.state.array
        step = self._held(array, False)
        if step is None:
            is_other = any(
                isinstance(s, Captured) and s.array.dtype == array.dtype for s in self.at.after
            )
            step = self._branch(
                Given((INPUT_OP(name=self._name("key"), type=parameter.type),))
                if is_other
                else Captured(array, self._placeholder(parameter))
            )
        if step.__class__ is Given:
            self.given[step.nodes[0]] = array
        return step.nodes[0]

    def _placeholder(self, parameter: Any) -> Node:
        """A generator's parameter; where another of its name is in the graph, one more over the
        same memory."""
        name = self._name(parameter.name)
        if name == parameter.name:
            return parameter
        attrs = (("name", name), ("type", parameter.type))
        return Parameter(PARAMETER_OP, (), attrs, parameter.type, caller(), parameter.state)

    def seed(self, generator: object, state: int) -> None:
        """`manual_seed` in traced code: draws from here on start at another state."""
        tensor = new(Tensor)
        tensor._array = np.array(state, np.uint64)
        self.bear(tensor)
        self.kept.append(tensor)
        self.set_state_of_generator(generator, tensor)

    def state_of_generator(self, generator: Any) -> Tensor:
        """A generator's state at this point of the traced code."""
        parameter = generator.parameter
        known = self.generators.get(id(parameter))
        key = self._generator(parameter) if known is None else known[1]
        self.generators[id(parameter)] = (parameter, key)
        return self.wrap(key)

    def set_state_of_generator(self, generator: Any, value: Tensor) -> None:
        """Let a generator go on from a state."""
        parameter = generator.parameter
        self.generators[id(parameter)] = (parameter, self.node_of(value))

    def _full(self, shape: tuple[Any, ...], value: object, dtype: DType) -> Tensor:
        sizes = tuple(self._plain(s) for s in shape)
        return self.wrap(
            self._operation(FUNCTIONS["full"], (sizes, value, dtype), (), [], ()).nodes[0]
        )

    def zeros(self, shape: tuple[Any, ...]) -> Tensor:
        """Zeros of a shape that may be symbolic, to draw numbers for."""
        return self._full(shape, 0, dtypes.uint8)

    def filled(self, like: Tensor, value: object, dtype: DType) -> Tensor:
        """A tensor of a traced one's shape, filled with a number."""
        return self.full(like.type.shape, value, like.dtype if dtype is None else dtype)

    def full(self, shape: tuple[Any, ...], value: object, dtype: DType) -> Tensor:
        """A tensor of a shape that may be symbolic, filled with a number."""
        kind = promotion.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return self._full(shape, value, kind)

    def is_symbolic(self, shape: tuple[Any, ...]) -> bool:
        """Whether a size among these is symbolic."""
        return any(isinstance(s, TracedSize) for s in shape)

    def is_size(self, value: object) -> bool:
        """Whether a value is a symbolic size."""
        return isinstance(value, TracedSize)

    def is_count(self, value: object) -> bool:
        """Whether a value is a symbolic size that is 0 or more, whatever its symbols are."""
        if not isinstance(value, TracedSize) or value._trace is not self:
            return False
        return dims.at_least(value.dim, 0)

    def counted(self, size: TracedSize, dtype: DType) -> Tensor:
        """The numbers from 0 to before a symbolic size."""
        numbers = (0, self._plain(size), 1, dtype)
        return self.wrap(self._operation(FUNCTIONS["arange"], numbers, (), [], ()).nodes[0])

    def size_tensor(self, size: TracedSize, dtype: DType) -> Tensor:
        """A symbolic size as a 0-d tensor beside tensors of a dtype."""
        kind = dtype if dtype.is_float else dtypes.int64
        if self.root.is_fixed or size._trace is not self:
            return self._full((), size.number, kind)
        return self.wrap(self._operation(FUNCTIONS["size"], (size.dim, kind), (), [], ()).nodes[0])


def _evaluation(node: Node, trace: Any) -> Any:
    """A program of one value of a run: the placeholders it takes, the generators whose states some
    of these are, and itself."""
    # Before it is known which of the tensors stay that the traced code made.
    memo: dict[Node, Node] = {
        t.step.nodes[0]: uniform_node(t.step.value, t.step.nodes[0].origin)
        for t in trace.touched.values()
        if isinstance(t.step, Captured) and t.step.value is not None
    }
    # Generators stay where they are: the run's own program moves them on.
    keys: dict[Node, Any] = {}
    for parameter, _ in trace.generators.values():
        memo[parameter] = INPUT_OP(name=trace._name("key"), type=parameter.type)
        keys[memo[parameter]] = parameter
    (root,) = replayed([node], memo, {})
    used = toposort((root,))
    places = [n for n in (*trace.given, *keys) if n in used and n.op is INPUT_OP]
    return places, keys, late("program.driver").compile_as_written(places, root, name="condition")


__all__ = ["Values"]
