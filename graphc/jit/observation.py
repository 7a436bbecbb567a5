"""What a call left, written down so that two calls can be compared: eager and compiled.

    wanted, own = Observation({"result": eager}), Observation({"result": compiled})
    first_difference(wanted, own)     # None, or where they differ and by what

Objects that both calls found are told by identity, those that a call made by the order in which
they are met: so what is shared, and whose memory a tensor is a part of, is compared too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np

from graphc.core.dtypes import as_dtype, is_float
from graphc.eager.engine.tensor import Tensor
from graphc.jit.lost import LOST
from graphc.jit.reach import ATOMS, Reach, parts, random_states
from graphc.jit.trace.sizes import TracedSize

# Roundings: sums in another order, a product and a sum in one step, another polynomial. In units
# of the dtype's relative spacing: of an element, and of 1 or the largest element if that is less.
RELATIVE = 1024
ABSOLUTE = 64
# Of float16 and bfloat16, which are rounded where they are stored alone.
NARROW = 8


@dataclass(frozen=True)
class Apart:
    """Where two observations differ first.

    Attributes:
        kind: "value", "dtype", "shape", "requires_grad", "gradient", "aliasing", "structure",
            "state", "random stream", "printed" or "exception".
        path: what differs, such as "result[0]" or "model.weight.grad".
        wanted, own: what stands there, in words.
        number: the place of the object among the observed ones; -1 for none.
    """

    kind: str
    path: str
    wanted: str
    own: str
    number: int = -1

    def __str__(self) -> str:
        return f"{self.path} differs ({self.kind}): {self.wanted} eagerly, {self.own} compiled"


@dataclass
class _Record:
    """One object: what it is, its numbers if it has any, and what it holds."""

    path: str
    facts: list[tuple[str, Any]]
    array: np.ndarray | None
    held: list[tuple[str, Any]]
    is_random: bool = False


class Observation:
    """The objects that can be reached from some roots, as they are now.

    Args:
        roots: by their paths.
        known: what both calls found; its objects are told by identity.

    Attributes:
        reach: the objects.
        lost: tensors whose gradients a compiled call used and did not keep.
    """

    def __init__(self, roots: Mapping[str, Any], known: Reach | None = None) -> None:
        self.reach = Reach(roots)
        self.lost: list[Tensor] = []
        self._known: dict[int, int] = known.numbers if known is not None else {}
        self.roots = [(path, self._token(value)) for path, value in roots.items()]
        items = self.reach.items[: self.reach.seen]
        memory = _memory([value for _, value in items])
        self.records = [
            self._record(path, value, memory.get(k)) for k, (path, value) in enumerate(items)
        ]

    def _token(self, value: Any) -> Any:
        """How a holder says what it holds."""
        if isinstance(value, TracedSize):
            return value.number
        if isinstance(value, ATOMS):
            return value
        if id(value) in self._known:
            return ("known", self._known[id(value)])
        return ("made", self.reach.numbers.get(id(value)))

    def _record(self, path: str, value: Any, memory: Any) -> _Record:
        facts: list[tuple[str, Any]] = [("type", type(value).__name__)]
        held = [(p, self._token(v)) for p, v in parts(path, value) if p[:1] != "\0"]
        array = None
        is_random = False
        if isinstance(value, Tensor):
            array = value._array if value is not LOST else None
            if value._grad is LOST:
                self.lost.append(value)
            needs = value._edge is not None
            facts += [("requires_grad", needs), ("is a leaf", value.is_leaf), ("memory", memory)]
        elif isinstance(value, np.ndarray):
            array = value
            facts.append(("memory", memory))
        elif isinstance(value, FunctionType):
            facts.append(("code", (value.__code__.co_filename, value.__code__.co_firstlineno)))
        elif isinstance(value, bytearray):
            facts.append(("content", bytes(value)))
        elif (states := random_states(value)) is not None:
            facts.append(("state", states))
            is_random = True
        if isinstance(value, dict):
            facts.append(("keys", [*map(self._token, value)]))
        if array is not None:
            array = np.array(array)
        return _Record(path, facts, array, held, is_random)


def _memory(values: list[Any]) -> dict[int, Any]:
    """Of tensors and arrays, whose memory they are a part of: the first one's place, and bytes
    from its start."""
    spans = []
    for k, value in enumerate(values):
        array = value._array if isinstance(value, Tensor) and value is not LOST else value
        if isinstance(array, np.ndarray) and array.size:
            low, high = np.lib.array_utils.byte_bounds(array)
            spans.append((low, high, k))
    found: dict[int, Any] = {}
    group: list[tuple[int, int, int]] = []
    end = 0
    for span in [*sorted(spans), None]:
        if span is None or span[0] >= end:
            if len(group) > 1:
                start, _, first = min(group, key=lambda s: s[2])
                found |= {k: (first, low - start) for low, _, k in group}
            group = []
        if span is not None:
            group.append(span)
            end = max(end, span[1]) if len(group) > 1 else span[1]
    return found


def first_difference(wanted: Observation, own: Observation) -> Apart | None:
    """Where two observations differ first; None where they are the same but for roundings."""
    return next(differences(wanted, own), None)


def differences(wanted: Observation, own: Observation) -> Iterator[Apart]:
    """Where two observations differ: each object's first, up to one of structure."""
    roots = [
        _held_apart(path, a, b) for (path, a), (_, b) in zip(wanted.roots, own.roots)
        if not _same(a, b)
    ]  # fmt: skip
    # Of the others it is told better by what they hold.
    early = [apart for apart in roots if apart.path in ("exception", "result")]
    yield from early
    for k, (a, b) in enumerate(zip(wanted.records, own.records)):
        found = _apart(a, b)
        if found is None:
            continue
        yield replace(found, number=k)
        if found.kind == "structure":
            return
    if len(wanted.records) != len(own.records):
        counts = [f"{len(o.records)} objects" for o in (wanted, own)]
        yield Apart("structure", "what is held", counts[0], counts[1])
    yield from (apart for apart in roots if apart not in early)


