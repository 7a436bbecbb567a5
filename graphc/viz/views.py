"""A graph as it is drawn: its units, their rows, and which are open at first sight."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.core.ir import Graph
from graphc.viz.groups import group, shorten
from graphc.viz.layout import Layout, at_first_sight, placed
from graphc.viz.rows import Plans, plans_of
from graphc.viz.scopes import Picture, Unit, finish, picture_of
from graphc.viz.siblings import merge_equal

BOXES, WIDTH, HEIGHT = 60, 1960.0, 1400.0


@dataclass(slots=True, eq=False)
class View:
    """Units, rows and what is open."""

    picture: Picture
    plans: Plans
    opened: set[Unit]

    def layout(self) -> Layout:
        """Where everything stands."""
        return placed(self.picture, self.plans, self.opened)


def view_of(graph: Graph, boxes: int = BOXES) -> View:
    """A graph as it is drawn, at most so many boxes of it at first."""
    picture = picture_of(graph)
    group(picture)
    merge_equal(picture)
    shorten(picture)
    finish(picture.root)
    plans = plans_of(picture)
    return View(picture, plans, at_first_sight(picture, plans, boxes, WIDTH, HEIGHT))


__all__ = ["BOXES", "View", "view_of"]
