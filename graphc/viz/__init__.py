"""Graphs drawn and written: `dump(graph, path)` in the format that the path's ending names.

    gc.viz.dump(program, "step.svg")       a picture, at most 60 boxes of it
    gc.viz.dump(step, "step.html")         the same, and it opens: scopes, kernels, loops

What a picture shows: scopes (modules and functions) are boxes with boxes in them; forward goes
down on the left, backward goes up beside it, the optimizer stands on the right; equal layers are
drawn once. From a graph to a picture:

    scopes      which units there are             groups     updates, and what is too long
    siblings    equal units, drawn once           rows       which row each stands in
    layout      where everything stands           svg, html  the picture; dot, structure: data
"""

from graphc.viz.dot import dot
from graphc.viz.writing import dump, html, svg

__all__ = ["dot", "dump", "html", "svg"]
