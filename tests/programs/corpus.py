"""The table of programs: what each takes, at which sizes, and the arrays it is given."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# What the names of sizes mean where a program says nothing else.
SMALL = {
    "n": 6, "m": 5, "d": 4, "e": 3, "k": 3, "h": 2, "s": 5, "c": 2, "v": 7, "b": 2, "p": 8, "q": 7,
}  # fmt: skip
# Beyond vectors, tiles and the threshold of threads, and divisible by nothing.
LARGE = {
    "n": 67, "m": 41, "d": 36, "e": 17, "k": 11, "h": 4, "s": 37, "c": 5, "v": 53, "b": 3, "p": 34,
    "q": 33,
}  # fmt: skip

PROGRAMS: dict[str, Program] = {}


@dataclass(frozen=True)
class Spec:
    """One argument: the names (or numbers) of its sizes, and what is drawn into it."""

    shape: tuple[str, ...]
    draw: Callable[[np.random.RandomState, tuple[int, ...], Mapping[str, int]], np.ndarray]

    def sizes(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """The shape in numbers."""
        return tuple(values[name] if name in values else int(name) for name in self.shape)


def normal(shape: str = "", scale: float = 1.0, shift: float = 0.0) -> Spec:
    """A float argument drawn from a normal distribution."""
    return Spec(tuple(shape.split()), lambda r, s, _: shift + scale * r.standard_normal(s))


def positive(shape: str = "", low: float = 0.2, high: float = 1.2) -> Spec:
    """A float argument drawn evenly from an interval."""
    return Spec(tuple(shape.split()), lambda r, s, _: r.uniform(low, high, s))


def spread(shape: str = "") -> Spec:
    """A float argument all of whose values differ by much: for sorts, maxima and corners."""

    def draw(r: np.random.RandomState, s: tuple[int, ...], _: Any) -> np.ndarray:
        count = int(np.prod(s))
        values = (np.arange(count) - count / 2 + 0.25) * (4.0 / max(count, 1))
        return r.permutation(values).reshape(s)

    return Spec(tuple(shape.split()), draw)


def integers(shape: str, below: str) -> Spec:
    """An int64 argument from 0 up to a size."""

    def draw(r: np.random.RandomState, s: tuple[int, ...], sizes: Mapping[str, int]) -> np.ndarray:
        return r.randint(0, sizes[below] if below in sizes else int(below), s).astype(np.int64)

    return Spec(tuple(shape.split()), draw)


def bits(shape: str, share: float = 0.5) -> Spec:
    """A bool argument, true with a probability."""
    return Spec(tuple(shape.split()), lambda r, s, _: r.uniform(size=s) < share)


@dataclass(frozen=True)
class Program:
    """A function and its arguments."""

    name: str
    field: str
    function: Callable[..., Any]
    specs: dict[str, Spec]
    small: dict[str, int]
    large: dict[str, int]
    symbolic: str | None
    seed: int = 0
    rough: float = 1.0

    def grown(self) -> dict[str, int]:
        """The small sizes with another, larger batch."""
        assert self.symbolic
        return {**self.small, self.symbolic: 2 * self.large[self.symbolic] + 1}

    def arrays(self, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
        """The arguments at a size, in float64: the same in every process."""
        random = np.random.RandomState(zlib.crc32(self.name.encode()) % 2**31 + self.seed)
        return {n: np.asarray(s.draw(random, s.sizes(sizes), sizes)) for n, s in self.specs.items()}


def program(
    sizes: Mapping[str, int] | None = None,
    large: Mapping[str, int] | None = None,
    symbolic: str | None = "n",
    seed: int = 0,
    rough: float = 1.0,
    **specs: Spec,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table.

    Args:
        sizes: values of the names in `specs` that differ from `SMALL`.
        large: values that differ from `LARGE`; `sizes` hold there too unless given here.
        symbolic: the size that may be a symbolic dimension; None where the code needs a number.
        seed: another draw, where the first lies near a corner of the function.
        rough: how much more than usual rounding is magnified by what the program computes.
        specs: the arguments after the first, in order.

    Returns:
        A decorator.
    """

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        name, place = function.__name__, function.__module__.rpartition(".")[2]
        if name in PROGRAMS:
            raise ValueError(f"two programs are called {name}")
        used = {s for spec in specs.values() for s in spec.shape}
        PROGRAMS[name] = Program(
            name, place, function, specs, {**SMALL, **(sizes or {})},
            {**LARGE, **(sizes or {}), **(large or {})},
            symbolic if symbolic in used else None, seed, rough,
        )  # fmt: skip
        return function

    return enter
