"""The folder of compiled kernels: bytes by key, safe against crashes, rivals and strangers.

An entry is one file, `<key>.gco`: a header (magic, key, length, SHA-256) and an object file. It
is written beside its final name and moved there in one step, so that a reader sees a whole entry
or none, whoever else reads or writes. What doesn't check out is as good as absent: the caller
compiles again and replaces it. No fault of the folder stops a program; it costs one warning.

The folder holds machine code that will be run. So it must belong to this user and nobody else
may write to it; otherwise it isn't used at all.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from graphc import config
from graphc.errors import GraphcWarning

SUFFIX = ".gco"
MAGIC = b"graphc kernel 1\n"
# Eviction stops at this share of the cap, so that not every store evicts.
LOW_WATER = 0.9
# Seconds: an entry's time of use is refreshed at most this often, a dead temporary kept so long.
HOUR = 3600.0

_HEADER = struct.Struct("<16s32sQ32s")
_TEMPORARY = "tmp-"


@dataclass(frozen=True, slots=True)
class Info:
    """What the cache holds.

    Attributes:
        folder: where it is.
        usable: whether it is used; `reason` says why not.
        reason: "" or one line.
        entries: number of compiled kernels.
        nbytes: their size together, in bytes.
        cap: the size at which the least recently used go, in bytes.
    """

    folder: str
    usable: bool
    reason: str
    entries: int
    nbytes: int
    cap: int


def default_folder() -> Path:
    """The user's cache folder for graphc on this system."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "graphc"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "graphc"
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    return (Path(given) if os.path.isabs(given) else home / ".cache") / "graphc"


def folder() -> Path:
    """The folder in force: `GRAPHC_CACHE_DIR`, or the user's cache folder."""
    given = config.current().cache_dir
    return Path(given).expanduser().absolute() if given else default_folder()


def refusal(path: Path) -> str:
    """Why code from the folder `path` must not be run: one line, or "" when it may.

    The folder must be ours and writable by us alone. A parent that everybody may write to, unless
    only owners may rename there (the sticky bit, as on /tmp), would let others put another in
    its place.
    """
    if os.name != "posix":
        return ""
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if status.st_mode & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"others may write to its parent {parent}"
    return ""


class Cache:
    """The compiled kernels in one folder.

    Args:
        path: the folder; it is made (mode 0700) when it isn't there.
        cap: bytes to keep at most; 0 keeps nothing.
    """

    def __init__(self, path: Path, cap: int) -> None:
        self.path, self.cap = path, cap
        self.reason = "its size is capped at 0" if cap == 0 else self._prepare()
        self._warned = False
        if self.reason and cap:
            self._warn(f"compiled kernels are not kept: {self.path}: {self.reason}")

    def _prepare(self) -> str:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return refusal(self.path)
        except OSError as error:
            return error.strerror or str(error)

    def _warn(self, text: str) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{text}\n  hint: set GRAPHC_CACHE_DIR to a folder that only you can write to",
            GraphcWarning,
            stacklevel=2,
        )

    def _file(self, key: str) -> Path:
        return self.path / (key + SUFFIX)

    def read(self, key: str) -> bytes | None:
        """The object stored under `key` (64 hexadecimal digits), or None.

        None means: not there, cut short, changed, or another key's. It never raises.
        """
        if self.reason:
            return None
        path = self._file(key)
        try:
            with open(path, "rb") as file:
                data = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        payload = _unpack(key, data)
        if payload is not None and time.time() - used > HOUR:
            _touch(path)
        return payload

    def write(self, key: str, payload: bytes) -> bool:
        """Store an object under `key`; returns whether it is there now. It never raises OSError.

        The file appears whole or not at all, also when the process dies meanwhile.
        """
        if self.reason:
            return False
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self.path)
            with os.fdopen(handle, "wb") as file:
                file.write(_pack(key, payload))
            os.replace(temporary, self._file(key))
        except OSError as error:
            if temporary:
                _unlink(Path(temporary))
            self._warn(f"a compiled kernel was not kept: {self.path}: {error.strerror or error}")
            return False
        return True

    def entries(self) -> list[tuple[float, int, Path]]:
        """Every entry as (time of last use, bytes, path), the least recently used first."""
        found = []
        for path, status in self._scan():
            if path.suffix == SUFFIX:
                found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _scan(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.path) as listing:
                for item in listing:
                    # Another process may remove it between the listing and the look.
                    try:
                        found.append((Path(item.path), item.stat(follow_symlinks=False)))
                    except OSError:
                        continue
        except OSError:
            return []
        return found

    def evict(self) -> int:
        """Remove the least recently used entries if the cap is passed; returns how many.

        Temporaries that a killed writer left behind go too. It lists the folder, so the loader
        calls it only after it compiled something.
        """
        if self.reason:
            return 0
        deadline = time.time() - HOUR
        for path, status in self._scan():
            if path.name.startswith(_TEMPORARY) and status.st_mtime < deadline:
                _unlink(path)
        entries = self.entries()
        nbytes = sum(size for _, size, _ in entries)
        if nbytes <= self.cap:
            return 0
        removed = 0
        for _, size, path in entries:
            if nbytes <= self.cap * LOW_WATER:
                break
            removed += _unlink(path)
            nbytes -= size
        return removed

    def clear(self) -> int:
        """Remove every entry and temporary; returns how many entries went."""
        removed = 0
        for path, _ in self._scan():
            if path.suffix == SUFFIX:
                removed += _unlink(path)
            elif path.name.startswith(_TEMPORARY):
                _unlink(path)
        return removed

    def info(self) -> Info:
        """What the folder holds, and whether it is used."""
        entries = self.entries()
        nbytes = sum(size for _, size, _ in entries)
        return Info(str(self.path), not self.reason, self.reason, len(entries), nbytes, self.cap)


def _pack(key: str, payload: bytes) -> bytes:
    digest = hashlib.sha256(payload).digest()
    return _HEADER.pack(MAGIC, bytes.fromhex(key), len(payload), digest) + payload


def _unpack(key: str, data: bytes) -> bytes | None:
    if len(data) < _HEADER.size:
        return None
    magic, name, length, digest = _HEADER.unpack_from(data)
    payload = data[_HEADER.size :]
    if magic != MAGIC or name != bytes.fromhex(key) or length != len(payload):
        return None
    return payload if hashlib.sha256(payload).digest() == digest else None


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


_open: dict[tuple[Path, int], Cache] = {}


def current() -> Cache:
    """The cache of the settings in force; one object a folder, so that it warns once."""
    place = (folder(), config.current().cache_size)
    found = _open.get(place)
    return _open.setdefault(place, Cache(*place)) if found is None else found


def info() -> Info:
    """What the cache in force holds (`python -m graphc cache info`)."""
    return current().info()


def clear() -> int:
    """Empty the cache in force (`python -m graphc cache clear`); returns how many entries went."""
    return current().clear()
