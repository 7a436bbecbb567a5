"""No form of a call gives other values of symbolic tensors than of eager ones, in silence.

Square data, so that no shape tells one convention from another. What differs in structure or is
refused is told; what differs in values alone would be wrong without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forms.compare import arrays, difference
from forms.forms import DATA, all_forms, namespace

import graphc as gc
from graphc.core.dtypes import as_dtype
from graphc.core.ir import toposort
from graphc.core.trees import flatten
from graphc.ops.source import CONSTANT_OP, INPUT_OP

pytestmark = [pytest.mark.slow, pytest.mark.parity]
RNG = np.random.default_rng(1)
SQUARE = {
    name: RNG.standard_normal((3,) * DATA[name].ndim).astype("f") for name in "xyovwm"
} | {
    "s": DATA["s"], "e": DATA["e"], "i": DATA["i"], "b": RNG.random((3, 3)) > 0.4,
    "k": RNG.integers(-3, 7, (3, 3, 3)), "u": RNG.integers(0, 9, 3).astype(np.uint8),
}  # fmt: skip
# `help` says that it is NumPy's of symbolic tensors: the whole part of integers.
TOLD = {"reciprocal"}


def _eager(text: str) -> list[np.ndarray]:
    scope = namespace(gc, gc.tensor) | {n: gc.tensor(a.copy()) for n, a in SQUARE.items()}
    return arrays(eval(text, scope))


def _symbolic(text: str) -> list[np.ndarray]:
    nodes = {n: gc.input(n, a.shape, as_dtype(a.dtype)) for n, a in SQUARE.items()}
    leaves, _ = flatten(eval(text, namespace(gc, gc.tensor) | nodes))
    made = [leaf for leaf in leaves if isinstance(leaf, gc.Node)]
    order = toposort(made)
    inputs = [n for n in order if n.op is INPUT_OP]
    graph = gc.Graph.of("form", [*inputs, *(n for n in order if n.op is CONSTANT_OP)], made)
    known = iter(gc.interpret(graph, *(SQUARE[n.name] for n in inputs)) if made else [])
    return [np.asarray(next(known) if isinstance(v, gc.Node) else v) for v in leaves]


def _outcome(call: Any, text: str) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call(text)
    except Exception:
        return None


def test_no_form_differs_in_its_values_alone() -> None:
    torch = pytest.importorskip("torch")
    forms = [t for t in all_forms(torch, gc) if "out=" not in t and "_(" not in t]
    forms = [t for t in forms if t.split("(")[0].split(".")[-1] not in TOLD]
    forms = [t for t in forms if not {"u"} & {*compile(t, "form", "eval").co_names}][::13]
    wrong, count = [], 0
    for text in forms:
        want = _outcome(_eager, text)
        if want is None or any(a.dtype.kind in "US" for a in want):
            continue
        found = _outcome(_symbolic, text)
        if found is None or [a.shape for a in found] != [a.shape for a in want]:
            continue
        count += 1
        why = difference([w.astype(f.dtype) for w, f in zip(want, found)], found)
        wrong += [f"{text}: {why}"] if why else []
    assert not wrong, "\n".join(wrong)
    assert count > 1000
