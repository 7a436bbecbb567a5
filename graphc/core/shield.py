"""Work that an interrupt does not tear: imports and compilations that cannot be begun again.

    module = whole("numba.core.compiler")
    data = shielded(lambda: compile_object(kernel))

Python runs signal handlers in the main thread only. So what another thread does goes on to its end
when Ctrl-C ends the wait for it: no package stays half imported, no table of Numba's half filled.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from typing import Any

# Bytes: LLVM recurses deeply, and a second thread's stack is small on some systems.
_STACK = 1 << 26

_modules: dict[str, Any] = {}
_under_way: list[_Work] = []


class _Work(threading.Thread):
    """One call. No daemon: the interpreter's end waits for it, as LLVM has to be left alone."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(name="graphc-shielded", daemon=False)
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call."""
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error
        _under_way.remove(self)


def shielded(function: Callable[[], Any]) -> Any:
    """Call a function that goes on to its end whatever interrupts the caller.

    Args:
        function: without arguments.

    Returns:
        What it returns; what it raises is raised.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()  # signal handlers do not run here
    work = _Work(function)
    before = threading.stack_size(_STACK)
    try:
        _under_way.append(work)
        work.start()
    except RuntimeError:  # no more threads
        _under_way.remove(work)
        return function()
    finally:
        threading.stack_size(before)
    work.join()
    if work.error is not None:
        raise work.error
    return work.result


def whole(name: str) -> Any:
    """A module, imported to its end whatever interrupts the caller.

    Args:
        name: of the module, in full.

    Raises:
        ImportError: as the import statement.
    """
    if name not in _modules:
        _modules[name] = shielded(lambda: importlib.import_module(name))
    return _modules[name]


def _finish() -> None:
    # A child would have the locks that this work holds, and not the thread that opens them.
    for work in list(_under_way):
        if work.ident is not None and work is not threading.current_thread():
            work.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish)
