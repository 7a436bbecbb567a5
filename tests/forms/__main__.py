"""The sweep as a command; see the package."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from typing import Any

import numpy as np

import graphc as gc

from . import programs, recorded
from .compare import compiled, difference, evaluate
from .forms import all_forms
from .layers import all_layers, sweep_layers


def sweep(torch: Any, texts: list[str], both: bool) -> dict[str, list[tuple[str, str]]]:
    """The forms by outcome: right, silent, refused by graphc alone, taken by graphc alone."""
    found: dict[str, list[tuple[str, str]]] = {
        k: [] for k in ("right", "silent", "refused", "taken")
    }
    for text in texts:
        want = evaluate(torch, text)
        ours = [("eager", evaluate(gc, text))]
        if both:
            ours.append(("compiled", compiled(gc, text)))
        for how, got in ours:
            if want.values is None and got.values is None:
                continue
            if want.values is None:
                found["taken"].append((f"{how} {text}", want.error))
            elif got.values is None:
                found["refused"].append((f"{how} {text}", got.error))
            else:
                why = difference(want.values, got.values)
                found["silent" if why else "right"].append((f"{how} {text}", why))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.forms", description=__doc__)
    parser.add_argument("--compiled", action="store_true", help="through gc.jit.compile as well")
    parser.add_argument("--only", default="", help="forms that hold this text")
    parser.add_argument("--sample", type=int, default=0, help="this many forms, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", default="silent", help="outcomes to print, by commas")
    parser.add_argument("--record", action="store_true", help="write expected.json")
    parser.add_argument("--programs", type=int, default=0, help="random programs instead")
    parser.add_argument("--layers", action="store_true", help="layers instead of functions")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    import torch

    if args.programs:
        return programs.run(torch, args.programs, args.seed, args.compiled)
    forms: list[Any] = list(all_layers()) if args.layers else all_forms(torch, gc)
    forms = [f for f in forms if args.only in (f[0] if args.layers else f)]
    if args.record:
        return recorded.record(torch, forms)
    if args.sample:
        chosen = np.random.default_rng(args.seed).permutation(len(forms))[: args.sample]
        forms = [forms[k] for k in chosen]
    start = time.perf_counter()
    found = (sweep_layers if args.layers else sweep)(torch, forms, args.compiled)
    for kind in args.show.split(","):
        for text, why in found[kind]:
            print(kind.upper(), text, "|", why)
    counts = ", ".join(f"{len(v)} {k}" for k, v in found.items())
    print(f"{len(forms)} forms: {counts}; {time.perf_counter() - start:.0f} s")
    return 1 if found["silent"] else 0


if __name__ == "__main__":
    sys.exit(main())
