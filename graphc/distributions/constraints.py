"""What values parameters and draws may have, by PyTorch's names: `constraints.positive` ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.eager.engine.tensor import Tensor


class Constraint:
    """What a tensor's values may be.

    Args:
        name: for messages.
        holds: of a tensor, where it holds.
        event_dim: how many of the last axes one value has.

    Attributes:
        is_discrete: whether values are apart from each other.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.constraints.positive.check(gc.tensor([1.0, -1.0]))
        tensor([ True, False])
    """

    def __init__(
        self, name: str, holds: Callable[[Any], Any], event_dim: int = 0, is_discrete: bool = False
    ) -> None:
        self.name, self.event_dim, self.is_discrete = name, event_dim, is_discrete
        self._holds = holds

    def check(self, value: Tensor) -> Any:
        """Where the constraint holds, one bool for each value.

        Example:
            >>> import graphc as gc
            >>> gc.distributions.constraints.boolean.check(gc.tensor([0.0, 0.5]))
            tensor([ True, False])
        """
        found = self._holds(value)
        for _ in range(self.event_dim if found.ndim == value.ndim else 0):
            found = found.all(-1)
        return found

    def __repr__(self) -> str:
        return self.name


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Numbers between two bounds, both included.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.constraints.interval(0, 2).check(gc.tensor([1.0, 3.0]))
        tensor([ True, False])
    """
    name = f"interval({lower_bound}, {upper_bound})"
    return Constraint(name, lambda x: (x >= lower_bound) & (x <= upper_bound))


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Whole numbers between two bounds, both included.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.constraints.integer_interval(0, 2).check(gc.tensor([1.0, 0.5]))
        tensor([ True, False])
    """
    name = f"integer_interval({lower_bound}, {upper_bound})"
    return Constraint(
        name, lambda x: (x % 1 == 0) & (x >= lower_bound) & (x <= upper_bound), is_discrete=True
    )


def greater_than(lower_bound: Any) -> Constraint:
    """Numbers above a bound.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.constraints.greater_than(1).check(gc.tensor([1.0, 3.0]))
        tensor([False,  True])
    """
    return Constraint(f"greater_than({lower_bound})", lambda x: x > lower_bound)


def less_than(upper_bound: Any) -> Constraint:
    """Numbers below a bound.

    Example:
        >>> import graphc as gc
        >>> gc.distributions.constraints.less_than(1).check(gc.tensor([0.0, 3.0]))
        tensor([ True, False])
    """
    return Constraint(f"less_than({upper_bound})", lambda x: x < upper_bound)


def _on_simplex(x: Any) -> Any:
    return (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6)


real = Constraint("real", lambda x: x == x)
real_vector = Constraint("real_vector", lambda x: x == x, 1)
positive = Constraint("positive", lambda x: x > 0)
nonnegative = Constraint("nonnegative", lambda x: x >= 0)
unit_interval = Constraint("unit_interval", lambda x: (x >= 0) & (x <= 1))
boolean = Constraint("boolean", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint(
    "nonnegative_integer", lambda x: (x % 1 == 0) & (x >= 0), is_discrete=True
)
positive_integer = Constraint(
    "positive_integer", lambda x: (x % 1 == 0) & (x >= 1), is_discrete=True
)
simplex = Constraint("simplex", _on_simplex, 1)
one_hot = Constraint(
    "one_hot", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, is_discrete=True
)
lower_cholesky = Constraint(
    "lower_cholesky",
    lambda x: (x.tril() == x).all(-1).all(-1) & (x.diagonal(dim1=-2, dim2=-1) > 0).all(-1), 2,
)  # fmt: skip
square = Constraint("square", lambda x: (x == x) & (x.shape[-1] == x.shape[-2]), 2)
dependent = Constraint("dependent", lambda x: x == x)

__all__ = [
    "Constraint", "boolean", "dependent", "greater_than", "integer_interval", "interval",
    "less_than", "lower_cholesky", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_integer", "real", "real_vector", "simplex", "square", "unit_interval",
]  # fmt: skip
