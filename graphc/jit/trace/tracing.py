"""One trace: eager code runs, and a graph of what it does is made.

Tensors made in a trace have a node instead of an array. A concrete tensor that the code touches
(a weight, a running mean, an optimizer's moment) stands in the graph as a parameter over the
tensor's own memory; what is written into it becomes an update of the program. The trace keeps
which concrete tensors it touched, what it assumed of them, and what Python saw of their values.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Graph, Node, caller, toposort
from graphc.core.operators import FUNCTIONS
from graphc.core.profilers import unwatched
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import SLOT, backward_name, call_of, fill, invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import Call, late, replayed
from graphc.eager.engine.signature import trace as trace_call
from graphc.eager.engine.size import Size
from graphc.eager.engine.tape import AccumulateGrad, CallBackward, GradFn, Saved
from graphc.eager.engine.tensor import Tensor, View, new
from graphc.eager.functions.inplace import PutBack
from graphc.errors import GraphcError, TraceError
from graphc.jit.trace.control import control
from graphc.jit.trace.refused import Left, refusal
from graphc.jit.trace.sizes import SizeNeeded, TracedSize, shape_of
from graphc.jit.trace.steps import Asked, Captured, Given, Operation, Root, equal_bits, same
from graphc.ops.arrays import random
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import CONSTANT_OP, INPUT_OP, PARAMETER_OP, Bound, Parameter, State

_STATES: weakref.WeakValueDictionary[int, State] = weakref.WeakValueDictionary()
# Arrays up to this many elements that all are one number are written into the graph as it.
_UNIFORM = 1 << 20
# Where functions stand that run no code of the user's and read nothing but their arguments.
_OWN_ALONE = ("graphc.optim.",)
_MAY_HOLD_SIZES = (tuple, Size, TracedSize, dims.Dim)
# Ops whose nodes are what they are called, not what they compute.
_SOURCES = (INPUT_OP, PARAMETER_OP, CONSTANT_OP)


def state_of(array: np.ndarray) -> State:
    """The state over an array's memory; one for each array, so that programs take turns."""
    found = _STATES.get(id(array))
    if found is None or found.array is not array:
        found = State(array)
        _STATES[id(array)] = found
    return found


class Touched:
    """A concrete tensor in a trace: its placeholder, and what it holds now."""

    __slots__ = ("array", "born", "current", "node", "step", "tensor")

    def __init__(self, tensor: Tensor, step: Any, born: bool) -> None:
        self.tensor = tensor
        self.array = tensor._array
        self.step = step
        self.node: Any = step.nodes[0]
        self.current: Node = self.node
        self.born = born

    @property
    def step_is_constant(self) -> bool:
        """Whether the program has the tensor's value, and not its memory."""
        return isinstance(self.step, Captured) and self.step.is_constant

    @property
    def is_bound(self) -> bool:
        """Whether the program's placeholder is this very memory."""
        return isinstance(self.step, Captured) and not self.step.is_constant


