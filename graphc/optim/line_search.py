"""The line search of L-BFGS: a step length that satisfies the strong Wolfe conditions.

First steps grow until a bracket holds such a length, then the bracket shrinks by cubic
interpolation (Nocedal and Wright, 2006, algorithms 3.5 and 3.6; cf. Schmidt's minFunc).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

# Sufficient decrease and curvature.
DECREASE, CURVATURE = 1e-4, 0.9
SMALLEST_BRACKET = 1e-9


class Point(NamedTuple):
    """A place on the line: the step length, the loss, the gradient, and its slope on the line."""

    length: float
    loss: float
    grad: Any
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points and their slopes is least, within the bounds.

    Without bounds it is sought between the points. Where the cubic has no minimum, the middle.

    Example:
        >>> from graphc.optim.line_search import Point, cubic_minimum
        >>> cubic_minimum(Point(0.0, 1.0, None, -2.0), Point(3.0, 4.0, None, 4.0))
        1.0
    """
    low, high = bounds or (min(a.length, b.length), max(a.length, b.length))
    left, right = (a, b) if a.length <= b.length else (b, a)
    with np.errstate(all="ignore"):
        gap = np.float64(a.length) - np.float64(b.length)
        mixed = a.slope + b.slope - 3 * (np.float64(a.loss) - np.float64(b.loss)) / gap
        square = mixed * mixed - np.float64(a.slope) * np.float64(b.slope)
        if not square >= 0:
            return (low + high) / 2
        root = np.sqrt(square)
        share = (right.slope + root - mixed) / (right.slope - left.slope + 2 * root)
        best = float(right.length - (right.length - left.length) * share)
    return min(max(best, low), high)


class Search:
    """One search along a direction.

    Args:
        evaluate: the loss, the gradient and its slope at a step length.
        start: the point that the search begins from, at length 0.
        scale: the direction's largest component.
        limit: how many lengths to try, the first apart.
    """

    def __init__(
        self,
        evaluate: Callable[[float], tuple[float, Any, float]],
        start: Point,
        scale: float,
        limit: int,
    ) -> None:
        self.evaluations = 0
        self.tried = 0
        self._evaluate = evaluate
        self._start = start
        self._scale = scale
        self._limit = limit

    def run(self, length: float) -> Point:
        """The best point found, beginning at a step length."""
        bracket, done = self._bracket(self._at(length))
        return bracket[0] if done else self._zoom(bracket)

    def _at(self, length: float) -> Point:
        self.evaluations += 1
        return Point(length, *self._evaluate(length))

    def _too_high(self, point: Point) -> bool:
        start = self._start
        return point.loss > start.loss + DECREASE * point.length * start.slope

    def _flat_enough(self, point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * self._start.slope

    def _bracket(self, point: Point) -> tuple[list[Point], bool]:
        """Two points around a good length, or the one that is good already."""
        before = self._start
        while self.tried < self._limit:
            if self._too_high(point) or (self.tried > 1 and point.loss >= before.loss):
                return [before, point], False
            if self._flat_enough(point):
                return [point], True
            if point.slope >= 0:
                return [before, point], False
            bounds = (point.length + 0.01 * (point.length - before.length), point.length * 10)
            length = cubic_minimum(before, point, bounds)
            before, point = point, self._at(length)
            self.tried += 1
        return [self._start, point], False

    def _zoom(self, bracket: list[Point]) -> Point:
        """Shrink a bracket until its lower end is good."""
        stuck = False
        low = 0 if bracket[0].loss <= bracket[1].loss else 1
        while self.tried < self._limit:
            width = abs(bracket[1].length - bracket[0].length)
            if width * self._scale < SMALLEST_BRACKET:
                break
            length, stuck = _inside(cubic_minimum(bracket[0], bracket[1]), bracket, stuck)
            point = self._at(length)
            self.tried += 1
            high = 1 - low
            if self._too_high(point) or point.loss >= bracket[low].loss:
                bracket[high] = point
                low = 0 if bracket[0].loss <= bracket[1].loss else 1
                continue
            good = self._flat_enough(point)
            if not good and point.slope * (bracket[high].length - bracket[low].length) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
            if good:
                break
        return bracket[low]


def _inside(length: float, bracket: list[Point], stuck: bool) -> tuple[float, bool]:
    """A length moved off the bracket's ends where it stays near one twice; whether it was near."""
    least, most = sorted((bracket[0].length, bracket[1].length))
    margin = 0.1 * (most - least)
    if not min(most - length, length - least) < margin:
        return length, False
    if not (stuck or length >= most or length <= least):
        return length, True
    near_top = abs(length - most) < abs(length - least)
    return (most - margin if near_top else least + margin), False
