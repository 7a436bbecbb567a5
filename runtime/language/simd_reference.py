"""Tiles of the kernel language, run as plain Python on NumPy arrays: see `numba_simd`.

A tile is an array of shape (rows, vectors * lanes). Products are rounded before they are added,
where compiled code may round once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.runtime.base.lanes import lanes

Tile = np.ndarray
_DTYPES = {"float32": "f32", "float64": "f64", "int32": "i32"}


def _width(dtype: Any, vectors: int) -> int:
    return vectors * lanes(_DTYPES[np.dtype(dtype).name])


def _index(offset: int, step: int, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = shape
    return offset + step * np.arange(rows)[:, None] + np.arange(columns)[None, :]


def _inside(shape: tuple[int, ...], first: int, last: int, columns: int) -> np.ndarray:
    rows = np.arange(shape[0])[:, None]
    return (rows >= first) & (rows < last) & (np.arange(shape[1])[None, :] < columns)


def _checked(index: np.ndarray, memory: Any, is_store: bool = False) -> np.ndarray:
    if index.size and (index.min() < 0 or index.max() >= memory.array.size):
        raise IndexError(f"a tile reaches outside a buffer of {memory.array.size}")
    memory.note(index, is_store)
    return index


def tile_dot(
    rows: int, vectors: int, depth: int, x: Any, at: int, x_row: int, x_step: int,
    y: Any, where: int, y_step: int,
) -> Tile:  # fmt: skip
    """The sum over p < depth of `x[at + r * x_row + p * x_step] * y[where + p * y_step + j]`."""
    width = _width(x.array.dtype, vectors)
    p = np.arange(depth)
    left = x.array[_checked(at + x_row * np.arange(rows)[:, None] + x_step * p[None, :], x)]
    right = y.array[_checked(where + y_step * p[:, None] + np.arange(width)[None, :], y)]
    acc = np.zeros((rows, width), x.array.dtype)
    with np.errstate(all="ignore"):
        for k in range(depth):
            acc += left[:, k, None] * right[k]
    return acc


def tile_dot_at(
    rows: int, vectors: int, parts: int, depth: int, x: Any, at: int, x_row: int,
    y: Any, starts: Any, table: Any,
) -> Tile:  # fmt: skip
    """As `tile_dot` with steps of 1 in x; piece i begins at `y[starts[i] + table[p]]`."""
    lane = np.arange(_width(x.array.dtype, 1) // parts)
    begins = starts.array[: vectors * parts, None] + lane[None, :]
    acc = np.zeros((rows, begins.size), x.array.dtype)
    with np.errstate(all="ignore"):
        for p in range(depth):
            left = x.array[_checked(at + p + x_row * np.arange(rows), x)]
            right = y.array[_checked(begins + table[p], y)].reshape(-1)
            acc += left[:, None] * right
    return acc


def tile_dot_rows(
    rows: int, vectors: int, depth: int, x: Any, starts: Any, first: int, table: Any,
    y: Any, y_step: int,
) -> Tile:  # fmt: skip
    """The sum over p < depth of `x[starts[first + r] + table[p]] * y[p * y_step + j]`."""
    begins = starts.array[first : first + rows]
    width = _width(x.array.dtype, vectors)
    acc = np.zeros((rows, width), x.array.dtype)
    with np.errstate(all="ignore"):
        for p in range(depth):
            left = x.array[_checked(begins + table[p], x)]
            right = y.array[_checked(p * y_step + np.arange(width), y)]
            acc += left[:, None] * right
    return acc


def tile_dot_bytes(
    rows: int, vectors: int, how: int, depth: int, x: Any, at: int, x_row: int, panel: Any,
    where: int, step: int,
) -> Tile:  # fmt: skip
    """The sum over p < depth of `x[at + r * x_row + p]` and the panel's byte of p and j."""
    width, p = vectors * lanes("i32"), np.arange(depth)
    left = x.array[_checked(at + x_row * np.arange(rows)[:, None] + p[None, :], x)]
    index = where + (p // 4 * step + p % 4)[:, None] + 4 * np.arange(width)[None, :]
    right = panel.array[_checked(index, panel)]
    right = right.view(np.int8 if left.dtype == np.uint8 else np.uint8)
    return (left.astype(np.int64) @ right.astype(np.int64)).astype(np.int32)


def tile_pack_bytes(
    vectors: int, flip: int, y: Any, at: int, y_step: int, rest: int, columns: int, packed: Any,
    where: int,
) -> None:  # fmt: skip
    """Four lines of y, `y_step` apart, as lanes of four bytes: byte b of lane j is `y[b, j]`."""
    width = vectors * lanes("i32")
    lines = np.zeros((4, width), np.uint8)
    inside = _inside(lines.shape, 0, rest, columns)
    lines[inside] = y.array[_checked(_index(at, y_step, lines.shape)[inside], y)].view(np.uint8)
    to = _checked(where + np.arange(4 * width), packed, True)
    packed.array[to] = (lines ^ (128 * flip)).T.reshape(-1).view(packed.array.dtype)


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
    memory.array[_checked(_index(offset, step, tile.shape), memory, True)] = tile


def tile_store_part(
    tile: Tile, memory: Any, offset: int, step: int, first: int, last: int, columns: int
) -> None:
    """As `tile_store`; what is outside the part isn't written."""
    inside = _inside(tile.shape, first, last, columns)
    index = _checked(_index(offset, step, tile.shape)[inside], memory, True)
    memory.array[index] = tile[inside]


def tile_store_at(
    tile: Tile, parts: int, memory: Any, offset: int, step: int, first: int, places: Any,
    widths: Any,
) -> None:  # fmt: skip
    """Store rows from `first` on; piece i has `widths[i]` elements and goes to `places[i]`."""
    size = _width(tile.dtype, 1) // parts
    for i in range(tile.shape[1] // size):
        piece = tile[:, i * size : (i + 1) * size]
        tile_store_part(piece, memory, offset + places[i], step, first, tile.shape[0], widths[i])


def tile_update(
    tile: Tile, memory: object, offset: int, step: int, first: int, columns: int, initial: bool
) -> None:
    """Store the rows from `first` on where `initial` holds, else add them to what is there."""
    part = (first, tile.shape[0], columns)
    if not initial:
        vectors = tile.shape[1] // _width(tile.dtype, 1)
        before = tile_load_part(tile.shape[0], vectors, memory, offset, step, *part)
        with np.errstate(all="ignore"):
            tile = before + tile
    tile_store_part(tile, memory, offset, step, *part)


def tile_transpose(tile: Tile) -> Tile:
    """The transpose of a square tile."""
    return tile.T.copy()


def either(condition: bool, x: object, y: object) -> Any:
    """Buffer `x` where `condition` holds, else `y`."""
    return x if condition else y


NAMES: dict[str, Any] = {
    "tile_dot": tile_dot,
    "tile_dot_at": tile_dot_at,
    "tile_dot_rows": tile_dot_rows,
    "tile_load": tile_load,
    "tile_load_part": tile_load_part,
    "tile_store": tile_store,
    "tile_store_part": tile_store_part,
    "tile_update": tile_update,
    "tile_store_at": tile_store_at,
    "tile_transpose": tile_transpose,
    "either": either,
    "tile_dot_bytes": tile_dot_bytes,
    "tile_pack_bytes": tile_pack_bytes,
}
