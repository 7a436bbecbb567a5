"""A draw of random numbers, eagerly and in graphs.

Numbers that were drawn eagerly know how, until something is made of them: a graph that they meet
draws such numbers anew, at each call and at each step of a loop. `gc.constant` keeps the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Dim
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.registry import call
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.generator import Generator, default_generator, draw_key
from graphc.ops.arrays import random


@dataclass(frozen=True)
class Drawn:
    """How a tensor's numbers were drawn, so that a graph which they meet draws such numbers anew.

    Args:
        run: makes them of a tensor of zeros, flat, and a key.
        shape: theirs.
        key: the one that drew them.
        settings: of `run`.
        is_default: whether the default generator gave the key.
        then: what became of them, eagerly and in the graph.
    """

    run: Any
    shape: tuple[Any, ...]
    key: Tensor
    settings: dict[str, Any]
    is_default: bool
    then: Callable[[Any], Any] = field(default=lambda drawn: drawn)
    nodes: dict[Any, Any] = field(default_factory=dict)

    def node(self, array: np.ndarray) -> Any:
        """The draw as part of a graph; None for an array that is something else by now."""
        if not self.is_default or self._again().tobytes() != array.tobytes():
            return None
        # One tensor is one draw, in each loop that it is drawn in.
        place = random.counters()
        if place not in self.nodes:
            drawn = in_graph(self.run, self.shape, self.settings)
            self.nodes[place] = self.then(drawn)
        return self.nodes[place]

    def _again(self) -> np.ndarray:
        """The numbers, drawn once more; eagerly, also while a graph is made."""
        before, tracing.trace = tracing.trace, None
        try:
            return self.then(_eagerly(self.run, self.shape, self.key, self.settings))._array
        finally:
            tracing.trace = before


def _eagerly(
    run: Callable[..., Any], shape: tuple[Any, ...], key: Tensor, settings: dict[str, Any]
) -> Tensor:
    flat = wrap(np.zeros(int(np.prod(shape, dtype=np.int64)), np.uint8))
    return wrap(call(run, flat, key, **settings)._array.reshape(shape))


def in_graph(run: Callable[..., Any], shape: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """A draw from the default generator, other at each call of a program."""
    flat = FUNCTIONS["zeros"]((dims.product(shape),), dtypes.uint8)
    return FUNCTIONS["reshape"](run(flat, draw_key(of=flat), **settings), shape)


def draw(
    run: Callable[..., Any], shape: tuple[Any, ...], generator: Generator | None, **settings: Any
) -> Any:
    """Draw numbers: at once, or where a graph is made, or a size is symbolic, as part of it.

    Args:
        run: makes them of a tensor of zeros, flat, and a key.
        shape: theirs.
        generator: the default one unless given.
        settings: of `run`.
    """
    if any(isinstance(size, Dim) for size in shape):
        return in_graph(run, shape, settings)
    key = draw_key(generator)
    if key._node is not None:
        flat = tracing.trace.zeros(shape)
        return call(run, flat.reshape(-1), key, **settings).reshape(shape)
    found = _eagerly(run, shape, key, settings)
    found._drawn = Drawn(run, shape, key, settings, generator in (None, default_generator))
    return found