class Trace:
    """What a run under way has asked for.

    Attributes:
        at: the step that was answered last.
        path: the steps so far.
        made: weak references to the traced tensors that were made.
        given: arrays of placeholders that are no memory of the program's own.
        touched: concrete tensors, by the identity of their arrays.
        decide: called with a 0-d traced tensor whose truth Python asks for; gives True or False,
            or raises.
        live_values: (mapping, key, index, node) of numbers that calls read anew.
        reads: concrete values that Python saw: (tensor, its value, where).
        known: the name by which modules and optimizers know a tensor, or "".
        sizes: the call's sizes of symbolic dimensions, by name.
    """

    def __init__(self, decide: Callable[[Trace, Tensor, str], Any], root: Any = None) -> None:
        self.root: Root = Root((), (), True) if root is None else root
        self.at: Any = self.root
        self.path: list[Any] = []
        self.steps_recorded: list[tuple[Any, Any]] = []
        self.first = GradFn(()).number  # the tape's steps from before the run have lower ones
        self.owners: dict[Any, Tensor] = {}  # concrete tensors by their edges
        self.made: list[Any] = []
        self.given: dict[Node, np.ndarray] = {}
        self.sizes: dict[str, int] = {}
        self.fixed: Callable[[], Root] | None = None
        self.is_new = False  # whether a step was added to the tree
        self.varied: list[str] = []  # what differed from the runs before
        self.bodies = 0  # bodies of control flow under way
        # Of traced arguments, by identity: themselves, the caller's tensors, their placeholders.
        self.stand_ins: dict[int, Tensor] = {}
        self.reals: dict[int, Tensor] = {}
        self.placeholders: dict[int, Node] = {}
        self.by_array: dict[int, Tensor] = {}  # traced arguments by the caller's memory
        self.counts: dict[int, int] = {}  # of writes to them, before the run
        self.left: str = ""  # why the rest of the call runs eagerly
        self.touched: dict[int, Touched] = {}
        self.names: set[str] = self.root.names
        self.known: Callable[[Tensor], str] = lambda tensor: ""
        self.decide = decide
        self.live_values: list[tuple[Any, Any, Any, Node]] = []
        self.reads: list[tuple[Tensor, np.ndarray, Any]] = []
        self.grads: dict[int, tuple[Tensor, Any]] = {}
        self.grads_before: dict[int, tuple[Tensor, Any]] = {}
        self.born: dict[int, Any] = {}  # weak references, by identity
        self.generators: dict[int, tuple[Any, Node]] = {}
        self.edges: dict[Node, Any] = {}  # of nodes whose cotangents are recorded
        self.differentiated = False  # whether the traced code ran a backward pass
        self.settle: Callable[[], None] | None = None  # gives all traced tensors their values
        self.written: dict[int, np.ndarray] = {}  # memory that is older and was written
        self.written_parts: list[np.ndarray] = []  # that which is part of other memory
        self.parts: list[np.ndarray] = []  # memory of the run that is part of other memory
        self.kept: list[Any] = []  # tensors that only the trace holds
        self.moved: dict[Node, Node] = {}  # nodes made again with numbers for sizes
        self.symbols: dict[Any, int] = {}  # the call's sizes, by symbol
        self.used: set[int] = set()  # parameters that an optimizer changed by their gradients
        self.has_ended = False
        self.has_read_layout = False
        self.has_evaluated = False  # whether Python was given a value that was computed for it
        self.read_arguments: list[Any] = []  # (what, where) of arguments whose values Python saw
        self.has_control = False  # whether a branch or loop was recorded
        self.seeded: set[int] = set()  # generators whose state before the run doesn't matter

    # --- the tree of requests

    def _take(self, step: Any) -> Any:
        """Go on at a step."""
        self.path.append(step)
        self.at = step
        return step

    def _branch(self, step: Any, varies: bool = True) -> Any:
        """Add a step to the tree, and go on there."""
        if varies and self.at.after:
            self.varied.append(f"{step.describe()} at {caller()}")
        self.at.after.append(step)
        self.is_new = True
        return self._take(step)

    def _asked(self, key: tuple[Any, ...], build: Callable[[], tuple[Node, ...]]) -> Any:
        """The step of a request told apart by a key."""
        for step in self.at.after:
            if step.__class__ is Asked and same(step.key, key):
                return self._take(step)
        return self._branch(Asked(key, build()))

    # --- nodes

    def check_alone(self) -> None:
        """Raise if another trace is under way in this thread."""
        if tracing.trace is not None:
            raise TraceError(
                "a trace inside a trace",
                where=caller(),
                hint="call the function itself: it becomes part of the trace around it",
            )

    def shape_of(self, shape: tuple[Any, ...]) -> Any:
        """A traced tensor's shape as Python code gets it."""
        return shape_of(shape, self)

    def wrap(self, node: Node) -> Tensor:
        """A traced tensor."""
        tensor = new(Tensor)
        tensor._node = node
        if not self.bodies:
            self.made.append(weakref.ref(tensor))
        return tensor

    def argument(self, real: Tensor, placeholder: Node) -> Tensor:
        """A traced tensor for one of the call's arguments."""
        tensor = self.wrap(placeholder)
        tensor.__dict__.update(
            {k: v for k, v in real.__dict__.items() if not hasattr(Tensor, k) and k != "_array"}
        )
        tensor.__class__ = real.__class__
        tensor._edge = real._edge
        tensor.name = real.name
        tensor._version = real.version()
        self.stand_ins[id(tensor)] = tensor
        self.reals[id(tensor)] = real
        self.placeholders[id(tensor)] = placeholder
        self.counts[id(tensor)] = tensor._version.count
        self.given[placeholder] = real._array
        self.by_array[id(real._array)] = tensor
        if real._array.base is not None:
            self.parts.append(real._array)
        return tensor

    def node_of(self, tensor: Tensor) -> Node:
        """The node that holds a tensor's value now."""
        if tensor._node is not None:
            return tensor._node
        argument = self.by_array.get(id(tensor._array))
        if argument is not None:
            return argument._node
        view = tensor._view
        if view is not None and not self._is_touched(tensor):
            return self._applied(view, self.node_of(view.parent))
        return self.touch(tensor).current

    def _is_touched(self, tensor: Tensor) -> bool:
        return id(tensor._array) in self.touched

    def touch(self, tensor: Tensor) -> Touched:
        """The entry of a concrete tensor, made when it is first used."""
        found = self.touched.get(id(tensor._array))
        if found is not None:
            return found
        born = self.is_born(tensor)
        step = self._held(tensor._array, born) or self._branch(
            self._holding(tensor, born), not born
        )
        if step.__class__ is Given:
            self.given[step.nodes[0]] = tensor._array
        found = self.touched[id(tensor._array)] = Touched(tensor, step, born)
        self._check_overlap(found)
        return found

    def _held(self, array: np.ndarray, born: bool) -> Any:
        """The step of a run before that asked for this memory, or for one like it."""
        given = None
        for step in self.at.after:
            kind = step.__class__
            if kind is Captured:
                if step.fits(array, born):
                    return self._take(step)
            elif kind is Given and step.fits(array):
                given = step
        return None if given is None else self._take(given)

    def _holding(self, tensor: Tensor, born: bool) -> Any:
        """A new step for a concrete tensor: an input where a run before had another in its place."""
        array = tensor._array
        type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
        others = [s for s in self.at.after if isinstance(s, Captured) and s.nodes[0].type == type_]
        name = self._name(self.known(tensor) or tensor.name or "state")
        attrs = (("name", name), ("type", type_))
        repeats = born and any(s.value is not None and equal_bits(s.value, array) for s in others)
        plain = array.flags.c_contiguous and array.flags.aligned and array.flags.writeable
        if not plain or (others and not repeats):
            return Given((INPUT_OP(name=name, type=type_),))
        # One for all paths, so that a program of several has one placeholder for it.
        known = self.root.parameters.get(id(array))
        if known is not None and known[0] is array:
            node = known[1]
        else:
            node = Parameter(PARAMETER_OP, (), attrs, type_, caller(), state_of(array))
            if not born:
                self.root.parameters[id(array)] = (array, node)
        step = Captured(array, node, born)
        step.is_constant = repeats  # the memory is another at every call, the values are the same
        return step

    def _check_overlap(self, entry: Touched) -> None:
        """Leave the graph where a part of memory is used that was written as another tensor."""
        if entry.array.base is not None:
            self.parts.append(entry.array)
            others: Any = self.written.values()
        else:
            others = self.written_parts
        for other in others:
            if other is not entry.array and np.may_share_memory(other, entry.array):
                self.leave("two tensors share memory, and one of them is written")
                return

    def _name(self, wanted: str) -> str:
        base = "".join(c if c.isalnum() else "_" for c in wanted)
        base = base if base[:1].isalpha() else f"s{base}"
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name

    # --- operations

    def invoke(
        self, function: Any, template: Any, static: Any, tensors: Sequence[Tensor], view: bool
    ) -> Any:
        """An operation of eager code: nodes are built, and recorded for differentiation."""
        try:
            nodes = [self.node_of(t) for t in tensors]
        except Left:
            template, static = self._plain(template), self._plain(static)
            return invoke(function, template, static, tensors, view)
        recorded: tuple[bool, ...] = ()
        for tensor, node in zip(tensors, nodes):
            if tensor._edge is not None:
                self.edges[node] = self.edge_of(tensor)
                if state.enabled:
                    recorded = tuple([t._edge is not None for t in tensors])
        template = self._plain(template)
        static = self._plain(static)
        step = self._operation(function, template, static, nodes, recorded)
        found = [self.wrap(r) for r in step.nodes]
        if recorded:
            self._record(step, tensors, step.operands, found)
        if view:
            for tensor in found:
                tensor._view = View(tensors[0], function, template, static)
                tensor._version = tensors[0].version()
                parent = tensors[0]
                parent._views = parent._views if parent._views is not None else []
                parent._views.append(weakref.ref(tensor))
        return found[0] if step.single else tuple(found)

    def _operation(
        self, function: Any, template: Any, static: Any, nodes: list[Node],
        recorded: tuple[bool, ...],
    ) -> Any:  # fmt: skip
        """The step of an operation: of a run before, or new."""
        for step in self.at.after:
            if step.__class__ is Operation and step.fits(
                function, template, static, nodes, recorded
            ):
                return step if self.bodies else self._take(step)
        try:
            results, single = self._built(function, template, static, nodes)
        except TraceError:
            raise
        except (GraphcError, TypeError, ValueError) as error:
            if not self.to_numbers(f"{type(error).__name__}: an operation needs the size"):
                raise
            nodes = [self.moved.get(n, n) for n in nodes]
            template, static = self._plain(template), self._plain(static)
            return self._operation(function, template, static, nodes, recorded)
        new_step = Operation(function, template, static, nodes, recorded, results, single)
        if self.bodies:
            return new_step
        for step in self.at.after:
            if (
                step.__class__ is Operation and step.recorded == recorded
                and step.single is single and alike(step.nodes, results)
            ):  # fmt: skip
                return self._take(step)
        return self._branch(new_step)

    def _built(
        self, function: Any, template: Any, static: Any, nodes: Sequence[Node]
    ) -> tuple[tuple[Node, ...], bool]:
        """The nodes of an operation, and whether it gives one result."""
        with promoting(promotion.promote):
            args = fill(template, nodes)
            if str(getattr(function, "__module__", "")).startswith(_OWN_ALONE):
                result = unwatched(function, *args, **dict(static))
            else:
                result = function(*args, **dict(static))
        single = isinstance(result, Node)
        return ((result,) if single else tuple(result)), single

    def _record(
        self, step: Any, tensors: Sequence[Tensor], nodes: Sequence[Node],
        results: Sequence[Tensor],
    ) -> None:  # fmt: skip
        floats = [r.dtype.is_float for r in results]
        if not any(floats):
            return
        edges = tuple(t._edge for t in tensors)
        saved = [Saved(t, t._edge, n) for t, n in zip(tensors, nodes)]
        signature = (step.call, _symbolic_call, self.root.calls)
        fn = CallBackward(backward_name(step.function), signature, edges, saved)
        fn.outputs = tuple(Saved(r, None, r._node) for r in results)
        if not self.bodies:
            self.steps_recorded.append((len(self.path) - 1, weakref.ref(fn)))
        for k, result in enumerate(results):
            if floats[k]:
                self.give_edge(result, (fn, k))

    def edge_of(self, tensor: Tensor) -> Any:
        """A tensor's edge; of a concrete one, whose it is."""
        if tensor._node is None and tensor._edge is not None:
            self.owners.setdefault(tensor._edge, tensor)
        return tensor._edge

    def give_edge(self, tensor: Tensor, edge: Any) -> None:
        """Record where a traced tensor's cotangent goes."""
        tensor._edge = edge
        self.edges[tensor._node] = edge

    def control(self, name: str, arguments: Sequence[Any]) -> Any:
        """A branch or a loop of tensors: the graph's op."""
        return control(self, name, arguments)

    def settled(self, nodes: tuple[Node, ...], what: str) -> tuple[Node, ...]:
        """Nodes built aside, such as a loop's: those of a run before where they are alike."""
        for step in self.at.after:
            if step.__class__ is Asked and step.key == (what,) and alike(step.nodes, nodes):
                return self._take(step).nodes
        return self._branch(Asked((what,), nodes)).nodes

    def _plain(self, value: Any) -> Any:
        """A setting with sizes as the graph has them."""
        kind = value.__class__
        if isinstance(value, tuple):
            for item in value:
                if item.__class__ in _MAY_HOLD_SIZES:
                    return tuple([self._plain(v) for v in value])
            return value
        if kind is TracedSize:
            return value.number if self.root.is_fixed else value.dim
        if kind is dims.Dim and self.root.is_fixed:
            return dims.evaluate(value, self.sizes)
        return value

    def _applied(self, view: View, parent: Node) -> Node:
        template, static = self._plain(view.template), self._plain(view.static)
        return self._operation(view.function, template, static, [parent], ()).nodes[0]

    def assign(self, target: Tensor, value: Tensor) -> None:
        """A write in place: the target, what it is a part of, and its parts hold new nodes."""
        try:
            self._check_write(target)
            node = self.node_of(value)
        except Left:
            late("eager.engine.composite").store(target, value)
            return
        recorded = state.enabled
        target.version().count += 1
        self._hold(target, node)
        if recorded:
            target._edge = value._edge
        part, piece = target, self.wrap(node)
        piece._edge = value._edge
        while part._view is not None:
            view, parent = part._view, part._view.parent
            if parent._edge is not None and isinstance(parent._edge[0], AccumulateGrad):
                recorded = False
            whole = piece
            if view.function is not _same:
                with _recording(recorded):
                    whole = self.invoke(PutBack(view), (SLOT, SLOT), (), [parent, piece], False)
            self._hold(parent, whole._node)
            if recorded and whole._edge is not None:
                parent._edge = whole._edge
            part, piece = parent, whole
        self._refresh(part, recorded)

    def set_data(self, target: Tensor, value: Tensor) -> None:
        """`target.data = value`: other values, the same history."""
        with _recording(False):
            self.assign(target, value)

    def _check_write(self, target: Tensor) -> None:
        """Leave the graph before a write to memory of which the run has another part too.

        Raises:
            Left: the rest of the call runs eagerly.
        """
        whole = target
        while whole._view is not None:
            whole = whole._view.parent
        real = self.reals.get(id(whole))
        array = whole._array if whole._node is None else None if real is None else real._array
        if array is None or id(array) in self.written or array.size == 0:
            return
        # Of two arrays that share memory one at least does not own it.
        others: Any = self.parts
        if array.base is not None:
            others = [t.array for t in self.touched.values()]
            others += [r._array for r in self.reals.values()]
        for other in others:
            if other is not array and np.may_share_memory(other, array):
                self.leave("two tensors share memory, and one of them is written")
        self.written[id(array)] = array
        if array.base is not None:
            self.written_parts.append(array)

    def leave(self, reason: str) -> None:
        """Give all traced tensors their values; the rest of the call runs eagerly.

        Raises:
            Left: always; the operation under way runs eagerly too.
        """
        if self.settle is None or self.bodies:
            raise refusal(reason, where=caller(), hint="work on x.clone()")
        self.left = f"{reason} ({caller()})"
        self.settle()
        raise Left

    def _hold(self, tensor: Tensor, node: Node) -> None:
        argument = None if tensor._node is not None else self.by_array.get(id(tensor._array))
        if tensor._node is not None:
            tensor._node = node
        elif argument is not None:
            argument._node = node
        elif tensor._view is None or self._is_touched(tensor):
            self.touch(tensor).current = node

    def _refresh(self, whole: Tensor, recorded: bool) -> None:
        for ref in list(whole._views or ()):
            part = ref()
            view = part._view if part is not None else None
            if part is None or view is None or view.parent is not whole or part._node is None:
                continue
            with _recording(recorded):
                again = self.invoke(view.function, view.template, view.static, [whole], False)
            part._node = again._node
            if recorded and again._edge is not None:
                part._edge = again._edge
            self._refresh(part, recorded)

    def detach(self, tensor: Tensor) -> Tensor:
        """The same memory without history: an alias of a traced tensor."""
        alias = self.wrap(self.node_of(tensor))
        alias._view = View(tensor, _same, (SLOT,), ())
        alias._version = tensor.version()
        tensor._views = tensor._views if tensor._views is not None else []
        tensor._views.append(weakref.ref(alias))
        return alias

    # --- what Python asks for

    def layout(self, tensor: Tensor) -> np.ndarray:
        """An array with the shape and strides that a tensor has eagerly; its values mean nothing."""
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
        if view.function is _same:
            return parent
        template, static = self.numbers(view.template), self.numbers(view.static)
        call = call_of(view.function, template, static, (parent.dtype.char, parent.shape))
        return call.run(parent)[0]

    def value_of(self, tensor: Tensor, what: str) -> np.ndarray:
        """The value of a traced tensor, as far as the trace's policy gives one."""
        real = self.reals.get(id(tensor))
        if real is not None and tensor._node is self.placeholders[id(tensor)]:
            self.read_arguments.append((what, caller()))
            return real._array
        if not any(
            n.op is INPUT_OP or (n.inputs and not n.op.pure) for n in toposort((tensor._node,))
        ):
            # Of tensors that are older than the call: they have their values.
            self.read_arguments.append((what, caller()))
            return self.evaluated(tensor)
        return np.asarray(self.decide(self, tensor, what))

    def evaluated(self, tensor: Tensor) -> np.ndarray:
        """The value of a traced tensor, by a program of its own; kept for later runs."""
        self.has_evaluated = True
        node = tensor._node
        program = self.at.values.get(node)
        if program is None:
            program = self.at.values[node] = _evaluation(node, self)
        places, run = program
        for place in places:
            if place not in self.given:  # the key of a generator, in an earlier run
                source = next(p for p, _ in self.generators.values())
                self.given[place] = source.state.array
        tracing.trace, hot.slow = None, hot.slow - 1
        try:
            return run(*[self.given[n] for n in places])
        finally:
            tracing.trace, hot.slow = self, hot.slow + 1

    def value_read(self, tensor: Tensor, what: str) -> None:
        """Python saw the value of a concrete tensor: the program assumes that it stays."""
        found = self.touched.get(id(tensor._array))
        if (found is not None and found.current is not found.node) or self._is_part_of_written(
            tensor
        ):
            raise refusal(
                f"{what} of a tensor that the traced code has changed: the value is not known "
                "while the graph is made",
                [f"the tensor: {tensor.type}"],
                where=caller(),
                hint="keep it a tensor, or read it outside of the traced function",
            )
        if self.is_born(tensor):
            return
        self.reads.append((tensor, tensor._array.copy(), caller()))

    def _is_part_of_written(self, tensor: Tensor) -> bool:
        array = tensor._array
        return any(
            other is not array and np.may_share_memory(other, array)
            for other in self.written.values()
        )

    def live(self, group: Any, key: Any, index: Any) -> Tensor:
        """A number that each call reads again."""
        for mapping, name, place, node in self.live_values:
            if mapping is group and name == key and place == index:
                return self.wrap(node)
        value = group[key] if index is None else group[key][index]

        def build() -> tuple[Node, ...]:
            name = self._name(str(key) if index is None else f"{key}{index}")
            type_ = TensorType(dtypes.float64, ())
            attrs = (("name", name), ("type", type_))
            cell = State(np.array(value, np.float64))
            node = Parameter(PARAMETER_OP, (), attrs, type_, caller(), cell)
            return (node,)

        (node,) = self._asked(("live", key, index), build).nodes
        self.live_values.append((group, key, index, node))
        return self.wrap(node)

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
        given = None
        for step in self.at.after:
            if step.__class__ is Captured and step.array is array:
                return self._take(step).nodes[0]
            if step.__class__ is Given and step.fits(array):
                given = step
        if given is not None:
            self._take(given)
        elif any(isinstance(s, Captured) and s.array.dtype == np.uint64 for s in self.at.after):
            self._branch(Given((INPUT_OP(name=self._name("key"), type=parameter.type),)))
        else:
            return self._branch(Captured(array, parameter)).nodes[0]
        self.given[self.at.nodes[0]] = array
        return self.at.nodes[0]

    def seed(self, generator: Any, state: int) -> None:
        """`manual_seed` in traced code: draws from here on start at another state."""
        tensor = new(Tensor)
        tensor._array = np.array(state, np.uint64)
        self.bear(tensor)
        self.kept.append(tensor)
        parameter = generator.parameter
        if id(parameter) not in self.generators:
            self.seeded.add(id(parameter))
        self.generators[id(parameter)] = (parameter, self.node_of(tensor))

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
        if id(parameter) not in self.generators:
            self.seeded.add(id(parameter))
        self.generators[id(parameter)] = (parameter, self.node_of(value))

    def _full(self, shape: tuple[Any, ...], value: Any, dtype: Any) -> Tensor:
        sizes = tuple(self._plain(s) for s in shape)
        return self.wrap(
            self._operation(FUNCTIONS["full"], (sizes, value, dtype), (), [], ()).nodes[0]
        )

    def zeros(self, shape: tuple[Any, ...]) -> Tensor:
        """Zeros of a shape that may be symbolic, to draw numbers for."""
        return self._full(shape, 0, dtypes.uint8)

    def filled(self, like: Tensor, value: Any, dtype: Any) -> Tensor:
        """A tensor of a traced one's shape, filled with a number."""
        return self.full(like.type.shape, value, like.dtype if dtype is None else dtype)

    def full(self, shape: tuple[Any, ...], value: Any, dtype: Any) -> Tensor:
        """A tensor of a shape that may be symbolic, filled with a number."""
        kind = promotion.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return self._full(shape, value, kind)

    def is_symbolic(self, shape: tuple[Any, ...]) -> bool:
        """Whether a size among these is symbolic."""
        return any(isinstance(s, TracedSize) for s in shape)

    def is_size(self, value: Any) -> bool:
        """Whether a value is a symbolic size."""
        return isinstance(value, TracedSize)

    def size_tensor(self, size: TracedSize, dtype: Any) -> Tensor:
        """A symbolic size as a 0-d tensor beside tensors of a dtype."""
        kind = dtype if dtype.is_float else dtypes.int64
        if self.root.is_fixed:
            return self._full((), size.number, kind)
        return self.wrap(self._operation(FUNCTIONS["size"], (size.dim, kind), (), [], ()).nodes[0])

    # --- numbers of symbolic sizes

    def to_numbers(self, because: str) -> bool:
        """Make the graph so far once more, with the call's sizes in place of symbolic ones.

        Returns:
            False where no size is symbolic.
        """
        if self.root.is_fixed or self.fixed is None:
            return False
        if self.bodies:
            raise SizeNeeded(None, caller())
        if self.has_control:
            raise refusal(
                "the number of a symbolic size is needed after a differentiated branch or loop",
                where=caller(),
                hint="compile with dynamic=False, or ask for the size before",
            )
        before, path = self.root, self.path
        before.needs_numbers = because
        self.root = root = self.fixed()
        root.fixed_because = because
        root.names |= before.names
        root.parameters |= before.parameters
        self.names = root.names
        self.at, self.path = root, []
        moved = dict(zip(before.inputs, root.inputs))
        self.moved.update(moved)
        self.given = {moved.get(n, n): a for n, a in self.given.items()}
        self.placeholders = {k: moved[n] for k, n in self.placeholders.items()}
        for step in path:
            self._once_more(step)
        self._move_all()
        return True

    def _once_more(self, step: Any) -> None:
        moved = self.moved
        if isinstance(step, Operation):
            operands = [moved.get(n, n) for n in step.operands]
            template, static = self.numbers(step.template), self.numbers(step.static)
            again = self._operation(step.function, template, static, operands, step.recorded)
        elif isinstance(step, Asked) and step.key[0] not in ("live",):
            again = self._asked(
                step.key, lambda: tuple(replayed(step.nodes, dict(moved), self.symbols))
            )
        else:
            found = next(
                (s for s in self.at.after if all(map(operator.is_, s.nodes, step.nodes))), None
            )
            again = self._take(found) if found is not None else self._branch(step.copy(), False)
        moved.update(zip(step.nodes, again.nodes))

    def numbers(self, value: Any) -> Any:
        """A setting with the call's own sizes."""
        if isinstance(value, tuple):
            return tuple([self.numbers(v) for v in value])
        return dims.evaluate(value, self.sizes) if isinstance(value, dims.Dim) else value

    def _move_all(self) -> None:
        """Whatever holds a node of the graph before holds that of the new one."""
        moved = self.moved
        for ref in self.made:
            tensor = ref()
            if tensor is None or tensor._node is None:
                continue
            tensor._node = moved.get(tensor._node, tensor._node)
            if tensor._view is not None:
                view = tensor._view
                template, static = self.numbers(view.template), self.numbers(view.static)
                tensor._view = View(view.parent, view.function, template, static)
        for entry in self.touched.values():
            entry.current = moved.get(entry.current, entry.current)
        self.edges = {moved.get(n, n): e for n, e in self.edges.items()}
        self.generators = {k: (p, moved.get(n, n)) for k, (p, n) in self.generators.items()}
        for place, ref in self.steps_recorded:
            fn = ref()
            if fn is None:
                continue
            if place is not None:
                fn._call = (self.path[place].call, _symbolic_call, self.root.calls)
            for saved in fn.kept_values():
                saved.node = moved.get(saved.node, saved.node)

    def agree(self, mine: Tensor, other: Tensor) -> None:
        """Make sizes numbers where two shapes differ that may be equal in this call."""
        if mine.type.shape != other.type.shape:
            self.to_numbers(f"shapes are compared at {caller()}")

    def number_of(self, dim: Any) -> int:
        """The number of a size, which Python asked for: sizes are fixed from here on."""
        if not self.root.is_fixed and not self.has_ended:
            self.to_numbers(f"Python needed the size {dim} at {caller()}")
        return dims.evaluate(dim, self.sizes)

    # --- gradients

    def grad_of(self, tensor: Tensor) -> Any:
        """`tensor.grad` as the traced code left it."""
        tensor = self.reals.get(id(tensor), tensor)
        found = self.grads.get(id(tensor))
        if found is not None:
            return found[1]
        if tensor._node is None:
            self.grads_before.setdefault(id(tensor), (tensor, tensor._grad))
        return tensor._grad

    def set_grad(self, tensor: Tensor, value: Any) -> None:
        """`tensor.grad = value` in traced code."""
        tensor = self.reals.get(id(tensor), tensor)
        self.grads[id(tensor)] = (tensor, value)

    # --- tensors made by the traced code from nothing

    def bear(self, tensor: Tensor) -> Tensor:
        """Note a concrete tensor that the traced code made."""
        self.born[id(tensor)] = weakref.ref(tensor)
        return tensor

    def is_born(self, tensor: Tensor) -> bool:
        """Whether the traced code made a concrete tensor."""
        ref = self.born.get(id(tensor))
        return ref is not None and ref() is tensor


