"""One function of tensors at one signature: its graph, how it runs, its derivative.

The first eager call of a function with certain dtypes, shapes and settings writes its graph down
once. Small ones run as straight NumPy code, whose calls cost less than a kernel's launch; large
ones as compiled kernels. The derivative is the graph that the op table's own rules give, made the
same way, so that one eager call is one step of the recorded graph, however many ops it holds.

    call = Call.of(softmax, ...)     call.run(x) -> (y,)
    call.derivative((True,), (True,))    -> Derivative: what to keep, and a Call of (kept, ct)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Graph, Kind, Node, map_sizes, tensor_type
from graphc.core.origin import builder, labelled, move_node
from graphc.core.types import TensorType, determined, match
from graphc.core.walk import remade, substitute, toposort
from graphc.eager.engine import promotion
from graphc.eager.engine.cost import pays_to_compile
from graphc.eager.engine.numpy_code import numpy_function
from graphc.errors import GraphcError
from graphc.ops.control import GRADIENT_AS, STOP_GRADIENT
from graphc.ops.declare import promotion as promoting
from graphc.ops.source import INPUT_OP

_KEPT = (Kind.CONTRACT, Kind.LIBRARY, Kind.REDUCE)

Key = tuple[Any, ...]
Types = tuple[TensorType, ...]


def late(name: str) -> Any:
    """A module of the compiler, which programs that stay small never import."""
    return import_module(f"graphc.{name}")


class Call:
    """A graph ready to run on arrays.

    Attributes:
        name: of the function, for kernels and messages.
        inputs, outputs: the graph's ends.
        single: whether the function returns one tensor, not a tuple.
        compiled: whether it runs kernels; else NumPy.
        may_alias: for each output, whether it may share memory with an input.
        differentiable: for each output, whether it has a float dtype, so a gradient.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
        *,
        single: bool = True,
        compiled: bool = False,
    ) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.single = single
        self.compiled = compiled
        self.may_alias = tuple(_only_moves(o) for o in self.outputs)
        self.dtypes = tuple(tensor_type(o).dtype for o in self.outputs)
        self.differentiable = tuple(d.is_float for d in self.dtypes)
        # The results for arrays of the signature's dtypes and shapes; made at the first run.
        self.run: Callable[..., Sequence[np.ndarray]] = self._first_run
        self.plain = not any(self.may_alias)
        self._keeping: dict[tuple[int, ...], Callable[..., Sequence[np.ndarray]]] = {}
        self._derivatives: dict[Any, Any] = {}

    def _first_run(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        self.run = runner(self.name, self.inputs, self.outputs, self.compiled)
        return self.run(*arrays)

    def run_keeping(self, kept: tuple[Node, ...], *arrays: np.ndarray) -> Sequence[np.ndarray]:
        """The results, and after them the values of nodes inside that a derivative needs."""
        if not kept:
            return self.run(*arrays)
        key = tuple([id(node) for node in kept])
        run = self._keeping.get(key)
        if run is None:
            run = runner(self.name, self.inputs, (*self.outputs, *kept), self.compiled)
            self._keeping[key] = run
        return run(*arrays)

    def derivative(self, wrt: tuple[bool, ...], given: tuple[bool, ...]) -> Derivative:
        """The derivative by the inputs marked in `wrt`, from cotangents of outputs in `given`."""
        key = (wrt, given)
        found = self._derivatives.get(key)
        if found is None:
            found = self._derivatives[key] = Derivative(self, wrt, given)
        return found

    def reads(
        self, wrt: tuple[bool, ...], given: tuple[bool, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The positions of inputs and of outputs whose values the derivative starts from."""
        key = ("reads", wrt, given)
        known = self._derivatives.get(key)
        if known is not None:
            return known
        results = set(self.outputs)
        inside = any(n.op.kind in _KEPT and n not in results for n in toposort(self.outputs))
        found = self.derivative(wrt, given) if inside else self.exact_derivative(wrt, given)
        # Some are there for their size alone.
        used = toposort(found.call.outputs)
        ends = found.call.inputs
        count = len(found.inputs)
        inputs = tuple([k for k, x in zip(found.inputs, ends) if x in used])
        outputs = tuple([k for k, y in zip(found.outputs, ends[count:]) if y in used])
        self._derivatives[key] = inputs, outputs
        return inputs, outputs

    def exact_derivative(self, wrt: tuple[bool, ...], given: tuple[bool, ...]) -> ExactDerivative:
        """The derivative as a function of tensors, which can be recorded in its turn."""
        key = ("exact", wrt, given)
        found = self._derivatives.get(key)
        if found is None:
            found = self._derivatives[key] = ExactDerivative(self, wrt, given)
        return found


def _only_moves(node: Node) -> bool:
    while node.op.kind is Kind.MOVEMENT and node.inputs:
        node = node.inputs[0]
    return node.op is INPUT_OP


class Derivative:
    """How cotangents of a call's outputs become those of its inputs.

    Attributes:
        inputs, outputs: positions of the call's inputs and outputs whose values are needed.
        kept: nodes inside the call's graph whose values are needed.
        cotangents: positions of the outputs whose cotangents are used.
        call: from the values of these four, in this order, to one cotangent for each position
            in `targets`.
        targets: positions of the inputs that get a cotangent; the others, those that only outputs
            that are not given depend on among them, get none.
    """

    def __init__(
        self, call: Call, wrt: tuple[bool, ...], given: tuple[bool, ...], keep: bool = True
    ) -> None:
        outputs = [
            (k, o) for k, o in enumerate(call.outputs) if given[k] and tensor_type(o).dtype.is_float
        ]
        # Several results are as those of several functions: what only the others depend on has no
        # gradient, not one of zeros.
        reached, anywhere = toposort([o for _, o in outputs]), toposort(call.outputs)
        apart = {x for x in call.inputs if x in anywhere and x not in reached}
        wanted = [k for k, x in enumerate(call.inputs) if wrt[k] and x not in apart]
        cts = [INPUT_OP(name=f"ct{k}", type=o.type) for k, o in outputs]
        with promoting(promotion.promote):
            grads = late("passes.grad").vjp(
                [o for _, o in outputs], cts, [call.inputs[k] for k in wanted]
            )
        forward = toposort(call.outputs)
        names = {o: f"y{k}" for k, o in enumerate(call.outputs) if o.op is not INPUT_OP}
        for node in forward:
            if keep and node.op.kind in _KEPT and node not in names:
                names[node] = f"r{len(names)}"
        grads, stand_ins = _cut(grads, names)
        grads = _simplified(call.name, [*call.inputs, *stand_ins.values(), *cts], grads)
        used = toposort(grads)
        used |= dict.fromkeys(_sized_by(call.inputs, grads, [*cts, *stand_ins.values()]))
        by_stand_in = {s: n for n, s in stand_ins.items() if s in used}
        self.inputs = tuple(k for k, x in enumerate(call.inputs) if x in used)
        self.outputs = tuple(
            k for k, o in enumerate(call.outputs) if o in stand_ins and stand_ins[o] in used
        )
        outs = set(call.outputs)
        self.kept = tuple(n for n in by_stand_in.values() if n not in outs)
        self.cotangents = tuple(k for (k, _), ct in zip(outputs, cts) if ct in used)
        self.targets = tuple(wanted)
        ends = [call.inputs[k] for k in self.inputs]
        ends += [stand_ins[call.outputs[k]] for k in self.outputs]
        ends += [stand_ins[n] for n in self.kept]
        ends += [ct for ct in cts if ct in used]
        self.call = Call(f"{call.name}_backward", ends, grads, single=False, compiled=call.compiled)


class ExactDerivative:
    """A call's derivative as a function of tensors, to be recorded itself.

    It starts from the call's inputs and outputs alone, because values inside have no history.

    Attributes:
        sized: positions of inputs that are there for their size alone: nothing depends on them.
    """

    def __init__(self, call: Call, wrt: tuple[bool, ...], given: tuple[bool, ...]) -> None:
        found = Derivative(call, wrt, given, keep=False)
        self.inputs, self.outputs = found.inputs, found.outputs
        self.cotangents, self.targets = found.cotangents, found.targets
        self.call = found.call
        used = toposort(found.call.outputs)
        self.sized = frozenset(k for k, x in zip(found.inputs, found.call.inputs) if x not in used)
        self.__name__ = found.call.name

    def __call__(self, *nodes: Any) -> tuple[Any, ...]:
        sizes = match(
            [
                pair
                for old, node in zip(self.call.inputs, nodes, strict=True)
                for pair in zip(tensor_type(old).shape, node.type.shape, strict=True)
            ]
        )
        new = dict(zip(self.call.inputs, nodes))
        return tuple(replayed(self.call.outputs, new, sizes, here=True))


def replayed(
    roots: Sequence[Node], new: dict[Node, Node], sizes: dict[dims.Symbol, Any], here: bool = False
) -> list[Node]:
    """A graph built again on other nodes, with sizes in place of symbolic dimensions.

    Args:
        roots: results of the graph.
        new: what stands for its nodes.
        sizes: what stands for its symbols.
        here: whether what is built has the origin of this call, not that of the graph's own nodes.
    """
    origin = builder() if here else None

    def size_of(size: Any) -> Any:
        return dims.substitute(size, {s: v for s, v in sizes.items() if s in dims.symbols(size)})

    def make(node: Node, new: Mapping[Node, Node]) -> Node:
        attrs = {key: map_sizes(value, size_of) for key, value in node.attrs} if sizes else {}
        # A nan is not equal to itself.
        if not sizes or all(attrs[k] is value or attrs[k] == value for k, value in node.attrs):
            result = remade(node, new)  # a constant is itself, with its array
            if here and result is not node:
                move_node(result, labelled(origin, result.label))
            return result
        return Node.build(node.op, [new[i] for i in node.inputs], attrs)

    return substitute(roots, new, make)


def _cut(roots: Sequence[Node], names: dict[Node, str]) -> tuple[list[Node], dict[Node, Node]]:
    """The graph with placeholders for the nodes that `names` has."""
    stand_ins = {n: INPUT_OP(name=name, type=n.type) for n, name in names.items()}
    return substitute(roots, dict(stand_ins)), stand_ins


def _simplified(name: str, inputs: Sequence[Node], outputs: Sequence[Node]) -> list[Node]:
    pipeline = late("passes.pipeline")
    graph = Graph.of(name, inputs, outputs)
    final, _ = pipeline.run(graph, pipeline.O1)
    return list(final.outputs)


def _sized_by(
    inputs: Sequence[Node], outputs: Sequence[Node], others: Sequence[Node] = ()
) -> list[Node]:
    """Inputs of which a graph uses no value, but a symbolic size that nothing else it uses tells.

    In a trace an input's size may be an expression that tells none: then it stays as it is.
    """
    used = toposort(outputs)
    known = {s for x in (*inputs, *others) if x in used for s in _determined(x)}
    unknown = {s for node in used for s in _symbols(node)} - known
    found = [next((x for x in inputs if s in _determined(x)), None) for s in unknown]
    return [x for x in found if x is not None]


def _by_size(
    name: str, inputs: Sequence[Node], outputs: Sequence[Node]
) -> Callable[..., Sequence[np.ndarray]]:
    """A program for each size that arrays come in: a program takes no input for its size alone."""
    made: dict[Any, Callable[..., Sequence[np.ndarray]]] = {}

    def run(*arrays: np.ndarray) -> Sequence[np.ndarray]:
        key = tuple([a.shape for a in arrays])
        found = made.get(key)
        if found is None:
            pairs: list[tuple[Any, Any]] = []
            new = {}
            for node, array in zip(inputs, arrays, strict=True):
                type_ = tensor_type(node)
                new[node] = INPUT_OP(name=node.name, type=type_.with_shape(array.shape))
                pairs += zip(type_.shape, array.shape)
            sizes = match(pairs)
            ends = list(new.values())
            found = made[key] = runner(name, ends, replayed(outputs, new, sizes), True)
        return found(*arrays)

    return run


def _symbols(node: Node) -> set[dims.Symbol]:
    shape = node.type.shape if isinstance(node.type, TensorType) else ()
    return {s for size in shape for s in dims.symbols(size)}


def _determined(node: Node) -> set[dims.Symbol]:
    """The symbols that are known once a value's shape is."""
    shape = node.type.shape if isinstance(node.type, TensorType) else ()
    return {s for size in shape if (s := determined(size)) is not None}


def _has_own_gradients(outputs: Sequence[Node]) -> bool:
    return any(n.op in (STOP_GRADIENT, GRADIENT_AS) for n in toposort(outputs))


def runner(
    name: str, inputs: Sequence[Node], outputs: Sequence[Node], compiled: bool
) -> Callable[..., Sequence[np.ndarray]]:
    """A function of arrays that computes the graph: a compiled program, or NumPy code."""
    if not compiled:
        if _has_own_gradients(outputs):
            outputs = _simplified(name, inputs, outputs)
        return numpy_function(name, inputs, outputs)
    if _sized_by(inputs, outputs):
        return _by_size(name, inputs, outputs)
    used = toposort(outputs)
    needed = [k for k, x in enumerate(inputs) if x in used]
    if len(dict.fromkeys(outputs)) == len(outputs) and not any(o.op is INPUT_OP for o in outputs):
        driver = late("program.driver")
        program = driver.compile_as_written([inputs[k] for k in needed], list(outputs), name=name)
        if len(needed) == len(inputs):
            return program
        return lambda *arrays: program(*[arrays[k] for k in needed])
    return _with_copies(name, inputs, outputs)


def _with_copies(
    name: str, inputs: Sequence[Node], outputs: Sequence[Node]
) -> Callable[..., Sequence[np.ndarray]]:
    """A program for the distinct outputs that compute anything, the others copied."""
    distinct = [o for o in dict.fromkeys(outputs) if o.op is not INPUT_OP]
    run = runner(name, inputs, distinct, True) if distinct else lambda *arrays: ()
    # By identity: `==` of nodes builds a node.
    at = {node: k for k, node in enumerate(distinct)} | {n: k for k, n in enumerate(inputs)}
    places = [at[o] for o in outputs]

    def together(*arrays: np.ndarray) -> list[np.ndarray]:
        results = run(*arrays)
        return [arrays[k] if o.op is INPUT_OP else results[k] for k, o in zip(places, outputs)]

    return together


def trace(
    function: Callable[..., Any], types: Types, build: Callable[..., Any], compiled: bool
) -> tuple[list[Node], list[Node], bool]:
    """The graph of a function: input nodes, output nodes, whether it returns one tensor."""
    inputs = [INPUT_OP(name=f"x{k}", type=t) for k, t in enumerate(types)]
    with promoting(promotion.promote):
        result = build(function, inputs)
    if isinstance(result, Node):
        return inputs, [result], True
    return inputs, list(result), False


def make_call(function: Callable[..., Any], types: Types, build: Callable[..., Any]) -> Call:
    """The call of a function at a signature.

    Args:
        function: of symbolic tensors.
        types: of the tensors, with known shapes.
        build: `build(function, nodes)` calls the function with its other arguments.
    """
    inputs, outputs, single = trace(function, types, build, False)
    compiled = pays_to_compile(outputs)
    if compiled:
        found = _with_any_batch(function, types, build)
        inputs, outputs, single = found or (inputs, outputs, single)
    return simplified_call(function_name(function), inputs, outputs, single, compiled)


def simplified_call(
    name: str, inputs: list[Node], outputs: list[Node], single: bool, compiled: bool = False
) -> Call:
    """The call of a graph in the form whose derivative eager code, and traced code, record."""
    # Simplifying drops what the derivative has to see: then it waits for the run.
    if not _has_own_gradients(outputs):
        outputs = _simplified(name, inputs, outputs)
    return Call(name, inputs, outputs, single=single, compiled=compiled)


def _with_any_batch(
    function: Callable[..., Any], types: Types, build: Callable[..., Any]
) -> tuple[list[Node], list[Node], bool] | None:
    """The graph for any size of the first axis, so that a last, smaller batch finds its kernel."""
    first = next((t for t in types if t.shape), None)
    if first is None or not isinstance(first.shape[0], int) or first.shape[0] < 2:
        return None
    size = first.shape[0]
    if any(size in t.shape[1:] for t in types):
        return None
    batch = dims.dim("n")
    free = tuple(
        TensorType(t.dtype, (batch, *t.shape[1:])) if t.shape and t.shape[0] == size else t
        for t in types
    )
    try:
        return trace(function, free, build, True)
    except GraphcError:
        return None


def function_name(function: Callable[..., Any]) -> str:
    """The name of a function, as an identifier."""
    name = getattr(function, "__name__", "op")
    return name if name.isidentifier() else "op"


_GENERIC: dict[Any, tuple[tuple[bool, ...], bool]] = {}


def needs_of(function: Callable[..., Any], arity: int) -> tuple[tuple[bool, ...], bool]:
    """Which operands the gradient of an elementwise function reads, and whether its result."""
    found = _GENERIC.get(function)
    if found is None:
        types = (TensorType(dtypes.float32, (2, 2)),) * arity
        call = Call(
            function_name(function),
            *trace(function, types, lambda f, nodes: f(*nodes), False)[:2],
        )
        derivative = call.derivative((True,) * arity, (True,))
        found = (
            tuple(k in derivative.inputs for k in range(arity)),
            0 in derivative.outputs,
        )
        _GENERIC[function] = found
    return found


__all__ = [
    "Call",
    "Derivative",
    "ExactDerivative",
    "make_call",
    "needs_of",
    "replayed",
    "simplified_call",
]
