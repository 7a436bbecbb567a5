"""Programs as files: `save`. A `.gcz` file runs where the Python that made it is gone.

    gc.jit.save(step, "step.gcz")
    step = gc.jit.load("step.gcz")

An archive is a zip of text and numbers: the graph as `text.show` prints it, its parameters and
constants as safetensors, a JSON manifest, and those lines of the user's source that messages
quote. There is no pickle in it and nothing in it is run: kernels are generated anew from the
graph.

The parts: `archive_zip`, `manifest`; what can be saved: `archive_source`; reading:
`archive_reader`; what `load` returns: `archive_program`.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc import text
from graphc.core.access import access
from graphc.core.files import chunks, write_file
from graphc.core.ir import Origin, caller
from graphc.errors import ArgumentError, GraphcWarning
from graphc.jit.archive.archive_function import LoadedFunction
from graphc.jit.archive.archive_program import load
from graphc.jit.archive.archive_reader import quoted, target_name
from graphc.jit.archive.archive_source import Source, sources_of
from graphc.jit.archive.archive_zip import pieces
from graphc.jit.archive.manifest import (
    MANIFEST,
    SOURCES,
    STATE,
    InputRecord,
    Manifest,
    ProgramRecord,
    write,
    written_by,
)
from graphc.jit.traced import Traced
from graphc.ops.source import Bound, State


def save(program: Any, path: Any, *, native: bool = False, certificate: Any = None) -> None:
    """Write programs to an archive.

    The file appears whole or not at all. It holds parameters, buffers, optimizer state and the
    generator's state as they are now, so that a loaded training step goes on bit for bit.

    Args:
        program: a `gc.Program`, what `gc.jit.trace` or `gc.jit.compile` returns, or a dict of
            these by name. Programs of one archive that share parameters share them when loaded.
            Of a compiled function all programs are saved that fit as Python's values are now.
        path: where, by custom ending in `.gcz`; or a file object, open for writing bytes.
        native: add the compiled kernels. They run only on this kind of machine with these
            versions, and `load` uses them only when it is told to.
        certificate: anything that JSON holds, kept beside the program; a trace's own unless given.

    Raises:
        ArgumentError: it is none of these, or it holds what an archive cannot.
        MissingFileError, StorageError: there is no such folder, the disk is full, ...

    Example:
        >>> import graphc as gc, os, tempfile
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> path = os.path.join(tempfile.mkdtemp(), "double.gcz")
        >>> gc.jit.save(gc.compile([x], x + x), path)
        >>> gc.jit.load(path)([1.0, 2.5])
        array([2., 5.], dtype=float32)
    """
    single = not isinstance(program, Mapping)
    given = {"": program} if single else dict(program)
    if not given or not all(isinstance(name, str) for name in given):
        raise ArgumentError("save: a dict of programs has a name for each", where=caller())
    sources = [
        source for name, value in given.items() for source in sources_of(name, value, certificate)
    ]
    writer = _Writer()
    records = tuple(writer.program(k, source) for k, source in enumerate(sources))
    objects, target = writer.native(sources) if native else ({}, "")
    writer.members[SOURCES] = [writer.excerpts()]
    with access(reads=list(writer.states)):
        arrays = {name: state.array.copy() for state, name in writer.states.items()}
    writer.members[STATE] = list(chunks(arrays, {}))
    sizes = {name: _summed(contents) for name, contents in writer.members.items()}
    manifest = write(Manifest(sizes, records, single, written_by(), target, objects))
    write_file(path, pieces({MANIFEST: [manifest], **writer.members}), "save")


def packed(program: Any) -> Any:
    """What pickle keeps of a program: an archive, and `load`, which runs nothing of it."""
    file = io.BytesIO()
    save(program, file)
    return unpacked, (file.getvalue(),)


def unpacked(data: bytes) -> Any:
    """What `packed` kept."""
    return load(data)


def _summed(contents: Sequence[Any]) -> tuple[int, str]:
    """The bytes of a member, and their SHA-256."""
    digest = hashlib.sha256()
    nbytes = 0
    for part in contents:
        digest.update(part)
        nbytes += len(part)
    return nbytes, digest.hexdigest()


class _Writer:
    """The members of an archive, collected program by program."""

    def __init__(self) -> None:
        self.members: dict[str, list[Any]] = {}
        self.states: dict[State, str] = {}
        self._known: dict[Any, str] = {}
        self._names: set[str] = set()
        self._files: dict[str, tuple[int, dict[int, str]]] = {}

    def program(self, place: Any, source: Source) -> ProgramRecord:
        """Take in a program, and what runs before it."""
        graph, layout = source.program.graph, source.program._build.layout
        content, made = text.numbered(graph)
        member = f"programs/{place}/graph.txt"
        self.members[member] = [content.encode()]
        origins: dict[Origin, int] = {}
        inputs = []
        for node in graph.inputs:
            given = layout.given.get(node.name)
            state = self._state(node, source) if isinstance(node, Bound) else ""
            if given is not None and not state:
                state = self._named(State(given), node.name)
            origin = -1 if node.origin is None else origins.setdefault(node.origin, len(origins))
            inputs.append(
                InputRecord(
                    node.op.name, node.name, str(node.type), state, origin,
                    node.name in layout.fixed and not isinstance(node, Bound),
                )
            )  # fmt: skip
        lines = tuple(
            (line, origins.setdefault(node.origin, len(origins)))
            for line, node in made.items()
            if node.origin is not None
        )
        options = source.program._build.options
        if options is None:
            raise ArgumentError(f"save: {source.name or 'it'} was not made by compile")
        options = dict(options)
        if own := options.pop("passes", ()):
            warnings.warn(
                GraphcWarning("save: passes of yours are code, which a file does not hold: "
                              f"{', '.join(each.name for each in own)} will not run when it is "
                              "loaded"),
                stacklevel=3,
            )  # fmt: skip
        call = source.call(lambda n: self._state(n, source)) if source.call else None
        before = source.first()
        first = None if before is None else self.program(f"{place}_1", before)
        return ProgramRecord(
            source.name, member, tuple(inputs), layout, options,
            tuple((self._file(o), o.line, o.function, *_around(o)) for o in origins), lines,
            source.certificate, call, first,
        )  # fmt: skip

    def _state(self, node: Any, source: Source) -> str:
        """The name of a state, one for each: programs that share it name it alike."""
        state = node.state
        key = source.same.get(state, state)
        if key not in self._known:
            self._known[key] = self._named(state, source.named(state.array) or node.name)
        return self._known[key]

    def _named(self, state: State, wanted: str) -> str:
        """Take in a state, under a name of its own."""
        name, count = wanted, 1
        while name in self._names:
            count += 1
            name = f"{wanted}#{count}"
        self._names.add(name)
        self.states[state] = name
        return name

    def _file(self, origin: Origin) -> int:
        number, lines = self._files.setdefault(origin.file, (len(self._files), {}))
        if origin.line not in lines:
            lines[origin.line] = quoted(origin)
        return number

    def excerpts(self) -> bytes:
        """The lines that messages quote, by file: names without folders."""
        files = [
            {"name": Path(name).name, "lines": {str(n): line for n, line in lines.items() if line}}
            for name, (_, lines) in self._files.items()
        ]
        return json.dumps({"files": files}).encode()

    def native(self, sources: Sequence[Source]) -> tuple[dict[str, str], str]:
        """Take in the programs' compiled kernels: members by key, and the machine they are for."""
        objects: dict[str, str] = {}
        for source in sources:
            for key, data in source.objects():
                objects[key] = f"native/{key}.o"
                self.members[objects[key]] = [data]
        return objects, target_name() if objects else ""


# Pickled, and copied, functions are archives: what comes back is a `LoadedFunction`.
for _kind in (Traced, LoadedFunction):
    copyreg.pickle(_kind, packed)


def _around(origin: Origin) -> tuple[str, ...]:
    """The phase and the scope of an origin that has any."""
    return (origin.phase, *origin.scope) if origin.phase or origin.scope else ()


__all__ = ["packed", "save", "unpacked"]
