"""The table of ONNX's operators: for each, from which version on, the function that builds it.

    @rule("Softplus")
    def softplus(a, x):
        return gc.softplus(x)

`a` is the node that is read (`Use`): its attributes by name, ONNX's defaults filled in. `takes`
says how an input is given: "x" as a tensor, "k" as a known array, "s" as sizes (ints, symbolic
ones, 0-d tensors), "v" as a `Value`, "*" after a letter for all that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.onnx.values import Value

Build = Callable[..., Any]


@dataclass(frozen=True)
class Rule:
    """How an operator is read, from one version of it on.

    Attributes:
        since: the first version of the operator that is read so.
        takes: see the module.
        build: of the node and its inputs.
        is_odd: whether it takes tensors whose element type graphc has not itself.
    """

    since: int
    takes: str
    build: Build
    is_odd: bool = False

    def kind(self, place: int) -> str:
        """How the input at a place is given."""
        fixed, star, _ = self.takes.partition("*")
        return fixed[place] if place < len(fixed) else (fixed[-1] if star else "x")


RULES: dict[tuple[str, str], list[Rule]] = {}


def rule(
    *names: str, since: int = 1, takes: str = "x*", domain: str = "", is_odd: bool = False
) -> Callable[[Build], Build]:
    """Enter a function for operators, from a version on."""

    def enter(build: Build) -> Build:
        for name in names:
            rows = RULES.setdefault((domain, name), [])
            rows.append(Rule(since, takes, build, is_odd))
            rows.sort(key=lambda row: row.since)
        return build

    return enter


def find(domain: str, name: str, version: int) -> Rule | None:
    """The rule for a version of an operator; None where there is none."""
    rows = RULES.get(("" if domain == "ai.onnx" else domain, name), [])
    return next((row for row in reversed(rows) if row.since <= version), None)


@dataclass
class Use:
    """One node of an ONNX graph, as a rule sees it.

    Attributes:
        attributes: by name; None where one is absent.
        version: of the operator: the opset in which it last changed.
        inputs: the values.
        count: how many outputs are asked for.
        names: of the outputs, "" where one is not asked for.
        reader: reads nested graphs.
        scope: the values around the node, by name.
        place: what messages call the node.
    """

    attributes: dict[str, Any]
    version: int
    inputs: list[Value | None]
    names: list[str]
    reader: Any
    scope: Any
    place: str

    @property
    def count(self) -> int:
        """How many outputs the node has."""
        return len(self.names)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.attributes.get(name)

    def wants(self, place: int) -> bool:
        """Whether an output is asked for."""
        return place < len(self.names) and bool(self.names[place])
