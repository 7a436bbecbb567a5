"""Statements of an exported function: names that mean nothing else, one line a node, helpers.

# train.py:41 in forward: h = gc.relu(x @ w)
v0 = x @ w
v1 = np.maximum(v0, 0.0)
"""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
from pathlib import Path
from typing import Any

from graphc.core.ir import Graph, Node, Op, bodies
from graphc.core.walk import reach
from graphc.jit.archive.archive_reader import SavedOrigin, quoted
from graphc.jit.export import numpy_helpers
from graphc.jit.export.numpy_definitions import Definitions
from graphc.jit.export.numpy_ops import expression, number, read, takes_number
from graphc.ops.source import FULL

TAB = "    "
WIDTH = 99


class Scope:
    """One function of the exported module: its names and statements.

    Attributes:
        lines: its statements.
        helpers: functions of `numpy_helpers`, and definitions, that they call.
    """

    def __init__(
        self, taken: set[str], helpers: set[str], depth: int, definitions: Definitions
    ) -> None:
        self.taken, self.helpers, self.depth = taken, helpers, depth
        self.definitions = definitions
        self.names: dict[Node, str] = {}
        self.lines: list[str] = []
        self._said: Any = None
        self._count = 0

    def add(self, line: str) -> None:
        """A statement."""
        self.lines.append(f"{TAB * self.depth}{line}" if line else "")

    def unique(self, wanted: str) -> str:
        """A name that nothing else has."""
        name, count = wanted, 1
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def use(self, what: str | Op) -> str:
        """The name of a helper, or of an op's definition, which is copied into the module."""
        name = what if isinstance(what, str) else self.definitions.add(what)
        if not name and isinstance(what, Op) and what.name in sources():
            name = what.name  # NumPy lacks it
        self.helpers.add(name)
        return name

    def body(self, graph: Graph, name: str) -> str:
        """A nested graph as a function inside this one; its name."""
        name = self.unique(name)
        inner = Scope(self.taken, self.helpers, self.depth + 1, self.definitions)
        arguments = []
        for node in graph.inputs:
            inner.names[node] = inner.unique(node.name)
            arguments.append(inner.names[node])
        inner.statements(graph)
        found = ", ".join(inner.names[o] for o in graph.outputs)
        inner.add(f"return ({found},)")
        self.add(f"def {name}({', '.join(arguments)}):")
        self.lines += inner.lines
        return name

    def statements(self, graph: Graph) -> None:
        """A statement for each node that the outputs need; plain numbers stand where they are
        used."""
        needed = set(graph.outputs)
        for node in reversed(graph.nodes):
            if node in needed:
                needed.update(read(node))
        nodes = [n for n in graph.nodes if n in needed and n not in self.names]
        whole = {i for n in nodes for i in read(n) if not takes_number(n)} | set(graph.outputs)
        for node in nodes:
            if node.op is FULL and node not in whole:
                self.names[node] = number(node)
            else:
                self._statement(node)

    def _statement(self, node: Node) -> None:
        self._remark(node)
        functions = {key: self.body(value, value.name) for key, value in bodies(node).items()}
        text = expression(node, [self.names[i] for i in read(node)], functions, self.use)
        if text.isidentifier():
            self.names[node] = text
            return
        name = f"v{self._count}"
        while name in self.taken:
            self._count += 1
            name = f"v{self._count}"
        self.names[node] = self.unique(name)
        self.add(f"{self.names[node]} = {text}")

    def _remark(self, node: Node) -> None:
        """The user's line, where it is another than that of the statement before."""
        origin = node.origin
        if origin is None or origin == self._said:
            return
        self._said = origin
        line = str(origin)
        if not isinstance(origin, SavedOrigin) and (found := quoted(origin)):
            line = f"{line}: {found}"
        self.add(f"# {line}"[: WIDTH - len(TAB) * self.depth])


@functools.cache
def sources() -> dict[str, tuple[str, set[str]]]:
    """Each function of `numpy_helpers`: its text, and the names that it uses."""
    content = Path(numpy_helpers.__file__).read_text()
    lines = content.splitlines()
    found = {}
    for node in ast.parse(content).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            found[node.name] = text, {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found


def helpers(wanted: set[str], definitions: Definitions) -> list[str]:
    """The text of functions and of those that they call."""
    known = sources() | definitions.texts
    needed = set(reach(wanted - {""}, lambda name: [n for n in known[name][1] if n in known]))
    return [text for name, (text, _) in known.items() if name in needed]
