"""The command line: `graphc show FILE`, `explain`, `profile`, `doctor` ...; `graphc --help`.

Exit status: 0 where all is well; 1 where something differs or is damaged; 2 for an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.commands import COMMANDS
from graphc.contrasting import contrast
from graphc.contrasting.measure import POLICIES, TRACED
from graphc.errors import ArgumentError, GraphcError
from graphc.version import __version__

EXAMPLES = """examples:
  graphc doctor
  graphc show model.gcz -o model.html
  graphc run model.gcz --input x=x.npy -o y.npz
  graphc explain model.gcz --json
  graphc profile model.gcz --input x=x.npy --trace trace.json --report report.html
  graphc diff before.gcz after.gcz
  graphc cache verify

exit status: 0 all is well; 1 something differs or is damaged; 2 an error"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: as on the command line; `sys.argv` unless given.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.command == "contrast":
            return _contrast(options)
        action = f" {options.action}" if options.command == "cache" else ""
        done = COMMANDS[options.command + action](options)
    except (GraphcError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(done.data, indent=1) if options.json else done.shown)
    return done.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc", description="A static-graph compiler.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"graphc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    command = _command(commands, "cache", "look after the cache of compiled kernels", file=False)
    command.add_argument("action", choices=("info", "clear", "verify"))
    _contrast_arguments(commands)
    command = _command(commands, "show", "a graph as text, picture or page; FILE may be text too")
    command.add_argument("-o", "--out", type=Path, help="a .html, .svg, .png, .dot, .json ... file")
    command = _command(commands, "run", "call an archive once", inputs=True)
    command.add_argument("-o", "--out", type=Path, help="a .npz file for the results")
    _command(commands, "explain", "what became one kernel, what did not and why")
    command = _command(commands, "profile", "the time of each kernel", inputs=True, draws=True)
    command.add_argument("--repeat", type=int, default=10, help="runs, of which the fastest counts")
    command.add_argument("--trace", type=Path, help="a .json file for chrome://tracing")
    command.add_argument("--report", type=Path, help="a .html file: passes, kernels, memory, time")
    command = _command(commands, "diff", "two archives beside each other; status 1 if they differ")
    command.add_argument("other", metavar="OTHER")
    command.add_argument("-o", "--out", type=Path, help="a .html file")
    command = _command(commands, "bench", "the time of calls", inputs=True, draws=True)
    command.add_argument("--repeat", type=int, default=100, help="calls that are timed")
    _command(commands, "doctor", "whether all that graphc needs is here and works", file=False)
    command = _command(commands, "demo", "a small program, explained and as a page", file=False)
    command.add_argument("-o", "--out", type=Path, default=Path("demo.html"))
    return parser


def _command(
    commands: Any, name: str, words: str, file: bool = True, inputs: bool = False,
    draws: bool = False,
) -> Any:  # fmt: skip
    command = commands.add_parser(name, help=words, description=words)
    command.add_argument("--json", action="store_true", help="figures for programs")
    command.set_defaults(draws=draws)
    if file:
        command.add_argument("file", metavar="FILE", help="what gc.jit.save or Program.save wrote")
    if inputs:
        more = "; others are drawn at random" if draws else ""
        command.add_argument(
            "--input", action="append", metavar="NAME=FILE.npy", help=f"an input{more}"
        )
    return command


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
