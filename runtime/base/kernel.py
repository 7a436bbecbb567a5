"""A kernel: readable source of one function, and the key that names its compiled form.

    kernel = Kernel("scale", '''
    def scale(args, lo, hi):
        x = buffer(args, 0, f32)
        for i in range(lo, hi):
            x[i] = x[i] * f32(2.0)
    ''')

Nothing here compiles or loads: see `compiler` and `loader`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphc.runtime.base import target

# Raise it when the calling convention, the status block or the frame's layout changes.
ABI = 1
NAME_LENGTH = 40

# Files whose text decides what a kernel's source compiles to.
_COMPILED_BY = (
    "objects/compiler.py", "objects/loop_hints.py", "objects/vector*.py", "language/numba_*.py",
    "language/emitting.py", "language/machine_language.py", "base/target.py", "base/lanes.py",
    "base/bounds.py", "base/poison.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kernel:
    """One native function of signature `(int64* args, int64 lo, int64 hi)`.

    Attributes:
        name: the name of the function that `source` defines.
        source: Python text: constants and one `def name(args, lo, hi)`.
        language: "kernel" (the names of `numba_language`), "machine" (those of
            `machine_language`, for the step machine itself), "library" (a kernel that calls C
            functions through their addresses besides), or "cuda" (for blocks of threads).
        returns: whether the function returns an int64 (kernels return nothing).
        checks: what its machine code tests besides: words of GRAPHC_CHECK, with commas.
        label: of a generated kernel, its name without the digest of its source.
    """

    name: str
    source: str
    language: str = "kernel"
    returns: bool = False
    checks: str = ""
    label: str = ""


def generated(label: str, lines: str) -> Kernel:
    """A kernel named by what it is for and by a digest of its source.

    Args:
        label: a few words, as an identifier; the name has the first of them.
        lines: the body of the function, each line indented.
    """
    digest = hashlib.sha256(lines.encode()).hexdigest()[:8]
    name = f"{label[:NAME_LENGTH]}_{digest}"
    return Kernel(name, f"def {name}(args, lo, hi):\n{lines}", label=label)


@functools.cache
def _common(machine: str, files: tuple[str, ...]) -> bytes:
    """Digest of all that a compiled kernel depends on besides its own record."""
    import llvmlite

    found = hashlib.sha256()
    parts = [str(ABI), sys.implementation.cache_tag or "", llvmlite.__version__, machine]
    found.update("\n".join(parts).encode())
    found.update(_numba_version())
    here = Path(__file__).parent.parent
    for pattern in files:
        for path in sorted(here.glob(pattern)):
            found.update(path.read_bytes())
    return found.digest()


def _numba_version() -> bytes:
    """Numba's version file: importing Numba, or `importlib.metadata`, would cost far more."""
    spec = importlib.util.find_spec("numba")
    if spec is None or not spec.origin:
        return b""
    path = Path(spec.origin).parent / "_version.py"
    return path.read_bytes() if path.is_file() else b""


@functools.lru_cache(maxsize=4096)
def key(kernel: Kernel) -> str:
    """The name of a kernel's compiled form: 64 hexadecimal digits.

    Equal keys mean equal machine code: the digest covers the source, the ABI, the versions of
    Python, Numba and llvmlite, the CPU with its features, and the compiler's own source.
    """
    return key_on(kernel, target.identity())


def key_on(kernel: Kernel, machine: str, files: tuple[str, ...] = ()) -> str:
    """As `key`, compiled for another machine than this CPU.

    Args:
        kernel: to be compiled.
        machine: what its machine code depends on there.
        files: patterns of the files that decide what it compiles to, besides those for this CPU.
    """
    digest = hashlib.sha256(_common(machine, (*_COMPILED_BY, *files)))
    parts = [kernel.name, kernel.source, kernel.language, str(kernel.returns)]
    for part in [*parts, kernel.checks] if kernel.checks else parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def symbol(kernel: Kernel) -> str:
    """The C symbol that a kernel's object defines."""
    return f"graphc_{key(kernel)[:40]}"


def sources(kernels: Sequence[Kernel]) -> dict[str, str]:
    """Sources by name; a further kernel of a name gets a number after it."""
    names: dict[Kernel, str] = {}
    for kernel in dict.fromkeys(kernels):
        alike = sum(other.name == kernel.name for other in names)
        names[kernel] = f"{kernel.name}_{alike + 1}" if alike else kernel.name
    return {name: kernel.source for kernel, name in names.items()}
