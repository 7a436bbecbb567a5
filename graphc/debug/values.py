"""`gc.debug.values`: the value of every node of a graph, those that kernels fuse away too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphc import text
from graphc.core.ir import Graph, Node, caller
from graphc.debug.subject import node_values, subject_of
from graphc.errors import ArgumentError
from graphc.ops.printing import muted


class Values(Mapping[str, Any]):
    """Values by the names of the text form; by what `gc.named` called them; by "file.py:12".

    A line stands for what it made last.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> y = gc.named("half", x * 0.5) + 1.0
        >>> found = gc.debug.values(gc.compile([x], y), np.array([2.0, 4.0], np.float32))
        >>> found["half"], len(found)
        (array([1., 2.], dtype=float32), 5)
    """

    def __init__(self, graph: Graph, values: Mapping[Node, Any]) -> None:
        self.graph = graph
        self._names = {name: node for node, name in text.names(graph).items() if node in values}
        self._values = values
        self._labels = {node.label: node for node in values if node.label}

    def __getitem__(self, name: str) -> Any:
        node = self._names.get(name, self._labels.get(name))
        if node is None:
            made = self.made_at(name)
            if not made:
                raise KeyError(name)
            node = made[-1]
        return self._values[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def made_at(self, line: str) -> list[Node]:
        """The nodes that a line made, in their order.

        Args:
            line: "file.py:12".

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (2,))
            >>> gc.debug.values(gc.compile([x], -x), np.ones(2, np.float32)).made_at("nowhere.py:3")
            []
        """
        file, _, number = line.rpartition(":")
        return [
            node
            for node in self._values
            if node.origin
            and (Path(node.origin.file).name, str(node.origin.line)) == (file, number)
        ]


@muted()
def values(program: object, *args: Any, stage: str = "traced", **named: Any) -> Values:
    """Run a program op by op with NumPy and keep the value of every node.

    Args:
        program: a program, a function that has one, or a graph.
        args: as in a call.
        stage: which graph: "traced" is as it was written; or the name of a pass, for what the
            last run of it left.
        named: inputs by name.

    Returns:
        The values; parameters keep theirs.

    Raises:
        ArgumentError: it is no program, or there is no such stage.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (2,))
        >>> gc.debug.values(gc.compile([x], gc.exp(-x)), np.zeros(2, np.float32))["v0"]
        array([-0., -0.], dtype=float32)
    """
    found = subject_of("values", program, args, named)
    graphs = dict(found.history) | {"traced": found.graph}
    if stage not in graphs:
        raise ArgumentError(
            f"values: there is no stage {stage!r:.40}", where=caller(),
            hint=f"one of {', '.join(graphs)}",
        )  # fmt: skip
    graph = graphs[stage]
    return Values(graph, node_values(graph, found.arrays, found.sizes))


__all__ = ["Values", "values"]
