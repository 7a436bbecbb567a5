"""Reading an archive. Whatever it says is checked before it is used, and before memory is taken.

    archive = read("step.gcz")
    archive.programs[0].graph           its parameters and constants bound to what the file holds

First places and sizes of the members (`archive_zip`), then the manifest (`manifest_reader`), the
states' types against it, checksums, and the graph's every node (`archive_checks`). Nothing is
compiled here, and nothing in a file is ever run.
"""

from __future__ import annotations

import hashlib
import io
import json
import linecache
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, BinaryIO

from graphc import text
from graphc.core import dtypes
from graphc.core.files import Entry, label, open_file, read_arrays, read_header
from graphc.core.ir import Graph, Node, Origin, caller
from graphc.core.trees import Tree
from graphc.core.types import TensorType
from graphc.errors import ArchiveError, FormatError, GraphcError, ParseError
from graphc.jit.archive.archive_checks import check_graph, guard
from graphc.jit.archive.archive_zip import Member, read_directory, read_member, seek_member
from graphc.jit.archive.manifest import MANIFEST, SOURCES, STATE, Manifest, ProgramRecord
from graphc.jit.archive.manifest_reader import MAX_MANIFEST
from graphc.jit.archive.manifest_reader import read as read_manifest
from graphc.ops.source import CONSTANT_OP, INPUT_OP, PARAMETER_OP, Bound, Parameter, State

# Characters of a source line that a message quotes.
LINE = 200


@dataclass(frozen=True, slots=True)
class SavedOrigin(Origin):
    """The user's line that made a node, with its text: the file itself may be gone."""

    text: str = ""

    def __str__(self) -> str:
        # Named: slots make another class of this one, which `super()` would not know.
        where = Origin.__str__(self)
        return f"{where}: {self.text}" if self.text else where


@dataclass(frozen=True, slots=True)
class Saved:
    """A program as it was read: its graph with states bound, and the manifest's record."""

    record: ProgramRecord
    graph: Graph
    text: str
    origins: tuple[SavedOrigin, ...]
    first: Saved | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """All of an archive; `native` has objects by their keys where they were asked for."""

    programs: tuple[Saved, ...]
    manifest: Manifest
    native: Mapping[str, bytes]


def quoted(origin: Origin) -> str:
    """The text of the user's line, where it is known."""
    if isinstance(origin, SavedOrigin):
        return origin.text
    return linecache.getline(origin.file, origin.line).strip()[:LINE]


def target_name() -> str:
    """The machine that kernels are compiled for, for people."""
    import llvmlite.binding as llvm

    return f"{llvm.get_process_triple()}, {llvm.get_host_cpu_name()}"


def read(
    path: str | PathLike[str], native: bool = False, shared: Mapping[str, State] | None = None
) -> Archive:
    """An archive's contents, all checked; nothing is compiled.

    Args:
        path: the file.
        native: read the compiled kernels too.
        shared: states that take the places of those of these names.

    Raises:
        MissingFileError, StorageError: the file is not there or cannot be read.
        ArchiveError: it is damaged, or not what `save` writes.
    """
    with open_file(path, "load") as file:
        name, nbytes = label(path), file.seek(0, os.SEEK_END)
        try:
            return _read(file, nbytes, native, shared or {})
        except (ArchiveError, FormatError, ParseError) as error:
            raise ArchiveError(
                f"{name}: {error.what}", error.details, where=caller(), hint=error.hint
            ) from None
        except RecursionError:
            raise ArchiveError(f"{name}: it is nested too deep", where=caller()) from None


def read_bytes(data: bytes, native: bool = False) -> Archive:
    """`read` of a file that is in memory."""
    return _read(io.BytesIO(data), len(data), native)


def _read(
    file: BinaryIO, nbytes: int, native: bool, shared: Mapping[str, State] | None = None
) -> Archive:
    members = read_directory(file, nbytes)
    if MANIFEST not in members or members[MANIFEST].nbytes > MAX_MANIFEST:
        raise ArchiveError("it has no manifest")
    manifest = read_manifest(read_member(file, members[MANIFEST]))
    if set(members) != {MANIFEST, *manifest.members}:
        raise ArchiveError("its members are not those that its manifest lists")
    for name, (size, _) in manifest.members.items():
        if members[name].nbytes != size:
            raise ArchiveError(f"member {name!r} has {members[name].nbytes} bytes, not {size}")
    reader = _Reader(file, members, manifest)
    files = reader.excerpts()
    states = _with_shared(reader.states(manifest), shared or {})
    programs = tuple(reader.program(record, files, states) for record in manifest.programs)
    objects = {}
    if native:
        objects = {key: reader.member(name) for key, name in manifest.native.items()}
    return Archive(programs, manifest, objects)


