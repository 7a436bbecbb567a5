"""From kernels to addresses: what this process has loaded, else the cache, else the compiler.

    addresses = load([Kernel("scale", source), ...])

Objects are linked into the process by llvmlite alone; Numba is imported only when something has
to be compiled. Code once loaded stays: it is small, programs share it, and a thread may be in it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.core import shield
from graphc.core.access import Access, access, hold, leave
from graphc.errors import InternalError
from graphc.runtime.base import symbols, target
from graphc.runtime.base.kernel import Kernel, key, symbol
from graphc.runtime.objects import cache

_addresses: dict[str, int] = {}
# Kernels compiled by this process, for tests and for `explain`: names in order.
compiled: list[str] = []
# What those that load take turns at. A signal handler may load inside another load.
_loading = object()
# Objects by key that came with a program, where its user allowed that.
_offered: dict[str, bytes] = {}


@contextmanager
def offered(objects: Mapping[str, bytes]) -> Iterator[None]:
    """Inside, kernels that are not in the cache may be taken from these objects, by their keys.

    Args:
        objects: machine code that the user trusts. Only a key that is computed here, from the
            source and this machine, finds one.
    """
    try:
        _offered.update(objects)
        yield
    finally:
        for name in objects:
            _offered.pop(name, None)


def load(kernels: Sequence[Kernel]) -> list[int]:
    """The address of each kernel's function in this process.

    Args:
        kernels: in any order, repeats allowed. Those not yet loaded are read from the cache, or
            compiled and stored there.

    Returns:
        One address a kernel, in the same order. They stay valid until the process ends.

    Raises:
        CompileError: a kernel's source doesn't compile.
    """
    keys = [key(kernel) for kernel in kernels]
    with access(writes=(_loading,), whole=True):
        missing = {name: k for name, k in zip(keys, kernels) if name not in _addresses}
        if missing:
            objects = [(symbol(k), data) for k, data in _objects(missing)]
            _addresses.update(zip(missing, _link(objects)))
        return [_addresses[name] for name in keys]


def _objects(missing: dict[str, Kernel]) -> Iterable[tuple[Kernel, bytes]]:
    """Each kernel with its object, from the cache or from the compiler."""
    store = cache.current()
    wrote = False
    for name, kernel in missing.items():
        data = store.read(name) or _offered.get(name)
        if data is None or not _linkable(data):
            data = _compile(kernel)
            wrote |= store.write(name, data)
        yield kernel, data
    if wrote:
        store.evict()


def _linkable(data: bytes) -> bool:
    """Whether an object from the cache needs only what a kernel may: its checksum isn't a proof."""
    try:
        return not symbols.forbidden(data)
    except ValueError:
        return False


def _compile(kernel: Kernel) -> bytes:
    # By name, and only here: the compiler imports Numba, and a warm start must not.
    compiler = shield.whole("graphc.runtime.objects.compiler")
    compiled.append(kernel.name)
    data: bytes = shield.shielded(lambda: compiler.compile_object(kernel))
    return data


def _link(objects: list[tuple[str, bytes]]) -> list[int]:
    """Link object files into this process together; returns the addresses of their symbols."""
    llvm = shield.whole("llvmlite.binding")

    target.initialize()
    for _, data in objects:
        _provide(symbols.undefined(data))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target.machine())
    for _, data in objects:
        engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(data))
    engine.finalize_object()
    addresses = [engine.get_function_address(name) for name, _ in objects]
    # Never disposed of: a worker thread may still be inside when the interpreter ends.
    engine.detach()
    if 0 in addresses:
        raise InternalError(f"symbol {objects[addresses.index(0)][0]} is not in its object")
    return addresses


def _provide(names: Iterable[str]) -> None:
    """Make C functions known to LLVM's linker, which ends the process when one is missing."""
    llvm = shield.whole("llvmlite.binding")

    for name in names:
        if name.startswith("_GLOBAL_OFFSET") or llvm.address_of_symbol(name):
            continue
        address = _c_function(name)
        if not address:
            raise InternalError(f"the C library has no function {name}")
        llvm.add_symbol(name, address)


def _c_function(name: str) -> int:
    for library in (None, "libm.so.6", "libm.so", "msvcrt"):
        try:
            function: Any = getattr(ctypes.CDLL(library), name)
        except (OSError, AttributeError, TypeError):
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return 0


_forking: list[object] = []


def _before_fork() -> None:
    _forking.append(hold(Access(writes=(_loading,), whole=True), sys._getframe(1)))


def _after_fork() -> None:
    leave(_forking.pop())


if hasattr(os, "register_at_fork"):
    # Held over a fork, so that no thread is inside LLVM, whose own lock the child would inherit.
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
