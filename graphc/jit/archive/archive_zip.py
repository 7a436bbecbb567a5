"""Zip files as archives are: a few members, stored and not compressed, every byte accounted for.

    write_file(path, pieces({"manifest.json": [text]}), "save")
    with open_file(path, "load") as file:
        members = read_directory(file, nbytes)          # {"manifest.json": Member(...)}
        text = read_member(file, members["manifest.json"])

Any zip tool opens them. Reading takes only what `pieces` writes: members that are compressed,
encrypted, links, folders, listed twice, that overlap or leave the file, are refused before
anything is read; because nothing is compressed, no member is larger than the file.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from graphc.errors import ArchiveError

MAX_MEMBERS = 10_000
# Of the central directory, in bytes.
MAX_DIRECTORY = 2_000_000
_NAME = re.compile(r"[a-z0-9_]{1,64}(/[a-z0-9_]{1,64}){0,3}\.(json|txt|safetensors|o)\Z")

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_FULL = 0xFFFFFFFF
# 1980-01-01, the first day of the format: equal programs are equal files.
_DATE = 0x21
# A plain file of mode 0644, made on Unix.
_MODE, _UNIX = 0o100644 << 16, 3 << 8


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member lies: its name, its local header's offset, its bytes and their CRC-32."""

    name: str
    offset: int
    nbytes: int
    crc: int


def pieces(members: Mapping[str, Sequence[Any]], alignment: int = 1) -> Iterator[Any]:
    """The bytes of a zip file, piece by piece.

    Args:
        members: the contents of each, itself in pieces.
        alignment: the contents of each begin at a multiple of it.
    """
    listed = []
    at = 0
    for name, contents in members.items():
        crc = nbytes = 0
        for part in contents:
            crc, nbytes = zlib.crc32(part, crc), nbytes + len(part)
        listed.append(Member(name, at, nbytes, crc))
        large = nbytes >= _FULL
        extra = struct.pack("<2H2Q", 1, 16, nbytes, nbytes) if large else b""
        size = _FULL if large else nbytes
        title = name.encode()
        gap = -(at + _LOCAL.size + len(title) + len(extra) + 4) % alignment
        if alignment > 1:  # a field of zeros under the code that PyTorch has for it
            extra += b"FB" + struct.pack("<H", gap) + bytes(gap)
        head = (b"PK\3\4", 45 if large else 20, 0, 0, 0, _DATE, crc, size, size)
        yield _LOCAL.pack(*head, len(title), len(extra)) + title + extra
        yield from contents
        at += _LOCAL.size + len(title) + len(extra) + nbytes
    directory = b"".join(map(_listed, listed))
    yield directory + _ending(len(listed), len(directory), at)


def _listed(member: Member) -> bytes:
    """A member's entry in the central directory."""
    size, offset = min(member.nbytes, _FULL), min(member.offset, _FULL)
    wide = [member.nbytes] * 2 if size == _FULL else []
    wide += [member.offset] if offset == _FULL else []
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    title, version = member.name.encode(), 45 if wide else 20
    return (
        _CENTRAL.pack(
            b"PK\1\2", _UNIX | version, version, 0, 0, 0, _DATE, member.crc, size, size,
            len(title), len(extra), 0, 0, 0, _MODE, offset,
        ) + title + extra
    )  # fmt: skip


def _ending(count: int, nbytes: int, at: int) -> bytes:
    """What stands behind the central directory, which begins at `at`."""
    end = _END.pack(b"PK\5\6", 0, 0, count, count, nbytes, min(at, _FULL), 0)
    if at < _FULL:
        return end
    wide = _END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, nbytes, at)
    return wide + _LOCATOR.pack(b"PK\6\7", 0, at + nbytes, 1) + end


def read_directory(file: BinaryIO, nbytes: int) -> dict[str, Member]:
    """The members of a zip file, by name; nothing of their contents is read.

    Args:
        file: open to read.
        nbytes: its length.

    Raises:
        ArchiveError: it is no zip file, or one with anything that archives do not have.
    """
    if nbytes < _END.size:
        raise ArchiveError(f"the file has {nbytes} bytes, too few for an archive")
    magic, disk, first, here, count, length, start, comment = _END.unpack(
        _read(file, nbytes - _END.size, _END.size)
    )
    if magic != b"PK\5\6" or comment:
        raise ArchiveError("the file is no archive, or was cut short: it does not end as one")
    stop = nbytes - _END.size
    if start == _FULL:
        stop, here, count, length, start = _wide_end(file, stop)
    if disk or first or here != count or not 0 < count <= MAX_MEMBERS or length > MAX_DIRECTORY:
        raise ArchiveError(f"its directory lists {count} members in {length} bytes")
    if start + length != stop:
        raise ArchiveError("its directory is not where it should be")
    return _members(_read(file, start, length), count, start)


