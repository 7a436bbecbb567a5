"""Passes of users: what makes a function a pass, and where in a level's pipeline it stands.

@gc.graph_pass(after="simplify")
def fast_roots(graph):
    return rewrite(graph, (RECIPROCAL_ROOT,))

gc.compile([x], y, passes=[fast_roots])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.core.ir import Graph, caller
from graphc.errors import ArgumentError, AttributeValueError, suggestion

Pass = Callable[[Graph], Graph]


@dataclass(frozen=True, eq=False)
class GraphPass:
    """A pass of a user's: a function from graph to graph, its place, and its options.

    What a pass must keep, checked after each run: the inputs, the number and types of the
    outputs, and which output becomes which parameter's new value; the values too, which
    GRAPHC_CHECK=2 compares. It runs on the bodies of branches and loops as well. Made by
    `gc.graph_pass`.

    Attributes:
        function: called with the graph and the options.
        name: in histories, dumps, GRAPHC_SKIP and messages.
        before, after, replace: the pass that it stands beside or in the place of; "" for none.
        options: keyword arguments of the function.
    """

    function: Callable[..., Graph]
    name: str
    before: str = ""
    after: str = ""
    replace: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, graph: Graph) -> Graph:
        """Run the pass."""
        return self.function(graph, **self.options)

    def with_options(self, **options: Any) -> GraphPass:
        """The pass with other values of its function's keyword arguments.

        Raises:
            ArgumentError: the function takes none of such a name.
        """
        try:
            inspect.signature(self.function).bind(None, **options)
        except TypeError as error:
            raise ArgumentError(f"the pass {self.name}: {error}", where=caller()) from None
        return replace(self, options={**self.options, **options})


REGISTERED: dict[str, GraphPass] = {}


def graph_pass(
    function: Callable[..., Graph] | None = None,
    *,
    name: str = "",
    before: str | Pass = "",
    after: str | Pass = "",
    replace: str | Pass = "",
) -> Any:
    """Make a function a pass, for `gc.compile(passes=[...])`.

    Args:
        function: of a `gc.Graph`, and of options by keyword; it returns a `gc.Graph`. Without it
            the result is a decorator.
        name: by which `passes=`, GRAPHC_SKIP and messages know it; the function's unless given.
        before, after, replace: the pass that it stands before, after or in the place of: one of
            graphc's by its name, or one of yours. With none of them it runs once the algebra has
            settled, before values are fused.

    Returns:
        The pass. Beside a pass of the group that settles the algebra it is repeated with it.

    Raises:
        ArgumentError, AttributeValueError: it is no function, the name is no identifier, or more
            than one place is given.

    Example:
        >>> import graphc as gc
        >>> @gc.graph_pass(after="simplify")
        ... def unchanged(graph, *, limit=3):
        ...     return graph
        >>> x = gc.input("x", (3,))
        >>> program = gc.compile([x], x * 2.0, passes=[unchanged.with_options(limit=5)])
        >>> [name for name, _ in program.history][:3]
        ['traced', 'simplify', 'unchanged']
    """
    if function is None:
        return lambda found: graph_pass(
            found, name=name, before=before, after=after, replace=replace
        )
    if not callable(function):
        raise ArgumentError(f"graph_pass: {function!r:.60} is no function", where=caller())
    name = name or getattr(function, "__name__", "")
    places: list[Any] = [getattr(place, "__name__", place) for place in (before, after, replace)]
    if not (isinstance(name, str) and name.isidentifier()):
        raise AttributeValueError(
            f"graph_pass: the name {name!r} is not an identifier", where=caller(),
            hint='give one: name="fast_roots"',
        )  # fmt: skip
    if sum(map(bool, places)) > 1 or not all(isinstance(place, str) for place in places):
        raise ArgumentError(
            f"graph_pass: {name} is given before={places[0]!r}, after={places[1]!r}, "
            f"replace={places[2]!r}",
            where=caller(),
            hint="give one of them, the name of a pass",
        )
    made = GraphPass(function, name, *places)
    REGISTERED[name] = made
    return made


def listed(passes: object, known: Mapping[str, Pass]) -> list[GraphPass]:
    """What a user gave as `passes=`.

    Args:
        passes: passes, functions and names.
        known: graphc's own by name.

    Raises:
        ArgumentError, AttributeValueError: one is no pass.
    """
    if isinstance(passes, str) or not isinstance(passes, Sequence):
        raise ArgumentError(
            f"compile: passes is a {type(passes).__name__}, not a list of passes", where=caller()
        )
    return [_listed(each, known) for each in passes]


def _listed(each: object, known: Mapping[str, Pass]) -> GraphPass:
    if isinstance(each, GraphPass):
        return each
    if isinstance(each, str):
        if each in REGISTERED:
            return REGISTERED[each]
        if each in known:
            return GraphPass(known[each], each)
        raise AttributeValueError(
            f"compile: {each!r} is not a pass", where=caller(),
            hint=suggestion(each, [*known, *REGISTERED]),
        )  # fmt: skip
    name = getattr(each, "__name__", "")
    if not callable(each) or not name:
        raise ArgumentError(
            f"compile: passes has {type(each).__name__} {each!r:.60}, no pass",
            where=caller(),
            hint="give functions from graph to graph, or names",
        )
    return GraphPass(each, name if name.isidentifier() else "own")
