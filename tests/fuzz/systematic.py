"""The enumerations by name: how many cases there are, and the recipe of each."""

from __future__ import annotations

from collections.abc import Callable

from . import elements, losses, pairs, reductions, views
from .recipe import Recipe


def recipes(name: str, level: str = "O2") -> tuple[Callable[[int], Recipe], int]:
    """The recipe of a case by its number, and how many there are.

    Args:
        name: "elements", "losses", "pairs", "reductions" or "views".
        level: at which the recipes are compiled.
    """
    if name == "losses":
        sums = losses.combinations()
        return lambda k: losses.loss(sums[k], level), len(sums)
    if name == "reductions":
        reduced = list(reductions.pairs())
        return lambda k: reductions.reduced(reduced[k], level), len(reduced)
    if name == "elements":
        every = list(elements.elements())
        return lambda k: elements.element(every[k], level), len(every)
    if name == "pairs":
        cases = list(pairs.pairs())
        return lambda k: pairs.paired(cases[k], level), len(cases)
    chains = list(views.chains())
    return lambda k: views.viewed(chains[k], level), len(chains)
