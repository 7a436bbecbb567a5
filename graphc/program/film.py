"""`program.report("report.html")`: what each pass did, kernels, memory and time, as data of a page.

A node that was only built again, on other operands, is the same thing in the next graph: things
are matched by op, line, type and attributes.
"""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.core import dims
from graphc.core.ir import Graph, Kind, Node, bodies
from graphc.core.types import TupleType
from graphc.passes.observers import told
from graphc.passes.pipeline import optimize
from graphc.passes.rewrite.engine import heard
from graphc.program.costs import flops_of, host
from graphc.program.describing import lines_of
from graphc.program.explaining import explain
from graphc.program.memory import MemoryUse
from graphc.viz.strip import page_of

MOST_FIRINGS = 300  # of one pass that are listed; all are counted
LANES = {"": 0, "backward": 1, "optimizer": 2}


def write(program: Any, path: Path) -> Path:
    """Write the page of a program; returns its path."""
    path.write_text(page_of(program.name, model_of(program)), encoding="utf-8")
    return path


def model_of(program: Any) -> dict[str, Any]:
    """All that the page shows, as what JSON holds."""
    build, sizes = program._build, program._sizes()
    things = _Things(sizes)
    ran = _passes(build)
    stages = []
    before: Graph | None = None
    for number, (name, graph) in enumerate(build.history):
        extra = ran.get(number, (0.0, []))
        stages.append({"name": name, **things.step(before, graph), "ms": round(extra[0] * 1e3, 3),
                       **_rules(extra[1])})  # fmt: skip
        before = graph
    explained = explain(build, sizes, program._profiled).to_dict()
    able = host() if program._profiled else None
    memory = MemoryUse.of(build, sizes).to_dict() if build.executable.is_native else None
    return {
        "name": program.name,
        "stages": stages,
        "things": things.rows,
        "words": list(things.words),
        "steps": _steps(build, things, explained["steps"]),
        "kernels": _commented(program, build),
        "apart": explained["apart"],
        "copies": explained["copies"],
        "host": list(able) if able else None,
        "wall_s": program._profiled.wall_s if program._profiled else None,
        "memory": memory,
        "compile_s": build.compile_time_s,
        "compiled": list(build.compiled),
    }


def _passes(build: Any) -> dict[int, tuple[float, list[Any]]]:
    """The seconds and the firings of each pass, of running all again; by place in the history."""
    options = build.options or {}
    first = next((k for k, (_, g) in enumerate(build.history) if g is build.graph), 0)
    found: list[tuple[str, float, list[Any]]] = []

    def note(name: str, before: Graph, after: Graph, time_s: float) -> None:
        found.append((name, time_s, heard() if name != "traced" else []))

    if len(build.history) <= first + 1:
        return {}
    optimize(build.graph, options.get("level", "O2"), options.get("fast_math", False), [note])
    names = [name for name, _ in build.history[first + 1 :]]
    if [name for name, _, _ in found[1:]] != names:
        return {}  # settings have changed since
    return {first + 1 + k: (time_s, fired) for k, (_, time_s, fired) in enumerate(found[1:])}


def _rules(firings: Sequence[Any]) -> dict[str, Any]:
    counts = Counter(firing.rule.name for firing in firings)
    listed = [
        [firing.rule.name, told(firing), lines_of(firing.before)]
        for firing in firings[:MOST_FIRINGS]
    ]
    return {"rules": counts.most_common(), "firings": listed}


