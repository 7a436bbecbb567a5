"""The examples in the docstrings of the public API are run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import graphc as gc

# Examples that show a form (symbolic names that stand for any) rather than a session.
PACKAGES = ("autograd", "data", "eager", "jit", "nn", "optim")


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


def _cases() -> list[Any]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for name in _modules():
        module = importlib.import_module(name)
        for case in finder.find(module, name, globs={}):
            if case.examples:
                found[case.name] = case
    return list(found.values())


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
    case.globs = {"np": np}
    runner.run(case, out=lines.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(lines)


def test_every_public_function_of_the_eager_face_is_documented() -> None:
    for name in gc.__all__:
        thing = getattr(gc, name)
        if callable(thing):
            assert thing.__doc__ and thing.__doc__.strip(), name
