"""What traced code asks for, answered from the runs before where they asked the same."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Node, caller
from graphc.core.profilers import unwatched
from graphc.core.types import TensorType
from graphc.eager.engine import promotion
from graphc.eager.engine.bound import state_name, state_of
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.invoke import backward_name, invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.size import Size
from graphc.eager.engine.tape import CallBackward, Edge, GradFn, Saved
from graphc.eager.engine.template import fill
from graphc.eager.engine.tensor import Tensor, View, new
from graphc.eager.engine.views import link
from graphc.errors import GraphcError, TraceError
from graphc.jit.trace.alike import alike
from graphc.jit.trace.captured import Touched
from graphc.jit.trace.control import control
from graphc.jit.trace.extents import Apart, Extents
from graphc.jit.trace.recording import symbolic_call
from graphc.jit.trace.refused import Left
from graphc.jit.trace.sizes import TracedSize, shape_of
from graphc.jit.trace.steps import Asked, Captured, Given, Operation, Root, equal_bits, same
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import INPUT_OP, PARAMETER_OP, Parameter

# Where functions stand that run no code of the user's and read nothing but their arguments.
_OWN_ALONE = ("graphc.optim.",)
_MAY_HOLD_SIZES = (tuple, Size, TracedSize, dims.Dim)


class Requests:
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

    def __init__(self, decide: Callable[[Any, Tensor, str], Any], root: Any = None) -> None:
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
        self.varied: list[str] = []  # what differed from the runs before
        self.bodies = 0  # bodies of control flow under way
        # Of traced arguments, by identity: themselves, the caller's tensors, their placeholders.
        self.stand_ins: dict[int, Tensor] = {}
        self.reals: dict[int, Tensor] = {}
        self.placeholders: dict[int, Node] = {}
        self.by_array: dict[int, Tensor] = {}  # traced arguments by the caller's memory
        self.counts: dict[int, int] = {}  # of writes to them, before the run
        self.left: str = ""  # why the rest of the call runs eagerly
        self.left_at: Any = None
        self.is_told = False  # whether a warning says so
        self.touched: dict[int, Touched] = {}
        self.names: set[str] = self.root.names
        self.known: Callable[[Tensor], str] = lambda tensor: ""
        self.decide = decide
        self.live_values: list[tuple[Any, Any, Any, Node]] = []
        self.live_seen: dict[Node, Any] = {}
        self.reads: list[tuple[Tensor, np.ndarray, Any]] = []
        self.grads: dict[int, tuple[Tensor, Any]] = {}
        self.grads_before: dict[int, tuple[Tensor, Any]] = {}
        self.born: dict[int, Any] = {}  # weak references, by identity
        self.generators: dict[int, tuple[Any, Node]] = {}
        self.edges: dict[Node, Any] = {}  # of nodes whose cotangents are recorded
        self.differentiated = False  # whether the traced code ran a backward pass
        self.settle: Callable[[], None] | None = None  # gives all traced tensors their values
        self.written: dict[int, np.ndarray] = {}  # memory that is older and was written
        # Of two arrays that share memory one at least does not own it.
        self.memory = Extents()  # all that the run touched
        self.parts = Extents()  # that which does not own it
        self.written_memory = Extents()
        self.written_parts = Extents()
        self.apart = Apart(self.root.memory)  # while it holds, none of these share memory
        self.owned: list[Any] = []  # (tensor, array) of memory that was reached as `.data`
        self.kept: list[Any] = []  # tensors that only the trace holds
        self.moved: dict[Node, Node] = {}  # nodes made again with numbers for sizes
        self.symbols: dict[Any, int] = {}  # the call's sizes, by symbol
        self.used: set[int] = set()  # parameters that an optimizer changed by their gradients
        self.exposed: list[Any] = []  # (array, copy, where) of memory that NumPy may write
        self.has_ended = False
        self.outcomes: list[str] = []  # of branches on values
        self.has_read_layout = False
        self.has_captured_argument = False  # whether code reached one by another way
        self.has_evaluated = False  # whether Python was given a value that was computed for it
        self.read_arguments: list[Any] = []  # (what, where) of arguments whose values Python saw
        self.has_control = False  # whether a branch or loop was recorded

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
                "a trace inside a trace", where=caller(),
                hint="call the function itself: it becomes part of the trace around it",
            )  # fmt: skip

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

    def adopt(self, tensor: Tensor, node: Node) -> None:
        """Let a concrete tensor that the traced code made be a traced one."""
        tensor._node = node
        self.made.append(weakref.ref(tensor))

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
        self._note_memory(real._array)
        self.apart.varying(real._array)
        return tensor

    def _note_memory(self, array: np.ndarray) -> None:
        self.memory.add(array)
        if array.base is not None:
            self.parts.add(array)

    def node_of(self, tensor: Tensor) -> Node:
        """The node that holds a tensor's value now."""
        if tensor._node is not None:
            return tensor._node
        argument = self.by_array.get(id(tensor._array))
        if argument is not None:
            self.has_captured_argument = True
            return argument._node
        view = tensor._view
        if view is not None and not self._is_touched(tensor):
            return self._applied(view, self.node_of(view.parent))
        return self.touch(tensor).current

    def _is_touched(self, tensor: Tensor) -> bool:
        return id(tensor._array) in self.touched

    def touch(self, tensor: Tensor) -> Touched:
        """The entry of a concrete tensor, made when it is first used."""
        array = tensor._array
        found = self.touched.get(id(array))
        if found is not None:
            return found
        born = bool(self.born) and self.is_born(tensor)
        after = self.at.after
        step = after[0] if after else None
        if step.__class__ is Captured and step.array is array and not step.is_constant:
            self._take(step)  # as the run before
        else:
            step = self._held(array, born) or self._branch(self._holding(tensor, born), not born)
        if step.__class__ is Given:
            self.given[step.nodes[0]] = array
        found = self.touched[id(array)] = Touched(tensor, step, born)
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
        """A new step for a concrete tensor: an input where a run before had another there."""
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
        array = entry.array
        self._note_memory(array)
        if entry.is_bound:
            self.apart.lasting(array)
        else:
            self.apart.varying(array, entry.born)
        if self.apart.holds:
            return
        written = self.written_parts if array.base is None else self.written_memory
        if written.shared(array):
            self.leave("two tensors share memory, and one of them is written")

    def _name(self, wanted: str) -> str:
        base = name = state_name(wanted)
        count = 1
        while name in self.names:
            count += 1
            name = f"{base}_{count}"
        self.names.add(name)
        return name

    # --- operations

    def invoke(
        self,
        function: Callable[..., Any],
        template: Any,
        static: Any,
        tensors: Sequence[Tensor],
        view: bool,
    ) -> Any:
        """An operation of eager code: nodes are built, and recorded for differentiation."""
        nodes = []
        has_edge = False
        try:
            for tensor in tensors:
                node = tensor._node
                node = self.node_of(tensor) if node is None else node
                nodes.append(node)
                if tensor._edge is not None:
                    has_edge = True
                    self.edges[node] = self.edge_of(tensor)
        except Left:
            return invoke(function, self.numbers(template), self.numbers(static), tensors, view)
        recorded: tuple[bool, ...] = ()
        if has_edge and state.enabled:
            recorded = tuple([t._edge is not None for t in tensors])
        template = self._plain(template)
        if static:
            static = self._plain(static)
        step = self._operation(function, template, static, nodes, recorded)
        found = [self.wrap(r) for r in step.nodes]
        if recorded:
            self._record(step, tensors, step.operands, found)
        if view:
            for tensor in found:
                link(tensor, tensors[0], function, template, static)
        return found[0] if step.single else tuple(found)

    def _operation(
        self, function: Callable[..., Any], template: object, static: object, nodes: list[Node],
        recorded: tuple[bool, ...],
    ) -> Any:  # fmt: skip
        """The step of an operation: of a run before, or new."""
        for step in self.at.after:
            if step.__class__ is Operation and step.fits(
                function, template, static, nodes, recorded
            ):
                if not self.bodies:
                    self.path.append(step)
                    self.at = step
                return step
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
        floats = step.floats
        if not any(floats):
            return
        edges = tuple(t._edge for t in tensors)
        saved = [Saved(t, t._edge, n) for t, n in zip(tensors, nodes)]
        signature = (step.call, symbolic_call, self.root.calls)
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

    def give_edge(self, tensor: Tensor, edge: Edge) -> None:
        """Record where a traced tensor's cotangent goes."""
        tensor._edge = edge
        self.edges[tensor._node] = edge

    def control(self, name: str, *arguments: Any, **settings: Any) -> Any:
        """A branch or a loop of tensors: the graph's op."""
        return control(self, name, arguments, settings)

    def settled(self, nodes: tuple[Node, ...], what: str) -> tuple[Node, ...]:
        """Nodes built aside, such as a loop's: those of a run before where they are alike."""
        for step in self.at.after:
            if step.__class__ is Asked and step.key == (what,) and alike(step.nodes, nodes):
                return self._take(step).nodes
        return self._branch(Asked((what,), nodes)).nodes

    def _plain(self, value: Any) -> Any:
        """A setting with sizes as the graph has them."""
        if isinstance(value, tuple):
            for item in value:
                if type(item) in _MAY_HOLD_SIZES:
                    return tuple([self._plain(v) for v in value])
            return value
        if (kind := type(value)) is TracedSize:
            return value.number if self.root.is_fixed or value._trace is not self else value.dim
        if kind is dims.Dim and self.root.is_fixed:
            return dims.evaluate(value, self.sizes)
        return value

    def _applied(self, view: View, parent: Node) -> Node:
        given = self._plain(view.template), self._plain(view.static)
        return self._operation(view.function, *given, [parent], ()).nodes[0]

    # --- tensors made by the traced code from nothing

    def bear(self, tensor: Tensor) -> Tensor:
        """Note a concrete tensor that the traced code made."""
        self.born[id(tensor)] = weakref.ref(tensor)
        return tensor

    def is_born(self, tensor: Tensor) -> bool:
        """Whether the traced code made a concrete tensor."""
        return (ref := self.born.get(id(tensor))) is not None and ref() is tensor

    def to_numbers(self, because: str) -> bool:
        """See `Sized`."""
        raise NotImplementedError

    def leave(self, reason: str) -> None:
        """See `Writes`."""
        raise NotImplementedError

    def numbers(self, value: Any) -> Any:
        """See `Sized`."""
        raise NotImplementedError


__all__ = ["Requests"]
