"""The folder of compiled kernels: bytes by key, safe against crashes, rivals and strangers.

An entry is one file, `<key>.gco`: a header (magic, key, length, SHA-256) and an object file. It
is written beside its final name and moved there in one step, so that a reader sees a whole entry
or none, whoever else reads or writes. What doesn't check out is as good as absent: the caller
compiles again and replaces it. No fault of the folder stops a program; it costs one warning.

The folder holds machine code that will be run. So it must belong to this user, and nobody else
may write to it or put another in its place (`trust`); otherwise it isn't used at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from graphc import config
from graphc.errors import GraphcWarning
from graphc.runtime.objects import trust

SUFFIX = ".gco"
MAGIC = b"graphc kernel 1\n"
# Eviction stops at this share of the cap, so that not every store evicts.
LOW_WATER = 0.9
# Seconds: an entry's time of use is refreshed at most this often, a dead temporary kept so long.
HOUR = 3600.0
# Eviction lists the folder again after so many seconds, or so many times what the last one took.
MINUTE = 60.0
REST = 1000.0

_HEADER = struct.Struct("<16s32sQ32s")
_TEMPORARY = "tmp-"
_NOTE = "listed.json"
_NEW = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip


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
    home = _home()
    if home is None:
        # Where everybody may write but nobody may rename: `trust` finds out whose it is.
        return Path(tempfile.gettempdir()).absolute() / f"graphc-{_user()}"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "graphc"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "graphc"
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    return (Path(given) if os.path.isabs(given) else home / ".cache") / "graphc"


def _home() -> Path | None:
    """The user's home; None for a user that has none, as in many containers."""
    try:
        home = Path.home()
    except (RuntimeError, OSError):
        return None
    return home if home.is_absolute() else None


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "cache"


def folder() -> Path:
    """The folder in force: `GRAPHC_CACHE_DIR`, or the user's cache folder."""
    given = config.current().cache_dir
    if not given:
        return default_folder()
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:  # ~ without a home
        return Path(given).absolute()


