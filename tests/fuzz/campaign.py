"""Many recipes in child processes: a crash or a hang is a finding as well.

Seeds go to a forked child, which makes each recipe and checks it; a finding is reduced by the same
check, a child for each trial where the process itself died.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from forked import each_forked

from .compare import Finding, check
from .generate import generate
from .recipe import Recipe, source
from .reduce import reduce

TIMEOUT_S = 120.0


@dataclass
class Report:
    """What a campaign saw: `found` has the first finding of each kind, as a test, with its seed;
    `unproved` counts what the verifier of lowered programs could neither prove nor run.
    """

    graphs: int = 0
    elapsed_s: float = 0.0
    found: dict[str, tuple[int, Recipe, Finding]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    unproved: dict[str, int] = field(default_factory=dict)

    def texts(self) -> Iterator[str]:
        """Each finding with its test."""
        for kind, (seed, recipe, finding) in self.found.items():
            title = f"{kind} (seed {seed}, {self.counts[kind]} of {self.graphs} graphs)"
            yield f"# {title}\n{_commented(finding.text)}\n{test_of(recipe, kind)}"


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.strip().splitlines()[-8:])


def test_of(recipe: Recipe, kind: str) -> str:
    """A recipe as a test, or as its lines where NumPy cannot say what it means."""
    try:
        return source(recipe, kind)
    except Exception:
        return repr(recipe)


def until(seconds: float, first: int) -> Iterator[int]:
    """Seeds from `first` on for so long."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, itertools.count(first))


def run(
    seeds: Iterable[int],
    compiled: bool,
    make: Callable[[int], Recipe] = generate,
    tell: Callable[[str], None] = lambda text: None,
    shrink: bool = True,
) -> Report:
    """Check the recipes of seeds.

    Args:
        seeds: read as they are run.
        compiled: compile kernels, or simulate them.
        make: the recipe of a seed.
        tell: takes a line about each new kind of finding.
        shrink: reduce the first finding of each kind.
    """
    report, start = Report(), time.monotonic()

    def checked(seed: int) -> tuple[Finding | None, list[str]]:
        left: list[str] = []
        return check(make(seed), compiled, left=left), left

    outcomes = each_forked(
        seeds, checked, timeout_s=TIMEOUT_S, describe=lambda seed: f"seed {seed}"
    )  # fmt: skip
    for seed, outcome in outcomes:
        report.graphs += 1
        if report.graphs % 1000 == 0:
            tell(f"{report.graphs} graphs, {time.monotonic() - start:.0f} s")
        finding, left = outcome.value or (None, [])
        for line in left:
            report.unproved[line] = report.unproved.get(line, 0) + 1
        if outcome.error is not None:
            finding = Finding(outcome.error.splitlines()[0][:80], outcome.report())
        if finding is None:
            continue
        kind = finding.kind
        report.counts[kind] = report.counts.get(kind, 0) + 1
        if kind not in report.found:
            recipe = make(seed)
            if shrink:
                recipe = reduce(recipe, same(kind, compiled, outcome.crashed))
            report.found[kind] = (seed, recipe, finding)
            tell(f"seed {seed}: {kind}")
    report.elapsed_s = time.monotonic() - start
    return report


def same(kind: str, compiled: bool, crashed: bool) -> Callable[[Recipe], bool]:
    """Whether a recipe fails as another did."""

    def fails(recipe: Recipe) -> bool:
        if crashed:
            [(_, outcome)] = each_forked(
                [0], lambda _: check(recipe, compiled), timeout_s=TIMEOUT_S
            )
            return outcome.error is not None and outcome.error.splitlines()[0][:80] == kind
        try:
            finding = check(recipe, compiled)
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0][:80] == kind
        return finding is not None and finding.kind == kind

    return fails
