"""Reading programs from files: `load`. What it returns of functions is in `archive_function`."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache as memo
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from graphc import config, text
from graphc.core.files import label
from graphc.core.ir import Graph, caller
from graphc.eager.engine.bound import parameter_of
from graphc.eager.engine.signature import late
from graphc.eager.engine.tensor import Tensor
from graphc.errors import (
    ArchiveError,
    ArgumentError,
    GraphcError,
    GraphcWarning,
    OutOfMemoryError,
    ParseError,
)
from graphc.jit.archive.archive_checks import MOST_BYTES, bounds, check_bounds
from graphc.jit.archive.archive_function import LoadedFunction, LoadedVariant, assumed
from graphc.jit.archive.archive_reader import Saved, read, target_name
from graphc.ops.source import Parameter
from graphc.program.build import Build, check_threads, ready
from graphc.program.failing import out_of_memory
from graphc.program.measuring import First
from graphc.program.program import Program
from graphc.runtime import targets
from graphc.runtime.machine.call import Call
from graphc.runtime.objects import cache, loader

_VERSION = "1"


class LoadedProgram(Program):
    """A program that came from a file: a `gc.Program` whose source is not needed.

    Attributes:
        certificate: what was saved beside it, or None.
        code: the graph as readable Python text, which `gc.text.parse` reads back.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> gc.jit.save(gc.compile([x], x * 2.0), "double.gcz")
        >>> gc.jit.load("double.gcz")(np.ones(3, np.float32))
        array([2., 2., 2.], dtype=float32)
    """

    def __init__(self, build: Build, saved: Saved) -> None:
        super().__init__(build)
        self._saved = saved
        self._bounds = bounds(build.graph)
        self.certificate = saved.record.certificate
        self.code = saved.text

    def _bound(self, arrays: Sequence[np.ndarray]) -> Call:
        executable = self._executable
        # Before anything is kept for these shapes: calls that find it are not checked again.
        if self._bounds and executable.find(self._sizing.key(arrays)) is None:
            check_bounds(self._bounds, self._sizing.bind(arrays))
        try:
            call = super()._bound(arrays)
        except OverflowError:
            raise OutOfMemoryError(
                f"{self.name}: sizes of more than 64 bits follow from these arguments",
                where=caller(),
            ) from None
        if any(math.prod(shape) * dtype.itemsize > MOST_BYTES for shape, dtype in call.outputs):
            raise out_of_memory(self._build, call)
        return call

    def assumes(self) -> list[str]:
        """What the program assumes, a line each, as far as its certificate says.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (gc.dim("n"),))
            >>> gc.jit.save(gc.compile([x], x * 2.0), "double.gcz")
            >>> gc.jit.load("double.gcz").assumes()
            []
        """
        return assumed(self.certificate)


def load(
    path: Any,
    *,
    allow_native: bool = False,
    target: str | None = None,
    threads: int | None = None,
    share: Program | LoadedFunction | Mapping[str, Any] | None = None,
) -> Any:
    """Read what `save` wrote. Nothing in the file is run, whoever made it.

    Kernels come from the cache, or are compiled. Where this machine ran the same program before,
    passes are not run again either.

    Args:
        path: the file, a file object that is open for reading bytes, or the bytes of one.
        allow_native: use compiled kernels that lie in the file. They are machine code: say so
            only for files from a source you would run a program of.
        target: see `gc.compile`; as it was compiled unless given.
        threads: most threads that a call uses; as it was compiled unless given.
        share: parameters that the loaded program is to use and update in place of its own: a
            dict of `gc.parameter`s and eager tensors by name, or a program or a loaded function,
            all of whose parameters of names that the file has are shared.

    Returns:
        A `LoadedProgram`; for a traced or compiled function a `LoadedFunction`; a dict of these
        where a dict was saved.

    Raises:
        MissingFileError, StorageError: the file is not there or cannot be read.
        ArchiveError: it is damaged, or not what `save` writes.

    Example:
        >>> import graphc as gc, os, tempfile
        >>> f = gc.jit.trace(lambda x: (x * x).sum(), gc.ones(3))
        >>> path = os.path.join(tempfile.mkdtemp(), "f.gcz")
        >>> gc.jit.save(f, path)
        >>> gc.jit.load(path)(gc.tensor([1.0, 2.0, 3.0]))
        tensor(14.)
    """
    check_threads(threads, "load")
    if hasattr(path, "read") and not isinstance(path, str | PathLike):
        path = path.read()  # once: it may be gone through twice
    is_program = isinstance(share, Program | LoadedFunction)
    archive = read(path, allow_native, None if is_program else _states(share or {}))
    if isinstance(share, Program | LoadedFunction):
        names = {i.state for saved in archive.programs for i in saved.record.inputs}
        held = share._states if isinstance(share, Program) else share._parameters()
        own = {name: node for name, node in held.items() if name in names}
        archive = read(path, allow_native, _states(own))
    made: dict[str, Any] = {}
    variants: dict[str, list[LoadedVariant]] = {}
    for saved in archive.programs:
        program = _made(saved, {"target": target, "threads": threads}, archive.native, path)
        name, call = saved.record.name, saved.record.call
        if call is None:
            made[name] = program
        else:
            variants.setdefault(name, []).append(LoadedVariant(program, call))
            made[name] = None
    made.update({name: LoadedFunction(found) for name, found in variants.items()})
    if allow_native and archive.manifest.native:
        _warn_of_others(archive.manifest.target, archive.manifest.native, made)
    return next(iter(made.values())) if archive.manifest.single else made


def _states(share: Any) -> dict[str, Any]:
    """The memory of what is to be shared, by name."""
    found = {}
    for name, value in dict(share).items():
        node = parameter_of(value) if isinstance(value, Tensor) else value
        if not isinstance(node, Parameter):
            raise ArgumentError(
                f"load: share has {type(value).__name__} {value!r:.60} for {name!r}, no parameter",
                where=caller(),
                hint='write share={"w": w} of what gc.parameter made, or share=program',
            )
        found[name] = node.state
    return found


def _made(
    saved: Saved, changes: Mapping[str, Any], native: Mapping[str, bytes], path: str | PathLike[str]
) -> LoadedProgram:
    """A saved program, compiled."""
    options = dict(saved.record.options)
    options.update({k: v for k, v in changes.items() if v is not None})
    try:
        with loader.offered(native):
            build = revived(saved, options)
    except GraphcError:
        raise
    # What honest graphs never meet shows in any way.
    except Exception as error:
        raise ArchiveError(
            f"{label(path)}: the program cannot be compiled: "
            f"{type(error).__name__}: {error!s:.100}",
            where=caller(),
        ) from None
    first = None if saved.first is None else First(_made(saved.first, changes, native, path))
    return LoadedProgram(replace(build, options=options, first=first), saved)


def _warn_of_others(target: str, native: Mapping[str, str], made: Mapping[str, Any]) -> None:
    programs = [p for m in made.values() for p in getattr(m, "programs", [m])]
    keys = {loader.key(k) for p in programs for k in p._executable.loaded}
    if not keys & set(native):
        warnings.warn(
            GraphcWarning(
                f"load: the file's native kernels are for another machine or version ({target}); "
                f"this is {target_name()}: kernels were compiled here"
            ),
            stacklevel=3,
        )


def revived(saved: Saved, options: Mapping[str, Any]) -> Build:
    """A saved program, compiled: what passes made of it before comes from the cache."""
    settings = config.current()
    plain = options["target"] == "cpu" and settings.device != "reference" and not settings.check
    if not plain or settings.debug or settings.dump:
        return late("program.driver").build(saved.graph, saved.record.layout, **options)
    key = _key(saved.text, options, settings.skip)
    final = _known(saved, key)
    if final is None:
        build = late("program.driver").build(saved.graph, saved.record.layout, **options)
        _keep(saved, key, build.history[-1][1])
        return build
    history = (("traced", saved.graph), ("cached", final))
    chosen = targets.find(options["target"], "load")
    start = time.perf_counter()
    return ready(saved.graph, history, saved.record.layout, chosen, options["threads"], start)


# --- the graph after all passes, in the folder of compiled kernels


def _key(content: str, options: Mapping[str, Any], skip: Any) -> str:
    """What a final graph depends on: the traced one, the options, the passes themselves."""
    parts = [_VERSION, _compiler(), options["level"], str(options["fast_math"]), str(skip)]
    return hashlib.sha256("\n".join([*parts, content]).encode()).hexdigest()


@memo
def _compiler() -> str:
    """The state of the compiler's own files: their sizes and times."""
    here = Path(__file__).resolve().parent.parent.parent
    roots = [here / "core", here / "ops", here / "loops", *map(Path, late("passes").__path__)]
    return "\n".join(line for root in roots for line in _files(root))


def _files(folder: Path) -> list[str]:
    """Name, size and time of each source below a folder, in order."""
    found = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_dir():
                found += _files(Path(entry.path))
            elif entry.name.endswith(".py"):
                status = entry.stat()
                found.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
    return found


def _keep(saved: Saved, key: str, final: Graph) -> None:
    """Keep a final graph, with the user's lines of its nodes."""
    content, made = text.numbered(final)
    numbers = {origin: k for k, origin in enumerate(saved.origins)}
    lines = {line: numbers[n.origin] for line, n in made.items() if n.origin in numbers}
    cache.current().write(key, json.dumps({"text": content, "lines": lines}).encode())


def _known(saved: Saved, key: str) -> Graph | None:
    """The final graph that was kept; its inputs are the traced graph's."""
    data = cache.current().read(key)
    if data is None:
        return None
    found = json.loads(data)
    origins = {int(line): saved.origins[k] for line, k in found["lines"].items()}
    inputs = iter(saved.graph.inputs)
    try:
        return text.parse(found["text"], bind=lambda op, name, type_: next(inputs), origins=origins)
    except ParseError:
        return None


__all__ = ["LoadedProgram", "load"]