def _wide_end(file: BinaryIO, stop: int) -> tuple[int, int, int, int, int]:
    """The end of a file of more than 4 GB."""
    if stop < _END64.size + _LOCATOR.size:
        raise ArchiveError("its directory is not where it should be")
    stop -= _END64.size + _LOCATOR.size
    found = _END64.unpack(_read(file, stop, _END64.size))
    locator = _LOCATOR.unpack(_read(file, stop + _END64.size, _LOCATOR.size))
    if found[0] != b"PK\6\6" or locator != (b"PK\6\7", 0, stop, 1) or found[4] or found[5]:
        raise ArchiveError("its directory is not where it should be")
    return stop, found[6], found[7], found[8], found[9]


def _members(directory: bytes, count: int, end: int) -> dict[str, Member]:
    found: dict[str, Member] = {}
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(directory):
            raise ArchiveError("its directory is cut short")
        entry = _CENTRAL.unpack_from(directory, at)
        at += _CENTRAL.size
        title, extra, remark = entry[10:13]
        if at + title + extra + remark > len(directory):
            raise ArchiveError("its directory is cut short")
        member = _member(entry, directory[at : at + title], directory[at + title :][:extra])
        if member.name in found:
            raise ArchiveError(f"it has two members {member.name!r}")
        found[member.name] = member
        at += title + extra + remark
    if at != len(directory):
        raise ArchiveError("its directory lists fewer members than it holds")
    free = 0
    for member in sorted(found.values(), key=lambda m: m.offset):
        if member.offset < free:
            raise ArchiveError(f"member {member.name!r} overlaps another")
        free = member.offset + _LOCAL.size + len(member.name) + member.nbytes
        if free > end:
            raise ArchiveError(f"member {member.name!r} is larger than the file")
    return found


def _member(entry: tuple[Any, ...], title: bytes, extra: bytes) -> Member:
    """One entry of the directory, checked."""
    magic, flags, method = entry[0], entry[3], entry[4]
    crc, packed, nbytes = entry[7:10]
    name = title.decode("ascii", "replace")
    if magic != b"PK\1\2":
        raise ArchiveError("its directory is damaged")
    if not _NAME.match(name):
        raise ArchiveError(f"it has a member {name!r:.80}, which no archive has")
    if flags & ~0x0806:
        raise ArchiveError(f"member {name!r} is encrypted, or its sizes stand behind it")
    if method != 0 or packed != nbytes:
        raise ArchiveError(f"member {name!r} is compressed, which no archive's is")
    if entry[13] or (entry[15] >> 28) not in (0, 0o10):
        raise ArchiveError(f"member {name!r} is no plain file")
    offset = entry[16]
    if _FULL in (nbytes, offset):
        nbytes, offset = _wide(name, nbytes, offset, extra)
    return Member(name, offset, nbytes, crc)


def _wide(name: str, nbytes: int, offset: int, extra: bytes) -> tuple[int, int]:
    """Sizes of 64 bits, which stand in the extra field."""
    wanted = 2 * (nbytes == _FULL) + (offset == _FULL)
    if len(extra) != 4 + 8 * wanted or extra[:4] != struct.pack("<2H", 1, 8 * wanted):
        raise ArchiveError(f"member {name!r} has no size")
    found = list(struct.unpack(f"<{wanted}Q", extra[4:]))
    if nbytes == _FULL:
        if found[0] != found[1]:
            raise ArchiveError(f"member {name!r} is compressed, which no archive's is")
        nbytes = found[0]
    return nbytes, found[-1] if offset == _FULL else offset


def seek_member(file: BinaryIO, member: Member) -> None:
    """Go to a member's first byte.

    Raises:
        ArchiveError: its local header says something else than the directory.
    """
    head = _LOCAL.unpack(_read(file, member.offset, _LOCAL.size))
    title, extra = head[9], head[10]
    if head[0] != b"PK\3\4" or head[3] != 0 or title != len(member.name) or extra > 64:
        raise ArchiveError(f"member {member.name!r} is not where the directory says")
    if file.read(title) != member.name.encode() or len(file.read(extra)) != extra:
        raise ArchiveError(f"member {member.name!r} is not where the directory says")


def read_member(file: BinaryIO, member: Member) -> bytes:
    """A member's contents, as its checksum has them."""
    seek_member(file, member)
    data = file.read(member.nbytes)
    if len(data) != member.nbytes or zlib.crc32(data) != member.crc:
        raise ArchiveError(f"member {member.name!r} is damaged")
    return data


def _read(file: BinaryIO, at: int, nbytes: int) -> bytes:
    file.seek(at)
    data = file.read(nbytes)
    if len(data) != nbytes:
        raise ArchiveError("the file was cut short")
    return data


def joined(parts: Iterable[Any]) -> bytes:
    """Pieces as one."""
    return b"".join(map(bytes, parts))
