"""The names a kernel's object needs from outside, and which of them are allowed.

An unresolved symbol ends the process when LLVM links the object, and a call into Python's or
Numba's runtime would need both at load time. So every object is checked, when it is compiled and
again when it is loaded. Only ELF is read (Linux, and Windows, where LLVM's loader uses ELF too).
"""

from __future__ import annotations

import struct

_REAL = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp10 exp2 "
    "expm1 fabs floor fma fmax fmin fmod frexp hypot ldexp lgamma log log10 log1p log2 nearbyint "
    "nextafter pow remainder rint round roundeven sin sincos sinh sqrt tan tanh tgamma trunc"
)
_MEMORY = ("memcpy", "memmove", "memset", "memcmp", "bcmp")
# Conversions of float16 where the CPU has none, and the anchor of position-independent code.
_SUPPORT = ("__extendhfsf2", "__truncsfhf2", "__truncdfhf2", "_GLOBAL_OFFSET_TABLE_")

ALLOWED = (
    frozenset(_REAL.split()) | {name + "f" for name in _REAL.split()} | set(_MEMORY) | set(_SUPPORT)
)

_SYMBOL_TABLE = 2
_SYMBOL = struct.Struct("<IBBHQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")


def undefined(data: bytes) -> list[str]:
    """The symbols an object refers to and doesn't define, in its own order.

    Args:
        data: an object file; anything that is not little-endian 64-bit ELF gives [].

    Raises:
        ValueError: the file is cut short or its tables point outside it.
    """
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        return _read_elf(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"a damaged object file: {error}") from None


def _read_elf(data: bytes) -> list[str]:
    (first,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [_SECTION.unpack_from(data, first + size * k) for k in range(count)]
    found = []
    for section in sections:
        if section[1] != _SYMBOL_TABLE:
            continue
        offset, nbytes, strings = section[4], section[5], sections[section[6]][4]
        for at in range(offset + _SYMBOL.size, offset + nbytes, _SYMBOL.size):
            name, _, _, home, _, _ = _SYMBOL.unpack_from(data, at)
            if home == 0 and name:
                start = strings + name
                found.append(data[start : data.index(b"\0", start)].decode("ascii"))
    return found


def forbidden(data: bytes) -> list[str]:
    """Those undefined symbols that no kernel may use (Python's API, Numba's runtime, ...)."""
    return [name for name in undefined(data) if name not in ALLOWED]
