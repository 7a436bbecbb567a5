"""What runs programs: `cpu`, `reference`, and others that are registered.

    target = find("cpu")
    runnable = target.program(graph, threads=None)
    failure = runnable.run(runnable.bind(sizes), [x, out])

Nothing above this folder knows which target it runs on: a program calls a `Runnable`. A target
whose programs are tables of steps says how nodes become steps by a `lower.Lowering`, and subclasses
`Executable` for where memory is and how kernels are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from graphc import config
from graphc.core.ir import Graph, Node, caller
from graphc.errors import ArgumentError, AttributeValueError
from graphc.runtime.checks.verify_steps import verify_lowering
from graphc.runtime.interpreter import Interpreter
from graphc.runtime.lower import lower
from graphc.runtime.machine.call import Call
from graphc.runtime.machine.executable import Executable


class Runnable(Protocol):
    """A graph made ready to run, as programs and their reports see it.

    Attributes:
        graph: what it runs; outputs that are not aliases are the results.
        is_native: whether it is made of kernels, so that there are steps and memory to speak of.
        is_poisoned: whether calls look for writes past the ends of results.
        checks: the words of GRAPHC_CHECK that were in force.
        kernels: sources by name.
        loaded: the kernels that steps run, those of nested programs too.
        launches: steps in the order in which they run.
        sites: the node that each number of a failure names, from 1.
        children: the programs that steps run: bodies of loops, branches.
        nested: these with their names, by the number of the step.
        workspaces, arena_values, memory: what the memory plan is made for, and the plan.
    """

    graph: Graph
    memory: Any

    @property
    def is_native(self) -> bool: ...
    @property
    def is_poisoned(self) -> bool: ...
    @property
    def checks(self) -> frozenset[str]: ...
    @property
    def kernels(self) -> Mapping[str, str]: ...
    @property
    def loaded(self) -> Sequence[Any]: ...
    @property
    def launches(self) -> Sequence[Any]: ...
    @property
    def sites(self) -> Sequence[Any]: ...
    @property
    def children(self) -> Sequence[Any]: ...
    @property
    def nested(self) -> Mapping[int, Any]: ...
    @property
    def workspaces(self) -> Mapping[Node, Mapping[str, Any]]: ...
    @property
    def arena_values(self) -> Sequence[Any]: ...

    def bind(self, sizes: Mapping[str, int]) -> Call:
        """Work out all that sizes decide."""

    def find(self, key: Any) -> Call | None:
        """The call that was kept under `key`."""

    def keep(self, key: Any, call: Call) -> None:
        """Keep a call under `key`."""

    def describe(self, sizes: Mapping[str, int]) -> list[tuple[str, int, int, bool]]:
        """Each of `launches` for people: kernel, extent, grain, whether it may write state."""

    def run(
        self, call: Call, arrays: Sequence[np.ndarray], times: list[int] | None = None
    ) -> tuple[int, int, int] | None:
        """Run once; None, or site, value and limit of the first check that failed."""

    def profile(
        self, call: Call, arrays: Sequence[np.ndarray], repeat: int
    ) -> tuple[list[int], int]:
        """The nanoseconds of each of `launches`, and of the whole: of the fastest of some runs."""


@runtime_checkable
class Target(Protocol):
    """What compiles and runs graphs.

    Attributes:
        name: what `compile(target=...)` takes.
        is_optimized: whether passes run first; else it gets the graph as it was traced.
    """

    name: str
    is_optimized: bool

    def refusal(self) -> str:
        """Why graphs can't be compiled for it here; "" when they can."""

    def program(self, graph: Graph, threads: int | None) -> Runnable:
        """Make a graph ready to run.

        Args:
            graph: as the last pass left it.
            threads: most threads that a call uses; None for the setting.
        """


class Cpu:
    """This host's CPU: native kernels, run by the step machine."""

    name = "cpu"
    is_optimized = True

    def refusal(self) -> str:
        """Nothing is missing."""
        return ""

    def program(self, graph: Graph, threads: int | None) -> Executable:
        """See `Executable`; with GRAPHC_CHECK=1 the steps are verified first."""
        steps = lower(graph)
        if config.current().check & {"1", "2"}:
            verify_lowering(graph, steps)
        return Executable(graph, steps, threads)


class Reference:
    """NumPy, one op at a time."""

    name = "reference"
    is_optimized = False

    def refusal(self) -> str:
        """Nothing is missing."""
        return ""

    def program(self, graph: Graph, threads: int | None) -> Interpreter:
        """See `Interpreter`; with GRAPHC_CHECK=finite the first nan or inf is named."""
        return Interpreter(graph, "finite" in config.current().check)


_TARGETS: dict[str, Target] = {"cpu": Cpu(), "reference": Reference()}


def register(target: Target) -> None:
    """Let `compile(target=...)` take a target by its name.

    Raises:
        ArgumentError: the name is no identifier, or another target's.

    Example:
        >>> class Slow(Reference):
        ...     name = "slow"
        >>> register(Slow())
        >>> "slow" in names()
        True
    """
    if not (isinstance(target.name, str) and target.name.isidentifier()):
        raise ArgumentError(f"{target.name!r} is no name for a target", where=caller())
    other = _TARGETS.get(target.name)
    if other is not None and type(other) is not type(target):
        raise ArgumentError(f"there is a target {target.name!r} already", where=caller())
    _TARGETS[target.name] = target


def names() -> tuple[str, ...]:
    """The names of all targets."""
    return tuple(_TARGETS)


def find(name: Any, what: str = "compile") -> Target:
    """The target of a name, or one that was given itself.

    Args:
        name: as the user gave it.
        what: the function that was called, for messages.

    Raises:
        AttributeValueError: there is none, or it can't be used here.
    """
    target = name if isinstance(name, Target) else _TARGETS.get(name)
    if target is None:
        raise AttributeValueError(
            f"{what}: {name!r} is not a target", where=caller(), hint=f"one of {', '.join(names())}"
        )
    if why := target.refusal():
        message = f"{what}: {target.name!r} cannot be used here: {why}"
        raise AttributeValueError(message, where=caller())
    return target


def tree(runnable: Runnable) -> Iterable[Runnable]:
    """A program and those nested in it, outer ones first."""
    yield runnable
    for child in runnable.children:
        yield from tree(child)
