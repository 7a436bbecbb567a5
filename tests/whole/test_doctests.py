"""Everything public has an example in its docstring, which runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from typing import Any

import public
import pytest

import graphc as gc

PACKAGES = ("autograd", "data", "eager", "jit", "nn", "optim")
# What a docstring says that leaves the example to the function it names.
SEE = re.compile(r"See `graphc\.(\w+)`")


def _modules() -> list[str]:
    found = [
        "graphc.cuda", "graphc.storage", "graphc.networks", "graphc.core.walk",
        "graphc.ops.flow.branching", "graphc.ops.flow.loops",
    ]  # fmt: skip
    for package in PACKAGES:
        root = importlib.import_module(f"graphc.{package}")
        names = [m.name for m in pkgutil.walk_packages(root.__path__, f"graphc.{package}.")]
        found += [f"graphc.{package}", *names]
    return found


def _cases() -> list[doctest.DocTest]:
    """What is public, by the names that users have for it; then what else the modules explain."""
    parser, finder = doctest.DocTestParser(), doctest.DocTestFinder(exclude_empty=True)
    found: dict[str, doctest.DocTest] = {}
    for module in public.MODULES:
        for name, thing in public.things(module):
            text = inspect.getdoc(thing) or ""
            found.setdefault(text, parser.get_doctest(text, {}, name, None, None))
    for name in _modules():
        for case in finder.find(importlib.import_module(name), name, globs={}):
            found.setdefault(inspect.cleandoc(case.docstring or ""), case)
    return [case for case in found.values() if case.examples]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    gc.manual_seed(0)
    with gc.printoptions(profile="default"):
        yield


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name.removeprefix("graphc."))
def test_examples_print_what_they_say(case: Any) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    lines: list[str] = []
    runner.run(case, out=lines.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(lines)


def _explained(thing: Any) -> bool:
    text = thing.__doc__ or ""
    seen = SEE.match(text)
    return ">>>" in (getattr(gc, seen[1]).__doc__ if seen else text)


@pytest.mark.parametrize("module", public.MODULES)
def test_everything_public_has_an_example(module: str) -> None:
    assert [name for name, thing in public.things(module) if not _explained(thing)] == []


def test_the_enumeration_sees_functions_classes_and_methods() -> None:
    names = {name for module in public.MODULES for name, _ in public.things(module)}
    assert {
        "graphc.exp", "graphc.Tensor.exp_", "graphc.Tensor.T", "graphc.Program.explain",
        "graphc.nn.Linear", "graphc.nn.Module.state_dict", "graphc.optim.Optimizer.step",
        "graphc.core.operators.Operators.reshape", "graphc.errors.ShapeError",
    } <= names  # fmt: skip
