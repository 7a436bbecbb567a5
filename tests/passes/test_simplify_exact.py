"""Every exact rule, in every dtype that its pattern can match, at edge values, bit for bit.

Derived from the table: a rule's pattern (or its samples) is made again in each dtype and with each
constant, and where the rule fires the interpreter compares both sides. What a rule's own list of
dtypes leaves out is tried too, since at run time a rule fires wherever its pattern matches.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from test_simplify import CONSTANTS, _bits, samples

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.interpret import run
from graphc.core.ir import OPS, Graph, Node, tensor_type, toposort
from graphc.errors import GraphcError
from graphc.ops.source import FULL, input
from graphc.passes.rewrite.engine import Pattern, Rule, rewrite
from graphc.passes.simplify import EXACT

ROOM = 4000


def edges(dtype: DType) -> np.ndarray:
    """Values at which rules go wrong, of a dtype."""
    if dtype.kind == "bool":
        return np.array([False, True])
    if dtype.is_float:
        info = dtype.finfo
        ends = [float(info.max), float(info.tiny), float(info.smallest_subnormal)]
        found = [0.0, 1.0, 1.5, 3.0, 0.1, float(info.eps), np.inf, *ends]
        with np.errstate(all="ignore"):
            return np.array([*found, *(-v for v in found), np.nan]).astype(dtype.numpy)
    info = np.iinfo(dtype.numpy)
    near = (-7, -2, -1, 0, 1, 2, 3, 100, info.min, info.min + 1, info.max, info.max - 1)
    return np.array(sorted({int(v) for v in near if v >= info.min}), dtype.numpy)


def _names(pattern: Pattern) -> list[str]:
    """The names in a pattern, those of constants too."""
    if pattern.op is None:
        return [pattern.name] if pattern.name else []
    return list(dict.fromkeys(n for p in pattern.inputs for n in _names(p)))


def _of_pattern(rule: Rule, dtype: DType, constants: dict[str, Any]) -> Node:
    """The smallest node that a pattern describes, its operands of one dtype and ROOM elements."""
    known: dict[str, Node] = {}

    def build(pattern: Pattern) -> Node:
        if pattern.op is not None:
            return Node.build(pattern.op, [build(i) for i in pattern.inputs], dict(pattern.attrs))
        if pattern.name in constants:
            return FULL(value=constants[pattern.name], shape=(ROOM,), dtype=dtype)
        if not pattern.name:
            if np.array(pattern.value).astype(dtype.numpy) != pattern.value:
                raise ValueError(f"{pattern.value} is no {dtype}")
            return FULL(value=pattern.value, shape=(ROOM,), dtype=dtype)
        return known.setdefault(pattern.name, input(pattern.name, (ROOM,), dtype))

    return build(rule.pattern)


def _in_dtype(root: Node, old: DType, new: DType) -> Node:
    """A sample again, with one dtype in place of another."""
    made: dict[Node, Node] = {}
    for node in toposort((root,)):
        attrs = dict(node.attrs)
        if attrs.get("dtype") is old:
            attrs["dtype"] = new
        if node.op is OPS["input"]:
            type_ = tensor_type(node)
            changed = type_.with_dtype(new) if type_.dtype is old else type_
            made[node] = input(node.name, changed.shape, changed.dtype)
        else:
            made[node] = Node.build(node.op, [made[i] for i in node.inputs], attrs)
    return made[root]


def _candidates(rule: Rule) -> Iterator[Node]:
    """Nodes that a rule may fire on, in all dtypes and with many constants."""
    if rule.samples is None:
        names = [n for n in _names(rule.pattern) if n in CONSTANTS]
        for dtype in dtypes.ALL:
            numbers = [v.item() for v in edges(dtype)]
            for values in itertools.product(numbers, repeat=len(names)):
                try:
                    yield _of_pattern(rule, dtype, dict(zip(names, values)))
                except (GraphcError, OverflowError, ValueError):
                    continue  # the op takes no such dtype, or the dtype no such number
        return
    for graph in samples(rule):
        root = graph.outputs[0]
        yield root
        used = {tensor_type(n).dtype for n in toposort((root,))}
        for old, new in itertools.product(used, dtypes.ALL):
            try:
                yield _in_dtype(root, old, new)
            except (GraphcError, OverflowError, ValueError):
                continue


def _arrays(inputs: tuple[Node, ...]) -> list[np.ndarray]:
    """All combinations of edge values while there is room for them, else many."""
    rng = np.random.default_rng(1)
    found = []
    stride = 1
    for node in inputs:
        type_ = tensor_type(node)
        values = edges(type_.dtype)
        size = int(np.prod(type_.shape))  # type: ignore[arg-type]
        if size == ROOM and stride * len(values) <= ROOM:
            found.append(np.resize(np.repeat(values, stride), ROOM))
            stride *= len(values)
        else:
            found.append(rng.choice(values, type_.shape))
    return found


def _same(rule: Rule, wanted: np.ndarray, found: np.ndarray, what: str) -> None:
    assert wanted.dtype == found.dtype and wanted.shape == found.shape
    if rule.ulps and dtypes.is_float(wanted.dtype):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted), what)
        fine = np.isfinite(wanted)
        if wanted.dtype == dtypes.bfloat16.numpy:  # of one sign, its bits are in order
            same_sign = np.signbit(found) == np.signbit(wanted)
            apart = found.view(np.int16).astype(int) - wanted.view(np.int16)
            assert (np.abs(apart[fine & same_sign]) <= rule.ulps).all()
            assert (found[fine & ~same_sign] == 0).all(), what
            return
        np.testing.assert_array_max_ulp(found[fine], wanted[fine], rule.ulps)
        return
    # Which of two zeros an extreme gives, and a sum of zeros, is not specified.
    unsigned = "mum" in rule.name or rule.name == "sum-ones"
    pair = (found, wanted) if unsigned else (_bits(found), _bits(wanted))
    np.testing.assert_array_equal(*map(dtypes.widened, pair), what)  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize("rule", EXACT, ids=lambda rule: rule.name)
def test_an_exact_rule_keeps_every_bit_wherever_it_fires(rule: Rule) -> None:
    fired = 0
    for root in _candidates(rule):
        given = [n for n in toposort((root,)) if n.op is OPS["input"]]
        graph = Graph.of("sample", given, [root])
        after = rewrite(graph, [rule])
        if after is graph:
            continue
        fired += 1
        for arrays in [_arrays(graph.inputs)] if fired < 400 else []:
            with np.errstate(all="ignore"):
                before, new = run(graph, arrays)[0], run(after, arrays)[0]
            _same(rule, before, new, f"{rule.name}: {[str(n.type) for n in given]}")
    assert fired
