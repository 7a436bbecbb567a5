"""`read`: a file of `torch.save` as values, in its zip form and in the older one.

The zip form has a member `data.pkl`, a pickle that names storages, and a member `data/KEY` with the
bytes of each. The older form is pickles behind each other (a magic number, a version, the machine,
the value, the keys of storages), then each storage's length and bytes. Nothing is allocated that
the file does not have the bytes of.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from typing import IO, Any, BinaryIO

import numpy as np

from graphc.checkpoints.pickles import Machine
from graphc.checkpoints.rebuilding import NAMES, Storage, StorageType, fill
from graphc.core.dtypes import DType
from graphc.eager.engine.device import check_device
from graphc.errors import FormatError, GraphcError

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
# What one read takes; also how much more than a member is held.
_PIECE = 1 << 20


def read(file: BinaryIO, map_location: object) -> Any:
    """The value of a file, its tensors on the CPU.

    Args:
        file: open, a zip file or one that begins with a pickle.
        map_location: None, a device, a dict of devices by the device that a tensor was saved on,
            or a function, which is not called: there is one place.

    Raises:
        FormatError: it is damaged, or holds more than values.
    """
    nbytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    try:
        if start == b"PK\3\4":
            return _read_zip(file, nbytes, map_location)
        return _read_older(file, nbytes, map_location)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeError) as error:
        raise FormatError(f"it is a damaged zip file: {error!s:.80}", hint=_hint({})) from None
    except (RecursionError, MemoryError) as error:
        raise FormatError(f"it needs more than there is: {type(error).__name__}") from None


def _placed(location: object, map_location: object) -> None:
    """Refuse a place that is not here; what was saved elsewhere arrives on the CPU."""
    if isinstance(map_location, dict):
        check_device(map_location.get(location))
    elif not callable(map_location):
        check_device(map_location)


def _described(persistent: object) -> tuple[DType | None, str, str, int, Any]:
    """The parts of a storage's id: dtype, key, location, number of elements, and the rest."""
    if not isinstance(persistent, tuple) or len(persistent) not in (5, 6):
        raise TypeError("a storage without an id")
    word, kind, key, location, count, *rest = persistent
    if word != "storage" or not isinstance(kind, StorageType) or not isinstance(key, str):
        raise TypeError("a storage of an unknown class")
    if type(count) is not int or not 0 <= count < 1 << 60:
        raise TypeError(f"a storage of {count!r:.40} elements")
    return kind.dtype, key, str(location), count, rest[0] if rest else None


def _storages(
    words: Callable[[str, np.dtype, int], np.ndarray], map_location: Any
) -> tuple[Callable[[Any], Storage], dict[str, Storage]]:
    """What gives the storage of an id, and the storages so far.

    Args:
        words: the elements of a key, dtype and number.
        map_location: as `read` takes it.
    """
    found: dict[str, Storage] = {}

    def fetch(persistent: object) -> Storage:
        dtype, key, location, count, view = _described(persistent)
        if view is not None:
            raise TypeError("a storage that is part of another")
        if key not in found:
            _placed(location, map_location)
            numpy = np.dtype(np.uint8) if dtype is None else dtype.numpy
            found[key] = Storage(words(key, numpy, count), dtype)
        if found[key].dtype is not dtype or found[key].words.size != count:
            raise TypeError(f"two storages with the key {key!r:.40}")
        return found[key]

    return fetch, found


# --- the zip form


