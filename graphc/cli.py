"""The command line: `python -m graphc cache info`, `cache clear`, `--version`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import metadata

from graphc import report
from graphc.runtime import cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: as on the command line; `sys.argv` unless given.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="graphc", description="A static-graph compiler.")
    parser.add_argument(
        "--version", action="version", version=f"graphc {metadata.version('graphc')}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("cache", help="look after the cache of compiled kernels")
    command.add_argument("action", choices=("info", "clear"))
    options = parser.parse_args(arguments)
    print(_cache_info() if options.action == "info" else _cache_clear())
    return 0


def _cache_info() -> str:
    found = cache.info()
    state = "in use" if found.usable else f"not used: {found.reason}"
    return "\n".join(
        [
            f"folder:  {found.folder} ({state})",
            f"kernels: {found.entries}",
            f"bytes:   {report.nbytes_text(found.nbytes)} of {report.nbytes_text(found.cap)}",
        ]
    )


def _cache_clear() -> str:
    count = cache.clear()
    return f"removed {count} {'kernel' if count == 1 else 'kernels'}"