def array_at(seen: Observation, number: int) -> np.ndarray | None:
    """The numbers of an observed object; None where it has none."""
    return seen.records[number].array if 0 <= number < len(seen.records) else None


def _apart(wanted: _Record, own: _Record) -> Apart | None:
    path = wanted.path
    if wanted.is_random or own.is_random:
        same = _same(wanted.facts, own.facts)
        return None if same else _told("random stream", path, wanted.facts, own.facts)
    for (name, a), (_, b) in zip(wanted.facts, own.facts):
        if not _same(a, b):
            kind = {"requires_grad": name, "memory": "aliasing"}.get(name, "structure")
            return _told(kind, f"{path} ({name})" if kind == "structure" else path, a, b)
    if wanted.array is not None and own.array is not None:
        found = _arrays_apart(path, wanted.array, own.array)
        if found is not None:
            return found
    for (p, a), (q, b) in zip(wanted.held, own.held):
        if p != q or not _same(a, b):
            return _held_apart(p, a, b) if p == q else _told("structure", p, a, b)
    if len(wanted.held) != len(own.held):
        longer = max(wanted.held, own.held, key=len)[min(len(wanted.held), len(own.held)) :]
        return _told("structure", path, *(
            f"{len(r.held)} parts{', with ' + longer[0][0] if r.held[-1:] == longer[-1:] else ''}"
            for r in (wanted, own)
        ))  # fmt: skip
    return None


def _held_apart(path: str, wanted: Any, own: Any) -> Apart:
    """How two say differently what they hold."""
    if isinstance(wanted, ATOMS) or isinstance(own, ATOMS) or path.startswith("gradient"):
        return _told(_kind(path), path, wanted, own)
    return _told("aliasing", path, wanted, own)


def _arrays_apart(path: str, wanted: np.ndarray, own: np.ndarray) -> Apart | None:
    if wanted.dtype != own.dtype:
        return Apart("dtype", path, str(wanted.dtype), str(own.dtype))
    if wanted.shape != own.shape:
        return Apart("shape", path, str([*wanted.shape]), str([*own.shape]))
    off = beyond_rounding(wanted, own)
    if not off.any():
        return None
    index = tuple(int(i) for i in np.argwhere(off)[0])
    at = f" at {[*index]}" if index else ""
    count = int(off.sum())
    of = f" ({count} of {off.size} elements differ)" if off.size > 1 else ""
    return Apart(_kind(path), path, f"{wanted[index]}{at}", f"{own[index]}{of}")


def beyond_rounding(wanted: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Which elements differ by more than roundings."""
    if not is_float(wanted.dtype) and wanted.dtype.kind not in "c":
        return np.asarray(wanted != own)
    eps = float(as_dtype(wanted.real.dtype).finfo.eps)
    relative, absolute = (NARROW, NARROW) if eps > 1e-4 else (RELATIVE, ABSOLUTE)
    a, b = (x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in (wanted, own))
    with np.errstate(invalid="ignore"):
        finite = np.abs(a[np.isfinite(a)])
        largest = min(1.0, float(finite.max(initial=0.0)))
        near = np.abs(a - b) <= eps * (relative * np.abs(a) + absolute * largest)
        zeros = (a == 0) & (b == 0)
        signs = np.signbit(a.real) == np.signbit(b.real)
        return ~np.asarray(
            (near & (~zeros | signs)) | ((a == b) & ~zeros) | (np.isnan(a) & np.isnan(b))
        )


def _kind(path: str) -> str:
    for kind in ("gradient", "random stream", "exception"):
        if path.startswith(kind):
            return kind
    if path.endswith(".grad"):
        return "gradient"
    return "value" if path.startswith(("result", "argument")) else "state"


def _same(a: Any, b: Any) -> bool:
    """Whether two facts are the same: floats but for roundings, the rest exactly."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return [*a] == [*b] and all(map(_same, a.values(), b.values()))
    if isinstance(a, float | complex):
        # A number that Python has may have been a float32.
        return not beyond_rounding(*(np.asarray(v, np.complex64) for v in (a, b))).any()
    return bool(a == b)


def _told(kind: str, path: str, wanted: Any, own: Any) -> Apart:
    return Apart(kind, path, _shown(wanted), _shown(own))


def _shown(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple) and value[:1] == ("known",):
        return "an object that was there"
    if isinstance(value, tuple) and value[:1] == ("made",):
        return "a new object"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


__all__ = [
    "Apart", "Observation", "array_at", "beyond_rounding", "differences", "first_difference",
]  # fmt: skip