def _with_shared(states: dict[str, State], shared: Mapping[str, State]) -> dict[str, State]:
    """The states of a file, with those that are shared in their places."""
    for name, state in shared.items():
        if name not in states:
            raise ArchiveError(
                f"it has no parameter {name!r} to share", [f"it has {', '.join(states)}"[:200]]
            )
        own, given = states[name].array, state.array
        if (own.dtype, own.shape) != (given.dtype, given.shape):
            raise ArchiveError(
                f"the parameter {name!r} is {own.dtype.name}{list(own.shape)}, and what it is to "
                f"share {given.dtype.name}{list(given.shape)}"
            )
    return {**states, **shared}


class _Section:
    """A part of a file, with a digest of what was read of it."""

    def __init__(self, file: BinaryIO, nbytes: int) -> None:
        self._file, self._left = file, nbytes
        self.digest = hashlib.sha256()

    def read(self, nbytes: int) -> bytes:
        data = self._file.read(min(nbytes, self._left))
        self._left -= len(data)
        self.digest.update(data)
        return data

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(memoryview(buffer)[: self._left])  # type: ignore[attr-defined]
        self._left -= count
        self.digest.update(memoryview(buffer)[:count])
        return count


class _Reader:
    """Reads members whose places and sizes are known to be right."""

    def __init__(self, file: BinaryIO, members: Mapping[str, Member], manifest: Manifest) -> None:
        self.file, self.members, self.manifest = file, members, manifest

    def member(self, name: str) -> bytes:
        """A member's contents, as the manifest's checksum has them."""
        data = read_member(self.file, self.members[name])
        if hashlib.sha256(data).hexdigest() != self.manifest.members[name][1]:
            raise ArchiveError(f"member {name!r} is damaged: its checksum is another")
        return data

    def states(self, manifest: Manifest) -> dict[str, State]:
        """The states, each of the type that the inputs bound to it have."""
        wanted: dict[str, str] = {}
        for record in (r for p in manifest.programs for r in p.all()):
            for given in record.inputs:
                type_ = f"{given.type.partition('[')[0]}[" if given.kind == "input" else given.type
                if given.state and wanted.setdefault(given.state, type_) != type_:
                    raise ArchiveError(f"state {given.state!r:.60} has two types")
        member = self.members[STATE]
        seek_member(self.file, member)
        section: Any = _Section(self.file, member.nbytes)
        entries, _ = read_header(section, member.nbytes, STATE)
        if set(entries) != set(wanted):
            odd = sorted(set(entries) ^ set(wanted))[0]
            raise ArchiveError(f"state {odd!r:.60} is missing, or no input is bound to it")
        for name, entry in entries.items():
            is_given = wanted[name].endswith("[")  # of any shape, which calls look at
            if _typed(entry) != wanted[name] and not (
                is_given and _typed(entry).startswith(wanted[name])
            ):
                raise ArchiveError(f"state {name!r:.60} is {_typed(entry)}, not {wanted[name]:.60}")
        arrays = read_arrays(section, entries, STATE)
        if section.digest.hexdigest() != manifest.members[STATE][1]:
            raise ArchiveError(f"member {STATE!r} is damaged: its checksum is another")
        return {name: State(array) for name, array in arrays.items()}

    def excerpts(self) -> list[tuple[str, dict[int, str]]]:
        """The source files' names, and lines of them by number."""
        content = self.member(SOURCES)
        try:
            found = json.loads(content)
            return [
                (_line(entry["name"]), {int(k): _line(v) for k, v in entry["lines"].items()})
                for entry in found["files"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ArchiveError("its source excerpts are not as they should be") from None

    def program(
        self,
        record: ProgramRecord,
        files: Sequence[tuple[str, Mapping[int, str]]],
        states: Mapping[str, State],
    ) -> Saved:
        """A program's graph, its inputs bound."""
        first = None if record.first is None else self.program(record.first, files, states)
        try:
            content = self.member(record.graph).decode()
            origins = tuple(_origins(record, files))
            lines = {line: origins[k] for line, k in record.lines}
            bind = _Binder(record, states, origins)
            graph = text.parse(content, bind=bind, origins=lines, guard=guard)  # type: ignore[arg-type]
            if bind.count != len(record.inputs):
                raise ArchiveError(f"it has {bind.count} inputs, not {len(record.inputs)}")
            check_graph(graph)
            _check_record(record, graph)
            if first is not None:
                _check_first(graph, first)
        except UnicodeDecodeError:
            raise ArchiveError(f"{record.graph} is no text") from None
        except IndexError:
            raise ArchiveError("its origins name files that it does not have") from None
        except GraphcError as error:
            raise ArchiveError(
                f"{record.graph}: {error.what}", error.details, hint=error.hint
            ) from None
        given = {
            i.name: states[i.state].array for i in record.inputs if i.state and i.kind == "input"
        }
        fixed = frozenset(i.name for i in record.inputs if i.fixed)
        layout = replace(record.layout, given=given, fixed=fixed)
        if layout.tree.form in (list, tuple) and not layout.tree.parts:  # files of old say no more
            count = len(graph.outputs) - len(graph.aliases)
            layout = replace(layout, tree=replace(layout.tree, parts=(Tree(),) * count))
        return Saved(replace(record, layout=layout), graph, content, origins, first)


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    # One line, without what would move a terminal's cursor.
    return "".join(c for c in value[:LINE] if c.isprintable())


def _typed(entry: Entry) -> str:
    """An entry's type as graphs print it."""
    code = dtypes.BY_CODE[entry.code].short
    return f"{code}[{', '.join(map(str, entry.shape)) or '()'}]"


def _origins(
    record: ProgramRecord, files: Sequence[tuple[str, Mapping[int, str]]]
) -> Iterator[SavedOrigin]:
    for file, line, function, *around in record.origins:
        name, lines = files[file]
        scope, phase = tuple(map(_line, around[1:])), "".join(around[:1])
        text = lines.get(line, "")
        yield SavedOrigin(name, line, _line(function), "", scope, phase, text)


class _Binder:
    """Makes the nodes of a graph's arguments: inputs, and what is bound to a state."""

    def __init__(
        self,
        record: ProgramRecord,
        states: Mapping[str, State],
        origins: Sequence[SavedOrigin],
    ) -> None:
        self.records, self.states, self.origins = record.inputs, states, origins
        self.count = 0

    def __call__(self, op: str, name: str, type_: TensorType) -> Node:
        if self.count >= len(self.records):
            raise ArchiveError("it has more inputs than its manifest lists")
        record = self.records[self.count]
        self.count += 1
        if (record.kind, record.name, record.type) != (op, name, str(type_)):
            raise ArchiveError(f"{op} {name:.60}: {type_} is not what its manifest lists")
        attrs = (("name", name), ("type", type_))
        origin = self.origins[record.origin] if record.origin >= 0 else None
        if op == "input":
            return Node(INPUT_OP, (), attrs, type_, origin)
        if op == "parameter":
            return Parameter(PARAMETER_OP, (), attrs, type_, origin, self.states[record.state])
        return Bound(CONSTANT_OP, (), attrs, type_, origin, self.states[record.state])


def _check_record(record: ProgramRecord, graph: Graph) -> None:
    """Refuse results that the record's forms do not fit."""
    count = len(graph.outputs) - len(graph.aliases)
    tree = record.layout.tree
    # Files of old say list or tuple, and not of how many.
    is_open = tree.form in (list, tuple) and not tree.parts
    if count != tree.count and not is_open:
        raise ArchiveError(f"it has {count} results, which its manifest does not expect")
    if record.call is None:
        return
    free = sum(i.kind == "input" for i in record.inputs)
    states = {i.state for i in record.inputs if i.state}
    if tree.form is not list or len(record.call.used) != free:
        raise ArchiveError("its call does not fit its inputs")
    for how, what in record.call.results:
        if how == "out" and not (type(what) is int and 0 <= what < count):
            raise ArchiveError(f"its call returns result {what!r:.40} of {count}")
        if how == "state" and what not in states:
            raise ArchiveError(f"its call returns state {what!r:.40}, which it does not have")


def _check_first(graph: Graph, first: Saved) -> None:
    """Refuse a program of sizes that is none of a graph."""
    given, sizes = _inputs(graph, first)
    needed, _ = _inputs(first.graph, first.first)
    size = TensorType(dtypes.int64, ())
    types = {node.name: node.type for node in given}
    are_given = all(types.get(node.name) == node.type for node in needed)
    are_sizes = len(sizes) == len(first.graph.outputs) and not first.graph.aliases
    if (
        not are_given
        or not are_sizes
        or any(n.type != size for n in (*sizes, *first.graph.outputs))
    ):
        raise ArchiveError("its sizes are not what the program before it computes")


def _inputs(graph: Graph, first: Saved | None) -> tuple[list[Node], list[Node]]:
    """The inputs that a call gives, and those that the program before gives."""
    free = [node for node in graph.inputs if not isinstance(node, Bound)]
    count = len(free) - (0 if first is None else len(first.graph.outputs))
    return free[: max(count, 0)], free[max(count, 0) :]


__all__ = [
    "Archive", "Saved", "SavedOrigin", "quoted", "read", "read_bytes", "target_name",
]  # fmt: skip