def _read_zip(file: BinaryIO, nbytes: int, map_location: object) -> Any:
    archive = zipfile.ZipFile(file)
    members = {info.filename: info for info in archive.infolist()}
    roots = [
        name.removesuffix("data.pkl") for name in members if re.match(r"[^/]*/data\.pkl", name)
    ]
    if len(roots) != 1 or f"{roots[0]}constants.pkl" in members:
        raise FormatError("it is a zip file, but none of torch.save", hint=_hint(members))
    _check_members(members, nbytes)
    root = roots[0]
    swapped = _contents(archive, members, f"{root}byteorder", b"little") == b"big"

    def words(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        info = members.get(f"{root}data/{key}")
        if info is None or info.file_size != count * dtype.itemsize:
            raise FormatError(f"its storage {key!r:.40} is missing or not of {count} elements")
        memory = np.empty(info.file_size, np.uint8)
        with archive.open(info) as member:
            _read_into(member, memory)
        return _native(memory, dtype, swapped)

    fetch, _ = _storages(words, map_location)
    return Machine(_contents(archive, members, f"{root}data.pkl"), NAMES, fetch, fill).read()


def _check_members(members: dict[str, zipfile.ZipInfo], nbytes: int) -> None:
    """Refuse what is compressed, or lies over other members: no file is larger than it looks."""
    free = 0
    for name, info in sorted(members.items(), key=lambda item: item[1].header_offset):
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise FormatError(
                f"its member {name!r:.60} is compressed",
                hint="torch.save writes none so; unpack it and pack it with zip -0",
            )
        if info.header_offset < free or info.header_offset + info.file_size > nbytes:
            raise FormatError(f"its member {name!r:.60} lies over others, or leaves the file")
        free = info.header_offset + info.file_size
        if info.CRC == 0:  # PyTorch can be told to leave checksums out
            info.CRC = None  # type: ignore[assignment]


def _hint(members: dict[str, zipfile.ZipInfo]) -> str:
    if "manifest.json" in members:
        return "it is a program: read it with gc.jit.load"
    if any(name.endswith("/constants.pkl") for name in members):
        return "it is a TorchScript program, which is code; save the module's state_dict()"
    return "it is read if torch.save wrote it; gc.jit.load reads the programs of gc.jit.save"


def _contents(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, default: bytes = b""
) -> bytes:
    return archive.read(members[name]) if name in members else default


def _read_into(member: IO[bytes], memory: np.ndarray) -> None:
    """Fill memory, a piece at a time."""
    done = 0
    while done < memory.size:
        piece = member.read(min(_PIECE, memory.size - done))
        if not piece:
            raise FormatError("it was cut short in a storage")
        memory[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)


def _native(memory: np.ndarray, dtype: np.dtype, swapped: bool) -> np.ndarray:
    """Bytes as elements, in this machine's order."""
    if dtype.kind == "b":
        return memory != 0
    words = memory.view(dtype)
    return words.byteswap() if swapped and dtype.itemsize > 1 else words


# --- the older form


def _read_older(file: BinaryIO, nbytes: int, map_location: object) -> Any:
    data = file.read()
    empty: dict[str, Any] = {}
    left = nbytes

    def words(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        nonlocal left
        left -= count * dtype.itemsize
        if left < 0:
            raise FormatError(f"its storage {key!r:.40} has {count} elements, more than the file")
        return np.zeros(count, dtype)

    fetch, storages = _storages(words, map_location)
    machine = Machine(data, empty, fetch, fill)
    try:
        is_ours = machine.read() == MAGIC and machine.read() == VERSION
    except GraphcError:
        is_ours = False
    if not is_ours:
        raise FormatError(
            "it is a pickle, which can run code, and none of torch.save",
            hint="write it again with torch.save, or as safetensors",
        )
    system = machine.read()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise FormatError("it was written on a machine of another byte order")
    machine.names = NAMES
    value = machine.read()
    machine.names = empty
    keys = machine.read()
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise FormatError("its storages are not those that its tensors have")
    at = machine.at
    for key in keys:
        at = _fill_storage(storages[key], data, at)
    return value


def _fill_storage(storage: Storage, data: bytes, at: int) -> int:
    """Give a storage its bytes, which begin at a place; returns where they end."""
    count = int.from_bytes(data[at : at + 8], "little", signed=True)
    end = at + 8 + storage.words.nbytes
    if count != storage.words.size or end > len(data):
        raise FormatError(f"a storage of {storage.words.size} elements has {count}, or is cut")
    memory = np.frombuffer(data, np.uint8, storage.words.nbytes, at + 8)
    storage.words[...] = _native(memory, storage.words.dtype, False)
    return end


__all__ = ["read"]
