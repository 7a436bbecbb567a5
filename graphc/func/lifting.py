"""A function of tensors as a graph, made into another one, and run on the tensors that were given.

    call = Call("grad", function, args, kwargs)
    results = call.run(lambda nodes: ...)      # of nodes, whatever the tensors are

Of symbolic tensors the graph is the result. Of eager ones it runs at once, as each operation of
eager code does, and is recorded for `backward`; the function sees tensors there, with PyTorch's
conventions, that have nodes instead of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from graphc.core.ir import Graph, Node, caller, tensor_type
from graphc.core.operators import Operators
from graphc.core.trees import Tree, flatten
from graphc.core.walk import substitute, toposort
from graphc.eager.engine.building import build
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.invoke import invoke
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError
from graphc.ops.declare import as_tensor
from graphc.ops.flow.closures import check_function, name_of, placeholder
from graphc.ops.source import Bound, input, is_stream
from graphc.text import show

Make = Callable[[Sequence[Node]], Sequence[Node]]
# What runs a graph, by its text: the same function for the same computation, so that eager code
# finds the call that it made before.
_RUNNERS: dict[str, Callable[..., tuple[Node, ...]]] = {}
_MOST_RUNNERS = 1024


class Call:
    """A call of a user's function: the tensors among its arguments, and the rest.

    Attributes:
        name: of the transform, for messages.
        tensors: those among the arguments, in order; arrays count.
        tree: the structure of (args, kwargs).
        places: where the tensors are among its leaves.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        check_function(name, function)
        self.name = name
        self._function = function
        self._leaves, self.tree = flatten((tuple(args), kwargs))
        self.places = [k for k, leaf in enumerate(self._leaves) if is_array(leaf)]
        self.tensors = [self._leaves[k] for k in self.places]
        # Nodes, rather than eager tensors, some of which may be traced.
        self.is_symbolic = any(isinstance(t, Node) for t in self.tensors)
        if not self.tensors:
            raise ArgumentError(
                f"{name}: no tensor is among the arguments",
                where=caller(),
                hint="values that are not transformed may be used by the function as they are",
            )

    def leaves_of(self, position: int) -> list[int]:
        """The places among the tensors of those in one positional argument."""
        parts = self.tree.parts[0].parts
        if not -len(parts) <= position < len(parts):
            raise ArgumentError(f"{self.name}: argument {position} of {len(parts)}", where=caller())
        position %= len(parts)
        start = sum(part.count for part in parts[:position])
        inside = range(start, start + parts[position].count)
        return [n for n, place in enumerate(self.places) if place in inside]

    def form_of(self, position: int) -> Tree:
        """The structure of one positional argument."""
        parts = self.tree.parts[0].parts
        return parts[position % len(parts)]

    def value(self, nodes: Sequence[Node]) -> tuple[list[Node], Tree]:
        """What the function gives of these tensors: nodes, and their structure."""
        leaves = list(self._leaves)
        for place, node in zip(self.places, nodes):
            leaves[place] = node
        args, kwargs = self.tree.restore(leaves)
        form: list[Tree] = []

        def flat(*args: Any, **kwargs: Any) -> list[Any]:
            found, tree = flatten(self._function(*args, **kwargs))
            form.append(tree)
            return found

        given = flat(*args, **kwargs) if self.is_symbolic else build(self.name, flat, args, kwargs)
        return [cast(Node, as_tensor(leaf, self.name)) for leaf in given], form[0]

    def run(self, make: Make, more: Sequence[Any] = ()) -> list[Any]:
        """The results of a graph that `make` makes of the tensors, and of some more."""
        return run(self.name, independent(make), [*self.tensors, *more])


def independent(make: Make) -> Make:
    """What is made of tensors that do not depend on each other, whatever computed those given.

    A derivative by an argument is by this argument alone: of `f(x * x, x)` by the second, and of
    what `f` uses of the graph around it not at all. Integers stay: they may be sizes.
    """

    def made(nodes: Sequence[Node]) -> list[Node]:
        own = [placeholder(name_of(n), tensor_type(n)) if n.dtype.is_float else n for n in nodes]
        return substitute(make(own), dict(zip(own, nodes)))

    return made


def is_array(value: object) -> bool:
    """Whether a value is a tensor, or an array that stands for one."""
    return isinstance(value, Operators | np.ndarray)


def run(name: str, make: Make, tensors: Sequence[Any]) -> list[Any]:
    """What a function of nodes gives for tensors of any kind.

    Args:
        name: of the transform, for messages.
        make: of a node for each tensor, to nodes.
        tensors: eager ones, symbolic ones, arrays.
    """
    if any(isinstance(t, Node) for t in tensors):
        return [*make([cast(Node, as_tensor(t, name)) for t in tensors])]
    eager = [t if isinstance(t, Tensor) else wrap(t) for t in tensors]
    if tracing.trace is not None and any(t._node is not None for t in eager):
        found = invoke(lambda *nodes: tuple(make(nodes)), (SLOT,) * len(eager), (), eager)
        return [*found]
    inputs = [input(f"x{k}", t.shape, t.dtype) for k, t in enumerate(eager)]
    outputs = [*make(inputs)]
    bound = [n for n in toposort(outputs) if isinstance(n, Bound)]
    given = [*eager, *(_tensor_of(name, n) for n in bound)]
    runner = _runner([*inputs, *bound], outputs)
    return [*invoke(runner, (SLOT,) * len(given), (), given)]


def _tensor_of(name: str, node: Bound) -> Tensor:
    """The eager tensor whose value a node of the graph has."""
    if is_stream(node):
        raise ArgumentError(
            f"{name}: the function draws random numbers, and is called once",
            where=caller(),
            hint="draw them outside and pass them, or compile a graph of symbolic tensors",
        )
    own = getattr(node, "_tensor", None)
    found = own() if own is not None else None
    return wrap(node.state.array) if found is None else found


def _runner(inputs: Sequence[Node], outputs: Sequence[Node]) -> Callable[..., tuple[Node, ...]]:
    fresh = [input(f"x{k}", n.shape, n.dtype) for k, n in enumerate(inputs)]
    roots = substitute(outputs, dict(zip(inputs, fresh)))
    text = show(Graph.of("transformed", fresh, roots))
    found = _RUNNERS.get(text)
    if found is None:

        def transformed(*nodes: Node) -> tuple[Node, ...]:
            return tuple(substitute(roots, dict(zip(fresh, nodes))))

        if len(_RUNNERS) >= _MOST_RUNNERS:
            _RUNNERS.clear()
        found = _RUNNERS[text] = transformed
    return found


__all__ = ["Call", "Make", "is_array", "run"]
