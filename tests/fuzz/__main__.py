"""python -m tests.fuzz --minutes N [--seed S] [--verify-only] [--small]
python -m tests.fuzz --enumerate elements|losses|pairs|reductions|views [--verify-only] [--every K]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from contextlib import nullcontext

ENUMERATIONS = ("elements", "losses", "pairs", "reductions", "views")


def main() -> int:
    """Run a campaign and print its findings as tests; 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--graphs", type=int, default=0, help="stop after so many graphs")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; the rest follow")
    parser.add_argument(
        "--verify-only",
        action="store_true",
        help="compile nothing: verify and simulate the kernels",
    )
    parser.add_argument(
        "--enumerate", choices=ENUMERATIONS, help="all cases instead of random ones"
    )
    parser.add_argument("--every", type=int, default=1, help="only each K-th case")
    parser.add_argument(
        "--small", action="store_true", help="blocks, tiles and slices of a few elements"
    )
    parser.add_argument("--level", default="O2", help="of enumerated cases")
    parser.add_argument("--cache", help="the folder of compiled kernels, kept; else a fresh one")
    chosen = parser.parse_args()
    os.environ["GRAPHC_CHECK"] = os.environ.get("GRAPHC_CHECK", "1")
    with tempfile.TemporaryDirectory(prefix="graphc-fuzz-") as folder:
        os.environ["GRAPHC_CACHE_DIR"] = chosen.cache or folder
        return _run(chosen)


def _run(chosen: argparse.Namespace) -> int:
    from .campaign import run, until
    from .generate import generate
    from .systematic import recipes
    from .thresholds import small

    warnings.simplefilter("ignore")
    if chosen.enumerate:
        make, count = recipes(chosen.enumerate, chosen.level)
        seeds = range(chosen.seed, count, chosen.every)
    else:
        make = generate
        seeds = range(chosen.seed, chosen.seed + chosen.graphs) if chosen.graphs else (  # type: ignore[assignment]
            until(chosen.minutes * 60, chosen.seed))  # fmt: skip
    tell = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    with small() if chosen.small else nullcontext():
        report = run(seeds, not chosen.verify_only, make, tell)
    for text in report.texts():
        print(text)
    rate = 60 * report.graphs / max(report.elapsed_s, 1e-9)
    print(
        f"{report.graphs} graphs from seed {chosen.seed} on, {rate:.0f} a minute, "
        f"{sum(report.counts.values())} differ in {len(report.found)} ways: {report.counts}"
    )
    print(f"nodes neither proven nor run: {report.unproved}")
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
