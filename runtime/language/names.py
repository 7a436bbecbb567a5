"""Names for the variables of generated kernels, none of which the kernel language has taken.

A variable named as a dtype or a function hides it in the whole kernel: `i64 = 0` makes of every
`i64(x)` a call of a number. So whatever numbers names asks here.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.errors import InternalError
from graphc.runtime.language import language

_TAKEN = frozenset(language.namespace())


def numbered(prefix: str) -> Iterator[str]:
    """`prefix` with a number from 0 on, without the names that mean something already.

    Example:
        >>> names = numbered("i")
        >>> [next(names) for _ in range(10)]
        ['i0', 'i1', 'i2', 'i3', 'i4', 'i5', 'i6', 'i7', 'i9', 'i10']
    """
    number = 0
    while True:
        name = f"{prefix}{number}"
        if name not in _TAKEN:
            yield name
        number += 1


def checked(name: str) -> str:
    """The name itself.

    Raises:
        InternalError: the kernel language has taken it.
    """
    if name in _TAKEN:
        raise InternalError(f"a variable of a kernel would be named {name!r}, as a function is")
    return name