class Cache:
    """The compiled kernels in one folder.

    Args:
        path: the folder; it is made (mode 0700) when it isn't there.
        cap: bytes to keep at most; 0 keeps nothing.
    """

    def __init__(self, path: Path, cap: int) -> None:
        self.path, self.cap = path, cap
        self._warned = False
        self._approved: tuple[int, ...] | None = None
        self._written = 0
        self.reason = "its size is capped at 0" if cap == 0 else self._prepare()
        if self.reason and cap:
            self._warn(f"compiled kernels are not kept: {self.path}: {self.reason}")

    def _prepare(self) -> str:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._approve()
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)

    def _approve(self) -> str:
        """Look at the folder that the path names now; why it is not used, or ""."""
        folder = trust.open_folder(self.path)
        if folder is None:
            return trust.refusal(self.path)
        try:
            found = trust.identity(folder)
            reason = trust.refusal(self.path)
            # The path was looked at after it was opened: it must be the same folder still.
            again = os.stat(self.path)
            if not reason and (again.st_dev, again.st_ino) != found[:2]:
                reason = "another folder takes its place meanwhile"
            self._approved = None if reason else found
            return reason
        finally:
            os.close(folder)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The approved folder, open; what its path may name later is not looked at.

        Raises:
            OSError: it is not there, or another folder that is not approved.
        """
        folder = trust.open_folder(self.path)
        if folder is None:
            yield None
            return
        try:
            if trust.identity(folder) != self._approved:
                reason = self._approve()
                if reason or trust.identity(folder) != self._approved:
                    raise PermissionError(reason or "it was replaced meanwhile")
            yield folder
        finally:
            os.close(folder)

    def _warn(self, text: str) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{text}\n  hint: set GRAPHC_CACHE_DIR to a folder that only you can write to",
            GraphcWarning,
            stacklevel=2,
        )

    def _name(self, name: str, folder: int | None) -> str:
        return name if folder is not None else str(self.path / name)

    def read(self, key: str) -> bytes | None:
        """The object stored under `key` (64 hexadecimal digits), or None.

        None means: not there, cut short, changed, or another key's. It never raises.
        """
        if self.reason:
            return None
        try:
            with self._opened() as folder:
                name = self._name(key + SUFFIX, folder)
                found = trust.read(name, folder)
                if found is None:
                    return None
                payload = _unpack(key, found[0])
                if payload is not None and time.time() - found[1] > HOUR:
                    with suppress(OSError):
                        os.utime(name, dir_fd=folder)
                return payload
        except OSError:
            return None

    def write(self, key: str, payload: bytes) -> bool:
        """Store an object under `key`; returns whether it is there now. It never raises OSError.

        The file appears whole or not at all, also when the process dies meanwhile.
        """
        if self.reason:
            return False
        data = _pack(key, payload)
        try:
            with self._opened() as folder:
                self._put(key + SUFFIX, data, folder)
        except OSError as error:
            why = error.strerror or error
            self._warn(f"a compiled kernel was not kept: {self.path}: {why}")
            return False
        self._written += len(data)
        return True

    def _put(self, name: str, data: bytes, folder: int | None) -> None:
        temporary = self._name(_TEMPORARY + secrets.token_hex(8), folder)
        handle = os.open(temporary, _NEW, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            target = self._name(name, folder)
            os.replace(temporary, target, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _unlink(temporary, folder)
            raise

    def entries(self) -> list[tuple[float, int, str]]:
        """Every entry as (time of last use, bytes, name), the least recently used first."""
        return sorted(item for item in self._scan() if item[2].endswith(SUFFIX))

    def _scan(self) -> list[tuple[float, int, str]]:
        """Every file as (time, bytes, name)."""
        found = []
        try:
            with os.scandir(self.path) as listing:
                for item in listing:
                    # Another process may remove it between the listing and the look.
                    with suppress(OSError):
                        status = item.stat(follow_symlinks=False)
                        found.append((status.st_mtime, status.st_size, item.name))
        except OSError:
            return []
        return found

    def evict(self) -> int:
        """Remove the least recently used entries if the cap is passed; returns how many.

        Temporaries that a killed writer left behind go too. The folder is listed only if, by what
        the last listing found and this process wrote since, the cap may be passed, or if that
        listing, whichever process made it, is so old that another costs next to nothing.
        """
        if self.reason or not self._is_due():
            return 0
        began = time.perf_counter()
        files = self._scan()
        entries = sorted(item for item in files if item[2].endswith(SUFFIX))
        nbytes = sum(size for _, size, _ in entries)
        deadline = time.time() - HOUR
        gone = [name for t, _, name in files if name.startswith(_TEMPORARY) and t < deadline]
        if nbytes > self.cap:
            for _, size, name in entries:
                if nbytes <= self.cap * LOW_WATER:
                    break
                gone.append(name)
                nbytes -= size
        removed = self._remove(gone)
        self._written = 0
        self._note({"nbytes": nbytes, "took_s": time.perf_counter() - began})
        return removed

    def _is_due(self) -> bool:
        """Whether to list the folder; without a legible note of the last listing it is."""
        try:
            with self._opened() as folder:
                found = trust.read(self._name(_NOTE, folder), folder)
            note = json.loads(found[0]) if found is not None else {}
            age, took = time.time() - found[1], float(note["took_s"])  # type: ignore[index]
            if note["nbytes"] + self._written > self.cap:
                return True
            return not 0 <= age < max(MINUTE, took * REST)
        except (OSError, ValueError, LookupError, TypeError):
            return True

    def _note(self, note: dict[str, float]) -> None:
        with suppress(OSError), self._opened() as folder:
            self._put(_NOTE, json.dumps(note).encode(), folder)

    def _remove(self, names: Iterable[str]) -> int:
        """Remove files; returns how many entries were among them."""
        try:
            with self._opened() as folder:
                return sum(
                    _unlink(self._name(name, folder), folder) and name.endswith(SUFFIX)
                    for name in names
                )
        except OSError:
            return 0

    def clear(self) -> int:
        """Remove every entry and temporary; returns how many entries went."""
        ours = [n for _, _, n in self._scan() if n.endswith(SUFFIX) or n.startswith(_TEMPORARY)]
        return self._remove([*ours, _NOTE])

    def verify(self) -> tuple[int, list[str]]:
        """How many entries are whole, and the names of those that are not."""
        names = [name for _, _, name in self.entries()]
        damaged = [name for name in names if self.read(name.removesuffix(SUFFIX)) is None]
        return len(names) - len(damaged), damaged

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


def _unlink(name: str, folder: int | None) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
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


def verify() -> tuple[int, list[str]]:
    """Read all of the cache in force (`python -m graphc cache verify`); see `Cache.verify`."""
    return current().verify()
