"""Operands for elementwise functions: every float16, every exponent, branch points, edges."""

from __future__ import annotations

import numpy as np

# Where functions bend, change formula, overflow or vanish, and multiples of pi.
BENDS = (0.0, 1e-4, 0.1, 0.25, 0.375, 0.5, 0.6931, 1.0, 1.5, 2.0, 3.0, 5.5, 9.0, 10.0, 16.0, 20.0,
         38.0, 88.72, 89.0, 103.97, 127.5, 355.0, 709.78, 745.13, 1024.0, 1e5, 2.0**24, 2.0**30,
         2.0**31, 2.0**53, 2.0**63, *(k * np.pi / 4 for k in range(1, 9)), 100 * np.pi,
         11 * np.pi / 2)  # fmt: skip


def unary(dtype: str, few: bool) -> np.ndarray:
    """Operands of a function of one.

    Args:
        dtype: "float16" (all of them), "float32" or "float64".
        few: a sample for every test run.
    """
    if dtype == "float16":
        every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
        return every[::5] if few else every
    random = np.random.default_rng(11)
    found = [_edges(dtype), _exponents(dtype, random, 2 if few else 16)]
    found += [_near(b, dtype, random, 4 if few else 64) for b in BENDS]
    count = 500 if few else 20_000
    found += [random.uniform(-high, high, count).astype(dtype) for high in (0.7, 5, 100)]
    return np.concatenate(found)


def binary(dtype: str, few: bool) -> tuple[np.ndarray, np.ndarray]:
    """Operands of a function of two: all pairs of edges, like and unlike sizes."""
    random = np.random.default_rng(12)
    edges = _edges(dtype)[:: 4 if few else 1]
    grid = np.meshgrid(edges, edges)
    count = 1000 if few else 30_000
    size = np.exp(random.normal(size=(2, count)) * (2 if dtype == "float16" else 6))
    same = random.normal(size=(2, count))
    pair = np.concatenate([random.normal(size=(2, count)) * size, same, np.abs(same) * 3], axis=1)
    pair = pair.astype(dtype)
    return (np.concatenate([grid[0].ravel(), pair[0]]), np.concatenate([grid[1].ravel(), pair[1]]))


def _edges(dtype: str) -> np.ndarray:
    info = np.finfo(dtype)
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0, float(info.max), float(info.tiny), np.inf,
              float(info.smallest_subnormal), float(info.tiny) / 3, 1e-3, 7.5]  # fmt: skip
    return np.array([*values, *(-v for v in values), np.nan], dtype)


def _exponents(dtype: str, random: np.random.Generator, each: int) -> np.ndarray:
    """Some numbers of every exponent, denormal ones as well, of either sign."""
    info = np.finfo(dtype)
    lowest = int(info.minexp) - int(info.nmant)
    step = 1 if dtype == "float32" else 4
    powers = np.ldexp(np.ones((), dtype), np.arange(lowest, int(info.maxexp), step))
    parts = random.uniform(1, 2, (each, len(powers))) * random.choice([-1, 1], (each, 1))
    return (powers.astype(dtype) * parts.astype(dtype)).ravel()


def _near(place: float, dtype: str, random: np.random.Generator, count: int) -> np.ndarray:
    """Neighbours of a place and its negative, and numbers about it."""
    at = np.array([place, -place], dtype)
    around = [np.nextafter(at, np.array(way, dtype)) for way in (-np.inf, np.inf)]
    about = place + random.normal(size=count) * 1e-3 * max(place, 1e-3)
    return np.concatenate([at, *around, about.astype(dtype), -about.astype(dtype)])
