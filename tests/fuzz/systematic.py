"""The enumerations by name: how many cases there are, and the recipe of each."""

from __future__ import annotations

from collections.abc import Callable

from . import losses, reductions, views
from .recipe import Recipe


def recipes(name: str, level: str = "O2") -> tuple[Callable[[int], Recipe], int]:
    """The recipe of a case by its number, and how many there are.

    Args:
        name: "losses", "reductions" or "views".
        level: at which the recipes are compiled.
    """
    if name == "losses":
        sums = losses.combinations()
        return lambda k: losses.loss(sums[k], level), len(sums)
    if name == "reductions":
        pairs = list(reductions.pairs())
        return lambda k: reductions.reduced(pairs[k], level), len(pairs)
    chains = list(views.chains())
    return lambda k: views.viewed(chains[k], level), len(chains)
