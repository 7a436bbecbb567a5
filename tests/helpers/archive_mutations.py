"""Damaged archives: seeded mutations of a golden one, some sealed again with right checksums.

`python tests/helpers/archive_mutations.py 1000 7` runs the first 1000 of seed 7 and prints what
became of them; the memory of the process is bounded, and so is the time of each.
"""

from __future__ import annotations

import io
import json
import random
import re
import resource
import signal
import sys
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import graphc as gc
from graphc.errors import GraphcError
from graphc.jit.archive import archive_program, archive_reader
from graphc.jit.archive.manifest import MANIFEST

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "program_v1.gcz"
SECONDS = 5
# What a process may take beyond what it has when it starts.
BYTES = 1 << 29
# Survivors that are run with NumPy, and compiled.
RUN, COMPILED = 300, 6

WORDS = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1",
    "2",
    "3",
    "7",
    "64",
    "65",
    "1000000007",
    "18446744073709551616",
    "-9223372036854775809",
    "True",
    "False",
    "None",
    "n",
    "m",
    "n*n",
    "n//2",
    "(n-5)//2",
    "min(n,3)",
    "max(n,n*n)",
    "n%0",
    "f32",
    "f64",
    "i64",
    "b1",
    "u8",
    "f16",
    "()",
    "(0,)",
    "(1,0)",
    "(0,0)",
    "(n,)",
    "(-1,)",
    "axes",
    "shape",
    "dtype",
    "value",
    "x",
    "w",
    "v0",
    "v1",
    "add",
    "sum",
    "take",
    "fused",
    "parameter",
    "constant",
    "input",
    "'x'",
    "'\\n'",
    "\"__import__('os')\"",
    "f32[n]",
    "f32[()]",
    "f32[99999999999]",
    ":=",
    ",",
    "(",
    ")",
    ":",
    "=",
    "[",
    "]",
    "def",
    "return",
    "trusted=True",
    "overflow='none'",
    "carries=9",
    "body=v0",
    "lane=4",
    "9e999",
    "1e400",
    "0x10",
    "1_000",
    "1j",
    "b'x'",
    "...",
    "lambda",
    "(((((((((((((((((((((n)))))))))))))))))))))",
    "------1",
    "not",
]
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1 << 40, 1 << 70, 1.5, "", "x", "../x", "a" * 300, [], {}, [0],
    [[0, 0, "f"]], {"form": "one", "keys": []}, "state.safetensors", "programs/0/graph.txt",
    "leaf", ["list", [], ["leaf"]], "parameter", "f32[n, 8]", "0" * 64,
)  # fmt: skip


def contents(data: bytes) -> dict[str, bytes]:
    """The members of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def sealed(members: dict[str, bytes], honest: bool = True) -> bytes:
    """Members as a zip file; with `honest`, their sizes and checksums in the manifest."""
    if honest:
        try:
            manifest = json.loads(members[MANIFEST])
            for name, member in manifest["members"].items():
                member["nbytes"] = len(members[name])
                member["sha256"] = sha256(members[name]).hexdigest()
            members = {**members, MANIFEST: json.dumps(manifest).encode()}
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut out, repeated, moved, replaced by extremes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(found) + 1)
        size = rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            del found[at : at + size]
        elif kind == 3:
            other = rng.randrange(len(found) + 1)
            found[at:at] = found[other : other + size]
        elif kind == 4:
            found[at : at + size] = rng.choice((b"\0", b"\xff", b"\x7f")) * size
        else:
            found[at : at + size] = rng.randbytes(size)
        if not found:
            break
    return bytes(found)


def text_changed(content: str, rng: random.Random) -> str:
    """Words of a graph's text replaced, dropped, swapped; lines moved."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if rng.random() < 0.2:
            lines = content.splitlines()
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i] = lines[j]
            content = "\n".join(lines)
            continue
        words = list(re.finditer(r"\w+|[^\w\s]", content))
        if not words:
            break
        word = rng.choice(words)
        new = rng.choice(("", rng.choice(WORDS), rng.choice(words).group(), word.group() * 2))
        content = content[: word.start()] + new + content[word.end() :]
    return content


