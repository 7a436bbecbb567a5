"""Which kernels a change of the compiler changes: those of every op case, here and at a revision.

    python -m tests.replay main            # names of the cases whose kernels differ
    python -m tests.replay HEAD~3 -v       # and the differences

Nothing is compiled: graphs are optimized and lowered, and the kernels' sources compared.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = Path(__file__).with_name("sources.py")
HELPERS = ("tests/helpers", "tests")
Sources = dict[str, list[str]]


def main() -> int:
    """Compare; the exit status is 1 where kernels differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("revision", help="what git calls the other state")
    parser.add_argument("-v", action="store_true", help="print the differences too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        command = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(checkout)]
        subprocess.run([*command, options.revision], check=True, capture_output=True)
        try:
            before = sources_of(checkout, Path(folder) / "before")
        finally:
            removal = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(checkout)]
            subprocess.run(removal, check=True, capture_output=True)
        after = sources_of(ROOT, Path(folder) / "after")
    return report(before, after, options.v)


def sources_of(checkout: Path, place: Path) -> Sources:
    """The kernels of every case, made by the graphc of a checkout in a process of its own.

    Args:
        checkout: the root of the checkout.
        place: a folder to make, where `graphc` is laid out as it installs.
    """
    package = place / "graphc"
    package.mkdir(parents=True)
    for entry in (checkout / "graphc").iterdir():
        (package / entry.name).symlink_to(entry)
    for name in ("passes", "runtime"):
        (package / name).symlink_to(checkout / name)
    path = [str(place), *(str(checkout / folder) for folder in HELPERS)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, str(SCRIPT)]
    found = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(found.stdout)


def report(before: Sources, after: Sources, verbose: bool) -> int:
    """Print what differs; 1 if anything does."""
    changed = [case for case in before if case in after and before[case] != after[case]]
    for case in changed:
        print(case)
        if verbose:
            old, new = ("\n".join(sources[case]).splitlines() for sources in (before, after))
            print("\n".join(difflib.unified_diff(old, new, "before", "after", lineterm="")))
    gone, added = len(before.keys() - after.keys()), len(after.keys() - before.keys())
    print(f"{len(changed)} of {len(after)} cases differ; {added} are new, {gone} are gone")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
