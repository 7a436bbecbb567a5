"""`dump` writes a graph to a file, in the format that its name asks for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from os import PathLike
from pathlib import Path

from graphc.core.graphs import graph_of
from graphc.core.ir import Graph, caller
from graphc.errors import AttributeValueError
from graphc.networks import graphml
from graphc.text import show
from graphc.viz.dot import dot
from graphc.viz.html import html_of
from graphc.viz.structure import json_of
from graphc.viz.svg import svg_of
from graphc.viz.views import BOXES, view_of


def dump(subject: object, path: str | PathLike[str], *, boxes: int = BOXES) -> Path:
    """Write a graph, or a program's final graph, to a file.

    Args:
        subject: a `Graph`, a `Program`, a compiled, traced or loaded function (the program of its
            last call, or its first), a tensor of a graph, or a structure of tensors.
        path: a file name; its ending chooses the format: `.py` (text form), `.svg` and `.png`
            (the picture), `.html` (the picture as a page, in which scopes open and close), `.dot`
            (Graphviz), `.json` (see `graphc.viz.structure`) or `.graphml` (`gc.to_networkx`).
        boxes: most boxes of a picture, at first sight of a page; equal ones count once.

    Returns:
        The path written.

    Raises:
        AttributeValueError: the ending is another, or `.png` and the extra `png` is not installed.
        ArgumentError: the subject is no graph.

    Example:
        dump(program, "step.html")

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.viz.dump(gc.compile([x], gc.tanh(x)), "tanh.svg").name
        'tanh.svg'
    """
    target = Path(path)
    writers: dict[str, Callable[[Graph], str | bytes]] = {
        ".py": lambda graph: show(graph, origins=True),
        ".dot": dot,
        ".svg": lambda graph: svg(graph, boxes=boxes),
        ".png": lambda graph: _png(graph, boxes=boxes),
        ".html": lambda graph: html(graph, boxes=boxes),
        ".json": json_of,
        ".graphml": graphml,
    }
    if target.suffix not in writers:
        raise AttributeValueError(
            f"dump: {target.name!r:.80} does not end in {', '.join([*writers][:-1])} or .graphml",
            where=caller(),
            hint="name the format",
        )
    content = writers[target.suffix](graph_of(subject, "dump"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def svg(subject: object, *, boxes: int = BOXES) -> str:
    """A graph as a self-contained SVG picture.

    Args:
        subject: what `dump` takes.
        boxes: most boxes; scopes are closed until no more are left.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.viz.svg(gc.Graph.of("g", [x], [gc.tanh(x)])).startswith("<svg")
        True
    """
    graph = graph_of(subject, "svg")
    return svg_of(view_of(graph, boxes).layout(), graph.name, _note(graph))


def html(subject: object, *, boxes: int = BOXES) -> str:
    """A graph as a page that needs no network, in which scopes open and close.

    Args:
        subject: what `dump` takes.
        boxes: most boxes at first sight.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> gc.viz.html(gc.tanh(x)).startswith("<!doctype html>")
        True
    """
    graph = graph_of(subject, "html")
    return html_of(view_of(graph, boxes), graph.name, _note(graph))


def _png(graph: Graph, boxes: int) -> bytes:
    picture = svg(graph, boxes=boxes)
    try:
        resvg = import_module("resvg_py")
    except ImportError:
        raise AttributeValueError(
            "dump: a .png needs the package resvg_py, which is not installed",
            where=caller(),
            hint='pip install "graphc[png]", or write a .svg',
        ) from None
    return bytes(resvg.svg_to_bytes(svg_string=picture))


def _note(graph: Graph) -> str:
    count = len(graph.nodes)
    return f"{count} node{'s' if count != 1 else ''}"


__all__ = ["dump", "html", "svg"]
