"""What cannot be part of a graph, in the built-in functions that a traced run calls.

Clocks, random numbers that are not graphc's, printing: a profile hook sees their calls.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from graphc.core.origin import Origin, is_internal
from graphc.jit.trace import known
from graphc.jit.trace.codes import is_theirs

# Modules and types whose functions give other values at every call.
_IMPURE_MODULES = ("time", "random", "_random")


class Effects:
    """Lines about what a run did that its graph does not hold.

    Attributes:
        lines: what the function did besides returning a value.
        impure: values that differ from call to call.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.impure: list[str] = []
        self._seen: dict[CodeType, bool] = {}

    def hook(self) -> Callable[[FrameType, str, Any], None]:
        """What Python calls at every call of a built-in function."""
        known_ = self._seen.get

        def hook(frame: FrameType, event: str, arg: object) -> None:
            if event != "c_call":
                return
            noisy = known_(frame.f_code)
            if noisy is None:
                noisy = self._seen[frame.f_code] = _is_told(frame)
            if noisy:
                self._built_in(frame, arg)

        return hook

    def _built_in(self, frame: FrameType, function: object) -> None:
        name = getattr(function, "__name__", "")
        owner = getattr(function, "__self__", None)
        module = getattr(function, "__module__", None) or type(owner).__module__
        where = Origin(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        if function is print:
            self.add(f"print at {where} ran once, for the trace, and is not in the program")
        elif function is input or name == "open":
            self.add(f"{name}() at {where} ran once, for the trace")
        elif isinstance(owner, ModuleType) and owner.__name__ in _IMPURE_MODULES:
            self._changing(f"{owner.__name__}.{name}() at {where}", name)
        elif module in ("numpy.random.mtrand", "numpy.random._generator", "random", "_random"):
            self._changing(f"{module}: {name}() at {where}", name)
        elif name in ("now", "utcnow", "today", "urandom", "uuid4"):
            self._changing(f"{name}() at {where}", name)
        elif function is id:
            self._changing(f"id() at {where}: identities differ from run to run", name)

    def add(self, line: str) -> None:
        """Note what the function did, once."""
        if line not in self.lines:
            self.lines.append(line)

    def _changing(self, line: str, name: str) -> None:
        if name in ("sleep", "seed", "set_state", "get_state"):
            return
        if line not in self.impure:
            self.impure.append(line)


def _is_told(frame: FrameType) -> bool:
    """Whether what a frame's code calls is told of as a side effect: the user's own code."""
    code = frame.f_code
    file = code.co_filename
    module = str(frame.f_globals.get("__name__", ""))
    foreign = is_internal(code) or not is_theirs(file)
    foreign = foreign or (file == "<string>" and module != "__main__")
    ours = known.is_ours(module) or "numpy code of" in file
    return not (foreign or ours or file.startswith("<frozen"))


def numpy_state() -> Any:
    """The state of NumPy's global generator, whose functions no profile hook sees."""
    _, keys, place, *_ = np.random.get_state()
    return place, np.asarray(keys).tobytes()


__all__ = ["Effects", "numpy_state"]