class _Things:
    """Nodes that stand for the same in several graphs, numbered; a row of facts for each.

    Attributes:
        rows: [op, type, scope, line, attributes] as numbers of words, lane, bytes, flops, operands.
        words: texts, each once.
    """

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.rows: list[list[Any]] = []
        self.words: dict[str, int] = {}
        self.numbers: dict[Node, int] = {}

    def word(self, text: str) -> int:
        """The number of a text."""
        return self.words.setdefault(text, len(self.words))

    def step(self, before: Graph | None, graph: Graph) -> dict[str, Any]:
        """What a pass added, and what became of what is gone: [thing, how, instead]."""
        old = {} if before is None else {n: self.numbers[n] for n in before.nodes}
        waiting: dict[Any, list[int]] = {}
        stay = {n for n in graph.nodes if n in old}
        for node, number in old.items():
            if node not in stay:
                waiting.setdefault(_key(node), []).append(number)
        added = []
        for node in graph.nodes:
            if node in stay:
                continue
            same = waiting.get(_key(node))
            if same:
                self.numbers[node] = same.pop(0)
            else:
                self.numbers[node] = self._new(node)
                added.append(self.numbers[node])
        gone = self._gone([k for left in waiting.values() for k in left], old, graph)
        return {"added": added, "gone": gone}

    def _gone(self, numbers: Sequence[int], old: dict[Node, int], graph: Graph) -> list[list[Any]]:
        """Of each thing that is gone: fused into a kernel, one with another, or removed."""
        inside: dict[Any, int] = {}
        for node in graph.nodes:
            for body in bodies(node).values() if node.op.kind is Kind.FUSED else ():
                for inner in body.nodes:
                    inside.setdefault(_key(inner), self.numbers[node])
        there = {_key(node): self.numbers[node] for node in graph.nodes}
        keys = {number: _key(node) for node, number in old.items()}
        found = []
        for number in numbers:
            key = keys[number]
            if key in inside:
                found.append([number, "fused", inside[key]])
            elif key in there:
                found.append([number, "merged", there[key]])
            else:
                found.append([number, "removed", None])
        return found

    def _new(self, node: Node) -> int:
        origin = node.origin
        scope = "/".join(origin.scope) or origin.function if origin else "inputs and numbers"
        attrs = ", ".join(
            f"{key}={value}" for key, value in node.attrs if not isinstance(value, Graph)
        )
        items = node.type.items if isinstance(node.type, TupleType) else (node.type,)
        sized = [item.nbytes for item in items]
        count = sum(int(dims.evaluate(size, self._any())) for size in sized)
        flops = flops_of(node)
        line = lines_of(node)
        text = linecache.getline(origin.file, origin.line).strip() if origin else ""
        operands = [self.numbers[i] for i in node.inputs if i in self.numbers]
        self.rows.append([
            self.word(node.label or node.op.name), self.word(str(node.type)), self.word(scope),
            self.word(f"{line}  {text}" if text else line), self.word(attrs[:200]),
            LANES.get(origin.phase, 0) if origin else 0, count,
            0 if flops is None else int(dims.evaluate(flops, self._any())), operands,
            self.word(str(node.op.kind)),
        ])  # fmt: skip
        return len(self.rows) - 1

    def _any(self) -> dict[str, int]:
        return _Sizes(self.sizes)


class _Sizes(dict[str, int]):
    """Known sizes; those inside of bodies count as 1."""

    def __missing__(self, name: str) -> int:
        return 1


def _key(node: Node) -> Any:
    attrs = tuple((k, str(v)) for k, v in node.attrs if not isinstance(v, Graph) and k != "inplace")
    names = tuple(body.name for body in bodies(node).values())
    return node.op, node.origin, str(node.type), attrs, names


def _steps(build: Any, things: _Things, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps, each with the thing it computes."""
    number = things.numbers
    return [
        {**step, "thing": number.get(launch.node)}
        for step, launch in zip(steps, build.executable.launches)
    ]


def _commented(program: Any, build: Any) -> dict[str, str]:
    """Kernels' sources, each below the user's lines that it computes."""
    lines: dict[str, dict[str, None]] = {}
    for launch in build.executable.launches:
        name = getattr(getattr(launch, "kernel", None), "name", "")
        lines.setdefault(name, {}).update(dict.fromkeys(_user_lines(launch.node)))
    return {
        name: "".join(f"# {line}\n" for line in list(lines.get(name, ()))[:40]) + source
        for name, source in program.kernels.items()
    }


def _user_lines(node: Node) -> list[str]:
    nested = [inner for body in bodies(node).values() for inner in body.nodes]
    found = []
    for inner in nested or [node]:
        if inner.origin and inner.op.kind is not Kind.SOURCE:
            text = linecache.getline(inner.origin.file, inner.origin.line).strip()
            found.append(f"{Path(inner.origin.file).name}:{inner.origin.line}  {text}")
    return found


__all__ = ["model_of", "write"]
