"""A draw of random numbers, eagerly and in graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Dim
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.drawn import follow
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.registry import call
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.generator import Generator, draw_key
from graphc.errors import ArgumentError
from graphc.ops.declare import as_symbolic, is_tensor


def _eagerly(
    run: Callable[..., Any], shape: tuple[Any, ...], key: np.ndarray, settings: dict[str, Any]
) -> np.ndarray:
    flat = wrap(np.zeros(int(np.prod(shape, dtype=np.int64)), np.uint8))
    found: Tensor = call(run, flat, wrap(key), **settings)
    return found._array.reshape(shape)


def in_graph(
    run: Callable[..., Any],
    shape: tuple[Any, ...],
    generator: Generator | None,
    settings: dict[str, Any],
    key: Any = None,
) -> Any:
    """A draw that is part of a graph, other at each call of a program.

    Args:
        run: as for `draw`.
        shape: of the numbers.
        generator: the default one unless given.
        settings: of `run`.
        key: a symbolic key, instead of one from the generator.
    """
    flat = FUNCTIONS["zeros"]((dims.product(shape),), dtypes.uint8)
    key = draw_key(generator, of=flat) if key is None else key
    return FUNCTIONS["reshape"](run(flat, key, **settings), shape)


def draw(
    run: Callable[..., Any],
    shape: tuple[Any, ...],
    generator: Generator | None,
    key: Any = None,
    **settings: Any,
) -> Any:
    """Draw numbers: at once, or as part of a graph, where one is made or a size or the key is
    symbolic.

    Args:
        run: makes them of a tensor of zeros, flat, and a key.
        shape: theirs.
        generator: the default one unless given.
        key: of the draw, instead of one from the generator.
        settings: of `run`.
    """
    for size in shape:
        if isinstance(size, int) and size < 0:
            raise ArgumentError(
                f"{size} in {shape} is not a size",
                where=caller(),
                hint="sizes are ints of 0 or more",
            )
    if is_tensor(key) or any(isinstance(size, Dim) for size in shape):
        return in_graph(run, shape, generator, settings, as_symbolic(key))
    key = draw_key(generator) if key is None else key
    if key._node is not None:
        flat = tracing.trace.zeros(shape)
        return call(run, flat.reshape(-1), key, **settings).reshape(shape)
    found = wrap(_eagerly(run, shape, key._array, settings))
    follow(
        found,
        lambda node: in_graph(run, shape, generator, settings, node),
        lambda array: _eagerly(run, shape, array, settings),
        (key,),
    )
    return found
