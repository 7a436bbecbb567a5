"""Operands to try ops on: arrays by domain, edge values by dtype, and the cases of every op.

An op's `domain` ("real", "positive" ...; "a/b" when its operands differ) says what an elementwise
op is tried on; every other op brings `samples`.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Kind, Node, Op, Sample
from graphc.core.types import TensorType
from graphc.errors import DTypeError, GraphcError, OpError
from graphc.ops.source import input as placeholder

SHAPES = ((), (1,), (0, 3), (2, 5))

# Low and high of the floats of each domain; integers take what fits their dtype.
RANGES = {
    "real": (-4.0, 4.0),
    "small": (-2.0, 2.0),
    "positive": (0.1, 4.0),
    "negative": (-4.0, -0.1),
    "nonzero": (0.25, 4.0),
    "exponent": (-5.0, 5.0),
    "unit": (-0.9, 0.9),
    "probability": (0.02, 0.98),
    "above_one": (1.1, 4.0),
    "small_int": (-6.0, 7.0),
    "small_uint": (0.0, 7.0),
    "shift_count": (0.0, 9.0),
}


def arity(op: Op) -> int:
    """The number of operands of an elementwise op, found by asking its inference."""
    for count in (1, 2, 3):
        try:
            if accepted(op, count):
                return count
        except TypeError:
            continue
    raise OpError(f"op {op.name} takes no operands of one dtype")


def _definition_takes(op: Op, count: int, dtype: dtypes.DType) -> bool:
    ones = [np.ones((), dtype.numpy)] * count
    try:
        with np.errstate(all="ignore"):
            op.numpy(*ones)
    except (TypeError, ValueError):
        return False
    return True


@functools.cache
def accepted(op: Op, count: int) -> tuple[dtypes.DType, ...]:
    """The dtypes that an elementwise op takes as `count` operands."""
    found = []
    for dtype in dtypes.ALL:
        try:
            op.infer(*[TensorType(dtype, ())] * count)
        except DTypeError:
            continue
        if _definition_takes(op, count, dtype):
            found.append(dtype)
    return tuple(found)


def array(shape: Sequence[int], dtype: str, domain: str, seed: int = 0) -> np.ndarray:
    """Random values of a domain."""
    rng = np.random.default_rng(seed + 1000 * len(shape))
    element = dtypes.as_dtype(dtype)
    if element.kind == "bool":
        return rng.integers(int(domain == "nonzero"), 2, shape).astype(bool)
    if domain == "definite":
        factor = rng.uniform(-1, 1, shape)
        return (factor @ factor.swapaxes(-1, -2) + np.eye(shape[-1])).astype(dtype)
    low, high = RANGES[domain]
    if element.is_float and domain not in ("small_int", "small_uint", "shift_count"):
        values = rng.uniform(low, high, shape)
        if domain == "nonzero":
            values = values * rng.choice([-1.0, 1.0], shape)
        return np.asarray(values).astype(dtype)
    if element.is_float:
        return np.asarray(rng.integers(int(low), int(high), shape) + 0.25).astype(dtype)
    info = np.iinfo(dtype)
    least, most = max(int(low), int(info.min)), min(int(high), int(info.max))
    if domain == "real":
        least, most = max(-100, int(info.min)), 100
    values = rng.integers(least, most + 1, shape)  # type: ignore[assignment]
    if domain == "nonzero":
        values = np.where(values == 0, 1, values)
    return np.asarray(values).astype(dtype)


def edges(dtype: str) -> np.ndarray:
    """The values of a dtype at which things go wrong."""
    element = dtypes.as_dtype(dtype)
    if element.kind == "bool":
        return np.array([False, True])
    if element.is_float:
        info = element.finfo
        given = [0.0, -0.0, 1.0, -1.0, 0.5, -1.5, 2.5, 3.0, np.inf, -np.inf, np.nan]
        given += [info.max, info.min, info.tiny, info.smallest_subnormal, 1 - info.epsneg]
        return np.array(list(map(float, given)), dtype)
    info = np.iinfo(dtype)
    given = [0, 1, 2, 3, 7, 63, info.max, info.max - 1, info.min, info.min + 1]
    return np.array(given + ([-1, -2, -7] if element.kind == "int" else []), dtype)


def edge_pairs(dtypes_: Sequence[str]) -> list[np.ndarray]:
    """Operands that hold every combination of edge values."""
    grid = list(itertools.product(*(edges(d).tolist() for d in dtypes_)))
    return [np.array([row[k] for row in grid], d) for k, d in enumerate(dtypes_)]


@dataclass(frozen=True)
class Case:
    """An op, its operands, its attributes."""

    op: Op
    arrays: tuple[np.ndarray, ...]
    attrs: dict[str, Any]

    def nodes(self, symbolic: bool = False) -> tuple[list[Node], dict[str, int]]:
        """An input for each operand; with `symbolic`, equal sizes are one dimension."""
        sizes: dict[str, int] = {}
        nodes = []
        for k, value in enumerate(self.arrays):
            shape: Any = value.shape
            if symbolic:
                shape = [dims.dim(f"d{n}") if n != 1 else 1 for n in value.shape]
                sizes |= {f"d{n}": n for n in value.shape if n != 1}
            nodes.append(placeholder(f"x{k}", shape, value.dtype))
        return nodes, sizes


def seed_of(text: str) -> int:
    """A seed that is the same in every process."""
    return zlib.crc32(text.encode()) % 10_000


def operands(op: Op, sample: Sample) -> tuple[np.ndarray, ...]:
    """The arrays of a sample; an index is valid for the axis of the first operand."""
    arrays = []
    for k, (shape, dtype, domain) in enumerate(sample.operands):
        if domain == "index":
            limit = sample.operands[0][0][sample.attrs["axis"]]
            rng = np.random.default_rng(seed_of(op.name))
            arrays.append(rng.integers(-limit, limit, shape).astype(dtype))
        else:
            arrays.append(array(shape, dtype, domain, seed_of(op.name) + k))
    return tuple(arrays)


def domains(op: Op, count: int) -> list[str]:
    """The domain of each operand of an elementwise op."""
    given = op.domain.split("/")
    return given + given[-1:] * (count - len(given))


def is_plain(op: Op) -> bool:
    """Whether the op is elementwise on operands of one dtype."""
    return op.kind is Kind.ELEMENTWISE and op.samples is None


def cases(op: Op, shapes: Sequence[tuple[int, ...]] = SHAPES) -> Iterator[Case]:
    """Everything that tests try an op on."""
    if not is_plain(op):
        for sample in op.samples() if op.samples else ():
            yield Case(op, operands(op, sample), dict(sample.attrs))
        return
    count = arity(op)
    for dtype, shape in itertools.product(accepted(op, count), shapes):
        arrays = [
            array(shape, dtype.name, domain, seed_of(op.name) + k)
            for k, domain in enumerate(domains(op, count))
        ]
        yield Case(op, tuple(arrays), {})


def _takes(op: Op, numbers: Sequence[Any]) -> bool:
    """Whether a checked op does not refuse these operands."""
    try:
        with np.errstate(all="ignore"):
            op.numpy(*map(np.asarray, numbers))
    except GraphcError:
        return False
    return True


def edge_cases(op: Op) -> Iterator[Case]:
    """A plain elementwise op on every combination of edge values that it does not refuse."""
    count = arity(op)
    for dtype in accepted(op, count):
        pairs = edge_pairs([dtype.name] * count)
        if op.checked:
            taken = [_takes(op, [p[k] for p in pairs]) for k in range(pairs[0].size)]
            pairs = [p[taken] for p in pairs]
        yield Case(op, tuple(pairs), {})
