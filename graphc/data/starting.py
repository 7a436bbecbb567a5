"""How worker processes are started: a fork where that is safe, else from a server without threads.

A forked child has a copy of everything, locks included, and only the thread that forked. What
another thread had locked stays locked in the child for ever. So a process with other threads asks
a server process for its workers, which is what Python does by itself from 3.14 on. Workers from
there get the dataset pickled and import the main module anew; where that cannot be, they are
forked all the same: graphc itself holds no lock that would be missed.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from graphc.runtime.machine import team

# Bytes beyond which a dataset is rather inherited than sent to each worker.
_MOST_BYTES = 1 << 26


def context(wanted: Any, payload: object) -> Any:
    """The way to start processes.

    Args:
        wanted: what the user asked for: a context, its name, or None.
        payload: what the processes are given.

    Returns:
        A context of `multiprocessing`.
    """
    if wanted is not None and not isinstance(wanted, str):
        return wanted
    if wanted is None and multiprocessing.get_start_method(allow_none=True) is None:
        wanted = _chosen(payload)
    return multiprocessing.get_context(wanted)


def _chosen(payload: object) -> str | None:
    if not sys.platform.startswith("linux"):
        return None  # what Python has for this system
    return "forkserver" if _has_threads() and _can_be_sent(payload) else "fork"


def _has_threads() -> bool:
    """Whether threads run besides this one; the team's hold no lock of anybody's."""
    workers = {thread.ident for thread in team.current().threads}
    return bool(set(sys._current_frames()) - workers - {threading.get_ident()})


def _can_be_sent(payload: object) -> bool:
    sink = _Sink()
    try:
        ForkingPickler(sink, -1).dump(payload)
    except Exception:
        return False
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None:
        return not sink.names_main
    return _is_guarded(main)


class _Sink:
    """Where a trial pickle goes: nowhere, and not for long."""

    def __init__(self) -> None:
        self.count = 0
        self.names_main = False

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.count += view.nbytes
        if self.count > _MOST_BYTES:
            raise OverflowError
        self.names_main |= b"__main__" in bytes(view)
        return view.nbytes


def _is_guarded(path: str) -> bool:
    """Whether a main module can be imported without doing its work again."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return False
    return "__name__" in text and "__main__" in text
