"""Random values for the inputs of a graph, for checks that run it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.ir import Graph, tensor_type
from graphc.core.types import TensorType
from graphc.ops.source import Bound

SPECIAL = (0.0, -0.0, 1.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan)


def sample_arrays(
    graph: Graph, sizes: Mapping[str, int], seed: int = 0, kind: str = "plain"
) -> list[np.ndarray]:
    """Random values for a graph's inputs: standard normal, small integers, coins; parameters and
    constants that carry an array keep it.

    Args:
        graph: whose inputs are drawn.
        sizes: of symbolic dimensions, by name.
        seed: of the generator.
        kind: "plain"; "special" for floats among `SPECIAL`, most of which come several times;
            "large" for numbers of all magnitudes, integers of both signs.
    """
    rng = np.random.default_rng(seed)
    return [
        node.state.array if isinstance(node, Bound) else _draw(rng, tensor_type(node), sizes, kind)
        for node in graph.inputs
    ]


def _draw(
    rng: np.random.Generator, type_: TensorType, sizes: Mapping[str, int], kind: str
) -> np.ndarray:
    shape = tuple(dims.evaluate(d, sizes) for d in type_.shape)
    if type_.dtype.is_float and kind == "special":
        return np.asarray(rng.choice(SPECIAL, shape)).astype(type_.dtype.numpy)
    if kind == "large" and type_.dtype.is_float:
        power = float(type_.dtype.finfo.maxexp) / 3
        found = rng.choice([-1.0, 1.0], shape) * np.exp2(rng.uniform(-power, power, shape))
        return np.asarray(found).astype(type_.dtype.numpy)
    if kind == "large" and type_.dtype.is_integer:
        info = np.iinfo(type_.dtype.numpy)
        return rng.integers(info.min, info.max, shape, type_.dtype.numpy, endpoint=True)
    if type_.dtype.is_float:
        return np.asarray(rng.standard_normal(shape)).astype(type_.dtype.numpy)
    return np.asarray(rng.integers(0, 2, shape)).astype(type_.dtype.numpy)


def admitted(symbol: Symbol, wanted: int) -> int:
    """A size that the facts of a symbol admit: the least from `wanted` on, or the largest.

    Args:
        symbol: of a dimension.
        wanted: about how large.

    Example:
        >>> admitted(Symbol("n", min=1, max=None, multiple_of=8), 3)
        8
    """
    step = symbol.multiple_of
    size = -(-max(symbol.min, wanted) // step) * step
    return min(size, symbol.max // step * step) if isinstance(symbol.max, int) else size
