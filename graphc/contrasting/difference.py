"""How far two sets of arrays are apart: absolute, relative, and in units in the last place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graphc.core.dtypes import is_float

# Relative differences up to this are those of sums in another order.
NEAR = 1e-5


@dataclass(frozen=True)
class Difference:
    """The differences of arrays with equal names.

    Attributes:
        count, equal: arrays compared, and those equal to the last bit.
        absolute, relative, ulps: the largest of any element; relative, and in units in the last
            place, to the largest element of its array, because near zero both mean little.
        near: arrays within 1e-5 relative.
        worst: the name of the array with the largest relative difference.
        scale: its largest element: a gradient that is zero but for roundings differs by as much.
        problem: a shape, dtype or nan that only one side has; "" when there is none.
    """

    count: int = 0
    equal: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    ulps: int = 0
    near: int = 0
    worst: str = ""
    scale: float = 0.0
    problem: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether everything is equal to the last bit."""
        return self.count == self.equal and not self.problem

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        if self.is_exact:
            return f"none: {self.count} arrays equal to the last bit"
        equal = f"{self.equal} of {self.count} arrays equal to the last bit"
        if self.near == self.count:
            return f"{self.relative:.1g} relative, {self.ulps} ulps (in {self.worst}); {equal}"
        return (
            f"{self.near} of {self.count} arrays within {NEAR:g} relative; {self.absolute:.1g} "
            f"absolute; farthest is {self.worst}, with elements up to {self.scale:.1g}; {equal}"
        )


def difference(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Difference:
    """Compare arrays by name; names that only one side has are left out.

    Args:
        ours: what is taken as right.
        theirs: what is compared with it.

    Returns:
        The largest differences.
    """
    count = equal = ulps = near = 0
    scale = 0.0
    absolute = relative = 0.0
    worst = problem = ""
    for name in [n for n in ours if n in theirs]:
        a, b = np.asarray(ours[name]), np.asarray(theirs[name])
        count += 1
        if a.dtype != b.dtype or a.shape != b.shape:
            problem = f"{name} is {a.dtype}{list(a.shape)} and {b.dtype}{list(b.shape)}"
            continue
        if a.tobytes() == b.tobytes():
            equal += 1
            near += 1
            continue
        found = _apart(a, b)
        if found is None:
            problem = f"{name} has nan or inf on one side"
            continue
        absolute, ulps = max(absolute, found[0]), max(ulps, found[2])
        near += found[1] <= NEAR
        if found[1] >= relative:
            relative, worst, scale = found[1], name, float(np.nanmax(np.abs(a)))
    return Difference(count, equal, absolute, relative, ulps, near, worst, scale, problem)


def _apart(a: np.ndarray, b: np.ndarray) -> tuple[float, float, int] | None:
    """Absolute and relative difference and ulps; None where one side alone is not finite."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(x)
    if not np.array_equal(finite, np.isfinite(y)):
        return None
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return None
    x, y = x[finite], y[finite]
    apart = float(np.max(np.abs(x - y), initial=0.0))
    largest = float(np.max(np.abs(x), initial=0.0))
    ulps = 0
    if is_float(a.dtype) and largest:
        ulps = round(apart / float(np.spacing(a.dtype.type(largest))))
    return apart, apart / largest if largest else apart, ulps


__all__ = ["Difference", "difference"]
