"""Files of arrays: the safetensors format, and files written whole or not at all.

A file is eight bytes (the header's length), a JSON header (dtype, shape and place of each tensor)
and the tensors' bytes. Nothing in it is ever run, and nothing is allocated before every size in
the header was checked against the file's.

    write_file(path, chunks({"w": array}, {}), "save")
    with open_file(path, "load") as file:
        entries, metadata = read_header(file, nbytes, "w.safetensors")
        arrays = read_arrays(file, entries, "w.safetensors")

Not here: nested structures and tensors (`storage`), programs (`jit.archive`).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.errors import ArgumentError, FormatError, GraphcError, MissingFileError, StorageError

# What the format allows for a header.
MAX_HEADER = 100_000_000
MAX_RANK = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file: its code, shape, and the bytes begin..end of the data."""

    code: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the stored words."""
        return dtypes.BY_CODE[self.code].numpy.newbyteorder("<")


def header(
    arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> tuple[bytes, list[str]]:
    """The first bytes of a file, and the names of the arrays in the order of their bytes.

    Args:
        arrays: of dtypes that graphc has.
        metadata: text by name.
    """
    # The largest elements first, so that each array lies aligned.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name in order:
        array = arrays[name]
        code = dtypes.as_dtype(array.dtype).code
        places = [begin, begin + array.nbytes]
        entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": places}
        begin = places[1]
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, order


def chunks(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Iterable[Any]:
    """A file's bytes, piece by piece."""
    first, order = header(arrays, metadata)
    yield first
    for name in order:
        array = np.ascontiguousarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        yield little.reshape(-1).view(np.uint8).data


def read_header(file: BinaryIO, nbytes: int, what: str) -> tuple[dict[str, Entry], dict[str, str]]:
    """The entries and metadata of a file, all sizes checked; the file then stands at the data.

    Args:
        file: at its start.
        nbytes: its length.
        what: how messages name it.

    Raises:
        FormatError: anything about it is not as the format has it.
    """
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > MAX_HEADER or length + 8 > nbytes:
        raise FormatError(
            f"{what} is no safetensors file, or was cut short",
            [f"it has {nbytes} bytes; its header would have {length}"] if len(start) == 8 else (),
        )
    try:
        # Names twice, and NaN, are no JSON that the format has.
        found = json.loads(file.read(length), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what}: its header is no JSON: {error!s:.100}") from None
    if not isinstance(found, dict):
        raise FormatError(f"{what}: its header is no JSON object")
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError(f"{what}: its metadata is not text by name")
    entries = {name: _entry(what, name, value) for name, value in found.items()}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != end:
            raise FormatError(
                f"{what}: tensor {name!r:.80} begins at byte {entry.begin}, not {end}"
            )
        end = entry.end
    if 8 + length + end != nbytes:
        raise FormatError(
            f"{what} has {nbytes} bytes; its header tells of {8 + length + end}",
            hint="it was cut short, or something was written after its end",
        )
    return entries, metadata


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names differ.

    Raises:
        ValueError: two are the same.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def no_constant(text: str) -> Any:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(f"{text} is no JSON")


def _entry(what: str, name: str, value: object) -> Entry:
    """One entry of a header, checked."""
    fault = f"{what}: tensor {name!r:.80}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{fault} has no dtype, shape and data_offsets")
    code, shape, places = value["dtype"], value["shape"], value["data_offsets"]
    if not _are_counts(shape) or len(shape) > MAX_RANK:
        raise FormatError(f"{fault} has the shape {shape!r:.80}")
    if not _are_counts(places) or len(places) != 2 or places[0] > places[1]:
        raise FormatError(f"{fault} has the data_offsets {places!r:.80}")
    if not isinstance(code, str) or code not in dtypes.BY_CODE:
        raise FormatError(
            f"{fault} is {code!r:.40}, a dtype that graphc does not have",
            hint=f"convert it to one of {', '.join(d.name for d in dtypes.ALL)} first",
        )
    entry = Entry(code, tuple(shape), *places)
    wanted = math.prod(shape) * entry.dtype.itemsize
    if wanted != entry.end - entry.begin:
        raise FormatError(
            f"{fault} is {code} of shape {shape!r:.60}: {wanted} bytes, not "
            f"{entry.end - entry.begin}"
        )
    return entry


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 62 for v in value
    )


def read_arrays(file: BinaryIO, entries: Mapping[str, Entry], what: str) -> dict[str, np.ndarray]:
    """The arrays of a file that stands behind its header."""
    found = {}
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        array = np.empty(entry.shape, entry.dtype)
        buffer = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        if _read_into(file, buffer) != entry.end - entry.begin:
            raise FormatError(f"{what} was cut short in tensor {name!r:.80}")
        if entry.code == "BOOL":
            array = array.view(np.uint8) != 0
        found[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return {name: found[name] for name in entries}


def _read_into(file: BinaryIO, buffer: memoryview) -> int:
    done = 0
    while done < len(buffer):
        count = file.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done


def write_file(path: str | PathLike[str], pieces: Iterable[Any], what: str) -> None:
    """Write a file whole or not at all.

    Args:
        path: where; what is there is replaced once everything is written and on the disk. Or a
            file object that is open for writing bytes.
        pieces: bytes, one after another.
        what: the function, for messages.

    Raises:
        MissingFileError: its folder does not exist.
        StorageError: it cannot be written, or the disk is full.
    """
    if hasattr(path, "write") and not isinstance(path, str | os.PathLike):
        for piece in pieces:
            path.write(piece)
        return
    target = Path(os.path.realpath(_path(path, what)))
    if not target.parent.is_dir():
        raise MissingFileError(
            f"{what}: there is no folder {target.parent}", where=caller(), hint="make it first"
        )
    if target.exists() and not target.is_file():
        raise StorageError(f"{what}: {target} is there and is no file", where=caller())
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, _mode(target))
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if not isinstance(error, OSError) or isinstance(error, GraphcError):
            raise
        raise StorageError(
            f"{what}: {target} was not written: {error.strerror or error}",
            where=caller(),
            hint="what was there before is unchanged" if target.exists() else "",
        ) from None


_BINARY = getattr(os, "O_BINARY", 0)


def _mode(target: Path) -> int:
    return stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666


def _sync_folder(folder: Path) -> None:
    """Make the new name last: a crash may otherwise undo the move."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def open_file(path: str | PathLike[str], what: str) -> BinaryIO:
    """A file opened to be read; of a file object what is left of it; bytes are a file's contents.

    Raises:
        MissingFileError: it does not exist.
        StorageError: it cannot be read.
    """
    if isinstance(path, bytes | bytearray | memoryview):
        return io.BytesIO(path)
    if hasattr(path, "read") and not isinstance(path, str | os.PathLike):
        return io.BytesIO(path.read())
    place = _path(path, what)
    try:
        return open(place, "rb")
    except FileNotFoundError:
        raise MissingFileError(f"{what}: there is no file {place}", where=caller()) from None
    except OSError as error:
        raise StorageError(
            f"{what}: {place} cannot be read: {error.strerror or error}", where=caller()
        ) from None


def label(path: object) -> str:
    """How messages name a file."""
    return os.path.basename(os.fspath(path)) if isinstance(path, str | os.PathLike) else "the file"


def _path(path: Any, what: str) -> str:
    try:
        place = os.fspath(path)
    except TypeError:
        place = None
    if not isinstance(place, str) or not place or "\0" in place:
        raise ArgumentError(f"{what}: {path!r:.80} is not a path", where=caller())
    return place
