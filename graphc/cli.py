"""The command line: `python -m graphc cache info`, `cache clear`, `contrast FILE.py:function`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.contrasting import contrast
from graphc.contrasting.measure import POLICIES, TRACED
from graphc.errors import ArgumentError, GraphcError
from graphc.program import report
from graphc.runtime.objects import cache
from graphc.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: as on the command line; `sys.argv` unless given.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="graphc", description="A static-graph compiler.")
    parser.add_argument("--version", action="version", version=f"graphc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("cache", help="look after the cache of compiled kernels")
    command.add_argument("action", choices=("info", "clear"))
    _contrast_arguments(commands)
    options = parser.parse_args(arguments)
    if options.command == "contrast":
        return _contrast(options)
    print(_cache_info() if options.action == "info" else _cache_clear())
    return 0


def _contrast_arguments(commands: Any) -> None:
    command = commands.add_parser(
        "contrast", help="run a function eagerly, traced and compiled, and report what each costs"
    )
    command.add_argument(
        "target",
        metavar="FILE.py:function",
        help="the function is run with what make_function() in the file returns: (function, "
        "arguments ...); without that it is called with no arguments",
    )
    command.add_argument("--out", default="out", help="folder for the report (default: out)")
    command.add_argument("--steps", type=int, default=3, help="calls whose numbers are compared")
    command.add_argument("--rounds", type=int, default=15, help="turns that are timed")
    command.add_argument("--on-branch", choices=POLICIES, help="as in gc.jit.compile")
    command.add_argument("--traced", choices=TRACED, default="reference",
                         help="how the graph as written runs")  # fmt: skip
    command.add_argument("--cold", action="store_true", help="compile all kernels anew")


def _contrast(options: argparse.Namespace) -> int:
    try:
        name, function, args = _target(options.target)
        found = contrast(
            function, *args, name=name, steps=options.steps, rounds=options.rounds,
            on_branch=options.on_branch, traced=options.traced, cold=options.cold,
        )  # fmt: skip
    except GraphcError as error:
        print(error, file=sys.stderr)
        return 2
    print(found.markdown)
    for path in found.save(options.out):
        print(f"written: {path}")
    return 1 if found.differs else 0


def _target(text: str) -> tuple[str, Any, tuple[Any, ...]]:
    """The name, function and arguments that FILE.py:function stands for.

    Raises:
        ArgumentError: there is no such file or function, or its arguments are not known.
    """
    file, _, name = text.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise ArgumentError(f"contrast: there is no file {file!r}", hint="FILE.py:function")
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"contrast: {file!r} is no Python file", hint="FILE.py:function")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    maker = getattr(module, name if name.startswith("make_") else f"make_{name}", None)
    if maker is not None:
        made = maker()
        if not isinstance(made, tuple) or not made or not callable(made[0]):
            raise ArgumentError(
                f"contrast: {maker.__name__} in {path.name} returned {type(made).__name__}",
                hint="return a tuple: the function, then its arguments",
            )
        return name.removeprefix("make_"), made[0], made[1:]
    function = getattr(module, name, None)
    if not callable(function):
        public = [n for n in vars(module) if n.startswith("make_")]
        raise ArgumentError(
            f"contrast: {path.name} has neither make_{name} nor a function {name}",
            [f"it has {', '.join(public)}"] if public else [],
            hint=f"write make_{name}(), which returns the function and its arguments",
        )
    return name, function, ()


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
