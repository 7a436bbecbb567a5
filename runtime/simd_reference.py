"""Tiles of the kernel language, run as plain Python on NumPy arrays: see `numba_simd`.

A tile is an array of shape (rows, vectors * lanes). Products are rounded before they are added,
where compiled code may round once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.runtime.lanes import lanes

Tile = np.ndarray
_DTYPES = {"float32": "f32", "float64": "f64"}


def _width(dtype: Any, vectors: int) -> int:
    return vectors * lanes(_DTYPES[np.dtype(dtype).name])


def _index(offset: int, step: int, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = shape
    return offset + step * np.arange(rows)[:, None] + np.arange(columns)[None, :]


def _inside(shape: tuple[int, ...], first: int, last: int, columns: int) -> np.ndarray:
    rows = np.arange(shape[0])[:, None]
    return (rows >= first) & (rows < last) & (np.arange(shape[1])[None, :] < columns)


def _checked(index: np.ndarray, memory: Any) -> np.ndarray:
    if index.size and (index.min() < 0 or index.max() >= memory.array.size):
        raise IndexError(f"a tile reaches outside a buffer of {memory.array.size}")
    return index


def tile_zeros(rows: int, vectors: int, dtype: Any) -> Tile:
    """A tile of zeros of the dtype that `f32` or `f64` names."""
    return np.zeros((rows, _width(dtype.__name__, vectors)), dtype.__name__)


def tile_fma(acc: Tile, x: Any, at: int, step: int, y: Any, where: int) -> Tile:
    """`acc[r, j] + x[at + r * step] * y[where + j]`."""
    left = x.array[_checked(at + step * np.arange(acc.shape[0]), x)]
    right = y.array[_checked(where + np.arange(acc.shape[1]), y)]
    with np.errstate(all="ignore"):
        return acc + left[:, None] * right[None, :]


def tile_load(rows: int, vectors: int, memory: Any, offset: int, step: int) -> Tile:
    """The tile at `offset` whose rows are `step` apart."""
    shape = (rows, _width(memory.array.dtype, vectors))
    return memory.array[_checked(_index(offset, step, shape), memory)]


def tile_load_part(
    rows: int, vectors: int, memory: Any, offset: int, step: int,
    first: int, last: int, columns: int,
) -> Tile:  # fmt: skip
    """As `tile_load`; what is outside the part is 0 and isn't read."""
    tile = np.zeros((rows, _width(memory.array.dtype, vectors)), memory.array.dtype)
    inside = _inside(tile.shape, first, last, columns)
    index = _checked(_index(offset, step, tile.shape)[inside], memory)
    tile[inside] = memory.array[index]
    return tile


def tile_store(tile: Tile, memory: Any, offset: int, step: int) -> None:
    """Store a tile at `offset`, its rows `step` apart."""
    memory.array[_checked(_index(offset, step, tile.shape), memory)] = tile


def tile_store_part(
    tile: Tile, memory: Any, offset: int, step: int, first: int, last: int, columns: int
) -> None:
    """As `tile_store`; what is outside the part isn't written."""
    inside = _inside(tile.shape, first, last, columns)
    memory.array[_checked(_index(offset, step, tile.shape)[inside], memory)] = tile[inside]


def tile_add(x: Tile, y: Tile) -> Tile:
    """The elementwise sum of two tiles of one shape."""
    with np.errstate(all="ignore"):
        return x + y


def tile_transpose(tile: Tile) -> Tile:
    """The transpose of a square tile."""
    return tile.T.copy()


def either(condition: bool, x: Any, y: Any) -> Any:
    """Buffer `x` where `condition` holds, else `y`."""
    return x if condition else y


NAMES: dict[str, Any] = {
    "tile_zeros": tile_zeros,
    "tile_fma": tile_fma,
    "tile_load": tile_load,
    "tile_load_part": tile_load_part,
    "tile_store": tile_store,
    "tile_store_part": tile_store_part,
    "tile_add": tile_add,
    "tile_transpose": tile_transpose,
    "either": either,
}
