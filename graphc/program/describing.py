"""Words for reports: bytes, times, what a step computes, the user's lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphc.core.ir import Graph, Kind, Node, all_nodes, bodies
from graphc.runtime.base.homes import Copy


def nbytes_text(nbytes: float) -> str:
    """A number of bytes for people: 1536 is "1.5 kB" (1 kB is 1024 bytes)."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(nbytes) < 1024:
            break
        nbytes, unit = nbytes / 1024, {"B": "kB", "kB": "MB", "MB": "GB", "GB": "TB"}[unit]
    return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.1f} {unit}"


def time_text(time_s: float) -> str:
    """A time for people: 0.0000021 is "2.1 us"."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if time_s * scale >= 1:
            return f"{time_s * scale:.1f} {unit}"
    return f"{time_s * 1e9:.0f} ns"


def launch_name(launch: Any) -> str:
    """The kernel of a step or copy."""
    return "copy_bytes" if isinstance(launch, Copy) else launch.kernel.name


def described(node: Node) -> str:
    """A line about a node: what it computes, its type, the user's lines."""
    return f"{work_text(node)}: {node.type}  [{lines_of(node)}]"


def work_text(node: Node) -> str:
    """What a node computes, for a reader: a fused node's ops in order."""
    if node.op.kind is not Kind.FUSED:
        return node.op.name
    body: Graph = node.attr("body")
    names = [n.op.name for n in body.nodes if n.op.kind is not Kind.SOURCE]
    return " ".join(names[:12]) + (f" ... {len(names)} ops" if len(names) > 12 else "")


def lines_of(node: Node) -> str:
    """The user's lines that a node comes from, and what the user named of it."""
    nested = bodies(node).values()
    nodes = [inner for body in nested for inner in all_nodes(body)] if nested else [node]
    found: dict[str, set[int]] = {}
    for inner in nodes:
        if inner.origin and (inner is node or inner.op.kind is not Kind.SOURCE):
            found.setdefault(Path(inner.origin.file).name, set()).add(inner.origin.line)
    texts = []
    for file, lines in found.items():
        low, high = min(lines), max(lines)
        texts.append(f"{file}:{low}" if low == high else f"{file}:{low}-{high}")
    named = dict.fromkeys(inner.label for inner in nodes if inner.label)
    return ", ".join(texts) + (f"; {', '.join(named)}" if named else "")


__all__ = ["described", "launch_name", "lines_of", "nbytes_text", "time_text", "work_text"]
