"""Whose files are run: folders and files that nobody but this user (or root) can put in place.

    reason = refusal(path)              # "" when code from the folder may be run
    folder = open_folder(path)          # a descriptor: what the path names later does not matter
    data = read(folder, "x.gco")        # None unless the file is ours alone

A folder is as safe as the way to it: who may write to a folder on the way, or owns it, can put
another folder in place. So each one, and each symbolic link, must belong to this user or to root
and be writable by its owner alone, but for those where only owners may rename (the sticky bit, as
on /tmp).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

IS_POSIX = os.name == "posix"
_MOST_LINKS = 40
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
# Flags that not every system has.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def refusal(path: Path) -> str:
    """Why code from the folder `path` must not be run: one line, or "" when it may.

    Args:
        path: absolute.

    Raises:
        OSError: it, or a folder on the way to it, cannot be looked at.
    """
    if not IS_POSIX:
        return ""
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    if status.st_mode & _OTHERS:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    for place, found in _way(path):
        if found.st_uid not in (0, os.geteuid()):
            what = "link" if stat.S_ISLNK(found.st_mode) else "parent"
            return f"its {what} {place} belongs to another user"
        if stat.S_ISLNK(found.st_mode) or found.st_mode & stat.S_ISVTX:
            continue
        if found.st_mode & stat.S_IWOTH:
            return f"others may write to its parent {place}"
        if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid):
            return f"a group may write to its parent {place}"
    return ""


def _way(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folders and links that are passed on the way to a folder, without itself."""
    todo = list(path.parts[1:])
    here = Path(path.anchor)
    links = 0
    while todo:
        part = todo.pop(0)
        if part == os.pardir:
            here = here.parent
            continue
        yield here, here.stat()
        found = (here / part).lstat()
        if not stat.S_ISLNK(found.st_mode):
            here = here / part
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError("too many symbolic links")
        yield here / part, found
        target = Path(os.readlink(here / part))
        todo = [*(target.parts[1:] if target.is_absolute() else target.parts), *todo]
        here = Path(target.anchor) if target.is_absolute() else here


def _is_own_group(group: int) -> bool:
    """Whether a group is this user's alone, as many systems give one to each user."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    alone = entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
    return alone and entry.gr_gid == user.pw_gid


def open_folder(path: Path) -> int | None:
    """A descriptor of a folder, to be closed; None where names cannot be relative to one."""
    return os.open(path, _FOLDER) if os.open in os.supports_dir_fd else None


def identity(folder: int) -> tuple[int, int, int, int]:
    """What changes when another folder, or another owner, takes the place of an open folder."""
    status = os.fstat(folder)
    return status.st_dev, status.st_ino, status.st_uid, status.st_mode & _OTHERS


def read(name: str, folder: int | None) -> tuple[bytes, float] | None:
    """A file's bytes and the time it was changed; None unless it is a file of ours alone.

    Args:
        name: relative to `folder`, or a path.
        folder: a descriptor.

    Raises:
        OSError: it cannot be read.
    """
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        if IS_POSIX and (status.st_uid != os.geteuid() or status.st_mode & _OTHERS):
            return None
        return file.read(), status.st_mtime
