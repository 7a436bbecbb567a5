"""`program.dump(folder)`: every pass's graph, the kernels' sources, the plan, the explanation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc import text, viz
from graphc.program import report
from graphc.program.explaining import explain


def dump(build: Any, sizes: Mapping[str, int], folder: Path) -> Path:
    """Write graphs, kernels and the plan into a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, graph) in enumerate(build.history):
        stem = f"{number:02}-{name}"
        (folder / f"{stem}.py").write_text(text.show(graph, origins=True), encoding="utf-8")
        (folder / f"{stem}.dot").write_text(viz.dot(graph), encoding="utf-8")
    viz.dump(build.history[-1][1], folder / "final.svg")
    if build.executable.is_native:
        kernels = folder / "kernels"
        kernels.mkdir(exist_ok=True)
        for name, source in build.executable.kernels.items():
            (kernels / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "plan.txt").write_text(report.plan(build, sizes), encoding="utf-8")
    (folder / "explain.txt").write_text(explain(build, sizes), encoding="utf-8")
    return folder


__all__ = ["dump"]