def _same(x: Any) -> Any:
    return x


class _recording:
    """Recording for differentiation, on or off."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        self.before = state.enabled
        state.enabled = self.enabled and state.enabled

    def __exit__(self, *exception: object) -> None:
        state.enabled = self.before


def _evaluation(node: Node, trace: Trace) -> Any:
    """A program of one value of a run: the placeholders it takes, and itself."""
    memo = late("jit.ending").constants_so_far(trace)
    # Generators stay where they are: the run's own program moves them on.
    for parameter, _ in trace.generators.values():
        key = INPUT_OP(name=trace._name("key"), type=parameter.type)
        memo[parameter] = key
        trace.given[key] = parameter.state.array
    (root,) = replayed([node], memo, {})
    used = toposort((root,))
    places = [n for n in trace.given if n in used and n.op is INPUT_OP]
    return places, late("program.driver").compile(places, root, name="condition")


def alike(mine: Sequence[Node], others: Sequence[Node]) -> bool:
    """Whether nodes compute the same from the same: op by op, down to nodes that both have."""
    pairs: dict[Node, Node] = {}
    stack = list(zip(mine, others))
    if len(mine) != len(others):
        return False
    while stack:
        a, b = stack.pop()
        if a is b or pairs.get(a) is b:
            continue
        if a in pairs or a.op is not b.op or a.type != b.type or len(a.inputs) != len(b.inputs):
            return False
        if not a.inputs and a.op in _SOURCES:
            return False
        if not _alike_settings(a.attrs, b.attrs):
            return False
        pairs[a] = b
        stack.extend(zip(a.inputs, b.inputs))
    return True


def _alike_settings(mine: Any, others: Any) -> bool:
    if isinstance(mine, Graph) and isinstance(others, Graph):
        return alike_graphs(mine, others)
    if isinstance(mine, tuple) and isinstance(others, tuple):
        return len(mine) == len(others) and all(map(_alike_settings, mine, others))
    return same(mine, others)


def alike_graphs(mine: Graph, others: Graph) -> bool:
    """Whether two bodies of control flow compute the same of their inputs."""
    if len(mine.inputs) != len(others.inputs):
        return False
    if any(a.type != b.type for a, b in zip(mine.inputs, others.inputs)):
        return False
    new = {b: a for a, b in zip(mine.inputs, others.inputs) if not isinstance(b, Parameter)}
    return alike(mine.outputs, replayed(others.outputs, dict(new), {}))


def _symbolic_call(
    calls: dict[Any, Call], function: Any, template: Any, static: Any, types: Any
) -> Call:
    """The call of an operation on types that may have symbolic sizes.

    Args:
        calls: those of the trace; operations that are alike share one, and its derivatives.
    """
    key = None
    if str(getattr(function, "__module__", "")).startswith("graphc."):
        key = _exactly((template, static))
    found = None if key is None else calls.get((function, key, types))
    if found is not None:
        return found

    def build(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
        return f(*fill(template, nodes), **dict(static))

    inputs, outputs, single = trace_call(function, types, build, False)
    name = getattr(function, "__name__", "op")
    call = Call(name if name.isidentifier() else "op", inputs, outputs, single=single)
    if key is not None:
        calls[function, key, types] = call
    return call


def _exactly(value: Any) -> Any:
    """A key that only the very same arguments have (1, 1.0 and True are equal); None where some
    may change or are no plain values."""
    if isinstance(value, tuple):
        items = tuple(map(_exactly, value))
        return None if any(item is None for item in items) else items
    if isinstance(value, float):
        return ("float", value.hex())
    if value is SLOT or value is None or isinstance(value, bool | int | str | dtypes.DType):
        return (type(value).__name__, value)
    return None


def uniform_node(array: np.ndarray, origin: Any) -> Node:
    """An array in a graph: one number when all its elements are that, else a constant."""
    if array.size and array.size <= _UNIFORM and bool((array == array.flat[0]).all()):
        return FUNCTIONS["full"](array.shape, array.flat[0].item(), dtypes.as_dtype(array.dtype))
    type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
    attrs = (("name", "constant"), ("type", type_))
    return Bound(CONSTANT_OP, (), attrs, type_, origin, State(array.copy()))


__all__ = ["Touched", "Trace", "state_of", "uniform_node"]