def value_changed(value: Any, rng: random.Random) -> Any:
    """One value somewhere in JSON replaced, dropped or repeated."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part))
        places += [(part, key) for key in keys]
        waiting += [part[k] for k in keys if isinstance(part[k], dict | list)]
    part, key = rng.choice(places)
    kind = rng.randrange(4)
    if kind == 0:
        del part[key]
    elif kind == 1 and isinstance(part, list):
        part.insert(key, part[key])
    elif kind == 2:
        other, place = rng.choice(places)
        part[key] = json.loads(json.dumps(other[place])) if place in _keys(other) else None
    else:
        part[key] = rng.choice(VALUES)
    return value


def _keys(part: Any) -> Any:
    return part if isinstance(part, dict) else range(len(part))


def mutation(data: bytes, seed: int) -> bytes:
    """One damaged archive."""
    rng = random.Random(seed)
    kind = rng.randrange(10)
    if kind < 3:
        return bytes_changed(data, rng)
    members = contents(data)
    if kind < 6:
        name = "programs/0/graph.txt"
        members[name] = text_changed(members[name].decode(), rng).encode()
    elif kind < 8:
        manifest = json.loads(members[MANIFEST])
        for _ in range(rng.choice((1, 1, 2))):
            manifest = value_changed(manifest, rng)
        members[MANIFEST] = json.dumps(manifest).encode()
        return sealed(members, honest=rng.random() < 0.5)
    elif kind < 9:
        name = rng.choice(list(members))
        members[name] = bytes_changed(members[name], rng)
    else:
        header = members["state.safetensors"]
        length = int.from_bytes(header[:8], "little")
        try:
            changed = json.dumps(value_changed(json.loads(header[8 : 8 + length]), rng)).encode()
        except (TypeError, ValueError):
            changed = b"{}"
        members["state.safetensors"] = (
            len(changed).to_bytes(8, "little") + changed + header[8 + length :]
        )
    return sealed(members)


def attempt(data: bytes) -> tuple[str, Any]:
    """What becomes of an archive: the error's name, or "read" and the archive.

    Raises:
        AssertionError: an error that is none of graphc, or that is too long.
    """
    try:
        return "read", archive_reader.read_bytes(data)
    except GraphcError as error:
        assert len(str(error).splitlines()) <= 12, str(error)
        assert len(str(error)) < 4000, len(str(error))
        return type(error).__name__, None


def exercise(found: archive_reader.Archive, target: str) -> str:
    """Run what was read on small inputs."""
    try:
        for saved in found.programs:
            options = {**saved.record.options, "target": target}
            build = archive_program.revived(saved, options)
            program = archive_program.LoadedProgram(build, saved)
            program(*[_small(node) for node in program._inputs])
    except GraphcError as error:
        assert len(str(error).splitlines()) <= 12, str(error)
        return type(error).__name__
    return "ran"


def _small(node: Any) -> Any:
    import numpy as np

    shape = [d if isinstance(d, int) else 4 for d in node.type.shape]
    return np.ones(shape, node.type.dtype.numpy)


def main(count: int, first: int) -> None:
    """Try `count` mutations, seeds from `first`; the last line counts what became of them."""
    data = GOLDEN.read_bytes()
    assert attempt(data)[0] == "read"
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    seen: Counter[str] = Counter()
    survivors = 0
    for seed in range(first, first + count):
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            damaged = mutation(data, seed)
            what, found = attempt(damaged)
            seen[what] += 1
            if found is not None and damaged != data and survivors < RUN:
                survivors += 1
                seen[f"reference {exercise(found, 'reference')}"] += 1
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            raise
        signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(seen))


if __name__ == "__main__":
    assert gc
    main(int(sys.argv[1]), int(sys.argv[2]))
