"""CUDA kernels compiled: PTX by kernel and architecture, from the cache or from the compiler.

text = ptx(kernel, "sm_90")          # bytes; a driver finds entry_name(kernel) in it
"""

from __future__ import annotations

import functools
import re

from graphc.core import shield
from graphc.errors import AttributeValueError
from graphc.runtime.base.kernel import Kernel, key_on
from graphc.runtime.objects import cache

LANGUAGE = "cuda"
# The oldest version of PTX that LLVM takes for an architecture; 8.0 is that of CUDA 12.0.
VERSIONS = {
    "sm_75": 80, "sm_80": 80, "sm_86": 80, "sm_89": 80, "sm_90": 80, "sm_100": 86, "sm_120": 87,
}  # fmt: skip
# From this version on a kernel takes more than 512 words.
MANY_WORDS, WITH_MANY = 512, 81
# Files whose text decides what a kernel's PTX is, besides those of kernels for the CPU.
_COMPILED_BY = ("cuda/language.py", "cuda/nvptx.py", "cuda/compile.py")
_FACT = r"^{} = (\d+)$"


def check_arch(arch: object) -> str:
    """The architecture itself.

    Raises:
        AttributeValueError: PTX is not made for it.
    """
    if not isinstance(arch, str) or arch not in VERSIONS:
        raise AttributeValueError(
            f"cuda: {arch!r} is not an architecture", hint=f"one of {', '.join(VERSIONS)}"
        )
    return arch


def _fact(kernel: Kernel, name: str) -> int:
    found = re.search(_FACT.format(name), kernel.source, re.MULTILINE)
    assert found is not None, f"{kernel.name} does not say its {name}"
    return int(found[1])


def words_of(kernel: Kernel) -> int:
    """How many int64 parameters a kernel has."""
    return _fact(kernel, "words")


def threads_of(kernel: Kernel) -> int:
    """How many threads a block of a kernel has."""
    return _fact(kernel, "threads")


@functools.lru_cache(maxsize=4096)
def entry_name(kernel: Kernel) -> str:
    """The name by which a driver finds a kernel in its PTX, on every architecture."""
    return f"graphc_{key_on(kernel, 'nvptx64', _COMPILED_BY)[:40]}"


def ptx(kernel: Kernel, arch: str) -> bytes:
    """A kernel's PTX.

    Args:
        kernel: in the language "cuda".
        arch: such as "sm_90".

    Raises:
        AttributeValueError: it needs a function that devices don't have, or there is no such
            architecture.
    """
    version = VERSIONS[check_arch(arch)]
    words = words_of(kernel)
    if words > MANY_WORDS:
        version = max(version, WITH_MANY)
    store = cache.current()
    name = key_on(kernel, f"nvptx64 {arch} {version}", _COMPILED_BY)
    data = store.read(name)
    if data is None:
        nvptx = shield.whole("graphc.runtime.cuda.nvptx")
        entry = entry_name(kernel)
        made: str = shield.shielded(lambda: nvptx.ptx(kernel, entry, words, arch, version))
        data = made.encode()
        store.write(name, data)
    return data
