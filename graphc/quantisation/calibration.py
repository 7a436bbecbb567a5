"""The ranges of activations over calls that were seen: by extremes, percentiles or entropy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from graphc.errors import AttributeValueError

Method: TypeAlias = Literal["minmax", "percentile", "entropy"]
METHODS = ("minmax", "percentile", "entropy")
BINS, LEVELS = 2048, 128


class Range:
    """What was seen of one activation.

    Args:
        method: which magnitude stands for the range, see `limit`.
        percentile: for that method.
    """

    def __init__(self, method: str, percentile: float) -> None:
        if method not in METHODS:
            raise AttributeValueError(f"quantize: method {method!r}; one of {', '.join(METHODS)}")
        if not 0 < percentile <= 100:
            raise AttributeValueError(f"quantize: percentile {percentile}; it is in (0, 100]")
        self.method, self.percentile = method, percentile
        self.is_signed = False
        self.most = 0.0
        self.counts, self.width = np.zeros(BINS, np.int64), 0.0

    def see(self, x: np.ndarray) -> None:
        """Take in the values of one call; those that are not finite have no place in a range."""
        x = x[np.isfinite(x)]
        if not x.size:
            return
        self.is_signed = self.is_signed or bool(x.min() < 0)
        sizes = np.abs(x).ravel()
        self.most = max(self.most, float(sizes.max()))
        if self.method == "minmax" or self.most == 0:
            return
        while self.width * BINS < self.most:
            self._widen()
        self.counts += np.histogram(sizes, BINS, (0, self.width * BINS))[0]

    def _widen(self) -> None:
        """Twice the range in as many bins."""
        if self.width == 0:
            self.width = self.most / BINS * (1 + 1e-7)
            return
        pairs = self.counts.reshape(-1, 2).sum(1)
        self.counts = np.concatenate([pairs, np.zeros(BINS // 2, np.int64)])
        self.width *= 2

    def limit(self) -> float:
        """The magnitude that the greatest integer stands for."""
        if self.method == "minmax" or not self.counts.any():
            return self.most
        if self.method == "percentile":
            part = np.cumsum(self.counts) / self.counts.sum()
            place = int(np.searchsorted(part, self.percentile / 100 - 1e-12))
        else:
            place = least_divergent(self.counts)
        return min(self.most, (place + 1) * self.width)


def least_divergent(counts: np.ndarray) -> int:
    """The last bin of the range whose 128 levels tell least from the whole, by relative entropy."""
    best, place = np.inf, len(counts) - 1
    for last in range(LEVELS, len(counts) + 1, 16):
        seen = counts[:last].astype(np.float64)
        cut = seen.copy()
        cut[-1] += counts[last:].sum()
        if not seen.any():
            continue
        groups = np.arange(last) * LEVELS // last
        filled = np.bincount(groups, seen > 0, LEVELS)
        mean = np.bincount(groups, seen, LEVELS) / np.maximum(filled, 1)
        found = np.where(seen > 0, mean[groups], 0)
        there = cut > 0
        p, q = cut / cut.sum(), np.maximum(found / max(found.sum(), 1), 1e-9)
        divergence = float((p[there] * np.log(p[there] / q[there])).sum())
        if divergence < best:
            best, place = divergence, last - 1
    return place


def seen(run: Any, data: Iterable[Any], count: int, method: str, percentile: float) -> list[Range]:
    """The ranges of `count` values that `run(*arguments)` gives, over the calls of `data`."""
    ranges = [Range(method, percentile) for _ in range(count)]
    for arguments in data:
        given: Sequence[Any] = arguments if isinstance(arguments, tuple | list) else (arguments,)
        for each, value in zip(ranges, run(*given)):
            each.see(value)
    return ranges


__all__ = ["Method", "Range", "least_divergent", "seen"]
