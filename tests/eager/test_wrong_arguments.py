"""Every public function with arguments of wrong kinds beside symbolic ones: errors are graphc's."""

from __future__ import annotations

import itertools
import re
import warnings
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import functions
from graphc.errors import ArgumentError, GraphcError

X = gc.input("x", (3, 4))
NODES = {"node": X, "int": gc.input("i", (3,), gc.int64), "nodes": [X, X]}
OTHERS: dict[str, Any] = {
    "symbolic": gc.input("y", (gc.dim("n"), 4)), "bool": gc.input("b", (3, 4), gc.bool_),
    "number": gc.input("s", ()), "None": None, "str": "a", "object": object(), "list": [],
    "dict": {}, "float": 1.5, "far": -9, "tuple": (0, 1), "texts": np.array(["a"]),
    "dim": gc.dim("n"), "eager": gc.ones(3, 4), "function": lambda *args: None,
    "dtype": gc.float32, "True": True, "complex": 1j,
}  # fmt: skip
THIRD = ("None", "str", "object", "float", "far", "node", "eager")
NAMES = [n for n in dir(functions) if hasattr(gc, n) and n.islower() and n[0] != "_"]
# What Python itself says of a call, and what graphc's code would say of itself.
OF_CALLS = re.compile(r"positional argument|required|unexpected keyword|multiple values")
INNER = re.compile(r"\b(_array|_node|_edge|_tensor|__index__|is_eager)\b|object has no attribute")


def _fault(name: str, args: list[Any]) -> str:
    """What is wrong with the error of a call, if it is one."""
    try:
        getattr(gc, name)(*args)
    except GraphcError as error:
        text = str(error)
        return text if INNER.search(text) or len(text.splitlines()) > 12 else ""
    except Exception as error:
        said = isinstance(error, TypeError) and OF_CALLS.search(str(error))
        return "" if said else f"{type(error).__name__}: {error}"
    return ""


def test_errors_of_wrong_arguments_are_of_the_arguments() -> None:
    every = {**NODES, **OTHERS}
    forms = [(a,) for a in NODES] + [(a, b) for a, b in itertools.product(NODES, every)]
    forms += [(b, a) for a, b in itertools.product(NODES, OTHERS)]
    rng = np.random.default_rng(0)
    wrong = []
    for name in sorted({*NAMES} - {"seed", "manual_seed", "print"}):
        more = [("node", b, c) for b, c in itertools.product(every, THIRD)]
        some = [more[k] for k in rng.permutation(len(more))[:20]]
        for form in [*forms, *some]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if fault := _fault(name, [every[key] for key in form]):
                    wrong.append(f"{name}{form}: {fault[:200]}")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:40])


def test_what_a_users_function_raises_is_the_users() -> None:
    def wrong(carry: Any, x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gc.scan(wrong, 0.0, X)
    with pytest.raises(ArgumentError) as raised:
        gc.clamp_min(object(), X)
    text = str(raised.value)
    assert "clamp_min: an argument is not what it takes" in text
    assert "it was given a object, <x: f32[3, 4]>" in text and "it takes clamp_min(" in text
