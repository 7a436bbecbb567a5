"""The manifest of an archive: what it holds, as records and as JSON.

    {"format": "graphc archive", "version": 1, "members": {"state.safetensors": {"nbytes": ...}},
     "programs": [{"name": "step", "graph": "programs/0/graph.txt", "inputs": [...], ...}], ...}

Not here: its reading, which trusts nothing (`manifest_reader`).
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.core.ir import caller
from graphc.core.layout import Layout
from graphc.core.trees import Tree
from graphc.errors import ArgumentError

FORMAT, VERSION = "graphc archive", 3
# Of those that are read: 1 says nothing of arguments that are no tensors, 2 nothing of nested ones.
OLDEST = 1
# How a function takes a parameter, by Python's names.
KINDS = tuple(kind.name for kind in inspect._ParameterKind)
MANIFEST, STATE, SOURCES = "manifest.json", "state.safetensors", "sources.json"


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One input of a graph: its kind, name and type; the state it is bound to, or that has the
    value which calls need not (`fixed`: cannot) give, or ""; the number of its origin, or -1."""

    kind: str
    name: str
    type: str
    state: str = ""
    origin: int = -1
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class CallRecord:
    """How a traced function's call becomes the program's.

    Attributes:
        form: of the arguments, as `trees.Tree` prints it.
        places: which leaves of the arguments are tensors.
        used: which of the tensors the program takes, in order.
        results: for each leaf of the result ["out", k], ["state", name] or ["value", v].
        tree: the form of the result.
        accepts: what is checked of arguments; None in a file that does not say.
    """

    form: str
    places: tuple[int, ...]
    used: tuple[int, ...]
    results: tuple[tuple[str, Any], ...]
    tree: Tree
    accepts: AcceptsRecord | None = None


@dataclass(frozen=True, slots=True)
class AcceptsRecord:
    """What is checked of a call's arguments.

    Attributes:
        tree: the form of the list of positional arguments and the dict of named ones.
        leaves: for each leaf ["tensor", which of the tensors] or ["value", v].
        types: of the tensors: dtype and sizes, a symbolic one as [name, smallest].
        requires: for each tensor whether it required a gradient: 0, 1 (a leaf), 2 (computed).
        signature: the function's parameters: name, kind, and a list with the plain default.
        writes: [which of the tensors, which result]: memory of arguments that is written.
    """

    tree: Tree
    leaves: tuple[tuple[str, Any], ...]
    types: tuple[tuple[str, tuple[Any, ...]], ...]
    requires: tuple[int, ...]
    signature: tuple[tuple[str, str, tuple[Any, ...]], ...] | None
    writes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """One program: its graph's member, inputs, results, and where its nodes come from.

    `first` is the program whose results are its last inputs, see `program.measuring`.
    """

    name: str
    graph: str
    inputs: tuple[InputRecord, ...]
    layout: Layout
    options: Mapping[str, Any]
    # File, line, function; where there is a scope, the phase and the scope's names.
    origins: tuple[tuple[Any, ...], ...]
    lines: tuple[tuple[int, int], ...]  # of the graph's text, origin
    certificate: Any = None
    call: CallRecord | None = None
    first: ProgramRecord | None = None

    def all(self) -> list[ProgramRecord]:
        """It, and what runs before it."""
        return [self] if self.first is None else [self, *self.first.all()]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that an archive holds; `members` gives bytes and SHA-256 by name."""

    members: Mapping[str, tuple[int, str]]
    programs: tuple[ProgramRecord, ...]
    single: bool
    written_by: str = ""
    target: str = ""  # of native kernels; "" without
    native: Mapping[str, str] = field(default_factory=dict)  # member by key


def written_by() -> str:
    """This graphc, for messages about a file."""
    # Late: a process that only loads has no need of what it brings along.
    from importlib import metadata

    return f"graphc {metadata.version('graphc')}"


def write(manifest: Manifest) -> bytes:
    """A manifest as JSON."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": manifest.written_by,
        "members": {
            name: {"nbytes": nbytes, "sha256": digest}
            for name, (nbytes, digest) in manifest.members.items()
        },
        "single": manifest.single,
        "programs": [_program(p) for p in manifest.programs],
        "native": {"target": manifest.target, "kernels": dict(manifest.native)},
    }
    return json.dumps(record, indent=1, allow_nan=False).encode()


def _program(record: ProgramRecord) -> dict[str, Any]:
    takes = record.layout.takes
    return {
        "name": record.name,
        "graph": record.graph,
        "inputs": [
            {
                "kind": i.kind,
                "name": i.name,
                "type": i.type,
                "state": i.state,
                "origin": i.origin,
                "fixed": i.fixed,
            }
            for i in record.inputs
        ],
        "takes": None if takes is None else [[key, _tree(tree)] for key, tree in takes],
        "results": _tree(record.layout.tree, "a result's key"),
        "options": dict(record.options),
        "origins": record.origins,
        "lines": record.lines,
        "certificate": record.certificate,
        "call": None if record.call is None else _call(record.call),
        **({} if record.first is None else {"first": _program(record.first)}),
        **({} if record.layout.casting == "equiv" else {"casting": record.layout.casting}),
    }


def _call(record: CallRecord) -> dict[str, Any]:
    return {
        "form": record.form,
        "places": record.places,
        "used": record.used,
        "results": [[how, plain(what, "a result")] for how, what in record.results],
        "tree": _tree(record.tree),
        "accepts": None if record.accepts is None else _accepts(record.accepts),
    }


def _accepts(record: AcceptsRecord) -> dict[str, Any]:
    return {
        "tree": _tree(record.tree),
        "leaves": [[how, plain(what, "an argument")] for how, what in record.leaves],
        "types": record.types,
        "requires": record.requires,
        "signature": record.signature and [
            [name, kind, [plain(d, "a default") for d in default]]
            for name, kind, default in record.signature
        ],
        "writes": record.writes,
    }  # fmt: skip


def plain(value: object, what: str) -> Any:
    """A number, text or None, as JSON has it; numbers that JSON lacks as a list of their text.

    Raises:
        ArgumentError: it is something else.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return [repr(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ArgumentError(
        f"save: {what} is a {type(value).__name__}, which an archive cannot hold: {value!r:.60}",
        where=caller(),
        hint="it holds tensors, numbers, text and None",
    )


def _tree(tree: Tree, what: str = "a key") -> Any:
    if tree.form is None:
        return "leaf"
    if tree.form is type(None):
        return "none"
    # Of a named tuple or a dataclass, whose class is code, a tuple or a dict comes back.
    form = next((f for f in (list, tuple) if issubclass(tree.form, f)), dict)
    keys = [plain(key, what) for key in tree.keys] if form is dict else []
    return [form.__name__, keys, [_tree(part, what) for part in tree.parts]]
