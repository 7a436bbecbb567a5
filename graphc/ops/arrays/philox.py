"""Philox 4x32-10, the counter-based random generator, on NumPy arrays.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import numpy as np

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
ROUNDS = 10


def philox_block(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    """The four words of each block.

    Args:
        counter: (n, 4) uint32.
        key: (2,) or (n, 2) uint32.

    Returns:
        (n, 4) uint32.
    """
    c0, c1, c2, c3 = (counter[:, k].astype(np.uint64) for k in range(4))
    key = np.atleast_2d(key).astype(np.uint64)
    k0, k1 = key[:, 0], key[:, 1]
    for turn in range(ROUNDS):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        step0, step1 = (np.uint64(turn * w & 0xFFFFFFFF) for w in _WEYL)
        c0, c2 = (
            (second >> _HALF) ^ c1 ^ ((k0 + step0) & _LOW),
            (first >> _HALF) ^ c3 ^ ((k1 + step1) & _LOW),
        )
        c1, c3 = second & _LOW, first & _LOW
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def philox_words(key: np.uint64, counters: np.ndarray) -> np.ndarray:
    """The four words of the blocks that 64-bit counters number, under a 64-bit key.

    Args:
        key: its low half is the first key word.
        counters: (n,) uint64; the low half is the first counter word, the last two are 0.

    Returns:
        (n, 4) uint32.
    """
    halves = np.zeros((len(counters), 4), np.uint32)
    halves[:, 0] = counters & _LOW
    halves[:, 1] = counters >> _HALF
    number = int(key)
    return philox_block(halves, np.array([number & 0xFFFFFFFF, number >> 32], np.uint32))
